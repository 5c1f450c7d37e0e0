// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "rowmill/config.hpp"

namespace rowmill {

enum class ErrorCode {
  invalid_argument,  ///< an option, a pointer or a size that no call accepts
  shape_mismatch,    ///< two arguments whose shapes disagree
  id_out_of_range,   ///< an id outside the table, under the policy in force
  overlap,           ///< an output that shares elements with an input, or with itself
  out_of_memory,     ///< the system refused the memory of a table, a plan or a workspace
  unsupported_isa,   ///< ROWMILL_ISA names an instruction set that is unknown or not on this machine
  io_error,          ///< the system refused to open, read, write, rename or sync a file
  bad_file,          ///< a file that does not hold what its format says, or not what the call asks for
};

/// What every function of the library throws. The message names the operation, the argument, the value found and what
/// is allowed. A call that throws has changed nothing the caller can see.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// One element of an argument is not allowed: an id, or an offset or length of bags. position() is the lowest bad
/// position, and value() what was found there.
class PositionError : public Error {
 public:
  PositionError(ErrorCode code, const std::string& message, std::int64_t position, std::int64_t value)
      : Error(code, message), position_(position), value_(value) {}
  [[nodiscard]] std::int64_t position() const noexcept { return position_; }
  [[nodiscard]] std::int64_t value() const noexcept { return value_; }

 private:
  std::int64_t position_;
  std::int64_t value_;
};

/// An id outside the table.
class IdError : public PositionError {
 public:
  IdError(const std::string& message, std::int64_t position, std::int64_t value)
      : PositionError(ErrorCode::id_out_of_range, message, position, value) {}
};

}  // namespace rowmill
