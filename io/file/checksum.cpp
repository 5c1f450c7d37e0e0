// SPDX-License-Identifier: Apache-2.0
#include "io/file/checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>

namespace rowmill::io {

std::uint64_t xxh3(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string hexadecimal(std::uint64_t checksum) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, checksum, 16);
  std::string text(static_cast<std::size_t>(digits + sizeof digits - end), '0');
  return text.append(digits, end);
}

}  // namespace rowmill::io
