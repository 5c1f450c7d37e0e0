// SPDX-License-Identifier: Apache-2.0
// io_fuzz_seeds FOLDER: see write_seeds.
#include "tests/io/fuzz/readers.hpp"

int main(int, char** argv) { rowmill::io::fuzz::write_seeds(argv[1]); }
