// SPDX-License-Identifier: Apache-2.0
// A libFuzzer target of the reader ROWMILL_READER.
#include <tbb/global_control.h>

#include <cstddef>
#include <cstdint>

#include "tests/io/fuzz/readers.hpp"

/// What is freed is kept back for longer than an input takes, and no longer: in memory that the cache holds. The stacks
/// of allocations cost as much as the allocations; ASAN_OPTIONS=malloc_context_size=30 shows them when a finding is run
/// again.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=4:malloc_context_size=0"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // One thread: the same input always takes the same path.
  static const tbb::global_control one_thread(tbb::global_control::max_allowed_parallelism, 1);
  static const rowmill::io::fuzz::Reader& reader = rowmill::io::fuzz::reader(ROWMILL_READER);
  rowmill::io::fuzz::read_bytes(reader, {reinterpret_cast<const char*>(data), size});
  return 0;
}
