// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "rowmill/table_view.hpp"

namespace rowmill {

/// One block of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11, section 3.3): 128
/// random bits, a pure function of counter and key.
[[nodiscard]] std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                                         std::array<std::uint32_t, 2> key);

/// What a stream of random numbers is for. Streams of one seed that differ in table or purpose are independent.
enum class RandomPurpose : std::uint32_t {
  initialize = 0,
  word_vector_keep = 1,  ///< 1 to 3: which words WordVectorTrainer keeps, their windows, their negative samples
  word_vector_window = 2,
  word_vector_sample = 3,
  round_weights = 4,  ///< 4 to 6: stochastic rounding of an optimizer's weights and of its states
  round_state_1 = 5,
  round_state_2 = 6,
};

/// Which random numbers a table gets. Their layout may change only in a major version:
///
///     table word  = FNV-1a-64(name) xor stream                        # two tables with one seed differ
///     key         = first two words of philox4x32_10({table lo, table hi, purpose, 0}, {seed lo, seed hi})
///     block b of 4 columns of row r
///                 = philox4x32_10({b, r lo, r hi, 0}, key)
///     column c    = word c mod 4 of block c / 4
///
/// A word x becomes a float by
///
///     uniform:  u = (x >> 8) * 2^-24                in [0, 1);  value = min(low + (high - low) * u, most)
///               where `most` is the largest value of the table's format below high, so that rounding never gives high
///     normal:   for each pair of words (x0, x1) of a block, Box-Muller: u1 = ((x0 >> 8) + 1) * 2^-24 in (0, 1],
///               u2 = (x1 >> 8) * 2^-24, r = sqrt(-2 ln u1), values mean + stddev * r * (cos 2 pi u2, sin 2 pi u2),
///               in double with our own ln and sincos, rounded to float once
///
/// Stochastic rounding has 16 bits for each value. In step number t (its lower 32 bits; the first is 1), with
/// R = row + StorageOptions::first_row and C = column + StorageOptions::first_column,
///
///     word x = word (C / 16) mod 4 of philox4x32_10({16 * (C / 128) + C mod 16, R lo, R hi, t}, key)
///     bits   = x mod 2^16 where C / 64 is even, x / 2^16 where it is odd                # divisions round down
struct RandomStream {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::string_view name = {};
  RandomPurpose purpose = RandomPurpose::initialize;
};

/// How a new table's values are chosen.
struct Initializer {
  enum class Kind : std::uint8_t { zeros, constant, uniform, normal };
  Kind kind = Kind::zeros;
  float a = 0;  ///< constant: the value; uniform: low; normal: mean
  float b = 0;  ///< uniform: high; normal: standard deviation

  static Initializer zeros() { return {}; }
  static Initializer constant(float value) { return {.kind = Kind::constant, .a = value}; }
  /// Uniform on [low, high): never high itself. If low = high, every value is low. If the table's format has no value
  /// in [low, high), the nearest one is stored: bf16 has none between 100.1 and 100.2, and stores 100.
  static Initializer uniform(float low, float high) { return {.kind = Kind::uniform, .a = low, .b = high}; }
  static Initializer normal(float mean, float stddev) { return {.kind = Kind::normal, .a = mean, .b = stddev}; }
  /// Uniform on [-l, l) with l = sqrt(3 * scale / dim): what trax.layers.core.Embedding uses for a rows x dim table
  /// (ScaledInitializer with mode fan_out, distribution uniform, scale 1; trax/layers/initializers.py).
  static Initializer scaled_uniform_fan_out(std::int64_t dim, float scale = 1);
};

/// Fills a table of any format, on all threads.
///
///     for r in 0 .. table.rows()-1, each column c:
///       table[r, c] = the initializer's float for (stream, r, c), rounded once to the table's format
///
/// A table of f64 gets the floats of an f32 table of that stream. It writes the table: no other call may use it
/// meanwhile. Throws Error, and writes nothing, if
/// - the view is bad; a number of the initializer is not finite, low > high, or stddev < 0 (invalid_argument);
/// - the table is quantised or low16, and the values are not zeros; it is of integers, and the values are random or no
///   value of its format (invalid_argument);
/// - the rows of table share elements (overlap), scratch memory is refused (out_of_memory), or ROWMILL_ISA is wrong
///   (unsupported_isa).
void initialize(const TableView& table, const Initializer& initializer, const RandomStream& stream = {});

}  // namespace rowmill
