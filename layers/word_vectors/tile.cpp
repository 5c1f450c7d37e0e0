// SPDX-License-Identifier: Apache-2.0
// A tile of word vectors: windows, samples, gradients, and the updates that follow.
#include "layers/word_vectors/tile.hpp"

#include <algorithm>

#include "kernels/core/dispatch.hpp"
#include "kernels/random/streams.hpp"
#include "layers/word_vectors/row_counts.hpp"

namespace rowmill::word_vectors {

void random_words(Key key, std::uint64_t first, std::uint32_t epoch, std::uint32_t* out, std::int64_t count) {
  const std::uint64_t block = first / 4;
  kernels().philox_u32({{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), epoch, 0},
                        {key[0], key[1]},
                        count / 4,
                        out});
}

/// Up to 16 rows that each predict a word, and share their samples.
struct Tile::Group {
  const float* rows[kGroup];
  const float* targets[kGroup];
  std::int32_t target_ids[kGroup];  // -1 where there is none
  float* gradients[kGroup];
  float* target_coefficients;

  /// An empty group.
  Group(const float* zeros, float* unread, float* coefficients) : target_coefficients(coefficients) {
    std::ranges::fill(rows, zeros);
    std::ranges::fill(targets, zeros);
    std::ranges::fill(target_ids, -1);
    std::ranges::fill(gradients, unread);
  }
};

Tile::Tile(const Model& model, Carver& memory) {
  const std::int64_t groups = model.most_groups();
  const std::int64_t spread = kTile + 2 * model.window;
  const bool cbow = model.kind == WordVectorModel::cbow;
  left_ = memory.take<std::int32_t>(kTile + 4 * model.window);
  right_ = memory.take<std::int32_t>(kTile + 4 * model.window);
  if (left_ != nullptr) {
    std::fill_n(left_, kTile + 4 * model.window, 0);
    std::fill_n(right_, kTile + 4 * model.window, 0);
    left_ += 2 * model.window;
    right_ += 2 * model.window;
  }
  rows_ = memory.take<float>(kTile * model.dim);
  spread_ = memory.take<float>(spread * model.dim);
  if (cbow) {
    gradients_ = spread_ == nullptr ? nullptr : spread_ + 2 * model.window * model.dim;
  } else {
    gradients_ = memory.take<float>(kGroup * model.dim);
  }
  sample_gradients_ = memory.take<float>(groups * model.samples * model.dim);
  unread_ = memory.take<float>(model.dim);
  target_coefficients_ = memory.take<float>(cbow ? kTile : kGroup);
  target_scores_ = memory.take<float>(kGroup);
  scores_ = memory.take<float>(kGroup * model.samples);
  coefficients_ = memory.take<float>(kGroup * model.samples);
  random_ = memory.take<std::uint32_t>(std::max(kTile, groups * model.samples * 2));
  samples_ = memory.take<std::int32_t>(groups * model.samples);
  const std::int64_t entries = std::max(spread, kTile + groups * model.samples);
  listed_ = memory.take<ScaledRow>(entries);
  slots_ = memory.take<std::uint16_t>(spread);
  owners_ = memory.take<std::uint8_t>(entries);
  vectors.rows = memory.take<ScaledRow>(spread);
  output_vectors.rows = memory.take<ScaledRow>(kTile + groups * model.samples);
}

void Entries::apply(std::int64_t owner, float* table, std::int64_t dim) const {
  kernels().add_scaled_rows_f32({table, dim, rows + begin[owner], begin[owner + 1] - begin[owner], dim});
}

void Tile::prepare(const Model& model, const TileInput& input) {
  find_windows(model, input);
  draw_samples(model, input);
  vectors.touched.clear();
  for (std::int64_t j = -std::min(input.before, model.window); j < std::min(input.after, input.count + model.window);
       ++j) {
    vectors.touched.add(input.ids[j]);
  }
  output_vectors.touched.clear();
  for (std::int64_t i = 0; i < input.count; ++i) output_vectors.touched.add(input.ids[i]);
  for (std::int64_t s = 0; s < groups_ * model.samples; ++s) output_vectors.touched.add(samples_[s]);
}

