// SPDX-License-Identifier: Apache-2.0
// Two versions of the library in one process, on the same memory, in turn:
//
//     rowmill_versions_bench OLD/librowmill_c.so NEW/librowmill_c.so [--benchmark_filter=REGEX] [...]
//
// on the workloads of rowmill_bench, and on narrower rows.
//
// "old/new" above 1 means that the new one is faster. Two programs can't be compared so closely: where each finds
// its memory, and what else the machine does meanwhile, made a tenth of difference between programs of the same code.
#include <dlfcn.h>
#include <rowmill/c.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "compare.hpp"
#include "machine.hpp"
#include "subject.hpp"

namespace bench {
namespace {

/// A shared library of the C interface. It exports nothing else, so that two of them share no code.
class Library {
 public:
  explicit Library(const char* path) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) fail(dlerror());
  }

  struct Symbol {
    void* address;
    template <class Function>
    operator Function*() const {
      return reinterpret_cast<Function*>(address);
    }
  };
  [[nodiscard]] Symbol operator[](const char* name) const {
    void* const address = dlsym(handle_, name);
    if (address == nullptr) fail(dlerror());
    return {address};
  }

  [[noreturn]] static void fail(const char* message) {
    std::fprintf(stderr, "rowmill_versions_bench: %s\n", message);
    std::exit(1);
  }

 private:
  void* handle_;
};

/// What is measured of one version.
struct Version {
  Library library;
  decltype(&rowmill_last_error_message) last_error_message = library["rowmill_last_error_message"];
  decltype(&rowmill_gather) gather = library["rowmill_gather"];
  decltype(&rowmill_pool) pool = library["rowmill_pool"];
  decltype(&rowmill_scatter_add) scatter_add = library["rowmill_scatter_add"];
  decltype(&rowmill_plan_create) plan_create = library["rowmill_plan_create"];
  decltype(&rowmill_plan_destroy) plan_destroy = library["rowmill_plan_destroy"];
  decltype(&rowmill_plan_build) plan_build = library["rowmill_plan_build"];
  decltype(&rowmill_plan_build_bags) plan_build_bags = library["rowmill_plan_build_bags"];
  decltype(&rowmill_workspace_create) workspace_create = library["rowmill_workspace_create"];
  decltype(&rowmill_workspace_destroy) workspace_destroy = library["rowmill_workspace_destroy"];
  decltype(&rowmill_sgd_create) sgd_create = library["rowmill_sgd_create"];
  decltype(&rowmill_adagrad_create) adagrad_create = library["rowmill_adagrad_create"];
  decltype(&rowmill_row_wise_adagrad_create) row_wise_adagrad_create = library["rowmill_row_wise_adagrad_create"];
  decltype(&rowmill_adam_create) adam_create = library["rowmill_adam_create"];
  decltype(&rowmill_optimizer_step) optimizer_step = library["rowmill_optimizer_step"];
  decltype(&rowmill_optimizer_destroy) optimizer_destroy = library["rowmill_optimizer_destroy"];

  void check(rowmill_status status) const {
    if (status != ROWMILL_OK) Library::fail(last_error_message());
  }
};

