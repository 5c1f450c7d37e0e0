// SPDX-License-Identifier: Apache-2.0
#include "tests/io/fuzz/readers.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "io/checkpoint/saved_state.hpp"
#include "io/file/byte_stream.hpp"
#include "io/file/checksum.hpp"
#include "io/safetensors/header.hpp"
#include "io/safetensors/save.hpp"
#include "io/word_vectors/text.hpp"
#include "rowmill/io/checkpoint.hpp"
#include "rowmill/io/delta.hpp"
#include "rowmill/io/mapped_table.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io::fuzz {
namespace {

namespace fs = std::filesystem;

/// Where the bytes stand: a file in memory, without a name.
class MemoryFile {
 public:
  MemoryFile() : file_(memfd_create("input", MFD_CLOEXEC)), path_(fmt::format("/proc/self/fd/{}", file_)) {}
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  void write(std::string_view bytes) {
    // Cut to its size afterwards, where it was larger: the file keeps its pages.
    if (::pwrite(file_, bytes.data(), bytes.size(), 0) != std::ssize(bytes) ||
        (bytes.size() < size_ && ::ftruncate(file_, std::ssize(bytes)) != 0)) {
      throw std::system_error(errno, std::generic_category(), "memfd");
    }
    size_ = bytes.size();
  }

 private:
  int file_;
  std::size_t size_ = 0;
  fs::path path_;
};

void safetensors(const fs::path& path) {
  const SafetensorsFile file(path);
  for (const TensorInfo& tensor : file.tensors()) {
    if (file.is_table(tensor)) static_cast<void>(file.load_table(tensor.name));
    if (file.is_split(tensor.name)) static_cast<void>(file.load_joined(tensor.name));
  }
  static_cast<void>(file.verify());
  for (const TensorInfo& tensor : file.tensors()) static_cast<void>(file.load_words(tensor.name));
}

/// What is trained, in one of the ways that tables and states are stored.
struct Training {
  const char* name;  // of its seed
  Format format;
  OptimizerOptions optimizer;
  StorageOptions storage = {};
};
const Training kTrainings[] = {
    {"adam", Format::f32, AdamOptions{}},
    {"split", Format::bf16, AdamOptions{}, {.split = true}},
    {"small_states", Format::bf16, AdamOptions{}, {.state_format = Format::bf16}},
    {"stochastic", Format::f16, SgdOptions{}, {.rounding = Rounding::stochastic, .stream = {.seed = 3, .name = "w"}}},
    {"doubles", Format::f64, AdamOptions{}, {.state_format = Format::f64}},
};

/// A table "w" that is trained, and restored again and again.
struct Trained {
  Trained(const Training& training, std::int64_t rows)
      : table(rows, 2, {.initializer = Initializer::constant(0.5F), .format = training.format}),
        optimizer(training.optimizer, rows, 2, training.storage) {}

  Table table;
  Optimizer optimizer;
};

/// Where the training stands of which the file says that it is of its kind; the first where it says nothing known.
std::size_t training_of(const Metadata& metadata) {
  static const std::string key = std::string(kStorage) + "w";
  const auto saved = metadata.find(key);
  if (saved == metadata.end()) return 0;
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> all;
    for (const Training& training : kTrainings) all.push_back(storage_text(training.storage));
    return all;
  }();
  const auto found = std::ranges::find(texts, saved->second);
  return found == texts.end() ? 0 : static_cast<std::size_t>(found - texts.begin());
}

/// One for each of kTrainings.
std::vector<Trained> make_trained(std::int64_t rows) {
  std::vector<Trained> all;
  for (const Training& training : kTrainings) all.emplace_back(training, rows);
  return all;
}

void checkpoint(const fs::path& path) {
  static std::vector<Trained> trained = make_trained(2);
  const CheckpointFile file(path);
  file.verify();
  for (const TensorInfo& tensor : file.file().tensors()) {
    if (tensor.dtype == "U8" && file.file().is_table(tensor)) static_cast<void>(file.load_table(tensor.name));
  }
  Trained& restored = trained[training_of(file.file().metadata())];
  file.restore("w", restored.table, &restored.optimizer);
}

