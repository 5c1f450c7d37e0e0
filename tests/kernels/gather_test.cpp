// SPDX-License-Identifier: Apache-2.0
// Kernels of gather.
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

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

// One check for each row of the kernel list, by its name.
namespace check {

template <class In, class Out>
constexpr auto gather = [](auto* f, auto* r) { check_gather<In, Out>(f, r); };
template <Format format, class Out>
constexpr auto gather_quantized = [](auto* f, auto* r) { check_gather_quantized<Out>(format, f, r); };

constexpr auto gather_f32_i32 = gather<float, float>;
constexpr auto gather_f32_i64 = gather<float, float>;
constexpr auto gather_bf16_i32 = gather<Bf16, Bf16>;
constexpr auto gather_bf16_i64 = gather<Bf16, Bf16>;
constexpr auto gather_bf16_to_f32_i32 = gather<Bf16, float>;
constexpr auto gather_bf16_to_f32_i64 = gather<Bf16, float>;
constexpr auto gather_f32_to_bf16_i32 = gather<float, Bf16>;
constexpr auto gather_f32_to_bf16_i64 = gather<float, Bf16>;
constexpr auto gather_int8_to_f32_i32 = gather_quantized<Format::int8, float>;
constexpr auto gather_int8_to_f32_i64 = gather_quantized<Format::int8, float>;
constexpr auto gather_int8_to_bf16_i32 = gather_quantized<Format::int8, Bf16>;
constexpr auto gather_int8_to_bf16_i64 = gather_quantized<Format::int8, Bf16>;
constexpr auto gather_int4_to_f32_i32 = gather_quantized<Format::int4, float>;
constexpr auto gather_int4_to_f32_i64 = gather_quantized<Format::int4, float>;
constexpr auto gather_int4_to_bf16_i32 = gather_quantized<Format::int4, Bf16>;
constexpr auto gather_int4_to_bf16_i64 = gather_quantized<Format::int4, Bf16>;
constexpr auto gather_int2_to_f32_i32 = gather_quantized<Format::int2, float>;
constexpr auto gather_int2_to_f32_i64 = gather_quantized<Format::int2, float>;
constexpr auto gather_int2_to_bf16_i32 = gather_quantized<Format::int2, Bf16>;
constexpr auto gather_int2_to_bf16_i64 = gather_quantized<Format::int2, Bf16>;

}  // namespace check

ROWMILL_GATHER_KERNELS(ROWMILL_TEST_KERNEL)

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

}  // namespace
}  // namespace rowmill::test
