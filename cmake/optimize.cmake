# SPDX-License-Identifier: Apache-2.0
# Rowmill's sources are compiled with -O2: in a Release build too, where -O3 makes the library 7 % larger and nothing
# faster, and in a build without a type, as a project that takes Rowmill into its own often has. A Debug build, or another
# -O of the caller's, is as the caller asks.
set(ROWMILL_OPTIMIZE "" CACHE STRING "Optimisation of Rowmill's own sources, where it differs from the build's: -O1")
mark_as_advanced(ROWMILL_OPTIMIZE)
if(ROWMILL_OPTIMIZE STREQUAL "" AND NOT CMAKE_CONFIGURATION_TYPES)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" rowmill_build_type)
  get_directory_property(rowmill_directory_options COMPILE_OPTIONS)
  set(rowmill_flags " ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${rowmill_build_type}} ${rowmill_directory_options}")
  if(NOT rowmill_flags MATCHES "[ ;]-O")
    if(NOT rowmill_build_type STREQUAL "DEBUG")
      set(ROWMILL_OPTIMIZE -O2)
      message(STATUS "Rowmill: neither a build type nor an -O flag is given; Rowmill's own sources are compiled with -O2")
    endif()
  elseif(rowmill_build_type STREQUAL "RELEASE")
    string(REPLACE "-O3" "" rowmill_other_flags "${rowmill_flags}")
    if(NOT rowmill_other_flags MATCHES "[ ;]-O")
      set(ROWMILL_OPTIMIZE -O2)
    endif()
  endif()
endif()
