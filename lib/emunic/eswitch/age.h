// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_AGE_H
#define EMUNIC_AGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

// Ageing of rules (rte_flow's AGE): an object for each rule with AGE, or one that several share.
//
// Problem: tens of thousands of rules, each with a timeout in seconds, must cost packets next to
// nothing. Idea: a packet only sets a flag; every ten milliseconds the firmware looks at a slice of
// the objects, in turn, turns flags into times and finds what is over its time. Cost: a store for a
// packet; a sweep of 64k objects is spread over some third of a second, which is how exact it is.
// An object that aged is told once, by an event of its port and in its list, until it is hit again.
// Thread safety: under the NIC's gate.

struct emu_nic;
struct emu_port;
struct rte_flow;

struct emu_age {
	TAILQ_ENTRY(emu_age) all;  // of the NIC
	TAILQ_ENTRY(emu_age) aged; // of the port, while it is to be told
	struct emu_port *port;
	void *context;
	uint32_t timeout; // seconds
	uint32_t users;   // rules
	uint64_t last_ms; // that it was hit, as the last sweep saw it
	bool hit;         // since then
	bool is_aged;
	bool listed; // to be told
};
TAILQ_HEAD(emu_age_list, emu_age);

// All objects of a NIC.
struct emu_ages {
	struct emu_age_list list;
	struct emu_age *next; // where the sweep goes on
	uint32_t n;
};

// A new one without users. NULL when memory ends.
struct emu_age *emu_age_new(struct emu_port *port, uint32_t timeout, void *context);
void emu_age_free(struct emu_age *age);
// Looks at a slice of the NIC's objects, or at all. True when an event has to be raised.
bool emu_age_sweep(struct emu_nic *nic, bool all);
// Seconds since it was hit.
uint32_t emu_age_idle(const struct emu_age *age);

#endif
