// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_LOOP_H
#define SLUICE_CONTROL_LOOP_H

#include "state.h"

// Control's event loop: epoll over the control socket, the NICs' answers and the end; a tick for
// the workers' events and the placements. Thread safety: owner thread only (control).

void loop_run(struct control *c);
// One tick of the loop, for those who wait inside a handler at start or end.
void loop_tick(struct control *c);

#endif
