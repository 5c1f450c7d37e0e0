// SPDX-License-Identifier: Apache-2.0
#include "io/npy/header.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace rowmill::io {
namespace {

constexpr std::int64_t kAlignment = 64;

/// Reads the Python literal that a .npy header is:
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } with keys in any order.
class LiteralReader {
 public:
  LiteralReader(const InputFile& file, std::string_view text, std::int64_t offset)
      : file_(file), text_(text), offset_(offset) {}

  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;

  void read() {
    expect('{', "the beginning of a dictionary");
    while (!accept('}')) {
      const std::string key = string("a key");
      expect(':', "between key and value");
      if (key == "descr" && !descr) {
        descr = peek() == '[' ? structured() : string("a dtype");
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = truth();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        fail("the key '" + key + "' is unknown or stands twice (expected descr, fortran_order, shape)");
      }
      if (accept(',')) continue;
      expect('}', "the end of the dictionary");
      break;
    }
    if (const char* const missing = !descr ? "descr" : !fortran_order ? "fortran_order" : !shape ? "shape" : nullptr) {
      fail(std::string("the header lacks ") + missing);
    }
    peek();
    if (at_ != text_.size()) fail("expected nothing but spaces after the dictionary");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw file_.bad(offset_ + static_cast<std::int64_t>(at_), what);
  }

  /// The next character that is not a space, or 0 at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, const char* why) {
    if (!accept(c)) fail(std::string("expected '") + c + "', " + why);
  }

  std::string string(const char* what) {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail(std::string("expected ") + what + " in quotes");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a string without an end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }

  [[noreturn]] std::string structured() { fail("an array of records; expected a dtype such as '<f4'"); }

  bool truth() {
    peek();
    for (const std::string_view value : {"True", "False"}) {
      if (text_.substr(at_).starts_with(value)) {
        at_ += value.size();
        return value == "True";
      }
    }
    fail("expected True or False");
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> values;
    expect('(', "the beginning of a tuple");
    while (!accept(')')) {
      peek();
      std::int64_t value = 0;
      const char* const end = text_.data() + text_.size();
      const auto [next, error] = std::from_chars(text_.data() + at_, end, value);
      if (error != std::errc() || value < 0) fail("expected a whole number of 0 .. 2^63-1");
      at_ = static_cast<std::size_t>(next - text_.data());
      accept('L');  // as Python 2 wrote
      values.push_back(value);
      if (accept(',')) continue;
      expect(')', "the end of a tuple");
      break;
    }
    return values;
  }

  const InputFile& file_;
  std::string_view text_;
  std::int64_t offset_;
  std::size_t at_ = 0;
};

/// What NumPy calls the formats, without the byte order.
constexpr std::pair<Format, std::string_view> kNames[] = {{Format::f32, "f4"}, {Format::f16, "f2"}, {Format::f64, "f8"},
                                                          {Format::i64, "i8"}, {Format::i32, "i4"}, {Format::i16, "i2"},
                                                          {Format::i8, "i1"},  {Format::u8, "u1"}};

/// '<', '>', or '|' where there is no order of bytes.
bool is_byte_order(char c, Format format) { return c == '<' || c == '>' || (c == '|' && element_size(format) == 1); }

/// The format of a dtype such as "<f4". Throws FileError (bad_file).
Format format_of_dtype(const InputFile& file, const std::string& descr) {
  for (const auto& [format, name] : kNames) {
    if (descr.ends_with(name) && descr.size() == name.size() + 1 && is_byte_order(descr[0], format)) return format;
  }
  const auto bad = [&](const std::string& advice) {
    return file.bad(FileError::kNowhere, "holds an array of dtype '" + descr +
                                             "'; expected float32 ('<f4' or '>f4'), float16, float64, int8 to int64 or "
                                             "uint8" +
                                             advice);
  };
  if (descr == "|O") throw bad(". It holds pickled Python objects, which are programs: save the array as float32");
  if (descr == "|V2" || descr == "<V2" || descr == "bfloat16") {
    throw bad(". NumPy has no dtype for bfloat16: store such a table as safetensors");
  }
  throw bad(": convert it by array.astype('float32')");
}

/// Where the header's text stands in the file.
struct HeaderText {
  std::int64_t begin = 0;
  std::int64_t bytes = 0;
};

