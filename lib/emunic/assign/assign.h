// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_ASSIGN_H
#define EMUNIC_ASSIGN_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "assign/conf.h"
#include "rte_pmd_emunic.h"

// The assignment engine of one queue group: which queue a packet's flow has.
//
// Problem: give each heavy flow a queue alone and put light flows of a kind together, with more
// flows than queues, no word from the host for a flow, a bounded cost for each packet, and no
// packet of a flow before an earlier one. Idea: a bounded exact-match table of flows; a packet
// finds its flow and takes the queue that stands there. Decisions are made when a flow's window of
// time ends, by the packet that ends it, for that flow alone: its rate (half of it that of the last
// window), whether it was heavy or light for long enough, whether its kind has got a queue
// meanwhile. A decision names a target; the flow goes there at the first packet before which the
// old queue's consumer has taken all that the flow had put into it, and, where the target is to be
// its alone, all others have left. Flows that fell silent are looked at by a sweep, a slice at a
// time, so that their queues come back.
//
// Who gets a queue alone: the first that is heavy, as long as there are queues; then one that has
// at least twice the rate of the lightest that has one. A queue that flows share is never taken
// from them for a heavy flow: exclusive_max and shared_max say how many there are of each. A full
// table: of some flows at its hand the one that is silent longest gives way, if its queue has
// nothing of it; else the packet goes, unmeasured, to a queue that all such packets have. A flow
// that becomes known later starts in that queue if it may still hold packets of it.
//
// Cost: one look-up of 64 bytes and one record for each packet; once a window O(queues). Memory:
// some 300 bytes for each flow that may be known.
// What it refuses: to reorder; to guess (a new flow is light until it was measured).
//
// Thread safety: one thread at a time (the NIC's gate). No clock of its own: time is in ticks.

#define EMU_ASSIGN_NONE UINT16_MAX // no queue

// What makes a flow, as the packet has it.
struct emu_assign_key {
	uint16_t side;
	uint16_t layers; // enum emu_layer: which headers there are
	uint16_t eth_type;
	uint16_t vlan[2];
	uint16_t sport, dport; // network order
	uint8_t proto;
	uint8_t pad;
	uint8_t dst_mac[6], src_mac[6];
	uint8_t src[16], dst[16];
	uint32_t pad2;
};
static_assert(sizeof(struct emu_assign_key) == 64, "one cache line");

// What else of a packet may make its flow one of a kind.
struct emu_assign_traits {
	uint8_t pcp, dscp;
	uint32_t mark;
};

// What the engine asks of the queues.
struct emu_assign_ops {
	bool (*usable)(void *arg, uint16_t queue);
	// A place at or behind that which n more packets would end at now.
	uint32_t (*place)(void *arg, uint16_t queue, uint32_t n);
	// Nothing before the place is in the queue any more.
	bool (*passed)(void *arg, uint16_t queue, uint32_t place);
};

enum emu_slot_state { EMU_SLOT_FREE, EMU_SLOT_EXCLUSIVE, EMU_SLOT_SHARED };

// A load that is measured: bytes of the window that runs, and the rate of those before.
struct emu_assign_rate {
	uint64_t since; // ticks
	uint64_t bytes;
	uint64_t bps;
};

// A queue of the port: of the group, or one that flows have not left yet.
struct emu_assign_slot {
	bool member;
	uint8_t state;  // enum emu_slot_state
	uint32_t owner; // EXCLUSIVE: the flow, or EMU_ASSIGN_NOBODY while it leaves
	uint32_t here;  // flows that send to it
	uint32_t bound; // flows that are to: these, without those that leave
	uint32_t pure;  // of these, of the slot's kind
	struct rte_pmd_emunic_kind kind; // SHARED
	struct emu_assign_rate rate;
	uint64_t packets;
};
#define EMU_ASSIGN_NOBODY UINT32_MAX

struct emu_assign_flow {
	bool used;
	bool pure; // bound to a slot of its kind, or its own
	uint16_t queue;
	uint16_t target; // the queue that it is bound to
	uint32_t last_place;
	uint64_t last; // ticks, as are
	uint64_t born, since;
	uint64_t high_since; // its rate is heavy since, 0: it is not
	uint64_t low_since;  // likewise light
	struct emu_assign_rate rate;
	struct rte_pmd_emunic_kind kind;
	struct emu_assign_traits traits; // of its last packet
	uint64_t packets, bytes;
};

struct rte_hash;

