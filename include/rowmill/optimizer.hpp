// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "rowmill/gradient_options.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/storage_options.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/weight_decay.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

// All optimizers are sparse ("lazy"): a step updates the rows that the batch's ids touch, and their state, and nothing
// else. A row's gradient g is the sum of its contributions, one for each position whose id is that row; it is formed
// first and applied once. In the formulas t is the number of the step, counting from 1. Operations are float, element
// by element, in the order written, each rounded. What stands in {braces} is computed in double once a step, and then
// rounded to float.

/// Stochastic gradient descent, with momentum b as in PyTorch (Sutskever et al., ICML 2013, but lr outside of b):
///
///     momentum = 0:   w = w - {lr} * g
///     otherwise:      b = {momentum} * b + g
///                     w = w - {lr} * b                       plain
///                     w = w - {lr} * (g + {momentum} * b)    nesterov
///
/// A row's momentum decays when the row is touched, not while it waits.
struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;  ///< needs a momentum
  WeightDecay decay = WeightDecay::none;
  double weight_decay = 0;
};

/// Adagrad (Duchi, Hazan and Singer, JMLR 12, 2011, figure 1, diagonal form; epsilon outside the root as in PyTorch):
///
///     a = a + g * g
///     w = w - ({lr} * g) / (sqrt(a) + {epsilon})
///
/// A row that is not touched needs no update, so without decay this equals dense Adagrad.
struct AdagradOptions {
  double learning_rate = 0.01;
  double initial_accumulator = 0;
  double epsilon = 1e-10;
  WeightDecay decay = WeightDecay::none;
  double weight_decay = 0;
};

/// Adagrad with one accumulator a row, which holds the mean square (FBGEMM's EXACT_ROWWISE_ADAGRAD; Mudigere et al.,
/// ISCA 2022, section 4.1.4):
///
///     a = a + sum(g * g) / dim            sums across columns: docs/numerics.md
///     w = w - ({lr} / (sqrt(a) + {epsilon})) * g
struct RowWiseAdagradOptions {
  double learning_rate = 0.01;
  double initial_accumulator = 0;
  double epsilon = 1e-8;
  WeightDecay decay = WeightDecay::none;
  double weight_decay = 0;
};

/// Adam (Kingma and Ba, ICLR 2015, algorithm 1), lazy: a row's moments decay when it is touched, not while it waits;
/// the bias correction counts all steps. As torch.optim.SparseAdam, but with epsilon as in algorithm 1. With decoupled
/// decay it is AdamW.
///
///     m = {beta1} * m + {1 - beta1} * g
///     v = {beta2} * v + {1 - beta2} * (g * g)
///     w = w - ({lr / (1 - beta1^t)} * m) / (sqrt(v) * {1 / sqrt(1 - beta2^t)} + {epsilon})
struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  WeightDecay decay = WeightDecay::none;
  double weight_decay = 0;
};

/// Adam with one second moment a row (FBGEMM's PARTIAL_ROWWISE_ADAM):
///
///     m = {beta1} * m + {1 - beta1} * g
///     v = {beta2} * v + {1 - beta2} * (sum(g * g) / dim)
///     w = w - ({lr / (1 - beta1^t)} / (sqrt(v) * {1 / sqrt(1 - beta2^t)} + {epsilon})) * m
struct PartialRowWiseAdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  WeightDecay decay = WeightDecay::none;
  double weight_decay = 0;
};

/// Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019): the name it is known by.
[[nodiscard]] inline AdamOptions adamw(double learning_rate = 0.001, double weight_decay = 0.01) {
  return {.learning_rate = learning_rate, .decay = WeightDecay::decoupled, .weight_decay = weight_decay};
}

using OptimizerOptions =
    std::variant<SgdOptions, AdagradOptions, RowWiseAdagradOptions, AdamOptions, PartialRowWiseAdamOptions>;