/// Checks what stands before the text: magic, version and length.
HeaderText read_start(const InputFile& file) {
  char start[12] = {};
  const std::int64_t start_bytes = std::min<std::int64_t>(file.size(), sizeof start);
  file.read(0, std::as_writable_bytes(std::span(start)).first(static_cast<std::size_t>(start_bytes)));
  if (std::string_view(start, kNpyMagic.size()) != kNpyMagic) {
    if (std::string_view(start, 2) == "PK") throw file.bad(0, "a zip file (.npz?); unpack its .npy files first");
    throw file.bad(0, "expected '\\x93NUMPY', the beginning of a .npy file");
  }
  const auto major = static_cast<unsigned char>(start[6]);
  const auto minor = static_cast<unsigned char>(start[7]);
  if (file.size() >= 8 && (major < 1 || major > 3 || minor != 0)) {
    throw file.bad(6, "version " + std::to_string(major) + "." + std::to_string(minor) +
                          " of the .npy format; expected 1.0, 2.0 or 3.0");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const std::int64_t text_begin = 8 + static_cast<std::int64_t>(length_bytes);
  std::uint32_t length = 0;
  std::memcpy(&length, start + 8, length_bytes);
  if (text_begin > file.size() || static_cast<std::int64_t>(length) > file.size() - text_begin) {
    throw file.bad(8, "the file ends in its header (" + std::to_string(file.size()) + " bytes)");
  }
  // NumPy itself reads no header of an array without records that is longer.
  constexpr std::uint32_t kMaxBytes = 1 << 16;
  if (length > kMaxBytes) {
    throw file.bad(
        8, "a header of " + std::to_string(length) + " bytes; at most " + std::to_string(kMaxBytes) + " are allowed");
  }
  return {text_begin, length};
}

/// The values end where the file does.
void check_data_size(const InputFile& file, const NpyInfo& info) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(info.dim, element_size(info.format), &bytes) ||
      __builtin_mul_overflow(bytes, info.rows, &bytes) || bytes != file.size() - info.data_begin) {
    throw file.bad(info.data_begin, "expected the values of a " + std::to_string(info.rows) + " x " +
                                        std::to_string(info.dim) + " array; the file has " +
                                        std::to_string(file.size() - info.data_begin) + " bytes for them");
  }
}

}  // namespace

NpyInfo read_npy_header(const InputFile& file) {
  const HeaderText place = read_start(file);
  std::string text(static_cast<std::size_t>(place.bytes), '\0');
  file.read(place.begin, std::as_writable_bytes(std::span(text)));
  LiteralReader header(file, text, place.begin);
  header.read();

  const Format format = format_of_dtype(file, *header.descr);
  if (header.shape->size() != 2 || (*header.shape)[1] < 1) {
    std::string shape;
    for (const std::int64_t extent : *header.shape) shape.append(shape.empty() ? "" : ", ") += std::to_string(extent);
    throw file.bad(place.begin, "an array of " + std::to_string(header.shape->size()) + " dimensions, of shape (" +
                                    shape + "); a table has two, rows and dim, dim of at least 1");
  }
  const NpyInfo info = {.rows = (*header.shape)[0],
                        .dim = (*header.shape)[1],
                        .format = format,
                        .big_endian = header.descr->front() == '>' && element_size(format) > 1,
                        .fortran_order = *header.fortran_order,
                        .data_begin = place.begin + place.bytes};
  check_data_size(file, info);
  return info;
}

std::string format_npy_header(Format format, std::int64_t rows, std::int64_t dim) {
  const auto* const name = std::ranges::find(kNames, format, &std::pair<Format, std::string_view>::first);
  const std::string descr = std::string(element_size(format) == 1 ? "|" : "<").append(name->second);
  std::string dictionary = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
                           ", " + std::to_string(dim) + "), }";
  constexpr std::size_t kBefore = 10;
  const std::size_t whole = (kBefore + dictionary.size() + kAlignment) / kAlignment * kAlignment;
  dictionary.resize(whole - kBefore - 1, ' ');
  dictionary += '\n';
  std::string header = std::string(kNpyMagic) + std::string("\x01\x00", 2);
  header += static_cast<char>(dictionary.size() & 0xFF);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

}  // namespace rowmill::io
