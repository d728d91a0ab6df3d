// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "eswitch/program.h"
#include "rte_flow/flow.h"

// What rules tell: counters, age, and all of them as text.

void
emu_answer_count(struct emu_nic *nic, struct emu_counter *c, struct rte_flow_query_count *out)
{
	uint64_t hits, bytes;

	emu_nic_read_counters(nic);
	emu_counter_read(c, nic->reading, nic->moods.counter_lag == 0, out->reset, &hits, &bytes);
	out->hits_set = 1;
	out->bytes_set = 1;
	out->hits = hits;
	out->bytes = bytes;
}

void
emu_answer_age(const struct emu_age *age, struct rte_flow_query_age *out)
{
	memset(out, 0, sizeof(*out));
	out->sec_since_last_hit = RTE_MIN(emu_age_idle(age), (1U << 24) - 1);
	out->sec_since_last_hit_valid = 1;
	out->aged = out->sec_since_last_hit >= age->timeout;
}

static int
query_one(struct emu_port *port, struct rte_flow *flow, const struct rte_flow_action *action,
	void *data, struct rte_flow_error *error)
{
	struct emu_actions *act = &flow->act;

	switch (action->type) {
	case RTE_FLOW_ACTION_TYPE_VOID:
		return 0;
	case RTE_FLOW_ACTION_TYPE_COUNT:
		if (!act->count)
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action,
				"the rule has no COUNT");
		emu_answer_count(
			port->nic, act->counter != NULL ? act->counter : &flow->counter, data);
		return 0;
	case RTE_FLOW_ACTION_TYPE_AGE:
		if (act->age == NULL)
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action,
				"the rule has no AGE");
		emu_answer_age(act->age, data);
		return 0;
	case RTE_FLOW_ACTION_TYPE_RSS:
		if (act->fate != EMU_FATE_RSS)
			return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action,
				"the rule has no RSS");
		emu_answer_rss(port, act->program->rss, data);
		return 0;
	default:
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, action,
			"only COUNT, AGE and RSS can be queried");
	}
}

int
emu_flow_query(struct rte_eth_dev *dev, struct rte_flow *flow,
	const struct rte_flow_action *actions, void *data, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_flow_gone(port, error);
	if (ret == 0 && !emu_flow_live(port, flow))
		ret = rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"the port has no such rule");
	for (; ret == 0 && actions->type != RTE_FLOW_ACTION_TYPE_END; actions++)
		ret = query_one(port, flow, actions, data, error);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_flow_aged(struct rte_eth_dev *dev, void **contexts, uint32_t n, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_age *age;
	uint32_t k = 0;

	if (n > 0 && contexts == NULL)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
			"no room for contexts");
	emu_gate_enter(&port->nic->gate);
	emu_age_sweep(port->nic, true);
	if (n == 0) {
		TAILQ_FOREACH(age, &port->aged, aged)
		k++;
	}
	while (k < n && (age = TAILQ_FIRST(&port->aged)) != NULL) {
		contexts[k++] = age->context;
		age->listed = false;
		TAILQ_REMOVE(&port->aged, age, aged);
	}
	if (TAILQ_EMPTY(&port->aged))
		port->aged_told = false;
	emu_gate_leave(&port->nic->gate);
	return k;
}

static const struct {
	const char *name;
	uint8_t at, size;
} fields[] = {
#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct emu_headers, name), sizeof(((struct emu_headers *)0)->name) \
	}
	FIELD(layers),
	FIELD(dst),
	FIELD(src),
	FIELD(eth_type),
	FIELD(tci),
	FIELD(vlan_type),
	FIELD(tci2),
	FIELD(vlan2_type),
	FIELD(proto),
	FIELD(tos),
	FIELD(ttl),
	FIELD(frag),
	FIELD(flow_label),
	FIELD(ip_src),
	FIELD(ip_dst),
	FIELD(sport),
	FIELD(dport),
	FIELD(tcp_flags),
};

static void
dump_bytes(FILE *f, const char *prefix, const char *name, const uint8_t *key, const uint8_t *mask,
	unsigned int n)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < n; i++)
		used = mask[i] != 0 ? i + 1 : used;
	if (used == 0)
		return;
	fprintf(f, " %s%s ", prefix, name);
	for (unsigned int i = 0; i < used; i++)
		fprintf(f, "%02x", key[i]);
	fputc('/', f);
	for (unsigned int i = 0; i < used; i++)
		fprintf(f, "%02x", mask[i]);
}

