// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/reframe.h"

#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "port/offload.h"

#define MACS (2 * RTE_ETHER_ADDR_LEN)
#define TAG_LEN 4
#define VXLAN_FLAG_VNI 0x08
#define DYNAMIC_PORTS 0xc000 // RFC 7348, 5: a source port from 49152 to 65535

bool
emu_own(struct emu_pkt *p, struct rte_mempool *pool, uint32_t len, uint32_t front)
{
	struct rte_mbuf *m;

	if (likely(emu_is_own(p->m, len) && rte_pktmbuf_headroom(p->m) >= front))
		return true;
	m = rte_pktmbuf_alloc(pool);
	if (m == NULL)
		return false;
	m->data_off = RTE_MAX((uint32_t)RTE_PKTMBUF_HEADROOM, front);
	if ((uint32_t)m->data_off + len > m->buf_len ||
		!emu_append(m, pool, p->m, 0, p->m->pkt_len)) {
		rte_pktmbuf_free(m);
		return false;
	}
	rte_pktmbuf_free(p->m);
	p->m = m;
	return true;
}

bool
emu_reframe_finish(struct emu_pkt *p)
{
	if ((p->l4_sum || p->ip_sum) && !emu_fill_sums(p, p->m))
		return false;
	p->l4_sum = 0;
	p->ip_sum = 0;
	return true;
}

bool
emu_push_vlan(struct emu_pkt *p, uint16_t tpid)
{
	uint16_t tci = p->key.layers & EMU_L_VLAN ? p->key.tci : 0;
	char *head = rte_pktmbuf_prepend(p->m, TAG_LEN);

	if (head == NULL)
		return false;
	memmove(head, head + TAG_LEN, MACS);
	memcpy(head + MACS, &tpid, sizeof(tpid));
	memcpy(head + MACS + sizeof(tpid), &tci, sizeof(tci));
	return true;
}

void
emu_pop_vlan(struct emu_pkt *p)
{
	char *head;

	if (!(p->key.layers & EMU_L_VLAN))
		return;
	head = rte_pktmbuf_mtod(p->m, char *);
	memmove(head + TAG_LEN, head, MACS);
	rte_pktmbuf_adj(p->m, TAG_LEN);
}

bool
emu_strip(struct emu_pkt *p, struct rte_mempool *pool, uint32_t n)
{
	if (p->m->pkt_len <= n || !emu_own(p, pool, n, 0))
		return false;
	rte_pktmbuf_adj(p->m, n);
	return true;
}

uint32_t
emu_vxlan_overhead(const struct emu_pkt *p)
{
	uint32_t at = p->l2_len + p->l3_len + sizeof(struct rte_udp_hdr);
	uint8_t flags;

	if (!(p->key.layers & EMU_L_UDP) || !emu_get(p->m, at, &flags, 1) ||
		!(flags & VXLAN_FLAG_VNI))
		return 0;
	at += sizeof(struct rte_vxlan_hdr);
	return p->m->pkt_len >= at + sizeof(struct rte_ether_hdr) ? at : 0;
}

// Where a UDP header begins behind the IP header at e->l3; 0: there is none.
static const char *
read_ip(struct emu_encap *e, uint16_t type)
{
	uint16_t at = e->l3, len;
	uint8_t proto;

	e->v6 = type == RTE_ETHER_TYPE_IPV6;
	if (e->len - at < (int)(e->v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)))
		return "its IP header is cut short";
	len = e->v6 ? sizeof(struct rte_ipv6_hdr) : (e->bytes[at] & 0xf) * 4U;
	proto = e->v6 ? e->bytes[at + 6] : e->bytes[at + 9];
	if (e->bytes[at] >> 4 != (e->v6 ? 6 : 4) || len < sizeof(struct rte_ipv4_hdr) ||
		at + len > e->len)
		return "its IP header is malformed";
	if (proto != IPPROTO_UDP)
		return NULL;
	if ((size_t)(e->len - at - len) < sizeof(struct rte_udp_hdr))
		return "its UDP header is cut short";
	e->l4 = at + len;
	return NULL;
}

