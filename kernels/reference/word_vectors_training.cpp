// SPDX-License-Identifier: Apache-2.0
// The training of word vectors, as plainly as docs/numerics.md describes it.
#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/reference/reference.hpp"
#include "kernels/reference/word_vectors.hpp"
#include "rowmill/random.hpp"
#include "rowmill/table.hpp"

namespace rowmill::reference {
namespace {

using Index = std::size_t;

/// The random words of one purpose.
struct Stream {
  std::array<std::uint32_t, 2> key;

  Stream(std::uint64_t seed, RandomPurpose purpose) : key(stream_key({.seed = seed, .purpose = purpose})) {}
  /// That of a position of an epoch.
  std::uint32_t of_position(std::uint64_t position, int epoch) const {
    const std::uint64_t block = position / 4;
    return philox4x32_10({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                          static_cast<std::uint32_t>(epoch), 0},
                         key)[position % 4];
  }
  /// Word `number` of those of a tile.
  std::uint32_t of_tile(std::uint64_t tile, int epoch, std::uint64_t number) const {
    return philox4x32_10({static_cast<std::uint32_t>(number / 4), static_cast<std::uint32_t>(tile),
                          static_cast<std::uint32_t>(tile >> 32), static_cast<std::uint32_t>(epoch)},
                         key)[number % 4];
  }
};

std::uint32_t threshold(double probability) {
  return probability < 1 ? static_cast<std::uint32_t>(probability * 0x1p32) : 0xFFFFFFFFU;
}

/// Walker's alias table of count^0.75, by Vose's algorithm: the latest slot that overflows fills the latest that is not
/// full. If it then overflows no longer, it becomes the latest that is not full.
struct AliasTable {
  std::vector<std::uint32_t> most;
  std::vector<std::int32_t> other;

  explicit AliasTable(std::span<const std::int64_t> counts) : most(counts.size(), 0xFFFFFFFFU), other(counts.size()) {
    std::vector<double> shares;
    double total = 0;
    for (const std::int64_t count : counts) {
      const double root = std::sqrt(static_cast<double>(count));
      shares.push_back(root * std::sqrt(root));
      total += shares.back();
    }
    std::vector<Index> small;
    std::vector<Index> large;
    for (Index w = 0; w < counts.size(); ++w) {
      other[w] = static_cast<std::int32_t>(w);
      shares[w] = shares[w] * static_cast<double>(counts.size()) / total;
      (shares[w] < 1 ? small : large).push_back(w);
    }
    while (!small.empty() && !large.empty()) {
      const Index filled = small.back();
      const Index from = large.back();
      small.pop_back();
      most[filled] = threshold(shares[filled]);
      other[filled] = static_cast<std::int32_t>(from);
      shares[from] = (shares[from] + shares[filled]) - 1;
      if (shares[from] < 1) {
        large.pop_back();
        small.push_back(from);
      }
    }
  }
  std::int32_t draw(std::uint32_t slot, std::uint32_t coin) const {
    const Index w = (slot * std::uint64_t{most.size()}) >> 32;
    return coin <= most[w] ? static_cast<std::int32_t>(w) : other[w];
  }
};

/// A word that was kept.
struct Kept {
  std::int32_t word;
  std::int64_t sentence;
  std::int64_t read;  // words read when it was
  std::int64_t width = 0;
};

/// A row that predicts the word at a position: the mean of its window, or the vector of the word at `context`.
struct Prediction {
  std::int64_t position;
  std::int64_t context;
  Row row;
  Row gradient = {};
  float target_coefficient = 0;
};

struct Update {
  std::int32_t row;
  float scale;
  Row values;
};

void add(std::vector<Row>& table, const std::vector<Update>& updates) {
  for (const Update& u : updates) {
    Row& row = table[static_cast<Index>(u.row)];
    for (Index c = 0; c < row.size(); ++c) row[c] += u.scale * u.values[c];
  }
}

/// A row with more than 4 updates of a tile gets the sum of 4 average ones, which does not overshoot.
void limit_repeats(std::span<Update> updates) {
  for (Update& u : updates) {
    const auto count = std::ranges::count(updates, u.row, &Update::row);
    u.scale *= count <= 4 ? 1.0F : 4.0F / static_cast<float>(count);
  }
}

struct Training {
  std::span<const std::int64_t> counts;
  const WordVectorOptions& options;
  std::vector<Row> vectors, output_vectors;
  AliasTable aliases{counts};
  Stream keep_stream{options.seed, RandomPurpose::word_vector_keep};
  Stream window_stream{options.seed, RandomPurpose::word_vector_window};
  Stream sample_stream{options.seed, RandomPurpose::word_vector_sample};
  std::vector<Kept> kept = {};

