// SPDX-License-Identifier: Apache-2.0
// The C interface over the C++ one: checks what C++ types would have guarded, converts, calls, and turns exceptions
// into status codes.
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/checks.hpp"
#include "rowmill/c.h"
#include "rowmill/rowmill.hpp"

struct rowmill_table {
  rowmill::Table table;
};
struct rowmill_workspace {
  rowmill::Workspace workspace;
};
struct rowmill_plan {
  rowmill::Plan plan;
};
struct rowmill_optimizer {
  std::unique_ptr<rowmill::Optimizer> owned;  // null for a layer's
  rowmill::Optimizer* optimizer;
  std::vector<rowmill::ConstTableView> gradients;  // of the step that runs; kept, so that steps need not allocate
};
struct rowmill_embedding {
  rowmill::Embedding embedding;
  rowmill_optimizer optimizer;
};
struct rowmill_embedding_bag {
  rowmill::EmbeddingBag embedding_bag;
  rowmill_optimizer optimizer;
};

namespace rowmill {
namespace {

// ---- errors and threads ---------------------------------------------------------------------------------------------

/// A thread's last error. A fixed buffer: noting that memory ran out must not need memory.
struct LastError {
  rowmill_status status = ROWMILL_OK;
  char message[1024] = "";
  std::int64_t position = -1;
  std::int64_t value = -1;

  void set(rowmill_status new_status, const char* text) {
    status = new_status;
    const std::size_t length = std::min(std::strlen(text), sizeof(message) - 1);
    std::memcpy(message, text, length);
    message[length] = '\0';
    position = value = -1;
  }
};
thread_local LastError last_error;

/// What rowmill_set_threads() asked for on this thread; empty: the caller's arena.
thread_local std::optional<tbb::task_arena> thread_arena;

rowmill_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return ROWMILL_INVALID_ARGUMENT;
    case ErrorCode::shape_mismatch:
      return ROWMILL_SHAPE_MISMATCH;
    case ErrorCode::id_out_of_range:
      return ROWMILL_ID_OUT_OF_RANGE;
    case ErrorCode::overlap:
      return ROWMILL_OVERLAP;
    case ErrorCode::out_of_memory:
      return ROWMILL_OUT_OF_MEMORY;
    case ErrorCode::unsupported_isa:
      return ROWMILL_UNSUPPORTED_ISA;
  }
  return ROWMILL_UNEXPECTED;
}

/// Notes the exception that is being handled.
rowmill_status note_exception() noexcept {
  try {
    throw;
  } catch (const IdError& e) {
    last_error.set(status_of(e.code()), e.what());
    last_error.position = e.position();
    last_error.value = e.value();
  } catch (const Error& e) {
    last_error.set(status_of(e.code()), e.what());
  } catch (const std::bad_alloc&) {
    last_error.set(ROWMILL_OUT_OF_MEMORY, "rowmill: the system refused memory");
  } catch (const std::exception& e) {
    last_error.set(ROWMILL_UNEXPECTED, e.what());
  } catch (...) {
    last_error.set(ROWMILL_UNEXPECTED, "rowmill: an exception of an unknown type");
  }
  return last_error.status;
}

/// Calls f on at most this thread's number of threads.
template <class F>
rowmill_status call(F f) noexcept {
  try {
    if (thread_arena) {
      thread_arena->execute(f);
    } else {
      f();
    }
    return ROWMILL_OK;
  } catch (...) {
    return note_exception();
  }
}

/// f(), or `failed` if that throws: for functions that return a value, and need no threads.
template <class T, class F>
T value_or(T failed, F f) noexcept {
  try {
    return f();
  } catch (...) {
    note_exception();
    return failed;
  }
}

[[noreturn]] void refuse(std::string_view op, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + what);
}

// ---- arguments ------------------------------------------------------------------------------------------------------

/// *pointer, which must not be null.
template <class T>
T& the(T* pointer, std::string_view op, std::string_view argument) {
  if (pointer == nullptr) refuse(op, std::string(argument) + " is a null pointer");
  return *pointer;
}