void Tile::run(const Model& model, const TileInput& input, std::span<const Tile> all) {
  loss = {};
  if (model.kind == WordVectorModel::cbow) {
    run_cbow(model, input);
  } else {
    run_skip_gram(model, input);
  }
  find_shared(all);
  list_entries(model, input);
  vectors.apply(kOwners, model.vectors, model.dim);
  output_vectors.apply(kOwners, model.output_vectors, model.dim);
}

void Tile::find_windows(const Model& model, const TileInput& input) {
  random_words(model.window_key, input.position, input.epoch, random_, kTile);
  const std::int64_t most = model.window;
  std::int64_t run = 0;  // positions of the sentence before this one
  for (std::int64_t p = -std::min(input.before, most); p < input.count; ++p) {
    run = input.begins[p] != 0 || p == -input.before ? 0 : std::min(run + 1, most);
    if (p < 0) continue;
    const auto width = static_cast<std::int64_t>(random_[p] % static_cast<std::uint32_t>(most)) + 1;
    left_[p] = static_cast<std::int32_t>(std::min(run, width));
    right_[p] = static_cast<std::int32_t>(width);
  }
  run = 0;  // and after it
  for (std::int64_t p = std::min(input.after, input.count + most) - 1; p >= 0; --p) {
    run = p + 1 == input.after || input.begins[p + 1] != 0 ? 0 : std::min(run + 1, most);
    if (p < input.count) right_[p] = static_cast<std::int32_t>(std::min<std::int64_t>(run, right_[p]));
  }
  std::fill(left_ + input.count, left_ + kTile, 0);
  std::fill(right_ + input.count, right_ + kTile, 0);
}

/// Draws the samples of all groups at once.
void Tile::draw_samples(const Model& model, const TileInput& input) {
  groups_ = 0;
  for (std::int64_t r = 0; r < std::min(kGroups, input.count); ++r) {
    std::int64_t rows = 0;
    for (std::int64_t i = r; i < input.count; i += kGroups) {
      rows += model.kind == WordVectorModel::cbow ? 1 : left_[i] + right_[i];
    }
    groups_ += (rows + kGroup - 1) / kGroup;
  }
  const std::int64_t count = groups_ * model.samples;
  kernels().philox_u32(
      {{0, static_cast<std::uint32_t>(input.number), static_cast<std::uint32_t>(input.number >> 32), input.epoch},
       {model.sample_key[0], model.sample_key[1]},
       (count / 2 + 15) / 16 * 16,
       random_});
  for (std::int64_t s = 0; s < count; ++s) {
    samples_[s] = draw(model.aliases, model.words, random_[2 * s], random_[2 * s + 1]);
  }
}

/// `next` is the group after this one, whose rows are prefetched, or null.
void Tile::run_group(const Model& model, const Group& group, std::int64_t number, double alpha, const Group* next) {
  constexpr std::int64_t kMaxSamples = 64;
  const float* samples[kMaxSamples];
  const float* later[kMaxSamples + kGroup];
  std::int64_t later_count = 0;
  const std::int32_t* const ids = samples_ + number * model.samples;
  const auto row = [&](std::int32_t id) { return model.output_vectors + id * model.dim; };
  for (std::int64_t s = 0; s < model.samples; ++s) {
    samples[s] = row(ids[s]);
    if (number + 1 < groups_) later[later_count++] = row(ids[s + model.samples]);
  }
  if (next != nullptr) {
    std::ranges::copy(next->targets, later + later_count);
    later_count += kGroup;
  }
  const KernelTable& k = kernels();
  k.dot_pairs_f32({group.rows, group.targets, target_scores_, model.dim});
  k.dot_tile_f32({group.rows, samples, model.samples, later, later_count, scores_, model.dim});
  k.sample_coefficients_f32_i32({target_scores_, scores_, group.target_ids, ids, model.samples,
                                 static_cast<float>(alpha), static_cast<float>(alpha * model.sample_weight),
                                 group.target_coefficients, coefficients_});
  k.coefficient_tile_f32({group.rows, group.targets, group.target_coefficients, samples, model.samples, coefficients_,
                          group.gradients, sample_gradients_ + number * model.samples * model.dim, model.dim});
  if (number == 0) add_loss(model, group, alpha);
}

