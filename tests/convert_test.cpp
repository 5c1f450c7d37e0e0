// SPDX-License-Identifier: Apache-2.0
#include "rowmill/convert.hpp"

#include <numeric>

#include "kernels/reference/reference.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/table.hpp"
#include "tests/support/data.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/pages.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

constexpr Format kFormats[] = {Format::f32, Format::bf16, Format::f16, Format::int8, Format::int4, Format::int2};

/// A table of any format with gaps between its rows, whose bytes are there to be compared.
struct AnyTable {
  Format format;
  std::int64_t rows, dim, stride;
  std::vector<std::uint32_t> words;

  AnyTable(Format of, std::int64_t row_count, std::int64_t columns, std::int64_t gap)
      : format(of), rows(row_count), dim(columns), stride(row_elements(of, columns) + gap) {
    words.assign(static_cast<std::size_t>(rows * stride * element_size(of) / 4 + 1), 0xA5A5A5A5U);
  }
  [[nodiscard]] TableView view() { return {words.data(), format, rows, dim, stride}; }
};

class ConvertTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(ConvertTest);

TEST_P(ConvertTest, EqualsTheReferenceForEachPairOfFormats) {
  run([] {
    Workspace workspace;
    for (const std::int64_t dim : {1, 3, 17, 64, 131}) {
      const std::int64_t rows = 40'000 / dim;  // enough for several threads
      const GuardedTable floats = GuardedTable(rows, dim, 1).fill(1);
      for (const Format from : kFormats) {
        AnyTable start(from, rows, dim, 3);
        reference::convert(floats.view(), start.view());
        for (const Format to : kFormats) {
          AnyTable out(to, rows, dim, 5);
          AnyTable expected(to, rows, dim, 5);
          reference::convert(start.view(), expected.view());
          convert(start.view(), out.view(), dim % 2 == 0 ? &workspace : nullptr);
          EXPECT_EQ(out.words, expected.words) << format_name(from) << " to " << format_name(to) << ", dim " << dim;
        }
      }
    }
  });
}

/// PyTorch's way: (code - zero point) * scale.
TEST(JoinCodes, GivesRowsWithTheScalesAndZeroPoints) {
  constexpr std::int64_t kRows = 700;
  for (const Format format : kQuantizedFormats) {
    for (const std::int64_t dim : {1, 5, 64}) {
      const std::int64_t tail = format == Format::int8 ? 8 : 4;
      const std::int64_t code_bytes = row_elements(format, dim) - tail;
      Table codes(kRows, code_bytes, {.format = Format::u8});
      std::vector<float> scales, zero_points;
      std::mt19937 random(7);
      for (std::int64_t i = 0; i < kRows * code_bytes; ++i) codes.data<std::uint8_t>()[i] = random() & 0xFF;
      for (std::int64_t r = 0; r < kRows; ++r) {
        scales.push_back(static_cast<float>(random() % 100) / 64);
        zero_points.push_back(static_cast<float>(random() % 40) - 20);
      }
      GuardedQuantizedTable joined(format, kRows, dim);
      join_codes(codes, scales, zero_points, joined.view());
      EXPECT_TRUE(joined.guards_intact());
      Table floats(kRows, dim);
      convert(joined.view(), floats);
      const int bits = format == Format::int8 ? 8 : format == Format::int4 ? 4 : 2;
      for (std::int64_t r = 0; r < kRows; ++r) {
        for (std::int64_t c = 0; c < dim; ++c) {
          const int byte = codes.data<std::uint8_t>()[r * code_bytes + c * bits / 8];
          const int code = byte >> (c * bits % 8) & ((1 << bits) - 1);
          const auto row = static_cast<std::size_t>(r);  // exact: the scales and their products are few bits
          ASSERT_EQ(floats.view().row(r)[static_cast<std::size_t>(c)],
                    static_cast<float>(code) * scales[row] - zero_points[row] * scales[row]);
        }
      }
    }
  }
}

