// SPDX-License-Identifier: Apache-2.0
// The Embedding layer.
#include "rowmill/embedding.hpp"

#include <string>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/gather/check_gather.hpp"
#include "kernels/ids/resolve.hpp"
#include "layers/make_table.hpp"
#include "layers/reserve_more.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "embedding";

}  // namespace

Embedding::Embedding(const EmbeddingOptions& options)
    : TrainedTable(
          kOp, make_table(options),
          {options.optimizer, options.max_norm, options.gradient, options.recorded, options.storage, options.seed}),
      out_of_range_(options.out_of_range),
      padding_id_(options.padding_id) {
  check_policy(kOp, out_of_range_);
  if (!padding_id_) return;
  if (*padding_id_ < 0 || *padding_id_ >= table_.rows()) {
    const std::string allowed = table_.rows() == 0 ? "none" : "0 to " + std::to_string(table_.rows() - 1);
    throw Error(ErrorCode::invalid_argument, "rowmill: embedding: padding_id is " + std::to_string(*padding_id_) +
                                                 "; " + describe("table", table_) + " allows " + allowed);
  }
  clear_row(*padding_id_);
}

void Embedding::forward(Ids ids, const TableView& out) {
  if (!max_norm_) return std::as_const(*this).forward(ids, out);
  check_gather(table_, ids, out, out_of_range_);  // all that can fail, before rows are scaled
  renormalize(table_, ids, *max_norm_, {.out_of_range = out_of_range_, .padding_id = padding_id_}, &workspace_);
  gather(table_, ids, out, {.out_of_range = out_of_range_});
}

void Embedding::forward(Ids ids, const TableView& out) const {
  if (max_norm_) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: embedding: forward of a const layer with a max_norm, which scales rows of the table");
  }
  gather(table_, ids, out, {.out_of_range = out_of_range_});
}

void Embedding::backward(Ids ids, const ConstTableView& gradient) {
  check_gradient(kOp, gradient);
  check_ids_pointer(kOp, ids);
  check_shape(kOp, "gradient", gradient, ids.size(), table_.dim(), "ids.size() x the table's dim");
  check_disjoint(kOp, "gradient", gradient, "table", table_);
  check_ids(kOp, ids, table_.rows(), out_of_range_, table_.name());
  // All that may fail comes before the first change.
  const std::size_t begin = rows_.size();
  reserve_more(kOp, rows_, static_cast<std::size_t>(ids.size()));
  prepare_pass(kOp, gradient);

  rows_.resize(begin + static_cast<std::size_t>(ids.size()));
  Bags bag(ids, 1, ids.size());
  if (padding_id_) bag = bag.with_padding(*padding_id_);
  resolve_all(bag, table_.rows(), out_of_range_, concurrency_for(ids.size() * 16), rows_.data() + begin);
  record_pass(gradient);
}

void Embedding::step() {
  if (gradients_.empty()) return;
  plan_.build(rows_, table_.rows(), OutOfRange::zero, table_.name());
  apply_passes();
  zero_grad();
}

void Embedding::zero_grad() {
  rows_.clear();
  gradients_.clear();
}

}  // namespace rowmill
