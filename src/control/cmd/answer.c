// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/answer.h"

#include "switch/meters.h"
#include "cmd/known.h"

#include <errno.h>
#include <string.h>

#include "flow/text.h"

const char *
arg_str(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

int64_t
arg_int(const json_t *args, const char *name, int64_t otherwise)
{
	const json_t *v = json_object_get(args, name);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool
arg_bool(const json_t *args, const char *name)
{
	return json_is_true(json_object_get(args, name));
}

int
arg_switch(const struct control *c, const json_t *args, struct sl_err *err)
{
	const char *name = arg_str(args, "switch");
	int sw;

	if (name == NULL && c->cfg->n_switches == 1)
		return 0;
	if (name == NULL)
		return sl_err_set(err, EINVAL, "switch", "there are %u switches: say which one",
			c->cfg->n_switches);
	sw = config_switch_by_name(c->cfg, name);
	return sw >= 0 ? sw : no_switch(c, name, err);
}

struct control_vport *
find_port(struct control *c, const char *name)
{
	unsigned i;

	for (i = 0; name != NULL && i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used && strcmp(c->vports[i].cfg.name, name) == 0)
			return &c->vports[i];
	}
	return NULL;
}

struct control_vport *
arg_port(struct control *c, const json_t *args, struct sl_err *err)
{
	const char *name = arg_str(args, "port");
	struct control_vport *v = find_port(c, name);

	if (v == NULL)
		no_port(c, name, err);
	return v;
}

int
find_vm(const struct control *c, const char *name)
{
	int i;

	for (i = 0; i < c->cfg->n_vms; i++) {
		if (strcmp(c->cfg->vms[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

int
find_nic(const struct control *c, const char *name)
{
	int i;

	for (i = 0; i < c->cfg->n_nics; i++) {
		if (strcmp(c->cfg->nics[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

int
find_class(const struct control *c, const char *name)
{
	int i;

	for (i = 0; i < c->cfg->n_classes; i++) {
		if (strcmp(c->cfg->classes[i].name, name) == 0)
			return i;
	}
	return -ENOENT;
}

const char *
port_name(const struct control *c, uint16_t vport)
{
	return vport < DP_VPORTS_MAX && c->vports[vport].used ? c->vports[vport].cfg.name : "-";
}

const char *
vm_name(const struct control *c, int vm)
{
	return vm >= 0 && vm < c->cfg->n_vms ? c->cfg->vms[vm].name : "-";
}

static json_t *
take_text(struct sl_strbuf *sb)
{
	json_t *text = json_string(sl_strbuf_str(sb));

	sl_strbuf_fini(sb);
	return text;
}

json_t *
json_match(const struct control *c, uint16_t sw, const struct flow_match *m)
{
	struct config_names ctx = {.cfg = c->cfg, .sw = sw};
	struct flow_names names;
	struct sl_strbuf sb;

	config_flow_names(&ctx, &names);
	sl_strbuf_init(&sb, 0);
	flow_match_format(m, &names, &sb);
	return take_text(&sb);
}

json_t *
json_rule_match(const struct control *c, const struct config_rule *r)
{
	struct sl_strbuf sb;

	sl_strbuf_init(&sb, 0);
	config_rule_match_format(c->cfg, r, &sb);
	return take_text(&sb);
}

json_t *
json_actions(const struct control *c, uint16_t sw, const struct flow_actions *a)
{
	struct config_names ctx = {.cfg = c->cfg, .sw = sw};
	struct flow_names names;
	struct sl_strbuf sb;

	config_flow_names(&ctx, &names);
	sl_strbuf_init(&sb, 0);
	flow_actions_format(a, &names, &sb);
	return take_text(&sb);
}

json_t *
json_key(const struct control *c, const struct flow_key *key)
{
	int sw = control_switch_of(c, key->switch_id);
	struct config_names ctx = {.cfg = c->cfg, .sw = (uint16_t)(sw < 0 ? 0 : sw)};
	struct flow_names names;
	struct sl_strbuf sb;

	struct flow_key shown = *key;

	if (c->cfg->n_switches == 1)
		shown.switch_id = 0; // says nothing where there is only one
	config_flow_names(&ctx, &names);
	sl_strbuf_init(&sb, 0);
	flow_key_format(&shown, &names, &sb);
	return take_text(&sb);
}

json_t *
json_place(const struct control *c, const struct offload_place *place)
{
	char name[96];

	if (place->path != OFFLOAD_SHARED_QUEUE && place->path != OFFLOAD_EXCLUSIVE_QUEUE)
		return json_null();
	offload_queue_name(c->offload, place->queue, name, sizeof(name));
	return json_string(name);
}

json_t *
json_rate(uint64_t rate_bps, uint64_t burst_bytes)
{
	if (rate_bps == 0)
		return json_null();
	return json_pack("{sI sI}", "bps", (json_int_t)rate_bps, "burst_bytes",
		(json_int_t)meters_burst(rate_bps, burst_bytes));
}

json_t *
json_items(json_t *items, uint64_t total)
{
	json_t *o = json_object();

	if (total > json_array_size(items))
		json_object_set_new(o, "total", json_integer((json_int_t)total));
	json_object_set_new(o, "items", items);
	return o;
}
