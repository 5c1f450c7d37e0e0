// SPDX-License-Identifier: Apache-2.0
// Memory: very many tables, and what the system refuses, of memory and of mappings.
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "kernels/memory/pages.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/embedding.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "rowmill/output.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/table.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace {
std::size_t most_bytes = std::numeric_limits<std::size_t>::max();
std::size_t most_vector_bytes = std::numeric_limits<std::size_t>::max();
}  // namespace

/// The memory of vectors.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const p = size > most_vector_bytes ? nullptr : std::malloc(size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

/// The memory of workspaces and of small tables. The other forms, so that all of them fit together.
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* const p = operator new(size, alignment, std::nothrow)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  if (size > most_bytes) return nullptr;
  const auto a = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(a, (size + a - 1) / a * a);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace rowmill::test {
namespace {

/// While it lives, the system refuses scratch memory and small tables of more than `bytes`.
class Refusal {
 public:
  explicit Refusal(std::size_t bytes) { most_bytes = bytes; }
  ~Refusal() { most_bytes = std::numeric_limits<std::size_t>::max(); }
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;
};

/// The same, and for vectors.
class RefusalOfAll {
 public:
  explicit RefusalOfAll(std::size_t bytes) : scratch_(bytes) { most_vector_bytes = bytes; }
  ~RefusalOfAll() { most_vector_bytes = std::numeric_limits<std::size_t>::max(); }
  RefusalOfAll(const RefusalOfAll&) = delete;
  RefusalOfAll& operator=(const RefusalOfAll&) = delete;

 private:
  Refusal scratch_;
};

class MemoryTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(MemoryTest);

TEST_P(MemoryTest, ScatterAddNeedsNoScratchMemory) {
  run([] {
    constexpr std::int64_t kIds = 6500;  // more than a block of ids on the stack, and enough for several threads
    const std::vector<std::int64_t> ids = id_cases(500, kIds, 80).back().ids;
    std::vector<std::int64_t> some_bad = ids;
    for (std::size_t i = 0; i < some_bad.size(); i += 7) some_bad[i] += 500;
    const GuardedTable values = GuardedTable(kIds, 64).fill(81);
    const GuardedTable before = GuardedTable(500, 64).fill(82);
    for (const OutOfRange policy : {OutOfRange::error, OutOfRange::zero, OutOfRange::clip}) {
      const std::vector<std::int64_t>& used = policy == OutOfRange::error ? ids : some_bad;
      const std::vector<std::int32_t> narrow_ids = narrow(used);
      GuardedTable expected = before;
      reference::scatter_add(expected.view(), used, values.view(), policy);
      for (const Ids any : {Ids(used), Ids(narrow_ids)}) {
        GuardedTable table = before;
        {
          const Refusal refusal(0);
          scatter_add(table.view(), any, values.view(), {.out_of_range = policy});
        }
        EXPECT_TRUE(same(table.view(), expected.view()));
        EXPECT_TRUE(table.guards_intact());
      }
    }
  });
}

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::out_of_memory);
    return e.what();
  }
  return "no error";
}

TEST(Memory, ErrorsSayWhatWasRefused) {
  const std::vector<std::int64_t> ids(5000, 1);
  const Refusal refusal(100);
  EXPECT_EQ(error_of([] { Table(4, 16, {.name = "words"}); }),
            "rowmill: table 'words' (4 x 16): the system refused 256 bytes of memory");
  EXPECT_EQ(error_of([] { (void)OutputAllocator().make(5, 8); }),
            "rowmill: output (5 x 8): the system refused 160 bytes of memory");
  const std::string plan = error_of([&] { Plan(ids, 10); });
  EXPECT_EQ(plan.substr(0, 34), "rowmill: plan: the system refused ");
  EXPECT_EQ(error_of([] { Workspace(1000); }), "rowmill: workspace: the system refused 1000 bytes of memory");
}

