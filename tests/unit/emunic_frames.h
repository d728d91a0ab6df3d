// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_EMUNIC_FRAMES_H
#define SLUICE_TESTS_EMUNIC_FRAMES_H

#include "emunic_nic.h"

// Random frames by description: few values in many fields, with tags, fragments and tunnels, and
// their bytes. What a reference knows of a frame is its description, so that it shares no code with
// the parser. Thread-safety: owner thread only.

enum l3 { L3_OTHER, L3_V4, L3_V6, L3_ARP };
enum l4 { L4_NONE, L4_TCP, L4_UDP, L4_SCTP, L4_ICMP, L4_ICMP6 };
static const uint8_t protos[] = {253, 6, 17, 132, 1, 58};

struct layer {
	uint8_t dst, src; // last bytes
	uint8_t n_vlans;
	uint16_t tci[2];
	enum l3 l3;
	bool fragment;
	uint8_t tos, ttl;
	uint16_t frag;
	uint8_t ip_src, ip_dst; // last bytes
	enum l4 l4;
	uint16_t sport, dport; // ICMP: type and code
	uint8_t flags;
};

enum tunnel { NO_TUNNEL, VXLAN, GENEVE };

struct desc {
	struct layer at[2]; // outer, inner
	enum tunnel tunnel;
	uint32_t vni;
	uint32_t mark;
};

static inline void
random_layer(struct layer *l, bool tunnel)
{
	static const uint16_t tcis[] = {5, 6, 0x2005}, ports[] = {53, 80, 81, 1000, 1001, 4790};
	static const uint16_t frags4[] = {0, 0x4000, 0x2000, 0x2001, 5, 0x1fff};
	static const uint16_t frags6[] = {1, 0x100, 0xf9};
	static const uint8_t flags[] = {2, 16, 18};

	*l = (struct layer){.dst = 1 + draw(3), .src = 1 + draw(3)};
	l->n_vlans = draw(2) ? 0 : draw(3);
	for (unsigned int i = 0; i < l->n_vlans; i++)
		l->tci[i] = tcis[draw(3)];
	l->l3 = tunnel ? L3_V4 + draw(2) : draw(8) ? L3_V4 + draw(2) : draw(2) ? L3_ARP : L3_OTHER;
	if (l->l3 == L3_OTHER)
		return;
	l->ip_src = draw(8);
	l->ip_dst = draw(8);
	if (l->l3 == L3_ARP)
		return;
	l->tos = draw(2) * 0x10;
	l->ttl = draw(2) ? 64 : 3;
	if (!tunnel && draw(4) == 0) {
		l->frag = l->l3 == L3_V4 ? frags4[draw(6)] : frags6[draw(3)];
		l->fragment = l->l3 == L3_V6 || (l->frag & 0x3fff) != 0;
	}
	l->l4 = tunnel ? L4_UDP : draw(L4_ICMP6 + 1);
	if (l->l4 == L4_ICMP && l->l3 == L3_V6)
		l->l4 = L4_ICMP6;
	if (l->l4 == L4_ICMP6 && l->l3 == L3_V4)
		l->l4 = L4_ICMP;
	if (l->l4 == L4_NONE)
		return;
	l->sport = ports[draw(6)];
	l->dport = ports[draw(6)];
	if (l->l4 >= L4_ICMP) {
		l->sport = 8 * draw(2);
		l->dport = draw(2);
	}
	if (l->l4 == L4_TCP)
		l->flags = flags[draw(3)];
}

static inline void
random_desc(struct desc *d)
{
	*d = (struct desc){.tunnel = draw(3) ? NO_TUNNEL : VXLAN + draw(2), .vni = 1 + draw(3)};
	random_layer(&d->at[0], d->tunnel != NO_TUNNEL);
	if (d->tunnel == NO_TUNNEL) {
		d->vni = 0;
		return;
	}
	random_layer(&d->at[1], false);
	d->at[0].dport = d->tunnel == VXLAN ? 4789 : 6081;
}

