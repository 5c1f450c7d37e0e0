// SPDX-License-Identifier: Apache-2.0
// Compiled once per instruction set, with ROWMILL_CEILING_ISA naming it. Only functions with internal linkage here: a
// shared inline function could carry AVX-512 code into a program on an older machine.
#include "ceiling_loops.hpp"

#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bench::ROWMILL_CEILING_ISA {

namespace {

#if defined(__AVX512F__)
using Vector = __m512;
constexpr std::int64_t kBlock = 16;  // vectors held in registers at once
inline Vector load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
inline void stream(float* p, Vector v) { _mm512_stream_ps(p, v); }
#elif defined(__AVX2__)
using Vector = __m256;
constexpr std::int64_t kBlock = 8;
inline Vector load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
inline void stream(float* p, Vector v) { _mm256_stream_ps(p, v); }
#elif defined(__SSE2__)
using Vector = __m128;
constexpr std::int64_t kBlock = 8;
inline Vector load(const float* p) { return _mm_loadu_ps(p); }
inline void store(float* p, Vector v) { _mm_storeu_ps(p, v); }
inline void stream(float* p, Vector v) { _mm_stream_ps(p, v); }
#else
typedef float Vector __attribute__((vector_size(16)));
constexpr std::int64_t kBlock = 8;
inline Vector load(const float* p) {
  Vector v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vector v) { __builtin_memcpy(p, &v, sizeof v); }
inline void stream(float* p, Vector v) { store(p, v); }
#endif

constexpr std::int64_t kWidth = sizeof(Vector) / sizeof(float);

inline void fence_streaming() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

template <bool streaming>
inline void put(float* p, Vector v) {
  if constexpr (streaming) {
    stream(p, v);
  } else {
    store(p, v);
  }
}

// Calls f.template operator()<vectors>(column) for blocks that cover the columns; dims are multiples of the width.
template <std::int64_t kLargest, class F>
inline __attribute__((always_inline)) void for_blocks(Columns columns, F&& f) {
  std::int64_t c = columns.begin;
  for (; c + kLargest * kWidth <= columns.end; c += kLargest * kWidth) f.template operator()<kLargest>(c);
  for (; c + 4 * kWidth <= columns.end; c += 4 * kWidth) f.template operator()<4>(c);
  for (; c < columns.end; c += kWidth) f.template operator()<1>(c);
}

template <class F>
inline __attribute__((always_inline)) void for_vectors(Columns columns, F&& f) {
  for (std::int64_t c = columns.begin; c < columns.end; c += kWidth) f(c);
}

// Calls f(0) .. f(n - 1), written out: GCC unrolls a loop over an array of vectors too late to keep it in registers
// only.
template <std::int64_t n, class F>
inline __attribute__((always_inline)) void unrolled(F f) {
  [&]<std::int64_t... k>(std::integer_sequence<std::int64_t, k...>) __attribute__((always_inline)) { (f(k), ...); }
  (std::make_integer_sequence<std::int64_t, n>{});
}

// Volatile: GCC drops calls of functions that only prefetch.
#if defined(__SSE2__)
inline void prefetch_first_level(const float* p) { __asm__ volatile("prefetcht0 %0" : : "m"(*p)); }
inline void prefetch_second_level(const float* p) { __asm__ volatile("prefetcht1 %0" : : "m"(*p)); }
inline void prefetch_non_temporal(const float* p) { __asm__ volatile("prefetchnta %0" : : "m"(*p)); }
#else
inline __attribute__((always_inline)) void prefetch_first_level(const float* p) { __builtin_prefetch(p); }
inline __attribute__((always_inline)) void prefetch_second_level(const float* p) { __builtin_prefetch(p, 0, 2); }
inline __attribute__((always_inline)) void prefetch_non_temporal(const float* p) { __builtin_prefetch(p, 0, 0); }
#endif

inline void prefetch_row(const float* row, std::int64_t columns, Prefetch::To to) {
  const auto ask = [&](std::int64_t c) __attribute__((always_inline)) {
    to == Prefetch::To::first_level ? prefetch_first_level(row + c) : prefetch_second_level(row + c);
  };
  std::int64_t c = 0;
  for (; c + 64 <= columns; c += 64) {  // written out, as the library's
    ask(c);
    ask(c + 16);
    ask(c + 32);
    ask(c + 48);
  }
  for (; c < columns; c += 16) ask(c);
}

enum class Ask { nothing, first_level, second_level, non_temporal, tables_first_level, tables_second_level };

template <Ask ask>
inline __attribute__((always_inline)) void ask_for(const float* p) {
  if constexpr (ask == Ask::first_level) prefetch_first_level(p);
  if constexpr (ask == Ask::second_level) prefetch_second_level(p);
  if constexpr (ask == Ask::non_temporal) prefetch_non_temporal(p);
}

// Calls f.template operator()<ask>() for what `prefetch` asks for.
template <class F>
inline __attribute__((always_inline)) void with_ask(Prefetch prefetch, F&& f) {
  if (prefetch.rows == 0) return f.template operator()<Ask::nothing>();
  if (prefetch.to == Prefetch::To::first_level) return f.template operator()<Ask::first_level>();
  if (prefetch.to == Prefetch::To::second_level) return f.template operator()<Ask::second_level>();
  if (prefetch.to == Prefetch::To::non_temporal) return f.template operator()<Ask::non_temporal>();
  if (prefetch.to == Prefetch::To::tables_first_level) return f.template operator()<Ask::tables_first_level>();
  f.template operator()<Ask::tables_second_level>();
}

// The loops copy their arguments: vector stores may alias anything in memory, but not a local copy. They are compiled
// for rows of `width` columns where that is usual, and with 0 for any.

template <class F>
inline void with_width(std::int64_t columns, F&& f) {
  if (columns == 64) return f.template operator()<64>();
  if (columns == 256) return f.template operator()<256>();
  f.template operator()<0>();
}

// What is known of an update when it is compiled: so that little is left to keep on the stack, where each row would
// read it again (docs/choices.md, Loops that read no stack).
template <std::int64_t width_, int states_, bool row_state_, bool between_>
struct Known {
  static constexpr std::int64_t width = width_;  // 0: any
  static constexpr int states = states_;
  static constexpr bool row_state = row_state_;
  static constexpr bool between = between_;  // tables are asked for between the loads, not before them

