// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_AHEAD_MODEL_H
#define SLUICE_TESTS_AHEAD_MODEL_H

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/rng.h"
#include "flow/key.h"
#include "offload/translate.h"

// A NIC that does what the arrays of rte_flow say, field by field, and packets for it. Thread
// safety: any thread (plain values).

struct model_packet {
	struct flow_key key; // with all per-packet fields
	bool atomic;         // IPv6: a fragment header, and no other fragment (RFC 6946)
	bool has_ext;        // IPv6: an extension header before what .key says, namely
	uint8_t ext;
	bool fixed; // the NIC matches what the fixed header of IPv6 says, and looks no further
};

static inline bool
model_bits(const void *value, const void *spec, const void *mask, const void *last, size_t n)
{
	const uint8_t *v = value, *s = spec, *m = mask, *l = last;
	uint32_t nv = 0, ns = 0, nl = 0;
	size_t i;

	for (i = 0; l != NULL && n <= 4 && i < n; i++) {
		nv = nv << 8 | (v[i] & m[i]);
		ns = ns << 8 | (s[i] & m[i]);
		nl = nl << 8 | (l[i] & m[i]);
	}
	if (l != NULL && n <= 4)
		return ns <= nv && nv <= nl;
	for (i = 0; i < n; i++)
		if ((v[i] ^ s[i]) & m[i])
			return false;
	return true;
}

#define MODEL_FIELD(type, member, value)                                                           \
	model_bits(&(value), &((const struct type *)it->spec)->member,                             \
		&((const struct type *)it->mask)->member,                                          \
		it->last ? &((const struct type *)it->last)->member : NULL, sizeof(value))

static inline bool
model_eth(const struct rte_flow_item *it, const struct flow_key *k)
{
	const struct rte_flow_item_eth *s = it->spec, *m = it->mask;
	uint16_t type = k->vlan[0] ? htons(0x8100) : k->eth_type;

	return MODEL_FIELD(rte_flow_item_eth, hdr.dst_addr, k->eth_dst) &&
	       MODEL_FIELD(rte_flow_item_eth, hdr.src_addr, k->eth_src) &&
	       MODEL_FIELD(rte_flow_item_eth, hdr.ether_type, type) &&
	       (!m->has_vlan || s->has_vlan == (k->vlan[0] != 0));
}

static inline bool
model_vlan(const struct rte_flow_item *it, const struct flow_key *k)
{
	const struct rte_flow_item_vlan *s = it->spec, *m = it->mask;
	uint16_t tci = htons(k->vlan[0] & 0xefff), type = k->vlan[1] ? htons(0x8100) : k->eth_type;

	return k->vlan[0] && MODEL_FIELD(rte_flow_item_vlan, hdr.vlan_tci, tci) &&
	       MODEL_FIELD(rte_flow_item_vlan, hdr.eth_proto, type) &&
	       (!m->has_more_vlan || s->has_more_vlan == (k->vlan[1] != 0));
}

static inline bool
model_ipv4(const struct rte_flow_item *it, const struct flow_key *k)
{
	uint8_t tos = (uint8_t)(k->dscp << 2);
	uint16_t frag = k->frag == FLOW_FRAG_FIRST   ? htons(0x2000)
			: k->frag == FLOW_FRAG_LATER ? htons(0x2003)
						     : htons(0x4000);
	uint32_t src, dst;

	memcpy(&src, k->src, 4);
	memcpy(&dst, k->dst, 4);
	return k->l3 == FLOW_L3_IPV4 && MODEL_FIELD(rte_flow_item_ipv4, hdr.src_addr, src) &&
	       MODEL_FIELD(rte_flow_item_ipv4, hdr.dst_addr, dst) &&
	       MODEL_FIELD(rte_flow_item_ipv4, hdr.next_proto_id, k->proto) &&
	       MODEL_FIELD(rte_flow_item_ipv4, hdr.time_to_live, k->ttl) &&
	       MODEL_FIELD(rte_flow_item_ipv4, hdr.type_of_service, tos) &&
	       MODEL_FIELD(rte_flow_item_ipv4, hdr.fragment_offset, frag);
}

