// SPDX-License-Identifier: Apache-2.0
// What the public headers need of the compiler. Each of them includes this one, itself or through another.
#pragma once

#if __cplusplus < 202002L
#error "Rowmill needs C++20: compile with -std=c++20 or newer"
// The missing header ends the compilation: a hundred errors that follow from the first would hide it.
#include <rowmill/needs_cxx20>
#endif

#ifdef _GLIBCXX_DEBUG
namespace rowmill::detail {
/// Containers of the standard library stand in public classes, and those of its debug mode have another layout. So a
/// program in that mode needs Rowmill compiled in it too, by -D_GLIBCXX_DEBUG; else it lacks this name when it is
/// linked.
extern const char compile_rowmill_with_GLIBCXX_DEBUG_too;
[[gnu::used]] static const char* const debug_mode = &compile_rowmill_with_GLIBCXX_DEBUG_too;
}  // namespace rowmill::detail
#endif
