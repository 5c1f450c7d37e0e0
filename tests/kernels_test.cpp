// SPDX-License-Identifier: Apache-2.0
// Every leaf kernel of every instruction set against the scalar one, bit for bit. The tests come from the kernel list:
// a kernel without a check below does not compile. Needs no oneTBB, so that it runs under emulation too. The
// lists that kernels read ahead of their work end where a page ends: see support/pages.hpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "kernels/core/dispatch.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/plan/passes.hpp"
#include "kernels/reference/reference.hpp"
#include "tests/support/data.hpp"
#include "tests/support/pages.hpp"
#include "tests/support/quantized.hpp"
#include "tests/support/word_vector_data.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kRows = 61;

constexpr PrefetchArgs kPrefetches[] = {{CacheLevel::first, 3}, {CacheLevel::second, 32}};
PrefetchArgs prefetch;  // of the kernels: each check runs with all of these

template <class Id>
std::vector<Id> ids_as(const std::vector<std::int64_t>& ids) {
  return {ids.begin(), ids.end()};
}

template <class Id>
void check_find_bad_id(FindBadId<Id>* kernel, FindBadId<Id>* reference) {
  for (std::int64_t count = 0; count < 200; ++count) {
    PageEnd<Id> ids(std::vector<Id>(static_cast<std::size_t>(count), Id{5}));
    const FindBadIdArgs<Id> args{ids.data(), count, -3, 9};
    EXPECT_EQ(kernel(args), count);
    for (std::int64_t at = count; at-- > 0;) {
      for (const Id bad : {Id{10}, Id{-4}}) {
        ids.data()[at] = bad;
        ASSERT_EQ(kernel(args), reference(args)) << count << " ids, a bad one at " << at;
      }
    }
  }
}

template <class In, class Out, class Id>
void check_gather_streaming(Kernel<GatherArgs<Id>>* kernel, Kernel<GatherArgs<Id>>* reference) {
  struct alignas(64) Line {
    Out elements[64 / sizeof(Out)];
  };
  const auto ids = ids_as<Id>(id_cases(kRows, 100, 2).back().ids);
  const auto count = static_cast<std::int64_t>(ids.size());
  for (const std::int64_t dim : {16, 32, 48, 64, 96, 256}) {
    if (dim * static_cast<std::int64_t>(sizeof(Out)) % 64 != 0) continue;
    const auto table = BasicGuardedTable<In>(kRows, dim).fill(1, true);
    const auto run = [&](Kernel<GatherArgs<Id>>* f, bool streaming) {
      std::vector<Line> lines(static_cast<std::size_t>(count * dim) * sizeof(Out) / 64);
      f({table.view().bytes(), table.view().row_stride(), ids.data(), count, lines.data()->elements, dim, dim, prefetch,
         streaming});
      return lines;
    };
    const auto lines = run(kernel, true);
    const auto expected = run(reference, false);
    EXPECT_TRUE(same({lines.data()->elements, count, dim}, {expected.data()->elements, count, dim})) << "dim " << dim;
  }
}

template <class In, class Out, class Id>
void check_gather(Kernel<GatherArgs<Id>>* kernel, Kernel<GatherArgs<Id>>* reference) {
  for (const std::int64_t dim : kDims) {
    for (const std::int64_t gap : {0, 1, 16}) {
      const auto table = BasicGuardedTable<In>(kRows, dim, gap).fill(1, true);
      for (IdCase batch : id_cases(kRows, 100, 2)) {
        if (batch.ids.size() > 1) batch.ids[1] = -1;  // a zero row
        const auto count = static_cast<std::int64_t>(batch.ids.size());
        const PageEnd<Id> ids(ids_as<Id>(batch.ids));
        BasicGuardedTable<Out> out(count, dim, gap);
        BasicGuardedTable<Out> expected(count, dim, gap);
        const auto run = [&](Kernel<GatherArgs<Id>>* f, BasicGuardedTable<Out>& to) {
          f({table.view().bytes(), table.view().row_stride(), ids.data(), count, to.view().bytes(),
             to.view().row_stride(), dim, prefetch, false});
        };
        run(kernel, out);
        run(reference, expected);
        EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", " << batch.name;
        EXPECT_TRUE(out.guards_intact()) << "dim " << dim << ", " << batch.name;
      }
    }
  }
  constexpr bool kStreams = sizeof(In) == sizeof(Out) || sizeof(Out) == sizeof(float);
  if constexpr (kStreams) check_gather_streaming<In, Out>(kernel, reference);
}

template <class Out, class Id>
void check_gather_quantized(Format format, Kernel<GatherArgs<Id>>* kernel, Kernel<GatherArgs<Id>>* reference) {
  std::vector<std::int64_t> rows = id_cases(kRows, 40, 2).back().ids;
  rows[1] = -1;  // a zero row
  const PageEnd<Id> ids(ids_as<Id>(rows));
  const auto count = static_cast<std::int64_t>(rows.size());
  for (const std::int64_t dim : kDims) {
    for (const std::int64_t gap : {0, 3}) {
      const auto table = GuardedQuantizedTable(format, kRows, dim, gap).fill(1);
      const auto run = [&](Kernel<GatherArgs<Id>>* f, const TableView& to, bool streaming) {
        f({table.view().bytes(), table.view().row_stride(), ids.data(), count, to.bytes(), to.row_stride(), dim,
           prefetch, streaming});
      };
      BasicGuardedTable<Out> out(count, dim, gap);
      BasicGuardedTable<Out> expected(count, dim, gap);
      run(kernel, out.view(), false);
      run(reference, expected.view(), false);
      EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim;
      EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
      if (sizeof(Out) != sizeof(float) || dim % 16 != 0) continue;
      struct alignas(64) Line {
        Out elements[64 / sizeof(Out)];
      };
      std::vector<Line> lines(static_cast<std::size_t>(count * dim) * sizeof(Out) / 64);
      const TableView streamed(lines.data()->elements, count, dim);
      run(kernel, streamed, true);
      EXPECT_TRUE(same(streamed, expected.view())) << "dim " << dim << ", streamed";
    }
  }
}

/// Rows of one value, of +0 and -0, of denormals, and of values whose codes are ties.
void check_quantize(Format format, Kernel<QuantizeArgs>* kernel, Kernel<QuantizeArgs>* reference) {
  constexpr std::int64_t kInRows = 24;
  for (const std::int64_t dim : kDims) {
    GuardedTable in = GuardedTable(kInRows, dim, 3).fill(12);
    for (std::int64_t c = 0; c < dim; ++c) {
      const auto column = static_cast<std::size_t>(c);
      in.view().row(0)[column] = 0.1F;
      in.view().row(1)[column] = c % 2 == 0 ? -0.0F : 0.0F;
      in.view().row(2)[column] = -0.0F;
      in.view().row(3)[column] = static_cast<float>(c % 7) * 1e-40F;
      in.view().row(4)[column] = static_cast<float>(c % 511) / 2;
      in.view().row(5)[column] = c == dim - 1 ? 15 : static_cast<float>(c % 31) / 2;
      in.view().row(6)[column] = c == dim / 2 ? -6e4F : 6e4F;
      in.view().row(7)[column] = -1 - static_cast<float>(c) * 1e-6F;
      in.view().row(8)[column] = static_cast<float>(c % 4) * 3e-8F;  // a scale that is a denormal half
    }
    GuardedQuantizedTable out(format, kInRows, dim);
    GuardedQuantizedTable expected(format, kInRows, dim);
    const auto run = [&](Kernel<QuantizeArgs>* f, const TableView& to) {
      f({in.view().data(), in.view().row_stride(), static_cast<std::uint8_t*>(to.bytes()), to.row_stride(), kInRows,
         dim});
    };
    run(kernel, out.view());
    run(reference, expected.view());
    EXPECT_TRUE(same_bytes(out.view(), expected.view())) << "dim " << dim;
    EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
  }
}

