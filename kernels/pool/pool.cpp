// SPDX-License-Identifier: Apache-2.0
#include "rowmill/pool.hpp"

#include <algorithm>

#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/pool/bag_blocks.hpp"
#include "kernels/pool/bag_checks.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "pool";

template <class Id>
using PoolKernel = Kernel<PoolArgs<Id>>;

PoolKernel<std::int32_t>* sum_kernel(Format from, std::int32_t) {
  const KernelTable& k = kernels();
  switch (from) {
    default:  // f32
      break;
    case Format::bf16:
      return k.pool_bf16_i32;
    case Format::f16:
      return k.pool_f16_i32;
    case Format::int8:
      return k.pool_int8_i32;
    case Format::int4:
      return k.pool_int4_i32;
    case Format::int2:
      return k.pool_int2_i32;
  }
  return k.pool_f32_i32;
}

PoolKernel<std::int64_t>* sum_kernel(Format from, std::int64_t) {
  const KernelTable& k = kernels();
  switch (from) {
    default:  // f32
      break;
    case Format::bf16:
      return k.pool_bf16_i64;
    case Format::f16:
      return k.pool_f16_i64;
    case Format::int8:
      return k.pool_int8_i64;
    case Format::int4:
      return k.pool_int4_i64;
    case Format::int2:
      return k.pool_int2_i64;
  }
  return k.pool_f32_i64;
}

/// The kernel that sums rows of a format.
template <class Id>
PoolKernel<Id>* sum_kernel(Format from) {
  return sum_kernel(from, Id{});
}

PoolKernel<std::int64_t>* sum_with_zeros_kernel(Format from) {
  const KernelTable& k = kernels();
  switch (from) {
    default:  // f32
      break;
    case Format::bf16:
      return k.pool_with_zeros_bf16;
    case Format::f16:
      return k.pool_with_zeros_f16;
    case Format::int8:
      return k.pool_with_zeros_int8;
    case Format::int4:
      return k.pool_with_zeros_int4;
    case Format::int2:
      return k.pool_with_zeros_int2;
  }
  return k.pool_with_zeros_f32;
}

PoolKernel<std::int64_t>* max_kernel(Format from) {
  const KernelTable& k = kernels();
  switch (from) {
    default:  // f32
      break;
    case Format::bf16:
      return k.pool_max_bf16;
    case Format::f16:
      return k.pool_max_f16;
    case Format::int8:
      return k.pool_max_int8;
    case Format::int4:
      return k.pool_max_int4;
    case Format::int2:
      return k.pool_max_int2;
  }
  return k.pool_max_f32;
}

struct Call {
  const ConstTableView& table;
  const Bags& bags;
  const TableView& out;
  const PoolOptions& options;
  bool rows_as_they_stand;  // what the ids are
  PrefetchArgs prefetch;
  std::int64_t rest_nearer;

  /// The kernels that sum quantised or f16 rows take no weights: those of rows of zeros do.
  [[nodiscard]] bool needs_other_sum() const {
    return bags.has_weights() && table.format() != Format::f32 && table.format() != Format::bf16;
  }

  /// Pools bags b .. b+count-1; begin[k] is where the ids and weights of bag b+k begin, and `later_ids` follow the
  /// last.
  template <class Id>
  void pool_block(PoolKernel<Id>* kernel, std::int64_t b, std::int64_t count, const Id* ids, const float* weights,
                  const std::int64_t* begin, std::int64_t later_ids = 0) const {
    float divisors[kBlockBags];
    for (std::int64_t k = 0; k < count && divides(options); ++k) {
      divisors[k] = divisor_of(options, weights == nullptr ? nullptr : weights + begin[k], begin[k + 1] - begin[k]);
    }
    const std::int64_t out_row_bytes = out.row_stride() * element_size(out.format());
    kernel({.table = table.bytes(),
            .table_stride = table.row_stride(),
            .ids = ids,
            .weights = weights,
            .begin = begin,
            .bags = count,
            .divisors = divides(options) ? divisors : nullptr,
            .out = static_cast<std::byte*>(out.bytes()) + b * out_row_bytes,
            .out_stride = out.row_stride(),
            .dim = table.dim(),
            .prefetch = prefetch,
            .to = out.format(),
            .later_ids = later_ids,
            .rest_nearer = rest_nearer});
  }

  /// Bags first .. last-1 whose ids are rows as they stand.
  template <class Id>
  void pool_rows(const Id* ids, std::int64_t first, std::int64_t last) const {
    const float* const weights = bags.has_weights() ? bags.weights().data() : nullptr;
    std::int64_t begin[kBlockBags + 1];
    for (std::int64_t b = first; b < last; b += kBlockBags) {
      const std::int64_t count = std::min(kBlockBags, last - b);
      for (std::int64_t k = 0; k <= count; ++k) begin[k] = bags.begin(b + k);
      pool_block(sum_kernel<Id>(table.format()), b, count, ids, weights, begin, bags.ids().size() - begin[count]);
    }
  }

