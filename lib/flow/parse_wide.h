// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_PARSE_WIDE_H
#define SLUICE_FLOW_PARSE_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"

// The parser for CPUs with AVX-512 VBMI (Ice Lake, Zen 4 and later).
//
// Idea: the key of a plain IPv4 packet is the frame's own first bytes in another order. Two loads
// take the headers (masked: they read no byte beyond them), two byte permutations put all of them
// into place, two stores write the key. Refuses, and leaves to the parser of all CPUs: anything but
// [one VLAN tag and] IPv4 without options and fragments with TCP or UDP, and faults.
// Thread safety: any thread.

struct rte_mbuf;

struct parse_wide_want {
	uint16_t switch_id;
	uint16_t vport;
	uint16_t vlan_mask; // of the tag's bits
};

// Does this CPU have what it takes?
bool parse_wide_here(void);

// Parses what it can of n packets (at most 64), none of whose per-packet fields is wanted but PCP.
// Returns a bit for each packet that is left to do. Only where parse_wide_here().
uint64_t parse_wide_burst(struct rte_mbuf *const *pkts, uint16_t n,
	const struct parse_wide_want *want, struct flow_key *keys);

#endif
