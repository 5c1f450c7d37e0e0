# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE=<program> -DLANGUAGE=<CXX or C> -DCOMPILER=... -DFLAGS=... -DPREFIX=<installed tree> -DBUILD=<folder>
#       -DTBB_DIR=... (-DGENERATOR=... | -DPKG_CONFIG=... -DPKG_CONFIG_PATH=...) -P run.cmake
# Builds a program against an installed Rowmill as its users do, by CMake or by pkg-config alone, and runs it. One in C
# links the shared library of the C interface. The program may be a Markdown file: then it is the first example in
# there in that language.
file(REMOVE_RECURSE ${BUILD})
file(MAKE_DIRECTORY ${BUILD})

if(LANGUAGE STREQUAL "C")
  set(library rowmill_c)
  set(standard c11)
  set(suffix c)
else()
  set(library rowmill)
  set(standard c++20)
  set(suffix cpp)
endif()

if(SOURCE MATCHES "\\.md$")
  file(READ ${SOURCE} text)
  set(fence "```${suffix}\n")
  string(FIND "${text}" "${fence}" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "${SOURCE} has no example in ${LANGUAGE}")
  endif()
  string(LENGTH "${fence}" length)
  math(EXPR begin "${begin} + ${length}")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  set(SOURCE ${BUILD}/example.${suffix})
  file(WRITE ${SOURCE} "${text}")
endif()

if(PKG_CONFIG)
  set(ENV{PKG_CONFIG_PATH} ${PKG_CONFIG_PATH})
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs ${library} OUTPUT_VARIABLE flags
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${PKG_CONFIG} --variable=libdir ${library} OUTPUT_VARIABLE library_path
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(ENV{LD_LIBRARY_PATH} ${library_path})
  separate_arguments(compiler_flags UNIX_COMMAND "-std=${standard} ${FLAGS}")
  separate_arguments(flags UNIX_COMMAND "${flags}")
  execute_process(COMMAND ${COMPILER} ${compiler_flags} ${SOURCE} -o ${BUILD}/consumer ${flags}
                  COMMAND_ERROR_IS_FATAL ANY)
else()
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${BUILD} -G ${GENERATOR} -DSOURCE=${SOURCE}
                          -DLANGUAGE=${LANGUAGE} -DLIBRARY=rowmill::${library} -DCMAKE_PREFIX_PATH=${PREFIX}
                          -DCMAKE_${LANGUAGE}_COMPILER=${COMPILER} "-DCMAKE_${LANGUAGE}_FLAGS=${FLAGS}"
                          -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} -DTBB_DIR=${TBB_DIR}
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} COMMAND_ERROR_IS_FATAL ANY)
endif()
execute_process(COMMAND ${BUILD}/consumer COMMAND_ERROR_IS_FATAL ANY)
