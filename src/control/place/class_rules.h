// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_CLASS_RULES_H
#define SLUICE_CONTROL_CLASS_RULES_H

#include "offload/ahead.h"
#include "offload/translate.h"
#include "state.h"

// Class rules: a policy rule with class_rule says that the NIC itself spreads the flows of that
// kind over the rule's queues (RSS within them), new flows too, with no work for each of them on
// the host. They are planned as the switch's rules are (offload/ahead.h): what the NIC cannot tell
// of a policy rule above (a rate, a class, a hint, an age) sends what that might match to the
// default queues, so that the first rule that matches is obeyed. Rules for single flows come
// before all of them.
//
// A queue of a group belongs to it alone: flows that sit there leave first, it is polled from then
// on, and only then a rule leads there. It is given back when no rule has led there for a while.
// At the moment when a rule begins or ends, packets that lie in the queue before may be overtaken
// by later ones of their flow that another worker polls.
// Thread safety: owner thread only (control).

// A policy rule's queues at a port of a NIC, clipped to those that are not default ones. False: it
// makes no rule there.
bool class_rule_queues(const struct control *c, const struct config_policy *p, uint16_t vport,
	uint16_t *first, uint16_t *n);
// Do the queues belong to groups by now?
bool class_rule_has_queues(const struct control *c, uint16_t vport, uint16_t first, uint16_t n);
// Does it ask for what no NIC can tell?
bool class_rule_told_by_host(const struct config_policy *p);
// Adds what m is within the rule's DSCP, at n of at most max: one step for each code point (64 of
// them are all, which is no condition). Returns how many there are then, or would be. *m changes.
uint32_t class_rule_by_dscp(struct ahead_step *steps, uint32_t n, uint32_t max,
	const struct config_policy *p, struct flow_match *m, const struct ahead_act *act);
// The steps of a port, in the order of the policy: AHEAD_PORT with .act.port the index of the
// policy rule, AHEAD_HOST for the default queues. Returns how many, at most max.
uint32_t class_rule_steps(
	const struct control *c, uint16_t vport, struct ahead_step *steps, uint32_t max);
// Does any policy rule want groups?
bool class_rules_any(const struct control *c);
// Takes queues into groups, some only when their flows have left them, and gives back those that no
// rule wants or leads to (in_use). Returns a name for the queues that are in groups, 0: none is.
typedef bool (*class_in_use_fn)(const struct control *c, uint16_t nic, uint16_t port);
uint64_t class_rules_queues(struct control *c, class_in_use_fn in_use);

#endif
