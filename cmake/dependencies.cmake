# SPDX-License-Identifier: Apache-2.0
# What the project stands on. Debian 12's packages are the default; with ROWMILL_FETCH_DEPENDENCIES a missing one is
# downloaded at the version pinned here.
include(FetchContent)

# rowmill_require(<package> <target> DEBIAN <package> GIT <repository> TAG <tag> [OPTIONS <variable>=<value>...])
#
# Finds <package>, which must give <target>, visible to the whole build (a consumer's too).
macro(rowmill_require package target)
  cmake_parse_arguments(require "" "DEBIAN;GIT;TAG" "OPTIONS" ${ARGN})
  if(NOT TARGET ${target})
    find_package(${package} QUIET GLOBAL)
  endif()
  if(NOT TARGET ${target} AND ROWMILL_FETCH_DEPENDENCIES)
    message(STATUS "Rowmill: fetching ${package} ${require_TAG}")
    foreach(option IN LISTS require_OPTIONS)
      string(REPLACE "=" ";" option "${option}")
      list(GET option 0 option_name)
      list(GET option 1 option_value)
      set(${option_name} ${option_value} CACHE INTERNAL "")
    endforeach()
    FetchContent_Declare(${package} GIT_REPOSITORY ${require_GIT} GIT_TAG ${require_TAG} GIT_SHALLOW TRUE SYSTEM)
    FetchContent_MakeAvailable(${package})
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR
      "Rowmill needs ${package}. Install Debian's ${require_DEBIAN}, or configure with "
      "-DROWMILL_FETCH_DEPENDENCIES=ON to download ${package} ${require_TAG}.")
  endif()
endmacro()

rowmill_require(TBB TBB::tbb DEBIAN libtbb-dev
  GIT https://github.com/oneapi-src/oneTBB.git TAG v2021.8.0 OPTIONS TBB_TEST=OFF TBB_STRICT=OFF)

# xsimd is headers only and private: who links Rowmill does not need it. rowmill_xsimd carries its headers.
add_library(rowmill_xsimd INTERFACE)
set(ROWMILL_XSIMD_INCLUDE_DIR "" CACHE PATH "A folder that holds xsimd/xsimd.hpp, to use instead of an installed xsimd")
if(ROWMILL_XSIMD_INCLUDE_DIR)
  if(NOT EXISTS ${ROWMILL_XSIMD_INCLUDE_DIR}/xsimd/xsimd.hpp)
    message(FATAL_ERROR "ROWMILL_XSIMD_INCLUDE_DIR=${ROWMILL_XSIMD_INCLUDE_DIR} holds no xsimd/xsimd.hpp")
  endif()
  target_include_directories(rowmill_xsimd SYSTEM INTERFACE ${ROWMILL_XSIMD_INCLUDE_DIR})
else()
  rowmill_require(xsimd xsimd DEBIAN libxsimd-dev GIT https://github.com/xtensor-stack/xsimd.git TAG 8.1.0)
  target_include_directories(rowmill_xsimd SYSTEM INTERFACE
    $<TARGET_PROPERTY:xsimd,INTERFACE_INCLUDE_DIRECTORIES>)
endif()

if(ROWMILL_BUILD_TESTS)
  rowmill_require(GTest GTest::gtest_main DEBIAN libgtest-dev
    GIT https://github.com/google/googletest.git TAG v1.14.0 OPTIONS INSTALL_GTEST=OFF)
  rowmill_require(rapidcheck rapidcheck_gtest DEBIAN librapidcheck-dev
    GIT https://github.com/emil-e/rapidcheck.git TAG ff6af6fc683159deb51c543b065eba14dfcf329b
    OPTIONS RC_ENABLE_GTEST=ON)
endif()
if(ROWMILL_BUILD_BENCHMARKS)
  rowmill_require(benchmark benchmark::benchmark DEBIAN libbenchmark-dev
    GIT https://github.com/google/benchmark.git TAG v1.7.1
    OPTIONS BENCHMARK_ENABLE_TESTING=OFF BENCHMARK_ENABLE_INSTALL=OFF)
endif()
if(ROWMILL_BUILD_EXAMPLES)
  rowmill_require(Eigen3 Eigen3::Eigen DEBIAN libeigen3-dev
    GIT https://gitlab.com/libeigen/eigen.git TAG 3.4.0 OPTIONS EIGEN_BUILD_DOC=OFF)
  rowmill_require(CLI11 CLI11::CLI11 DEBIAN libcli11-dev GIT https://github.com/CLIUtils/CLI11.git TAG v2.1.2)
  rowmill_require(fmt fmt::fmt-header-only DEBIAN libfmt-dev GIT https://github.com/fmtlib/fmt.git TAG 9.1.0)
  rowmill_require(utf8cpp utf8cpp DEBIAN libutfcpp-dev
    GIT https://github.com/nemtrif/utfcpp.git TAG v3.2.3 OPTIONS UTF8_TESTS=OFF UTF8_SAMPLES=OFF)
endif()
