// SPDX-License-Identifier: Apache-2.0
// Conversions of arguments from C to C++.
#include "layers/c_interface/arguments.hpp"

namespace rowmill::c_interface {

void refuse_null(std::string_view op, std::string_view argument) {
  refuse(op, std::string(argument) + " is a null pointer");
}

void refuse_struct_size(std::string_view op, std::size_t found, std::size_t wanted) {
  refuse(op, "struct_size of the options is " + std::to_string(found) + "; it must be " + std::to_string(wanted) +
                 ", which the options' init function sets");
}

void check_range(std::string_view op, std::string_view argument, std::int64_t value, std::int64_t lowest,
                 std::int64_t highest) {
  if (value >= lowest && value <= highest) return;
  refuse(op, std::string(argument) + " is " + std::to_string(value) + "; allowed: " + std::to_string(lowest) + " to " +
                 std::to_string(highest));
}

Pooling pooling_of(std::int32_t value, std::string_view op) {
  static_assert(
      static_cast<int>(Pooling::sum) == ROWMILL_POOL_SUM && static_cast<int>(Pooling::mean) == ROWMILL_POOL_MEAN &&
      static_cast<int>(Pooling::sqrtn) == ROWMILL_POOL_SQRTN && static_cast<int>(Pooling::max) == ROWMILL_POOL_MAX);
  return enum_of(value, Pooling::max, op, "pooling");
}

Divisor divisor_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(Divisor::count) == ROWMILL_DIVISOR_COUNT &&
                static_cast<int>(Divisor::weights) == ROWMILL_DIVISOR_WEIGHTS);
  return enum_of(value, Divisor::weights, op, "divisor");
}

NormType norm_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(NormType::one) == ROWMILL_NORM_ONE &&
                static_cast<int>(NormType::two) == ROWMILL_NORM_TWO &&
                static_cast<int>(NormType::infinity) == ROWMILL_NORM_INFINITY);
  return enum_of(value, NormType::infinity, op, "norm");
}

std::optional<std::int64_t> padding_of(std::int32_t has_padding_id, std::int64_t padding_id) {
  return has_padding_id == 0 ? std::nullopt : std::optional(padding_id);
}

OutOfRange policy_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(OutOfRange::error) == ROWMILL_RANGE_ERROR &&
                static_cast<int>(OutOfRange::clip) == ROWMILL_RANGE_CLIP &&
                static_cast<int>(OutOfRange::zero) == ROWMILL_RANGE_ZERO &&
                static_cast<int>(OutOfRange::wrap_negative) == ROWMILL_RANGE_WRAP_NEGATIVE &&
                static_cast<int>(OutOfRange::skip) == ROWMILL_RANGE_SKIP);
  return enum_of(value, OutOfRange::skip, op, "out_of_range");
}

Initializer initializer_of(std::int32_t kind, float a, float b, std::int64_t dim, std::string_view op) {
  switch (kind) {
    case ROWMILL_INIT_ZEROS:
      return Initializer::zeros();
    case ROWMILL_INIT_CONSTANT:
      return Initializer::constant(a);
    case ROWMILL_INIT_UNIFORM:
      return Initializer::uniform(a, b);
    case ROWMILL_INIT_NORMAL:
      return Initializer::normal(a, b);
    case ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT:
      return Initializer::scaled_uniform_fan_out(dim, a);
    default:
      refuse(op, "initializer is " + std::to_string(kind) + "; allowed: 0 to 4");
  }
}

Workspace* workspace_of(rowmill_workspace* workspace) { return workspace == nullptr ? nullptr : &workspace->workspace; }

std::string_view text_of(const char* text) { return text == nullptr ? std::string_view() : text; }