struct emu_assign {
	struct emu_assign_conf conf;
	uint64_t hz, window, hold, idle; // ticks
	const struct emu_assign_ops *ops;
	void *arg;
	struct rte_hash *hash;         // its positions are those of
	struct emu_assign_flow *flows; // conf.flows of them
	uint32_t n_flows;
	uint32_t hand;             // of the search for one that gives way
	uint32_t sweep;            // where the sweep goes on
	uint16_t unmeasured_queue; // or EMU_ASSIGN_NONE
	uint32_t unmeasured_place;
	uint64_t packets, moves, mixed, evicted, unmeasured;
	struct emu_assign_slot slot[EMU_MAX_QUEUES]; // by number of the queue
};

// hz: ticks a second. NULL when memory ends. Takes memory: not under a lock of others.
struct emu_assign *emu_assign_new(const struct emu_assign_conf *conf, uint64_t hz,
	const struct emu_assign_ops *ops, void *arg, int socket);
void emu_assign_free(struct emu_assign *a);

// Other figures, of the same number of flows. Flows leave the queues that are not there any more
// at their next packets.
void emu_assign_change(struct emu_assign *a, const struct emu_assign_conf *conf, uint64_t now);

// Forgets all flows: all queues are empty.
void emu_assign_forget(struct emu_assign *a);

// The queue of a packet, which stands for n of these bytes in all; EMU_ASSIGN_NONE when no queue
// is usable. The caller puts it there, behind all that the queue has.
uint16_t emu_assign_pick(struct emu_assign *a, const struct emu_assign_key *key,
	const struct emu_assign_traits *traits, uint32_t bytes, uint32_t n, uint64_t now);

// Looks at flows that fell silent: all that have a queue alone, and a slice of the others.
void emu_assign_review(struct emu_assign *a, uint64_t now);

// What it decided; see rte_pmd_emunic.h. queues: 1 when the i-th queue is there.
void emu_assign_group(const struct emu_assign *a, struct rte_pmd_emunic_group *out);
int emu_assign_queue(
	const struct emu_assign *a, uint16_t i, uint64_t now, struct rte_pmd_emunic_queue *out);
uint32_t emu_assign_flows(const struct emu_assign *a, uint32_t *next, uint64_t now,
	struct rte_pmd_emunic_flow *out, uint32_t n);

// ---- kind.c, for assign.c

// The kind of a flow, by its key and traits; f is the flow, with its rate and kind so far, or NULL
// when it is new.
void emu_assign_kind(const struct emu_assign *a, const struct emu_assign_key *key,
	const struct emu_assign_traits *traits, const struct emu_assign_flow *f,
	struct rte_pmd_emunic_kind *out);

// ---- place.c, for assign.c

// Binds a flow that is bound to nothing to the queue that fits a light one. False: there is none,
// and it is bound to nothing.
bool emu_assign_place(struct emu_assign *a, uint32_t flow, uint64_t now);
// Binds it anew among the light ones: away from a queue that is gone or that it has alone, or to a
// better one; it stays where it is when no other is clearly better.
void emu_assign_replace(struct emu_assign *a, uint32_t flow, uint64_t now);
// A flow that is bound, and heavy, gets a queue alone. False: there is none for it.
bool emu_assign_promote(struct emu_assign *a, uint32_t flow, uint64_t now);
// Takes queues from the lightest flows that have one alone until there are not too many.
void emu_assign_limit(struct emu_assign *a, uint64_t now);
void emu_assign_unbind(struct emu_assign *a, uint32_t flow);
// The slot has lost a flow: it may be free now.
void emu_assign_release(struct emu_assign_slot *s);
// The queue for packets of flows that there is no room for, or EMU_ASSIGN_NONE.
uint16_t emu_assign_spare(const struct emu_assign *a, uint64_t now);

static inline bool
emu_assign_usable(const struct emu_assign *a, uint16_t queue)
{
	return a->slot[queue].member && a->ops->usable(a->arg, queue);
}

static inline bool
emu_assign_window_over(const struct emu_assign *a, const struct emu_assign_rate *r, uint64_t now)
{
	return now >= r->since && now - r->since >= a->window; // clocks of CPUs may differ a little
}

// A rate as it is now, in bit/s.
uint64_t emu_assign_bps(const struct emu_assign *a, const struct emu_assign_rate *r, uint64_t now);
// Ends a window that is over and begins the next.
void emu_assign_roll(const struct emu_assign *a, struct emu_assign_rate *r, uint64_t now);

#endif
