# SPDX-License-Identifier: Apache-2.0
# On real tweets a few epochs reach 0.75 on the test file, with vectors of float32 and with stochastically rounded bf16.
include(${CMAKE_CURRENT_LIST_DIR}/run_sentiment.cmake)

foreach(format "--format;f32" "--format;bf16;--rounding;stochastic")
  run_sentiment(0 output ${DATA}/tweets-train.tsv ${DATA}/tweets-test.tsv --epochs 5 ${format})
  if(NOT output MATCHES " 0\\.(7[5-9]|[89])[0-9]*\n")
    message(FATAL_ERROR "below 0.75 on the test file:\n${output}")
  endif()
endforeach()
