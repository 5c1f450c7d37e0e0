// SPDX-License-Identifier: Apache-2.0
// Option structs, which begin with their size. When one grows, options_of() must take its older size too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "layers/c_interface/arguments.hpp"

namespace rowmill::c_interface {

/// What a struct's init function fills in; specialized in the file of that function.
template <class Options>
Options defaults();

inline void check_struct_size(std::string_view op, std::size_t found, std::size_t expected) {
  if (found == expected) return;
  refuse(op, "struct_size of the options is " + std::to_string(found) + "; it must be " + std::to_string(expected) +
                 ", which the options' init function sets");
}

/// The body of a struct's init function.
template <class Options>
rowmill_status init_options(Options* options, std::size_t struct_size, std::string_view op) noexcept {
  return call([&] {
    Options& o = the(options, op, "options");
    check_struct_size(op, struct_size, sizeof(Options));
    o = defaults<Options>();
  });
}

/// The options, or the defaults for a null pointer.
template <class Options>
Options options_of(const Options* options, std::string_view op) {
  if (options == nullptr) return defaults<Options>();
  check_struct_size(op, options->struct_size, sizeof(Options));
  return *options;
}

/// An optimizer's C++ options, or their defaults for a null pointer.
OptimizerOptions optimizer_of(const rowmill_sgd_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_adagrad_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_row_wise_adagrad_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_adam_options* options, std::string_view op);
OptimizerOptions optimizer_of(const rowmill_partial_row_wise_adam_options* options, std::string_view op);

}  // namespace rowmill::c_interface
