# SPDX-License-Identifier: Apache-2.0
# The program `classify` on texts that are easy to tell apart: it learns them, frozen vectors stay as they were, and what
# is wrong with a file is said.
file(MAKE_DIRECTORY ${FOLDER})
set(texts "")
foreach(i RANGE 1 20)
  string(APPEND texts "1\tgood day number${i}\n0\tbad day number${i}\n")
endforeach()
file(WRITE ${FOLDER}/texts.tsv "${texts}")
file(WRITE ${FOLDER}/test.tsv "1\tgood new\n0\tbad new\n")

# classify(<exit code> <what it must print> <argument>...)
function(classify expected pattern)
  execute_process(COMMAND ${CLASSIFY} ${ARGN} WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE result
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result STREQUAL expected OR NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "classify ${ARGN}: exit code ${result} instead of ${expected}, or not '${pattern}':\n${output}")
  endif()
endfunction()

set(files texts.tsv test.tsv test.tsv)
# "new" is unknown: one of two words of the test texts. Ten epochs are enough for all of them.
classify(0 "\"texts\": 40, \"vocabulary\": 25, \"parameters\": 200, .*\"unknown_test\": 0.50000.*\"test\": .*1.0000\\]}\\]}"
         ${files} --dim 8 --learning-rates 0.05 --epochs 10 --save trained)
classify(0 "\"learning_rate\": 0.01, \"vector_rate\": 0,.*\"learning_rate\": 0.02," ${files} --load trained --dim 8 --vector-rates 0
         --learning-rates 0.01 0.02 --epochs 2 --save frozen)
file(READ ${FOLDER}/trained.npy trained HEX)
file(READ ${FOLDER}/frozen.npy frozen HEX)
if(NOT trained STREQUAL frozen)
  message(FATAL_ERROR "frozen vectors have changed")
endif()
classify(0 "\"vector_rate\": 0.1" ${files} --load trained --dim 8 --vector-rates 0.1 --epochs 2 --save tuned)
file(READ ${FOLDER}/tuned.npy tuned HEX)
if(trained STREQUAL tuned)
  message(FATAL_ERROR "vectors that are fine-tuned have not changed")
endif()

classify(1 "classify: missing.tsv: cannot be read: No such file" texts.tsv missing.tsv test.tsv)
classify(1 "classify: missing.words.txt: cannot be opened: No such file" ${files} --load missing)
classify(1 "holds 25 vectors of 8 features" ${files} --load trained --dim 16)