/// A version's side of a comparison. The table, the gradients and the output are those of `subject`.
class Side {
 public:
  Side(const Version& version, const Shape& shape, Subject& subject)
      : version_(version), shape_(shape), subject_(subject), plans_(subject.batch_count()) {
    version_.check(version_.workspace_create(&workspace_));
    const auto create = [&](auto function) {
      version_.check(function(shape_.rows, shape_.dim, nullptr, nullptr, &optimizer_));
    };
    const Operation& operation = subject_.operation();
    if (operation.states == 2) {
      create(version_.adam_create);
    } else if (operation.states == 1) {
      create(version_.adagrad_create);
    } else if (operation.row_state) {
      create(version_.row_wise_adagrad_create);
    } else if (operation.step) {
      create(version_.sgd_create);
    }
    for (std::size_t b = 0; b < plans_.size(); ++b) {
      version_.check(version_.plan_create(&plans_[b]));
      if (optimizer_ != nullptr) build(plans_[b], b);
    }
  }
  ~Side() {
    for (rowmill_plan* plan : plans_) version_.plan_destroy(plan);
    version_.optimizer_destroy(optimizer_);
    version_.workspace_destroy(workspace_);
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  /// As Subject::run.
  void run(std::size_t batch) {
    const rowmill_view table = rowmill_make_view(subject_.weights(), shape_.rows, shape_.dim);
    const Operation& operation = subject_.operation();
    const rowmill_view buffer =
        rowmill_make_view(subject_.buffer(batch), operation.pooled ? shape_.batch : shape_.id_count(), shape_.dim);
    const rowmill_bags bags = bags_of(batch);
    if (optimizer_ != nullptr) {
      version_.check(version_.optimizer_step(optimizer_, &table, plans_[batch], &buffer, 1, workspace_));
    } else if (operation.kind == Kind::plan) {
      build(plans_[0], batch);
    } else if (operation.kind == Kind::update) {
      version_.check(version_.scatter_add(&table, &bags.ids, &buffer, nullptr, workspace_));
    } else if (operation.pooled) {
      version_.check(version_.pool(&table, &bags, &buffer, nullptr, workspace_));
    } else {
      version_.check(version_.gather(&table, &bags.ids, &buffer, nullptr));
    }
  }

 private:
  [[nodiscard]] rowmill_bags bags_of(std::size_t batch) const {
    const std::vector<std::int32_t>& ids = subject_.batches()[batch];
    return rowmill_make_batch(rowmill_make_ids(ids.data(), shape_.id_count(), ROWMILL_INT32), shape_.batch,
                              shape_.length);
  }
  void build(rowmill_plan* plan, std::size_t batch) {
    const rowmill_bags bags = bags_of(batch);
    version_.check(subject_.operation().pooled
                       ? version_.plan_build_bags(plan, &bags, shape_.rows, ROWMILL_RANGE_ERROR, nullptr)
                       : version_.plan_build(plan, &bags.ids, shape_.rows, ROWMILL_RANGE_ERROR, nullptr));
  }

  const Version& version_;
  Shape shape_;
  Subject& subject_;
  std::vector<rowmill_plan*> plans_;
  rowmill_workspace* workspace_ = nullptr;
  rowmill_optimizer* optimizer_ = nullptr;
};

void add(const Version& before, const Version& after, const Operation& operation, const Shape& shape, IdSource source) {
  const auto body = [&before, &after, &operation, shape, source](benchmark::State& state) {
    Subject subject(operation, shape, batch_count(shape, last_level_cache()));
    subject.set_batches(source);
    Side old_side(before, shape, subject);
    Side new_side(after, shape, subject);
    const std::size_t calls = 1 + (std::size_t{8} << 20) / shape.batch_bytes();
    compare(
        state, "old/new", [&](std::size_t b) { new_side.run(b); }, [&](std::size_t b) { old_side.run(b); },
        subject.batch_count(), 51, calls);
  };
  add_comparison(std::string(operation.name) + "/" + shape.name() + "/" + std::string(name(source)), body);
}

std::vector<Shape> all_shapes() {
  std::vector<Shape> result = shapes(true);
  for (const std::int64_t dim : {16, 32, 64, 100, 128}) result.push_back({9088, dim, 128, 32});
  for (const std::int64_t dim : {16, 32, 128}) result.push_back({1'000'000, dim, 2048, 20});
  return result;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: rowmill_versions_bench OLD.so NEW.so [--benchmark_filter=REGEX] [...]\n");
    return 1;
  }
  const bench::Version before{bench::Library(argv[1])};
  const bench::Version after{bench::Library(argv[2])};
  for (const bench::Operation& operation : bench::kOperations) {
    if (operation.format != rowmill::Format::f32 || !operation.plain()) continue;  // the older version may not have it
    for (const bench::Shape& shape : bench::all_shapes()) {
      for (const bench::IdSource source : bench::kIdSources) bench::add(before, after, operation, shape, source);
    }
  }
  argv[2] = argv[0];
  return bench::run_comparisons(argc - 2, argv + 2);
}
