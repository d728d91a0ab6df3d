// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_ASSIGN_GROUPS_H
#define EMUNIC_ASSIGN_GROUPS_H

#include "assign/assign.h"
#include "emunic.h"

// The queue groups of a host port: the engine (assign.h) between its ingress rules and its receive
// queues. A port without groups has no such struct, and packets that meet no rule to a group never
// come here.
// Thread safety: under the NIC's gate, but for emu_groups_set and emu_groups_del, which take it.

struct emu_groups {
	struct emu_assign *group[RTE_PMD_EMUNIC_GROUPS]; // NULL: there is none
};

struct emu_assign *emu_groups_get(const struct emu_port *port, uint16_t group);

// Rules of the port that send to the group.
uint32_t emu_groups_rules(const struct emu_port *port, uint16_t group);

// As rte_pmd_emunic_group_set and _del.
int emu_groups_set(
	struct emu_port *port, uint16_t group, const char *text, char *why, size_t why_len);
int emu_groups_del(struct emu_port *port, uint16_t group, char *why, size_t why_len);

// The queue of p, which a rule sent to the group.
uint16_t emu_groups_pick(const struct emu_port *port, uint16_t group, const struct emu_pkt *p);

// Some times a second, for all ports of the NIC.
void emu_groups_review(struct emu_nic *nic);

// The port stops: its queues are empty.
void emu_groups_forget(struct emu_port *port);

// The port closes. It has no rules any more.
void emu_groups_free(struct emu_port *port);

#endif
