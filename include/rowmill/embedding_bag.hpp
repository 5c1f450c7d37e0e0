// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rowmill/bags.hpp"
#include "rowmill/embedding.hpp"
#include "rowmill/pool.hpp"

namespace rowmill {

/// What an EmbeddingBag is made with.
struct EmbeddingBagOptions {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  std::string name = {};
  std::optional<Initializer> initializer = {};  ///< default: Initializer::scaled_uniform_fan_out(dim), as Trax
  std::uint64_t seed = 0;
  Format format = Format::f32;  ///< of the table
  OptimizerOptions optimizer = SgdOptions{};
  Pooling pooling = Pooling::mean;
  OutOfRange out_of_range = OutOfRange::error;
};

/// The layer of pooled lookups: each bag of ids becomes one row, the sum or mean of theirs.
///
///     EmbeddingBag words({.rows = 9088, .dim = 256, .optimizer = RowWiseAdagradOptions{}});
///     words.forward(Bags(ids, batch, length), out);    // (batch, length) -> (batch, dim)
///     words.backward(Bags(ids, batch, length), grad);  // d loss / d out
///     words.step();                                    // the touched rows move
///
/// A bag's gradient is never expanded to a row for each id. One thread at a time may use a layer, except that forward()
/// alone may run concurrently, each call with a workspace of its own or none.
class EmbeddingBag : public TrainedTable {
 public:
  /// Throws Error as Table and Optimizer do.
  explicit EmbeddingBag(const EmbeddingBagOptions& options);

  /// Looks bags up: out is bags.size() x dim. As pool(), with the layer's pooling and policy.
  void forward(const Bags& bags, const TableView& out, Workspace* workspace = nullptr) const;

  /// Records the gradient of one forward pass, d loss / d out, bags.size() x dim, for the next step(). The ids are
  /// copied; the gradient is not, unless the pooling is a mean: its memory must stay as it is until step() or
  /// zero_grad(). Duplicate ids, within a call and across calls, are summed.
  /// Throws Error, and records nothing, if bags or shapes are wrong (see pool()), an id is out of range or the gradient
  /// shares memory with the table.
  void backward(const Bags& bags, const ConstTableView& gradient);

  /// Applies what backward() recorded, then forgets it. A step counts if a pass was recorded, also one that trains no
  /// row: of no bags, or of empty ones; with nothing recorded it does nothing.
  void step();

  /// Forgets what backward() recorded.
  void zero_grad();

 private:
  Pooling pooling_;
  OutOfRange out_of_range_;
  std::vector<std::int64_t> rows_;         // of the recorded passes, one after another; -1: left out
  std::vector<std::int64_t> offsets_;      // of their bags
  std::vector<ConstTableView> gradients_;  // one for each recorded pass
  std::vector<Workspace> copies_;          // of the gradients, for a mean
};

}  // namespace rowmill