void check_range(std::string_view op, std::string_view argument, std::int64_t value, std::int64_t lowest,
                 std::int64_t highest) {
  if (value >= lowest && value <= highest) return;
  refuse(op, std::string(argument) + " is " + std::to_string(value) + "; allowed: " + std::to_string(lowest) + " to " +
                 std::to_string(highest));
}

/// Above this, the bytes that ids need would not fit in 64 bits.
constexpr std::int64_t kMostIds = std::int64_t{1} << 56;

/// An enum whose values in C and C++ are 0 .. highest.
template <class E>
E enum_of(std::int32_t value, E highest, std::string_view op, std::string_view argument) {
  check_range(op, argument, value, 0, static_cast<std::int64_t>(highest));
  return static_cast<E>(value);
}

Pooling pooling_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(Pooling::sum) == ROWMILL_POOL_SUM &&
                static_cast<int>(Pooling::mean) == ROWMILL_POOL_MEAN);
  return enum_of(value, Pooling::mean, op, "pooling");
}

WeightDecay decay_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(WeightDecay::none) == ROWMILL_DECAY_NONE &&
                static_cast<int>(WeightDecay::l2) == ROWMILL_DECAY_L2 &&
                static_cast<int>(WeightDecay::decoupled) == ROWMILL_DECAY_DECOUPLED);
  return enum_of(value, WeightDecay::decoupled, op, "decay");
}

OutOfRange policy_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(OutOfRange::error) == ROWMILL_RANGE_ERROR &&
                static_cast<int>(OutOfRange::clip) == ROWMILL_RANGE_CLIP &&
                static_cast<int>(OutOfRange::zero) == ROWMILL_RANGE_ZERO &&
                static_cast<int>(OutOfRange::wrap_negative) == ROWMILL_RANGE_WRAP_NEGATIVE);
  return enum_of(value, OutOfRange::wrap_negative, op, "out_of_range");
}

/// A workspace is never required.
Workspace* workspace_of(rowmill_workspace* workspace) { return workspace == nullptr ? nullptr : &workspace->workspace; }

std::string_view text_of(const char* text) { return text == nullptr ? std::string_view() : text; }

TableView view_of(const rowmill_view* view, std::string_view op, std::string_view argument) {
  const rowmill_view& v = the(view, op, argument);
  check_range(op, std::string(argument) + ".format", v.format, ROWMILL_FLOAT32, ROWMILL_FLOAT32);
  return {static_cast<float*>(v.data), v.rows, v.dim, v.row_stride, text_of(v.name)};
}

/// For C, which has no const views: what a const table gives out is written only by who may.
rowmill_view to_c(const Table& table) {
  rowmill_view view = rowmill_make_view(const_cast<float*>(table.data()), table.rows(), table.dim());
  view.name = table.name().c_str();
  return view;
}

Ids ids_of(const rowmill_ids* ids, std::string_view op, std::string_view argument = "ids") {
  const rowmill_ids& i = the(ids, op, argument);
  if (i.type == ROWMILL_INT32) return {static_cast<const std::int32_t*>(i.data), i.count};
  if (i.type == ROWMILL_INT64) return {static_cast<const std::int64_t*>(i.data), i.count};
  refuse(op, std::string(argument) + ".type is " + std::to_string(i.type) + "; allowed: 32, 64");
}

Bags bags_of(const rowmill_bags* bags, std::string_view op) {
  const rowmill_bags& b = the(bags, op, "bags");
  const Ids ids = ids_of(&b.ids, op);
  if (b.has_offsets == 0) return {ids, b.size, b.length};
  const Ids offsets = ids_of(&b.offsets, op, "offsets");
  check_range(op, "offsets.count", offsets.size(), 1, kMostIds);
  check_range(op, "bags.size", b.size, offsets.size() - 1, offsets.size() - 1);
  return {ids, offsets};
}

void check_struct_size(std::string_view op, std::size_t found, std::size_t expected) {
  if (found == expected) return;
  refuse(op, "struct_size of the options is " + std::to_string(found) + "; it must be " + std::to_string(expected) +
                 ", which the options' init function sets");
}

