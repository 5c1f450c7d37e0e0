// SPDX-License-Identifier: Apache-2.0
// Prints the instruction set in force, or the error: what the tests of ROWMILL_ISA run.
#include <cstdio>
#include <string>

#include "rowmill/error.hpp"
#include "rowmill/isa.hpp"

int main() {
  try {
    std::printf("%s\n", std::string(rowmill::isa_name()).c_str());
    return 0;
  } catch (const rowmill::Error& e) {
    std::printf("%s\n", e.what());
    return e.code() == rowmill::ErrorCode::unsupported_isa ? 3 : 4;
  }
}
