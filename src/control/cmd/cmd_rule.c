// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/in_force.h"
#include "cmd/known.h"
#include "place/ahead.h"
#include "switch/extensions.h"
#include "switch/rule_book.h"

static const char *
table_name(const struct control *c, uint16_t sw, uint16_t table, char *buf, size_t len)
{
	uint16_t i;

	for (i = 0; i < c->cfg->n_tables; i++) {
		if (c->cfg->tables[i].sw == sw && c->cfg->tables[i].id == table &&
			c->cfg->tables[i].name[0] != '\0')
			return c->cfg->tables[i].name;
	}
	snprintf(buf, len, "%u", table);
	return buf;
}

static json_t *
rule_json(struct control *c, uint16_t sw, const struct rule_info *info)
{
	const struct config_rule *r = info->rule;
	uint64_t packets, bytes, nic_packets, nic_bytes;
	char buf[16];

	rule_book_counters(c->book[sw], r->id, &packets, &bytes);
	rule_book_hardware(c->book[sw], r->id, &nic_packets, &nic_bytes);
	return json_pack("{si ss ss ss si so so sI sI sI sI sI sI sb}", "id", (int)r->id, "name",
		r->name, "switch", c->cfg->switches[sw].name, "table",
		table_name(c, sw, r->table, buf, sizeof(buf)), "priority", (int)r->priority,
		"match", json_rule_match(c, r), "actions", json_actions(c, sw, &r->actions),
		"packets", (json_int_t)(packets + nic_packets), "bytes",
		(json_int_t)(bytes + nic_bytes), "software_packets", (json_int_t)packets,
		"software_bytes", (json_int_t)bytes, "hardware_packets", (json_int_t)nic_packets,
		"hardware_bytes", (json_int_t)nic_bytes, "live", !info->from_config);
}

// ---- how rules stand in hardware: the flows that rest on them, one walk for all rules of a switch

struct standing {
	struct control *c;
	uint16_t sw;
	struct rule_stands {
		uint32_t placed, pending;
	} * rule; // by id; NULL: out of memory
};

static void
stand_one(void *ctx, const struct offload_flow_info *fi)
{
	struct standing *s = ctx;
	struct rules_result res;
	unsigned i, side;

	if (fi->key.switch_id != s->c->cfg->switches[s->sw].id ||
		!dp_rules_of(s->c->snapshot, &fi->key, &res))
		return;
	for (i = 0; i < res.n; i++) {
		const struct config_rule *r = rule_book_of_entry(s->c->book[s->sw], res.rule[i]);

		if (r == NULL)
			continue;
		for (side = 0; side < 2; side++) {
			s->rule[r->id].placed += fi->side[side].state == OFFLOAD_ST_PLACED;
			s->rule[r->id].pending += fi->side[side].state == OFFLOAD_ST_INSTALLING ||
						  fi->side[side].state == OFFLOAD_ST_REMOVING;
		}
	}
}

// By rule id (free()).
static struct rule_stands *
stands(struct control *c, uint16_t sw)
{
	struct standing s = {.c = c, .sw = sw};

	s.rule = calloc(rule_book_max(c->book[sw]), sizeof(*s.rule));
	if (s.rule != NULL)
		offload_flow_each(c->offload, stand_one, &s);
	return s.rule;
}

static json_t *
hardware_json(const struct rule_stands *s)
{
	char text[64];

	snprintf(text, sizeof(text), "%u flows placed, %u pending", s->placed, s->pending);
	return json_string(text);
}

struct list_ctx {
	struct control *c;
	json_t *items;
	uint16_t sw;
	int table;
	uint64_t total, limit;
	const struct config_rule *only;
	struct rule_stands *stands;
};

static void
list_rule(void *ctx, const struct rule_info *info)
{
	struct list_ctx *l = ctx;
	json_t *o;

	if ((l->table >= 0 && info->rule->table != l->table) ||
		(l->only != NULL && l->only != info->rule))
		return;
	l->total++;
	if (l->limit != 0 && json_array_size(l->items) >= l->limit)
		return;
	o = rule_json(l->c, l->sw, info);
	if (l->stands != NULL)
		json_object_set_new(o, "hardware", hardware_json(&l->stands[info->rule->id]));
	if (l->only != NULL)
		json_object_set_new(o, "nics", ahead_rule_json(l->c, l->sw, info->rule->id));
	else
		json_object_set_new(o, "ahead", ahead_rule_words(l->c, l->sw, info->rule->id));
	json_array_append_new(l->items, o);
}

