// SPDX-License-Identifier: Apache-2.0
// The inside of Optimizer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_list.hpp"
#include "rowmill/optimizer.hpp"

namespace rowmill {

/// What an Optimizer holds. optimizer.cpp knows the options and the scalars of each kind; step.cpp is the engine, which
/// runs any of them.
class Optimizer::Impl {
 public:
  /// Of checked options for a table called `name`, with the state in `state`, which are views of `tables` or of the
  /// caller's memory.
  Impl(const OptimizerOptions& options, const StorageOptions& storage, std::string_view name, std::int64_t rows,
       std::int64_t dim, std::vector<Table> tables, std::span<const TableView> state);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] std::unique_ptr<Impl> clone() const;

  void step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
            const GradientOptions& options, Workspace* workspace);
  [[nodiscard]] std::size_t memory_required(std::int64_t id_count, std::int64_t passes, const GradientOptions& options,
                                            Pooling pooling) const;
  void restore(const OptimizerProgress& progress, std::span<const ConstTableView> state);

  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] OptimizerProgress progress() const;
  [[nodiscard]] double learning_rate() const;
  void set_learning_rate(double learning_rate);
  [[nodiscard]] std::int64_t skipped_steps() const { return skipped_steps_; }
  [[nodiscard]] const OptimizerOptions& options() const { return options_; }
  void set_options(const OptimizerOptions& options);
  [[nodiscard]] const StorageOptions& storage() const { return storage_; }
  [[nodiscard]] std::span<const TableView> state() { return state_; }
  [[nodiscard]] std::span<const ConstTableView> state() const { return const_state_; }

 private:
  void check_step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                  const GradientOptions& options) const;
  /// How a step prefetches rows of the weights, their states and the gradients.
  [[nodiscard]] PrefetchArgs choose_prefetch(const TableView& weights, const Plan& plan) const;
  /// step() of weights of f64, after its checks: kernels/exact/optimizer.cpp.
  void step_f64(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                const GradientOptions& options, Workspace* workspace);
  /// Of a step that touches `unique` rows, and forms their sums before the first update or not.
  [[nodiscard]] std::size_t memory_required(std::int64_t id_count, std::int64_t unique, std::int64_t passes,
                                            bool sums_first) const;
  /// Computes what is the same for all rows of step number step_count_.
  void prepare_step();
  /// The bytes of a row of float16 weights and of all states: what Overflow::error saves of a row.
  [[nodiscard]] std::int64_t saved_bytes_a_row() const;
  /// Whether update() has a use for the mean square of a gradient row.
  [[nodiscard]] bool uses_mean_squares() const;
  /// The state tables of the formula: all but the lower halves of a split table.
  [[nodiscard]] std::span<const TableView> formula_states() const {
    return std::span(state_).first(state_.size() - (storage_.split ? 1 : 0));
  }
  /// Whether a state that has a value for each weight has 16 bits.
  [[nodiscard]] bool has_16_bit_states() const;
  /// Updates the rows of segments, of weights in this format; sets the decay of `args`. Called from many threads at
  /// once, with segments that share no row.
  void update(const KernelTable& kernels, Format format, UpdateArgs args) const;

  OptimizerOptions options_;
  std::string stream_name_;
  StorageOptions storage_;  // its stream's name is stream_name_
  std::string_view name_;   // a literal
  std::int64_t rows_;
  std::int64_t dim_;
  std::vector<Table> tables_;
  std::vector<TableView> state_;             // of tables_, or in the caller's memory
  std::vector<ConstTableView> const_state_;  // the same
  std::int64_t step_count_ = 0;
  std::int64_t skipped_steps_ = 0;
  double beta1_power_ = 1;  // beta1^step_count_, for the kinds that have it
  double beta2_power_ = 1;
  AdamScalars adam_{};  // of the step that runs
};

}  // namespace rowmill
