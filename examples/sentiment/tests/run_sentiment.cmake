# SPDX-License-Identifier: Apache-2.0
# run_sentiment(<exit code> <variable for what it prints> <argument>...)
function(run_sentiment expected output_variable)
  execute_process(COMMAND ${SENTIMENT} ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result STREQUAL expected)
    message(FATAL_ERROR "sentiment ${ARGN}: exit code ${result} instead of ${expected}\n${output}")
  endif()
  set(${output_variable} "${output}" PARENT_SCOPE)
endfunction()

# The numbers that must not vary: each epoch's loss and accuracies, and the hash of the weights.
function(results_of output variable)
  string(REGEX REPLACE "(0x[^ ]+) +[0-9.]+ +[0-9]+ " "\\1 " output "${output}")
  string(FIND "${output}" "\n" first_line_end)  # the first line names the thread count
  string(SUBSTRING "${output}" ${first_line_end} -1 output)
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()
