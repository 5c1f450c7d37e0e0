// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "layers/c_interface/arguments.hpp"

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

rowmill_status rowmill_plan_create(rowmill_plan** plan) noexcept {
  return call([&] {
    rowmill_plan*& result = the(plan, "plan_create", "plan");
    result = new rowmill_plan;
  });
}

void rowmill_plan_destroy(rowmill_plan* plan) noexcept { delete plan; }

rowmill_status rowmill_plan_build(rowmill_plan* plan, const rowmill_ids* ids, std::int64_t rows,
                                  rowmill_out_of_range out_of_range, const char* table_name) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "plan";
    the(plan, kOp, "plan").plan.build(ids_of(ids, kOp), rows, policy_of(out_of_range, kOp), text_of(table_name));
  });
}

rowmill_status rowmill_plan_build_bags(rowmill_plan* plan, const rowmill_bags* bags, std::int64_t rows,
                                       rowmill_out_of_range out_of_range, const char* table_name) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "plan";
    the(plan, kOp, "plan").plan.build(bags_of(bags, kOp), rows, policy_of(out_of_range, kOp), text_of(table_name));
  });
}

rowmill_status rowmill_plan_reserve(rowmill_plan* plan, std::int64_t id_count) noexcept {
  return call([&] {
    Plan& p = the(plan, "plan_reserve", "plan").plan;
    check_range("plan_reserve", "id_count", id_count, 0, kMaxIds);
    p.reserve(id_count);
  });
}

std::int64_t rowmill_plan_id_count(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return the(plan, "plan_id_count", "plan").plan.id_count(); });
}

std::int64_t rowmill_plan_gradient_rows(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return the(plan, "plan_gradient_rows", "plan").plan.gradient_rows(); });
}

std::int64_t rowmill_plan_rows(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return the(plan, "plan_rows", "plan").plan.rows(); });
}

std::int64_t rowmill_plan_unique_count(const rowmill_plan* plan) noexcept {
  return value_or<std::int64_t>(-1, [&] { return the(plan, "plan_unique_count", "plan").plan.unique_count(); });
}
