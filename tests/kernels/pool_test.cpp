// SPDX-License-Identifier: Apache-2.0
// Kernels of pooled lookups, and of the gradients of their weights and maxima.
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/bags.hpp"
#include "tests/kernels/kernel_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

/// One variant of a call: with weights or without, with divisors or without, into Out.
template <class Out, class Id>
void check_pool_into(Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference, const PoolBags<Id>& bags,
                     const ConstTableView& table, bool weights, bool divisors) {
  const PageEnd<Id> ids(bags.ids);
  const PageEnd<std::int64_t> begin(bags.begin);
  BasicGuardedTable<Out> out(bags.size(), table.dim(), 1);
  BasicGuardedTable<Out> expected(bags.size(), table.dim(), 1);
  const auto run = [&](Kernel<PoolArgs<Id>>* f, const TableView& to) {
    f({table.bytes(), table.row_stride(), ids.data(), weights ? bags.weights.data() : nullptr, begin.data(),
       bags.size(), divisors ? bags.divisors.data() : nullptr, to.bytes(), to.row_stride(), table.dim(), prefetch,
       to.format(), /*later_ids=*/0, /*rest_nearer=*/prefetch.ahead / 2});
  };
  run(kernel, out.view());
  run(reference, expected.view());
  EXPECT_TRUE(same(out.view(), expected.view()));
  EXPECT_TRUE(out.guards_intact());
}

/// table_of(dim) makes the table. Every variant with some output, and every output with some variant.
template <class Id, class TableOf>
void check_pool(Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference, bool any, bool weighted,
                TableOf table_of) {
  const PoolBags<Id> bags(any);
  int output = 0;
  for (const std::int64_t dim : kDims) {
    const auto table = table_of(dim);
    for (int variant = 0; variant < 4; ++variant) {
      const bool weights = (variant & 1) != 0;
      if (weights && !weighted) continue;
      SCOPED_TRACE("dim " + std::to_string(dim) + ", variant " + std::to_string(variant));
      int type = 0;
      const int chosen = output++ % 3;
      for_each_float_type([&]<class Out>() {
        if (type++ != chosen) return;
        check_pool_into<Out>(kernel, reference, bags, table.view(), weights, (variant & 2) != 0);
      });
    }
  }
}

template <class In, class Id>
void check_pool(Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference, bool any) {
  check_pool(kernel, reference, any, any || format_of<In> != Format::f16,
             [](std::int64_t dim) { return BasicGuardedTable<In>(kRows, dim, 2).fill(10, true); });
}
template <class Id>
void check_pool_quantized(Format format, Kernel<PoolArgs<Id>>* kernel, Kernel<PoolArgs<Id>>* reference, bool any) {
  check_pool(kernel, reference, any, any,
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

// One check for each row of the kernel list, by its name.
namespace check {

template <class In>
constexpr auto pool = [](auto* f, auto* r) { check_pool<In>(f, r, false); };
template <class In>
constexpr auto pool_any = [](auto* f, auto* r) { check_pool<In>(f, r, true); };
template <Format format>
constexpr auto pool_quantized = [](auto* f, auto* r) { check_pool_quantized(format, f, r, false); };
template <Format format>
constexpr auto pool_quantized_any = [](auto* f, auto* r) { check_pool_quantized(format, f, r, true); };

constexpr auto pool_f32_i32 = pool<float>;
constexpr auto pool_f32_i64 = pool<float>;
constexpr auto pool_bf16_i32 = pool<Bf16>;
constexpr auto pool_bf16_i64 = pool<Bf16>;
constexpr auto pool_f16_i32 = pool<F16>;
constexpr auto pool_f16_i64 = pool<F16>;
constexpr auto pool_int8_i32 = pool_quantized<Format::int8>;
constexpr auto pool_int8_i64 = pool_quantized<Format::int8>;
constexpr auto pool_int4_i32 = pool_quantized<Format::int4>;
constexpr auto pool_int4_i64 = pool_quantized<Format::int4>;
constexpr auto pool_int2_i32 = pool_quantized<Format::int2>;
constexpr auto pool_int2_i64 = pool_quantized<Format::int2>;
constexpr auto pool_with_zeros_f32 = pool_any<float>;
constexpr auto pool_with_zeros_bf16 = pool_any<Bf16>;
constexpr auto pool_with_zeros_f16 = pool_any<F16>;
constexpr auto pool_with_zeros_int8 = pool_quantized_any<Format::int8>;
constexpr auto pool_with_zeros_int4 = pool_quantized_any<Format::int4>;
constexpr auto pool_with_zeros_int2 = pool_quantized_any<Format::int2>;
constexpr auto pool_max_f32 = pool_any<float>;
constexpr auto pool_max_bf16 = pool_any<Bf16>;
constexpr auto pool_max_f16 = pool_any<F16>;
constexpr auto pool_max_int8 = pool_quantized_any<Format::int8>;
constexpr auto pool_max_int4 = pool_quantized_any<Format::int4>;
constexpr auto pool_max_int2 = pool_quantized_any<Format::int2>;

void find_winners_f32(Kernel<FindWinnersArgs>* f, Kernel<FindWinnersArgs>* r) { check_find_winners<float>(f, r); }
void find_winners_bf16(Kernel<FindWinnersArgs>* f, Kernel<FindWinnersArgs>* r) { check_find_winners<Bf16>(f, r); }
void find_winners_f16(Kernel<FindWinnersArgs>* f, Kernel<FindWinnersArgs>* r) { check_find_winners<F16>(f, r); }
void pool_dots_f32(Kernel<PoolDotsArgs>* f, Kernel<PoolDotsArgs>* r) { check_pool_dots<float>(f, r); }
void pool_dots_bf16(Kernel<PoolDotsArgs>* f, Kernel<PoolDotsArgs>* r) { check_pool_dots<Bf16>(f, r); }
void pool_dots_f16(Kernel<PoolDotsArgs>* f, Kernel<PoolDotsArgs>* r) { check_pool_dots<F16>(f, r); }

}  // namespace check

ROWMILL_POOL_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
