// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/ids/resolve.hpp"
#include "kernels/plan/grouping.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/pool.hpp"

namespace rowmill {

/// How many positions of begin .. end-1 count, where an id is dropped only if it is the padding id itself.
inline std::int64_t count_others(Ids ids, std::int64_t begin, std::int64_t end, std::int64_t padding_id) {
  if (!ids.is_contiguous()) {
    std::int64_t count = 0;
    for (std::int64_t i = begin; i < end; ++i) count += ids[i] != padding_id ? 1 : 0;
    return count;
  }
  return ids.visit([=](const auto* data) { return end - begin - std::count(data + begin, data + end, padding_id); });
}

/// 1 / divisor of a bag of the input, in float or double; 0 if the divisor is 0. The pooling is mean or sqrtn;
/// docs/numerics.md has the divisors.
template <class Float>
Float bag_factor(const Bags& bags, std::int64_t bag, const GroupingInput& input, Pooling pooling) {
  const std::int64_t begin = bags.begin(bag);
  const std::int64_t end = bags.begin(bag + 1);
  const bool by_weights = bags.has_weights() && input.divisor == Divisor::weights;
  Float sum = 0;
  std::int64_t count = 0;
  if (!by_weights && input.policy != OutOfRange::skip && !input.padding_is_row()) {
    count = input.padding_id ? count_others(input.ids, begin, end, *input.padding_id) : end - begin;
  } else {
    for (std::int64_t i = begin; i < end; ++i) {
      if (resolve_in_bag(input.ids[i], input.rows, input.policy, input.padding_id) == kDropped) continue;
      if (by_weights) {
        const Float weight = bags.weights()[static_cast<std::size_t>(i)];
        const Float term = pooling == Pooling::mean ? weight : weight * weight;
        sum = count == 0 ? term : sum + term;
      }
      ++count;
    }
  }
  Float divisor = by_weights ? sum : static_cast<Float>(count);
  if (pooling == Pooling::sqrtn) divisor = std::sqrt(divisor);
  return divisor == 0 ? Float{0} : 1 / divisor;
}

}  // namespace rowmill
