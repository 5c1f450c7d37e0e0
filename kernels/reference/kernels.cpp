// SPDX-License-Identifier: Apache-2.0
// The leaf kernels of the `scalar` instruction set.
#include <cmath>

#include "kernels/kernel_list.hpp"
#include "kernels/plan/passes.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/format.hpp"

namespace rowmill::scalar {
namespace {

template <class Id>
std::int64_t find_bad_id(const FindBadIdArgs<Id>& a) {
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (a.ids[i] < a.lowest || a.ids[i] > a.highest) return i;
  }
  return a.count;
}

template <class Id>
void keep_ids(const KeepIdsArgs<Id>& a) {
  std::int64_t kept = 0;
  for (std::int64_t b = 0; b < a.bags; ++b) {
    const std::int64_t first = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    a.kept_begin[b] = kept;
    for (std::int64_t i = first; i < last; ++i) {
      if (a.ids[i] == a.dropped) continue;
      a.rows[kept] = a.ids[i];
      if (a.weights != nullptr) a.kept_weights[kept] = a.weights[i];
      ++kept;
    }
  }
  a.kept_begin[a.bags] = kept;
}

template <class Id>
void gather(Format from, Format to, const GatherArgs<Id>& a) {
  const auto* const table = static_cast<const std::byte*>(a.table);
  for (std::int64_t i = 0; i < a.count; ++i) {
    const bool is_row = a.ids[i] >= 0;
    const auto* const row = is_row ? table + a.ids[i] * a.table_stride * element_size(from) : nullptr;
    auto* const out = static_cast<std::byte*>(a.out) + i * a.out_stride * element_size(to);
    for (std::int64_t c = 0; c < a.dim; ++c) {
      reference::store(to, out, c, is_row ? reference::load(from, row, a.dim, c) : 0.0F);
    }
  }
}

template <class Id>
void gather_16bit(const GatherArgs<Id>& a) {
  const auto* const table = static_cast<const std::uint16_t*>(a.table);
  auto* const out = static_cast<std::uint16_t*>(a.out);
  for (std::int64_t i = 0; i < a.count; ++i) {
    for (std::int64_t c = 0; c < a.dim; ++c) {
      out[i * a.out_stride + c] = a.ids[i] < 0 ? std::uint16_t{0} : table[a.ids[i] * a.table_stride + c];
    }
  }
}

template <class Value>
void add_to(Value& x, float y) {
  x = static_cast<Value>(static_cast<float>(x) + y);
}

void scatter_add(Format format, Format values_format, const ScatterAddArgs& a) {
  for (std::int64_t k = 0; k < a.count; ++k) {
    if (a.rows[k] < 0) continue;
    auto* const row = static_cast<std::byte*>(a.table) + a.rows[k] * a.table_stride * element_size(format);
    const auto* const values =
        static_cast<const std::byte*>(a.values) + k * a.values_stride * element_size(values_format);
    for (std::int64_t c = 0; c < a.dim; ++c) {
      const float sum = reference::load(format, row, a.dim, c) + reference::load(values_format, values, a.dim, c);
      reference::store(format, row, c, sum);
    }
  }
}

/// The gradient row at a position, and its format.
struct GradientRow {
  const void* data;
  Format format;
};
GradientRow gradient_row(const GradientArgs& a, std::int64_t position) {
  const GradientPass* const pass = pass_of(a.passes, a.pass_count, position);
  const std::int64_t begin = pass == a.passes ? 0 : pass[-1].end;
  const std::int64_t offset = (position - begin) * pass->stride * element_size(pass->format);
  return {static_cast<const std::byte*>(pass->data) + offset, pass->format};
}

/// Column c of contribution k.
float contribution(const SegmentArgs& segments, const GradientArgs& gradients, std::int64_t k, std::int64_t c) {
  const std::int64_t position = segments.positions[k];
  const bool lost =
      gradients.winners != nullptr && gradients.winners[position * gradients.dim + c] != segments.bag_positions[k];
  if (lost) return 0;
  const GradientRow row = gradient_row(gradients, position);
  const float g = row.format == Format::f32 ? static_cast<const float*>(row.data)[c]
                                            : reference::load(row.format, row.data, gradients.dim, c);
  return segments.coefficients == nullptr ? g : segments.coefficients[k] * g;
}

template <class Value>
void scatter_add_segments(const ScatterAddSegmentsArgs& a) {
  const SegmentArgs& segments = a.segments;
  auto* const table = static_cast<Value*>(a.table);
  for (std::int64_t s = 0; s < segments.count; ++s) {
    for (std::int64_t k = segments.begin[s]; k < segments.begin[s + 1]; ++k) {
      for (std::int64_t c = 0; c < a.values.dim; ++c) {
        add_to(table[segments.rows[s] * a.table_stride + c], contribution(segments, a.values, k, c));
      }
    }
  }
}

/// out = the sum of segment s. As reference::sum_in_blocks, column by column, without allocating.
void sum_segment(const SegmentArgs& segments, const GradientArgs& g, std::int64_t s, float* out) {
  const std::int64_t first = segments.begin[s];
  const std::int64_t last = segments.begin[s + 1];
  for (std::int64_t c = 0; c < g.dim; ++c) {
    float total = 0;
    for (std::int64_t block = first; block < last;) {
      const std::int64_t end = last - block < g.block ? last : block + g.block;
      float sum = contribution(segments, g, block, c);
      for (std::int64_t k = block + 1; k < end; ++k) sum += contribution(segments, g, k, c);
      total = block == first ? sum : total + sum;
      block = end;
    }
    out[c] = total;
  }
}

/// Calls update(row, w, g) for each touched row, after decay. The weights w are floats, rounded to the table's format
/// afterwards.
template <class Value, class Update>
void for_each_row(const UpdateArgs& a, Update update) {
  const std::int64_t dim = a.gradients.dim;
  float* const w = a.scratch + dim;
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    const std::int64_t row = a.segments.rows[s];
    auto* const weights = static_cast<Value*>(a.weights) + row * a.stride;
    for (std::int64_t c = 0; c < dim; ++c) w[c] = static_cast<float>(weights[c]);
    float* const g = a.scratch;
    sum_segment(a.segments, a.gradients, s, g);
    reference::decay_row(w, g, dim, a.decay, a.decay_factor);
    update(row, w, g);
    for (std::int64_t c = 0; c < dim; ++c) weights[c] = static_cast<Value>(w[c]);
  }
}

