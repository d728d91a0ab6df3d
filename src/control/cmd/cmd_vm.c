// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/known.h"
#include "datapath/worker.h"
#include "flow/text.h"
#include "ledger.h"
#include "offload/vm.h"
#include "place/hints.h"

struct vm_count {
	uint32_t flows[OFFLOAD_PATHS], entries;
	uint32_t queues;
};

// One walk over flows and queues for all VMs.
struct vm_counts {
	uint16_t n;
	struct vm_count *vm; // [n]
};

static struct vm_count *
count_of(struct vm_counts *v, uint16_t vm)
{
	return vm < v->n ? &v->vm[vm] : NULL;
}

static void
count_flow(void *ctx, const struct offload_flow_info *fi)
{
	const uint16_t vms[] = {fi->decision.in.vm, fi->decision.out.vm};
	unsigned side = fi->decision.in.nic != OFFLOAD_NONE ? OFFLOAD_IN : OFFLOAD_OUT, i;
	uint8_t path = fi->side[side].actual.path;

	for (i = 0; i < (vms[0] == vms[1] ? 1u : 2u); i++) {
		struct vm_count *v = count_of(ctx, vms[i]);

		if (v == NULL)
			continue;
		v->flows[path]++;
		v->entries += path == OFFLOAD_ESWITCH || path == OFFLOAD_SHARED_QUEUE ||
			      path == OFFLOAD_EXCLUSIVE_QUEUE;
	}
}

static void
count_queue(void *ctx, const struct offload_queue *q)
{
	struct vm_count *v = count_of(ctx, q->vm);

	if (v != NULL)
		v->queues += q->state == OFFLOAD_Q_EXCLUSIVE || q->state == OFFLOAD_Q_SHARED;
}

// By VM (free()); NULL: out of memory.
static struct vm_count *
count_vms(struct control *c)
{
	struct vm_counts v = {.n = c->cfg->n_vms};

	v.vm = calloc(v.n + 1u, sizeof(*v.vm));
	if (v.vm != NULL) {
		offload_flow_each(c->offload, count_flow, &v);
		offload_queue_each(c->offload, count_queue, &v);
	}
	return v.vm;
}

static int64_t
held_bytes(const struct control *c, uint16_t vport)
{
	const struct qos_account *accounts[DP_WORKERS_MAX];
	uint16_t w;

	for (w = 0; w < c->n_workers; w++)
		accounts[w] = &dp_accounts(c->dp, w)[vport];
	return qos_account_held(accounts, c->n_workers).bytes;
}

// What its vports carried, by the host and by NICs alone.
struct vm_carried {
	struct {
		uint64_t packets, bytes, hw_packets, hw_bytes;
	} from, to;
	struct ledger_line line; // its drops
};

static void
add_port(struct vm_carried *v, const struct control *c, const struct ledger *l, unsigned vport)
{
	const struct control_eswitch *hw = &c->eswitch[vport];
	unsigned i;

	v->from.packets += l->vport[vport].received;
	v->from.bytes += l->received_bytes[vport];
	v->from.hw_packets += hw->rx_packets;
	v->from.hw_bytes += hw->rx_bytes;
	v->to.packets += l->delivered[vport];
	v->to.bytes += l->delivered_bytes[vport];
	v->to.hw_packets += hw->tx_packets;
	v->to.hw_bytes += hw->tx_bytes;
	v->line.dropped += l->vport[vport].dropped;
	for (i = 0; i < DP_DROP_COUNT; i++)
		v->line.drops[i] += l->vport[vport].drops[i];
}

static struct vm_carried
carried_of(const struct control *c, const struct ledger *l, uint16_t vm)
{
	struct vm_carried v = {0};
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used && c->vports[i].cfg.vm == vm)
			add_port(&v, c, l, i);
	}
	return v;
}

static json_t *
way_json(uint64_t packets, uint64_t bytes, uint64_t hw_packets, uint64_t hw_bytes)
{
	return json_pack("{sI sI sI sI sI sI}", "packets", (json_int_t)(packets + hw_packets),
		"bytes", (json_int_t)(bytes + hw_bytes), "software_packets", (json_int_t)packets,
		"software_bytes", (json_int_t)bytes, "hardware_packets", (json_int_t)hw_packets,
		"hardware_bytes", (json_int_t)hw_bytes);
}

static json_t *
vm_json(struct control *c, uint16_t vm, const struct vm_count *n, const struct ledger *l)
{
	const struct vm_carried v = carried_of(c, l, vm);
	json_t *ports = json_array(), *flows = json_object();
	int64_t held = 0;
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (!c->vports[i].used || c->vports[i].cfg.vm != vm)
			continue;
		json_array_append_new(ports, json_string(c->vports[i].cfg.name));
		held += held_bytes(c, (uint16_t)i);
	}
	for (i = 0; i < OFFLOAD_PATHS; i++)
		json_object_set_new(flows, offload_path_name(i), json_integer(n->flows[i]));
	return json_pack("{ss so so si si sI sI sI sI sI sI}", "name", c->cfg->vms[vm].name,
		"ports", ports, "flows", flows, "queues", (int)n->queues, "entries",
		(int)n->entries, "rx_packets", (json_int_t)(v.from.packets + v.from.hw_packets),
		"rx_bytes", (json_int_t)(v.from.bytes + v.from.hw_bytes), "tx_packets",
		(json_int_t)(v.to.packets + v.to.hw_packets), "tx_bytes",
		(json_int_t)(v.to.bytes + v.to.hw_bytes), "dropped", (json_int_t)v.line.dropped,
		"held_bytes", (json_int_t)held);
}

