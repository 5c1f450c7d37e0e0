// SPDX-License-Identifier: Apache-2.0
// Kernels that check ids and those that keep the ids of bags.
#include <gtest/gtest.h>

#include <bit>
#include <tuple>
#include <vector>

#include "tests/kernels/bags.hpp"
#include "tests/kernels/kernel_test.hpp"

namespace rowmill::test {
namespace {

template <class Id>
void check_find_bad_id(FindBadId<Id>* kernel, FindBadId<Id>* reference) {
  for (std::int64_t count = 0; count < 200; ++count) {
    PageEnd<Id> ids(std::vector<Id>(static_cast<std::size_t>(count), Id{5}));
    const FindBadIdArgs<Id> args{ids.data(), count, -3, 9};
    EXPECT_EQ(kernel(args), count);
    for (std::int64_t at = count; at-- > 0;) {
      for (const Id bad : {Id{10}, Id{-4}}) {
        ids.data()[at] = bad;
        ASSERT_EQ(kernel(args), reference(args)) << count << " ids, a bad one at " << at;
      }
    }
  }
}

template <class Id>
void check_keep_ids(Kernel<KeepIdsArgs<Id>>* kernel, Kernel<KeepIdsArgs<Id>>* reference) {
  const PoolBags<Id> bags(true);
  const PageEnd<Id> ids(bags.ids);
  const PageEnd<std::int64_t> begin(bags.begin);
  const PageEnd<float> weights(bags.weights);
  for (const std::int64_t dropped : {std::int64_t{kDropped}, std::int64_t{3}, (std::int64_t{1} << 32) - 1}) {
    for (const bool weighted : {false, true}) {
      // The rows and the weights of what is kept, and where bags begin in them.
      const auto run = [&](Kernel<KeepIdsArgs<Id>>* f) {
        const auto room = static_cast<std::size_t>(bags.begin.back() - bags.begin.front());
        PageEnd<std::int64_t> rows(std::vector<std::int64_t>(room, 7));
        PageEnd<float> kept_weights(std::vector<float>(room, 7));
        std::vector<std::int64_t> kept_begin(bags.begin.size() + 1, -5);
        f({ids.data(), weighted ? weights.data() : nullptr, begin.data(), bags.size(), dropped, rows.data(),
           kept_weights.data(), kept_begin.data()});
        EXPECT_EQ(kept_begin.back(), -5);
        const std::int64_t count = kept_begin[kept_begin.size() - 2];
        std::vector<std::uint32_t> bits;
        for (std::int64_t k = 0; k < count && weighted; ++k) {
          bits.push_back(std::bit_cast<std::uint32_t>(kept_weights.data()[k]));
        }
        return std::tuple(std::vector(rows.data(), rows.data() + count), bits, kept_begin);
      };
      EXPECT_EQ(run(kernel), run(reference)) << "dropped " << dropped << ", weighted " << weighted;
    }
  }
}

// One check for each row of the kernel list, by its name.
namespace check {

void find_bad_id_i32(FindBadId<std::int32_t>* f, FindBadId<std::int32_t>* r) { check_find_bad_id(f, r); }
void find_bad_id_i64(FindBadId<std::int64_t>* f, FindBadId<std::int64_t>* r) { check_find_bad_id(f, r); }
void keep_ids_i32(Kernel<KeepIdsArgs<std::int32_t>>* f, Kernel<KeepIdsArgs<std::int32_t>>* r) { check_keep_ids(f, r); }
void keep_ids_i64(Kernel<KeepIdsArgs<std::int64_t>>* f, Kernel<KeepIdsArgs<std::int64_t>>* r) { check_keep_ids(f, r); }

}  // namespace check

ROWMILL_IDS_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
