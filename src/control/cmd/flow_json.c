// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/flow_json.h"

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "cmd/answer.h"
#include "datapath/program.h"
#include "failover/failover.h"
#include "place/ahead.h"
#include "place/class_engine.h"
#include "offload/explain.h"
#include "offload/policy.h"
#include "switch/rule_book.h"

// The side whose state people see first: where it comes in, unless only its way out is on a NIC.
static enum offload_side
shown_side(const struct offload_flow_info *fi)
{
	return fi->decision.in.nic != OFFLOAD_NONE || fi->decision.out.nic == OFFLOAD_NONE
		       ? OFFLOAD_IN
		       : OFFLOAD_OUT;
}

enum offload_path
flow_path(const struct offload_flow_info *fi)
{
	return fi->side[shown_side(fi)].actual.path;
}

uint64_t
flow_sum(const uint64_t *list)
{
	uint64_t total = 0;
	int i;

	for (i = 0; i < OFFLOAD_PATHS; i++)
		total += list[i];
	return total;
}

// A flow without a rule of its own that one for all of its kind has in the NIC.
static json_t *
with_carrier(json_t *o, enum offload_served served, const char *by)
{
	json_object_set_new(o, "carried_at",
		json_string(served == OFFLOAD_SERVED_ESWITCH  ? "eswitch"
			    : served == OFFLOAD_SERVED_QUEUES ? "queue-group"
							      : "-"));
	json_object_set_new(o, "carried_by", json_string(served == OFFLOAD_SERVED_NO ? "-" : by));
	return o;
}

json_t *
flow_json(struct control *c, const struct offload_flow_info *fi)
{
	const enum offload_side side = shown_side(fi);
	const struct offload_side_info *s = &fi->side[side], *in = &fi->side[OFFLOAD_IN];
	const bool own = in->state == OFFLOAD_ST_PLACED || in->state == OFFLOAD_ST_REMOVING;
	char id[16], reason[200];
	json_t *o;

	snprintf(id, sizeof(id), "f%u", fi->id);
	offload_explain(c->offload, fi->id, side, reason, sizeof(reason));
	o = json_pack("{ss ss ss ss ss so ss so ss ss sI sI sI sI sf}", "id", id, "port",
		port_name(c, fi->key.vport), "to", port_name(c, fi->decision.out.vport), "vm",
		vm_name(c, fi->decision.out.vm != OFFLOAD_NONE  ? fi->decision.out.vm
			   : fi->decision.in.vm != OFFLOAD_NONE ? fi->decision.in.vm
								: -1),
		"side", side == OFFLOAD_IN ? "rx" : "tx", "match", json_key(c, &fi->key), "place",
		offload_path_name(s->actual.path), "queue", json_place(c, &s->actual), "state",
		offload_state_name(s->state), "reason", reason, "packets",
		(json_int_t)flow_sum(fi->packets), "bytes", (json_int_t)flow_sum(fi->bytes),
		"rate_bps", (json_int_t)fi->rate_fast_bps, "rate_slow_bps",
		(json_int_t)fi->rate_slow_bps, "age_s",
		(double)(sl_now(&c->clock) - fi->first_ns) / (double)SL_NS_PER_S);
	return with_carrier(
		o, own ? OFFLOAD_SERVED_NO : fi->decision.served, fi->decision.served_by);
}

