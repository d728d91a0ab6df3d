// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz_emunic_rule.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#define BOGUS_TYPE 100000
#define SUB_ACTIONS 3
#define SUB_ITEMS 6

struct kind {
	int type;
	size_t size; // of the spec, mask and last, or of the configuration
};

static const struct kind items[] = {
	{RTE_FLOW_ITEM_TYPE_ETH, sizeof(struct rte_flow_item_eth)},
	{RTE_FLOW_ITEM_TYPE_IPV4, sizeof(struct rte_flow_item_ipv4)},
	{RTE_FLOW_ITEM_TYPE_UDP, sizeof(struct rte_flow_item_udp)},
	{RTE_FLOW_ITEM_TYPE_TCP, sizeof(struct rte_flow_item_tcp)},
	{RTE_FLOW_ITEM_TYPE_IPV6, sizeof(struct rte_flow_item_ipv6)},
	{RTE_FLOW_ITEM_TYPE_VLAN, sizeof(struct rte_flow_item_vlan)},
	{RTE_FLOW_ITEM_TYPE_VOID, 0},
	{RTE_FLOW_ITEM_TYPE_ARP_ETH_IPV4, sizeof(struct rte_flow_item_arp_eth_ipv4)},
	{RTE_FLOW_ITEM_TYPE_IPV6_EXT, sizeof(struct rte_flow_item_ipv6_ext)},
	{RTE_FLOW_ITEM_TYPE_IPV6_FRAG_EXT, sizeof(struct rte_flow_item_ipv6_frag_ext)},
	{RTE_FLOW_ITEM_TYPE_SCTP, sizeof(struct rte_flow_item_sctp)},
	{RTE_FLOW_ITEM_TYPE_ICMP, sizeof(struct rte_flow_item_icmp)},
	{RTE_FLOW_ITEM_TYPE_ICMP6, sizeof(struct rte_flow_item_icmp6)},
	{RTE_FLOW_ITEM_TYPE_VXLAN, sizeof(struct rte_flow_item_vxlan)},
	{RTE_FLOW_ITEM_TYPE_GENEVE, sizeof(struct rte_flow_item_geneve)},
	{RTE_FLOW_ITEM_TYPE_GRE, sizeof(struct rte_flow_item_gre)},
	{RTE_FLOW_ITEM_TYPE_PORT_ID, sizeof(struct rte_flow_item_port_id)},
	{RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR, sizeof(struct rte_flow_item_ethdev)},
	{RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, sizeof(struct rte_flow_item_ethdev)},
	{RTE_FLOW_ITEM_TYPE_MARK, sizeof(struct rte_flow_item_mark)},
	{RTE_FLOW_ITEM_TYPE_TAG, sizeof(struct rte_flow_item_tag)},
	{RTE_FLOW_ITEM_TYPE_META, sizeof(struct rte_flow_item_meta)},
	{RTE_FLOW_ITEM_TYPE_INVERT, 0},
	{RTE_FLOW_ITEM_TYPE_ANY, sizeof(struct rte_flow_item_any)},
	{BOGUS_TYPE, 64},
};