static inline bool
model_ipv6(const struct rte_flow_item *it, const struct model_packet *p)
{
	const struct rte_flow_item_ipv6 *s = it->spec, *m = it->mask;
	const struct flow_key *k = &p->key;
	uint32_t vtc = htonl(6u << 28 | (uint32_t)k->dscp << 22);
	uint8_t next = k->proto;

	if (p->fixed && p->has_ext)
		next = p->ext;
	else if (p->fixed && (k->frag != 0 || p->atomic))
		next = IPPROTO_FRAGMENT;

	return k->l3 == FLOW_L3_IPV6 && MODEL_FIELD(rte_flow_item_ipv6, hdr.src_addr, k->src) &&
	       MODEL_FIELD(rte_flow_item_ipv6, hdr.dst_addr, k->dst) &&
	       MODEL_FIELD(rte_flow_item_ipv6, hdr.proto, next) &&
	       MODEL_FIELD(rte_flow_item_ipv6, hdr.hop_limits, k->ttl) &&
	       MODEL_FIELD(rte_flow_item_ipv6, hdr.vtc_flow, vtc) &&
	       (!m->has_frag_ext || s->has_frag_ext == (k->frag != 0 || p->atomic));
}

static inline bool
model_item(const struct rte_flow_item *it, const struct model_packet *p)
{
	const struct flow_key *k = &p->key;
	// No L4 item matches a fragment.
	bool whole = k->frag == 0 && !p->atomic && !(p->fixed && p->has_ext);

	switch ((int)it->type) {
	case RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT:
		return true;
	case RTE_FLOW_ITEM_TYPE_ETH:
		return model_eth(it, k);
	case RTE_FLOW_ITEM_TYPE_VLAN:
		return model_vlan(it, k);
	case RTE_FLOW_ITEM_TYPE_IPV4:
		return model_ipv4(it, k);
	case RTE_FLOW_ITEM_TYPE_IPV6:
		return model_ipv6(it, p);
	case RTE_FLOW_ITEM_TYPE_TCP:
		return whole && k->proto == IPPROTO_TCP &&
		       MODEL_FIELD(rte_flow_item_tcp, hdr.src_port, k->l4_src) &&
		       MODEL_FIELD(rte_flow_item_tcp, hdr.dst_port, k->l4_dst) &&
		       MODEL_FIELD(rte_flow_item_tcp, hdr.tcp_flags, k->tcp_flags);
	case RTE_FLOW_ITEM_TYPE_UDP:
		return whole && k->proto == IPPROTO_UDP &&
		       MODEL_FIELD(rte_flow_item_udp, hdr.src_port, k->l4_src) &&
		       MODEL_FIELD(rte_flow_item_udp, hdr.dst_port, k->l4_dst);
	case RTE_FLOW_ITEM_TYPE_SCTP:
		return whole && k->proto == IPPROTO_SCTP &&
		       MODEL_FIELD(rte_flow_item_sctp, hdr.src_port, k->l4_src) &&
		       MODEL_FIELD(rte_flow_item_sctp, hdr.dst_port, k->l4_dst);
	default:
		return false;
	}
}

static inline bool
model_hits(const struct translate_rule *r, const struct model_packet *p)
{
	unsigned i;

	for (i = 0; r->items[i].type != RTE_FLOW_ITEM_TYPE_END; i++)
		if (!model_item(&r->items[i], p))
			return false;
	return true;
}

// ---- packets: few values, so that rules meet them

static inline struct model_packet
model_random_packet(struct sl_rng *rng)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, 47};
	struct model_packet p = {.atomic = false};
	struct flow_key *k = &p.key;
	uint32_t kind = sl_rng_below(rng, 10);

	flow_key_init(k, 1, 0);
	k->eth_dst[5] = (uint8_t)sl_rng_below(rng, 3);
	k->eth_dst[0] = sl_rng_below(rng, 8) == 0;
	k->eth_src[5] = (uint8_t)sl_rng_below(rng, 3);
	if (sl_rng_below(rng, 4) == 0)
		k->vlan[0] = (uint16_t)(FLOW_VLAN_PRESENT | (sl_rng_below(rng, 3) * 10) |
					sl_rng_below(rng, 2) << 13);
	if (k->vlan[0] && sl_rng_below(rng, 4) == 0)
		k->vlan[1] = FLOW_VLAN_PRESENT | 7;
	if (kind == 0) {
		k->eth_type = htons(0x88cc);
		return p;
	}
	if (kind == 1) {
		k->eth_type = htons(0x0806);
		k->l3 = FLOW_L3_ARP;
		k->proto = 1;
		k->src[0] = k->dst[0] = 10;
		return p;
	}
	k->l3 = kind < 7 ? FLOW_L3_IPV4 : FLOW_L3_IPV6;
	k->eth_type = htons(kind < 7 ? 0x0800 : 0x86dd);
	k->src[0] = k->dst[0] = kind < 7 ? 10 : 0x20;
	k->src[k->l3 == FLOW_L3_IPV4 ? 3 : 15] = (uint8_t)sl_rng_below(rng, 4);
	k->dst[k->l3 == FLOW_L3_IPV4 ? 3 : 15] = (uint8_t)sl_rng_below(rng, 4);
	k->proto = protos[sl_rng_below(rng, sizeof(protos))];
	k->dscp = (uint8_t)(sl_rng_below(rng, 2) * 46);
	k->ttl = (uint8_t)(1 + sl_rng_below(rng, 2) * 63);
	if (sl_rng_below(rng, 5) == 0)
		k->frag = sl_rng_below(rng, 2) ? FLOW_FRAG_FIRST : FLOW_FRAG_LATER;
	p.atomic = k->l3 == FLOW_L3_IPV6 && k->frag == 0 && sl_rng_below(rng, 5) == 0;
	p.fixed = sl_rng_below(rng, 2) != 0;
	p.has_ext = k->l3 == FLOW_L3_IPV6 && sl_rng_below(rng, 3) == 0;
	p.ext = (const uint8_t[]){0, 43, 51, 60}[sl_rng_below(rng, 4)];
	if (k->frag == FLOW_FRAG_LATER || k->proto == 47)
		return p;
	k->l4_src = htons((uint16_t)(1000 + sl_rng_below(rng, 4)));
	k->l4_dst = htons((uint16_t)(50 + sl_rng_below(rng, 12)));
	if (k->proto == IPPROTO_TCP)
		k->tcp_flags = sl_rng_below(rng, 2) ? 0x02 : 0x10;
	return p;
}

