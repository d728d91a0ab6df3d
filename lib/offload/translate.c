// SPDX-License-Identifier: BSD-3-Clause
#include "offload/translate.h"

#include <errno.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_version.h>

#include "base/hash.h"

// What each item matches: all of the fields that a key identifies a flow by. A tag is matched by
// its VID; that there is no (further) tag is said by the type that follows, which is the payload's.
// The tag protocol (802.1Q, 802.1ad) is not in a key and not matched.
static const struct rte_flow_item_eth eth_mask = {
	.hdr.dst_addr.addr_bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.hdr.src_addr.addr_bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.hdr.ether_type = RTE_BE16(0xffff),
};
static const struct rte_flow_item_eth eth_tagged_mask = {
	.hdr.dst_addr.addr_bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.hdr.src_addr.addr_bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.has_vlan = 1,
};
static const struct rte_flow_item_vlan vlan_mask = {
	.hdr.vlan_tci = RTE_BE16(0x0fff),
	.hdr.eth_proto = RTE_BE16(0xffff),
};
static const struct rte_flow_item_vlan vlan_tagged_mask = {
	.hdr.vlan_tci = RTE_BE16(0x0fff),
	.has_more_vlan = 1,
};
static const struct rte_flow_item_ipv4 ipv4_mask = {
	.hdr.next_proto_id = 0xff,
	.hdr.src_addr = RTE_BE32(0xffffffff),
	.hdr.dst_addr = RTE_BE32(0xffffffff),
};
#define SIXTEEN_ONES                                                                               \
	{                                                                                          \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,      \
			0xff, 0xff, 0xff                                                           \
	}
#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
#define WHOLE_ADDRESS                                                                              \
	{                                                                                          \
		.a = SIXTEEN_ONES                                                                  \
	}
#else
#define WHOLE_ADDRESS SIXTEEN_ONES
#endif
static const struct rte_flow_item_ipv6 ipv6_mask = {
	.hdr.proto = 0xff,
	.hdr.src_addr = WHOLE_ADDRESS,
	.hdr.dst_addr = WHOLE_ADDRESS,
};
static const struct rte_flow_item_tcp tcp_mask = {
	.hdr.src_port = RTE_BE16(0xffff),
	.hdr.dst_port = RTE_BE16(0xffff),
};
static const struct rte_flow_item_udp udp_mask = {
	.hdr.src_port = RTE_BE16(0xffff),
	.hdr.dst_port = RTE_BE16(0xffff),
};

static void
add_item(struct translate_rule *r, unsigned *n, enum rte_flow_item_type type, const void *spec,
	const void *mask)
{
	r->items[(*n)++] = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
}

static void
add_action(struct translate_rule *r, unsigned *n, enum rte_flow_action_type type, const void *conf)
{
	r->actions[(*n)++] = (struct rte_flow_action){.type = type, .conf = conf};
}

// What no rule of ours can say of this key; NULL: nothing.
static const char *
cannot_match(const struct flow_key *k)
{
	if (k->dscp)
		return "the flow is one of a single DSCP, which is not matched";
	if (k->ttl)
		return "the flow is one of a single TTL, which is not matched";
	if (k->tcp_flags)
		return "the flow is one of single TCP flags, which are not matched";
	if (k->frag)
		return "a fragment's flow cannot be matched";
	if ((k->vlan[0] | k->vlan[1]) & 0xe000)
		return "the flow is one of a single VLAN priority, which is not matched";
	if (k->vlan[1] && !k->vlan[0])
		return "an inner VLAN tag without an outer one";
	if (k->eth_type == 0)
		return "frames without an ethertype (LLC) cannot be matched";
	if (k->l3 == FLOW_L3_ARP)
		return "ARP addresses cannot be matched";
	if (k->l3 == FLOW_L3_NONE)
		return NULL;
	if (k->proto == IPPROTO_ICMP || k->proto == IPPROTO_ICMPV6)
		return "ICMP type, code and identifier cannot be matched";
	if (k->proto != IPPROTO_TCP && k->proto != IPPROTO_UDP && (k->l4_src || k->l4_dst))
		return "ports of this IP protocol cannot be matched";
	return NULL;
}

