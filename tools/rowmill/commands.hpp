// SPDX-License-Identifier: Apache-2.0
// The commands of the `rowmill` tool. Each returns the exit status, and throws for what the user must be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "rowmill/format.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "rowmill/word_vectors.hpp"

namespace rowmill::tool {

struct InputOptions {
  std::filesystem::path file;
  io::LoadVectorsOptions load;
  bool json = false;
};

/// What is in a file.
int info(const InputOptions& input);

struct ConvertOptions {
  InputOptions input;
  std::filesystem::path output;
  std::optional<Format> format;  // none: that of the input
};
int convert(const ConvertOptions& options);

struct NearestOptions {
  InputOptions input;
  std::vector<std::string> expression;  // its words and signs
  std::filesystem::path queries;        // or a file with an expression a line
  std::int64_t count = 10;
};
int nearest(const NearestOptions& options);

/// Whether a file is whole: its structure, its checksums if it has some, and no NaN or infinity in its tables.
int verify(const InputOptions& input);

struct BenchOptions {
  std::string operation = "gather";
  std::int64_t rows = 1000000;
  std::int64_t dim = 128;
  std::int64_t ids = 20000;
  std::int64_t bag = 20;
  double seconds = 2;
  bool json = false;
};
int bench(const BenchOptions& options);

struct TrainVectorsOptions {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  std::optional<io::VectorsFormat> format;  // none: that of the output's name
  std::int64_t min_count = 5;
  std::int64_t max_vocabulary = 0;
  WordVectorOptions training;
  std::filesystem::path checkpoint;  // empty: none
  double checkpoint_seconds = 600;   // between two
  bool resume = false;
  bool json = false;
};
/// Trains word vectors on texts. A checkpoint is a file that a later call goes on from, with the same bits.
int train_vectors(const TrainVectorsOptions& options);

}  // namespace rowmill::tool
