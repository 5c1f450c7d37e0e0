// SPDX-License-Identifier: Apache-2.0
// The EmbeddingBag layer.
#include "rowmill/embedding_bag.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/pool/bag_checks.hpp"
#include "layers/make_table.hpp"
#include "layers/reserve_more.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "embedding_bag";

}  // namespace

EmbeddingBag::EmbeddingBag(const EmbeddingBagOptions& options)
    : TrainedTable(
          kOp, make_table(options),
          {options.optimizer, options.max_norm, options.gradient, options.recorded, options.storage, options.seed}),
      options_{.pooling = options.pooling, .out_of_range = options.out_of_range, .divisor = options.divisor},
      padding_id_(options.padding_id),
      offsets_{0} {
  check_pool_options(kOp, options_);
  if (padding_id_ && *padding_id_ >= 0 && *padding_id_ < table_.rows()) clear_row(*padding_id_);
}

Bags EmbeddingBag::with_own_padding(const Bags& bags) const {
  if (!padding_id_) return bags;
  if (bags.padding_id() && *bags.padding_id() != *padding_id_) {
    throw Error(ErrorCode::invalid_argument, "rowmill: embedding_bag: the bags' padding_id is " +
                                                 std::to_string(*bags.padding_id()) + "; the layer's is " +
                                                 std::to_string(*padding_id_));
  }
  return bags.with_padding(*padding_id_);
}

void EmbeddingBag::forward(const Bags& bags, const TableView& out, Workspace* workspace) {
  if (!max_norm_) return std::as_const(*this).forward(bags, out, workspace);
  const Bags padded = with_own_padding(bags);
  Workspace& scratch = workspace != nullptr ? *workspace : workspace_;
  // All that can fail, before rows are scaled.
  check_pool(table_, padded, out, options_);
  const std::int64_t ids = bags.ids().size();
  scratch.reserve(std::max(renormalize_memory_required(ids), pool_memory_required(ids)), kOp);
  renormalize(table_, padded, *max_norm_, {.out_of_range = options_.out_of_range}, &scratch);
  pool(table_, padded, out, options_, &scratch);
}

void EmbeddingBag::forward(const Bags& bags, const TableView& out, Workspace* workspace) const {
  if (max_norm_) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: embedding_bag: forward of a const layer with a max_norm, which scales rows of the table");
  }
  pool(table_, with_own_padding(bags), out, options_, workspace);
}

void EmbeddingBag::backward(const Bags& given, const ConstTableView& gradient, std::span<float> weight_gradients) {
  const Bags bags = with_own_padding(given);
  check_gradient(kOp, gradient);
  check_bags(kOp, bags);
  check_shape(kOp, "gradient", gradient, bags.size(), table_.dim(), "bags.size() x the table's dim");
  check_disjoint(kOp, "gradient", gradient, "table", table_);
  check_ids(kOp, bags, table_.rows(), options_.out_of_range, table_.name());

  // All that may fail comes before what is recorded changes. Vectors may grow: what lies past the recorded passes has
  // no meaning.
  const Ids ids = bags.ids();
  const auto id_count = static_cast<std::size_t>(ids.size());
  const std::size_t first_id = rows_.size();
  reserve_more(kOp, rows_, id_count);
  reserve_more(kOp, offsets_, static_cast<std::size_t>(bags.size()));
  const bool weighted = weighted_ || bags.has_weights();
  if (weighted) {
    reserve_more(kOp, weights_, first_id - weights_.size() + id_count);
    weights_.resize(first_id, 1.0F);  // of passes without weights
  }
  prepare_pass(kOp, gradient);
  if (options_.pooling == Pooling::max) {
    const std::size_t first = winner_count();
    const std::size_t needed = first + static_cast<std::size_t>(bags.size() * table_.dim());
    if (needed > winners_.size()) reserve_more(kOp, winners_, needed - winners_.size());
    winners_.resize(needed);
    find_winners(table_, bags, std::span(winners_).subspan(first), options_, &workspace_);
  }
  if (!weight_gradients.empty()) {
    pool_weight_gradients(table_, bags, gradient, weight_gradients, options_, &workspace_);
  }

  rows_.resize(first_id + id_count);
  resolve_all(bags, table_.rows(), options_.out_of_range, concurrency_for(ids.size() * 16), rows_.data() + first_id);
  if (bags.has_weights()) {
    weights_.insert(weights_.end(), bags.weights().begin(), bags.weights().end());
  } else if (weighted) {
    weights_.resize(first_id + id_count, 1.0F);
  }
  weighted_ = weighted;
  const std::int64_t begin = offsets_.back();
  for (std::int64_t b = 1; b <= bags.size(); ++b) offsets_.push_back(begin + bags.begin(b));
  record_pass(gradient);
}

void EmbeddingBag::step() {
  if (gradients_.empty()) return;
  // resolve_all() made padding kDropped. Another row below 0 is kZeroRow, which `zero` lets count.
  Bags bags = Bags(rows_, offsets_).with_padding(kDropped);
  if (weighted_) bags = bags.with_weights(weights_);
  PlanOptions plan{.out_of_range = OutOfRange::zero,
                   .name = table_.name(),
                   .double_coefficients = table_.format() == Format::f64,
                   .pooling = options_.pooling,
                   .divisor = options_.divisor};
  if (options_.pooling == Pooling::max) plan.winners = std::span<const std::int32_t>(winners_).first(winner_count());
  plan_.build(bags, table_.rows(), plan);
  apply_passes();
  zero_grad();
}

void EmbeddingBag::zero_grad() {
  rows_.clear();
  offsets_.resize(1);
  weights_.clear();
  weighted_ = false;
  winners_.clear();
  gradients_.clear();
}

}  // namespace rowmill
