// SPDX-License-Identifier: Apache-2.0
// Every leaf kernel of every instruction set of this machine, on one thread and in cache: what the vector code is
// worth. The benchmarks come from the kernel list: a kernel without a workload below does not compile. rowmill_bench
// measures whole operations.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/core/dispatch.hpp"
#include "rowmill/format.hpp"

namespace rowmill {
namespace {

constexpr std::int64_t kRows = 256;
constexpr std::int64_t kDim = 256;
constexpr std::int64_t kIds = 512;
constexpr CacheLevel kLevel = CacheLevel::first;

/// Rows of float or Bf16.
template <class T = float>
std::vector<T> values(std::int64_t rows) {
  std::mt19937_64 random(1);
  std::vector<T> v(static_cast<std::size_t>(rows * kDim));
  for (T& x : v) x = static_cast<T>(static_cast<float>(random() >> 40) * 0x1p-24F);
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

template <class Id>
void run_find_bad_id(benchmark::State& state, FindBadId<Id>* kernel) {
  const std::vector<Id> ids = any_ids<Id>();
  for (auto _ : state) benchmark::DoNotOptimize(kernel({ids.data(), kIds, 0, kRows - 1}));
  count(state, kIds);
}

template <class In, class Out, class Id>
void run_gather(benchmark::State& state, Kernel<GatherArgs<Id>>* kernel) {
  const std::vector<Id> ids = any_ids<Id>();
  const std::vector<In> table = values<In>(kRows);
  std::vector<Out> out(kIds * kDim);
  for (auto _ : state) {
    kernel({table.data(), kDim, ids.data(), kIds, out.data(), kDim, kDim, kLevel, false});
    benchmark::ClobberMemory();
  }
  count(state, kIds);
}

/// Bags of 16 ids.
template <class In, class Out, class Id>
void run_pool(benchmark::State& state, Kernel<PoolArgs<Id>>* kernel) {
  constexpr std::int64_t kLength = 16;
  const std::vector<Id> ids = any_ids<Id>();
  const std::vector<In> table = values<In>(kRows);
  std::vector<std::int64_t> begin;
  for (std::int64_t i = 0; i <= kIds; i += kLength) begin.push_back(i);
  std::vector<Out> out(kIds / kLength * kDim);
  for (auto _ : state) {
    kernel({table.data(), kDim, ids.data(), begin.data(), kIds / kLength, out.data(), kDim, kDim, kLevel, true, false});
    benchmark::ClobberMemory();
  }
  count(state, kIds);
}

/// Two contributions for each row, as segments of a plan.
struct Batch {
  std::vector<std::int64_t> rows = std::vector<std::int64_t>(kRows);
  std::vector<std::int64_t> begin = std::vector<std::int64_t>(kRows + 1);
  std::vector<std::int64_t> positions = std::vector<std::int64_t>(kIds);
  std::vector<float> gradient = values(kIds);
  std::vector<float> weights = values(kRows);
  std::vector<Bf16> bf16_weights = values<Bf16>(kRows);
  std::vector<float> state1 = values(kRows);
  std::vector<float> state2 = values(kRows);
  std::vector<float> scratch = std::vector<float>(2 * kDim);
  GradientPass pass{gradient.data(), kDim, kIds};

  Batch() {
    std::iota(rows.begin(), rows.end(), 0);
    std::iota(positions.begin(), positions.end(), 0);
    for (std::size_t s = 0; s < begin.size(); ++s) begin[s] = static_cast<std::int64_t>(2 * s);
  }
  SegmentArgs segments() {
    return {rows.data(), begin.data(), positions.data(), kRows, kSumBlock,      &pass,
            1,           kDim,         kLevel,           false, scratch.data(), nullptr};
  }
  /// T: the weights' storage type.
  template <class T>
  UpdateArgs update() {
    void* const data = std::is_same_v<T, Bf16> ? static_cast<void*>(bf16_weights.data()) : weights.data();
    return {segments(), data, kDim, WeightDecay::none, 0};
  }
};

template <class Args, class Make>
void run_segments(benchmark::State& state, Kernel<Args>* kernel, Make make) {
  Batch batch;
  const Args args = make(batch);
  for (auto _ : state) {
    kernel(args);
    benchmark::ClobberMemory();
  }
  count(state, kIds);
}

// One workload for each row of the kernel list, by its name.
namespace workload {

void find_bad_id_i32(benchmark::State& s, FindBadId<std::int32_t>* k) { run_find_bad_id(s, k); }
void find_bad_id_i64(benchmark::State& s, FindBadId<std::int64_t>* k) { run_find_bad_id(s, k); }
void gather_f32_i32(benchmark::State& s, Kernel<GatherArgs<std::int32_t>>* k) { run_gather<float, float>(s, k); }
void gather_f32_i64(benchmark::State& s, Kernel<GatherArgs<std::int64_t>>* k) { run_gather<float, float>(s, k); }
void gather_bf16_i32(benchmark::State& s, Kernel<GatherArgs<std::int32_t>>* k) { run_gather<Bf16, Bf16>(s, k); }
void gather_bf16_i64(benchmark::State& s, Kernel<GatherArgs<std::int64_t>>* k) { run_gather<Bf16, Bf16>(s, k); }
void gather_bf16_to_f32_i32(benchmark::State& s, Kernel<GatherArgs<std::int32_t>>* k) { run_gather<Bf16, float>(s, k); }
void gather_bf16_to_f32_i64(benchmark::State& s, Kernel<GatherArgs<std::int64_t>>* k) { run_gather<Bf16, float>(s, k); }
void gather_f32_to_bf16_i32(benchmark::State& s, Kernel<GatherArgs<std::int32_t>>* k) { run_gather<float, Bf16>(s, k); }
void gather_f32_to_bf16_i64(benchmark::State& s, Kernel<GatherArgs<std::int64_t>>* k) { run_gather<float, Bf16>(s, k); }
void pool_f32_i32(benchmark::State& s, Kernel<PoolArgs<std::int32_t>>* k) { run_pool<float, float>(s, k); }
void pool_f32_i64(benchmark::State& s, Kernel<PoolArgs<std::int64_t>>* k) { run_pool<float, float>(s, k); }
void pool_bf16_i32(benchmark::State& s, Kernel<PoolArgs<std::int32_t>>* k) { run_pool<Bf16, Bf16>(s, k); }
void pool_bf16_i64(benchmark::State& s, Kernel<PoolArgs<std::int64_t>>* k) { run_pool<Bf16, Bf16>(s, k); }
void pool_bf16_to_f32_i32(benchmark::State& s, Kernel<PoolArgs<std::int32_t>>* k) { run_pool<Bf16, float>(s, k); }
void pool_bf16_to_f32_i64(benchmark::State& s, Kernel<PoolArgs<std::int64_t>>* k) { run_pool<Bf16, float>(s, k); }

void divide_rows_f32(benchmark::State& state, Kernel<DivideRowsArgs>* kernel) {
  const std::vector<float> in = values(kRows);
  std::vector<float> out(in.size());
  const std::vector<std::int64_t> divisors(kRows, 3);
  for (auto _ : state) {
    kernel({in.data(), kDim, divisors.data(), kRows, out.data(), kDim, kDim});
    benchmark::ClobberMemory();
  }
  count(state, kRows);
}

template <class T>
void run_scatter_add(benchmark::State& state, Kernel<ScatterAddArgs>* kernel) {
  const std::vector<std::int64_t> ids = any_ids<std::int64_t>();
  std::vector<T> table = values<T>(kRows);
  const std::vector<float> added = values(kIds);
  for (auto _ : state) {
    kernel({table.data(), kDim, ids.data(), kIds, added.data(), kDim, kDim, kLevel});
    benchmark::ClobberMemory();
  }
  count(state, kIds);
}

void scatter_add_f32(benchmark::State& s, Kernel<ScatterAddArgs>* k) { run_scatter_add<float>(s, k); }
void scatter_add_bf16(benchmark::State& s, Kernel<ScatterAddArgs>* k) { run_scatter_add<Bf16>(s, k); }

void scatter_add_segments_f32(benchmark::State& state, Kernel<ScatterAddSegmentsArgs>* kernel) {
  run_segments(state, kernel, [](Batch& b) { return ScatterAddSegmentsArgs{b.segments(), b.weights.data(), kDim}; });
}
void scatter_add_segments_bf16(benchmark::State& state, Kernel<ScatterAddSegmentsArgs>* kernel) {
  run_segments(state, kernel, [](Batch& b) {
    return ScatterAddSegmentsArgs{b.segments(), b.bf16_weights.data(), kDim};
  });
}

void sum_block_f32(benchmark::State& state, Kernel<SumBlockArgs>* kernel) {
  Batch batch;
  for (auto _ : state) {
    kernel({batch.positions.data(), kIds, &batch.pass, 1, kDim, kLevel, batch.scratch.data()});
    benchmark::ClobberMemory();
  }
  count(state, kIds);
}

void mean_squares_f32(benchmark::State& state, Kernel<MeanSquaresArgs>* kernel) {
  Batch batch;
  std::vector<float> out(kIds);
  for (auto _ : state) {
    kernel({&batch.pass, 1, 0, kIds, kDim, out.data()});
    benchmark::ClobberMemory();
  }
  count(state, kIds);
}

template <class T>
SgdArgs sgd_args(Batch& b) {
  return {b.update<T>(), nullptr, 1e-3F, 0, false};
}
template <class T>
AdagradArgs adagrad_args(Batch& b) {
  return {b.update<T>(), b.state1.data(), 1e-3F, 1e-10F};
}
template <class T>
AdamArgs adam_args(Batch& b) {
  const AdamScalars scalars{0.9F, 0.1F, 0.999F, 0.001F, 1e-3F, 1.0F, 1e-8F};
  return {b.update<T>(), b.state1.data(), b.state2.data(), scalars};
}
void sgd_f32(benchmark::State& s, Kernel<SgdArgs>* k) { run_segments(s, k, sgd_args<float>); }
void sgd_bf16(benchmark::State& s, Kernel<SgdArgs>* k) { run_segments(s, k, sgd_args<Bf16>); }
void adagrad_f32(benchmark::State& s, Kernel<AdagradArgs>* k) { run_segments(s, k, adagrad_args<float>); }
void adagrad_bf16(benchmark::State& s, Kernel<AdagradArgs>* k) { run_segments(s, k, adagrad_args<Bf16>); }
void row_wise_adagrad_f32(benchmark::State& s, Kernel<AdagradArgs>* k) { run_segments(s, k, adagrad_args<float>); }
void row_wise_adagrad_bf16(benchmark::State& s, Kernel<AdagradArgs>* k) { run_segments(s, k, adagrad_args<Bf16>); }
void adam_f32(benchmark::State& s, Kernel<AdamArgs>* k) { run_segments(s, k, adam_args<float>); }
void adam_bf16(benchmark::State& s, Kernel<AdamArgs>* k) { run_segments(s, k, adam_args<Bf16>); }
void partial_row_wise_adam_f32(benchmark::State& s, Kernel<AdamArgs>* k) { run_segments(s, k, adam_args<float>); }
void partial_row_wise_adam_bf16(benchmark::State& s, Kernel<AdamArgs>* k) { run_segments(s, k, adam_args<Bf16>); }

void fill_uniform_f32(benchmark::State& state, Kernel<FillUniformArgs>* kernel) {
  std::vector<float> table = values(kRows);
  for (auto _ : state) {
    kernel({table.data(), kDim, 0, kRows, kDim, {1, 2}, 0, -1, 2, 0.99F});
    benchmark::ClobberMemory();
  }
  count(state, kRows);
}

}  // namespace workload

void register_kernels(const KernelTable* table) {
  const std::string isa = table->isa;
#define ROWMILL_BENCH_KERNEL(name, type) \
  benchmark::RegisterBenchmark((#name "/" + isa).c_str(), [table](auto& state) { workload::name(state, table->name); });
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