/// The file with the checksums that it ought to have: without them, almost every change ends at the first comparison.
/// Returns what it says in __metadata__.
Metadata with_checksums(const fs::path& path, MemoryFile& out) {
  const InputFile file(path);
  SafetensorsHeader header = read_header(file);
  std::string data;
  for (TensorInfo& tensor : header.tensors) {
    std::string bytes(static_cast<std::size_t>(tensor.end - tensor.begin), '\0');
    file.read(tensor.begin, std::as_writable_bytes(std::span(bytes)));
    TreeChecksum checksum(std::ssize(bytes));
    if (!bytes.empty()) checksum.add(0, std::as_bytes(std::span(bytes)));
    header.metadata[std::string(kTensorChecksum) + tensor.name] = hexadecimal(checksum.value());
    tensor.begin = std::ssize(data);
    data += bytes;
    tensor.end = std::ssize(data);
  }
  header.metadata[std::string(kFileChecksum)] = file_checksum(header.tensors, header.metadata);
  out.write(format_header(header.tensors, header.metadata) + data);
  return std::move(header.metadata);
}

void restore(const fs::path& path) {
  static MemoryFile checked;
  with_checksums(path, checked);
  checkpoint(checked.path());
}

/// The base of the deltas of one training: 4 rows, the same bits in each process.
ChainLink save_chain_base(const fs::path& path, const Training& training) {
  const Trained trained(training, 4);
  CheckpointContents contents;
  contents.add("w", trained.table, &trained.optimizer);
  save_checkpoint(path, contents, {.sync = false});
  return chain_link(CheckpointFile(path));
}

/// The bases, in the order of kTrainings.
std::vector<MemoryFile> chain_bases() {
  std::vector<MemoryFile> bases(std::size(kTrainings));
  const fs::path path = fs::temp_directory_path() / fmt::format("rowmill-fuzz-base-{}", ::getpid());
  for (std::size_t i = 0; i < bases.size(); ++i) {
    save_chain_base(path, kTrainings[i]);
    const InputFile saved(path);
    std::string bytes(static_cast<std::size_t>(saved.size()), '\0');
    saved.read(0, std::as_writable_bytes(std::span(bytes)));
    bases[i].write(bytes);
  }
  fs::remove(path);
  return bases;
}

void delta(const fs::path& path) {
  static const std::vector<MemoryFile> bases = chain_bases();
  static std::vector<Trained> trained = make_trained(4);
  static MemoryFile checked;
  const std::size_t i = training_of(with_checksums(path, checked));
  restore_chain(std::vector{bases[i].path(), checked.path()}, "w", trained[i].table, &trained[i].optimizer);
}

void mapped(const fs::path& path) {
  for (const bool guarded : {false, true}) {
    const MappedTable table(path, {.guarded = guarded});
    if (table.rows() == 0) continue;
    const bool quantized = is_quantized(table.format());
    Table out(2, table.dim(), {.format = quantized ? Format::f32 : table.format()});
    gather(table, std::vector<std::int64_t>{0, table.rows() - 1}, out);
    static_cast<void>(table.load_words());
  }
}

void npy(const fs::path& path) { static_cast<void>(load_npy(path)); }

/// The first byte says how the text is cut into blocks.
void text(const fs::path& path) {
  const InputFile file(path);
  char first = 0;
  if (file.size() > 0) file.read(0, std::as_writable_bytes(std::span(&first, 1)));
  ByteStream stream(path);
  static_cast<void>(
      load_text(stream, {.invalid_utf8 = InvalidUtf8::replace}, 1 + static_cast<unsigned char>(first) % 32U));
}

void words(const fs::path& path) { static_cast<void>(load_words(path)); }

void word2vec(const fs::path& path) {
  static_cast<void>(load_word2vec_binary(path, {.invalid_utf8 = InvalidUtf8::replace}));
}

void any_kind(const fs::path& path) { static_cast<void>(load_vectors(path)); }

constexpr Reader kReaders[] = {{"safetensors", safetensors},
                               {"checkpoint", checkpoint},
                               {"restore", restore},
                               {"delta", delta},
                               {"mapped", mapped},
                               {"npy", npy},
                               {"text", text},
                               {"words", words},
                               {"word2vec", word2vec},
                               {"any_kind", any_kind}};

}  // namespace

std::span<const Reader> readers() { return kReaders; }

const Reader& reader(std::string_view name) {
  const auto* const found = std::ranges::find(kReaders, name, &Reader::name);
  if (found == std::end(kReaders)) throw std::out_of_range("no reader " + std::string(name));
  return *found;
}

void read_bytes(const Reader& reader, std::string_view bytes) {
  static MemoryFile file;
  file.write(bytes);
  try {
    reader.read(file.path());
  } catch (const FileError&) {
  } catch (const Error& error) {
    // A claim that is right and needs more memory than there is, or a table of another shape or format than the one
    // that is restored.
    if (error.code() != ErrorCode::out_of_memory && error.code() != ErrorCode::shape_mismatch &&
        error.code() != ErrorCode::invalid_argument) {
      throw;
    }
  }
}

