// SPDX-License-Identifier: Apache-2.0
#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sentiment {
namespace {

std::uint64_t fnv1a_64(std::uint64_t hash, const rowmill::ConstTableView& table) {
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    for (const float x : table.row(r)) {
      unsigned char bytes[sizeof x];
      std::memcpy(bytes, &x, sizeof x);
      for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3U;
    }
  }
  return hash;
}

/// Glorot's uniform initialisation of the dense weights; the bias is set to zero after.
rowmill::Initializer glorot(std::int64_t dim) {
  const auto limit = static_cast<float>(std::sqrt(6.0 / static_cast<double>(dim + kLabels)));
  return rowmill::Initializer::uniform(-limit, limit);
}

}  // namespace

Model::Model(const ModelOptions& options)
    : dim_(options.dim),
      train_vectors_(options.vector_rate > 0),
      join_(options.join),
      embedding_({.rows = options.rows,
                  .dim = options.dim,
                  .name = "words",
                  .seed = options.seed,
                  .format = options.format,
                  .optimizer = rowmill::AdamOptions{.learning_rate = options.vector_rate * options.learning_rate},
                  .pooling = rowmill::Pooling::mean,
                  .storage = {.rounding = options.rounding, .split = options.split}}),
      dense_(kLabels, dim_ + 1, {.name = "dense", .initializer = glorot(dim_), .seed = options.seed}),
      dense_optimizer_(rowmill::AdamOptions{.learning_rate = options.learning_rate}, kLabels, dim_ + 1, "dense"),
      dense_plan_(std::vector<std::int32_t>{0, 1}, kLabels) {
  // The floats that the layer starts with are made again here: a split table would start with rounded ones.
  const auto initializer = rowmill::Initializer::scaled_uniform_fan_out(dim_);
  rowmill::Table vectors(options.rows, dim_, {.name = "words", .initializer = initializer, .seed = options.seed});
  static_assert(kPadding == 0);
  std::ranges::fill(vectors.view().row(kPadding), 0.0F);
  set_vectors(vectors);
  for (std::int64_t label = 0; label < kLabels; ++label) dense_.view().row(label).back() = 0;
}

void Model::forward(const EncodedCorpus& corpus, std::span<const std::int64_t> batch) {
  ids_.clear();
  offsets_.assign(1, 0);
  for (const std::int64_t i : batch) {
    const std::span<const std::int32_t> text = corpus.text(i);
    ids_.insert(ids_.end(), text.begin(), text.end());
    offsets_.push_back(std::ssize(ids_));
  }
  const auto texts = static_cast<std::int64_t>(batch.size());
  means_.resize(texts, dim_ + 1);
  means_.col(dim_).setOnes();
  const rowmill::Bags bags(ids_, offsets_);
  const rowmill::TableView means(means_.data(), texts, dim_, dim_ + 1);
  if (join_) {
    rowmill::pool(vectors(), bags, means, {.pooling = rowmill::Pooling::mean});
  } else {
    embedding_.forward(bags, means);
  }

  log_probabilities_.noalias() = means_ * dense().transpose();
  for (std::int64_t b = 0; b < texts; ++b) {
    auto row = log_probabilities_.row(b).array();
    row -= row.maxCoeff();
    row -= std::log(row.exp().sum());
  }
}

double Model::train(const EncodedCorpus& corpus, std::span<const std::int64_t> batch) {
  forward(corpus, batch);
  const auto texts = static_cast<std::int64_t>(batch.size());

  // d loss / d logits of the mean negative log-likelihood: (softmax - one-hot) / batch.
  double loss = 0;
  logit_gradient_ = log_probabilities_.array().exp();
  for (std::int64_t b = 0; b < texts; ++b) {
    const int label = corpus.labels[static_cast<std::size_t>(batch[static_cast<std::size_t>(b)])];
    loss -= static_cast<double>(log_probabilities_(b, label));
    logit_gradient_(b, label) -= 1;
  }
  logit_gradient_ /= static_cast<float>(texts);
  dense_gradient_.noalias() = logit_gradient_.transpose() * means_;
  if (train_vectors_) {
    mean_gradient_.noalias() = logit_gradient_ * dense().leftCols(dim_);
    embedding_.backward({ids_, offsets_}, rowmill::ConstTableView(mean_gradient_.data(), texts, dim_));
    embedding_.step();
  }
  dense_optimizer_.step(dense_, dense_plan_, rowmill::ConstTableView(dense_gradient_.data(), kLabels, dim_ + 1),
                        &workspace_);
  return loss;
}

double Model::accuracy(const EncodedCorpus& corpus) {
  constexpr std::int64_t kBatch = 64;
  std::vector<std::int64_t> batch;
  std::int64_t right = 0;
  for (std::int64_t begin = 0; begin < corpus.size(); begin += kBatch) {
    batch.clear();
    for (std::int64_t i = begin; i < std::min(begin + kBatch, corpus.size()); ++i) batch.push_back(i);
    forward(corpus, batch);
    for (std::size_t b = 0; b < batch.size(); ++b) {
      const auto row = static_cast<std::int64_t>(b);
      const int found = log_probabilities_(row, 1) > log_probabilities_(row, 0) ? 1 : 0;
      right += found == corpus.labels[static_cast<std::size_t>(batch[b])] ? 1 : 0;
    }
  }
  return static_cast<double>(right) / static_cast<double>(corpus.size());
}

bool Model::is_finite() const {
  const auto finite = [](const rowmill::ConstTableView& table) {
    for (std::int64_t r = 0; r < table.rows(); ++r) {
      if (!std::ranges::all_of(table.row(r), [](float x) { return std::isfinite(x); })) return false;
    }
    return true;
  };
  return finite(vectors()) && finite(dense_);
}

std::uint64_t Model::hash() const {
  constexpr std::uint64_t kOffset = 0xCBF29CE484222325U;
  return fnv1a_64(fnv1a_64(kOffset, vectors()), dense_);
}

rowmill::Table Model::vectors() const {
  const rowmill::Table& table = embedding_.table();
  rowmill::Table floats(table.rows(), table.dim());
  if (embedding_.optimizer().storage().split) {
    rowmill::join_split(table, embedding_.optimizer().state().back(), floats);
  } else {
    rowmill::convert(table, floats);
  }
  return floats;
}

void Model::set_vectors(const rowmill::ConstTableView& vectors) {
  if (embedding_.optimizer().storage().split) {
    rowmill::split(vectors, embedding_.table(), embedding_.optimizer().state().back());
  } else {
    rowmill::convert(vectors, embedding_.table());
  }
}

}  // namespace sentiment
