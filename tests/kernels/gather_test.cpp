// SPDX-License-Identifier: Apache-2.0
// Kernels of gather.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

template <class T, class Id>
void check_copy_streaming(Kernel<GatherArgs<Id>>* kernel, Kernel<GatherArgs<Id>>* reference) {
  struct alignas(64) Line {
    T elements[64 / sizeof(T)];
  };
  const auto ids = ids_as<Id>(id_cases(kRows, 100, 2).back().ids);
  const auto count = static_cast<std::int64_t>(ids.size());
  for (const std::int64_t dim : {16, 32, 48, 64, 96, 256}) {
    if (dim * static_cast<std::int64_t>(sizeof(T)) % 64 != 0) continue;
    const auto table = BasicGuardedTable<T>(kRows, dim).fill(1, true);
    const auto run = [&](Kernel<GatherArgs<Id>>* f, bool streaming) {
      std::vector<Line> lines(static_cast<std::size_t>(count * dim) * sizeof(T) / 64);
      f({table.view().bytes(), table.view().row_stride(), ids.data(), count, lines.data()->elements, dim, dim, prefetch,
         streaming});
      return lines;
    };
    const auto lines = run(kernel, true);
    const auto expected = run(reference, false);
    EXPECT_TRUE(same({lines.data()->elements, count, dim}, {expected.data()->elements, count, dim})) << "dim " << dim;
  }
}

