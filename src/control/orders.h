// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_ORDERS_H
#define SLUICE_CONTROL_ORDERS_H

#include "state.h"

// Orders to workers that control waits for. They are short: a worker answers within one loop. init
// and reconfiguration only, never per flow. Thread safety: owner thread only (control).

// Sends to one worker, waiting while its ring is full.
void orders_put(struct control *c, uint16_t worker, const struct dp_order *order);
// Sends to all workers and waits until each has done it.
void orders_all(struct control *c, const struct dp_order *order);
// Drops by name what workers hold for a port that is no longer published.
void orders_drain_port(struct control *c, struct dp_port *port);
// Every worker has published its counters at a burst boundary since the call.
void orders_sync(struct control *c);
// 20 us, between two looks at a worker.
void orders_nap(void);

#endif
