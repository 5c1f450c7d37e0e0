// SPDX-License-Identifier: Apache-2.0
// A libFuzzer target: the reader ROWMILL_READER gets any bytes as a file, and must load them or throw a FileError.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "rowmill/io/checkpoint.hpp"
#include "rowmill/io/mapped_table.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io {
namespace {

void safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  for (const TensorInfo& tensor : file.tensors()) {
    if (SafetensorsFile::is_table(tensor)) static_cast<void>(file.load_table(tensor.name));
    static_cast<void>(file.load_words(tensor.name));
  }
  static_cast<void>(file.verify());
}
void checkpoint(const std::string& path) {
  const CheckpointFile file(path);
  file.verify();
  Table table(2, 2);
  Optimizer optimizer(AdamOptions{}, 2, 2);
  file.restore("w", table, &optimizer);
}
void npy(const std::string& path) { static_cast<void>(load_npy(path)); }
void text(const std::string& path) { static_cast<void>(load_text_vectors(path)); }
void word2vec(const std::string& path) { static_cast<void>(load_word2vec_binary(path)); }
void any_kind(const std::string& path) { static_cast<void>(load_vectors(path)); }

}  // namespace
}  // namespace rowmill::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("input", MFD_CLOEXEC);
  static const std::string path = fmt::format("/proc/self/fd/{}", file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  try {
    rowmill::io::ROWMILL_READER(path);
  } catch (const rowmill::io::FileError&) {
  } catch (const rowmill::Error& error) {
    // A claim that is right and needs more memory than there is, or a checkpoint of another shape.
    if (error.code() != rowmill::ErrorCode::out_of_memory && error.code() != rowmill::ErrorCode::shape_mismatch &&
        error.code() != rowmill::ErrorCode::invalid_argument) {
      throw;
    }
  }
  return 0;
}
