// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace rowmill::test {

/// Every public operation, and the hash of what it made: each has work for several threads.
const std::vector<std::pair<std::string, std::function<std::uint64_t()>>>& operations();

}  // namespace rowmill::test
