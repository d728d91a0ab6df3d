// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_TRANSLATE_H
#define SLUICE_OFFLOAD_TRANSLATE_H

#include <rte_flow.h>

#include "flow/action.h"
#include "flow/key.h"
#include "base/err.h"
#include "offload/ahead.h"

// Flow and place -> the arrays that rte_flow takes (DPDK programmer's guide, "Generic flow API").
// Pure. One setter and one constant mask for each item; every field that the decision can depend on
// is matched. Thread safety: any thread (a plain value; the arrays point into the struct, so it
// must not be copied).

#define TRANSLATE_ITEMS 10
#define TRANSLATE_ACTIONS 10
#define TRANSLATE_QUEUES 64 // of a class rule

// An item of its own mask, and the end of a range.
struct translate_bounds {
	struct rte_flow_item_eth eth;
	struct rte_flow_item_vlan vlan;
	struct rte_flow_item_ipv4 ipv4;
	struct rte_flow_item_ipv6 ipv6;
	struct rte_flow_item_tcp tcp;
	struct rte_flow_item_udp udp;
	struct rte_flow_item_sctp sctp;
};

struct translate_rule {
	struct rte_flow_attr attr;
	struct rte_flow_item items[TRANSLATE_ITEMS];
	struct rte_flow_action actions[TRANSLATE_ACTIONS];
	// storage
	struct rte_flow_item_ethdev in_port;
	struct rte_flow_item_eth eth;
	struct rte_flow_item_vlan vlan[2];
	struct rte_flow_item_ipv4 ipv4;
	struct rte_flow_item_ipv6 ipv6;
	struct rte_flow_item_tcp tcp;
	struct rte_flow_item_udp udp;
	struct rte_flow_action_mark mark;
	struct rte_flow_action_queue queue;
	struct rte_flow_action_count count;
	struct rte_flow_action_ethdev out_port;
	// of rules ahead of traffic
	struct rte_flow_item_sctp sctp;
	struct translate_bounds mask, last;
	struct rte_flow_action_of_push_vlan push_vlan;
	struct rte_flow_action_of_set_vlan_vid set_vlan;
	struct rte_flow_action_jump jump;
	struct rte_flow_action_rss rss;
	uint16_t queues[TRANSLATE_QUEUES];
};

// To a receive queue of the ethdev that the rule is created on: MARK, QUEUE, COUNT.
int translate_to_queue(const struct flow_key *key, uint16_t queue, uint32_t mark,
	struct translate_rule *out, struct sl_err *err);
// In the embedded switch: from the port that ethdev in_port represents to the one that out_port
// represents; or drop.
int translate_to_port(const struct flow_key *key, uint16_t in_port, uint16_t out_port,
	const struct flow_actions *actions, struct translate_rule *out, struct sl_err *err);
int translate_to_drop(const struct flow_key *key, uint16_t in_port, struct translate_rule *out,
	struct sl_err *err);
// In the embedded switch: what the application sends out of ethdev in_port arrives at ethdev
// out_port, and never reaches a VF or the wire (the start's test packets).
int translate_between_hosts(const struct flow_key *key, uint16_t in_port, uint16_t out_port,
	struct translate_rule *out, struct sl_err *err);
// A rule ahead of traffic, for what ethdev in_port represents; match as ahead_cannot_say wants it.
// The host's way is to in_port itself. out_port: the ethdev for act->port. Lower levels come first,
// and the rules for single flows before all of them.
void translate_ahead(const struct flow_match *match, const struct ahead_act *act, uint32_t level,
	uint16_t in_port, uint16_t out_port, struct translate_rule *out);
// The port's way into its own table of the embedded switch, which is group `group`.
void translate_jump(uint16_t in_port, uint32_t group, struct translate_rule *out);
// A class rule, for what comes to the ethdev that it is made on: RSS by the port's own key over the
// n queues from first on (at most TRANSLATE_QUEUES). Single flows' rules come before all levels.
void translate_class(const struct flow_match *match, uint32_t level, uint16_t first, uint16_t n,
	struct translate_rule *out);
// The same to one queue, by a number that the driver knows: a group of its assignment engine.
void translate_class_group(
	const struct flow_match *match, uint32_t level, uint16_t index, struct translate_rule *out);
// As translate_shape, but what masks and ranges there are counts too. Never 0.
uint32_t translate_ahead_shape(const struct translate_rule *rule);
// A name for the shape of a rule (which items and actions), to remember what a driver refuses.
// Stable within a run.
uint32_t translate_shape(const struct translate_rule *rule);
// The rule in testpmd's words, for logs and explain.
void translate_format(const struct translate_rule *rule, char *buf, unsigned long len);

#endif
