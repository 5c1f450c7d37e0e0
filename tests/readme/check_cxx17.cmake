# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=<C++ compiler> -DINCLUDE=<folder> -DHEADERS=<list> -P check_cxx17.cmake
# As C++17, each header must give the one error that says what it needs. The C interface and version.hpp need no C++20.
cmake_minimum_required(VERSION 3.22)
list(FILTER HEADERS EXCLUDE REGEX "/(c\\.h|c/[a-z_]+\\.h|version\\.hpp)$")
foreach(header IN LISTS HEADERS)
  execute_process(COMMAND ${COMPILER} -std=c++17 -fsyntax-only -I ${INCLUDE} -include ${header} -x c++ /dev/null
                  ERROR_VARIABLE errors RESULT_VARIABLE result)
  string(REGEX MATCHALL "error: [^\n]*" found "${errors}")
  list(LENGTH found count)
  if(result EQUAL 0 OR NOT count EQUAL 2 OR NOT found MATCHES "Rowmill needs C\\+\\+20.*rowmill/needs_cxx20")
    message(SEND_ERROR "${header}, as C++17, does not say in one error that it needs C++20:\n${errors}")
  endif()
endforeach()
