// SPDX-License-Identifier: BSD-3-Clause
#include "port/offload.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define IS_TCP(p) ((p)->key.layers & EMU_L_TCP)
#define IS_V4(p) ((p)->key.layers & EMU_L_IPV4)

static uint32_t
headers(const struct emu_pkt *p)
{
	return p->l2_len + p->l3_len + p->l4_len;
}

static bool
has_l4(const struct emu_pkt *p)
{
	return p->key.layers & (EMU_L_TCP | EMU_L_UDP);
}

bool
emu_offload_read(struct emu_pkt *p, bool host)
{
	uint64_t fl = p->m->ol_flags;

	p->gso = (fl & RTE_MBUF_F_TX_TCP_SEG) || (!host && (fl & RTE_MBUF_F_RX_LRO));
	p->l4_sum = p->gso || (fl & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM ||
		    (fl & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM ||
		    (!host && (fl & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE);
	p->ip_sum = IS_V4(p) && (p->gso || (fl & RTE_MBUF_F_TX_IP_CKSUM));
	p->mss = p->m->tso_segsz;
	if (p->l4_sum && !has_l4(p))
		return false;
	if (p->gso)
		return IS_TCP(p) && p->mss >= EMU_MIN_MSS && headers(p) <= EMU_MAX_HDRS &&
		       headers(p) < p->m->pkt_len && p->m->pkt_len - p->l2_len <= UINT16_MAX;
	return true;
}

// Bytes from the L4 header on, as the IP header tells; 0 when that contradicts the packet.
static uint32_t
l4_bytes(const struct emu_pkt *p, const struct rte_mbuf *m)
{
	uint32_t have = m->pkt_len - p->l2_len - p->l3_len, len;

	if (IS_V4(p)) {
		struct rte_ipv4_hdr ip;

		if (!emu_get(m, p->l2_len, &ip, sizeof(ip)))
			return 0;
		len = rte_be_to_cpu_16(ip.total_length);
	} else {
		struct rte_ipv6_hdr ip;

		if (!emu_get(m, p->l2_len, &ip, sizeof(ip)))
			return 0;
		len = rte_be_to_cpu_16(ip.payload_len) + sizeof(ip);
	}
	if (len < (uint32_t)p->l3_len + p->l4_len || len - p->l3_len > have)
		return 0;
	return len - p->l3_len;
}

// Not complemented.
static uint16_t
pseudo_sum(const struct emu_pkt *p, uint32_t l4_len)
{
	struct {
		uint8_t src[16];
		uint8_t dst[16];
		uint32_t len;
		uint32_t proto;
	} h;

	// An IPv4 pseudo header is the same sum: the rest of the addresses are zeros in the key.
	memcpy(h.src, p->key.ip_src, sizeof(h.src));
	memcpy(h.dst, p->key.ip_dst, sizeof(h.dst));
	h.len = rte_cpu_to_be_32(l4_len);
	h.proto = rte_cpu_to_be_32(p->key.proto);
	return rte_raw_cksum(&h, sizeof(h));
}

static uint16_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

// Headers that are written to are whole in the first segment, but at any address.
static void
put(struct rte_mbuf *m, uint32_t off, const void *data, uint32_t n)
{
	memcpy(rte_pktmbuf_mtod_offset(m, void *, off), data, n);
}

static void
put_l4_sum(const struct emu_pkt *p, struct rte_mbuf *m, uint16_t sum)
{
	uint32_t at = IS_TCP(p) ? offsetof(struct rte_tcp_hdr, cksum)
				: offsetof(struct rte_udp_hdr, dgram_cksum);

	put(m, p->l2_len + p->l3_len + at, &sum, sizeof(sum));
}

static void
fill_ip(const struct emu_pkt *p, struct rte_mbuf *m)
{
	uint32_t at = p->l2_len + offsetof(struct rte_ipv4_hdr, hdr_checksum);
	uint16_t sum = 0;

	put(m, at, &sum, sizeof(sum));
	sum = ~rte_raw_cksum(rte_pktmbuf_mtod_offset(m, void *, p->l2_len), p->l3_len);
	put(m, at, &sum, sizeof(sum));
}

bool
emu_fill_sums(const struct emu_pkt *p, struct rte_mbuf *m)
{
	uint32_t len;
	uint16_t raw, sum;

	if (p->ip_sum)
		fill_ip(p, m);
	if (!p->l4_sum)
		return true;
	len = l4_bytes(p, m);
	if (len == 0)
		return false;
	put_l4_sum(p, m, 0);
	if (rte_raw_cksum_mbuf(m, p->l2_len + p->l3_len, len, &raw) != 0)
		return false;
	sum = ~fold((uint32_t)raw + pseudo_sum(p, len));
	put_l4_sum(p, m, sum == 0 && !IS_TCP(p) ? 0xffff : sum);
	return true;
}

bool
emu_leave_sums(const struct emu_pkt *p, struct rte_mbuf *m)
{
	uint32_t len = p->gso ? m->pkt_len - p->l2_len - p->l3_len : l4_bytes(p, m);

	if (len == 0)
		return false;
	if (p->ip_sum)
		fill_ip(p, m);
	put_l4_sum(p, m, pseudo_sum(p, len));
	m->l2_len = p->l2_len;
	m->l3_len = p->l3_len;
	m->l4_len = p->l4_len;
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	m->ol_flags |= IS_V4(p) ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->ol_flags |= IS_TCP(p) ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	if (p->gso) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = p->mss;
	}
	return true;
}

static uint64_t
verify_l4(const struct emu_pkt *p)
{
	uint32_t len = l4_bytes(p, p->m);
	uint16_t raw;

	if (len == 0)
		return RTE_MBUF_F_RX_L4_CKSUM_BAD;
	if (!IS_TCP(p)) {
		struct rte_udp_hdr udp;

		if (!emu_get(p->m, p->l2_len + p->l3_len, &udp, sizeof(udp)))
			return RTE_MBUF_F_RX_L4_CKSUM_BAD;
		if (udp.dgram_cksum == 0)
			return IS_V4(p) ? RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN
					: RTE_MBUF_F_RX_L4_CKSUM_BAD;
	}
	if (rte_raw_cksum_mbuf(p->m, p->l2_len + p->l3_len, len, &raw) != 0)
		return RTE_MBUF_F_RX_L4_CKSUM_BAD;
	return fold((uint32_t)raw + pseudo_sum(p, len)) == 0xffff ? RTE_MBUF_F_RX_L4_CKSUM_GOOD
								  : RTE_MBUF_F_RX_L4_CKSUM_BAD;
}

uint64_t
emu_verify_sums(const struct emu_pkt *p, uint64_t want)
{
	uint64_t flags = 0;
	uint16_t raw;

	if ((want & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) && IS_V4(p)) {
		if (p->ip_sum || (rte_raw_cksum_mbuf(p->m, p->l2_len, p->l3_len, &raw) == 0 &&
					 raw == 0xffff))
			flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		else
			flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
	}
	if (((want & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) && IS_TCP(p)) ||
		((want & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) && (p->key.layers & EMU_L_UDP)))
		flags |= p->l4_sum ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : verify_l4(p);
	return flags;
}

bool
emu_is_own(const struct rte_mbuf *m, uint32_t len)
{
	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) && m->data_len >= len;
}

bool
emu_append(struct rte_mbuf *dst, struct rte_mempool *pool, const struct rte_mbuf *src, uint32_t off,
	uint32_t len)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(dst);

	while (off >= src->data_len && src->next != NULL) {
		off -= src->data_len;
		src = src->next;
	}
	while (len > 0) {
		uint32_t n = RTE_MIN(len, (uint32_t)src->data_len - off);

		if (rte_pktmbuf_tailroom(last) == 0) {
			struct rte_mbuf *more = rte_pktmbuf_alloc(pool);

			if (more == NULL)
				return false;
			more->data_off = 0; // room for headers is at the front of a packet only
			last->next = more;
			dst->nb_segs++;
			last = more;
		}
		n = RTE_MIN(n, (uint32_t)rte_pktmbuf_tailroom(last));
		memcpy(rte_pktmbuf_mtod_offset(last, void *, last->data_len),
			rte_pktmbuf_mtod_offset(src, const void *, off), n);
		last->data_len += n;
		dst->pkt_len += n;
		len -= n;
		off += n;
		while (len > 0 && off >= src->data_len) {
			if (src->next == NULL)
				return false;
			off -= src->data_len;
			src = src->next;
		}
	}
	return true;
}

