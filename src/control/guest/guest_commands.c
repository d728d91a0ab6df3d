// SPDX-License-Identifier: BSD-3-Clause
#include "guest/guest_commands.h"

#include <errno.h>
#include <string.h>

#include "flow/text.h"
#include "guest/channels.h"
#include "place/hints.h"

// A guest knows no name of the switch but those of its own ports.
struct own_names {
	struct flow_names all;
	const struct control *c;
	uint16_t vm;
};

static bool
is_own(const struct control *c, uint16_t vm, unsigned vport)
{
	return vport < DP_VPORTS_MAX && c->vports[vport].used && c->vports[vport].cfg.vm == vm;
}

static int
own_port(void *ctx, const char *name)
{
	const struct own_names *own = ctx;
	int id = own->all.port_id(own->all.ctx, name);

	return id >= 0 && is_own(own->c, own->vm, (unsigned)id) ? id : -ENOENT;
}

static int
parse_match(struct control *c, uint16_t vm, const char *text, struct flow_match *out,
	struct sl_err *err)
{
	struct config_names cfg_names = {.cfg = c->cfg};
	struct own_names own = {.c = c, .vm = vm};
	struct flow_names names = {.ctx = &own, .port_id = own_port};
	unsigned i;
	int rc;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (is_own(c, vm, i))
			cfg_names.sw = c->vports[i].cfg.sw;
	}
	config_flow_names(&cfg_names, &own.all);
	rc = flow_match_parse(text, &names, out, err);
	// A port may be said by number too.
	if (rc == 0 && out->mask.vport != 0 && !is_own(c, vm, out->key.vport))
		return sl_err_set(err, EINVAL, "match", "the VM has no such port");
	return rc;
}

// Each change makes control look at all of the VM's flows that it knows.
static int
may_change(struct control *c, struct guest_rate *r, struct sl_err *err)
{
	const uint64_t now = sl_now(&c->clock);

	if (now - r->since_ns >= SL_NS_PER_S) {
		r->since_ns = now;
		r->changes = 0;
	}
	if (r->changes >= CHANNEL_CHANGES)
		return sl_err_set(err, EBUSY, NULL, "at most %d changes a second: try again later",
			CHANNEL_CHANGES);
	r->changes++;
	return 0;
}

int
guest_hint(struct control *c, uint16_t vm, const char *text, int8_t hint, uint32_t *followed,
	uint32_t *refused, struct sl_err *err)
{
	struct flow_match match;
	int rc = may_change(c, channels_rate(c, vm), err);

	*followed = *refused = 0;
	if (rc == 0)
		rc = parse_match(c, vm, text, &match, err);
	if (rc == 0)
		rc = hints_set(c, vm, &match, hint, followed, refused, err);
	return rc;
}

static int
change(struct guest_channel *g, const json_t *args, int8_t hint, json_t **result,
	struct sl_err *err)
{
	const char *text = ctl_arg_str(args, "match", "");
	uint32_t followed, refused;
	int rc = guest_hint(g->control, g->vm, text, hint, &followed, &refused, err);

	if (rc != 0)
		return rc;
	*result = json_pack(
		"{ss si si}", "match", text, "flows", (int)followed, "refused", (int)refused);
	return 0;
}

static int
cmd_set(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	const bool raise = strcmp(ctl_arg_str(args, "place", ""), "raise") == 0;

	return change(app, args, raise ? 1 : -1, result, err);
}

static int
cmd_clear(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	return change(app, args, 0, result, err);
}

static int
cmd_list(void *app, struct ctl_call *call, const json_t *args, json_t **result, struct sl_err *err)
{
	struct guest_channel *g = app;

	*result = json_pack("{so}", "items", hints_json(g->control, g->vm));
	return 0;
}

static const struct ctl_command commands[] = {
	{.name = "hint set",
		.writes = true,
		.handler = cmd_set,
		.help = "suggest a place for the VM's own flows that match",
		.fields = "match flows refused",
		.args = {{"match", CTL_STR, true, true, .help = "which flows"},
			{"place", CTL_STR, true, true, .complete = "raise|lower",
				.help = "raise: worth hardware; lower: not"}}},
	{.name = "hint clear",
		.writes = true,
		.handler = cmd_clear,
		.help = "take a hint back",
		.fields = "match flows refused",
		.args = {{"match", CTL_STR, true, true, .help = "as it was given"}}},
	{.name = "hint list",
		.handler = cmd_list,
		.help = "the VM's hints",
		.fields = "match place"},
	{.name = NULL},
};

const struct ctl_command *
guest_commands(void)
{
	return commands;
}
