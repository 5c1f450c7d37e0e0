# SPDX-License-Identifier: Apache-2.0
# Headers, archive, CMake package, pkg-config file and licence.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS rowmill EXPORT rowmillTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(ROWMILL_BUILD_SHARED_C)
  install(TARGETS rowmill_c EXPORT rowmillTargets
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
install(DIRECTORY include/rowmill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

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
        DESTINATION ${rowmill_cmake_dir})

# The .pc files name their folders relative to themselves, so that an installed tree may be moved.
set(rowmill_pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${rowmill_pc_dir} OUTPUT_VARIABLE rowmill_pc_prefix)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE rowmill_pc_libdir)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
           OUTPUT_VARIABLE rowmill_pc_includedir)
set(rowmill_pc_files rowmill.pc)
if(ROWMILL_BUILD_SHARED_C)
  list(APPEND rowmill_pc_files rowmill_c.pc)
endif()
foreach(file IN LISTS rowmill_pc_files)
  configure_file(cmake/${file}.in ${file} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