  void read_epoch(std::span<const std::int32_t> words, int epoch);
  bool holds(std::int64_t i, std::int64_t j) const;
  std::vector<std::vector<Prediction>> groups_of(std::int64_t begin, std::int64_t end) const;
  void run_tile(std::int64_t begin, std::int64_t end, std::uint64_t number, int epoch, double alpha,
                std::vector<Update>& in, std::vector<Update>& out) const;
  void run_group(std::vector<Prediction>& group, std::uint64_t tile, std::uint64_t number, int epoch, double alpha,
                 std::vector<Update>& samples) const;
};

void Training::read_epoch(std::span<const std::int32_t> words, int epoch) {
  double total = 0;
  for (const std::int64_t count : counts) total += static_cast<double>(count);
  kept.clear();
  std::int64_t read = 0;
  std::int64_t sentence = 0;
  std::int64_t length = 0;
  for (const std::int32_t word : words) {
    if (word == kSentenceEnd || length == 10000) {
      ++sentence;
      length = 0;
    }
    if (word == kSentenceEnd) continue;
    ++length;
    const double share = static_cast<double>(counts[static_cast<Index>(word)]) / total;
    const double p = (std::sqrt(share / options.sample) + 1) * (options.sample / share);
    const std::uint32_t most = options.sample == 0 ? 0xFFFFFFFFU : threshold(p);
    if (keep_stream.of_position(static_cast<std::uint64_t>(read++), epoch) > most) continue;
    const std::uint32_t random = window_stream.of_position(kept.size(), epoch);
    kept.push_back({word, sentence, read, 1 + random % static_cast<std::uint32_t>(options.window)});
  }
}

/// Whether the window of position i holds position j.
bool Training::holds(std::int64_t i, std::int64_t j) const {
  if (i == j || j < 0 || j >= static_cast<std::int64_t>(kept.size())) return false;
  const Kept& center = kept[static_cast<Index>(i)];
  return center.sentence == kept[static_cast<Index>(j)].sentence && std::abs(i - j) <= center.width;
}

void Training::run_group(std::vector<Prediction>& group, std::uint64_t tile, std::uint64_t number, int epoch,
                         double alpha, std::vector<Update>& samples) const {
  const auto rate = static_cast<float>(alpha);
  const auto sample_rate =
      static_cast<float>(alpha * (static_cast<double>(options.negative) / options.shared_negatives));
  for (Prediction& p : group) {
    const Row& target = output_vectors[static_cast<Index>(kept[static_cast<Index>(p.position)].word)];
    p.target_coefficient = rate * sigmoid(-dot(p.row.data(), target.data(), options.dim));
    for (const float x : target) p.gradient.push_back(p.target_coefficient * x);
  }
  for (int k = 0; k < options.shared_negatives; ++k) {
    const std::uint64_t draw = number * static_cast<std::uint64_t>(options.shared_negatives) + static_cast<Index>(k);
    const std::int32_t word =
        aliases.draw(sample_stream.of_tile(tile, epoch, 2 * draw), sample_stream.of_tile(tile, epoch, 2 * draw + 1));
    const Row& sample = output_vectors[static_cast<Index>(word)];
    Row sum(sample.size(), 0.0F);
    for (Prediction& p : group) {
      if (kept[static_cast<Index>(p.position)].word == word) {
        // 0 * x adds nothing to the sums, unless x is no number.
        for (Index c = 0; c < sum.size(); ++c) p.gradient[c] += 0.0F * sample[c];
        for (Index c = 0; c < sum.size(); ++c) sum[c] += 0.0F * p.row[c];
        continue;
      }
      const float coefficient = -(sample_rate * sigmoid(dot(sample.data(), p.row.data(), options.dim)));
      for (Index c = 0; c < sum.size(); ++c) p.gradient[c] += coefficient * sample[c];
      for (Index c = 0; c < sum.size(); ++c) sum[c] += coefficient * p.row[c];
    }
    samples.push_back({word, 1, sum});
  }
}

/// The predictions of a tile, in groups that share samples. Group r of CBOW has those of positions r, r + 16, ..., also
/// if all of their windows are empty. Those of skip-gram are cut into groups of 16, of which the last may be smaller.
std::vector<std::vector<Prediction>> Training::groups_of(std::int64_t begin, std::int64_t end) const {
  const auto dim = static_cast<Index>(options.dim);
  const std::int64_t window = options.window;
  const bool cbow = options.model == WordVectorModel::cbow;
  const auto row_of = [&](std::int64_t position) -> const Row& {
    return vectors[static_cast<Index>(kept[static_cast<Index>(position)].word)];
  };

  std::vector<std::vector<Prediction>> groups;
  for (std::int64_t r = 0; r < 16; ++r) {
    std::vector<Prediction> all;
    for (std::int64_t d = -window; d <= window; ++d) {
      for (std::int64_t i = begin + r; i < end; i += 16) {
        if (cbow && d == -window) {
          Row sum(dim, 0.0F);
          std::int64_t words = 0;
          for (std::int64_t j = i - window; j <= i + window; ++j) {
            if (!holds(i, j)) continue;
            for (Index c = 0; c < dim; ++c) sum[c] += row_of(j)[c];
            ++words;
          }
          for (float& x : sum) x *= words == 0 ? 1.0F : 1.0F / static_cast<float>(words);
          if (words > 0) all.push_back({i, -1, sum});
        } else if (!cbow && holds(i, i + d)) {
          all.push_back({i, i + d, row_of(i + d)});
        }
      }
    }
    if (cbow && begin + r < end) groups.push_back(all);
    for (Index first = 0; !cbow && first < all.size(); first += 16) {
      groups.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(first),
                          all.begin() + static_cast<std::ptrdiff_t>(std::min<Index>(first + 16, all.size())));
    }
  }
  return groups;
}

void Training::run_tile(std::int64_t begin, std::int64_t end, std::uint64_t number, int epoch, double alpha,
                        std::vector<Update>& in, std::vector<Update>& out) const {
  const auto dim = static_cast<Index>(options.dim);
  const std::int64_t window = options.window;
  const bool cbow = options.model == WordVectorModel::cbow;
  std::vector<std::vector<Prediction>> groups = groups_of(begin, end);
  std::vector<Update> samples;
  for (Index g = 0; g < groups.size(); ++g) run_group(groups[g], number, g, epoch, alpha, samples);

  std::vector<const Prediction*> in_order;
  for (const auto& group : groups) {
    for (const Prediction& p : group) in_order.push_back(&p);
  }
  if (cbow) std::ranges::sort(in_order, {}, &Prediction::position);

  const Index in_begin = in.size();
  const Index out_begin = out.size();
  for (std::int64_t j = begin - window; j < end + window; ++j) {
    Row sum(dim, 0.0F);
    bool any = false;
    for (const Prediction* p : in_order) {
      if (cbow ? !holds(p->position, j) : p->context != j) continue;
      for (Index c = 0; c < dim; ++c) sum[c] += p->gradient[c];
      any = true;
    }
    if (any) in.push_back({kept[static_cast<Index>(j)].word, 1, sum});
  }
  for (std::int64_t i = begin; i < end; ++i) {
    Row sum(dim, 0.0F);
    bool any = false;
    for (const Prediction* p : in_order) {
      if (p->position != i) continue;
      any = true;
      if (cbow) out.push_back({kept[static_cast<Index>(i)].word, p->target_coefficient, p->row});
      for (Index c = 0; c < dim; ++c) sum[c] += p->target_coefficient * p->row[c];
    }
    if (any && !cbow) out.push_back({kept[static_cast<Index>(i)].word, 1, sum});
  }
  limit_repeats(std::span(in).subspan(in_begin));
  limit_repeats(std::span(out).subspan(out_begin));
  out.insert(out.end(), samples.begin(), samples.end());
}

}  // namespace

