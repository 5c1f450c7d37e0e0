// SPDX-License-Identifier: Apache-2.0
// What the public headers need of the compiler. Each of them includes this one, itself or through another.
#pragma once

#if __cplusplus < 202002L
#error "Rowmill needs C++20: compile with -std=c++20 or newer"
// The missing header ends the compilation: a hundred errors that follow from the first would hide it.
#include <rowmill/needs_cxx20>
#endif