  static inline __attribute__((always_inline)) UpdateArguments of(UpdateArguments a) {
    if (!row_state) a.row_state = nullptr;
    if (width == 0) return a;
    a.dim = width;
    a.columns = {0, width};
    return a;
  }
};

template <std::int64_t width, bool streaming>
void gather_rows(const GatherArguments& arguments) {
  GatherArguments a = arguments;
  if (width != 0) a.dim = width;
  const Columns columns{0, a.dim};
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (a.prefetch.rows != 0 && i + a.prefetch.rows < a.count) {
      prefetch_row(a.table + a.ids[i + a.prefetch.rows] * a.dim, a.dim, a.prefetch.to);
    }
    const float* from = a.table + a.ids[i] * a.dim;
    float* to = a.out + i * a.dim;
    for_blocks<4>(columns, [&]<std::int64_t vectors>(std::int64_t c) {
      Vector v[vectors];
      unrolled<vectors>([&](std::int64_t k) __attribute__((always_inline)) { v[k] = load(from + c + k * kWidth); });
      unrolled<vectors>([&](std::int64_t k)
                            __attribute__((always_inline)) { put<streaming>(to + c + k * kWidth, v[k]); });
    });
  }
  if (streaming) fence_streaming();
}

void gather(const GatherArguments& a) {
  const auto rows = [&]<std::int64_t width>() {
    a.streaming ? gather_rows<width, true>(a) : gather_rows<width, false>(a);
  };
  // One width: longer rows gain nothing by it.
  a.dim == 64 ? rows.template operator()<64>() : rows.template operator()<0>();
}

