// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set, with ROWMILL_BENCH_ISA naming it. Everything here has internal linkage: a
// shared inline function could carry AVX-512 code into a program on an older machine.
#include "roofline_loops.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bench::ROWMILL_BENCH_ISA {

namespace {

// A cache line. Integers: reading must not depend on whether the values are denormal floats.
using Line = std::uint32_t __attribute__((vector_size(64), aligned(4), may_alias));
using FloatLine = float __attribute__((vector_size(64), aligned(4), may_alias));
constexpr std::int64_t kLineFloats = 16;

const Line& line_at(const float* p) { return *reinterpret_cast<const Line*>(p); }
FloatLine& floats_at(float* p) { return *reinterpret_cast<FloatLine*>(p); }

// Keeps what was read alive.
void use(const Line& sum) { __asm__ volatile("" : : "r"(&sum) : "memory"); }

// Inline assembly, because GCC drops calls of functions that only prefetch.
template <bool kFirstLevel>
[[gnu::always_inline]] inline void prefetch_line(const float* p) {
#if defined(__SSE2__)
  if constexpr (kFirstLevel) {
    __asm__ volatile("prefetcht0 %0" : : "m"(*p));
  } else {
    __asm__ volatile("prefetcht1 %0" : : "m"(*p));
  }
#else
  __builtin_prefetch(p, 0, kFirstLevel ? 3 : 2);
#endif
}

void read(const float* values, std::int64_t count) {
  Line sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * kLineFloats <= count; i += 4 * kLineFloats) {
    for (int k = 0; k < 4; ++k) sums[k] += line_at(values + i + k * kLineFloats);
  }
  for (; i < count; i += kLineFloats) sums[0] += line_at(values + i);
  sums[0] += sums[1] + sums[2] + sums[3];
  use(sums[0]);
}

void write(float* values, std::int64_t count) {
  const FloatLine line = FloatLine{} + 0.001F;
  for (std::int64_t i = 0; i < count; i += kLineFloats) floats_at(values + i) = line;
}

void stream(float* values, std::int64_t count) {
#if defined(__AVX512F__)
  for (std::int64_t i = 0; i < count; i += kLineFloats) _mm512_stream_ps(values + i, _mm512_set1_ps(0.001F));
  _mm_sfence();
#elif defined(__SSE2__)
  for (std::int64_t i = 0; i < count; i += 4) _mm_stream_ps(values + i, _mm_set1_ps(0.001F));
  _mm_sfence();
#else
  write(values, count);
#endif
}

// Calls f.operator()<columns>() for the widths that a loop of their own makes faster, with 0 for any other.
template <class F>
[[gnu::always_inline]] inline void with_width(std::int64_t dim, F f) {
  if (dim == 64) return f.template operator()<64>();
  if (dim == 128) return f.template operator()<128>();
  f.template operator()<0>();
}

template <std::int64_t kColumns, bool kFirstLevel>
[[gnu::noinline]] void read_rows(Rows rows) {
  const std::int64_t dim = kColumns > 0 ? kColumns : rows.dim;
  const std::int64_t ahead = rows.prefetch.rows;
  const float* const table = rows.tables[0];
  // The lines of a row; those of the fixed widths begin with one.
  const auto for_each_line = [=](std::int32_t id, auto f) __attribute__((always_inline)) {
    const float* const row = table + id * dim;
    const auto before = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(row) / sizeof(float)) % kLineFloats;
    for (std::int64_t c = kColumns > 0 ? 0 : -before; c < dim; c += kLineFloats) f(row + c);
  };
  Line sum = {};
  for (std::int64_t i = 0; i < rows.count; ++i) {
    if (ahead > 0) {
      for_each_line(rows.ids[i + ahead < rows.count ? i + ahead : i], prefetch_line<kFirstLevel>);
    }
    for_each_line(
        rows.ids[i], [&sum](const float* line) __attribute__((always_inline)) { sum += line_at(line); });
  }
  use(sum);
}

template <std::int64_t kColumns, bool kFirstLevel>
[[gnu::noinline]] void update_rows(Rows rows) {
  const std::int64_t dim = kColumns > 0 ? kColumns : rows.dim;
  const std::int64_t ahead = rows.prefetch.rows;
  const volatile float known_at_run_time = 1;  // so that x * one is not left out
  const float one = known_at_run_time;
  for (std::int64_t i = 0; i < rows.count; ++i) {
    if (ahead > 0) {
      const std::int64_t later = rows.ids[i + ahead < rows.count ? i + ahead : i];
      for (int t = 0; t < rows.table_count; ++t) {
        const float* const row = rows.tables[t] + later * dim;
        for (std::int64_t c = 0; c < dim; c += kLineFloats) prefetch_line<kFirstLevel>(row + c);
      }
      if (rows.row_values != nullptr) prefetch_line<kFirstLevel>(rows.row_values + later);
    }
    const std::int64_t id = rows.ids[i];
    for (int t = 0; t < rows.table_count; ++t) {
      float* const row = rows.tables[t] + id * dim;
      for (std::int64_t c = 0; c < dim; c += kLineFloats) floats_at(row + c) *= one;
    }
    if (rows.row_values != nullptr) rows.row_values[id] *= one;
  }
}

void read_rows_of(const Rows& rows) {
  with_width(rows.dim, [&]<std::int64_t kColumns>() {
    rows.prefetch.first_level ? read_rows<kColumns, true>(rows) : read_rows<kColumns, false>(rows);
  });
}

void update_rows_of(const Rows& rows) {
  with_width(rows.dim, [&]<std::int64_t kColumns>() {
    rows.prefetch.first_level ? update_rows<kColumns, true>(rows) : update_rows<kColumns, false>(rows);
  });
}

#define ROWMILL_TEXT(isa) #isa
#define ROWMILL_NAME(isa) ROWMILL_TEXT(isa)

}  // namespace

const RooflineLoops roofline = {ROWMILL_NAME(ROWMILL_BENCH_ISA), read, write, stream, read_rows_of, update_rows_of};

}  // namespace bench::ROWMILL_BENCH_ISA
