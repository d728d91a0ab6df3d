// SPDX-License-Identifier: BSD-3-Clause
// Rules ahead of traffic as rte_flow takes them. Items are left out where nothing of them is
// matched and the ethertype says what follows.
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/hash.h"

#include "offload/translate.h"

#define TPID 0x8100
#define MF_AND_OFFSET 0x3fff // of IPv4's fragment field
#define OFFSET 0x1fff
#define MF 0x2000
#define PCP_AND_VID 0xefff

struct builder {
	const struct flow_match *m;
	struct translate_rule *r;
	unsigned n, n_actions;
};

static void
item(struct builder *b, enum rte_flow_item_type type, const void *spec, const void *mask,
	const void *last)
{
	b->r->items[b->n++] =
		(struct rte_flow_item){.type = type, .spec = spec, .mask = mask, .last = last};
}

static void
action(struct builder *b, enum rte_flow_action_type type, const void *conf)
{
	b->r->actions[b->n_actions++] = (struct rte_flow_action){.type = type, .conf = conf};
}

static bool
tagged(const struct flow_match *m)
{
	return (m->key.vlan[0] & m->mask.vlan[0] & FLOW_VLAN_PRESENT) != 0;
}

static void
put_eth(struct builder *b)
{
	const struct flow_match *m = b->m;
	struct translate_rule *r = b->r;

	memcpy(r->eth.hdr.dst_addr.addr_bytes, m->key.eth_dst, 6);
	memcpy(r->eth.hdr.src_addr.addr_bytes, m->key.eth_src, 6);
	memcpy(r->mask.eth.hdr.dst_addr.addr_bytes, m->mask.eth_dst, 6);
	memcpy(r->mask.eth.hdr.src_addr.addr_bytes, m->mask.eth_src, 6);
	r->mask.eth.has_vlan = (m->mask.vlan[0] & FLOW_VLAN_PRESENT) != 0;
	r->eth.has_vlan = tagged(m);
	if (!tagged(m)) {
		r->eth.hdr.ether_type = m->key.eth_type;
		r->mask.eth.hdr.ether_type = m->mask.eth_type;
	}
	item(b, RTE_FLOW_ITEM_TYPE_ETH, &r->eth, &r->mask.eth, NULL);
}

static void
put_vlan(struct builder *b)
{
	const struct flow_match *m = b->m;
	struct translate_rule *r = b->r;

	if (!tagged(m))
		return;
	r->vlan[0].hdr.vlan_tci = htons(m->key.vlan[0] & PCP_AND_VID);
	r->mask.vlan.hdr.vlan_tci = htons(m->mask.vlan[0] & PCP_AND_VID);
	r->vlan[0].hdr.eth_proto = m->key.eth_type;
	r->mask.vlan.hdr.eth_proto = m->mask.eth_type;
	r->mask.vlan.has_more_vlan = (m->mask.vlan[1] & FLOW_VLAN_PRESENT) != 0;
	item(b, RTE_FLOW_ITEM_TYPE_VLAN, &r->vlan[0], &r->mask.vlan, NULL);
}

// A range of the field where the match is "any fragment", or "a later one".
static const void *
ipv4_fragments(struct builder *b)
{
	const struct flow_match *m = b->m;
	struct translate_rule *r = b->r;
	rte_be16_t *spec = &r->ipv4.hdr.fragment_offset, *mask = &r->mask.ipv4.hdr.fragment_offset;

	if (m->mask.frag == 0)
		return NULL;
	*mask = htons(MF_AND_OFFSET);
	if (m->key.frag == FLOW_FRAG_NO)
		return NULL;
	if (m->mask.frag == 3 && m->key.frag == FLOW_FRAG_FIRST) {
		*spec = htons(MF);
		return NULL;
	}
	*spec = htons(1);
	r->last.ipv4 = r->ipv4;
	if (m->mask.frag == 3)
		*mask = htons(OFFSET);
	r->last.ipv4.hdr.fragment_offset = *mask;
	return &r->last.ipv4;
}

static void
put_ipv4(struct builder *b)
{
	const struct flow_match *m = b->m;
	struct translate_rule *r = b->r;
	const void *last;

	memcpy(&r->ipv4.hdr.src_addr, m->key.src, 4);
	memcpy(&r->ipv4.hdr.dst_addr, m->key.dst, 4);
	memcpy(&r->mask.ipv4.hdr.src_addr, m->mask.src, 4);
	memcpy(&r->mask.ipv4.hdr.dst_addr, m->mask.dst, 4);
	r->ipv4.hdr.next_proto_id = m->key.proto;
	r->mask.ipv4.hdr.next_proto_id = m->mask.proto;
	r->ipv4.hdr.time_to_live = m->key.ttl;
	r->mask.ipv4.hdr.time_to_live = m->mask.ttl;
	r->ipv4.hdr.type_of_service = (uint8_t)(m->key.dscp << 2);
	r->mask.ipv4.hdr.type_of_service = (uint8_t)(m->mask.dscp << 2);
	last = ipv4_fragments(b);
	item(b, RTE_FLOW_ITEM_TYPE_IPV4, &r->ipv4, &r->mask.ipv4, last);
}