template <class T>
void check_scatter_add(Kernel<ScatterAddArgs>* kernel, Kernel<ScatterAddArgs>* reference) {
  for (const std::int64_t dim : kDims) {
    for (IdCase batch : id_cases(kRows, 100, 3)) {
      if (batch.ids.size() > 1) batch.ids[1] = -1;  // skipped
      const auto count = static_cast<std::int64_t>(batch.ids.size());
      const GuardedTable values = GuardedTable(count, dim, 2).fill(4, true);
      const PageEnd<std::int64_t> rows(batch.ids);
      auto table = BasicGuardedTable<T>(kRows, dim, 3).fill(5);
      auto expected = table;
      const auto run = [&](Kernel<ScatterAddArgs>* f, BasicGuardedTable<T>& to) {
        f({to.view().bytes(), to.view().row_stride(), rows.data(), count, values.view().data(),
           values.view().row_stride(), dim, prefetch});
      };
      run(kernel, table);
      run(reference, expected);
      EXPECT_TRUE(same(table.view(), expected.view())) << "dim " << dim << ", " << batch.name;
      EXPECT_TRUE(table.guards_intact()) << "dim " << dim << ", " << batch.name;
    }
  }
}

/// The block of a row's sum, which leaf kernels take as an argument. With the library's 1,024 the tests take minutes.
constexpr std::int64_t kBlock = 64;

/// Segments of 1, 2, 3, ... contributions, one of more than a block of the sum, one of exactly two blocks, and short
/// ones again.
struct SegmentLists {
  std::vector<std::int64_t> rows, begin{0}, positions;

  SegmentLists() {
    for (const std::int64_t length : {1L, 2L, 3L, 4L, 7L, kBlock + 1, 2 * kBlock, 1L, 2L, 5L}) {
      rows.push_back(static_cast<std::int64_t>(rows.size() * 7) % kRows);
      for (std::int64_t k = 0; k < length; ++k) positions.push_back(static_cast<std::int64_t>(positions.size()) + 3);
      begin.push_back(static_cast<std::int64_t>(positions.size()));
    }
  }
};

/// How rows lie in memory: by how much a table's stride is larger than its rows, in how many passes gradients come, and
/// by how much their strides are larger. Loops of usual widths are for rows that lie close; each of these but the
/// second differs from it in one thing or in all.
struct Layout {
  std::int64_t table_gap;
  std::int64_t passes;
  std::int64_t gradient_gap;
};
constexpr Layout kLayouts[] = {{3, 3, 2}, {0, 1, 0}, {3, 1, 0}, {0, 3, 0}, {0, 1, 2}};

/// Those that matter for rows of `dim` columns: rows of no usual width have one loop.
std::span<const Layout> layouts_for(std::int64_t dim) {
  const bool usual = dim == 16 || dim == 32 || dim == 64 || dim == 128 || dim == 256;
  return std::span(kLayouts).first(usual ? std::size(kLayouts) : 1);
}

/// These, and their gradients in one pass or in three that lie in different places. Special values are those of the
/// short segments alone: in a long sum they would hide its order.
struct Segments {
  SegmentLists lists;
  PageEnd<std::int64_t> rows{lists.rows}, begin{lists.begin}, positions{lists.positions};
  std::vector<GuardedTable> gradients;
  std::vector<GradientPass> passes;
  std::vector<std::int64_t> index_values;
  PassIndex index;
  // Of each gradient row: a factor, the mean square, and that of the row times the factor.
  std::vector<float> factors, squares, scaled_squares;
  PageEnd<float> coefficients{std::vector<float>(lists.positions.size())};  // the factors of the positions
  std::vector<std::int32_t> winners;                                        // 0, 1 or 2, for max
  PageEnd<std::int32_t> bag_positions{std::vector<std::int32_t>(lists.positions.size())};

  explicit Segments(std::int64_t dim, const Layout& layout = kLayouts[0]) {
    constexpr std::int64_t kSpecial = 20;
    constexpr std::int64_t kAll = 256;
    const std::vector<std::int64_t> ends =
        layout.passes == 1 ? std::vector{kAll} : std::vector{kSpecial, std::int64_t{60}, kAll};
    const GuardedTable special = GuardedTable(kSpecial, dim, 1).fill(6, true);
    std::int64_t begin_of_pass = 0;
    for (const std::int64_t end : ends) {
      gradients.push_back(GuardedTable(end - begin_of_pass, dim, layout.gradient_gap).fill(12 + passes.size()));
      const TableView view = gradients.back().view();
      for (std::int64_t r = begin_of_pass; r < std::min(end, kSpecial); ++r) {
        std::ranges::copy(special.view().row(r), view.row(r - begin_of_pass).data());
      }
      for (std::int64_t r = 0; r < view.rows(); ++r) {
        factors.push_back(static_cast<float>(factors.size() % 7) / 3 - 0.5F);
        squares.push_back(reference::mean_square(view.row(r).data(), dim));
        scaled_squares.push_back(reference::mean_square(view.row(r).data(), dim, factors.back()));
      }
      passes.push_back({nullptr, view.row_stride(), end});
      begin_of_pass = end;
    }
    for (std::size_t p = 0; p < passes.size(); ++p) passes[p].data = gradients[p].view().data();
    index_values.resize(static_cast<std::size_t>(max_index_size(std::ssize(passes))));
    index = index_passes(passes.data(), std::ssize(passes), index_values.data());
    for (std::int64_t i = 0; i < kAll * dim; ++i) winners.push_back(static_cast<std::int32_t>(i * i % 3));
    for (std::size_t k = 0; k < lists.positions.size(); ++k) {
      coefficients.data()[k] = factors[static_cast<std::size_t>(lists.positions[k])];
      bag_positions.data()[k] = static_cast<std::int32_t>(k % 3);
    }
  }

  SegmentArgs args(bool scaled = false, bool of_max = false) const {
    return {.rows = rows.data(),
            .begin = begin.data(),
            .positions = positions.data(),
            .count = std::ssize(lists.rows),
            .coefficients = scaled ? coefficients.data() : nullptr,
            .bag_positions = of_max ? bag_positions.data() : nullptr};
  }
  GradientArgs gradient_args(std::int64_t dim, bool prefetched = true, const float* mean_squares = nullptr,
                             bool of_max = false) const {
    return {.passes = passes.data(),
            .pass_count = std::ssize(passes),
            .index = index,
            .dim = dim,
            .block = kBlock,
            .prefetched = prefetched,
            .mean_squares = mean_squares,
            .winners = of_max ? winners.data() : nullptr};
  }
};

/// Each kind of decay, with gradients that are prefetched, and with near ones, whose mean squares are known where that
/// may be; with coefficients or without.
struct DecayAndGradients {
  WeightDecay decay;
  bool near;
  bool scaled;
};
constexpr DecayAndGradients kDecaysAndGradients[] = {
    {WeightDecay::none, false, false}, {WeightDecay::none, false, true},       {WeightDecay::l2, false, true},
    {WeightDecay::none, true, true},   {WeightDecay::decoupled, false, false}, {WeightDecay::none, true, false},
    {WeightDecay::l2, true, false},    {WeightDecay::decoupled, true, true}};

