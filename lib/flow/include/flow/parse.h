// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_PARSE_H
#define SLUICE_FLOW_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/key.h"

// Packet to key. Never reads past the end of the packet, whatever it says of itself, and never
// fails in another way than with a named fault.
//
// Ethernet (DIX), up to two VLAN tags (802.1Q, 802.1ad), ARP, IPv4 (RFC 791, options skipped), IPv6
// (RFC 8200, the extension headers hop-by-hop, routing, fragment, destination and AH skipped, at
// most 8), TCP, UDP, SCTP, ICMP, ICMPv6. Anything else yields a key of the fields up to there: a
// third VLAN tag is an eth_type, ARP of other than IPv4 over Ethernet has no l3. LLC frames (length
// below 0x600) have eth_type 0. A frame may be longer than its IP packet says (padding), not
// shorter; L4 headers have to lie within the IP packet. An IPv6 fragment that is the whole packet
// (RFC 6946) is none. Jumbograms (RFC 2675) are refused as a fault.
// What is inside a tunnel is for those who ask (flow/tunnel.h).
// Cost: one pass, a fast path for [one VLAN tag and] plain IPv4 or IPv6 with TCP or UDP in the
// first segment, which stores the key as eight words; where the CPU has AVX-512 VBMI and the
// offsets are not wanted, for plain IPv4 two loads, two byte permutations and two stores (about 40
// instructions in all). Thread safety: any thread.

struct rte_mbuf;

enum flow_fault {
	FLOW_OK,
	FLOW_FAULT_RUNT, // shorter than an Ethernet header
	FLOW_FAULT_VLAN, // a VLAN tag is cut
	FLOW_FAULT_ARP,
	FLOW_FAULT_IPV4,     // cut, version, header length, total length
	FLOW_FAULT_IPV6,     // cut, version, payload length
	FLOW_FAULT_IPV6_EXT, // an extension header is cut, or there are more than 8
	FLOW_FAULT_L4,       // the L4 header is cut though the packet says that it is there, or
			     // the TCP data offset is below 5
	FLOW_FAULTS
};

// Where the headers that the parser knows are, in bytes from the start of the frame; 0: there is
// none. Kept beside the packet for actions and for offloads.
struct flow_offsets {
	uint16_t l3;
	uint16_t l4;
	uint16_t payload; // after the L4 header
	uint8_t vlans;    // number of tags
	uint8_t frag;     // FLOW_FRAG_*, also when the key leaves it out
	uint8_t tcp_flags;
	uint8_t dscp;
};

// fields: FLOW_FIELD_* that the key shall hold. On a fault the key holds what came before it.
enum flow_fault flow_parse_bytes(const uint8_t *data, uint32_t len, uint16_t switch_id,
	uint16_t vport, uint32_t fields, struct flow_key *key, struct flow_offsets *off);

// As above for a chain of segments (headers that cross a segment are gathered).
enum flow_fault flow_parse(const struct rte_mbuf *m, uint16_t switch_id, uint16_t vport,
	uint32_t fields, struct flow_key *key, struct flow_offsets *off);

// A burst; n at most 64, the first bytes of the packets prefetched by the caller. offs may be NULL:
// they are not wanted, which lets CPUs with AVX-512 take the quick way. faults[] takes enum
// flow_fault. True: a packet had one.
bool flow_parse_burst(struct rte_mbuf *const *pkts, uint16_t n, uint16_t switch_id, uint16_t vport,
	uint32_t fields, struct flow_key *keys, struct flow_offsets *offs, uint8_t *faults);

// "malformed-ipv4" and so on: also the name of the drop. "ok" for FLOW_OK, "malformed" outside the
// enumeration.
const char *flow_fault_name(enum flow_fault fault);

#endif
