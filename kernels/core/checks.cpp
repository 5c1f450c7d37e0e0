// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/checks.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>

#include "rowmill/error.hpp"

namespace rowmill {
namespace {

std::string start(std::string_view op) { return "rowmill: " + std::string(op) + ": "; }

/// Rows of bytes: what overlap is judged by. Strides are at least a row's width, or 0.
struct ByteRows {
  std::uintptr_t begin;
  std::int64_t rows, width, stride;

  [[nodiscard]] std::uintptr_t end() const { return begin + static_cast<std::uintptr_t>((rows - 1) * stride + width); }
  [[nodiscard]] std::uintptr_t row(std::int64_t r) const { return begin + static_cast<std::uintptr_t>(r * stride); }
};

ByteRows bytes_of(const ConstTableView& view) {
  const std::int64_t size = element_size(view.format());
  const std::int64_t stride = view.rows() > 1 ? view.row_stride() * size : 0;  // one row may have any
  return {reinterpret_cast<std::uintptr_t>(view.bytes()), view.rows(), row_bytes(view), stride};
}

ByteRows bytes_of(Ids ids) {
  const std::int64_t size = ids.is_64_bit() ? 8 : 4;
  const auto begin = reinterpret_cast<std::uintptr_t>(ids.data());
  if (ids.is_contiguous()) return {begin, ids.empty() ? 0 : 1, ids.size() * size, 0};
  if (ids.stride() == 0) return {begin, 1, size, 0};
  const std::int64_t stride = ids.stride() * size;
  if (stride > 0) return {begin, ids.size(), size, stride};
  return {begin + static_cast<std::uintptr_t>((ids.size() - 1) * stride), ids.size(), size, -stride};
}

/// Whether a byte of [begin, end) lies in a row of `b`.
bool touches(std::uintptr_t begin, std::uintptr_t end, const ByteRows& b) {
  if (end <= b.begin || begin >= b.end()) return false;
  // The first row of b that ends after `begin`: if it starts before `end`, they share a byte.
  std::int64_t row = 0;
  if (const std::uintptr_t first_end = b.begin + static_cast<std::uintptr_t>(b.width); begin >= first_end) {
    if (b.stride == 0) return false;
    row = static_cast<std::int64_t>(begin - first_end) / b.stride + 1;
  }
  return row < b.rows && b.row(row) < end;
}

/// Exact, by element; after a look at the outer bounds its time follows the smaller number of rows.
bool overlap(const ByteRows& a, const ByteRows& b) {
  if (a.rows == 0 || b.rows == 0 || a.width == 0 || b.width == 0 || a.end() <= b.begin || b.end() <= a.begin)
    return false;
  const ByteRows& few = a.rows < b.rows ? a : b;
  const ByteRows& many = a.rows < b.rows ? b : a;
  for (std::int64_t r = 0; r < few.rows; ++r) {
    const std::uintptr_t begin = few.row(r);
    if (touches(begin, begin + static_cast<std::uintptr_t>(few.width), many)) return true;
  }
  return false;
}

std::string allowed_ids(std::int64_t rows, OutOfRange policy, std::optional<std::int64_t> padding_id) {
  std::string text = rows == 0 ? "allowed: none, the table has no rows"
                               : "allowed: " + std::to_string(policy == OutOfRange::wrap_negative ? -rows : 0) +
                                     " to " + std::to_string(rows - 1);
  if (padding_id) text += "; padding is " + std::to_string(*padding_id);
  return text;
}

std::string unknown_format(Format format) {
  return "has format " + std::to_string(static_cast<int>(format)) + ", which is unknown";
}

template <class Float>
std::string shortest(Float value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

}  // namespace

std::string to_text(float value) { return shortest(value); }
std::string to_text(double value) { return shortest(value); }

std::string describe(std::string_view argument, const ConstTableView& view) {
  std::string text(argument);
  if (!view.name().empty()) text.append(" '").append(view.name()).append("'");
  return text + " (" + std::to_string(view.rows()) + " x " + std::to_string(view.dim()) + ")";
}

std::size_t checked_size(std::string_view kind, const ConstTableView& shape) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + describe(kind, shape) + " " + what);
  };
  if (shape.rows() < 0) fail("has a negative number of rows");
  if (shape.dim() < 0) fail("has dim " + std::to_string(shape.dim()) + "; it must be at least 0");
  if (element_size(shape.format()) == 0) fail(unknown_format(shape.format()));
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(row_elements(shape.format(), shape.dim()), element_size(shape.format()), &bytes) ||
      __builtin_mul_overflow(bytes, shape.rows(), &bytes)) {
    fail("is larger than 2^63 bytes");
  }
  return static_cast<std::size_t>(bytes);
}

