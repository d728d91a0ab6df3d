// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_TUNNEL_H
#define SLUICE_FLOW_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include "flow/key.h"
#include "flow/match.h"
#include "flow/parse.h"

// What is inside a tunnel packet, and a match on it.
//
// Problem: a switch carries the tunnels of its VMs as it carries anything: their flows are those of
// the outer headers, and to look further costs each packet, of which nearly none is asked for it.
// Idea: the parser (flow/parse.h) does not look for tunnels. Who wants to know asks
// flow_key_tunnel, a few compares of a key that is there already, and then flow_parse_inner, which
// goes on from the outer headers' offsets. Cost: nothing for packets that nobody asks about; else
// one more pass of the parser for all packets. One tunnel deep: a tunnel within it is a packet of
// its outer headers again.
//
// Known are VXLAN (RFC 7348, UDP port 4789), GENEVE (RFC 8926, UDP port 6081; its options are
// passed over), GRE with checksum, key and sequence number (RFC 2784, 2890), NVGRE (RFC 7637),
// which is GRE with a key and nothing else before an Ethernet frame, and IP in IP (RFC 2003, 2473,
// 4213). No tunnel, but a plain packet of its outer headers, is what their receivers have to drop:
// a header that is cut, or whose options are; a VXLAN header without the I flag; GENEVE and GRE of
// another version (RFC 2637 is none) or with flags that GRE's receivers do not know; a UDP length
// that is not within the packet; and a fragment, whose tunnel ends where it is put together. Thread
// safety: any thread.

struct rte_mbuf;

#define FLOW_PORT_VXLAN 4789
#define FLOW_PORT_GENEVE 6081

enum flow_tunnel {
	FLOW_TUNNEL_NONE, // in a match: any
	FLOW_TUNNEL_VXLAN,
	FLOW_TUNNEL_GENEVE,
	FLOW_TUNNEL_GRE, // in a match: also what looks like NVGRE
	FLOW_TUNNEL_NVGRE,
	FLOW_TUNNEL_IPIP,
	FLOW_TUNNELS
};

// All offsets are from the start of the outer frame, as in struct flow_offsets.
struct flow_inner {
	uint8_t tunnel; // enum flow_tunnel; NONE: there is none, and the rest is 0
	uint8_t fault;  // enum flow_fault of the inner headers; the key holds what came before it
	bool has_id;
	uint32_t id; // VXLAN, GENEVE: VNI; GRE, NVGRE: key, of which NVGRE's upper 24 are the VNI
	uint16_t header; // where the tunnel's header begins; IPIP: where the inner IP header does
	uint16_t l2;     // where the inner Ethernet header begins, 0: there is none
	struct flow_offsets off; // inner L3, L4, payload, tags
	struct flow_key key;     // inner; switch and vport are the outer one's
};

// A match on what is inside.
struct flow_inner_match {
	bool asked;     // false: of no tunnel is asked, and the rest is 0
	uint8_t tunnel; // enum flow_tunnel
	bool has_vni;
	uint32_t vni;
	struct flow_match match; // inner headers; of no switch and no vport
};

// The tunnel that packets of a flow may have (GRE stands for NVGRE too), by its outer key.
static inline enum flow_tunnel
flow_key_tunnel(const struct flow_key *key)
{
	if (key->l3 != FLOW_L3_IPV4 && key->l3 != FLOW_L3_IPV6)
		return FLOW_TUNNEL_NONE;
	switch (key->proto) {
	case IPPROTO_UDP:
		if (key->l4_dst == htons(FLOW_PORT_VXLAN))
			return FLOW_TUNNEL_VXLAN;
		return key->l4_dst == htons(FLOW_PORT_GENEVE) ? FLOW_TUNNEL_GENEVE
							      : FLOW_TUNNEL_NONE;
	case IPPROTO_GRE:
		return FLOW_TUNNEL_GRE;
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		return FLOW_TUNNEL_IPIP;
	default:
		return FLOW_TUNNEL_NONE;
	}
}

// key and off: what flow_parse said of m, without a fault. fields: FLOW_FIELD_* that the inner key
// shall hold. False: m is no tunnel packet. Never reads past the end of the outer IP packet.
bool flow_parse_inner(const struct rte_mbuf *m, const struct flow_key *key,
	const struct flow_offsets *off, uint32_t fields, struct flow_inner *out);

// The VNI, or VSID. False: the tunnel has none.
bool flow_inner_vni(const struct flow_inner *in, uint32_t *vni);
// "vxlan" and so on; "none" outside the enumeration.
const char *flow_tunnel_name(enum flow_tunnel tunnel);

bool flow_inner_hits(const struct flow_inner_match *m, const struct flow_inner *in);
// Could it match a packet of that (outer) flow?
bool flow_inner_may_hit(const struct flow_inner_match *m, const struct flow_key *key);
bool flow_inner_match_equal(const struct flow_inner_match *a, const struct flow_inner_match *b);

#endif