Format format_from_c(std::int32_t value, std::string_view op, std::string_view argument) {
  static_assert(static_cast<int>(Format::f32) == ROWMILL_FLOAT32 &&
                static_cast<int>(Format::bf16) == ROWMILL_BFLOAT16 &&
                static_cast<int>(Format::f16) == ROWMILL_FLOAT16 && static_cast<int>(Format::int8) == ROWMILL_INT8 &&
                static_cast<int>(Format::int4) == ROWMILL_INT4 && static_cast<int>(Format::int2) == ROWMILL_INT2 &&
                static_cast<int>(Format::low16) == ROWMILL_LOW16 && static_cast<int>(Format::f64) == ROWMILL_FLOAT64 &&
                static_cast<int>(Format::i64) == ROWMILL_I64 && static_cast<int>(Format::i32) == ROWMILL_I32 &&
                static_cast<int>(Format::i16) == ROWMILL_I16 && static_cast<int>(Format::i8) == ROWMILL_I8 &&
                static_cast<int>(Format::u8) == ROWMILL_U8);
  return enum_of(value, Format::u8, op, argument);
}

TableView view_of(const rowmill_view* view, std::string_view op, std::string_view argument) {
  const rowmill_view& v = deref(view, op, argument);
  if (v.format < 0 || v.format > ROWMILL_U8) format_from_c(v.format, op, std::string(argument) + ".format");  // throws
  return {v.data, static_cast<Format>(v.format), v.rows, v.dim, v.row_stride, text_of(v.name)};
}

Ids ids_of(const rowmill_ids* ids, std::string_view op, std::string_view argument) {
  const rowmill_ids& i = deref(ids, op, argument);
  if (i.type == ROWMILL_INT32) return {static_cast<const std::int32_t*>(i.data), i.count};
  if (i.type == ROWMILL_INT64) return {static_cast<const std::int64_t*>(i.data), i.count};
  if (i.type != ROWMILL_STRIDED) {
    refuse(op, std::string(argument) + ".type is " + std::to_string(i.type) + "; allowed: 32, 64, 1");
  }
  const std::string name = std::string(argument) + ".data";
  const auto& strided = deref(static_cast<const rowmill_strided_ids*>(i.data), op, name);
  check_range(op, std::string(argument) + ".count", i.count, strided.count, strided.count);
  if (strided.type == ROWMILL_INT32) {
    return Ids::strided(static_cast<const std::int32_t*>(strided.data), strided.count, strided.stride);
  }
  if (strided.type == ROWMILL_INT64) {
    return Ids::strided(static_cast<const std::int64_t*>(strided.data), strided.count, strided.stride);
  }
  refuse(op,
         "the type of strided " + std::string(argument) + " is " + std::to_string(strided.type) + "; allowed: 32, 64");
}

Bags bags_of(const rowmill_bags* bags, std::string_view op) {
  const rowmill_bags& b = deref(bags, op, "bags");
  const Ids ids = ids_of(&b.ids, op);
  check_range(op, "bags.has_offsets", b.has_offsets, 0, ROWMILL_OFFSETS_WITHOUT_LAST);
  if (b.has_offsets == 0) return Bags::fixed_length(ids, b.size, b.length);
  const Ids offsets = ids_of(&b.offsets, op, "offsets");
  const bool has_last = b.has_offsets != ROWMILL_OFFSETS_WITHOUT_LAST;
  check_range(op, "offsets.count", offsets.size(), has_last ? 1 : 0, kMaxIds);
  const std::int64_t size = has_last ? offsets.size() - 1 : offsets.size();
  check_range(op, "bags.size", b.size, size, size);
  return Bags::from_offsets(ids, offsets, has_last ? LastOffset::included : LastOffset::absent);
}

Bags with_weights(const Bags& bags, const float* weights, std::int64_t count, std::string_view op) {
  if (weights == nullptr && count == 0) return bags;
  return bags.with_weights(array_of(weights, count, op, "weights"));
}

Bags with_padding(const Bags& bags, std::int32_t has_padding_id, std::int64_t padding_id) {
  return has_padding_id == 0 ? bags : bags.with_padding(padding_id);
}

void views_of(const rowmill_view* array, std::int64_t count, std::string_view op, std::string_view name,
              std::string_view element, std::vector<ConstTableView>& views) {
  views.clear();
  views.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    deref(array, op, name);
    views.push_back(view_of(array + i, op, element));
  }
}

rowmill_view to_c(const ConstTableView& table) {
  return {const_cast<void*>(table.bytes()),         table.rows(), table.dim(), table.row_stride(), table.name().data(),
          static_cast<std::int32_t>(table.format())};
}

}  // namespace rowmill::c_interface
