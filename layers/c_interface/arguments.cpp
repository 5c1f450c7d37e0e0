// SPDX-License-Identifier: Apache-2.0
#include "layers/c_interface/arguments.hpp"

namespace rowmill::c_interface {

void check_range(std::string_view op, std::string_view argument, std::int64_t value, std::int64_t lowest,
                 std::int64_t highest) {
  if (value >= lowest && value <= highest) return;
  refuse(op, std::string(argument) + " is " + std::to_string(value) + "; allowed: " + std::to_string(lowest) + " to " +
                 std::to_string(highest));
}

Pooling pooling_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(Pooling::sum) == ROWMILL_POOL_SUM &&
                static_cast<int>(Pooling::mean) == ROWMILL_POOL_MEAN);
  return enum_of(value, Pooling::mean, op, "pooling");
}

OutOfRange policy_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(OutOfRange::error) == ROWMILL_RANGE_ERROR &&
                static_cast<int>(OutOfRange::clip) == ROWMILL_RANGE_CLIP &&
                static_cast<int>(OutOfRange::zero) == ROWMILL_RANGE_ZERO &&
                static_cast<int>(OutOfRange::wrap_negative) == ROWMILL_RANGE_WRAP_NEGATIVE);
  return enum_of(value, OutOfRange::wrap_negative, op, "out_of_range");
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
  static_assert(static_cast<int>(Format::f32) == ROWMILL_FLOAT32 && static_cast<int>(Format::bf16) == ROWMILL_BFLOAT16);
  return enum_of(value, Format::bf16, op, argument);
}

TableView view_of(const rowmill_view* view, std::string_view op, std::string_view argument) {
  const rowmill_view& v = the(view, op, argument);
  return {v.data,         format_from_c(v.format, op, std::string(argument) + ".format"), v.rows, v.dim, v.row_stride,
          text_of(v.name)};
}

Ids ids_of(const rowmill_ids* ids, std::string_view op, std::string_view argument) {
  const rowmill_ids& i = the(ids, op, argument);
  if (i.type == ROWMILL_INT32) return {static_cast<const std::int32_t*>(i.data), i.count};
  if (i.type == ROWMILL_INT64) return {static_cast<const std::int64_t*>(i.data), i.count};
  refuse(op, std::string(argument) + ".type is " + std::to_string(i.type) + "; allowed: 32, 64");
}

Bags bags_of(const rowmill_bags* bags, std::string_view op) {
  const rowmill_bags& b = the(bags, op, "bags");
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

rowmill_view to_c(const ConstTableView& table) {
  return {const_cast<void*>(table.bytes()),         table.rows(), table.dim(), table.row_stride(), table.name().data(),
          static_cast<std::int32_t>(table.format())};
}

}  // namespace rowmill::c_interface
