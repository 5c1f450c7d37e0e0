// SPDX-License-Identifier: Apache-2.0
// convert(): widening and narrowing as gathers of all rows, quantising in blocks, and conversion in place.
#include "rowmill/convert.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/convert/row_scale.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/gather/gather_formats.hpp"
#include "kernels/table/copy_rows.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "convert";

/// Whether convert() takes these formats: either both are floats or quantised, or both are floats or f64, or they are
/// equal.
bool are_converted(Format from, Format to) {
  if (from == to) return true;
  const auto is_lookup = [](Format format) { return is_float(format) || is_quantized(format); };
  const auto is_real = [](Format format) { return is_float(format) || format == Format::f64; };
  return (is_lookup(from) && is_lookup(to)) || (is_real(from) && is_real(to));
}

void check_convertible(const ConstTableView& from, const ConstTableView& to) {
  if (are_converted(from.format(), to.format())) return;
  std::string names;
  for (int f = 0; element_size(Format(f)) > 0; ++f) {
    if (Format(f) == from.format() || !are_converted(from.format(), Format(f))) continue;
    names.append(names.empty() ? "" : ", ").append(format_name(Format(f)));
  }
  const std::string format(format_name(from.format()));
  throw Error(ErrorCode::invalid_argument, "rowmill: convert: " + describe("from", from) + " has format " + format +
                                               " and " + describe("to", to) + " has format " +
                                               std::string(format_name(to.format())) + "; " + format +
                                               " can be converted into " + (names.empty() ? "no other" : names));
}

/// The most rows that are converted at a time.
constexpr std::int64_t kMaxBlock = 256;

/// About how much memory rows go through that are converted in place and have no room to be converted directly.
constexpr std::int64_t kStagedBytes = std::int64_t{1} << 20;

/// The ids 0, 1, 2, ...: a conversion is a gather of all rows.
constexpr std::array<std::int64_t, kMaxBlock> kOwnRows = [] {
  std::array<std::int64_t, kMaxBlock> ids{};
  for (std::int64_t i = 0; i < kMaxBlock; ++i) ids[static_cast<std::size_t>(i)] = i;
  return ids;
}();

/// Converts rows begin .. end-1 to f32, bf16 or f16.
void widen(const ConstTableView& from, std::int64_t begin, std::int64_t end, void* out, Format to,
           std::int64_t out_stride) {
  Kernel<GatherArgs<std::int64_t>>* const kernel = gather_kernels(from.format(), to).i64;
  const PrefetchArgs prefetch = prefetch_for_gather(from);
  for (std::int64_t r = begin; r < end; r += kMaxBlock) {
    kernel({.table = row_address(from, r),
            .table_stride = from.row_stride(),
            .ids = kOwnRows.data(),
            .count = std::min(kMaxBlock, end - r),
            .out = static_cast<std::byte*>(out) + (r - begin) * out_stride * element_size(to),
            .out_stride = out_stride,
            .dim = from.dim(),
            .prefetch = prefetch,
            .streaming = false,
            .to = to});
  }
}

Kernel<QuantizeArgs>* quantize_kernel(Format to) {
  const KernelTable& k = kernels();
  return to == Format::int8   ? k.quantize_f32_to_int8
         : to == Format::int4 ? k.quantize_f32_to_int4
                              : k.quantize_f32_to_int2;
}

/// Whether a row whose smallest and largest values are low and high has a finite scale and bias in the format `to`.
bool fits(Format to, float low, float high) {
  const RowScale scale = to == Format::int8   ? row_scale<8>(low, high)
                         : to == Format::int4 ? row_scale<4>(low, high)
                                              : row_scale<2>(low, high);
  return std::isfinite(scale.scale) && std::isfinite(scale.bias);
}

