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

/// How a Plan treats ids, and how bags were pooled.
struct PlanOptions {
  OutOfRange out_of_range = OutOfRange::error;  ///< under `zero` and `skip`, ids out of range train nothing
  std::string_view name = {};                   ///< the table's, for error messages
  /// For a plan of bags: keep the position of each id, and not of its bag alone (Shard::id_positions). It takes 8 bytes
  /// for each id.
  bool keep_positions = false;
  /// For f64 gradients of a mean or sqrtn: keep their coefficients in double too (Plan::double_coefficients()), and the
  /// positions as above. It takes 16 bytes for each id.
  bool double_coefficients = false;
  /// For a plan of bags: how pool() pooled them, from which the coefficients follow. Weights and a padding id come with
  /// the bags.
  Pooling pooling = Pooling::sum;
  Divisor divisor = Divisor::count;  ///< of a mean or sqrtn
  /// For max: what find_winners() gave for these bags, bags.size() x dim values. The plan keeps the pointer: the values
  /// must stay as they are while the plan is used.
  std::span<const std::int32_t> winners = {};
  /// For a plan of ids: an id that trains nothing. Bags have their own: Bags::with_padding().
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
  /// Throws Error, and leaves the plan as it was, if
  /// - rows < 0, the ids are bad, an option is unknown, or a pooling is given (invalid_argument);
  /// - an id is out of range under the policy, and not padding (IdError);
  /// - memory is refused (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
  void build(Ids ids, std::int64_t rows, const PlanOptions& options);
  void build(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error, std::string_view name = {}) {
    build(ids, rows, PlanOptions{.out_of_range = policy, .name = name});
  }

  /// The same for pooled lookups: every id of bag b is updated by row b of a gradient, which is never expanded, times a
  /// coefficient:
  ///
  ///     sum           weight                                      # 1 without weights
  ///     mean, sqrtn   weight * factor, factor = 1 / divisor        # 0 if the divisor is 0
  ///     max           weight in the columns that the position won; 0 in the others
  ///
  /// Throws Error also if
  /// - the bags' offsets, shape or weights do not fit their ids: see pool();
  /// - the divisor is `weights` for a sum or max, winners are given for another pooling than max, a padding id is given
  ///   among the options, or a bag of a max has more than 2^31 - 1 ids (invalid_argument).
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
  /// For a mean or sqrtn of bags without weights: by what each gradient row is multiplied. Empty for other plans, and
  /// where there are more bags than ids.
  [[nodiscard]] std::span<const float> factors() const;
  /// For a mean or sqrtn built with PlanOptions::double_coefficients: the coefficient of each position in the ids, in
  /// double; that of padding is unspecified. Empty for other plans.
  [[nodiscard]] std::span<const double> double_coefficients() const;
  /// The rows of the tables that this plan fits.
  [[nodiscard]] std::int64_t rows() const { return size_.rows; }
  /// The number of distinct rows touched.
  [[nodiscard]] std::int64_t unique_count() const { return size_.unique; }

  /// One shard: the rows it owns, as segments. The position of a contribution is that of its gradient row: of its id,
  /// or of its bag.
  struct Shard {
    /// Segment g touches row rows[g] by positions[segment_begin[g]] .. positions[segment_begin[g+1] - 1], in the order
    /// of the ids; segments stand in order of first occurrence.
    std::span<const std::int64_t> rows;
    std::span<const std::int64_t> segment_begin;  ///< rows.size() + 1 values
    std::span<const std::int64_t> positions;
    /// Parallel to `positions`: the position of each contribution in the ids. For a plan of ids these are `positions`;
    /// a plan of bags has them only if it was built to keep them.
    std::span<const std::int64_t> id_positions;
    /// Where segment g first occurs in the ids; empty if that is id_positions[segment_begin[g]].
    std::span<const std::int64_t> first_positions;
    /// Parallel to `positions`: by what the gradient row of each contribution is multiplied. Empty if all are 1.
    std::span<const float> coefficients;
    /// Parallel to `positions`, for max: the position of each contribution in its bag. It contributes +0 in the columns
    /// that another position won. Empty for other poolings.
    std::span<const std::int32_t> bag_positions;
  };
  [[nodiscard]] std::int64_t shard_count() const { return size_.shards; }
  [[nodiscard]] Shard shard(std::int64_t s) const;

  /// A segment of more than 1,024 contributions, whose sum several threads may share.
  struct HotSegment {
    std::int64_t shard;
    std::int64_t segment;
  };
  /// All of them, by shard and then by segment.
  [[nodiscard]] std::span<const HotSegment> hot_segments() const;

  /// The number of shards of a plan of `id_count` ids.
  [[nodiscard]] static std::int64_t shard_count_for(std::int64_t id_count);

  /// The bytes that a plan of `id_count` ids holds at most. Throws Error (invalid_argument) unless
  /// 0 <= id_count <= 2^56.
  [[nodiscard]] static std::size_t memory_required(std::int64_t id_count, bool keep_positions = false) {
    return memory_required(id_count, PlanOptions{.keep_positions = keep_positions});
  }
  /// The same for a plan with options, of bags with weights if `with_weights`.
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
  /// At the beginning of memory_, if the plan has been built of any ids.
  [[nodiscard]] const Layout& layout() const;
};

}  // namespace rowmill
