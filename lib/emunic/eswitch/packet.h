// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_PACKET_H
#define EMUNIC_PACKET_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

struct emu_table;
struct rte_flow;

// What the NIC's parser reads from a frame: the key that rules match, and where the headers are.
//
// The parser reads at most two VLAN tags, ARP for IPv4, IPv4 with options, IPv6 with its extension
// headers, TCP, UDP, SCTP, ICMP and ICMPv6; behind UDP's ports 4789 and 6081 VXLAN (RFC 7348) and
// GENEVE (RFC 8926), and in these one more frame of the same kinds. A header that is cut short is
// not there: its layer bit stays clear and no byte behind the end of the packet is read. A fragment
// has no L4 layer, not even the first one, so that all fragments of a datagram meet the same rules.
// Thread safety: any thread (no state).

#define EMU_TAGS 4
#define EMU_PORT_VXLAN 4789
#define EMU_PORT_GENEVE 6081

enum emu_layer {
	EMU_L_HOST = 1 << 0, // entered from a host port (else from a side: wire or VF)
	EMU_L_VLAN = 1 << 1,
	EMU_L_VLAN2 = 1 << 2,
	EMU_L_IPV4 = 1 << 3,
	EMU_L_IPV6 = 1 << 4,
	EMU_L_FRAG = 1 << 5,
	EMU_L_TCP = 1 << 6,
	EMU_L_UDP = 1 << 7,
	EMU_L_SCTP = 1 << 8,
	EMU_L_ICMP = 1 << 9,
	EMU_L_ICMP6 = 1 << 10,
	EMU_L_ARP = 1 << 11,
	EMU_L_VXLAN = 1 << 12,  // outer headers only, as
	EMU_L_GENEVE = 1 << 13, // this
	EMU_L_MARKED = 1 << 14, // and this: a rule marked it
	EMU_L_ETH = 1 << 15,    // inner headers only: there is an Ethernet header in the tunnel
};

// The fields of one frame, in network byte order where they are more than a byte wide and come from
// the packet. Headers that exclude each other share fields; their layer bits tell them apart:
//   ARP          frag is the operation, sport and dport the hardware and protocol types, tos and
//                ttl their lengths, ip_src and ip_dst the IPv4 and behind it the MAC address
//   ICMP, ICMP6  sport is the type and the code, dport ICMP's identifier
//   IPv6 fragment  frag is offset and flag, sport and dport the identification
#define EMU_HEADER_FIELDS                                                                          \
	uint16_t port;   /* index of the side or host port that it entered by (host order) */      \
	uint16_t layers; /* enum emu_layer (host order) */                                         \
	uint8_t proto;                                                                             \
	uint8_t tos;                                                                               \
	uint8_t ttl;                                                                               \
	uint8_t tcp_flags;                                                                         \
	uint8_t dst[6];                                                                            \
	uint8_t src[6];                                                                            \
	uint16_t eth_type; /* as it stands behind the addresses: a TPID in a tagged frame */       \
	uint16_t tci;                                                                              \
	uint16_t vlan_type; /* what follows the first tag */                                       \
	uint16_t tci2;                                                                             \
	uint16_t vlan2_type; /* what follows the second tag */                                     \
	uint16_t frag;       /* IPv4 fragment_offset field */                                      \
	uint32_t flow_label;                                                                       \
	uint16_t sport;                                                                            \
	uint16_t dport;                                                                            \
	uint8_t ip_src[16]; /* IPv4: the first four bytes */                                       \
	uint8_t ip_dst[16];

struct emu_headers {
	EMU_HEADER_FIELDS
};

