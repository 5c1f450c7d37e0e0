// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/checkpoint.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "io/file/transfer.hpp"
#include "io/safetensors/save.hpp"
#include "kernels/core/checks.hpp"

namespace rowmill::io {
namespace {

constexpr std::string_view kOwn = "rowmill.";
constexpr std::string_view kOptimizer = "rowmill.optimizer.";

std::string joined(std::string_view name, std::string_view part) { return std::string(name).append(".").append(part); }

/// "m" of the state "words.m", or "m".
std::string_view part_of(std::string_view state_name) {
  const std::size_t dot = state_name.rfind('.');
  return dot == std::string_view::npos ? state_name : state_name.substr(dot + 1);
}

FileError bad(const SafetensorsFile& file, const std::string& what, std::int64_t offset = FileError::kNowhere) {
  return {ErrorCode::bad_file, file.path(), offset, what};
}

/// The first `rows` rows.
TableView head(const TableView& table, std::int64_t rows) {
  return {table.bytes(), table.format(), rows, table.dim(), table.row_stride(), table.name()};
}

/// A tensor of the file, and the rows that it is to be read into.
struct Target {
  const TensorInfo* tensor;
  TableView rows;
};

/// What a tensor is to be read into: a table of its dim and format, and at least as many rows.
Target target(const SafetensorsFile& file, const std::string& name, const TableView& table) {
  constexpr std::string_view kOp = "restore";
  check_writable(kOp, name, table);
  const TensorInfo& tensor = file.tensor(name);
  check_format(kOp, name, table, {file.table_format(tensor)});
  const std::int64_t saved_rows = tensor.shape[0];
  if (table.rows() < saved_rows)
    check_shape(kOp, name, table, saved_rows, tensor.shape[1], "what was saved, or more rows");
  check_shape(kOp, name, table, table.rows(), tensor.shape[1], "the rows of the table x the dim that was saved");
  return {&tensor, head(table, saved_rows)};
}

/// One number of a tensor.
template <class T>
T number(const SafetensorsFile& file, const std::string& name, std::size_t index, std::size_t count) {
  const std::vector<T> values = file.load<T>(name);
  if (values.size() == count) return values[index];
  throw bad(file, "tensor '" + name + "' holds " + std::to_string(values.size()) + " numbers; expected " +
                      std::to_string(count));
}

}  // namespace

CheckpointContents& CheckpointContents::add(const std::string& name, const ConstTableView& table,
                                            const Optimizer* optimizer) {
  tensors_.add(name, table);
  if (optimizer == nullptr) return *this;
  for (const ConstTableView& state : optimizer->state()) tensors_.add(joined(name, part_of(state.name())), state);
  const OptimizerProgress progress = optimizer->progress();
  tensors_.add(joined(name, "step"), std::span<const std::int64_t>(&steps_.emplace_back(progress.step_count), 1));
  if (progress.beta1_power && progress.beta2_power) {
    tensors_.add(
        joined(name, "beta_powers"),
        std::span<const double>(powers_.emplace_back(std::array{*progress.beta1_power, *progress.beta2_power})));
  }
  tensors_.add(joined(name, "learning_rate"),
               std::span<const double>(&rates_.emplace_back(optimizer->learning_rate()), 1));
  optimizers_.emplace(std::string(kOptimizer) + name, optimizer->name());
  return *this;
}

CheckpointContents& CheckpointContents::add_words(const std::string& name, const Vocabulary& words) {
  tensors_.add_words(name, words);
  return *this;
}
CheckpointContents& CheckpointContents::add_values(const std::string& name, std::span<const std::int64_t> values) {
  tensors_.add(name, values);
  return *this;
}
CheckpointContents& CheckpointContents::add_values(const std::string& name, std::span<const double> values) {
  tensors_.add(name, values);
  return *this;
}

std::string save_checkpoint(const std::filesystem::path& path, const CheckpointContents& contents,
                            const SaveOptions& options) {
  SafetensorsContents all = contents.tensors_;
  all.metadata = contents.optimizers_;
  for (const auto& [key, value] : contents.metadata) {
    if (key.starts_with(kOwn)) {
      throw Error(ErrorCode::invalid_argument,
                  "rowmill: save_checkpoint: the metadata key '" + key + "' begins with \"rowmill.\", which is taken");
    }
    all.metadata.emplace(key, value);
  }
  return save_with_checksums(path, all, options);
}

CheckpointFile::CheckpointFile(const std::filesystem::path& path) : file_(path) {
  const auto found = file_.metadata().find(std::string(kFileChecksum));
  if (found == file_.metadata().end()) throw bad(file_, "is no checkpoint: it has no checksum");
  checksum_ = found->second;
  if (const std::string actual = file_checksum(file_.tensors(), file_.metadata()); actual != checksum_) {
    throw bad(file_, "the header is damaged: its checksum is " + actual + "; expected " + checksum_, 0);
  }
  for (const TensorInfo& tensor : file_.tensors()) {
    if (!file_.metadata().contains(std::string(kTensorChecksum) + tensor.name)) {
      throw bad(file_, "tensor '" + tensor.name + "' has no checksum");
    }
  }
}

void CheckpointFile::check(std::string_view name) const {
  const Progress none;
  ProgressCount progress(none, 0);
  file_.check(name, progress);
}

Table CheckpointFile::load_table(std::string_view name) const {
  check(name);
  return file_.load_table(name);
}

void CheckpointFile::restore(std::string_view name, const TableView& table, Optimizer* optimizer) const {
  std::vector<Target> targets = {target(file_, std::string(name), table)};
  std::vector<ConstTableView> state;
  OptimizerProgress progress;
  double learning_rate = 0;
  if (optimizer != nullptr) {
    const auto saved = file_.metadata().find(std::string(kOptimizer).append(name));
    if (saved == file_.metadata().end() || saved->second != optimizer->name()) {
      throw bad(file_, "table '" + std::string(name) + "' was saved with " +
                           (saved == file_.metadata().end() ? "no optimizer" : "optimizer '" + saved->second + "'") +
                           "; expected '" + std::string(optimizer->name()) + "'");
    }
    for (const TableView& view : optimizer->state()) {
      const std::string tensor = joined(name, part_of(view.name()));
      targets.push_back(target(file_, tensor, view));
      state.emplace_back(view);
      check(tensor);
    }
    const std::string step = joined(name, "step");
    const std::string powers = joined(name, "beta_powers");
    const std::string rate = joined(name, "learning_rate");
    check(step);
    check(rate);
    progress.step_count = number<std::int64_t>(file_, step, 0, 1);
    learning_rate = number<double>(file_, rate, 0, 1);
    const bool keeps_powers = optimizer->progress().beta1_power.has_value();
    if (keeps_powers != (file_.find(powers) != nullptr)) {
      throw bad(file_, std::string(keeps_powers ? "lacks" : "has") + " tensor '" + powers + "'");
    }
    if (keeps_powers) {
      check(powers);
      progress.beta1_power = number<double>(file_, powers, 0, 2);
      progress.beta2_power = number<double>(file_, powers, 1, 2);
    }
  }
  check(name);

  // The optimizer's views are its own memory: restoring them sets the progress alone, and so can be tried first.
  if (optimizer != nullptr) {
    const double old_rate = optimizer->learning_rate();
    optimizer->set_learning_rate(learning_rate);
    try {
      optimizer->restore(progress, state);
    } catch (...) {
      optimizer->set_learning_rate(old_rate);
      throw;
    }
  }
  for (const Target& wanted : targets) file_.read_head(*wanted.tensor, wanted.rows);
}

}  // namespace rowmill::io