// A match in the words of rules.
static inline void
model_random_match(struct sl_rng *rng, char *buf, size_t len)
{
	static const char *const families[] = {"", "ip", "ip6", "tcp", "udp", "ip tcp", "ip6 udp",
		"sctp", "icmp", "arp", "eth_type=0x88cc", "proto=47", "ip udp"};
	static const char *const tags[] = {
		"vlan=none", "vlan=10", "vlan=any", "vlan=20 pcp=1", "vlan=10 vlan2=any"};
	const char *f = families[sl_rng_below(rng, 13)];
	bool l4 = strstr(f, "tcp") || strstr(f, "udp") || strstr(f, "sctp");
	bool ip = l4 || strncmp(f, "ip", 2) == 0 || strncmp(f, "proto", 5) == 0;
	bool v4 = strncmp(f, "ip", 2) == 0 && f[2] != '6', v6 = strncmp(f, "ip6", 3) == 0;
	size_t n = (size_t)snprintf(buf, len, "%s", f);

#define MODEL_MORE(...) n += (size_t)snprintf(buf + n, len - n, " " __VA_ARGS__)
	if (v4 && sl_rng_below(rng, 2))
		MODEL_MORE("ip_dst=10.0.0.%u/%u", sl_rng_below(rng, 4), 30 + sl_rng_below(rng, 3));
	if (v4 && sl_rng_below(rng, 4) == 0)
		MODEL_MORE("ip_src=0.0.0.%u/0.0.0.3", sl_rng_below(rng, 4));
	if (v6 && sl_rng_below(rng, 2))
		MODEL_MORE("ip_dst=2000::%u/%u", sl_rng_below(rng, 4), 126 + sl_rng_below(rng, 3));
	if (l4 && sl_rng_below(rng, 3) == 0)
		MODEL_MORE("dport=%u", 50 + sl_rng_below(rng, 12));
	else if (l4 && sl_rng_below(rng, 2))
		MODEL_MORE("dport=%u-%u", 50 + sl_rng_below(rng, 5), 55 + sl_rng_below(rng, 6));
	if (l4 && sl_rng_below(rng, 4) == 0)
		MODEL_MORE("sport=%u", 1000 + sl_rng_below(rng, 4));
	if (strstr(f, "tcp") && sl_rng_below(rng, 4) == 0)
		MODEL_MORE("tcp_flags=+syn-ack");
	if (ip && sl_rng_below(rng, 6) == 0)
		MODEL_MORE("dscp=46");
	if (ip && sl_rng_below(rng, 8) == 0)
		MODEL_MORE("ttl=1");
	if (ip && sl_rng_below(rng, 6) == 0)
		MODEL_MORE("frag=%s",
			(const char *[]){"no", "yes", "first", "later"}[sl_rng_below(rng, 4)]);
	if (sl_rng_below(rng, 6) == 0)
		MODEL_MORE("eth_src=00:00:00:00:00:0%u", sl_rng_below(rng, 3));
	if (sl_rng_below(rng, 4) == 0)
		MODEL_MORE("%s", tags[sl_rng_below(rng, 5)]);
#undef MODEL_MORE
}

#endif
