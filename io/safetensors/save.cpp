// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors/save.hpp"

#include <utf8.h>

#include <algorithm>
#include <functional>

#include "io/file/transfer.hpp"
#include "io/safetensors/formats.hpp"
#include "io/safetensors/header.hpp"

namespace rowmill::io {
namespace {

/// The largest power of two, up to 64, that divides a tensor's size: larger ones come first in a file, so that every
/// tensor is aligned at least as its own elements are.
std::int64_t size_alignment(const SafetensorsContents::Tensor& tensor) {
  const std::int64_t bytes = tensor.rows * tensor.row_bytes;
  return bytes == 0 ? kDataAlignment : std::min(bytes & -bytes, kDataAlignment);
}

/// The tensors in the order of the file, with their begin and end, counted from the end of the header.
std::vector<SafetensorsContents::Tensor> lay_out(const SafetensorsContents& contents) {
  std::vector<SafetensorsContents::Tensor> tensors(contents.tensors().begin(), contents.tensors().end());
  std::ranges::stable_sort(tensors, std::greater{}, size_alignment);
  std::int64_t end = 0;
  for (SafetensorsContents::Tensor& tensor : tensors) {
    tensor.info.begin = end;
    tensor.info.end = end += tensor.rows * tensor.row_bytes;
  }
  return tensors;
}

void check_metadata(const Metadata& metadata) {
  for (const auto& [key, value] : metadata) {
    if (!utf8::is_valid(key.begin(), key.end()) || !utf8::is_valid(value.begin(), value.end())) {
      throw Error(ErrorCode::invalid_argument, "rowmill: safetensors: metadata '" + key + "' are not UTF-8");
    }
  }
}

/// The caller's metadata, and what they must say of quantised rows. They may say the same already: it was read from
/// such a file.
Metadata with_formats(const SafetensorsContents& contents) {
  Metadata metadata = contents.metadata;
  Metadata formats;
  for (const SafetensorsContents::Tensor& tensor : contents.tensors()) {
    formats.insert(tensor.format.begin(), tensor.format.end());
  }
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with(kFormatKey) && !key.starts_with(kDimKey)) continue;
    if (const auto found = formats.find(key); found == formats.end() || found->second != value) {
      throw Error(ErrorCode::invalid_argument,
                  "rowmill: safetensors: metadata '" + key + "' is '" + value + "', which " +
                      (found == formats.end() ? "only a quantised table of that name has" : "contradicts the table"));
    }
  }
  metadata.merge(formats);
  return metadata;
}

std::string checked_header(std::span<const TensorInfo> infos, const Metadata& metadata) {
  std::string header = format_header(infos, metadata);
  if (static_cast<std::int64_t>(header.size()) - kLengthBytes > kMaxHeaderBytes) {
    throw Error(ErrorCode::invalid_argument, "rowmill: safetensors: names and metadata need a header of " +
                                                 std::to_string(header.size()) +
                                                 " bytes; at most 100000000 are allowed");
  }
  return header;
}

std::string save(const std::filesystem::path& path, const SafetensorsContents& contents, const SaveOptions& options,
                 bool with_checksums) {
  check_metadata(contents.metadata);
  const std::vector<SafetensorsContents::Tensor> tensors = lay_out(contents);
  std::vector<TensorInfo> infos;
  for (const SafetensorsContents::Tensor& tensor : tensors) infos.push_back(tensor.info);
  const std::int64_t data_bytes = infos.empty() ? 0 : infos.back().end;

  // Checksums are known when the data are written; their places are kept until then.
  Metadata metadata = with_formats(contents);
  const auto key_of = [](const TensorInfo& info) { return std::string(kTensorChecksum) + info.name; };
  if (with_checksums) {
    for (const TensorInfo& info : infos) metadata[key_of(info)] = hexadecimal(0);
    metadata[std::string(kFileChecksum)] = hexadecimal(0);
  }
  std::string header = checked_header(infos, metadata);
  const auto header_bytes = static_cast<std::int64_t>(header.size());

  NewFile file(path, header_bytes + data_bytes);
  ProgressCount progress(options.progress, data_bytes);
  for (const SafetensorsContents::Tensor& tensor : tensors) {
    TreeChecksum checksum(tensor.rows * tensor.row_bytes);
    write_rows(file, header_bytes + tensor.info.begin, {tensor.data, tensor.rows, tensor.row_bytes, tensor.stride},
               progress, with_checksums ? &checksum : nullptr);
    if (with_checksums) metadata[key_of(tensor.info)] = hexadecimal(checksum.value());
  }
  std::string whole;
  if (with_checksums) {
    whole = file_checksum(infos, metadata);
    metadata[std::string(kFileChecksum)] = whole;
    header = format_header(infos, metadata);
  }
  file.write(0, std::as_bytes(std::span(header)));
  file.commit(options.sync);
  return whole;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const SafetensorsContents& contents,
                      const SaveOptions& options) {
  save(path, contents, options, false);
}

std::string save_with_checksums(const std::filesystem::path& path, const SafetensorsContents& contents,
                                const SaveOptions& options) {
  return save(path, contents, options, true);
}

std::string file_checksum(std::span<const TensorInfo> tensors, const Metadata& metadata) {
  std::string text;
  const auto add = [&](std::string_view part) { text.append(std::to_string(part.size())).append(":").append(part); };
  for (const TensorInfo& tensor : tensors) {
    add(tensor.name);
    add(tensor.dtype);
    for (const std::int64_t extent : tensor.shape) add(std::to_string(extent));
  }
  for (const auto& [key, value] : metadata) {
    if (key == kFileChecksum) continue;
    add(key);
    add(value);
  }
  return hexadecimal(xxh3(std::as_bytes(std::span(text))));
}

}  // namespace rowmill::io
