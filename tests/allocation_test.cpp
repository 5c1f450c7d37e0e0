// SPDX-License-Identifier: Apache-2.0
// Steady state allocates nothing of ours. The count is of operator new, which all of the library's scratch memory comes
// from, except where oneTBB's own code calls it: it does now and then, whenever it starts or retires a thread.
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "rowmill/c.h"
#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace {
std::atomic<long> allocations{0};
std::atomic<std::size_t> allocated_bytes{0};

bool in_onetbb(const void* code) {
  Dl_info info;
  return dladdr(code, &info) != 0 && info.dli_fname != nullptr && std::strstr(info.dli_fname, "libtbb") != nullptr;
}

void* counted(std::size_t size, std::size_t alignment, const void* caller) {
  if (!in_onetbb(caller)) {
    ++allocations;
    allocated_bytes += size;
  }
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (void* const p = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded)) return p;
  throw std::bad_alloc();
}
}  // namespace

// Not inlined: the return address is then the caller's, and GCC does not take free() for the wrong way to delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return counted(size, alignof(std::max_align_t), __builtin_return_address(0));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace rowmill::test {
namespace {

class AllocationTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(AllocationTest);

TEST_P(AllocationTest, SteadyStateAllocatesNothing) {
  run([] {
    for (const std::int64_t count : {200, 6000}) {
      const std::vector<std::vector<std::int64_t>> batches = {
          id_cases(500, count, 50)[4].ids, id_cases(500, count, 51)[5].ids, id_cases(500, count, 52)[3].ids};
      const GuardedTable values = GuardedTable(count, 64).fill(53);
      Table out(count, 64);
      Table pooled(count, 64);
      const std::vector<std::int64_t> one_bag = {0, count};
      std::vector<float> of_weights(static_cast<std::size_t>(count));
      const std::vector<float> one_weight_each(static_cast<std::size_t>(count), 0.5F);
      std::vector<std::int32_t> winners(64);
      Embedding layer({.rows = 500, .dim = 64, .optimizer = AdamOptions{}});
      Table table(500, 64);
      Table quantized(500, 64, {.format = Format::int4});
      Workspace workspace;
      const auto all = [&](const std::vector<std::int64_t>& ids) {
        layer.forward(ids, out);
        layer.backward(ids, values.view());
        layer.step();
        scatter_add(table, ids, values.view(), {}, &workspace);
        renormalize(table, ids, {.max_norm = 0.1}, {}, &workspace);
        convert(table, quantized, &workspace);
        gather(quantized, ids, out);
        for (const Pooling pooling : {Pooling::sum, Pooling::max}) {
          // One bag of all ids, which the workspace holds where they are many, and bags of one.
          const PoolOptions options{.pooling = pooling, .out_of_range = OutOfRange::skip};
          const Bags bags = Bags(ids, one_bag).with_padding(7);
          pool(table, bags, TableView(pooled.data(), 1, 64), options, &workspace);
          pool_weight_gradients(table, bags, TableView(pooled.data(), 1, 64), of_weights, options, &workspace);
          pool(table, Bags(ids, count, 1).with_padding(7), pooled, options, &workspace);
          pool(quantized, bags.with_weights(one_weight_each), TableView(pooled.data(), 1, 64), options, &workspace);
          pool(quantized, Bags(ids, count, 1), pooled, options, &workspace);
          if (pooling == Pooling::max) find_winners(table, bags, winners, options, &workspace);
        }
      };
      all(batches[0]);
      const long before = allocations.load();
      for (int round = 0; round < 2; ++round) {
        for (const auto& ids : batches) all(ids);
      }
      EXPECT_EQ(allocations.load(), before) << count << " ids";
    }
  });
}

/// Numbers in [-1, 1).
Table numbers(std::int64_t rows, Format format) {
  return {rows, 64, {.initializer = Initializer::uniform(-1, 1), .format = format}};
}

TEST_P(AllocationTest, SteadyStateOfEveryFormatAllocatesNothing) {
  run([] {
    constexpr std::int64_t kIds = 6000;
    constexpr std::int64_t kBags = kIds / 5;
    const std::vector<std::int64_t> batches[] = {id_cases(500, kIds, 60)[4].ids, id_cases(500, kIds, 61)[5].ids};
    const std::pair<Format, StorageOptions> kinds[] = {
        {Format::bf16, {.rounding = Rounding::stochastic}},
        {Format::bf16, {.split = true, .state_format = Format::bf16}},
        {Format::f16, {.overflow = Overflow::error}},
        {Format::f64, {.state_format = Format::f64}},
    };
    for (const auto& [format, storage] : kinds) {
      const PoolOptions mean{.pooling = Pooling::mean};
      const PlanOptions plan_mean{.double_coefficients = format == Format::f64, .pooling = Pooling::mean};
      const Table values = numbers(kIds, format);
      const Table of_bags = numbers(kBags, format);
      const Table floats_of_bags = numbers(kBags, format == Format::f64 ? format : Format::f32);
      Table table = numbers(500, format);
      Table out(kIds, 64, {.format = format});
      Table pooled(kBags, 64, {.format = format});
      std::vector<float> of_weights(kIds);
      Optimizer adam(AdamOptions{}, 500, 64, storage, "words");
      Embedding layer({.rows = 500, .dim = 64, .name = "words", .format = format, .storage = storage});
      Plan plan;
      SparseGradient sparse;
      Workspace workspace;
      const auto all = [&](const std::vector<std::int64_t>& ids) {
        const Bags bags(ids, kBags, 5);
        gather(table, ids, out);
        pool(table, bags, pooled, mean, &workspace);
        pool_weight_gradients(table, bags, floats_of_bags, of_weights, mean, &workspace);
        scatter_add(table, ids, values, {}, &workspace);
        renormalize(table, ids, {.max_norm = 0.5}, {}, &workspace);
        plan.build(ids, 500);
        adam.step(table, plan, values, &workspace);
        plan.build(bags, 500, plan_mean);
        adam.step(table, plan, of_bags, {.clip_global_norm = 1}, &workspace);
        sparse.build(plan, of_bags);
        layer.forward(ids, out);
        layer.backward(ids, values);
        layer.step();
      };
      for (const auto& ids : batches) all(ids);
      const long before = allocations.load();
      for (int round = 0; round < 3; ++round) {
        for (const auto& ids : batches) all(ids);
      }
      EXPECT_EQ(allocations.load(), before) << format_name(format) << ", split " << storage.split;
    }
  });
}

TEST_P(AllocationTest, SteadyStateOfIntegersAllocatesNothing) {
  run([] {
    constexpr std::int64_t kIds = 6000;
    const std::vector<std::int64_t> ids = id_cases(500, kIds, 62)[5].ids;
    const Table values(kIds, 64, {.initializer = Initializer::constant(3), .format = Format::i32});
    Table table(500, 64, {.format = Format::i32});
    Table out(kIds, 64, {.format = Format::i32});
    Workspace workspace;
    const auto all = [&] {
      scatter_add(table, ids, values, {}, &workspace);
      gather(table, ids, out);
      for (const Pooling pooling : {Pooling::sum, Pooling::max}) {
        pool(table, Bags(ids, kIds, 1), out, {.pooling = pooling}, &workspace);
      }
    };
    all();
    const long before = allocations.load();
    for (int round = 0; round < 3; ++round) all();
    EXPECT_EQ(allocations.load(), before);
  });
}

TEST_P(AllocationTest, SteadyStateOfLayersAllocatesNothing) {
  run([] {
    constexpr std::int64_t kIds = 6000;
    constexpr std::int64_t kLength = 5;
    const GuardedTable gradient = GuardedTable(kIds / kLength, 64).fill(54);
    Table out(kIds / kLength, 64);
    std::vector<float> weights(kIds, 0.5F);
    std::vector<float> weight_gradients(kIds);
    const std::vector<std::int64_t> ids = id_cases(500, kIds, 55).back().ids;
    const std::vector<std::int64_t> fewer = id_cases(500, kIds / 2, 56)[4].ids;
    for (const Pooling pooling : {Pooling::mean, Pooling::max}) {
      EmbeddingBag layer({.rows = 500,
                          .dim = 64,
                          .pooling = pooling,
                          .out_of_range = OutOfRange::zero,
                          .padding_id = 3,
                          .max_norm = MaxNorm{.max_norm = 0.5},
                          .gradient = {.scale_grad_by_freq = true, .clip_global_norm = 2.0}});
      const auto train = [&](std::int64_t passes, std::span<const std::int64_t> of) {
        const auto count = static_cast<std::int64_t>(of.size()) / kLength;
        const Bags bags = Bags(of, count, kLength).with_weights(std::span(weights).first(of.size()));
        const ConstTableView g(gradient.view().data(), count, 64, gradient.view().row_stride());
        for (std::int64_t pass = 0; pass < passes; ++pass) {
          layer.forward(bags, TableView(out.data(), count, 64));
          layer.backward(bags, g, std::span(weight_gradients).first(of.size()));
        }
        layer.step();
      };
      train(2, ids);
      const long before = allocations.load();
      train(2, fewer);
      train(1, ids);
      train(2, ids);
      EXPECT_EQ(allocations.load(), before) << "pooling " << static_cast<int>(pooling);
    }
  });
}

TEST_P(AllocationTest, TrainingOfWordVectorsAllocatesNothing) {
  run([] {
    const std::vector<std::int64_t> counts(500, 40);
    const std::vector<std::int32_t> words = narrow(id_cases(500, 5000, 58).back().ids);
    for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
      WordVectorTrainer trainer(counts, {.model = model, .dim = 32, .epochs = 3, .batch = 1024});
      trainer.train(words);  // which starts the threads
      const long before = allocations.load();
      trainer.train(words);
      trainer.end_epoch();
      trainer.train(words);
      EXPECT_EQ(allocations.load(), before);
    }
  });
}

