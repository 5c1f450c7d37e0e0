// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rowmill::io {

/// A whole member of a gzip file; members may stand one after another. Throws Error (out_of_memory).
[[nodiscard]] std::string gzip_member(std::string_view bytes);

}  // namespace rowmill::io