// One block of a bag's columns: its sum in registers.
template <Ask ask, std::int64_t vectors>
inline __attribute__((always_inline)) void pool_block(const PoolArguments& a, std::int64_t b, std::int64_t c) {
  const std::int64_t count = a.bags * a.length;
  Vector sum[vectors];
  const auto read = [&](std::int64_t i, auto take) __attribute__((always_inline)) {
    const float* row = a.table + a.ids[i] * a.dim + c;
    const std::int64_t ahead = i + a.prefetch.rows;
    const float* later = ask != Ask::nothing && ahead < count ? a.table + a.ids[ahead] * a.dim + c : row;
    unrolled<vectors>([&](std::int64_t k) __attribute__((always_inline)) {
      if (k * kWidth % 16 == 0) ask_for<ask>(later + k * kWidth);  // between the loads, as the library's
      take(k, load(row + k * kWidth));
    });
  };
  std::int64_t i = b * a.length;
  read(
      i, [&](std::int64_t k, Vector value) __attribute__((always_inline)) { sum[k] = value; });
  for (++i; i < (b + 1) * a.length; ++i) {
    read(
        i, [&](std::int64_t k, Vector value) __attribute__((always_inline)) { sum[k] += value; });
  }
  float* const out = a.out + b * a.dim + c;
  unrolled<vectors>([&](std::int64_t k) __attribute__((always_inline)) { store(out + k * kWidth, sum[k]); });
}

void pool(const PoolArguments& arguments) {
  const PoolArguments a = arguments;
  with_ask(a.prefetch, [&]<Ask ask>() {
    if (a.columns_outside) {
      for_blocks<kBlock>({0, a.dim}, [&]<std::int64_t vectors>(std::int64_t c) {
        for (std::int64_t b = 0; b < a.bags; ++b) pool_block<ask, vectors>(a, b, c);
      });
      return;
    }
    for (std::int64_t b = 0; b < a.bags; ++b) {
      for_blocks<kBlock>({0, a.dim}, [&]<std::int64_t vectors>(std::int64_t c) { pool_block<ask, vectors>(a, b, c); });
    }
  });
}

// The arithmetic is the least that depends on everything read. Squares keep the states positive, as a real step does.
template <int states, bool streaming>
inline void apply(const UpdateArguments& a, std::int64_t element, Vector g) {
  put<streaming>(a.weights + element, load(a.weights + element) + g);
  for (int s = 0; s < states; ++s) put<streaming>(a.states[s] + element, load(a.states[s] + element) + g * g);
}

// What an update asks for of the tables while it works on another row: before that, all columns, or between the loads,
// column by column.
template <Ask ask>
constexpr Ask of_tables = ask == Ask::tables_first_level                                ? Ask::first_level
                          : ask == Ask::non_temporal || ask == Ask::tables_second_level ? Ask::second_level
                                                                                        : ask;

template <class K, Ask ask>
inline __attribute__((always_inline)) void ask_column(const UpdateArguments& a, std::int64_t row, std::int64_t c) {
  ask_for<of_tables<ask>>(a.weights + row * a.dim + c);
  for (int s = 0; s < K::states; ++s) ask_for<of_tables<ask>>(a.states[s] + row * a.dim + c);
  if (a.row_state != nullptr && c == a.columns.begin) prefetch_first_level(a.row_state + row);
}

template <class K, Ask ask>
inline __attribute__((always_inline)) void ask_before(const UpdateArguments& a, std::int64_t row) {
  if (ask == Ask::nothing || K::between) return;
  std::int64_t c = a.columns.begin;
  for (; c + 64 <= a.columns.end; c += 64) {  // written out, as the library's
    ask_column<K, ask>(a, row, c);
    ask_column<K, ask>(a, row, c + 16);
    ask_column<K, ask>(a, row, c + 32);
    ask_column<K, ask>(a, row, c + 48);
  }
  for (; c < a.columns.end; c += 16) ask_column<K, ask>(a, row, c);
}

