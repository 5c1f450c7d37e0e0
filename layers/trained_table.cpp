// SPDX-License-Identifier: Apache-2.0
// TrainedTable, the base of the layers.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/gradient/row_sums.hpp"
#include "kernels/max_norm/check_max_norm.hpp"
#include "kernels/optimizer/storage.hpp"
#include "kernels/table/copy_rows.hpp"
#include "kernels/table/rows.hpp"
#include "layers/reserve_more.hpp"
#include "rowmill/embedding.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// The storage options of a layer, with what it chooses itself: the seed, and f64 states for an f64 table.
StorageOptions storage_of(StorageOptions storage, std::uint64_t seed, Format format) {
  if (storage.stream.seed == 0) storage.stream.seed = seed;
  if (format == Format::f64 && storage.state_format == Format::f32) storage.state_format = Format::f64;
  return storage;
}

}  // namespace

TrainedTable::TrainedTable(std::string_view op, Table table, const Training& training)
    : table_(std::move(table)),
      optimizer_(training.optimizer, table_.rows(), table_.dim(),
                 storage_of(training.storage, training.seed, table_.format()), table_.name()),
      max_norm_(training.max_norm),
      gradient_options_(training.gradient),
      recorded_(training.recorded) {
  const auto is_bf16 = [](const TableView& state) { return state.format() == Format::bf16; };
  check_weights_format(op, optimizer_.storage(), table_, std::ranges::any_of(optimizer_.state(), is_bf16));
  if (max_norm_) check_max_norm(op, *max_norm_);
  check_gradient_options(op, gradient_options_);
  check_enum(op, "recorded", recorded_, Recorded::referenced);
}

void TrainedTable::clear_row(std::int64_t row) {
  if (table_.dim() == 0) return;
  const TableView table = table_;
  std::memset(row_address(table, row), 0, static_cast<std::size_t>(row_bytes(table)));  // zero in every format
}

void TrainedTable::check_gradient(std::string_view op, const ConstTableView& gradient) const {
  check_view(op, "gradient", gradient);
  if (table_.format() == Format::f64) {
    check_format(op, "gradient", gradient, {Format::f64});
  } else {
    check_format(op, "gradient", gradient, kFloatFormats);
  }
}

void TrainedTable::prepare_pass(std::string_view op, const ConstTableView& gradient) {
  reserve_more(op, gradients_, 1);
  if (recorded_ == Recorded::referenced) return;
  const std::size_t pass = gradients_.size();
  if (copies_.size() <= pass) {
    reserve_more(op, copies_, pass + 1 - copies_.size());
    copies_.resize(pass + 1);
  }
  copies_[pass].reserve(static_cast<std::size_t>(gradient.rows() * row_bytes(gradient)), op);
}

void TrainedTable::record_pass(const ConstTableView& gradient) {
  if (recorded_ == Recorded::referenced) return gradients_.push_back(gradient);
  const TableView copy(copies_[gradients_.size()].data(), gradient.format(), gradient.rows(), gradient.dim(),
                       gradient.dim());
  copy_rows(gradient, copy);
  gradients_.push_back(copy);
}

}  // namespace rowmill
