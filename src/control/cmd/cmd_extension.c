// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/in_force.h"
#include "switch/extensions.h"

#define COUNTERS_MAX 64

// "drop=tcp/23 drop=udp/53 count=true"
static json_t *
args_json(const struct ext_info *info)
{
	struct sl_strbuf sb;
	json_t *text;
	unsigned i;

	sl_strbuf_init(&sb, 0);
	for (i = 0; i < info->n_args; i++)
		sl_strbuf_addf(
			&sb, "%s%s=%s", i > 0 ? " " : "", info->args[i].name, info->args[i].value);
	text = json_string(sl_strbuf_str(&sb));
	sl_strbuf_fini(&sb);
	return text;
}

static json_t *
counters_json(const struct ext *e)
{
	struct sluice_ext_counter counter[COUNTERS_MAX];
	unsigned n = ext_counters(e, counter, COUNTERS_MAX), i;
	json_t *o = json_object();

	for (i = 0; i < n; i++)
		json_object_set_new(o, counter[i].name, json_integer((json_int_t)counter[i].value));
	return o;
}

static json_t *
extension_json(const struct control *c, const struct extension *x)
{
	struct ext_info info;

	ext_info_get(x->ext, &info);
	return json_pack("{ss ss ss si ss ss ss so sI sI sI sb so}", "switch",
		c->cfg->switches[x->cfg.sw].name, "name", info.name, "at", ext_point_name(info.at),
		"order", (int)extensions_order(c, x), "kind", info.kind, "version", info.version,
		"path", info.path, "args", args_json(&info), "packets", (json_int_t)info.packets,
		"dropped", (json_int_t)info.dropped, "faults", (json_int_t)info.faults, "live",
		!x->from_config, "counters", counters_json(x->ext));
}

COMMAND(cmd_extension_list)
{
	struct control *c = app;
	const struct extension *x;
	json_t *items;
	int only = -1;
	unsigned i;
	uint16_t sw;

	if (arg_str(args, "switch") != NULL) {
		only = arg_switch(c, args, err);
		if (only < 0)
			return only;
	}
	items = json_array();
	for (sw = 0; sw < c->cfg->n_switches; sw++) {
		for (i = 0; (only < 0 || only == sw) && (x = extensions_get(c, sw, i)) != NULL; i++)
			json_array_append_new(items, extension_json(c, x));
	}
	*result = json_items(items, json_array_size(items));
	return 0;
}

static json_t *
short_json(const struct control *c, const struct extension *x)
{
	return json_pack("{ss ss ss si}", "switch", c->cfg->switches[x->cfg.sw].name, "name",
		x->cfg.name, "at", ext_point_name((enum sluice_ext_point)x->cfg.at), "order",
		(int)extensions_order(c, x));
}

// As the names in a file.
static int
take_text(const char *key, const char *from, char *to, size_t size, struct sl_err *err)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.";

	if (from[0] == '\0' || strlen(from) >= size)
		return sl_err_set(err, EINVAL, key, "1 to %zu characters", size - 1);
	if (strcmp(key, "name") == 0 &&
		(from[strspn(from, chars)] != '\0' || (from[0] >= '0' && from[0] <= '9')))
		return sl_err_set(err, EINVAL, key,
			"letters, digits, - _ and . are possible, and no digit first");
	snprintf(to, size, "%s", from);
	return 0;
}

COMMAND(cmd_extension_add)
{
	struct control *c = app;
	struct config_extension cfg;
	const char *at = arg_str(args, "at"), *text = arg_str(args, "args");
	int sw = arg_switch(c, args, err), point, rc;

	if (sw < 0)
		return sw;
	memset(&cfg, 0, sizeof(cfg));
	cfg.sw = (uint16_t)sw;
	point = ext_point_of(at != NULL ? at : "ingress");
	cfg.at = (enum config_extension_point)point;
	rc = take_text("name", arg_str(args, "name"), cfg.name, sizeof(cfg.name), err);
	if (rc == 0)
		rc = take_text("path", arg_str(args, "path"), cfg.path, sizeof(cfg.path), err);
	if (rc == 0 && point < 0)
		rc = sl_err_set(err, EINVAL, "at", "ingress, egress, monitor or match");
	if (rc == 0 && text != NULL)
		rc = config_extension_args(text, &cfg, err);
	if (rc == 0)
		rc = extensions_add(c, &cfg, arg_str(args, "before"), err);
	if (rc != 0)
		return rc;
	return in_force(c, call, arg_bool(args, "wait"),
		short_json(c, extensions_find(c, cfg.sw, cfg.name)), result, err);
}

COMMAND(cmd_extension_remove)
{
	struct control *c = app;
	const char *name = arg_str(args, "name");
	const struct extension *x;
	int sw = arg_switch(c, args, err), rc;
	json_t *answer;

	if (sw < 0)
		return sw;
	x = extensions_find(c, (uint16_t)sw, name);
	answer = x != NULL ? short_json(c, x) : NULL;
	rc = extensions_remove(c, (uint16_t)sw, name, err);
	if (rc != 0) {
		json_decref(answer);
		return rc;
	}
	return in_force(c, call, arg_bool(args, "wait"), answer, result, err);
}

COMMAND(cmd_extension_move)
{
	struct control *c = app;
	const char *name = arg_str(args, "name");
	int sw = arg_switch(c, args, err), rc;

	if (sw < 0)
		return sw;
	rc = extensions_move(c, (uint16_t)sw, name, arg_str(args, "before"), err);
	if (rc != 0)
		return rc;
	return in_force(c, call, arg_bool(args, "wait"),
		short_json(c, extensions_find(c, (uint16_t)sw, name)), result, err);
}
