// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors/header.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace rowmill::io {
namespace {

using nlohmann::json;

struct DtypeBits {
  std::string_view name;
  std::int64_t bits;
};
constexpr DtypeBits kDtypes[] = {{"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},    {"U8", 8},
                                 {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
                                 {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
                                 {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"I64", 64},
                                 {"U64", 64},        {"F64", 64}};

/// An iterator over the header that tells how far the parser has come, for the offsets of errors.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

/// Takes the parser's events, and refuses all that is not a header: {NAME: {"dtype": STRING, "shape": [INTEGER...],
/// "data_offsets": [INTEGER, INTEGER]}..., "__metadata__": {STRING: STRING...}}. Offsets count from the header's end.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  HeaderReader(const InputFile& file, const char* text, const char** reached)
      : file_(file), text_(text), reached_(reached) {}

  SafetensorsHeader header;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a truth value"); }
  bool number_float(double, const std::string& text) override { return refuse("the number " + text); }
  bool number_integer(std::int64_t value) override { return refuse("the number " + std::to_string(value)); }
  bool binary(json::binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::numbers) return refuse("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return refuse("the number " + std::to_string(value));
    }
    numbers_->push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      header.metadata.emplace(key_, std::move(value));
      return true;
    }
    if (place_ != Place::tensor || key_ != "dtype") return refuse("a string");
    if (!bits_of(value)) {
      throw bad("tensor '" + name_ + "': dtype '" + value + "' is unknown (expected F32, BF16, I64, ...)");
    }
    tensor().dtype = std::move(value);
    return true;
  }

  bool key(std::string& value) override {
    switch (place_) {
      case Place::top:
        if (!names_.insert(value).second) throw bad("the name '" + value + "' stands twice");
        name_ = std::move(value);
        return true;
      case Place::metadata:
        if (header.metadata.contains(value)) throw bad("__metadata__ has the key '" + value + "' twice");
        key_ = std::move(value);
        return true;
      default:
        if (value != "dtype" && value != "shape" && value != "data_offsets") {
          throw bad("tensor '" + name_ + "': unknown key '" + value + "' (expected dtype, shape, data_offsets)");
        }
        if (!keys_.insert(value).second) throw bad("tensor '" + name_ + "': the key '" + value + "' stands twice");
        key_ = std::move(value);
        return true;
    }
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::start:
        place_ = Place::top;
        return true;
      case Place::top:
        if (name_ == kMetadataName) {
          place_ = Place::metadata;
          return true;
        }
        place_ = Place::tensor;
        keys_.clear();
        offsets_.clear();
        header.tensors.push_back({.name = name_, .dtype = {}, .shape = {}});
        return true;
      default:
        return refuse("an object");
    }
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      for (const char* const needed : {"dtype", "shape", "data_offsets"}) {
        if (!keys_.contains(needed)) throw bad("tensor '" + name_ + "' has no " + needed);
      }
      if (offsets_.size() != 2) {
        throw bad("tensor '" + name_ + "': data_offsets holds " + std::to_string(offsets_.size()) +
                  " numbers (expected 2)");
      }
      tensor().begin = offsets_[0];
      tensor().end = offsets_[1];
    }
    place_ = place_ == Place::top ? Place::start : Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || key_ == "dtype") return refuse("an array");
    numbers_ = key_ == "shape" ? &tensor().shape : &offsets_;
    place_ = Place::numbers;
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
    const std::size_t reason = what.find(": ");
    throw bad("the header is not JSON" + (reason == std::string::npos ? "" : what.substr(reason)));
  }

 private:
  enum class Place : std::uint8_t { start, top, metadata, tensor, numbers };

  [[nodiscard]] TensorInfo& tensor() { return header.tensors.back(); }
  [[nodiscard]] FileError bad(const std::string& what) const {
    return file_.bad(kLengthBytes + (*reached_ - text_), what);
  }

  [[noreturn]] bool refuse(const std::string& found) const {
    switch (place_) {
      case Place::start:
        throw bad("expected an object, the header; found " + found);
      case Place::top:
        throw bad("'" + name_ + "': expected an object; found " + found);
      case Place::metadata:
        throw bad("__metadata__ key '" + key_ + "': expected a string; found " + found);
      case Place::tensor:
        throw bad("tensor '" + name_ + "', " + key_ + ": expected " +
                  (key_ == "dtype" ? "a string" : "an array of integers") + "; found " + found);
      default:
        throw bad("tensor '" + name_ + "', " + key_ + ": expected an integer of 0 .. 2^63-1; found " + found);
    }
  }

  const InputFile& file_;
  const char* text_;
  const char** reached_;
  Place place_ = Place::start;
  std::string name_, key_;
  std::set<std::string> names_;              // of all tensors
  std::set<std::string, std::less<>> keys_;  // of this tensor
  std::vector<std::int64_t> offsets_;
  std::vector<std::int64_t>* numbers_ = nullptr;
};

