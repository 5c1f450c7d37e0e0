// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

struct PlanOptions {
  OutOfRange out_of_range = OutOfRange::error;  ///< under `zero` and `skip`, ids out of range train nothing
  std::string_view name = {};                   ///< the table's, for error messages
  /// For a plan of bags: keep the position of each id beside its bag (Shard::id_positions), for what belongs to an id
  /// and not to its bag. It takes 8 bytes an id.
  bool keep_positions = false;
  /// For gradients of f64: keep what a mean or sqrtn multiplies them by in double too, Plan::double_coefficients(), and
  /// the positions as above. It takes 16 bytes an id.
  bool double_coefficients = false;
  /// For a plan of bags: what pool() made of them, so that each contribution is scaled as docs/numerics.md says.
  /// Weights and a padding id come with the bags.
  Pooling pooling = Pooling::sum;
  Divisor divisor = Divisor::count;  ///< of a mean or sqrtn
  /// For max: what find_winners() gave for these bags, bags.size() x dim values. The plan keeps the pointer: the values
  /// must stay as they are while it is used.
  std::span<const std::int32_t> winners = {};
  /// For a plan of ids: an id that trains nothing. That of bags comes with them.
  std::optional<std::int64_t> padding_id = {};
};

/// What a batch of ids means for updates: which positions touch which row, in order, split into shards that different
/// threads may own. It depends on the ids and the number of rows alone, never on the thread count, and serves every
/// table with those ids: weights, optimizer states, tables that share ids.
///
/// A plan's memory and time follow the number of ids, not the number of rows. Rebuilding reuses its memory.
///
///     shard(r)   a fixed hash of the row, in 0 .. shard_count-1; one shard for small batches
///     segment    one touched row of a shard, in order of first occurrence, with its positions in order
class Plan {
 public:
  Plan() = default;

  /// Plans updates of a table of `rows` rows by `ids`; see build().
  Plan(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error) { build(ids, rows, policy); }
  Plan(Ids ids, std::int64_t rows, const PlanOptions& options) { build(ids, rows, options); }
  Plan(const Bags& bags, std::int64_t rows, OutOfRange policy = OutOfRange::error) { build(bags, rows, policy); }
  Plan(const Bags& bags, std::int64_t rows, const PlanOptions& options) { build(bags, rows, options); }

