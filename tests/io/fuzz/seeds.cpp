// SPDX-License-Identifier: Apache-2.0
// io_fuzz_seeds FOLDER: writes small whole files of every kind, where the fuzzers begin: FOLDER/<reader>/...
#include <filesystem>
#include <fstream>
#include <string>

#include "rowmill/io/checkpoint.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"

int main(int, char** argv) {
  using namespace rowmill;
  const std::filesystem::path folder = argv[1];
  for (const char* const reader : {"safetensors", "checkpoint", "npy", "text", "word2vec", "any_kind"}) {
    std::filesystem::create_directories(folder / reader);
  }
  const Table table(2, 2, {.initializer = Initializer::constant(0.5F)});
  const Table half(2, 3, {.format = Format::bf16});
  const io::Vocabulary words(std::vector<std::string>{"one", "two"});

  io::SafetensorsContents contents;
  contents.metadata = {{"key", "value"}};
  contents.add("t", table).add("half", half).add_words("t", words);
  io::save_safetensors(folder / "safetensors/tables", contents);
  const Optimizer optimizer(AdamOptions{}, 2, 2);
  io::CheckpointContents checkpoint;
  checkpoint.add("w", table, &optimizer);
  io::save_checkpoint(folder / "checkpoint/adam", checkpoint);
  io::save_npy(folder / "npy/table", table);
  io::save_text_vectors(folder / "text/header", table, words);
  io::save_text_vectors(folder / "text/glove", table, words, {.header = false});
  std::ofstream(folder / "text/spaces") << ". . . 1 -2e-3 \r\n\xff inf nan\r\n";
  std::ofstream(folder / "text/gzip", std::ios::binary) << std::string(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x54\x30\x54\x30\xe2\x02\x00\x13\x36\xd4\xce\x06\x00\x00\x00", 26);
  io::save_word2vec_binary(folder / "word2vec/table", table, words);
  for (const char* const reader : {"safetensors", "npy", "text", "word2vec"}) {
    std::filesystem::copy(folder / reader, folder / "any_kind", std::filesystem::copy_options::skip_existing);
  }
}