static const struct kind actions[] = {
	{RTE_FLOW_ACTION_TYPE_COUNT, sizeof(struct rte_flow_action_count)},
	{RTE_FLOW_ACTION_TYPE_QUEUE, sizeof(struct rte_flow_action_queue)},
	{RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, sizeof(struct rte_flow_action_ethdev)},
	{RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, sizeof(struct rte_flow_action_ethdev)},
	{RTE_FLOW_ACTION_TYPE_PORT_ID, sizeof(struct rte_flow_action_port_id)},
	{RTE_FLOW_ACTION_TYPE_VOID, 0},
	{RTE_FLOW_ACTION_TYPE_DROP, 0},
	{RTE_FLOW_ACTION_TYPE_PASSTHRU, 0},
	{RTE_FLOW_ACTION_TYPE_JUMP, sizeof(struct rte_flow_action_jump)},
	{RTE_FLOW_ACTION_TYPE_MARK, sizeof(struct rte_flow_action_mark)},
	{RTE_FLOW_ACTION_TYPE_FLAG, 0},
	{RTE_FLOW_ACTION_TYPE_AGE, sizeof(struct rte_flow_action_age)},
	{RTE_FLOW_ACTION_TYPE_METER, sizeof(struct rte_flow_action_meter)},
	{RTE_FLOW_ACTION_TYPE_RSS, sizeof(struct rte_flow_action_rss)},
	{RTE_FLOW_ACTION_TYPE_SAMPLE, sizeof(struct rte_flow_action_sample)},
	{RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN, sizeof(struct rte_flow_action_of_push_vlan)},
	{RTE_FLOW_ACTION_TYPE_OF_POP_VLAN, 0},
	{RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID, sizeof(struct rte_flow_action_of_set_vlan_vid)},
	{RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP, sizeof(struct rte_flow_action_of_set_vlan_pcp)},
	{RTE_FLOW_ACTION_TYPE_MODIFY_FIELD, sizeof(struct rte_flow_action_modify_field)},
	{RTE_FLOW_ACTION_TYPE_SET_MAC_SRC, sizeof(struct rte_flow_action_set_mac)},
	{RTE_FLOW_ACTION_TYPE_SET_MAC_DST, sizeof(struct rte_flow_action_set_mac)},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC, sizeof(struct rte_flow_action_set_ipv4)},
	{RTE_FLOW_ACTION_TYPE_SET_IPV4_DST, sizeof(struct rte_flow_action_set_ipv4)},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC, sizeof(struct rte_flow_action_set_ipv6)},
	{RTE_FLOW_ACTION_TYPE_SET_IPV6_DST, sizeof(struct rte_flow_action_set_ipv6)},
	{RTE_FLOW_ACTION_TYPE_SET_TP_SRC, sizeof(struct rte_flow_action_set_tp)},
	{RTE_FLOW_ACTION_TYPE_SET_TP_DST, sizeof(struct rte_flow_action_set_tp)},
	{RTE_FLOW_ACTION_TYPE_SET_TTL, sizeof(struct rte_flow_action_set_ttl)},
	{RTE_FLOW_ACTION_TYPE_DEC_TTL, 0},
	{RTE_FLOW_ACTION_TYPE_SET_TAG, sizeof(struct rte_flow_action_set_tag)},
	{RTE_FLOW_ACTION_TYPE_SET_META, sizeof(struct rte_flow_action_set_meta)},
	{RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP, sizeof(struct rte_flow_action_vxlan_encap)},
	{RTE_FLOW_ACTION_TYPE_VXLAN_DECAP, 0},
	{RTE_FLOW_ACTION_TYPE_RAW_ENCAP, sizeof(struct rte_flow_action_raw_encap)},
	{RTE_FLOW_ACTION_TYPE_RAW_DECAP, sizeof(struct rte_flow_action_raw_decap)},
	{RTE_FLOW_ACTION_TYPE_INDIRECT, 0},
	{BOGUS_TYPE, 64},
};

uint8_t
fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

void
fuzz_bytes(struct fuzz_input *in, void *to, size_t n)
{
	size_t there = RTE_MIN(n, in->left);

	memset(to, 0, n);
	if (there > 0)
		memcpy(to, in->at, there);
	in->at += there;
	in->left -= there;
}

static void *
block(struct fuzz_rule *rule, size_t size)
{
	void *p = calloc(1, size == 0 ? 1 : size);

	if (p == NULL || rule->n_blocks == FUZZ_BLOCKS)
		abort();
	rule->blocks[rule->n_blocks++] = p;
	return p;
}

// A struct of size bytes: none, zeros, ones, or from the input.
static void *
filled(struct fuzz_input *in, struct fuzz_rule *rule, size_t size)
{
	uint8_t how = fuzz_byte(in) % 8;
	void *p;

	if (how == 0 || size == 0)
		return NULL;
	p = block(rule, size);
	if (how == 1)
		memset(p, 0xff, size);
	else if (how > 2)
		fuzz_bytes(in, p, size);
	return p;
}

static bool
names_port(int type)
{
	return type == RTE_FLOW_ITEM_TYPE_PORT_ID || type == RTE_FLOW_ITEM_TYPE_PORT_REPRESENTOR ||
	       type == RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT;
}

static void
read_item(struct fuzz_input *in, struct fuzz_rule *rule, struct rte_flow_item *item)
{
	const struct kind *k = &items[fuzz_byte(in) % RTE_DIM(items)];
	uint8_t extra = fuzz_byte(in);
	uint8_t *spec = filled(in, rule, k->size);

	item->type = (enum rte_flow_item_type)k->type;
	item->spec = spec;
	// Most often the default mask, and no range.
	item->mask = extra & 1 ? filled(in, rule, k->size) : NULL;
	item->last = (extra & 0xe) == 0xe ? filled(in, rule, k->size) : NULL;
	if (spec != NULL && names_port(k->type) && (extra & 0x10) == 0) {
		memset(spec + 1, 0, k->size - 1); // the number of a port that exists
		spec[0] &= 3;
	}
}

static struct rte_flow_item *
sub_items(struct fuzz_input *in, struct fuzz_rule *rule)
{
	struct rte_flow_item *list = block(rule, (SUB_ITEMS + 1) * sizeof(*list));

	for (unsigned int i = 0, n = fuzz_byte(in) % SUB_ITEMS; i < n; i++)
		read_item(in, rule, &list[i]);
	return list;
}

static void read_action(struct fuzz_input *in, struct fuzz_rule *rule, struct rte_flow_action *a,
	unsigned int depth);

