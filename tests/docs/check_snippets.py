#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_snippets.py COMPILER INCLUDE PAGE...: does the C++ code of the documents compile?

Each ```cpp block becomes the body of a function. What the pages leave to the reader (ids, outputs, gradients) is declared below.
"""
import pathlib
import re
import subprocess
import sys

PRELUDE = """
#include <cstdint>
#include <cstdio>
#include <rowmill/rowmill.hpp>
#include <vector>

std::vector<int> ids;
std::vector<int> offsets;
rowmill::Table table;
rowmill::TableView out;
rowmill::TableView gradient;
void loss_gradient(rowmill::ConstTableView out, rowmill::TableView gradient);
struct Tensor {  // what a page uses of torch::Tensor
  template <class T>
  T* data_ptr() const;
  std::int64_t size(int dimension) const;
} weight;
"""


def main():
    compiler, include, *pages = sys.argv[1:]
    source = PRELUDE
    count = 0
    for page in pages:
        text = pathlib.Path(page).read_text()
        for block in re.finditer(r"^```cpp\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            count += 1
            line = text.count("\n", 0, block.start()) + 2
            includes = "\n".join(re.findall(r"^#include .*$", block[1], re.MULTILINE))
            body = re.sub(r"^#include .*$", "", block[1], flags=re.MULTILINE)
            source += f'{includes}\nvoid snippet_{count}() {{\n#line {line} "{page}"\n{body}}}\n'
    if count < len(pages):
        raise SystemExit(f"only {count} blocks of C++ in {len(pages)} pages")
    command = [compiler, "-std=c++20", "-fsyntax-only", "-I", include, "-x", "c++", "-"]
    result = subprocess.run(command, input=source, text=True, check=False)
    print(f"{count} blocks compiled")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
