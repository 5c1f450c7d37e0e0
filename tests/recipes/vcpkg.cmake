# SPDX-License-Identifier: Apache-2.0
# cmake -DPORT=<folder> -DFOLDER=<folder> -DVERSION=<version> -P vcpkg.cmake
# vcpkg itself needs a network. So this stands in for its functions, and runs the port on them: is its manifest JSON of this
# version, and does CMake take what the port asks of it?
cmake_minimum_required(VERSION 3.22)
file(READ ${PORT}/vcpkg.json manifest)
string(JSON version GET "${manifest}" version)
string(JSON name GET "${manifest}" name)
if(NOT name STREQUAL "rowmill" OR NOT version STREQUAL VERSION)
  message(FATAL_ERROR "${PORT}/vcpkg.json: ${name} ${version}, but this is rowmill ${VERSION}")
endif()

file(REMOVE_RECURSE ${FOLDER})
set(CURRENT_PORT_DIR ${PORT})
set(CURRENT_PACKAGES_DIR ${FOLDER}/package)
set(steps "")
function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${FOLDER}/build -DCMAKE_BUILD_TYPE=Release
                          -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} ${arg_OPTIONS}
                  ERROR_VARIABLE errors COMMAND_ERROR_IS_FATAL ANY)
  if(errors)
    message(FATAL_ERROR "${errors}")  # an option that no one reads is a warning
  endif()
  set(steps ${steps} configure PARENT_SCOPE)
endfunction()
foreach(function vcpkg_check_linkage vcpkg_cmake_install vcpkg_cmake_config_fixup vcpkg_fixup_pkgconfig
                 vcpkg_install_copyright)
  cmake_language(EVAL CODE "
    function(${function})
      set(steps \${steps} ${function} PARENT_SCOPE)
    endfunction()")
endforeach()
include(${PORT}/portfile.cmake)
set(expected vcpkg_check_linkage configure vcpkg_cmake_install vcpkg_cmake_config_fixup vcpkg_fixup_pkgconfig
             vcpkg_install_copyright)
if(NOT steps STREQUAL expected)
  message(FATAL_ERROR "the port's steps: ${steps}")
endif()
if(NOT EXISTS ${FOLDER}/build/rowmillConfig.cmake)
  message(FATAL_ERROR "the port configures no package to install")
endif()