json_t *
flow_json_cached(struct control *c, const struct cache_flow *e)
{
	struct dp_program prog;
	const bool drop = (memcpy(&prog, e->value, sizeof(prog)), prog.kind == DP_PROG_DROP);
	const bool ring = (prog.flags & (DP_PROG_RING | DP_PROG_HOST_RING)) != 0;
	enum offload_served served = OFFLOAD_SERVED_NO;
	char by[sizeof(((struct offload_decision *)0)->served_by)] = "";
	json_t *o;

	if (ahead_serves(c, &e->key, by, sizeof(by)))
		served = OFFLOAD_SERVED_ESWITCH;
	else if (ahead_class_serves(c, &e->key, OFFLOAD_NO_DSCP, by, sizeof(by)))
		served = OFFLOAD_SERVED_QUEUES;
	o = json_pack("{sn ss ss ss ss so ss sn ss ss sI sI}", "id", "port",
		port_name(c, e->key.vport), "to",
		drop || prog.kind == DP_PROG_GENERAL ? "-" : port_name(c, prog.out), "vm",
		drop || prog.out >= DP_VPORTS_MAX ? "-" : vm_name(c, c->vports[prog.out].cfg.vm),
		"side", "rx", "match", json_key(c, &e->key), "place",
		offload_path_name(ring ? OFFLOAD_RING : OFFLOAD_SOFTWARE), "queue", "state",
		"software", "reason",
		drop ? dp_drop_text(prog.drop) : "light: not reported by its worker", "packets",
		(json_int_t)e->packets, "bytes", (json_int_t)e->bytes);
	return with_carrier(o, served, by);
}

static json_t *
side_json(struct control *c, const struct offload_flow_info *fi, enum offload_side side)
{
	const struct offload_side_info *s = &fi->side[side];
	const struct offload_end *end = side == OFFLOAD_IN ? &fi->decision.in : &fi->decision.out;
	uint64_t now = sl_now(&c->clock);
	struct nic_group_queue engine;
	struct offload_rival rival;
	char reason[240], moved[256], id[16];
	json_t *o;

	if (end->nic == OFFLOAD_NONE)
		return json_pack("{ss ss}", "device", "none", "port", port_name(c, end->vport));
	if (side == OFFLOAD_OUT && fi->side[OFFLOAD_IN].actual.path == OFFLOAD_ESWITCH)
		return json_pack("{ss ss ss ss}", "device",
			c->nics[end->nic] == NULL ? "gone" : c->nics[end->nic]->name, "port",
			port_name(c, end->vport), "place", offload_path_name(OFFLOAD_ESWITCH),
			"reason", "the embedded switch carries it from side in to here");
	offload_explain(c->offload, fi->id, side, reason, sizeof(reason));
	o = json_pack("{ss ss ss so ss so ss ss sf}", "device",
		c->nics[end->nic] == NULL ? "gone" : c->nics[end->nic]->name, "port",
		port_name(c, end->vport), "place", offload_path_name(s->actual.path), "queue",
		json_place(c, &s->actual), "wanted", offload_path_name(s->wanted.path),
		"wanted_queue", json_place(c, &s->wanted), "state", offload_state_name(s->state),
		"reason", reason, "since_s", (double)(now - s->since_ns) / (double)SL_NS_PER_S);
	json_object_set_new(
		o, "decided_by", json_string(s->reason == OFFLOAD_R_SERVED ? "nic" : "sluice"));
	if (s->reason == OFFLOAD_R_SERVED && fi->decision.served == OFFLOAD_SERVED_QUEUES &&
		class_group_flow(c, &fi->key, &engine)) {
		snprintf(moved, sizeof(moved), "queue %u, %s", engine.queue,
			class_group_use(engine.use));
		json_object_set_new(o, "engine", json_string(moved));
	}
	if (s->driver_errno != 0 || s->driver_text[0] != '\0')
		json_object_set_new(o, "driver",
			json_pack("{ss ss}", "errno",
				s->driver_errno != 0 ? strerror(s->driver_errno) : "none", "text",
				s->driver_text));
	failover_note(c, side == OFFLOAD_IN ? fi->decision.in.vport : fi->decision.out.vport, moved,
		sizeof(moved));
	if (moved[0] != '\0')
		json_object_set_new(o, "moved", json_string(moved));
	if (s->retry_ns > now)
		json_object_set_new(o, "retry_in_s",
			json_real((double)(s->retry_ns - now) / (double)SL_NS_PER_S));
	if (offload_rival_of(c->offload, fi->id, side, &rival)) {
		snprintf(id, sizeof(id), "f%u", rival.flow);
		json_object_set_new(o, "competes_with",
			json_pack("{ss sI sI sI si}", "flow", id, "worth_bps",
				(json_int_t)rival.worth_bps, "needs_bps",
				(json_int_t)rival.needs_bps, "has_bps", (json_int_t)rival.has_bps,
				"before_it", (int)rival.before));
	}
	offload_next(c->offload, fi->id, side, reason, sizeof(reason));
	json_object_set_new(o, "next", json_string(reason));
	return o;
}

