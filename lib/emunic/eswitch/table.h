// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TABLE_H
#define EMUNIC_TABLE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_common.h>

#include "eswitch/age.h"
#include "eswitch/packet.h"

// The NIC's rule tables: tuple space search (Srinivasan et al., SIGCOMM 1999).
//
// Problem: find the best of many masked rules for a packet, at a cost that does not grow with the
// number of rules. Idea: rules with the same mask share a shape; within a shape a match is an exact
// look-up of the masked key. Shapes are tried best priority first, and the search ends as soon as
// no later shape can win. All shapes of all tables of a NIC share one array of buckets, sized for
// the NIC's rule capacity when it is made, so that no insertion ever has to grow or rehash it.
// Tags (table_index.h) tell most shapes that have no rule for the packet from a small piece of
// memory, so that mostly the shapes that match touch a bucket at all; and shapes share what they
// have in common of their hashes, which a burst has computed at once (table_scan.h).
// Cost: a look-up is some additions and a tag per shape, and two or three cache lines for the rule
// that matches; insertion and removal are O(1) in rules and O(shapes) in masks. What it refuses:
// more rules than the capacity.
//
// Groups: each domain of rules has a root table, which is its group 0, and any number of further
// ones that are made by their first rule or the first jump to them and go with the last of both.
//
// Ranges: a rule may also ask that up to four fields lie between two values. Such rules have shapes
// of their own, with the fields of their ranges left open; those with the same key then hang in one
// chain, which is looked through in order, so it has a bound (EMU_MAX_SAME).
//
// Order: the lower priority number wins; at equal priority the shape that matches more bits (then
// the greater mask, as memcmp sees it), and within a shape the rule that came first. PASSTHRU goes
// on in this order (emu_table_next), which asks all shapes once more and needs no chain of rules.
//
// Thread safety: owner thread only; the NIC's gate makes host and firmware one at a time.

enum emu_fate {
	EMU_FATE_NONE, // go on as if no rule had matched
	EMU_FATE_DROP,
	EMU_FATE_SIDE,  // transfer: out by the wire or a VF
	EMU_FATE_HOST,  // transfer: to a host port
	EMU_FATE_QUEUE, // ingress: to a queue of the port
	EMU_FATE_GROUP, // ingress: to one that its queue group chooses (assign/groups.h)
	EMU_FATE_RSS,   // ingress: to one of several, by the program's rss
	EMU_FATE_JUMP,  // go on in another group
	EMU_FATE_PASS,  // go on with the next rule of the table that matches
};

// Packets and bytes. Hardware's counters are read from time to time; what was there at the last
// reading is what a query finds.
struct emu_counter {
	uint64_t read_packets; // what the last reading found
	uint64_t read_bytes;
	uint32_t users; // rules, of one that several share
	uint64_t packets;
	uint64_t bytes;
	uint64_t reading; // in which the last packet came (emu_counter_hit)
};

struct emu_actions {
	uint8_t fate; // enum emu_fate
	bool count;
	bool mark;
	uint16_t target;   // index of the side, the host port, the queue, or the queue group
	uint16_t vf_queue; // EMU_FATE_SIDE to a VF: its queue; EMU_NO_QUEUE: none was named
	uint32_t jump;     // group
	uint32_t mark_id;
	struct emu_program *program; // what else is done, before the fate (program.h); or NULL
	struct emu_counter *counter; // COUNT that several rules share, or NULL
	struct emu_age *age;         // AGE, or NULL
	uint32_t age_timeout; // of an AGE of the rule's own, whose object its insertion makes
	void *age_context;
};

#define EMU_MAX_RANGES 4
#define EMU_MAX_SAME 64 // rules with ranges that have the same key

// A field of the key whose value, as a number, lies from lo to hi under mask.
struct emu_range {
	uint16_t at;  // offset in the key
	uint8_t size; // bytes: 1, 2 or 4
	uint32_t mask, lo, hi;
};

struct emu_ranges {
	uint32_t n;
	struct emu_range range[EMU_MAX_RANGES];
};

struct emu_port;
struct emu_program;
struct emu_shape;
struct emu_table;

#define EMU_RULE_LINE 64

// A rule; DPDK's name for the handle that the application holds. What packets touch of most rules
// is one cache line: what is counted, what of its actions is all there is to do, and what is
// compared.
struct rte_flow {
	struct rte_flow *same;     // same key and mask, next in order
	struct emu_ranges *ranges; // NULL: none
	uint64_t seq;
	struct emu_table *table; // that it is in
	struct emu_table *next;  // that it jumps to, or NULL
	struct emu_counter counter;
	uint32_t shape_id; // its shape's
	uint8_t fate;      // as in act, and
	bool plain;        // nothing but fate and target is done to a packet: act need not be read
	uint16_t target;
	uint64_t key[EMU_KEY_WORDS]; // the masked words of the shape, one after the other; then 0
	struct emu_actions act;
	struct emu_shape *shape;
	uint32_t priority;
	uint32_t hash;
	struct rte_flow_template_table *template; // that it was made by, or NULL
	struct emu_port *port;                    // that it was created on
	TAILQ_ENTRY(rte_flow) list;               // of the port; of the pool when free
	TAILQ_ENTRY(rte_flow) in_shape;
} __rte_aligned(EMU_RULE_LINE);
#define EMU_RULE_HOT offsetof(struct rte_flow, counter.packets)
static_assert(EMU_RULE_HOT % EMU_RULE_LINE == 0 &&
		      offsetof(struct rte_flow, key[4]) == EMU_RULE_HOT + EMU_RULE_LINE,
	"packets touch one cache line of a rule");
TAILQ_HEAD(emu_rule_list, rte_flow);

