# SPDX-License-Identifier: Apache-2.0
# What the project stands on. A dependency that is not installed is downloaded if ROWMILL_FETCH_DEPENDENCIES allows it,
# in the version of Debian 12 (rapidcheck has no releases: a commit).
include(FetchContent)

# Makes an imported target known in the whole build, not in this folder alone: a parent project links it.
function(rowmill_make_global target)
  if(TARGET ${target})
    get_target_property(imported ${target} IMPORTED)
    get_target_property(alias ${target} ALIASED_TARGET)
    if(imported AND NOT alias)
      set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
    endif()
  endif()
endfunction()

# rowmill_require(<package> <target> DEBIAN <package> [OLDEST <version>] [URL <archive> SHA256 <hash>]
#                 [HEADERS <folder> | OPTIONS <variable>=<value>...])
#
# Finds <package>, which must give <target>; else downloads it, or notes it for the message at the end of this file (what
# has no URL is noted in any case).
# HEADERS: it is headers only, in that folder of the archive, and its own CMake files are not run.
function(rowmill_require package target)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "DEBIAN;OLDEST;URL;SHA256;HEADERS" "OPTIONS")
  if(NOT TARGET ${target})
    find_package(${package} QUIET)
    rowmill_make_global(${target})
  endif()
  if(TARGET ${target})
    if(arg_OLDEST AND DEFINED ${package}_VERSION AND ${package}_VERSION VERSION_LESS arg_OLDEST)
      message(FATAL_ERROR "Rowmill needs ${package} ${arg_OLDEST} or newer; ${${package}_DIR} has ${${package}_VERSION}.")
    endif()
    return()
  endif()
  if(NOT ROWMILL_FETCH_DEPENDENCIES OR NOT arg_URL)
    set(rowmill_missing ${rowmill_missing} ${arg_DEBIAN} PARENT_SCOPE)
    return()
  endif()

  message(STATUS "Rowmill: ${package} is not installed; fetching ${arg_URL}")
  string(TOLOWER ${package} lower)
  set(source URL ${arg_URL} URL_HASH SHA256=${arg_SHA256})
  if(POLICY CMP0135)
    cmake_policy(SET CMP0135 NEW)
  endif()
  if(arg_HEADERS)
    FetchContent_Declare(${package} ${source} SOURCE_SUBDIR none)
    FetchContent_MakeAvailable(${package})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} INTERFACE ${${lower}_SOURCE_DIR}/${arg_HEADERS})
    return()
  endif()

  foreach(option IN LISTS arg_OPTIONS)
    string(REGEX MATCH "^([^=]+)=(.*)$" option "${option}")
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
  endforeach()
  # The variables above stand for the package's options, and CMake 4 takes packages written for CMake 3.
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
  set(system "")
  if(NOT CMAKE_VERSION VERSION_LESS 3.25)
    set(system SYSTEM)  # no warnings from its headers
  endif()
  FetchContent_Declare(${package} ${source} ${system})
  FetchContent_MakeAvailable(${package})
  # Only what is used is built; only oneTBB is installed, because who links the installed Rowmill needs it.
  if(NOT (package STREQUAL "TBB" AND ROWMILL_INSTALL))
    set_property(DIRECTORY ${${lower}_SOURCE_DIR} PROPERTY EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

if(NOT ROWMILL_LEAF_ONLY)
  rowmill_require(TBB TBB::tbb DEBIAN libtbb-dev OLDEST 2021
    URL https://github.com/oneapi-src/oneTBB/archive/refs/tags/v2021.8.0.tar.gz
    SHA256 eee380323bb7ce864355ed9431f85c43955faaae9e9bce35c62b372d7ffd9f8b
    OPTIONS TBB_TEST=OFF TBB_STRICT=OFF)
  if(TARGET TBB::tbb)
    include(${CMAKE_CURRENT_LIST_DIR}/rowmillStaticLink.cmake)
    rowmill_check_static_link(rowmill_static_link)
    if(rowmill_static_link)
      message(FATAL_ERROR "Rowmill: ${rowmill_static_link}")
    endif()
  endif()
endif()

# xsimd is headers only and private: who links Rowmill does not need it. rowmill_xsimd carries its headers.
add_library(rowmill_xsimd INTERFACE)
set(ROWMILL_XSIMD_INCLUDE_DIR "" CACHE PATH "A folder that holds xsimd/xsimd.hpp, to use instead of an installed xsimd")
if(ROWMILL_XSIMD_INCLUDE_DIR)
  if(NOT EXISTS ${ROWMILL_XSIMD_INCLUDE_DIR}/xsimd/xsimd.hpp)
    message(FATAL_ERROR "ROWMILL_XSIMD_INCLUDE_DIR=${ROWMILL_XSIMD_INCLUDE_DIR} holds no xsimd/xsimd.hpp")
  endif()
  target_include_directories(rowmill_xsimd SYSTEM INTERFACE ${ROWMILL_XSIMD_INCLUDE_DIR})
else()
  rowmill_require(xsimd xsimd DEBIAN libxsimd-dev OLDEST 8.1
    URL https://github.com/xtensor-stack/xsimd/archive/refs/tags/8.1.0.tar.gz
    SHA256 d52551360d37709675237d2a0418e28f70995b5b7cdad7c674626bcfbbf48328
    HEADERS include)
  target_include_directories(rowmill_xsimd SYSTEM INTERFACE $<TARGET_PROPERTY:xsimd,INTERFACE_INCLUDE_DIRECTORIES>)
endif()

if(ROWMILL_BUILD_TESTS)
  rowmill_require(GTest GTest::gtest_main DEBIAN libgtest-dev
    URL https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz
    SHA256 81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2
    OPTIONS BUILD_GMOCK=OFF)
endif()
if(ROWMILL_BUILD_TESTS AND NOT ROWMILL_LEAF_ONLY)
  rowmill_require(rapidcheck rapidcheck_gtest DEBIAN librapidcheck-dev
    URL https://github.com/emil-e/rapidcheck/archive/ff6af6fc683159deb51c543b065eba14dfcf329b.zip
    SHA256 60951dbc4de162622f51a4a34117c269a9921833a51dddce36f4cc80a5f7cf9f
    OPTIONS RC_ENABLE_GTEST=ON)
endif()
if(ROWMILL_BUILD_BENCHMARKS)
  rowmill_require(benchmark benchmark::benchmark DEBIAN libbenchmark-dev
    URL https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz
    SHA256 6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7
    OPTIONS BENCHMARK_ENABLE_TESTING=OFF BENCHMARK_ENABLE_WERROR=OFF)
endif()
if(ROWMILL_BUILD_EXAMPLES)
  rowmill_require(Eigen3 Eigen3::Eigen DEBIAN libeigen3-dev
    URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.bz2
    SHA256 b4c198460eba6f28d34894e3a5710998818515104d6e74e5cc331ce31e46e626
    HEADERS .)
endif()
if((ROWMILL_BUILD_BENCHMARKS OR ROWMILL_BUILD_IO) AND NOT ROWMILL_LEAF_ONLY)
  rowmill_require(nlohmann_json nlohmann_json::nlohmann_json DEBIAN nlohmann-json3-dev
    URL https://github.com/nlohmann/json/archive/refs/tags/v3.11.2.tar.gz
    SHA256 d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273
    HEADERS include)
endif()
if(ROWMILL_BUILD_IO AND NOT ROWMILL_LEAF_ONLY)
  rowmill_require(ZLIB ZLIB::ZLIB DEBIAN zlib1g-dev)
  # xxHash is used as a header, which Debian's package has without a CMake file.
  find_path(ROWMILL_XXHASH_INCLUDE_DIR xxhash.h DOC "The folder of xxhash.h")
  if(ROWMILL_XXHASH_INCLUDE_DIR AND NOT TARGET rowmill_xxhash)
    add_library(rowmill_xxhash INTERFACE IMPORTED GLOBAL)
    target_include_directories(rowmill_xxhash INTERFACE ${ROWMILL_XXHASH_INCLUDE_DIR})
  endif()
  rowmill_require(xxHash rowmill_xxhash DEBIAN libxxhash-dev
    URL https://github.com/Cyan4973/xxHash/archive/refs/tags/v0.8.1.tar.gz
    SHA256 3bb6b7d6f30c591dd65aaaff1c8b7a5b94d81687998ca9400082c739a690436c
    HEADERS .)
endif()
if((ROWMILL_BUILD_BENCHMARKS OR ROWMILL_BUILD_EXAMPLES OR ROWMILL_BUILD_IO) AND NOT ROWMILL_LEAF_ONLY)
  rowmill_require(CLI11 CLI11::CLI11 DEBIAN libcli11-dev
    URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
    SHA256 26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb
    HEADERS include)
  rowmill_require(fmt fmt::fmt DEBIAN libfmt-dev
    URL https://github.com/fmtlib/fmt/archive/refs/tags/9.1.0.tar.gz
    SHA256 5dea48d1fcddc3ec571ce2058e13910a0d4a6bab4cc09a809d8b1dd1c88ae6f2)
endif()
if((ROWMILL_BUILD_EXAMPLES OR ROWMILL_BUILD_IO) AND NOT ROWMILL_LEAF_ONLY)
  rowmill_require(utf8cpp utf8cpp DEBIAN libutfcpp-dev
    URL https://github.com/nemtrif/utfcpp/archive/refs/tags/v3.2.3.tar.gz
    SHA256 3ba9b0dbbff08767bdffe8f03b10e596ca351228862722e4c9d4d126d2865250
    HEADERS source)
endif()

if(rowmill_missing)
  list(REMOVE_DUPLICATES rowmill_missing)
  list(JOIN rowmill_missing " " rowmill_missing)
  message(FATAL_ERROR
    "Rowmill: these dependencies are not installed (by the names of their Debian packages): ${rowmill_missing}\n"
    "Install them (on Debian: apt-get install ${rowmill_missing}), or configure with -DROWMILL_FETCH_DEPENDENCIES=ON to "
    "download them. The library alone needs libtbb-dev and libxsimd-dev: -DROWMILL_BUILD_TESTS=OFF, "
    "-DROWMILL_BUILD_BENCHMARKS=OFF, -DROWMILL_BUILD_EXAMPLES=OFF and -DROWMILL_BUILD_IO=OFF leave out what needs more.")
endif()