// The defaults of option structs, from the C++ ones.
rowmill_table_options defaults(const rowmill_table_options&) {
  const TableOptions o;
  return {sizeof(rowmill_table_options), nullptr, o.seed, o.stream, ROWMILL_INIT_ZEROS, 0, 0, o.huge_pages ? 1 : 0,
          o.parallel_first_touch ? 1 : 0};
}
rowmill_gather_options defaults(const rowmill_gather_options&) {
  return {sizeof(rowmill_gather_options), ROWMILL_RANGE_ERROR, ROWMILL_STORES_AUTOMATIC};
}
rowmill_scatter_add_options defaults(const rowmill_scatter_add_options&) {
  return {sizeof(rowmill_scatter_add_options), ROWMILL_RANGE_ERROR, 0};
}
rowmill_pool_options defaults(const rowmill_pool_options&) {
  return {sizeof(rowmill_pool_options), ROWMILL_POOL_SUM, ROWMILL_RANGE_ERROR};
}
rowmill_sgd_options defaults(const rowmill_sgd_options&) {
  const SgdOptions o;
  return {sizeof(rowmill_sgd_options), o.learning_rate,    o.momentum,
          o.nesterov ? 1 : 0,          ROWMILL_DECAY_NONE, o.weight_decay};
}
template <class Options>
Options adagrad_defaults(const auto& o) {
  return {sizeof(Options), o.learning_rate, o.initial_accumulator, o.epsilon, ROWMILL_DECAY_NONE, o.weight_decay};
}
rowmill_adagrad_options defaults(const rowmill_adagrad_options&) {
  return adagrad_defaults<rowmill_adagrad_options>(AdagradOptions{});
}
rowmill_row_wise_adagrad_options defaults(const rowmill_row_wise_adagrad_options&) {
  return adagrad_defaults<rowmill_row_wise_adagrad_options>(RowWiseAdagradOptions{});
}
template <class Options>
Options adam_defaults(const auto& o) {
  return {sizeof(Options), o.learning_rate, o.beta1, o.beta2, o.epsilon, ROWMILL_DECAY_NONE, o.weight_decay};
}
rowmill_adam_options defaults(const rowmill_adam_options&) {
  return adam_defaults<rowmill_adam_options>(AdamOptions{});
}
rowmill_partial_row_wise_adam_options defaults(const rowmill_partial_row_wise_adam_options&) {
  return adam_defaults<rowmill_partial_row_wise_adam_options>(PartialRowWiseAdamOptions{});
}
rowmill_embedding_options defaults(const rowmill_embedding_options&) {
  rowmill_embedding_options o{};  // no name, seed 0, no optimizer
  o.struct_size = sizeof o;
  o.initializer = ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT;
  o.a = 1;
  o.out_of_range = ROWMILL_RANGE_ERROR;
  o.padding_id = -1;
  return o;
}
rowmill_embedding_bag_options defaults(const rowmill_embedding_bag_options&) {
  rowmill_embedding_bag_options o{};  // no name, seed 0, no optimizer
  o.struct_size = sizeof o;
  o.initializer = ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT;
  o.a = 1;
  o.pooling = ROWMILL_POOL_MEAN;
  o.out_of_range = ROWMILL_RANGE_ERROR;
  return o;
}

template <class Options>
rowmill_status init_options(Options* options, std::size_t struct_size, std::string_view op) noexcept {
  return call([&] {
    Options& o = the(options, op, "options");
    check_struct_size(op, struct_size, sizeof(Options));
    o = defaults(o);
  });
}

/// The options, or the defaults for a null pointer.
template <class Options>
Options options_of(const Options* options, std::string_view op) {
  if (options == nullptr) return defaults(Options{});
  check_struct_size(op, options->struct_size, sizeof(Options));
  return *options;
}

Initializer initializer_of(std::int32_t kind, float a, float b, std::int64_t dim, std::string_view op) {
  switch (kind) {
    case ROWMILL_INIT_ZEROS:
      return Initializer::zeros();
    case ROWMILL_INIT_CONSTANT:
      return Initializer::constant(a);
    case ROWMILL_INIT_UNIFORM:
      return Initializer::uniform(a, b);
    case ROWMILL_INIT_NORMAL:
      return Initializer::normal(a, b);
    case ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT:
      return Initializer::scaled_uniform_fan_out(dim, a);
    default:
      refuse(op, "initializer is " + std::to_string(kind) + "; allowed: 0 to 4");
  }
}