static void
put_ipv6(struct builder *b)
{
	const struct flow_match *m = b->m;
	struct translate_rule *r = b->r;

	memcpy(&r->ipv6.hdr.src_addr, m->key.src, 16);
	memcpy(&r->ipv6.hdr.dst_addr, m->key.dst, 16);
	memcpy(&r->mask.ipv6.hdr.src_addr, m->mask.src, 16);
	memcpy(&r->mask.ipv6.hdr.dst_addr, m->mask.dst, 16);
	r->ipv6.hdr.proto = m->key.proto;
	r->mask.ipv6.hdr.proto = m->mask.proto;
	r->ipv6.hdr.hop_limits = m->key.ttl;
	r->mask.ipv6.hdr.hop_limits = m->mask.ttl;
	r->ipv6.hdr.vtc_flow = htonl((uint32_t)(m->key.dscp & 0x3f) << 22);
	r->mask.ipv6.hdr.vtc_flow = htonl((uint32_t)(m->mask.dscp & 0x3f) << 22);
	r->mask.ipv6.has_frag_ext = m->mask.frag != 0;
	r->ipv6.has_frag_ext = m->key.frag != FLOW_FRAG_NO;
	item(b, RTE_FLOW_ITEM_TYPE_IPV6, &r->ipv6, &r->mask.ipv6, NULL);
}

static bool
is_range(struct flow_range r)
{
	return r.lo != 0 || r.hi != UINT16_MAX;
}

// True: a range, which ends at *last.
static bool
put_port(uint16_t key, uint16_t bits, struct flow_range range, rte_be16_t *spec, rte_be16_t *mask,
	rte_be16_t *last)
{
	*spec = *last = key;
	*mask = bits;
	if (!is_range(range))
		return false;
	*spec = htons(range.lo);
	*last = htons(range.hi);
	*mask = UINT16_MAX;
	return true;
}

static void
put_l4(struct builder *b)
{
	const struct flow_match *m = b->m;
	struct translate_rule *r = b->r;
	rte_be16_t s[3], d[3];
	bool range;

	if (m->mask.l4_src == 0 && m->mask.l4_dst == 0 && m->mask.tcp_flags == 0 &&
		!flow_match_has_range(m))
		return;
	range = put_port(m->key.l4_src, m->mask.l4_src, m->sport, &s[0], &s[1], &s[2]);
	range |= put_port(m->key.l4_dst, m->mask.l4_dst, m->dport, &d[0], &d[1], &d[2]);
	if (m->key.proto == IPPROTO_TCP) {
		r->tcp.hdr = (struct rte_tcp_hdr){
			.src_port = s[0], .dst_port = d[0], .tcp_flags = m->key.tcp_flags};
		r->mask.tcp.hdr = (struct rte_tcp_hdr){
			.src_port = s[1], .dst_port = d[1], .tcp_flags = m->mask.tcp_flags};
		r->last.tcp.hdr = (struct rte_tcp_hdr){
			.src_port = s[2], .dst_port = d[2], .tcp_flags = m->key.tcp_flags};
		item(b, RTE_FLOW_ITEM_TYPE_TCP, &r->tcp, &r->mask.tcp, range ? &r->last.tcp : NULL);
	} else if (m->key.proto == IPPROTO_UDP) {
		r->udp.hdr = (struct rte_udp_hdr){.src_port = s[0], .dst_port = d[0]};
		r->mask.udp.hdr = (struct rte_udp_hdr){.src_port = s[1], .dst_port = d[1]};
		r->last.udp.hdr = (struct rte_udp_hdr){.src_port = s[2], .dst_port = d[2]};
		item(b, RTE_FLOW_ITEM_TYPE_UDP, &r->udp, &r->mask.udp, range ? &r->last.udp : NULL);
	} else {
		r->sctp.hdr = (struct rte_sctp_hdr){.src_port = s[0], .dst_port = d[0]};
		r->mask.sctp.hdr = (struct rte_sctp_hdr){.src_port = s[1], .dst_port = d[1]};
		r->last.sctp.hdr = (struct rte_sctp_hdr){.src_port = s[2], .dst_port = d[2]};
		item(b, RTE_FLOW_ITEM_TYPE_SCTP, &r->sctp, &r->mask.sctp,
			range ? &r->last.sctp : NULL);
	}
}

static bool
reads_ip(const struct flow_match *m)
{
	static const uint8_t zero[16];

	return m->mask.proto != 0 || m->mask.ttl != 0 || m->mask.dscp != 0 || m->mask.frag != 0 ||
	       memcmp(m->mask.src, zero, 16) != 0 || memcmp(m->mask.dst, zero, 16) != 0;
}

