// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "io/checkpoint/saved_state.hpp"
#include "io/word_vectors/unused_option.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::tool {

io::FileKind kind_of(const InputOptions& input) {
  const io::FileKind kind = io::file_kind(input.file);
  if (const auto unused = io::unused_option(kind, input.load)) {
    throw std::runtime_error(fmt::format("{}: is {}; --{} is for {} only", input.file.string(), io::description(kind),
                                         unused->argument, unused->kinds));
  }
  return kind;
}

io::WordVectors load(const InputOptions& input) {
  if (kind_of(input) != io::FileKind::safetensors) return io::load_vectors(input.file, input.load);
  const io::SafetensorsFile file(input.file);
  io::check_is_no_delta(file);
  const std::string& name = input.load.tensor.empty() ? file.only_table().name : input.load.tensor;
  return {.words = file.load_words(name),
          .table = file.is_split(name) ? file.load_joined(name) : file.load_table(name)};
}

}  // namespace rowmill::tool
