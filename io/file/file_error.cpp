// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/file_error.hpp"

namespace rowmill::io {

std::string FileError::message(const std::filesystem::path& path, std::int64_t offset, const std::string& what) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : what) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte != 0x7F) {
      text += c;
    } else {
      text.append("\\x") += kDigits[byte / 16];
      text += kDigits[byte % 16];
    }
  }
  const std::string place = offset == kNowhere ? "" : "at byte " + std::to_string(offset) + ": ";
  return "rowmill: " + path.string() + ": " + place + text;
}

}  // namespace rowmill::io
