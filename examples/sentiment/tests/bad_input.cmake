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

# Files of Windows are as good: a byte-order mark and lines that end in CR LF. UTF-16 is not.
execute_process(COMMAND printf "\\357\\273\\2771\\tgood day\\r\\n0\\tbad day\\r\\n" OUTPUT_FILE ${FOLDER}/windows.tsv)
execute_process(COMMAND printf "\\377\\3761\\0\\t\\0" OUTPUT_FILE ${FOLDER}/utf16.tsv)
expect_failure(utf16.tsv ":1: byte 1 is not UTF-8")
foreach(file good windows)
  run_sentiment(0 output ${FOLDER}/${file}.tsv ${FOLDER}/good.tsv --epochs 2 --rows 9 --hexfloat)
  results_of("${output}" ${file})
endforeach()
if(NOT windows STREQUAL good)
  message(FATAL_ERROR "a file of Windows gives:\n${windows}\ninstead of:\n${good}")
endif()

# Training that leaves the finite numbers ends, whether the loss shows it or only the weights do, and saves nothing.
foreach(arguments "1e30" "3e38;--rows;9;--epochs;1;${FOLDER}/good.tsv;${FOLDER}/good.tsv")
  run_sentiment(1 output --save ${FOLDER}/diverged --learning-rate ${arguments})
  if(NOT output MATCHES "sentiment: epoch 1: the loss or a weight is no longer a finite number" OR
     EXISTS ${FOLDER}/diverged.npy)
    message(FATAL_ERROR "of a learning rate too large: ${output}")
  endif()
endforeach()

run_sentiment(1 output ${FOLDER}/good.tsv)
run_sentiment(0 output ${FOLDER}/good.tsv ${FOLDER}/good.tsv --epochs 2)

# Nor is what a full disk did not take a success.
execute_process(COMMAND sh -c "exec \"$@\" >/dev/full" sh ${SENTIMENT} ${FOLDER}/good.tsv ${FOLDER}/good.tsv
                RESULT_VARIABLE result ERROR_VARIABLE output)
if(NOT result EQUAL 1 OR NOT output STREQUAL "sentiment: standard output: cannot be written\n")
  message(FATAL_ERROR "on a full disk: exit code ${result}: ${output}")
endif()
