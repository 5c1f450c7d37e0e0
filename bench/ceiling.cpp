// SPDX-License-Identifier: Apache-2.0
#include "ceiling.hpp"

#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <unordered_map>

#include "ceiling_loops.hpp"
#include "huge_buffer.hpp"

namespace bench {

namespace {

const Loops& best_loops() {
#ifdef ROWMILL_BENCH_X86
  if (__builtin_cpu_supports("avx512f")) return avx512::loops;
  if (__builtin_cpu_supports("avx2")) return avx2::loops;
#endif
  return baseline::loops;
}

/// Calls f(part) on the arena's threads: part p always on the same one, or each thread takes the next when it is free.
template <class F>
void for_each_part(std::size_t parts, bool pinned, const F& f) {
  if (parts == 1) return f(std::size_t{0});
  tbb::task_group_context context(tbb::task_group_context::isolated);  // cheaper than a bound one
  if (pinned) {
    tbb::parallel_for(std::size_t{0}, parts, f, tbb::static_partitioner(), context);
  } else {
    tbb::parallel_for(std::size_t{0}, parts, f, tbb::simple_partitioner(), context);
  }
}

/// No prefetch, and what makes about 1, 4, 8 and 16 KiB in flight. Only gradients can be read past the caches, and only
/// those of bags may all be near.
std::vector<Prefetch> prefetches(std::int64_t dim, bool has_gradients, bool of_bags = false) {
  using To = Prefetch::To;
  std::set<std::int64_t> distances;
  for (const std::int64_t kib : {1, 4, 8, 16}) distances.insert(std::max<std::int64_t>(1, kib * 256 / dim));
  std::vector<Prefetch> all = {{0, To::first_level}};
  for (const std::int64_t rows : distances) {
    all.push_back({rows, To::first_level});
    all.push_back({rows, To::second_level});
    if (has_gradients) all.push_back({rows, To::non_temporal});
    if (of_bags) all.push_back({rows, To::tables_first_level});
    if (of_bags) all.push_back({rows, To::tables_second_level});
  }
  return all;
}

std::string label_of(Prefetch prefetch) {
  if (prefetch.rows == 0) return "no prefetch";
  const char* const to[] = {" (L1)", " (L2)", " (non-temporal)", " (tables, L1)", " (tables, L2)"};
  return "prefetch " + std::to_string(prefetch.rows) + to[static_cast<int>(prefetch.to)];
}

}  // namespace

std::string_view name(Operation operation) {
  switch (operation) {
    case Operation::gather:
      return "gather";
    case Operation::gather_int64:
      return "gather_int64";
    case Operation::pool:
      return "pool";
    case Operation::scatter_add:
      return "scatter_add";
    case Operation::sgd:
      return "sgd";
    case Operation::adagrad:
      return "adagrad";
    case Operation::row_wise_adagrad:
      return "row_wise_adagrad";
    case Operation::adam:
      return "adam";
    case Operation::pooled_sgd:
      return "pooled_sgd";
    case Operation::pooled_row_wise_adagrad:
      return "pooled_row_wise_adagrad";
    case Operation::plan:
      return "plan";
    case Operation::plan_bags:
      return "plan_bags";
  }
  return "";
}

bool is_gather(Operation operation) { return operation == Operation::gather || operation == Operation::gather_int64; }

bool is_lookup(Operation operation) { return is_gather(operation) || operation == Operation::pool; }

bool is_plan(Operation operation) { return operation == Operation::plan || operation == Operation::plan_bags; }

bool is_pooled(Operation operation) {
  return operation == Operation::pool || operation == Operation::pooled_sgd ||
         operation == Operation::pooled_row_wise_adagrad || operation == Operation::plan_bags;
}

int state_count(Operation operation) {
  if (operation == Operation::adagrad) return 1;
  return operation == Operation::adam ? 2 : 0;
}

bool has_row_state(Operation operation) {
  return operation == Operation::row_wise_adagrad || operation == Operation::pooled_row_wise_adagrad;
}

double useful_bytes(Operation operation, const std::vector<std::int32_t>& batch, std::int64_t dim,
                    std::int64_t length) {
  const auto ids = static_cast<double>(batch.size());
  const double row = 4 * static_cast<double>(dim);
  if (is_gather(operation)) return row * 2 * ids;
  if (operation == Operation::pool) return row * (ids + ids / static_cast<double>(length));
  std::vector<std::int32_t> sorted = batch;
  std::sort(sorted.begin(), sorted.end());
  const auto unique = static_cast<double>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
  if (is_plan(operation)) return 4 * (2 * ids + unique);
  const double gradients = is_pooled(operation) ? ids / static_cast<double>(length) : ids;
  return row * (gradients + (2 + 2 * state_count(operation)) * unique) + (has_row_state(operation) ? 8 * unique : 0);
}

std::string_view ceiling_isa() { return best_loops().isa; }

/// Who does what in one batch's update.
struct Ceiling::Plan {
  struct Part {
    Columns columns;
    std::vector<Step> steps;              // in order of the gradients
    std::vector<Segment> segments;        // whole rows, in order of first occurrence
    std::vector<Segment> pieces;          // of rows that several parts share; `row` is the slot of the sum
    std::vector<std::int32_t> positions;  // of segments and pieces
  };
  std::vector<Part> parts;
  std::vector<Segment> merges;  // shared rows; positions are slots
  std::vector<std::int32_t> merge_slots;
  std::int32_t slot_count = 0;

