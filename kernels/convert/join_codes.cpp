// SPDX-License-Identifier: Apache-2.0
// join_codes(): makes quantised rows of codes, scales and zero points that lie apart.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kJoinCodesOp = "join_codes";

/// The scale and bias behind a row's codes: floats for int8, F16 for int4 and int2.
template <class Number>
struct ScaleAndBias {
  Number scale, bias;

  ScaleAndBias(float wide_scale, float zero_point)
      : scale(Number(wide_scale)), bias(Number(-zero_point * wide_scale)) {}
  [[nodiscard]] bool is_finite() const {
    return std::isfinite(static_cast<float>(scale)) && std::isfinite(static_cast<float>(bias));
  }
};

template <class Number>
void join_rows(const ConstTableView& codes, std::span<const float> scales, std::span<const float> zero_points,
               const TableView& to) {
  const auto of_row = [&](std::int64_t r) {
    return ScaleAndBias<Number>(scales[static_cast<std::size_t>(r)], zero_points[static_cast<std::size_t>(r)]);
  };
  {
    const FpEnvironment environment;
    for (std::int64_t r = 0; r < to.rows(); ++r) {
      if (of_row(r).is_finite()) continue;
      throw Error(ErrorCode::invalid_argument,
                  "rowmill: join_codes: row " + std::to_string(r) + " has the scale " +
                      to_text(scales[static_cast<std::size_t>(r)]) + " and the zero point " +
                      to_text(zero_points[static_cast<std::size_t>(r)]) + "; scale and -zero_point * scale must be " +
                      "finite in " + (sizeof(Number) == 4 ? "float32" : "float16"));
    }
  }
  const std::int64_t traffic = 2 * row_bytes(to);
  const std::int64_t threads = concurrency_for(to.rows() * traffic);
  parallel_chunks(threads, to.rows(), rows_per_task(to.rows(), traffic, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    const auto code_bytes = static_cast<std::size_t>(codes.dim());
                    for (std::int64_t r = begin; r < end; ++r) {
                      std::byte* const row = row_address(to, r);
                      std::memcpy(row, row_address(codes, r), code_bytes);
                      const ScaleAndBias<Number> numbers = of_row(r);
                      std::memcpy(row + code_bytes, &numbers, sizeof numbers);
                    }
                  });
}

}  // namespace

void join_codes(const ConstTableView& codes, std::span<const float> scales, std::span<const float> zero_points,
                const TableView& to) {
  check_view(kJoinCodesOp, "codes", codes);
  check_writable(kJoinCodesOp, "to", to);
  check_format(kJoinCodesOp, "codes", codes, {Format::u8});
  check_format(kJoinCodesOp, "to", to, {Format::int8, Format::int4, Format::int2});
  const bool wide = to.format() == Format::int8;
  const std::int64_t code_bytes = row_bytes(to) - 2 * (wide ? std::int64_t{sizeof(float)} : std::int64_t{sizeof(F16)});
  check_shape(kJoinCodesOp, "codes", codes, to.rows(), code_bytes, "rows of `to` x the bytes of a row's codes");
  check_floats(kJoinCodesOp, "scales", scales, to.rows(), "one for each row");
  check_floats(kJoinCodesOp, "zero_points", zero_points, to.rows(), "one for each row");
  check_disjoint(kJoinCodesOp, "to", to, "codes", codes);
  check_disjoint(kJoinCodesOp, "to", to, "scales", memory_of(scales));
  check_disjoint(kJoinCodesOp, "to", to, "zero_points", memory_of(zero_points));
  if (to.rows() == 0 || to.dim() == 0) return;
  wide ? join_rows<float>(codes, scales, zero_points, to) : join_rows<F16>(codes, scales, zero_points, to);
}

}  // namespace rowmill
