// SPDX-License-Identifier: Apache-2.0
#include "training_progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "standard_streams.hpp"

namespace rowmill::tool {
namespace {

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

bool TrainingProgress::is_terminal() { return ::isatty(STDERR_FILENO) != 0; }

bool TrainingProgress::is_due() {
  constexpr std::chrono::milliseconds kBetween(200);
  if (!terminal_ || Clock::now() - last_ < kBetween) return false;
  last_ = Clock::now();
  return true;
}

void TrainingProgress::show(const std::string& line) {
  say(fmt::format("\r{:<78}", line));
  shown_ = true;
}

void TrainingProgress::reading(const io::CorpusStatistics& so_far) {
  if (!is_due()) return;
  show(fmt::format("reading: {:.1f} million words, {} of them distinct, {:.1f} million words/s",
                   1e-6 * static_cast<double>(so_far.words), so_far.distinct_words,
                   1e-6 * static_cast<double>(so_far.words) / seconds_since(begin_)));
}

void TrainingProgress::training(const WordVectorProgress& now, int epochs) {
  const std::int64_t words = now.epoch * now.epoch_words + now.words;
  if (first_words_ < 0) {
    first_words_ = words;
    begin_ = Clock::now();
  }
  if (!is_due()) return;
  const auto all = static_cast<double>(epochs * now.epoch_words);
  const double speed = static_cast<double>(words - first_words_) / seconds_since(begin_);
  const std::string left = speed > 0 ? duration((all - static_cast<double>(words)) / speed) : "?";
  show(fmt::format("epoch {} of {}: {:5.1f} %, {:.2f} million words/s, loss {:.4f}, {} left",
                   std::min(now.epoch + 1, epochs), epochs, 100 * static_cast<double>(words) / all, 1e-6 * speed,
                   now.loss, left));
}

void TrainingProgress::end() {
  if (shown_) say("\n");
  shown_ = false;
}

}  // namespace rowmill::tool