static void
list_switch(struct list_ctx *l, uint16_t sw)
{
	l->sw = sw;
	l->stands = stands(l->c, sw);
	rule_book_each(l->c->book[sw], list_rule, l);
	free(l->stands);
	l->stands = NULL;
}

static int
no_table(const struct control *c, int sw, const char *text, struct sl_err *err)
{
	bool first = false; // table 0 is there in any case
	struct known k;
	uint16_t i;

	known_init(&k, text);
	for (i = 0; i < c->cfg->n_tables; i++) {
		if (sw >= 0 && c->cfg->tables[i].sw != sw)
			continue;
		known_add(&k, c->cfg->tables[i].name);
		first |= c->cfg->tables[i].id == 0;
	}
	if (!first)
		known_add(&k, "");
	return known_fail(&k, "table", "table", err);
}

struct find_table {
	uint16_t table;
	bool found;
};

static void
find_table(void *ctx, const struct rule_info *info)
{
	struct find_table *f = ctx;

	f->found |= info->rule->table == f->table;
}

static int
table_arg(const struct control *c, int sw, const json_t *args, int otherwise, struct sl_err *err)
{
	const char *text = arg_str(args, "table");
	unsigned long n;
	char *end;
	uint16_t i;

	if (text == NULL)
		return otherwise;
	for (i = 0; i < c->cfg->n_tables; i++) {
		if ((sw < 0 || c->cfg->tables[i].sw == sw) &&
			strcmp(c->cfg->tables[i].name, text) == 0)
			return c->cfg->tables[i].id;
	}
	n = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n >= RULES_TABLES)
		return no_table(c, sw, text, err);
	return (int)n;
}

// A table that nothing is known of is a slip: no answer to a filter on it is "none", and no packet
// comes to a rule in it.
static bool
table_in_use(struct control *c, int sw, uint16_t table)
{
	struct find_table f = {.table = table};
	uint16_t i;

	for (i = 0; i < c->cfg->n_tables; i++)
		f.found |= (sw < 0 || c->cfg->tables[i].sw == sw) && c->cfg->tables[i].id == table;
	for (i = 0; i < c->cfg->n_switches; i++) {
		if (sw < 0 || sw == i)
			rule_book_each(c->book[i], find_table, &f);
	}
	return f.found || table == 0;
}

COMMAND(cmd_rule_list)
{
	struct control *c = app;
	struct list_ctx l = {.c = c, .limit = (uint64_t)arg_int(args, "limit", 100)};
	int only = -1;
	uint16_t sw;

	if (arg_str(args, "switch") != NULL) {
		only = arg_switch(c, args, err);
		if (only < 0)
			return only;
	}
	l.table = table_arg(c, only, args, -1, err);
	if (l.table < -1)
		return l.table;
	if (l.table >= 0 && !table_in_use(c, only, (uint16_t)l.table))
		return no_table(c, only, arg_str(args, "table"), err);
	l.items = json_array();
	for (sw = 0; sw < c->cfg->n_switches; sw++) {
		if (only < 0 || only == sw)
			list_switch(&l, sw);
	}
	*result = json_items(l.items, l.total);
	return 0;
}

static void
add_name(void *ctx, const struct rule_info *info)
{
	known_add(ctx, info->rule->name);
}

static const struct config_rule *
rule_arg(struct control *c, const json_t *args, int *sw, struct sl_err *err)
{
	const struct config_rule *r;
	struct known k;

	*sw = arg_switch(c, args, err);
	if (*sw < 0)
		return NULL;
	r = rule_book_find(c->book[*sw], arg_str(args, "rule"));
	if (r == NULL) {
		known_init(&k, arg_str(args, "rule"));
		rule_book_each(c->book[*sw], add_name, &k);
		known_fail(&k, "rule", "rule", err);
	}
	return r;
}

COMMAND(cmd_rule_show)
{
	struct control *c = app;
	int sw;
	const struct config_rule *r = rule_arg(c, args, &sw, err);
	struct list_ctx l = {.c = c, .table = -1, .only = r, .items = json_array()};

	if (r == NULL) {
		json_decref(l.items);
		return err->code;
	}
	list_switch(&l, (uint16_t)sw);
	*result = json_incref(json_array_get(l.items, 0));
	json_decref(l.items);
	return 0;
}

// ---- changes

