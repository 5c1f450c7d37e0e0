// SPDX-License-Identifier: Apache-2.0
// What the positions of a plan contribute to rows of exact tables.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "rowmill/plan.hpp"

namespace rowmill::exact {

/// What a position adds to its row: coefficient * gradient row `position`; for a max, only in the columns that it won.
struct Contribution {
  std::int64_t position = 0;
  double coefficient = 1;                 ///< always 1 for integers
  const std::int32_t* winners = nullptr;  ///< of the position's bag; null unless it is a max
  std::int32_t bag_position = 0;

  /// Column c of the contribution, where `g` is the gradient row.
  template <class T>
  [[nodiscard]] T at(const T* g, std::int64_t c) const {
    if (winners != nullptr && winners[c] != bag_position) return T{0};
    if constexpr (std::is_same_v<T, double>) return coefficient * g[c];
    return g[c];
  }
};

/// The contributions of a plan's shard.
class ShardContributions {
 public:
  ShardContributions(const Plan& plan, std::int64_t s, std::int64_t dim)
      : shard_(plan.shard(s)),
        doubles_(plan.double_coefficients()),
        winners_(plan.pooling() == Pooling::max ? plan.winners().data() : nullptr),
        dim_(dim) {}

  [[nodiscard]] const Plan::Shard& shard() const { return shard_; }

  /// That of Plan::Shard::positions[k].
  [[nodiscard]] Contribution operator[](std::int64_t k) const {
    const auto at = static_cast<std::size_t>(k);
    const std::int64_t position = shard_.positions[at];
    return {.position = position,
            .coefficient = coefficient(at),
            .winners = winners_ == nullptr ? nullptr : winners_ + position * dim_,
            .bag_position = winners_ == nullptr ? 0 : shard_.bag_positions[at]};
  }

 private:
  [[nodiscard]] double coefficient(std::size_t at) const {
    if (!doubles_.empty()) return doubles_[static_cast<std::size_t>(shard_.id_positions[at])];
    return shard_.coefficients.empty() ? 1 : double{shard_.coefficients[at]};
  }

  Plan::Shard shard_;
  std::span<const double> doubles_;
  const std::int32_t* winners_;
  std::int64_t dim_;
};

}  // namespace rowmill::exact