/// Quantises rows of floats, a block at a time: those of `from` itself, or rows that it first widens into scratch
/// memory.
class Quantizer {
 public:
  Quantizer(const ConstTableView& from, const TableView& to, Workspace& workspace) : from_(from), to_(to) {
    constexpr std::int64_t kBlockFloats = 8192;  // of the first-level cache
    block_ = std::clamp<std::int64_t>(kBlockFloats / from.dim(), 1, kMaxBlock);
    threads_ = concurrency_for(from.rows() * (row_bytes(from) + row_bytes(to)));
    constexpr std::int64_t kTasksPerThread = 4;
    const std::int64_t tasks = threads_ == 1 ? 1 : std::min(kTasksPerThread * threads_, from.rows());
    rows_each_ = (from.rows() + tasks - 1) / tasks;
    if (from.format() == Format::f32) return;
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(tasks * block_ * std::int64_t{sizeof(float)}, from.dim(), &bytes)) {
      throw Error(ErrorCode::out_of_memory, "rowmill: convert: " + describe("from", from) + " has too long rows");
    }
    workspace.reserve(static_cast<std::size_t>(bytes), kOp);
    scratch_ = reinterpret_cast<float*>(workspace.data());
  }

  /// The lowest row that can't be quantised; rows() if all can.
  [[nodiscard]] std::int64_t find_bad_row() const {
    std::atomic<std::int64_t> first{from_.rows()};
    const KernelTable& k = kernels();
    for_each_block([&](const float* in, std::int64_t stride, std::int64_t begin, std::int64_t rows) {
      if (begin >= first.load(std::memory_order_relaxed)) return;
      float low[kMaxBlock];
      float high[kMaxBlock];
      k.row_ranges_f32({in, stride, rows, from_.dim(), low, high});
      for (std::int64_t r = 0; r < rows; ++r) {
        if (fits(to_.format(), low[r], high[r])) continue;
        std::int64_t lowest = first.load(std::memory_order_relaxed);
        while (begin + r < lowest && !first.compare_exchange_weak(lowest, begin + r)) {
        }
        return;
      }
    });
    return first.load();
  }

  void run() const {
    Kernel<QuantizeArgs>* const kernel = quantize_kernel(to_.format());
    for_each_block([&](const float* in, std::int64_t stride, std::int64_t begin, std::int64_t rows) {
      auto* const out = reinterpret_cast<std::uint8_t*>(row_address(to_, begin));
      kernel({in, stride, out, to_.row_stride(), rows, from_.dim()});
    });
  }

  [[noreturn]] void refuse(std::int64_t bad) const {
    const FpEnvironment environment;
    const float* const row = floats(scratch_, bad, 1);
    const std::string start = "rowmill: convert: " + describe("from", from_) + " has ";
    const std::string format(format_name(to_.format()));
    for (std::int64_t c = 0; c < from_.dim(); ++c) {
      if (std::isfinite(row[c])) continue;
      throw Error(ErrorCode::invalid_argument, start + to_text(row[c]) + " in row " + std::to_string(bad) +
                                                   ", column " + std::to_string(c) + "; " + format +
                                                   " holds finite values only");
    }
    const auto [low, high] = std::minmax_element(row, row + from_.dim());
    throw Error(ErrorCode::invalid_argument,
                start + "values from " + to_text(*low) + " to " + to_text(*high) + " in row " + std::to_string(bad) +
                    ", columns " + std::to_string(low - row) + " and " + std::to_string(high - row) + "; " + format +
                    (to_.format() == Format::int8 ? " needs a difference that is a finite float32"
                                                  : " needs a scale and a bias that are finite in float16"));
  }

 private:
  /// Rows from `begin` on, as floats: those of `from`, or widened into `scratch`.
  const float* floats(float* scratch, std::int64_t begin, std::int64_t rows) const {
    if (scratch == nullptr) return from_.data() + begin * from_.row_stride();
    widen(from_, begin, begin + rows, scratch, Format::f32, from_.dim());
    return scratch;
  }

  template <class Task>
  void for_each_block(Task task) const {
    parallel_chunks(threads_, from_.rows(), rows_each_, [&](std::int64_t begin, std::int64_t end) {
      float* const scratch = scratch_ == nullptr ? nullptr : scratch_ + begin / rows_each_ * block_ * from_.dim();
      for (std::int64_t r = begin; r < end; r += block_) {
        const std::int64_t rows = std::min(block_, end - r);
        task(floats(scratch, r, rows), scratch == nullptr ? from_.row_stride() : from_.dim(), r, rows);
      }
    });
  }

  const ConstTableView& from_;
  const TableView& to_;
  std::int64_t block_, threads_, rows_each_;
  float* scratch_ = nullptr;
};

