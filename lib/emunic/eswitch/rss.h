// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_RSS_H
#define EMUNIC_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include "eswitch/packet.h"

// Receive side scaling: the Toeplitz hash of Microsoft's RSS specification, over addresses and
// ports as the packet holds them.
//
// Problem: Toeplitz is defined bit by bit, about 150 cycles for an IPv4 5-tuple. Idea: it is
// linear over XOR, so each input byte has one table of 256 results; a hash is one load and one XOR
// a byte. Cost: 36 KB a key, 36 * 256 steps to change the key.
// Thread safety: owner thread only (the firmware reads, the host changes under the NIC's gate).

#define EMU_RSS_KEY_LEN 40
#define EMU_RSS_BYTES 36 // two IPv6 addresses and two ports

struct emu_rss {
	uint64_t types; // RTE_ETH_RSS_* in force
	uint8_t key[EMU_RSS_KEY_LEN];
	uint32_t table[EMU_RSS_BYTES][256];
};

// The RTE_ETH_RSS_* that the NIC knows. The _EX ones (home address and routing headers) it takes
// for the plain ones, as NICs do that do not read those headers.
#define EMU_RSS_TYPES                                                                              \
	(RTE_ETH_RSS_IP | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |            \
		RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |                      \
		RTE_ETH_RSS_IPV6_TCP_EX | RTE_ETH_RSS_IPV6_UDP_EX)

// NULL: the key that Microsoft's specification verifies its examples with.
void emu_rss_set_key(struct emu_rss *r, const uint8_t *key);

// True when one of types covers a packet with this key. Then *ports says whether its ports count.
bool emu_rss_covers(uint64_t types, const union emu_key *k, bool *ports);
// The hash of n bytes (at most EMU_RSS_BYTES).
uint32_t emu_rss_bytes(const struct emu_rss *r, const uint8_t *bytes, unsigned int n);

// True with the hash when one of the types in force covers the packet.
bool emu_rss_hash(const struct emu_rss *r, const struct emu_pkt *p, uint32_t *hash);

#endif
