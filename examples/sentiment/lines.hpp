// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sentiment {

/// What the program tells its user before it exits with 1.
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What an exception says, without the library's name before it: the programs put their own there.
std::string_view message_of(const std::exception& error);

/// Calls use(line, number) for each line of a text file, counted from 1. Lines may end as on Windows (CR LF) and the
/// file may begin with a UTF-8 byte-order mark: neither is a part of a line. Throws UserError, which names the file and
/// the system's reason or the line, if the file can't be read or is not UTF-8.
void for_each_line(const std::string& path, const std::function<void(const std::string&, std::int64_t)>& use);

}  // namespace sentiment
