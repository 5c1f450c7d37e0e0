# SPDX-License-Identifier: Apache-2.0
# The API reference, where Doxygen is installed: cmake --build <folder> --target docs. A warning of Doxygen's is an error.
find_package(Doxygen 1.9.4 QUIET)
if(DOXYGEN_FOUND)
  set(ROWMILL_DOCS_DIR ${PROJECT_BINARY_DIR}/docs)
  configure_file(docs/Doxyfile.in ${ROWMILL_DOCS_DIR}/Doxyfile @ONLY)
  add_custom_target(docs
    COMMAND Doxygen::doxygen ${ROWMILL_DOCS_DIR}/Doxyfile
    COMMAND ${CMAKE_COMMAND} -E echo "The API reference begins at ${ROWMILL_DOCS_DIR}/html/index.html"
    COMMENT "API reference by Doxygen" VERBATIM)
  if(ROWMILL_BUILD_TESTS)
    add_test(NAME docs.reference COMMAND Doxygen::doxygen ${ROWMILL_DOCS_DIR}/Doxyfile)
  endif()
endif()
