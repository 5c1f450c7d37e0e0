// SPDX-License-Identifier: Apache-2.0
// Kernels of scatter_add.
#include <gtest/gtest.h>

#include "tests/kernels/kernel_test.hpp"
#include "tests/kernels/segments.hpp"

namespace rowmill::test {
namespace {

template <class T, class Value = float>
void check_scatter_add(Kernel<ScatterAddArgs>* kernel, Kernel<ScatterAddArgs>* reference) {
  for (const std::int64_t dim : kDims) {
    for (IdCase batch : id_cases(kRows, 100, 3)) {
      if (batch.ids.size() > 1) batch.ids[1] = -1;  // skipped
      const auto count = static_cast<std::int64_t>(batch.ids.size());
      const auto values = BasicGuardedTable<Value>(count, dim, 2).fill(4, true);
      const PageEnd<std::int64_t> rows(batch.ids);
      auto table = BasicGuardedTable<T>(kRows, dim, 3).fill(5);
      auto expected = table;
      const auto run = [&](Kernel<ScatterAddArgs>* f, BasicGuardedTable<T>& to) {
        f({to.view().bytes(), to.view().row_stride(), rows.data(), count, values.view().bytes(),
           values.view().row_stride(), dim, prefetch, format_of<T>, format_of<Value>});
      };
      run(kernel, table);
      run(reference, expected);
      EXPECT_TRUE(same(table.view(), expected.view())) << "dim " << dim << ", " << batch.name;
      EXPECT_TRUE(table.guards_intact()) << "dim " << dim << ", " << batch.name;
    }
  }
}

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

// One check for each row of the kernel list, by its name.
namespace check {

template <class T>
constexpr auto scatter_add = [](auto* f, auto* r) { check_scatter_add<T>(f, r); };
template <class T>
constexpr auto scatter_add_segments = [](auto* f, auto* r) { check_scatter_add_segments<T>(f, r); };

constexpr auto scatter_add_f32 = scatter_add<float>;
constexpr auto scatter_add_bf16 = scatter_add<Bf16>;
constexpr auto scatter_add_any = [](auto* f, auto* r) {
  for_each_float_type(
      [&]<class T>() { for_each_float_type([&]<class Value>() { check_scatter_add<T, Value>(f, r); }); });
};
constexpr auto scatter_add_segments_f32 = scatter_add_segments<float>;
constexpr auto scatter_add_segments_bf16 = scatter_add_segments<Bf16>;
constexpr auto scatter_add_segments_f16 = scatter_add_segments<F16>;

}  // namespace check

ROWMILL_SCATTER_ADD_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