/// Runs an optimizer kernel on copies of one start, with each of these; `make` gives its arguments.
template <class T, class Args, class Make>
void check_optimizer(Kernel<Args>* kernel, Kernel<Args>* reference, const Segments& segments, const Layout& layout,
                     std::int64_t dim, Make make) {
  for (const auto& each : kDecaysAndGradients) {
    const WeightDecay decay = each.decay;
    const bool near = each.near;
    const bool scaled = each.scaled;
    SCOPED_TRACE("decay " + std::to_string(static_cast<int>(decay)) + (near ? ", near gradients" : "") +
                 (scaled ? ", coefficients" : ""));
    const auto start = BasicGuardedTable<T>(kRows, dim, layout.table_gap).fill(7);
    const GuardedTable start_state = GuardedTable(2 * kRows, dim, 0).fill(8);
    const auto run = [&](Kernel<Args>* f, BasicGuardedTable<T>& weights, GuardedTable& state) {
      GuardedTable scratch(1, 2 * dim);
      for (float& x : scratch.view().row(0)) x = 77;
      for (std::int64_t r = 0; r < state.view().rows(); ++r) {
        for (float& x : state.view().row(r)) x = x < 0 ? -x : x;  // squares are not negative
      }
      const bool squares_known = near && decay != WeightDecay::l2;
      const std::vector<float>& squares = scaled ? segments.scaled_squares : segments.squares;
      const UpdateArgs update{segments.args(scaled),
                              segments.gradient_args(dim, !near, squares_known ? squares.data() : nullptr),
                              prefetch,
                              scratch.view().data(),
                              weights.view().bytes(),
                              weights.view().row_stride(),
                              decay,
                              decay == WeightDecay::l2 ? 0.03F : 0.97F};
      f(make(update, state.view()));
      EXPECT_TRUE(scratch.guards_intact());
    };
    auto weights = start;
    auto expected = start;
    GuardedTable state = start_state;
    GuardedTable expected_state = start_state;
    run(kernel, weights, state);
    run(reference, expected, expected_state);
    EXPECT_TRUE(same(weights.view(), expected.view()));
    EXPECT_TRUE(same(state.view(), expected_state.view())) << "state";
    EXPECT_TRUE(weights.guards_intact());
    EXPECT_TRUE(state.guards_intact()) << "state";
  }
}

template <class T, class Args, class Make>
void check_optimizer(Kernel<Args>* kernel, Kernel<Args>* reference, Make make) {
  for (const std::int64_t dim : kDims) {
    for (const Layout& layout : layouts_for(dim)) {
      SCOPED_TRACE("dim " + std::to_string(dim) + ", table gap " + std::to_string(layout.table_gap) + ", " +
                   std::to_string(layout.passes) + " passes, gradient gap " + std::to_string(layout.gradient_gap));
      check_optimizer<T>(kernel, reference, Segments(dim, layout), layout, dim, make);
    }
  }
}

AdamArgs adam_args(const UpdateArgs& update, const TableView& state) {
  return {update,
          state.data(),
          state.row(kRows).data(),
          {.beta1 = 0.9F,
           .one_minus_beta1 = 0.1F,
           .beta2 = 0.999F,
           .one_minus_beta2 = 0.001F,
           .step_size = 0.02F,
           .inverse_sqrt_bc2 = 3.5F,
           .epsilon = 0.3F}};
}

AdagradArgs adagrad_args(const UpdateArgs& update, const TableView& state) {
  return {update, state.data(), 0.1F, 0.3F};
}

/// Bags of 0, 1, 2, ... ids. If `any`, some are dropped and some are rows of zeros, and the last bags are of dropped
/// ids alone and of none.
template <class Id>
struct PoolBags {
  explicit PoolBags(bool any) {
    std::mt19937_64 random(9);
    const auto end_bag = [&] { begin.push_back(std::ssize(ids)); };
    for (const std::int64_t length : {0, 1, 2, 3, 5, 40, 0, 0, 100, 1}) {
      for (std::int64_t k = 0; k < length; ++k) {
        const std::uint64_t kind = any ? random() % 8 : 7;
        ids.push_back(kind == 0   ? static_cast<Id>(kDropped)
                      : kind == 1 ? static_cast<Id>(kZeroRow)
                                  : static_cast<Id>(random() % kRows));
      }
      end_bag();
    }
    if (any) ids.insert(ids.end(), 3, static_cast<Id>(kDropped));
    end_bag();
    end_bag();
    const std::array<float, 8> some = {0.5F,
                                       -1.25F,
                                       0.0F,
                                       -0.0F,
                                       3e38F,
                                       1.0F,
                                       std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::quiet_NaN()};
    for (std::size_t i = 0; i < ids.size(); ++i) weights.push_back(some[random() % (random() % 8 == 0 ? 8 : 5)]);
    for (std::size_t b = 0; b + 1 < begin.size(); ++b) {
      const auto is_term = [](Id id) { return id != kDropped; };
      const bool empty = std::none_of(ids.begin() + begin[b], ids.begin() + begin[b + 1], is_term);
      divisors.push_back(empty ? 0.0F : some[b % 8]);
    }
  }

  [[nodiscard]] std::int64_t size() const { return std::ssize(begin) - 1; }

  std::vector<Id> ids = std::vector<Id>(3, Id{0});  // these belong to other calls
  std::vector<std::int64_t> begin = {3};
  std::vector<float> weights;
  std::vector<float> divisors;
};

template <class Id>
void check_keep_ids(Kernel<KeepIdsArgs<Id>>* kernel, Kernel<KeepIdsArgs<Id>>* reference) {
  const PoolBags<Id> bags(true);
  const PageEnd<Id> ids(bags.ids);
  const PageEnd<std::int64_t> begin(bags.begin);
  const PageEnd<float> weights(bags.weights);
  for (const std::int64_t dropped : {std::int64_t{kDropped}, std::int64_t{3}, (std::int64_t{1} << 32) - 1}) {
    for (const bool weighted : {false, true}) {
      // The rows and the weights of what is kept, and where bags begin in them.
      const auto run = [&](Kernel<KeepIdsArgs<Id>>* f) {
        const auto room = static_cast<std::size_t>(bags.begin.back() - bags.begin.front());
        PageEnd<std::int64_t> rows(std::vector<std::int64_t>(room, 7));
        PageEnd<float> kept_weights(std::vector<float>(room, 7));
        std::vector<std::int64_t> kept_begin(bags.begin.size() + 1, -5);
        f({ids.data(), weighted ? weights.data() : nullptr, begin.data(), bags.size(), dropped, rows.data(),
           kept_weights.data(), kept_begin.data()});
        EXPECT_EQ(kept_begin.back(), -5);
        const std::int64_t count = kept_begin[kept_begin.size() - 2];
        std::vector<std::uint32_t> bits;
        for (std::int64_t k = 0; k < count && weighted; ++k) {
          bits.push_back(std::bit_cast<std::uint32_t>(kept_weights.data()[k]));
        }
        return std::tuple(std::vector(rows.data(), rows.data() + count), bits, kept_begin);
      };
      EXPECT_EQ(run(kernel), run(reference)) << "dropped " << dropped << ", weighted " << weighted;
    }
  }
}

