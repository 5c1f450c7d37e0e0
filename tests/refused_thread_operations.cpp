// SPDX-License-Identifier: Apache-2.0
#include "tests/refused_thread_operations.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "rowmill/c.h"
#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kRows = 500;
constexpr std::int64_t kDim = 64;
constexpr std::int64_t kIds = 6500;  // enough for grouping by all threads
constexpr std::int64_t kLength = 5;
constexpr std::int64_t kBags = kIds / kLength;

struct Data {
  std::vector<std::int64_t> ids = id_cases(kRows, kIds, 70).back().ids;
  GuardedTable table = GuardedTable(kRows, kDim).fill(71);
  GuardedTable values = GuardedTable(kIds, kDim).fill(72);
  GuardedTable pooled = GuardedTable(kBags, kDim).fill(73);
  std::vector<std::int64_t> many_ids = std::vector<std::int64_t>(100'000, 1);
};

const Data& data() {
  static const Data made;
  return made;
}

std::uint64_t hash(const ConstTableView& view) {
  std::uint64_t sum = 0xCBF29CE484222325U;
  for (std::int64_t r = 0; r < view.rows(); ++r) {
    for (const float x : view.row(r)) sum = (sum ^ std::bit_cast<std::uint32_t>(x)) * 0x100000001B3U;
  }
  return sum;
}

/// Two steps of an optimizer, over ids and over bags.
std::uint64_t optimize(const OptimizerOptions& options) {
  GuardedTable weights = data().table;
  Optimizer optimizer(options, kRows, kDim);
  optimizer.step(weights.view(), Plan(data().ids, kRows), data().values.view());
  optimizer.step(weights.view(), Plan(Bags(data().ids, kBags, kLength), kRows), data().pooled.view());
  std::uint64_t sum = hash(weights.view()) + static_cast<std::uint64_t>(optimizer.step_count());
  for (const TableView& state : optimizer.state()) sum = sum * 31 + hash(state);
  return sum;
}

/// The same for a table of any format, in bytes.
std::uint64_t hash_bytes(const Table& table) {
  const auto* const bytes = static_cast<const unsigned char*>(table.bytes());
  const std::int64_t size = table.rows() * row_elements(table.format(), table.dim()) * element_size(table.format());
  std::uint64_t sum = 0xCBF29CE484222325U;
  for (std::int64_t i = 0; i < size; ++i) sum = (sum ^ bytes[i]) * 0x100000001B3U;
  return sum;
}

/// Lookups, updates and steps of a table of another format.
std::uint64_t use_table(Format format, const StorageOptions& storage) {
  const auto make = [&](std::int64_t rows) {
    return Table(rows, kDim, {.initializer = Initializer::uniform(-1, 1), .format = format});
  };
  Table table = make(kRows);
  Table values = make(kIds);
  const Bags bags(data().ids, kBags, kLength);
  const Table of_bags = make(kBags);
  scatter_add(table, data().ids, values);
  renormalize(table, data().ids, {.max_norm = 0.1});
  Optimizer adagrad(AdagradOptions{}, kRows, kDim, storage, "words");
  adagrad.step(table, Plan(data().ids, kRows), values);
  const bool doubles = format == Format::f64;
  adagrad.step(table, Plan(bags, kRows, {.double_coefficients = doubles, .pooling = Pooling::mean}), of_bags);
  gather(table, data().ids, values);
  Table pooled = make(kBags);
  pool(table, bags, pooled, {.pooling = Pooling::mean});
  return hash_bytes(table) + 31 * hash_bytes(values) + 37 * hash_bytes(pooled);
}

rowmill_view c_view(const ConstTableView& v) {
  return {const_cast<float*>(v.data()), v.rows(), v.dim(), v.row_stride(), nullptr, ROWMILL_FLOAT32};
}

void must(rowmill_status status) {
  if (status != ROWMILL_OK) throw Error(ErrorCode::invalid_argument, rowmill_last_error_message());
}

std::uint64_t c_layers(const rowmill_ids& ids, const rowmill_bags& bags, const rowmill_view& values,
                       const rowmill_view& pooled) {
  rowmill_embedding* layer = nullptr;
  rowmill_embedding_bag* bag_layer = nullptr;
  rowmill_view table = {};
  must(rowmill_embedding_create(kRows, kDim, nullptr, &layer));
  must(rowmill_embedding_backward(layer, &ids, &values));
  must(rowmill_embedding_step(layer));
  must(rowmill_embedding_table_view(layer, &table));
  std::uint64_t sum = hash(ConstTableView(static_cast<const float*>(table.data), kRows, kDim));
  must(rowmill_embedding_bag_create(kRows, kDim, nullptr, &bag_layer));
  must(rowmill_embedding_bag_backward(bag_layer, &bags, &pooled));
  must(rowmill_embedding_bag_step(bag_layer));
  must(rowmill_embedding_bag_table_view(bag_layer, &table));
  sum = sum * 31 + hash(ConstTableView(static_cast<const float*>(table.data), kRows, kDim));
  rowmill_embedding_destroy(layer);
  rowmill_embedding_bag_destroy(bag_layer);
  return sum;
}

}  // namespace