/// Converts all or some rows of a table into memory that they do not share. The caller has checked that rows to
/// quantise fit, and the workspace has room already: so nothing fails.
void convert_apart(const ConstTableView& from, const TableView& to, Workspace& workspace) {
  if (from.format() == to.format()) return copy_rows(from, to);
  if (is_exact(from.format()) || is_exact(to.format())) return exact::convert(from, to);
  if (is_quantized(to.format())) return Quantizer(from, to, workspace).run();
  const std::int64_t traffic_each = row_bytes(from) + row_bytes(to);
  const std::int64_t threads = concurrency_for(from.rows() * traffic_each);
  parallel_chunks(threads, from.rows(), rows_per_task(from.rows(), traffic_each, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    widen(from, begin, end, row_address(to, begin), to.format(), to.row_stride());
                  });
}

/// Both views begin at one byte, and rows of `to` are no further apart than those of `from`. Rows begin .. end-1 can be
/// converted directly if the new rows end before the old row `begin`: end * stride of `to` <= begin * stride of `from`.
/// So each block can be a fixed ratio larger than all blocks before it. The first rows have no such room, and with
/// equal strides no row has: these go through `staged`, a block at a time.
void convert_in_place(const ConstTableView& from, const TableView& to, const TableView& staged, Workspace& workspace) {
  const bool narrows = from.rows() > 1 && stride_bytes(to) < stride_bytes(from);
  std::int64_t end = 0;
  for (std::int64_t begin = 0; begin < from.rows(); begin = end) {
    const std::int64_t apart =
        narrows ? std::min(from.rows(), begin * stride_bytes(from) / stride_bytes(to)) - begin : 0;
    if (apart >= staged.rows()) {
      end = begin + apart;
      convert_apart(some_rows(from, begin, apart), some_rows(to, begin, apart), workspace);
      continue;
    }
    end = std::min(from.rows(), begin + staged.rows());
    const TableView block = some_rows(staged, 0, end - begin);
    convert_apart(some_rows(from, begin, end - begin), block, workspace);
    copy_rows(block, some_rows(to, begin, end - begin));
  }
}

}  // namespace

void convert(const ConstTableView& from, const TableView& to, Workspace* workspace) {
  check_view(kOp, "from", from);
  check_writable(kOp, "to", to);
  check_convertible(from, to);
  check_shape(kOp, "to", to, from.rows(), from.dim(), "as `from`");
  const bool in_place = to.bytes() == from.bytes() && (from.rows() <= 1 || stride_bytes(to) <= stride_bytes(from));
  if (!in_place) check_disjoint(kOp, "to", to, "from", from);
  (void)kernels();  // throws if ROWMILL_ISA is wrong, which a task may not
  if (from.rows() == 0 || from.dim() == 0) return;
  if (in_place && from.format() == to.format() && from.row_stride() == to.row_stride()) return;

  Workspace own;
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  Workspace staging;
  const std::int64_t block = std::clamp<std::int64_t>(kStagedBytes / row_bytes(to), 1, from.rows());
  if (in_place) staging.reserve(static_cast<std::size_t>(block * row_bytes(to)), kOp);
  if (is_quantized(to.format()) && from.format() != to.format()) {
    const Quantizer quantizer(from, to, scratch);
    if (const std::int64_t bad = quantizer.find_bad_row(); bad < from.rows()) quantizer.refuse(bad);
  }
  if (!in_place) return convert_apart(from, to, scratch);
  convert_in_place(from, to,
                   {staging.data(), to.format(), block, to.dim(), row_elements(to.format(), to.dim()), to.name()},
                   scratch);
}

}  // namespace rowmill
