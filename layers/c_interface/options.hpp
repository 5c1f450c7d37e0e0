// SPDX-License-Identifier: Apache-2.0
// Option structs, which begin with their size. When one grows, options_of() takes its older size too.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "layers/c_interface/arguments.hpp"

namespace rowmill::c_interface {

/// A struct with its defaults, which its init function hands out; specialized in the file of that function.
template <class Options>
Options defaults();

/// The size of a struct in version 0.1; specialized for those that have grown since.
template <class Options>
inline constexpr std::size_t older_size = sizeof(Options);
template <>
inline constexpr std::size_t older_size<rowmill_table_options> = offsetof(rowmill_table_options, format);
template <>
inline constexpr std::size_t older_size<rowmill_embedding_options> = offsetof(rowmill_embedding_options, format);
template <>
inline constexpr std::size_t older_size<rowmill_embedding_bag_options> = offsetof(rowmill_embedding_bag_options,
                                                                                  format);

template <>
inline constexpr std::size_t older_size<rowmill_pool_options> = offsetof(rowmill_pool_options, divisor);

template <>
inline constexpr std::size_t older_size<rowmill_sgd_options> = offsetof(rowmill_sgd_options, storage);
template <>
inline constexpr std::size_t older_size<rowmill_adagrad_options> = offsetof(rowmill_adagrad_options, storage);
template <>
inline constexpr std::size_t older_size<rowmill_row_wise_adagrad_options> = offsetof(rowmill_row_wise_adagrad_options,
                                                                                     storage);
template <>
inline constexpr std::size_t older_size<rowmill_adam_options> = offsetof(rowmill_adam_options, storage);
template <>
inline constexpr std::size_t older_size<rowmill_partial_row_wise_adam_options> =
    offsetof(rowmill_partial_row_wise_adam_options, storage);

template <class Options>
void check_struct_size(std::string_view op, std::size_t found) {
  if (found != sizeof(Options) && found != older_size<Options>) refuse_struct_size(op, found, sizeof(Options));
}

/// The body of a struct's init function.
template <class Options>
rowmill_status init_options(Options* options, std::size_t struct_size, std::string_view op) noexcept {
  return call([&] {
    Options& o = deref(options, op, "options");
    check_struct_size<Options>(op, struct_size);
    Options filled = defaults<Options>();
    filled.struct_size = struct_size;
    std::memcpy(&o, &filled, struct_size);
  });
}

/// The options, with the defaults for a null pointer and for members that an older struct lacks.
template <class Options>
Options options_of(const Options* options, std::string_view op) {
  Options o = defaults<Options>();
  if (options == nullptr) return o;
  check_struct_size<Options>(op, options->struct_size);
  std::memcpy(&o, options, options->struct_size);
  return o;
}

/// The C++ options of a step or of sums, or their defaults for a null pointer.
GradientOptions gradient_options_of(const rowmill_gradient_options* options, std::string_view op);

/// How an optimizer stores its tables, or the defaults for a null pointer.
StorageOptions storage_of(const rowmill_storage_options* options, std::string_view op);

/// An optimizer's C++ options, or their defaults for a null pointer.
OptimizerOptions optimizer_of(const rowmill_sgd_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_adagrad_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_row_wise_adagrad_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_adam_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_partial_row_wise_adam_options* options, std::string_view op);

}  // namespace rowmill::c_interface
