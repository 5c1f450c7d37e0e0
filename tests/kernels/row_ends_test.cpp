// SPDX-License-Identifier: Apache-2.0
// No kernel reads or writes past a row's end, which is the end of a page here.
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

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
      std::vector<float> scratch(static_cast<std::size_t>(kUpdateScratchRows * dim));
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

/// Of 16-bit values: T is Bf16 or F16.
template <class T, class Pool, class ScatterAdd, class Renormalize>
void check_row_of(const KernelTable& k, std::int64_t dim, Pool pool, ScatterAdd scatter_add, Renormalize renormalize) {
  const auto size = static_cast<std::size_t>(dim);
  PageEnd<T> table{std::vector<T>(size)};
  PageEnd<T> out{std::vector<T>(size)};
  PageEnd<float> floats{std::vector<float>(size)};
  for (std::int64_t c = 0; c < dim; ++c) table.data()[c] = T(static_cast<float>(c + 1));
  const std::int64_t id = 0;
  const std::int64_t begin[] = {0, 1};
  k.gather_16bit_i64({table.data(), dim, &id, 1, out.data(), dim, dim, prefetch, false});
  EXPECT_TRUE(same({out.data(), 1, dim}, {table.data(), 1, dim})) << "dim " << dim;
  const auto gather = format_of<T> == Format::bf16 ? k.gather_bf16_to_any_i64 : k.gather_f16_to_any_i64;
  gather({table.data(), dim, &id, 1, floats.data(), dim, dim, prefetch, false, Format::f32});
  for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(floats.data()[c], static_cast<float>(c + 1));
  k.gather_f32_to_any_i64({floats.data(), dim, &id, 1, out.data(), dim, dim, prefetch, false, format_of<T>});
  EXPECT_TRUE(same({out.data(), 1, dim}, {table.data(), 1, dim})) << "dim " << dim;
  (k.*pool)({table.data(), dim, &id, nullptr, begin, 1, nullptr, out.data(), dim, dim, prefetch, format_of<T>});
  EXPECT_TRUE(same({out.data(), 1, dim}, {table.data(), 1, dim})) << "dim " << dim;
  (k.*scatter_add)({table.data(), dim, &id, 1, floats.data(), dim, dim, prefetch, format_of<T>, Format::f32});
  for (std::int64_t c = 0; c < dim; ++c)
    EXPECT_EQ(static_cast<float>(table.data()[c]), static_cast<float>(2 * (c + 1)));
  k.scatter_add_any({floats.data(), dim, &id, 1, out.data(), dim, dim, prefetch, Format::f32, format_of<T>});
  for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(floats.data()[c], static_cast<float>(2 * (c + 1)));
  (k.*renormalize)({table.data(), dim, &id, 1, dim, 0, NormType::two, prefetch});
  for (std::int64_t c = 0; c < dim; ++c) EXPECT_EQ(static_cast<float>(table.data()[c]), 0);
}

TEST_P(KernelTest, ReadsAndWritesNothingPastARowOf16BitValues) {
  for (std::int64_t dim = 1; dim < 70; ++dim) {
    check_row_of<Bf16>(*GetParam(), dim, &KernelTable::pool_bf16_i64, &KernelTable::scatter_add_bf16,
                       &KernelTable::renormalize_bf16);
    check_row_of<F16>(*GetParam(), dim, &KernelTable::pool_f16_i64, &KernelTable::scatter_add_any,
                      &KernelTable::renormalize_f16);
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
    check(Format::int8, &KernelTable::quantize_f32_to_int8, &KernelTable::gather_int8_to_any_i64,
          &KernelTable::pool_int8_i64);
    check(Format::int4, &KernelTable::quantize_f32_to_int4, &KernelTable::gather_int4_to_any_i64,
          &KernelTable::pool_int4_i64);
    check(Format::int2, &KernelTable::quantize_f32_to_int2, &KernelTable::gather_int2_to_any_i64,
          &KernelTable::pool_int2_i64);
  }
}

}  // namespace
}  // namespace rowmill::test