template <class Out, class Id, class TableOf>
void check_pool(Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference, bool any, bool weighted,
                TableOf table_of) {
  const PoolBags<Id> bags(any);
  const PageEnd<Id> ids(bags.ids);
  const PageEnd<std::int64_t> begin(bags.begin);
  for (const std::int64_t dim : kDims) {
    const auto table = table_of(dim);
    for (int variant = 0; variant < 4; ++variant) {
      if ((variant & 1) != 0 && !weighted) continue;
      SCOPED_TRACE("dim " + std::to_string(dim) + ", variant " + std::to_string(variant));
      BasicGuardedTable<Out> out(bags.size(), dim, 1);
      BasicGuardedTable<Out> expected(bags.size(), dim, 1);
      const auto run = [&](Kernel<PoolArgs<Id>>* f, BasicGuardedTable<Out>& to) {
        f({table.view().bytes(), table.view().row_stride(), ids.data(),
           (variant & 1) == 0 ? nullptr : bags.weights.data(), begin.data(), bags.size(),
           (variant & 2) == 0 ? nullptr : bags.divisors.data(), to.view().bytes(), to.view().row_stride(), dim,
           prefetch});
      };
      run(kernel, out);
      run(reference, expected);
      EXPECT_TRUE(same(out.view(), expected.view()));
      EXPECT_TRUE(out.guards_intact());
    }
  }
}

template <class In, class Out, class Id>
void check_pool(Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference, bool any = false) {
  check_pool<Out>(kernel, reference, any, true,
                  [](std::int64_t dim) { return BasicGuardedTable<In>(kRows, dim, 2).fill(10, true); });
}
template <class Out, class Id>
void check_pool_quantized(Format format, Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference,
                          bool any = false) {
  check_pool<Out>(kernel, reference, any, any,
                  [=](std::int64_t dim) { return GuardedQuantizedTable(format, kRows, dim, 2).fill(10); });
}

template <class In>
void check_find_winners(Kernel<FindWinnersArgs>* kernel, Kernel<FindWinnersArgs>* reference) {
  const PoolBags<std::int64_t> bags(true);
  const PageEnd<std::int64_t> ids(bags.ids);
  const PageEnd<std::int64_t> begin(bags.begin);
  for (const std::int64_t dim : kDims) {
    const auto table = BasicGuardedTable<In>(kRows, dim, 2).fill(10, true);
    for (const bool weighted : {false, true}) {
      const auto run = [&](Kernel<FindWinnersArgs>* f) {
        std::vector<std::int32_t> winners(static_cast<std::size_t>(bags.size() * dim + 1), -77);
        f({table.view().bytes(), table.view().row_stride(), ids.data(), weighted ? bags.weights.data() : nullptr,
           begin.data(), bags.size(), winners.data(), dim, prefetch});
        EXPECT_EQ(winners.back(), -77);
        return winners;
      };
      EXPECT_EQ(run(kernel), run(reference)) << "dim " << dim << ", weighted " << weighted;
    }
  }
}

template <class In>
void check_pool_dots(Kernel<PoolDotsArgs>* kernel, Kernel<PoolDotsArgs>* reference) {
  const PoolBags<std::int64_t> bags(true);
  const PageEnd<std::int64_t> ids(bags.ids);
  const PageEnd<std::int64_t> begin(bags.begin);
  const std::int64_t id_count = bags.begin.back();
  for (const std::int64_t dim : kDims) {
    const auto table = BasicGuardedTable<In>(kRows, dim, 2).fill(10, dim % 2 == 0);
    const auto gradient = GuardedTable(bags.size(), dim, 3).fill(11, dim % 4 == 0);
    std::vector<std::int32_t> winners;
    for (std::int64_t k = 0; k < bags.size() * dim; ++k) winners.push_back(static_cast<std::int32_t>(k * 7 % 5) - 1);
    PageEnd<std::int32_t> all_winners(winners);
    for (const bool max : {false, true}) {
      const auto run = [&](Kernel<PoolDotsArgs>* f, GuardedTable& to) {
        f({table.view().bytes(), table.view().row_stride(), ids.data(), begin.data(), bags.size(),
           gradient.view().data(), gradient.view().row_stride(), max ? all_winners.data() : nullptr, to.view().data(),
           dim, prefetch});
      };
      GuardedTable out(1, id_count);
      GuardedTable expected(1, id_count);
      run(kernel, out);
      run(reference, expected);
      EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", max " << max;
      EXPECT_TRUE(out.guards_intact());
    }
  }
}

/// Contributions with coefficients or without, of max or not.
constexpr std::pair<bool, bool> kContributions[] = {{false, false}, {true, false}, {false, true}, {true, true}};

template <class T>
void check_scatter_add_segments(Kernel<ScatterAddSegmentsArgs>* kernel, Kernel<ScatterAddSegmentsArgs>* reference) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    const auto start = BasicGuardedTable<T>(kRows, dim, 3).fill(5);
    for (const auto& [scaled, of_max] : kContributions) {
      auto table = start;
      auto expected = start;
      const auto run = [&, s = scaled, m = of_max](Kernel<ScatterAddSegmentsArgs>* f, BasicGuardedTable<T>& to) {
        f({segments.args(s, m), segments.gradient_args(dim, true, nullptr, m), prefetch, to.view().bytes(),
           to.view().row_stride()});
      };
      run(kernel, table);
      run(reference, expected);
      EXPECT_TRUE(same(table.view(), expected.view())) << "dim " << dim << ", " << scaled << ", " << of_max;
      EXPECT_TRUE(table.guards_intact()) << "dim " << dim;
    }
  }
}

/// Rows with special values and without, of which some are within the norm and some are not.
template <class T>
void check_renormalize(Kernel<RenormalizeArgs>* kernel, Kernel<RenormalizeArgs>* reference) {
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < kRows; r += 2) rows.push_back(kRows - 1 - r);
  const PageEnd<std::int64_t> all_rows(rows);
  for (const std::int64_t dim : kDims) {
    for (const bool special : {false, true}) {
      const auto start = BasicGuardedTable<T>(kRows, dim, 3).fill(13, special);
      for (const NormType norm : {NormType::one, NormType::two, NormType::infinity}) {
        for (const float max_norm : {0.0F, 0.4F, 900.0F}) {
          auto table = start;
          auto expected = start;
          const auto run = [&](Kernel<RenormalizeArgs>* f, BasicGuardedTable<T>& on) {
            f({on.view().bytes(), on.view().row_stride(), all_rows.data(), std::ssize(rows), dim, max_norm, norm,
               prefetch});
          };
          run(kernel, table);
          run(reference, expected);
          EXPECT_TRUE(same(table.view(), expected.view()))
              << "dim " << dim << ", norm " << static_cast<int>(norm) << " of " << max_norm;
          EXPECT_TRUE(table.guards_intact()) << "dim " << dim;
        }
      }
    }
  }
}

