// SPDX-License-Identifier: BSD-3-Clause
#include "act/segment.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_memcpy.h>
#include <rte_tcp.h>

#include "act/checksum.h"
#include "act/offload.h"

void
segment_start(struct segment *s, const struct rte_mbuf *m, struct rte_mempool *pool)
{
	s->m = m;
	s->pool = pool;
	s->header = offload_l4(m) + m->l4_len;
	s->at = s->header;
	s->end = checksum_ip_end(m);
	s->number = 0;
}

bool
segment_more(const struct segment *s)
{
	return s->at < s->end;
}

// Appends n bytes of the source to out, a chain that grows.
static bool
append(struct rte_mbuf *out, const struct segment *s, uint32_t from, uint32_t n)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(out);

	while (n > 0) {
		uint32_t part = RTE_MIN(n, (uint32_t)rte_pktmbuf_tailroom(last));
		const void *src;
		char *to;

		if (part == 0) {
			last->next = rte_pktmbuf_alloc(s->pool);
			if (last->next == NULL)
				return false;
			last = last->next;
			out->nb_segs++;
			continue;
		}
		to = rte_pktmbuf_mtod_offset(last, char *, last->data_len);
		src = rte_pktmbuf_read(s->m, from, part, to);
		if (src != to)
			memcpy(to, src, part);
		last->data_len = (uint16_t)(last->data_len + part);
		out->pkt_len += part;
		from += part;
		n -= part;
	}
	return true;
}

static void
set_headers(struct rte_mbuf *out, const struct segment *s, bool last)
{
	char *l3 = rte_pktmbuf_mtod_offset(out, char *, out->l2_len);
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(out, void *, offload_l4(out));
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)l3;
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)l3;
	uint32_t len = out->pkt_len - out->l2_len;

	if (out->ol_flags & RTE_MBUF_F_TX_IPV4) {
		ip4->total_length = rte_cpu_to_be_16((uint16_t)len);
		ip4->packet_id =
			rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip4->packet_id) + s->number));
		checksum_ip(out);
	} else {
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)(len - sizeof(*ip6)));
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + (s->at - s->header));
	if (!last)
		tcp->tcp_flags &= (uint8_t) ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (s->number != 0)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
}

struct rte_mbuf *
segment_next(struct segment *s)
{
	uint32_t part = RTE_MIN((uint32_t)s->m->tso_segsz, s->end - s->at);
	struct rte_mbuf *out = s->pool != NULL ? rte_pktmbuf_alloc(s->pool) : NULL;

	if (out == NULL)
		return NULL;
	// The headers have to stay in one piece.
	if (rte_pktmbuf_tailroom(out) < s->header || !append(out, s, 0, s->header) ||
		!append(out, s, s->at, part)) {
		rte_pktmbuf_free(out);
		return NULL;
	}
	out->ol_flags = (s->m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) |
			RTE_MBUF_F_TX_TCP_CKSUM;
	out->l2_len = s->m->l2_len;
	out->l3_len = s->m->l3_len;
	out->l4_len = s->m->l4_len;
	rte_mbuf_dynfield_copy(out, s->m);
	set_headers(out, s, s->at + part == s->end);
	s->at += part;
	s->number++;
	return out;
}
