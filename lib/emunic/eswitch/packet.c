// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/packet.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_arp.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define MAX_EXT_HEADERS 8

bool
emu_get_far(const struct rte_mbuf *m, uint32_t off, void *out, uint32_t n)
{
	const void *at = rte_pktmbuf_read(m, off, n, out);

	if (at == NULL)
		return false;
	if (at != out)
		memcpy(out, at, n);
	return true;
}

static bool
is_tpid(uint16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ) ||
	       type == RTE_BE16(RTE_ETHER_TYPE_QINQ1);
}

// The frame at hand: the outer one, or the one in a tunnel.
struct frame {
	const struct rte_mbuf *m;
	struct emu_headers *h;
	uint32_t l3_at; // where L3 begins, and
	uint32_t l4_at; // L4
	uint8_t l4_len;
};

// Reads up to two tags behind the Ethernet header; returns the type that follows them.
static uint16_t
parse_vlans(struct frame *f)
{
	uint16_t type = f->h->eth_type;
	struct rte_vlan_hdr vlan;

	if (!is_tpid(type))
		return type;
	if (!emu_get(f->m, f->l3_at, &vlan, sizeof(vlan)))
		return 0;
	f->h->layers |= EMU_L_VLAN;
	f->h->tci = vlan.vlan_tci;
	f->h->vlan_type = type = vlan.eth_proto;
	f->l3_at += sizeof(vlan);
	if (!is_tpid(type))
		return type;
	if (!emu_get(f->m, f->l3_at, &vlan, sizeof(vlan)))
		return 0;
	f->h->layers |= EMU_L_VLAN2;
	f->h->tci2 = vlan.vlan_tci;
	f->h->vlan2_type = type = vlan.eth_proto;
	f->l3_at += sizeof(vlan);
	return type;
}

