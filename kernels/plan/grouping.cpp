// SPDX-License-Identifier: Apache-2.0
#include "kernels/plan/grouping.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>
#include <utility>

#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/core/tuning.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/plan/filler.hpp"
#include "kernels/plan/numbering.hpp"

namespace rowmill {
namespace {

/// Enough shards to feed many threads, each with enough ids to be worth a task: a few ids of long rows with optimizer
/// states are. Of the ids alone, not of the threads.
int shard_bits_for(std::int64_t id_count) {
  constexpr int kMaxShardBits = 8;
  constexpr std::int64_t kFewestShardIds = 32;
  constexpr std::int64_t kFewShards = 8;
  const std::int64_t shards = std::max(id_count / tuning().shard_ids, std::min(id_count / kFewestShardIds, kFewShards));
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(shards | 1))) - 1;
  return std::min(bits, kMaxShardBits);
}

// Positions are first sorted by shard in chunks, which different threads may take: large enough that each shard finds
// some ids in each, two of them where that is not many, and of 2^16 positions at most. Their number follows the ids
// alone.
std::int64_t chunk_size_for(std::int64_t id_count) {
  const std::int64_t least = std::clamp((id_count + 1) / 2, std::int64_t{1} << 11, std::int64_t{1} << 12);
  return std::clamp(id_count / 64, least, std::int64_t{1} << 16);
}

std::int64_t chunk_count_for(std::int64_t id_count) {
  return (id_count + chunk_size_for(id_count) - 1) / chunk_size_for(id_count);
}

/// Rows that are counted: the counters of so many fit into a second-level cache.
constexpr std::int64_t kMaxCountedRows = std::int64_t{1} << 16;

/// The smallest b with 2^b >= n, at least 1.
int bits_for(std::int64_t n) {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(n, 2) - 1)));
}

}  // namespace

std::int64_t shard_count_for(std::int64_t id_count) { return std::int64_t{1} << shard_bits_for(id_count); }

Grouping::Grouping(std::int64_t id_count, const GroupingOf& of, Carver& memory)
    : of_(of),
      id_count_(id_count),
      chunk_size_(chunk_size_for(id_count)),
      shard_bits_(shard_bits_for(id_count)),
      shard_begin_(memory.take<std::int64_t>(shard_count() + 1)),
      segment_counts_(memory.take<std::int64_t>(shard_count())),
      largest_(memory.take<std::int64_t>(shard_count())),
      segment_rows_(memory.take<std::int64_t>(id_count)),
      segment_begin_(memory.take<std::int64_t>(id_count + 2 * shard_count())),
      positions_(memory.take<std::int64_t>(id_count)),
      id_positions_(of.id_positions ? memory.take<std::int64_t>(id_count) : nullptr),
      coefficients_(of.coefficients() ? memory.take<float>(id_count) : nullptr),
      bag_positions_(of.pooling == Pooling::max ? memory.take<std::int32_t>(id_count) : nullptr),
      factors_(of.divided() && !of.weights ? memory.take<float>(id_count) : nullptr),
      coefficient_at_(of.divided() ? memory.take<float>(id_count) : nullptr),
      sorted_(memory.take<std::uint16_t>(id_count)),
      list_begin_(memory.take<std::uint32_t>(chunk_count_for(id_count) * (shard_count() + 1))),
      bag_of_(memory.take<std::int64_t>(of.bags ? id_count : 0)),
      segment_of_(memory.take<std::int64_t>(id_count)),
      slots_(memory.take<std::int64_t>(4 * id_count)) {}

/// One build of a grouping: two parallel passes, over chunks of positions and then over shards. In a shard, equal rows
/// are found by counting them, where the table has few, else by a hash table. Equal ids are not sorted. IdAt is what
/// ids are read from by position: a pointer, or Ids where they are strided.
template <class IdAt>
class Grouping::Builder {
 public:
  Builder(const Grouping& grouping, IdAt ids, const GroupingInput& input)
      : g_(grouping),
        input_(input),
        filler_(grouping, input),
        ids_(ids),
        id_count_(input.ids.size()),
        ids_mean_themselves_(input.ids_mean_themselves()),
        // A shift by 64 has no meaning: a single shard is 0 times the row.
        shard_multiplier_(grouping.shard_bits_ == 0 ? 0 : kHashMultiplier),
        shard_shift_(grouping.shard_bits_ == 0 ? 0 : 64 - grouping.shard_bits_) {}

