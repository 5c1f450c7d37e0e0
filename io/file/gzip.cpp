// SPDX-License-Identifier: Apache-2.0
#include "io/file/gzip.hpp"

#include <zlib.h>

#include "rowmill/error.hpp"

namespace rowmill::io {

std::string gzip_member(std::string_view bytes) {
  constexpr int kGzip = 16;
  constexpr int kMemoryLevel = 9;
  z_stream state{};
  if (deflateInit2(&state, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzip, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw Error(ErrorCode::out_of_memory, "rowmill: gzip: the system refused memory");
  }
  std::string packed(deflateBound(&state, static_cast<uLong>(bytes.size())), '\0');
  // zlib does not write to its input; its type is older than const.
  state.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  state.avail_in = static_cast<uInt>(bytes.size());
  state.next_out = reinterpret_cast<Bytef*>(packed.data());
  state.avail_out = static_cast<uInt>(packed.size());
  deflate(&state, Z_FINISH);  // there is room for all of it
  packed.resize(packed.size() - state.avail_out);
  deflateEnd(&state);
  return packed;
}

}  // namespace rowmill::io
