// SPDX-License-Identifier: Apache-2.0
#include "io/file/checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>

namespace rowmill::io {

std::uint64_t xxh3(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

struct StreamChecksum::State {
  XXH3_state_t xxh3;
};

StreamChecksum::StreamChecksum() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->xxh3); }
StreamChecksum::~StreamChecksum() = default;
void StreamChecksum::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(&state_->xxh3, bytes.data(), bytes.size());
}
std::uint64_t StreamChecksum::value() const { return XXH3_64bits_digest(&state_->xxh3); }

std::string hexadecimal(std::uint64_t checksum) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, checksum, 16);
  std::string text(static_cast<std::size_t>(digits + sizeof digits - end), '0');
  return text.append(digits, end);
}

}  // namespace rowmill::io
