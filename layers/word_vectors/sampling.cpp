// SPDX-License-Identifier: Apache-2.0
// Thresholds, batch sizes and alias tables of word vectors.
#include "layers/word_vectors/sampling.hpp"

#include <cmath>
#include <limits>

namespace rowmill::word_vectors {
namespace {

constexpr std::uint32_t kAlways = std::numeric_limits<std::uint32_t>::max();

/// The largest word that a probability lets through.
std::uint32_t threshold(double probability) {
  return probability < 1 ? static_cast<std::uint32_t>(probability * 0x1p32) : kAlways;
}

}  // namespace

void make_keep(std::span<const std::int64_t> counts, double sample, std::uint32_t* keep) {
  double total = 0;
  for (const std::int64_t count : counts) total += static_cast<double>(count);
  for (std::size_t w = 0; w < counts.size(); ++w) {
    const double share = static_cast<double>(counts[w]) / total;
    keep[w] = sample == 0 ? kAlways : threshold((std::sqrt(share / sample) + 1) * (sample / share));
  }
}

std::int64_t choose_batch(std::span<const std::int64_t> counts, const std::uint32_t* keep, double alpha, bool cbow) {
  double sum = 0;
  double squares = 0;
  for (std::size_t w = 0; w < counts.size(); ++w) {
    const double kept = static_cast<double>(counts[w]) * (static_cast<double>(keep[w]) * 0x1p-32);
    sum += kept;
    squares += kept * kept;
  }
  const double most = (cbow ? 2 : 1) * (0.05 / alpha) * (sum * sum / squares);
  std::int64_t batch = 1024;
  while (batch > kLeastBatch && static_cast<double>(batch) > most) batch /= 2;
  return batch;
}

void make_aliases(std::span<const std::int64_t> counts, Alias* aliases, double* shares, std::int32_t* work) {
  const std::size_t n = counts.size();
  double total = 0;
  for (std::size_t w = 0; w < n; ++w) {
    const double root = std::sqrt(static_cast<double>(counts[w]));
    shares[w] = root * std::sqrt(root);
    total += shares[w];
  }
  // Two stacks in one array: slots that are not full at the front of `work`, those that overflow at its back.
  std::size_t small = 0;
  std::size_t large = n;
  for (std::size_t w = 0; w < n; ++w) {
    shares[w] = shares[w] * static_cast<double>(n) / total;
    work[shares[w] < 1 ? small++ : --large] = static_cast<std::int32_t>(w);
  }
  // The last overflowing slot fills the last one that is not full. What it keeps decides which kind it is now. Both
  // stacks grow towards the gap between them, which a step widens by one.
  while (small > 0 && large < n) {
    const std::int32_t filled = work[--small];
    const std::int32_t from = work[large];
    aliases[filled] = {threshold(shares[filled]), from};
    shares[from] = (shares[from] + shares[filled]) - 1;
    if (shares[from] < 1) {
      ++large;
      work[small++] = from;
    }
  }
  // Full ones, but for rounding.
  while (small > 0) {
    const std::int32_t w = work[--small];
    aliases[w] = {kAlways, w};
  }
  for (; large < n; ++large) aliases[work[large]] = {kAlways, work[large]};
}

}  // namespace rowmill::word_vectors
