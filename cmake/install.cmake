# SPDX-License-Identifier: Apache-2.0
# Headers, archive, CMake package, pkg-config file and licence.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS rowmill EXPORT rowmillTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(ROWMILL_BUILD_SHARED_C)
  install(TARGETS rowmill_c EXPORT rowmillTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(ROWMILL_BUILD_IO)
  install(TARGETS rowmill_io EXPORT rowmillTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
else()
  set(rowmill_no_io PATTERN include/rowmill/io EXCLUDE)
endif()
install(DIRECTORY include/rowmill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h" ${rowmill_no_io})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# What a C compiler does not link by itself and the archive needs.
set(rowmill_cxx_libraries ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(FILTER rowmill_cxx_libraries INCLUDE REGEX "^(stdc\\+\\+|c\\+\\+|c\\+\\+abi|m)$")
list(REMOVE_DUPLICATES rowmill_cxx_libraries)

set(rowmill_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rowmill)
install(EXPORT rowmillTargets NAMESPACE rowmill:: DESTINATION ${rowmill_cmake_dir})
configure_package_config_file(cmake/rowmillConfig.cmake.in rowmillConfig.cmake INSTALL_DESTINATION ${rowmill_cmake_dir})
# Before 1.0 a minor version may break its callers.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(rowmill_compatibility SameMinorVersion)
else()
  set(rowmill_compatibility SameMajorVersion)
endif()
write_basic_package_version_file(rowmillConfigVersion.cmake COMPATIBILITY ${rowmill_compatibility})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rowmillConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/rowmillConfigVersion.cmake
              cmake/rowmillStaticLink.cmake
        DESTINATION ${rowmill_cmake_dir})

# The .pc files name their folders relative to themselves, so that an installed tree may be moved.
set(rowmill_pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${rowmill_pc_dir} OUTPUT_VARIABLE rowmill_pc_prefix)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE rowmill_pc_libdir)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE rowmill_pc_includedir)
list(TRANSFORM rowmill_cxx_libraries PREPEND "-l" OUTPUT_VARIABLE rowmill_pc_cxx)
list(JOIN rowmill_pc_cxx " " rowmill_pc_cxx)
# rowmill_c is what a C program asks for: the shared library, or the archive where no shared one was built.
if(ROWMILL_BUILD_SHARED_C)
  set(rowmill_pc_c_libs "-lrowmill_c")
  set(rowmill_pc_c_requires "Requires.private")
else()
  set(rowmill_pc_c_libs "-lrowmill ${rowmill_pc_cxx}")
  set(rowmill_pc_c_requires "Requires")
endif()
set(rowmill_pc_files rowmill.pc rowmill_c.pc)
if(ROWMILL_BUILD_IO)
  list(APPEND rowmill_pc_files rowmill_io.pc)
endif()
foreach(file IN LISTS rowmill_pc_files)
  configure_file(cmake/${file}.in ${file} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
