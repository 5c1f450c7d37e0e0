// SPDX-License-Identifier: Apache-2.0
#include <rowmill/rowmill.hpp>
#include <vector>

int main() {
  const rowmill::Table words(9088, 256, {.name = "words"});
  const std::vector<int> ids = {3, 1, 9088};
  std::vector<float> out(ids.size() * 256);
  try {
    rowmill::gather(words, ids, rowmill::TableView(out.data(), 3, 256));
  } catch (const rowmill::IdError& e) {
    return e.position() == 2 ? 0 : 1;
  }
  return 1;
}
