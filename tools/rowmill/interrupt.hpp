// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM end a save by way of its progress callback, so that it removes its temporary file.
#pragma once

#include "rowmill/io/save_options.hpp"

namespace rowmill::tool {

/// What the progress callback throws when the user has had enough.
struct Interrupted {
  int signal;
};

/// Outside of saves, both signals end the process as they do by themselves.
void catch_interrupts();

/// A progress callback for a save: a bar on standard error if that is a terminal, and Interrupted after a signal.
[[nodiscard]] io::Progress saving(const char* what);
/// The save is over; signals end the process again.
void saved();

}  // namespace rowmill::tool
