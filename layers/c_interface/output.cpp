// SPDX-License-Identifier: Apache-2.0
// Output allocators.
#include <algorithm>
#include <mutex>
#include <string_view>
#include <utility>

#include "layers/c_interface/arguments.hpp"

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

rowmill_status rowmill_output_allocator_create(rowmill_output_allocator** allocator) noexcept {
  return call([&] {
    rowmill_output_allocator*& result = deref(allocator, "output_allocator_create", "allocator");
    result = new rowmill_output_allocator;
  });
}

void rowmill_output_allocator_destroy(rowmill_output_allocator* allocator) noexcept { delete allocator; }

rowmill_status rowmill_output_make(rowmill_output_allocator* allocator, std::int64_t rows, std::int64_t dim,
                                   rowmill_view* output) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "output_make";
    rowmill_output_allocator& from = deref(allocator, kOp, "allocator");
    rowmill_view& view = deref(output, kOp, "output");
    Output made = from.allocator.make(rows, dim);
    const rowmill_view made_view = rowmill_make_view(made.data(), rows, dim);
    if (made.data() != nullptr) {
      const std::lock_guard lock(from.mutex);
      from.outputs.push_back(std::move(made));
    }
    view = made_view;
  });
}

rowmill_status rowmill_output_release(rowmill_output_allocator* allocator, const void* data) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "output_release";
    rowmill_output_allocator& from = deref(allocator, kOp, "allocator");
    if (data == nullptr) return;
    Output released;  // dies after the lock
    const std::lock_guard lock(from.mutex);
    const auto found = std::find_if(from.outputs.begin(), from.outputs.end(),
                                    [&](const Output& output) { return output.data() == data; });
    if (found == from.outputs.end()) refuse(kOp, "data is not that of an output of this allocator");
    released = std::move(*found);
    from.outputs.erase(found);
  });
}

std::size_t rowmill_output_allocator_idle_bytes(const rowmill_output_allocator* allocator) noexcept {
  return allocator == nullptr ? 0 : allocator->allocator.idle_bytes();
}

rowmill_status rowmill_output_allocator_trim(rowmill_output_allocator* allocator) noexcept {
  return call([&] { deref(allocator, "output_allocator_trim", "allocator").allocator.trim(); });
}
