// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "rowmill/error.hpp"

namespace rowmill::test {

struct Failure {
  ErrorCode code{};
  std::string message;
};

inline Failure failure_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return {e.code(), e.what()};
  }
  return {};
}

inline void expect_failure(const std::function<void()>& f, ErrorCode code, const std::string& message) {
  const Failure failure = failure_of(f);
  EXPECT_EQ(failure.message, message);
  EXPECT_EQ(failure.code, code);
}

}  // namespace rowmill::test