static struct ledger *
read_ledger(struct control *c)
{
	struct ledger *l = malloc(sizeof(*l));

	if (l != NULL)
		ledger_read(c, l, NULL);
	return l;
}

// What it has of the hardware, beside what it is guaranteed and the most that it may have.
static json_t *
part_json(uint32_t has, uint32_t least, uint32_t most)
{
	return json_pack("{si si so}", "has", (int)has, "guaranteed", (int)least, "max",
		most == 0 ? json_null() : json_integer(most));
}

static json_t *
limits_json(struct control *c, uint16_t vm)
{
	struct offload_vm_info info;
	json_t *o = json_object();

	offload_vm_get(c->offload, vm, &info);
	json_object_set_new(o, "queues_alone",
		part_json(info.queues, info.limits.min_queues, info.limits.max_queues));
	json_object_set_new(o, "entries",
		part_json(info.entries, info.limits.min_entries, info.limits.max_entries));
	json_object_set_new(o, "inserts_a_second",
		part_json(info.inserts, info.limits.min_inserts, info.limits.max_inserts));
	return o;
}

COMMAND(cmd_vm_list)
{
	struct control *c = app;
	struct vm_count *n = count_vms(c);
	struct ledger *l = n != NULL ? read_ledger(c) : NULL;
	json_t *items;
	uint16_t i;

	if (l == NULL) {
		free(n);
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	items = json_array();
	for (i = 0; i < c->cfg->n_vms; i++)
		json_array_append_new(items, vm_json(c, i, &n[i], l));
	free(n);
	free(l);
	*result = json_items(items, 0);
	return 0;
}

static int
vm_arg(const struct control *c, const json_t *args, struct sl_err *err)
{
	int vm = find_vm(c, arg_str(args, "vm"));

	return vm >= 0 ? vm : no_vm(c, arg_str(args, "vm"), err);
}

COMMAND(cmd_vm_show)
{
	struct control *c = app;
	int vm = vm_arg(c, args, err);
	struct vm_carried v;
	struct vm_count *n;
	struct ledger *l;

	if (vm < 0)
		return vm;
	n = count_vms(c);
	l = n != NULL ? read_ledger(c) : NULL;
	if (l == NULL) {
		free(n);
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	*result = vm_json(c, (uint16_t)vm, &n[vm], l);
	v = carried_of(c, l, (uint16_t)vm);
	json_object_set_new(*result, "from",
		way_json(v.from.packets, v.from.bytes, v.from.hw_packets, v.from.hw_bytes));
	json_object_set_new(
		*result, "to", way_json(v.to.packets, v.to.bytes, v.to.hw_packets, v.to.hw_bytes));
	json_object_set_new(*result, "drops", ledger_drops(&v.line));
	free(l);
	free(n);
	json_object_set_new(*result, "hardware", limits_json(c, (uint16_t)vm));
	json_object_set_new(
		*result, "rate", json_rate(c->cfg->vms[vm].rate_bps, c->cfg->vms[vm].burst_bytes));
	json_object_set_new(*result, "hints", hints_json(c, (uint16_t)vm));
	return 0;
}

// ---- hints

static int
hint_match(struct control *c, int vm, const char *text, struct flow_match *out, struct sl_err *err)
{
	struct config_names ctx = {.cfg = c->cfg};
	struct flow_names names;
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used && c->vports[i].cfg.vm == vm)
			ctx.sw = c->vports[i].cfg.sw;
	}
	config_flow_names(&ctx, &names);
	return flow_match_parse(text, &names, out, err);
}

COMMAND(cmd_vm_hint)
{
	struct control *c = app;
	const char *place = arg_str(args, "place");
	uint32_t followed = 0, refused = 0;
	struct flow_match match;
	int vm = vm_arg(c, args, err), rc;
	int8_t hint = 0;

	if (vm < 0)
		return vm;
	if (!arg_bool(args, "clear")) {
		if (place == NULL)
			return sl_err_set(err, EINVAL, "place", "raise or lower is needed");
		hint = strcmp(place, "raise") == 0 ? 1 : -1;
	}
	rc = hint_match(c, vm, arg_str(args, "match"), &match, err);
	if (rc == 0)
		rc = hints_set(c, (uint16_t)vm, &match, hint, &followed, &refused, err);
	if (rc != 0)
		return rc;
	*result = json_pack("{ss ss ss si si}", "vm", c->cfg->vms[vm].name, "match",
		arg_str(args, "match"), "place", hint == 0 ? "none" : place, "flows", (int)followed,
		"refused", (int)refused);
	return 0;
}