void check_view(std::string_view op, std::string_view argument, const ConstTableView& view) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, start(op) + describe(argument, view) + " " + what);
  };
  if (view.rows() < 0) fail("has a negative number of rows");
  if (view.dim() < 0) fail("has dim " + std::to_string(view.dim()) + "; it must be at least 0");
  const std::int64_t size = element_size(view.format());
  if (size == 0) fail(unknown_format(view.format()));
  if (view.row_stride() < 0) fail("has row stride " + std::to_string(view.row_stride()) + "; it must be at least 0");
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(row_elements(view.format(), view.dim()), size, &bytes)) {
    fail("has rows that are larger than 2^63 bytes");
  }
  if (view.rows() > 0 && (__builtin_mul_overflow(view.rows() - 1, view.row_stride(), &elements) ||
                          __builtin_add_overflow(elements, row_elements(view.format(), view.dim()), &elements) ||
                          __builtin_mul_overflow(elements, size, &bytes))) {
    fail("with row stride " + std::to_string(view.row_stride()) + " is larger than 2^63 bytes");
  }
  if (view.rows() > 0 && view.dim() > 0 && view.bytes() == nullptr) fail("has a null pointer");
  if (reinterpret_cast<std::uintptr_t>(view.bytes()) % static_cast<std::uintptr_t>(size) != 0) {
    fail("is not aligned to its elements");
  }
}

void check_has_columns(std::string_view op, std::string_view argument, const ConstTableView& view) {
  if (view.dim() >= 1) return;
  throw Error(ErrorCode::invalid_argument, start(op) + describe(argument, view) + " has dim 0; it must be at least 1");
}

void check_writable(std::string_view op, std::string_view argument, const TableView& view) {
  check_view(op, argument, view);
  if (const std::int64_t least = row_elements(view.format(), view.dim());
      view.rows() > 1 && view.row_stride() < least) {
    throw Error(ErrorCode::overlap, start(op) + describe(argument, view) + " has row stride " +
                                        std::to_string(view.row_stride()) +
                                        ": its rows overlap; to be written it needs at least " + std::to_string(least));
  }
}

void check_format(std::string_view op, std::string_view argument, const ConstTableView& view,
                  std::initializer_list<Format> allowed) {
  if (std::ranges::find(allowed, view.format()) != allowed.end()) return;
  std::string names;
  for (const Format format : allowed) names.append(names.empty() ? "" : ", ").append(format_name(format));
  throw Error(ErrorCode::invalid_argument, start(op) + describe(argument, view) + " has format " +
                                               std::string(format_name(view.format())) + "; supported: " + names);
}

void check_lookup(std::string_view op, const ConstTableView& table, const TableView& out) {
  check_view(op, "table", table);
  check_writable(op, "out", out);
  check_format(op, "table", table, kTableFormats);
  if (is_exact(table.format())) {
    check_format(op, "out", out, {table.format()});
  } else {
    check_format(op, "out", out, kFloatFormats);
  }
}

