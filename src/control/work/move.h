// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_MOVE_H
#define SLUICE_CONTROL_MOVE_H

#include "state.h"

// Receive queues go from one worker to another while packets flow, one queue at a time, with no
// packet of a flow overtaken and none lost but to a device's full ring.
//
//   leave   flows of the queue's port that have hardware queues with the old worker give them back
//           (offload_hold): their packets come by the default queue then, and with it they go
//   take    a snapshot that gives the queue to the new worker, which begins when nothing that the
//           old one took is on its way any more (datapath/snapshot.h, struct dp_takeover)
//   end     a snapshot without the takeover; flows may have hardware queues again once their new
//           worker has reported them
//
// A takeover that does not come about in time (a device that does not tell what it has sent, a
// worker that is kept from its CPU) is called off and tried again some times, and in the end the
// queue stays where it was: that is always safe. What moves: default queues, and those of a class
// rule; a queue that holds single flows is its flows' worker's. Cost for the flows: their next
// packet is a miss in the new worker's cache, once. Thread safety: owner thread only (control).

struct queue_moves;

enum queue_move_end {
	QUEUE_MOVE_OPEN, // under way
	QUEUE_MOVE_DONE,
	QUEUE_MOVE_HELD,      // its flows did not leave their hardware queues in time
	QUEUE_MOVE_LATE,      // what the old worker took did not leave in time
	QUEUE_MOVE_UNSETTLED, // after a try, workers did not carry out in time what they were told
	QUEUE_MOVE_GONE,      // its port went meanwhile, or what the queue is for changed
	QUEUE_MOVE_ENDS
};

struct queue_move {      // the last ones
	uint64_t number; // from 1
	uint64_t at_ns;  // of the end; of the start, while it is open
	uint16_t vport, queue;
	uint8_t from, to;
	bool by_hand;
	enum queue_move_end end;
	uint32_t tries; // takeovers
	uint64_t took_us;
	uint64_t unpolled_us; // nobody polled it
};

#define QUEUE_MOVES_KEPT 64

struct queue_moves *queue_moves_new(void); // NULL: out of memory
void queue_moves_free(struct queue_moves *m);

// Whether that queue of a port may be moved at all; err says why not.
int queue_move_check(
	const struct control *c, uint16_t vport, uint16_t queue, uint16_t to, struct sl_err *err);
// Begins a move. -EBUSY: another one is under way, or the port changes its NIC; -ENOENT, -EINVAL:
// see queue_move_check. *number: of this move.
int queue_move_start(struct control *c, uint16_t vport, uint16_t queue, uint16_t to, bool by_hand,
	uint64_t *number, struct sl_err *err);
bool queue_moves_busy(const struct control *c);
// Goes on where it can. Every tick, after the workers' events were taken.
void queue_moves_run(struct control *c);
// The port is about to be closed; it is in no plan any more.
void queue_moves_port_gone(struct control *c, const struct dp_port *port);
// What the snapshot has to say; NULL: nothing.
struct dp_takeover *queue_moves_takeover(const struct control *c);

// A queue that a person has put somewhere stays there: balancing leaves it alone.
void queue_pin(struct control *c, uint16_t vport, uint16_t queue, bool pinned);
bool queue_pinned(const struct control *c, uint16_t vport, uint16_t queue);

// The i-th last move (0: the last one), NULL: there were not so many, or it is forgotten.
const struct queue_move *queue_move_get(const struct control *c, uint32_t i);
// How many have ended so.
uint64_t queue_moves_ended(const struct control *c, enum queue_move_end end);
const char *queue_move_end_text(enum queue_move_end end); // "moved", ...

#endif
