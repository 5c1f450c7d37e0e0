// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/delta.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include "io/checkpoint/saved_state.hpp"
#include "io/safetensors/save.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/table/rows.hpp"
#include "kernels/table/uninitialized.hpp"

namespace rowmill::io {
namespace {

constexpr std::string_view kPrevious = "rowmill.delta.previous";
constexpr std::string_view kNumber = "rowmill.delta.number";
constexpr std::string_view kRows = "rows";

FileError bad(const CheckpointFile& file, const std::string& what) {
  return {ErrorCode::bad_file, file.file().path(), FileError::kNowhere, what};
}

/// Copies of the rows, in their order.
Table rows_of(const ConstTableView& table, std::span<const std::int64_t> rows) {
  Table copy = uninitialized_table(static_cast<std::int64_t>(rows.size()), table.dim(), {.format = table.format()});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(row_address(copy.view(), static_cast<std::int64_t>(i)), row_address(table, rows[i]),
                static_cast<std::size_t>(row_bytes(table)));
  }
  return copy;
}

/// What one delta has of a table: checked, and not yet applied.
struct Change {
  SavedState saved;
  std::vector<std::int64_t> rows;
};

Change change_of(const CheckpointFile& file, std::string_view name, const TableView& table, Optimizer* optimizer) {
  Change change{.saved = saved_state(file, name, table, optimizer),
                .rows = file.values<std::int64_t>(joined(name, kRows))};
  const auto count = static_cast<std::int64_t>(change.rows.size());
  for (std::size_t i = 0; i < change.rows.size(); ++i) {
    const std::int64_t row = change.rows[i];
    if (row < 0 || row >= table.rows() || (i > 0 && row <= change.rows[i - 1])) {
      throw bad(file, "tensor '" + joined(name, kRows) + "': row " + std::to_string(row) +
                          " is out of order, or not of the table's " + std::to_string(table.rows()) + " rows");
    }
  }
  for (const Target& target : change.saved.targets) {
    if (target.tensor->shape[0] != count) {
      throw bad(file, "tensor '" + target.tensor->name + "' has " + std::to_string(target.tensor->shape[0]) +
                          " rows; expected " + std::to_string(count) + ", one for each of '" + joined(name, kRows) +
                          "'");
    }
  }
  return change;
}

void apply(const CheckpointFile& file, const Change& change, Optimizer* optimizer) {
  set_progress(change.saved, optimizer);
  for (const Target& target : change.saved.targets) {
    Table saved = file.file().load_table(target.tensor->name);
    const auto bytes = static_cast<std::size_t>(row_bytes(saved));
    for (std::size_t i = 0; i < change.rows.size(); ++i) {
      std::memcpy(row_address(target.rows, change.rows[i]), row_address(saved.view(), static_cast<std::int64_t>(i)),
                  bytes);
    }
  }
}

}  // namespace

TouchedRows::TouchedRows(std::int64_t rows) : rows_(rows) {
  if (rows < 0) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: touched rows: a table of " + std::to_string(rows) + " rows; expected 0 or more");
  }
  bits_.resize(static_cast<std::size_t>((rows + 63) / 64));
}

void TouchedRows::mark(const Plan& plan) {
  if (plan.rows() != rows_) {
    throw Error(ErrorCode::shape_mismatch, "rowmill: touched rows: the plan is for a table of " +
                                               std::to_string(plan.rows()) + " rows; expected " +
                                               std::to_string(rows_));
  }
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    for (const std::int64_t row : plan.shard(s).rows) set(row);
  }
}

void TouchedRows::mark(Ids ids) {
  check_ids_pointer("touched rows", ids);
  check_ids("touched rows", ids, rows_, OutOfRange::error, {});
  for (std::int64_t i = 0; i < ids.size(); ++i) set(ids[i]);
}

void TouchedRows::mark_all() {
  for (std::int64_t row = 0; row < rows_; ++row) set(row);
}

void TouchedRows::clear() { std::ranges::fill(bits_, 0); }

std::vector<std::int64_t> TouchedRows::touched() const {
  std::vector<std::int64_t> rows;
  for (std::size_t word = 0; word < bits_.size(); ++word) {
    for (std::uint64_t bits = bits_[word]; bits != 0; bits &= bits - 1) {
      rows.push_back(static_cast<std::int64_t>(word) * 64 + std::countr_zero(bits));
    }
  }
  return rows;
}

