// SPDX-License-Identifier: Apache-2.0
// Kernels that quantise rows.
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

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

// One check for each row of the kernel list, by its name.
namespace check {

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

}  // namespace check

ROWMILL_CONVERT_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
