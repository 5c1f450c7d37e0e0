// SPDX-License-Identifier: Apache-2.0
// renormalize.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {

template <>
rowmill_max_norm_options defaults<rowmill_max_norm_options>() {
  return {sizeof(rowmill_max_norm_options), 1, ROWMILL_NORM_TWO, ROWMILL_RANGE_ERROR, 0, 0, 0};
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

namespace {

constexpr std::string_view kOp = "renormalize";

rowmill_max_norm_options checked(const rowmill_max_norm_options* options) {
  const rowmill_max_norm_options o = options_of(options, kOp);
  check_range(kOp, "reserved", o.reserved, 0, 0);
  return o;
}

}  // namespace

rowmill_status rowmill_max_norm_options_init(rowmill_max_norm_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "max_norm_options_init");
}

rowmill_status rowmill_renormalize(const rowmill_view* table, const rowmill_ids* ids,
                                   const rowmill_max_norm_options* options, rowmill_workspace* workspace) noexcept {
  return call([&] {
    const rowmill_max_norm_options o = checked(options);
    renormalize(
        view_of(table, kOp, "table"), ids_of(ids, kOp), {.max_norm = o.max_norm, .norm = norm_of(o.norm, kOp)},
        {.out_of_range = policy_of(o.out_of_range, kOp), .padding_id = padding_of(o.has_padding_id, o.padding_id)},
        workspace_of(workspace));
  });
}

rowmill_status rowmill_renormalize_bags(const rowmill_view* table, const rowmill_bags* bags,
                                        const rowmill_max_norm_options* options,
                                        rowmill_workspace* workspace) noexcept {
  return call([&] {
    const rowmill_max_norm_options o = checked(options);
    renormalize(view_of(table, kOp, "table"), with_padding(bags_of(bags, kOp), o.has_padding_id, o.padding_id),
                {.max_norm = o.max_norm, .norm = norm_of(o.norm, kOp)},
                {.out_of_range = policy_of(o.out_of_range, kOp)}, workspace_of(workspace));
  });
}

std::size_t rowmill_renormalize_memory_required(std::int64_t id_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    check_range("renormalize_memory_required", "id_count", id_count, 0, kMaxIds);
    return renormalize_memory_required(id_count);
  });
}
