// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_MOODS_H
#define EMUNIC_MOODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mood/slots.h"

// The limits and moods of the emulated NIC: what real ones do badly, each as a device argument and
// changeable while the NIC runs (rte_pmd_emunic_set, /emunic/set on DPDK's telemetry socket).
//
//   capacity=N       rules that the NIC holds, of both domains; live at most that of the start
//   group_capacity=N   rules in each group of each domain; 0: no limit
//   jump_miss_drop=0|1 a packet that meets no rule in a group that it jumped to is dropped; else it
//                      fares as if it had met none in group 0
//   pf_proxy=0|1     transfer rules can be created on the PF only, which is the transfer proxy
//                      of all ports; else on each
//   masks=N          distinct masks in all its tables; 0: no limit
//   insert_us=N      microseconds that one insertion of a rule takes
//   insert_rate=N    insertions a second at most; 0: no limit
//   counter_lag=N    milliseconds between two readings of the hardware's rule counters, which are
//                    all that a query sees; 0: queries see the truth
//   stop_flush=0|1   a port that is stopped loses the rules that were created on it
//   proxy_flush=0|1  all transfer rules die when the PF, their proxy port, is stopped
//   fail_next=N      the next N insertions fail with
//   fail_errno=N       this errno
//   dead_next=N      the next N rules are accepted, take their place, and never match
//   fail_start=N     the next N starts of one of its ports fail, as when firmware does not come up
//   refuse=LIST      what the NIC refuses: items, actions, and shapes, which are patterns of just
//                    these items in this order, as in item.vlan+action.mark+shape.eth/ipv4/sctp
//   link_down=LIST   sides whose cable is pulled out, as in wire+wire1+vf0
//   stall=LIST       queues that stand still, as in pf.rx0+pf1.tx0+rep1.tx0+vf0.rx1: what is for a
//                    receive queue is dropped by name, what is in a transmit queue stays there; of
//                    a VF they are its user's queues, so vf0.rx1 is where the NIC gives packets to
//   rate=LIST        Mbit/s at which a side may send into the NIC, as in vf0:100+wire:40000: what
//                    is above that waits with its sender
//   loss=N           of a million packets on each wire, both ways, so many are lost,
//   late=N             and so many come after the one that follows them;
//   seed=N             by this sequence (of wire k: the k-th after it), which begins anew at every
//                      change of a mood
//   mark_max=N       the greatest id that MARK takes; above it the rule is refused
//   mbox_rate=N      messages a second that a VF may send to its PF (mailbox.h); 0: no limit
//   remove_ms=N      the device is gone N milliseconds from now, as if pulled out of its slot: its
//                    ports raise RTE_ETH_EVENT_INTR_RMV; there is no way back; 0: it stays
//
// LISTs have + between their entries; "none" is the empty one. Rules that are there when a limit
// falls stay.
// Thread safety: no state of its own; the NIC's moods are under its gate.

#define EMU_MAX_QUEUES 256
#define EMU_QUEUE_WORDS (EMU_MAX_QUEUES / 64) // of a set of queues
#define EMU_MAX_VF_QUEUES 128
#define EMU_VF_QUEUE_WORDS (EMU_MAX_VF_QUEUES / 64)
#define EMU_MAX_RATE 400000 // Mbit/s
#define EMU_MOODS_STRING                                                                           \
	"capacity=<1-1048576> group_capacity=<N> jump_miss_drop=0|1 pf_proxy=0|1 masks=<N> "       \
	"insert_us=<N> "                                                                           \
	"insert_rate=<N> counter_lag=<ms> "                                                        \
	"stop_flush=0|1 proxy_flush=0|1 fail_next=<N> fail_errno=<N> dead_next=<N> "               \
	"fail_start=<N> "                                                                          \
	"refuse=item.<name>+action.<name>+shape.<item>/<item>|none link_down=<side>+<side>|none "  \
	"stall=pf.rx<N>+rep<N>.tx<N>+vf<N>.rx<N>|none rate=<side>:<Mbit/s>|none loss=<ppm> "       \
	"late=<ppm> "                                                                              \
	"seed=<N> mark_max=<N> mbox_rate=<N> remove_ms=<N>"