/// Everything that a kernel of word vectors can write, and what lies around it. Values of 1e30 overflow, to infinities
/// and NaNs.
template <class Args>
void check_word_vectors(Kernel<Args>* kernel, Kernel<Args>* reference) {
  for (const std::int64_t dim : {16, 32, 48, 112, 128, 256, 304}) {
    for (const std::int64_t samples : {8, 16, 24}) {
      for (const float most : {1.0F, 1e30F}) {
        const std::int64_t count = 16 + dim % 7;
        WordVectorData data(dim, count, samples, 20, most);
        WordVectorData expected(dim, count, samples, 20, most);
        const auto run = [](Kernel<Args>* f, WordVectorData& on) {
          Args args;
          on.make(args);
          f(args);
        };
        run(kernel, data);
        run(reference, expected);
        const auto same_values = [](const std::vector<float>& a, const std::vector<float>& b) {
          const auto size = static_cast<std::int64_t>(a.size());
          return same({a.data(), 1, size}, {b.data(), 1, size});
        };
        EXPECT_TRUE(same_values(data.out, expected.out)) << "dim " << dim << ", " << samples << " samples";
        EXPECT_TRUE(same_values(data.more_out, expected.more_out)) << "dim " << dim << ", " << samples << " samples";
        EXPECT_TRUE(same_values(data.table, expected.table)) << "dim " << dim << ", " << samples << " samples";
      }
    }
  }
}

// One check for each row of the kernel list, by its name.
namespace check {

void window_transpose_f32(Kernel<WindowTransposeArgs>* f, Kernel<WindowTransposeArgs>* r) { check_word_vectors(f, r); }
void dot_pairs_f32(Kernel<DotPairsArgs>* f, Kernel<DotPairsArgs>* r) { check_word_vectors(f, r); }
void dot_tile_f32(Kernel<DotTileArgs>* f, Kernel<DotTileArgs>* r) { check_word_vectors(f, r); }
void coefficient_tile_f32(Kernel<CoefficientTileArgs>* f, Kernel<CoefficientTileArgs>* r) { check_word_vectors(f, r); }
void add_scaled_rows_f32(Kernel<AddScaledRowsArgs>* f, Kernel<AddScaledRowsArgs>* r) { check_word_vectors(f, r); }

void window_mean_f32_i32(Kernel<WindowMeanArgs>* f, Kernel<WindowMeanArgs>* r) {
  check_word_vectors(f, r);
  // Ids are not prefetched past the last.
  WordVectorData data(16, 40, 8, 21);
  const PageEnd<std::int32_t> ids(data.ids);
  WindowMeanArgs args;
  data.make(args);
  args.ids = ids.data() + WordVectorData::kWindow;
  f(args);
}

void sample_coefficients_f32_i32(Kernel<CoefficientsArgs>* f, Kernel<CoefficientsArgs>* r) {
  check_word_vectors(f, r);
  // The sigmoid is one, where it is computed and where it is constant.
  WordVectorData data(16, 16, 8, 22);
  CoefficientsArgs args;
  data.make(args);
  for (int step = -400; step <= 400; ++step) {
    const float x = static_cast<float>(step) / 16;
    std::ranges::fill(data.target_scores, x);
    std::ranges::fill(data.scores, -x);
    data.target_ids.fill(kRows);
    args.alpha = 1;
    args.sample_alpha = 1;
    f(args);
    EXPECT_NEAR(args.target_out[5], 1 / (1 + std::exp(static_cast<double>(x))), 2e-7) << "x " << x;
    EXPECT_EQ(args.out[7 * kGroup + 5], -args.target_out[5]) << "x " << x;
    EXPECT_GT(args.target_out[5], 0);
    EXPECT_LE(args.target_out[5], 1);
  }
}

void philox_u32(Kernel<PhiloxArgs>* f, Kernel<PhiloxArgs>*) {
  for (const std::int64_t blocks : {0, 16, 48}) {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(4 * blocks + 8), 77);
    f({{0xFFFFFFF0U, 2, 3, 4}, {5, 6}, blocks, words.data()});
    for (std::size_t b = 0; b < static_cast<std::size_t>(blocks); ++b) {
      const auto expected = philox4x32_10({0xFFFFFFF0U + static_cast<std::uint32_t>(b), 2, 3, 4}, {5, 6});
      for (std::size_t w = 0; w < 4; ++w) ASSERT_EQ(words[4 * b + w], expected[w]) << "block " << b;
    }
    EXPECT_EQ(std::count(words.end() - 8, words.end(), 77U), 8);
  }
}

void find_bad_id_i32(FindBadId<std::int32_t>* f, FindBadId<std::int32_t>* r) { check_find_bad_id(f, r); }
void find_bad_id_i64(FindBadId<std::int64_t>* f, FindBadId<std::int64_t>* r) { check_find_bad_id(f, r); }
void gather_f32_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather<float, float>(f, r);
}
void gather_f32_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather<float, float>(f, r);
}
void gather_bf16_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather<Bf16, Bf16>(f, r);
}
void gather_bf16_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather<Bf16, Bf16>(f, r);
}
void gather_bf16_to_f32_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather<Bf16, float>(f, r);
}
void gather_bf16_to_f32_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather<Bf16, float>(f, r);
}
void gather_f32_to_bf16_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather<float, Bf16>(f, r);
}
void gather_f32_to_bf16_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather<float, Bf16>(f, r);
}
void gather_int8_to_f32_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather_quantized<float>(Format::int8, f, r);
}
void gather_int8_to_f32_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather_quantized<float>(Format::int8, f, r);
}
void gather_int8_to_bf16_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather_quantized<Bf16>(Format::int8, f, r);
}
void gather_int8_to_bf16_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather_quantized<Bf16>(Format::int8, f, r);
}
void gather_int4_to_f32_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather_quantized<float>(Format::int4, f, r);
}
void gather_int4_to_f32_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather_quantized<float>(Format::int4, f, r);
}
void gather_int4_to_bf16_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather_quantized<Bf16>(Format::int4, f, r);
}
void gather_int4_to_bf16_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather_quantized<Bf16>(Format::int4, f, r);
}
void gather_int2_to_f32_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather_quantized<float>(Format::int2, f, r);
}
void gather_int2_to_f32_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather_quantized<float>(Format::int2, f, r);
}
void gather_int2_to_bf16_i32(Kernel<GatherArgs<std::int32_t>>* f, Kernel<GatherArgs<std::int32_t>>* r) {
  check_gather_quantized<Bf16>(Format::int2, f, r);
}
void gather_int2_to_bf16_i64(Kernel<GatherArgs<std::int64_t>>* f, Kernel<GatherArgs<std::int64_t>>* r) {
  check_gather_quantized<Bf16>(Format::int2, f, r);
}
void quantize_f32_to_int8(Kernel<QuantizeArgs>* f, Kernel<QuantizeArgs>* r) { check_quantize(Format::int8, f, r); }
void quantize_f32_to_int4(Kernel<QuantizeArgs>* f, Kernel<QuantizeArgs>* r) { check_quantize(Format::int4, f, r); }
void quantize_f32_to_int2(Kernel<QuantizeArgs>* f, Kernel<QuantizeArgs>* r) { check_quantize(Format::int2, f, r); }

void row_ranges_f32(Kernel<RowRangesArgs>* f, Kernel<RowRangesArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const GuardedTable in = GuardedTable(40, dim, 2).fill(13);
    const GuardedTable special = GuardedTable(40, dim, 2).fill(14, true);
    for (const GuardedTable* const rows : {&in, &special}) {
      const auto run = [&](Kernel<RowRangesArgs>* kernel) {
        std::vector<float> ranges(80);
        kernel({rows->view().data(), rows->view().row_stride(), 40, dim, ranges.data(), ranges.data() + 40});
        for (float& x : ranges) x += 0.0F;  // of -0 and +0 either is the smaller
        return ranges;
      };
      const std::vector<float> ranges = run(f);
      const std::vector<float> expected = run(r);
      EXPECT_TRUE(same(ConstTableView(ranges.data(), 1, 80), ConstTableView(expected.data(), 1, 80))) << "dim " << dim;
    }
  }
}

