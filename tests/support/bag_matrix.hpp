// SPDX-License-Identifier: Apache-2.0
// The options of pooled lookups and of their gradients as a matrix: a case has a value of each, and a batch of bags
// that shows what it does.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rowmill/bags.hpp"
#include "rowmill/format.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/pool.hpp"
#include "tests/support/data.hpp"

namespace rowmill::test {

enum class Layout { offsets, without_last, lengths, matrix, padded_matrix };

/// Every option, and how many values it has. Value 0 is what an option is where a walk leaves it out.
struct Option {
  enum Name {
    pooling,
    divisor,
    weights,
    padding,  // none; the last row; -1, which is no row
    policy,
    layout,
    id_type,
    formats,  // of a table and of what is looked up in it: see kFormats
    by_frequency,
    clip_value,
    clip_row_norm,
    clip_global_norm,
    skip_nonfinite,
    optimizer,
    max_norm,  // none; of each kind of norm
    recorded,
    count
  };
};
inline constexpr std::array<std::int64_t, Option::count> kOptionValues = {4, 2, 2, 3, 5, 5, 2, 5,
                                                                          2, 2, 2, 2, 2, 8, 4, 2};
inline constexpr std::array<std::pair<Format, Format>, 5> kFormats = {std::pair(Format::f32, Format::f32),
                                                                      {Format::bf16, Format::bf16},
                                                                      {Format::bf16, Format::f32},
                                                                      {Format::f16, Format::f16},
                                                                      {Format::f32, Format::f16}};
inline constexpr std::array<const char*, Option::count> kOptionNames = {
    "pooling",        "divisor",   "weights",      "padding",    "policy",        "layout",
    "id_type",        "formats",   "by_frequency", "clip_value", "clip_row_norm", "clip_global_norm",
    "skip_nonfinite", "optimizer", "max_norm",     "recorded"};

/// A value of each option.
class Case {
 public:
  [[nodiscard]] std::int64_t operator[](Option::Name option) const { return values_[option]; }
  void set(Option::Name option, std::int64_t value) { values_[option] = value; }

  [[nodiscard]] bool has(Option::Name option) const { return values_[option] != 0; }
  [[nodiscard]] Pooling pooling() const { return static_cast<Pooling>(values_[Option::pooling]); }
  [[nodiscard]] Divisor divisor() const { return static_cast<Divisor>(values_[Option::divisor]); }
  [[nodiscard]] OutOfRange policy() const { return static_cast<OutOfRange>(values_[Option::policy]); }
  [[nodiscard]] Layout layout() const { return static_cast<Layout>(values_[Option::layout]); }
  [[nodiscard]] PoolOptions pool_options() const {
    return {.pooling = pooling(), .out_of_range = policy(), .divisor = divisor()};
  }
  /// A sum or max has no divisor.
  [[nodiscard]] bool has_wrong_divisor() const {
    return divisor() == Divisor::weights && (pooling() == Pooling::sum || pooling() == Pooling::max);
  }

  [[nodiscard]] std::string text() const {
    std::string text;
    for (std::size_t o = 0; o < values_.size(); ++o) {
      if (values_[o] != 0) text += std::string(kOptionNames[o]) + "=" + std::to_string(values_[o]) + " ";
    }
    return text;
  }

 private:
  std::array<std::int64_t, Option::count> values_{};
};

/// The product of some options: its size, and its cases by number.
class Product {
 public:
  Product(std::initializer_list<Option::Name> options) : options_(options) {
    for (const Option::Name option : options_) size_ *= kOptionValues[option];
  }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const std::vector<Option::Name>& options() const { return options_; }
  [[nodiscard]] Case operator[](std::int64_t number) const {
    Case made;
    for (const Option::Name option : options_) {
      made.set(option, number % kOptionValues[option]);
      number /= kOptionValues[option];
    }
    return made;
  }

 private:
  std::vector<Option::Name> options_;
  std::int64_t size_ = 1;
};

/// Any number, always the same for `number`: for cases that are shared out or take turns.
inline std::int64_t scattered(std::int64_t number) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(number) * 0x9E3779B97F4A7C15U >> 33);
}

/// A batch for a case: bags that are empty, of padding alone and with weights that cancel; ids that repeat, one of them
/// in nearly every bag; ids out of range, as far as the policy allows some.
class Batch {
 public:
  static constexpr std::int64_t kRows = 11;
  static constexpr std::int64_t kPaddingRow = kRows - 1;  // clipped and wrapped ids come to it too

  /// Which ids a batch has: some that show each value of the policy and of the padding, or the same ones for all of
  /// them, which OutOfRange::error refuses.
  enum class Choice { fitting, common };

