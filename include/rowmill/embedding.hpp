// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rowmill/gather.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table.hpp"

namespace rowmill {

/// What an Embedding is made with.
struct EmbeddingOptions {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  std::string name = {};
  std::optional<Initializer> initializer = {};  ///< default: Initializer::scaled_uniform_fan_out(dim), as Trax
  std::uint64_t seed = 0;
  Format format = Format::f32;  ///< of the table
  OptimizerOptions optimizer = SgdOptions{};
  OutOfRange out_of_range = OutOfRange::error;
  std::optional<std::int64_t> padding_id = {};  ///< its row starts at zero and never moves (torch: padding_idx)
};

/// What the layers share: a table and its optimizer.
class TrainedTable {
 public:
  [[nodiscard]] Table& table() { return table_; }
  [[nodiscard]] const Table& table() const { return table_; }
  [[nodiscard]] Optimizer& optimizer() { return optimizer_; }
  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }

 protected:
  TrainedTable(Table table, const OptimizerOptions& optimizer);

  Table table_;
  Optimizer optimizer_;
  Plan plan_;
  Workspace workspace_;
};

/// The Embedding layer: a table, an optimizer, forward, backward, step.
///
///     Embedding words({.rows = 9088, .dim = 256, .optimizer = AdamOptions{}});
///     words.forward(ids, out);          // (batch, length) -> (batch, length, dim)
///     ...                               // the rest of the model makes grad, d loss / d out
///     words.backward(ids, grad);        // once or several times
///     words.step();                     // the touched rows move
///
/// One thread at a time may use a layer, except that forward() alone may run concurrently.
class Embedding : public TrainedTable {
 public:
  /// Throws Error as Table and Optimizer do, or if padding_id is not a row (invalid_argument).
  explicit Embedding(const EmbeddingOptions& options);

  /// Looks up ids, a batch of any shape flattened: out is ids.size() x dim. As gather(), with the layer's policy.
  void forward(Ids ids, const TableView& out) const;

  /// Records the gradient of one forward pass, d loss / d out, ids.size() x dim, for the next step(). The ids are
  /// copied; the gradient is not: its memory must stay as it is until step() or zero_grad(). Duplicate ids, within a
  /// call and across calls, are summed. The padding id's positions are ignored.
  /// Throws Error, and records nothing, if shapes disagree, an id is out of range or the gradient shares memory with
  /// the table.
  void backward(Ids ids, const ConstTableView& gradient);

  /// Applies what backward() recorded, then forgets it. A step counts if a pass was recorded, also one that trains no
  /// row: of no ids, or of the padding id alone; with nothing recorded it does nothing.
  void step();

  /// Forgets what backward() recorded.
  void zero_grad();

 private:
  OutOfRange out_of_range_;
  std::optional<std::int64_t> padding_id_;
  std::vector<std::int64_t> rows_;         // of the recorded passes, one after another; -1: ignored
  std::vector<ConstTableView> gradients_;  // one for each recorded pass
};

}  // namespace rowmill
