// SPDX-License-Identifier: Apache-2.0
// Plans.
#include <cstdint>
#include <string_view>

#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {

template <>
rowmill_plan_options defaults<rowmill_plan_options>() {
  rowmill_plan_options o{};  // no name, padding, weights or winners
  o.struct_size = sizeof o;
  o.out_of_range = ROWMILL_RANGE_ERROR;
  o.pooling = ROWMILL_POOL_SUM;
  o.divisor = ROWMILL_DIVISOR_COUNT;
  return o;
}

}  // namespace rowmill::c_interface

namespace {

using namespace rowmill;
using namespace rowmill::c_interface;

constexpr std::string_view kOp = "plan";

/// All options but the padding id, and the weights, which belong to bags in C++.
PlanOptions to_cpp(const rowmill_plan_options& o) {
  check_range(kOp, "reserved", o.reserved, 0, 0);
  return {.out_of_range = policy_of(o.out_of_range, kOp),
          .name = text_of(o.table_name),
          .double_coefficients = o.double_coefficients != 0,
          .pooling = pooling_of(o.pooling, kOp),
          .divisor = divisor_of(o.divisor, kOp),
          .winners = array_of(o.winners, o.winner_count, kOp, "winners")};
}

}  // namespace

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

rowmill_status rowmill_plan_create(rowmill_plan** plan) noexcept {
  return call([&] {
    rowmill_plan*& result = deref(plan, "plan_create", "plan");
    result = new rowmill_plan;
  });
}

void rowmill_plan_destroy(rowmill_plan* plan) noexcept { delete plan; }

rowmill_status rowmill_plan_build(rowmill_plan* plan, const rowmill_ids* ids, std::int64_t rows,
                                  rowmill_out_of_range out_of_range, const char* table_name) noexcept {
  return call([&] {
    deref(plan, kOp, "plan").plan.build(ids_of(ids, kOp), rows, policy_of(out_of_range, kOp), text_of(table_name));
  });
}

rowmill_status rowmill_plan_build_bags(rowmill_plan* plan, const rowmill_bags* bags, std::int64_t rows,
                                       rowmill_out_of_range out_of_range, const char* table_name) noexcept {
  return call([&] {
    deref(plan, kOp, "plan").plan.build(bags_of(bags, kOp), rows, policy_of(out_of_range, kOp), text_of(table_name));
  });
}

rowmill_status rowmill_plan_options_init(rowmill_plan_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "plan_options_init");
}

rowmill_status rowmill_plan_build_with(rowmill_plan* plan, const rowmill_ids* ids, std::int64_t rows,
                                       const rowmill_plan_options* options) noexcept {
  return call([&] {
    Plan& p = deref(plan, kOp, "plan").plan;
    const rowmill_plan_options o = options_of(options, kOp);
    if (o.weights != nullptr || o.weight_count != 0) refuse(kOp, "weights are given for ids that are in no bags");
    PlanOptions made = to_cpp(o);
    made.padding_id = padding_of(o.has_padding_id, o.padding_id);
    p.build(ids_of(ids, kOp), rows, made);
  });
}

rowmill_status rowmill_plan_build_bags_with(rowmill_plan* plan, const rowmill_bags* bags, std::int64_t rows,
                                            const rowmill_plan_options* options) noexcept {
  return call([&] {
    Plan& p = deref(plan, kOp, "plan").plan;
    const rowmill_plan_options o = options_of(options, kOp);
    p.build(
        with_weights(with_padding(bags_of(bags, kOp), o.has_padding_id, o.padding_id), o.weights, o.weight_count, kOp),
        rows, to_cpp(o));
  });
}

rowmill_status rowmill_plan_reserve(rowmill_plan* plan, std::int64_t id_count) noexcept {
  return call([&] {
    Plan& p = deref(plan, "plan_reserve", "plan").plan;
    check_range("plan_reserve", "id_count", id_count, 0, kMaxIds);
    p.reserve(id_count);
  });
}

rowmill_status rowmill_plan_reserve_with(rowmill_plan* plan, std::int64_t id_count,
                                         const rowmill_plan_options* options) noexcept {
  return call([&] {
    Plan& p = deref(plan, "plan_reserve", "plan").plan;
    check_range("plan_reserve", "id_count", id_count, 0, kMaxIds);
    const rowmill_plan_options o = options_of(options, "plan_reserve");
    p.reserve(id_count, to_cpp(o), o.weights != nullptr);
  });
}

std::int64_t rowmill_plan_id_count(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return deref(plan, "plan_id_count", "plan").plan.id_count(); });
}

std::int64_t rowmill_plan_gradient_rows(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return deref(plan, "plan_gradient_rows", "plan").plan.gradient_rows(); });
}

std::int64_t rowmill_plan_rows(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return deref(plan, "plan_rows", "plan").plan.rows(); });
}

std::int64_t rowmill_plan_unique_count(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return deref(plan, "plan_unique_count", "plan").plan.unique_count(); });
}
