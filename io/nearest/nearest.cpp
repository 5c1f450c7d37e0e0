// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "io/file/parallel.hpp"
#include "io/file/rows.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/fp_environment.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/table.hpp"

namespace rowmill::io {
namespace {

constexpr std::int64_t kQueriesAtOnce = 64;
constexpr std::int64_t kQueriesOfTile = 8;  // dot_tile_f32 takes a multiple of so many
constexpr std::int64_t kFewQueries = 3;     // so many are compared one by one sooner than in a tile

std::int64_t padded(std::int64_t count, std::int64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

/// out[i] = the length of vector i of a group.
void lengths_of(const float* const* vectors, std::int64_t dim, float* out) {
  kernels().dot_pairs_f32({.a = vectors, .b = vectors, .out = out, .dim = dim});
  std::transform(out, out + kGroup, out, [](float square) { return std::sqrt(square); });
}

/// Rows of a table for the kernels: groups of floats, each filled up with zeros to a multiple of 16 columns.
class RowReader {
 public:
  explicit RowReader(const ConstTableView& table) : table_(table), rows_(kGroup, padded(table.dim(), 16)) {
    for (std::int64_t i = 0; i < kGroup; ++i) pointers_[i] = rows_.data() + i * rows_.dim();
  }

  /// Rows first .. first+count-1, of up to kGroup; what stands in the places of others is left as it is. Prefetches
  /// those after them: the processor would begin to wait for them only when these are done with.
  const float* const* read(std::int64_t first, std::int64_t count) {
    if (table_.format() != Format::f32) {
      convert(some_rows(table_, first, count), TableView(rows_.data(), count, table_.dim(), rows_.dim()));
      return pointers_;
    }
    constexpr std::int64_t kLineFloats = 16;
    const std::int64_t next = kGroup * table_.row_stride();
    for (std::int64_t i = 0; i < count; ++i) {
      const float* const row = table_.row(first + i).data();
      for (std::int64_t c = 0; c < table_.dim(); c += kLineFloats) __builtin_prefetch(row + next + c);
      std::copy_n(row, table_.dim(), rows_.data() + i * rows_.dim());
    }
    return pointers_;
  }

 private:
  const ConstTableView& table_;
  Table rows_;
  const float* pointers_[kGroup];
};

/// Vectors to compare with: floats, filled up with zeros.
class Queries {
 public:
  Queries(const ConstTableView& queries, std::int64_t first, std::int64_t count)
      : count_(count), vectors_(padded(count, kGroup), padded(queries.dim(), 16)) {
    convert(some_rows(queries, first, count), TableView(vectors_.data(), count, queries.dim(), vectors_.dim()));
    for (std::int64_t q = 0; q < vectors_.rows(); ++q) pointers_.push_back(vectors_.data() + q * vectors_.dim());
    lengths_.resize(pointers_.size());
    for (std::size_t q = 0; q < pointers_.size(); q += kGroup) {
      lengths_of(pointers_.data() + q, vectors_.dim(), lengths_.data() + q);
    }
  }

  /// out[q * kGroup + i] = the cosine of query q and rows[i]. There is room for scores() numbers.
  void cosines(const float* const* rows, const float* lengths, float* out) const {
    const std::int64_t dim = vectors_.dim();
    if (count_ <= kFewQueries) {
      for (std::int64_t q = 0; q < count_; ++q) {
        const float* same[kGroup];
        std::ranges::fill(same, pointers_[static_cast<std::size_t>(q)]);
        kernels().dot_pairs_f32({.a = rows, .b = same, .out = out + q * kGroup, .dim = dim});
      }
    } else {
      kernels().dot_tile_f32({.rows = rows,
                              .samples = pointers_.data(),
                              .sample_count = padded(count_, kQueriesOfTile),
                              .next = nullptr,
                              .next_count = 0,
                              .out = out,
                              .dim = dim});
    }
    for (std::int64_t q = 0; q < count_; ++q) {
      const float length = lengths_[static_cast<std::size_t>(q)];
      for (std::int64_t i = 0; i < kGroup; ++i) out[q * kGroup + i] /= lengths[i] * length;
    }
  }

  [[nodiscard]] std::int64_t count() const { return count_; }
  /// Those of what fills up a tile are among them.
  [[nodiscard]] std::int64_t scores() const { return padded(count_, kQueriesOfTile) * kGroup; }

 private:
  std::int64_t count_;
  Table vectors_;
  std::vector<const float*> pointers_;
  std::vector<float> lengths_;
};

bool before(const Neighbour& a, const Neighbour& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.row < b.row;
}

/// The best answers so far, as a heap with the worst on top.
class Best {
 public:
  explicit Best(std::int64_t count) : count_(static_cast<std::size_t>(count)) {}

  void offer(const Neighbour& neighbour) {
    if (heap_.size() == count_) {
      if (count_ == 0 || !before(neighbour, heap_.front())) return;
      std::ranges::pop_heap(heap_, before);
      heap_.pop_back();
    }
    heap_.push_back(neighbour);
    std::ranges::push_heap(heap_, before);
  }
  /// What is below this is no answer.
  [[nodiscard]] float bar() const {
    return heap_.empty() || heap_.size() < count_ ? -std::numeric_limits<float>::infinity() : heap_.front().cosine;
  }
  [[nodiscard]] const std::vector<Neighbour>& all() const { return heap_; }
  [[nodiscard]] std::vector<Neighbour> sorted() {
    std::ranges::sort(heap_, before);
    return std::move(heap_);
  }

 private:
  std::size_t count_;
  std::vector<Neighbour> heap_;
};

/// One pass over the table, for these queries.
void one_pass(const ConstTableView& table, const Queries& queries, std::int64_t count,
              std::vector<std::vector<Neighbour>>& answers) {
  const std::int64_t n = queries.count();
  const std::int64_t dim = padded(table.dim(), 16);
  std::vector<Best> best(static_cast<std::size_t>(n), Best(count));
  std::mutex mutex;
  const std::int64_t row_bytes = rowmill::row_bytes(table);
  const std::int64_t threads = concurrency_for(table.rows() * row_bytes * n);
  const std::int64_t grain = padded(rows_per_task(table.rows(), row_bytes, threads), kGroup);
  parallel_that_throws(threads, (table.rows() + grain - 1) / grain, [&](std::int64_t task) {
    const std::int64_t begin = task * grain;
    const std::int64_t end = std::min(begin + grain, table.rows());
    std::vector<Best> found(static_cast<std::size_t>(n), Best(count));
    std::vector<float> cosines(static_cast<std::size_t>(queries.scores()));
    RowReader reader(table);
    for (std::int64_t r = begin; r < end; r += kGroup) {
      const std::int64_t rows = std::min(kGroup, end - r);
      const float* const* const group = reader.read(r, rows);
      float lengths[kGroup];
      lengths_of(group, dim, lengths);
      queries.cosines(group, lengths, cosines.data());
      const float* cosine = cosines.data();
      for (Best& answers_of_query : found) {
        const float bar = answers_of_query.bar();
        for (std::int64_t i = 0; i < rows; ++i) {
          if (cosine[i] >= bar) answers_of_query.offer({r + i, cosine[i]});  // a NaN is not
        }
        cosine += kGroup;
      }
    }
    const std::lock_guard lock(mutex);
    for (std::size_t q = 0; q < found.size(); ++q) {
      for (const Neighbour& neighbour : found[q].all()) best[q].offer(neighbour);
    }
  });
  for (Best& answer : best) answers.push_back(answer.sorted());
}

}  // namespace

std::vector<std::vector<Neighbour>> nearest(const ConstTableView& table, const ConstTableView& queries,
                                            std::int64_t count) {
  check_view("nearest", "table", table);
  check_has_columns("nearest", "table", table);
  check_view("nearest", "queries", queries);
  check_format("nearest", "table", table, kLookupFormats);
  check_format("nearest", "queries", queries, kLookupFormats);
  check_shape("nearest", "queries", queries, queries.rows(), table.dim(), "the dim of the table");
  if (count < 0) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: nearest: count is " + std::to_string(count) + "; allowed: 0 or more");
  }
  const FpEnvironment environment;
  std::vector<std::vector<Neighbour>> answers;
  for (std::int64_t first = 0; first < queries.rows(); first += kQueriesAtOnce) {
    one_pass(table, Queries(queries, first, std::min(kQueriesAtOnce, queries.rows() - first)), count, answers);
  }
  return answers;
}

}  // namespace rowmill::io
