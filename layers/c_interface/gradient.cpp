// SPDX-License-Identifier: Apache-2.0
// Sparse and dense gradients.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {
namespace {

std::optional<double> limit_of(double value) { return value == -1 ? std::nullopt : std::optional(value); }

/// Calls f(views) with the views of an array. Their memory is the workspace's, if there is one.
template <class F>
void with_gradients(const rowmill_view* gradients, std::int64_t count, std::string_view op,
                    rowmill_workspace* workspace, F f) {
  check_range(op, "gradient_count", count, 0, kMaxIds);
  std::vector<ConstTableView> own;
  std::vector<ConstTableView>& views = workspace != nullptr ? workspace->gradients : own;
  views_of(gradients, count, op, "gradients", "gradient", views);
  f(views);
}

}  // namespace

template <>
rowmill_gradient_options defaults<rowmill_gradient_options>() {
  return {sizeof(rowmill_gradient_options), 0, 0, -1, -1, -1};
}

GradientOptions gradient_options_of(const rowmill_gradient_options* options, std::string_view op) {
  const rowmill_gradient_options o = options_of(options, op);
  return {.scale_grad_by_freq = o.scale_grad_by_freq != 0,
          .skip_nonfinite = o.skip_nonfinite != 0,
          .clip_value = limit_of(o.clip_value),
          .clip_row_norm = limit_of(o.clip_row_norm),
          .clip_global_norm = limit_of(o.clip_global_norm)};
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

rowmill_status rowmill_gradient_options_init(rowmill_gradient_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "gradient_options_init");
}

rowmill_status rowmill_sum_gradients(const rowmill_plan* plan, const rowmill_view* gradients,
                                     std::int64_t gradient_count, std::int64_t* rows, std::int64_t row_count,
                                     const rowmill_view* values, const rowmill_gradient_options* options,
                                     rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "sum_gradients";
    with_gradients(gradients, gradient_count, kOp, workspace, [&](const std::vector<ConstTableView>& views) {
      sum_gradients(deref(plan, kOp, "plan").plan, views, array_of(rows, row_count, kOp, "rows"),
                    view_of(values, kOp, "values"), gradient_options_of(options, kOp), workspace_of(workspace));
    });
  });
}

rowmill_status rowmill_dense_gradient(const rowmill_plan* plan, const rowmill_view* gradients,
                                      std::int64_t gradient_count, const rowmill_view* out,
                                      const rowmill_gradient_options* options, rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "dense_gradient";
    with_gradients(gradients, gradient_count, kOp, workspace, [&](const std::vector<ConstTableView>& views) {
      dense_gradient(deref(plan, kOp, "plan").plan, views, view_of(out, kOp, "out"), gradient_options_of(options, kOp),
                     workspace_of(workspace));
    });
  });
}

std::size_t rowmill_sum_gradients_memory_required(std::int64_t id_count, std::int64_t dim,
                                                  std::int64_t gradient_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    constexpr std::string_view kOp = "sum_gradients_memory_required";
    check_range(kOp, "id_count", id_count, 0, kMaxIds);
    check_range(kOp, "dim", dim, 0, kMaxIds);
    check_range(kOp, "gradient_count", gradient_count, 0, kMaxIds);
    return sum_gradients_memory_required(id_count, dim, gradient_count);
  });
}
