// SPDX-License-Identifier: Apache-2.0
// Segments of gradients, as kernels get them that sum a row's contributions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/plan/passes.hpp"
#include "kernels/reference/reference.hpp"
#include "tests/kernels/kernel_test.hpp"

namespace rowmill::test {

/// The block of a row's sum, which leaf kernels take as an argument. With the library's 1,024 the tests take minutes.
inline constexpr std::int64_t kBlock = 64;

/// Segments of 1, 2, 3, ... contributions, one of more than a block of the sum, one of exactly two blocks, and short
/// ones again.
struct SegmentLists {
  std::vector<std::int64_t> rows, begin{0}, positions;

  SegmentLists() {
    for (const std::int64_t length : {1L, 2L, 3L, 4L, 7L, kBlock + 1, 2 * kBlock, 1L, 2L, 5L}) {
      rows.push_back(static_cast<std::int64_t>(rows.size() * 7) % kRows);
      for (std::int64_t k = 0; k < length; ++k) positions.push_back(static_cast<std::int64_t>(positions.size()) + 3);
      begin.push_back(static_cast<std::int64_t>(positions.size()));
    }
  }
};

/// How rows lie in memory: by how much a table's stride is larger than its rows, in how many passes gradients come, and
/// by how much their strides are larger. Loops of usual widths are for rows that lie close; each of these but the
/// second differs from it in one thing or in all.
struct Layout {
  std::int64_t table_gap;
  std::int64_t passes;
  std::int64_t gradient_gap;
};
inline constexpr Layout kLayouts[] = {{3, 3, 2}, {0, 1, 0}, {3, 1, 0}, {0, 3, 0}, {0, 1, 2}};

/// Those that matter for rows of `dim` columns: rows of no usual width have one loop.
inline std::span<const Layout> layouts_for(std::int64_t dim) {
  const bool usual = dim == 16 || dim == 32 || dim == 64 || dim == 128 || dim == 256;
  return std::span(kLayouts).first(usual ? std::size(kLayouts) : 1);
}

/// These, and their gradients in one pass or in three that lie in different places. Special values are those of the
/// short segments alone: in a long sum they would hide its order.
struct Segments {
  SegmentLists lists;
  PageEnd<std::int64_t> rows{lists.rows}, begin{lists.begin}, positions{lists.positions};
  std::vector<GuardedTable> gradients;
  std::vector<GradientPass> passes;
  std::vector<std::int64_t> index_values;
  PassIndex index;
  // Of each gradient row: a factor, the mean square, and that of the row times the factor.
  std::vector<float> factors, squares, scaled_squares;
  PageEnd<float> coefficients{std::vector<float>(lists.positions.size())};  // the factors of the positions
  std::vector<std::int32_t> winners;                                        // 0, 1 or 2, for max
  PageEnd<std::int32_t> bag_positions{std::vector<std::int32_t>(lists.positions.size())};

  explicit Segments(std::int64_t dim, const Layout& layout = kLayouts[0]) {
    constexpr std::int64_t kSpecial = 20;
    constexpr std::int64_t kAll = 256;
    const std::vector<std::int64_t> ends =
        layout.passes == 1 ? std::vector{kAll} : std::vector{kSpecial, std::int64_t{60}, kAll};
    const GuardedTable special = GuardedTable(kSpecial, dim, 1).fill(6, true);
    std::int64_t begin_of_pass = 0;
    for (const std::int64_t end : ends) {
      gradients.push_back(GuardedTable(end - begin_of_pass, dim, layout.gradient_gap).fill(12 + passes.size()));
      const TableView view = gradients.back().view();
      for (std::int64_t r = begin_of_pass; r < std::min(end, kSpecial); ++r) {
        std::ranges::copy(special.view().row(r), view.row(r - begin_of_pass).data());
      }
      for (std::int64_t r = 0; r < view.rows(); ++r) {
        factors.push_back(static_cast<float>(factors.size() % 7) / 3 - 0.5F);
        squares.push_back(reference::mean_square(view.row(r).data(), dim));
        scaled_squares.push_back(reference::mean_square(view.row(r).data(), dim, factors.back()));
      }
      passes.push_back({nullptr, view.row_stride(), end});
      begin_of_pass = end;
    }
    for (std::size_t p = 0; p < passes.size(); ++p) passes[p].data = gradients[p].view().data();
    index_values.resize(static_cast<std::size_t>(max_index_size(std::ssize(passes))));
    index = index_passes(passes.data(), std::ssize(passes), index_values.data());
    for (std::int64_t i = 0; i < kAll * dim; ++i) winners.push_back(static_cast<std::int32_t>(i * i % 3));
    for (std::size_t k = 0; k < lists.positions.size(); ++k) {
      coefficients.data()[k] = factors[static_cast<std::size_t>(lists.positions[k])];
      bag_positions.data()[k] = static_cast<std::int32_t>(k % 3);
    }
  }

  SegmentArgs args(bool scaled = false, bool of_max = false) const {
    return {.rows = rows.data(),
            .begin = begin.data(),
            .positions = positions.data(),
            .count = std::ssize(lists.rows),
            .coefficients = scaled ? coefficients.data() : nullptr,
            .bag_positions = of_max ? bag_positions.data() : nullptr};
  }
  GradientArgs gradient_args(std::int64_t dim, bool prefetched = true, const float* mean_squares = nullptr,
                             bool of_max = false) const {
    return {.passes = passes.data(),
            .pass_count = std::ssize(passes),
            .index = index,
            .dim = dim,
            .block = kBlock,
            .prefetched = prefetched,
            .mean_squares = mean_squares,
            .winners = of_max ? winners.data() : nullptr};
  }
};

/// The same gradients in passes of float16, bfloat16 and float32.
struct MixedPasses {
  std::vector<GuardedBf16Table> bf16;
  std::vector<BasicGuardedTable<F16>> f16;
  std::vector<GradientPass> passes;

  explicit MixedPasses(const Segments& segments) : passes(segments.passes) {
    bf16.reserve(passes.size());
    f16.reserve(passes.size());
    for (std::size_t p = 0; p < passes.size(); ++p) {
      const ConstTableView from = segments.gradients[p].view();
      const auto copy_as = [&](auto& tables, auto zero) {
        using Value = decltype(zero);
        const TableView to = tables.emplace_back(from.rows(), from.dim()).view();
        for (std::int64_t r = 0; r < from.rows(); ++r) {
          std::ranges::transform(from.row(r), to.row<Value>(r).begin(), [](float x) { return Value(x); });
        }
        passes[p] = {to.bytes(), to.row_stride(), passes[p].end, to.format()};
      };
      if (p % 3 == 0) copy_as(f16, F16());
      if (p % 3 == 1) copy_as(bf16, Bf16());
    }
  }
  /// `args`, which are those of the segments, with these passes.
  [[nodiscard]] GradientArgs of(GradientArgs args) const {
    args.passes = passes.data();
    args.any_format = true;
    return args;
  }
};

/// Contributions with coefficients or without, of max or not.
inline constexpr std::pair<bool, bool> kContributions[] = {{false, false}, {true, false}, {false, true}, {true, true}};

}  // namespace rowmill::test
