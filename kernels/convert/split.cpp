// SPDX-License-Identifier: Apache-2.0
// split() and join_split(): floats as two tables, of their upper and their lower halves.
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "rowmill/convert.hpp"

namespace rowmill {
namespace {

/// The halves and the whole floats have their formats and one shape, and the halves share no element with the floats,
/// which the operation calls `name`.
void check_halves(std::string_view op, const ConstTableView& upper, const ConstTableView& low, std::string_view name,
                  const ConstTableView& whole) {
  check_format(op, "upper", upper, {Format::bf16});
  check_format(op, "low", low, {Format::low16});
  check_format(op, name, whole, {Format::f32});
  const std::string why = "as `" + std::string(name) + "`";
  check_shape(op, "upper", upper, whole.rows(), whole.dim(), why);
  check_shape(op, "low", low, whole.rows(), whole.dim(), why);
  check_disjoint(op, "upper", upper, name, whole);
  check_disjoint(op, "low", low, name, whole);
}

/// Calls body(upper, low, whole) for the elements at one place in the three tables, for all places. Half and Float are
/// const where the tables are read only.
template <class Half, class Float, class UpperView, class WholeView, class Body>
void for_each_split(const UpperView& upper, const UpperView& low, const WholeView& whole, Body body) {
  if (whole.rows() == 0 || whole.dim() == 0) return;
  const std::int64_t traffic = 2 * row_bytes(whole);
  const std::int64_t threads = concurrency_for(whole.rows() * traffic);
  parallel_chunks(threads, whole.rows(), rows_per_task(whole.rows(), traffic, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r) {
                      Half* const u = static_cast<Half*>(upper.bytes()) + r * upper.row_stride();
                      Half* const l = static_cast<Half*>(low.bytes()) + r * low.row_stride();
                      Float* const w = static_cast<Float*>(whole.bytes()) + r * whole.row_stride();
                      for (std::int64_t c = 0; c < whole.dim(); ++c) body(u[c], l[c], w[c]);
                    }
                  });
}

}  // namespace

void split(const ConstTableView& from, const TableView& upper, const TableView& low) {
  constexpr std::string_view kSplitOp = "split";
  check_view(kSplitOp, "from", from);
  check_writable(kSplitOp, "upper", upper);
  check_writable(kSplitOp, "low", low);
  check_halves(kSplitOp, upper, low, "from", from);
  check_disjoint(kSplitOp, "upper", upper, "low", low);
  for_each_split<std::uint16_t, const float>(upper, low, from, [](std::uint16_t& u, std::uint16_t& l, const float& w) {
    auto bits = std::bit_cast<std::uint32_t>(w);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) bits |= 0x00400000U;
    u = static_cast<std::uint16_t>(bits >> 16);
    l = static_cast<std::uint16_t>(bits);
  });
}

void join_split(const ConstTableView& upper, const ConstTableView& low, const TableView& out) {
  constexpr std::string_view kJoinOp = "join_split";
  check_view(kJoinOp, "upper", upper);
  check_view(kJoinOp, "low", low);
  check_writable(kJoinOp, "out", out);
  check_halves(kJoinOp, upper, low, "out", out);
  for_each_split<const std::uint16_t, float>(upper, low, out,
                                             [](const std::uint16_t& u, const std::uint16_t& l, float& w) {
                                               w = std::bit_cast<float>(std::uint32_t{u} << 16 | l);
                                             });
}

}  // namespace rowmill