/// Where an optimizer stands between two steps, beside its state tables: what a checkpoint stores.
struct OptimizerProgress {
  std::int64_t step_count = 0;
  /// For Adam: beta1^step_count and beta2^step_count, as steps compute them: by repeated multiplication in double. If
  /// one is missing, restore() computes it so, with one multiplication for each step until the power no longer changes
  /// (for beta = 0.999 after 744,000 steps).
  std::optional<double> beta1_power = {};
  std::optional<double> beta2_power = {};
};

/// Applies batches of gradients to one table, and keeps the state for that. Move-only, as Table; clone() makes a copy.
/// One that was moved from may only be assigned to or destroyed.
class Optimizer {
 public:
  /// The optimizer that `options` describe for a rows x dim table, with its state. `name` is the table's, and prefixes
  /// the names of the state tables. Throws Error if rows < 0, dim < 0, their product overflows, or an option is out of
  /// its range, which the message gives (invalid_argument), or if memory is refused (out_of_memory).
  Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, std::string_view name = {});

  /// The same with other storage of weights and states. A split table starts with lower halves of 0, so that its floats
  /// are the bf16 values.
  ///
  /// Throws Error also (invalid_argument) if
  /// - an option of the storage is unknown, or state_format is not f32, bf16 or f64;
  /// - state_format is f64, and the weights are split or rounding is stochastic;
  /// - rounding is stochastic, and the weights are split with states of f32, which rounds nothing;
  /// - rounding is stochastic, and there is neither a name, nor a name or number of the stream.
  Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, const StorageOptions& storage,
            std::string_view name = {});

  /// The same with its state in the caller's memory, which must live as long as the optimizer: contiguous tables of the
  /// number, order, shapes and formats that state() gives. Their contents are the state: initial_accumulator is not
  /// applied.
  /// Throws Error also if a table is bad, has another format, or its row stride is not its dim (invalid_argument), if
  /// the number of tables or a shape is another (shape_mismatch), or if two share an element (overlap).
  Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, std::span<const TableView> state);
  Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, const StorageOptions& storage,
            std::span<const TableView> state);

  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;
  ~Optimizer();

  /// The same options, state, step count and learning rate, in memory of its own.
  /// Throws Error if the system refuses the memory (out_of_memory).
  [[nodiscard]] Optimizer clone() const;

  /// One step.
  ///
  ///     for each row r that the plan touches:
  ///       g = sum of coefficient * gradients[p, :] over r's gradient rows p, in the order of the ids, in blocks of
  ///           1,024; the coefficients are the plan's (see docs/numerics.md)
  ///       update weights[r, :] and the state of r
  ///
  /// Shapes: `weights` rows x dim, as this optimizer was made for; `gradients` one view for each backward pass, with
  /// dim columns, whose rows, one view after another, are the plan's gradient rows: one for each id, or for each bag.
  /// Formats: weights and each gradient are f32, bf16 or f16, and may differ; with a state_format of f64 all are f64.
  ///
  /// A plan that touches no row changes nothing, but the step counts, as in torch.optim.SparseAdam. `workspace`, if
  /// given, holds the scratch memory (see memory_required()). Runs in the caller's oneTBB arena. It writes weights and
  /// state: no other call may use those rows meanwhile.
  ///
  /// Throws Error, and changes nothing, if
  /// - a view is bad or has another format, or a storage option means nothing for the weights' format
  ///   (invalid_argument);
  /// - weights are f64, and the plan is of a mean or sqrtn without PlanOptions::double_coefficients (invalid_argument);
  /// - a float16 weight overflows under Overflow::error (invalid_argument);
  /// - a shape, the plan's rows or the plan's winners do not fit (shape_mismatch);
  /// - weights or state share an element with a gradient, the plan's winners or each other (overlap);
  /// - scratch memory is refused (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
  void step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
            Workspace* workspace = nullptr);
  void step(const TableView& weights, const Plan& plan, const ConstTableView& gradient,
            Workspace* workspace = nullptr) {
    step(weights, plan, std::span(&gradient, 1), workspace);
  }

  /// The same with options that scale, clip or check each row's finished sum g before the update. With any of them the
  /// sums of all touched rows are first written to the workspace. A step that skip_nonfinite leaves out changes nothing
  /// but skipped_steps().
  /// Throws Error also if an option is out of its range, which the message gives (invalid_argument).
  void step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
            const GradientOptions& options, Workspace* workspace = nullptr);
  void step(const TableView& weights, const Plan& plan, const ConstTableView& gradient, const GradientOptions& options,
            Workspace* workspace = nullptr) {
    step(weights, plan, std::span(&gradient, 1), options, workspace);
  }

  /// The bytes of Workspace that a step with `id_count` ids in `passes` gradient views uses at most.
  /// Throws Error (invalid_argument) unless both are 0 to 2^56.
  [[nodiscard]] std::size_t memory_required(std::int64_t id_count, std::int64_t passes = 1) const;
  /// The same for a step with options, over a plan of this pooling.
  [[nodiscard]] std::size_t memory_required(std::int64_t id_count, std::int64_t passes, const GradientOptions& options,
                                            Pooling pooling = Pooling::sum) const;

  /// "sgd", "adagrad", "row_wise_adagrad", "adam", "partial_row_wise_adam"
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] std::int64_t step_count() const { return progress().step_count; }
  /// The number of steps that skip_nonfinite left out since this optimizer was made. step_count() does not include
  /// them.
  [[nodiscard]] std::int64_t skipped_steps() const;
  [[nodiscard]] double learning_rate() const;
  /// Throws Error (invalid_argument) unless 0 <= learning_rate <= 3.4e38.
  void set_learning_rate(double learning_rate);

  [[nodiscard]] const OptimizerOptions& options() const;
  /// How weights and states are stored. The stream's name is the one in use; it lives as long as the optimizer.
  [[nodiscard]] const StorageOptions& storage() const;
  /// Changes any hyperparameter. State and step count stay; initial_accumulator has no effect any more.
  /// Throws Error (invalid_argument), and changes nothing, if an option is out of its range, or if `options` are of
  /// another kind of optimizer or need other state tables: a momentum where it was 0, or 0 where it was not.
  void set_options(const OptimizerOptions& options);

  /// The state tables, by name ("words.m"; "m" for a table without one): none for SGD, {momentum} with momentum;
  /// {accumulator} for Adagrad, of dim 1 when row-wise; {m, v} for Adam, v of dim 1 when row-wise. The others are
  /// rows x dim, and of the storage's state_format. Of a split table {low} comes after them. The views are valid until
  /// the optimizer is destroyed or assigned to; moving it leaves them valid.
  [[nodiscard]] std::span<const TableView> state();
  [[nodiscard]] std::span<const ConstTableView> state() const;

  /// The step count, and the powers that Adam keeps.
  [[nodiscard]] OptimizerProgress progress() const;

  /// Takes over another optimizer's progress() and state(), so that the next steps have the bits of its next steps.
  /// `state` are views of the same number, order, shapes and formats as state(), and are copied; a view that is this
  /// optimizer's own leaves that table as it is. The learning rate stays: see set_learning_rate().
  ///
  /// Throws Error, and changes nothing, if
  /// - the step count is negative, or a power is not in 0 .. 1 or given to an optimizer without betas
  ///   (invalid_argument);
  /// - a view is bad or has another format (invalid_argument), or their number or a shape is another (shape_mismatch);
  /// - a view shares an element with this optimizer's state, but is not the same table (overlap).
  void restore(const OptimizerProgress& progress, std::span<const ConstTableView> state);
  void restore(std::int64_t step_count, std::span<const ConstTableView> state) {
    restore(OptimizerProgress{.step_count = step_count}, state);
  }

 private:
  class Impl;
  explicit Optimizer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace rowmill