  explicit Batch(const Case& of, Choice choice = Choice::fitting) : case_(of), common_(choice == Choice::common) {
    constexpr std::array<std::int64_t, 11> kLengths = {0, 5, 1, 0, 7, 3, 8, 1, 2, 3, 0};  // 30 ids
    constexpr std::size_t kPaddingBag = 7;
    constexpr std::size_t kZeroBag = 2;    // its one weight is 0
    constexpr std::size_t kCancelled = 8;  // its two weights cancel
    constexpr std::int64_t kLongest = 8;
    std::vector<std::int64_t> ids;
    std::vector<float> weights;
    std::mt19937_64 random(31);
    for (std::size_t b = 0; b < kLengths.size(); ++b) {
      for (std::int64_t k = 0; k < kLengths[b]; ++k) {
        const std::size_t i = ids.size();
        const bool plain = b == kZeroBag || b == kCancelled;
        std::int64_t id = k == 0 ? 5 : static_cast<std::int64_t>((i * 7 + i / 4) % kRows);
        if (plain) id = 4 + k;
        if (b == kPaddingBag || (!plain && i % 5 == 2)) id = filling(i);
        if (!plain && i % 4 == 3) id = awkward(i / 4).value_or(id);
        ids.push_back(id);
        const float weight = static_cast<float>(random() >> 40) * 0x1p-23F - 0.5F;  // -0.5 .. 1.5
        weights.push_back(b == kZeroBag ? 0.0F : b == kCancelled ? 0.5F - static_cast<float>(k) : weight);
      }
    }
    arrange(ids, weights, kLengths, kLongest);
    for (const std::int64_t id : ids_) narrow_ids_.push_back(static_cast<std::int32_t>(id));
    for (const std::int64_t x : lengths_) narrow_lengths_.push_back(static_cast<std::int32_t>(x));
    for (const std::int64_t x : offsets_) narrow_offsets_.push_back(static_cast<std::int32_t>(x));
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  [[nodiscard]] Ids ids() const { return case_.has(Option::id_type) ? Ids(narrow_ids_) : Ids(ids_); }
  [[nodiscard]] std::span<const float> weights() const { return weights_; }
  [[nodiscard]] std::int64_t size() const { return std::ssize(lengths_); }

  [[nodiscard]] std::optional<std::int64_t> padding() const {
    if (!case_.has(Option::padding)) return std::nullopt;
    return case_[Option::padding] == 1 ? kPaddingRow : -1;
  }

  /// The bags as the case wants them.
  [[nodiscard]] Bags bags() {
    const Bags bags = bags_without_padding();
    return padding() ? bags.with_padding(*padding()) : bags;
  }
  [[nodiscard]] Bags bags_without_padding() {
    const Bags bags = arranged();
    return case_.has(Option::weights) ? bags.with_weights(weights_) : bags;
  }

 private:
  /// An id that is no row, if the policy allows one.
  [[nodiscard]] std::optional<std::int64_t> awkward(std::size_t i) const {
    constexpr std::array<std::int64_t, 4> kOutside = {kRows, -2, 40, -1};
    constexpr std::array<std::int64_t, 3> kNegative = {-2, -kRows, -1};
    if (case_.policy() == OutOfRange::error && !common_) return std::nullopt;
    if (case_.policy() == OutOfRange::wrap_negative || common_) return kNegative[i % kNegative.size()];
    return kOutside[i % kOutside.size()];
  }

  /// An id where padding may stand.
  [[nodiscard]] std::int64_t filling(std::size_t i) const {
    return common_ ? (i % 2 == 0 ? kPaddingRow : -1) : padding().value_or(kPaddingRow);
  }

  /// Stores the ids bag by bag: as they are, cut into rows of equal length, or each filled up with padding.
  void arrange(const std::vector<std::int64_t>& ids, const std::vector<float>& weights,
               std::span<const std::int64_t> lengths, std::int64_t longest) {
    ids_ = ids;
    weights_ = weights;
    lengths_.assign(lengths.begin(), lengths.end());
    if (case_.layout() == Layout::matrix) lengths_.assign(6, 5);
    if (case_.layout() == Layout::padded_matrix) {
      ids_.clear();
      weights_.clear();
      std::size_t i = 0;
      for (const std::int64_t length : lengths) {
        for (std::int64_t k = 0; k < longest; ++k) {
          ids_.push_back(k < length ? ids[i] : filling(0));
          weights_.push_back(k < length ? weights[i] : 0.75F);
          if (k < length) ++i;
        }
      }
      lengths_.assign(lengths.size(), longest);
    }
    offsets_ = {0};
    for (const std::int64_t length : lengths_) offsets_.push_back(offsets_.back() + length);
  }

  [[nodiscard]] Bags arranged() {
    const bool narrow = case_.has(Option::id_type);
    const std::int64_t length = lengths_.front();
    const Ids offsets = narrow ? Ids(narrow_offsets_) : Ids(offsets_);
    switch (case_.layout()) {
      case Layout::offsets:
        return Bags::from_offsets(ids(), offsets);
      case Layout::without_last:
        return Bags::from_offsets(ids(), narrow ? Ids(narrow_offsets_.data(), size()) : Ids(offsets_.data(), size()),
                                  LastOffset::absent);
      case Layout::lengths:
        written_offsets_.assign(offsets_.size(), -1);
        return Bags::from_lengths(ids(), narrow ? Ids(narrow_lengths_) : Ids(lengths_), written_offsets_);
      case Layout::matrix:
      case Layout::padded_matrix:
        break;
    }
    return Bags::fixed_length(ids(), size(), length);
  }

  Case case_;
  bool common_;
  std::vector<std::int64_t> ids_, lengths_, offsets_, written_offsets_;
  std::vector<std::int32_t> narrow_ids_, narrow_lengths_, narrow_offsets_;
  std::vector<float> weights_;
};

}  // namespace rowmill::test
