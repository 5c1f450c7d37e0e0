// SPDX-License-Identifier: Apache-2.0
// Random calls against the reference. A failure prints the seed that replays it: set RC_PARAMS to what it says.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kernels/reference/reference.hpp"
#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

/// A table, ids with some out of range, and values, of any shape; and where it runs.
struct Call {
  const KernelTable* isa = nullptr;
  int threads = 1;
  std::int64_t rows = 1, dim = 1;
  OutOfRange policy = OutOfRange::error;
  std::int64_t stride = 1;
  std::vector<std::int64_t> ids, memory;  // the ids, and the same at the stride
  GuardedTable table{0, 1}, values{0, 1};

  [[nodiscard]] Ids batch() const {
    const auto last = static_cast<std::int64_t>(memory.size()) - 1;
    return Ids::strided(memory.data() + (stride < 0 ? std::max<std::int64_t>(last, 0) : 0), std::ssize(ids), stride);
  }
};

Call any_call() {
  Call call;
  call.isa = *rc::gen::elementOf(supported_kernels()).as("instruction set");
  call.threads = *rc::gen::inRange(1, 5).as("threads");
  call.rows = *rc::gen::inRange<std::int64_t>(1, 300).as("rows");
  call.dim = *rc::gen::inRange<std::int64_t>(1, 300).as("dim");
  call.policy = *rc::gen::element(OutOfRange::error, OutOfRange::clip, OutOfRange::zero, OutOfRange::wrap_negative,
                                  OutOfRange::skip)
                     .as("policy");
  const std::int64_t lowest = call.policy == OutOfRange::error ? 0 : -call.rows;
  const std::int64_t beyond = call.policy == OutOfRange::error || call.policy == OutOfRange::wrap_negative ? 0 : 5;
  // Cubing skews the ids towards the first rows.
  const auto count = *rc::gen::inRange<std::size_t>(0, 3000).as("ids");
  std::mt19937_64 random(*rc::gen::arbitrary<std::uint32_t>().as("seed"));
  const bool skewed = *rc::gen::arbitrary<bool>().as("skewed");
  for (std::size_t i = 0; i < count; ++i) {
    double u = static_cast<double>(random() >> 11) * 0x1p-53;
    if (skewed) u = u * u * u;
    call.ids.push_back(lowest + static_cast<std::int64_t>(u * static_cast<double>(call.rows + beyond - lowest)));
  }
  call.stride = *rc::gen::element<std::int64_t>(1, 1, 2, -1, -3).as("stride of the ids");
  const std::int64_t step = call.stride < 0 ? -call.stride : call.stride;
  call.memory.assign(count == 0 ? 0 : (count - 1) * static_cast<std::size_t>(step) + 1, -99);
  for (std::size_t i = 0; i < count; ++i) {
    call.memory[(call.stride < 0 ? count - 1 - i : i) * static_cast<std::size_t>(step)] = call.ids[i];
  }
  const auto gap = *rc::gen::inRange<std::int64_t>(0, 20).as("row stride - dim");
  const auto offset = *rc::gen::inRange<std::int64_t>(0, 16).as("alignment");
  call.table = GuardedTable(call.rows, call.dim, gap, offset).fill(random(), random() % 4 == 0);
  call.values = GuardedTable(static_cast<std::int64_t>(count), call.dim, gap, offset).fill(random());
  return call;
}

template <class F>
void in_place_of(const Call& call, F f) {
  const ScopedIsa isa(call.isa);
  with_threads(call.threads, f);
}

RC_GTEST_PROP(Property, GatherEqualsTheReference, ()) {
  const Call call = any_call();
  const auto n = static_cast<std::int64_t>(call.ids.size());
  GuardedTable out(n, call.dim, 1);
  GuardedTable expected(n, call.dim);
  reference::gather(call.table.view(), call.ids, expected.view(), call.policy);
  in_place_of(call, [&] { gather(call.table.view(), call.batch(), out.view(), {.out_of_range = call.policy}); });
  RC_ASSERT(same(out.view(), expected.view()));
  RC_ASSERT(out.guards_intact());
}

/// From one format of floats into another.
RC_GTEST_PROP(Property, LookupsOf16BitsEqualTheReference, ()) {
  const Call call = any_call();
  const auto any_format = [] { return rc::gen::element(Format::f32, Format::bf16, Format::f16); };
  const Format from = *any_format().as("format of the table");
  const Format to = *any_format().as("format of the output");
  const auto n = std::ssize(call.ids);
  Table table(call.rows, call.dim, {.format = from});
  Table out(n, call.dim, {.format = to});
  Table expected(n, call.dim, {.format = to});
  const Bags bags(call.batch(), n, 1);
  reference::convert(call.table.view(), table);
  reference::gather(table, call.ids, expected, call.policy);
  in_place_of(call, [&] { gather(table, call.batch(), out, {.out_of_range = call.policy}); });
  RC_ASSERT(same(out.view(), expected.view()));
  in_place_of(call, [&] { pool(table, bags, out, {.out_of_range = call.policy}); });
  RC_ASSERT(same(out.view(), expected.view()));
}

RC_GTEST_PROP(Property, ScatterAddEqualsTheReference, ()) {
  const Call call = any_call();
  GuardedTable table = call.table;
  GuardedTable expected = call.table;
  reference::scatter_add(expected.view(), call.ids, call.values.view(), call.policy);
  in_place_of(call,
              [&] { scatter_add(table.view(), call.batch(), call.values.view(), {.out_of_range = call.policy}); });
  RC_ASSERT(same(table.view(), expected.view()));
  RC_ASSERT(table.guards_intact());
}

