// SPDX-License-Identifier: Apache-2.0
// What every public call checks before its first store. Each function throws an Error that names the operation (`op`),
// the argument, what was found and what is allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// The bytes of a row of a view that has been checked.
inline std::int64_t row_bytes(const ConstTableView& view) {
  return row_elements(view.format(), view.dim()) * element_size(view.format());
}

/// rows >= 0, dim >= 0, a known format, row_stride >= 0, pointer there and aligned, and the size in bytes fits.
void check_view(std::string_view op, std::string_view argument, const ConstTableView& view);

/// dim >= 1, where rows without columns have no meaning: in files, for one.
void check_has_columns(std::string_view op, std::string_view argument, const ConstTableView& view);

/// As check_view, and rows don't share elements.
void check_writable(std::string_view op, std::string_view argument, const TableView& view);

/// What is trained in float, and what lookups of such and of quantised tables write.
inline constexpr std::initializer_list<Format> kFloatFormats = {Format::f32, Format::bf16, Format::f16};
/// Tables whose values are read as floats.
inline constexpr std::initializer_list<Format> kLookupFormats = {Format::f32,  Format::bf16, Format::f16,
                                                                 Format::int8, Format::int4, Format::int2};
/// Tables whose elements are numbers, by themselves: floats, and the exact formats.
inline constexpr std::initializer_list<Format> kNumberFormats = {
    Format::f32, Format::bf16, Format::f16, Format::f64, Format::i64, Format::i32, Format::i16, Format::i8, Format::u8};
/// What gather and pool read: all of these.
inline constexpr std::initializer_list<Format> kTableFormats = {Format::f32,  Format::bf16, Format::f16, Format::int8,
                                                                Format::int4, Format::int2, Format::f64, Format::i64,
                                                                Format::i32,  Format::i16,  Format::i8,  Format::u8};

/// The operation supports the format of `view`, which has been checked, there.
void check_format(std::string_view op, std::string_view argument, const ConstTableView& view,
                  std::initializer_list<Format> allowed);

/// A lookup can read the table, and write `out` with what it reads: an exact table's own format, or floats of any.
void check_lookup(std::string_view op, const ConstTableView& table, const TableView& out);

/// Above this, the bytes that ids need would not fit in 64 bits.
inline constexpr std::int64_t kMaxIds = std::int64_t{1} << 56;
/// 0 <= count <= kMaxIds.
void check_count(std::string_view op, std::string_view argument, std::int64_t count);
inline void check_id_count(std::string_view op, std::int64_t id_count) { check_count(op, "id_count", id_count); }

/// The number of an enum's value lies between 0 and that of its last one.
void check_enum_number(std::string_view op, std::string_view option, int number, int last);
template <class Enum>
void check_enum(std::string_view op, std::string_view option, Enum value, Enum last) {
  if (value > last) check_enum_number(op, option, static_cast<int>(value), static_cast<int>(last));
}
inline void check_policy(std::string_view op, OutOfRange policy) {
  check_enum(op, "out_of_range", policy, OutOfRange::skip);
}

void check_ids_pointer(std::string_view op, Ids ids);
/// The same for offsets, lengths or winners.
void check_ids_pointer(std::string_view op, std::string_view argument, Ids ids);

/// `view` is rows x dim; `why` says where these numbers come from.
void check_shape(std::string_view op, std::string_view argument, const ConstTableView& view, std::int64_t rows,
                 std::int64_t dim, std::string_view why);

/// No element of `a` is an element of `b`.
void check_disjoint(std::string_view op, std::string_view a_name, const ConstTableView& a, std::string_view b_name,
                    const ConstTableView& b);
/// The same for ids or offsets, strided ones too: only the memory between them is free.
void check_disjoint(std::string_view op, std::string_view a_name, const ConstTableView& a, std::string_view ids_name,
                    Ids ids);
void check_disjoint(std::string_view op, std::string_view a_name, Ids a, std::string_view b_name, Ids b);

/// The memory of floats as that of integers of the same size, for check_disjoint.
inline Ids memory_of(std::span<const float> values) {
  return {reinterpret_cast<const std::int32_t*>(values.data()), std::ssize(values)};
}

/// There are `size` values, not null and aligned; `why` says where the number comes from.
void check_floats(std::string_view op, std::string_view argument, std::span<const float> values, std::int64_t size,
                  std::string_view why);

/// All ids are allowed in a table of `rows` rows, or are padding.
void check_ids(std::string_view op, Ids ids, std::int64_t rows, OutOfRange policy, std::string_view table_name,
               std::optional<std::int64_t> padding_id = {});

/// The offsets or the shape of `bags` fit its ids, and there is a weight for each id or for none.
void check_bags(std::string_view op, const Bags& bags);
/// As check_ids; padding is allowed, and the error names the bag too.
void check_ids(std::string_view op, const Bags& bags, std::int64_t rows, OutOfRange policy,
               std::string_view table_name);

/// The plan was made for a table of this many rows.
void check_plan(std::string_view op, const Plan& plan, const TableView& table);

/// The bytes of a new `kind` of the shape, format and name of a view without memory, if that is a size.
std::size_t checked_size(std::string_view kind, const ConstTableView& shape);

/// The shortest decimal number that is read back as `value`: 0.1, -1e-12, inf, nan.
std::string to_text(float value);
std::string to_text(double value);

/// "table 'words' (9088 x 256)"
std::string describe(std::string_view argument, const ConstTableView& view);

}  // namespace rowmill