/// Computes the loss from the coefficients, which are sigmoids times the learning rate. One logarithm of a product
/// replaces those of 16 factors.
void Tile::add_loss(const Model& model, const Group& group, double alpha) {
  const auto of = [](double sigmoid) {
    constexpr double kLeast = 0x1p-25;
    return std::max(1 - sigmoid, kLeast);
  };
  const double rate = static_cast<float>(alpha);
  const double sample_rate = static_cast<float>(alpha * model.sample_weight);
  double of_targets = 1;
  for (std::int64_t i = 0; i < kGroup; ++i) {
    loss.predictions += group.target_ids[i] >= 0 ? 1 : 0;
    of_targets *= of(group.target_coefficients[i] / rate);
  }
  double of_samples = 0;
  for (std::int64_t k = 0; k < model.samples; ++k) {
    double product = 1;
    for (std::int64_t i = 0; i < kGroup; ++i) product *= of(-coefficients_[k * kGroup + i] / sample_rate);
    of_samples -= natural_log(product);
  }
  loss.sum = model.sample_weight * of_samples - natural_log(of_targets);
}

void Tile::run_cbow(const Model& model, const TileInput& input) {
  const std::int64_t dim = model.dim;
  kernels().window_mean_f32_i32(
      {model.vectors, dim, input.ids, input.after, left_, right_, input.count, model.window, model.zeros, rows_, dim});
  const auto group_of = [&](std::int64_t r) {
    Group group(model.zeros, unread_, target_coefficients_ + r * kGroup);
    for (std::int64_t i = r; i < input.count; i += kGroups) {
      const std::int64_t at = i / kGroups;
      const bool empty = left_[i] + right_[i] == 0;
      group.rows[at] = rows_ + i * dim;
      group.gradients[at] = gradients_ + i * dim;
      group.targets[at] = model.output_vectors + input.ids[i] * dim;
      group.target_ids[at] = empty ? -1 : input.ids[i];
    }
    return group;
  };
  Group group = group_of(0);
  for (std::int64_t r = 0; r < groups_; ++r) {
    const Group next = group_of(std::min(r + 1, groups_ - 1));
    run_group(model, group, r, input.alpha, &next);
    group = next;
  }
  kernels().window_transpose_f32({gradients_, left_, right_, input.count, model.window, model.zeros, spread_, dim});
}

void Tile::run_skip_gram(const Model& model, const TileInput& input) {
  const std::int64_t dim = model.dim;
  const std::int64_t window = model.window;
  std::fill_n(rows_, kTile * dim, 0.0F);
  std::fill_n(spread_, (kTile + 2 * window) * dim, 0.0F);

  std::int64_t number = 0;
  for (std::int64_t r = 0; r < kGroups; ++r) {
    ScaledRow to_outputs[kGroup];
    ScaledRow to_words[kGroup];
    std::int64_t pairs = 0;
    Group group(model.zeros, unread_, target_coefficients_);
    const auto finish = [&] {
      run_group(model, group, number++, input.alpha, nullptr);
      for (std::int64_t p = 0; p < pairs; ++p) to_outputs[p].scale = target_coefficients_[p];
      kernels().add_scaled_rows_f32({rows_, dim, to_outputs, pairs, dim});
      kernels().add_scaled_rows_f32({spread_, dim, to_words, pairs, dim});
      group = Group(model.zeros, unread_, target_coefficients_);
      pairs = 0;
    };
    for (std::int64_t d = -window; d <= window; ++d) {
      for (std::int64_t i = r; d != 0 && i < input.count; i += kGroups) {
        if (d < -left_[i] || d > right_[i]) continue;
        group.rows[pairs] = model.vectors + input.ids[i + d] * dim;
        group.gradients[pairs] = gradients_ + pairs * dim;
        group.targets[pairs] = model.output_vectors + input.ids[i] * dim;
        group.target_ids[pairs] = input.ids[i];
        to_outputs[pairs] = {group.rows[pairs], static_cast<std::int32_t>(i), 0};
        to_words[pairs] = {group.gradients[pairs], static_cast<std::int32_t>(i + d + window), 1};
        if (++pairs == kGroup) finish();
      }
    }
    if (pairs > 0) finish();
  }
}

