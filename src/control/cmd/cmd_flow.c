// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/flow_json.h"
#include "place/offload_run.h"
#include "cmd/flow_list.h"
#include "cmd/known.h"

static int
parse_match(struct control *c, const json_t *args, const char *text, struct flow_match *out,
	struct sl_err *err)
{
	struct config_names ctx = {.cfg = c->cfg};
	struct flow_names names;
	int sw = arg_str(args, "switch") != NULL ? arg_switch(c, args, err) : 0;

	if (sw < 0)
		return sw;
	ctx.sw = (uint16_t)sw;
	config_flow_names(&ctx, &names);
	return flow_match_parse(text, &names, out, err);
}

static int
find_name(const char *text, const char *(*name)(int), int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (strcmp(text, name(i)) == 0)
			return i;
	}
	return -1;
}

static const char *
path_at(int i)
{
	return offload_path_name((enum offload_path)i);
}

static const char *
state_at(int i)
{
	return offload_state_name((enum offload_state)i);
}

static int
filter_args(struct control *c, const json_t *args, struct flow_filter *f, struct sl_err *err)
{
	const char *vm = arg_str(args, "vm"), *place = arg_str(args, "place"),
		   *state = arg_str(args, "state");
	const char *sort = arg_str(args, "sort"), *match = arg_str(args, "match");
	struct control_vport *v;

	*f = (struct flow_filter){.vport = -1, .vm = -1, .sw = -1, .path = -1, .state = -1};
	f->limit = (uint64_t)arg_int(args, "limit", 100);
	if (arg_str(args, "port") != NULL) {
		v = arg_port(c, args, err);
		if (v == NULL)
			return err->code;
		f->vport = v->cfg.id;
	}
	if (vm != NULL && (f->vm = find_vm(c, vm)) < 0)
		return no_vm(c, vm, err);
	if (arg_str(args, "switch") != NULL && (f->sw = arg_switch(c, args, err)) < 0)
		return f->sw;
	if (place != NULL && (f->path = find_name(place, path_at, OFFLOAD_PATHS)) < 0)
		return sl_err_set(err, EINVAL, "place", "\"%s\" is not a place", place);
	if (state != NULL && (f->state = find_name(state, state_at, OFFLOAD_STATES)) < 0)
		return sl_err_set(err, EINVAL, "state", "\"%s\" is not a state", state);
	if (sort != NULL && strcmp(sort, "bytes") != 0 && strcmp(sort, "packets") != 0 &&
		strcmp(sort, "rate") != 0)
		return sl_err_set(
			err, EINVAL, "sort", "\"%s\" is not bytes, packets or rate", sort);
	f->sort = sort == NULL ? 'b' : sort[0];
	f->has_match = match != NULL;
	return match == NULL ? 0 : parse_match(c, args, match, &f->match, err);
}

COMMAND(cmd_flow_list)
{
	struct control *c = app;
	struct flow_filter f;
	int rc = filter_args(c, args, &f, err);

	if (rc == 0)
		rc = flow_list_start(c, call, &f);
	return rc == 0 ? CTL_LATER
		       : sl_err_set(err, rc, NULL, "the list could not be made: %s", strerror(-rc));
}

// ---- one flow

static int
flow_id(const char *text, uint32_t *id)
{
	unsigned long n;
	char *end;

	if (text[0] != 'f' || text[1] < '0' || text[1] > '9')
		return -EINVAL;
	n = strtoul(text + 1, &end, 10);
	if (*end != '\0' || n >= UINT32_MAX)
		return -EINVAL;
	*id = (uint32_t)n;
	return 0;
}

COMMAND(cmd_flow_show)
{
	struct control *c = app;
	const char *text = arg_str(args, "flow");
	struct offload_flow_info fi;
	uint32_t id;

	if (flow_id(text, &id) != 0)
		return sl_err_set(err, EINVAL, "flow",
			"\"%s\" is not a flow's id (f and a number, see flow list)", text);
	if (!offload_flow_get(c->offload, id, &fi))
		return sl_err_set(err, ENOENT, "flow", "flow %s is not known (any more)", text);
	*result = flow_json_full(c, &fi);
	return 0;
}

struct explain_ctx {
	struct control *c;
	struct flow_match match;
	json_t *items;
	uint64_t total;
	uint32_t last;
	bool all;
};

static void
explain_one(void *ctx, const struct offload_flow_info *fi)
{
	struct explain_ctx *e = ctx;

	if (!flow_match_hits(&e->match, &fi->key))
		return;
	e->total++;
	e->last = fi->id;
	if (json_array_size(e->items) < 20)
		json_array_append_new(
			e->items, e->all ? flow_json_full(e->c, fi) : flow_json(e->c, fi));
}

static int
explain_id(struct control *c, uint32_t id, bool all, json_t **result, struct sl_err *err)
{
	struct offload_flow_info fi;

	if (!offload_flow_get(c->offload, id, &fi))
		return sl_err_set(err, ENOENT, "flow", "flow f%u is not known (any more)", id);
	*result = all ? flow_json_full(c, &fi) : flow_json_explain(c, &fi);
	return 0;
}

COMMAND(cmd_flow_explain)
{
	struct control *c = app;
	const char *text = arg_str(args, "flow");
	struct explain_ctx e = {.c = c, .all = arg_bool(args, "all")};
	uint32_t id;
	int rc;

	if (flow_id(text, &id) == 0)
		return explain_id(c, id, e.all, result, err);
	rc = parse_match(c, args, text, &e.match, err);
	if (rc != 0)
		return rc;
	e.items = json_array();
	offload_flow_each(c->offload, explain_one, &e);
	if (e.total == 0) {
		json_decref(e.items);
		return sl_err_set(err, ENOENT, "flow",
			"no flow that the placement manager knows matches; it knows flows above "
			"/offload/min_bps (%" PRIu64
			" bit/s), lighter ones stay in software: see flow list --match",
			c->cfg->offload.min_bps);
	}
	if (e.total == 1) { // one flow fills the screen by itself
		json_decref(e.items);
		return explain_id(c, e.last, e.all, result, err);
	}
	*result = json_items(e.items, e.total);
	return 0;
}