TEST_P(AllocationTest, SteadyStateOfTheCInterfaceAllocatesNothing) {
  run([] {
    constexpr std::int64_t kCount = 20000;
    const std::vector<std::int64_t> rows = id_cases(500, kCount, 56).back().ids;
    GuardedTable values = GuardedTable(kCount, 64).fill(57);
    const rowmill_ids ids = rowmill_make_ids(rows.data(), kCount, ROWMILL_INT64);
    const rowmill_view gradients = {values.view().data(), kCount, 64, values.view().row_stride(), nullptr, 0};
    const rowmill_bags bags = rowmill_make_batch(ids, kCount / 10, 10);
    const rowmill_view pooled = {values.view().data(), kCount / 10, 64, values.view().row_stride(), nullptr, 0};
    rowmill_pool_options clip = {};
    ASSERT_EQ(rowmill_pool_options_init(&clip, sizeof clip), ROWMILL_OK);
    clip.out_of_range = ROWMILL_RANGE_CLIP;  // needs the workspace
    rowmill_table* table = nullptr;
    rowmill_optimizer* adam = nullptr;
    rowmill_plan* plan = nullptr;
    rowmill_workspace* workspace = nullptr;
    ASSERT_EQ(rowmill_table_create(500, 64, nullptr, &table), ROWMILL_OK);
    ASSERT_EQ(rowmill_adam_create(500, 64, nullptr, nullptr, &adam), ROWMILL_OK);
    ASSERT_EQ(rowmill_plan_create(&plan), ROWMILL_OK);
    ASSERT_EQ(rowmill_workspace_create(&workspace), ROWMILL_OK);
    rowmill_view weights = {};
    ASSERT_EQ(rowmill_table_view(table, &weights), ROWMILL_OK);
    for (const std::int32_t threads : {0, 1, 2}) {
      ASSERT_EQ(rowmill_set_threads(threads), ROWMILL_OK);
      long before = 0;
      for (int round = 0; round < 5; ++round) {
        if (round == 1) before = allocations.load();
        ASSERT_EQ(rowmill_plan_build(plan, &ids, 500, ROWMILL_RANGE_ERROR, nullptr), ROWMILL_OK);
        ASSERT_EQ(rowmill_optimizer_step(adam, &weights, plan, &gradients, 1, workspace), ROWMILL_OK);
        ASSERT_EQ(rowmill_scatter_add(&weights, &ids, &gradients, nullptr, workspace), ROWMILL_OK);
        ASSERT_EQ(rowmill_gather(&weights, &ids, &gradients, nullptr), ROWMILL_OK);
        ASSERT_EQ(rowmill_pool(&weights, &bags, &pooled, &clip, workspace), ROWMILL_OK);
        ASSERT_EQ(rowmill_plan_build_bags(plan, &bags, 500, ROWMILL_RANGE_ERROR, nullptr), ROWMILL_OK);
        ASSERT_EQ(rowmill_optimizer_step(adam, &weights, plan, &pooled, 1, workspace), ROWMILL_OK);
      }
      EXPECT_EQ(allocations.load(), before) << threads << " threads";
    }
    rowmill_set_threads(0);
    rowmill_workspace_destroy(workspace);
    rowmill_plan_destroy(plan);
    rowmill_optimizer_destroy(adam);
    rowmill_table_destroy(table);
  });
}

