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

/// Where a layer has the gradients that backward() recorded, until step() or zero_grad().
enum class Recorded : std::uint8_t {
  copied,      ///< in memory of the layer's, which is used again: the caller's is free after backward()
  referenced,  ///< where they are: the caller's memory must stay as it is. It saves a copy
};

/// What an Embedding is made with.
struct EmbeddingOptions {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  std::string name = {};
  std::optional<Initializer> initializer = {};  ///< default: Initializer::scaled_uniform_fan_out(dim), as Trax
  std::uint64_t seed = 0;
  /// Separates the first values of layers with one seed and one name, or without a name: two of one shape have the same
  /// ones otherwise.
  std::uint64_t stream = 0;
  Format format = Format::f32;  ///< of the table
  OptimizerOptions optimizer = SgdOptions{};
  OutOfRange out_of_range = OutOfRange::error;
  std::optional<std::int64_t> padding_id = {};  ///< its row starts at zero and never moves (torch: padding_idx)
  std::optional<MaxNorm> max_norm = {};         ///< forward() scales the rows down to it, for good
  GradientOptions gradient = {};                ///< of each step
  Recorded recorded = Recorded::copied;
  /// How the optimizer stores weights and states. A stream without a seed has the layer's, and one without a name the
  /// table's.
  StorageOptions storage = {};
};

/// What the layers share: a table, its optimizer, and the gradients of the passes that are recorded.
class TrainedTable {
 public:
  [[nodiscard]] Table& table() { return table_; }
  [[nodiscard]] const Table& table() const { return table_; }
  [[nodiscard]] Optimizer& optimizer() { return optimizer_; }
  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }

 protected:
  /// What a layer's options have beside its lookups. `op` is the layer's name in errors.
  struct Training {
    const OptimizerOptions& optimizer;
    const std::optional<MaxNorm>& max_norm;
    const GradientOptions& gradient;
    Recorded recorded;
    const StorageOptions& storage;
    std::uint64_t seed;
  };
  TrainedTable(std::string_view op, Table table, const Training& training);

  /// The row of the padding id becomes zero.
  void clear_row(std::int64_t row);
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
  std::vector<Workspace> copies_;          // of them, where they are copied
};

/// The Embedding layer: a table, an optimizer, forward, backward, step.
///
///     Embedding words({.rows = 9088, .dim = 256, .optimizer = AdamOptions{}});
///     words.forward(ids, out);          // (batch, length) -> (batch, length, dim)
///     ...                               // the rest of the model makes grad, d loss / d out
///     words.backward(ids, grad);        // once or several times
///     words.step();                     // the touched rows move
///
/// One thread at a time may use a layer, except that forward() alone may run concurrently, unless there is a max_norm.
class Embedding : public TrainedTable {
 public:
  /// Throws Error as Table and Optimizer do, or if padding_id is not a row, or max_norm or an option of the gradient is
  /// out of its range (invalid_argument).
  explicit Embedding(const EmbeddingOptions& options);

  /// Looks up ids, a batch of any shape flattened: out is ids.size() x dim. As gather(), with the layer's policy. With
  /// a max_norm, renormalize() comes first, which writes the table: a layer that is const refuses (invalid_argument).
  void forward(Ids ids, const TableView& out);
  void forward(Ids ids, const TableView& out) const;

  /// Records the gradient of one forward pass, d loss / d out, ids.size() x dim, for the next step(), in f32, bf16 or
  /// f16. The ids are copied, and the gradient is unless the layer was made with Recorded::referenced. Duplicate ids,
  /// within a call and across calls, are summed. The padding id's positions are ignored. Throws Error, and records
  /// nothing, if shapes disagree, an id is out of range, the gradient shares memory with the table or memory is
  /// refused.
  void backward(Ids ids, const ConstTableView& gradient);

  /// Applies what backward() recorded, then forgets it. A step counts if a pass was recorded, also one that trains no
  /// row: of no ids, or of the padding id alone; with nothing recorded it does nothing. See GradientOptions for steps
  /// that are left out.
  void step();

  /// Forgets what backward() recorded.
  void zero_grad();

 private:
  OutOfRange out_of_range_;
  std::optional<std::int64_t> padding_id_;
  std::vector<std::int64_t> rows_;  // of the recorded passes, one after another; below 0: ignored
};

}  // namespace rowmill
