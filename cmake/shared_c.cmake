# SPDX-License-Identifier: Apache-2.0
# librowmill_c.so: the C interface for other languages, made from the static library's code. It exports rowmill_*
# functions alone, so that it may be loaded beside anything.
file(STRINGS include/rowmill/c/common.h rowmill_c_abi REGEX "#define ROWMILL_C_ABI_VERSION ")
string(REGEX REPLACE "[^0-9]+" "" rowmill_c_abi "${rowmill_c_abi}")

set(rowmill_c_map ${PROJECT_SOURCE_DIR}/cmake/rowmill_c.map)
add_library(rowmill_c SHARED $<TARGET_OBJECTS:rowmill_c_objects>)
add_library(rowmill::rowmill_c ALIAS rowmill_c)
target_include_directories(rowmill_c
  INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_link_libraries(rowmill_c PRIVATE rowmill)
target_link_options(rowmill_c PRIVATE LINKER:--version-script=${rowmill_c_map})
set_target_properties(rowmill_c PROPERTIES LINKER_LANGUAGE CXX SOVERSION ${rowmill_c_abi} LINK_DEPENDS ${rowmill_c_map})
