// SPDX-License-Identifier: Apache-2.0
// What the backward pass of bags needs of the table: which position gave each maximum, and the gradients of weights.
#include <limits>

#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/pool/bag_blocks.hpp"
#include "kernels/pool/bag_checks.hpp"

namespace rowmill {
namespace {

/// A bag in which int32 counts.
void check_lengths(std::string_view op, const Bags& bags) {
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const std::int64_t length = bags.begin(b + 1) - bags.begin(b);
    if (length > std::numeric_limits<std::int32_t>::max()) {
      throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": bag " + std::to_string(b) + " has " +
                                                   std::to_string(length) + " ids; a max takes at most 2147483647");
    }
    if (!bags.has_offsets()) return;
  }
}

/// The rows of bags b .. end-1 that their ids mean, one for each id, and where each bag begins in them.
void make_rows(const Bags& bags, std::int64_t b, std::int64_t end, std::int64_t rows, OutOfRange policy,
               std::int64_t* out, std::int64_t* begin) {
  const std::int64_t first = bags.begin(b);
  resolve_block(bags, first, bags.begin(end) - first, rows, policy, out);
  for (std::int64_t k = 0; k <= end - b; ++k) begin[k] = bags.begin(b + k) - first;
}

/// winners: those of bag b, and of the bags after it.
void find_block_winners(const ConstTableView& table, const Bags& bags, std::int64_t b, std::int64_t count,
                        const std::int64_t* rows, const std::int64_t* begin, std::int32_t* winners) {
  const KernelTable& k = kernels();
  Kernel<FindWinnersArgs>* const kernel = table.format() == Format::f32    ? k.find_winners_f32
                                          : table.format() == Format::bf16 ? k.find_winners_bf16
                                                                           : k.find_winners_f16;
  kernel({.table = table.bytes(),
          .table_stride = table.row_stride(),
          .ids = rows,
          .weights = bags.has_weights() ? bags.weights().data() + bags.begin(b) : nullptr,
          .begin = begin,
          .bags = count,
          .winners = winners,
          .dim = table.dim(),
          .prefetch = prefetch_for_pool(table)});
}

/// Memory for the rows of all ids, if a bag is too long for the stack.
BagMemory memory_for_long_bags(Carver& memory, const Bags& bags) {
  return has_long_bag(bags) ? BagMemory::take(memory, bags.ids().size()) : BagMemory{};
}

/// Of a bag of `count` positions: makes gradients of weights of the dots in `out`. `weights` may be null.
void finish_weight_gradients(const PoolOptions& options, const std::int64_t* rows, const float* weights,
                             std::int64_t count, float* out) {
  if (!divides(options)) return;
  // The divisor and the sum of weight x dot, over what counts.
  const bool root = options.pooling == Pooling::sqrtn;
  std::int64_t terms = 0;
  float of_weights = 0;
  float total = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (rows[i] == kDropped) continue;
    const float w = weights == nullptr ? 1 : weights[i];
    const float x = root ? w * w : w;
    of_weights = terms == 0 ? x : of_weights + x;
    total = terms == 0 ? w * out[i] : total + w * out[i];
    ++terms;
  }
  const bool by_weights = options.divisor == Divisor::weights && weights != nullptr;
  const float divided = by_weights ? of_weights : static_cast<float>(terms);
  const float divisor = root ? std::sqrt(divided) : divided;
  const float factor = divisor == 0 ? 0 : 1 / divisor;
  for (std::int64_t i = 0; i < count; ++i) {
    if (rows[i] == kDropped) continue;
    if (factor == 0) {
      out[i] = 0;
    } else if (!by_weights) {
      out[i] = factor * out[i];
    } else if (root) {
      out[i] = (out[i] - (weights[i] * factor) * (total * factor)) * factor;
    } else {
      out[i] = (out[i] - total * factor) * factor;
    }
  }
}

}  // namespace

std::size_t pool_memory_required(const Bags& bags, std::int64_t dim, const PoolOptions& options) {
  std::int64_t winners = 0;
  if (bags.size() < 0 || dim < 0 || __builtin_mul_overflow(bags.size(), dim, &winners) || winners > kMaxIds) {
    throw Error(ErrorCode::invalid_argument, "rowmill: pool: " + std::to_string(bags.size()) + " bags x dim " +
                                                 std::to_string(dim) + " is not a size");
  }
  check_id_count("pool", bags.ids().size());
  Carver memory(nullptr);
  (void)BagMemory::take(memory, bags.ids().size());
  if (options.pooling == Pooling::max) (void)memory.take<std::int32_t>(winners);
  return memory.used();
}

