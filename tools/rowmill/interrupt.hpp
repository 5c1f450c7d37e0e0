// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP end a save by way of its progress callback, so that it removes its temporary file.
#pragma once

#include "rowmill/io/save_options.hpp"

namespace rowmill::tool {

/// What the progress callback throws when the user has had enough.
struct Interrupted {
  int signal;
};

/// Outside of saves, the signals end the process as they do by themselves; so does a second one in a save, whose
/// temporary file then stays for the next save to remove.
void catch_interrupts();

/// Ends the process by this signal, so that a shell's loop around it ends too.
void end_by(int signal);

/// A progress callback for a save: a bar on standard error if that is a terminal, and Interrupted after a signal.
[[nodiscard]] io::Progress saving(const char* what);

/// Outside of saves too, the first signal ends nothing from now on; interrupt() says which one came, or 0.
void note_interrupts();
[[nodiscard]] int interrupt();

/// The save is over: signals end the process again, and one that came too late for it does so now.
void saved();

}  // namespace rowmill::tool
