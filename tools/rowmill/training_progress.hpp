// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "rowmill/io/corpus.hpp"
#include "rowmill/word_vectors.hpp"

namespace rowmill::tool {

[[nodiscard]] double seconds_since(std::chrono::steady_clock::time_point begin);

/// Says on standard error, if that is a terminal, how far a training is.
class TrainingProgress {
 public:
  void reading(const io::CorpusStatistics& so_far);
  void training(const WordVectorProgress& now, int epochs);
  /// Ends the line.
  void end();

 private:
  [[nodiscard]] bool is_due();
  void show(const std::string& line);

  using Clock = std::chrono::steady_clock;
  bool terminal_ = is_terminal();
  bool shown_ = false;
  Clock::time_point last_{};
  Clock::time_point begin_ = Clock::now();
  std::int64_t first_words_ = -1;

  static bool is_terminal();
};

}  // namespace rowmill::tool
