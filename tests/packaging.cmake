# SPDX-License-Identifier: Apache-2.0
# Tests of the project as others take it: installed, as a subproject, header by header, and its README's example.

# Nothing here is new under sanitizers, and they add weak functions of their own.
if(ROWMILL_SANITIZED)
  return()
endif()

# The shared library exports the C interface alone.
if(ROWMILL_BUILD_SHARED_C)
  add_test(NAME packaging.exported_symbols
           COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:rowmill_c>
                   -DHEADER=${PROJECT_SOURCE_DIR}/include/rowmill/c.h
                   -P ${CMAKE_CURRENT_SOURCE_DIR}/nm/check_exports.cmake)
endif()

# Each public header compiles alone, and twice; those of C in both languages.
file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/include/rowmill/*.hpp ${PROJECT_SOURCE_DIR}/include/rowmill/*.h)
foreach(header IN LISTS headers)
  set(languages cpp)
  if(header MATCHES "\\.h$")
    set(languages c cpp)
  endif()
  string(MAKE_C_IDENTIFIER ${header} name)
  foreach(language IN LISTS languages)
    set(file ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.${language})
    file(CONFIGURE OUTPUT ${file} CONTENT "#include <${header}>\n#include <${header}>\n")
    list(APPEND header_files ${file})
  endforeach()
endforeach()
add_library(rowmill_headers_alone OBJECT ${header_files})
target_link_libraries(rowmill_headers_alone PRIVATE rowmill)
rowmill_set_warnings(rowmill_headers_alone)
target_compile_options(rowmill_headers_alone PRIVATE -pedantic)
set_target_properties(rowmill_headers_alone PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF CXX_EXTENSIONS OFF)

# The compiler and the oneTBB of this build, for the projects that the tests below configure.
set(same_compiler -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}"
                  -DCMAKE_BUILD_TYPE=Release -DTBB_DIR=${TBB_DIR})

# As a subproject, both ways in one build folder: the second finds the first one's objects.
set(build ${CMAKE_CURRENT_BINARY_DIR}/subproject)
foreach(how add_subdirectory FetchContent)
  add_test(NAME packaging.${how}
           COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/subproject ${build}
                   --build-generator ${CMAKE_GENERATOR} --build-noclean
                   --build-options -DHOW=${how} -DROWMILL_SOURCE=${PROJECT_SOURCE_DIR} -DROWMILL_ISAS=sse2
                                   ${same_compiler}
                   --test-command ${build}/consumer)
endforeach()
set_tests_properties(packaging.FetchContent PROPERTIES DEPENDS packaging.add_subdirectory)
set_tests_properties(packaging.add_subdirectory packaging.FetchContent PROPERTIES TIMEOUT 600)

# Installed, and then found by CMake and by pkg-config.
if(ROWMILL_INSTALL)
  set(prefix ${CMAKE_CURRENT_BINARY_DIR}/installed)
  add_test(NAME packaging.install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
  set_tests_properties(packaging.install PROPERTIES FIXTURES_SETUP rowmill_installed)

  function(rowmill_add_consumer_test name language source)
    add_test(NAME packaging.${name} COMMAND ${CMAKE_COMMAND} ${ARGN} -DLANGUAGE=${language} -DSOURCE=${source}
             -DCOMPILER=${CMAKE_${language}_COMPILER} "-DFLAGS=${CMAKE_${language}_FLAGS}" -DCMAKE_BUILD_TYPE=Release
             -DTBB_DIR=${TBB_DIR} -DPREFIX=${prefix} -DBUILD=${CMAKE_CURRENT_BINARY_DIR}/${name}
             -P ${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.cmake)
    set_tests_properties(packaging.${name} PROPERTIES FIXTURES_REQUIRED rowmill_installed)
  endfunction()
  set(consumer ${CMAKE_CURRENT_SOURCE_DIR}/consumer/main.cpp)
  set(readme ${PROJECT_SOURCE_DIR}/README.md)
  set(by_cmake -DGENERATOR=${CMAKE_GENERATOR})
  include(GNUInstallDirs)
  find_package(PkgConfig QUIET)
  set(by_pkg_config -DPKG_CONFIG=${PKG_CONFIG_EXECUTABLE} -DPKG_CONFIG_PATH=${prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  rowmill_add_consumer_test(installed_cmake CXX ${consumer} ${by_cmake})
  rowmill_add_consumer_test(readme_example CXX ${readme} ${by_cmake})
  if(PKG_CONFIG_FOUND)
    rowmill_add_consumer_test(installed_pkg_config CXX ${consumer} ${by_pkg_config})
  endif()
  if(ROWMILL_BUILD_SHARED_C)
    rowmill_add_consumer_test(readme_c_example C ${readme} ${by_cmake})
    if(PKG_CONFIG_FOUND)
      rowmill_add_consumer_test(readme_c_example_pkg_config C ${readme} ${by_pkg_config})
    endif()
  endif()
endif()
