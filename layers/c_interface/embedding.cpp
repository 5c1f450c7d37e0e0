// SPDX-License-Identifier: Apache-2.0
// Both layers: Embedding and EmbeddingBag.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {
namespace {

/// The options of either layer that concern training, checked.
struct LayerTraining {
  OptimizerOptions optimizer;
  std::optional<MaxNorm> max_norm;
  GradientOptions gradient;
  Recorded recorded;
  StorageOptions storage;
};

/// The optimizer that the options of a layer choose.
OptimizerOptions layer_optimizer(const auto& o, std::string_view op) {
  if ((o.sgd != nullptr) + (o.adagrad != nullptr) + (o.row_wise_adagrad != nullptr) + (o.adam != nullptr) +
          (o.partial_row_wise_adam != nullptr) >
      1) {
    refuse(op, "more than one of sgd, adagrad, row_wise_adagrad, adam and partial_row_wise_adam is given");
  }
  if (o.adagrad != nullptr) return optimizer_of(o.adagrad, op);
  if (o.row_wise_adagrad != nullptr) return optimizer_of(o.row_wise_adagrad, op);
  if (o.adam != nullptr) return optimizer_of(o.adam, op);
  if (o.partial_row_wise_adam != nullptr) return optimizer_of(o.partial_row_wise_adam, op);
  return optimizer_of(o.sgd, op);
}

/// How that optimizer stores its tables.
StorageOptions layer_storage(const auto& o, std::string_view op) {
  const auto storage_in = [&](const auto* options) { return options_of(options, op).storage; };
  for (const rowmill_storage_options* storage :
       {storage_in(o.sgd), storage_in(o.adagrad), storage_in(o.row_wise_adagrad), storage_in(o.adam),
        storage_in(o.partial_row_wise_adam)}) {
    if (storage != nullptr) return storage_of(storage, op);
  }
  return {};
}

LayerTraining training_of(const auto& o, std::string_view op) {
  static_assert(static_cast<int>(Recorded::copied) == ROWMILL_RECORDED_COPIED &&
                static_cast<int>(Recorded::referenced) == ROWMILL_RECORDED_REFERENCED);
  check_range(op, "reserved", o.reserved, 0, 0);
  const NormType norm = norm_of(o.norm, op);
  return {.optimizer = layer_optimizer(o, op),
          .max_norm = o.max_norm == -1 ? std::nullopt : std::optional(MaxNorm{.max_norm = o.max_norm, .norm = norm}),
          .gradient = gradient_options_of(o.gradient, op),
          .recorded = enum_of(o.recorded, Recorded::referenced, op, "recorded"),
          .storage = layer_storage(o, op)};
}

/// The defaults of the options that both layers have.
template <class Options>
Options layer_defaults() {
  Options o{};  // no name, seed 0, no optimizer
  o.struct_size = sizeof o;
  o.initializer = ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT;
  o.a = 1;
  o.out_of_range = ROWMILL_RANGE_ERROR;
  o.recorded = ROWMILL_RECORDED_COPIED;
  o.max_norm = -1;
  o.norm = ROWMILL_NORM_TWO;
  return o;
}

}  // namespace

template <>
rowmill_embedding_options defaults<rowmill_embedding_options>() {
  auto o = layer_defaults<rowmill_embedding_options>();
  o.padding_id = -1;
  return o;
}

template <>
rowmill_embedding_bag_options defaults<rowmill_embedding_bag_options>() {
  auto o = layer_defaults<rowmill_embedding_bag_options>();
  o.pooling = ROWMILL_POOL_MEAN;
  o.divisor = ROWMILL_DIVISOR_COUNT;
  return o;
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

// ---- the Embedding layer --------------------------------------------------------------------------------------------

rowmill_status rowmill_embedding_options_init(rowmill_embedding_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "embedding_options_init");
}

