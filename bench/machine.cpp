// SPDX-License-Identifier: Apache-2.0
#include "machine.hpp"

#include <benchmark/benchmark.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <limits>

namespace bench {

namespace {

/// What follows `key` and its colon in a file of lines `key : value`.
std::string value_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

int number_of(const char* path, const std::string& key) { return std::atoi(value_of(path, key).c_str()); }

}  // namespace

std::string cpu_model() {
  const std::string model = value_of("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown processor" : model;
}

std::string machine_kind() {
  const std::string vendor = value_of("/proc/cpuinfo", "vendor_id");
  const int family = number_of("/proc/cpuinfo", "cpu family");
  const int model = number_of("/proc/cpuinfo", "model\t");
  if (vendor == "GenuineIntel" && family == 6 && model == 143) return "sapphire-rapids";
  if (vendor == "GenuineIntel" && family == 6 && model == 207) return "emerald-rapids";
  const int block = model >> 4;
  if (vendor == "AuthenticAMD" && family == 25 && (block == 1 || block == 6 || block == 7 || block == 10))
    return "zen4";
  if (vendor == "AuthenticAMD" && family == 26) return "zen5";
  return (vendor.empty() ? "unknown" : vendor) + "-" + std::to_string(family) + "-" + std::to_string(model);
}

std::string record_path() { return ROWMILL_SOURCE_DIR "/bench/results/" + machine_kind() + ".json"; }

int thread_count() { return tbb::info::default_concurrency(); }

std::size_t last_level_cache() {
  std::size_t bytes = std::size_t{32} << 20;
  int level = 0;
  for (const auto& cache : benchmark::CPUInfo::Get().caches) {
    if (cache.level <= level || cache.size <= 0) continue;
    level = cache.level;
    bytes = static_cast<std::size_t>(cache.size);
  }
  return bytes;
}

std::string huge_page_setting() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string word;
  while (file >> word) {
    if (word.front() == '[') return word.substr(1, word.size() - 2);
  }
  return "unknown";
}

std::size_t available_memory() {
  const std::string kib = value_of("/proc/meminfo", "MemAvailable");
  return kib.empty() ? std::numeric_limits<std::size_t>::max() : std::stoull(kib) * 1024;
}

void wake_threads(int milliseconds) {
  using Clock = std::chrono::steady_clock;
  tbb::parallel_for(0, milliseconds * 10 / 3 * tbb::this_task_arena::max_concurrency(), [](int) {
    const auto end = Clock::now() + std::chrono::microseconds(300);
    while (Clock::now() < end) {
    }
  });
}

}  // namespace bench
