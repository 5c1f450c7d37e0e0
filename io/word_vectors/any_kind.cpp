// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "io/checkpoint/saved_state.hpp"
#include "io/file/byte_stream.hpp"
#include "io/file/transfer.hpp"
#include "io/npy/header.hpp"
#include "io/npy/save.hpp"
#include "io/safetensors/header.hpp"
#include "io/word_vectors/line_blocks.hpp"
#include "io/word_vectors/row_blocks.hpp"
#include "io/word_vectors/text.hpp"
#include "io/word_vectors/text_line.hpp"
#include "io/word_vectors/unused_option.hpp"
#include "kernels/core/checks.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::io {
namespace {

constexpr std::string_view kTensorName = "vectors";

/// The words, each with a '\n'.
std::string as_lines(const Vocabulary& words) {
  std::string text;
  for (std::int64_t r = 0; r < words.size(); ++r) {
    const char* const problem = words[r].find('\n') != std::string_view::npos ? "holds a newline"
                                : words[r].ends_with('\r')                    ? "ends with a carriage return"
                                : r == 0 && words[r].starts_with(kByteOrderMark)
                                    ? "begins the file with a byte order mark"
                                    : nullptr;
    if (problem != nullptr) {
      throw Error(ErrorCode::invalid_argument, "rowmill: save_words: word " + std::to_string(r) + ", '" +
                                                   std::string(words[r]) + "', " + problem +
                                                   ": it could not be read back");
    }
    text += words[r];
    text += '\n';
  }
  return text;
}

/// Whether a line is a word, or several, and `dim` numbers.
bool is_text_line(std::string_view line, std::int64_t dim) {
  if (dim < 1 || dim > static_cast<std::int64_t>(line.size() / 2)) return false;
  std::vector<float> values(static_cast<std::size_t>(dim));
  std::string_view word;
  return parse_line(line, dim, word, values.data()).empty();
}

/// Of a file whose contents say nothing: they may be damaged at the beginning.
FileKind kind_of_name(const std::filesystem::path& path) {
  if (path.extension() == ".safetensors") return FileKind::safetensors;
  return path.extension() == ".npy" ? FileKind::npy : FileKind::text;
}

}  // namespace

Vocabulary load_words(const std::filesystem::path& path) {
  ByteStream stream(path);
  LineBlocks lines(stream);
  Vocabulary words;
  for (std::optional<LineBlock> block = lines.next(); block; block = lines.next()) {
    for_each_line(*block, [&](std::string_view line, std::int64_t) { words.add(line); });
  }
  return words;
}

void save_words(const std::filesystem::path& path, const Vocabulary& words, const SaveOptions& options) {
  const std::string lines = as_lines(words);
  NewFile file(path, static_cast<std::int64_t>(lines.size()));
  file.write(0, std::as_bytes(std::span(lines)));
  file.commit(options.sync);
}

std::filesystem::path words_path(const std::filesystem::path& npy) {
  std::filesystem::path path = npy;
  if (path.extension() == ".npy") path.replace_extension();
  return path += ".words.txt";
}

Vocabulary load_npy_words(const std::filesystem::path& npy, std::int64_t rows) {
  const std::filesystem::path path = words_path(npy);
  std::error_code error;  // one that says nothing of the file is left to the reader
  if (!std::filesystem::exists(path, error) && !error) return {};
  Vocabulary words = load_words(path);
  if (words.size() != rows) {
    throw FileError(
        ErrorCode::bad_file, path, FileError::kNowhere,
        std::to_string(words.size()) + " words for the " + std::to_string(rows) + " rows of " + npy.string());
  }
  return words;
}

FileKind file_kind(const std::filesystem::path& path) {
  std::error_code none;
  if (path == "-" || std::filesystem::is_fifo(path, none)) return FileKind::text;  // which can be read only once
  ByteStream stream(path);
  const std::string_view start = stream.peek(kKindBytes);
  refuse_foreign(stream.path(), start);
  return kind_of_start(start).value_or(kind_of_name(path));
}

