# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE=<program> -DPREFIX=<installed tree> -DBUILD=<folder> -DHOW=<cmake|pkg-config> -D... -P run.cmake
# Builds a program against an installed Rowmill, as its users do, and runs it.
file(REMOVE_RECURSE ${BUILD})
file(MAKE_DIRECTORY ${BUILD})

if(SOURCE MATCHES "\\.md$")
  # The first C++ example of a Markdown file.
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

if(HOW STREQUAL "cmake")
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${BUILD} -G ${GENERATOR} -DSOURCE=${SOURCE}
                          -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${PREFIX} "-DCMAKE_CXX_FLAGS=${FLAGS}"
                          -DCMAKE_BUILD_TYPE=Release COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} COMMAND_ERROR_IS_FATAL ANY)
else()
  set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig)
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs rowmill OUTPUT_VARIABLE pkg_config_flags
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(pkg_config_flags)
  separate_arguments(FLAGS)
  execute_process(COMMAND ${COMPILER} -std=c++20 ${FLAGS} ${SOURCE} -o ${BUILD}/consumer ${pkg_config_flags}
                  COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(COMMAND ${BUILD}/consumer COMMAND_ERROR_IS_FATAL ANY)
