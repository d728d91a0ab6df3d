// SPDX-License-Identifier: BSD-3-Clause
#include "act/offload.h"

#include <netinet/in.h>

#include <rte_ip.h>

// The header lengths have to fit their bit fields.
#define L2_MAX ((1u << RTE_MBUF_L2_LEN_BITS) - 1)
#define L3_MAX ((1u << RTE_MBUF_L3_LEN_BITS) - 1)
#define L4_MAX ((1u << RTE_MBUF_L4_LEN_BITS) - 1)

bool
offload_settle(struct rte_mbuf *m, const struct flow_key *key, const struct flow_offsets *off)
{
	uint64_t flags = m->ol_flags & ~(uint64_t)OFFLOAD_REQUESTS;
	bool seg = (m->ol_flags & OFFLOAD_SEG) != 0;
	uint32_t payload;

	if (off->l4 == 0 || off->l3 == 0 || off->frag != FLOW_FRAG_NO)
		return false;
	if (off->l3 > L2_MAX || (uint32_t)(off->l4 - off->l3) > L3_MAX ||
		(uint32_t)(off->payload - off->l4) > L4_MAX || off->payload > m->pkt_len)
		return false;
	if (key->proto != IPPROTO_TCP && (seg || key->proto != IPPROTO_UDP))
		return false;
	if (seg) {
		payload = m->pkt_len - off->payload;
		if (m->tso_segsz == 0 || payload > (uint32_t)m->tso_segsz * OFFLOAD_SEGMENTS_MAX)
			return false;
		// One segment is an ordinary packet.
		if (payload > m->tso_segsz)
			flags |= RTE_MBUF_F_TX_TCP_SEG;
	}
	flags |= key->proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	flags |= key->l3 == FLOW_L3_IPV4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->ol_flags = flags;
	m->l2_len = off->l3;
	m->l3_len = (uint16_t)(off->l4 - off->l3);
	m->l4_len = (uint8_t)(off->payload - off->l4);
	return true;
}