OptimizerOptions to_cpp(const rowmill_sgd_options& o, std::string_view op) {
  return SgdOptions{o.learning_rate, o.momentum, o.nesterov != 0, decay_of(o.decay, op), o.weight_decay};
}
template <class Options>
OptimizerOptions adagrad_to_cpp(const auto& o, std::string_view op) {
  return Options{o.learning_rate, o.initial_accumulator, o.epsilon, decay_of(o.decay, op), o.weight_decay};
}
OptimizerOptions to_cpp(const rowmill_adagrad_options& o, std::string_view op) {
  return adagrad_to_cpp<AdagradOptions>(o, op);
}
OptimizerOptions to_cpp(const rowmill_row_wise_adagrad_options& o, std::string_view op) {
  return adagrad_to_cpp<RowWiseAdagradOptions>(o, op);
}
template <class Options>
OptimizerOptions adam_to_cpp(const auto& o, std::string_view op) {
  return Options{o.learning_rate, o.beta1, o.beta2, o.epsilon, decay_of(o.decay, op), o.weight_decay};
}
OptimizerOptions to_cpp(const rowmill_adam_options& o, std::string_view op) { return adam_to_cpp<AdamOptions>(o, op); }
OptimizerOptions to_cpp(const rowmill_partial_row_wise_adam_options& o, std::string_view op) {
  return adam_to_cpp<PartialRowWiseAdamOptions>(o, op);
}

template <class Options>
rowmill_status create_optimizer(std::int64_t rows, std::int64_t dim, const char* name, const Options* options,
                                rowmill_optimizer** optimizer, std::string_view op) noexcept {
  return call([&] {
    rowmill_optimizer*& result = the(optimizer, op, "optimizer");
    auto made = make_optimizer(to_cpp(options_of(options, op), op), rows, dim, text_of(name));
    Optimizer* const pointer = made.get();
    result = new rowmill_optimizer{std::move(made), pointer, {}};
  });
}

/// The optimizer that the options of a layer choose.
OptimizerOptions layer_optimizer(const auto& o, std::string_view op) {
  if ((o.sgd != nullptr) + (o.adagrad != nullptr) + (o.row_wise_adagrad != nullptr) + (o.adam != nullptr) +
          (o.partial_row_wise_adam != nullptr) >
      1) {
    refuse(op, "more than one of sgd, adagrad, row_wise_adagrad, adam and partial_row_wise_adam is given");
  }
  if (o.adagrad != nullptr) return to_cpp(options_of(o.adagrad, op), op);
  if (o.row_wise_adagrad != nullptr) return to_cpp(options_of(o.row_wise_adagrad, op), op);
  if (o.adam != nullptr) return to_cpp(options_of(o.adam, op), op);
  if (o.partial_row_wise_adam != nullptr) return to_cpp(options_of(o.partial_row_wise_adam, op), op);
  return to_cpp(options_of(o.sgd, op), op);
}

}  // namespace
}  // namespace rowmill

using namespace rowmill;  // the functions of C stand in no namespace

// ---- versions, errors, threads --------------------------------------------------------------------------------------

std::int32_t rowmill_c_abi_version() noexcept { return ROWMILL_C_ABI_VERSION; }
std::int32_t rowmill_version() noexcept { return ROWMILL_VERSION; }

const char* rowmill_isa_name() noexcept {
  return value_or<const char*>(nullptr, [] { return isa_name().data(); });  // a literal
}

rowmill_status rowmill_last_error_status() noexcept { return last_error.status; }
const char* rowmill_last_error_message() noexcept { return last_error.message; }
std::int64_t rowmill_last_error_position() noexcept { return last_error.position; }
std::int64_t rowmill_last_error_value() noexcept { return last_error.value; }

rowmill_status rowmill_set_threads(std::int32_t threads) noexcept {
  try {
    check_range("set_threads", "threads", threads, 0, std::numeric_limits<std::int32_t>::max());
    // oneTBB prints a warning when it is asked for more threads than it may start.
    const auto most =
        static_cast<std::int64_t>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
    thread_arena.reset();
    if (threads > 0) thread_arena.emplace(static_cast<int>(std::min<std::int64_t>(threads, most)));
    return ROWMILL_OK;
  } catch (...) {
    return note_exception();
  }
}

