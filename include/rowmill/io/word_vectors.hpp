// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "rowmill/io/file_error.hpp"
#include "rowmill/io/save_options.hpp"
#include "rowmill/io/vocabulary.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// A table and its words: row r is the vector of words[r].
struct WordVectors {
  Vocabulary words;
  Table table;
};

/// What becomes of words that are not UTF-8: old word2vec files have some.
enum class InvalidUtf8 : std::uint8_t {
  keep,     ///< as bytes
  replace,  ///< each bad sequence by U+FFFD
  refuse,   ///< an error
};

/// Whether a text file begins with a line "WORDS DIM".
enum class HeaderLine : std::uint8_t {
  automatic,  ///< if its first line is two whole numbers (and the second is LoadTextOptions::dim, if that is given)
  present,    ///< as word2vec and fastText write
  absent,     ///< as GloVe writes
};

struct LoadTextOptions {
  std::int64_t dim = 0;  ///< numbers of a line; 0: what the header says, or else as many as end the first line
  HeaderLine header = HeaderLine::automatic;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::keep;
};

/// Reads vectors from text: word2vec's text format, GloVe's, fastText's .vec. Lines are parsed on all threads.
///
///     [WORDS DIM]
///     word number number ... number       # the last DIM fields; what stands before them is the word, spaces included
///
/// Fields are separated by spaces; a line may end with one, or with a carriage return. Numbers are as C's strtod takes
/// them in the C locale, rounded to float; "inf" and "nan" too. A byte order mark before the text is left out. `path`
/// may be a gzip file, whatever its name, or "-" for standard input.
///
/// Throws FileError if the file can't be read (io_error); if a line has too few fields or a field is no number or is
/// beyond float's range; if a word is empty or, of several fields, ends with a number (a line with too many numbers);
/// if the last line has no end (a file that was cut off); if the header's word count is not the number of lines; or if
/// the file is another kind: a pickle of gensim, a .bin of fastText, a zip file (bad_file). The offset is that of the
/// line.
[[nodiscard]] WordVectors load_text_vectors(const std::filesystem::path& path, const LoadTextOptions& options = {});

struct LoadBinaryOptions {
  InvalidUtf8 invalid_utf8 = InvalidUtf8::keep;
};

/// Reads vectors in word2vec's binary format, from a file, a gzip file, or "-", standard input:
///
///     WORDS DIM\n  then WORDS times:  [\n]word SPACE DIM little-endian floats
///
/// Throws FileError if the file can't be read (io_error), is cut off, goes on after its last vector, or has an empty
/// word or one of more than 65,536 bytes (bad_file).
[[nodiscard]] WordVectors load_word2vec_binary(const std::filesystem::path& path,
                                               const LoadBinaryOptions& options = {});

struct SaveTextOptions {
  bool header = true;  ///< as word2vec and fastText write; GloVe writes none
  SaveOptions save = {};
};

/// Writes vectors as text, each number with as few digits as give its bits back (a NaN's bits are lost; other
/// formats become floats). A name that ends in .gz is that of a gzip file. Lines are made, and packed, on all threads.
/// Throws Error (invalid_argument) if the table is of float64, which would lose digits, or of integers, if the words
/// are not one for each row, or one could not be read back: it is empty, begins or ends with a space, holds a line's
/// end, its last field of several is a number, or it begins a file without a header line with a byte order mark; or if
/// a file without a header line would begin with what looks like one ("5 3"), or has no rows and so would not say its
/// dim;
/// FileError (io_error) if the file can't be written; and what options.save.progress throws. The old file is then
/// untouched.
void save_text_vectors(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words,
                       const SaveTextOptions& options = {});

/// Writes vectors in word2vec's binary format, with a newline after each (other formats become floats). Throws as
/// save_text_vectors, of words for those that are empty or hold a space or a newline.
void save_word2vec_binary(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words,
                          const SaveOptions& options = {});

/// The words of a text file, one a line: what stands beside a .npy file. Throws FileError.
[[nodiscard]] Vocabulary load_words(const std::filesystem::path& path);
/// Throws Error (invalid_argument) if a word could not be read back: it holds a newline or ends with a carriage return,
/// or the first begins with a byte order mark; FileError (io_error) if the file can't be written.
void save_words(const std::filesystem::path& path, const Vocabulary& words, const SaveOptions& options = {});
/// The file of words beside a .npy file: "dir/name.npy" has "dir/name.words.txt". It belongs to the .npy file, and a
/// save of that replaces or removes it.
[[nodiscard]] std::filesystem::path words_path(const std::filesystem::path& npy);

/// The words of words_path(npy), for a table of so many rows; empty if there is no such file.
/// Throws FileError if it can't be read (io_error) or has another number of words (bad_file).
[[nodiscard]] Vocabulary load_npy_words(const std::filesystem::path& npy, std::int64_t rows);

enum class FileKind : std::uint8_t { safetensors, npy, word2vec_binary, text };

/// What kind of file this is, by its first bytes; where these say nothing, by its name, which ends in .safetensors or
/// .npy, or else text. Also text, for "-" and pipes, which can't be read twice. Throws FileError if it can't be read
/// (io_error), or is a pickle, a .bin of fastText or a zip file (bad_file).
[[nodiscard]] FileKind file_kind(const std::filesystem::path& path);

struct LoadVectorsOptions {
  std::string tensor = {};  ///< of a safetensors file; empty: its only table
  LoadTextOptions text = {};
};

/// Reads a table, and its words if it has some, from a file of any kind. Throws as the readers above, FileError if the
/// file is a delta of a checkpoint (bad_file), and Error (invalid_argument) if an option is given that is of no use to
/// files of this kind.
[[nodiscard]] WordVectors load_vectors(const std::filesystem::path& path, const LoadVectorsOptions& options = {});

enum class VectorsFormat : std::uint8_t {
  safetensors,  ///< the table is named "vectors"
  npy,          ///< words go to words_path()
  word2vec_binary,
  text,   ///< with a header line
  glove,  ///< text without one
};

/// The format that the file name's end stands for: .safetensors, .npy, .bin (word2vec binary), .txt or .vec (text),
/// .glove, or one of these three with .gz behind it. Throws Error (invalid_argument) for others.
[[nodiscard]] VectorsFormat format_of_name(const std::filesystem::path& path);

/// Writes a table, and its words if there are some. What has no words stands without: a .words.txt of an older .npy
/// file of this name is removed. Throws as the writers above.
void save_vectors(const std::filesystem::path& path, VectorsFormat format, const ConstTableView& table,
                  const Vocabulary& words = {}, const SaveOptions& options = {});

/// The same, in the format of the file name's end.
void save_vectors(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words = {},
                  const SaveOptions& options = {});

}  // namespace rowmill::io