template <class K, Ask ask>
inline __attribute__((always_inline)) void ask_between(const UpdateArguments& a, std::int64_t row, std::int64_t c) {
  if (ask != Ask::nothing && K::between && c % 16 == 0) ask_column<K, ask>(a, row, c);
}

// Sums a segment's gradient rows block by block in registers, and gives each vector of the sum to `consume`. While it
// reads one it asks for a later one of `count`.
template <Ask ask, class Consume>
inline __attribute__((always_inline)) void sum_segment(const UpdateArguments& a, const Segment& segment,
                                                       const std::int32_t* positions, std::int64_t count,
                                                       Consume&& consume) {
  for_blocks<kBlock>(
      a.columns, [&]<std::int64_t vectors>(std::int64_t c) __attribute__((always_inline)) {
        Vector sum[vectors];
        const auto read = [&](std::int64_t i, auto take) __attribute__((always_inline)) {
          const float* g = a.gradients + positions[i] * a.dim + c;
          const std::int64_t ahead = i + a.prefetch.rows;
          const float* later = ask != Ask::nothing && ahead < count ? a.gradients + positions[ahead] * a.dim + c : g;
          unrolled<vectors>([&](std::int64_t k) __attribute__((always_inline)) {
            if (k * kWidth % 16 == 0) ask_for<ask>(later + k * kWidth);
            take(k, load(g + k * kWidth));
          });
        };
        read(
            segment.begin, [&](std::int64_t k, Vector value) __attribute__((always_inline)) { sum[k] = value; });
        for (std::int64_t i = segment.begin + 1; i < segment.end; ++i) {
          read(
              i, [&](std::int64_t k, Vector value) __attribute__((always_inline)) { sum[k] += value; });
        }
        unrolled<vectors>([&](std::int64_t k) __attribute__((always_inline)) { consume(c + k * kWidth, sum[k]); });
      });
}

template <class K, Ask ask, bool streaming>
void segments_loop(const UpdateArguments& arguments, const Segment* segments, std::int64_t count,
                   const std::int32_t* positions) {
  const UpdateArguments a = K::of(arguments);
  const std::int64_t end = count > 0 ? segments[count - 1].end : 0;
  for (std::int64_t s = 0; s < count; ++s) {
    const std::int64_t s_ahead = ask != Ask::nothing && s + a.prefetch.rows < count ? s + a.prefetch.rows : s;
    const std::int64_t later_row = segments[s_ahead].row;
    ask_before<K, ask>(a, later_row);
    const std::int64_t row = segments[s].row * a.dim;
    sum_segment<ask>(
        a, segments[s], positions, end, [&](std::int64_t c, Vector g) __attribute__((always_inline)) {
          ask_between<K, ask>(a, later_row, c);
          apply<K::states, streaming>(a, row + c, g);
        });
    if (a.row_state != nullptr && a.columns.begin == 0) a.row_state[segments[s].row] += 1;
  }
  if (streaming) fence_streaming();
}

// Calls f.template operator()<Known, ask>() for what is known.
template <class F>
void with_known(const UpdateArguments& a, F f) {
  with_width(a.columns.end - a.columns.begin == a.dim ? a.dim : 0, [&]<std::int64_t width>() {
    with_ask(a.prefetch, [&]<Ask ask>() {
      const auto with_states = [&]<bool between>() {
        if (a.row_state != nullptr) return f.template operator()<Known<width, 0, true, between>, ask>();
        if (a.state_count == 0) return f.template operator()<Known<width, 0, false, between>, ask>();
        if (a.state_count == 1) return f.template operator()<Known<width, 1, false, between>, ask>();
        f.template operator()<Known<width, 2, false, between>, ask>();
      };
      a.tables_between ? with_states.template operator()<true>() : with_states.template operator()<false>();
    });
  });
}

