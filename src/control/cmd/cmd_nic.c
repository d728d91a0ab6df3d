// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/known.h"
#include "ctl/server.h"
#include "failover/carry.h"
#include "failover/evict.h"
#include "failover/failover.h"
#include "failover/restart.h"
#include "failover/timeline.h"
#include "failover/watch.h"
#include "nic/nic.h"
#include "pending.h"

#define SWITCH_MS 15000

static const char *
link_of(const struct nic *nic)
{
	const struct watch w = {.ethdev = nic->ports[0].ethdev};

	if (nic->gone)
		return "gone";
	if (!nic->ports[0].running)
		return "stopped";
	return watch_link(&w) ? "up" : "down";
}

static unsigned
count_ports(const struct control *c, uint16_t nic, json_t *names)
{
	unsigned i, n = 0;
	char where[256], text[320];

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];

		if (!v->used || v->port == NULL || v->port->nic != nic)
			continue;
		n++;
		carry_text(c, v, where, sizeof(where));
		snprintf(text, sizeof(text), "%s: %s", v->cfg.name, where);
		if (names != NULL)
			json_array_append_new(names, json_string(text));
	}
	return n;
}

static json_t *
nic_json(const struct control *c, uint16_t i)
{
	const struct nic *nic = c->nics[i];
	struct offload_nic_stats st = {0};
	struct failover_info info;

	failover_info(c, i, &info);
	offload_nic_stats_get(c->offload, i, &st);
	return json_pack("{ss ss ss ss ss si si si ss ss sf}", "name", nic->name, "role", info.role,
		"state", failover_state_name(info.state), "partner",
		info.partner < 0 ? "-" : c->nics[info.partner]->name, "link", link_of(nic), "ports",
		(int)count_ports(c, i, NULL), "rules", (int)st.entries, "rules_left",
		(int)evict_left(c, i), "driver", nic->driver, "why",
		info.why[0] != '\0' ? info.why : "-", "since_s", info.since_s);
}

// rules_us: 0 as long as some are on their way.
static json_t *
switch_json(const struct failover_info *info)
{
	const struct timeline *t = info->times;
	json_t *steps = json_object(), *spent = json_object();
	unsigned i;

	for (i = 0; i < TIMELINE_STEPS; i++)
		json_object_set_new(
			steps, timeline_step_name(i), json_integer((json_int_t)t->at_us[i]));
	for (i = 0; i < CONTROL_SPENT; i++)
		json_object_set_new(
			spent, timeline_spent_name(i), json_integer((json_int_t)t->spent_us[i]));
	json_object_set_new(spent, "other", json_integer((json_int_t)t->other_us));
	json_object_set_new(spent, "waits", json_integer((json_int_t)t->waits_us));
	return json_pack("{sI sI sI so so sI}", "flows", (json_int_t)info->flows, "ports_us",
		(json_int_t)t->at_us[TIMELINE_PORTS], "rules_us",
		(json_int_t)t->at_us[TIMELINE_LAST], "steps_us", steps, "control_us", spent,
		"driver_us", (json_int_t)t->driver_us);
}

static json_t *
nic_json_full(const struct control *c, uint16_t i)
{
	json_t *o = nic_json(c, i), *names = json_array();
	struct failover_info info;

	failover_info(c, i, &info);
	count_ports(c, i, names);
	json_object_set_new(o, "carries", names);
	json_object_set_new(o, "advice", json_string(info.advice[0] != '\0' ? info.advice : "-"));
	json_object_set_new(
		o, "next_try_s", info.next_try_s < 0 ? json_null() : json_real(info.next_try_s));
	json_object_set_new(o, "device", json_string(c->nics[i]->dev_name));
	if (info.partner < 0)
		return o;
	json_object_set_new(o, "counters_unread", json_integer((json_int_t)evict_unread(c, i)));
	json_object_set_new(o, "recover_ms", json_integer(c->cfg->nics[i].recover_ms));
	json_object_set_new(o, "switching", json_boolean(info.busy));
	json_object_set_new(o, "switches", json_integer(info.switches));
	if (info.times != NULL)
		json_object_set_new(o, "last_switch", switch_json(&info));
	return o;
}

COMMAND(cmd_nic_list)
{
	struct control *c = app;
	json_t *items = json_array();
	uint16_t i;

	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] != NULL)
			json_array_append_new(items, nic_json(c, i));
	}
	*result = json_items(items, 0);
	return 0;
}

static int
arg_nic(const struct control *c, const json_t *args, struct sl_err *err)
{
	const char *name = arg_str(args, "nic");
	int nic = find_nic(c, name);

	if (nic < 0)
		no_nic(c, name, err);
	return nic;
}

COMMAND(cmd_nic_show)
{
	struct control *c = app;
	int nic = arg_nic(c, args, err);

	if (nic < 0)
		return err->code;
	*result = nic_json_full(c, (uint16_t)nic);
	return 0;
}

// ---- switch-over by command: answered when it is over

struct switching {
	struct ctl_call *call;
	uint16_t nic;
};

static bool
switch_step(struct control *c, void *state, bool expired)
{
	struct switching *s = state;
	struct failover_info info;

	failover_info(c, s->nic, &info);
	if (info.busy && !expired)
		return false;
	ctl_call_reply(s->call, nic_json_full(c, s->nic));
	free(s);
	return true;
}

static bool
restart_step(struct control *c, void *state, bool expired)
{
	struct switching *s = state;
	struct sl_err err;
	int rc;

	sl_err_init(&err);
	rc = restart_result(c, s->nic, &err);
	if (rc == -EINPROGRESS && !expired)
		return false;
	if (rc == 0 || rc == -EINPROGRESS)
		ctl_call_reply(s->call, nic_json_full(c, s->nic));
	else
		ctl_call_fail(s->call, &err);
	free(s);
	return true;
}

static int
answer_later(
	struct control *c, struct ctl_call *call, uint16_t nic, pending_step step, json_t **result)
{
	struct switching *s = calloc(1, sizeof(*s));

	if (s != NULL && pending_add(c, step, s, SWITCH_MS) == 0) {
		s->call = call;
		s->nic = nic;
		return CTL_LATER;
	}
	free(s);
	*result = nic_json_full(c, nic); // it is under way
	return 0;
}

COMMAND(cmd_nic_fail)
{
	struct control *c = app;
	int nic = arg_nic(c, args, err);
	int rc = nic < 0 ? err->code : failover_fail(c, (uint16_t)nic, err);

	return rc != 0 ? rc : answer_later(c, call, (uint16_t)nic, switch_step, result);
}

COMMAND(cmd_nic_recover)
{
	struct control *c = app;
	int nic = arg_nic(c, args, err);
	int rc = nic < 0 ? err->code : failover_recover(c, (uint16_t)nic, err);

	return rc != 0 ? rc : answer_later(c, call, (uint16_t)nic, switch_step, result);
}

COMMAND(cmd_nic_restart)
{
	struct control *c = app;
	int nic = arg_nic(c, args, err);
	int rc = nic < 0 ? err->code : restart_begin(c, (uint16_t)nic, err);

	return rc != 0 ? rc : answer_later(c, call, (uint16_t)nic, restart_step, result);
}