#define EMU_MAX_SHAPES 8
#define EMU_SHAPE_ITEMS 12
#define EMU_MOOD_TEXT 120 // bytes of an entry of a list

// A pattern by its items: their rows of support.h, VOID left out.
struct emu_item_list {
	uint8_t n;
	uint8_t row[EMU_SHAPE_ITEMS];
};

struct emu_moods {
	uint32_t capacity;
	uint32_t group_capacity;
	uint32_t jump_miss_drop;
	uint32_t pf_proxy;
	uint32_t masks;
	uint32_t insert_us;
	uint32_t insert_rate;
	uint32_t counter_lag;
	uint32_t stop_flush;
	uint32_t proxy_flush;
	uint32_t fail_next;
	uint32_t fail_errno;
	uint32_t dead_next;
	uint32_t fail_start;
	uint32_t loss;
	uint32_t late;
	uint32_t seed;
	uint32_t mark_max;
	uint32_t mbox_rate;
	uint32_t remove_ms;
	uint64_t refuse[2]; // items, actions; bit i: of the i-th row of support.h
	uint32_t n_shapes;
	struct emu_item_list shape[EMU_MAX_SHAPES]; // refused
	// By slot, of sides or host ports; bit q: of queue q.
	bool link_down[EMU_SLOTS];
	uint64_t stall_rx[EMU_SLOTS][EMU_QUEUE_WORDS];
	uint64_t stall_tx[EMU_SLOTS][EMU_QUEUE_WORDS];
	uint32_t rate[EMU_SLOTS]; // Mbit/s, 0: none
	// Of VFs.
	uint64_t stall_vf_rx[EMU_MAX_VFS][EMU_VF_QUEUE_WORDS];
	uint64_t stall_vf_tx[EMU_MAX_VFS][EMU_VF_QUEUE_WORDS];
};

static inline bool
emu_has_queue(const uint64_t *set, unsigned int queue)
{
	return set[queue / 64] >> queue % 64 & 1;
}

void emu_moods_init(struct emu_moods *m);

// Sets one mood from its text. Returns 0, -ENOENT when there is no such mood, or -EINVAL with a
// sentence in why.
int emu_moods_set(
	struct emu_moods *m, const char *key, const char *value, char *why, size_t why_len);

// The i-th mood that is a number; NULL after the last.
const char *emu_moods_number(const struct emu_moods *m, unsigned int i, uint32_t *value);

// How many a NIC has of what lists name; a VF's queues are its user's, as many as that has.
struct emu_extent {
	uint16_t vfs;
	uint16_t wires;
	uint16_t queues; // of each PF
	uint16_t rep_queues;
};

// 0, or -EINVAL with a sentence in why when a list names a VF, a wire or a queue that the NIC has
// not.
int emu_moods_check(
	const struct emu_moods *m, const struct emu_extent *is, char *why, size_t why_len);

enum emu_mood_list {
	EMU_MOOD_REFUSE,
	EMU_MOOD_LINK_DOWN,
	EMU_MOOD_STALL,
	EMU_MOOD_RATE,
	EMU_MOOD_LISTS
};

// Whether a list has its i-th possible entry, with its text in out (EMU_MOOD_TEXT bytes are
// enough). Negative after the last.
int emu_moods_entry(
	const struct emu_moods *m, enum emu_mood_list list, unsigned int i, char *out, size_t len);
const char *emu_moods_list_name(enum emu_mood_list list);

// Whether the item or action of that row of support.h is refused; name then has its name in
// refuse=.
bool emu_moods_refused(
	const struct emu_moods *m, bool action, unsigned int row, char *name, size_t len);

// shape.c: adds the shape that text says, as in "eth/ipv4/udp". False: it is none, or there are
// EMU_MAX_SHAPES.
bool emu_moods_add_shape(struct emu_moods *m, const char *text);
// The text of the i-th shape, with "shape." before it.
void emu_moods_shape(const struct emu_moods *m, unsigned int i, char *out, size_t len);
// Whether a pattern of these items is refused; name then has the shape's text.
bool emu_moods_shape_refused(
	const struct emu_moods *m, const struct emu_item_list *items, char *name, size_t len);

#endif
