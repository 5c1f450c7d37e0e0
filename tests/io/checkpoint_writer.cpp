// SPDX-License-Identifier: Apache-2.0
// io_checkpoint_writer PATH: saves checkpoints to PATH, each of another value, until it is killed. A byte on standard
// output says that it begins.
#include <unistd.h>

#include "rowmill/io/checkpoint.hpp"

int main(int, char** argv) {
  rowmill::Table table(3000, 64);
  const rowmill::Optimizer optimizer(rowmill::AdamOptions{}, table.rows(), table.dim());
  if (::write(STDOUT_FILENO, "b", 1) != 1) return 1;
  for (float value = 1;; ++value) {
    rowmill::initialize(table, rowmill::Initializer::constant(value));
    rowmill::io::CheckpointContents contents;
    contents.add("words", table, &optimizer);
    rowmill::io::save_checkpoint(argv[1], contents);
  }
}
