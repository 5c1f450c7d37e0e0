# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=<nm> -DOBJECTS=<list> -P check_weak.cmake
# Fails if an object of an instruction set defines a weak function: the linker would keep one copy of it for all, and
# could hand AVX-512 code to a machine without. (nm marks weak functions W, weak data V, which holds no code.)
list(LENGTH OBJECTS count)
if(count EQUAL 0)
  message(FATAL_ERROR "no objects were given")
endif()
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --demangle --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9a-f]+ [Ww] [^\n]+" weak "${symbols}")
  foreach(symbol IN LISTS weak)
    message(SEND_ERROR "${object} defines a weak function: ${symbol}")
  endforeach()
endforeach()
message(STATUS "${count} objects were checked")