void scatter_add_f32(Kernel<ScatterAddArgs>* f, Kernel<ScatterAddArgs>* r) { check_scatter_add<float>(f, r); }
void scatter_add_bf16(Kernel<ScatterAddArgs>* f, Kernel<ScatterAddArgs>* r) { check_scatter_add<Bf16>(f, r); }
void scatter_add_segments_f32(Kernel<ScatterAddSegmentsArgs>* f, Kernel<ScatterAddSegmentsArgs>* r) {
  check_scatter_add_segments<float>(f, r);
}
void scatter_add_segments_bf16(Kernel<ScatterAddSegmentsArgs>* f, Kernel<ScatterAddSegmentsArgs>* r) {
  check_scatter_add_segments<Bf16>(f, r);
}
void keep_ids_i32(Kernel<KeepIdsArgs<std::int32_t>>* f, Kernel<KeepIdsArgs<std::int32_t>>* r) { check_keep_ids(f, r); }
void keep_ids_i64(Kernel<KeepIdsArgs<std::int64_t>>* f, Kernel<KeepIdsArgs<std::int64_t>>* r) { check_keep_ids(f, r); }
void pool_int8_to_f32_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool_quantized<float>(Format::int8, f, r);
}
void pool_int8_to_f32_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int8, f, r);
}
void pool_int8_to_bf16_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool_quantized<Bf16>(Format::int8, f, r);
}
void pool_int8_to_bf16_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int8, f, r);
}
void pool_int4_to_f32_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool_quantized<float>(Format::int4, f, r);
}
void pool_int4_to_f32_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int4, f, r);
}
void pool_int4_to_bf16_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool_quantized<Bf16>(Format::int4, f, r);
}
void pool_int4_to_bf16_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int4, f, r);
}
void pool_int2_to_f32_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool_quantized<float>(Format::int2, f, r);
}
void pool_int2_to_f32_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int2, f, r);
}
void pool_int2_to_bf16_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool_quantized<Bf16>(Format::int2, f, r);
}
void pool_int2_to_bf16_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int2, f, r);
}
void pool_with_zeros_int8_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int8, f, r, true);
}
void pool_with_zeros_int8_to_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int8, f, r, true);
}
void pool_with_zeros_int4_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int4, f, r, true);
}
void pool_with_zeros_int4_to_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int4, f, r, true);
}
void pool_with_zeros_int2_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int2, f, r, true);
}
void pool_with_zeros_int2_to_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int2, f, r, true);
}
void pool_max_int8_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int8, f, r, true);
}
void pool_max_int8_to_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int8, f, r, true);
}
void pool_max_int4_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int4, f, r, true);
}
void pool_max_int4_to_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int4, f, r, true);
}
void pool_max_int2_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<float>(Format::int2, f, r, true);
}
void pool_max_int2_to_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool_quantized<Bf16>(Format::int2, f, r, true);
}
void pool_f32_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool<float, float>(f, r);
}
void pool_f32_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<float, float>(f, r);
}
void pool_bf16_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool<Bf16, Bf16>(f, r);
}
void pool_bf16_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<Bf16, Bf16>(f, r);
}
void pool_bf16_to_f32_i32(Kernel<PoolArgs<std::int32_t>>* f, Kernel<PoolArgs<std::int32_t>>* r) {
  check_pool<Bf16, float>(f, r);
}
void pool_bf16_to_f32_i64(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<Bf16, float>(f, r);
}
void pool_with_zeros_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<float, float>(f, r, true);
}
void pool_with_zeros_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<Bf16, Bf16>(f, r, true);
}
void pool_with_zeros_bf16_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<Bf16, float>(f, r, true);
}
void pool_max_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<float, float>(f, r, true);
}
void pool_max_bf16(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<Bf16, Bf16>(f, r, true);
}
void pool_max_bf16_to_f32(Kernel<PoolArgs<std::int64_t>>* f, Kernel<PoolArgs<std::int64_t>>* r) {
  check_pool<Bf16, float>(f, r, true);
}
void find_winners_f32(Kernel<FindWinnersArgs>* f, Kernel<FindWinnersArgs>* r) { check_find_winners<float>(f, r); }
void find_winners_bf16(Kernel<FindWinnersArgs>* f, Kernel<FindWinnersArgs>* r) { check_find_winners<Bf16>(f, r); }
void pool_dots_f32(Kernel<PoolDotsArgs>* f, Kernel<PoolDotsArgs>* r) { check_pool_dots<float>(f, r); }
void pool_dots_bf16(Kernel<PoolDotsArgs>* f, Kernel<PoolDotsArgs>* r) { check_pool_dots<Bf16>(f, r); }

void sum_block_f32(Kernel<SumBlockArgs>* f, Kernel<SumBlockArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    const auto all = static_cast<std::int64_t>(segments.lists.positions.size());
    for (const std::int64_t count : {1, 2, 3, 100, 200}) {
      for (const std::int64_t first : {std::int64_t{0}, all - count}) {
        GuardedTable out(1, dim);
        GuardedTable expected(1, dim);
        const SegmentArgs part = segments.args(true, true);
        for (const auto& [scaled, of_max] : kContributions) {
          const auto run = [&, s = scaled, m = of_max](Kernel<SumBlockArgs>* kernel, GuardedTable& to) {
            kernel({.positions = part.positions + first,
                    .count = count,
                    .gradients = segments.gradient_args(dim, true, nullptr, m),
                    .prefetch = prefetch,
                    .out = to.view().data(),
                    .coefficients = s ? part.coefficients + first : nullptr,
                    .bag_positions = m ? part.bag_positions + first : nullptr});
          };
          run(f, out);
          run(r, expected);
          EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", " << count;
          EXPECT_TRUE(out.guards_intact()) << "dim " << dim << ", " << count;
        }
      }
    }
  }
}

void sum_segments_f32(Kernel<SumSegmentsArgs>* f, Kernel<SumSegmentsArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    for (const auto& [scaled, of_max] : kContributions) {
      GuardedTable out(kRows, dim, 3);
      GuardedTable expected = out;
      const auto run = [&, s = scaled, m = of_max](Kernel<SumSegmentsArgs>* kernel, GuardedTable& to) {
        kernel({.segments = segments.args(s, m),
                .gradients = segments.gradient_args(dim, true, nullptr, m),
                .prefetch = prefetch,
                .out = to.view().data(),
                .stride = to.view().row_stride()});
      };
      run(f, out);
      run(r, expected);
      EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", " << scaled << ", " << of_max;
      EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
    }
  }
}

void mean_squares_f32(Kernel<MeanSquaresArgs>* f, Kernel<MeanSquaresArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    // Rows of all passes, and of none.
    for (const auto& rows : {std::pair(0, 256), std::pair(5, 21), std::pair(19, 20), std::pair(7, 7)}) {
      for (const bool scaled : {false, true}) {
        GuardedTable out(1, 256);
        GuardedTable expected(1, 256);
        const auto run = [&](Kernel<MeanSquaresArgs>* kernel, GuardedTable& to) {
          kernel({segments.gradient_args(dim), rows.first, rows.second, to.view().data(),
                  scaled ? segments.factors.data() : nullptr});
        };
        run(f, out);
        run(r, expected);
        EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", from " << rows.first;
        EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
      }
    }
  }
}

