# SPDX-License-Identifier: Apache-2.0
# Ctrl-C and the signal of `kill` end the training, and what is trained by then is saved.
include(${CMAKE_CURRENT_LIST_DIR}/run_sentiment.cmake)
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})

# Waits until an epoch is printed, so that the training has begun, and then sends the signal.
set(script [[
signal=$1; output=$2; shift 2
"$@" >"$output" 2>&1 &
until grep -q '^    1 ' "$output"; do kill -0 $! || break; sleep 0.05; done
kill -s "$signal" $!
wait $!
]])
foreach(signal_code INT=130 TERM=143)
  string(REPLACE "=" ";" signal_code ${signal_code})
  list(GET signal_code 0 signal)
  list(GET signal_code 1 code)
  # A shell without job control starts its children with SIGINT ignored; env takes that back.
  execute_process(COMMAND sh -c "${script}" sh ${signal} ${FOLDER}/output.${signal} env --default-signal=INT ${SENTIMENT}
                          --rows 500 --dim 8 --epochs 1000 --save ${FOLDER}/${signal}
                  RESULT_VARIABLE result)
  file(READ ${FOLDER}/output.${signal} output)
  if(NOT result EQUAL code OR NOT output MATCHES "stopped by signal [0-9]+ in epoch [0-9]+\n" OR
     NOT output MATCHES "vectors saved to")
    message(FATAL_ERROR "SIG${signal}: exit code ${result} instead of ${code}:\n${output}")
  endif()
  run_sentiment(0 output --rows 500 --dim 8 --epochs 0 --load ${FOLDER}/${signal})
endforeach()