void Tile::find_shared(std::span<const Tile> all) {
  // Looking into the filters of many tiles would take longer than it saves.
  constexpr std::size_t kMostFilters = 8;
  for (Entries Tile::*entries : {&Tile::vectors, &Tile::output_vectors}) {
    RowFilter& shared = (this->*entries).shared;
    if (all.size() > kMostFilters) {
      shared.add_all_rows();
      continue;
    }
    shared.clear();
    for (const Tile& tile : all) {
      if (&tile != this) shared.add((tile.*entries).touched);
    }
  }
}

void Tile::list_entries(const Model& model, const TileInput& input) {
  const std::int64_t dim = model.dim;
  const std::int64_t window = model.window;
  // Position j is in some window if it is in that of a neighbour, which has a word on each side in its sentence; or,
  // outside the tile, in that of a position within reach.
  const auto in_a_window = [&](std::int64_t j) {
    if (j >= 0 && j < input.count && (left_[j + 1] > 0 || right_[j - 1] > 0)) return true;
    for (std::int64_t d = 1; d <= window; ++d) {
      if (left_[j + d] >= d || right_[j - d] >= d) return true;
    }
    return false;
  };
  ScaledRow* const listed = listed_;
  std::uint16_t* const slots = slots_;
  std::int64_t count = 0;
  RowCounts of_vectors;
  for (std::int64_t j = -window; j < input.count + window; ++j) {
    if (!in_a_window(j)) continue;
    listed[count] = {spread_ + (j + window) * dim, input.ids[j], 1.0F};
    slots[count++] = of_vectors.add(input.ids[j]);
  }
  for (std::int64_t e = 0; e < count; ++e) listed[e].scale = of_vectors.scale(slots[e]);
  sort_by_owner(vectors, count);

  count = 0;
  RowCounts of_outputs;
  const bool cbow = model.kind == WordVectorModel::cbow;
  for (std::int64_t i = 0; i < input.count; ++i) {
    if (left_[i] + right_[i] == 0) continue;
    const float scale = cbow ? target_coefficients_[i % kGroups * kGroup + i / kGroups] : 1.0F;
    listed[count] = {rows_ + i * dim, input.ids[i], scale};
    slots[count++] = of_outputs.add(input.ids[i]);
  }
  for (std::int64_t e = 0; e < count; ++e) listed[e].scale *= of_outputs.scale(slots[e]);
  for (std::int64_t s = 0; s < groups_ * model.samples; ++s) {
    listed[count++] = {sample_gradients_ + s * dim, samples_[s], 1.0F};
  }
  sort_by_owner(output_vectors, count);
}

/// Sorts the listed entries by owner, stably.
void Tile::sort_by_owner(Entries& entries, std::int64_t count) {
  const ScaledRow* const listed = listed_;
  std::uint8_t* const owners = owners_;
  std::int64_t counts[kOwners + 1] = {};
  for (std::int64_t e = 0; e < count; ++e) {
    const std::int32_t row = listed[e].row;
    // Without a branch, which would often be mispredicted.
    const std::int64_t owner = kOwners - (kOwners - owner_of(row)) * entries.shared.may_hold(row);
    owners[e] = static_cast<std::uint8_t>(owner);
    ++counts[owner];
  }
  std::int64_t next[kOwners + 1];
  std::int64_t sum = 0;
  for (std::int64_t o = 0; o <= kOwners; ++o) {
    entries.begin[o] = next[o] = sum;
    sum += counts[o];
  }
  entries.begin[kOwners + 1] = sum;
  ScaledRow* const rows = entries.rows;
  for (std::int64_t e = 0; e < count; ++e) rows[next[owners[e]]++] = listed[e];
}

}  // namespace rowmill::word_vectors
