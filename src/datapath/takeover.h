// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TAKEOVER_H
#define SLUICE_DATAPATH_TAKEOVER_H

#include "lcore.h"

// A receive queue changes its worker, from both sides (datapath/snapshot.h says what is promised).
//
// Problem: packets that the old worker took may still be on their way when the new one, which has
// another transmit queue, sends later ones of the same flow. Idea: when the old worker takes up the
// snapshot without the queue, its loop before has handled all that it took; what that loop gave to
// others is known by their counters. At the end of each loop it looks, in this order, whether the
// other workers have handled as much as it had given them by then; whether the rings were empty
// once; whether each of its transmit queues was idle once, or has since sent as many packets as the
// device has descriptors, which then are all new. A worker that has no transmit queue of its own
// sends through another's, and a ring is served by one worker: then all others look at their queues
// too, when they are asked. Cost: a test a loop for all others; for the one that leaves some loads
// a loop, for some loops. Refuses: to wait for a device that does not tell. Thread safety: owner
// thread only.

// A new snapshot: what it says of this worker.
void takeover_adopt(struct dp_worker *w, const struct dp_snapshot *s);
// Whether the queue that is awaited may be polled by now.
void takeover_look(struct dp_worker *w);
// At the end of a loop, while a queue is being left.
void takeover_leave(struct dp_worker *w);

#endif
