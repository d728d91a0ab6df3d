// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>

#include "cmd/answer.h"
#include "apply/apply.h"
#include "cmd/commands.h"
#include "switch/macs.h"

struct list_ctx {
	struct control *c;
	json_t *items;
	uint16_t sw;
	int port;
	uint64_t total, limit;
};

static void
add_mac(void *ctx, const struct mac_info *m)
{
	struct list_ctx *l = ctx;
	char mac[18];

	if (l->port >= 0 && m->vport != l->port)
		return;
	l->total++;
	if (l->limit != 0 && json_array_size(l->items) >= l->limit)
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m->addr[0], m->addr[1],
		m->addr[2], m->addr[3], m->addr[4], m->addr[5]);
	json_array_append_new(
		l->items, json_pack("{ss si ss ss si}", "switch", l->c->cfg->switches[l->sw].name,
				  "vlan", (int)m->vlan, "mac", mac, "port",
				  port_name(l->c, m->vport), "age_s", (int)m->age_s));
}

COMMAND(cmd_mac_list)
{
	struct control *c = app;
	struct list_ctx l = {.c = c, .port = -1, .limit = (uint64_t)arg_int(args, "limit", 100)};
	struct control_vport *v = NULL;
	int only = -1;
	uint16_t sw;

	if (arg_str(args, "port") != NULL) {
		v = arg_port(c, args, err);
		if (v == NULL)
			return err->code;
		l.port = v->cfg.id;
	}
	if (arg_str(args, "switch") != NULL) {
		only = arg_switch(c, args, err);
		if (only < 0)
			return only;
	}
	l.items = json_array();
	for (sw = 0; sw < c->cfg->n_switches; sw++) {
		l.sw = sw;
		if (only < 0 || only == sw)
			macs_each(c, sw, add_mac, &l);
	}
	*result = json_items(l.items, l.total);
	return 0;
}

COMMAND(cmd_mac_flush)
{
	struct control *c = app;
	struct control_vport *v = NULL;
	uint32_t n;
	int sw = arg_switch(c, args, err);

	if (sw < 0)
		return sw;
	if (arg_str(args, "port") != NULL) {
		v = arg_port(c, args, err);
		if (v == NULL)
			return err->code;
		if (v->cfg.sw != sw)
			return sl_err_set(
				err, EINVAL, "port", "%s is a port of another switch", v->cfg.name);
	}
	n = macs_flush(c, (uint16_t)sw, v == NULL ? -1 : v->cfg.id, (int)arg_int(args, "vlan", -1));
	apply_decisions(c);
	*result = json_pack("{si}", "flushed", (int)n);
	return 0;
}
