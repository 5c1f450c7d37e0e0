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

#include "kernels/core/dispatch.hpp"
#include "tests/support/word_vector_data.hpp"

namespace rowmill {
namespace {

constexpr std::int64_t kRows = 256;
constexpr std::int64_t kDim = 256;
constexpr std::int64_t kIds = 512;
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

template <class Id>
std::vector<Id> any_ids() {
  std::mt19937_64 random(2);
  std::vector<Id> ids(kIds);
  for (Id& id : ids) id = static_cast<Id>(random() % kRows);
  return ids;
}

void count(benchmark::State& state, std::int64_t items) { state.SetItemsProcessed(state.iterations() * items); }

template <class Args>
void repeat(benchmark::State& state, Kernel<Args>* kernel, const std::type_identity_t<Args>& args,
            std::int64_t items = kIds) {
  for (auto _ : state) {
    kernel(args);
    benchmark::ClobberMemory();
  }
  count(state, items);
}

// One workload for each type of kernel: run(state, kernel). A kernel of another type does not compile.

template <class Id>
void run(benchmark::State& state, FindBadId<Id>* kernel) {
  const std::vector<Id> ids = any_ids<Id>();
  for (auto _ : state) benchmark::DoNotOptimize(kernel({ids.data(), kIds, 0, kRows - 1}));
  count(state, kIds);
}

/// Bags of 16 ids, which all are kept.
template <class Id>
void run(benchmark::State& state, Kernel<KeepIdsArgs<Id>>* kernel) {
  const std::vector<Id> ids = any_ids<Id>();
  std::vector<std::int64_t> begin;
  for (std::int64_t i = 0; i <= kIds; i += 16) begin.push_back(i);
  std::vector<std::int64_t> rows(kIds);
  std::vector<std::int64_t> kept_begin(begin.size());
  const KeepIdsArgs<Id> args{ids.data(), nullptr, begin.data(), kIds / 16, -1, rows.data(), nullptr, kept_begin.data()};
  for (auto _ : state) kernel(args);
  count(state, kIds);
}

template <class Id>
void run(benchmark::State& state, Kernel<GatherArgs<Id>>* kernel) {
  const std::vector<Id> ids = any_ids<Id>();
  const std::vector<float> table = values(kRows);
  std::vector<float> out(kIds * kDim);
  repeat(state, kernel, {table.data(), kDim, ids.data(), kIds, out.data(), kDim, kDim, kPrefetch, false});
}

/// Rows of floats are larger than quantised ones.
void run(benchmark::State& state, Kernel<QuantizeArgs>* kernel) {
  const std::vector<float> in = values(kRows);
  std::vector<std::uint8_t> out(in.size() * sizeof(float));
  repeat(state, kernel, {in.data(), kDim, out.data(), kDim * std::int64_t{sizeof(float)}, kRows, kDim}, kRows);
}

void run(benchmark::State& state, Kernel<RowRangesArgs>* kernel) {
  const std::vector<float> in = values(kRows);
  std::vector<float> low(kRows);
  std::vector<float> high(kRows);
  repeat(state, kernel, {in.data(), kDim, kRows, kDim, low.data(), high.data()}, kRows);
}

/// Bags of 16 ids.
template <class Id>
void run(benchmark::State& state, Kernel<PoolArgs<Id>>* kernel) {
  constexpr std::int64_t kLength = 16;
  const std::vector<Id> ids = any_ids<Id>();
  const std::vector<float> table = values(kRows);
  std::vector<std::int64_t> begin;
  for (std::int64_t i = 0; i <= kIds; i += kLength) begin.push_back(i);
  std::vector<float> out(kIds / kLength * kDim);
  repeat(state, kernel,
         {table.data(), kDim, ids.data(), nullptr, begin.data(), kIds / kLength, nullptr, out.data(), kDim, kDim,
          kPrefetch});
}

/// What the gradients of bags of 16 ids need.
struct BagGradients {
  static constexpr std::int64_t kLength = 16;
  static constexpr std::int64_t kBags = kIds / kLength;
  std::vector<std::int64_t> ids = any_ids<std::int64_t>();
  std::vector<float> table = values(kRows);
  std::vector<std::int64_t> begin;
  std::vector<float> gradient = values(kBags);
  std::vector<std::int32_t> winners = std::vector<std::int32_t>(kBags * kDim);
  std::vector<float> out = std::vector<float>(kIds);

  BagGradients() {
    for (std::int64_t i = 0; i <= kIds; i += kLength) begin.push_back(i);
  }
};

void run(benchmark::State& state, Kernel<FindWinnersArgs>* kernel) {
  BagGradients b;
  repeat(state, kernel,
         {b.table.data(), kDim, b.ids.data(), nullptr, b.begin.data(), BagGradients::kBags, b.winners.data(), kDim,
          kPrefetch});
}

void run(benchmark::State& state, Kernel<PoolDotsArgs>* kernel) {
  BagGradients b;
  repeat(state, kernel,
         {b.table.data(), kDim, b.ids.data(), b.begin.data(), BagGradients::kBags, b.gradient.data(), kDim, nullptr,
          b.out.data(), kDim, kPrefetch});
}

/// Two contributions for each row, as segments of a plan.
struct Batch {
  std::vector<std::int64_t> rows = std::vector<std::int64_t>(kRows);
  std::vector<std::int64_t> begin = std::vector<std::int64_t>(kRows + 1);
  std::vector<std::int64_t> positions = std::vector<std::int64_t>(kIds);
  std::vector<float> gradient = values(kIds);
  std::vector<float> weights = values(kRows);
  std::vector<float> state1 = values(kRows);
  std::vector<float> state2 = values(kRows);
  std::vector<float> scratch = std::vector<float>(kUpdateScratchRows * kDim);
  GradientPass pass{gradient.data(), kDim, kIds};
  StorageArgs storage;  // of kernels of any format: bf16, stochastically rounded, with states of float

