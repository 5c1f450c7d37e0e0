// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <rowmill/rowmill.hpp>
#include <span>
#include <vector>

#include "vocabulary.hpp"

namespace sentiment {

inline constexpr std::int64_t kLabels = 2;

struct ModelOptions {
  std::int64_t rows = 9088;
  std::int64_t dim = 256;
  double learning_rate = 0.0005;
  std::uint64_t seed = 1;
  rowmill::Format format = rowmill::Format::f32;  ///< of the vectors, as the next two: bf16 or f16
  rowmill::Rounding rounding = rowmill::Rounding::nearest;
  bool split = false;      ///< of bf16: lookups read 16 bits, steps see floats
  bool join = false;       ///< of split vectors: lookups read the floats, joined for each batch: float32's bits, slowly
  double vector_rate = 1;  ///< learning rate of the vectors, in units of learning_rate; 0: they stay as they are
};

/// Embedding(rows, dim) -> Mean -> Dense(2) -> LogSoftmax, trained by Adam on the negative log-likelihood.
///
/// Embedding and mean are one layer, Rowmill's EmbeddingBag: a text is a bag of its words. The dense layer is small,
/// and Eigen's on one thread, so that its bits don't depend on the thread count. Its weights too are a table that
/// Rowmill's Adam updates: 2 rows, and the bias is their last column.
class Model {
 public:
  explicit Model(const ModelOptions& options);

  /// One step on the texts that `batch` numbers; returns the sum of their losses.
  double train(const EncodedCorpus& corpus, std::span<const std::int64_t> batch);

  /// The share of texts whose label the model finds.
  double accuracy(const EncodedCorpus& corpus);

  /// Whether all weights are finite numbers.
  [[nodiscard]] bool is_finite() const;

  /// FNV-1a-64 of all weights: equal models have equal hashes.
  [[nodiscard]] std::uint64_t hash() const;

  /// The vectors as floats; and what sets them.
  [[nodiscard]] rowmill::Table vectors() const;
  void set_vectors(const rowmill::ConstTableView& vectors);

 private:
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  /// Fills ids_, offsets_, means_ (with a last column of ones) and log_probabilities_.
  void forward(const EncodedCorpus& corpus, std::span<const std::int64_t> batch);
  [[nodiscard]] Eigen::Map<const Matrix> dense() const { return {dense_.data(), kLabels, dim_ + 1}; }

  std::int64_t dim_;
  bool train_vectors_;
  bool join_;
  rowmill::EmbeddingBag embedding_;
  rowmill::Table dense_;
  rowmill::Optimizer dense_optimizer_;
  rowmill::Plan dense_plan_;
  rowmill::Workspace workspace_;

  // Of the current batch; kept, so that training allocates nothing.
  std::vector<std::int32_t> ids_;      // of all texts, one after another
  std::vector<std::int64_t> offsets_;  // where each text begins
  Matrix means_;                       // batch x (dim + 1)
  Matrix log_probabilities_;           // batch x labels
  Matrix logit_gradient_;              // batch x labels
  Matrix mean_gradient_;               // batch x dim
  Matrix dense_gradient_;              // labels x (dim + 1)
};

}  // namespace sentiment