rowmill_status rowmill_embedding_create(std::int64_t rows, std::int64_t dim, const rowmill_embedding_options* options,
                                        rowmill_embedding** embedding) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_create";
    rowmill_embedding*& result = deref(embedding, kOp, "embedding");
    const rowmill_embedding_options o = options_of(options, kOp);
    const LayerTraining training = training_of(o, kOp);
    EmbeddingOptions made{.rows = rows,
                          .dim = dim,
                          .name = std::string(text_of(o.name)),
                          .initializer = initializer_of(o.initializer, o.a, o.b, dim, kOp),
                          .seed = o.seed,
                          .stream = o.stream,
                          .format = format_from_c(o.format, kOp, "format"),
                          .optimizer = training.optimizer,
                          .out_of_range = policy_of(o.out_of_range, kOp),
                          .max_norm = training.max_norm,
                          .gradient = training.gradient,
                          .recorded = training.recorded,
                          .storage = training.storage};
    if (o.padding_id != -1) made.padding_id = o.padding_id;
    auto* const handle = new rowmill_embedding{Embedding(made), {}};
    handle->optimizer.optimizer = &handle->embedding.optimizer();
    result = handle;
  });
}

void rowmill_embedding_destroy(rowmill_embedding* embedding) noexcept { delete embedding; }

namespace {

/// `embedding` is const, or not: the overloads of Embedding::forward() differ where there is a max_norm.
rowmill_status forward(auto* embedding, const rowmill_ids* ids, const rowmill_view* out) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding";
    deref(embedding, kOp, "embedding").embedding.forward(ids_of(ids, kOp), view_of(out, kOp, "out"));
  });
}

}  // namespace

rowmill_status rowmill_embedding_forward(const rowmill_embedding* embedding, const rowmill_ids* ids,
                                         const rowmill_view* out) noexcept {
  return forward(embedding, ids, out);
}

rowmill_status rowmill_embedding_forward_max_norm(rowmill_embedding* embedding, const rowmill_ids* ids,
                                                  const rowmill_view* out) noexcept {
  return forward(embedding, ids, out);
}

rowmill_status rowmill_embedding_backward(rowmill_embedding* embedding, const rowmill_ids* ids,
                                          const rowmill_view* gradient) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding";
    deref(embedding, kOp, "embedding").embedding.backward(ids_of(ids, kOp), view_of(gradient, kOp, "gradient"));
  });
}

rowmill_status rowmill_embedding_step(rowmill_embedding* embedding) noexcept {
  return call([&] { deref(embedding, "embedding", "embedding").embedding.step(); });
}

rowmill_status rowmill_embedding_zero_grad(rowmill_embedding* embedding) noexcept {
  return call([&] { deref(embedding, "embedding", "embedding").embedding.zero_grad(); });
}

rowmill_status rowmill_embedding_table_view(const rowmill_embedding* embedding, rowmill_view* view) noexcept {
  return call([&] {
    deref(view, "embedding_table_view", "view") =
        to_c(deref(embedding, "embedding_table_view", "embedding").embedding.table());
  });
}

rowmill_optimizer* rowmill_embedding_optimizer(rowmill_embedding* embedding) noexcept {
  return value_or<rowmill_optimizer*>(nullptr,
                                      [&] { return &deref(embedding, "embedding_optimizer", "embedding").optimizer; });
}

// ---- the EmbeddingBag layer -----------------------------------------------------------------------------------------

rowmill_status rowmill_embedding_bag_options_init(rowmill_embedding_bag_options* options,
                                                  std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "embedding_bag_options_init");
}

rowmill_status rowmill_embedding_bag_create(std::int64_t rows, std::int64_t dim,
                                            const rowmill_embedding_bag_options* options,
                                            rowmill_embedding_bag** embedding_bag) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag_create";
    rowmill_embedding_bag*& result = deref(embedding_bag, kOp, "embedding_bag");
    const rowmill_embedding_bag_options o = options_of(options, kOp);
    const LayerTraining training = training_of(o, kOp);
    auto* const handle =
        new rowmill_embedding_bag{EmbeddingBag({.rows = rows,
                                                .dim = dim,
                                                .name = std::string(text_of(o.name)),
                                                .initializer = initializer_of(o.initializer, o.a, o.b, dim, kOp),
                                                .seed = o.seed,
                                                .stream = o.stream,
                                                .format = format_from_c(o.format, kOp, "format"),
                                                .optimizer = training.optimizer,
                                                .pooling = pooling_of(o.pooling, kOp),
                                                .out_of_range = policy_of(o.out_of_range, kOp),
                                                .divisor = divisor_of(o.divisor, kOp),
                                                .padding_id = padding_of(o.has_padding_id, o.padding_id),
                                                .max_norm = training.max_norm,
                                                .gradient = training.gradient,
                                                .recorded = training.recorded,
                                                .storage = training.storage}),
                                  {}};
    handle->optimizer.optimizer = &handle->embedding_bag.optimizer();
    result = handle;
  });
}