static struct rte_flow_action *
sub_actions(struct fuzz_input *in, struct fuzz_rule *rule, unsigned int depth)
{
	struct rte_flow_action *list = block(rule, (SUB_ACTIONS + 1) * sizeof(*list));

	for (unsigned int i = 0, n = fuzz_byte(in) % (SUB_ACTIONS + 1); i < n; i++)
		read_action(in, rule, &list[i], depth + 1);
	return list;
}

// Makes the pointers in a configuration good ones.
static void
set_pointers(
	struct fuzz_input *in, struct fuzz_rule *rule, int type, void *conf, unsigned int depth)
{
	uint8_t n = fuzz_byte(in);

	if (type == RTE_FLOW_ACTION_TYPE_RSS) {
		struct rte_flow_action_rss *c = conf;
		uint8_t *key = NULL;
		uint16_t *queue = NULL;

		c->key_len = n & 1 ? 40 : c->key_len % 64;
		c->queue_num %= 80;
		if (n & 2)
			fuzz_bytes(in, key = block(rule, c->key_len), c->key_len);
		if (n & 4)
			queue = block(rule, c->queue_num * sizeof(*queue));
		for (unsigned int i = 0; queue != NULL && i < c->queue_num; i++)
			queue[i] = n & 8 ? fuzz_byte(in) : fuzz_byte(in) % 4;
		c->key = key;
		c->queue = queue;
	} else if (type == RTE_FLOW_ACTION_TYPE_SAMPLE) {
		struct rte_flow_action_sample *c = conf;

		c->actions = depth == 0 && n & 3 ? sub_actions(in, rule, depth) : NULL;
	} else if (type == RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP) {
		struct rte_flow_action_vxlan_encap *c = conf;

		c->definition = depth == 0 && n & 3 ? sub_items(in, rule) : NULL;
	} else if (type == RTE_FLOW_ACTION_TYPE_RAW_ENCAP) {
		struct rte_flow_action_raw_encap *c = conf;

		c->size = n;
		c->data = block(rule, n);
		fuzz_bytes(in, c->data, n);
		c->preserve = NULL;
	} else if (type == RTE_FLOW_ACTION_TYPE_RAW_DECAP) {
		struct rte_flow_action_raw_decap *c = conf;

		c->size = n;
		c->data = n & 1 ? block(rule, n) : NULL;
	} else if (type == RTE_FLOW_ACTION_TYPE_MODIFY_FIELD) {
		struct rte_flow_action_modify_field *c = conf;

		if (c->src.field == RTE_FLOW_FIELD_POINTER)
			c->src.pvalue = n & 1 ? block(rule, 16) : NULL;
		if (c->dst.field == RTE_FLOW_FIELD_POINTER)
			c->dst.pvalue = NULL;
	} else if (type == RTE_FLOW_ACTION_TYPE_AGE) {
		((struct rte_flow_action_age *)conf)->context = NULL;
	}
}

// Makes the number in a configuration one of a port, a queue or a group that exists.
static void
make_small(const struct kind *k, void *conf)
{
	uint8_t *first = conf;

	if (k->type == RTE_FLOW_ACTION_TYPE_PORT_ID)
		((struct rte_flow_action_port_id *)conf)->id &= 3;
	if (k->size > sizeof(uint32_t))
		return;
	memset(first + 1, 0, k->size - 1);
	first[0] &= 3;
}

static void
read_action(struct fuzz_input *in, struct fuzz_rule *rule, struct rte_flow_action *a,
	unsigned int depth)
{
	const struct kind *k = &actions[fuzz_byte(in) % RTE_DIM(actions)];
	void *conf = filled(in, rule, k->size);

	a->type = (enum rte_flow_action_type)k->type;
	a->conf = conf;
	if (conf == NULL)
		return;
	if (fuzz_byte(in) & 1)
		make_small(k, conf);
	set_pointers(in, rule, k->type, conf, depth);
}

void
fuzz_rule_read(struct fuzz_input *in, struct fuzz_rule *rule)
{
	uint8_t what, n;

	memset(rule, 0, sizeof(*rule));
	what = fuzz_byte(in);
	// 0 to 3 mostly; now and then all bits and figures.
	rule->attr.ingress = (what & 3) == 0 || (what & 3) == 2;
	rule->attr.transfer = (what & 3) == 1 || (what & 3) == 2;
	rule->attr.egress = (what & 0x1c) == 0x1c;
	rule->attr.priority = fuzz_byte(in);
	rule->attr.group = what >> 5 == 7 ? UINT32_MAX : what >> 5 == 6 ? 1 : 0;
	n = fuzz_byte(in);
	for (unsigned int i = 0; i < (n & 15) % (FUZZ_ITEMS + 1); i++)
		read_item(in, rule, &rule->items[i]);
	for (unsigned int i = 0; i < (n >> 4) % (FUZZ_ACTIONS + 1); i++)
		read_action(in, rule, &rule->actions[i], 0);
}

void
fuzz_rule_free(struct fuzz_rule *rule)
{
	while (rule->n_blocks > 0)
		free(rule->blocks[--rule->n_blocks]);
}