/// The bytes of a tensor, or nothing if they are no whole number below 2^63.
std::optional<std::int64_t> byte_count(const TensorInfo& tensor) {
  std::int64_t bits = *bits_of(tensor.dtype);
  for (const std::int64_t extent : tensor.shape) {
    if (extent == 0) return 0;
  }
  for (const std::int64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bits, extent, &bits)) return std::nullopt;
  }
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

/// Every tensor has the bytes that it needs, and all of them fill what follows the header.
void check_layout(const InputFile& file, SafetensorsHeader& header, std::int64_t data_begin) {
  const std::int64_t data_bytes = file.size() - data_begin;
  for (const TensorInfo& tensor : header.tensors) {
    const std::string range = "tensor '" + tensor.name + "': data_offsets " + std::to_string(tensor.begin) + " .. " +
                              std::to_string(tensor.end);
    if (tensor.begin > tensor.end || tensor.end > data_bytes) {
      throw file.bad(data_begin,
                     range + " lie outside of the " + std::to_string(data_bytes) + " bytes of data that the file has");
    }
    const std::optional<std::int64_t> bytes = byte_count(tensor);
    if (!bytes || *bytes != tensor.end - tensor.begin) {
      throw file.bad(data_begin + tensor.begin,
                     range + " do not fit its dtype " + tensor.dtype + " and shape, which " +
                         (bytes ? "take " + std::to_string(*bytes) + " bytes" : std::string("are no number of bytes")));
    }
  }
  std::ranges::stable_sort(header.tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::int64_t filled = 0;
  for (TensorInfo& tensor : header.tensors) {
    if (tensor.begin != filled) {
      throw file.bad(data_begin + std::min(tensor.begin, filled),
                     "tensor '" + tensor.name + "' begins at byte " + std::to_string(tensor.begin) +
                         " of the data, but those before it end at " + std::to_string(filled) +
                         (tensor.begin < filled ? ": tensors must not overlap" : ": there must be no hole"));
    }
    filled = tensor.end;
    tensor.begin += data_begin;
    tensor.end += data_begin;
  }
  if (filled != data_bytes) {
    throw file.bad(data_begin + filled, std::to_string(data_bytes - filled) + " bytes follow that belong to no tensor");
  }
}

}  // namespace

std::optional<std::int64_t> bits_of(std::string_view dtype) {
  const auto* const found = std::ranges::find(kDtypes, dtype, &DtypeBits::name);
  if (found == std::end(kDtypes)) return std::nullopt;
  return found->bits;
}

SafetensorsHeader read_header(const InputFile& file) {
  if (file.size() < kLengthBytes) {
    throw file.bad(0,
                   "expected 8 bytes, the length of a safetensors header; the file has " + std::to_string(file.size()));
  }
  std::uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > static_cast<std::uint64_t>(kMaxHeaderBytes)) {
    throw file.bad(0, "a safetensors header of " + std::to_string(length) + " bytes; at most 100000000 are allowed");
  }
  if (static_cast<std::int64_t>(length) > file.size() - kLengthBytes) {
    throw file.bad(0, "a safetensors header of " + std::to_string(length) + " bytes, but only " +
                          std::to_string(file.size() - kLengthBytes) + " follow");
  }
  std::string text(length, '\0');
  file.read(kLengthBytes, std::as_writable_bytes(std::span(text)));
  if (!text.starts_with('{')) throw file.bad(kLengthBytes, "expected '{', the beginning of a safetensors header");

  const char* reached = text.data();
  HeaderReader reader(file, text.data(), &reached);
  json::sax_parse(CountingIterator(text.data(), &reached), CountingIterator(text.data() + text.size(), &reached),
                  &reader);
  check_layout(file, reader.header, kLengthBytes + static_cast<std::int64_t>(length));
  return std::move(reader.header);
}

std::string format_header(std::span<const TensorInfo> tensors, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataName)] = metadata;
  std::string text = header.dump();
  text.pop_back();
  // Written entry by entry: looking for each name in an ordered_json would take quadratic time.
  for (const TensorInfo& tensor : tensors) {
    if (text.size() > 1) text += ',';
    text += json(tensor.name).dump() + ":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":" + json(tensor.shape).dump() +
            ",\"data_offsets\":[" + std::to_string(tensor.begin) + "," + std::to_string(tensor.end) + "]}";
  }
  text += '}';
  const std::size_t whole = kLengthBytes + text.size();
  text.append((kDataAlignment - whole % kDataAlignment) % kDataAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string prefix(kLengthBytes, '\0');
  std::memcpy(prefix.data(), &length, sizeof length);
  return prefix + text;
}

}  // namespace rowmill::io