/// The same for tables of any format: calls update(row, w, g, state 1, state 2), of which the first `states` are there.
template <class Update>
void for_each_stored_row(const UpdateArgs& a, std::size_t states, Update update) {
  const StorageArgs& storage = *a.storage;
  const std::int64_t dim = a.gradients.dim;
  float* const g = a.scratch;
  float* const w = g + dim;
  float* const state[] = {w + dim, w + 2 * dim};
  const auto load_row = [&](const StoredTable& table, std::int64_t row, float* to) {
    for (std::int64_t c = 0; c < dim; ++c) to[c] = reference::load_stored(table, row, c, dim);
  };
  const auto store_row = [&](const StoredTable& table, std::int64_t row, const float* from) {
    for (std::int64_t c = 0; c < dim; ++c) reference::store_stored(table, storage, row, c, dim, from[c]);
  };
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    const std::int64_t row = a.segments.rows[s];
    load_row(storage.weights, row, w);
    for (std::size_t i = 0; i < states; ++i) load_row(storage.states[i], row, state[i]);
    sum_segment(a.segments, a.gradients, s, g);
    reference::decay_row(w, g, dim, a.decay, a.decay_factor);
    update(row, w, g, state[0], state[1]);
    store_row(storage.weights, row, w);
    for (std::size_t i = 0; i < states; ++i) store_row(storage.states[i], row, state[i]);
  }
}

template <class Value>
void sgd(const SgdArgs& a) {
  const std::int64_t dim = a.update.gradients.dim;
  for_each_row<Value>(a.update, [&](std::int64_t row, float* w, const float* g) {
    if (a.buffer == nullptr) {
      reference::sgd_row(w, g, dim, a.learning_rate);
    } else {
      reference::sgd_momentum_row(w, a.buffer + row * dim, g, dim, a.learning_rate, a.momentum, a.nesterov);
    }
  });
}

template <class Value>
void adagrad(const AdagradArgs& a) {
  const std::int64_t dim = a.update.gradients.dim;
  for_each_row<Value>(a.update, [&](std::int64_t row, float* w, const float* g) {
    reference::adagrad_row(w, a.accumulator + row * dim, g, dim, a.learning_rate, a.epsilon);
  });
}

template <class Value>
void row_wise_adagrad(const AdagradArgs& a) {
  for_each_row<Value>(a.update, [&](std::int64_t row, float* w, const float* g) {
    reference::row_wise_adagrad_row(w, a.accumulator + row, g, a.update.gradients.dim, a.learning_rate, a.epsilon);
  });
}

template <class Value>
void adam(const AdamArgs& a) {
  const std::int64_t dim = a.update.gradients.dim;
  for_each_row<Value>(a.update, [&](std::int64_t row, float* w, const float* g) {
    reference::adam_row(w, a.m + row * dim, a.v + row * dim, g, dim, a.scalars);
  });
}

