// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rowmill/gather.hpp"
#include "rowmill/gradient_options.hpp"
#include "rowmill/max_norm.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table.hpp"

namespace rowmill {

/// Where a layer keeps the gradients that backward() recorded, until step() or zero_grad().
enum class Recorded : std::uint8_t {
  copied,      ///< in the layer's own memory, which it reuses: the caller's is free after backward()
  referenced,  ///< in the caller's memory, which must stay as it is: this saves a copy
};

/// What an Embedding is made with.
struct EmbeddingOptions {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  std::string name = {};
  std::optional<Initializer> initializer = {};  ///< default: Initializer::scaled_uniform_fan_out(dim), as Trax
  std::uint64_t seed = 0;
  /// Separates the initial values of layers that have one seed, one name (or none) and one shape.
  std::uint64_t stream = 0;
  Format format = Format::f32;  ///< of the table
  OptimizerOptions optimizer = SgdOptions{};
  OutOfRange out_of_range = OutOfRange::error;
  std::optional<std::int64_t> padding_id = {};  ///< its row starts at zero and never moves (torch: padding_idx)
  std::optional<MaxNorm> max_norm = {};         ///< forward() first scales the rows of the table down to it
  GradientOptions gradient = {};                ///< of each step
  Recorded recorded = Recorded::copied;
  /// How the optimizer stores weights and states. A stream with seed 0 gets the layer's seed, and one without a name
  /// the table's name.
  StorageOptions storage = {};
};

/// What the layers share: a table, its optimizer, and the gradients of the recorded passes.
class TrainedTable {
 public:
  [[nodiscard]] Table& table() { return table_; }
  [[nodiscard]] const Table& table() const { return table_; }
  [[nodiscard]] Optimizer& optimizer() { return optimizer_; }
  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }

 protected:
  /// The options of a layer that concern training.
  struct Training {
    const OptimizerOptions& optimizer;
    const std::optional<MaxNorm>& max_norm;
    const GradientOptions& gradient;
    Recorded recorded;
    const StorageOptions& storage;
    std::uint64_t seed;
  };
  /// `op`, here and below, is the layer's name in errors.
  TrainedTable(std::string_view op, Table table, const Training& training);

  /// Sets a row to zero: that of the padding id.
  void clear_row(std::int64_t row);
  /// The gradient of a pass is a view of a format that the table takes.
  void check_gradient(std::string_view op, const ConstTableView& gradient) const;
  /// Makes room for one more pass. Throws Error (out_of_memory), and leaves what is recorded.
  void prepare_pass(std::string_view op, const ConstTableView& gradient);
  /// Records the gradient of a pass that was prepared.
  void record_pass(const ConstTableView& gradient);
  /// Applies the passes by `plan_`, which is built. They stay recorded.
  void apply_passes() { optimizer_.step(table_, plan_, gradients_, gradient_options_, &workspace_); }

  Table table_;
  Optimizer optimizer_;
  std::optional<MaxNorm> max_norm_;
  GradientOptions gradient_options_;
  Recorded recorded_;
  Plan plan_;
  Workspace workspace_;
  std::vector<ConstTableView> gradients_;  // one for each recorded pass
  std::vector<Workspace> copies_;          // their memory, under Recorded::copied
};

/// The Embedding layer: a table, an optimizer, forward, backward, step.
///
///     Embedding words({.rows = 9088, .dim = 256, .optimizer = AdamOptions{}});
///     words.forward(ids, out);          // (batch, length) -> (batch, length, dim)
///     ...                               // the rest of the model computes grad = d loss / d out
///     words.backward(ids, grad);        // once or several times
///     words.step();                     // the touched rows move
///
/// One thread at a time may use a layer, except that forward() alone may run concurrently, unless there is a max_norm.
class Embedding : public TrainedTable {
 public:
  /// Throws Error as Table and Optimizer do, or if padding_id is not a row, or max_norm or an option of the gradient is
  /// out of its range (invalid_argument).
  explicit Embedding(const EmbeddingOptions& options);

  /// gather() from the table, with the layer's policy: out is ids.size() x dim. With a max_norm, renormalize() comes
  /// first, which writes the table: the const overload then throws Error (invalid_argument). Otherwise throws as
  /// gather() and renormalize() do.
  void forward(Ids ids, const TableView& out);
  void forward(Ids ids, const TableView& out) const;

  /// Records the gradient of one forward pass, d loss / d out, ids.size() x dim, for the next step(), in f32, bf16 or
  /// f16 (f64 for a table of f64). The ids are copied, and the gradient too unless the layer was made with
  /// Recorded::referenced. Gradients of equal ids, within a call and across calls, are summed. The padding id's
  /// positions are ignored.
  ///
  /// Throws Error, and records nothing, if the gradient or the ids are bad, or the gradient has another format
  /// (invalid_argument) or shape (shape_mismatch), an id is out of range (IdError), the gradient shares memory with the
  /// table (overlap), or memory is refused (out_of_memory).
  void backward(Ids ids, const ConstTableView& gradient);

  /// Applies what backward() recorded, then forgets it. With nothing recorded it does nothing. A recorded pass makes
  /// the step count, even one that trains no row: of no ids, or of the padding id alone. GradientOptions may leave a
  /// step out. Throws as Plan::build() and Optimizer::step() do; what was recorded then stays.
  void step();

  /// Forgets what backward() recorded.
  void zero_grad();

 private:
  OutOfRange out_of_range_;
  std::optional<std::int64_t> padding_id_;
  std::vector<std::int64_t> rows_;  // of the recorded passes, one after another; below 0: ignored
};

}  // namespace rowmill
