// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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
  std::uint64_t stream = 0;     ///< as of EmbeddingOptions
  Format format = Format::f32;  ///< of the table
  OptimizerOptions optimizer = SgdOptions{};
  Pooling pooling = Pooling::mean;
  OutOfRange out_of_range = OutOfRange::error;
  Divisor divisor = Divisor::count;  ///< of a mean or sqrtn of bags with weights
  /// As Bags::with_padding(). If it is a row of the table, that row starts at zero and never moves.
  std::optional<std::int64_t> padding_id = {};
  std::optional<MaxNorm> max_norm = {};  ///< forward() first scales the rows of the table down to it
  GradientOptions gradient = {};         ///< of each step
  Recorded recorded = Recorded::copied;
  StorageOptions storage = {};  ///< as of EmbeddingOptions
};

/// The layer of pooled lookups: each bag of ids becomes one output row, pooled from the rows of its ids.
///
///     EmbeddingBag words({.rows = 9088, .dim = 256, .optimizer = RowWiseAdagradOptions{}});
///     words.forward(Bags(ids, batch, length), out);    // (batch, length) -> (batch, dim)
///     words.backward(Bags(ids, batch, length), grad);  // d loss / d out
///     words.step();                                    // the touched rows move
///
/// Weights of the ids come with the bags. A bag's gradient is never expanded to a row for each id. One thread at a time
/// may use a layer, except that forward() alone may run concurrently, each call with a workspace of its own or none,
/// unless there is a max_norm.
class EmbeddingBag : public TrainedTable {
 public:
  /// Throws Error as Table and Optimizer do, or if max_norm or an option of the gradient is out of its range, or the
  /// divisor does not go with the pooling (invalid_argument).
  explicit EmbeddingBag(const EmbeddingBagOptions& options);

  /// pool() from the table, with the layer's pooling, policy and padding id: out is bags.size() x dim. With a max_norm,
  /// renormalize() comes first, which writes the table: the const overload then throws Error (invalid_argument).
  /// Otherwise throws as pool() and renormalize() do, or if the layer has a padding id and the bags have another one
  /// (invalid_argument).
  void forward(const Bags& bags, const TableView& out, Workspace* workspace = nullptr);
  void forward(const Bags& bags, const TableView& out, Workspace* workspace = nullptr) const;

  /// Records the gradient of one forward pass, d loss / d out, bags.size() x dim, for the next step(), in f32, bf16 or
  /// f16 (f64 for a table of f64). Ids and weights are copied, and the gradient too unless the layer was made with
  /// Recorded::referenced. Gradients of equal ids, within a call and across calls, are summed. For max, the table must
  /// still be as forward() left it: it is read again, to find the winners. `weight_gradients`, if not empty, receives
  /// d loss / d weight of each id: see pool_weight_gradients(), which takes no gradients of bf16 and f16.
  ///
  /// Throws Error, and records and writes nothing, if the gradient is bad, or has another format (invalid_argument) or
  /// shape (shape_mismatch), the bags are wrong or an id is out of range (see pool()), weight_gradients are wrong (see
  /// pool_weight_gradients()), the gradient shares memory with the table (overlap), or memory is refused
  /// (out_of_memory).
  void backward(const Bags& bags, const ConstTableView& gradient, std::span<float> weight_gradients = {});

  /// Applies what backward() recorded, then forgets it. With nothing recorded it does nothing. A recorded pass makes
  /// the step count, even one that trains no row: of no bags, or of empty ones. GradientOptions may leave a step out.
  /// Throws as Plan::build() and Optimizer::step() do; what was recorded then stays.
  void step();

  /// Forgets what backward() recorded.
  void zero_grad();

 private:
  [[nodiscard]] Bags with_own_padding(const Bags& bags) const;
  /// How many winners belong to the recorded passes.
  [[nodiscard]] std::size_t winner_count() const {
    return (offsets_.size() - 1) * static_cast<std::size_t>(table_.dim());
  }

  PoolOptions options_;
  std::optional<std::int64_t> padding_id_;
  std::vector<std::int64_t> rows_;     // of the recorded passes, one after another; below 0: kDropped or kZeroRow
  std::vector<std::int64_t> offsets_;  // of their bags
  bool weighted_ = false;              // whether a recorded pass has weights
  std::vector<float> weights_;         // of the rows, if so
  std::vector<std::int32_t> winners_;  // of the bags, for max
};

}  // namespace rowmill
