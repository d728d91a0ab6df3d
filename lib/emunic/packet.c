// SPDX-License-Identifier: BSD-3-Clause
#include "packet.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define MAX_EXT_HEADERS 8

bool
emu_get(const struct rte_mbuf *m, uint32_t off, void *out, uint32_t n)
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

// Reads up to two tags behind the Ethernet header; returns the type that follows them.
static uint16_t
parse_vlans(struct emu_pkt *p)
{
	uint16_t type = p->key.eth_type;
	struct rte_vlan_hdr vlan;

	if (!is_tpid(type))
		return type;
	if (!emu_get(p->m, p->l2_len, &vlan, sizeof(vlan)))
		return 0;
	p->key.layers |= EMU_L_VLAN;
	p->key.tci = vlan.vlan_tci;
	p->key.vlan_type = type = vlan.eth_proto;
	p->l2_len += sizeof(vlan);
	if (!is_tpid(type))
		return type;
	if (!emu_get(p->m, p->l2_len, &vlan, sizeof(vlan)))
		return 0;
	p->key.layers |= EMU_L_VLAN2;
	p->key.tci2 = vlan.vlan_tci;
	p->key.vlan2_type = type = vlan.eth_proto;
	p->l2_len += sizeof(vlan);
	return type;
}

// Each parse_ip* returns true when an L4 header may follow at l2_len + l3_len.
static bool
parse_ipv4(struct emu_pkt *p)
{
	struct rte_ipv4_hdr ip;
	uint16_t len;

	if (!emu_get(p->m, p->l2_len, &ip, sizeof(ip)) || ip.version_ihl >> 4 != 4)
		return false;
	len = (ip.version_ihl & 0xf) * 4;
	if (len < sizeof(ip) || rte_be_to_cpu_16(ip.total_length) < len ||
		rte_pktmbuf_pkt_len(p->m) - p->l2_len < len)
		return false;
	p->key.layers |= EMU_L_IPV4;
	p->key.tos = ip.type_of_service;
	p->key.ttl = ip.time_to_live;
	p->key.proto = ip.next_proto_id;
	p->key.frag = ip.fragment_offset;
	memcpy(p->key.ip_src, &ip.src_addr, 4);
	memcpy(p->key.ip_dst, &ip.dst_addr, 4);
	p->l3_len = len;
	if ((ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0) {
		p->key.layers |= EMU_L_FRAG;
		return false;
	}
	return true;
}

static bool
parse_ipv6(struct emu_pkt *p)
{
	struct rte_ipv6_hdr ip;
	uint32_t vtc;
	uint8_t ext[2];

	if (!emu_get(p->m, p->l2_len, &ip, sizeof(ip)))
		return false;
	vtc = rte_be_to_cpu_32(ip.vtc_flow);
	if (vtc >> 28 != 6)
		return false;
	p->key.layers |= EMU_L_IPV6;
	p->key.tos = (vtc >> 20) & 0xff;
	p->key.flow_label = rte_cpu_to_be_32(vtc & 0xfffff);
	p->key.ttl = ip.hop_limits;
	p->key.proto = ip.proto;
	memcpy(p->key.ip_src, &ip.src_addr, 16);
	memcpy(p->key.ip_dst, &ip.dst_addr, 16);
	p->l3_len = sizeof(ip);
	for (int i = 0; i < MAX_EXT_HEADERS; i++) {
		switch (p->key.proto) {
		case IPPROTO_FRAGMENT:
			p->key.layers |= EMU_L_FRAG;
			if (emu_get(p->m, p->l2_len + p->l3_len, ext, 2))
				p->key.proto = ext[0];
			return false;
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (!emu_get(p->m, p->l2_len + p->l3_len, ext, 2))
				return false;
			p->key.proto = ext[0];
			p->l3_len += (ext[1] + 1) * 8;
			break;
		default:
			return true;
		}
	}
	return false;
}

static void
parse_l4(struct emu_pkt *p)
{
	uint32_t off = p->l2_len + p->l3_len;

	if (p->key.proto == IPPROTO_TCP) {
		struct rte_tcp_hdr tcp;

		if (!emu_get(p->m, off, &tcp, sizeof(tcp)) || tcp.data_off >> 4 < 5)
			return;
		p->l4_len = (tcp.data_off >> 4) * 4;
		if (rte_pktmbuf_pkt_len(p->m) - off < p->l4_len)
			return;
		p->key.layers |= EMU_L_TCP;
		p->key.sport = tcp.src_port;
		p->key.dport = tcp.dst_port;
		p->key.tcp_flags = tcp.tcp_flags;
	} else if (p->key.proto == IPPROTO_UDP) {
		struct rte_udp_hdr udp;

		if (!emu_get(p->m, off, &udp, sizeof(udp)))
			return;
		p->l4_len = sizeof(udp);
		p->key.layers |= EMU_L_UDP;
		p->key.sport = udp.src_port;
		p->key.dport = udp.dst_port;
	}
}

bool
emu_parse(struct emu_pkt *p, uint16_t port, bool host)
{
	struct rte_ether_hdr eth;
	uint16_t type;
	bool l4 = false;

	memset(&p->key, 0, sizeof(p->key));
	p->l2_len = sizeof(eth);
	p->l3_len = 0;
	p->l4_len = 0;
	p->key.port = port;
	p->key.layers = host ? EMU_L_HOST : 0;
	if (!emu_get(p->m, 0, &eth, sizeof(eth)))
		return false;
	memcpy(p->key.dst, &eth.dst_addr, 6);
	memcpy(p->key.src, &eth.src_addr, 6);
	p->key.eth_type = eth.ether_type;
	type = parse_vlans(p);
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		l4 = parse_ipv4(p);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		l4 = parse_ipv6(p);
	if (l4)
		parse_l4(p);
	return true;
}