// What the policy looks at.
static json_t *
traits_json(struct control *c, const struct offload_flow_info *fi)
{
	const struct offload_decision *d = &fi->decision;
	uint32_t limit = 0;
	unsigned i;

	for (i = 0; i < d->actions.n && i < FLOW_ACTIONS_MAX; i++) {
		if (d->actions.list[i].type == FLOW_ACT_RATE)
			limit = d->actions.list[i].rate.kbps;
	}
	return json_pack("{ss ss ss si so so ss}", "from_vm",
		vm_name(c, d->in.vm != OFFLOAD_NONE ? d->in.vm : -1), "to_vm",
		vm_name(c, d->out.vm != OFFLOAD_NONE ? d->out.vm : -1), "class",
		d->cls < c->cfg->n_classes ? c->cfg->classes[d->cls].name : "-", "priority",
		(int)d->priority, "limit_bps",
		limit > 0 ? json_integer((json_int_t)limit * 1000) : json_null(), "dscp",
		fi->dscp == OFFLOAD_NO_DSCP ? json_null() : json_integer(fi->dscp), "hint",
		fi->hint > 0   ? "raise"
		: fi->hint < 0 ? "lower"
			       : "none");
}

static json_t *
rules_json(struct control *c, const struct flow_key *key)
{
	int sw = control_switch_of(c, key->switch_id);
	json_t *list = json_array();
	struct rules_result res;
	unsigned i;

	if (sw < 0 || !dp_rules_of(c->snapshot, key, &res))
		return list;
	for (i = 0; i < res.n; i++) {
		const struct config_rule *r = rule_book_of_entry(c->book[sw], res.rule[i]);

		if (r != NULL)
			json_array_append_new(
				list, json_pack("{si ss so so}", "id", (int)r->id, "name", r->name,
					      "match", json_rule_match(c, r), "actions",
					      json_actions(c, (uint16_t)sw, &r->actions)));
	}
	return list;
}

json_t *
flow_json_full(struct control *c, const struct offload_flow_info *fi)
{
	json_t *o = flow_json(c, fi), *packets = json_object(), *bytes = json_object();
	const struct offload_policy *policy;
	char reverse[16] = "-";
	int i;

	for (i = 0; i < OFFLOAD_PATHS; i++) {
		json_object_set_new(
			packets, offload_path_name(i), json_integer((json_int_t)fi->packets[i]));
		json_object_set_new(
			bytes, offload_path_name(i), json_integer((json_int_t)fi->bytes[i]));
	}
	if (fi->reverse != UINT32_MAX)
		snprintf(reverse, sizeof(reverse), "f%u", fi->reverse);
	json_object_set_new(o, "idle_s",
		json_real((double)(sl_now(&c->clock) - fi->last_ns) / (double)SL_NS_PER_S));
	json_object_set_new(o, "worker", json_integer(fi->worker));
	json_object_set_new(o, "hint",
		json_string(fi->hint > 0   ? "raise"
			    : fi->hint < 0 ? "lower"
					   : "none"));
	policy = offload_flow_policy(c->offload, fi->id);
	json_object_set_new(o, "policy", policy != NULL ? json_string(policy->name) : json_null());
	json_object_set_new(o, "traits", traits_json(c, fi));
	json_object_set_new(o, "reverse", json_string(reverse));
	json_object_set_new(o, "packets_by_place", packets);
	json_object_set_new(o, "bytes_by_place", bytes);
	json_object_set_new(o, "rules", rules_json(c, &fi->key));
	json_object_set_new(o, "in", side_json(c, fi, OFFLOAD_IN));
	json_object_set_new(o, "out", side_json(c, fi, OFFLOAD_OUT));
	return o;
}

// ---- one screen

