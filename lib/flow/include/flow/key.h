// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_KEY_H
#define SLUICE_FLOW_KEY_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

// What a flow is, in one direction: 64 bytes, no padding, compared and hashed as eight words.
// One constructor: flow_parse (flow/parse.h) for packets; tests and text go through flow_key_init.
//
// Per-packet fields (dscp, ttl, tcp_flags, frag and the PCP bits of vlan) are 0 in a key unless a
// rule that the flow can reach reads them: the caller of flow_parse says which (FLOW_FIELD_*).
// Thread safety: any thread (a plain value).

#define FLOW_VLAN_PRESENT                                                                          \
	0x1000 // in vlan[]: there is a tag (the place of the DEI bit); bits 0-11 VID, 13-15 PCP

// Values of l3.
#define FLOW_L3_NONE 0 // neither of the below: only Ethernet and VLAN fields hold something
#define FLOW_L3_IPV4 4
#define FLOW_L3_IPV6 6
#define FLOW_L3_ARP 2 // src, dst: sender and target protocol address; proto: operation, at most 255

// Values of frag.
#define FLOW_FRAG_NO 0
#define FLOW_FRAG_FIRST 1 // has the L4 header
#define FLOW_FRAG_LATER 3 // has none: l4_src, l4_dst are 0

// Which per-packet fields enter a key.
#define FLOW_FIELD_DSCP (1u << 0)
#define FLOW_FIELD_TTL (1u << 1)
#define FLOW_FIELD_TCP_FLAGS (1u << 2)
#define FLOW_FIELD_FRAG (1u << 3)
#define FLOW_FIELD_PCP (1u << 4)
#define FLOW_FIELD_ALL 0x1fu
// In no key: what is inside a tunnel, of decisions that depend on it (flow/tunnel.h).
#define FLOW_FIELD_INNER (1u << 5)

struct flow_key {
	uint8_t src[16]; // IPv4 and ARP: first 4 bytes, the rest 0
	uint8_t dst[16];
	uint8_t eth_dst[6];
	uint8_t eth_src[6];
	uint16_t eth_type; // big endian; of the payload after the VLAN tags
	uint16_t vlan[2];  // host order, outermost first; 0: no tag
	uint16_t l4_src;   // big endian; ICMP: type << 8 | code
	uint16_t l4_dst;   // big endian; ICMP echo: identifier, else 0
	uint16_t switch_id;
	uint16_t vport; // where it came from
	uint8_t proto;  // the IP protocol after IPv6 extension headers; ARP: the operation
	uint8_t l3;     // FLOW_L3_*
	uint8_t dscp;   // 0-63
	uint8_t ttl;
	uint8_t tcp_flags;
	uint8_t frag; // FLOW_FRAG_*
};
static_assert(sizeof(struct flow_key) == 64, "a flow key is one cache line");

// All zero, then switch and vport.
void flow_key_init(struct flow_key *key, uint16_t switch_id, uint16_t vport);
// Sets the per-packet fields to 0 that are not among fields (FLOW_FIELD_*).
void flow_key_keep(struct flow_key *key, uint32_t fields);
bool flow_key_equal(const struct flow_key *a, const struct flow_key *b);
uint64_t flow_key_hash(const struct flow_key *key, uint64_t seed);

// The key of the other direction, as it would come in by vport `from` (ICMP echo and its reply are
// one pair). TTL, TCP flags and fragment are 0 in it; VLANs, PCP and DSCP are taken over. False for
// keys that have no other direction: multicast, ARP, later fragments (and TCP, UDP and SCTP without
// ports, which is what those look like in a key without `frag`), ICMP other than echo.
bool flow_key_reverse(const struct flow_key *key, uint16_t from, struct flow_key *out);

#endif