std::int32_t rowmill_threads() noexcept {
  return thread_arena ? thread_arena->max_concurrency() : tbb::this_task_arena::max_concurrency();
}

// ---- ids ------------------------------------------------------------------------------------------------------------

rowmill_status rowmill_find_bad_id(const rowmill_ids* ids, std::int64_t rows, rowmill_out_of_range out_of_range,
                                   std::int64_t* position, std::int64_t* value) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "find_bad_id";
    std::int64_t& found_at = the(position, kOp, "position");
    const Ids all = ids_of(ids, kOp);
    check_ids_pointer(kOp, all);
    const std::optional<BadId> bad = find_bad_id(all, rows, policy_of(out_of_range, kOp));
    found_at = bad ? bad->position : -1;
    if (value != nullptr) *value = bad ? bad->value : -1;
  });
}

// ---- tables ---------------------------------------------------------------------------------------------------------

rowmill_status rowmill_table_options_init(rowmill_table_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "table_options_init");
}

rowmill_status rowmill_table_create(std::int64_t rows, std::int64_t dim, const rowmill_table_options* options,
                                    rowmill_table** table) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "table_create";
    rowmill_table*& result = the(table, kOp, "table");
    const rowmill_table_options o = options_of(options, kOp);
    result = new rowmill_table{Table(rows, dim,
                                     {.name = std::string(text_of(o.name)),
                                      .initializer = initializer_of(o.initializer, o.a, o.b, dim, kOp),
                                      .seed = o.seed,
                                      .stream = o.stream,
                                      .huge_pages = o.huge_pages != 0,
                                      .parallel_first_touch = o.parallel_first_touch != 0})};
  });
}

void rowmill_table_destroy(rowmill_table* table) noexcept { delete table; }

rowmill_status rowmill_table_view(const rowmill_table* table, rowmill_view* view) noexcept {
  return call([&] { the(view, "table_view", "view") = to_c(the(table, "table_view", "table").table); });
}

// ---- gather, pool and scatter_add -----------------------------------------------------------------------------------

rowmill_status rowmill_gather_options_init(rowmill_gather_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "gather_options_init");
}

rowmill_status rowmill_gather(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* out,
                              const rowmill_gather_options* options) noexcept {
  return call([&] {
    static_assert(static_cast<int>(Stores::automatic) == ROWMILL_STORES_AUTOMATIC &&
                  static_cast<int>(Stores::ordinary) == ROWMILL_STORES_ORDINARY &&
                  static_cast<int>(Stores::streaming) == ROWMILL_STORES_STREAMING);
    constexpr std::string_view kOp = "gather";
    const rowmill_gather_options o = options_of(options, kOp);
    gather(view_of(table, kOp, "table"), ids_of(ids, kOp), view_of(out, kOp, "out"),
           {.out_of_range = policy_of(o.out_of_range, kOp),
            .stores = enum_of(o.stores, Stores::streaming, kOp, "stores")});
  });
}

rowmill_status rowmill_pool_options_init(rowmill_pool_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "pool_options_init");
}

rowmill_status rowmill_pool(const rowmill_view* table, const rowmill_bags* bags, const rowmill_view* out,
                            const rowmill_pool_options* options, rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "pool";
    const rowmill_pool_options o = options_of(options, kOp);
    pool(view_of(table, kOp, "table"), bags_of(bags, kOp), view_of(out, kOp, "out"),
         {.pooling = pooling_of(o.pooling, kOp), .out_of_range = policy_of(o.out_of_range, kOp)},
         workspace_of(workspace));
  });
}

std::size_t rowmill_pool_memory_required(std::int64_t id_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    check_range("pool_memory_required", "id_count", id_count, 0, kMostIds);
    return pool_memory_required(id_count);
  });
}

rowmill_status rowmill_scatter_add_options_init(rowmill_scatter_add_options* options,
                                                std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "scatter_add_options_init");
}

