// SPDX-License-Identifier: Apache-2.0
#include "interrupt.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "standard_streams.hpp"

namespace rowmill::tool {
namespace {

volatile std::sig_atomic_t in_save = 0;
volatile std::sig_atomic_t received = 0;

extern "C" void on_signal(int signal) {
  if (in_save == 0 || received != 0) end_by(signal);  // a second one does not wait for a slow disk
  received = signal;
}

}  // namespace

void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // What the caller has ignored (a shell's background jobs, nohup) stays ignored.
    if (std::signal(signal, on_signal) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

io::Progress saving(const char* what) {
  in_save = 1;
  return [what, terminal = isatty(STDERR_FILENO) != 0, shown = -1](std::int64_t done, std::int64_t total) mutable {
    if (received != 0) throw Interrupted{received};
    const int percent =
        total == 0 ? 100 : static_cast<int>(100 * (static_cast<double>(done) / static_cast<double>(total)));
    if (!terminal || percent == shown) return;
    shown = percent;
    say(fmt::format("\r{} [{:<40}] {:3} %{}", what, std::string(static_cast<std::size_t>(percent * 2 / 5), '#'),
                    percent, percent == 100 ? "\n" : ""));
  };
}

void note_interrupts() { in_save = 1; }

int interrupt() { return received; }

void saved() {
  in_save = 0;
  if (received != 0) end_by(received);  // it came too late to stop the save, but stops what would follow
}

}  // namespace rowmill::tool
