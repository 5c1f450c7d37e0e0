# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE=<program> -DPREFIX=<installed tree> -DBUILD=<folder> -DCMAKE_CXX_COMPILER=... -DCMAKE_CXX_FLAGS=...
#       (-DGENERATOR=... | -DPKG_CONFIG=... -DPKG_CONFIG_PATH=...) -P run.cmake
# Builds a program against an installed Rowmill as its users do, by CMake or by pkg-config alone, and runs it.
# The program may be a Markdown file: then it is the first C++ example in there.
file(REMOVE_RECURSE ${BUILD})
file(MAKE_DIRECTORY ${BUILD})

if(SOURCE MATCHES "\\.md$")
  file(READ ${SOURCE} text)
  string(FIND "${text}" "```cpp\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "${SOURCE} has no C++ example")
  endif()
  math(EXPR begin "${begin} + 7")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  set(SOURCE ${BUILD}/example.cpp)
  file(WRITE ${SOURCE} "${text}")
endif()

if(PKG_CONFIG)
  set(ENV{PKG_CONFIG_PATH} ${PKG_CONFIG_PATH})
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs rowmill OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(compiler_flags UNIX_COMMAND "-std=c++20 ${CMAKE_CXX_FLAGS}")
  separate_arguments(flags UNIX_COMMAND "${flags}")
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} ${compiler_flags} ${SOURCE} -o ${BUILD}/consumer ${flags}
                  COMMAND_ERROR_IS_FATAL ANY)
else()
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${BUILD} -G ${GENERATOR} -DSOURCE=${SOURCE}
                          -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
                          "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}" -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(COMMAND ${BUILD}/consumer COMMAND_ERROR_IS_FATAL ANY)
