// SPDX-License-Identifier: Apache-2.0
#include "training_checkpoint.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

#include "rowmill/io/checkpoint.hpp"

namespace rowmill::tool {
namespace {

using nlohmann::ordered_json;

constexpr const char* kSettings = "train_vectors.settings";
constexpr const char* kText = "train_vectors.text";
constexpr const char* kPlace = "place";
constexpr const char* kPending = "pending";
constexpr const char* kLoss = "loss";

/// What tells one text from another. The counts come first, because they say more to a person.
ordered_json text_of(const io::Corpus& corpus) {
  return {{"words", corpus.statistics().kept_words},
          {"distinct words", corpus.words().size()},
          {"sentences", corpus.statistics().sentences},
          {"checksum", fmt::format("{:016x}", corpus.checksum())}};
}

io::FileError bad(const std::filesystem::path& path, const std::string& what) {
  return {ErrorCode::bad_file, path, io::FileError::kNowhere, what};
}

/// The object that stands under `key` in the metadata.
ordered_json metadata_of(const io::CheckpointFile& checkpoint, const char* key) {
  const io::Metadata& metadata = checkpoint.file().metadata();
  const auto found = metadata.find(key);
  ordered_json object;
  if (found != metadata.end()) object = ordered_json::parse(found->second, nullptr, false);
  if (!object.is_object()) throw bad(checkpoint.file().path(), "is no checkpoint of train-vectors");
  return object;
}

void check_settings(const io::CheckpointFile& checkpoint, const TrainVectorsOptions& options) {
  const ordered_json saved = metadata_of(checkpoint, kSettings);
  const ordered_json wanted = settings_of(options);
  for (const auto& [name, value] : wanted.items()) {
    const auto found = saved.find(name);
    if (found == saved.end() || *found != value) {
      throw bad(checkpoint.file().path(),
                fmt::format("was made with {} {}, and is not gone on from with {} {}", name,
                            found == saved.end() ? "another" : found->dump(), name, value.dump()));
    }
  }
}

void check_text(const io::CheckpointFile& checkpoint, const io::Corpus& corpus) {
  const ordered_json saved = metadata_of(checkpoint, kText);
  const ordered_json text = text_of(corpus);
  for (const auto& [name, value] : text.items()) {
    const auto found = saved.find(name);
    if (found == saved.end() || *found != value) {
      throw bad(checkpoint.file().path(), fmt::format("was made of another text: its {}: {}; this one's: {}", name,
                                                      found == saved.end() ? "none" : found->dump(), value.dump()));
    }
  }
}

}  // namespace

ordered_json settings_of(const TrainVectorsOptions& options) {
  const WordVectorOptions& training = options.training;
  return {{"--model", training.model == WordVectorModel::cbow ? "cbow" : "skip-gram"},
          {"--dim", training.dim},
          {"--window", training.window},
          {"--negative", training.negative},
          {"--shared-negatives", training.shared_negatives},
          {"--min-count", options.min_count},
          {"--max-vocabulary", options.max_vocabulary},
          {"--sample", training.sample},
          {"--alpha", training.alpha},
          {"--min-alpha", training.min_alpha},
          {"--epochs", training.epochs},
          {"--batch", training.batch},
          {"--seed", training.seed}};
}

void save_training(const std::filesystem::path& path, const TrainVectorsOptions& options, const io::Corpus& corpus,
                   const WordVectorTrainer& trainer, std::int64_t position) {
  const WordVectorState state = trainer.state();
  const std::array place = {state.epoch, state.words, state.sentence_words, state.batches, position};
  const std::vector<std::int64_t> pending(state.pending.begin(), state.pending.end());
  io::CheckpointContents contents;
  contents.metadata = {{kSettings, settings_of(options).dump()}, {kText, text_of(corpus).dump()}};
  contents.add("vectors", trainer.vectors()).add("output_vectors", trainer.output_vectors());
  contents.add_words("vectors", corpus.words());
  contents.add_values(kPlace, place).add_values(kPending, pending).add_values(kLoss, std::span(&state.loss, 1));
  io::save_checkpoint(path, contents);
}

void check_checkpoint(const TrainVectorsOptions& options) {
  check_settings(io::CheckpointFile(options.checkpoint), options);
}

std::int64_t resume_training(const TrainVectorsOptions& options, const io::Corpus& corpus, WordVectorTrainer& trainer) {
  const io::CheckpointFile checkpoint(options.checkpoint);
  check_settings(checkpoint, options);
  check_text(checkpoint, corpus);
  const auto place = checkpoint.values<std::int64_t>(kPlace);
  const auto loss = checkpoint.values<double>(kLoss);
  if (place.size() != 5 || loss.size() != 1 || place[4] < 0 || place[4] > corpus.size()) {
    throw bad(options.checkpoint, "does not say where in the text it was made");
  }
  const auto pending = checkpoint.values<std::int64_t>(kPending);
  trainer.restore({.epoch = place[0],
                   .words = place[1],
                   .sentence_words = place[2],
                   .batches = place[3],
                   .loss = loss[0],
                   .pending = {pending.begin(), pending.end()}},
                  checkpoint.load_table("vectors"), checkpoint.load_table("output_vectors"));
  return place[4];
}

}  // namespace rowmill::tool