  /// Bags first .. last-1 of any ids: a block of them at a time is made of rows, without what is dropped.
  void pool_any(std::int64_t first, std::int64_t last, const BagMemory& whole) const {
    std::int64_t begin[kBlockBags + 1];
    for_each_bag_block(bags, first, last, whole, [&](std::int64_t b, std::int64_t end, const BagMemory& memory) {
      const bool zeros = make_rows(b, end, memory, begin);
      PoolKernel<std::int64_t>* const kernel = options.pooling == Pooling::max ? max_kernel(table.format())
                                               : zeros || needs_other_sum()    ? sum_with_zeros_kernel(table.format())
                                                                            : sum_kernel<std::int64_t>(table.format());
      pool_block(kernel, b, end - b, memory.rows, bags.has_weights() ? memory.weights : nullptr, begin);
    });
  }

  /// Writes the rows and weights of the ids of bags b .. end-1 that count, and where each bag begins in them. Returns
  /// whether one of the rows is kZeroRow.
  bool make_rows(std::int64_t b, std::int64_t end, const BagMemory& memory, std::int64_t* begin) const {
    const Ids ids = bags.ids();
    const std::int64_t first = bags.begin(b);
    for (std::int64_t k = 0; k <= end - b; ++k) begin[k] = bags.begin(b + k) - first;
    if (rows_as_they_stand || are_rows(ids, options.out_of_range)) {
      // Without a padding id none is dropped: -1 is no id then.
      const std::int64_t dropped = bags.padding_id().value_or(kDropped);
      ids.visit([&](const auto* data) { keep(data + first, first, end - b, dropped, memory, begin); });
      return false;
    }
    resolve_block(bags, first, bags.begin(end) - first, table.rows(), options.out_of_range, memory.rows);
    keep(memory.rows, first, end - b, kDropped, memory, begin);
    if (options.out_of_range != OutOfRange::zero) return false;
    return std::any_of(memory.rows, memory.rows + begin[end - b], [](std::int64_t row) { return row < 0; });
  }

  /// `ids` are those from position `first` on, where `begin` says, and what it says of the rows afterwards.
  template <class Id>
  void keep(const Id* ids, std::int64_t first, std::int64_t count, std::int64_t dropped, const BagMemory& memory,
            std::int64_t* begin) const {
    const KeepIdsArgs<Id> args{.ids = ids,
                               .weights = bags.has_weights() ? bags.weights().data() + first : nullptr,
                               .begin = begin,
                               .bags = count,
                               .dropped = dropped,
                               .rows = memory.rows,
                               .kept_weights = memory.weights,
                               .kept_begin = begin};
    if constexpr (sizeof(Id) == 4) {
      kernels().keep_ids_i32(args);
    } else {
      kernels().keep_ids_i64(args);
    }
  }
};

}  // namespace

std::size_t pool_memory_required(std::int64_t id_count) {
  check_id_count(kOp, id_count);
  Carver memory(nullptr);
  (void)BagMemory::take(memory, id_count);
  return memory.used();
}

void check_pooling(std::string_view op, Pooling pooling, Divisor divisor) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + what);
  };
  check_enum(op, "pooling", pooling, Pooling::max);
  check_enum(op, "divisor", divisor, Divisor::weights);
  if (divisor == Divisor::weights && (pooling == Pooling::sum || pooling == Pooling::max)) {
    fail(std::string(pooling == Pooling::sum ? "a sum" : "a max") +
         " has no divisor; only mean and sqrtn divide by weights");
  }
}

bool check_pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options) {
  check_lookup(kOp, table, out);
  check_pool_options(kOp, options);
  check_pool_of_integers(kOp, table, bags, options);
  check_bags(kOp, bags);
  check_shape(kOp, "out", out, bags.size(), table.dim(), "bags.size() x the table's dim");
  check_disjoint(kOp, "out", out, "table", table);
  check_disjoint_from_bags(kOp, "out", out, bags);
  if (all_are_rows(bags.ids(), table.rows(), bags.padding_id())) return true;
  check_ids(kOp, bags, table.rows(), options.out_of_range, table.name());
  return false;
}

void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options,
          Workspace* workspace) {
  const bool rows_as_they_stand = check_pool(table, bags, out, options);
  if (bags.size() == 0 || table.dim() == 0) return;
  if (is_exact(table.format())) return exact::pool(table, bags, out, options);

  const Call call{table, bags, out, options, rows_as_they_stand, prefetch_for_pool(table), rest_nearer_for_pool(table)};
  const std::int64_t bytes = row_bytes(table);
  const Ids ids = bags.ids();
  if (rows_as_they_stand && options.pooling != Pooling::max && !call.needs_other_sum()) {
    return ids.visit([&](const auto* data) {
      for_each_bag_task(bags, bytes, [&](std::int64_t first, std::int64_t last) { call.pool_rows(data, first, last); });
    });
  }
  Workspace own;
  BagMemory whole;
  if (has_long_bag(bags)) {
    Workspace& scratch = workspace != nullptr ? *workspace : own;
    scratch.reserve(pool_memory_required(ids.size()), kOp);
    Carver memory(scratch.data());
    whole = BagMemory::take(memory, ids.size());
  }
  for_each_bag_task(bags, bytes, [&](std::int64_t first, std::int64_t last) { call.pool_any(first, last, whole); });
}

}  // namespace rowmill