  void run(std::int64_t threads) const {
    if (one_row()) return group_one_row();
    parallel_chunks(threads, id_count_, g_.chunk_size_,
                    [&](std::int64_t begin, std::int64_t end) { sort_chunk(begin, end); });
    const std::int64_t chunks = chunk_count_for(id_count_);
    std::int64_t place = 0;
    for (std::int64_t s = 0; s < g_.shard_count(); ++s) {
      g_.shard_begin_[s] = place;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) place += g_.lists(chunk)[s + 1] - g_.lists(chunk)[s];
    }
    g_.shard_begin_[g_.shard_count()] = place;
    if constexpr (std::is_pointer_v<IdAt>) {
      if (const std::int64_t parts = counting_parts(threads); parts > 0) return count_shards(threads, parts);
    }
    parallel_tasks(threads, g_.shard_count(), [&](std::int64_t s) { group_shard(s); });
  }

 private:
  /// The row of a position that is not ignored.
  [[nodiscard]] std::int64_t row_at(std::int64_t position) const {
    const std::int64_t id = ids_[position];
    return ids_mean_themselves_ ? id : resolved(id);
  }

  /// Not inlined: the loops over ids are for policies that need less.
  [[nodiscard]] [[gnu::noinline]] std::int64_t resolved(std::int64_t id) const {
    return std::max(resolve_in_bag(id, input_.rows, input_.policy, input_.padding_id), kIgnored);
  }

  [[nodiscard]] std::int64_t shard_of(std::int64_t row) const {
    return static_cast<std::int64_t>((static_cast<std::uint64_t>(row) * shard_multiplier_) >> shard_shift_);
  }

  /// Whether all ids are equal. If not, that mostly shows at once: so one thread looks.
  [[nodiscard]] bool one_row() const {
    if (id_count_ == 0) return false;
    if constexpr (std::is_same_v<IdAt, const std::int32_t*>) {
      return kernels().find_bad_id_i32({ids_, id_count_, ids_[0], ids_[0]}) == id_count_;
    } else if constexpr (std::is_same_v<IdAt, const std::int64_t*>) {
      return kernels().find_bad_id_i64({ids_, id_count_, ids_[0], ids_[0]}) == id_count_;
    } else {
      std::int64_t i = 1;
      while (i < id_count_ && ids_[i] == ids_[0]) ++i;
      return i == id_count_;
    }
  }

  /// The same plan with nothing to sort: one segment of all positions, or none if the row is ignored.
  void group_one_row() const {
    const std::int64_t row = resolved(ids_[0]);
    const std::int64_t count = row == kIgnored ? 0 : id_count_;
    const std::int64_t owner = count == 0 ? 0 : shard_of(row);
    for (std::int64_t s = 0; s < g_.shard_count(); ++s) {
      const std::int64_t own = s == owner ? count : 0;
      g_.shard_begin_[s] = s <= owner ? 0 : count;
      g_.segment_counts_[s] = own == 0 ? 0 : 1;
      g_.largest_[s] = own;
      std::int64_t* const segment_begin = g_.segment_begin_ + g_.shard_begin_[s] + 2 * s;
      segment_begin[0] = 0;
      segment_begin[1] = own;
    }
    g_.shard_begin_[g_.shard_count()] = count;
    if (count > 0) g_.segment_rows_[0] = row;
    // Positions are written to lines that have to be fetched before.
    const std::int64_t threads = concurrency_for_lookup(id_count_ * std::int64_t{2 * sizeof(std::int64_t)});
    filler_.fill_one_row(threads, count > 0);
  }

  /// Sorts positions begin .. end-1, a chunk, by shard.
  void sort_chunk(std::int64_t begin, std::int64_t end) const {
    const std::int64_t ignored = g_.shard_count();
    const std::int64_t rows = input_.rows;
    const std::int64_t padding = input_.padding_id.value_or(kIgnored);
    if (!ids_mean_themselves_) {
      sort_chunk(begin, end, [=, this](std::int64_t id) {
        const std::int64_t row = resolved(id);
        return row == kIgnored ? ignored : shard_of(row);
      });
    } else if (input_.policy == OutOfRange::error && !input_.padding_id) {
      sort_chunk(begin, end, [this](std::int64_t id) { return shard_of(id); });
    } else {
      // Which ids are ignored can't be foreseen: so it is arithmetic, and nothing branches on it.
      sort_chunk(begin, end, [=, this](std::int64_t id) {
        const bool out_of_range = static_cast<std::uint64_t>(id) >= static_cast<std::uint64_t>(rows);
        const std::int64_t ignore = out_of_range | (id == padding);
        return (shard_of(id) & (ignore - 1)) | (ignored & -ignore);
      });
    }
    if (input_.bags != nullptr) filler_.read_bags(begin, end);
  }

  /// By counting, stably. bin_of(id) is the shard of an id; of one to ignore it is the number of shards, and such ids
  /// come last.
  template <class BinOf>
  void sort_chunk(std::int64_t begin, std::int64_t end, BinOf bin_of) const {
    const std::int64_t shards = g_.shard_count();
    std::uint32_t* const list_begin = g_.lists(begin / g_.chunk_size_);
    std::uint32_t next[258] = {};  // one place late: next[s + 1] counts shard s, and then is where the next one goes
    auto* const bins = reinterpret_cast<std::uint16_t*>(g_.segment_of_ + begin);  // memory of the second pass
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t bin = bin_of(ids_[i]);
      bins[i - begin] = static_cast<std::uint16_t>(bin);
      ++next[bin + 1];
    }
    list_begin[0] = 0;
    for (std::int64_t s = 0; s < shards; ++s) {
      list_begin[s + 1] = list_begin[s] + next[s + 1];
      next[s + 1] = list_begin[s];
    }
    next[shards + 1] = list_begin[shards];
    std::uint16_t* const sorted = g_.sorted_ + begin;
    for (std::int64_t i = 0; i < end - begin; ++i) sorted[next[bins[i] + 1]++] = static_cast<std::uint16_t>(i);
  }

  /// Into how many parts the shards are divided, each with a counter for every row of the table; 0 if these would be
  /// more than memory for the ids holds, or than they are worth.
  [[nodiscard]] std::int64_t counting_parts(std::int64_t threads) const {
    if (input_.rows == 0 || input_.rows > kMaxCountedRows || id_count_ >= std::int64_t{1} << 31) return 0;
    const std::int64_t most = std::min(2 * id_count_ / input_.rows, g_.shard_count());
    return most < threads ? 0 : threads == 1 ? 1 : std::min(most, 4 * threads);
  }

  void count_shards(std::int64_t threads, std::int64_t parts) const {
    auto* const counters = reinterpret_cast<std::uint32_t*>(g_.segment_of_);
    const std::int64_t contributions = g_.shard_begin_[g_.shard_count()];
    parallel_tasks(threads, parts, [&](std::int64_t part) {
      std::uint32_t* const counter = counters + part * input_.rows;
      std::fill_n(counter, input_.rows, 0);
      for (std::int64_t s = 0; s < g_.shard_count(); ++s) {
        // A part is the shards that begin in as many contributions.
        if (std::min(g_.shard_begin_[s] * parts / std::max<std::int64_t>(contributions, 1), parts - 1) == part) {
          count_shard(s, counter);
        }
      }
    });
  }

  /// As group_shard, where each row has a counter, which is 0.
  void count_shard(std::int64_t s, std::uint32_t* counter) const {
    const std::int64_t begin = g_.shard_begin_[s];
    std::int64_t* const firsts = g_.positions_ + begin;  // where rows first occur; before the positions
    std::int64_t segments = 0;
    g_.for_each_position(s, [&](std::int64_t position) {
      firsts[segments] = position;
      segments += counter[row_at(position)]++ == 0 ? 1 : 0;
      return true;
    });
    std::int64_t* const rows = g_.segment_rows_ + begin;
    std::int64_t* const segment_begin = g_.segment_begin_ + begin + 2 * s;
    std::uint32_t place = 0;
    std::uint32_t largest = 0;
    for (std::int64_t g = 0; g < segments; ++g) {
      rows[g] = row_at(firsts[g]);
      segment_begin[g] = place;
      const std::uint32_t count = std::exchange(counter[rows[g]], place);
      place += count;
      largest = std::max(largest, count);
    }
    segment_begin[segments] = place;
    g_.segment_counts_[s] = segments;
    g_.largest_[s] = largest;
    if (g_.keeps_first_positions()) std::copy_n(firsts, segments, g_.first_positions(s));
    filler_.place_shard(s, [&](std::int64_t* out, auto of) {
      g_.for_each_position(s, [&](std::int64_t position) {
        out[counter[row_at(position)]++] = of(position);
        return true;
      });
    });
  }

  /// On the stack where the shard is small enough: its hash table then stays in the first-level cache.
  void group_shard(std::int64_t s) const {
    constexpr std::int64_t kSlots = 8192;
    const std::int64_t begin = g_.shard_begin_[s];
    const std::int64_t count = g_.shard_begin_[s + 1] - begin;
    if (count <= kSlots / 2) {
      std::uint16_t slots[kSlots];
      std::uint16_t segment_of[kSlots / 2];
      group_shard(s, bits_for(std::min(6 * count, kSlots)), slots, segment_of);
    } else {
      group_shard(s, bits_for(2 * count), g_.slots_ + 4 * begin, g_.segment_of_ + begin);
    }
  }

  /// Groups the contributions of shard s by row: segments in order of first occurrence, positions ascending in each.
  /// `slots` is a hash table of 2^bits from row to segment, `segment_of` has room for each contribution.
  template <class Index>
  void group_shard(std::int64_t s, int bits, Index* slots, Index* segment_of) const {
    const std::int64_t begin = g_.shard_begin_[s];
    const std::int64_t count = g_.shard_begin_[s + 1] - begin;
    // Counts stand two places late, so that after summing each segment's start stands one place late; filling moves it
    // to the segment's end, which is the next one's start.
    std::int64_t* const segment_begin = g_.segment_begin_ + begin + 2 * s;
    segment_begin[0] = segment_begin[1] = 0;
    std::int64_t* const firsts = g_.positions_ + begin;  // where rows first occur; before the positions
    const Numbering<Index> numbering{g_.segment_rows_ + begin, segment_begin + 2, firsts, segment_of};
    const auto each_row = [&](auto body) __attribute__((always_inline)) {
      g_.for_each_position(
          s, [&](std::int64_t position) __attribute__((always_inline)) { return body(row_at(position), position); });
    };
    std::int64_t segments = number_by_hash(each_row, g_.shard_bits_, bits, slots, kCollisionsPerId * count, numbering);
    if (segments < 0) segments = number_by_sorting(each_row, count, g_.slots_ + 4 * begin, numbering);
    g_.segment_counts_[s] = segments;
    if (g_.keeps_first_positions()) filler_.keep_first_positions(s, numbering);
    std::int64_t place = 0;
    std::int64_t largest = 0;
    for (std::int64_t g = 0; g < segments; ++g) {
      const std::int64_t length = numbering.count(g);
      largest = std::max(largest, length);
      place += length;
      segment_begin[g + 2] = place;
    }
    g_.largest_[s] = largest;
    filler_.fill_shard(s, segment_of);
  }

  const Grouping& g_;
  const GroupingInput& input_;
  Filler filler_;
  IdAt ids_;
  std::int64_t id_count_;
  bool ids_mean_themselves_;
  std::uint64_t shard_multiplier_;
  int shard_shift_;
};

void Grouping::build(const GroupingInput& input, std::int64_t threads) const {
  const auto build_from = [&]<class IdAt>(IdAt id_at) { Builder<IdAt>(*this, id_at, input).run(threads); };
  input.ids.is_contiguous() ? input.ids.visit(build_from) : build_from(input.ids);
}

Plan::Shard Grouping::shard(std::int64_t s) const {
  const std::int64_t begin = shard_begin_[s];
  const auto segments = static_cast<std::size_t>(segment_counts_[s]);
  const auto part = [&]<class T>(T* array) {  // of an array beside the positions
    return array == nullptr ? std::span<const T>()
                            : std::span<const T>(array + begin, static_cast<std::size_t>(contributions(s)));
  };
  Plan::Shard shard{.rows = {segment_rows_ + begin, segments},
                    .segment_begin = {segment_begin_ + begin + 2 * s, segments + 1},
                    .positions = part(positions_),
                    .id_positions = part(id_positions_),
                    .first_positions = {},
                    .coefficients = part(coefficients_),
                    .bag_positions = part(bag_positions_)};
  if (keeps_first_positions()) shard.first_positions = {first_positions(s), segments};
  return shard;
}

}  // namespace rowmill