rowmill_status rowmill_scatter_add(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* values,
                                   const rowmill_scatter_add_options* options, rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "scatter_add";
    const rowmill_scatter_add_options o = options_of(options, kOp);
    check_range(kOp, "reserved", o.reserved, 0, 0);
    scatter_add(view_of(table, kOp, "table"), ids_of(ids, kOp), view_of(values, kOp, "values"),
                {.out_of_range = policy_of(o.out_of_range, kOp)}, workspace_of(workspace));
  });
}

rowmill_status rowmill_scatter_add_planned(const rowmill_view* table, const rowmill_plan* plan,
                                           const rowmill_view* values) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "scatter_add";
    scatter_add(view_of(table, kOp, "table"), the(plan, kOp, "plan").plan, view_of(values, kOp, "values"));
  });
}

std::size_t rowmill_scatter_add_memory_required(std::int64_t id_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    check_range("scatter_add_memory_required", "id_count", id_count, 0, kMostIds);
    return scatter_add_memory_required(id_count);
  });
}

// ---- workspaces -----------------------------------------------------------------------------------------------------

rowmill_status rowmill_workspace_create(rowmill_workspace** workspace) noexcept {
  return call([&] {
    rowmill_workspace*& result = the(workspace, "workspace_create", "workspace");
    result = new rowmill_workspace;
  });
}

void rowmill_workspace_destroy(rowmill_workspace* workspace) noexcept { delete workspace; }

rowmill_status rowmill_workspace_reserve(rowmill_workspace* workspace, std::size_t bytes) noexcept {
  return call([&] { the(workspace, "workspace_reserve", "workspace").workspace.reserve(bytes); });
}

std::size_t rowmill_workspace_capacity(const rowmill_workspace* workspace) noexcept {
  return value_or<std::size_t>(0,
                               [&] { return the(workspace, "workspace_capacity", "workspace").workspace.capacity(); });
}

// ---- plans ----------------------------------------------------------------------------------------------------------

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
    check_range("plan_reserve", "id_count", id_count, 0, kMostIds);
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

// ---- optimizers -----------------------------------------------------------------------------------------------------

rowmill_status rowmill_sgd_options_init(rowmill_sgd_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "sgd_options_init");
}

rowmill_status rowmill_adagrad_options_init(rowmill_adagrad_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "adagrad_options_init");
}

rowmill_status rowmill_row_wise_adagrad_options_init(rowmill_row_wise_adagrad_options* options,
                                                     std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "row_wise_adagrad_options_init");
}

rowmill_status rowmill_adam_options_init(rowmill_adam_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "adam_options_init");
}

rowmill_status rowmill_partial_row_wise_adam_options_init(rowmill_partial_row_wise_adam_options* options,
                                                          std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "partial_row_wise_adam_options_init");
}

rowmill_status rowmill_sgd_create(std::int64_t rows, std::int64_t dim, const char* name,
                                  const rowmill_sgd_options* options, rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "sgd");
}

rowmill_status rowmill_adagrad_create(std::int64_t rows, std::int64_t dim, const char* name,
                                      const rowmill_adagrad_options* options, rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "adagrad");
}

rowmill_status rowmill_row_wise_adagrad_create(std::int64_t rows, std::int64_t dim, const char* name,
                                               const rowmill_row_wise_adagrad_options* options,
                                               rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "row_wise_adagrad");
}

rowmill_status rowmill_adam_create(std::int64_t rows, std::int64_t dim, const char* name,
                                   const rowmill_adam_options* options, rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "adam");
}

rowmill_status rowmill_partial_row_wise_adam_create(std::int64_t rows, std::int64_t dim, const char* name,
                                                    const rowmill_partial_row_wise_adam_options* options,
                                                    rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "partial_row_wise_adam");
}

void rowmill_optimizer_destroy(rowmill_optimizer* optimizer) noexcept { delete optimizer; }

