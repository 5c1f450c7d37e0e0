// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ceiling_plans.hpp"

namespace bench {

enum class Operation {
  gather,
  gather_int64,
  pool,  ///< the sum of each bag
  scatter_add,
  sgd,
  adagrad,
  row_wise_adagrad,
  adam,
  pooled_sgd,  ///< a step whose gradient has a row for each bag
  pooled_row_wise_adagrad,
  plan,       ///< what a step needs to know of its ids
  plan_bags,  ///< the same of bags, for a pooled step
};
inline constexpr Operation kOperations[] = {Operation::gather,
                                            Operation::gather_int64,
                                            Operation::pool,
                                            Operation::scatter_add,
                                            Operation::sgd,
                                            Operation::adagrad,
                                            Operation::row_wise_adagrad,
                                            Operation::adam,
                                            Operation::pooled_sgd,
                                            Operation::pooled_row_wise_adagrad,
                                            Operation::plan,
                                            Operation::plan_bags};
[[nodiscard]] std::string_view name(Operation operation);
[[nodiscard]] bool is_gather(Operation operation);
/// Whether the operation is a lookup: it reads the table and writes an output.
[[nodiscard]] bool is_lookup(Operation operation);
[[nodiscard]] bool is_plan(Operation operation);
/// Whether the output, or the gradient, has a row for each bag instead of for each id; a plan, of bags.
[[nodiscard]] bool is_pooled(Operation operation);
/// The state tables, as large as the weights, that the operation reads and writes beside them.
[[nodiscard]] int state_count(Operation operation);
/// Whether the operation reads and writes one value a row besides.
[[nodiscard]] bool has_row_state(Operation operation);

/// What the library and the ceiling both work on: the same ids and the same memory.
struct Problem {
  Operation operation;
  float* weights;
  float* states[2];
  float* row_state;
  std::int64_t rows;
  std::int64_t dim;
  std::int64_t length;  ///< the ids of a bag
  const std::vector<std::vector<std::int32_t>>* batches;
  /// For each batch, a row for each id or bag: the gradients of an update, or the one output of all lookups.
  std::vector<float*> buffers;
};

/// The bytes that one batch must move, however it is done. With n ids, of which u are distinct, in b bags, and rows of
/// d floats:
///
///     gather        4 d (n + n)            each row read, each output row written
///     pool          4 d (n + b)            each row read, each bag's row written
///     scatter_add   4 d (n + 2 u)          each value read once; each touched row read and written once
///     sgd           4 d (n + 2 u)          the same, with gradients for values
///     adagrad       4 d (n + 2 u + 2 u)    and the accumulator; row-wise: 8 u for the accumulator
///     adam          4 d (n + 2 u + 4 u)    and both moments
///     pooled steps  b for n
///     plan          4 (2 n + u)            each id read; each position and each distinct row written
[[nodiscard]] double useful_bytes(Operation operation, const std::vector<std::int32_t>& batch, std::int64_t dim,
                                  std::int64_t length);

/// A fixed set of plain loops that move a problem's useful bytes. The best of them, in the run that measures the
/// library, is the operation's ceiling. Who does which rows of an update is planned in the constructor, outside the
/// timing: planning has a ceiling of its own.
class Ceiling {
 public:
  struct Loop {
    std::string name;
    std::function<void(std::size_t batch)> run;
    const std::vector<PlannedPart>* plan = nullptr;  // what it made last, if it plans
  };

  /// For use inside a task arena of `threads` threads. dim must be a multiple of 16. `problem` must outlive this.
  Ceiling(const Problem& problem, int threads);
  ~Ceiling();
  Ceiling(const Ceiling&) = delete;
  Ceiling& operator=(const Ceiling&) = delete;

  [[nodiscard]] const std::vector<Loop>& loops() const { return loops_; }

 private:
  struct Plan;
  struct Split;
  void add_gathers(const Split& split);
  void add_pools(const Split& split);
  void add_updates(const Split& split);
  void add_plans(const Split& split);

  const Problem& problem_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<std::unique_ptr<std::vector<PlannedPart>>> planned_;
  std::vector<Loop> loops_;
};

/// The instruction set of the loops.
[[nodiscard]] std::string_view ceiling_isa();

/// Runs every loop on a small problem and compares with the obvious one. Returns what is wrong, or nothing.
[[nodiscard]] std::string check_ceiling();

}  // namespace bench
