// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "commands.hpp"

namespace rowmill::tool {

/// The kind of the input. Throws if it was given an option that files of this kind have no use for.
[[nodiscard]] io::FileKind kind_of(const InputOptions& input);

/// The table of the input and its words; of a split table the floats. Throws as kind_of().
[[nodiscard]] io::WordVectors load(const InputOptions& input);

}  // namespace rowmill::tool