// One group of one domain of rules.
struct emu_table {
	const struct emu_table *root; // group 0 of the domain; NULL when it is that itself
	struct emu_table *next;       // in its chain of the directory of groups
	uint32_t group;
	uint32_t refs;             // rules that jump to it
	struct emu_shape **shapes; // best first, then that of no rule; NULL while there is none
	uint32_t n_shapes;
	uint32_t max_shapes;
	uint32_t n_rules;
	uint32_t n_scan;        // how many shapes at the front a burst is held against at once
	struct emu_term *terms; // table_scan.h
	struct emu_cluster *clusters; // table_lines.h
	bool lined;                   // a cluster is of use to look-ups
};

struct emu_bucket;
struct emu_cluster;
struct emu_line;
struct emu_term;
#define EMU_GROUP_CHAINS 256

// What all tables of a NIC share.
struct emu_rules {
	struct rte_flow *slots; // the first is the rule of those that meet none (emu_rule_none)
	struct emu_rule_list free;
	struct emu_bucket *buckets;
	uint32_t *tags;         // four of a byte for each bucket of the first rank (table_index.h)
	uint32_t *chain;        // the bucket behind each bucket
	struct emu_shape *none; // of emu_rule_none: without a mask, of no table
	bool wide;              // the CPU has what table_wide.c needs, and it may be used
	uint32_t bucket_mask;
	struct emu_line *lines; // table_lines.h
	uint32_t line_mask;
	uint32_t n_buckets; // with the overflow ones
	uint32_t free_overflow;
	uint32_t capacity;
	uint32_t n_rules; // in all tables
	uint32_t next_shape;
	uint64_t salt;      // of the hash
	uint32_t n_masks;   // shapes in all tables
	uint32_t max_masks; // 0: as many as there is memory for
	uint32_t n_groups;  // beside the roots
	uint64_t next_seq;
	uint64_t made;                              // rules, ever
	struct emu_table *groups[EMU_GROUP_CHAINS]; // by root and number
};

// 0 or -ENOMEM.
int emu_rules_init(struct emu_rules *r, uint32_t capacity, int socket);
// All tables have been cleared before.
void emu_rules_fini(struct emu_rules *r);

// What a rule matches.
struct emu_match {
	union emu_key key;
	union emu_key mask;
	struct emu_ranges ranges;
};

// Adds a rule. Returns NULL with *err = ENOSPC when the capacity is used up, EMLINK when it needs a
// mask more than there may be, E2BIG when EMU_MAX_SAME others differ in their ranges only, ENOMEM
// otherwise.
struct rte_flow *emu_table_add(struct emu_rules *r, struct emu_table *t, const struct emu_match *m,
	uint32_t priority, const struct emu_actions *act, int *err);
void emu_table_del(struct emu_rules *r, struct emu_table *t, struct rte_flow *f);
// True when no rule of the table has the shape and no further one may be had.
bool emu_table_masks_full(
	const struct emu_rules *r, const struct emu_table *t, const struct emu_match *m);
// Frees what the table itself holds; it has no rules any more.
void emu_table_fini(struct emu_table *t);

// The table of a group, or NULL when there is none. Group 0 is root itself.
struct emu_table *emu_group_find(struct emu_rules *r, struct emu_table *root, uint32_t group);
// The same, but makes it; NULL when memory ends.
struct emu_table *emu_group_get(struct emu_rules *r, struct emu_table *root, uint32_t group);
// Frees it when it is not a root, has no rules, and nothing jumps to it.
void emu_group_put(struct emu_rules *r, struct emu_table *t);

// What the rule matches; its key is masked.
void emu_rule_match(const struct rte_flow *f, struct emu_match *out);

// After a change of the rule's actions.
static inline void
emu_rule_settle(struct rte_flow *f)
{
	const struct emu_actions *a = &f->act;

	f->fate = a->fate;
	f->target = a->fate == EMU_FATE_NONE ? 0 : a->target;
	f->plain = a->fate < EMU_FATE_JUMP && !a->mark && a->program == NULL &&
		   a->counter == NULL && a->age == NULL && a->vf_queue == EMU_NO_QUEUE;
}

// Counts a packet of len bytes; reading is the number of the last reading of the counters.
static inline void
emu_counter_hit(struct emu_counter *c, uint64_t reading, uint32_t len)
{
	if (c->reading != reading) {
		c->reading = reading;
		c->read_packets = c->packets;
		c->read_bytes = c->bytes;
	}
	c->packets++;
	c->bytes += len;
}

static inline void
emu_rule_hit(struct rte_flow *f, uint64_t reading, uint32_t len)
{
	emu_counter_hit(&f->counter, reading, len);
	if (f->act.counter != NULL)
		emu_counter_hit(f->act.counter, reading, len);
	if (f->act.age != NULL)
		f->act.age->hit = true;
}

// What a query finds that comes after the reading; live: the truth. With reset, that is taken off.
void emu_counter_read(struct emu_counter *c, uint64_t reading, bool live, bool reset,
	uint64_t *packets, uint64_t *bytes);

// What a packet meets that no rule matches: it lets it go on, and counts for nobody. So the way of
// such packets is no other than that of most, and costs no mispredicted branch.
static inline struct rte_flow *
emu_rule_none(const struct emu_rules *r)
{
	return &r->slots[0];
}

// Sets out[i] to the best rule for pkts[i], or to that of none. At most 32 packets.
void emu_table_lookup(const struct emu_rules *r, const struct emu_table *t,
	struct emu_pkt *const *pkts, unsigned int n, struct rte_flow **out);

// The best rule for the packet among those that come behind `after` in the order, or that of none.
struct rte_flow *emu_table_next(const struct emu_rules *r, const struct emu_table *t,
	const struct emu_pkt *pkt, const struct rte_flow *after);

#endif
