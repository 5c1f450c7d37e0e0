# SPDX-License-Identifier: Apache-2.0
# cmake -DCONAN=<conan> -DRECIPE=<folder> -DFOLDER=<folder> -P conan.cmake
# Makes the Conan package, and builds and runs its test program, without a network: oneTBB and xsimd are the system's. Fast:
# without vector instruction sets.
cmake_minimum_required(VERSION 3.22)
file(REMOVE_RECURSE ${FOLDER})
set(ENV{CONAN_HOME} ${FOLDER}/home)
execute_process(COMMAND ${CONAN} profile detect OUTPUT_QUIET ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(APPEND ${FOLDER}/home/profiles/default [=[
[platform_requires]
onetbb/2021.12.0
xsimd/13.0.0
[conf]
tools.cmake.cmaketoolchain:extra_variables={"ROWMILL_ISAS": "", "CMAKE_UNITY_BUILD": "ON"}
]=])
execute_process(COMMAND ${CONAN} create ${RECIPE} -s compiler.cppstd=20 --build=missing --no-remote
                        -c tools.cmake.cmake_layout:test_folder=${FOLDER}/test
                COMMAND_ERROR_IS_FATAL ANY)