std::optional<FileKind> kind_of_start(std::string_view start) {
  if (start.starts_with(kNpyMagic)) return FileKind::npy;
  std::uint64_t length = 0;
  if (start.size() > sizeof length) {
    std::memcpy(&length, start.data(), sizeof length);
    if (length <= static_cast<std::uint64_t>(kMaxHeaderBytes) && start[sizeof length] == '{')
      return FileKind::safetensors;
  }
  // After "WORDS DIM\n" both kinds of word2vec go on with a word and a space: then come bytes of floats, or digits.
  const std::size_t line_end = start.find('\n');
  const std::optional<CountsLine> counts = parse_counts(start.substr(0, line_end));
  if (line_end == std::string_view::npos || !counts || counts->words == 0) return std::nullopt;
  const std::string_view rest = start.substr(line_end + 1);
  if (is_text_line(rest.substr(0, rest.find_first_of("\r\n")), counts->dim)) return FileKind::text;
  const std::string_view number = rest.substr(std::min(rest.find(' '), rest.size()));
  const bool digits =
      std::ranges::all_of(number.substr(0, 8), [](char c) { return c == '\n' || c == '\r' || (c >= ' ' && c <= '~'); });
  return digits ? FileKind::text : FileKind::word2vec_binary;
}

WordVectors load_vectors(const std::filesystem::path& path, const LoadVectorsOptions& options) {
  const FileKind kind = file_kind(path);
  check_options("load_vectors", path, kind, options);
  switch (kind) {
    case FileKind::safetensors: {
      const SafetensorsFile file(path);
      check_is_no_delta(file);
      const std::string& name = options.tensor.empty() ? file.only_table().name : options.tensor;
      Vocabulary words = file.load_words(name);
      return {.words = std::move(words), .table = file.load_table(name)};
    }
    case FileKind::npy: {
      const InputFile file(path);
      Table table = load_npy(path);
      Vocabulary words = load_npy_words(path, table.rows());
      file.check_not_replaced();
      return {.words = std::move(words), .table = std::move(table)};
    }
    case FileKind::word2vec_binary:
      return load_word2vec_binary(path, {.invalid_utf8 = options.text.invalid_utf8});
    case FileKind::text:
      break;
  }
  return load_text_vectors(path, options.text);
}

VectorsFormat format_of_name(const std::filesystem::path& path) {
  const std::string end = path.extension().string();
  if (end == ".safetensors") return VectorsFormat::safetensors;
  if (end == ".npy") return VectorsFormat::npy;
  if (end == ".bin") return VectorsFormat::word2vec_binary;
  // Text may be packed: .txt.gz
  const std::string text_end = end == ".gz" ? path.stem().extension().string() : end;
  if (text_end == ".txt" || text_end == ".vec") return VectorsFormat::text;
  if (text_end == ".glove") return VectorsFormat::glove;
  throw Error(ErrorCode::invalid_argument,
              "rowmill: save_vectors: the name '" + path.string() + "' ends in '" + end +
                  "'; known: .safetensors, .npy, .bin, .txt, .vec, .glove, and .txt.gz, .vec.gz, .glove.gz");
}

void save_vectors(const std::filesystem::path& path, VectorsFormat format, const ConstTableView& table,
                  const Vocabulary& words, const SaveOptions& options) {
  check_view("save_vectors", "table", table);
  check_has_columns("save_vectors", "table", table);
  if (!words.empty()) check_word_count("save_vectors", table, words);
  switch (format) {
    case VectorsFormat::safetensors: {
      SafetensorsContents contents;
      contents.add(std::string(kTensorName), table);
      if (!words.empty()) contents.add_words(std::string(kTensorName), words);
      return save_safetensors(path, contents, options);
    }
    case VectorsFormat::npy:
      return words.empty() ? save_npy(path, table, options) : save_npy_and_words(path, table, as_lines(words), options);
    case VectorsFormat::word2vec_binary:
      return save_word2vec_binary(path, table, words, options);
    case VectorsFormat::text:
    case VectorsFormat::glove:
      return save_text_vectors(path, table, words, {.header = format == VectorsFormat::text, .save = options});
  }
}

void save_vectors(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words,
                  const SaveOptions& options) {
  check_view("save_vectors", "table", table);
  check_has_columns("save_vectors", "table", table);
  save_vectors(path, format_of_name(path), table, words, options);
}

}  // namespace rowmill::io