TEST_P(AllocationTest, ReservedMemoryIsEnoughForTheFirstCall) {
  run([] {
    const std::vector<std::int64_t> ids = id_cases(500, 20000, 54).back().ids;
    const GuardedTable values = GuardedTable(20000, 64).fill(55);
    Table table(500, 64);
    Optimizer adagrad(AdagradOptions{}, 500, 64);
    Workspace workspace(std::max(
        {scatter_add_memory_required(20000), adagrad.memory_required(20000), renormalize_memory_required(20000)}));
    Plan plan;
    plan.reserve(20000);
    const long before = allocations.load();
    scatter_add(table, ids, values.view(), {}, &workspace);
    plan.build(ids, 500);
    adagrad.step(table, plan, values.view(), &workspace);
    renormalize(table, ids, {.max_norm = 0.1}, {}, &workspace);
    EXPECT_EQ(allocations.load(), before);
  });
}

// Every pooling, with options: plans, steps and sums of gradients.
TEST_P(AllocationTest, ReservedMemoryIsEnoughForEveryPooling) {
  run([] {
    constexpr std::int64_t kCount = 20000;
    const std::vector<std::int64_t> ids = id_cases(500, kCount, 54).back().ids;
    const std::vector<float> weights(kCount, 0.5F);
    const std::vector<std::int32_t> winners(kCount / 4 * 64, 1);
    const GuardedTable gradient = GuardedTable(kCount / 4, 64).fill(55);
    const ConstTableView view = gradient.view();
    Table table(500, 64);
    Table values(500, 64);
    std::vector<std::int64_t> rows(500);
    for (const Pooling pooling : {Pooling::sum, Pooling::mean, Pooling::sqrtn, Pooling::max}) {
      for (const bool weighted : {false, true}) {
        Bags bags(ids, kCount / 4, 4);
        if (weighted) bags = bags.with_weights(weights);
        const PlanOptions options{.pooling = pooling,
                                  .winners = pooling == Pooling::max ? winners : std::span<const std::int32_t>()};
        const GradientOptions clip{.scale_grad_by_freq = true, .clip_global_norm = 1};
        Optimizer adagrad(AdagradOptions{}, 500, 64);
        Plan plan;
        plan.reserve(kCount, options, weighted);
        Workspace workspace(
            std::max(adagrad.memory_required(kCount, 1, clip, pooling), sum_gradients_memory_required(kCount, 64)));
        SparseGradient sparse;
        plan.build(bags, 500, options);
        sparse.build(plan, view);
        const auto unique = static_cast<std::size_t>(plan.unique_count());
        const long before = allocations.load();
        plan.build(bags, 500, options);
        adagrad.step(table, plan, view, &workspace);
        adagrad.step(table, plan, view, clip, &workspace);
        sum_gradients(plan, std::span(&view, 1), std::span(rows).first(unique),
                      {values.view().data(), plan.unique_count(), 64, values.view().row_stride()}, clip, &workspace);
        dense_gradient(plan, std::span(&view, 1), values, clip, &workspace);
        sparse.build(plan, view, clip);
        scatter_add(table, plan, view);
        EXPECT_EQ(allocations.load(), before) << static_cast<int>(pooling) << ", " << weighted;
      }
    }
  });
}