static void
dump_headers(
	FILE *f, const char *prefix, const struct emu_headers *key, const struct emu_headers *mask)
{
	for (unsigned int i = 0; i < RTE_DIM(fields); i++)
		dump_bytes(f, prefix, fields[i].name, (const uint8_t *)key + fields[i].at,
			(const uint8_t *)mask + fields[i].at, fields[i].size);
}

static void
dump_match(FILE *f, const struct rte_flow *flow)
{
	struct emu_match m;

	emu_rule_match(flow, &m);
	if (m.mask.port != 0)
		fprintf(f, " port %u", m.key.port);
	dump_headers(f, "", &m.key.outer, &m.mask.outer);
	dump_bytes(f, "", "vni", m.key.vni, m.mask.vni, 3);
	dump_headers(f, "inner.", &m.key.inner, &m.mask.inner);
	if (m.mask.mark != 0)
		fprintf(f, " mark %u", m.key.mark);
	if (m.mask.meta != 0)
		fprintf(f, " meta %u/%#x", m.key.meta, m.mask.meta);
	for (unsigned int i = 0; i < EMU_TAGS; i++)
		if (m.mask.tag[i] != 0)
			fprintf(f, " tag%u %u/%#x", i, m.key.tag[i], m.mask.tag[i]);
	for (uint32_t i = 0; i < m.ranges.n; i++)
		fprintf(f, " range at %u: %u-%u/%#x", m.ranges.range[i].at, m.ranges.range[i].lo,
			m.ranges.range[i].hi, m.ranges.range[i].mask);
}

static void
dump_rule(FILE *f, const struct rte_flow *flow)
{
	static const char *const fates[] = {[EMU_FATE_NONE] = "default",
		[EMU_FATE_DROP] = "drop",
		[EMU_FATE_SIDE] = "side",
		[EMU_FATE_HOST] = "host",
		[EMU_FATE_QUEUE] = "queue",
		[EMU_FATE_GROUP] = "queue group",
		[EMU_FATE_RSS] = "rss",
		[EMU_FATE_JUMP] = "jump",
		[EMU_FATE_PASS] = "passthru"};
	const struct emu_port *port = flow->port;
	const struct emu_table *root = flow->table->root != NULL ? flow->table->root : flow->table;
	const struct emu_actions *act = &flow->act;

	fprintf(f, "%p %s group %u priority %u", (const void *)flow,
		root == &port->ingress  ? "ingress"
		: root == &port->egress ? "egress"
					: "transfer",
		flow->table->group, flow->priority);
	dump_match(f, flow);
	fprintf(f, " ->");
	if (act->mark)
		fprintf(f, " mark %u", act->mark_id);
	if (act->program != NULL)
		fprintf(f, " program");
	if (act->age != NULL)
		fprintf(f, " age %u (idle %u)", act->age->timeout, emu_age_idle(act->age));
	fprintf(f, " %s", fates[act->fate]);
	if (act->fate == EMU_FATE_JUMP)
		fprintf(f, " %u", act->jump);
	else if (act->fate >= EMU_FATE_SIDE && act->fate <= EMU_FATE_GROUP)
		fprintf(f, " %u", act->target);
	fprintf(f, ", packets %" PRIu64 " bytes %" PRIu64 "\n", flow->counter.packets,
		flow->counter.bytes);
}

int
emu_flow_dump(
	struct rte_eth_dev *dev, struct rte_flow *flow, FILE *file, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	const struct rte_flow *f;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len); // the file may be slow, and the NIC is not to wait
	int ret = 0;

	if (file == NULL || out == NULL) {
		if (out != NULL)
			fclose(out);
		free(text);
		return rte_flow_error_set(error, file == NULL ? EINVAL : ENOMEM,
			RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, "no file to write to");
	}
	emu_gate_enter(&port->nic->gate);
	if (flow == NULL) {
		TAILQ_FOREACH(f, &port->rules, list)
		dump_rule(out, f);
	} else if (emu_flow_live(port, flow)) {
		dump_rule(out, flow);
	} else {
		ret = rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"the port has no such rule");
	}
	emu_gate_leave(&port->nic->gate);
	fclose(out);
	if (text != NULL)
		fwrite(text, 1, len, file);
	free(text);
	return ret;
}
