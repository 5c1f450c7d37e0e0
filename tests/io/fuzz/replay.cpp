// SPDX-License-Identifier: Apache-2.0
// io_fuzz_replay READER COUNT FOLDER: gives a reader its seeds and COUNT changed ones, the same at each call: the short
// run of the fuzzers, with any compiler. What a reader does wrong ends the program; the input is then in FOLDER/last.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/io/fuzz/readers.hpp"

namespace {

using Random = std::mt19937_64;

std::vector<std::string> read_all(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::ranges::sort(paths);  // the order of a directory is the file system's
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return files;
}

std::string number(Random& random) {
  static constexpr std::string_view kNumbers[] = {"0",
                                                  "-1",
                                                  "1",
                                                  "2",
                                                  "65536",
                                                  "2147483648",
                                                  "9223372036854775807",
                                                  "9223372036854775808",
                                                  "18446744073709551616",
                                                  "1e39",
                                                  "nan"};
  return std::string(kNumbers[random() % std::size(kNumbers)]);
}

/// Changes bytes, a number, or a piece of the file.
void change(std::string& bytes, const std::string& other, Random& random) {
  const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
  const std::size_t length = random() % 9;
  switch (random() % 8) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(random());
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      break;
    case 2:
      bytes.erase(at, length);
      break;
    case 3:
      bytes.insert(at, length, static_cast<char>(random()));
      break;
    case 4:
      bytes.resize(at);
      break;
    case 5:
      bytes.insert(at, other, other.empty() ? 0 : random() % other.size(), random() % 64);
      break;
    case 6:
      bytes.replace(at, length, other, other.empty() ? 0 : random() % other.size(), length);
      break;
    default: {
      const std::size_t digit = bytes.find_first_of("0123456789", at);
      if (digit == std::string::npos) break;
      const std::size_t end = std::min(bytes.find_first_not_of("0123456789", digit), bytes.size());
      bytes.replace(digit, end - digit, number(random));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const rowmill::io::fuzz::Reader& reader = rowmill::io::fuzz::reader(argv[1]);
  const std::int64_t count = std::atoll(argv[2]);
  const std::filesystem::path folder = argv[3];
  std::filesystem::remove_all(folder);
  rowmill::io::fuzz::write_seeds(folder);
  const std::vector<std::string> seeds = read_all(folder / reader.name);
  Random random(20);
  // Kept open: some file systems write a file that was truncated to the disk whenever it is closed.
  const int last = ::open((folder / "last").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  const auto read = [&](const std::string& bytes) {
    if (::ftruncate(last, 0) != 0 || ::pwrite(last, bytes.data(), bytes.size(), 0) < 0) std::exit(2);
    rowmill::io::fuzz::read_bytes(reader, bytes);
  };
  for (const std::string& seed : seeds) read(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    std::string bytes = seeds[random() % seeds.size()];
    const std::string& other = seeds[random() % seeds.size()];
    for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) change(bytes, other, random);
    read(bytes);
  }
  fmt::print("{}: {} inputs\n", reader.name, count);
}