static void
set_eth(const struct flow_key *k, struct translate_rule *r, unsigned *n)
{
	memcpy(r->eth.hdr.dst_addr.addr_bytes, k->eth_dst, 6);
	memcpy(r->eth.hdr.src_addr.addr_bytes, k->eth_src, 6);
	if (k->vlan[0]) {
		r->eth.has_vlan = 1;
		add_item(r, n, RTE_FLOW_ITEM_TYPE_ETH, &r->eth, &eth_tagged_mask);
	} else {
		r->eth.hdr.ether_type = k->eth_type;
		add_item(r, n, RTE_FLOW_ITEM_TYPE_ETH, &r->eth, &eth_mask);
	}
}

static void
set_vlans(const struct flow_key *k, struct translate_rule *r, unsigned *n)
{
	int i;

	for (i = 0; i < 2 && k->vlan[i]; i++) {
		bool more = i == 0 && k->vlan[1];

		r->vlan[i].hdr.vlan_tci = rte_cpu_to_be_16(k->vlan[i] & 0x0fff);
		if (more)
			r->vlan[i].has_more_vlan = 1;
		else
			r->vlan[i].hdr.eth_proto = k->eth_type;
		add_item(r, n, RTE_FLOW_ITEM_TYPE_VLAN, &r->vlan[i],
			more ? &vlan_tagged_mask : &vlan_mask);
	}
}

static void
set_l3(const struct flow_key *k, struct translate_rule *r, unsigned *n)
{
	if (k->l3 == FLOW_L3_IPV4) {
		r->ipv4.hdr.next_proto_id = k->proto;
		memcpy(&r->ipv4.hdr.src_addr, k->src, 4);
		memcpy(&r->ipv4.hdr.dst_addr, k->dst, 4);
		add_item(r, n, RTE_FLOW_ITEM_TYPE_IPV4, &r->ipv4, &ipv4_mask);
	} else if (k->l3 == FLOW_L3_IPV6) {
		r->ipv6.hdr.proto = k->proto;
		memcpy(&r->ipv6.hdr.src_addr, k->src, 16);
		memcpy(&r->ipv6.hdr.dst_addr, k->dst, 16);
		add_item(r, n, RTE_FLOW_ITEM_TYPE_IPV6, &r->ipv6, &ipv6_mask);
	}
}

static void
set_l4(const struct flow_key *k, struct translate_rule *r, unsigned *n)
{
	if (k->l3 != FLOW_L3_IPV4 && k->l3 != FLOW_L3_IPV6)
		return;
	if (k->proto == IPPROTO_TCP) {
		r->tcp.hdr.src_port = k->l4_src;
		r->tcp.hdr.dst_port = k->l4_dst;
		add_item(r, n, RTE_FLOW_ITEM_TYPE_TCP, &r->tcp, &tcp_mask);
	} else if (k->proto == IPPROTO_UDP) {
		r->udp.hdr.src_port = k->l4_src;
		r->udp.hdr.dst_port = k->l4_dst;
		add_item(r, n, RTE_FLOW_ITEM_TYPE_UDP, &r->udp, &udp_mask);
	}
}

static int
set_pattern(const struct flow_key *key, const uint16_t *in_port, struct translate_rule *out,
	struct sl_err *err)
{
	const char *refused = cannot_match(key);
	unsigned n = 0;

	memset(out, 0, sizeof(*out));
	if (refused)
		return sl_err_set(err, ENOTSUP, NULL, "%s", refused);
	if (in_port) {
		out->attr.transfer = 1;
		out->in_port.port_id = *in_port;
		add_item(out, &n, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, &out->in_port,
			&rte_flow_item_ethdev_mask);
	} else {
		out->attr.ingress = 1;
	}
	set_eth(key, out, &n);
	set_vlans(key, out, &n);
	set_l3(key, out, &n);
	set_l4(key, out, &n);
	add_item(out, &n, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
	return 0;
}

int
translate_to_queue(const struct flow_key *key, uint16_t queue, uint32_t mark,
	struct translate_rule *out, struct sl_err *err)
{
	int ret = set_pattern(key, NULL, out, err);
	unsigned n = 0;