template <class T, class Id>
void check_copy(Kernel<GatherArgs<Id>>* kernel, Kernel<GatherArgs<Id>>* reference) {
  for (const std::int64_t dim : kDims) {
    for (const std::int64_t gap : {0, 1, 16}) {
      const auto table = BasicGuardedTable<T>(kRows, dim, gap).fill(1, true);
      for (IdCase batch : id_cases(kRows, 100, 2)) {
        if (batch.ids.size() > 1) batch.ids[1] = -1;  // a zero row
        const auto count = static_cast<std::int64_t>(batch.ids.size());
        const PageEnd<Id> ids(ids_as<Id>(batch.ids));
        BasicGuardedTable<T> out(count, dim, gap);
        BasicGuardedTable<T> expected(count, dim, gap);
        const auto run = [&](Kernel<GatherArgs<Id>>* f, BasicGuardedTable<T>& to) {
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
  check_copy_streaming<T>(kernel, reference);
}

/// table_of(dim, gap) makes the table.
template <class Out, class Id, class TableOf>
void check_conversion(Kernel<GatherArgs<Id>>* kernel, Kernel<GatherArgs<Id>>* reference, TableOf table_of) {
  std::vector<std::int64_t> rows = id_cases(kRows, 40, 2).back().ids;
  rows[1] = -1;  // a zero row
  const PageEnd<Id> ids(ids_as<Id>(rows));
  const auto count = static_cast<std::int64_t>(rows.size());
  for (const std::int64_t dim : kDims) {
    for (const std::int64_t gap : {0, 3}) {
      const auto table = table_of(dim, gap);
      const auto run = [&](Kernel<GatherArgs<Id>>* f, const TableView& to, bool streaming) {
        f({table.view().bytes(), table.view().row_stride(), ids.data(), count, to.bytes(), to.row_stride(), dim,
           prefetch, streaming, to.format()});
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

// One check for each row of the kernel list, by its name.
namespace check {

template <class T>
constexpr auto copy = [](auto* f, auto* r) { check_copy<T>(f, r); };
template <class In>
constexpr auto convert = [](auto* f, auto* r) {
  for_each_float_type([&]<class Out>() {
    check_conversion<Out>(
        f, r, [](std::int64_t dim, std::int64_t gap) { return BasicGuardedTable<In>(kRows, dim, gap).fill(1, true); });
  });
};
template <Format format>
constexpr auto dequantize = [](auto* f, auto* r) {
  for_each_float_type([&]<class Out>() {
    check_conversion<Out>(f, r, [](std::int64_t dim, std::int64_t gap) {
      return GuardedQuantizedTable(format, kRows, dim, gap).fill(1);
    });
  });
};

constexpr auto gather_f32_i32 = copy<float>;
constexpr auto gather_f32_i64 = copy<float>;
constexpr auto gather_16bit_i32 = copy<F16>;
constexpr auto gather_16bit_i64 = copy<F16>;
constexpr auto gather_f32_to_any_i32 = convert<float>;
constexpr auto gather_f32_to_any_i64 = convert<float>;
constexpr auto gather_bf16_to_any_i32 = convert<Bf16>;
constexpr auto gather_bf16_to_any_i64 = convert<Bf16>;
constexpr auto gather_f16_to_any_i32 = convert<F16>;
constexpr auto gather_f16_to_any_i64 = convert<F16>;
constexpr auto gather_int8_to_any_i32 = dequantize<Format::int8>;
constexpr auto gather_int8_to_any_i64 = dequantize<Format::int8>;
constexpr auto gather_int4_to_any_i32 = dequantize<Format::int4>;
constexpr auto gather_int4_to_any_i64 = dequantize<Format::int4>;
constexpr auto gather_int2_to_any_i32 = dequantize<Format::int2>;
constexpr auto gather_int2_to_any_i64 = dequantize<Format::int2>;

}  // namespace check

ROWMILL_GATHER_KERNELS(ROWMILL_TEST_KERNEL)

/// Rounds floats to T as the reference does; any NaN is one.
template <class T>
void expect_rounded(const KernelTable& kernels, const std::vector<float>& in) {
  const auto dim = static_cast<std::int64_t>(in.size());
  const std::int64_t id = 0;
  std::vector<T> out(in.size());
  kernels.gather_f32_to_any_i64({in.data(), dim, &id, 1, out.data(), dim, dim, prefetch, false, format_of<T>});
  for (std::size_t c = 0; c < in.size(); ++c) {
    if (std::isnan(in[c])) {
      ASSERT_TRUE(std::isnan(static_cast<float>(out[c])));
    } else {
      ASSERT_EQ(out[c].bits, T(in[c]).bits) << "bits " << std::hex << std::bit_cast<std::uint32_t>(in[c]);
    }
  }
}

/// Each of the 65,536 values of bf16, and floats beside and between them.
TEST_P(KernelTest, RoundsTo16Bits) {
  std::vector<float> in;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0U, 0x1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      in.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  expect_rounded<Bf16>(*GetParam(), in);
  expect_rounded<F16>(*GetParam(), in);
}

/// The same of float16; and each of its values as a float.
TEST_P(KernelTest, RoundsAndWidensEachF16) {
  std::vector<F16> halves;
  std::vector<float> in;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    halves.push_back(F16::from_bits(static_cast<std::uint16_t>(bits)));
    const auto x = static_cast<float>(halves.back());
    const float between = (x + static_cast<float>(F16::from_bits(static_cast<std::uint16_t>(bits + 1)))) / 2;
    in.insert(in.end(), {x, between, std::nextafter(between, 0.0F), std::nextafter(between, 2 * between)});
  }
  in.insert(in.end(), {65519.996F, 65520.0F, -65520.0F, 0x1p-25F, 0x1.000002p-25F, -0x1p-25F});
  expect_rounded<F16>(*GetParam(), in);

  std::vector<float> out(halves.size());
  const std::int64_t id = 0;
  const auto dim = static_cast<std::int64_t>(out.size());
  GetParam()->gather_f16_to_any_i64({halves.data(), dim, &id, 1, out.data(), dim, dim, prefetch, false, Format::f32});
  for (std::size_t c = 0; c < out.size(); ++c) ASSERT_TRUE(same_bits(out[c], static_cast<float>(halves[c]))) << c;
}

}  // namespace
}  // namespace rowmill::test