void
emu_segments_init(struct emu_segments *s, const struct emu_pkt *p)
{
	s->p = p;
	s->hdr_len = headers(p);
	s->off = s->hdr_len;
	s->left = p->m->pkt_len - s->hdr_len;
	s->index = 0;
}

// Sets the length and the IPv4 id of one segment.
static void
fix_ip(const struct emu_segments *s, struct rte_mbuf *m)
{
	const struct emu_pkt *p = s->p;
	uint16_t len = m->pkt_len - p->l2_len;

	if (IS_V4(p)) {
		struct rte_ipv4_hdr ip;

		emu_get(m, p->l2_len, &ip, sizeof(ip));
		ip.total_length = rte_cpu_to_be_16(len);
		ip.packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip.packet_id) + s->index);
		put(m, p->l2_len, &ip, sizeof(ip));
	} else {
		rte_be16_t payload = rte_cpu_to_be_16(len - sizeof(struct rte_ipv6_hdr));

		put(m, p->l2_len + offsetof(struct rte_ipv6_hdr, payload_len), &payload,
			sizeof(payload));
	}
}

// Sets the sequence number and the flags.
static void
fix_tcp(const struct emu_segments *s, struct rte_mbuf *m, bool last)
{
	uint32_t at = s->p->l2_len + s->p->l3_len;
	struct rte_tcp_hdr tcp;

	emu_get(m, at, &tcp, sizeof(tcp));
	tcp.sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp.sent_seq) + s->off - s->hdr_len);
	if (!last)
		tcp.tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (s->index > 0)
		tcp.tcp_flags &= ~RTE_TCP_CWR_FLAG;
	put(m, at, &tcp, sizeof(tcp));
}

struct rte_mbuf *
emu_segments_next(struct emu_segments *s, struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint32_t n = RTE_MIN(s->left, (uint32_t)s->p->mss);

	if (m == NULL)
		return NULL;
	// Headers have to be in one piece.
	if (rte_pktmbuf_tailroom(m) < s->hdr_len || !emu_append(m, pool, s->p->m, 0, s->hdr_len) ||
		!emu_append(m, pool, s->p->m, s->off, n)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	fix_ip(s, m);
	fix_tcp(s, m, n == s->left);
	emu_fill_sums(s->p, m);
	s->off += n;
	s->left -= n;
	s->index++;
	return m;
}
