// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_NIC_ENGINE_H
#define SLUICE_CONTROL_NIC_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/key.h"

// The assignment engine of a NIC: groups of receive queues to whose queues it assigns flows by
// itself, heavy ones alone and light ones of a kind together (rte_pmd_emunic.h). ethdev is the PF
// or the representor; 0, or -errno, with a sentence in why where there is one.
// Thread safety: owner thread only (control).

#define NIC_GROUPS 64 // of a port

enum nic_group_use { NIC_GROUP_FREE, NIC_GROUP_ALONE, NIC_GROUP_SHARED, NIC_GROUP_STOPPED };

struct nic_group {
	uint32_t flows;                 // known now
	uint64_t packets, moves, mixed; // moves: of flows between queues; mixed: had to share
};

struct nic_group_queue {
	uint16_t queue;
	uint8_t use;    // enum nic_group_use
	uint32_t flows; // that go to it
	uint64_t bps;
};

struct nic_engine {
	uint16_t index; // that QUEUE has for group 0
	// Makes a group, or changes its figures: text as rte_pmd_emunic_group_set takes it.
	int (*set)(uint16_t ethdev, uint16_t group, const char *text, char *why, size_t len);
	int (*del)(uint16_t ethdev, uint16_t group); // -EBUSY: a rule leads there
	int (*get)(uint16_t ethdev, uint16_t group, struct nic_group *out);
	// Its queues, at most n. Returns how many.
	int (*queues)(uint16_t ethdev, uint16_t group, struct nic_group_queue *out, uint16_t n);
	// The queue that a flow has; -ENOENT: it knows no such flow. Looks at all that it knows.
	int (*find)(uint16_t ethdev, uint16_t group, const struct flow_key *key,
		struct nic_group_queue *out);
};

// Of a driver (rte_eth_dev_info.driver_name); NULL: it has none.
const struct nic_engine *nic_engine_for(const char *driver);

#endif
