// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_CLASS_ENGINE_H
#define SLUICE_CONTROL_CLASS_ENGINE_H

#include <jansson.h>

#include "nic/engine.h"
#include "state.h"

// Class rules whose target is the NIC's assignment engine: the NIC itself gives a heavy flow of the
// class a queue alone and puts light ones of a kind together, with no message for a flow. A rule
// has one group at each port, whose number is that of its first queue. It is made when the queues
// belong to the class, before a rule leads there, and goes when none does any more. Of two that
// begin at one queue the first of the policy has it. Where it cannot be had, the class rule spreads
// by RSS, as others do, and says why.
//
// What the policy rule says becomes the group's figures: heavy_bps and light_bps; share vm, at the
// PF: flows to one address; at a representor all are of one VM; class: one DSCP; priority: one VLAN
// priority; none: one source, destination and DSCP. A NIC knows no limits of rules. At most half of
// the queues are shared, as elsewhere. Thread safety: owner thread only (control).

struct class_groups;

void class_groups_free(struct class_groups *g);
// Makes groups, changes their figures, and takes back those that are not wanted. True: another rule
// is to lead there.
bool class_groups_run(struct control *c);
void class_groups_nic_gone(struct control *c, uint16_t nic);
// Does the policy rule have a group at the port? Its number.
bool class_group_of(
	const struct control *c, const struct config_policy *p, uint16_t vport, uint16_t *group);
// Why it has none though it wants one; "": it has, or does not want one.
const char *class_group_why(const struct control *c, const struct config_policy *p, uint16_t vport);
// What the engine has on a queue of a NIC's port; false: it is in no group.
bool class_group_queue(
	const struct control *c, const struct offload_queue_id *q, struct nic_group_queue *out);
// The queue that the engine gave a flow.
bool class_group_flow(
	const struct control *c, const struct flow_key *key, struct nic_group_queue *out);
// The groups of a NIC: a list of objects.
json_t *class_groups_json(const struct control *c, uint16_t nic);
const char *class_group_use(uint8_t use); // "alone", "shared", "free", "stopped"

#endif