// Each parse_ip* returns true when an L4 header may follow at l4_at.
static bool
parse_ipv4(struct frame *f)
{
	struct emu_headers *h = f->h;
	struct rte_ipv4_hdr ip;
	uint16_t len;

	if (!emu_get(f->m, f->l3_at, &ip, sizeof(ip)) || ip.version_ihl >> 4 != 4)
		return false;
	len = (ip.version_ihl & 0xf) * 4;
	if (len < sizeof(ip) || rte_be_to_cpu_16(ip.total_length) < len ||
		rte_pktmbuf_pkt_len(f->m) - f->l3_at < len)
		return false;
	h->layers |= EMU_L_IPV4;
	h->tos = ip.type_of_service;
	h->ttl = ip.time_to_live;
	h->proto = ip.next_proto_id;
	h->frag = ip.fragment_offset;
	memcpy(h->ip_src, &ip.src_addr, 4);
	memcpy(h->ip_dst, &ip.dst_addr, 4);
	f->l4_at = f->l3_at + len;
	if ((ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0) {
		h->layers |= EMU_L_FRAG;
		return false;
	}
	return true;
}

static void
parse_ipv6_fragment(struct frame *f)
{
	uint8_t ext[8];

	f->h->layers |= EMU_L_FRAG;
	if (!emu_get(f->m, f->l4_at, ext, sizeof(ext)))
		return;
	f->h->proto = ext[0];
	memcpy(&f->h->frag, &ext[2], 2);
	memcpy(&f->h->sport, &ext[4], 2);
	memcpy(&f->h->dport, &ext[6], 2);
}

static bool
parse_ipv6(struct frame *f)
{
	struct emu_headers *h = f->h;
	struct rte_ipv6_hdr ip;
	uint32_t vtc;
	uint8_t ext[2];

	if (!emu_get(f->m, f->l3_at, &ip, sizeof(ip)))
		return false;
	vtc = rte_be_to_cpu_32(ip.vtc_flow);
	if (vtc >> 28 != 6)
		return false;
	h->layers |= EMU_L_IPV6;
	h->tos = (vtc >> 20) & 0xff;
	h->flow_label = rte_cpu_to_be_32(vtc & 0xfffff);
	h->ttl = ip.hop_limits;
	h->proto = ip.proto;
	memcpy(h->ip_src, &ip.src_addr, 16);
	memcpy(h->ip_dst, &ip.dst_addr, 16);
	f->l4_at = f->l3_at + sizeof(ip);
	for (int i = 0; i < MAX_EXT_HEADERS; i++) {
		switch (h->proto) {
		case IPPROTO_FRAGMENT:
			parse_ipv6_fragment(f);
			return false;
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (!emu_get(f->m, f->l4_at, ext, 2))
				return false;
			h->proto = ext[0];
			f->l4_at += (ext[1] + 1) * 8;
			break;
		default:
			return true;
		}
	}
	return false;
}

static void
parse_arp(struct frame *f)
{
	struct emu_headers *h = f->h;
	struct rte_arp_hdr arp;

	if (!emu_get(f->m, f->l3_at, &arp, sizeof(arp)) || arp.arp_hlen != 6 || arp.arp_plen != 4)
		return;
	h->layers |= EMU_L_ARP;
	h->sport = arp.arp_hardware;
	h->dport = arp.arp_protocol;
	h->tos = arp.arp_hlen;
	h->ttl = arp.arp_plen;
	h->frag = arp.arp_opcode;
	memcpy(h->ip_src, &arp.arp_data.arp_sip, 4);
	memcpy(h->ip_src + 4, &arp.arp_data.arp_sha, 6);
	memcpy(h->ip_dst, &arp.arp_data.arp_tip, 4);
	memcpy(h->ip_dst + 4, &arp.arp_data.arp_tha, 6);
}

static void
parse_tcp(struct frame *f)
{
	struct rte_tcp_hdr tcp;

	if (!emu_get(f->m, f->l4_at, &tcp, sizeof(tcp)) || tcp.data_off >> 4 < 5)
		return;
	f->l4_len = (tcp.data_off >> 4) * 4;
	if (rte_pktmbuf_pkt_len(f->m) - f->l4_at < f->l4_len)
		return;
	f->h->layers |= EMU_L_TCP;
	f->h->sport = tcp.src_port;
	f->h->dport = tcp.dst_port;
	f->h->tcp_flags = tcp.tcp_flags;
}

// The first four bytes of an L4 header that is at least len long.
static void
parse_ports(struct frame *f, uint16_t layer, uint8_t len)
{
	uint8_t hdr[12];

	if (!emu_get(f->m, f->l4_at, hdr, len))
		return;
	f->l4_len = len;
	f->h->layers |= layer;
	memcpy(&f->h->sport, &hdr[0], 2);
	memcpy(&f->h->dport, &hdr[layer == EMU_L_ICMP ? 4 : 2], 2);
	if (layer == EMU_L_ICMP6)
		f->h->dport = 0;
}

static void
parse_l4(struct frame *f)
{
	switch (f->h->proto) {
	case IPPROTO_TCP:
		parse_tcp(f);
		break;
	case IPPROTO_UDP:
		parse_ports(f, EMU_L_UDP, sizeof(struct rte_udp_hdr));
		break;
	case IPPROTO_SCTP:
		parse_ports(f, EMU_L_SCTP, sizeof(struct rte_sctp_hdr));
		break;
	case IPPROTO_ICMP:
		if (f->h->layers & EMU_L_IPV4)
			parse_ports(f, EMU_L_ICMP, sizeof(struct rte_icmp_hdr));
		break;
	case IPPROTO_ICMPV6:
		if (f->h->layers & EMU_L_IPV6)
			parse_ports(f, EMU_L_ICMP6, 4);
		break;
	default:
		break;
	}
}

// What follows an Ethernet header, or begins with L3 in a tunnel without one.
static void
parse_l3(struct frame *f, uint16_t type)
{
	bool l4 = false;

	f->l4_at = f->l3_at;
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		l4 = parse_ipv4(f);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		l4 = parse_ipv6(f);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		parse_arp(f);
	if (l4)
		parse_l4(f);
}

static bool
parse_l2(struct frame *f)
{
	struct rte_ether_hdr eth;

	if (!emu_get(f->m, f->l3_at, &eth, sizeof(eth)))
		return false;
	memcpy(f->h->dst, &eth.dst_addr, 6);
	memcpy(f->h->src, &eth.src_addr, 6);
	f->h->eth_type = eth.ether_type;
	f->l3_at += sizeof(eth);
	parse_l3(f, parse_vlans(f));
	return true;
}

static void
parse_inner(struct emu_pkt *p, uint32_t at, uint16_t type)
{
	struct frame f = {.m = p->m, .h = &p->key.inner, .l3_at = at};

	if (at > UINT16_MAX || at >= rte_pktmbuf_pkt_len(p->m))
		return;
	p->inner_at = at;
	if (type != RTE_BE16(RTE_ETHER_TYPE_TEB))
		parse_l3(&f, type);
	else if (parse_l2(&f))
		f.h->layers |= EMU_L_ETH;
}

static void
parse_tunnel(struct emu_pkt *p, uint32_t at)
{
	union emu_key *k = &p->key;
	uint8_t hdr[8];

	if (!emu_get(p->m, at, hdr, sizeof(hdr)))
		return;
	if (k->dport == RTE_BE16(EMU_PORT_VXLAN)) {
		if (!(hdr[0] & 0x08)) // no VNI
			return;
		k->layers |= EMU_L_VXLAN;
		k->vxlan_flags = hdr[0];
		memcpy(k->vni, &hdr[4], 3);
		parse_inner(p, at + 8, RTE_BE16(RTE_ETHER_TYPE_TEB));
		return;
	}
	if (hdr[0] >> 6 != 0) // a version that nobody has defined
		return;
	k->layers |= EMU_L_GENEVE;
	memcpy(&k->geneve_bits, &hdr[0], 2);
	memcpy(&k->geneve_type, &hdr[2], 2);
	memcpy(k->vni, &hdr[4], 3);
	parse_inner(p, at + 8 + (hdr[0] & 0x3f) * 4, k->geneve_type);
}

bool
emu_parse_any(struct emu_pkt *p, uint16_t port, uint16_t layers)
{
	struct frame f = {.m = p->m, .h = &p->key.outer};
	union emu_key *k = &p->key;

	memset(k, 0, sizeof(*k));
	k->port = port;
	k->layers = layers;
	p->inner_at = 0;
	p->l2_len = sizeof(struct rte_ether_hdr);
	p->l3_len = 0;
	p->l4_len = 0;
	if (!parse_l2(&f))
		return false;
	p->l2_len = f.l3_at;
	p->l3_len = f.l4_at - f.l3_at;
	p->l4_len = f.l4_len;
	if ((k->layers & EMU_L_UDP) &&
		(k->dport == RTE_BE16(EMU_PORT_VXLAN) || k->dport == RTE_BE16(EMU_PORT_GENEVE)))
		parse_tunnel(p, f.l4_at + f.l4_len);
	return true;
}