WordVectors train_word_vectors(std::span<const std::int64_t> counts, const WordVectorOptions& options,
                               std::span<const std::int32_t> words) {
  const auto n = static_cast<std::int64_t>(counts.size());
  const auto bound = static_cast<float>(1.0 / static_cast<double>(options.dim));
  const Table start(n, options.dim,
                    {.name = "vectors", .initializer = Initializer::uniform(-bound, bound), .seed = options.seed});
  Training training{.counts = counts, .options = options, .vectors = {}, .output_vectors = {}};
  for (std::int64_t w = 0; w < n; ++w) {
    training.vectors.emplace_back(start.view().row(w).begin(), start.view().row(w).end());
    training.output_vectors.emplace_back(static_cast<Index>(options.dim), 0.0F);
  }
  double epoch_words = 0;
  for (const std::int64_t count : counts) epoch_words += static_cast<double>(count);
  const auto words_of_epoch = static_cast<std::int64_t>(words.size()) - std::ranges::count(words, kSentenceEnd);

  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    training.read_epoch(words, epoch);
    const auto size = static_cast<std::int64_t>(training.kept.size());
    for (std::int64_t first = 0; first < size; first += options.batch) {
      // The learning rate is that of when the words that the batch's windows may reach had been read.
      const std::int64_t waits_for = first + options.batch + options.window;
      const std::int64_t read =
          waits_for <= size ? training.kept[static_cast<Index>(waits_for) - 1].read : words_of_epoch;
      const double done = (epoch_words * epoch + static_cast<double>(read)) / (epoch_words * options.epochs);
      const double alpha = std::max(options.alpha - (options.alpha - options.min_alpha) * done, options.min_alpha);
      std::vector<Update> in;
      std::vector<Update> out;
      for (std::int64_t tile = first; tile < std::min(first + options.batch, size); tile += 256) {
        training.run_tile(tile, std::min({tile + 256, first + options.batch, size}),
                          static_cast<Index>(tile / std::min<std::int64_t>(options.batch, 256)), epoch, alpha, in, out);
      }
      add(training.vectors, in);
      add(training.output_vectors, out);
    }
  }
  return {training.vectors, training.output_vectors};
}

}  // namespace rowmill::reference