template <class Value>
void partial_row_wise_adam(const AdamArgs& a) {
  const std::int64_t dim = a.update.gradients.dim;
  for_each_row<Value>(a.update, [&](std::int64_t row, float* w, const float* g) {
    reference::partial_row_wise_adam_row(w, a.m + row * dim, a.v + row, g, dim, a.scalars);
  });
}

}  // namespace

std::int64_t find_bad_id_i32(const FindBadIdArgs<std::int32_t>& a) { return find_bad_id(a); }
std::int64_t find_bad_id_i64(const FindBadIdArgs<std::int64_t>& a) { return find_bad_id(a); }
void keep_ids_i32(const KeepIdsArgs<std::int32_t>& a) { keep_ids(a); }
void keep_ids_i64(const KeepIdsArgs<std::int64_t>& a) { keep_ids(a); }

void gather_f32_i32(const GatherArgs<std::int32_t>& a) { gather(Format::f32, Format::f32, a); }
void gather_f32_i64(const GatherArgs<std::int64_t>& a) { gather(Format::f32, Format::f32, a); }
void gather_16bit_i32(const GatherArgs<std::int32_t>& a) { gather_16bit(a); }
void gather_16bit_i64(const GatherArgs<std::int64_t>& a) { gather_16bit(a); }
void gather_f32_to_any_i32(const GatherArgs<std::int32_t>& a) { gather(Format::f32, a.to, a); }
void gather_f32_to_any_i64(const GatherArgs<std::int64_t>& a) { gather(Format::f32, a.to, a); }
void gather_bf16_to_any_i32(const GatherArgs<std::int32_t>& a) { gather(Format::bf16, a.to, a); }
void gather_bf16_to_any_i64(const GatherArgs<std::int64_t>& a) { gather(Format::bf16, a.to, a); }
void gather_f16_to_any_i32(const GatherArgs<std::int32_t>& a) { gather(Format::f16, a.to, a); }
void gather_f16_to_any_i64(const GatherArgs<std::int64_t>& a) { gather(Format::f16, a.to, a); }
void gather_int8_to_any_i32(const GatherArgs<std::int32_t>& a) { gather(Format::int8, a.to, a); }
void gather_int8_to_any_i64(const GatherArgs<std::int64_t>& a) { gather(Format::int8, a.to, a); }
void gather_int4_to_any_i32(const GatherArgs<std::int32_t>& a) { gather(Format::int4, a.to, a); }
void gather_int4_to_any_i64(const GatherArgs<std::int64_t>& a) { gather(Format::int4, a.to, a); }
void gather_int2_to_any_i32(const GatherArgs<std::int32_t>& a) { gather(Format::int2, a.to, a); }
void gather_int2_to_any_i64(const GatherArgs<std::int64_t>& a) { gather(Format::int2, a.to, a); }

void scatter_add_f32(const ScatterAddArgs& a) { scatter_add(Format::f32, Format::f32, a); }
void scatter_add_bf16(const ScatterAddArgs& a) { scatter_add(Format::bf16, Format::f32, a); }
void scatter_add_any(const ScatterAddArgs& a) { scatter_add(a.format, a.values_format, a); }
void scatter_add_segments_f32(const ScatterAddSegmentsArgs& a) { scatter_add_segments<float>(a); }
void scatter_add_segments_bf16(const ScatterAddSegmentsArgs& a) { scatter_add_segments<Bf16>(a); }
void scatter_add_segments_f16(const ScatterAddSegmentsArgs& a) { scatter_add_segments<F16>(a); }

void sum_block_f32(const SumBlockArgs& a) {
  const std::int64_t begin[] = {0, a.count};
  GradientArgs gradients = a.gradients;
  gradients.block = a.count;
  const SegmentArgs segment{.rows = nullptr,
                            .begin = begin,
                            .positions = a.positions,
                            .count = 1,
                            .coefficients = a.coefficients,
                            .bag_positions = a.bag_positions};
  sum_segment(segment, gradients, 0, a.out);
}

void sum_segments_f32(const SumSegmentsArgs& a) {
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    sum_segment(a.segments, a.gradients, s, a.out + a.segments.rows[s] * a.stride);
  }
}

void mean_squares_f32(const MeanSquaresArgs& a) {
  for (std::int64_t p = a.begin; p < a.end; ++p) {
    const float factor = a.factors == nullptr ? 1.0F : a.factors[p];
    const auto* const row = static_cast<const float*>(gradient_row(a.gradients, p).data);
    a.out[p] = reference::mean_square(row, a.gradients.dim, factor);
  }
}

