// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_AHEAD_H
#define SLUICE_CONTROL_AHEAD_H

#include <jansson.h>

#include "nic/job.h"
#include "state.h"

// Keeps each NIC's copy of the switch's rules in step with the switch (offload/ahead.h says which
// are in it, and in which order they are changed). What is intended for a NIC is here; the NIC is
// its replica. A shape that a driver refuses is remembered with its words, and the plan made again
// without it; when a table is full, with what it holds; what fails otherwise is tried again.
//
// A new plan is made when something that it rests on changes: rules, ports, extensions, policy.
// That, not the plan, is compared at each call.
// Thread safety: owner thread only (control).

#define AHEAD_JOB (UINT32_C(1) << 31) // in the id of jobs that are ours

struct ahead;

int ahead_new(struct control *c);
void ahead_free(struct control *c);
// Makes new plans where something changed, and begins to carry them out.
void ahead_review(struct control *c);
// Goes on where it can. Call every tick, and after answers.
void ahead_run(struct control *c);
// An executor's answer to one of our jobs (freed here).
void ahead_answer(struct control *c, struct nic_job *job, uint16_t nic);
// The NIC is gone: nothing is in it any more.
void ahead_nic_gone(struct control *c, uint16_t nic);
// Operations until the NICs say what the switch says.
uint32_t ahead_pending(const struct control *c);
// Does a rule ahead of traffic carry the flow? Its switch rule, by name, is put into buf.
bool ahead_serves(const struct control *c, const struct flow_key *key, char *buf, size_t len);
// The group of the embedded switch that is the table of a NIC's port.
static inline uint32_t
ahead_group(uint16_t port)
{
	return 1 + (uint32_t)port;
}
// The group of the embedded switch that single flows of a port are placed in; 0: the flat one.
uint32_t ahead_table(const struct control *c, uint16_t nic, uint16_t port);
// The same of a class rule (place/class_rules.h). dscp: of the flow's packets, OFFLOAD_NO_DSCP: not
// known, and a rule that asks for one serves none of those.
bool ahead_class_serves(
	const struct control *c, const struct flow_key *key, uint8_t dscp, char *buf, size_t len);
// The class rules of a NIC: a list of objects.
json_t *ahead_class_json(struct control *c, uint16_t nic);
// The rules in the NIC, to-host covers included.
uint32_t ahead_entries(const struct control *c, uint16_t nic);
// How a switch's rule stands in each NIC: a list of objects.
json_t *ahead_rule_json(struct control *c, uint16_t sw, uint32_t rule);
// The same in a few words, for lists.
json_t *ahead_rule_words(struct control *c, uint16_t sw, uint32_t rule);

#endif