void guard_rows_f32(Kernel<GuardRowsArgs>* f, Kernel<GuardRowsArgs>* r) {
  constexpr float kNone = std::numeric_limits<float>::infinity();
  const std::int64_t rows[] = {3, 0, 2, 5, 1, 4};
  const float divisors[] = {1, 2, 3, 1, 7, 2};
  for (const std::int64_t dim : kDims) {
    for (const bool special : {false, true}) {
      const GuardedTable start = GuardedTable(6, dim, 2).fill(31, special);
      for (const auto& [clip_value, clip_norm] :
           {std::pair(kNone, kNone), std::pair(0.3F, kNone), std::pair(kNone, 0.5F), std::pair(0.3F, 0.5F)}) {
        for (const bool chosen : {false, true}) {  // rows and divisors are given
          const auto run = [&, v = clip_value, n = clip_norm](Kernel<GuardRowsArgs>* kernel, GuardedTable& to,
                                                              GuardedTable& squares) {
            bool finite = true;
            kernel({.data = to.view().data(),
                    .stride = to.view().row_stride(),
                    .rows = chosen ? rows : nullptr,
                    .begin = 1,
                    .end = 5,
                    .dim = dim,
                    .divisors = chosen ? divisors : nullptr,
                    .clip_value = v,
                    .clip_norm = n,
                    .squares = squares.view().data(),
                    .finite = &finite});
            return finite;
          };
          GuardedTable out = start;
          GuardedTable expected = start;
          GuardedTable squares(1, 6);
          GuardedTable expected_squares = squares;
          EXPECT_EQ(run(f, out, squares), run(r, expected, expected_squares)) << "dim " << dim;
          EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim;
          EXPECT_TRUE(same(squares.view(), expected_squares.view())) << "dim " << dim;
          EXPECT_TRUE(out.guards_intact() && squares.guards_intact()) << "dim " << dim;
        }
      }
    }
  }
  // One that is not finite, at each column of a row.
  for (const float bad : {kNone, -kNone, std::numeric_limits<float>::quiet_NaN()}) {
    for (std::int64_t at = 0; at < 35; ++at) {
      std::vector<float> row(35, 1.0F);
      row[static_cast<std::size_t>(at)] = bad;
      float squares = 0;
      bool finite = true;
      f({row.data(), 35, nullptr, 0, 1, 35, nullptr, 0.5F, kNone, &squares, &finite});
      EXPECT_FALSE(finite) << at;
    }
  }
}

void scale_rows_f32(Kernel<ScaleRowsArgs>* f, Kernel<ScaleRowsArgs>* r) {
  const std::int64_t rows[] = {3, 0, 2, 5, 1, 4};
  for (const std::int64_t dim : kDims) {
    for (const std::int64_t* chosen : {static_cast<const std::int64_t*>(nullptr), rows}) {
      GuardedTable out = GuardedTable(6, dim, 2).fill(32, true);
      GuardedTable expected = out;
      f({out.view().data(), out.view().row_stride(), chosen, 1, 5, dim, 0.3F});
      r({expected.view().data(), expected.view().row_stride(), chosen, 1, 5, dim, 0.3F});
      EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim;
      EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
    }
  }
}

void renormalize_f32(Kernel<RenormalizeArgs>* f, Kernel<RenormalizeArgs>* r) { check_renormalize<float>(f, r); }
void renormalize_bf16(Kernel<RenormalizeArgs>* f, Kernel<RenormalizeArgs>* r) { check_renormalize<Bf16>(f, r); }

template <class T>
void check_sgd(Kernel<SgdArgs>* f, Kernel<SgdArgs>* r) {
  for (const bool has_momentum : {false, true}) {
    for (const bool nesterov : {false, true}) {
      check_optimizer<T>(f, r, [&](const UpdateArgs& update, const TableView& state) {
        return SgdArgs{update, has_momentum ? state.data() : nullptr, 0.1F, 0.9F, nesterov};
      });
    }
  }
}

void sgd_f32(Kernel<SgdArgs>* f, Kernel<SgdArgs>* r) { check_sgd<float>(f, r); }
void sgd_bf16(Kernel<SgdArgs>* f, Kernel<SgdArgs>* r) { check_sgd<Bf16>(f, r); }
void adagrad_f32(Kernel<AdagradArgs>* f, Kernel<AdagradArgs>* r) { check_optimizer<float>(f, r, adagrad_args); }
void adagrad_bf16(Kernel<AdagradArgs>* f, Kernel<AdagradArgs>* r) { check_optimizer<Bf16>(f, r, adagrad_args); }
void row_wise_adagrad_f32(Kernel<AdagradArgs>* f, Kernel<AdagradArgs>* r) {
  check_optimizer<float>(f, r, adagrad_args);
}
void row_wise_adagrad_bf16(Kernel<AdagradArgs>* f, Kernel<AdagradArgs>* r) {
  check_optimizer<Bf16>(f, r, adagrad_args);
}
void adam_f32(Kernel<AdamArgs>* f, Kernel<AdamArgs>* r) { check_optimizer<float>(f, r, adam_args); }
void adam_bf16(Kernel<AdamArgs>* f, Kernel<AdamArgs>* r) { check_optimizer<Bf16>(f, r, adam_args); }
void partial_row_wise_adam_f32(Kernel<AdamArgs>* f, Kernel<AdamArgs>* r) { check_optimizer<float>(f, r, adam_args); }
void partial_row_wise_adam_bf16(Kernel<AdamArgs>* f, Kernel<AdamArgs>* r) { check_optimizer<Bf16>(f, r, adam_args); }

void fill_uniform_f32(Kernel<FillUniformArgs>* f, Kernel<FillUniformArgs>* r) {
  for (const std::int64_t dim : kDims) {
    // The most that a value may be comes into play now and then, or never.
    for (const auto& [first_row, most] : {std::pair(std::int64_t{0}, 0.2F), {(std::int64_t{1} << 32) - 2, 0.4F}}) {
      GuardedTable table(5, dim);
      GuardedTable expected(5, dim);
      const auto run = [&, row = first_row, highest = most](Kernel<FillUniformArgs>* kernel, GuardedTable& to) {
        kernel({to.view().data(), to.view().row_stride(), row, 5, dim, {123, 456}, 7, -0.3F, 0.7F, highest});
      };
      run(f, table);
      run(r, expected);
      EXPECT_TRUE(same(table.view(), expected.view())) << "dim " << dim;
      EXPECT_TRUE(table.guards_intact()) << "dim " << dim;
    }
  }
}

}  // namespace check

class KernelTest : public testing::TestWithParam<const KernelTable*> {};

#define ROWMILL_TEST_KERNEL(name, type)                                \
  TEST_P(KernelTest, name) {                                           \
    for (const PrefetchArgs& each : kPrefetches) {                     \
      prefetch = each;                                                 \
      check::name(GetParam()->name, supported_kernels().back()->name); \
    }                                                                  \
  }
ROWMILL_KERNEL_LIST(ROWMILL_TEST_KERNEL)
#undef ROWMILL_TEST_KERNEL

