# SPDX-License-Identifier: Apache-2.0

function(rowmill_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow $<$<BOOL:${ROWMILL_WERROR}>:-Werror>)
endfunction()

# Sanitizers are given as plain flags, by the preset or by hand. Tests that they would spoil ask for this.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  set(ROWMILL_SANITIZED ON)
else()
  set(ROWMILL_SANITIZED OFF)
endif()
