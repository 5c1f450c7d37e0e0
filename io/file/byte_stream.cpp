// SPDX-License-Identifier: Apache-2.0
#include "io/file/byte_stream.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace rowmill::io {

struct ByteStream::Gzip {
  Gzip() {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&state, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() { inflateEnd(&state); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  z_stream state{};
  std::vector<char> packed = std::vector<char>(std::size_t{1} << 16);
  bool in_member = true;  // a gzip file may be several, one after another
  bool at_end = false;
};

ByteStream::ByteStream(const std::filesystem::path& path)
    : path_(path == "-" ? "standard input" : path),
      file_(path == "-" ? Descriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) : open_for_reading(path)) {
  if (!file_.valid()) throw_system_error(path_, "opened", errno);
  if (peek(2) == "\x1f\x8b") {
    auto gzip = std::make_unique<Gzip>();
    std::ranges::copy(ahead_, gzip->packed.begin());
    gzip->state.next_in = reinterpret_cast<Bytef*>(gzip->packed.data());
    gzip->state.avail_in = static_cast<uInt>(ahead_.size());
    ahead_.clear();
    gzip_ = std::move(gzip);
  }
}

ByteStream::~ByteStream() = default;

std::string_view ByteStream::peek(std::size_t count) {
  const std::size_t have = ahead_.size() - given_;
  if (have < count) {
    ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(given_));
    given_ = 0;
    ahead_.resize(count);
    const std::span rest = std::span(ahead_).subspan(have);
    ahead_.resize(have + (gzip_ ? unpack(rest) : read_file(rest)));
  }
  return std::string_view(ahead_.data() + given_, ahead_.size() - given_).substr(0, count);
}

std::size_t ByteStream::read(std::span<char> bytes) {
  const std::size_t first = std::min(bytes.size(), ahead_.size() - given_);
  std::copy_n(ahead_.begin() + static_cast<std::ptrdiff_t>(given_), first, bytes.begin());
  given_ += first;
  const std::span rest = bytes.subspan(first);
  return first + (gzip_ ? unpack(rest) : read_file(rest));
}

std::size_t ByteStream::read_file(std::span<char> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file_.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(path_, "read", errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  packed_offset_ += static_cast<std::int64_t>(done);
  return done;
}

std::size_t ByteStream::unpack(std::span<char> bytes) {
  z_stream& state = gzip_->state;
  const auto bad_gzip = [&](const std::string& what) {
    return bad(packed_offset_ - state.avail_in, "(of the packed file) " + what);
  };
  std::size_t done = 0;
  while (done < bytes.size() && !gzip_->at_end) {
    if (state.avail_in == 0) {
      state.next_in = reinterpret_cast<Bytef*>(gzip_->packed.data());
      state.avail_in = static_cast<uInt>(read_file(gzip_->packed));
      if (state.avail_in == 0) {
        if (gzip_->in_member) throw bad_gzip("what gzip has packed is cut off");
        gzip_->at_end = true;
        break;
      }
    }
    if (!gzip_->in_member) {
      if (inflateReset(&state) != Z_OK) throw bad_gzip("cannot be unpacked");
      gzip_->in_member = true;
    }
    constexpr std::size_t kMaxAtOnce = std::size_t{1} << 30;
    const auto room = static_cast<uInt>(std::min(bytes.size() - done, kMaxAtOnce));
    state.next_out = reinterpret_cast<Bytef*>(bytes.data() + done);
    state.avail_out = room;
    const int status = inflate(&state, Z_NO_FLUSH);
    done += room - state.avail_out;
    if (status == Z_STREAM_END) {
      gzip_->in_member = false;
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw bad_gzip(std::string("what gzip has packed is damaged: ") +
                     (state.msg != nullptr ? state.msg : "no detail"));
    }
  }
  return done;
}

void refuse_foreign(const std::filesystem::path& path, std::string_view first_bytes) {
  const auto refuse = [&](const std::string& what) { throw FileError(ErrorCode::bad_file, path, 0, what); };
  constexpr std::string_view kFastText("\xba\x16\x4f\x2f", 4);
  if (first_bytes.starts_with(kFastText)) {
    refuse("a .bin file of fastText, which holds a whole model: take the .vec file that fastText writes beside it");
  }
  if (first_bytes.size() >= 2 && first_bytes[0] == '\x80' && first_bytes[1] >= 2 && first_bytes[1] <= 5) {
    refuse("a pickle (of gensim?), which is a program: write the vectors by gensim's save_word2vec_format");
  }
  if (first_bytes.starts_with("PK\x03\x04")) {
    refuse("a zip file (.npz of NumPy, .pt of PyTorch?): unpack it, or save the table as .safetensors or .npy");
  }
}

}  // namespace rowmill::io
