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
/// Public classes hold containers of the standard library, whose layout differs in its debug mode. So a program in that
/// mode needs a Rowmill that is compiled with -D_GLIBCXX_DEBUG too. Otherwise this name is missing at link time.
extern const char compile_rowmill_with_GLIBCXX_DEBUG_too;
[[gnu::used]] static const char* const debug_mode = &compile_rowmill_with_GLIBCXX_DEBUG_too;
}  // namespace rowmill::detail
#endif
