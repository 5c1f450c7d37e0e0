// SPDX-License-Identifier: Apache-2.0
// Every leaf kernel of every instruction set of this machine, on one thread and in cache: what the vector code is
// worth. The benchmarks come from the kernel list: a kernel without a workload below does not compile. rowmill_bench
// measures whole operations.
#include <benchmark/benchmark.h>

#include <bit>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "compare.hpp"
#include "kernels/core/dispatch.hpp"
#include "tests/support/word_vector_data.hpp"

namespace rowmill {
namespace {

constexpr std::int64_t kRows = 256;
constexpr std::int64_t kDim = 256;
constexpr std::int64_t kIds = 512;
constexpr std::int64_t kLength = 16;  // of bags
constexpr std::int64_t kBags = kIds / kLength;
constexpr PrefetchArgs kPrefetch{CacheLevel::first, 16};

/// Rows for kernels of any format: both halves of a value are the same bf16 in [0, 1).
std::vector<float> values(std::int64_t rows) {
  std::mt19937_64 random(1);
  std::vector<float> v(static_cast<std::size_t>(rows * kDim));
  for (float& x : v) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(random() >> 40) * 0x1p-24F);
    x = std::bit_cast<float>((bits >> 16) * 0x10001U);
  }
  return v;
}

template <class Id = std::int64_t>
std::vector<Id> any_ids() {
  std::mt19937_64 random(2);
  std::vector<Id> ids(kIds);
  for (Id& id : ids) id = static_cast<Id>(random() % kRows);
  return ids;
}

/// Where parts of `length` ids begin, and where the last ends.
std::vector<std::int64_t> parts(std::int64_t length) {
  std::vector<std::int64_t> begin;
  for (std::int64_t i = 0; i <= kIds; i += length) begin.push_back(i);
  return begin;
}

/// What kernels take: rows of the table with two contributions each, as segments of a plan, and bags.
struct Data {
  std::vector<float> table = values(kRows), state1 = values(kRows), state2 = values(kRows), gradient = values(kIds);
  std::vector<float> out = std::vector<float>(kIds * kDim);
  std::vector<std::int64_t> ids = any_ids(), bags = parts(kLength), segments = parts(kIds / kRows);
  std::vector<std::int64_t> numbers = std::vector<std::int64_t>(kIds);  // rows, and positions
  std::vector<std::int64_t> kept = numbers, kept_begin = bags;
  std::vector<std::int32_t> winners = std::vector<std::int32_t>(kBags * kDim);
  std::vector<float> scratch = std::vector<float>(kUpdateScratchRows * kDim);
  GradientPass pass{gradient.data(), kDim, kIds};
  StorageArgs storage;  // of kernels of any format: bf16, stochastically rounded, with states of float
  bool finite = true;

  Data() {
    std::iota(numbers.begin(), numbers.end(), 0);
    storage.weights = {.data = table.data(), .stride = kDim, .format = Format::bf16};
    storage.states[0] = {.data = state1.data(), .stride = kDim};
    storage.states[1] = {.data = state2.data(), .stride = kDim};
    storage.rounding = Rounding::stochastic;
  }
  SegmentArgs segment_args() { return {numbers.data(), segments.data(), numbers.data(), kRows}; }
  GradientArgs gradients() { return {&pass, 1, {}, kDim, kSumBlock, true, nullptr}; }
  UpdateArgs update() {
    return {.segments = segment_args(),
            .gradients = gradients(),
            .prefetch = kPrefetch,
            .scratch = scratch.data(),
            .weights = table.data(),
            .stride = kDim,
            .storage = &storage};
  }
};

template <class Result, class Args>
void repeat(benchmark::State& state, Result (*kernel)(const Args&), const std::type_identity_t<Args>& args,
            std::int64_t items = kIds) {
  for (auto _ : state) {
    kernel(args);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * items);
}

// One workload for each type of kernel: run(state, kernel, data). A kernel of another type does not compile.

template <class Id>
void run(benchmark::State& state, FindBadId<Id>* kernel, Data&) {
  const std::vector<Id> ids = any_ids<Id>();
  repeat(state, kernel, {ids.data(), kIds, 0, kRows - 1});
}

/// All ids are kept.
template <class Id>
void run(benchmark::State& state, Kernel<KeepIdsArgs<Id>>* kernel, Data& d) {
  const std::vector<Id> ids = any_ids<Id>();
  repeat(state, kernel, {ids.data(), nullptr, d.bags.data(), kBags, -1, d.kept.data(), nullptr, d.kept_begin.data()});
}

template <class Id>
void run(benchmark::State& state, Kernel<GatherArgs<Id>>* kernel, Data& d) {
  const std::vector<Id> ids = any_ids<Id>();
  repeat(state, kernel, {d.table.data(), kDim, ids.data(), kIds, d.out.data(), kDim, kDim, kPrefetch, false});
}