void rowmill_embedding_bag_destroy(rowmill_embedding_bag* embedding_bag) noexcept { delete embedding_bag; }

rowmill_status rowmill_embedding_bag_forward(const rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                             const rowmill_view* out, rowmill_workspace* workspace) noexcept {
  return rowmill_embedding_bag_forward_weighted(embedding_bag, bags, nullptr, 0, out, workspace);
}

namespace {

/// As for an embedding: const or not.
rowmill_status forward(auto* embedding_bag, const rowmill_bags* bags, const float* weights, std::int64_t weight_count,
                       const rowmill_view* out, rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag";
    deref(embedding_bag, kOp, "embedding_bag")
        .embedding_bag.forward(with_weights(bags_of(bags, kOp), weights, weight_count, kOp), view_of(out, kOp, "out"),
                               workspace_of(workspace));
  });
}

}  // namespace

rowmill_status rowmill_embedding_bag_forward_weighted(const rowmill_embedding_bag* embedding_bag,
                                                      const rowmill_bags* bags, const float* weights,
                                                      std::int64_t weight_count, const rowmill_view* out,
                                                      rowmill_workspace* workspace) noexcept {
  return forward(embedding_bag, bags, weights, weight_count, out, workspace);
}

rowmill_status rowmill_embedding_bag_forward_max_norm(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                                      const float* weights, std::int64_t weight_count,
                                                      const rowmill_view* out, rowmill_workspace* workspace) noexcept {
  return forward(embedding_bag, bags, weights, weight_count, out, workspace);
}

rowmill_status rowmill_embedding_bag_backward(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                              const rowmill_view* gradient) noexcept {
  return rowmill_embedding_bag_backward_weighted(embedding_bag, bags, nullptr, 0, gradient, nullptr, 0);
}

rowmill_status rowmill_embedding_bag_backward_weighted(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                                       const float* weights, std::int64_t weight_count,
                                                       const rowmill_view* gradient, float* weight_gradients,
                                                       std::int64_t weight_gradient_count) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag";
    deref(embedding_bag, kOp, "embedding_bag")
        .embedding_bag.backward(with_weights(bags_of(bags, kOp), weights, weight_count, kOp),
                                view_of(gradient, kOp, "gradient"),
                                array_of(weight_gradients, weight_gradient_count, kOp, "weight_gradients"));
  });
}

rowmill_status rowmill_embedding_bag_step(rowmill_embedding_bag* embedding_bag) noexcept {
  return call([&] { deref(embedding_bag, "embedding_bag", "embedding_bag").embedding_bag.step(); });
}

rowmill_status rowmill_embedding_bag_zero_grad(rowmill_embedding_bag* embedding_bag) noexcept {
  return call([&] { deref(embedding_bag, "embedding_bag", "embedding_bag").embedding_bag.zero_grad(); });
}

rowmill_status rowmill_embedding_bag_table_view(const rowmill_embedding_bag* embedding_bag,
                                                rowmill_view* view) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag_table_view";
    deref(view, kOp, "view") = to_c(deref(embedding_bag, kOp, "embedding_bag").embedding_bag.table());
  });
}

rowmill_optimizer* rowmill_embedding_bag_optimizer(rowmill_embedding_bag* embedding_bag) noexcept {
  return value_or<rowmill_optimizer*>(
      nullptr, [&] { return &deref(embedding_bag, "embedding_bag_optimizer", "embedding_bag").optimizer; });
}
