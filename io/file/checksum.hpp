// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rowmill::io {

/// XXH3-64 of some bytes.
[[nodiscard]] std::uint64_t xxh3(std::span<const std::byte> bytes);

/// The checksum of many bytes, computed by many threads: the XXH3-64 of the XXH3-64s of their parts of 4 MiB, as
/// little-endian integers.
class TreeChecksum {
 public:
  static constexpr std::int64_t kPartBytes = std::int64_t{4} << 20;

  explicit TreeChecksum(std::int64_t size) : parts_(static_cast<std::size_t>((size + kPartBytes - 1) / kPartBytes)) {}

  /// The part that begins at byte `begin`. Threads may add different parts at the same time.
  void add(std::int64_t begin, std::span<const std::byte> bytes) {
    parts_[static_cast<std::size_t>(begin / kPartBytes)] = xxh3(bytes);
  }
  [[nodiscard]] std::uint64_t value() const { return xxh3(std::as_bytes(std::span(parts_))); }

 private:
  std::vector<std::uint64_t> parts_;
};

/// XXH3-64 of bytes that come piece by piece.
class StreamChecksum {
 public:
  StreamChecksum();
  ~StreamChecksum();
  StreamChecksum(const StreamChecksum&) = delete;
  StreamChecksum& operator=(const StreamChecksum&) = delete;

  void add(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// As 16 hexadecimal digits.
[[nodiscard]] std::string hexadecimal(std::uint64_t checksum);

}  // namespace rowmill::io
