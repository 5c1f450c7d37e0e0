// SPDX-License-Identifier: Apache-2.0
// How every function of rowmill/c.h runs its C++: call() and value_or() turn exceptions into status codes and the
// calling thread's last error.
#pragma once

#include <string>
#include <string_view>

#include "rowmill/c.h"

namespace rowmill::c_interface {

/// Notes the exception that is being handled as this thread's last error.
rowmill_status note_exception() noexcept;

/// Calls function(context) in this thread's arena: see rowmill_set_threads().
rowmill_status run(void (*function)(void*), void* context) noexcept;

/// Calls f in this thread's arena. run() has all that does not depend on F, so that it is compiled once.
template <class F>
rowmill_status call(F f) noexcept {
  return run([](void* context) { (*static_cast<F*>(context))(); }, &f);
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

/// Throws the Error that becomes ROWMILL_INVALID_ARGUMENT.
[[noreturn]] void refuse(std::string_view op, const std::string& what);

}  // namespace rowmill::c_interface