const char *
emu_encap_read(struct emu_encap *e)
{
	uint16_t at = MACS, type;

	e->l3 = 0;
	e->l4 = 0;
	e->v6 = false;
	if (e->len < sizeof(struct rte_ether_hdr))
		return "it has no whole Ethernet header";
	type = e->bytes[at] << 8 | e->bytes[at + 1];
	for (unsigned int tags = 0; type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ;
		tags++) {
		at += TAG_LEN;
		if (tags == 2 || at + 2 > e->len)
			return "its VLAN tags are malformed";
		type = e->bytes[at] << 8 | e->bytes[at + 1];
	}
	if (type != RTE_ETHER_TYPE_IPV4 && type != RTE_ETHER_TYPE_IPV6)
		return NULL;
	e->l3 = at + 2;
	// An Ethernet header alone, for what is left of a packet after RAW_DECAP.
	if (e->l3 == e->len) {
		e->l3 = 0;
		return NULL;
	}
	return read_ip(e, type);
}

// A port that is the same for all packets of a flow, from the outermost headers of p.
static uint16_t
flow_port(const struct emu_pkt *p)
{
	const union emu_key *k = &p->key;
	uint32_t h = 0;

	for (unsigned int i = 0; i < sizeof(k->ip_src); i++)
		h = h * 31 + k->ip_src[i] * 7U + k->ip_dst[i];
	for (unsigned int i = 0; i < sizeof(k->src); i++)
		h = h * 31 + k->src[i] * 7U + k->dst[i];
	h = (h * 31 + k->sport) * 31 + k->dport + k->proto;
	h ^= h >> 15;
	h *= 0x9e3779b1U;
	return rte_cpu_to_be_16(DYNAMIC_PORTS | (h >> 18));
}

static void
fill_ipv4(uint8_t *at, uint16_t hdr_len, uint16_t total)
{
	struct rte_ipv4_hdr ip;

	memcpy(&ip, at, sizeof(ip));
	ip.total_length = rte_cpu_to_be_16(total);
	ip.hdr_checksum = 0;
	memcpy(at, &ip, sizeof(ip));
	ip.hdr_checksum = ~rte_raw_cksum(at, hdr_len);
	memcpy(at, &ip, sizeof(ip));
}

bool
emu_encapsulate(
	struct emu_pkt *p, struct rte_mempool *pool, const struct emu_encap *e, bool *udp_sum)
{
	uint32_t total = p->m->pkt_len + e->len;
	uint16_t port = flow_port(p), len;
	struct rte_udp_hdr udp;
	uint8_t *head;

	*udp_sum = false;
	if (total - e->l3 > UINT16_MAX || !emu_own(p, pool, 0, e->len))
		return false;
	head = (uint8_t *)rte_pktmbuf_prepend(p->m, e->len);
	if (head == NULL)
		return false;
	memcpy(head, e->bytes, e->len);
	if (e->l3 != 0 && !e->v6) {
		fill_ipv4(head + e->l3, (head[e->l3] & 0xf) * 4U, total - e->l3);
	} else if (e->l3 != 0) {
		len = rte_cpu_to_be_16(total - e->l3 - sizeof(struct rte_ipv6_hdr));
		memcpy(head + e->l3 + offsetof(struct rte_ipv6_hdr, payload_len), &len,
			sizeof(len));
	}
	if (e->l4 == 0)
		return true;
	memcpy(&udp, head + e->l4, sizeof(udp));
	udp.dgram_len = rte_cpu_to_be_16(total - e->l4);
	if (udp.src_port == 0)
		udp.src_port = port;
	*udp_sum = udp.dgram_cksum != 0;
	memcpy(head + e->l4, &udp, sizeof(udp));
	return true;
}
