// SPDX-License-Identifier: Apache-2.0
#include "rowmill/plan.hpp"

#include <limits>
#include <new>
#include <string>
#include <type_traits>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/plan/bag_factor.hpp"
#include "kernels/plan/grouping.hpp"
#include "kernels/plan/segment_args.hpp"
#include "kernels/pool/bag_blocks.hpp"
#include "kernels/pool/bag_checks.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// out[i] = what the gradient of the bag of position i is multiplied by, for those of bags that are divided.
void find_double_coefficients(const GroupingInput& input, Pooling pooling, double* out) {
  const Bags& bags = *input.bags;
  for_each_bag_task(bags, sizeof(double), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) {
      const auto factor = bag_factor<double>(bags, b, input, pooling);
      const bool scaled = bags.has_weights() && factor != 0;
      for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) {
        out[i] = scaled ? bags.weights()[static_cast<std::size_t>(i)] * factor : factor;
      }
    }
  });
}

constexpr std::string_view kOp = "plan";

void check_rows(std::int64_t rows) {
  if (rows >= 0) return;
  throw Error(ErrorCode::invalid_argument,
              "rowmill: plan: rows is " + std::to_string(rows) + "; it must be at least 0");
}

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::invalid_argument, "rowmill: plan: " + what); }

/// What is the same for ids and bags.
void check_options(const PlanOptions& o) {
  check_policy(kOp, o.out_of_range);
  check_pooling(kOp, o.pooling, o.divisor);
  if (o.pooling != Pooling::max && !o.winners.empty()) {
    fail(std::to_string(o.winners.size()) + " winners are given; only max has them");
  }
}

void check_bag_options(const Bags& bags, const PlanOptions& o) {
  if (o.padding_id) fail("padding_id is given beside bags; theirs comes with them: Bags::with_padding");
  if (o.pooling != Pooling::max) return;
  constexpr std::int64_t kMaxBag = std::numeric_limits<std::int32_t>::max();
  for (std::int64_t b = 0; bags.ids().size() > kMaxBag && b < bags.size(); ++b) {
    const std::int64_t length = bags.begin(b + 1) - bags.begin(b);
    if (length > kMaxBag) {
      fail("bag " + std::to_string(b) + " has " + std::to_string(length) + " ids; max allows 2147483647");
    }
  }
}

void check_id_options(const PlanOptions& o) {
  if (o.pooling != Pooling::sum) fail("a pooling is given for ids; only bags have one");
}

}  // namespace

/// Where a plan's arrays are. It stands before them.
struct Plan::Layout {
  Grouping grouping;
  HotSegment* hot;
  double* double_coefficients;  // of each position in the ids, or null

  Layout(std::int64_t id_count, const GroupingOf& of, bool doubles, Carver& memory)
      : grouping(id_count, of, memory),
        hot(memory.take<HotSegment>(id_count / kSumBlock)),
        double_coefficients(doubles && of.divided() ? memory.take<double>(id_count) : nullptr) {}
};

const Plan::Layout& Plan::layout() const { return *std::launder(reinterpret_cast<const Layout*>(memory_.data())); }

std::int64_t Plan::shard_count_for(std::int64_t id_count) { return rowmill::shard_count_for(id_count); }

std::size_t Plan::memory_required(std::int64_t id_count, const PlanOptions& options, bool with_weights) {
  check_id_count(kOp, id_count);
  Carver memory(nullptr);
  memory.take<Layout>(1);
  const Layout layout(id_count,
                      {.bags = true,
                       .id_positions = options.keep_positions || options.double_coefficients,
                       .weights = with_weights,
                       .pooling = options.pooling},
                      options.double_coefficients, memory);
  return memory.used();
}

void Plan::reserve(std::int64_t id_count, const PlanOptions& options, bool with_weights) {
  memory_.reserve(memory_required(id_count, options, with_weights), kOp);
  size_ = {};
}

