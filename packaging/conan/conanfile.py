# SPDX-License-Identifier: Apache-2.0
"""Conan 2 recipe: builds the checkout it lies in. See ../README.md."""
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"


class Rowmill(ConanFile):
    name = "rowmill"
    description = "Vectorised, parallel kernels for large embedding tables on CPUs"
    license = "Apache-2.0"
    topics = ("embedding", "simd", "machine-learning")
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"

    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._checkout(), "include", "rowmill", "version.hpp"))
        self.version = ".".join(re.findall(r"#define ROWMILL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "kernels/*", "layers/*"):
            copy(self, pattern, src=self._checkout(), dst=self.export_sources_folder)

    def requirements(self):
        self.requires("onetbb/2021.12.0", transitive_headers=True)
        self.requires("xsimd/13.0.0", visible=False)

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("Rowmill has run on Linux alone")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "BENCHMARKS", "EXAMPLES", "IO"):
            toolchain.cache_variables[f"ROWMILL_BUILD_{part}"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        # PkgConfigDeps makes its own file of what package_info says.
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))
        rmdir(self, os.path.join(self.package_folder, "share"))
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.libs = ["rowmill"]
        # In CMake, Rowmill's own package is found: it knows what a C project needs, and takes the system's oneTBB too.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "rowmill")]
        self.cpp_info.set_property("pkg_config_name", "rowmill")
        self.cpp_info.system_libs = ["m"]
