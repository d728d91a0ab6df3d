// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_ACTION_H
#define SLUICE_FLOW_ACTION_H

#include <stdint.h>

// What a rule does: a short list, carried out from left to right. It holds stable ids, never DPDK
// port ids. Thread safety: any thread (a plain value).

#define FLOW_ACTIONS_MAX 8

enum flow_action_type {
	FLOW_ACT_OUTPUT, // .port: to that vport
	FLOW_ACT_NORMAL, // learning switch: to where the destination MAC was learned, else flood
	FLOW_ACT_FLOOD,  // to every port of the switch and VLAN but the one it came from
	FLOW_ACT_DROP,
	FLOW_ACT_PUSH_VLAN, // .vlan: VID 0-4094
	FLOW_ACT_POP_VLAN,
	FLOW_ACT_SET_VLAN,    // .vlan: the VID of the outer tag; pushes one where there is none
	FLOW_ACT_SET_ETH_SRC, // .mac
	FLOW_ACT_SET_ETH_DST, // .mac
	FLOW_ACT_CLASS,       // .index: QoS class
	FLOW_ACT_RING,  // the target's receive ring of the flow's class, also when policy would not
			// ask for one
	FLOW_ACT_QUEUE, // .index: the receive queue of the NIC that this flow is to sit on
	FLOW_ACT_RATE,  // .rate: for all packets of the rule together; above it: dropped
	FLOW_ACT_GOTO,  // .index: table, above the rule's own; last in its list
	FLOW_ACTS
};

struct flow_action {
	uint8_t type; // enum flow_action_type
	union {
		uint16_t port;
		uint16_t vlan;
		uint16_t index;
		uint8_t mac[6];
		struct {
			uint32_t kbps;     // 1000 bit/s
			uint16_t burst_kb; // 1000 bytes; 0: the default
		} __attribute__((packed)) rate;
	};
} __attribute__((aligned(2)));

struct flow_actions {
	uint8_t n;
	struct flow_action list[FLOW_ACTIONS_MAX];
};

#endif