  Batch() {
    std::iota(rows.begin(), rows.end(), 0);
    std::iota(positions.begin(), positions.end(), 0);
    for (std::size_t s = 0; s < begin.size(); ++s) begin[s] = static_cast<std::int64_t>(2 * s);
    storage.weights = {.data = weights.data(), .stride = kDim, .format = Format::bf16};
    storage.states[0] = {.data = state1.data(), .stride = kDim};
    storage.states[1] = {.data = state2.data(), .stride = kDim};
    storage.rounding = Rounding::stochastic;
  }
  SegmentArgs segments() { return {rows.data(), begin.data(), positions.data(), kRows}; }
  GradientArgs gradients() { return {&pass, 1, {}, kDim, kSumBlock, true, nullptr}; }
  UpdateArgs update() {
    return {.segments = segments(),
            .gradients = gradients(),
            .prefetch = kPrefetch,
            .scratch = scratch.data(),
            .weights = weights.data(),
            .stride = kDim,
            .storage = &storage};
  }
};

void run(benchmark::State& state, Kernel<ScatterAddArgs>* kernel) {
  const std::vector<std::int64_t> ids = any_ids<std::int64_t>();
  std::vector<float> table = values(kRows);
  const std::vector<float> added = values(kIds);
  repeat(state, kernel, {table.data(), kDim, ids.data(), kIds, added.data(), kDim, kDim, kPrefetch});
}

void run(benchmark::State& state, Kernel<ScatterAddSegmentsArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.segments(), b.gradients(), kPrefetch, b.weights.data(), kDim});
}

/// Every row is over the norm, but after the first time only just.
void run(benchmark::State& state, Kernel<RenormalizeArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.weights.data(), kDim, b.rows.data(), kRows, kDim, 1e-3F, NormType::two, kPrefetch}, kRows);
}

void run(benchmark::State& state, Kernel<SumBlockArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.positions.data(), kIds, b.gradients(), kPrefetch, b.scratch.data()});
}

void run(benchmark::State& state, Kernel<SumSegmentsArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.segments(), b.gradients(), kPrefetch, b.weights.data(), kDim}, kRows);
}

void run(benchmark::State& state, Kernel<GuardRowsArgs>* kernel) {
  Batch b;
  bool finite = true;
  repeat(state, kernel, {b.weights.data(), kDim, nullptr, 0, kRows, kDim, nullptr, 1, 1e9F, b.state2.data(), &finite},
         kRows);
}

void run(benchmark::State& state, Kernel<ScaleRowsArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.weights.data(), kDim, nullptr, 0, kRows, kDim, 1}, kRows);
}

void run(benchmark::State& state, Kernel<MeanSquaresArgs>* kernel) {
  Batch b;
  std::vector<float> out(kIds);
  repeat(state, kernel, {b.gradients(), 0, kIds, out.data()});
}

void run(benchmark::State& state, Kernel<SgdArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.update(), nullptr, 1e-3F, 0, false});
}

void run(benchmark::State& state, Kernel<AdagradArgs>* kernel) {
  Batch b;
  repeat(state, kernel, {b.update(), b.state1.data(), 1e-3F, 1e-10F});
}

void run(benchmark::State& state, Kernel<AdamArgs>* kernel) {
  Batch b;
  const AdamScalars scalars{0.9F, 0.1F, 0.999F, 0.001F, 1e-3F, 1.0F, 1e-8F};
  repeat(state, kernel, {b.update(), b.state1.data(), b.state2.data(), scalars});
}

void run(benchmark::State& state, Kernel<FillUniformArgs>* kernel) {
  std::vector<float> table = values(kRows);
  repeat(state, kernel, {table.data(), kDim, 0, kRows, kDim, {1, 2}, 0, -1, 2, 0.99F}, kRows);
}

void run(benchmark::State& state, Kernel<PhiloxArgs>* kernel) {
  std::vector<std::uint32_t> words(kIds);
  repeat(state, kernel, {{0, 0, 0, 0}, {1, 2}, kIds / 4, words.data()});
}

/// Kernels of word vectors: a tile of 256 positions, or a group of 16 with 8 samples.
template <class Args>
void run(benchmark::State& state, Kernel<Args>* kernel) {
  test::WordVectorData data(kDim, kRows, 8, 3);
  Args args;
  data.make(args);
  constexpr bool kTile = requires { args.count; };
  repeat(state, kernel, args, kTile ? kRows : kGroup);
}

void register_kernels(const KernelTable* table) {
  const std::string isa = table->isa;
#define ROWMILL_BENCH_KERNEL(name, type) \
  benchmark::RegisterBenchmark((#name "/" + isa).c_str(), [table](auto& state) { run(state, table->name); });
  ROWMILL_KERNEL_LIST(ROWMILL_BENCH_KERNEL)
#undef ROWMILL_BENCH_KERNEL
}

}  // namespace
}  // namespace rowmill

int main(int argc, char** argv) {
  for (const rowmill::KernelTable* table : rowmill::supported_kernels()) rowmill::register_kernels(table);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
