// SPDX-License-Identifier: Apache-2.0
#include "rowmill/embedding_bag.hpp"

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/memory/carve.hpp"
#include "layers/make_table.hpp"
#include "layers/reserve_more.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "embedding_bag";

/// gradient / counts, row by row, in `memory`.
ConstTableView divide_rows(const ConstTableView& gradient, const std::vector<std::int64_t>& counts, Workspace& memory) {
  const std::int64_t dim = gradient.dim();
  const std::int64_t bytes = gradient.rows() * dim * std::int64_t{sizeof(float)};
  memory.reserve(static_cast<std::size_t>(bytes), kOp);
  auto* const out = Carver(memory.data()).take<float>(gradient.rows() * dim);
  const KernelTable& k = kernels();
  constexpr std::int64_t kGrain = 256;
  parallel_chunks(concurrency_for(2 * bytes), gradient.rows(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    k.divide_rows_f32({gradient.data() + begin * gradient.row_stride(), gradient.row_stride(), counts.data() + begin,
                       end - begin, out + begin * dim, dim, dim});
  });
  return {out, gradient.rows(), dim};
}

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
    counts_.resize(static_cast<std::size_t>(bags.size()));
    for (std::int64_t b = 0; b < bags.size(); ++b) {
      std::int64_t count = 0;
      for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) {
        count += resolve_in_bag(ids[i], table_.rows(), out_of_range_, {}) == kDropped ? 0 : 1;
      }
      counts_[static_cast<std::size_t>(b)] = count;
    }
    if (divided_.size() <= pass) divided_.resize(pass + 1);
    recorded = divide_rows(gradient, counts_, divided_[pass]);
  }

  gradients_.push_back(recorded);
  rows_.resize(first_id + static_cast<std::size_t>(ids.size()));
  resolve_all(ids, table_.rows(), out_of_range_, concurrency_for(ids.size() * 16), rows_.data() + first_id);
  const std::int64_t begin = offsets_.back();
  for (std::int64_t b = 1; b <= bags.size(); ++b) offsets_.push_back(begin + bags.begin(b));
}

void EmbeddingBag::step() {
  if (gradients_.empty()) return;
  plan_.build(Bags(rows_, offsets_), table_.rows(), OutOfRange::zero, table_.name());
  optimizer_.step(table_, plan_, gradients_, &workspace_);
  zero_grad();
}

void EmbeddingBag::zero_grad() {
  rows_.clear();
  offsets_.resize(1);
  gradients_.clear();
}

}  // namespace rowmill
