// SPDX-License-Identifier: Apache-2.0
// Bags that are pooled in every way, with every kind of layout, policy and padding: for what follows from their plans.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/reference/reference.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"

namespace rowmill::test {

/// Bags, how they are pooled, and winners of max: any position of the bag, or none.
struct PooledBatch {
  std::string name;
  Bags bags;
  PoolOptions options;
  std::vector<std::int32_t> winners;

  [[nodiscard]] PlanOptions plan_options(bool keep_positions = false) const {
    return {.out_of_range = options.out_of_range,
            .keep_positions = keep_positions,
            .pooling = options.pooling,
            .divisor = options.divisor,
            .winners = winners};
  }
  [[nodiscard]] std::vector<reference::RowGradient> row_gradients(std::int64_t rows,
                                                                  const ConstTableView& gradient) const {
    return reference::row_gradients(bags, rows, options, winners, gradient);
  }
};

class PooledBatches {
 public:
  /// `count` ids of a table of `rows` rows in bags of up to 6, some of them empty; one row has `share` of the ids.
  PooledBatches(std::int64_t rows, std::int64_t count, std::int64_t dim, double share = 0.1)
      : random_(static_cast<std::uint64_t>(rows + count)) {
    offsets_.push_back(0);
    while (offsets_.back() < count) {
      offsets_.push_back(std::min(offsets_.back() + static_cast<std::int64_t>(random_() % 7), count));
    }
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
    };
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t id = static_cast<double>(below(1000)) < 1000 * share ? rows / 2 : below(rows);
      ids_.push_back(id);
      with_padding_.push_back(below(4) == 0 ? -1 : id);
      out_of_range_.push_back(below(4) == 0 ? rows + below(3) : id);
      weights_.push_back(static_cast<float>(below(9) - 4) / 4);  // they cancel in some bags
    }
    for (const Pooling pooling : {Pooling::sum, Pooling::mean, Pooling::sqrtn, Pooling::max}) {
      for (const bool weighted : {false, true}) {
        for (const Divisor divisor : {Divisor::count, Divisor::weights}) {
          const bool divides = pooling == Pooling::mean || pooling == Pooling::sqrtn;
          if (divisor == Divisor::weights && !(divides && weighted)) continue;
          add_layouts(rows, dim, weighted, {.pooling = pooling, .divisor = divisor});
        }
      }
    }
  }
  PooledBatches(const PooledBatches&) = delete;
  PooledBatches& operator=(const PooledBatches&) = delete;

  [[nodiscard]] const std::vector<PooledBatch>& all() const { return all_; }

 private:
  void add_layouts(std::int64_t rows, std::int64_t dim, bool weighted, PoolOptions options) {
    const auto count = static_cast<std::int64_t>(ids_.size());
    const auto add = [&](const char* name, Bags bags, OutOfRange policy) {
      if (weighted) bags = bags.with_weights(weights_);
      options.out_of_range = policy;
      PooledBatch batch{std::string(name) + (weighted ? ", weights" : "") + ", pooling " +
                            std::to_string(static_cast<int>(options.pooling)) + ", divisor " +
                            std::to_string(static_cast<int>(options.divisor)),
                        bags,
                        options,
                        {}};
      for (std::int64_t b = 0; options.pooling == Pooling::max && b < bags.size(); ++b) {
        const auto length = static_cast<std::uint64_t>(bags.begin(b + 1) - bags.begin(b));
        for (std::int64_t c = 0; c < dim; ++c) {
          batch.winners.push_back(static_cast<std::int32_t>(random_() % (length + 1)) - 1);
        }
      }
      all_.push_back(std::move(batch));
    };
    add("offsets", Bags(ids_, offsets_), OutOfRange::error);
    const std::span<const std::int64_t> starts = std::span(offsets_).first(offsets_.size() - 1);
    add("out of range is zero", Bags::from_offsets(out_of_range_, starts, LastOffset::absent), OutOfRange::zero);
    add("out of range is skipped", Bags(out_of_range_, offsets_), OutOfRange::skip);
    add("padding", Bags(with_padding_, count / 4, 4).with_padding(-1), OutOfRange::error);
    add("the last row is padding", Bags(with_padding_, count / 2, 2).with_padding(rows - 1), OutOfRange::wrap_negative);
  }

  std::mt19937_64 random_;
  std::vector<std::int64_t> ids_, with_padding_, out_of_range_, offsets_;
  std::vector<float> weights_;
  std::vector<PooledBatch> all_;
};

}  // namespace rowmill::test
