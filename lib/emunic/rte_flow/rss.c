// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/build.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "eswitch/rss_rule.h"

static int
refuse(struct emu_build *b, int code, const char *message)
{
	return rte_flow_error_set(
		b->error, code, RTE_FLOW_ERROR_TYPE_ACTION_CONF, b->action->conf, message);
}

static int
read_func(struct emu_build *b, const struct rte_flow_action_rss *conf, struct emu_rss_rule *r)
{
	switch (conf->func) {
	case RTE_ETH_HASH_FUNCTION_DEFAULT:
	case RTE_ETH_HASH_FUNCTION_TOEPLITZ:
		r->func = EMU_RSS_TOEPLITZ;
		return 0;
	case RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ:
		r->func = EMU_RSS_SYMMETRIC;
		return 0;
	case RTE_ETH_HASH_FUNCTION_SIMPLE_XOR:
		r->func = EMU_RSS_XOR;
		return 0;
	default:
		return refuse(b, ENOTSUP,
			"RSS: the hash functions are default, toeplitz, symmetric_toeplitz and "
			"simple_xor");
	}
}

static int
read_queues(struct emu_build *b, const struct rte_flow_action_rss *conf, struct emu_rss_rule *r)
{
	if (conf->queue_num == 0 || conf->queue == NULL || conf->queue_num > EMU_MAX_QUEUES)
		return refuse(b, EINVAL, "RSS needs from 1 to 256 queues");
	for (uint32_t i = 0; i < conf->queue_num; i++) {
		if (conf->queue[i] >= b->port->n_rxq)
			return refuse(b, EINVAL, "RSS: the port has no such receive queue");
		r->queues[i] = conf->queue[i];
	}
	r->n_queues = conf->queue_num;
	return 0;
}

static int
read_rss(struct emu_build *b, const struct rte_flow_action_rss *conf, struct emu_rss_rule *r)
{
	int ret = read_func(b, conf, r);

	if (ret == 0)
		ret = read_queues(b, conf, r);
	if (ret != 0)
		return ret;
	if (conf->level > 1)
		return refuse(b, ENOTSUP, "RSS: only the outermost headers (level 0 or 1)");
	if (conf->types & ~(uint64_t)EMU_RSS_TYPES)
		return refuse(b, ENOTSUP,
			"RSS: the types are those of flow_type_rss_offloads (IP, TCP, UDP)");
	if (conf->key_len != 0 && (conf->key_len != EMU_RSS_KEY_LEN || conf->key == NULL))
		return refuse(b, EINVAL, "RSS: a key has 40 bytes");
	r->types = conf->types != 0 ? conf->types : EMU_RSS_TYPES;
	r->own_key = conf->key_len != 0;
	if (r->own_key)
		memcpy(r->key, conf->key, sizeof(r->key));
	return 0;
}

int
emu_rss_rule_read(struct emu_build *b, struct emu_rss_rule **out)
{
	const struct rte_flow_action_rss *conf = b->action->conf;
	struct emu_rss_rule *r;
	int ret;

	if (conf == NULL)
		return refuse(b, EINVAL, "RSS needs a configuration");
	r = rte_zmalloc("emunic rss", sizeof(*r), 0);
	if (r == NULL)
		return refuse(b, ENOMEM, "no memory for the rule's RSS");
	r->refs = 1;
	ret = read_rss(b, conf, r);
	if (ret != 0)
		emu_rss_rule_put(r);
	else
		*out = r;
	return ret;
}

void
emu_answer_rss(
	const struct emu_port *port, const struct emu_rss_rule *r, struct rte_flow_action_rss *out)
{
	static const enum rte_eth_hash_function funcs[] = {
		[EMU_RSS_TOEPLITZ] = RTE_ETH_HASH_FUNCTION_TOEPLITZ,
		[EMU_RSS_SYMMETRIC] = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ,
		[EMU_RSS_XOR] = RTE_ETH_HASH_FUNCTION_SIMPLE_XOR,
	};

	*out = (struct rte_flow_action_rss){
		.func = funcs[r->func],
		.types = r->types,
		.key_len = EMU_RSS_KEY_LEN,
		.queue_num = r->n_queues,
		.key = r->own_key ? r->key : port->rss.key,
		.queue = r->queues,
	};
}

int
emu_build_rss(struct emu_build *b)
{
	int ret = emu_build_decide(b, EMU_FATE_RSS, 0);

	return ret != 0 ? ret : emu_rss_rule_read(b, &b->rss);
}
