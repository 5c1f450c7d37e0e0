# SPDX-License-Identifier: Apache-2.0
# A data file that can't be used gets one message, with the line, and exit code 1.
include(${CMAKE_CURRENT_LIST_DIR}/run_sentiment.cmake)
file(REMOVE_RECURSE ${FOLDER})
file(WRITE ${FOLDER}/good.tsv "1\tgood day\r\n0\tbad day\n")
file(WRITE ${FOLDER}/empty.tsv "")
file(WRITE ${FOLDER}/unlabelled.tsv "1\tgood\njust a text\n")
file(WRITE ${FOLDER}/label.tsv "1\tgood\n2\tbad\n")
execute_process(COMMAND printf "1\\tgood\\n0\\tb\\377d\\n" OUTPUT_FILE ${FOLDER}/latin.tsv)

function(expect_failure file message)
  run_sentiment(1 output ${FOLDER}/${file} ${FOLDER}/good.tsv)
  if(NOT output STREQUAL "sentiment: ${FOLDER}/${file}${message}\n")
    message(FATAL_ERROR "${file}: ${output}")
  endif()
endfunction()
expect_failure(missing.tsv ": cannot be read: No such file or directory")
expect_failure(empty.tsv ": the file is empty")
expect_failure(unlabelled.tsv ":2: no label: expected label<TAB>text")
expect_failure(label.tsv ":2: label '2' is neither 0 nor 1")
expect_failure(latin.tsv ":2: byte 4 is not UTF-8")

run_sentiment(1 output ${FOLDER}/good.tsv)
run_sentiment(0 output ${FOLDER}/good.tsv ${FOLDER}/good.tsv --epochs 2)

# Nor is what a full disk did not take a success.
execute_process(COMMAND sh -c "exec \"$@\" >/dev/full" sh ${SENTIMENT} ${FOLDER}/good.tsv ${FOLDER}/good.tsv
                RESULT_VARIABLE result ERROR_VARIABLE output)
if(NOT result EQUAL 1 OR NOT output STREQUAL "sentiment: standard output: cannot be written\n")
  message(FATAL_ERROR "on a full disk: exit code ${result}: ${output}")
endif()