  /// Rows are dealt out to `part_count` parts so that each has about the same work. With `share_hot_rows`, the
  /// positions of a row too large for one part are dealt out, and the sums merged at the end.
  static Plan by_rows(const std::vector<std::int32_t>& ids, int part_count, bool share_hot_rows, int states,
                      std::int64_t dim);
  /// Turns positions into the bags of `length` ids that they belong to.
  void use_bags(std::int64_t length);

  /// Every part does all positions, in its columns.
  static Plan by_columns(const std::vector<std::int32_t>& ids, int part_count, int states, std::int64_t dim);

 private:
  void fill_part(std::size_t part, const std::vector<std::int32_t>& ids, const std::vector<std::int32_t>& owned,
                 const std::set<std::int32_t>& shared, int states);
};

void Ceiling::Plan::fill_part(std::size_t part, const std::vector<std::int32_t>& ids,
                              const std::vector<std::int32_t>& owned, const std::set<std::int32_t>& shared,
                              int states) {
  struct Row {
    std::vector<std::int32_t> positions;
    std::int32_t slot = 0;
  };
  std::unordered_map<std::int32_t, Row> rows;
  std::vector<std::int32_t> order;
  for (const std::int32_t p : owned) {
    const std::int32_t id = ids[static_cast<std::size_t>(p)];
    Row& row = rows[id];
    if (row.positions.empty()) order.push_back(id);
    row.positions.push_back(p);
  }

  // Without states, adding to the row itself, again and again, moves no more than adding to a slot.
  const auto needs_slot = [&](std::int32_t id) {
    return shared.contains(id) || (states > 0 && rows[id].positions.size() > 1);
  };
  Part& target = parts[part];
  for (const std::int32_t id : order) {
    Row& row = rows[id];
    if (needs_slot(id)) row.slot = slot_count++;
    const auto begin = static_cast<std::int32_t>(target.positions.size());
    target.positions.insert(target.positions.end(), row.positions.begin(), row.positions.end());
    const auto end = static_cast<std::int32_t>(target.positions.size());
    if (shared.contains(id)) {
      target.pieces.push_back({row.slot, begin, end});
    } else {
      target.segments.push_back({id, begin, end});
    }
  }
  for (const std::int32_t p : owned) {
    const std::int32_t id = ids[static_cast<std::size_t>(p)];
    const Row& row = rows[id];
    auto kind = Step::Kind::apply;
    if (needs_slot(id)) {
      const bool last = p == row.positions.back() && !shared.contains(id);
      kind = p == row.positions.front() ? Step::Kind::start : last ? Step::Kind::add_apply : Step::Kind::add;
    }
    target.steps.push_back({id, p, row.slot, kind});
  }
}

Ceiling::Plan Ceiling::Plan::by_rows(const std::vector<std::int32_t>& ids, int part_count, bool share_hot_rows,
                                     int states, std::int64_t dim) {
  std::unordered_map<std::int32_t, std::int64_t> count;
  for (const std::int32_t id : ids) ++count[id];
  std::vector<std::int32_t> by_count;
  for (const auto& [id, n] : count) by_count.push_back(id);
  std::sort(by_count.begin(), by_count.end(),
            [&](std::int32_t a, std::int32_t b) { return std::pair(-count[a], a) < std::pair(-count[b], b); });

  const auto parts = static_cast<std::size_t>(part_count);
  const auto hot = static_cast<std::int64_t>(ids.size() / (4 * parts)) + 1;
  std::set<std::int32_t> shared;
  std::vector<double> load(parts);
  std::unordered_map<std::int32_t, std::size_t> owner;
  for (const std::int32_t id : by_count) {
    if (share_hot_rows && part_count > 1 && count[id] > hot) {
      shared.insert(id);
      continue;
    }
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    owner[id] = least;
    load[least] += static_cast<double>(count[id]) + 2 + 2 * states;
  }

  Plan plan;
  plan.parts.resize(parts);
  std::vector<std::vector<std::int32_t>> owned(parts);
  std::unordered_map<std::int32_t, std::int64_t> seen;
  for (std::size_t p = 0; p < ids.size(); ++p) {
    const std::int32_t id = ids[p];
    const std::size_t part =
        shared.contains(id) ? static_cast<std::size_t>(seen[id]++ * part_count / count[id]) : owner[id];
    owned[part].push_back(static_cast<std::int32_t>(p));
  }
  for (std::size_t part = 0; part < parts; ++part) {
    plan.parts[part].columns = {0, dim};
    plan.fill_part(part, ids, owned[part], shared, states);
  }

  std::unordered_map<std::int32_t, std::vector<std::int32_t>> slots;
  for (const Part& part : plan.parts) {
    for (const Segment& piece : part.pieces) {
      const auto position = static_cast<std::size_t>(part.positions[static_cast<std::size_t>(piece.begin)]);
      slots[ids[position]].push_back(piece.row);
    }
  }
  for (const auto& [id, row_slots] : slots) {
    const auto begin = static_cast<std::int32_t>(plan.merge_slots.size());
    plan.merge_slots.insert(plan.merge_slots.end(), row_slots.begin(), row_slots.end());
    plan.merges.push_back({id, begin, static_cast<std::int32_t>(plan.merge_slots.size())});
  }
  return plan;
}

Ceiling::Plan Ceiling::Plan::by_columns(const std::vector<std::int32_t>& ids, int part_count, int states,
                                        std::int64_t dim) {
  Plan plan = by_rows(ids, 1, false, states, dim);
  const Part whole = plan.parts[0];
  const std::int64_t parts = std::min<std::int64_t>(part_count, dim / 16);
  plan.parts.assign(static_cast<std::size_t>(parts), whole);
  for (std::int64_t p = 0; p < parts; ++p) {
    plan.parts[static_cast<std::size_t>(p)].columns = {dim / 16 * p / parts * 16, dim / 16 * (p + 1) / parts * 16};
  }
  return plan;
}

void Ceiling::Plan::use_bags(std::int64_t length) {
  const auto n = static_cast<std::int32_t>(length);
  for (Part& part : parts) {
    for (Step& step : part.steps) step.position /= n;
    for (std::int32_t& position : part.positions) position /= n;
  }
}

/// How the work is dealt out. One thread competes everywhere: waking a second one, or sharing lines with it, may cost
/// more than it saves.
struct Ceiling::Split {
  std::string label;
  int parts;
  bool pinned;
  bool by_columns;
};

Ceiling::Ceiling(const Problem& problem, int threads) : problem_(problem) {
  std::vector<Split> splits = {{"one thread", 1, true, false}};
  if (threads > 1) {
    splits.push_back({"a part per thread", threads, true, false});
    splits.push_back({"as many parts as threads", threads, false, false});
    splits.push_back({"small parts", 8 * threads, false, false});
  }
  if (is_gather(problem.operation)) {
    for (const Split& split : splits) add_gathers(split);
    return;
  }
  if (problem.operation == Operation::pool) {
    for (const Split& split : splits) add_pools(split);
    return;
  }
  if (is_plan(problem.operation)) {
    for (const Split& split : splits) add_plans(split);
    return;
  }
  if (threads > 1) {  // columns help only where one row is most of the work
    const std::vector<std::int32_t>& batch = problem.batches->front();
    std::unordered_map<std::int32_t, std::size_t> count;
    std::size_t most = 0;
    for (const std::int32_t id : batch) most = std::max(most, ++count[id]);
    if (most * 2 > batch.size() / static_cast<std::size_t>(threads)) {
      splits.push_back({"columns per thread", threads, true, true});
    }
  }
  for (const Split& split : splits) add_updates(split);
}

Ceiling::~Ceiling() = default;

void Ceiling::add_gathers(const Split& split) {
  const auto parts = static_cast<std::size_t>(split.parts);
  const auto add = [&](const std::string& label, auto&& copy) {
    loops_.push_back({label + ", " + split.label, [this, parts, pinned = split.pinned, copy](std::size_t b) {
                        const std::vector<std::int32_t>& ids = (*problem_.batches)[b];
                        for_each_part(parts, pinned, [&](std::size_t part) {
                          // Uneven: the first part begins at once, the others when a thread wakes.
                          const std::size_t step = ((ids.size() + parts - 1) / parts + 31) / 32 * 32;
                          const std::size_t begin = std::min(ids.size(), part * step);
                          const std::size_t end = std::min(ids.size(), begin + step);
                          copy(GatherArguments{problem_.weights,
                                               problem_.dim,
                                               ids.data() + begin,
                                               static_cast<std::int64_t>(end - begin),
                                               problem_.buffers[b] + static_cast<std::int64_t>(begin) * problem_.dim,
                                               {},
                                               false});
                        });
                      }});
  };
  for (const bool streaming : {false, true}) {
    for (const Prefetch prefetch : prefetches(problem_.dim, false)) {
      add(std::string(streaming ? "streaming stores, " : "ordinary stores, ") + label_of(prefetch),
          [streaming, prefetch](GatherArguments a) {
            a.streaming = streaming;
            a.prefetch = prefetch;
            best_loops().gather(a);
          });
    }
  }
  add("memcpy", [](const GatherArguments& a) {
    for (std::int64_t i = 0; i < a.count; ++i) {
      std::memcpy(a.out + i * a.dim, a.table + a.ids[i] * a.dim, static_cast<std::size_t>(a.dim) * sizeof(float));
    }
  });
}

void Ceiling::add_pools(const Split& split) {
  const auto parts = static_cast<std::size_t>(split.parts);
  const auto add = [&](bool columns_outside, Prefetch prefetch) {
    loops_.push_back(
        {(columns_outside ? "columns outside, " : "bags outside, ") + label_of(prefetch) + ", " + split.label,
         [this, parts, pinned = split.pinned, columns_outside, prefetch](std::size_t b) {
           const std::vector<std::int32_t>& ids = (*problem_.batches)[b];
           const std::int64_t bags = static_cast<std::int64_t>(ids.size()) / problem_.length;
           for_each_part(parts, pinned, [&](std::size_t part) {
             const auto count = static_cast<std::int64_t>(parts);
             const std::int64_t begin = bags * static_cast<std::int64_t>(part) / count;
             const std::int64_t end = bags * (static_cast<std::int64_t>(part) + 1) / count;
             best_loops().pool({problem_.weights, problem_.dim, ids.data() + begin * problem_.length, end - begin,
                                problem_.length, problem_.buffers[b] + begin * problem_.dim, prefetch,
                                columns_outside});
           });
         }});
  };
  for (const Prefetch prefetch : prefetches(problem_.dim, false)) add(false, prefetch);
  if (problem_.dim <= 256) return;
  for (const Prefetch prefetch : prefetches(256, false)) add(true, prefetch);  // its rows are blocks of 1 KiB
}

void Ceiling::add_updates(const Split& split) {
  // scatter_add adds in position order: a row's positions may not be dealt out, as an optimizer's blocks may.
  const bool share_hot_rows = problem_.operation != Operation::scatter_add;
  const int states = state_count(problem_.operation);
  const int planned_states = states + (has_row_state(problem_.operation) ? 1 : 0);
  const std::size_t first_plan = plans_.size();
  std::int64_t slots = 0;
  for (const std::vector<std::int32_t>& ids : *problem_.batches) {
    plans_.push_back(std::make_unique<Plan>(
        split.by_columns ? Plan::by_columns(ids, split.parts, planned_states, problem_.dim)
                         : Plan::by_rows(ids, split.parts, share_hot_rows, planned_states, problem_.dim)));
    if (is_pooled(problem_.operation)) plans_.back()->use_bags(problem_.length);
    slots = std::max<std::int64_t>(slots, plans_.back()->slot_count);
  }
  const auto scratch = std::make_shared<HugeBuffer>(static_cast<std::size_t>(slots * problem_.dim));

  const auto add = [&](const std::string& loop_name, bool in_steps, bool streaming, Prefetch prefetch,
                       bool tables_between) {
    loops_.push_back(
        {loop_name + ", " + label_of(prefetch) + (tables_between ? " between loads, " : ", ") + split.label,
         [this, first_plan, pinned = split.pinned, scratch, states, in_steps, streaming, prefetch,
          tables_between](std::size_t b) {
           const Plan& plan = *plans_[first_plan + b];
           float* const slot_rows = plan.slot_count > 0 ? scratch->data() : nullptr;
           const auto arguments = [&](const float* gradients, Columns columns) {
             return UpdateArguments{problem_.weights, {problem_.states[0], problem_.states[1]},
                                    states,           problem_.row_state,
                                    problem_.dim,     gradients,
                                    slot_rows,        columns,
                                    prefetch,         tables_between,
                                    streaming};
           };
           for_each_part(plan.parts.size(), pinned, [&](std::size_t p) {
             const Plan::Part& part = plan.parts[p];
             const UpdateArguments a = arguments(problem_.buffers[b], part.columns);
             if (in_steps) {
               best_loops().update_steps(a, part.steps.data(), static_cast<std::int64_t>(part.steps.size()));
               return;
             }
             best_loops().update_segments(a, part.segments.data(), static_cast<std::int64_t>(part.segments.size()),
                                          part.positions.data());
             best_loops().sum_segments(a, part.pieces.data(), static_cast<std::int64_t>(part.pieces.size()),
                                       part.positions.data());
           });
           best_loops().update_segments(arguments(scratch->data(), {0, problem_.dim}), plan.merges.data(),
                                        static_cast<std::int64_t>(plan.merges.size()), plan.merge_slots.data());
         }});
  };
  for (const Prefetch prefetch : prefetches(problem_.dim, true, is_pooled(problem_.operation))) {
    for (const bool between : {false, true}) {
      // Short rows are asked for before the loads, long ones between them, rows of 256 columns both ways, as the
      // library does. Without a prefetch it is all one.
      const bool worthwhile =
          between ? problem_.dim >= 256 && prefetch.rows > 0 : problem_.dim <= 256 || prefetch.rows == 0;
      if (!worthwhile) continue;
      add("row after row", false, false, prefetch, between);
      add("row after row with streaming stores", false, true, prefetch, between);
      add("in order of the gradients", true, false, prefetch, between);
    }
  }
}

void Ceiling::add_plans(const Split& split) {
  const auto ids = static_cast<std::int64_t>(problem_.batches->front().size());
  const auto part_count = static_cast<std::size_t>(split.parts);
  planned_.push_back(std::make_unique<std::vector<PlannedPart>>(part_count, PlannedPart(ids, problem_.rows)));
  std::vector<PlannedPart>& parts = *planned_.back();
  const std::int64_t length = is_pooled(problem_.operation) ? problem_.length : 1;
  loops_.push_back({"equal ids filled in, " + split.label,
                    [this, &parts, length, pinned = split.pinned](std::size_t b) {
                      for_each_part(parts.size(), pinned, [&](std::size_t p) {
                        const std::vector<std::int32_t>& all = (*problem_.batches)[b];
                        if (parts[p].plan_equal(all, length, static_cast<int>(p))) return;
                        parts[p].take(all, length, static_cast<int>(p), static_cast<int>(parts.size()));
                        (parts[p].*PlanLoop::all().front().group)();
                      });
                    },
                    &parts});
  loops_.push_back({"sorted by shard, counted in small hash tables, " + split.label,
                    [this, &parts, length, pinned = split.pinned](std::size_t b) {
                      const std::vector<std::int32_t>& all = (*problem_.batches)[b];
                      for_each_part(parts.size(), pinned, [&](std::size_t p) {
                        parts[p].sort_slice(all, static_cast<int>(p), static_cast<int>(parts.size()));
                      });
                      for_each_part(parts.size(), pinned, [&](std::size_t p) {
                        parts[p].group_shards(parts, all, length, static_cast<int>(p));
                      });
                    },
                    &parts});
  for (const PlanLoop& loop : PlanLoop::all()) {
    const std::string label = std::string(loop.name) + ", " + split.label;
    loops_.push_back({label,
                      [this, &parts, length, pinned = split.pinned, &loop](std::size_t b) {
                        for_each_part(parts.size(), pinned, [&](std::size_t p) {
                          parts[p].take((*problem_.batches)[b], length, static_cast<int>(p),
                                        static_cast<int>(parts.size()));
                          (parts[p].*loop.group)();
                        });
                      },
                      &parts});
    if (part_count == 1) continue;
    loops_.push_back({label + ", dealt out",
                      [this, &parts, length, pinned = split.pinned, &loop](std::size_t b) {
                        for_each_part(parts.size(), pinned, [&](std::size_t p) {
                          parts[p].deal_out((*problem_.batches)[b], length, static_cast<int>(p),
                                            static_cast<int>(parts.size()));
                        });
                        for_each_part(parts.size(), pinned, [&](std::size_t p) {
                          parts[p].collect(parts, static_cast<int>(p));
                          (parts[p].*loop.group)();
                        });
                      },
                      &parts});
  }
}

}  // namespace bench
