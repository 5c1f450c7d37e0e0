// SPDX-License-Identifier: Apache-2.0
#include "rowmill/output.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "rowmill/error.hpp"

namespace rowmill::test {
namespace {

TEST(Output, IsWritableAndAligned) {
  OutputAllocator outputs;
  for (const auto& [rows, dim] : std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 1}, {3, 17}, {5000, 256}}) {
    Output out = outputs.make(rows, dim);
    EXPECT_EQ(out.rows(), rows);
    EXPECT_EQ(out.dim(), dim);
    EXPECT_EQ(out.view().row_stride(), dim);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(out.data()) % 64, 0U);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (float& x : out.view().row(r)) x = static_cast<float>(r);
    }
    EXPECT_EQ(ConstTableView(out).row(rows - 1).back(), static_cast<float>(rows - 1));
  }
}

TEST(Output, OfNoRowsHoldsNoMemory) {
  OutputAllocator outputs;
  const Output out = outputs.make(0, 7);
  EXPECT_EQ(out.data(), nullptr);
  EXPECT_EQ(out.dim(), 7);
}

TEST(Output, LeavesItsMemoryToTheNextOneOfItsSize) {
  OutputAllocator outputs;
  const float* memory = nullptr;
  {
    const Output first = outputs.make(1000, 64);
    memory = first.data();
    EXPECT_EQ(outputs.idle_bytes(), 0U);
  }
  EXPECT_EQ(outputs.idle_bytes(), 1000U * 64 * 4);
  const Output much_smaller = outputs.make(499, 64);  // it would waste more than half
  EXPECT_NE(much_smaller.data(), memory);
  const Output larger = outputs.make(1001, 64);
  EXPECT_NE(larger.data(), memory);
  const Output smaller = outputs.make(500, 64);
  EXPECT_EQ(smaller.data(), memory);
  EXPECT_EQ(smaller.rows(), 500);
  EXPECT_EQ(outputs.idle_bytes(), 0U);
}

TEST(Output, TakesTheSmallestBlockThatFits) {
  OutputAllocator outputs;
  Output large = outputs.make(1500, 64);
  Output small = outputs.make(1100, 64);
  const float* const memory = small.data();
  small = Output();
  large = Output();
  EXPECT_EQ(outputs.make(1000, 64).data(), memory);
}

TEST(Output, OnesInUseNeverShareMemory) {
  OutputAllocator outputs;
  for (int round = 0; round < 3; ++round) {
    Output a = outputs.make(100, 16);
    Output b = outputs.make(100, 16);
    EXPECT_NE(a.data(), b.data());
  }
}

TEST(Output, KeepsAtMostEightIdleBlocks) {
  OutputAllocator outputs;
  std::vector<Output> made;
  for (int i = 0; i < 12; ++i) made.push_back(outputs.make(10 + i, 16));
  made.clear();
  std::size_t last_eight = 0;
  for (int i = 4; i < 12; ++i) last_eight += static_cast<std::size_t>(10 + i) * 16 * 4;
  EXPECT_EQ(outputs.idle_bytes(), last_eight);
  outputs.trim();
  EXPECT_EQ(outputs.idle_bytes(), 0U);
}

TEST(Output, OutlivesItsAllocator) {
  Output out;
  {
    OutputAllocator outputs;
    out = outputs.make(100, 16);
  }
  for (float& x : out.view().row(99)) x = 1;
  Output moved = std::move(out);
  EXPECT_EQ(moved.rows(), 100);
}

TEST(Output, IsMadeByManyThreadsAtATime) {
  OutputAllocator outputs;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&outputs, t] {
      for (int i = 0; i < 200; ++i) {
        Output out = outputs.make(20 + t, 16);
        for (float& x : out.view().row(0)) x = static_cast<float>(t);
        for (const float x : out.view().row(0)) ASSERT_EQ(x, static_cast<float>(t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Output, RefusesShapesThatAreNone) {
  OutputAllocator outputs;
  const auto message_of = [&](std::int64_t rows, std::int64_t dim) -> std::string {
    try {
      (void)outputs.make(rows, dim);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_EQ(message_of(-1, 4), "rowmill: output (-1 x 4) has a negative number of rows");
  EXPECT_EQ(message_of(1, -1), "rowmill: output (1 x -1) has dim -1; it must be at least 0");
  EXPECT_NE(message_of(std::numeric_limits<std::int64_t>::max() / 2, 4).find("is larger than 2^63 bytes"),
            std::string::npos);
  EXPECT_NE(message_of(std::int64_t{1} << 45, 1024).find("the system refused"), std::string::npos);
}

}  // namespace
}  // namespace rowmill::test