namespace {

/// `ids` are ids or offsets.
void check_pointer(std::string_view op, std::string_view argument, Ids ids) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument,
                start(op) + std::string(argument) + " (" + std::to_string(ids.size()) + ") " + what);
  };
  if (ids.size() < 0) fail("has a negative size");
  std::int64_t last = 0;
  std::int64_t bytes = 0;
  if (ids.size() > std::numeric_limits<std::int64_t>::max() / 8 ||
      __builtin_mul_overflow(ids.size(), ids.stride(), &last) || __builtin_mul_overflow(last, 8, &bytes)) {
    fail("with stride " + std::to_string(ids.stride()) + " is larger than 2^63 bytes");
  }
  if (ids.size() > 0 && ids.data() == nullptr) fail("has a null pointer");
  if (reinterpret_cast<std::uintptr_t>(ids.data()) % (ids.is_64_bit() ? 8 : 4) != 0) fail("is not aligned");
}

}  // namespace

void check_count(std::string_view op, std::string_view argument, std::int64_t count) {
  if (count >= 0 && count <= kMaxIds) return;
  throw Error(ErrorCode::invalid_argument, start(op) + std::string(argument) + " is " + std::to_string(count) +
                                               "; allowed: 0 to " + std::to_string(kMaxIds));
}

void check_enum_number(std::string_view op, std::string_view option, int number, int last) {
  if (number >= 0 && number <= last) return;
  throw Error(ErrorCode::invalid_argument, start(op) + std::string(option) + " is " + std::to_string(number) +
                                               "; allowed: 0 to " + std::to_string(last));
}

void check_ids_pointer(std::string_view op, Ids ids) { check_pointer(op, "ids", ids); }

void check_ids_pointer(std::string_view op, std::string_view argument, Ids ids) { check_pointer(op, argument, ids); }

void check_shape(std::string_view op, std::string_view argument, const ConstTableView& view, std::int64_t rows,
                 std::int64_t dim, std::string_view why) {
  if (view.rows() == rows && view.dim() == dim) return;
  throw Error(ErrorCode::shape_mismatch, start(op) + describe(argument, view) + " must be " + std::to_string(rows) +
                                             " x " + std::to_string(dim) + ": " + std::string(why));
}

void check_disjoint(std::string_view op, std::string_view a_name, const ConstTableView& a, std::string_view b_name,
                    const ConstTableView& b) {
  if (!overlap(bytes_of(a), bytes_of(b))) return;
  throw Error(ErrorCode::overlap, start(op) + describe(a_name, a) + " shares elements with " + describe(b_name, b));
}

void check_disjoint(std::string_view op, std::string_view a_name, const ConstTableView& a, std::string_view ids_name,
                    Ids ids) {
  if (!overlap(bytes_of(a), bytes_of(ids))) return;
  throw Error(ErrorCode::overlap, start(op) + describe(a_name, a) + " shares memory with " + std::string(ids_name) +
                                      " (" + std::to_string(ids.size()) + ")");
}

void check_disjoint(std::string_view op, std::string_view a_name, Ids a, std::string_view b_name, Ids b) {
  if (!overlap(bytes_of(a), bytes_of(b))) return;
  throw Error(ErrorCode::overlap, start(op) + std::string(a_name) + " (" + std::to_string(a.size()) +
                                      ") shares memory with " + std::string(b_name) + " (" + std::to_string(b.size()) +
                                      ")");
}

namespace {

void check_ids(std::string_view op, Ids ids, const Bags* bags, std::int64_t rows, OutOfRange policy,
               std::string_view table_name, std::optional<std::int64_t> padding_id) {
  check_policy(op, policy);
  const std::optional<BadId> bad = find_bad_id(ids, rows, policy, padding_id);
  if (!bad) return;
  const std::string table = table_name.empty() ? "the table" : "table '" + std::string(table_name) + "'";
  const std::string bag = bags == nullptr ? "" : " (bag " + std::to_string(bags->bag_of(bad->position)) + ")";
  throw IdError(start(op) + "ids[" + std::to_string(bad->position) + "]" + bag + " = " + std::to_string(bad->value) +
                    " is out of range for " + table + " of " + std::to_string(rows) + " rows (" +
                    allowed_ids(rows, policy, padding_id) + ")",
                bad->position, bad->value);
}

}  // namespace

