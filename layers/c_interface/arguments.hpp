// SPDX-License-Identifier: Apache-2.0
// Converts arguments from C to C++, and checks what C++ types would rule out. Errors name the operation (`op`) and the
// argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/checks.hpp"
#include "layers/c_interface/call.hpp"
#include "layers/c_interface/handles.hpp"

namespace rowmill::c_interface {

// Outside of the templates, so that they are compiled once.
[[noreturn]] void refuse_null(std::string_view op, std::string_view argument);
[[noreturn]] void refuse_struct_size(std::string_view op, std::size_t found, std::size_t wanted);

/// *pointer. Throws if it is null.
template <class T>
T& deref(T* pointer, std::string_view op, std::string_view argument) {
  if (pointer == nullptr) refuse_null(op, argument);
  return *pointer;
}

void check_range(std::string_view op, std::string_view argument, std::int64_t value, std::int64_t lowest,
                 std::int64_t highest);

/// An enum whose values in C and C++ are 0 .. highest.
template <class E>
E enum_of(std::int32_t value, E highest, std::string_view op, std::string_view argument) {
  check_range(op, argument, value, 0, static_cast<std::int64_t>(highest));
  return static_cast<E>(value);
}

Pooling pooling_of(std::int32_t value, std::string_view op);
Divisor divisor_of(std::int32_t value, std::string_view op);
NormType norm_of(std::int32_t value, std::string_view op);
OutOfRange policy_of(std::int32_t value, std::string_view op);
std::optional<std::int64_t> padding_of(std::int32_t has_padding_id, std::int64_t padding_id);
Initializer initializer_of(std::int32_t kind, float a, float b, std::int64_t dim, std::string_view op);

/// A workspace is never required.
Workspace* workspace_of(rowmill_workspace* workspace);

/// "" for a null pointer.
std::string_view text_of(const char* text);

Format format_from_c(std::int32_t value, std::string_view op, std::string_view argument);
TableView view_of(const rowmill_view* view, std::string_view op, std::string_view argument);
Ids ids_of(const rowmill_ids* ids, std::string_view op, std::string_view argument = "ids");
Bags bags_of(const rowmill_bags* bags, std::string_view op);
Bags with_weights(const Bags& bags, const float* weights, std::int64_t count, std::string_view op);
Bags with_padding(const Bags& bags, std::int32_t has_padding_id, std::int64_t padding_id);

/// The `count` elements of an array, which is null only if there are none.
template <class T>
std::span<T> array_of(T* array, std::int64_t count, std::string_view op, std::string_view argument) {
  check_range(op, std::string(argument) + "' count", count, 0, kMaxIds);
  if (count > 0) deref(array, op, argument);
  return {array, static_cast<std::size_t>(count)};
}

/// The views of an array called `name`, each called `element`. `views` keeps its memory from call to call.
void views_of(const rowmill_view* array, std::int64_t count, std::string_view op, std::string_view name,
              std::string_view element, std::vector<ConstTableView>& views);

/// C has no const views: the caller must not write through one of a const table. The view must be a Table's, whose name
/// ends with a null character.
rowmill_view to_c(const ConstTableView& table);

}  // namespace rowmill::c_interface
