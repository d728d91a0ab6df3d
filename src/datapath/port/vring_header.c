// SPDX-License-Identifier: BSD-3-Clause
#include "port/vring_header.h"

#include <string.h>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static void
finish_sum(struct rte_mbuf *m, uint32_t start, uint32_t field)
{
	uint16_t sum;

	if (start >= m->pkt_len || field + sizeof(sum) > m->data_len)
		return;
	if (rte_raw_cksum_mbuf(m, start, m->pkt_len - start, &sum) != 0)
		return;
	sum = sum == 0xffff ? sum : (uint16_t)~sum;
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, field), &sum, sizeof(sum));
}

void
vring_header_read(struct rte_mbuf *m, const struct virtio_net_hdr_v1 *h)
{
	struct rte_net_hdr_lens lens;
	uint32_t l4;

	m->packet_type = rte_net_get_ptype(m, &lens, RTE_PTYPE_ALL_MASK);
	l4 = m->packet_type & RTE_PTYPE_L4_MASK;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		bool known =
			l4 == RTE_PTYPE_L4_TCP || l4 == RTE_PTYPE_L4_UDP || l4 == RTE_PTYPE_L4_SCTP;

		if (known && h->csum_start <= lens.l2_len + lens.l3_len + lens.l4_len)
			m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
		else
			finish_sum(m, h->csum_start, (uint32_t)h->csum_start + h->csum_offset);
	}
	if (h->gso_size == 0)
		return;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (l4 != RTE_PTYPE_L4_TCP)
			return;
		m->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
		m->tso_segsz = h->gso_size;
	}
}

void
vring_header_write(const struct rte_mbuf *m, struct virtio_net_hdr_v1 *h)
{
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;

	memset(h, 0, sizeof(*h));
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
		l4 = RTE_MBUF_F_TX_TCP_CKSUM;
		h->gso_type = m->ol_flags & RTE_MBUF_F_TX_IPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
							       : VIRTIO_NET_HDR_GSO_TCPV6;
		h->gso_size = m->tso_segsz;
		h->hdr_len = (uint16_t)(m->l2_len + m->l3_len + m->l4_len);
	}
	if (l4 != 0) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = (uint16_t)(m->l2_len + m->l3_len);
		h->csum_offset = l4 == RTE_MBUF_F_TX_TCP_CKSUM ? offsetof(struct rte_tcp_hdr, cksum)
				 : l4 == RTE_MBUF_F_TX_UDP_CKSUM
					 ? offsetof(struct rte_udp_hdr, dgram_cksum)
					 : offsetof(struct rte_sctp_hdr, cksum);
	}
}
