// SPDX-License-Identifier: Apache-2.0
#include "similarity.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "kernels/core/parallel.hpp"
#include "rowmill/isa.hpp"

namespace rowmill::tool {
namespace {

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kQueriesAtOnce = 64;

/// Sixteen floats; the compiler makes of them what the instruction set of the function that uses them has.
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

/// Sums across columns as docs/numerics.md has them: by lane, then lanes as a balanced tree.
[[gnu::always_inline]] inline float sum(const Lanes& lanes) {
  float values[kLanes];
  std::memcpy(values, &lanes, sizeof values);
  for (std::int64_t step = kLanes / 2; step > 0; step /= 2) {
    for (std::int64_t i = 0; i < step; ++i) values[i] += values[i + step];
  }
  return values[0];
}

/// out[q] = dot(row, queries[q]) for `count` queries of `dim` elements (a multiple of the lanes), kQueries at once.
template <int kQueries>
[[gnu::always_inline]] inline void dots(const float* row, const float* queries, std::int64_t dim, float* out) {
  Lanes sums[kQueries] = {};
  for (std::int64_t c = 0; c < dim; c += kLanes) {
    Lanes x;
    std::memcpy(&x, row + c, sizeof x);
    for (int q = 0; q < kQueries; ++q) {
      Lanes y;
      std::memcpy(&y, queries + q * dim + c, sizeof y);
      sums[q] += x * y;
    }
  }
  for (int q = 0; q < kQueries; ++q) out[q] = sum(sums[q]);
}

[[gnu::always_inline]] inline void all_dots(const float* row, const float* queries, std::int64_t count,
                                            std::int64_t dim, float* out) {
  constexpr int kAtOnce = 4;
  std::int64_t q = 0;
  for (; q + kAtOnce <= count; q += kAtOnce) dots<kAtOnce>(row, queries + q * dim, dim, out + q);
  for (; q < count; ++q) dots<1>(row, queries + q * dim, dim, out + q);
}

using AllDots = void (*)(const float*, const float*, std::int64_t, std::int64_t, float*);

void all_dots_plain(const float* row, const float* queries, std::int64_t count, std::int64_t dim, float* out) {
  all_dots(row, queries, count, dim, out);
}
#if defined(__x86_64__)
[[gnu::target("avx2")]] void all_dots_avx2(const float* row, const float* queries, std::int64_t count, std::int64_t dim,
                                           float* out) {
  all_dots(row, queries, count, dim, out);
}
[[gnu::target("avx512f")]] void all_dots_avx512(const float* row, const float* queries, std::int64_t count,
                                                std::int64_t dim, float* out) {
  all_dots(row, queries, count, dim, out);
}
#endif

AllDots best_dots() {
#if defined(__x86_64__)
  if (isa_name() == "avx512") return all_dots_avx512;
  if (isa_name() == "avx2") return all_dots_avx2;
#endif
  return all_dots_plain;
}

/// Row r as floats, with zeros up to `padded` columns.
void widen(const ConstTableView& table, std::int64_t r, std::int64_t padded, float* out) {
  if (table.format() == Format::f32) {
    std::ranges::copy(table.row(r), out);
  } else {
    std::ranges::transform(table.row<Bf16>(r), out, [](Bf16 x) { return static_cast<float>(x); });
  }
  std::fill(out + table.dim(), out + padded, 0.0F);
}

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
  [[nodiscard]] const std::vector<Neighbour>& all() const { return heap_; }
  [[nodiscard]] std::vector<Neighbour> sorted() {
    std::ranges::sort(heap_, before);
    return std::move(heap_);
  }

 private:
  std::size_t count_;
  std::vector<Neighbour> heap_;
};

/// One pass over the table, for up to kQueriesAtOnce queries.
std::vector<std::vector<Neighbour>> one_pass(const ConstTableView& table, std::span<const Query> queries,
                                             std::int64_t count) {
  const std::int64_t dim = table.dim();
  const std::int64_t padded = (dim + kLanes - 1) / kLanes * kLanes;
  const auto n = static_cast<std::int64_t>(queries.size());
  std::vector<float> packed(static_cast<std::size_t>(n * padded));
  std::vector<float> norms(queries.size());
  const AllDots dots_of = best_dots();
  for (std::size_t q = 0; q < queries.size(); ++q) {
    float* const vector = packed.data() + static_cast<std::int64_t>(q) * padded;
    std::ranges::copy(queries[q].vector, vector);
    dots_of(vector, vector, 1, padded, &norms[q]);
  }

  std::vector<Best> best(queries.size(), Best(count));
  std::mutex mutex;
  const std::int64_t bytes = table.rows() * dim * element_size(table.format());
  const std::int64_t threads = concurrency_for(bytes * n);
  const std::int64_t grain = rows_per_task(table.rows(), dim * element_size(table.format()), threads);
  parallel_chunks(threads, table.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Best> found(queries.size(), Best(count));
    std::vector<float> row(static_cast<std::size_t>(padded));
    std::vector<float> products(queries.size());
    for (std::int64_t r = begin; r < end; ++r) {
      const bool whole = table.format() == Format::f32 && dim == padded;
      if (!whole) widen(table, r, padded, row.data());
      const float* const x = whole ? table.row(r).data() : row.data();
      float norm = 0;
      dots_of(x, x, 1, padded, &norm);
      dots_of(x, packed.data(), n, padded, products.data());
      for (std::size_t q = 0; q < queries.size(); ++q) {
        const float cosine = products[q] / (std::sqrt(norm) * std::sqrt(norms[q]));
        if (std::isnan(cosine) || std::ranges::find(queries[q].without, r) != queries[q].without.end()) continue;
        found[q].offer({r, cosine});
      }
    }
    const std::lock_guard lock(mutex);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      for (const Neighbour& neighbour : found[q].all()) best[q].offer(neighbour);
    }
  });
  std::vector<std::vector<Neighbour>> answers;
  for (Best& answer : best) answers.push_back(answer.sorted());
  return answers;
}

}  // namespace

std::vector<float> float_row(const ConstTableView& table, std::int64_t r) {
  std::vector<float> row(static_cast<std::size_t>(table.dim()));
  widen(table, r, table.dim(), row.data());
  return row;
}

std::vector<std::vector<Neighbour>> most_similar(const ConstTableView& table, std::span<const Query> queries,
                                                 std::int64_t count) {
  std::vector<std::vector<Neighbour>> answers;
  for (std::size_t begin = 0; begin < queries.size(); begin += kQueriesAtOnce) {
    const std::size_t n = std::min(static_cast<std::size_t>(kQueriesAtOnce), queries.size() - begin);
    for (std::vector<Neighbour>& answer : one_pass(table, queries.subspan(begin, n), count)) {
      answers.push_back(std::move(answer));
    }
  }
  return answers;
}

}  // namespace rowmill::tool
