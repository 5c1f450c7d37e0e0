# SPDX-License-Identifier: Apache-2.0
# Headers, archive, CMake package and pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS rowmill EXPORT rowmillTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/rowmill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")

set(rowmill_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rowmill)
install(EXPORT rowmillTargets NAMESPACE rowmill:: DESTINATION ${rowmill_cmake_dir})
configure_package_config_file(cmake/rowmillConfig.cmake.in rowmillConfig.cmake INSTALL_DESTINATION ${rowmill_cmake_dir})
write_basic_package_version_file(rowmillConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rowmillConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/rowmillConfigVersion.cmake
        DESTINATION ${rowmill_cmake_dir})

# The prefix is relative to the file, so that an installed tree may be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE libdir)
cmake_path(APPEND libdir pkgconfig OUTPUT_VARIABLE pkgconfig_dir)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir}
           OUTPUT_VARIABLE rowmill_pc_prefix)
configure_file(cmake/rowmill.pc.in rowmill.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/rowmill.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
