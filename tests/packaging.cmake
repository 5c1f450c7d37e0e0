# SPDX-License-Identifier: Apache-2.0
# Tests of the project as others take it: header by header, and linked as the README says.

# Nothing here is new under sanitizers, and they add weak functions of their own.
if(ROWMILL_SANITIZED)
  return()
endif()

# The shared library exports the C interface alone.
if(ROWMILL_BUILD_SHARED_C)
  add_test(NAME packaging.exported_symbols
           COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:rowmill_c>
                   -DHEADERS=${PROJECT_SOURCE_DIR}/include/rowmill/c
                   -P ${CMAKE_CURRENT_SOURCE_DIR}/nm/check_exports.cmake)
endif()

# Each public header compiles alone, and twice; those of C in both languages.
file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/include/rowmill/*.hpp ${PROJECT_SOURCE_DIR}/include/rowmill/*.h
     ${PROJECT_SOURCE_DIR}/include/rowmill/c/*.h)
if(ROWMILL_BUILD_IO)
  file(GLOB io_headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS
       ${PROJECT_SOURCE_DIR}/include/rowmill/io/*.hpp)
  list(APPEND headers ${io_headers})
endif()
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
target_compile_options(rowmill_headers_alone PRIVATE -pedantic $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wuseless-cast>)
set_target_properties(rowmill_headers_alone PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF CXX_EXTENSIONS OFF)

# A compiler that takes the headers for C++17 says that they need C++20, and no more.
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  add_test(NAME packaging.headers_need_cxx20
           COMMAND ${CMAKE_COMMAND} -DCOMPILER=${CMAKE_CXX_COMPILER} -DINCLUDE=${PROJECT_SOURCE_DIR}/include
                   "-DHEADERS=${headers}" -P ${CMAKE_CURRENT_SOURCE_DIR}/readme/check_cxx17.cmake)
endif()

# A program in the debug mode of GCC's standard library is told, when it is linked, that Rowmill is not.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT "${CMAKE_CXX_FLAGS}" MATCHES "_GLIBCXX_DEBUG")
  file(CONFIGURE OUTPUT glibcxx_debug.cpp CONTENT "#include <rowmill/rowmill.hpp>\nint main() {}\n")
  add_test(NAME packaging.glibcxx_debug
           COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 -D_GLIBCXX_DEBUG -I${PROJECT_SOURCE_DIR}/include
                   ${CMAKE_CURRENT_BINARY_DIR}/glibcxx_debug.cpp $<TARGET_FILE:rowmill> -o glibcxx_debug)
  set_tests_properties(packaging.glibcxx_debug PROPERTIES
                       PASS_REGULAR_EXPRESSION "undefined reference to .*compile_rowmill_with_GLIBCXX_DEBUG_too")
endif()

# What follows needs a tree to install, and the README.
if(NOT ROWMILL_INSTALL)
  return()
endif()
set(prefix ${CMAKE_CURRENT_BINARY_DIR}/installed)
add_test(NAME packaging.install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
set_tests_properties(packaging.install PROPERTIES FIXTURES_SETUP rowmill_installed)

# The README's commands, as they stand, in the environment of a user who has this build's compilers, its oneTBB and the
# installed tree. A toolchain file says what else the user has: Rowmill's source instead of a server. It also makes
# Rowmill build fast: without vector instruction sets, all sources at a time, and by a launcher that takes the
# optimisation away again which the commands ask for.
set(readme ${CMAKE_CURRENT_BINARY_DIR}/readme)
file(CONFIGURE OUTPUT ${readme}/toolchain.cmake CONTENT [[
set(FETCHCONTENT_SOURCE_DIR_ROWMILL "@PROJECT_SOURCE_DIR@" CACHE PATH "")
set(ROWMILL_XSIMD_INCLUDE_DIR "@ROWMILL_XSIMD_INCLUDE_DIR@" CACHE PATH "")
set(ROWMILL_ISAS "" CACHE STRING "")
set(CMAKE_UNITY_BUILD ON CACHE BOOL "")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 0 CACHE STRING "")
set(CMAKE_CXX_COMPILER_LAUNCHER "@readme@/bin/unoptimised" CACHE STRING "")
]] @ONLY)
# rowmill_add_command(<name> <word>... [AFTER <word>]): it runs these words, then its arguments, then the last word.
function(rowmill_add_command name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "AFTER" "")
  list(JOIN arg_UNPARSED_ARGUMENTS " " command)
  file(CONFIGURE OUTPUT ${readme}/bin/${name} CONTENT "#!/bin/sh\nexec @command@ \"$@\" @arg_AFTER@\n" @ONLY)
  file(CHMOD ${readme}/bin/${name} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endfunction()
rowmill_add_command(cmake ${CMAKE_COMMAND})
rowmill_add_command(g++ ${CMAKE_CXX_COMPILER} ${CMAKE_CXX_FLAGS})
rowmill_add_command(cc ${CMAKE_C_COMPILER} ${CMAKE_C_FLAGS})
rowmill_add_command(sudo env)
rowmill_add_command(unoptimised ${CMAKE_CXX_COMPILER_LAUNCHER} AFTER -O0)
include(GNUInstallDirs)
rowmill_add_command(rowmill ${prefix}/${CMAKE_INSTALL_BINDIR}/rowmill)
set(environment
  CC=${CMAKE_C_COMPILER} CFLAGS=${CMAKE_C_FLAGS} CXX=${CMAKE_CXX_COMPILER} CXXFLAGS=${CMAKE_CXX_FLAGS}
  CMAKE_GENERATOR=${CMAKE_GENERATOR} CMAKE_TOOLCHAIN_FILE=${readme}/toolchain.cmake CMAKE_EXPORT_COMPILE_COMMANDS=ON
  TBB_DIR=${TBB_DIR} CMAKE_PREFIX_PATH=${prefix} PKG_CONFIG_PATH=${prefix}/${CMAKE_INSTALL_LIBDIR}/pkgconfig
  LD_LIBRARY_PATH=${prefix}/${CMAKE_INSTALL_LIBDIR} DESTDIR=${readme}/root)

# rowmill_add_readme_test(<name of the README's blocks> <name of the test>)
function(rowmill_add_readme_test name test)
  add_test(NAME readme.${test}
           COMMAND ${CMAKE_COMMAND} -DREADME=${PROJECT_SOURCE_DIR}/README.md -DNAME=${name} -DFOLDER=${readme}/${test}
                   -P ${CMAKE_CURRENT_SOURCE_DIR}/readme/run.cmake)
  set_tests_properties(readme.${test} PROPERTIES ENVIRONMENT "${environment}" FIXTURES_REQUIRED rowmill_installed
    ENVIRONMENT_MODIFICATION "PATH=path_list_prepend:${readme}/bin;CMAKE_BUILD_TYPE=unset:" TIMEOUT 600)
endfunction()
rowmill_add_readme_test(package package)
rowmill_add_readme_test(c-package c-package)
find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
  rowmill_add_readme_test(pkg-config pkg-config)
  rowmill_add_readme_test(c-pkg-config c-pkg-config)
  if(ROWMILL_BUILD_IO)
    file(WRITE ${readme}/files/vectors.txt "4 2\nking 1 1\nman 1 0\nwoman 0.5 0.5\nqueen 0.5 1.5\n")
    rowmill_add_readme_test(files files)
  endif()
endif()

# As a part of another build, which names no build type. Afterwards: Rowmill's sources were optimised, and no others built.
file(MAKE_DIRECTORY ${readme}/add_subdirectory ${readme}/install)
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${readme}/add_subdirectory/rowmill SYMBOLIC)
foreach(how add_subdirectory FetchContent)
  rowmill_add_readme_test(${how} ${how})
  set_tests_properties(readme.${how} PROPERTIES FIXTURES_SETUP rowmill_${how})
  add_test(NAME readme.${how}.compile_commands
           COMMAND ${CMAKE_COMMAND} -DFILE=${readme}/${how}/build/compile_commands.json
                   -P ${CMAKE_CURRENT_SOURCE_DIR}/readme/check_compile_commands.cmake)
  set_tests_properties(readme.${how}.compile_commands PROPERTIES FIXTURES_REQUIRED rowmill_${how})
endforeach()

# Building and installing, in a folder of links to the sources.
file(GLOB sources RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/*)
list(REMOVE_ITEM sources build)
foreach(source IN LISTS sources)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${source} ${readme}/install/${source} SYMBOLIC)
endforeach()
rowmill_add_readme_test(install install)
# Each builds the library once more.
set_tests_properties(readme.install readme.add_subdirectory readme.add_subdirectory.compile_commands readme.FetchContent
                     readme.FetchContent.compile_commands PROPERTIES LABELS slow COST 10)

# Word vectors of the project's own pages.
if(ROWMILL_BUILD_IO)
  file(MAKE_DIRECTORY ${readme}/train-vectors)
  foreach(source README.md docs)
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${source} ${readme}/train-vectors/${source} SYMBOLIC)
  endforeach()
  rowmill_add_readme_test(train-vectors train-vectors)
endif()

# A program with -static is told why it can't be.
get_target_property(tbb_type TBB::tbb TYPE)
if(tbb_type STREQUAL "SHARED_LIBRARY")
  rowmill_add_readme_test(package static)
  set_tests_properties(readme.static PROPERTIES ENVIRONMENT "${environment};LDFLAGS=-static"
                       PASS_REGULAR_EXPRESSION "-static needs a static oneTBB")
endif()

# The recipes for package managers.
set(recipes ${PROJECT_SOURCE_DIR}/packaging)
add_test(NAME packaging.vcpkg
         COMMAND ${CMAKE_COMMAND} -DPORT=${recipes}/vcpkg/rowmill -DFOLDER=${CMAKE_CURRENT_BINARY_DIR}/vcpkg
                 -DVERSION=${PROJECT_VERSION} -P ${CMAKE_CURRENT_SOURCE_DIR}/recipes/vcpkg.cmake)
find_program(ROWMILL_CONAN conan)
if(ROWMILL_CONAN)
  add_test(NAME packaging.conan
           COMMAND ${CMAKE_COMMAND} -DCONAN=${ROWMILL_CONAN} -DRECIPE=${recipes}/conan
                   -DFOLDER=${CMAKE_CURRENT_BINARY_DIR}/conan -P ${CMAKE_CURRENT_SOURCE_DIR}/recipes/conan.cmake)
  set_tests_properties(packaging.conan PROPERTIES TIMEOUT 600 LABELS slow)
endif()
