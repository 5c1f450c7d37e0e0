// SPDX-License-Identifier: Apache-2.0
// The kernel list: every leaf kernel, once. The dispatch table, the tests and the benchmarks are made from it.
//
// A leaf kernel works on the rows it is given: it never threads, allocates, throws or checks. Names are
// <op>_<variant>_<dtype>; the instruction set is the namespace.
#pragma once

#include <cstdint>

#include "kernels/core/cache_level.hpp"
#include "rowmill/weight_decay.hpp"

namespace rowmill {

/// Finds the first id outside [lowest, highest]; `count` if there is none.
template <class Id>
struct FindBadIdArgs {
  const Id* ids;
  std::int64_t count;
  Id lowest;
  Id highest;
};

/// out[i, :] = ids[i] < 0 ? 0 : table[ids[i], :]
template <class Id>
struct GatherArgs {
  const void* table;  ///< this and `out` have the formats of the kernel's name; strides are in elements
  std::int64_t table_stride;
  const Id* ids;
  std::int64_t count;
  void* out;
  std::int64_t out_stride;
  std::int64_t dim;
  CacheLevel ask_into;
  bool streaming;  ///< out and its rows and stride are multiples of 64 bytes; not into bf16 from another format
};

/// for k in order: table[rows[k], :] += values[k, :], rounded to the table's format each time; negative rows are
/// skipped
struct ScatterAddArgs {
  void* table;
  std::int64_t table_stride;
  const std::int64_t* rows;
  std::int64_t count;
  const float* values;
  std::int64_t values_stride;
  std::int64_t dim;
  CacheLevel ask_into;
};

/// out[b, :] = sum of table[ids[i], :] over i from begin[b] to begin[b+1]-1, in that order, starting from the first;
/// negative ids are skipped and not counted; divided by the count if `mean`; zero for a bag without ids. Sums are
/// float32, and rounded once, at the store.
template <class Id>
struct PoolArgs {
  const void* table;  ///< as for GatherArgs
  std::int64_t table_stride;
  const Id* ids;
  const std::int64_t* begin;
  std::int64_t bags;
  void* out;
  std::int64_t out_stride;
  std::int64_t dim;
  CacheLevel ask_into;
  bool near;  ///< to ask half as far ahead: the table is near, and the first level small
  bool mean;
};

/// out[r, :] = in[r, :] / divisors[r]; rows with divisor 0 become zero
struct DivideRowsArgs {
  const float* in;
  std::int64_t in_stride;
  const std::int64_t* divisors;
  std::int64_t rows;
  float* out;
  std::int64_t out_stride;
  std::int64_t dim;
};

/// The gradient rows of one backward pass: row p - (the previous pass's end) of `data`, for positions p below `end`.
struct GradientPass {
  const float* data;
  std::int64_t stride;
  std::int64_t end;
};

/// A row's gradient is summed in blocks of so many contributions; the block sums are then added in order.
inline constexpr std::int64_t kSumBlock = 1024;

/// out = the sum of the gradient rows positions[0 .. count-1], in order, starting from the first. count >= 1.
struct SumBlockArgs {
  const std::int64_t* positions;
  std::int64_t count;
  const GradientPass* passes;
  std::int64_t pass_count;
  std::int64_t dim;
  CacheLevel ask_into;
  float* out;
};

/// Segments of a plan with their gradients: segment s touches rows[s] by positions[begin[s]] ..
/// positions[begin[s+1]-1]. Its gradient is the sum of its contributions in order, in blocks of `block`, block sums
/// then added in order.
struct SegmentArgs {
  const std::int64_t* rows;
  const std::int64_t* begin;
  const std::int64_t* positions;
  std::int64_t count;
  std::int64_t block;
  const GradientPass* passes;
  std::int64_t pass_count;
  std::int64_t dim;
  CacheLevel ask_into;
  bool near_gradients;        ///< not to be asked for where rows are asked into the second level: they are nearer
  float* scratch;             ///< 2 * dim floats: a gradient; and a row of weights, of the scalar reference alone
  const float* mean_squares;  ///< of each gradient row, for row-wise optimizers without l2; null: not known
};

/// for each segment: table[row, :] = ((table[row, :] + its first contribution) + its second) + ..., in order. Of the
/// segments, `block`, `near_gradients`, `scratch` and `mean_squares` are not used.
struct ScatterAddSegmentsArgs {
  SegmentArgs segments;
  void* table;
  std::int64_t table_stride;
};

/// out[p] = sum(g * g) / dim of gradient row p, for p in begin .. end-1: sums across columns as in docs/numerics.md
struct MeanSquaresArgs {
  const GradientPass* passes;
  std::int64_t pass_count;
  std::int64_t begin;
  std::int64_t end;
  std::int64_t dim;
  float* out;
};

/// What every optimizer's update has.
struct UpdateArgs {
  SegmentArgs segments;
  void* weights;  ///< of the kernel's format
  std::int64_t stride;
  WeightDecay decay;
  float decay_factor;  ///< l2: weight_decay; decoupled: 1 - lr * weight_decay
};

struct SgdArgs {
  UpdateArgs update;
  float* buffer;  ///< rows x dim; null without momentum
  float learning_rate;
  float momentum;
  bool nesterov;
};

/// The accumulator is rows x dim, or one value a row when row-wise.
struct AdagradArgs {
  UpdateArgs update;
  float* accumulator;
  float learning_rate;
  float epsilon;
};

/// What a step of Adam computes once, in double, and rounds to float.
struct AdamScalars {
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float step_size;         ///< lr / (1 - beta1^t)
  float inverse_sqrt_bc2;  ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
};

/// m is rows x dim; v is rows x dim, or one value a row when partially row-wise.
struct AdamArgs {
  UpdateArgs update;
  float* m;
  float* v;
  AdamScalars scalars;
};

/// table[r, c] = min(low + width * u, most) for rows first_row .. first_row + rows - 1 (see
/// include/rowmill/random.hpp).
struct FillUniformArgs {
  float* data;
  std::int64_t stride;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t dim;
  std::uint32_t key[2];
  std::uint32_t step;
  float low;
  float width;
  float most;
};

template <class Args>
using Kernel = void(const Args&);
template <class Id>
using FindBadId = std::int64_t(const FindBadIdArgs<Id>&);

// X(name, type of the function)
#define ROWMILL_KERNEL_LIST(X)                                 \
  X(find_bad_id_i32, FindBadId<std::int32_t>)                  \
  X(find_bad_id_i64, FindBadId<std::int64_t>)                  \
  X(gather_f32_i32, Kernel<GatherArgs<std::int32_t>>)          \
  X(gather_f32_i64, Kernel<GatherArgs<std::int64_t>>)          \
  X(gather_bf16_i32, Kernel<GatherArgs<std::int32_t>>)         \
  X(gather_bf16_i64, Kernel<GatherArgs<std::int64_t>>)         \
  X(gather_bf16_to_f32_i32, Kernel<GatherArgs<std::int32_t>>)  \
  X(gather_bf16_to_f32_i64, Kernel<GatherArgs<std::int64_t>>)  \
  X(gather_f32_to_bf16_i32, Kernel<GatherArgs<std::int32_t>>)  \
  X(gather_f32_to_bf16_i64, Kernel<GatherArgs<std::int64_t>>)  \
  X(pool_f32_i32, Kernel<PoolArgs<std::int32_t>>)              \
  X(pool_f32_i64, Kernel<PoolArgs<std::int64_t>>)              \
  X(pool_bf16_i32, Kernel<PoolArgs<std::int32_t>>)             \
  X(pool_bf16_i64, Kernel<PoolArgs<std::int64_t>>)             \
  X(pool_bf16_to_f32_i32, Kernel<PoolArgs<std::int32_t>>)      \
  X(pool_bf16_to_f32_i64, Kernel<PoolArgs<std::int64_t>>)      \
  X(divide_rows_f32, Kernel<DivideRowsArgs>)                   \
  X(scatter_add_f32, Kernel<ScatterAddArgs>)                   \
  X(scatter_add_bf16, Kernel<ScatterAddArgs>)                  \
  X(scatter_add_segments_f32, Kernel<ScatterAddSegmentsArgs>)  \
  X(scatter_add_segments_bf16, Kernel<ScatterAddSegmentsArgs>) \
  X(sum_block_f32, Kernel<SumBlockArgs>)                       \
  X(mean_squares_f32, Kernel<MeanSquaresArgs>)                 \
  X(sgd_f32, Kernel<SgdArgs>)                                  \
  X(sgd_bf16, Kernel<SgdArgs>)                                 \
  X(adagrad_f32, Kernel<AdagradArgs>)                          \
  X(adagrad_bf16, Kernel<AdagradArgs>)                         \
  X(row_wise_adagrad_f32, Kernel<AdagradArgs>)                 \
  X(row_wise_adagrad_bf16, Kernel<AdagradArgs>)                \
  X(adam_f32, Kernel<AdamArgs>)                                \
  X(adam_bf16, Kernel<AdamArgs>)                               \
  X(partial_row_wise_adam_f32, Kernel<AdamArgs>)               \
  X(partial_row_wise_adam_bf16, Kernel<AdamArgs>)              \
  X(fill_uniform_f32, Kernel<FillUniformArgs>)

/// The kernels of one instruction set.
struct KernelTable {
  const char* isa;
#define ROWMILL_KERNEL_FIELD(name, type) type* name;
  ROWMILL_KERNEL_LIST(ROWMILL_KERNEL_FIELD)
#undef ROWMILL_KERNEL_FIELD
};

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
#define ROWMILL_DECLARE_KERNEL(name, type) type name;
ROWMILL_KERNEL_LIST(ROWMILL_DECLARE_KERNEL)
#undef ROWMILL_DECLARE_KERNEL
}  // namespace rowmill::ROWMILL_ISA
#endif