ChainLink chain_link(const CheckpointFile& file) {
  const Metadata& metadata = file.file().metadata();
  const auto base = metadata.find(std::string(kDeltaBase));
  if (base == metadata.end()) return {.base = file.checksum(), .checksum = file.checksum(), .number = 0};
  ChainLink link{.base = base->second, .checksum = file.checksum(), .number = 0};
  const auto number = metadata.find(std::string(kNumber));
  const std::string text = number == metadata.end() ? "" : number->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), link.number);
  if (error != std::errc() || end != text.data() + text.size() || link.number < 1 ||
      !metadata.contains(std::string(kPrevious))) {
    throw bad(file, "does not say its place in a chain: " + std::string(kNumber) + " is '" + text + "'");
  }
  return link;
}

DeltaContents& DeltaContents::add(const std::string& name, const ConstTableView& table, const TouchedRows& touched,
                                  const Optimizer* optimizer) {
  check_view("save_delta", name, table);
  check_has_columns("save_delta", name, table);
  check_shape("save_delta", name, table, touched.rows(), table.dim(), "the rows that were marked x the table's dim");
  if (optimizer != nullptr) check_states("save_delta", name, table, *optimizer);
  SafetensorsContents tensors = tensors_;  // all of them are added, or none
  const std::vector<std::int64_t>& rows = integers_.emplace_back(touched.touched());
  tensors.add(joined(name, kRows), rows);
  tensors.add(name, rows_.emplace_back(rows_of(table, rows)));
  if (optimizer == nullptr) {
    tensors_ = std::move(tensors);
    return *this;
  }
  for (const ConstTableView& state : optimizer->state()) {
    tensors.add(joined(name, part_of(state.name())), rows_.emplace_back(rows_of(state, rows)));
  }
  const OptimizerProgress progress = optimizer->progress();
  tensors.add(joined(name, "step"), integers_.emplace_back(1, progress.step_count));
  if (progress.beta1_power && progress.beta2_power) {
    tensors.add(joined(name, "beta_powers"),
                numbers_.emplace_back(std::vector{*progress.beta1_power, *progress.beta2_power}));
  }
  tensors.add(joined(name, "learning_rate"), numbers_.emplace_back(1, optimizer->learning_rate()));
  tensors_ = std::move(tensors);
  describe_optimizer(name, *optimizer, optimizers_);
  return *this;
}

ChainLink save_delta(const std::filesystem::path& path, const DeltaContents& contents, const ChainLink& previous,
                     const SaveOptions& options) {
  if (previous.base.empty() || previous.checksum.empty() || previous.number < 0) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: save_delta: previous is no link of a chain: chain_link() and save_delta() return some");
  }
  SafetensorsContents all = contents.tensors_;
  all.metadata = contents.optimizers_;
  all.metadata[std::string(kDeltaBase)] = previous.base;
  all.metadata[std::string(kPrevious)] = previous.checksum;
  all.metadata[std::string(kNumber)] = std::to_string(previous.number + 1);
  return {.base = previous.base, .checksum = save_with_checksums(path, all, options), .number = previous.number + 1};
}

void restore_chain(std::span<const std::filesystem::path> files, std::string_view name, const TableView& table,
                   Optimizer* optimizer) {
  if (files.empty()) throw Error(ErrorCode::invalid_argument, "rowmill: restore_chain: no files were given");
  const CheckpointFile base(files[0]);
  ChainLink last = chain_link(base);
  if (last.number != 0) throw bad(base, "is delta " + std::to_string(last.number) + "; expected the base of a chain");

  std::vector<std::unique_ptr<CheckpointFile>> deltas;
  std::vector<Change> changes;
  for (const std::filesystem::path& path : files.subspan(1)) {
    const CheckpointFile& delta = *deltas.emplace_back(std::make_unique<CheckpointFile>(path));
    const ChainLink link = chain_link(delta);
    if (link.number == 0) throw bad(delta, "is a whole checkpoint; expected a delta");
    if (link.base != last.base) {
      throw bad(delta, "belongs to the chain of " + link.base + "; expected that of " + last.base);
    }
    if (delta.file().metadata().at(std::string(kPrevious)) != last.checksum) {
      throw bad(delta, "is delta " + std::to_string(link.number) +
                           " of its chain and does not follow the file before it, "
                           "number " +
                           std::to_string(last.number));
    }
    changes.push_back(change_of(delta, name, table, optimizer));
    last = link;
  }
  base.restore(name, table, optimizer);
  for (std::size_t i = 0; i < changes.size(); ++i) apply(*deltas[i], changes[i], optimizer);
}

}  // namespace rowmill::io