// All that a rule can match: the outer headers by their own names, those in a tunnel, and what
// rules wrote. The same type holds a rule's mask.
union emu_key {
	struct {
		EMU_HEADER_FIELDS
		struct emu_headers inner;
		uint32_t mark; // host order, as are
		uint32_t meta; // these
		uint32_t tag[EMU_TAGS];
		uint8_t vni[3];
		uint8_t vxlan_flags;
		uint16_t geneve_bits; // version, length of the options, O and C
		uint16_t geneve_type; // of what follows
	};
	struct emu_headers outer;
	uint64_t w[22];
};
#define EMU_KEY_WORDS 22
static_assert(sizeof(union emu_key) == EMU_KEY_WORDS * 8, "the key has no padding");
static_assert(sizeof(struct emu_headers) == 72, "nor have the headers");

#define EMU_NO_QUEUE UINT16_MAX

// One packet on its way through the NIC.
struct emu_pkt {
	union emu_key key;
	struct rte_mbuf *m;
	struct rte_flow *rule; // that decides, see walk.h
	// Where it met a rule that needs it to be segmented first, or NULL.
	const struct emu_table *split;
	const struct rte_flow *after; // and behind which rule of it, where one let it pass; or NULL
	uint32_t mark;
	uint32_t hash;
	uint32_t missed; // the group in which it met no rule last; 0: that of number 0, or none
	uint32_t meta;   // what SET_META wrote, or the application that sent it
	// From here to l4_len all is zero when a packet enters (EMU_PKT_FRESH).
	uint32_t tag[EMU_TAGS]; // what SET_TAG wrote
	uint8_t marked;
	uint8_t flagged; // by FLAG
	uint8_t hashed;  // by RSS of a rule: hash is set
	uint8_t color;   // enum rte_color, by METER
	uint8_t steered; // a rule sent it to its target, so no MAC filter applies
	uint8_t gso;     // one packet that stands for several: mss is set
	uint8_t l4_sum;  // its L4 checksum still has to be filled in
	uint8_t ip_sum;  // its IPv4 checksum too
	uint8_t l4_len;  // bytes of the L4 header, options included
	uint16_t l2_len;
	uint16_t l3_len; // extension headers included
	uint16_t mss;
	uint16_t inner_at; // where the frame or packet in its tunnel begins; 0: there is none
	uint16_t vf_queue; // that a rule chose, or EMU_NO_QUEUE
};
#define EMU_PKT_FRESH offsetof(struct emu_pkt, tag)
#define EMU_PKT_KNOWN offsetof(struct emu_pkt, l4_len)
static_assert(EMU_PKT_KNOWN - EMU_PKT_FRESH == 24, "two stores make a packet fresh");

// Copies n bytes at off of the packet to out; false when it ends before. Headers are read this way
// because they may be cut into segments, and at any address.
bool emu_get_far(const struct rte_mbuf *m, uint32_t off, void *out, uint32_t n);

static inline bool
emu_get(const struct rte_mbuf *m, uint32_t off, void *out, uint32_t n)
{
	if (unlikely(off > m->data_len || m->data_len - off < n))
		return emu_get_far(m, off, out, n);
	memcpy(out, rte_pktmbuf_mtod_offset(m, const void *, off), n);
	return true;
}

// packet_plain.c: emu_parse for what most packets are: an untagged frame whose headers are whole in
// its first segment, IPv4 without options or fragments or IPv6 without extensions, TCP or UDP, no
// tunnel. layers: to begin with. False when p is of no such kind; then p holds nothing.
bool emu_parse_plain(struct emu_pkt *p, uint16_t port, uint16_t layers);
// The same for all others.
bool emu_parse_any(struct emu_pkt *p, uint16_t port, uint16_t layers);

// Fills key (its port apart) and the offsets of p from p->m. False when there is no whole Ethernet
// header. EMU_L_HOST is set in layers when host is true.
static inline bool
emu_parse(struct emu_pkt *p, uint16_t port, bool host)
{
	uint16_t layers = host ? EMU_L_HOST : 0;

	return likely(emu_parse_plain(p, port, layers)) || emu_parse_any(p, port, layers);
}

#endif
