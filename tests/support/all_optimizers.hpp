// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "rowmill/optimizer.hpp"

namespace rowmill::test {

/// Every optimizer and every kind of decay.
inline std::vector<OptimizerOptions> all_optimizers() {
  std::vector<OptimizerOptions> all;
  for (const auto& kind :
       {std::pair(WeightDecay::none, 0.0), std::pair(WeightDecay::l2, 0.02), std::pair(WeightDecay::decoupled, 0.3)}) {
    const auto add = [&](auto options) {
      options.decay = kind.first;
      options.weight_decay = kind.second;
      all.emplace_back(options);
    };
    add(SgdOptions{.learning_rate = 0.1});
    add(SgdOptions{.learning_rate = 0.1, .momentum = 0.9});
    add(SgdOptions{.learning_rate = 0.1, .momentum = 0.5, .nesterov = true});
    add(AdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5});
    add(RowWiseAdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5});
    add(AdamOptions{.learning_rate = 0.01});
    add(PartialRowWiseAdamOptions{.learning_rate = 0.01});
  }
  return all;
}

}  // namespace rowmill::test
