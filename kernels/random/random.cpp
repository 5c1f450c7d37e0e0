// SPDX-License-Identifier: Apache-2.0
// Keys of random streams, and initial values of tables.
#include "rowmill/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <span>
#include <string>
#include <type_traits>

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/random/initialize.hpp"
#include "kernels/random/streams.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/error.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {
namespace {

constexpr std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

std::uint64_t fnv1a_64(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

}  // namespace

std::array<std::uint32_t, 2> stream_key(const RandomStream& stream) {
  const std::uint64_t table = fnv1a_64(stream.name) ^ stream.stream;
  const auto words = philox4x32_10({low_word(table), high_word(table), static_cast<std::uint32_t>(stream.purpose), 0},
                                   {low_word(stream.seed), high_word(stream.seed)});
  return {words[0], words[1]};
}

// x = m * 2^e with m near 1; ln m is the series of 2 artanh((m - 1) / (m + 1)). A fixed sequence of + - * /, so that no
// C library can change a bit.
double natural_log(double x) {
  constexpr std::uint64_t kOneBits = std::uint64_t{1023} << 52;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & ((std::uint64_t{1} << 52) - 1)) | kOneBits);
  if (m > std::numbers::sqrt2) {
    m = m / 2;
    ++exponent;
  }
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double series = 0;
  for (int k = 21; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
  return static_cast<double>(exponent) * std::numbers::ln2 + 2 * s * series;
}

namespace {

struct SinCos {
  double sin, cos;
};

/// sin and cos of 2 pi u for 0 <= u < 1: the nearest quarter turn is subtracted exactly, and the rest is a Taylor
/// series.
SinCos sin_cos_turns(double u) {
  const double quarters = 4 * u;
  const auto q = static_cast<int>(quarters + 0.5);
  const double x = (quarters - q) * (std::numbers::pi / 2);
  const double x2 = x * x;
  double sin = 1;
  double cos = 1;
  for (int k = 16; k >= 2; k -= 2) {
    sin = 1 - x2 / (k * (k + 1)) * sin;
    cos = 1 - x2 / (k * (k - 1)) * cos;
  }
  sin = sin * x;
  switch (q % 4) {
    case 0:
      return {sin, cos};
    case 1:
      return {cos, -sin};
    case 2:
      return {-sin, -cos};
    default:
      return {-cos, sin};
  }
}

template <StorageType T>
void fill_normal_row(std::span<T> row, std::uint64_t r, std::array<std::uint32_t, 2> key, double mean, double stddev) {
  const auto emit = [&](std::size_t c, double z) {
    if (c < row.size()) row[c] = T(static_cast<float>(mean + stddev * z));
  };
  for (std::size_t c = 0; c < row.size(); c += 4) {
    const auto words = philox4x32_10({static_cast<std::uint32_t>(c / 4), low_word(r), high_word(r), 0}, key);
    for (std::size_t pair = 0; pair < 4; pair += 2) {
      const double u1 = ((words[pair] >> 8) + 1) * 0x1p-24;
      const double u2 = (words[pair + 1] >> 8) * 0x1p-24;
      const double radius = std::sqrt(-2 * natural_log(u1));
      const SinCos angle = sin_cos_turns(u2);
      emit(c + pair, radius * angle.cos);
      emit(c + pair + 1, radius * angle.sin);
    }
  }
}

/// The largest value that uniform(low, high) may give in a table of T: the largest T below high, if it is in [low,
/// high).
template <StorageType T>
float most_below(float low, float high) {
  if (low == high) return low;
  const float most = std::nextafter(high, low);
  if constexpr (sizeof(T) == 2) {
    // Rounded towards minus infinity.
    T stored(most);
    if (static_cast<float>(stored) > most) stored.bits = static_cast<std::uint16_t>(stored.bits + (most < 0 ? 1 : -1));
    if (static_cast<float>(stored) >= low) return static_cast<float>(stored);
  }
  return most;
}

/// Fills rows begin .. end-1 of a table of T. `floats` has room for a row, which uniform values need if T is not float.
template <StorageType T>
void fill_rows(const TableView& table, std::int64_t begin, std::int64_t end, const Initializer& initializer,
               std::array<std::uint32_t, 2> key, float* floats) {
  const auto fill_uniform = [&](std::int64_t first, std::int64_t count, float* out, std::int64_t stride) {
    const float low = initializer.a;
    const float high = initializer.b;
    kernels().fill_uniform_f32(
        {out, stride, first, count, table.dim(), {key[0], key[1]}, low, high - low, most_below<T>(low, high)});
  };
  if constexpr (std::is_same_v<T, float>) {
    if (initializer.kind == Initializer::Kind::uniform) {
      return fill_uniform(begin, end - begin, table.row(begin).data(), table.row_stride());
    }
  }
  for (std::int64_t r = begin; r < end; ++r) {
    const std::span<T> row = table.row<T>(r);
    if (initializer.kind == Initializer::Kind::uniform) {
      fill_uniform(r, 1, floats, table.dim());
      std::transform(floats, floats + table.dim(), row.begin(), [](float x) { return T(x); });
    } else if (initializer.kind == Initializer::Kind::normal) {
      fill_normal_row(row, static_cast<std::uint64_t>(r), key, initializer.a, initializer.b);
    } else {
      std::ranges::fill(row, T(initializer.a));
    }
  }
}

void check_initializer(const Initializer& initializer) {
  const auto fail = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: initializer: " + what);
  };
  const auto check_finite = [&](const char* name, float value) {
    if (!std::isfinite(value)) fail(std::string(name) + " is " + to_text(value) + "; it must be finite");
  };
  switch (initializer.kind) {
    case Initializer::Kind::zeros:
      return;
    case Initializer::Kind::constant:
      return check_finite("value", initializer.a);
    case Initializer::Kind::uniform:
      check_finite("low", initializer.a);
      check_finite("high", initializer.b);
      check_finite("high - low", initializer.b - initializer.a);
      if (initializer.a > initializer.b) {
        fail("low is " + to_text(initializer.a) + ", above high, " + to_text(initializer.b));
      }
      return;
    case Initializer::Kind::normal:
      check_finite("mean", initializer.a);
      check_finite("stddev", initializer.b);
      if (initializer.b < 0) fail("stddev is " + to_text(initializer.b) + "; it must be at least 0");
      return;
  }
  fail("unknown kind " + std::to_string(static_cast<int>(initializer.kind)));
}