TEST(Memory, LayersRecordNothingWhereItIsRefused) {
  const std::vector<std::int64_t> ids(5000, 1);
  const std::vector<float> ones(5000 * 4, 1.0F);
  const ConstTableView gradient(ones.data(), 5000, 4);
  for (const Recorded recorded : {Recorded::copied, Recorded::referenced}) {
    Embedding embedding({.rows = 10, .dim = 4, .recorded = recorded});
    EmbeddingBag mean({.rows = 10, .dim = 4, .recorded = recorded});
    EmbeddingBag max({.rows = 10, .dim = 4, .pooling = Pooling::max, .recorded = recorded});
    const Bags bags(ids, 5000, 1);
    const auto expect_refused = [](const std::string& op, const std::string& error) {
      EXPECT_EQ(error.substr(0, error.find(" the system")), "rowmill: " + op + ":");
    };
    for (const std::size_t bytes : {std::size_t{1000}, std::size_t{45'000}}) {  // of the ids, and beyond them
      const RefusalOfAll refusal(bytes);
      if (recorded == Recorded::copied || bytes == 1000) {
        expect_refused("embedding", error_of([&] { embedding.backward(ids, gradient); }));
        expect_refused("embedding_bag", error_of([&] { mean.backward(bags, gradient); }));
      }
      expect_refused("embedding_bag", error_of([&] { max.backward(bags, gradient); }));
    }
    const Table before = embedding.table().clone();
    embedding.step();
    EXPECT_TRUE(same(embedding.table().view(), before.view()));
    EXPECT_EQ(embedding.optimizer().step_count(), 0);
  }
}

/// The size of what this process has mapped.
std::int64_t mapped_bytes() {
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOwnAllocator = false;  // the sanitizer's keeps what is freed
#else
constexpr bool kOwnAllocator = true;
#endif
constexpr std::int64_t kMiB = std::int64_t{1} << 20;

TEST(Memory, ManySmallTables) {
  constexpr std::int64_t kTables = 200'000;
  EXPECT_EQ(Table(1 << 18, 64).rows(), 1 << 18);  // what oneTBB allocates then is not part of the tables
  const std::int64_t before = mapped_bytes();
  std::vector<Table> tables;
  tables.reserve(kTables);
  for (std::int64_t i = 0; i < kTables; ++i) tables.emplace_back(4, 16);
  if (kOwnAllocator) {
    EXPECT_LT((mapped_bytes() - before) / kTables, 1024);
  }
  EXPECT_EQ(Table(1 << 18, 64).rows(), 1 << 18);
  std::vector<Table>().swap(tables);
  EXPECT_EQ(Table(1 << 18, 64).rows(), 1 << 18);
  if (kOwnAllocator) {
    EXPECT_LT(mapped_bytes() - before, 16 * kMiB);
  }
}

// A process may have 65,530 mappings, unless its system says otherwise.
TEST(Memory, MoreLargeArraysThanMappings) {
  std::int64_t overcommit = 0;
  std::ifstream("/proc/sys/vm/overcommit_memory") >> overcommit;
  if (overcommit == 2) GTEST_SKIP() << "this system promises no memory that it may not have";
  if (!kOwnAllocator) GTEST_SKIP() << "a sanitizer needs mappings too";
  constexpr std::size_t kArrays = 140'000;
  const std::int64_t before = mapped_bytes();
  std::vector<std::byte*> arrays;
  arrays.reserve(kArrays);
  const auto make = [&] { return static_cast<std::byte*>(map_pages(kHugePage, false)); };
  for (std::size_t i = 0; i < kArrays; ++i) {
    arrays.push_back(make());
    ASSERT_NE(arrays.back(), nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(arrays.back()) % kHugePage, 0U);
  }
  // Every second one leaves a hole: at the end the system refuses more holes.
  for (std::size_t i = 1; i < kArrays; i += 2) {
    *arrays[i] = std::byte{1};
    unmap_pages(arrays[i], kHugePage);
  }
  for (std::size_t i = 1; i < 200; i += 2) {
    arrays[i] = make();
    ASSERT_NE(arrays[i], nullptr);
    *arrays[i] = std::byte{1};
  }
  for (std::size_t i = 0; i < kArrays; ++i) {
    if (i % 2 == 0 || i < 200) unmap_pages(arrays[i], kHugePage);
  }
  EXPECT_LT(mapped_bytes() - before, 64 * kMiB);
  void* const large = map_pages(32 * kHugePage, true);
  EXPECT_NE(large, nullptr);
  unmap_pages(large, 32 * kHugePage);
}

}  // namespace
}  // namespace rowmill::test
