# SPDX-License-Identifier: Apache-2.0

function(rowmill_set_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow $<$<BOOL:${ROWMILL_WERROR}>:-Werror>)
endfunction()