void Plan::build(Ids ids, std::int64_t rows, const PlanOptions& options) {
  check_options(options);
  check_id_options(options);
  check_ids_pointer(kOp, ids);
  check_rows(rows);
  const bool are_rows = all_are_rows(ids, rows, options.padding_id);
  if (!are_rows) check_ids(kOp, ids, rows, options.out_of_range, options.name, options.padding_id);
  build(ids, nullptr, rows, options, are_rows);
}

void Plan::build(const Bags& bags, std::int64_t rows, const PlanOptions& options) {
  check_options(options);
  check_bags(kOp, bags);
  check_bag_options(bags, options);
  check_rows(rows);
  const bool are_rows = all_are_rows(bags.ids(), rows, bags.padding_id());
  if (!are_rows) check_ids(kOp, bags, rows, options.out_of_range, options.name);
  build(bags.ids(), &bags, rows, options, are_rows);
}

void Plan::build(Ids ids, const Bags* bags, std::int64_t rows, const PlanOptions& options, bool are_rows) {
  const GroupingOf of{.bags = bags != nullptr,
                      .id_positions = bags != nullptr && (options.keep_positions || options.double_coefficients),
                      .weights = bags != nullptr && bags->has_weights(),
                      .pooling = options.pooling};
  memory_.reserve(memory_required(ids.size(), options, of.weights), kOp);
  size_ = {.ids = ids.size(),
           .gradient_rows = bags == nullptr ? ids.size() : bags->size(),
           .rows = rows,
           .shards = shard_count_for(ids.size()),
           .of_bags = of.bags,
           .pooling = options.pooling,
           .winners = options.winners};
  Carver memory(memory_.data());
  Layout& layout = *new (memory.take<Layout>(1)) Layout(ids.size(), of, options.double_coefficients, memory);
  static_assert(std::is_trivially_destructible_v<Layout>);
  const Grouping& grouping = layout.grouping;
  GroupingInput input{.ids = ids,
                      .bags = bags,
                      .rows = rows,
                      .policy = options.out_of_range,
                      .padding_id = bags == nullptr ? options.padding_id : bags->padding_id(),
                      .divisor = options.divisor};
  if (are_rows) {
    input.policy = OutOfRange::error;
    input.padding_id = std::nullopt;
  }
  grouping.build(input, concurrency_for_plan(ids.size()));
  if (layout.double_coefficients != nullptr) {
    find_double_coefficients(input, options.pooling, layout.double_coefficients);
  }
  for (std::int64_t s = 0; s < size_.shards; ++s) {
    size_.unique += grouping.segment_count(s);
    if (grouping.largest_segment(s) <= kSumBlock) continue;
    const Shard shard = grouping.shard(s);
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      if (shard.segment_begin[g + 1] - shard.segment_begin[g] > kSumBlock) {
        layout.hot[size_.hot++] = {s, static_cast<std::int64_t>(g)};
      }
    }
  }
}

Plan::Shard Plan::shard(std::int64_t s) const {
  if (size_.ids == 0) return {};
  Shard shard = layout().grouping.shard(s);
  if (!size_.of_bags) shard.id_positions = shard.positions;
  return shard;
}

std::span<const float> Plan::factors() const {
  if (size_.ids == 0 || size_.gradient_rows > size_.ids) return {};
  const float* const factors = layout().grouping.factors();
  return factors == nullptr ? std::span<const float>()
                            : std::span(factors, static_cast<std::size_t>(size_.gradient_rows));
}

std::span<const double> Plan::double_coefficients() const {
  if (size_.ids == 0) return {};
  const double* const coefficients = layout().double_coefficients;
  return coefficients == nullptr ? std::span<const double>()
                                 : std::span(coefficients, static_cast<std::size_t>(size_.ids));
}

std::span<const Plan::HotSegment> Plan::hot_segments() const {
  if (size_.hot == 0) return {};
  return {layout().hot, static_cast<std::size_t>(size_.hot)};
}

}  // namespace rowmill