	if (ret < 0)
		return ret;
	out->mark.id = mark;
	out->queue.index = queue;
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_MARK, &out->mark);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_QUEUE, &out->queue);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_END, NULL);
	return 0;
}

// Only actions that say where the packet goes: the way through the switch does not change it.
static const char *
cannot_do(const struct flow_actions *actions)
{
	unsigned i, outputs = 0;

	for (i = 0; i < actions->n && i < FLOW_ACTIONS_MAX; i++) {
		switch (actions->list[i].type) {
		case FLOW_ACT_OUTPUT:
		case FLOW_ACT_NORMAL:
			outputs++;
			break;
		case FLOW_ACT_GOTO:
			break; // followed by the rules already
		case FLOW_ACT_FLOOD:
			return "flooding is not a transfer action";
		case FLOW_ACT_DROP:
			return "the flow is dropped, not sent to a port";
		case FLOW_ACT_PUSH_VLAN:
		case FLOW_ACT_POP_VLAN:
		case FLOW_ACT_SET_VLAN:
			return "VLAN actions are not translated";
		case FLOW_ACT_SET_ETH_SRC:
		case FLOW_ACT_SET_ETH_DST:
			return "MAC rewriting is not translated";
		case FLOW_ACT_CLASS:
		case FLOW_ACT_RING:
		case FLOW_ACT_QUEUE:
		case FLOW_ACT_RATE:
			return "a class, ring, queue or rate is kept on the host";
		default:
			return "an unknown action";
		}
	}
	return outputs > 1 ? "several outputs are not translated" : NULL;
}

int
translate_to_port(const struct flow_key *key, uint16_t in_port, uint16_t out_port,
	const struct flow_actions *actions, struct translate_rule *out, struct sl_err *err)
{
	const char *refused = actions ? cannot_do(actions) : NULL;
	int ret = set_pattern(key, &in_port, out, err);
	unsigned n = 0;

	if (ret < 0)
		return ret;
	if (refused)
		return sl_err_set(err, ENOTSUP, NULL, "%s", refused);
	out->out_port.port_id = out_port;
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, &out->out_port);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_END, NULL);
	return 0;
}

int
translate_to_drop(const struct flow_key *key, uint16_t in_port, struct translate_rule *out,
	struct sl_err *err)
{
	int ret = set_pattern(key, &in_port, out, err);
	unsigned n = 0;

	if (ret < 0)
		return ret;
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_DROP, NULL);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_END, NULL);
	return 0;
}

int
translate_between_hosts(const struct flow_key *key, uint16_t in_port, uint16_t out_port,
	struct translate_rule *out, struct sl_err *err)
{
	int ret = set_pattern(key, &in_port, out, err);
	unsigned n = 0;

	if (ret < 0)
		return ret;
	out->items[0].type = RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR;
	out->out_port.port_id = out_port;
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_COUNT, &out->count);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, &out->out_port);
	add_action(out, &n, RTE_FLOW_ACTION_TYPE_END, NULL);
	return 0;
}

uint32_t
translate_shape(const struct translate_rule *rule)
{
	uint64_t w[1 + TRANSLATE_ITEMS + TRANSLATE_ACTIONS];
	unsigned n = 0, i;

	w[n++] = rule->attr.transfer;
	for (i = 0; i < TRANSLATE_ITEMS && rule->items[i].type != RTE_FLOW_ITEM_TYPE_END; i++)
		w[n++] = 1 + (uint64_t)rule->items[i].type;
	for (i = 0; i < TRANSLATE_ACTIONS && rule->actions[i].type != RTE_FLOW_ACTION_TYPE_END; i++)
		w[n++] = (1 + (uint64_t)rule->actions[i].type) << 32;
	return (uint32_t)sl_hash_words(w, n, 0);
}
