// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/saved_state.hpp"

#include <span>
#include <utility>
#include <variant>

#include "io/file/checksum.hpp"
#include "kernels/core/checks.hpp"

namespace rowmill::io {
namespace {

FileError bad(const SafetensorsFile& file, const std::string& what) {
  return {ErrorCode::bad_file, file.path(), FileError::kNowhere, what};
}

Target target(const CheckpointFile& checkpoint, const std::string& name, const TableView& table) {
  constexpr std::string_view kOp = "restore";
  const SafetensorsFile& file = checkpoint.file();
  check_writable(kOp, name, table);
  check_has_columns(kOp, name, table);
  const TensorInfo& tensor = file.tensor(name);
  const TableInfo info = file.table_info(tensor);
  check_format(kOp, name, table, {info.format});
  check_shape(kOp, name, table, table.rows(), info.dim, "the rows of the table x the dim that was saved");
  checkpoint.check(name);
  return {&tensor, table};
}

/// The numbers of a tensor, of which there must be `count`.
template <class T>
std::vector<T> numbers(const CheckpointFile& file, const std::string& name, std::size_t count) {
  std::vector<T> values = file.values<T>(name);
  if (values.size() == count) return values;
  throw bad(file.file(), "tensor '" + name + "' holds " + std::to_string(values.size()) + " numbers; expected " +
                             std::to_string(count));
}

/// The optimizer is of the kind that was saved, stores what it updates in the same way, and has the same
/// hyperparameters.
void check_optimizer(const SafetensorsFile& file, std::string_view name, const Optimizer& optimizer) {
  const auto saved = [&](std::string_view key) {
    const auto found = file.metadata().find(std::string(key).append(name));
    return found == file.metadata().end() ? std::string() : found->second;
  };
  const std::string kind = saved(kOptimizer);
  if (kind != optimizer.name()) {
    static_cast<void>(file.tensor(name));
    throw bad(file, "table '" + std::string(name) + "' was saved with " +
                        (kind.empty() ? "no optimizer" : "optimizer '" + kind + "'") + "; expected '" +
                        std::string(optimizer.name()) + "'");
  }
  const std::string storage = saved(kStorage);
  if (const std::string own = storage_text(optimizer.storage()); storage != own) {
    const auto described = [](const std::string& text) { return text.empty() ? "(default)" : "'" + text + "'"; };
    throw bad(file, "table '" + std::string(name) + "' was saved with the storage options " + described(storage) +
                        "; expected " + described(own) + ", those of this optimizer");
  }
  // Files of the first versions have none.
  const std::string options = saved(kOptions);
  if (const std::string own = options_text(optimizer.options()); !options.empty() && options != own) {
    throw bad(file, "table '" + std::string(name) + "' was saved with the hyperparameters '" + options +
                        "'; expected '" + own + "', those of this optimizer: set others after restoring");
  }
}

}  // namespace

void check_is_no_delta(const SafetensorsFile& file) {
  if (!is_delta(file)) return;
  throw bad(file, "is a delta: its rows are those that changed, which restore_chain() restores after what it follows");
}

std::string storage_text(const StorageOptions& storage) {
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) {
    text.append(text.empty() ? "" : " ").append(key).append("=").append(value);
  };
  if (storage.rounding == Rounding::stochastic) {
    const RandomStream& stream = storage.stream;
    add("rounding", "stochastic");
    add("seed", std::to_string(stream.seed));
    add("stream", std::to_string(stream.stream));
    add("name", hexadecimal(xxh3(std::as_bytes(std::span(stream.name)))));
    add("first_row", std::to_string(storage.first_row));
    add("first_column", std::to_string(storage.first_column));
  }
  if (storage.split) add("split", "true");
  if (storage.state_format != Format::f32) add("state_format", format_name(storage.state_format));
  if (storage.overflow != Overflow::saturate) {
    add("overflow", storage.overflow == Overflow::infinity ? "infinity" : "error");
  }
  return text;
}

std::string options_text(const OptimizerOptions& options) {
  std::string text;
  const auto add = [&](std::string_view key, const std::string& value) {
    text.append(text.empty() ? "" : " ").append(key).append("=").append(value);
  };
  std::visit(
      [&]<class Options>(const Options& own) {
        if constexpr (requires { own.momentum; }) {
          add("momentum", to_text(own.momentum));
          add("nesterov", own.nesterov ? "true" : "false");
        }
        if constexpr (requires { own.beta1; }) {
          add("beta1", to_text(own.beta1));
          add("beta2", to_text(own.beta2));
        }
        if constexpr (requires { own.epsilon; }) add("epsilon", to_text(own.epsilon));
        add("decay", own.decay == WeightDecay::none ? "none" : own.decay == WeightDecay::l2 ? "l2" : "decoupled");
        if (own.decay != WeightDecay::none) add("weight_decay", to_text(own.weight_decay));
      },
      options);
  return text;
}

void check_states(std::string_view op, std::string_view name, const ConstTableView& table, const Optimizer& optimizer) {
  for (const ConstTableView& state : optimizer.state()) {
    const std::string_view part = part_of(state.name());
    const bool one_a_row = (optimizer.name() == "row_wise_adagrad" && part == "accumulator") ||
                           (optimizer.name() == "partial_row_wise_adam" && part == "v");
    check_shape(op, state.name(), state, table.rows(), one_a_row ? 1 : table.dim(),
                "an optimizer of table '" + std::string(name) + "' has a state for each of its rows");
  }
}

void describe_optimizer(const std::string& name, const Optimizer& optimizer, Metadata& metadata) {
  metadata.emplace(std::string(kOptimizer) + name, optimizer.name());
  metadata.emplace(std::string(kOptions) + name, options_text(optimizer.options()));
  if (std::string text = storage_text(optimizer.storage()); !text.empty()) {
    metadata.emplace(std::string(kStorage) + name, std::move(text));
  }
}

SavedState saved_state(const CheckpointFile& checkpoint, std::string_view name, const TableView& table,
                       Optimizer* optimizer) {
  const SafetensorsFile& file = checkpoint.file();
  SavedState saved;
  if (optimizer != nullptr) {
    check_optimizer(file, name, *optimizer);
    check_states("restore", name, table, *optimizer);
  }
  saved.targets.push_back(target(checkpoint, std::string(name), table));
  if (optimizer == nullptr) return saved;

  for (const TableView& state : optimizer->state()) {
    saved.targets.push_back(target(checkpoint, joined(name, part_of(state.name())), state));
  }
  saved.progress.step_count = numbers<std::int64_t>(checkpoint, joined(name, "step"), 1)[0];
  saved.learning_rate = numbers<double>(checkpoint, joined(name, "learning_rate"), 1)[0];
  if (optimizer->progress().beta1_power) {
    const std::vector<double> powers = numbers<double>(checkpoint, joined(name, "beta_powers"), 2);
    saved.progress.beta1_power = powers[0];
    saved.progress.beta2_power = powers[1];
  }
  return saved;
}

void set_progress(const SavedState& saved, Optimizer* optimizer) {
  if (optimizer == nullptr) return;
  // The optimizer's own views: its state stays as it is, and only the progress is set.
  const std::span<const TableView> own = optimizer->state();
  const std::vector<ConstTableView> state(own.begin(), own.end());
  const double old_rate = optimizer->learning_rate();
  optimizer->set_learning_rate(saved.learning_rate);
  try {
    optimizer->restore(saved.progress, state);
  } catch (...) {
    optimizer->set_learning_rate(old_rate);
    throw;
  }
}

}  // namespace rowmill::io