TEST_P(KernelTest, ReadsAndWritesNothingPastARow) {
  for (const PrefetchArgs& each : kPrefetches) {
    for (std::int64_t dim = 1; dim < 70; ++dim) {
      PageEnd<float> table(std::vector<float>(static_cast<std::size_t>(dim)));
      PageEnd<float> out(std::vector<float>(static_cast<std::size_t>(dim)));
      for (std::int64_t c = 0; c < dim; ++c) table.data()[c] = static_cast<float>(c + 1);
      const std::int64_t id = 0;
      GetParam()->gather_f32_i64({table.data(), dim, &id, 1, out.data(), dim, dim, each, false});
      EXPECT_TRUE(same({out.data(), 1, dim}, {table.data(), 1, dim})) << "dim " << dim;
      GetParam()->scatter_add_f32({table.data(), dim, &id, 1, out.data(), dim, dim, each});
      for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(table.data()[c], static_cast<float>(2 * (c + 1)));

      PageEnd<float> state(std::vector<float>(static_cast<std::size_t>(dim)));
      const std::int64_t begin[] = {0, 1};
      const GradientPass pass{out.data(), dim, 1};
      std::vector<float> scratch(static_cast<std::size_t>(2 * dim));
      const GradientArgs gradients{&pass, 1, {}, dim, kSumBlock, true, nullptr};
      const UpdateArgs update{{&id, begin, &id, 1}, gradients, each, scratch.data(), table.data(), dim};
      GetParam()->sgd_f32({update, nullptr, 1, 0, false});
      for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(table.data()[c], static_cast<float>(c + 1));
      GetParam()->adagrad_f32({update, state.data(), 1, 0});
      for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(table.data()[c], static_cast<float>(c));
      for (const NormType norm : {NormType::one, NormType::two, NormType::infinity}) {
        GetParam()->renormalize_f32({table.data(), dim, &id, 1, dim, 1e9F, norm, each});
        for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(table.data()[c], static_cast<float>(c));
      }
      GetParam()->renormalize_f32({table.data(), dim, &id, 1, dim, 0, NormType::one, each});
      for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(table.data()[c], 0);
    }
  }
}

TEST_P(KernelTest, ReadsAndWritesNothingPastARowOfBf16) {
  for (std::int64_t dim = 1; dim < 70; ++dim) {
    const auto size = static_cast<std::size_t>(dim);
    PageEnd<Bf16> table{std::vector<Bf16>(size)};
    PageEnd<Bf16> out{std::vector<Bf16>(size)};
    PageEnd<float> floats{std::vector<float>(size)};
    for (std::int64_t c = 0; c < dim; ++c) table.data()[c] = Bf16(static_cast<float>(c + 1));
    const std::int64_t id = 0;
    const std::int64_t begin[] = {0, 1};
    const KernelTable& k = *GetParam();
    k.gather_bf16_i64({table.data(), dim, &id, 1, out.data(), dim, dim, prefetch, false});
    EXPECT_TRUE(same({out.data(), 1, dim}, {table.data(), 1, dim})) << "dim " << dim;
    k.gather_bf16_to_f32_i64({table.data(), dim, &id, 1, floats.data(), dim, dim, prefetch, false});
    for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(floats.data()[c], static_cast<float>(c + 1));
    k.pool_bf16_i64({table.data(), dim, &id, nullptr, begin, 1, nullptr, out.data(), dim, dim, prefetch});
    EXPECT_TRUE(same({out.data(), 1, dim}, {table.data(), 1, dim})) << "dim " << dim;
    k.scatter_add_bf16({table.data(), dim, &id, 1, floats.data(), dim, dim, prefetch});
    for (std::int64_t c = 0; c < dim; ++c)
      EXPECT_EQ(static_cast<float>(table.data()[c]), static_cast<float>(2 * (c + 1)));
    k.renormalize_bf16({table.data(), dim, &id, 1, dim, 0, NormType::two, prefetch});
    for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(static_cast<float>(table.data()[c]), 0);
  }
}

TEST_P(KernelTest, ReadsAndWritesNothingPastAQuantizedRow) {
  const KernelTable& k = *GetParam();
  const KernelTable& reference = *supported_kernels().back();
  const std::int64_t id = 0;
  for (std::int64_t dim = 1; dim < 70; ++dim) {
    PageEnd<float> floats{std::vector<float>(static_cast<std::size_t>(dim))};
    for (std::int64_t c = 0; c < dim; ++c) floats.data()[c] = static_cast<float>(c % 5);
    PageEnd<float> out{std::vector<float>(static_cast<std::size_t>(dim))};
    std::vector<float> expected(static_cast<std::size_t>(dim));
    const std::int64_t begin[] = {0, 1};
    const auto check = [&](Format format, auto quantize, auto gather, auto pool) {
      const std::int64_t bytes = std::max<std::int64_t>(row_elements(format, dim), 1);
      PageEnd<std::uint8_t> row{std::vector<std::uint8_t>(static_cast<std::size_t>(bytes))};
      (k.*quantize)({floats.data(), dim, row.data(), bytes, 1, dim});
      (k.*gather)({row.data(), bytes, &id, 1, out.data(), dim, dim, prefetch, false});
      (reference.*gather)({row.data(), bytes, &id, 1, expected.data(), dim, dim, prefetch, false});
      EXPECT_TRUE(same({out.data(), 1, dim}, {expected.data(), 1, dim})) << format_name(format) << ", dim " << dim;
      (k.*pool)({row.data(), bytes, &id, nullptr, begin, 1, nullptr, out.data(), dim, dim, prefetch});
      EXPECT_TRUE(same({out.data(), 1, dim}, {expected.data(), 1, dim})) << format_name(format) << ", dim " << dim;
    };
    check(Format::int8, &KernelTable::quantize_f32_to_int8, &KernelTable::gather_int8_to_f32_i64,
          &KernelTable::pool_int8_to_f32_i64);
    check(Format::int4, &KernelTable::quantize_f32_to_int4, &KernelTable::gather_int4_to_f32_i64,
          &KernelTable::pool_int4_to_f32_i64);
    check(Format::int2, &KernelTable::quantize_f32_to_int2, &KernelTable::gather_int2_to_f32_i64,
          &KernelTable::pool_int2_to_f32_i64);
  }
}

/// Each of the 65,536 values, and floats beside and between them.
TEST_P(KernelTest, RoundsToBf16) {
  std::vector<float> in;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0U, 0x1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      in.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  const auto dim = static_cast<std::int64_t>(in.size());
  const std::int64_t id = 0;
  std::vector<Bf16> out(in.size());
  GetParam()->gather_f32_to_bf16_i64({in.data(), dim, &id, 1, out.data(), dim, dim, prefetch, false});
  for (std::size_t c = 0; c < in.size(); ++c) {
    ASSERT_EQ(out[c].bits, Bf16(in[c]).bits) << "bits " << std::hex << std::bit_cast<std::uint32_t>(in[c]);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, KernelTest, testing::ValuesIn(supported_kernels()),
                         [](const auto& test) { return std::string(test.param->isa); });

TEST(Dispatch, HasDistinctKernelsForEachInstructionSet) {
  const auto tables = supported_kernels();
  ASSERT_STREQ(tables.back()->isa, "scalar");
  for (std::size_t i = 0; i + 1 < tables.size(); ++i) {
#define ROWMILL_EXPECT_OWN(name, type) EXPECT_NE(tables[i]->name, tables[i + 1]->name);
    ROWMILL_KERNEL_LIST(ROWMILL_EXPECT_OWN)
#undef ROWMILL_EXPECT_OWN
  }
}

}  // namespace
}  // namespace rowmill::test
