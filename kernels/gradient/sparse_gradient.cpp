// SPDX-License-Identifier: Apache-2.0
#include "rowmill/sparse_gradient.hpp"

#include <cstddef>
#include <cstring>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/exact/row_sums.hpp"
#include "kernels/gradient/row_sums.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kSparseOp = "sum_gradients";
constexpr std::string_view kDenseOp = "dense_gradient";

struct SumScratch {
  Contributions contributions;
  RowSums sums;
  std::int64_t* rows;  // of a dense gradient

  SumScratch(std::int64_t passes, std::int64_t id_count, std::int64_t unique, std::int64_t dim, Carver& memory)
      : contributions(passes, id_count, dim, memory),
        sums(id_count, unique, dim, memory),
        rows(memory.take<std::int64_t>(unique)) {}
};

std::size_t bytes_for(std::int64_t passes, std::int64_t id_count, std::int64_t unique, std::int64_t dim) {
  Carver memory(nullptr);
  const SumScratch scratch(passes, id_count, unique, dim, memory);
  return memory.used();
}

void check(std::string_view op, const Plan& plan, std::span<const ConstTableView> gradients, const TableView& out,
           std::string_view out_name, const GradientOptions& options) {
  check_gradient_options(op, options);
  if (options.skip_nonfinite) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: " + std::string(op) + ": skip_nonfinite is set; only a step can be skipped");
  }
  check_writable(op, out_name, out);
  check_format(op, out_name, out, {Format::f32, Format::f64});
  check_gradients(op, plan, gradients, out.dim(), out_name, out);
  exact::check_coefficients(op, plan, out_name, out);
}

void clear_row(const TableView& table, std::int64_t row) {
  const std::int64_t stride = table.row_stride() * element_size(table.format());
  std::memset(static_cast<std::byte*>(table.bytes()) + row * stride, 0, static_cast<std::size_t>(row_bytes(table)));
}

/// What both operations do: the sums, then the options. `rows`: where the rows go by number; null: into scratch memory.
void sum_checked(std::string_view op, const Plan& plan, std::span<const ConstTableView> gradients, std::int64_t* rows,
                 const TableView& out, bool dense, const GradientOptions& options, Workspace* workspace) {
  const KernelTable& k = kernels();
  const std::int64_t passes = std::ssize(gradients);
  const std::int64_t dim = out.dim();
  Workspace own;
  Workspace& memory_of = workspace != nullptr ? *workspace : own;
  memory_of.reserve(bytes_for(passes, plan.id_count(), plan.unique_count(), dim), op);
  const std::int64_t row_bytes = rowmill::row_bytes(out);
  if (dense && dim > 0) {
    const std::int64_t threads = concurrency_for(out.rows() * row_bytes);
    parallel_chunks(threads, out.rows(), rows_per_task(out.rows(), row_bytes, threads),
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t r = begin; r < end; ++r) clear_row(out, r);
                    });
  }
  if (plan.id_count() == 0) return;
  Carver memory(memory_of.data());
  const std::int64_t threads = concurrency_for((plan.id_count() + plan.unique_count()) * row_bytes);
  if (out.format() == Format::f64) {  // it needs less memory
    exact::RowSums sums(plan.id_count(), plan.unique_count(), dim, passes, memory);
    auto* const numbered = rows != nullptr ? rows : memory.take<std::int64_t>(plan.unique_count());
    (void)sums.sum(plan, gradients, options, threads, numbered, {out.data<double>(), out.row_stride(), dense});
    return;
  }
  SumScratch scratch(passes, plan.id_count(), plan.unique_count(), dim, memory);
  scratch.contributions.set(plan, gradients);
  scratch.sums.number_rows(plan, threads, rows != nullptr ? rows : scratch.rows);
  if (dim == 0) return;
  scratch.sums.sum(k, plan, scratch.contributions, threads, out.data(), out.row_stride(), dense);
  scratch.sums.apply(k, plan, options, threads, out.data(), out.row_stride(), dense);
}

}  // namespace

std::size_t sum_gradients_memory_required(std::int64_t id_count, std::int64_t dim, std::int64_t passes) {
  check_id_count(kSparseOp, id_count);
  check_count(kSparseOp, "dim", dim);
  check_count(kSparseOp, "passes", passes);
  return bytes_for(passes, id_count, id_count, dim);
}

void sum_gradients(const Plan& plan, std::span<const ConstTableView> gradients, std::span<std::int64_t> rows,
                   const TableView& values, const GradientOptions& options, Workspace* workspace) {
  check(kSparseOp, plan, gradients, values, "values", options);
  check_shape(kSparseOp, "values", values, plan.unique_count(), values.dim(), "the rows that the plan touches");
  if (std::ssize(rows) != plan.unique_count()) {
    throw Error(ErrorCode::shape_mismatch,
                "rowmill: " + std::string(kSparseOp) + ": rows (" + std::to_string(rows.size()) + ") must have " +
                    std::to_string(plan.unique_count()) + " elements, one for each row that the plan touches");
  }
  const Ids row_ids = std::span<const std::int64_t>(rows);
  check_ids_pointer(kSparseOp, "rows", row_ids);
  check_disjoint(kSparseOp, "values", values, "rows", row_ids);
  for (const ConstTableView& gradient : gradients) check_disjoint(kSparseOp, "gradient", gradient, "rows", row_ids);
  check_disjoint(kSparseOp, "winners", Ids(plan.winners()), "rows", row_ids);
  sum_checked(kSparseOp, plan, gradients, rows.data(), values, false, options, workspace);
}

void dense_gradient(const Plan& plan, std::span<const ConstTableView> gradients, const TableView& out,
                    const GradientOptions& options, Workspace* workspace) {
  check(kDenseOp, plan, gradients, out, "out", options);
  check_shape(kDenseOp, "out", out, plan.rows(), out.dim(), "the rows of the plan's table");
  sum_checked(kDenseOp, plan, gradients, nullptr, out, true, options, workspace);
}

void SparseGradient::build(const Plan& plan, std::span<const ConstTableView> gradients,
                           const GradientOptions& options) {
  const std::int64_t unique = plan.unique_count();
  const std::int64_t dim = gradients.empty() ? 0 : gradients[0].dim();
  const bool is_f64 = !gradients.empty() && gradients[0].format() == Format::f64;
  const Format format = is_f64 ? Format::f64 : Format::f32;
  // Checked before the memory grows, which loses what it held. That is not among the gradients.
  check(kSparseOp, plan, gradients, TableView(nullptr, format, 0, dim, dim), "values", options);
  Carver needed(nullptr);
  needed.take<std::int64_t>(unique);
  needed.take<std::byte>(unique, dim * element_size(format));
  scratch_.reserve(bytes_for(std::ssize(gradients), plan.id_count(), unique, dim), kSparseOp);
  memory_.reserve(needed.used(), kSparseOp);
  Carver memory(memory_.data());
  auto* const rows = memory.take<std::int64_t>(unique);
  const TableView values(memory.take<std::byte>(unique, dim * element_size(format)), format, unique, dim, dim);
  sum_gradients(plan, gradients, {rows, static_cast<std::size_t>(unique)}, values, options, &scratch_);
  rows_ = {rows, static_cast<std::size_t>(unique)};
  values_ = values;
}

}  // namespace rowmill