// What says nothing goes: null, "-", "none", no text, no members.
static json_t *
without_empty(json_t *o)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(o, next, key, value)
	{
		const char *text = json_string_value(value);

		if (json_is_null(value) ||
			(json_is_object(value) && json_object_size(value) == 0) ||
			(text != NULL && (text[0] == '\0' || strcmp(text, "-") == 0 ||
						 strcmp(text, "none") == 0)))
			json_object_del(o, key);
	}
	return o;
}

// Its driver's words, or what the number means.
static void
shorten_driver(json_t *side)
{
	const json_t *driver = json_object_get(side, "driver");
	const char *text = json_string_value(json_object_get(driver, "text"));

	if (driver != NULL)
		json_object_set_new(side, "driver",
			json_string(text != NULL && text[0] != '\0'
					    ? text
					    : json_string_value(json_object_get(driver, "errno"))));
}

// Without what is said by another line: the way has the port, the next step tells what it takes.
static json_t *
side_brief(struct control *c, const struct offload_flow_info *fi, enum offload_side side)
{
	static const char *const twice[] = {"port", "since_s", "retry_in_s"};
	static const char *const at_rest[] = {"wanted", "wanted_queue", "next"};
	json_t *o = side_json(c, fi, side), *rival;
	unsigned i;

	for (i = 0; i < RTE_DIM(twice); i++)
		json_object_del(o, twice[i]);
	if (fi->side[side].reason != OFFLOAD_R_SERVED)
		json_object_del(o, "decided_by");
	if (side == OFFLOAD_OUT && fi->side[side].reason == OFFLOAD_R_NONE &&
		fi->side[side].actual.path == fi->side[side].wanted.path) {
		for (i = 0; i < RTE_DIM(at_rest); i++)
			json_object_del(o, at_rest[i]);
	}
	rival = json_object_get(o, "competes_with");
	json_object_del(rival, "has_bps");
	json_object_del(rival, "before_it");
	shorten_driver(o);
	return without_empty(o);
}

static json_t *
rules_brief(struct control *c, const struct flow_key *key)
{
	json_t *rules = rules_json(c, key), *list = json_array(), *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		const char *name = json_string_value(json_object_get(rule, "name"));
		char id[16];

		snprintf(id, sizeof(id), "%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(rule, "id")));
		json_array_append_new(list,
			json_sprintf("%s: %s -> %s", name != NULL && name[0] != '\0' ? name : id,
				json_string_value(json_object_get(rule, "match")),
				json_string_value(json_object_get(rule, "actions"))));
	}
	json_decref(rules);
	return list;
}

json_t *
flow_json_explain(struct control *c, const struct offload_flow_info *fi)
{
	const struct offload_policy *policy = offload_flow_policy(c->offload, fi->id);
	const uint64_t now = sl_now(&c->clock);
	json_t *packets = json_object();
	char reverse[32] = "";
	int i;

	for (i = 0; i < OFFLOAD_PATHS; i++) {
		if (fi->packets[i] > 0)
			json_object_set_new(packets, offload_path_name(i),
				json_integer((json_int_t)fi->packets[i]));
	}
	if (fi->reverse != UINT32_MAX)
		snprintf(reverse, sizeof(reverse), ", the other way f%u", fi->reverse);
	return json_pack("{so so so ss so so so so so so}", "id", json_sprintf("f%u", fi->id),
		"match", json_key(c, &fi->key), "way",
		json_sprintf("%s to %s, worker %u%s", port_name(c, fi->key.vport),
			port_name(c, fi->decision.out.vport), fi->worker, reverse),
		"policy", policy != NULL ? policy->name : "no rule matches: the defaults", "rule",
		rules_brief(c, &fi->key), "traits", without_empty(traits_json(c, fi)), "rates",
		json_pack("{sI sI sf sf}", "rate_bps", (json_int_t)fi->rate_fast_bps,
			"rate_slow_bps", (json_int_t)fi->rate_slow_bps, "age_s",
			(double)(now - fi->first_ns) / (double)SL_NS_PER_S, "idle_s",
			(double)(now - fi->last_ns) / (double)SL_NS_PER_S),
		"packets", packets, "in", side_brief(c, fi, OFFLOAD_IN), "out",
		side_brief(c, fi, OFFLOAD_OUT));
}