static int
rules_in_force(struct control *c, uint16_t sw, struct ctl_call *call, bool wait, json_t *answer,
	json_t **result, struct sl_err *err)
{
	c->rules_dirty[sw] = true;
	return in_force(c, call, wait, answer, result, err);
}

// As the names in a file: a number is an id.
static int
check_name(const char *name, struct sl_err *err)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.";

	if (name == NULL)
		return 0;
	if (strlen(name) >= CONFIG_NAME_MAX)
		return sl_err_set(
			err, EINVAL, "name", "at most %d characters", CONFIG_NAME_MAX - 1);
	if (name[strspn(name, chars)] != '\0' || (name[0] >= '0' && name[0] <= '9'))
		return sl_err_set(err, EINVAL, "name",
			"letters, digits, - _ and . are possible, and no digit first");
	return 0;
}

static int
check_extension(
	const struct control *c, uint16_t sw, const struct config_rule *rule, struct sl_err *err)
{
	if (rule->extension[0] == '\0' || extensions_matcher(c, sw, rule->extension) != NULL)
		return 0;
	return sl_err_set(err, ENOENT, "match",
		"%s has no extension \"%s\" that is bound at match (extension list)",
		c->cfg->switches[sw].name, rule->extension);
}

COMMAND(cmd_rule_add)
{
	struct control *c = app;
	const char *name = arg_str(args, "name");
	struct config_rule rule;
	int64_t priority = arg_int(args, "priority", 0);
	int sw = arg_switch(c, args, err), table, rc;
	uint32_t id;

	if (sw < 0)
		return sw;
	table = table_arg(c, sw, args, 0, err);
	if (table < 0)
		return table;
	if (!table_in_use(c, sw, (uint16_t)table))
		return no_table(c, sw, arg_str(args, "table"), err); // as in a file
	if (priority < 0 || priority > RULES_PRIORITY_MAX)
		return sl_err_set(
			err, EINVAL, "priority", "0 to %u are possible", RULES_PRIORITY_MAX);
	rc = check_name(name, err);
	if (rc != 0)
		return rc;
	rc = config_rule_parse(
		c->cfg, (uint16_t)sw, arg_str(args, "match"), arg_str(args, "actions"), &rule, err);
	if (rc != 0)
		return rc;
	rc = config_goto_check((uint16_t)table, &rule.actions, err);
	if (rc == 0)
		rc = check_extension(c, (uint16_t)sw, &rule, err);
	if (rc != 0)
		return rc;
	rule.table = (uint16_t)table;
	rule.priority = (uint16_t)priority;
	snprintf(rule.name, sizeof(rule.name), "%s", name == NULL ? "" : name);
	rc = rule_book_add(c->book[sw], &rule, false, &id, err);
	if (rc != 0)
		return rc;
	return rules_in_force(c, (uint16_t)sw, call, arg_bool(args, "wait"),
		json_pack("{si ss}", "id", (int)id, "name", rule.name), result, err);
}

COMMAND(cmd_rule_replace)
{
	struct control *c = app;
	int sw, rc;
	const struct config_rule *old = rule_arg(c, args, &sw, err);
	struct config_rule rule;
	uint32_t id;

	if (old == NULL)
		return err->code;
	rc = config_rule_parse(
		c->cfg, (uint16_t)sw, arg_str(args, "match"), arg_str(args, "actions"), &rule, err);
	if (rc == 0)
		rc = config_goto_check(old->table, &rule.actions, err);
	if (rc == 0)
		rc = check_extension(c, (uint16_t)sw, &rule, err);
	if (rc != 0)
		return rc;
	rule.table = old->table;
	rule.priority = (uint16_t)arg_int(args, "priority", old->priority);
	rc = rule_book_replace(c->book[sw], old->id, &rule, &id, err);
	if (rc != 0)
		return rc;
	return rules_in_force(c, (uint16_t)sw, call, arg_bool(args, "wait"),
		json_pack("{si ss}", "id", (int)id, "name", rule_book_get(c->book[sw], id)->name),
		result, err);
}

COMMAND(cmd_rule_del)
{
	struct control *c = app;
	int sw;
	const struct config_rule *r = rule_arg(c, args, &sw, err);
	json_t *answer;

	if (r == NULL)
		return err->code;
	answer = json_pack("{si ss}", "id", (int)r->id, "name", r->name);
	rule_book_del(c->book[sw], r->id);
	return rules_in_force(c, (uint16_t)sw, call, arg_bool(args, "wait"), answer, result, err);
}
