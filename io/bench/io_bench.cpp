// SPDX-License-Identifier: Apache-2.0
// rowmill_io_bench COMMAND ...: measures rowmill::io beside plain loops over the same bytes, in turn. Each line of its
// output is `WHAT SECONDS ...`, the rounds in order; io/bench/run prints them as a table, beside other programs.
#include <fcntl.h>
#include <sys/mman.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>

#include "io/file/input_file.hpp"
#include "io/file/parallel.hpp"
#include "kernels/memory/memory.hpp"
#include "rowmill/io/checkpoint.hpp"
#include "rowmill/io/mapped_table.hpp"
#include "rowmill/io/nearest.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "rowmill/rowmill.hpp"

namespace {

using namespace rowmill;
using Arguments = std::vector<std::string>;

double seconds_of(const std::function<void()>& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Candidate {
  std::string name;
  std::function<void()> run;
  std::function<void()> before = [] {};
};

/// Each candidate once in each round. What runs before it is not measured.
void measure(int rounds, const std::vector<Candidate>& candidates) {
  std::map<std::string, std::vector<double>> seconds;
  for (int round = 0; round < rounds; ++round) {
    for (const Candidate& candidate : candidates) {
      candidate.before();
      seconds[candidate.name].push_back(seconds_of(candidate.run));
    }
  }
  for (const Candidate& candidate : candidates) {
    std::printf("%s", candidate.name.c_str());
    for (const double s : seconds[candidate.name]) std::printf(" %.6f", s);
    std::printf("\n");
  }
}

Table random_table(std::int64_t rows, std::int64_t dim) {
  return {rows, dim, {.initializer = Initializer::normal(0, 0.1F), .seed = 1}};
}

io::Vocabulary numbered_words(std::int64_t rows) {
  io::Vocabulary words;
  for (std::int64_t r = 0; r < rows; ++r) words.add("word" + std::to_string(r));
  return words;
}

/// make FILE ROWS DIM: vectors in the format of the name's end, with words where the format needs them.
void make(const Arguments& a) {
  const std::int64_t rows = std::stoll(a.at(1));
  const bool safetensors = a.at(0).ends_with(".safetensors");
  io::save_vectors(a.at(0), random_table(rows, std::stoll(a.at(2))),
                   safetensors ? io::Vocabulary() : numbered_words(rows), {.sync = false});
}

/// text FILE ROUNDS: loads and writes again.
void text(const Arguments& a) {
  io::WordVectors vectors;
  const std::filesystem::path copy = a.at(0) + ".copy.txt";
  measure(std::stoi(a.at(1)),
          {{"load", [&] { vectors = io::load_text_vectors(a.at(0)); }, [&] { vectors = {}; }},
           {"save", [&] { io::save_text_vectors(copy, vectors.table, vectors.words, {.save = {.sync = false}}); }}});
  std::filesystem::remove(copy);
}

/// save DIRECTORY BYTES ROUNDS: a table of this size, and dd.
void save(const Arguments& a) {
  const std::int64_t bytes = std::stoll(a.at(1));
  const Table table = random_table(bytes / 1024, 256);
  const std::filesystem::path file = std::filesystem::path(a.at(0)) / "saved.safetensors";
  const std::string dd = "dd if=/dev/zero of='" + file.string() + "' bs=4M count=" + std::to_string(bytes >> 22) +
                         " conv=fsync 2>/dev/null";
  const auto clean = [&] {
    std::filesystem::remove(file);
    ::sync();
  };
  io::CheckpointContents contents;
  contents.add("table", table);
  measure(std::stoi(a.at(2)), {{"dd",
                                [&] {
                                  if (std::system(dd.c_str()) != 0) throw std::runtime_error("dd failed");
                                },
                                clean},
                               {"save_safetensors", [&] { io::save_vectors(file, table); }, clean},
                               {"save_checkpoint", [&] { io::save_checkpoint(file, contents); }, clean}});
  clean();
}

void drop_from_cache(const std::filesystem::path& path) {
  const io::InputFile file(path);
  ::fsync(file.descriptor());
  ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
}

/// load FILE ROUNDS cached|cold: a safetensors file, and its bytes by pread, of all threads, into memory like a
/// table's.
void load(const Arguments& a) {
  const std::filesystem::path path = a.at(0);
  void* memory = nullptr;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  Table table;
  const auto before = [&] {
    table = {};
    if (memory != nullptr) free_array(std::exchange(memory, nullptr), static_cast<std::size_t>(size));
    if (a.at(2) == "cold") drop_from_cache(path);
  };
  const auto read = [&] {
    const io::InputFile file(path);
    memory = allocate_array(static_cast<std::size_t>(size), true, "the bytes of a file");
    constexpr std::int64_t kPart = std::int64_t{4} << 20;
    io::parallel_that_throws(concurrency_for(size), (size + kPart - 1) / kPart, [&](std::int64_t part) {
      const std::int64_t begin = part * kPart;
      file.read(begin,
                {static_cast<std::byte*>(memory) + begin, static_cast<std::size_t>(std::min(kPart, size - begin))});
    });
  };
  const auto load_table = [&] {
    const io::SafetensorsFile file(path);
    table = file.load_table(file.only_table().name);
  };
  measure(std::stoi(a.at(1)), {{"read", read, before}, {"load_table", load_table, before}});
  before();
}

/// A plain loop over all values, on all threads.
void sum(const Table& table) {
  std::atomic<float> total = 0;
  const std::int64_t size = table.rows() * table.dim();
  constexpr std::int64_t kPart = std::int64_t{1} << 18;
  parallel_chunks(concurrency_for(size * 4), size, kPart, [&](std::int64_t begin, std::int64_t end) {
    float lanes[64] = {};
    const float* const x = table.data();
    for (std::int64_t i = begin; i + 64 <= end; i += 64) {
      for (int k = 0; k < 64; ++k) lanes[k] += x[i + k];
    }
    for (const float lane : lanes) total += lane;
  });
}

/// nearest FILE ROUNDS: one query, 64 queries in a call, and the sum of all values.
void nearest(const Arguments& a) {
  const io::WordVectors vectors = io::load_vectors(a.at(0));
  const Table& table = vectors.table;
  std::mt19937_64 random(1);
  Table queries(64, table.dim());
  const auto shuffle = [&] {
    for (std::int64_t q = 0; q < queries.rows(); ++q) {
      const std::vector<std::int64_t> id = {
          static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(table.rows()))};
      gather(table, id, TableView(queries.view().row(q).data(), 1, table.dim()));
    }
  };
  std::vector<std::vector<io::Neighbour>> answers;
  measure(std::stoi(a.at(1)), {{"sum", [&] { sum(table); }},
                               {"nearest_1",
                                [&] {
                                  answers = io::nearest(table, {queries.data(), 1, table.dim()}, 10);
                                },
                                shuffle},
                               {"nearest_64", [&] { answers = io::nearest(table, queries, 10); }, shuffle}});
}

/// mapped FILE IDS ROUNDS: batches of so many ids from a mapped file, and from memory with ordinary pages.
void mapped(const Arguments& a) {
  const io::MappedTable file(a.at(0));
  const auto ids = static_cast<std::size_t>(std::stoll(a.at(1)));
  Table copy(file.rows(), file.dim(), {.huge_pages = false});
  io::SafetensorsFile(a.at(0)).read_table("vectors", copy);
  constexpr std::size_t kBatches = 16;
  std::mt19937_64 random(1);
  std::vector<std::vector<std::int64_t>> batches(kBatches, std::vector<std::int64_t>(ids));
  for (auto& batch : batches) {
    for (auto& id : batch) id = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(file.rows()));
  }
  Table out(std::stoll(a.at(1)), file.dim());
  const auto in_turn = [&](const auto& table) {
    return [&] {
      for (const auto& batch : batches) gather(table, batch, out);
    };
  };
  measure(std::stoi(a.at(2)), {{"memory", in_turn(copy)}, {"mapped", in_turn(file)}});
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, void (*)(const Arguments&)> commands = {
      {"make", make}, {"text", text}, {"save", save}, {"load", load}, {"nearest", nearest}, {"mapped", mapped}};
  try {
    const Arguments arguments(argv + 1, argv + argc);
    const char* const threads = std::getenv("ROWMILL_BENCH_THREADS");
    const int count = threads != nullptr ? std::stoi(threads) : tbb::info::default_concurrency();
    const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count));
    tbb::task_arena arena(count);
    arena.execute([&] { commands.at(arguments.at(0))(Arguments(arguments.begin() + 1, arguments.end())); });
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rowmill_io_bench: %s\n", error.what());
    return 1;
  }
}