void guard_rows_f32(const GuardRowsArgs& a) {
  for (std::int64_t k = a.begin; k < a.end; ++k) {
    float* const g = a.data + (a.rows == nullptr ? k : a.rows[k]) * a.stride;
    for (std::int64_t c = 0; c < a.dim; ++c) {
      if (a.divisors != nullptr) g[c] /= a.divisors[k];
      if (!std::isfinite(g[c])) *a.finite = false;
      g[c] = g[c] > a.clip_value ? a.clip_value : g[c] < -a.clip_value ? -a.clip_value : g[c];
    }
    const float norm = std::sqrt(reference::sum_of_squares(g, a.dim));
    if (norm > a.clip_norm) reference::scale_row(g, a.dim, a.clip_norm / norm);
    a.squares[k] = reference::sum_of_squares(g, a.dim);
  }
}

void scale_rows_f32(const ScaleRowsArgs& a) {
  for (std::int64_t k = a.begin; k < a.end; ++k) {
    reference::scale_row(a.data + (a.rows == nullptr ? k : a.rows[k]) * a.stride, a.dim, a.factor);
  }
}

void sgd_f32(const SgdArgs& a) { sgd<float>(a); }
void sgd_bf16(const SgdArgs& a) { sgd<Bf16>(a); }
void adagrad_f32(const AdagradArgs& a) { adagrad<float>(a); }
void adagrad_bf16(const AdagradArgs& a) { adagrad<Bf16>(a); }
void row_wise_adagrad_f32(const AdagradArgs& a) { row_wise_adagrad<float>(a); }
void row_wise_adagrad_bf16(const AdagradArgs& a) { row_wise_adagrad<Bf16>(a); }
void adam_f32(const AdamArgs& a) { adam<float>(a); }
void adam_bf16(const AdamArgs& a) { adam<Bf16>(a); }
void partial_row_wise_adam_f32(const AdamArgs& a) { partial_row_wise_adam<float>(a); }
void partial_row_wise_adam_bf16(const AdamArgs& a) { partial_row_wise_adam<Bf16>(a); }

void sgd_any(const SgdArgs& a) {
  const std::int64_t dim = a.update.gradients.dim;
  const bool has_momentum = a.buffer != nullptr;
  for_each_stored_row(a.update, has_momentum ? 1 : 0, [&](std::int64_t, float* w, const float* g, float* b, float*) {
    if (has_momentum) {
      reference::sgd_momentum_row(w, b, g, dim, a.learning_rate, a.momentum, a.nesterov);
    } else {
      reference::sgd_row(w, g, dim, a.learning_rate);
    }
  });
}
void adagrad_any(const AdagradArgs& a) {
  for_each_stored_row(a.update, 1, [&](std::int64_t, float* w, const float* g, float* accumulator, float*) {
    reference::adagrad_row(w, accumulator, g, a.update.gradients.dim, a.learning_rate, a.epsilon);
  });
}
void row_wise_adagrad_any(const AdagradArgs& a) {
  for_each_stored_row(a.update, 0, [&](std::int64_t row, float* w, const float* g, float*, float*) {
    reference::row_wise_adagrad_row(w, a.accumulator + row, g, a.update.gradients.dim, a.learning_rate, a.epsilon);
  });
}
void adam_any(const AdamArgs& a) {
  for_each_stored_row(a.update, 2, [&](std::int64_t, float* w, const float* g, float* m, float* v) {
    reference::adam_row(w, m, v, g, a.update.gradients.dim, a.scalars);
  });
}
void partial_row_wise_adam_any(const AdamArgs& a) {
  for_each_stored_row(a.update, 1, [&](std::int64_t row, float* w, const float* g, float* m, float*) {
    reference::partial_row_wise_adam_row(w, m, a.v + row, g, a.update.gradients.dim, a.scalars);
  });
}

void fill_uniform_f32(const FillUniformArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    reference::fill_uniform_row(a.data + r * a.stride, static_cast<std::uint64_t>(a.first_row + r), a.dim,
                                {a.key[0], a.key[1]}, a.low, a.width, a.most);
  }
}

void philox_u32(const PhiloxArgs& a) {
  for (std::int64_t b = 0; b < a.blocks; ++b) {
    const auto first = a.counter[0] + static_cast<std::uint32_t>(b);
    const auto words = philox4x32_10({first, a.counter[1], a.counter[2], a.counter[3]}, {a.key[0], a.key[1]});
    for (std::size_t w = 0; w < 4; ++w) a.out[4 * b + static_cast<std::int64_t>(w)] = words[w];
  }
}

}  // namespace rowmill::scalar