TEST(JoinCodes, RefusesWhatDoesNotFit) {
  const auto message = [](const auto& f) { return failure_of(f).message; };
  const Table codes(3, 4, {.format = Format::u8});
  Table to(3, 4, {.format = Format::int8});
  Table to4(3, 8, {.format = Format::int4});
  std::vector<float> ones(3, 1.0F);
  EXPECT_EQ(message([&] { join_codes(codes, std::span(ones).first(2), ones, to); }),
            "rowmill: join_codes: scales (2) must have 3 values: one for each row");
  EXPECT_EQ(message([&] { join_codes(codes, ones, ones, Table(3, 5, {.format = Format::int8})); }),
            "rowmill: join_codes: codes (3 x 4) must be 3 x 5: rows of `to` x the bytes of a row's codes");
  EXPECT_EQ(message([&] { join_codes(to, ones, ones, to); }),
            "rowmill: join_codes: codes (3 x 4) has format int8; supported: u8");
  EXPECT_EQ(message([&] { join_codes(codes, ones, ones, Table(3, 4)); }),
            "rowmill: join_codes: to (3 x 4) has format f32; supported: int8, int4, int2");
  const std::vector<float> large = {1, 1, 70'000};
  EXPECT_EQ(message([&] { join_codes(codes, ones, large, to); }), "");
  EXPECT_EQ(
      message([&] { join_codes(codes, ones, large, to4); }),
      "rowmill: join_codes: row 2 has the scale 1 and the zero point 70000; scale and -zero_point * scale must be "
      "finite in float16");
}

/// More rows than go through the staging memory at once, into every format that is no longer, and closer or as far
/// apart.
TEST(Convert, InPlaceGivesTheSameRows) {
  const std::vector<Format> formats = {Format::f32, Format::bf16, Format::f16, Format::int8, Format::int4, Format::f64};
  for (const std::int64_t dim : {3, 64}) {
    const std::int64_t rows = std::int64_t{3} * (1 << 20) / (2 * dim) + 5;
    const GuardedTable floats = GuardedTable(rows, dim, 0).fill(7);
    for (const Format from : formats) {
      AnyTable old(from, rows, dim, 1);
      if (from == Format::int8 || from == Format::int4 || from == Format::f64) {
        convert(floats.view(), old.view());
      } else {
        reference::convert(floats.view(), old.view());
      }
      for (const Format to : formats) {
        if (from != to && (from == Format::f64 || to == Format::f64) && (is_quantized(from) || is_quantized(to)))
          continue;
        Table apart(rows, dim, {.format = to});
        convert(old.view(), apart);
        const std::int64_t most = old.stride * element_size(from) / element_size(to);
        for (const std::int64_t stride : {row_elements(to, dim), most}) {
          if (stride < row_elements(to, dim) || stride > most) continue;
          AnyTable memory = old;
          const TableView in_place(memory.words.data(), to, rows, dim, stride);
          convert(memory.view(), in_place);
          EXPECT_TRUE(same_bytes(in_place, apart.view()))
              << format_name(from) << " to " << format_name(to) << ", dim " << dim << ", stride " << stride;
          EXPECT_EQ(memory.words.back(), old.words.back()) << "the guard behind the rows";
        }
      }
    }
  }
}

TEST(Convert, InPlaceChangesNothingWhereARowCannotBeQuantised) {
  Table table(40'000, 16, {.initializer = Initializer::uniform(-1, 1)});
  table.view().row(39'999)[15] = std::numeric_limits<float>::infinity();
  const Table before = table.clone();
  const TableView in_place(table.bytes(), Format::int8, 40'000, 16, row_elements(Format::int8, 16));
  EXPECT_THROW(convert(table, in_place), Error);
  EXPECT_TRUE(same(table.view(), before.view()));
  convert(table, table);  // into itself
  EXPECT_TRUE(same(table.view(), before.view()));
}

TEST_P(ConvertTest, ReadsABroadcastRow) {
  run([] {
    const std::vector<float> row = {1, 2, 3, 4, 5};
    for (const Format to : kQuantizedFormats) {
      Table one(1, 5, {.format = to});
      Table many(1000, 5, {.format = to});
      convert(ConstTableView(row.data(), 1, 5, std::int64_t{1} << 60), one);  // one row may have any stride
      convert(ConstTableView(row.data(), 1000, 5, 0), many);
      Table back(1000, 5);
      convert(ConstTableView(one.bytes(), to, 1000, 5, 0), back);
      Table expected(1000, 5);
      convert(many, expected);
      EXPECT_TRUE(same(back.view(), expected.view()));
    }
  });
}

/// |x - what comes back| <= scale / 2, and some units of rounding.
void expect_close(const std::vector<float>& row, Format format) {
  const auto dim = static_cast<std::int64_t>(row.size());
  const double most = format == Format::int8 ? 255 : format == Format::int4 ? 15 : 3;
  const auto [low, high] = std::minmax_element(row.begin(), row.end());
  const double largest = std::max(std::abs(static_cast<double>(*low)), std::abs(static_cast<double>(*high)));
  const double range = static_cast<double>(*high) - static_cast<double>(*low);
  double bound = range / most / 2 + 4e-7 * largest;
  // float16 rounds the bias, and the scale that is multiplied with codes up to `most`. Where the range is small, 1e-8
  // or the smallest half counts.
  bound += format == Format::int8 ? std::min(range, 1.1e-8) : (largest + range) * 0x1p-10 + (most + 1) * 0x1p-24;
  Table quantized(1, dim, {.format = format});
  Table back(1, dim);
  convert(ConstTableView(row.data(), 1, dim), quantized);
  convert(quantized, back);
  for (std::size_t c = 0; c < row.size(); ++c) {
    ASSERT_NEAR(static_cast<double>(back.data()[c]), static_cast<double>(row[c]), bound)
        << format_name(format) << ", column " << c << ", range " << range;
  }
}

TEST_P(ConvertTest, ComesCloseToWhatItQuantised) {
  run([] {
    std::mt19937_64 random(3);
    const auto uniform = [&] { return static_cast<float>(random() >> 40) * 0x1p-24F; };
    for (const Format format : kQuantizedFormats) {
      for (const std::size_t dim : {1U, 5U, 64U, 100U}) {
        const float most = format == Format::int8 ? 1e38F : 3e4F;
        for (const float size : {most, 1e3F, 1.0F, 1e-3F, 1e-6F, 1e-9F, 1e-30F, 1e-42F, 0.0F}) {
          for (const float offset : {0.0F, -0.5F, 3.0F, -1.0F}) {
            std::vector<float> row(dim);
            for (float& x : row) x = size * (uniform() + offset);
            if (size == most && offset == 3) continue;  // beyond the format
            expect_close(row, format);
          }
        }
        expect_close(std::vector<float>(dim, 0.1F), format);
        expect_close(std::vector<float>(dim, -7.7F), format);
      }
    }
  });
}

TEST_P(ConvertTest, GivesTheKnownBytes) {
  run([] {
    const std::vector<float> row = {-1, 0, 1, 2, 0.5F};
    const ConstTableView from(row.data(), 1, 5);
    const auto bytes = [&](Format to) {
      Table table(1, 5, {.format = to});
      convert(from, table);
      const auto* const p = static_cast<const std::uint8_t*>(table.bytes());
      return std::vector<std::uint8_t>(p, p + row_elements(to, 5));
    };
    // Codes by 85 a unit; 0.5 is 127.5 above the bias, and a tie goes to the even one. 3 / 255 and -1.
    EXPECT_EQ(bytes(Format::int8),
              (std::vector<std::uint8_t>{0, 85, 170, 255, 128, 0xC1, 0xC0, 0x40, 0x3C, 0, 0, 0x80, 0xBF}));
    // Codes 0, 5, 10, 15, 8: the scale is 0.2, rounded down to a float16.
    EXPECT_EQ(bytes(Format::int4), (std::vector<std::uint8_t>{0x50, 0xFA, 0x08, 0x66, 0x32, 0x00, 0xBC}));
    // Codes 0, 1, 2, 3, 2 by 1 a unit.
    EXPECT_EQ(bytes(Format::int2), (std::vector<std::uint8_t>{0xE4, 0x02, 0x00, 0x3C, 0x00, 0xBC}));
  });
}

std::string message_of(const ConstTableView& from, const TableView& to) {
  try {
    convert(from, to);
  } catch (const Error& e) {
    EXPECT_TRUE(e.code() == ErrorCode::invalid_argument || e.code() == ErrorCode::shape_mismatch ||
                e.code() == ErrorCode::overlap);
    return e.what();
  }
  return "nothing";
}

TEST_P(ConvertTest, RefusesRowsThatCannotBeQuantisedBeforeItWrites) {
  run([] {
    constexpr std::int64_t kRows = 3000;
    GuardedTable table = GuardedTable(kRows, 40).fill(4);
    for (const Format to : kQuantizedFormats) {
      const std::string name(format_name(to));
      GuardedQuantizedTable out = GuardedQuantizedTable(to, kRows, 40).fill(5);
      const GuardedQuantizedTable before = out;
      const auto expect = [&](std::int64_t row, std::size_t column, float x, const std::string& message) {
        const float old = table.view().row(row)[column];
        const float later = table.view().row(2990)[0];
        table.view().row(row)[column] = x;
        table.view().row(2990)[0] = x;  // the lowest row counts
        EXPECT_EQ(message_of(table.view(), out.view()), "rowmill: convert: from (3000 x 40) has " + message);
        if (std::isinf(x)) {
          AnyTable halves(Format::bf16, kRows, 40, 2);
          reference::convert(table.view(), halves.view());
          EXPECT_EQ(message_of(halves.view(), out.view()), "rowmill: convert: from (3000 x 40) has " + message);
        }
        table.view().row(row)[column] = old;
        table.view().row(2990)[0] = later;
        EXPECT_TRUE(same_bytes(out.view(), before.view())) << "nothing is written";
      };
      expect(2000, 39, std::numeric_limits<float>::quiet_NaN(),
             "nan in row 2000, column 39; " + name + " holds finite values only");
      expect(7, 0, -std::numeric_limits<float>::infinity(),
             "-inf in row 7, column 0; " + name + " holds finite values only");
    }
    GuardedTable wide(2, 3);
    wide.view().row(0)[0] = wide.view().row(0)[1] = wide.view().row(0)[2] = 1;
    const auto with = [&](float low, float high) {
      const TableView view = wide.view();
      view.row(1)[0] = 0;
      view.row(1)[1] = high;
      view.row(1)[2] = low;
      return wide.view();
    };
    Table int8(2, 3, {.format = Format::int8});
    Table int4(2, 3, {.format = Format::int4});
    EXPECT_EQ(message_of(with(-3e38F, 3e38F), int8),
              "rowmill: convert: from (2 x 3) has values from -3e+38 to 3e+38 in row 1, columns 2 and 1; int8 needs a "
              "difference that is a finite float32");
    EXPECT_EQ(message_of(with(-1, 3e38F), int8), "nothing");
    EXPECT_EQ(
        message_of(with(-7e4F, 1), int4),
        "rowmill: convert: from (2 x 3) has values from -70000 to 1 in row 1, columns 2 and 1; int4 needs a scale "
        "and a bias that are finite in float16");
    EXPECT_EQ(
        message_of(with(-1, 9.9e5F), int4),
        "rowmill: convert: from (2 x 3) has values from -1 to 990000 in row 1, columns 2 and 1; int4 needs a scale "
        "and a bias that are finite in float16");
    EXPECT_EQ(message_of(with(-1, 9.8e5F), int4), "nothing");
  });
}

TEST(Convert, RefusesBadViews) {
  Table from(3, 4);
  Table to(3, 4, {.format = Format::int8});
  EXPECT_EQ(message_of(from, Table(3, 5, {.format = Format::int8})),
            "rowmill: convert: to (3 x 5) must be 3 x 4: as `from`");
  EXPECT_EQ(message_of(from, TableView(to.bytes(), Format::int8, 3, 4, 11)),
            "rowmill: convert: to (3 x 4) has row stride 11: its rows overlap; to be written it needs at least 12");
  EXPECT_EQ(message_of(from, TableView(static_cast<std::byte*>(from.bytes()) + 1, Format::int8, 3, 4, 12)),
            "rowmill: convert: to (3 x 4) shares elements with from (3 x 4)");
  EXPECT_EQ(message_of(from, TableView(from.bytes(), Format::int8, 3, 4, 17)),  // further apart than from's
            "rowmill: convert: to (3 x 4) shares elements with from (3 x 4)");
  EXPECT_EQ(message_of(TableView(nullptr, Format::int4, 3, 4, 6), to),
            "rowmill: convert: from (3 x 4) has a null pointer");
  EXPECT_EQ(message_of(TableView(to.bytes(), Format{99}, 3, 4, 12), to),
            "rowmill: convert: from (3 x 4) has format 99, which is unknown");
  // The codes of one table may lie beside those of another.
  std::vector<std::uint8_t> bytes(64);
  EXPECT_EQ(
      message_of(TableView(bytes.data(), Format::int4, 3, 4, 12), TableView(bytes.data() + 6, Format::int4, 3, 4, 12)),
      "nothing");
  EXPECT_NE(
      message_of(TableView(bytes.data(), Format::int4, 3, 4, 12), TableView(bytes.data() + 5, Format::int4, 3, 4, 12)),
      "nothing");
  convert(Table(3, 0), Table(3, 0, {.format = Format::int4}));
  convert(Table(0, 3), Table(0, 3, {.format = Format::int2}));
}

TEST(QuantizedTable, StartsWithZerosAndIsForLookups) {
  for (const Format format : kQuantizedFormats) {
    Table table(300, 33, {.name = "q", .format = format});
    EXPECT_EQ(table.view().row_stride(), row_elements(format, 33));
    const std::vector<std::int64_t> ids = {0, 299, 7};
    GuardedTable out = GuardedTable(3, 33).fill(1);
    gather(table, ids, out.view());
    for (std::int64_t r = 0; r < 3; ++r) {
      for (const float x : out.view().row(r)) EXPECT_TRUE(same_bits(x, 0));
    }
    const GuardedTable floats = GuardedTable(300, 33).fill(2);
    convert(floats.view(), table);
    EXPECT_TRUE(same_bytes(table.clone().view(), table.view()));
    const std::string name(format_name(format));
    const auto message = [](auto f) -> std::string {
      try {
        f();
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
        return e.what();
      }
      return "nothing";
    };
    EXPECT_EQ(message([&] { (void)table.data(); }), "rowmill: a view 'q' of " + name + " was used as f32");
    EXPECT_EQ(message([&] { scatter_add(table, ids, out.view()); }),
              "rowmill: scatter_add: table 'q' (300 x 33) has format " + name +
                  "; supported: f32, bf16, f16, f64, i64, i32, i16, i8, u8");
    EXPECT_EQ(message([&] { gather(floats.view(), ids, TableView(table.bytes(), format, 3, 33, 60)); }),
              "rowmill: gather: out (3 x 33) has format " + name + "; supported: f32, bf16, f16");
    EXPECT_EQ(
        message([&] { (void)Table(3, 4, {.name = "q", .initializer = Initializer::uniform(0, 1), .format = format}); }),
        "rowmill: initialize: table 'q' (3 x 4) has format " + name +
            "; supported: f32, bf16, f16, f64, i64, i32, i16, i8, u8");
  }
}

/// Rows more than 2^31 bytes apart.
TEST_P(ConvertTest, ReachesFarRows) {
  run([] {
    constexpr std::int64_t kStride = (std::int64_t{1} << 31) + 4096;
    const GuardedTable floats = GuardedTable(3, 50).fill(6);
    for (const Format format : kQuantizedFormats) {
      Pages pages(static_cast<std::size_t>(2 * kStride + 4096));
      for (const std::int64_t r : {0, 1, 2}) pages.open(static_cast<std::size_t>(r * kStride), 100);
      const TableView far(pages.data(), format, 3, 50, kStride);
      Table near(3, 50, {.format = format});
      convert(floats.view(), far);
      convert(floats.view(), near);
      EXPECT_TRUE(same_bytes(far, near.view()));
      const std::vector<std::int32_t> ids = {2, 0, 1, 2};
      GuardedTable out(4, 50);
      GuardedTable expected(4, 50);
      gather(far, ids, out.view());
      gather(near, ids, expected.view());
      EXPECT_TRUE(same(out.view(), expected.view()));
    }
  });
}

}  // namespace
}  // namespace rowmill::test
