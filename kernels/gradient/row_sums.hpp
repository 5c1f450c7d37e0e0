// SPDX-License-Identifier: Apache-2.0
// Sums of gradients in memory, for sparse and dense gradients, clipping and the check for NaNs.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/gradient/contributions.hpp"
#include "kernels/gradient/first_occurrence.hpp"
#include "rowmill/gradient_options.hpp"

namespace rowmill {

/// Whether any option is set.
bool any(const GradientOptions& options);

/// Every option is in its range.
void check_gradient_options(std::string_view op, const GradientOptions& options);

/// The finished sums of a plan's rows, in memory: in order of first occurrence or, as in a dense gradient, where the
/// table has the row. And what GradientOptions do to them.
class RowSums {
 public:
  /// Memory for plans of `id_count` ids that touch `unique` rows.
  RowSums(std::int64_t id_count, std::int64_t unique, std::int64_t dim, Carver& memory);

  /// Numbers the rows: rows[k] is the k-th to occur.
  void number_rows(const Plan& plan, std::int64_t threads, std::int64_t* rows);
  /// The numbers of the rows of shard s, in the order of its segments.
  [[nodiscard]] const std::int64_t* numbers(std::int64_t s) const { return numbers_ + shard_begin_[s]; }

  /// Writes each row's sum to `out`: row k of it by number, or, if `dense`, the row that the table has.
  void sum(const KernelTable& k, const Plan& plan, Contributions& contributions, std::int64_t threads, float* out,
           std::int64_t stride, bool dense);
  /// Applies options to what sum() wrote. Returns false if skip_nonfinite is set and an element is not finite: what
  /// `out` holds then means nothing.
  bool apply(const KernelTable& k, const Plan& plan, const GradientOptions& options, std::int64_t threads, float* out,
             std::int64_t stride, bool dense) const;

 private:
  std::int64_t dim_;
  FirstOccurrence order_;
  std::int64_t* shard_begin_;  // where the rows of each shard begin in numbers_
  std::int64_t* numbers_;      // by shard and segment
  float* counts_;              // by number: the contributions of the row
  float* squares_;             // by number: the sum of the row's squares
  float* block_sums_;          // of squares_
  const std::int64_t* rows_ = nullptr;
};

}  // namespace rowmill