RC_GTEST_PROP(Property, PoolEqualsTheReference, ()) {
  const Call call = any_call();
  PoolOptions options{.out_of_range = call.policy};
  options.pooling = *rc::gen::element(Pooling::sum, Pooling::mean, Pooling::sqrtn, Pooling::max).as("pooling");
  if (options.pooling == Pooling::mean || options.pooling == Pooling::sqrtn) {
    options.divisor = *rc::gen::element(Divisor::count, Divisor::weights).as("divisor");
  }
  const auto n = std::ssize(call.ids);
  const auto length = *rc::gen::inRange<std::int64_t>(1, 60).as("ids for each bag");
  std::vector<std::int64_t> offsets = {0};
  while (offsets.back() < n) offsets.push_back(std::min(n, offsets.back() + (std::ssize(offsets) * 7) % (2 * length)));
  std::vector<float> weights;
  for (std::int64_t i = 0; i < n; ++i) weights.push_back(static_cast<float>(i % 7 - 3));
  Bags bags(call.batch(), offsets);
  if (*rc::gen::arbitrary<bool>().as("weighted")) bags = bags.with_weights(weights);
  if (*rc::gen::arbitrary<bool>().as("padded")) bags = bags.with_padding(call.rows / 2);
  GuardedTable out(bags.size(), call.dim, 1);
  GuardedTable expected(bags.size(), call.dim);
  reference::pool(call.table.view(), bags, expected.view(), options);
  const GuardedTable gradient = GuardedTable(bags.size(), call.dim).fill(3);
  GuardedTable of_weights(1, n);
  GuardedTable expected_of_weights(1, n);
  reference::pool_weight_gradients(call.table.view(), bags, gradient.view(), expected_of_weights.view().row(0),
                                   options);
  std::vector<std::int32_t> winners;
  if (options.pooling == Pooling::max) {
    winners.resize(static_cast<std::size_t>(bags.size() * call.dim));
    reference::find_winners(call.table.view(), bags, winners, options);
  }
  const auto expected_rows = reference::row_gradients(bags, call.rows, options, winners, gradient.view());
  SparseGradient of_rows;
  in_place_of(call, [&] {
    pool(call.table.view(), bags, out.view(), options);
    pool_weight_gradients(call.table.view(), bags, gradient.view(), of_weights.view().row(0), options);
    of_rows.build(Plan(bags, call.rows,
                       {.out_of_range = options.out_of_range,
                        .pooling = options.pooling,
                        .divisor = options.divisor,
                        .winners = winners}),
                  gradient.view());
  });
  RC_ASSERT(of_rows.rows().size() == expected_rows.size());
  for (std::size_t k = 0; k < expected_rows.size(); ++k) {
    RC_ASSERT(of_rows.rows()[k] == expected_rows[k].row);
    const ConstTableView expected_row(expected_rows[k].g.data(), 1, call.dim);
    RC_ASSERT(same({of_rows.values().row(static_cast<std::int64_t>(k)).data(), 1, call.dim}, expected_row));
  }
  RC_ASSERT(same(out.view(), expected.view()));
  RC_ASSERT(out.guards_intact());
  RC_ASSERT(same(of_weights.view(), expected_of_weights.view()));
  RC_ASSERT(of_weights.guards_intact());
}

RC_GTEST_PROP(Property, RenormalizeEqualsTheReference, ()) {
  const Call call = any_call();
  const NormType norm = *rc::gen::element(NormType::one, NormType::two, NormType::infinity);
  const auto most = *rc::gen::element(0.0F, 0.1F, 100.0F);
  GuardedTable table = call.table;
  GuardedTable expected = call.table;
  reference::renormalize(expected.view(), call.ids, most, norm, call.policy);
  in_place_of(call, [&] {
    renormalize(table.view(), call.batch(), {.max_norm = most, .norm = norm}, {.out_of_range = call.policy});
  });
  RC_ASSERT(same(table.view(), expected.view()));
  RC_ASSERT(table.guards_intact());
}

RC_GTEST_PROP(Property, StepsEqualTheReference, ()) {
  const Call call = any_call();
  const OptimizerOptions options = *rc::gen::element<OptimizerOptions>(
      SgdOptions{}, AdagradOptions{}, RowWiseAdagradOptions{}, AdamOptions{}, PartialRowWiseAdamOptions{});
  Optimizer optimizer(options, call.rows, call.dim);
  Optimizer copy = optimizer.clone();
  const std::vector<TableView> state(copy.state().begin(), copy.state().end());
  GuardedTable weights = call.table;
  GuardedTable expected = call.table;
  for (std::int64_t t = 1; t <= 2; ++t) {
    if (!call.ids.empty()) {
      reference::optimizer_step(options, t, expected.view(), state, call.ids, call.policy, call.values.view());
    }
    in_place_of(
        call, [&] { optimizer.step(weights.view(), Plan(call.batch(), call.rows, call.policy), call.values.view()); });
  }
  RC_ASSERT(same(weights.view(), expected.view()));
  RC_ASSERT(weights.guards_intact());
  for (std::size_t i = 0; i < state.size(); ++i) RC_ASSERT(same(optimizer.state()[i], state[i]));
}

}  // namespace
}  // namespace rowmill::test