/// The bytes that a layer allocates while it records `passes` of `count` ids.
template <class Layer, class IdsOrBags>
std::size_t bytes_to_record(Layer layer, std::int64_t passes, const IdsOrBags& ids, const ConstTableView& gradient) {
  const std::size_t before = allocated_bytes;
  for (std::int64_t pass = 0; pass < passes; ++pass) layer.backward(ids, gradient);
  return allocated_bytes - before;
}

// Were everything copied at each pass, ten times the passes would take a hundred times the bytes.
TEST(AllocationOfPasses, FollowsTheirNumber) {
  constexpr std::int64_t kCount = 50;
  const std::vector<std::int64_t> ids = id_cases(500, kCount, 58).back().ids;
  const GuardedTable gradient = GuardedTable(kCount, 16).fill(59);
  const auto passes_cost = [&](std::int64_t passes) {
    return bytes_to_record(Embedding({.rows = 500, .dim = 16}), passes, ids, gradient.view());
  };
  EXPECT_LE(passes_cost(1000), 16 * passes_cost(100));
  for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
    const auto bags_cost = [&](std::int64_t passes) {
      return bytes_to_record(EmbeddingBag({.rows = 500, .dim = 16, .pooling = pooling}), passes, Bags(ids, kCount, 1),
                             gradient.view());
    };
    EXPECT_LE(bags_cost(1000), 16 * bags_cost(100));
  }
}

}  // namespace
}  // namespace rowmill::test
