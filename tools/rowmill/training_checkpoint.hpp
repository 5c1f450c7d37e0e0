// SPDX-License-Identifier: Apache-2.0
// Checkpoints of train-vectors: both tables, where in the text the training is, and what it was told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "rowmill/io/corpus.hpp"
#include "rowmill/word_vectors.hpp"

namespace rowmill::tool {

/// What decides about the bits of the result, by the names of the command line.
[[nodiscard]] nlohmann::ordered_json settings_of(const TrainVectorsOptions& options);

/// `position`: how many numbers of the corpus the present epoch has had. Throws Error.
void save_training(const std::filesystem::path& path, const TrainVectorsOptions& options, const io::Corpus& corpus,
                   const WordVectorTrainer& trainer, std::int64_t position);

/// Throws if there is no checkpoint of a training with these options. The text has not been read yet.
void check_checkpoint(const TrainVectorsOptions& options);

/// Makes the trainer go on where the checkpoint was. Returns the position. Throws, and changes nothing, if it was made
/// with other options or another text: the message names which.
[[nodiscard]] std::int64_t resume_training(const TrainVectorsOptions& options, const io::Corpus& corpus,
                                           WordVectorTrainer& trainer);

}  // namespace rowmill::tool