  /// A plan that was moved from is an empty one.
  Plan(Plan&& other) noexcept : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, {})) {}
  Plan& operator=(Plan&& other) noexcept {
    memory_ = std::move(other.memory_);
    size_ = std::exchange(other.size_, {});
    return *this;
  }

  /// Replaces this plan. Ids that are the padding id, or out of range under OutOfRange::zero or skip, are left out. The
  /// ids must not be a part of this plan itself.
  ///
  /// Throws Error, and leaves the plan as it was, if rows < 0 or ids is null, or an option for bags is given
  /// (invalid_argument), an id is out of range (IdError), or memory is refused (out_of_memory).
  void build(Ids ids, std::int64_t rows, const PlanOptions& options);
  void build(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error, std::string_view name = {}) {
    build(ids, rows, PlanOptions{.out_of_range = policy, .name = name});
  }

  /// The same for pooled lookups: every id of bag b is updated by row b of a gradient, which is never expanded, times
  /// the coefficient that the pooling, the divisor and the bags' weights give it:
  ///
  ///     sum           weight                                      # 1 without weights
  ///     mean, sqrtn   weight * factor, factor = 1 / divisor        # 0 if the divisor is 0
  ///     max           weight in the columns that the position won; 0 in the others
  ///
  /// Throws also if the bags' offsets, shape or weights do not fit their ids (see pool()); or if a divisor of the
  /// weights is given to a sum or max, winners to another pooling than max, a padding id beside the bags, or, for max,
  /// a bag of more than 2^31 - 1 ids (invalid_argument).
  void build(const Bags& bags, std::int64_t rows, const PlanOptions& options);
  void build(const Bags& bags, std::int64_t rows, OutOfRange policy = OutOfRange::error, std::string_view name = {}) {
    build(bags, rows, PlanOptions{.out_of_range = policy, .name = name});
  }

  /// The number of ids planned, those left out included.
  [[nodiscard]] std::int64_t id_count() const { return size_.ids; }
  /// The rows that a gradient must have: one for each id, or for each bag.
  [[nodiscard]] std::int64_t gradient_rows() const { return size_.gradient_rows; }
  /// How the bags were pooled; a sum for a plan of ids.
  [[nodiscard]] Pooling pooling() const { return size_.pooling; }
  /// PlanOptions::winners.
  [[nodiscard]] std::span<const std::int32_t> winners() const { return size_.winners; }
  /// What the gradient rows of a mean or sqrtn of bags without weights are multiplied by, one for each; empty for other
  /// plans, and where there are more bags than ids.
  [[nodiscard]] std::span<const float> factors() const;
  /// What a mean or sqrtn multiplies the gradient row of each position in the ids by, in double, for what it
  /// contributes; empty unless PlanOptions::double_coefficients asked for it, and for other poolings. Those of padding
  /// mean nothing.
  [[nodiscard]] std::span<const double> double_coefficients() const;
  /// The rows of the tables that this plan fits.
  [[nodiscard]] std::int64_t rows() const { return size_.rows; }
  /// The number of distinct rows touched.
  [[nodiscard]] std::int64_t unique_count() const { return size_.unique; }

  /// One shard: the rows it owns, as segments. A contribution's position is the gradient row that it adds: that of its
  /// id, or of its bag.
  struct Shard {
    /// Segment g touches row rows[g] by positions[segment_begin[g]] .. positions[segment_begin[g+1] - 1], in the order
    /// of the ids; segments stand in order of first occurrence.
    std::span<const std::int64_t> rows;
    std::span<const std::int64_t> segment_begin;  ///< rows.size() + 1 values
    std::span<const std::int64_t> positions;
    /// The position in the ids of each contribution, beside `positions`: the same for a plan of ids; for a plan of bags
    /// only if it was built to keep positions, else empty.
    std::span<const std::int64_t> id_positions;
    /// Where segment g first occurs in the ids; empty where id_positions[segment_begin[g]] says it.
    std::span<const std::int64_t> first_positions;
    /// What the gradient row of each contribution is multiplied by, beside `positions`; empty if all are 1.
    std::span<const float> coefficients;
    /// For max: the position of each contribution in its bag, beside `positions`. In the columns where the winner is
    /// another one, it contributes +0. Empty for other poolings.
    std::span<const std::int32_t> bag_positions;
  };
  [[nodiscard]] std::int64_t shard_count() const { return size_.shards; }
  [[nodiscard]] Shard shard(std::int64_t s) const;

  /// A segment of more than 1,024 contributions: several threads may share its blocks.
  struct HotSegment {
    std::int64_t shard;
    std::int64_t segment;
  };
  /// All of them, by shard and then by segment.
  [[nodiscard]] std::span<const HotSegment> hot_segments() const;

  /// The number of shards of a plan of `id_count` ids.
  [[nodiscard]] static std::int64_t shard_count_for(std::int64_t id_count);

  /// The bytes that a plan of `id_count` ids holds, if it keeps the positions of bags' ids or does not.
  /// Throws Error (invalid_argument) unless 0 <= id_count <= 2^56.
  [[nodiscard]] static std::size_t memory_required(std::int64_t id_count, bool keep_positions = false) {
    return memory_required(id_count, PlanOptions{.keep_positions = keep_positions});
  }
  /// The same if it is built with these options, of bags with weights or without.
  [[nodiscard]] static std::size_t memory_required(std::int64_t id_count, const PlanOptions& options,
                                                   bool with_weights = false);
  /// Makes room for plans of up to `id_count` ids, so that building them allocates nothing. What was planned is lost.
  /// Throws Error as memory_required, or if memory is refused (out_of_memory).
  void reserve(std::int64_t id_count, bool keep_positions = false) {
    reserve(id_count, PlanOptions{.keep_positions = keep_positions});
  }
  void reserve(std::int64_t id_count, const PlanOptions& options, bool with_weights = false);

 private:
  void build(Ids ids, const Bags* bags, std::int64_t rows, const PlanOptions& options, bool are_rows);

  Workspace memory_;
  struct Size {
    std::int64_t ids = 0;
    std::int64_t gradient_rows = 0;
    std::int64_t rows = 0;
    std::int64_t unique = 0;
    std::int64_t shards = 0;
    std::int64_t hot = 0;
    bool of_bags = false;
    Pooling pooling = Pooling::sum;
    std::span<const std::int32_t> winners = {};
  } size_;
  struct Layout;
  /// It stands at the beginning of memory_, if the plan has been built of any ids.
  [[nodiscard]] const Layout& layout() const;
};

}  // namespace rowmill
