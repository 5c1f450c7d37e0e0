// SPDX-License-Identifier: Apache-2.0
#include "lines.hpp"

#include <fmt/format.h>
#include <utf8.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace sentiment {

std::string_view message_of(const std::exception& error) {
  constexpr std::string_view kLibrary = "rowmill: ";
  std::string_view what = error.what();
  if (what.starts_with(kLibrary)) what.remove_prefix(kLibrary.size());
  return what;
}

void for_each_line(const std::string& path, const std::function<void(const std::string&, std::int64_t)>& use) {
  std::ifstream file(path, std::ios::binary);
  const auto fail = [&] { throw UserError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno))); };
  if (!file) fail();
  std::string line;
  for (std::int64_t number = 1; std::getline(file, line); ++number) {
    if (number == 1 && utf8::starts_with_bom(line.begin(), line.end())) line.erase(0, sizeof utf8::bom);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (const auto bad = utf8::find_invalid(line.begin(), line.end()); bad != line.end()) {
      throw UserError(fmt::format("{}:{}: byte {} is not UTF-8", path, number, bad - line.begin() + 1));
    }
    use(line, number);
  }
  if (file.bad()) fail();
}

}  // namespace sentiment
