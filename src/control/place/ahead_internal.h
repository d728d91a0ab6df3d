// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_AHEAD_INTERNAL_H
#define SLUICE_CONTROL_AHEAD_INTERNAL_H

#include "place/ahead.h"
#include "place/ahead_steps.h"

// The parts of place/ahead*.c: ahead_plan.c says what is wanted of a NIC, ahead.c makes it so,
// ahead_failed.c draws the conclusion from what a driver answers, ahead_tables.c keeps tables until
// single flows have left them, ahead_serve.c knows which rule has a flow, ahead_worth.c which ones
// pay where there is not room for all, ahead_json.c tells.
// Thread safety: owner thread only (control).

#define AHEAD_REFUSED_MAX 64
#define AHEAD_MISS_LEVEL 60000      // what misses a port's table, behind all others
#define AHEAD_JUMP_LEVEL UINT32_MAX // the way into a table is its last rule in and the first out

enum ahead_state { AHEAD_WANTED, AHEAD_MAKING, AHEAD_IN, AHEAD_UNMAKING };

// A rule that is, or is about to be, in a NIC.
struct ahead_live {
	struct flow_match match;
	struct ahead_act act;
	uint32_t level;
	uint32_t table; // group of the embedded switch
	uint16_t vport; // that its packets come in by
	uint16_t port;  // of the NIC, of that vport
	uint16_t out_vport;
	uint16_t sw;
	struct ahead_chain chain;
	bool group; // a class rule: in the ingress domain, act.port is the policy rule
	uint16_t first_queue, n_queues; // of it
	uint8_t state;                  // enum ahead_state
	bool kept;                      // the plan in force has it
	bool was_kept, fresh;           // before a plan that is being made; of that plan
	uint8_t tries;                  // that failed, in a row
	bool used;
	uint16_t ethdev;
	struct rte_flow *handle;
	uint64_t base_packets, base_bytes; // that were counted already
	uint64_t packets, bytes;           // in all
	uint32_t prev, next; // in its list of serving, each 1 + index in live; 0: none
};

// How a step stands, for people.
struct ahead_note {
	struct ahead_chain chain;
	uint16_t sw, vport;
	struct ahead_standing standing;
	uint16_t entries; // that it has, with those that cover rules above for its sake
	uint8_t why;
};

// What a driver takes no rules like, or one rule that failed again and again. Not for ever: it is
// tried again, after twice the time if it is refused again.
struct ahead_refusal {
	uint32_t shape; // or ahead_exact
	bool active;
	uint64_t until_ns, pause_ns;
	char text[96];
};

struct ahead_serving { // the rules of one port, by level: 1 + index in live; 0: none
	uint32_t first, last;
};

enum ahead_phase { AHEAD_IDLE, AHEAD_MAKE, AHEAD_UNMAKE };

struct ahead_nic {
	uint8_t phase; // enum ahead_phase
	bool stale;    // a new plan is to be made when this one is carried out
	bool swept;    // room was made by unmaking first
	bool changed;  // the NIC, since the plan was made
	uint32_t outstanding;
	uint64_t plan_ns;    // no plan is made before
	uint64_t way_ns;     // flows make room for what comes, until then
	uint64_t retry_ns;   // 0: nothing failed
	uint32_t room;       // that the NIC was found to have, UINT32_MAX: not found out
	uint64_t room_ns;    // when that was
	uint32_t class_room; // the same of class rules
	uint64_t class_room_ns;
	struct ahead_live *live; // [cap]
	uint32_t cap;
	struct ahead_serving serving[DP_VPORTS_MAX][2]; // of the switch's rules, of class rules
	struct ahead_note *notes;
	uint32_t n_notes, cap_notes;
	struct ahead_refusal refused[AHEAD_REFUSED_MAX];
	uint32_t n_refused, refused_at;  // the next to be written
	uint64_t flat_ns[DP_VPORTS_MAX]; // until then the port has no table: no room. 0: none
	struct ahead_pays *pays;         // NULL: nothing was judged yet
	uint64_t pays_ns;                // judged again
	uint64_t count_ns;
	uint32_t count_at; // the next of live
	uint64_t leave_ns; // single flows leave tables that go, until then; 0: none goes
	bool counting;
};

struct ahead {
	struct ahead_nic nic[CONFIG_NICS_MAX];
	uint64_t seen; // fingerprint of what the plans rest on
	bool planned;
	struct rules_set *sets[DP_SWITCHES_MAX]; // of that; held, so that the address says enough
	uint64_t groups_ns;                      // queues of class rules are looked at next
	uint64_t groups;                         // that are polled (class_rules_queues)
	bool redecide;                           // what serves flows has changed
	struct ahead_list list;                  // scratch
};

// Entries that the rules may have in all of a NIC's table.
uint32_t ahead_room(const struct control *c, uint16_t nic);
// Plans anew for a NIC: marks what is kept, adds what is wanted. 0 or -ENOMEM (nothing changed).
int ahead_plan_nic(struct control *c, uint16_t nic);
// ahead_tables.c. After a plan: where a table goes its single flows leave it, first of all.
void ahead_tables_planned(struct control *c, uint16_t nic);
// Single flows have rules in a table that goes, and are given more time: the way into it, and what
// it holds, stays until they have left. When the time is up nothing is lost: until their rules are
// gone the host has them.
bool ahead_tables_wait(struct control *c, uint16_t nic);
// ahead_serve.c. A rule with its port, kind and level is put into its list, or goes.
void ahead_list_in(struct ahead_nic *n, struct ahead_live *l);
void ahead_list_out(struct ahead_nic *n, struct ahead_live *l);
// NULL: none; it may be one that is to be tried again.
const struct ahead_refusal *ahead_refusal_of(const struct ahead_nic *n, uint32_t shape);
// A name for one rule of a port, as translate_ahead_shape is one for all that look like it.
uint32_t ahead_exact(
	uint16_t vport, const struct flow_match *match, const struct ahead_act *act, bool group);
// A job for *l was not done: says what is to be tried next, and when.
void ahead_failed(struct control *c, uint16_t nic, struct ahead_live *l, const struct nic_job *job);
// True: something that was refused, or that there was no room for, is to be tried again.
bool ahead_expired(struct control *c, uint16_t nic);
void ahead_rule_of(const struct control *c, uint16_t nic, const struct ahead_live *l,
	struct translate_rule *out);

#endif
