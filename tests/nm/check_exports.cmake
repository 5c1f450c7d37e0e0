# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=<nm> -DLIBRARY=<shared library> -DHEADERS=<folder> -P check_exports.cmake
# Fails unless the library exports the functions that the headers declare, and nothing else.
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND ${NM} --dynamic --defined-only --format=posix ${LIBRARY} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" exported "${symbols}")
list(TRANSFORM exported REPLACE " .*" "")

# A declaration is a name, its arguments and ROWMILL_NOEXCEPT.
set(declared "")
file(GLOB headers ${HEADERS}/*.h)
foreach(header IN LISTS headers)
  file(READ ${header} text)
  string(REGEX MATCHALL "rowmill_[a-z0-9_]+\\([^()]*\\) ROWMILL_NOEXCEPT" declarations "${text}")
  list(TRANSFORM declarations REPLACE "\\(.*" "")
  list(APPEND declared ${declarations})
endforeach()

foreach(symbol IN LISTS exported)
  if(NOT symbol IN_LIST declared)
    message(SEND_ERROR "${LIBRARY} exports ${symbol}, which ${HEADERS} does not declare")
  endif()
endforeach()
foreach(symbol IN LISTS declared)
  if(NOT symbol IN_LIST exported)
    message(SEND_ERROR "${HEADERS} declares ${symbol}, which ${LIBRARY} does not export")
  endif()
endforeach()
list(LENGTH declared count)
message(STATUS "${count} functions are exported")
