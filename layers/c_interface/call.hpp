// SPDX-License-Identifier: Apache-2.0
// How every function of rowmill/c.h runs its C++: call() and value_or() turn exceptions into status codes and the
// calling thread's last error.
#pragma once

#include <tbb/task_arena.h>

#include <string>
#include <string_view>

#include "rowmill/c.h"

namespace rowmill::c_interface {

/// Notes the exception that is being handled as this thread's last error.
rowmill_status note_exception() noexcept;

/// The arena of rowmill_set_threads() on this thread; null: the caller's.
tbb::task_arena* thread_arena() noexcept;

/// Calls f on at most this thread's number of threads.
template <class F>
rowmill_status call(F f) noexcept {
  try {
    if (tbb::task_arena* const arena = thread_arena()) {
      arena->execute(f);
    } else {
      f();
    }
    return ROWMILL_OK;
  } catch (...) {
    return note_exception();
  }
}

/// f(), or `failed` if that throws: for functions that return a value, and need no threads.
template <class T, class F>
T value_or(T failed, F f) noexcept {
  try {
    return f();
  } catch (...) {
    note_exception();
    return failed;
  }
}

/// Throws what becomes ROWMILL_INVALID_ARGUMENT.
[[noreturn]] void refuse(std::string_view op, const std::string& what);

}  // namespace rowmill::c_interface
