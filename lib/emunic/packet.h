// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_PACKET_H
#define EMUNIC_PACKET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct emu_table;
struct rte_flow;
struct rte_mbuf;

// What the NIC's parser reads from a frame: the key that rules match, and where the headers are.
//
// The parser reads at most two VLAN tags, IPv4 with options, IPv6 with its extension headers, TCP
// and UDP. A header that is cut short is not there: its layer bit stays clear and no byte behind
// the end of the packet is read. A fragment has no L4 layer, not even the first one, so that all
// fragments of a datagram meet the same rules. Thread safety: any thread (no state).

#define EMU_TAGS 4

enum emu_layer {
	EMU_L_HOST = 1 << 0, // entered from a host port (else from a side: wire or VF)
	EMU_L_VLAN = 1 << 1,
	EMU_L_VLAN2 = 1 << 2,
	EMU_L_IPV4 = 1 << 3,
	EMU_L_IPV6 = 1 << 4,
	EMU_L_FRAG = 1 << 5,
	EMU_L_TCP = 1 << 6,
	EMU_L_UDP = 1 << 7,
};

// All fields that a rule can match, in network byte order where they are more than a byte wide
// and come from the packet. The same type holds a rule's mask.
union emu_key {
	struct {
		uint16_t port;   // index of the side or host port that it entered by (host order)
		uint16_t layers; // enum emu_layer (host order)
		uint8_t proto;
		uint8_t tos;
		uint8_t ttl;
		uint8_t tcp_flags;

		uint8_t dst[6];
		uint8_t src[6];
		uint16_t eth_type; // as it stands behind the addresses: a TPID in a tagged frame
		uint16_t tci;

		uint16_t vlan_type; // what follows the first tag
		uint16_t tci2;
		uint16_t vlan2_type; // what follows the second tag
		uint16_t frag;       // IPv4 fragment_offset field

		uint32_t flow_label;
		uint16_t sport;
		uint16_t dport;

		uint8_t ip_src[16]; // IPv4: the first four bytes
		uint8_t ip_dst[16];
	};
	uint64_t w[9];
};
#define EMU_KEY_WORDS 9
static_assert(sizeof(union emu_key) == EMU_KEY_WORDS * 8, "the key has no padding");

// One packet on its way through the NIC.
struct emu_pkt {
	union emu_key key;
	struct rte_mbuf *m;
	struct rte_flow *rule; // that decides, see walk.h
	// Where it met a rule that needs it to be segmented first, or NULL.
	const struct emu_table *split;
	uint32_t mark;
	uint32_t meta;          // SET_META
	uint32_t tag[EMU_TAGS]; // SET_TAG
	uint8_t marked;
	uint8_t flagged; // by FLAG
	uint8_t steered; // a rule sent it to its target, so no MAC filter applies
	uint8_t gso;     // one packet that stands for several: mss is set
	uint8_t l4_sum;  // its L4 checksum still has to be filled in
	uint8_t ip_sum;  // its IPv4 checksum too
	uint8_t l4_len;  // bytes of the L4 header, options included
	uint16_t l2_len;
	uint16_t l3_len; // extension headers included
	uint16_t mss;
};

// Copies n bytes at off of the packet to out; false when it ends before. Headers are read this way
// because they may be cut into segments, and at any address.
bool emu_get(const struct rte_mbuf *m, uint32_t off, void *out, uint32_t n);

// Fills key (its port apart) and the offsets of p from p->m. False when there is no whole Ethernet
// header. EMU_L_HOST is set in layers when host is true.
bool emu_parse(struct emu_pkt *p, uint16_t port, bool host);

#endif
