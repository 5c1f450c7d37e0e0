// SPDX-License-Identifier: Apache-2.0
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rowmill::io {

[[nodiscard]] inline std::uint32_t hash_of(std::string_view word) {
  return static_cast<std::uint32_t>(XXH3_64bits(word.data(), word.size()) >> 32);
}

/// Numbers words from 0 on, in the order in which they first come. The words themselves are kept by the caller.
///
/// A hash table with open addressing. A word that finds kMaxProbes slots taken goes into a search tree, so that words
/// made to collide cost log n each and not n.
class WordTable {
 public:
  /// Keeps room for as many words as it had.
  void clear() {
    slots_.assign(std::max(kFirstSlots, std::bit_ceil(2 * static_cast<std::size_t>(size_) + 1)), {});
    crowded_.clear();
    size_ = 0;
  }
  [[nodiscard]] std::int32_t size() const { return size_; }

  /// Before number_of() of a word of this hash: fetches its slot into the cache.
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }

  /// The number of a word; size(), as it was before the call, if it is new. word_of(n) gives back the word of number n.
  template <class WordOf>
  std::int32_t number_of(std::string_view word, std::uint32_t hash, WordOf word_of) {
    if (static_cast<std::size_t>(size_) * 2 >= slots_.size()) grow(word_of);
    std::size_t at = hash & mask();
    for (int probe = 0; probe < kMaxProbes; ++probe, at = (at + 1) & mask()) {
      Slot& slot = slots_[at];
      if (slot.number < 0) {
        slot = {hash, size_};
        return size_++;
      }
      if (slot.hash == hash && word_of(slot.number) == word) return slot.number;
    }
    const auto [found, is_new] = crowded_.try_emplace(std::string(word), size_);
    if (is_new) ++size_;
    return found->second;
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t number = -1;
  };

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }

  /// Whether there was a free slot for it.
  bool place(Slot word) {
    std::size_t at = word.hash & mask();
    for (int probe = 0; probe < kMaxProbes; ++probe, at = (at + 1) & mask()) {
      if (slots_[at].number >= 0) continue;
      slots_[at] = word;
      return true;
    }
    return false;
  }

  template <class WordOf>
  void grow(WordOf word_of) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    const std::map<std::string, std::int32_t> crowded = std::exchange(crowded_, {});
    for (const Slot& slot : old) {
      if (slot.number >= 0 && !place(slot)) crowded_.emplace(word_of(slot.number), slot.number);
    }
    for (const auto& [word, number] : crowded) {
      if (!place({hash_of(word), number})) crowded_.emplace(word, number);
    }
  }

  static constexpr std::size_t kFirstSlots = std::size_t{1} << 12;
  static constexpr int kMaxProbes = 64;

  std::vector<Slot> slots_ = std::vector<Slot>(kFirstSlots);
  std::map<std::string, std::int32_t> crowded_;
  std::int32_t size_ = 0;
};

}  // namespace rowmill::io
