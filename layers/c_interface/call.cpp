// SPDX-License-Identifier: Apache-2.0
// Versions; and what each thread keeps from call to call: its last error and its number of threads.
#include "layers/c_interface/call.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <optional>

#include "layers/c_interface/arguments.hpp"
#include "rowmill/rowmill.hpp"

namespace rowmill::c_interface {
namespace {

/// A thread's last error. A fixed buffer: noting that memory ran out must not need memory.
struct LastError {
  rowmill_status status = ROWMILL_OK;
  char message[1024] = "";
  std::int64_t position = -1;
  std::int64_t value = -1;

  void set(rowmill_status new_status, const char* text) {
    status = new_status;
    const std::size_t length = std::min(std::strlen(text), sizeof(message) - 1);
    std::memcpy(message, text, length);
    message[length] = '\0';
    position = value = -1;
  }
};
thread_local LastError last_error;

/// What rowmill_set_threads() asked for on this thread; empty: the caller's arena.
thread_local std::optional<tbb::task_arena> own_arena;

rowmill_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return ROWMILL_INVALID_ARGUMENT;
    case ErrorCode::shape_mismatch:
      return ROWMILL_SHAPE_MISMATCH;
    case ErrorCode::id_out_of_range:
      return ROWMILL_ID_OUT_OF_RANGE;
    case ErrorCode::overlap:
      return ROWMILL_OVERLAP;
    case ErrorCode::out_of_memory:
      return ROWMILL_OUT_OF_MEMORY;
    case ErrorCode::unsupported_isa:
      return ROWMILL_UNSUPPORTED_ISA;
    case ErrorCode::io_error:  // rowmill::io has no C interface
    case ErrorCode::bad_file:
      break;
  }
  return ROWMILL_UNEXPECTED;
}

}  // namespace

rowmill_status note_exception() noexcept {
  try {
    throw;
  } catch (const PositionError& e) {
    last_error.set(status_of(e.code()), e.what());
    last_error.position = e.position();
    last_error.value = e.value();
  } catch (const Error& e) {
    last_error.set(status_of(e.code()), e.what());
  } catch (const std::bad_alloc&) {
    last_error.set(ROWMILL_OUT_OF_MEMORY, "rowmill: the system refused memory");
  } catch (const std::exception& e) {
    last_error.set(ROWMILL_UNEXPECTED, e.what());
  } catch (...) {
    last_error.set(ROWMILL_UNEXPECTED, "rowmill: an exception of an unknown type");
  }
  return last_error.status;
}

rowmill_status run(void (*function)(void*), void* context) noexcept {
  try {
    if (own_arena) {
      own_arena->execute([=] { function(context); });
    } else {
      function(context);
    }
    return ROWMILL_OK;
  } catch (...) {
    return note_exception();
  }
}

void refuse(std::string_view op, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + what);
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

std::int32_t rowmill_c_abi_version() noexcept { return ROWMILL_C_ABI_VERSION; }
std::int32_t rowmill_version() noexcept { return ROWMILL_VERSION; }

const char* rowmill_isa_name() noexcept {
  return value_or<const char*>(nullptr, [] { return isa_name().data(); });  // a literal
}

rowmill_status rowmill_last_error_status() noexcept { return last_error.status; }
const char* rowmill_last_error_message() noexcept { return last_error.message; }
std::int64_t rowmill_last_error_position() noexcept { return last_error.position; }
std::int64_t rowmill_last_error_value() noexcept { return last_error.value; }

rowmill_status rowmill_set_threads(std::int32_t threads) noexcept {
  try {
    check_range("set_threads", "threads", threads, 0, std::numeric_limits<std::int32_t>::max());
    // oneTBB prints a warning when it is asked for more threads than it may start.
    const auto max_threads =
        static_cast<std::int64_t>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
    own_arena.reset();
    if (threads > 0) own_arena.emplace(static_cast<int>(std::min<std::int64_t>(threads, max_threads)));
    return ROWMILL_OK;
  } catch (...) {
    return note_exception();
  }
}

std::int32_t rowmill_threads() noexcept {
  return own_arena ? own_arena->max_concurrency() : tbb::this_task_arena::max_concurrency();
}
