// SPDX-License-Identifier: BSD-3-Clause
#include "act/checksum.h"

#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "act/offload.h"

static char *
l3_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, char *, m->l2_len);
}

static bool
is_tcp(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
}

static char *
field_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, char *, offload_l4(m)) +
	       (is_tcp(m) ? offsetof(struct rte_tcp_hdr, cksum)
			  : offsetof(struct rte_udp_hdr, dgram_cksum));
}

uint32_t
checksum_ip_end(const struct rte_mbuf *m)
{
	const char *l3 = l3_of(m);
	uint16_t len;

	if (m->ol_flags & RTE_MBUF_F_TX_IPV4) {
		memcpy(&len, l3 + offsetof(struct rte_ipv4_hdr, total_length), sizeof(len));
		return m->l2_len + (uint32_t)rte_be_to_cpu_16(len);
	}
	memcpy(&len, l3 + offsetof(struct rte_ipv6_hdr, payload_len), sizeof(len));
	return m->l2_len + (uint32_t)sizeof(struct rte_ipv6_hdr) + rte_be_to_cpu_16(len);
}

// Not complemented. The two addresses stand together in both headers.
static uint16_t
pseudo_sum(const struct rte_mbuf *m, uint32_t l4_len)
{
	const char *l3 = l3_of(m);
	bool v4 = (m->ol_flags & RTE_MBUF_F_TX_IPV4) != 0;
	size_t at = v4 ? offsetof(struct rte_ipv4_hdr, src_addr)
		       : offsetof(struct rte_ipv6_hdr, src_addr);
	uint32_t sum = rte_raw_cksum(l3 + at, v4 ? 8 : 32);

	sum += rte_cpu_to_be_16((uint16_t)(is_tcp(m) ? IPPROTO_TCP : IPPROTO_UDP));
	sum += rte_cpu_to_be_16((uint16_t)l4_len);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

// rte_raw_cksum_mbuf of DPDK 22.11 loses carries after a segment of odd length.
static uint16_t
chain_sum(const struct rte_mbuf *m, uint32_t at, uint32_t len)
{
	uint32_t sum = 0, part;
	uint16_t one;
	bool odd = false;

	for (; m != NULL && at >= m->data_len; m = m->next)
		at -= m->data_len;
	for (; m != NULL && len > 0; m = m->next, at = 0) {
		part = RTE_MIN(len, m->data_len - at);
		one = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const char *, at), part);
		sum += odd ? rte_bswap16(one) : one;
		odd ^= part & 1;
		len -= part;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

void
checksum_l4(struct rte_mbuf *m)
{
	uint32_t l4 = offload_l4(m);
	uint32_t len = checksum_ip_end(m) - l4;
	char *field = field_of(m);
	uint16_t sum = 0;
	uint32_t all;

	memset(field, 0, sizeof(sum));
	all = (uint32_t)chain_sum(m, l4, len) + pseudo_sum(m, len);
	all = (all & 0xffff) + (all >> 16);
	sum = (uint16_t)~all;
	if (sum == 0 && !is_tcp(m))
		sum = 0xffff;
	memcpy(field, &sum, sizeof(sum));
	m->ol_flags &= ~(uint64_t)(OFFLOAD_REQUESTS | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
}

void
checksum_pseudo(struct rte_mbuf *m, bool with_length)
{
	uint32_t len = checksum_ip_end(m) - offload_l4(m);
	uint16_t sum = pseudo_sum(m, with_length ? len : 0);

	memcpy(field_of(m), &sum, sizeof(sum));
}

void
checksum_ip(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip;

	if (!(m->ol_flags & RTE_MBUF_F_TX_IPV4))
		return;
	ip = (struct rte_ipv4_hdr *)l3_of(m);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}
