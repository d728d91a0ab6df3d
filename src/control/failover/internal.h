// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_FAILOVER_INTERNAL_H
#define SLUICE_CONTROL_FAILOVER_INTERNAL_H

#include "failover/failover.h"
#include "failover/timeline.h"
#include "failover/watch.h"

// What the files of a switch-over share: failover.c (who has failed), pair.c (when to switch, and
// what follows), switch_over.c (the switch-over itself), trial.c (one that did not start), report.c
// (what people see), command.c (what they order). Thread safety: owner thread only (control).

struct fo_nic {
	enum failover_state state;
	char why[96];
	uint64_t since_ns, up_ns; // in this state; link up without a break
	bool up, was_up;
	uint64_t up_by_ns; // it has to be up by then; 0: no such time
	bool by_command;   // failed so: nothing but a command brings it back
	uint64_t told_ns;  // its driver told something, which is being looked at; 0: it did not
	struct watch watch;
};

enum fo_phase { FO_IDLE, FO_DRAIN, FO_LEAVE };

struct fo_pair {
	uint16_t nic[2]; // the NIC, and its standby
	uint8_t on;      // which of them carries
	enum fo_phase phase;
	bool planned;
	uint8_t from; // of the switch-over under way, or the last one
	uint64_t deadline_ns, retry_ns;
	uint64_t pause_ns;   // before the next planned one is tried; 0: none has failed
	bool link_down;      // of the NIC that was left, by us
	uint32_t rules_left; // in the NIC that was left, when last looked
	uint64_t fewer_ns;   // when that number last changed
	uint64_t told_ns;    // when the failure was told of
	bool rushing;
	uint32_t switches, flows;
	struct timeline times; // of the last switch-over
};

struct failover {
	struct fo_nic nic[CONFIG_NICS_MAX];
	unsigned n_pairs;
	struct fo_pair pair[CONFIG_NICS_MAX / 2];
	uint64_t next_look_ns;
};

struct fo_pair *fo_pair_of(const struct control *c, uint16_t nic); // NULL: none
struct fo_nic *fo_nic(const struct control *c, uint16_t nic);
void fo_set_state(struct control *c, uint16_t nic, enum failover_state state);
// It has failed, for that reason, from now on.
void fo_failed(struct control *c, uint16_t nic, const char *why);
bool fo_usable(const struct control *c, uint16_t nic); // could it take over?
// It was started: its link comes up within 10 s, or it has failed.
void fo_expect_link(struct control *c, uint16_t nic);
// How long to wait after one more vain try, when it was so long before (0: it was the first one).
uint64_t fo_pause(uint64_t pause_ns);
// Goes on with what is under way.
void fo_run_pair(struct control *c, struct fo_pair *p, uint64_t now);

// The vports and VFs of the pair go from what carries them to the other NIC. 0: they have, and the
// brain is told. Else nothing has changed.
int fo_switch(struct control *c, struct fo_pair *p, struct sl_err *err);
// What the NIC that was left still holds: true when that is nothing, and it is stopped.
bool fo_leave(struct control *c, struct fo_pair *p, bool expired);

#endif
