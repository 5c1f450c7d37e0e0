# SPDX-License-Identifier: Apache-2.0
# On real tweets a few epochs reach 0.75 on the test file.
include(${CMAKE_CURRENT_LIST_DIR}/run_sentiment.cmake)

run_sentiment(0 output ${DATA}/tweets-train.tsv ${DATA}/tweets-test.tsv --epochs 5)
if(NOT output MATCHES " 0\\.(7[5-9]|[89])[0-9]*\n")
  message(FATAL_ERROR "below 0.75 on the test file:\n${output}")
endif()
