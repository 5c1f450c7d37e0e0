// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace bench {

[[nodiscard]] std::string cpu_model();
[[nodiscard]] std::string machine_kind();       ///< "zen4", "emerald-rapids"; "vendor-family-model" of others
[[nodiscard]] std::string record_path();        ///< where the source tree keeps, or would keep, the record of this kind
[[nodiscard]] int thread_count();               ///< what oneTBB would use
[[nodiscard]] std::size_t last_level_cache();   ///< bytes; 32 MiB where the system does not tell
[[nodiscard]] std::string huge_page_setting();  ///< of the kernel: "always", "madvise", "never" or "unknown"
[[nodiscard]] std::size_t available_memory();   ///< bytes that can be had without swapping

/// Keeps all threads of the arena busy for so long. A worker that sleeps is woken by the first parallel
/// region, but Linux may queue it behind the very thread that woke it, and looks for another processor only at its next
/// tick: work of some microseconds would then run on one thread for long.
void wake_threads(int milliseconds = 12);

}  // namespace bench