void find_winners(const ConstTableView& table, const Bags& bags, std::span<std::int32_t> winners,
                  const PoolOptions& options, Workspace* workspace) {
  constexpr std::string_view kOp = "find_winners";
  check_view(kOp, "table", table);
  check_format(kOp, "table", table, kNumberFormats);
  if (options.pooling != Pooling::max) {
    throw Error(ErrorCode::invalid_argument, "rowmill: find_winners: the pooling must be max: no other has winners");
  }
  check_pool_options(kOp, options);
  check_pool_of_integers(kOp, table, bags, options);
  check_bags(kOp, bags);
  check_lengths(kOp, bags);
  const Ids written(winners.data(), std::ssize(winners));
  check_ids_pointer(kOp, "winners", written);
  std::int64_t size = 0;
  if (__builtin_mul_overflow(bags.size(), table.dim(), &size) || written.size() != size) {
    throw Error(ErrorCode::shape_mismatch, "rowmill: find_winners: winners (" + std::to_string(written.size()) +
                                               ") must be " + std::to_string(bags.size()) + " x " +
                                               std::to_string(table.dim()) + ": bags.size() x the table's dim");
  }
  check_disjoint(kOp, "table", table, "winners", written);
  check_disjoint_from_bags(kOp, "winners", written, bags);
  check_ids(kOp, bags, table.rows(), options.out_of_range, table.name());
  if (size == 0) return;
  if (is_exact(table.format())) return exact::find_winners(table, bags, winners.data(), options);

  Workspace own;
  Carver sizes(nullptr);
  (void)memory_for_long_bags(sizes, bags);
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  if (sizes.used() > 0) scratch.reserve(sizes.used(), kOp);
  Carver memory(scratch.data());
  const BagMemory whole = memory_for_long_bags(memory, bags);
  for_each_bag_task(bags, table.dim() * element_size(table.format()), [&](std::int64_t first, std::int64_t last) {
    std::int64_t begin[kBlockBags + 1];
    for_each_bag_block(bags, first, last, whole, [&](std::int64_t b, std::int64_t end, const BagMemory& block) {
      make_rows(bags, b, end, table.rows(), options.out_of_range, block.rows, begin);
      find_block_winners(table, bags, b, end - b, block.rows, begin, winners.data() + b * table.dim());
    });
  });
}

void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient,
                           std::span<float> out, const PoolOptions& options, Workspace* workspace) {
  constexpr std::string_view kOp = "pool_weight_gradients";
  const bool max = options.pooling == Pooling::max;
  check_view(kOp, "table", table);
  check_format(kOp, "table", table, {Format::f32, Format::bf16, Format::f16, Format::f64});
  check_view(kOp, "gradient", gradient);
  check_format(kOp, "gradient", gradient, {table.format() == Format::f64 ? Format::f64 : Format::f32});
  check_pool_options(kOp, options);
  check_bags(kOp, bags);
  if (max) check_lengths(kOp, bags);
  check_shape(kOp, "gradient", gradient, bags.size(), table.dim(), "bags.size() x the table's dim");
  check_floats(kOp, "out", out, bags.ids().size(), "one for each id");
  check_disjoint(kOp, "table", table, "out", memory_of(out));
  check_disjoint(kOp, "gradient", gradient, "out", memory_of(out));
  check_disjoint_from_bags(kOp, "out", memory_of(out), bags);
  check_ids(kOp, bags, table.rows(), options.out_of_range, table.name());
  if (out.empty()) return;

  Workspace own;
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  const auto take = [&](Carver& memory) {
    return std::pair(memory_for_long_bags(memory, bags),
                     max ? memory.take<std::int32_t>(bags.size() * table.dim()) : nullptr);
  };
  Carver sizes(nullptr);
  (void)take(sizes);
  if (sizes.used() > 0) scratch.reserve(sizes.used(), kOp);
  Carver memory(scratch.data());
  const auto [whole, winners] = take(memory);
  if (is_exact(table.format())) {
    if (max) exact::find_winners(table, bags, winners, options);
    return exact::pool_weight_gradients(table, bags, gradient, out.data(), winners, options);
  }
  const KernelTable& k = kernels();
  Kernel<PoolDotsArgs>* const dots = table.format() == Format::f32    ? k.pool_dots_f32
                                     : table.format() == Format::bf16 ? k.pool_dots_bf16
                                                                      : k.pool_dots_f16;
  const PrefetchArgs prefetch = prefetch_for_pool(table);
  const auto task = [&, whole = whole, winners = winners](std::int64_t first, std::int64_t last) {
    std::int64_t begin[kBlockBags + 1];
    for_each_bag_block(bags, first, last, whole, [&](std::int64_t b, std::int64_t end, const BagMemory& block) {
      make_rows(bags, b, end, table.rows(), options.out_of_range, block.rows, begin);
      std::int32_t* const block_winners = max ? winners + b * table.dim() : nullptr;
      if (max) find_block_winners(table, bags, b, end - b, block.rows, begin, block_winners);
      float* const block_out = out.data() + bags.begin(b);
      dots({.table = table.bytes(),
            .table_stride = table.row_stride(),
            .ids = block.rows,
            .begin = begin,
            .bags = end - b,
            .gradient = gradient.data() + b * gradient.row_stride(),
            .gradient_stride = gradient.row_stride(),
            .winners = block_winners,
            .out = block_out,
            .dim = table.dim(),
            .prefetch = prefetch});
      const float* const weights = bags.has_weights() ? bags.weights().data() + bags.begin(b) : nullptr;
      for (std::int64_t bag = 0; bag < end - b; ++bag) {
        const std::int64_t at = begin[bag];
        finish_weight_gradients(options, block.rows + at, weights == nullptr ? nullptr : weights + at,
                                begin[bag + 1] - at, block_out + at);
      }
    });
  };
  for_each_bag_task(bags, table.dim() * element_size(table.format()), task);
}

}  // namespace rowmill
