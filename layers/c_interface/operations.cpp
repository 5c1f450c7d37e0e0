// SPDX-License-Identifier: Apache-2.0
// The operations without a handle of their own: find_bad_id, bags, gather, convert, pool and scatter_add; and
// workspaces.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "kernels/core/checks.hpp"
#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {

template <>
rowmill_gather_options defaults<rowmill_gather_options>() {
  return {sizeof(rowmill_gather_options), ROWMILL_RANGE_ERROR, ROWMILL_STORES_AUTOMATIC};
}

template <>
rowmill_pool_options defaults<rowmill_pool_options>() {
  return {sizeof(rowmill_pool_options), ROWMILL_POOL_SUM, ROWMILL_RANGE_ERROR, ROWMILL_DIVISOR_COUNT, 0, 0, nullptr, 0};
}

template <>
rowmill_scatter_add_options defaults<rowmill_scatter_add_options>() {
  return {sizeof(rowmill_scatter_add_options), ROWMILL_RANGE_ERROR, 0};
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

// ---- find_bad_id ----------------------------------------------------------------------------------------------------

namespace {

rowmill_status find(const rowmill_ids* ids, std::int64_t rows, rowmill_out_of_range out_of_range,
                    std::optional<std::int64_t> padding_id, std::int64_t* position, std::int64_t* value) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "find_bad_id";
    std::int64_t& found_at = deref(position, kOp, "position");
    const Ids all = ids_of(ids, kOp);
    check_ids_pointer(kOp, all);
    const std::optional<BadId> bad = find_bad_id(all, rows, policy_of(out_of_range, kOp), padding_id);
    found_at = bad ? bad->position : -1;
    if (value != nullptr) *value = bad ? bad->value : -1;
  });
}

}  // namespace

rowmill_status rowmill_find_bad_id(const rowmill_ids* ids, std::int64_t rows, rowmill_out_of_range out_of_range,
                                   std::int64_t* position, std::int64_t* value) noexcept {
  return find(ids, rows, out_of_range, std::nullopt, position, value);
}

rowmill_status rowmill_find_bad_id_padded(const rowmill_ids* ids, std::int64_t rows, rowmill_out_of_range out_of_range,
                                          std::int64_t padding_id, std::int64_t* position,
                                          std::int64_t* value) noexcept {
  return find(ids, rows, out_of_range, padding_id, position, value);
}

// ---- bags -----------------------------------------------------------------------------------------------------------

rowmill_status rowmill_bags_from_lengths(const rowmill_ids* ids, const rowmill_ids* lengths, std::int64_t* offsets,
                                         std::int64_t offset_count, rowmill_bags* bags) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "bags";
    rowmill_bags& result = deref(bags, kOp, "bags");
    const Bags made = Bags::from_lengths(ids_of(ids, kOp), ids_of(lengths, kOp, "lengths"),
                                         array_of(offsets, offset_count, kOp, "offsets"));
    result = rowmill_make_bags(*ids, rowmill_make_ids(offsets, made.size() + 1, ROWMILL_INT64));
  });
}

// ---- gather ---------------------------------------------------------------------------------------------------------

rowmill_status rowmill_gather_options_init(rowmill_gather_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "gather_options_init");
}

rowmill_status rowmill_gather(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* out,
                              const rowmill_gather_options* options) noexcept {
  return call([&] {
    static_assert(static_cast<int>(Stores::automatic) == ROWMILL_STORES_AUTOMATIC &&
                  static_cast<int>(Stores::ordinary) == ROWMILL_STORES_ORDINARY &&
                  static_cast<int>(Stores::streaming) == ROWMILL_STORES_STREAMING);
    constexpr std::string_view kOp = "gather";
    const rowmill_gather_options o = options_of(options, kOp);
    gather(view_of(table, kOp, "table"), ids_of(ids, kOp), view_of(out, kOp, "out"),
           {.out_of_range = policy_of(o.out_of_range, kOp),
            .stores = enum_of(o.stores, Stores::streaming, kOp, "stores")});
  });
}

// ---- convert --------------------------------------------------------------------------------------------------------

std::int64_t rowmill_row_elements(rowmill_format format, std::int64_t dim) noexcept {
  return value_or<std::int64_t>(-1, [&] {
    constexpr std::string_view kOp = "row_elements";
    check_range(kOp, "dim", dim, 0, std::numeric_limits<std::int64_t>::max());
    return row_elements(format_from_c(format, kOp, "format"), dim);
  });
}

rowmill_status rowmill_convert(const rowmill_view* from, const rowmill_view* to,
                               rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "convert";
    convert(view_of(from, kOp, "from"), view_of(to, kOp, "to"), workspace_of(workspace));
  });
}

rowmill_status rowmill_split(const rowmill_view* from, const rowmill_view* upper, const rowmill_view* low) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "split";
    split(view_of(from, kOp, "from"), view_of(upper, kOp, "upper"), view_of(low, kOp, "low"));
  });
}

rowmill_status rowmill_join_split(const rowmill_view* upper, const rowmill_view* low,
                                  const rowmill_view* out) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "join_split";
    join_split(view_of(upper, kOp, "upper"), view_of(low, kOp, "low"), view_of(out, kOp, "out"));
  });
}

rowmill_status rowmill_join_codes(const rowmill_view* codes, const float* scales, const float* zero_points,
                                  const rowmill_view* to) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "join_codes";
    const TableView table = view_of(to, kOp, "to");
    join_codes(view_of(codes, kOp, "codes"), array_of(scales, table.rows(), kOp, "scales"),
               array_of(zero_points, table.rows(), kOp, "zero_points"), table);
  });
}

