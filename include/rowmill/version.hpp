// SPDX-License-Identifier: Apache-2.0
#pragma once

// CMake reads the version from here, so that it is written once.
#define ROWMILL_VERSION_MAJOR 0
#define ROWMILL_VERSION_MINOR 2
#define ROWMILL_VERSION_PATCH 0

/// One number to compare: major * 10000 + minor * 100 + patch.
#define ROWMILL_VERSION (ROWMILL_VERSION_MAJOR * 10000 + ROWMILL_VERSION_MINOR * 100 + ROWMILL_VERSION_PATCH)
