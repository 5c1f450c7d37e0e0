// SPDX-License-Identifier: Apache-2.0
#include "rowmill/embedding.hpp"

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/ids/resolve.hpp"
#include "layers/make_table.hpp"
#include "layers/reserve_more.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "embedding";

}  // namespace

TrainedTable::TrainedTable(Table table, const OptimizerOptions& optimizer)
    : table_(std::move(table)), optimizer_(optimizer, table_.rows(), table_.dim(), table_.name()) {}

Embedding::Embedding(const EmbeddingOptions& options)
    : TrainedTable(make_table(options), options.optimizer),
      out_of_range_(options.out_of_range),
      padding_id_(options.padding_id) {
  if (!padding_id_) return;
  if (*padding_id_ < 0 || *padding_id_ >= table_.rows()) {
    throw Error(ErrorCode::invalid_argument, "rowmill: embedding: padding_id is " + std::to_string(*padding_id_) +
                                                 "; " + describe("table", table_) + " allows 0 to " +
                                                 std::to_string(table_.rows() - 1));
  }
  const auto row_bytes = static_cast<std::size_t>(table_.dim() * element_size(table_.format()));
  if (row_bytes == 0) return;
  std::memset(static_cast<std::byte*>(table_.bytes()) + static_cast<std::size_t>(*padding_id_) * row_bytes, 0,
              row_bytes);  // zero in every format
}

void Embedding::forward(Ids ids, const TableView& out) const {
  gather(table_, ids, out, {.out_of_range = out_of_range_});
}

void Embedding::backward(Ids ids, const ConstTableView& gradient) {
  check_view(kOp, "gradient", gradient);
  check_format(kOp, "gradient", gradient, {Format::f32});
  check_ids_pointer(kOp, ids);
  check_shape(kOp, "gradient", gradient, ids.size(), table_.dim(), "ids.size() x the table's dim");
  check_disjoint(kOp, "gradient", gradient, "table", table_);
  check_ids(kOp, ids, table_.rows(), out_of_range_, table_.name());

  reserve_more(gradients_, 1);
  const std::size_t begin = rows_.size();
  rows_.resize(begin + static_cast<std::size_t>(ids.size()));
  gradients_.push_back(gradient);
  const std::int64_t padding = padding_id_.value_or(kIgnored);
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table_.rows(), out_of_range_);
    rows_[begin + static_cast<std::size_t>(i)] = row == padding ? kIgnored : row;
  }
}

void Embedding::step() {
  if (gradients_.empty()) return;
  plan_.build(rows_, table_.rows(), OutOfRange::zero, table_.name());
  optimizer_.step(table_, plan_, gradients_, &workspace_);
  zero_grad();
}

void Embedding::zero_grad() {
  rows_.clear();
  gradients_.clear();
}

}  // namespace rowmill
