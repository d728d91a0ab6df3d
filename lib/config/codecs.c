// SPDX-License-Identifier: BSD-3-Clause
// The values that name other things, and the texts of rules.
#include "codecs.h"

#include <string.h>

#include "base/strbuf.h"

// ---- names of other things

static void
parse_vm(struct walk *w, const json_t *value, void *base)
{
	static const struct list_type vms = {.array = offsetof(struct config, vms),
		.count = offsetof(struct config, n_vms),
		.count_size = sizeof(w->cfg->n_vms),
		.size = sizeof(struct config_vm),
		.max = CONFIG_PORTS_MAX};
	const struct field name = {.kind = FIELD_NAME, .size = CONFIG_NAME_MAX, .required = true};
	struct config_port *port = base;
	struct config_vm vm = {.hint_mode = "0600"};
	struct config_vm *added;
	unsigned faults = w->n_faults;
	int16_t i = 0;

	port->vm = -1;
	walk_value(w, &name, value, vm.name);
	if (w->n_faults != faults)
		return;
	while (i < (int16_t)w->cfg->n_vms && strcmp(w->cfg->vms[i].name, vm.name) != 0)
		i++;
	if (i == (int16_t)w->cfg->n_vms) {
		if (w->vms_given) {
			walk_fault(w, NULL, "there is no VM \"%s\" in /vms", vm.name);
			return;
		}
		added = walk_append(w, &vms); // base stays: it is in another array
		if (added == NULL) {
			walk_fault(w, NULL, "more than %d VMs", CONFIG_PORTS_MAX);
			return;
		}
		*added = vm;
	}
	port->vm = i;
}

static json_t *
print_vm(const struct config *cfg, const void *base)
{
	const struct config_port *port = base;

	return port->vm >= 0 ? json_string(cfg->vms[port->vm].name) : NULL;
}

static void
parse_nic(struct walk *w, const json_t *value, void *base)
{
	struct config_attachment *attach = base;

	if (!codec_is_text(w, value))
		return;
	for (uint16_t i = 0; i < w->cfg->n_nics; i++) {
		if (strcmp(w->cfg->nics[i].name, json_string_value(value)) == 0) {
			attach->nic = i;
			return;
		}
	}
	walk_fault(w, NULL, "there is no NIC \"%.40s\" in /nics", json_string_value(value));
}

static json_t *
print_nic(const struct config *cfg, const void *base)
{
	return json_string(cfg->nics[((const struct config_attachment *)base)->nic].name);
}

static void
parse_table(struct walk *w, const json_t *value, void *base)
{
	struct config_rule *rule = base;
	const char *name = json_string_value(value);

	if (name == NULL && !json_is_integer(value)) {
		walk_fault(
			w, NULL, "must be the name or number of a table, not %s", walk_kind(value));
		return;
	}
	for (uint16_t i = 0; i < w->cfg->n_tables; i++) {
		const struct config_table *t = &w->cfg->tables[i];

		if (t->sw != w->sw)
			continue;
		if (name != NULL ? strcmp(t->name, name) == 0
				 : t->id == json_integer_value(value)) {
			rule->table = t->id;
			return;
		}
	}
	if (name != NULL)
		walk_fault(w, NULL, "there is no table \"%.40s\" in the switch", name);
	else
		walk_fault(w, NULL, "there is no table %" JSON_INTEGER_FORMAT " in the switch",
			json_integer_value(value));
}

static json_t *
print_table(const struct config *cfg, const void *base)
{
	const struct config_rule *rule = base;

	for (uint16_t i = 0; i < cfg->n_tables; i++) {
		const struct config_table *t = &cfg->tables[i];

		if (t->sw == rule->sw && t->id == rule->table && t->name[0] != '\0')
			return json_string(t->name);
	}
	return json_integer(rule->table);
}

// ---- texts of rules: kept, and read when all that they may name is known