const std::vector<std::pair<std::string, std::function<std::uint64_t()>>>& operations() {
  static const auto c_ids = [] { return rowmill_make_ids(data().ids.data(), kIds, ROWMILL_INT64); };
  static const auto c_bags = [] { return rowmill_make_batch(c_ids(), kBags, kLength); };
  /// Calls f(ids, bags, values, pooled, weights), and hashes weights.
  static const auto in_c = [](const auto& f) {
    GuardedTable weights = data().table;
    const rowmill_ids ids = c_ids();
    const rowmill_bags bags = c_bags();
    const rowmill_view values = c_view(data().values.view());
    const rowmill_view pooled = c_view(data().pooled.view());
    const rowmill_view view = c_view(weights.view());
    const std::uint64_t sum = f(ids, bags, values, pooled, view);
    return sum * 31 + hash(weights.view());
  };
  static const std::vector<std::pair<std::string, std::function<std::uint64_t()>>> list = {
      {"gather",
       [] {
         GuardedTable out(kIds, kDim);
         gather(data().table.view(), data().ids, out.view());
         return hash(out.view());
       }},
      {"pool",
       [] {
         GuardedTable out(kBags, kDim);
         pool(data().table.view(), Bags(data().ids, kBags, kLength), out.view());
         return hash(out.view());
       }},
      {"convert",
       [] {
         Table quantized(kIds, kDim, {.format = Format::int4});
         Table again(kIds, kDim, {.format = Format::int8});
         GuardedTable back(kIds, kDim);
         convert(data().values.view(), quantized);
         convert(quantized, again);
         convert(again, back.view());
         return hash(back.view());
       }},
      {"bf16", [] { return use_table(Format::bf16, {.rounding = Rounding::stochastic}); }},
      {"f16", [] { return use_table(Format::f16, {.overflow = Overflow::error}); }},
      {"f64", [] { return use_table(Format::f64, {.state_format = Format::f64}); }},
      {"split",
       [] {
         Table upper(kIds, kDim, {.format = Format::bf16});
         Table low(kIds, kDim, {.format = Format::low16});
         GuardedTable back(kIds, kDim);
         split(data().values.view(), upper, low);
         join_split(upper, low, back.view());
         return hash(back.view());
       }},
      {"pool_clip",
       [] {
         GuardedTable out(kBags, kDim);
         pool(data().table.view(), Bags(data().ids, kBags, kLength), out.view(),
              {.pooling = Pooling::mean, .out_of_range = OutOfRange::clip});
         return hash(out.view());
       }},
      {"pool_max_with_padding",
       [] {
         GuardedTable out(kBags, kDim);
         pool(data().table.view(), Bags(data().ids, kBags, kLength).with_padding(3), out.view(),
              {.pooling = Pooling::max});
         return hash(out.view());
       }},
      {"find_winners",
       [] {
         std::vector<std::int32_t> winners(static_cast<std::size_t>(kBags * kDim));
         find_winners(data().table.view(), Bags(data().ids, kBags, kLength), winners, {.pooling = Pooling::max});
         return hash({reinterpret_cast<const float*>(winners.data()), kBags, kDim});
       }},
      {"pool_weight_gradients",
       [] {
         GuardedTable out(1, kIds);
         pool_weight_gradients(data().table.view(), Bags(data().ids, kBags, kLength), data().pooled.view(),
                               out.view().row(0), {.pooling = Pooling::max});
         return hash(out.view());
       }},
      {"scatter_add",
       [] {
         GuardedTable table = data().table;
         scatter_add(table.view(), data().ids, data().values.view());
         return hash(table.view());
       }},
      {"scatter_add_planned",
       [] {
         GuardedTable table = data().table;
         scatter_add(table.view(), Plan(data().ids, kRows), data().values.view());
         return hash(table.view());
       }},
      {"step_with_options",
       [] {
         GuardedTable weights = data().table;
         const std::vector<std::int32_t> winners(kBags * kDim, 1);
         const Plan plan(Bags(data().ids, kBags, kLength), kRows, {.pooling = Pooling::max, .winners = winners});
         Optimizer(SgdOptions{}, kRows, kDim)
             .step(weights.view(), plan, data().pooled.view(), {.skip_nonfinite = true, .clip_global_norm = 0.1});
         return hash(weights.view());
       }},
      {"sum_gradients",
       [] {
         SparseGradient sparse;
         sparse.build(Plan(Bags(data().ids, kBags, kLength), kRows, {.pooling = Pooling::mean}), data().pooled.view());
         const Ids rows(sparse.rows());
         std::uint64_t sum = hash(sparse.values());
         for (std::int64_t k = 0; k < rows.size(); ++k) sum = sum * 31 + static_cast<std::uint64_t>(rows[k]);
         return sum;
       }},
      {"dense_gradient",
       [] {
         GuardedTable out(kRows, kDim);
         const ConstTableView gradient = data().values.view();
         dense_gradient(Plan(data().ids, kRows), std::span(&gradient, 1), out.view(), {.scale_grad_by_freq = true});
         return hash(out.view());
       }},
      {"renormalize",
       [] {
         GuardedTable table = data().table;
         renormalize(table.view(), data().ids, {.max_norm = 0.1});
         return hash(table.view());
       }},
      {"plan",
       [] {
         const Plan plan(data().many_ids, kRows);
         return static_cast<std::uint64_t>(plan.unique_count() * 31 + plan.shard(plan.shard_count() - 1).rows[0]);
       }},
      {"sgd", [] { return optimize(SgdOptions{.momentum = 0.9}); }},
      {"adagrad", [] { return optimize(AdagradOptions{}); }},
      {"row_wise_adagrad", [] { return optimize(RowWiseAdagradOptions{}); }},
      {"adam", [] { return optimize(AdamOptions{}); }},
      {"partial_row_wise_adam", [] { return optimize(PartialRowWiseAdamOptions{}); }},
      {"word_vectors",
       [] {
         const std::vector<std::int64_t> counts(kRows, 100);
         const std::vector<std::int32_t> words = narrow(data().ids);
         WordVectorTrainer trainer(counts, {.dim = kDim, .epochs = 1, .batch = 1024});
         trainer.train(words);
         trainer.end_epoch();
         return hash(trainer.vectors()) * 31 + hash(trainer.output_vectors());
       }},
      {"embedding",
       [] {
         Embedding layer({.rows = kRows, .dim = kDim, .optimizer = AdamOptions{}});
         GuardedTable out(kIds, kDim);
         layer.forward(data().ids, out.view());
         layer.backward(data().ids, data().values.view());
         layer.step();
         return hash(out.view()) * 31 + hash(layer.table());
       }},
      {"embedding_bag",
       [] {
         EmbeddingBag layer({.rows = kRows, .dim = kDim, .optimizer = AdamOptions{}, .pooling = Pooling::mean});
         GuardedTable out(kBags, kDim);
         const Bags bags(data().ids, kBags, kLength);
         layer.forward(bags, out.view());
         layer.backward(bags, data().pooled.view());
         layer.step();
         return hash(out.view()) * 31 + hash(layer.table());
       }},
      {"embedding_bag_max",
       [] {
         EmbeddingBag layer({.rows = kRows,
                             .dim = kDim,
                             .pooling = Pooling::max,
                             .max_norm = MaxNorm{.max_norm = 0.5},
                             .gradient = {.clip_global_norm = 1.0}});
         GuardedTable out(kBags, kDim);
         std::vector<float> weight_gradients(kIds);
         const Bags bags(data().ids, kBags, kLength);
         layer.forward(bags, out.view());
         layer.backward(bags, data().pooled.view(), weight_gradients);
         layer.step();
         return hash(out.view()) * 31 + hash(layer.table()) * 37 + hash({weight_gradients.data(), kIds, 1});
       }},
      {"table", [] { return hash(Table(20'000, 60, {.initializer = Initializer::uniform(-1, 1)})); }},
      {"clone",
       [] {
         const Table table(20'000, 60, {.initializer = Initializer::uniform(-1, 1), .parallel_first_touch = false});
         return hash(table.clone());
       }},
      {"initialize",
       [] {
         GuardedTable table(20'000, 60);
         initialize(table.view(), Initializer::uniform(-1, 1), {.seed = 3});
         return hash(table.view());
       }},
      {"find_bad_id", [] { return std::uint64_t{find_bad_id(data().many_ids, kRows) ? 1U : 0U}; }},
      {"c_gather",
       [] {
         return in_c([](const auto& ids, const auto&, const auto&, const auto&, const auto& weights) {
           GuardedTable out(kIds, kDim);
           const rowmill_view out_view = c_view(out.view());
           must(rowmill_gather(&weights, &ids, &out_view, nullptr));
           return hash(out.view());
         });
       }},
      {"c_pool",
       [] {
         return in_c([](const auto&, const auto& bags, const auto&, const auto&, const auto& weights) {
           GuardedTable out(kBags, kDim);
           const rowmill_view out_view = c_view(out.view());
           must(rowmill_pool(&weights, &bags, &out_view, nullptr, nullptr));
           return hash(out.view());
         });
       }},
      {"c_convert",
       [] {
         return in_c([](const auto&, const auto&, const auto& values, const auto&, const auto&) {
           Table quantized(kIds, kDim, {.format = Format::int8});
           GuardedTable back(kIds, kDim);
           rowmill_view view = c_view(back.view());
           const rowmill_view to = view;
           view.data = quantized.bytes();
           view.format = ROWMILL_INT8;
           view.row_stride = rowmill_row_elements(ROWMILL_INT8, kDim);
           must(rowmill_convert(&values, &view, nullptr));
           must(rowmill_convert(&view, &to, nullptr));
           return hash(back.view());
         });
       }},
      {"c_scatter_add",
       [] {
         return in_c([](const auto& ids, const auto&, const auto& values, const auto&, const auto& weights) {
           must(rowmill_set_threads(9));
           must(rowmill_scatter_add(&weights, &ids, &values, nullptr, nullptr));
           must(rowmill_set_threads(0));
           return std::uint64_t{0};
         });
       }},
      {"c_bags",
       [] {
         return in_c([](const auto&, const auto& bags, const auto&, const auto& pooled, const auto& weights) {
           std::vector<float> weight_gradients(kIds);
           std::vector<std::int32_t> winners(kBags * kDim);
           rowmill_pool_options max = {};
           must(rowmill_pool_options_init(&max, sizeof max));
           max.pooling = ROWMILL_POOL_MAX;
           must(rowmill_find_winners(&weights, &bags, winners.data(), kBags * kDim, &max, nullptr));
           must(rowmill_pool_weight_gradients(&weights, &bags, &pooled, weight_gradients.data(), kIds, &max, nullptr));
           must(rowmill_renormalize_bags(&weights, &bags, nullptr, nullptr));
           std::uint64_t sum = hash({weight_gradients.data(), kIds, 1});
           for (const std::int32_t winner : winners) sum = sum * 31 + static_cast<std::uint64_t>(winner);
           return sum;
         });
       }},
      {"c_gradients",
       [] {
         return in_c([](const auto&, const auto& bags, const auto&, const auto& pooled, const auto& weights) {
           rowmill_plan* plan = nullptr;
           must(rowmill_plan_create(&plan));
           must(rowmill_plan_build_bags_with(plan, &bags, kRows, nullptr));
           std::vector<std::int64_t> rows(static_cast<std::size_t>(rowmill_plan_unique_count(plan)));
           GuardedTable values(std::ssize(rows), kDim);
           const rowmill_view view = c_view(values.view());
           must(rowmill_sum_gradients(plan, &pooled, 1, rows.data(), std::ssize(rows), &view, nullptr, nullptr));
           must(rowmill_dense_gradient(plan, &pooled, 1, &weights, nullptr, nullptr));
           rowmill_plan_destroy(plan);
           return hash(values.view());
         });
       }},
      {"c_plan",
       [] {
         return in_c(
             [](const auto& ids, const auto& bags, const auto& values, const auto& pooled, const auto& weights) {
               rowmill_plan* plan = nullptr;
               rowmill_optimizer* adam = nullptr;
               must(rowmill_adam_create(kRows, kDim, nullptr, nullptr, &adam));
               must(rowmill_plan_create(&plan));
               must(rowmill_plan_build(plan, &ids, kRows, ROWMILL_RANGE_ERROR, nullptr));
               must(rowmill_scatter_add_planned(&weights, plan, &values));
               must(rowmill_optimizer_step(adam, &weights, plan, &values, 1, nullptr));
               must(rowmill_plan_build_bags(plan, &bags, kRows, ROWMILL_RANGE_ERROR, nullptr));
               must(rowmill_optimizer_step(adam, &weights, plan, &pooled, 1, nullptr));
               const auto steps = static_cast<std::uint64_t>(rowmill_optimizer_step_count(adam));
               rowmill_optimizer_destroy(adam);
               rowmill_plan_destroy(plan);
               return steps;
             });
       }},
      {"c_layers",
       [] {
         return in_c([](const auto& ids, const auto& bags, const auto& values, const auto& pooled, const auto&) {
           return c_layers(ids, bags, values, pooled);
         });
       }},
      {"c_table",
       [] {
         rowmill_table* table = nullptr;
         rowmill_view view = {};
         must(rowmill_table_create(20'000, 60, nullptr, &table));
         must(rowmill_table_view(table, &view));
         const std::uint64_t sum = hash(ConstTableView(static_cast<const float*>(view.data), 20'000, 60));
         rowmill_table_destroy(table);
         return sum;
       }},
      {"c_find_bad_id",
       [] {
         const rowmill_ids ids = rowmill_make_ids(data().many_ids.data(), 100'000, ROWMILL_INT64);
         std::int64_t position = 0;
         must(rowmill_find_bad_id(&ids, kRows, ROWMILL_RANGE_ERROR, &position, nullptr));
         return static_cast<std::uint64_t>(position);
       }},
  };
  return list;
}

}  // namespace rowmill::test