rowmill_status rowmill_optimizer_step(rowmill_optimizer* optimizer, const rowmill_view* weights,
                                      const rowmill_plan* plan, const rowmill_view* gradients,
                                      std::int64_t gradient_count, rowmill_workspace* workspace) noexcept {
  return call([&] {
    rowmill_optimizer& handle = the(optimizer, "step", "optimizer");
    const std::string_view op = handle.optimizer->name();
    check_range(op, "gradient_count", gradient_count, 0, kMostIds);
    handle.gradients.clear();
    handle.gradients.reserve(static_cast<std::size_t>(gradient_count));
    for (std::int64_t i = 0; i < gradient_count; ++i) {
      the(gradients, op, "gradients");
      handle.gradients.push_back(view_of(gradients + i, op, "gradient"));
    }
    handle.optimizer->step(view_of(weights, op, "weights"), the(plan, op, "plan").plan, handle.gradients,
                           workspace_of(workspace));
  });
}

std::size_t rowmill_optimizer_memory_required(const rowmill_optimizer* optimizer, std::int64_t id_count,
                                              std::int64_t gradient_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    constexpr std::string_view kOp = "optimizer_memory_required";
    const Optimizer& o = *the(optimizer, kOp, "optimizer").optimizer;
    check_range(kOp, "id_count", id_count, 0, kMostIds);
    check_range(kOp, "gradient_count", gradient_count, 0, kMostIds);
    return o.memory_required(id_count, gradient_count);
  });
}

const char* rowmill_optimizer_name(const rowmill_optimizer* optimizer) noexcept {
  return value_or<const char*>(nullptr, [&] {
    return the(optimizer, "optimizer_name", "optimizer").optimizer->name().data();  // a literal
  });
}

std::int64_t rowmill_optimizer_step_count(const rowmill_optimizer* optimizer) noexcept {
  return value_or<std::int64_t>(
      -1, [&] { return the(optimizer, "optimizer_step_count", "optimizer").optimizer->step_count(); });
}

double rowmill_optimizer_learning_rate(const rowmill_optimizer* optimizer) noexcept {
  return value_or<double>(
      -1, [&] { return the(optimizer, "optimizer_learning_rate", "optimizer").optimizer->learning_rate(); });
}

rowmill_status rowmill_optimizer_set_learning_rate(rowmill_optimizer* optimizer, double learning_rate) noexcept {
  return call(
      [&] { the(optimizer, "optimizer_set_learning_rate", "optimizer").optimizer->set_learning_rate(learning_rate); });
}

std::int64_t rowmill_optimizer_state_count(const rowmill_optimizer* optimizer) noexcept {
  return value_or<std::int64_t>(
      -1, [&] { return std::ssize(the(optimizer, "optimizer_state_count", "optimizer").optimizer->state()); });
}

rowmill_status rowmill_optimizer_state(const rowmill_optimizer* optimizer, std::int64_t index,
                                       rowmill_view* view) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "optimizer_state";
    const auto state = the(optimizer, kOp, "optimizer").optimizer->state();
    if (state.empty()) refuse(kOp, std::string(optimizer->optimizer->name()) + " has no state");
    check_range(kOp, "index", index, 0, std::ssize(state) - 1);
    the(view, kOp, "view") = to_c(state[static_cast<std::size_t>(index)]);
  });
}

// ---- the Embedding layer --------------------------------------------------------------------------------------------

rowmill_status rowmill_embedding_options_init(rowmill_embedding_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "embedding_options_init");
}

rowmill_status rowmill_embedding_create(std::int64_t rows, std::int64_t dim, const rowmill_embedding_options* options,
                                        rowmill_embedding** embedding) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_create";
    rowmill_embedding*& result = the(embedding, kOp, "embedding");
    const rowmill_embedding_options o = options_of(options, kOp);
    EmbeddingOptions made{.rows = rows,
                          .dim = dim,
                          .name = std::string(text_of(o.name)),
                          .initializer = initializer_of(o.initializer, o.a, o.b, dim, kOp),
                          .seed = o.seed,
                          .optimizer = layer_optimizer(o, kOp),
                          .out_of_range = policy_of(o.out_of_range, kOp)};
    if (o.padding_id != -1) made.padding_id = o.padding_id;
    auto* const handle = new rowmill_embedding{Embedding(made), {}};
    handle->optimizer.optimizer = &handle->embedding.optimizer();
    result = handle;
  });
}

void rowmill_embedding_destroy(rowmill_embedding* embedding) noexcept { delete embedding; }

