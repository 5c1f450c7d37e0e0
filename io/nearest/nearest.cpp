// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "io/file/parallel.hpp"
#include "io/nearest/dots.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/core/fp_environment.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/table.hpp"

namespace rowmill::io {
namespace {

constexpr std::int64_t kQueriesAtOnce = 64;
constexpr std::int64_t kRows = DotRows::kCount;

/// What convert() makes floats of.
constexpr std::initializer_list<Format> kNearestFormats = {Format::f32,  Format::bf16, Format::f16, Format::int8,
                                                           Format::int4, Format::int2, Format::f64};

std::int64_t padded(std::int64_t dim) { return (dim + kLanes - 1) / kLanes * kLanes; }

/// Rows of a table for the loops: whole columns of float32 where they are, tails in a buffer. Rows of other formats are
/// made floats first, a block of them at a time.
class RowReader {
 public:
  explicit RowReader(const ConstTableView& table) : table_(table) {
    rows_.whole_columns = table.dim() / kLanes * kLanes;
    rows_.has_tail = rows_.whole_columns < table.dim();
    const bool direct = table.format() == Format::f32;
    rows_.next = direct ? kRows * table.row_stride() * std::int64_t{sizeof(float)} : 0;
    for (float(&tail)[kLanes] : rows_.tails) std::ranges::fill(tail, 0.0F);
    if (!direct) block_ = Table(std::min(kBlockRows, table.rows()), table.dim());
  }

  /// Rows first .. first+count-1; if these are fewer than DotRows has, the last is there several times.
  const DotRows& read(std::int64_t first, std::int64_t count) {
    if (table_.format() != Format::f32 && (first < begin_ || first + count > end_)) {
      begin_ = first;
      end_ = std::min(first + block_.rows(), table_.rows());
      convert(some_rows(table_, begin_, end_ - begin_), some_rows(block_.view(), 0, end_ - begin_));
    }
    for (std::int64_t i = 0; i < kRows; ++i) {
      const std::int64_t r = first + std::min(i, count - 1);
      const std::span<const float> row =
          table_.format() == Format::f32 ? table_.row(r) : std::as_const(block_).view().row(r - begin_);
      rows_.whole[i] = row.data();
      std::ranges::copy(row.subspan(static_cast<std::size_t>(rows_.whole_columns)), rows_.tails[i]);
    }
    return rows_;
  }

 private:
  static constexpr std::int64_t kBlockRows = 64;

  const ConstTableView& table_;
  DotRows rows_;
  Table block_;  // rows begin_ .. end_-1
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
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

/// One pass over the table, for `n` queries from `first` on.
void one_pass(const ConstTableView& table, const ConstTableView& queries, std::int64_t first, std::int64_t n,
              std::int64_t count, std::vector<std::vector<Neighbour>>& answers) {
  const DotLoops loops = dot_loops();
  const std::int64_t stride = padded(table.dim());
  std::vector<float> packed(static_cast<std::size_t>(n * stride));
  std::vector<float> query_lengths(static_cast<std::size_t>(n));
  convert(some_rows(queries, first, n), TableView(packed.data(), n, table.dim(), stride));
  RowReader query_reader(queries);
  for (std::int64_t q = 0; q < n; ++q) {
    float squares[kRows];
    loops.squares(query_reader.read(first + q, 1), squares);
    query_lengths[static_cast<std::size_t>(q)] = std::sqrt(squares[0]);
  }

  std::vector<Best> best(static_cast<std::size_t>(n), Best(count));
  std::mutex mutex;
  const std::int64_t row_bytes = rowmill::row_bytes(table);
  const std::int64_t threads = concurrency_for(table.rows() * row_bytes * n);
  const std::int64_t grain = rows_per_task(table.rows(), row_bytes, threads);
  parallel_that_throws(threads, (table.rows() + grain - 1) / grain, [&](std::int64_t task) {
    const std::int64_t begin = task * grain;
    const std::int64_t end = std::min(begin + grain, table.rows());
    std::vector<Best> found(static_cast<std::size_t>(n), Best(count));
    std::vector<float> cosines(static_cast<std::size_t>(n * kRows));
    RowReader reader(table);
    for (std::int64_t r = begin; r < end; r += kRows) {
      const DotRows& rows = reader.read(r, std::min(kRows, end - r));
      float lengths[kRows];
      loops.squares(rows, lengths);
      for (float& length : lengths) length = std::sqrt(length);
      loops.cosines(rows, lengths, {packed.data(), query_lengths.data(), n, stride}, cosines.data());
      const float* cosine = cosines.data();
      for (Best& answers_of_query : found) {
        const float bar = answers_of_query.bar();
        for (std::int64_t i = 0; i < kRows; ++i, ++cosine) {
          if (*cosine >= bar && r + i < end) answers_of_query.offer({r + i, *cosine});  // a NaN is not
        }
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
  check_format("nearest", "table", table, kNearestFormats);
  check_format("nearest", "queries", queries, kNearestFormats);
  check_shape("nearest", "queries", queries, queries.rows(), table.dim(), "the dim of the table");
  if (count < 0) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: nearest: count is " + std::to_string(count) + "; allowed: 0 or more");
  }
  const FpEnvironment environment;
  std::vector<std::vector<Neighbour>> answers;
  for (std::int64_t first = 0; first < queries.rows(); first += kQueriesAtOnce) {
    one_pass(table, queries, first, std::min(kQueriesAtOnce, queries.rows() - first), count, answers);
  }
  return answers;
}

}  // namespace rowmill::io
