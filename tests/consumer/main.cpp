// SPDX-License-Identifier: Apache-2.0
// A program that links an installed Rowmill.
#include <cstdio>
#include <rowmill/rowmill.hpp>
#include <vector>

int main() {
  const rowmill::Table words(9088, 256, {.name = "words", .initializer = rowmill::Initializer::normal(0, 1)});
  const std::vector<int> ids = {3, 1, 9088};
  std::vector<float> out(ids.size() * 256);
  try {
    rowmill::gather(words, ids, rowmill::TableView(out.data(), 3, 256));
  } catch (const rowmill::IdError& e) {
    std::printf("%s\n", e.what());
    return e.position() == 2 && ROWMILL_VERSION >= 100 ? 0 : 1;
  }
  return 1;
}
