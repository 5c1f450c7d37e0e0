// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>

#include "kernels/core/parallel.hpp"

namespace rowmill::io {

/// Calls f(i) for i in 0 .. count-1 on up to `threads` threads. If some throw, none of a larger i begins any more, and
/// what the lowest i threw is thrown: the first error of a file, and not that of the fastest thread.
template <class F>
void parallel_that_throws(std::int64_t threads, std::int64_t count, F f) {
  std::atomic<std::int64_t> failed = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr error;
  std::mutex mutex;
  parallel_tasks(threads, count, [&](std::int64_t i) {
    if (i > failed.load(std::memory_order_relaxed)) return;
    try {
      f(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i > failed.load(std::memory_order_relaxed)) return;
      failed.store(i, std::memory_order_relaxed);
      error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace rowmill::io