void update_segments(const UpdateArguments& a, const Segment* segments, std::int64_t count,
                     const std::int32_t* positions) {
  with_known(a, [&]<class K, Ask ask>() {
    a.streaming ? segments_loop<K, ask, true>(a, segments, count, positions)
                : segments_loop<K, ask, false>(a, segments, count, positions);
  });
}

// Without slots, each step applies its gradient.
template <class K, Ask ask, bool slots>
void steps_loop(const UpdateArguments& arguments, const Step* steps, std::int64_t count) {
  const UpdateArguments a = K::of(arguments);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t i_ahead = ask != Ask::nothing && i + a.prefetch.rows < count ? i + a.prefetch.rows : i;
    const std::int64_t later_row = steps[i_ahead].row;
    const float* later_gradient = a.gradients + steps[i_ahead].position * a.dim;
    ask_before<K, ask>(a, later_row);
    if (ask != Ask::nothing && !K::between) {
      for (std::int64_t c = a.columns.begin; c < a.columns.end; c += 16) ask_for<ask>(later_gradient + c);
    }
    const Step& step = steps[i];
    const float* gradient = a.gradients + step.position * a.dim;
    float* slot = slots ? a.scratch + step.slot * a.dim : nullptr;
    const std::int64_t row = step.row * a.dim;
    const auto for_columns = [&](auto body) __attribute__((always_inline)) {
      for_vectors(
          a.columns, [&](std::int64_t c) __attribute__((always_inline)) {
            ask_between<K, ask>(a, later_row, c);
            if (K::between && c % 16 == 0) ask_for<ask>(later_gradient + c);
            body(c);
          });
    };
    switch (slots ? step.kind : Step::Kind::apply) {
      case Step::Kind::apply:
        for_columns([&](std::int64_t c) { apply<K::states, false>(a, row + c, load(gradient + c)); });
        break;
      case Step::Kind::start:
        for_columns([&](std::int64_t c) { store(slot + c, load(gradient + c)); });
        break;
      case Step::Kind::add:
        for_columns([&](std::int64_t c) { store(slot + c, load(slot + c) + load(gradient + c)); });
        break;
      case Step::Kind::add_apply:
        for_columns([&](std::int64_t c) { apply<K::states, false>(a, row + c, load(slot + c) + load(gradient + c)); });
        break;
    }
    const bool last = !slots || step.kind == Step::Kind::apply || step.kind == Step::Kind::add_apply;
    if (a.row_state != nullptr && last && a.columns.begin == 0) a.row_state[step.row] += 1;
  }
}

void update_steps(const UpdateArguments& a, const Step* steps, std::int64_t count) {
  with_known(a, [&]<class K, Ask ask>() {
    a.scratch != nullptr ? steps_loop<K, ask, true>(a, steps, count) : steps_loop<K, ask, false>(a, steps, count);
  });
}

void sum_segments(const UpdateArguments& a, const Segment* segments, std::int64_t count,
                  const std::int32_t* positions) {
  for (std::int64_t s = 0; s < count; ++s) {
    float* slot = a.scratch + segments[s].row * a.dim;
    sum_segment<Ask::nothing>(a, segments[s], positions, 0, [&](std::int64_t c, Vector g) { store(slot + c, g); });
  }
}

#define ROWMILL_CEILING_STRING(x) #x
#define ROWMILL_CEILING_NAME(x) ROWMILL_CEILING_STRING(x)

}  // namespace

const Loops loops = {
    ROWMILL_CEILING_NAME(ROWMILL_CEILING_ISA), gather, pool, update_segments, update_steps, sum_segments};

}  // namespace bench::ROWMILL_CEILING_ISA
