// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/packet.h"

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_memcpy.h>
#include <rte_tcp.h>
#include <rte_udp.h>

// Keys are put together a word at a time, as they lie in memory on a little-endian machine: byte n
// of a word is bits 8 n and up.
static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "words are put together from their low end");
static_assert(offsetof(union emu_key, proto) == 4 && offsetof(union emu_key, dst) == 8 &&
		      offsetof(union emu_key, eth_type) == 20 &&
		      offsetof(union emu_key, frag) == 30 &&
		      offsetof(union emu_key, flow_label) == 32 &&
		      offsetof(union emu_key, sport) == 36 && offsetof(union emu_key, ip_src) == 40,
	"words of the key have these fields");

#define ETH sizeof(struct rte_ether_hdr)
#define IP4 sizeof(struct rte_ipv4_hdr)
#define IP6 sizeof(struct rte_ipv6_hdr)

static inline uint64_t
load64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint32_t
load32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint16_t
load16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

// Reads the L4 header behind n bytes of others. Returns its layer, or 0 when the packet is not
// plain; *flags become those of TCP.
static inline uint16_t
plain_l4(struct emu_pkt *p, const uint8_t *frame, uint32_t n, uint8_t proto, uint8_t *flags)
{
	const struct rte_mbuf *m = p->m;
	const uint8_t *l4 = frame + n;

	*flags = 0;
	if (proto == IPPROTO_UDP) {
		uint16_t dport;

		if (unlikely(m->data_len < n + sizeof(struct rte_udp_hdr)))
			return 0;
		dport = load16(l4 + 2);
		p->l4_len = sizeof(struct rte_udp_hdr);
		return dport == RTE_BE16(EMU_PORT_VXLAN) || dport == RTE_BE16(EMU_PORT_GENEVE)
			       ? 0
			       : EMU_L_UDP;
	}
	if (proto != IPPROTO_TCP || m->data_len < n + sizeof(struct rte_tcp_hdr))
		return 0;
	p->l4_len = (l4[12] >> 4) * 4;
	*flags = l4[13];
	return p->l4_len < sizeof(struct rte_tcp_hdr) || m->pkt_len - n < p->l4_len ? 0 : EMU_L_TCP;
}

// All of a key but its outer headers becomes zero. By moves of a fixed size: what the compiler
// makes of a memset of that length costs as much as the rest of the parser.
static inline void
clear(void *from)
{
	static const uint8_t zeros[64];

	static_assert(sizeof(union emu_key) - offsetof(union emu_key, inner) == 64 + 32 + 8,
		"what is cleared");
	rte_mov64(from, zeros);
	rte_mov32((uint8_t *)from + 64, zeros);
	memcpy((uint8_t *)from + 96, zeros, 8);
}

// What the layers have in common.
static inline void
fill(struct emu_pkt *p, const uint8_t *frame, uint64_t first, uint64_t ports_and_label)
{
	union emu_key *k = &p->key;

	k->w[0] = first;
	k->w[1] = load64(frame);
	k->w[2] = load64(frame + 8) & 0x0000ffffffffffff; // the Ethernet header ends here
	k->w[4] = ports_and_label;
	clear(&k->inner);
	p->inner_at = 0;
	p->l2_len = ETH;
}

static inline uint64_t
first_word(uint16_t port, uint16_t layers, uint8_t proto, uint8_t tos, uint8_t ttl, uint8_t flags)
{
	return port | (uint32_t)layers << 16 | (uint64_t)proto << 32 | (uint64_t)tos << 40 |
	       (uint64_t)ttl << 48 | (uint64_t)flags << 56;
}

static inline bool
plain_ipv4(struct emu_pkt *p, const uint8_t *frame, uint16_t port, uint16_t layers)
{
	const uint8_t *ip = frame + ETH;
	uint16_t l4, frag = load16(ip + 6);
	union emu_key *k = &p->key;
	uint8_t flags;

	if (unlikely(p->m->data_len < ETH + IP4 || ip[0] != 0x45 ||
		     rte_be_to_cpu_16(load16(ip + 2)) < IP4 ||
		     (frag & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0))
		return false;
	l4 = plain_l4(p, frame, ETH + IP4, ip[9], &flags);
	if (unlikely(l4 == 0))
		return false;
	fill(p, frame, first_word(port, layers | EMU_L_IPV4 | l4, ip[9], ip[1], ip[8], flags),
		(uint64_t)load32(ip + IP4) << 32);
	k->w[3] = (uint64_t)frag << 48;
	k->w[5] = load32(ip + 12);
	k->w[6] = 0;
	k->w[7] = load32(ip + 16);
	k->w[8] = 0;
	p->l3_len = IP4;
	return true;
}

static inline bool
plain_ipv6(struct emu_pkt *p, const uint8_t *frame, uint16_t port, uint16_t layers)
{
	const uint8_t *ip = frame + ETH;
	uint32_t vtc = rte_be_to_cpu_32(load32(ip));
	union emu_key *k = &p->key;
	uint8_t flags;
	uint16_t l4;

	if (unlikely(p->m->data_len < ETH + IP6 || vtc >> 28 != 6))
		return false;
	l4 = plain_l4(p, frame, ETH + IP6, ip[6], &flags);
	if (unlikely(l4 == 0))
		return false;
	fill(p, frame,
		first_word(
			port, layers | EMU_L_IPV6 | l4, ip[6], (uint8_t)(vtc >> 20), ip[7], flags),
		(uint64_t)load32(ip + IP6) << 32 | rte_cpu_to_be_32(vtc & 0xfffff));
	k->w[3] = 0;
	memcpy(k->ip_src, ip + 8, 32);
	p->l3_len = IP6;
	return true;
}

bool
emu_parse_plain(struct emu_pkt *p, uint16_t port, uint16_t layers)
{
	const uint8_t *frame = rte_pktmbuf_mtod(p->m, const uint8_t *);
	uint16_t type;

	if (unlikely(p->m->data_len < ETH + IP4 + sizeof(struct rte_udp_hdr)))
		return false;
	type = load16(frame + 12);
	if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return plain_ipv4(p, frame, port, layers);
	return type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && plain_ipv6(p, frame, port, layers);
}