/// A table of integers can be filled with these values: zeros, or a constant of its format.
void check_integers(const ConstTableView& table, const Initializer& initializer) {
  const std::string format(format_name(table.format()));
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: initialize: " + describe("table", table) + " has format " +
                                                 format + ", " + what + "; supported: zeros, constant");
  };
  if (initializer.kind == Initializer::Kind::uniform) fail("which has no uniform values");
  if (initializer.kind == Initializer::Kind::normal) fail("which has no normal values");
  // The bounds are powers of two, and so floats: -2^63 <= value < 2^63 for i64.
  const bool is_signed = table.format() != Format::u8;
  const float end = std::ldexp(1.0F, static_cast<int>(8 * element_size(table.format())) - (is_signed ? 1 : 0));
  const float value = initializer.a;
  if (std::trunc(value) == value && value >= (is_signed ? -end : 0.0F) && value < end) return;
  fail("which does not have the value " + to_text(value));
}

}  // namespace

Initializer Initializer::scaled_uniform_fan_out(std::int64_t dim, float scale) {
  if (dim == 0) return {};  // no value is chosen
  const FpEnvironment environment;
  const auto limit = static_cast<float>(std::sqrt(3.0 * static_cast<double>(scale) / static_cast<double>(dim)));
  return uniform(-limit, limit);
}

void initialize(const TableView& table, const Initializer& initializer, const RandomStream& stream) {
  check_writable("initialize", "table", table);
  initialize(table, initializer, stream, concurrency_for(table.rows() * row_bytes(table)));
}

void initialize(const TableView& table, const Initializer& initializer, const RandomStream& stream,
                std::int64_t threads) {
  check_initializer(initializer);
  const bool zeros = initializer.kind == Initializer::Kind::zeros;
  if (!zeros) check_format("initialize", "table", table, kNumberFormats);
  const bool integers = is_exact(table.format()) && table.format() != Format::f64;
  if (!zeros && integers) check_integers(table, initializer);
  (void)kernels();  // throws if ROWMILL_ISA is wrong, which a task may not

  if (table.rows() == 0 || table.dim() == 0) return;
  const auto key = stream_key(stream);
  const std::int64_t grain = rows_per_fill_task(row_bytes(table));
  if (zeros) {  // bytes of 0: the number 0 in every format
    return parallel_chunks(threads, table.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        std::memset(row_address(table, r), 0, static_cast<std::size_t>(row_bytes(table)));
      }
    });
  }
  if (table.format() == Format::f32) {
    return parallel_chunks(threads, table.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
      fill_rows<float>(table, begin, end, initializer, key, nullptr);
    });
  }
  if (integers) return exact::fill(table, static_cast<std::int64_t>(initializer.a), threads);
  // A row of floats for each task, allocated before the first store; so there are not many tasks.
  constexpr std::int64_t kTasksPerThread = 4;
  const std::int64_t tasks = threads == 1 ? 1 : kTasksPerThread * threads;
  const std::int64_t rows_each = std::max((table.rows() + tasks - 1) / tasks, grain);
  const bool need_floats = initializer.kind == Initializer::Kind::uniform;
  Workspace floats(need_floats ? static_cast<std::size_t>(tasks * table.dim()) * sizeof(float) : 0);
  parallel_chunks(threads, table.rows(), rows_each, [&](std::int64_t begin, std::int64_t end) {
    float* const row =
        need_floats ? reinterpret_cast<float*>(floats.data()) + begin / rows_each * table.dim() : nullptr;
    if (table.format() == Format::f64) return fill_rows<double>(table, begin, end, initializer, key, row);
    if (table.format() == Format::bf16) return fill_rows<Bf16>(table, begin, end, initializer, key, row);
    fill_rows<F16>(table, begin, end, initializer, key, row);
  });
}

}  // namespace rowmill
