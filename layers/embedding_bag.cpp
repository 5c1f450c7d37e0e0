// SPDX-License-Identifier: Apache-2.0
#include "rowmill/embedding_bag.hpp"

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/table/copy_rows.hpp"
#include "layers/make_table.hpp"
#include "layers/reserve_more.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "embedding_bag";

}  // namespace

EmbeddingBag::EmbeddingBag(const EmbeddingBagOptions& options)
    : TrainedTable(make_table(options), options.optimizer),
      pooling_(options.pooling),
      out_of_range_(options.out_of_range),
      offsets_{0} {}

void EmbeddingBag::forward(const Bags& bags, const TableView& out, Workspace* workspace) const {
  pool(table_, bags, out, {.pooling = pooling_, .out_of_range = out_of_range_}, workspace);
}

void EmbeddingBag::backward(const Bags& bags, const ConstTableView& gradient) {
  check_view(kOp, "gradient", gradient);
  check_format(kOp, "gradient", gradient, {Format::f32});
  check_bags(kOp, bags);
  check_shape(kOp, "gradient", gradient, bags.size(), table_.dim(), "bags.size() x the table's dim");
  check_disjoint(kOp, "gradient", gradient, "table", table_);
  check_ids(kOp, bags, table_.rows(), out_of_range_, table_.name());

  const Ids ids = bags.ids();
  const std::size_t pass = gradients_.size();
  const std::size_t first_id = rows_.size();
  // All that may fail comes before the first change.
  reserve_more(gradients_, 1);
  reserve_more(rows_, static_cast<std::size_t>(ids.size()));
  reserve_more(offsets_, static_cast<std::size_t>(bags.size()));
  ConstTableView recorded = gradient;
  if (pooling_ == Pooling::mean) {
    if (copies_.size() <= pass) copies_.resize(pass + 1);
    copies_[pass].reserve(static_cast<std::size_t>(gradient.rows() * gradient.dim()) * sizeof(float), kOp);
    const TableView copy(Carver(copies_[pass].data()).take<float>(gradient.rows() * gradient.dim()), gradient.rows(),
                         gradient.dim());
    copy_rows(gradient, copy);
    recorded = copy;
  }

  gradients_.push_back(recorded);
  rows_.resize(first_id + static_cast<std::size_t>(ids.size()));
  resolve_all(ids, table_.rows(), out_of_range_, concurrency_for(ids.size() * 16), rows_.data() + first_id);
  const std::int64_t begin = offsets_.back();
  for (std::int64_t b = 1; b <= bags.size(); ++b) offsets_.push_back(begin + bags.begin(b));
}

void EmbeddingBag::step() {
  if (gradients_.empty()) return;
  // What counts was decided in backward(): a row of -1 counts unless the policy skips it.
  plan_.build(Bags(rows_, offsets_), table_.rows(),
              {.out_of_range = out_of_range_ == OutOfRange::skip ? OutOfRange::skip : OutOfRange::zero,
               .name = table_.name(),
               .pooling = pooling_});
  optimizer_.step(table_, plan_, gradients_, &workspace_);
  zero_grad();
}

void EmbeddingBag::zero_grad() {
  rows_.clear();
  offsets_.resize(1);
  gradients_.clear();
}

}  // namespace rowmill
