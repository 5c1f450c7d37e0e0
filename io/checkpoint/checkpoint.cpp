// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/checkpoint.hpp"

#include <utility>

#include "io/checkpoint/saved_state.hpp"
#include "io/file/transfer.hpp"
#include "io/safetensors/save.hpp"
#include "kernels/core/checks.hpp"

namespace rowmill::io {
namespace {

constexpr std::string_view kOwn = "rowmill.";

FileError bad(const SafetensorsFile& file, const std::string& what, std::int64_t offset = FileError::kNowhere) {
  return {ErrorCode::bad_file, file.path(), offset, what};
}

}  // namespace

CheckpointContents& CheckpointContents::add(const std::string& name, const ConstTableView& table,
                                            const Optimizer* optimizer) {
  if (optimizer == nullptr) {
    tensors_.add(name, table);
    return *this;
  }
  check_states("save_checkpoint", name, table, *optimizer);
  SafetensorsContents tensors = tensors_;  // all of them are added, or none
  tensors.add(name, table);
  for (const ConstTableView& state : optimizer->state()) tensors.add(joined(name, part_of(state.name())), state);
  const OptimizerProgress progress = optimizer->progress();
  tensors.add(joined(name, "step"), std::span<const std::int64_t>(&steps_.emplace_back(progress.step_count), 1));
  if (progress.beta1_power && progress.beta2_power) {
    tensors.add(
        joined(name, "beta_powers"),
        std::span<const double>(powers_.emplace_back(std::array{*progress.beta1_power, *progress.beta2_power})));
  }
  tensors.add(joined(name, "learning_rate"),
              std::span<const double>(&rates_.emplace_back(optimizer->learning_rate()), 1));
  tensors_ = std::move(tensors);
  describe_optimizer(name, *optimizer, optimizers_);
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
  check_is_no_delta(file_);
  check(name);
  return file_.load_table(name);
}

void CheckpointFile::restore(std::string_view name, const TableView& table, Optimizer* optimizer) const {
  check_is_no_delta(file_);
  const SavedState saved = saved_state(*this, name, table, optimizer);
  for (const Target& target : saved.targets) {
    if (target.rows.rows() < target.tensor->shape[0]) {
      check_shape("restore", target.tensor->name, target.rows, target.tensor->shape[0], target.rows.dim(),
                  "what was saved, or more rows");
    }
  }
  set_progress(saved, optimizer);
  for (const Target& target : saved.targets) {
    const TableView& rows = target.rows;
    file_.read_head(*target.tensor,
                    {rows.bytes(), rows.format(), target.tensor->shape[0], rows.dim(), rows.row_stride()});
  }
}

}  // namespace rowmill::io