template <class Id>
void run(benchmark::State& state, Kernel<PoolArgs<Id>>* kernel, Data& d) {
  const std::vector<Id> ids = any_ids<Id>();
  repeat(
      state, kernel,
      {d.table.data(), kDim, ids.data(), nullptr, d.bags.data(), kBags, nullptr, d.out.data(), kDim, kDim, kPrefetch});
}

void run(benchmark::State& state, Kernel<FindWinnersArgs>* kernel, Data& d) {
  repeat(state, kernel,
         {d.table.data(), kDim, d.ids.data(), nullptr, d.bags.data(), kBags, d.winners.data(), kDim, kPrefetch});
}

void run(benchmark::State& state, Kernel<PoolDotsArgs>* kernel, Data& d) {
  repeat(state, kernel,
         {d.table.data(), kDim, d.ids.data(), d.bags.data(), kBags, d.gradient.data(), kDim, nullptr, d.out.data(),
          kDim, kPrefetch});
}

/// Rows of floats are larger than quantised ones.
void run(benchmark::State& state, Kernel<QuantizeArgs>* kernel, Data& d) {
  auto* const out = reinterpret_cast<std::uint8_t*>(d.out.data());
  repeat(state, kernel, {d.table.data(), kDim, out, kDim * std::int64_t{sizeof(float)}, kRows, kDim}, kRows);
}

void run(benchmark::State& state, Kernel<RowRangesArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.table.data(), kDim, kRows, kDim, d.out.data(), d.out.data() + kRows}, kRows);
}

void run(benchmark::State& state, Kernel<ScatterAddArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.table.data(), kDim, d.ids.data(), kIds, d.gradient.data(), kDim, kDim, kPrefetch});
}

void run(benchmark::State& state, Kernel<ScatterAddSegmentsArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.segment_args(), d.gradients(), kPrefetch, d.table.data(), kDim});
}

/// Every row is over the norm, but after the first time only just.
void run(benchmark::State& state, Kernel<RenormalizeArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.table.data(), kDim, d.numbers.data(), kRows, kDim, 1e-3F, NormType::two, kPrefetch}, kRows);
}

void run(benchmark::State& state, Kernel<SumBlockArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.numbers.data(), kIds, d.gradients(), kPrefetch, d.scratch.data()});
}

void run(benchmark::State& state, Kernel<SumSegmentsArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.segment_args(), d.gradients(), kPrefetch, d.table.data(), kDim}, kRows);
}

void run(benchmark::State& state, Kernel<GuardRowsArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.table.data(), kDim, nullptr, 0, kRows, kDim, nullptr, 1, 1e9F, d.state2.data(), &d.finite},
         kRows);
}

void run(benchmark::State& state, Kernel<ScaleRowsArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.table.data(), kDim, nullptr, 0, kRows, kDim, 1}, kRows);
}

void run(benchmark::State& state, Kernel<MeanSquaresArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.gradients(), 0, kIds, d.out.data()});
}

void run(benchmark::State& state, Kernel<SgdArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.update(), nullptr, 1e-3F, 0, false});
}

void run(benchmark::State& state, Kernel<AdagradArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.update(), d.state1.data(), 1e-3F, 1e-10F});
}

void run(benchmark::State& state, Kernel<AdamArgs>* kernel, Data& d) {
  const AdamScalars scalars{0.9F, 0.1F, 0.999F, 0.001F, 1e-3F, 1.0F, 1e-8F};
  repeat(state, kernel, {d.update(), d.state1.data(), d.state2.data(), scalars});
}

void run(benchmark::State& state, Kernel<FillUniformArgs>* kernel, Data& d) {
  repeat(state, kernel, {d.table.data(), kDim, 0, kRows, kDim, {1, 2}, -1, 2, 0.99F}, kRows);
}

void run(benchmark::State& state, Kernel<PhiloxArgs>* kernel, Data&) {
  std::vector<std::uint32_t> words(kIds);
  repeat(state, kernel, {{0, 0, 0, 0}, {1, 2}, kIds / 4, words.data()});
}

/// Kernels of word vectors: a tile of 256 positions, or a group of 16 with 8 samples.
template <class Args>
void run(benchmark::State& state, Kernel<Args>* kernel, Data&) {
  test::WordVectorData data(kDim, kRows, 8, 3);
  Args args;
  data.make(args);
  constexpr bool kTile = requires { args.count; };
  repeat(state, kernel, args, kTile ? kRows : kGroup);
}

void register_kernels(const KernelTable* table) {
  const std::string isa = table->isa;
#define ROWMILL_BENCH_KERNEL(name, type)                                         \
  benchmark::RegisterBenchmark((#name "/" + isa).c_str(), [table](auto& state) { \
    Data data;                                                                   \
    run(state, table->name, data);                                               \
  });
  ROWMILL_KERNEL_LIST(ROWMILL_BENCH_KERNEL)
#undef ROWMILL_BENCH_KERNEL
}

}  // namespace
}  // namespace rowmill

int main(int argc, char** argv) {
  for (const rowmill::KernelTable* table : rowmill::supported_kernels()) rowmill::register_kernels(table);
  return bench::run_comparisons(argc, argv);
}
