# SPDX-License-Identifier: Apache-2.0
# The same losses and the same hash at 1 and 2 threads, and twice in a row.
include(${CMAKE_CURRENT_LIST_DIR}/run_sentiment.cmake)

foreach(threads 1 2 2)
  run_sentiment(0 output --epochs 1 --hexfloat --threads ${threads})
  results_of("${output}" results)
  if(NOT results MATCHES "0x1\\." OR NOT results MATCHES "hash of the weights: [0-9a-f]+")
    message(FATAL_ERROR "no loss or hash in:\n${output}")
  endif()
  if(DEFINED first AND NOT results STREQUAL first)
    message(FATAL_ERROR "at ${threads} threads:\n${results}\ninstead of\n${first}")
  endif()
  set(first "${results}")
endforeach()
