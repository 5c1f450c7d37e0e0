// SPDX-License-Identifier: Apache-2.0
#include "rowmill/plan.hpp"

#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/plan/grouping.hpp"
#include "kernels/plan/segment_args.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// A plan's arrays.
struct Arrays {
  Grouping grouping;
  Plan::HotSegment* hot;

  Arrays(std::int64_t id_count, bool keep_positions, Carver& memory)
      : grouping(id_count, keep_positions ? GroupingOf::bags_and_ids : GroupingOf::bags, memory),
        hot(memory.take<Plan::HotSegment>(id_count / kSumBlock)) {}
};

constexpr std::string_view kOp = "plan";

void check_rows(std::int64_t rows) {
  if (rows >= 0) return;
  throw Error(ErrorCode::invalid_argument,
              "rowmill: plan: rows is " + std::to_string(rows) + "; it must be at least 0");
}

}  // namespace

std::int64_t Plan::shard_count_for(std::int64_t id_count) { return rowmill::shard_count_for(id_count); }

std::size_t Plan::memory_required(std::int64_t id_count, bool keep_positions) {
  check_id_count(kOp, id_count);
  Carver memory(nullptr);
  const Arrays arrays(id_count, keep_positions, memory);
  return memory.used();
}

void Plan::reserve(std::int64_t id_count, bool keep_positions) {
  memory_.reserve(memory_required(id_count, keep_positions), kOp);
  size_ = {};
}

void Plan::build(Ids ids, std::int64_t rows, OutOfRange policy, std::string_view name) {
  check_ids_pointer(kOp, ids);
  check_rows(rows);
  check_ids(kOp, ids, rows, policy, name);
  build(ids, nullptr, rows, policy, false);
}

void Plan::build(const Bags& bags, std::int64_t rows, const PlanOptions& options) {
  check_bags(kOp, bags);
  check_rows(rows);
  check_ids(kOp, bags, rows, options.out_of_range, options.name);
  build(bags.ids(), &bags, rows, options.out_of_range, options.keep_positions);
}

void Plan::build(Ids ids, const Bags* bags, std::int64_t rows, OutOfRange policy, bool keep_positions) {
  memory_.reserve(memory_required(ids.size(), keep_positions), kOp);
  Carver memory(memory_.data());
  const Arrays arrays(ids.size(), keep_positions, memory);
  arrays.grouping.build(ids, bags, rows, policy, grouping_threads(ids.size()));

  size_ = {.ids = ids.size(),
           .gradient_rows = bags == nullptr ? ids.size() : bags->size(),
           .rows = rows,
           .shards = arrays.grouping.shard_count(),
           .of_bags = bags != nullptr,
           .keeps_positions = keep_positions};
  for (std::int64_t s = 0; s < size_.shards; ++s) {
    const Shard shard = arrays.grouping.shard(s);
    size_.unique += static_cast<std::int64_t>(shard.rows.size());
    if (arrays.grouping.largest_segment(s) <= kSumBlock) continue;
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      if (shard.segment_begin[g + 1] - shard.segment_begin[g] > kSumBlock) {
        arrays.hot[size_.hot++] = {s, static_cast<std::int64_t>(g)};
      }
    }
  }
}

Plan::Shard Plan::shard(std::int64_t s) const {
  if (size_.ids == 0) return {};
  Carver memory(memory_.data());
  Shard shard = Arrays(size_.ids, size_.keeps_positions, memory).grouping.shard(s);
  if (!size_.of_bags) shard.id_positions = shard.positions;
  return shard;
}

std::span<const Plan::HotSegment> Plan::hot_segments() const {
  if (size_.hot == 0) return {};
  Carver memory(memory_.data());
  return {Arrays(size_.ids, size_.keeps_positions, memory).hot, static_cast<std::size_t>(size_.hot)};
}

}  // namespace rowmill
