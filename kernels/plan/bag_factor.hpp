// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/ids/resolve.hpp"
#include "kernels/plan/grouping.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/pool.hpp"

namespace rowmill {

/// 1 / divisor of a bag of the input, rounded to float; 0 if the divisor is 0. The pooling is mean or sqrtn;
/// docs/numerics.md has the divisors.
inline float bag_factor(const Bags& bags, std::int64_t bag, const GroupingInput& input, Pooling pooling) {
  const std::int64_t begin = bags.begin(bag);
  const std::int64_t end = bags.begin(bag + 1);
  const bool by_weights = bags.has_weights() && input.divisor == Divisor::weights;
  float sum = 0;
  std::int64_t count = 0;
  if (!by_weights && !input.padding_id && input.policy != OutOfRange::skip) {
    count = end - begin;  // every position counts
  } else {
    for (std::int64_t i = begin; i < end; ++i) {
      if (resolve_in_bag(input.ids[i], input.rows, input.policy, input.padding_id) == kDropped) continue;
      if (by_weights) {
        const float weight = bags.weights()[static_cast<std::size_t>(i)];
        const float term = pooling == Pooling::mean ? weight : weight * weight;
        sum = count == 0 ? term : sum + term;
      }
      ++count;
    }
  }
  float divisor = by_weights ? sum : static_cast<float>(count);
  if (pooling == Pooling::sqrtn) divisor = std::sqrt(divisor);
  return divisor == 0 ? 0.0F : 1 / divisor;
}

}  // namespace rowmill
