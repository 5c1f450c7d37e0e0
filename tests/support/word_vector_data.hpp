// SPDX-License-Identifier: Apache-2.0
// A tile of word vectors: what its leaf kernels take, for their tests and their benchmarks. Made without a test
// library.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/kernel_list.hpp"

namespace rowmill::test {

struct WordVectorData {
  static constexpr std::int64_t kRows = 61;
  static constexpr std::int64_t kWindow = 5;

  std::int64_t dim, count, samples;
  std::vector<float> table, other_table, rows, zeros;
  std::vector<std::int32_t> ids, left, right;  // kWindow ids before and after; 2 kWindow zeros in `left` and `right`
  std::array<const float*, kGroup> group{}, targets{};
  std::array<std::int32_t, kGroup> target_ids{};
  std::vector<const float*> sample_rows;
  std::vector<std::int32_t> sample_ids;
  std::vector<float> target_scores, scores, target_coefficients, coefficients;
  std::vector<ScaledRow> entries;
  std::vector<float> out, more_out;        // what kernels write
  std::array<float*, kGroup> gradients{};  // rows of `out`

  /// `most` is the largest magnitude of a value, about.
  WordVectorData(std::int64_t columns, std::int64_t positions, std::int64_t sample_count, std::uint64_t seed,
                 float most = 1)
      : dim(columns), count(positions), samples(sample_count) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(n));
    };
    const auto fill = [&](std::int64_t n) {
      std::vector<float> values(static_cast<std::size_t>(n));
      for (float& x : values) x = most * (static_cast<float>(random() >> 40) * 0x1p-23F - 1);
      return values;
    };
    table = fill(kRows * dim);
    other_table = fill(kRows * dim);
    rows = fill(count * dim);
    zeros.assign(static_cast<std::size_t>(dim), 0);
    for (std::int64_t p = 0; p < count + 2 * kWindow; ++p) ids.push_back(below(kRows));
    left.assign(static_cast<std::size_t>(count + 4 * kWindow), 0);
    right = left;
    for (std::int64_t p = 0; p < count; ++p) {
      left[static_cast<std::size_t>(p + 2 * kWindow)] = below(kWindow + 1);
      right[static_cast<std::size_t>(p + 2 * kWindow)] = below(kWindow + 1);
    }
    for (std::size_t i = 0; i < kGroup; ++i) {
      target_ids[i] = below(kRows + 1) - 1;
      group[i] = rows.data() + static_cast<std::int64_t>(i) * dim;
      targets[i] = other_table.data() + (target_ids[i] < 0 ? 0 : target_ids[i]) * dim;
    }
    for (std::int64_t k = 0; k < samples; ++k) {
      sample_ids.push_back(k == 1 ? target_ids[3] : below(kRows));
      sample_rows.push_back(other_table.data() + (sample_ids.back() < 0 ? 0 : sample_ids.back()) * dim);
    }
    target_scores = fill(kGroup);
    scores = fill(kGroup * samples);
    target_coefficients = fill(kGroup);
    coefficients = fill(kGroup * samples);
    for (float& x : scores) x *= 20;
    for (std::int64_t p = 0; p < count; ++p) {
      entries.push_back(
          {rows.data() + p * dim, p % 3 == 0 ? 7 : below(kRows), coefficients[static_cast<std::size_t>(p % kGroup)]});
    }
    constexpr std::int64_t kGuards = 32;
    out.assign(static_cast<std::size_t>((count + 2 * kWindow) * dim + kGuards), 77);
    more_out.assign(static_cast<std::size_t>((samples + kGroup) * dim + kGuards), 77);
    for (std::size_t i = 0; i < kGroup; ++i) gradients[i] = out.data() + static_cast<std::int64_t>(i) * dim;
  }
  WordVectorData(const WordVectorData&) = delete;
  WordVectorData& operator=(const WordVectorData&) = delete;

  // The arguments of each kernel. Those that update a table update `table`.
  void make(WindowMeanArgs& a) {
    a = {table.data(),
         dim,
         ids.data() + kWindow,
         count + kWindow,
         left.data() + 2 * kWindow,
         right.data() + 2 * kWindow,
         count,
         kWindow,
         zeros.data(),
         out.data(),
         dim};
  }
  void make(WindowTransposeArgs& a) {
    std::copy(rows.begin(), rows.end(), out.begin() + 2 * kWindow * dim);  // in place
    a = {out.data() + 2 * kWindow * dim,
         left.data() + 2 * kWindow,
         right.data() + 2 * kWindow,
         count,
         kWindow,
         zeros.data(),
         out.data(),
         dim};
  }
  void make(DotPairsArgs& a) { a = {group.data(), targets.data(), out.data(), dim}; }
  void make(DotTileArgs& a) { a = {group.data(), sample_rows.data(), samples, group.data(), kGroup, out.data(), dim}; }
  void make(CoefficientsArgs& a) {
    a = {target_scores.data(), scores.data(), target_ids.data(), sample_ids.data(), samples, 0.05F, 0.03F,
         more_out.data(),      out.data()};
  }
  void make(CoefficientTileArgs& a) {
    a = {group.data(),       targets.data(),  target_coefficients.data(),
         sample_rows.data(), samples,         coefficients.data(),
         gradients.data(),   more_out.data(), dim};
  }
  void make(AddScaledRowsArgs& a) { a = {table.data(), dim, entries.data(), count, dim}; }
};

}  // namespace rowmill::test
