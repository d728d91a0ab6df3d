// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "place/ahead.h"
#include "cmd/flow_json.h"
#include "cmd/known.h"
#include "failover/failover.h"
#include "offload/vm.h"
#include "place/mover.h"

struct free_ctx {
	uint16_t nic;
	unsigned total, free;
};

static void
count_queue(void *ctx, const struct offload_queue *q)
{
	struct free_ctx *f = ctx;

	if (q->id.nic != f->nic || q->id.kind != OFFLOAD_RX)
		return;
	f->total++;
	f->free += q->state == OFFLOAD_Q_FREE;
}

// What VMs have of a NIC's table, those that have something or are guaranteed it.
static json_t *
shares_json(struct control *c, uint16_t nic)
{
	json_t *o = json_object();
	struct offload_vm_info info;
	uint16_t i;

	for (i = 0; i < c->cfg->n_vms; i++) {
		offload_vm_get(c->offload, i, &info);
		if (info.entries_on[nic] > 0 || info.limits.min_entries > 0)
			json_object_set_new(o, c->cfg->vms[i].name,
				json_pack("{si si}", "entries", (int)info.entries_on[nic],
					"guaranteed", (int)info.limits.min_entries));
	}
	return o;
}

static json_t *
nic_json(struct control *c, const struct nic *nic)
{
	struct free_ctx f = {.nic = nic->index};
	struct offload_nic_stats st = {0};
	json_t *refused = json_object(), *learned, *answer;
	struct failover_info info;
	int i;

	offload_nic_stats_get(c->offload, nic->index, &st);
	offload_queue_each(c->offload, count_queue, &f);
	for (i = 1; i < OFFLOAD_REASONS; i++) {
		if (st.refused[i] != 0)
			json_object_set_new(refused, offload_reason_name(i),
				json_integer((json_int_t)st.refused[i]));
	}
	learned = json_pack("{si si si si si sI}", "op_us", (int)st.op_us, "op_alone_us",
		(int)st.op_least_us, "window", (int)st.window, "under_way", (int)st.under_way,
		"shapes_refused", (int)st.shapes_refused, "to_beat_bps",
		(json_int_t)st.to_beat_bps);
	answer = json_pack("{ss ss ss sb sb sb si so si si si sI sI sI so so so si so ss}", "nic",
		nic->name, "driver", nic->driver, "ops", nic->ops->name, "mark", nic->mark,
		"eswitch", nic->eswitch, "tried", nic->tried, "rules", (int)st.entries,
		"rule_limit", st.limit == 0 ? json_null() : json_integer(st.limit), "queues",
		(int)f.total, "queues_free", (int)f.free, "waiting", (int)st.waiting, "installed",
		(json_int_t)st.installed, "removed", (json_int_t)st.removed, "moves_eswitch",
		(json_int_t)st.moves_eswitch, "refused", refused, "learned", learned, "vms",
		shares_json(c, nic->index), "rules_ahead", (int)ahead_entries(c, nic->index),
		"class_rules", ahead_class_json(c, nic->index), "tables",
		ahead_table(c, nic->index, 0) != 0 ? "per-port"
		: c->cfg->offload.vm_tables        ? "flat: the NIC has no way from one to another"
						   : "flat");
	failover_info(c, nic->index, &info);
	json_object_set_new(answer, "role", json_string(info.role));
	json_object_set_new(answer, "state", json_string(failover_state_name(info.state)));
	if (info.why[0] != '\0')
		json_object_set_new(answer, "why", json_string(info.why));
	return answer;
}

COMMAND(cmd_offload_status)
{
	struct control *c = app;
	const char *name = arg_str(args, "nic");
	json_t *items;
	int only = -1, i;

	if (name != NULL) {
		only = find_nic(c, name);
		if (only < 0)
			return no_nic(c, name, err);
	}
	items = json_array();
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] != NULL && (only < 0 || only == i))
			json_array_append_new(items, nic_json(c, c->nics[i]));
	}
	*result = json_items(items, 0);
	json_object_set_new(*result, "enabled", json_boolean(c->cfg->offload.enabled));
	json_object_set_new(*result, "pending", json_integer(mover_pending(c)));
	return 0;
}

// ---- top

struct top {
	struct control *c;
	struct offload_flow_info *list; // the heaviest so far, heaviest first
	size_t n, max;
	uint64_t total;
	uint64_t (*key)(const struct offload_flow_info *fi);
};

static uint64_t
by_rate(const struct offload_flow_info *fi)
{
	return fi->rate_fast_bps;
}

static uint64_t
by_slow_rate(const struct offload_flow_info *fi)
{
	return fi->rate_slow_bps;
}

static uint64_t
by_packets(const struct offload_flow_info *fi)
{
	return flow_sum(fi->packets);
}

static uint64_t
by_bytes(const struct offload_flow_info *fi)
{
	return flow_sum(fi->bytes);
}

static uint64_t
by_age(const struct offload_flow_info *fi)
{
	return UINT64_MAX - fi->first_ns;
}

static const struct {
	const char *word;
	uint64_t (*key)(const struct offload_flow_info *fi);
} sorts[] = {{"rate", by_rate}, {"slow", by_slow_rate}, {"packets", by_packets},
	{"bytes", by_bytes}, {"age", by_age}, {NULL, NULL}};

static void
consider(void *ctx, const struct offload_flow_info *fi)
{
	struct top *t = ctx;
	size_t i;

	t->total++;
	if (t->n == t->max && t->key(&t->list[t->n - 1]) >= t->key(fi))
		return;
	if (t->n < t->max)
		t->n++;
	for (i = t->n - 1; i > 0 && t->key(&t->list[i - 1]) < t->key(fi); i--)
		t->list[i] = t->list[i - 1];
	t->list[i] = *fi;
}

COMMAND(cmd_offload_top)
{
	struct control *c = app;
	int64_t limit = arg_int(args, "limit", 20);
	struct top t = {.c = c, .max = limit <= 0 || limit > 1000 ? 1000 : (size_t)limit};
	const char *sort = arg_str(args, "sort");
	json_t *items;
	size_t i;

	for (i = 0; sorts[i].word != NULL && t.key == NULL; i++) {
		if (strcmp(sorts[i].word, sort != NULL ? sort : "rate") == 0)
			t.key = sorts[i].key;
	}
	if (t.key == NULL)
		return sl_err_set(err, EINVAL, "sort",
			"\"%s\" is not rate, slow, packets, bytes or age", sort);
	t.list = calloc(t.max, sizeof(*t.list));
	if (t.list == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	offload_flow_each(c->offload, consider, &t);
	items = json_array();
	for (i = 0; i < t.n; i++)
		json_array_append_new(items, flow_json(c, &t.list[i]));
	free(t.list);
	*result = json_items(items, t.total);
	return 0;
}
