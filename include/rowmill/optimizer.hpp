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

// All optimizers here are sparse ("lazy"): a step moves the rows that the batch's ids touch, and their state, and
// nothing else. A row's gradient g is the sum of its contributions, one for each position whose id is that row; it is
// formed first and applied once. In the formulas t is the number of this step, counting from 1; operations are float,
// element by element, in the order written, each rounded; what stands in {braces} is computed once a step in double
// and then rounded to float.

/// Stochastic gradient descent, with momentum b as PyTorch has it (Sutskever et al., ICML 2013, but with lr outside):
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
  /// For Adam: beta1^step_count and beta2^step_count by repeated multiplication in double, as steps compute them. If
  /// one is missing, restore() multiplies again: a multiplication a step, until the power changes no more (for beta =
  /// 0.999 after 744,000 steps).
  std::optional<double> beta1_power = {};
  std::optional<double> beta2_power = {};
};

/// Applies batches of gradients to one table, and keeps the state that takes. Move-only, as Table; clone() makes a
/// copy. One that was moved from may only be assigned to or destroyed.
class Optimizer {
 public:
  /// The optimizer that `options` describe for a rows x dim table, with its state. `name`, the table's, names the
  /// state. Throws Error if an option is out of its range, which the message gives (invalid_argument), or if the state
  /// does not fit in memory (out_of_memory).
  Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, std::string_view name = {});

  /// The same for weights of 16 bits or states of 16 bits. A split table starts with lower halves of 0: the floats are
  /// the bf16 values.
  /// Throws Error also if an option of the storage is none that its enum has, a state_format is not f32, bf16 or f64,
  /// rounding is stochastic without anything of 16 bits but a split table, or without a name, a stream number and a
  /// name of the stream (invalid_argument).
  Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, const StorageOptions& storage,
            std::string_view name = {});

  /// The same with its state in the caller's memory, which must live as long as the optimizer: tables of the number,
  /// order, shapes and formats that state() gives, each contiguous. What they hold is the state; an initial value among
  /// the options is not applied.
  /// Throws Error also if a table is bad or its row stride is not its dim (invalid_argument), the number or a shape is
  /// another (shape_mismatch), or two share an element (overlap).
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
  /// Shapes: `weights` rows x dim as this optimizer was made for, of f32, bf16 or f16; `gradients`: of these formats
  /// too, each its own, which are widened before they are summed: views with dim columns whose rows, one view after
  /// another, are the plan's gradient rows (one view for each backward pass that was accumulated): a row for each id,
  /// or for each bag. A plan that touches no row, of zero ids or of ignored ones, changes no row, but the step counts,
  /// as in torch.optim.SparseAdam. `workspace`, if given, holds the scratch memory (see memory_required). Runs in the
  /// caller's oneTBB arena. It writes weights and state: no other call may use those rows meanwhile.
  ///
  /// Throws Error, and changes nothing, if a view is bad (invalid_argument), shapes or plan disagree (shape_mismatch),
  /// weights or state share an element with a gradient, the plan's winners or each other (overlap), an option of the
  /// storage has no meaning for the weights' format, or a float16 weight overflows under Overflow::error
  /// (invalid_argument), or scratch memory is refused (out_of_memory).
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
  /// The number of steps that skip_nonfinite left out since this optimizer was made. They are no part of the step
  /// count.
  [[nodiscard]] std::int64_t skipped_steps() const;
  [[nodiscard]] double learning_rate() const;
  /// Throws Error (invalid_argument) unless 0 <= learning_rate <= 3.4e38.
  void set_learning_rate(double learning_rate);

  [[nodiscard]] const OptimizerOptions& options() const;
  /// How weights and states are stored. The stream's name is the one in use, and lives as long as the optimizer.
  [[nodiscard]] const StorageOptions& storage() const;
  /// Changes any hyperparameter. State and step count stay; an initial value has no effect any more.
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

  /// Sets what progress() and state() give, so that the next steps have the same bits as those of the optimizer that
  /// gave it. `state` are views of the same number, order, shapes and formats as state(); their contents are copied. A
  /// view that is this optimizer's own leaves that table as it is. The learning rate is not a part: see
  /// set_learning_rate().
  ///
  /// Throws Error, and changes nothing, if the step count is negative, a power is not in 0 .. 1, or is given to an
  /// optimizer that has none (invalid_argument); or if a view is bad (invalid_argument), has another shape, or there is
  /// another number of them (shape_mismatch), or it shares an element with the state in another way (overlap).
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
