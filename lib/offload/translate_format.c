// SPDX-License-Identifier: BSD-3-Clause
// The words of testpmd's `flow create PORT ...`, so that a rule can be tried there by hand (testpmd
// user guide, "Flow rules management").
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "offload/translate.h"

struct text {
	char *buf;
	unsigned long len, used;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->used + 1 >= t->len)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->used, t->len - t->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (unsigned long)n;
	if (t->used >= t->len)
		t->used = t->len - 1;
}

static void
put_mac(struct text *t, const char *word, const struct rte_ether_addr *a)
{
	const uint8_t *b = a->addr_bytes;

	put(t, " %s is %02x:%02x:%02x:%02x:%02x:%02x", word, b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void
put_ip(struct text *t, const char *word, int family, const void *addr)
{
	char buf[INET6_ADDRSTRLEN];

	put(t, " %s is %s", word, inet_ntop(family, addr, buf, sizeof(buf)) ? buf : "?");
}

static void
put_item(struct text *t, const struct rte_flow_item *item)
{
	const struct rte_flow_item_ethdev *port = item->spec;
	const struct rte_flow_item_eth *eth = item->spec, *eth_mask = item->mask;
	const struct rte_flow_item_vlan *vlan = item->spec, *vlan_mask = item->mask;
	const struct rte_flow_item_ipv4 *ip4 = item->spec;
	const struct rte_flow_item_ipv6 *ip6 = item->spec;
	const struct rte_flow_item_tcp *tcp = item->spec;
	const struct rte_flow_item_udp *udp = item->spec;

	switch ((int)item->type) {
	case RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT:
		put(t, " represented_port ethdev_port_id is %u", port->port_id);
		break;
	case RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR:
		put(t, " port_representor port_id is %u", port->port_id);
		break;
	case RTE_FLOW_ITEM_TYPE_ETH:
		put(t, " eth");
		put_mac(t, "dst", &eth->hdr.dst_addr);
		put_mac(t, "src", &eth->hdr.src_addr);
		if (eth_mask->hdr.ether_type)
			put(t, " type is 0x%04x", ntohs(eth->hdr.ether_type));
		if (eth_mask->has_vlan)
			put(t, " has_vlan is %u", eth->has_vlan);
		break;
	case RTE_FLOW_ITEM_TYPE_VLAN:
		put(t, " vlan vid is %u", ntohs(vlan->hdr.vlan_tci));
		if (vlan_mask->hdr.eth_proto)
			put(t, " inner_type is 0x%04x", ntohs(vlan->hdr.eth_proto));
		if (vlan_mask->has_more_vlan)
			put(t, " has_more_vlan is %u", vlan->has_more_vlan);
		break;
	case RTE_FLOW_ITEM_TYPE_IPV4:
		put(t, " ipv4");
		put_ip(t, "src", AF_INET, &ip4->hdr.src_addr);
		put_ip(t, "dst", AF_INET, &ip4->hdr.dst_addr);
		put(t, " proto is %u", ip4->hdr.next_proto_id);
		break;
	case RTE_FLOW_ITEM_TYPE_IPV6:
		put(t, " ipv6");
		put_ip(t, "src", AF_INET6, &ip6->hdr.src_addr);
		put_ip(t, "dst", AF_INET6, &ip6->hdr.dst_addr);
		put(t, " proto is %u", ip6->hdr.proto);
		break;
	case RTE_FLOW_ITEM_TYPE_TCP:
		put(t, " tcp src is %u dst is %u", ntohs(tcp->hdr.src_port),
			ntohs(tcp->hdr.dst_port));
		break;
	case RTE_FLOW_ITEM_TYPE_UDP:
		put(t, " udp src is %u dst is %u", ntohs(udp->hdr.src_port),
			ntohs(udp->hdr.dst_port));
		break;
	default:
		put(t, " item-%d", (int)item->type);
	}
	put(t, " /");
}

static void
put_action(struct text *t, const struct rte_flow_action *action)
{
	const struct rte_flow_action_mark *mark = action->conf;
	const struct rte_flow_action_queue *queue = action->conf;
	const struct rte_flow_action_ethdev *port = action->conf;
	const struct rte_flow_action_rss *rss = action->conf;

	switch ((int)action->type) {
	case RTE_FLOW_ACTION_TYPE_MARK:
		put(t, " mark id %u", mark->id);
		break;
	case RTE_FLOW_ACTION_TYPE_QUEUE:
		put(t, " queue index %u", queue->index);
		break;
	case RTE_FLOW_ACTION_TYPE_JUMP:
		put(t, " jump group %u",
			((const struct rte_flow_action_jump *)action->conf)->group);
		break;
	case RTE_FLOW_ACTION_TYPE_RSS:
		put(t, " rss queues %u-%u", rss->queue[0], rss->queue[rss->queue_num - 1]);
		break;
	case RTE_FLOW_ACTION_TYPE_COUNT:
		put(t, " count");
		break;
	case RTE_FLOW_ACTION_TYPE_DROP:
		put(t, " drop");
		break;
	case RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT:
		put(t, " represented_port ethdev_port_id %u", port->port_id);
		break;
	case RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR:
		put(t, " port_representor port_id %u", port->port_id);
		break;
	default:
		put(t, " action-%d", (int)action->type);
	}
	put(t, " /");
}

void
translate_format(const struct translate_rule *rule, char *buf, unsigned long len)
{
	struct text t = {.buf = buf, .len = len};
	unsigned i;

	if (len == 0)
		return;
	buf[0] = 0;
	put(&t, "%s pattern", rule->attr.transfer ? "transfer" : "ingress");
	for (i = 0; i < TRANSLATE_ITEMS && rule->items[i].type != RTE_FLOW_ITEM_TYPE_END; i++)
		put_item(&t, &rule->items[i]);
	put(&t, " end actions");
	for (i = 0; i < TRANSLATE_ACTIONS && rule->actions[i].type != RTE_FLOW_ACTION_TYPE_END; i++)
		put_action(&t, &rule->actions[i]);
	put(&t, " end");
}
