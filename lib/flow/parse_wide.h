// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_PARSE_WIDE_H
#define SLUICE_FLOW_PARSE_WIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"

// The parser for CPUs with AVX-512 VBMI (Ice Lake, Zen 4 and later).
//
// Idea: the key is the frame's own first bytes in another order. Of plain IPv4 the 32 bytes from
// the ethertype on hold all but the MAC addresses: one load, a byte permutation for each half of
// the key, a masked load that lays the MAC addresses over the second one, two stores. The addresses
// of IPv6 are a half as they stand. Nothing is read beyond the headers. Refuses, and leaves to the
// parser of all CPUs: anything but [one VLAN tag and] IPv4 without options and fragments or IPv6
// without extension headers, with TCP or UDP, and faults.
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