void check_ids(std::string_view op, Ids ids, std::int64_t rows, OutOfRange policy, std::string_view table_name,
               std::optional<std::int64_t> padding_id) {
  check_ids(op, ids, nullptr, rows, policy, table_name, padding_id);
}

void check_ids(std::string_view op, const Bags& bags, std::int64_t rows, OutOfRange policy,
               std::string_view table_name) {
  check_ids(op, bags.ids(), &bags, rows, policy, table_name, bags.padding_id());
}

void check_bags(std::string_view op, const Bags& bags) {
  check_pointer(op, "ids", bags.ids());
  const std::int64_t ids = bags.ids().size();
  if (bags.has_weights()) check_floats(op, "weights", bags.weights(), ids, "one for each id");
  if (!bags.has_offsets()) {
    std::int64_t product = 0;
    if (bags.size() >= 0 && bags.length() >= 0 && !__builtin_mul_overflow(bags.size(), bags.length(), &product) &&
        product == ids) {
      return;
    }
    throw Error(ErrorCode::shape_mismatch, start(op) + "ids (" + std::to_string(ids) + ") are not " +
                                               std::to_string(bags.size()) + " bags of " +
                                               std::to_string(bags.length()));
  }
  check_pointer(op, "offsets", bags.offsets());
  const auto fail = [&](std::int64_t b, const std::string& allowed) {
    const std::int64_t found = bags.begin(b);
    throw PositionError(
        ErrorCode::invalid_argument,
        start(op) + "offsets[" + std::to_string(b) + "] = " + std::to_string(found) + "; it must be " + allowed, b,
        found);
  };
  if (bags.size() < 0) {
    throw Error(ErrorCode::invalid_argument, start(op) + "offsets (0) must have an element more than there are bags");
  }
  if (bags.offsets().empty()) {
    if (ids == 0) return;
    throw Error(ErrorCode::invalid_argument,
                start(op) + "offsets (0) have no bag for the ids (" + std::to_string(ids) + ")");
  }
  if (bags.begin(0) != 0) fail(0, "0");
  for (std::int64_t b = 1; b <= bags.size(); ++b) {
    if (bags.begin(b) < bags.begin(b - 1) || bags.begin(b) > ids) {
      fail(b, std::to_string(bags.begin(b - 1)) + " to " + std::to_string(ids));
    }
  }
  if (bags.begin(bags.size()) != ids) fail(bags.size(), std::to_string(ids) + ", the number of ids");
}

void check_floats(std::string_view op, std::string_view argument, std::span<const float> values, std::int64_t size,
                  std::string_view why) {
  const auto fail = [&](ErrorCode code, const std::string& what) {
    throw Error(code, start(op) + std::string(argument) + " (" + std::to_string(values.size()) + ") " + what);
  };
  if (std::ssize(values) != size) {
    fail(ErrorCode::shape_mismatch, "must have " + std::to_string(size) + " values: " + std::string(why));
  }
  if (size > 0 && values.data() == nullptr) fail(ErrorCode::invalid_argument, "has a null pointer");
  if (reinterpret_cast<std::uintptr_t>(values.data()) % sizeof(float) != 0) {
    fail(ErrorCode::invalid_argument, "is not aligned");
  }
}

void check_plan(std::string_view op, const Plan& plan, const TableView& table) {
  if (plan.rows() == table.rows() || plan.id_count() == 0) return;
  throw Error(ErrorCode::shape_mismatch, start(op) + "the plan is for tables of " + std::to_string(plan.rows()) +
                                             " rows; " + describe("table", table) + " has another number");
}

}  // namespace rowmill