static inline uint8_t *
put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
	return p + 2;
}

static inline uint8_t *
put_l4(uint8_t *p, const struct layer *l)
{
	static const uint8_t lengths[] = {4, 20, 8, 12, 8, 8};
	unsigned int len = lengths[l->l4];

	memset(p, 0, len);
	if (l->l4 >= L4_ICMP) {
		p[0] = l->sport;
		p[1] = l->dport;
	} else if (l->l4 != L4_NONE) {
		put16(p, l->sport);
		put16(p + 2, l->dport);
	}
	if (l->l4 == L4_TCP) {
		p[12] = 0x50;
		p[13] = l->flags;
	}
	return p + len;
}

// Writes the frame of a layer with the payload behind it; returns its end.
static inline uint8_t *
put_layer(uint8_t *p, const struct layer *l, const uint8_t *payload, unsigned int n)
{
	static const uint16_t types[] = {0x88b6, 0x0800, 0x86dd, 0x0806};
	uint8_t *ip, *end;

	memcpy(p, (uint8_t[12]){2, 0, 0, 0, 0, l->dst, 2, 0, 0, 0, 0, l->src}, 12);
	p += 12;
	for (unsigned int i = 0; i < l->n_vlans; i++)
		p = put16(put16(p, i == 0 && l->n_vlans == 2 ? 0x88a8 : 0x8100), l->tci[i]);
	p = put16(p, types[l->l3]);
	ip = p;
	memset(ip, 0, 60);
	if (l->l3 == L3_ARP) {
		memcpy(ip, (uint8_t[8]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
		memcpy(ip + 14, (uint8_t[4]){10, 0, 0, l->ip_src}, 4);
		memcpy(ip + 24, (uint8_t[4]){10, 0, 0, l->ip_dst}, 4);
		return ip + 28;
	}
	if (l->l3 == L3_OTHER)
		return ip + 46;
	if (l->l3 == L3_V4) {
		end = put_l4(ip + 20, l);
	} else {
		bool ext = l->fragment;

		put16(put16(ip, 0x6000 | l->tos << 4), 0);
		ip[6] = ext ? 44 : protos[l->l4];
		ip[7] = l->ttl;
		ip[8] = ip[24] = 0xfd;
		ip[23] = l->ip_src;
		ip[39] = l->ip_dst;
		ip[40] = protos[l->l4];
		put16(ip + 42, l->frag);
		end = put_l4(ip + (ext ? 48 : 40), l);
	}
	if (n > 0)
		memcpy(end, payload, n);
	end += n;
	if (l->l3 == L3_V4) {
		memcpy(ip, (uint8_t[2]){0x45, l->tos}, 2);
		put16(ip + 2, end - ip);
		put16(ip + 6, l->frag);
		ip[8] = l->ttl;
		ip[9] = protos[l->l4];
		memcpy(ip + 12, (uint8_t[4]){10, 0, 0, l->ip_src}, 4);
		memcpy(ip + 16, (uint8_t[4]){10, 0, 0, l->ip_dst}, 4);
	} else {
		put16(ip + 4, end - ip - 40);
	}
	if (l->l4 == L4_UDP)
		put16(end - n - 4, n + 8);
	return end;
}

static inline struct rte_mbuf *
make(const struct desc *d)
{
	uint8_t frame[400], tunnel[200] = {0};
	struct rte_mbuf *m = rte_pktmbuf_alloc(nic()->pool);
	unsigned int n = 0;

	assert_non_null(m);
	if (d->tunnel != NO_TUNNEL) {
		if (d->tunnel == VXLAN)
			tunnel[0] = 8;
		else
			put16(tunnel + 2, 0x6558);
		tunnel[6] = d->vni;
		n = put_layer(tunnel + 8, &d->at[1], NULL, 0) - tunnel;
	}
	n = put_layer(frame, &d->at[0], tunnel, n) - frame;
	memcpy(rte_pktmbuf_append(m, n), frame, n);
	return m;
}

#endif