// ---- pool -----------------------------------------------------------------------------------------------------------

rowmill_status rowmill_pool_options_init(rowmill_pool_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "pool_options_init");
}

namespace {

/// f(bags, options) in C++, where weights and padding id are the bags' and not the options'.
template <class F>
auto with_pool_options(const rowmill_bags* bags, const rowmill_pool_options* options, std::string_view op, F f) {
  const rowmill_pool_options o = options_of(options, op);
  const Bags all =
      with_weights(with_padding(bags_of(bags, op), o.has_padding_id, o.padding_id), o.weights, o.weight_count, op);
  return f(all, PoolOptions{.pooling = pooling_of(o.pooling, op),
                            .out_of_range = policy_of(o.out_of_range, op),
                            .divisor = divisor_of(o.divisor, op)});
}

}  // namespace

rowmill_status rowmill_pool(const rowmill_view* table, const rowmill_bags* bags, const rowmill_view* out,
                            const rowmill_pool_options* options, rowmill_workspace* workspace) noexcept {
  constexpr std::string_view kOp = "pool";
  return call([&] {
    with_pool_options(bags, options, kOp, [&](const Bags& all, const PoolOptions& o) {
      pool(view_of(table, kOp, "table"), all, view_of(out, kOp, "out"), o, workspace_of(workspace));
    });
  });
}

rowmill_status rowmill_find_winners(const rowmill_view* table, const rowmill_bags* bags, std::int32_t* winners,
                                    std::int64_t winner_count, const rowmill_pool_options* options,
                                    rowmill_workspace* workspace) noexcept {
  constexpr std::string_view kOp = "find_winners";
  return call([&] {
    with_pool_options(bags, options, kOp, [&](const Bags& all, const PoolOptions& o) {
      find_winners(view_of(table, kOp, "table"), all, array_of(winners, winner_count, kOp, "winners"), o,
                   workspace_of(workspace));
    });
  });
}

rowmill_status rowmill_pool_weight_gradients(const rowmill_view* table, const rowmill_bags* bags,
                                             const rowmill_view* gradient, float* out, std::int64_t out_count,
                                             const rowmill_pool_options* options,
                                             rowmill_workspace* workspace) noexcept {
  constexpr std::string_view kOp = "pool_weight_gradients";
  return call([&] {
    with_pool_options(bags, options, kOp, [&](const Bags& all, const PoolOptions& o) {
      pool_weight_gradients(view_of(table, kOp, "table"), all, view_of(gradient, kOp, "gradient"),
                            array_of(out, out_count, kOp, "out"), o, workspace_of(workspace));
    });
  });
}

std::size_t rowmill_pool_memory_required(std::int64_t id_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    check_range("pool_memory_required", "id_count", id_count, 0, kMaxIds);
    return pool_memory_required(id_count);
  });
}

std::size_t rowmill_pool_memory_required_with(const rowmill_bags* bags, std::int64_t dim,
                                              const rowmill_pool_options* options) noexcept {
  return value_or<std::size_t>(0, [&] {
    return with_pool_options(bags, options, "pool_memory_required",
                             [&](const Bags& all, const PoolOptions& o) { return pool_memory_required(all, dim, o); });
  });
}

// ---- scatter_add ----------------------------------------------------------------------------------------------------

rowmill_status rowmill_scatter_add_options_init(rowmill_scatter_add_options* options,
                                                std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "scatter_add_options_init");
}

rowmill_status rowmill_scatter_add(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* values,
                                   const rowmill_scatter_add_options* options, rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "scatter_add";
    const rowmill_scatter_add_options o = options_of(options, kOp);
    check_range(kOp, "reserved", o.reserved, 0, 0);
    scatter_add(view_of(table, kOp, "table"), ids_of(ids, kOp), view_of(values, kOp, "values"),
                {.out_of_range = policy_of(o.out_of_range, kOp)}, workspace_of(workspace));
  });
}

rowmill_status rowmill_scatter_add_planned(const rowmill_view* table, const rowmill_plan* plan,
                                           const rowmill_view* values) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "scatter_add";
    scatter_add(view_of(table, kOp, "table"), deref(plan, kOp, "plan").plan, view_of(values, kOp, "values"));
  });
}

std::size_t rowmill_scatter_add_memory_required(std::int64_t id_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    check_range("scatter_add_memory_required", "id_count", id_count, 0, kMaxIds);
    return scatter_add_memory_required(id_count);
  });
}

// ---- workspaces -----------------------------------------------------------------------------------------------------

rowmill_status rowmill_workspace_create(rowmill_workspace** workspace) noexcept {
  return call([&] {
    rowmill_workspace*& result = deref(workspace, "workspace_create", "workspace");
    result = new rowmill_workspace;
  });
}

void rowmill_workspace_destroy(rowmill_workspace* workspace) noexcept { delete workspace; }

rowmill_status rowmill_workspace_reserve(rowmill_workspace* workspace, std::size_t bytes) noexcept {
  return call([&] { deref(workspace, "workspace_reserve", "workspace").workspace.reserve(bytes); });
}

std::size_t rowmill_workspace_capacity(const rowmill_workspace* workspace) noexcept {
  return value_or<std::size_t>(
      0, [&] { return deref(workspace, "workspace_capacity", "workspace").workspace.capacity(); });
}
