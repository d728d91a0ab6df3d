// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/known.h"
#include "offload/policy.h"

static json_t *
limit_json(uint32_t most)
{
	return most == 0 ? json_null() : json_integer(most);
}

// What the VMs that have something have of what the rule lets each have.
static json_t *
used_json(struct control *c, uint32_t rule)
{
	json_t *o = json_object();
	uint32_t queues, entries;
	uint16_t vm;

	for (vm = 0; vm < c->cfg->n_vms; vm++) {
		offload_policy_part(c->offload, rule, vm, &queues, &entries);
		if (queues > 0 || entries > 0)
			json_object_set_new(o, vm_name(c, vm),
				json_pack(
					"{si si}", "queues", (int)queues, "entries", (int)entries));
	}
	return o;
}

static json_t *
places_json(const struct config_policy *p)
{
	json_t *a = json_array();
	uint8_t i;

	for (i = 0; i < p->n_places; i++)
		json_array_append_new(a, json_string(offload_path_name(p->places[i])));
	return a;
}

static json_t *
policy_json(struct control *c, uint32_t i)
{
	const struct config_policy *p = &c->cfg->policies[i];
	const bool limited = p->max_queues != 0 || p->max_entries != 0 || p->max_inserts != 0;
	json_t *o = json_pack("{ss si ss ss ss ss so ss}", "name", p->name, "flows",
		(int)offload_policy_flows(c->offload, i), "vm", p->vm_name, "port", p->port_name,
		"class", p->class_name, "match", p->match_text, "places", places_json(p), "share",
		offload_share_name((enum offload_share)p->share));

	json_object_set_new(o, "max_queues", limit_json(p->max_queues));
	json_object_set_new(o, "max_entries", limit_json(p->max_entries));
	json_object_set_new(o, "max_inserts", limit_json(p->max_inserts));
	if (limited)
		json_object_set_new(o, "vms", used_json(c, i));
	return o;
}

COMMAND(cmd_policy_list)
{
	struct control *c = app;
	json_t *items = json_array();
	uint32_t i;

	for (i = 0; i < c->cfg->n_policies; i++)
		json_array_append_new(items, policy_json(c, i));
	*result = json_items(items, 0);
	return 0;
}
