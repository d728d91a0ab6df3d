// SPDX-License-Identifier: BSD-3-Clause
#include "backend/offload.h"

#include <netinet/in.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static const uint64_t asked_for =
	RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;

// Where the L3 header begins, after up to one tag (more than that rte_vhost does not parse); 0 when
// it does not fit. The ethertype in host order.
static uint32_t
l3_offset(const struct rte_mbuf *m, uint16_t *ethertype)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_vlan_hdr *tag = (const struct rte_vlan_hdr *)(eth + 1);

	if (m->data_len < sizeof(*eth))
		return 0;
	*ethertype = rte_be_to_cpu_16(eth->ether_type);
	if (*ethertype != RTE_ETHER_TYPE_VLAN)
		return sizeof(*eth);
	if (m->data_len < sizeof(*eth) + sizeof(*tag))
		return 0;
	*ethertype = rte_be_to_cpu_16(tag->eth_proto);
	return sizeof(*eth) + sizeof(*tag);
}

// Length of the L3 header when everything about it is right, else 0. *total: of the IP packet.
static uint32_t
ipv4_length(const struct rte_mbuf *m, uint32_t l3, uint8_t *proto, uint32_t *total)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l3);
	uint32_t len;

	if (m->data_len < l3 + sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return 0;
	len = (ip->version_ihl & 0xf) * 4u;
	if (len < sizeof(*ip) || m->data_len < l3 + len)
		return 0;
	if (rte_be_to_cpu_16(ip->fragment_offset) &
		(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return 0;
	*proto = ip->next_proto_id;
	*total = rte_be_to_cpu_16(ip->total_length);
	return len;
}

static uint32_t
ipv6_length(const struct rte_mbuf *m, uint32_t l3, uint8_t *proto, uint32_t *total)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, l3);

	if (m->data_len < l3 + sizeof(*ip) || rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6)
		return 0;
	*proto = ip->proto;
	*total = rte_be_to_cpu_16(ip->payload_len) + sizeof(*ip);
	return sizeof(*ip);
}

// Length of the L4 header when it is whole and of the protocol that the flags ask for, else 0.
static uint32_t
l4_length(const struct rte_mbuf *m, uint32_t l4, uint8_t proto)
{
	uint64_t sum = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, const struct rte_tcp_hdr *, l4);
	uint32_t len;

	if (proto == IPPROTO_UDP)
		return sum == RTE_MBUF_F_TX_UDP_CKSUM &&
				       m->data_len >= l4 + sizeof(struct rte_udp_hdr)
			       ? sizeof(struct rte_udp_hdr)
			       : 0;
	if (proto != IPPROTO_TCP || (sum != 0 && sum != RTE_MBUF_F_TX_TCP_CKSUM) ||
		m->data_len < l4 + sizeof(*tcp))
		return 0;
	len = (tcp->data_off >> 4) * 4u;
	return len >= sizeof(*tcp) && m->data_len >= l4 + len ? len : 0;
}

// Settles the segmentation of a TCP packet with headers of this length; false when it is a lie.
static bool
check_segments(struct rte_mbuf *m, uint32_t headers, uint32_t end)
{
	if (m->tso_segsz < EMU_MSS_MIN || end != m->pkt_len)
		return false;
	if (end - headers <= m->tso_segsz) {
		m->ol_flags &= ~RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = 0;
	} else if (m->ol_flags & RTE_MBUF_F_TX_IPV4) {
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	}
	return true;
}

bool
emu_offload_check(struct rte_mbuf *m)
{
	uint64_t asked = m->ol_flags & asked_for;
	uint32_t l2, l3, l4, total = 0;
	uint16_t ethertype = 0;
	uint8_t proto = 0;
	bool v4;

	if (asked == 0) {
		m->ol_flags = 0;
		m->tx_offload = 0;
		return true;
	}
	if (asked & RTE_MBUF_F_TX_UDP_SEG)
		return false;
	l2 = l3_offset(m, &ethertype);
	v4 = ethertype == RTE_ETHER_TYPE_IPV4;
	if (l2 == 0 || (!v4 && ethertype != RTE_ETHER_TYPE_IPV6))
		return false;
	l3 = v4 ? ipv4_length(m, l2, &proto, &total) : ipv6_length(m, l2, &proto, &total);
	if (l3 == 0 || l2 + total > m->pkt_len)
		return false;
	l4 = l4_length(m, l2 + l3, proto);
	if (l4 == 0 || total < l3 + l4)
		return false;
	m->ol_flags = v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->l2_len = l2;
	m->l3_len = l3;
	m->l4_len = l4;
	if (proto == IPPROTO_UDP) {
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
		m->tso_segsz = 0;
		return (asked & RTE_MBUF_F_TX_TCP_SEG) == 0;
	}
	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | (asked & RTE_MBUF_F_TX_TCP_SEG);
	if (asked & RTE_MBUF_F_TX_TCP_SEG)
		return check_segments(m, l2 + l3 + l4, l2 + total);
	m->tso_segsz = 0;
	return true;
}