static void
put_vlan_action(struct builder *b, const struct ahead_act *act)
{
	struct translate_rule *r = b->r;

	r->push_vlan.ethertype = htons(TPID);
	r->set_vlan.vlan_vid = htons(act->vlan);
	if (act->vlan_op == AHEAD_VLAN_POP)
		action(b, RTE_FLOW_ACTION_TYPE_OF_POP_VLAN, NULL);
	if (act->vlan_op == AHEAD_VLAN_PUSH)
		action(b, RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, &r->push_vlan);
	if (act->vlan_op == AHEAD_VLAN_PUSH || act->vlan_op == AHEAD_VLAN_SET)
		action(b, RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID, &r->set_vlan);
}

static void
put_actions(struct builder *b, const struct ahead_act *act, uint16_t in_port, uint16_t out_port)
{
	struct translate_rule *r = b->r;

	action(b, RTE_FLOW_ACTION_TYPE_COUNT, &r->count);
	switch (act->kind) {
	case AHEAD_DROP:
		action(b, RTE_FLOW_ACTION_TYPE_DROP, NULL);
		break;
	case AHEAD_PORT:
		put_vlan_action(b, act);
		r->out_port.port_id = out_port;
		action(b, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, &r->out_port);
		break;
	default:
		r->out_port.port_id = in_port;
		action(b, RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, &r->out_port);
	}
	action(b, RTE_FLOW_ACTION_TYPE_END, NULL);
}

// The items behind that of the port.
static void
put_pattern(struct builder *b)
{
	put_eth(b);
	put_vlan(b);
	if (reads_ip(b->m)) {
		if (b->m->key.eth_type == htons(0x0800))
			put_ipv4(b);
		else
			put_ipv6(b);
		put_l4(b);
	}
	item(b, RTE_FLOW_ITEM_TYPE_END, NULL, NULL, NULL);
}

void
translate_ahead(const struct flow_match *match, const struct ahead_act *act, uint32_t level,
	uint16_t in_port, uint16_t out_port, struct translate_rule *out)
{
	struct builder b = {.m = match, .r = out};

	memset(out, 0, sizeof(*out));
	out->attr.transfer = 1;
	out->attr.priority = 1 + level;
	out->in_port.port_id = in_port;
	item(&b, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, &out->in_port, &rte_flow_item_ethdev_mask,
		NULL);
	put_pattern(&b);
	put_actions(&b, act, in_port, out_port);
}

void
translate_jump(uint16_t in_port, uint32_t group, struct translate_rule *out)
{
	struct builder b = {.r = out};

	memset(out, 0, sizeof(*out));
	out->attr.transfer = 1;
	out->attr.priority = 1; // behind single flows that are not in the table
	out->in_port.port_id = in_port;
	out->jump.group = group;
	item(&b, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, &out->in_port, &rte_flow_item_ethdev_mask,
		NULL);
	item(&b, RTE_FLOW_ITEM_TYPE_END, NULL, NULL, NULL);
	action(&b, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	action(&b, RTE_FLOW_ACTION_TYPE_JUMP, &out->jump);
	action(&b, RTE_FLOW_ACTION_TYPE_END, NULL);
}

static void
begin_class(struct builder *b, uint32_t level)
{
	memset(b->r, 0, sizeof(*b->r));
	b->r->attr.ingress = 1;
	b->r->attr.priority = 1 + level;
	put_pattern(b);
}

void
translate_class_group(
	const struct flow_match *match, uint32_t level, uint16_t index, struct translate_rule *out)
{
	struct builder b = {.m = match, .r = out};

	begin_class(&b, level);
	out->queue.index = index;
	action(&b, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	action(&b, RTE_FLOW_ACTION_TYPE_QUEUE, &out->queue);
	action(&b, RTE_FLOW_ACTION_TYPE_END, NULL);
}

void
translate_class(const struct flow_match *match, uint32_t level, uint16_t first, uint16_t n,
	struct translate_rule *out)
{
	struct builder b = {.m = match, .r = out};
	uint16_t i;

	begin_class(&b, level);
	for (i = 0; i < n && i < TRANSLATE_QUEUES; i++)
		out->queues[i] = (uint16_t)(first + i);
	out->rss = (struct rte_flow_action_rss){.queue = out->queues, .queue_num = i};
	action(&b, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	action(&b, RTE_FLOW_ACTION_TYPE_RSS, &out->rss);
	action(&b, RTE_FLOW_ACTION_TYPE_END, NULL);
}

uint32_t
translate_ahead_shape(const struct translate_rule *rule)
{
	const struct translate_bounds *m = &rule->mask;
	uint64_t w[TRANSLATE_ITEMS + 2];
	unsigned n = 0, i;

	w[n++] = translate_shape(rule);
	for (i = 0; rule->items[i].type != RTE_FLOW_ITEM_TYPE_END; i++)
		w[n++] = rule->items[i].last != NULL;
	w[n++] = sl_hash_bytes(m, sizeof(*m), 0);
	return (uint32_t)sl_hash_words(w, n, 0) | 1;
}