void write_seeds(const fs::path& folder) {
  for (const Reader& each : kReaders) fs::create_directories(folder / each.name);
  const auto write = [&](const fs::path& name, std::string_view bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
  };
  const auto copy = [&](const fs::path& from, const char* to) {
    fs::copy(folder / from, folder / to, fs::copy_options::overwrite_existing);
  };
  const Table table(2, 2, {.initializer = Initializer::constant(0.5F)});
  const Table half(2, 3, {.format = Format::bf16});
  const Vocabulary two(std::vector<std::string>{"one", "two"});

  SafetensorsContents contents;
  contents.metadata = {{"key", "value"}};
  contents.add("t", table).add("half", half).add_words("t", two);
  save_safetensors(folder / "safetensors/tables", contents);
  const Table codes(2, 3, {.format = Format::int8});
  const Table small_codes(2, 5, {.format = Format::int4});
  SafetensorsContents quantized;
  quantized.add("q", codes).add("r", small_codes);
  save_safetensors(folder / "safetensors/quantized", quantized);
  const Table upper(2, 3, {.format = Format::bf16});
  const Table low(2, 3, {.format = Format::low16});
  SafetensorsContents halves_of_floats;
  halves_of_floats.add("s", upper).add("s.low", low);
  save_safetensors(folder / "safetensors/split", halves_of_floats);
  save_vectors(folder / "mapped/half.safetensors", half, two);
  save_vectors(folder / "mapped/quantized.safetensors", small_codes, two);
  save_vectors(folder / "mapped/one.safetensors", table, two);
  save_npy(folder / "mapped/one.npy", table);

  for (const Training& training : kTrainings) {
    const Trained trained(training, 2);
    CheckpointContents checkpoint_contents;
    checkpoint_contents.add("w", trained.table, &trained.optimizer);
    save_checkpoint(folder / "checkpoint" / training.name, checkpoint_contents);
    fs::copy(folder / "checkpoint" / training.name, folder / "restore", fs::copy_options::overwrite_existing);

    const ChainLink base = save_chain_base(folder / "base", training);
    const Trained stepped(training, 4);
    TouchedRows touched(4);
    touched.mark(std::vector<std::int64_t>{1, 3});
    DeltaContents delta_contents;
    delta_contents.add("w", stepped.table, touched, &stepped.optimizer);
    save_delta(folder / "delta" / training.name, delta_contents, base);
    fs::remove(folder / "base");
  }
  CheckpointContents quantized_rows;
  quantized_rows.add("w", codes);
  save_checkpoint(folder / "checkpoint/quantized", quantized_rows);
  fs::copy(folder / "checkpoint/quantized", folder / "restore", fs::copy_options::overwrite_existing);

  save_npy(folder / "npy/table", table);
  const Table halves(2, 3, {.format = Format::f16});
  const Table integers(2, 3, {.format = Format::i16});
  save_npy(folder / "npy/halves", halves);
  save_npy(folder / "npy/integers", integers);
  write("npy/doubles", std::string("\x93NUMPY\x01\x00\x40\x00", 10) +
                           "{'descr':'>f8','fortran_order':True,'shape':(1,2)}             \n" + std::string(16, '\1'));
  write("npy/columns", std::string("\x93NUMPY\x02\x00\x40\x00\x00\x00", 12) +
                           "{'descr':'>f4','fortran_order':True,'shape':(2L,1L)}           \n" + std::string(8, '\1'));
  save_text_vectors(folder / "text/header", table, two);
  save_text_vectors(folder / "text/glove", table, two, {.header = false});
  write("text/spaces", ". . . 1 -2e-3 \r\n\xff inf nan\r\n");
  write("text/gzip", std::string_view("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x54\x30\x54\x30\xe2\x02\x00\x13\x36"
                                      "\xd4\xce\x06\x00\x00\x00",
                                      26));
  copy("text/gzip", "words");
  write("words/list", "one\ntwo words\r\n\n");
  save_word2vec_binary(folder / "word2vec/table", table, two);
  write("word2vec/together", std::string_view("2 1\na \0\0\x80\x3f"
                                              "b\xff \0\0\0\x40",
                                              16));
  for (const char* const from :
       {"safetensors/tables", "safetensors/quantized", "npy/table", "text/header", "text/gzip", "word2vec/table"}) {
    copy(from, "any_kind");
  }
}

}  // namespace rowmill::io::fuzz
