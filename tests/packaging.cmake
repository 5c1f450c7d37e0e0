# SPDX-License-Identifier: Apache-2.0
# Tests of the project as others take it: installed, as a subproject, header by header, and its README's example.

# No weak functions in the objects of an instruction set. Sanitizers make some, hence one set at a time in such builds.
if(NOT ROWMILL_SANITIZED)
  set(objects "")
  foreach(isa IN LISTS ROWMILL_ISAS)
    list(APPEND objects $<TARGET_OBJECTS:rowmill_isa_${isa}>)
  endforeach()
  add_test(NAME packaging.no_weak_functions
           COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} "-DOBJECTS=${objects}"
                   -P ${CMAKE_CURRENT_SOURCE_DIR}/nm/check_weak.cmake)
endif()

# Each public header compiles alone.
file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/rowmill/*.hpp)
foreach(header IN LISTS headers)
  string(MAKE_C_IDENTIFIER ${header} name)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
  file(CONFIGURE OUTPUT ${file} CONTENT "#include <${header}>\n#include <${header}>\n")
  list(APPEND header_files ${file})
endforeach()
add_library(rowmill_headers_alone OBJECT ${header_files})
target_link_libraries(rowmill_headers_alone PRIVATE rowmill)
rowmill_set_warnings(rowmill_headers_alone)

# What the package tests share: the compiler and flags of this build.
set(package_arguments "-DGENERATOR=${CMAKE_GENERATOR}" -DCOMPILER=${CMAKE_CXX_COMPILER} "-DFLAGS=${CMAKE_CXX_FLAGS}")

if(ROWMILL_INSTALL)
  set(prefix ${CMAKE_CURRENT_BINARY_DIR}/installed)
  add_test(NAME packaging.install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
  set_tests_properties(packaging.install PROPERTIES FIXTURES_SETUP rowmill_installed)

  include(GNUInstallDirs)
  find_package(PkgConfig QUIET)
  function(rowmill_add_consumer_test name how source)
    add_test(NAME packaging.${name}
             COMMAND ${CMAKE_COMMAND} -DHOW=${how} -DSOURCE=${source} -DPREFIX=${prefix} -DLIBDIR=${CMAKE_INSTALL_LIBDIR}
                     -DBUILD=${CMAKE_CURRENT_BINARY_DIR}/${name} ${package_arguments}
                     -DPKG_CONFIG=${PKG_CONFIG_EXECUTABLE} -P ${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.cmake)
    set_tests_properties(packaging.${name} PROPERTIES FIXTURES_REQUIRED rowmill_installed)
  endfunction()
  rowmill_add_consumer_test(installed_cmake cmake ${CMAKE_CURRENT_SOURCE_DIR}/consumer/main.cpp)
  rowmill_add_consumer_test(readme_example cmake ${PROJECT_SOURCE_DIR}/README.md)
  if(PKG_CONFIG_FOUND)
    rowmill_add_consumer_test(installed_pkg_config pkg-config ${CMAKE_CURRENT_SOURCE_DIR}/consumer/main.cpp)
  endif()
endif()

foreach(how add_subdirectory FetchContent)
  set(build ${CMAKE_CURRENT_BINARY_DIR}/subproject_${how})
  add_test(NAME packaging.${how}
           COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/subproject ${build}
                   --build-generator ${CMAKE_GENERATOR}
                   --build-options -DHOW=${how} -DROWMILL_SOURCE=${PROJECT_SOURCE_DIR}
                                   -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}"
                                   -DROWMILL_ISAS=sse2 -DCMAKE_BUILD_TYPE=Release
                   --test-command ${build}/consumer)
  set_tests_properties(packaging.${how} PROPERTIES TIMEOUT 600)
endforeach()
