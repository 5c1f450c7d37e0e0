// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace rowmill::tool {

/// Opens what the caller has closed of standard output and error, so that no file of ours becomes one of them. To write
/// there is still an error.
void open_standard_streams();

/// Writes to standard error. Where that is closed, on a full disk, or a terminal that has gone, the text is lost: what
/// a command computes does not depend on it.
void say(std::string_view text) noexcept;

}  // namespace rowmill::tool
