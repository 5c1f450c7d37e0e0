// SPDX-License-Identifier: Apache-2.0
// Tables, and their initial values.
#include <cstdint>
#include <string>
#include <string_view>

#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {

template <>
rowmill_table_options defaults<rowmill_table_options>() {
  const TableOptions o;
  return {
      sizeof(rowmill_table_options),  nullptr, o.seed,         o.stream, ROWMILL_INIT_ZEROS, 0, 0, o.huge_pages ? 1 : 0,
      o.parallel_first_touch ? 1 : 0, 0,       ROWMILL_FLOAT32};
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

rowmill_status rowmill_table_options_init(rowmill_table_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "table_options_init");
}

rowmill_status rowmill_table_create(std::int64_t rows, std::int64_t dim, const rowmill_table_options* options,
                                    rowmill_table** table) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "table_create";
    rowmill_table*& result = deref(table, kOp, "table");
    const rowmill_table_options o = options_of(options, kOp);
    check_range(kOp, "reserved", o.reserved, 0, 0);
    result = new rowmill_table{Table(rows, dim,
                                     {.name = std::string(text_of(o.name)),
                                      .initializer = initializer_of(o.initializer, o.a, o.b, dim, kOp),
                                      .seed = o.seed,
                                      .stream = o.stream,
                                      .format = format_from_c(o.format, kOp, "format"),
                                      .huge_pages = o.huge_pages != 0,
                                      .parallel_first_touch = o.parallel_first_touch != 0})};
  });
}

void rowmill_table_destroy(rowmill_table* table) noexcept { delete table; }

rowmill_status rowmill_table_view(const rowmill_table* table, rowmill_view* view) noexcept {
  return call([&] { deref(view, "table_view", "view") = to_c(deref(table, "table_view", "table").table); });
}

rowmill_status rowmill_table_clone(const rowmill_table* table, rowmill_table** clone) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "table_clone";
    rowmill_table*& result = deref(clone, kOp, "clone");
    result = new rowmill_table{deref(table, kOp, "table").table.clone()};
  });
}

rowmill_status rowmill_initialize(const rowmill_view* table, const rowmill_table_options* options) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "initialize";
    const rowmill_table_options o = options_of(options, kOp);
    const TableView view = view_of(table, kOp, "table");
    initialize(view, initializer_of(o.initializer, o.a, o.b, view.dim(), kOp),
               {.seed = o.seed, .stream = o.stream, .name = text_of(o.name)});
  });
}