rowmill_status rowmill_embedding_forward(const rowmill_embedding* embedding, const rowmill_ids* ids,
                                         const rowmill_view* out) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding";
    the(embedding, kOp, "embedding").embedding.forward(ids_of(ids, kOp), view_of(out, kOp, "out"));
  });
}

rowmill_status rowmill_embedding_backward(rowmill_embedding* embedding, const rowmill_ids* ids,
                                          const rowmill_view* gradient) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding";
    the(embedding, kOp, "embedding").embedding.backward(ids_of(ids, kOp), view_of(gradient, kOp, "gradient"));
  });
}

rowmill_status rowmill_embedding_step(rowmill_embedding* embedding) noexcept {
  return call([&] { the(embedding, "embedding", "embedding").embedding.step(); });
}

rowmill_status rowmill_embedding_zero_grad(rowmill_embedding* embedding) noexcept {
  return call([&] { the(embedding, "embedding", "embedding").embedding.zero_grad(); });
}

rowmill_status rowmill_embedding_table_view(const rowmill_embedding* embedding, rowmill_view* view) noexcept {
  return call([&] {
    the(view, "embedding_table_view", "view") =
        to_c(the(embedding, "embedding_table_view", "embedding").embedding.table());
  });
}

rowmill_optimizer* rowmill_embedding_optimizer(rowmill_embedding* embedding) noexcept {
  return value_or<rowmill_optimizer*>(nullptr,
                                      [&] { return &the(embedding, "embedding_optimizer", "embedding").optimizer; });
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
    rowmill_embedding_bag*& result = the(embedding_bag, kOp, "embedding_bag");
    const rowmill_embedding_bag_options o = options_of(options, kOp);
    auto* const handle =
        new rowmill_embedding_bag{EmbeddingBag({.rows = rows,
                                                .dim = dim,
                                                .name = std::string(text_of(o.name)),
                                                .initializer = initializer_of(o.initializer, o.a, o.b, dim, kOp),
                                                .seed = o.seed,
                                                .optimizer = layer_optimizer(o, kOp),
                                                .pooling = pooling_of(o.pooling, kOp),
                                                .out_of_range = policy_of(o.out_of_range, kOp)}),
                                  {}};
    handle->optimizer.optimizer = &handle->embedding_bag.optimizer();
    result = handle;
  });
}

void rowmill_embedding_bag_destroy(rowmill_embedding_bag* embedding_bag) noexcept { delete embedding_bag; }

rowmill_status rowmill_embedding_bag_forward(const rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                             const rowmill_view* out, rowmill_workspace* workspace) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag";
    the(embedding_bag, kOp, "embedding_bag")
        .embedding_bag.forward(bags_of(bags, kOp), view_of(out, kOp, "out"), workspace_of(workspace));
  });
}

rowmill_status rowmill_embedding_bag_backward(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                              const rowmill_view* gradient) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag";
    the(embedding_bag, kOp, "embedding_bag")
        .embedding_bag.backward(bags_of(bags, kOp), view_of(gradient, kOp, "gradient"));
  });
}

rowmill_status rowmill_embedding_bag_step(rowmill_embedding_bag* embedding_bag) noexcept {
  return call([&] { the(embedding_bag, "embedding_bag", "embedding_bag").embedding_bag.step(); });
}

rowmill_status rowmill_embedding_bag_zero_grad(rowmill_embedding_bag* embedding_bag) noexcept {
  return call([&] { the(embedding_bag, "embedding_bag", "embedding_bag").embedding_bag.zero_grad(); });
}

rowmill_status rowmill_embedding_bag_table_view(const rowmill_embedding_bag* embedding_bag,
                                                rowmill_view* view) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "embedding_bag_table_view";
    the(view, kOp, "view") = to_c(the(embedding_bag, kOp, "embedding_bag").embedding_bag.table());
  });
}

rowmill_optimizer* rowmill_embedding_bag_optimizer(rowmill_embedding_bag* embedding_bag) noexcept {
  return value_or<rowmill_optimizer*>(
      nullptr, [&] { return &the(embedding_bag, "embedding_bag_optimizer", "embedding_bag").optimizer; });
}