static void
keep_text(struct walk *w, json_t **slot, const json_t *value)
{
	if (codec_is_text(w, value))
		*slot = json_incref((json_t *)value);
}

static void
parse_match(struct walk *w, const json_t *value, void *base)
{
	keep_text(w, &w->rule_texts[(struct config_rule *)base - w->cfg->rules].match, value);
}

static void
parse_actions(struct walk *w, const json_t *value, void *base)
{
	keep_text(w, &w->rule_texts[(struct config_rule *)base - w->cfg->rules].actions, value);
}

static void
parse_fallback(struct walk *w, const json_t *value, void *base)
{
	keep_text(w, &w->table_texts[(struct config_table *)base - w->cfg->tables].actions, value);
}

static json_t *
print_flow_actions(const struct config *cfg, uint16_t sw, const struct flow_actions *actions)
{
	struct config_names ctx = {.cfg = cfg, .sw = sw};
	struct flow_names names;
	struct sl_strbuf sb;
	json_t *text;

	config_flow_names(&ctx, &names);
	sl_strbuf_init(&sb, 0);
	flow_actions_format(actions, &names, &sb);
	text = json_string(sl_strbuf_str(&sb));
	sl_strbuf_fini(&sb);
	return text;
}

static json_t *
print_match(const struct config *cfg, const void *base)
{
	const struct config_rule *rule = base;
	struct sl_strbuf sb;
	json_t *text;

	sl_strbuf_init(&sb, 0);
	config_rule_match_format(cfg, rule, &sb);
	text = json_string(sl_strbuf_str(&sb));
	sl_strbuf_fini(&sb);
	return text;
}

static json_t *
print_actions(const struct config *cfg, const void *base)
{
	const struct config_rule *rule = base;

	return print_flow_actions(cfg, rule->sw, &rule->actions);
}

static json_t *
print_fallback(const struct config *cfg, const void *base)
{
	const struct config_table *table = base;

	return print_flow_actions(cfg, table->sw, &table->fallback);
}

const struct codec *
config_codec(enum codec_id id)
{
	static const char text[] = "{\"type\": \"string\"}";
	static const struct codec codecs[] = {
		[CODEC_VM] = {parse_vm, print_vm, "name of a VM", text},
		[CODEC_NIC] = {parse_nic, print_nic, "name of a NIC", text},
		[CODEC_VIDS] = {codec_parse_vids, codec_print_vids, "list of VIDs and ranges",
			"{\"type\": \"array\", \"items\": {\"anyOf\": [{\"type\": \"integer\", "
			"\"minimum\": 1, \"maximum\": 4094}, {\"type\": \"string\", \"pattern\": "
			"\"^[0-9]+(-[0-9]+)?$\"}]}}"},
		[CODEC_MACS] = {codec_parse_macs, codec_print_macs, "list of MACs",
			"{\"type\": \"array\", \"maxItems\": 8, \"items\": {\"type\": \"string\", "
			"\"pattern\": \"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$\"}}"},
		[CODEC_IPS] = {codec_parse_ips, codec_print_ips, "list of addresses and prefixes",
			"{\"type\": \"array\", \"maxItems\": 16, \"items\": {\"type\": "
			"\"string\"}}"},
		[CODEC_TABLE] = {parse_table, print_table, "name or number of a table",
			"{\"type\": [\"string\", \"integer\"]}"},
		[CODEC_MATCH] = {parse_match, print_match, "match", text},
		[CODEC_ACTIONS] = {parse_actions, print_actions, "actions", text},
		[CODEC_FALLBACK] = {parse_fallback, print_fallback, "actions", text},
		[CODEC_ARGS] = {codec_parse_args, codec_print_args, "arguments",
			"{\"type\": \"object\", \"additionalProperties\": {\"type\": [\"string\", "
			"\"integer\", \"boolean\", \"array\"]}}"},
	};

	return &codecs[id];
}
