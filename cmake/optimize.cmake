# SPDX-License-Identifier: Apache-2.0
# A project that takes Rowmill into its own build often names no build type. Rowmill's sources are then compiled with -O2
# all the same. A Debug build, or an -O of the caller's, is as the caller asks.
set(ROWMILL_OPTIMIZE "" CACHE STRING "Optimisation of Rowmill's own sources, where it differs from the build's: -O1")
mark_as_advanced(ROWMILL_OPTIMIZE)
if(ROWMILL_OPTIMIZE STREQUAL "" AND NOT CMAKE_CONFIGURATION_TYPES)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" rowmill_build_type)
  get_directory_property(rowmill_directory_options COMPILE_OPTIONS)
  if(NOT rowmill_build_type STREQUAL "DEBUG" AND
     NOT " ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${rowmill_build_type}} ${rowmill_directory_options}" MATCHES "[ ;]-O")
    set(ROWMILL_OPTIMIZE -O2)
    message(STATUS "Rowmill: neither a build type nor an -O flag is given; Rowmill's own sources are compiled with -O2")
  endif()
endif()
