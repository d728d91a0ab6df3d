// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "apply/apply.h"
#include "cmd/commands.h"
#include "cmd/known.h"
#include "failover/carry.h"
#include "ledger.h"
#include "place/misses.h"
#include "switch/macs.h"
#include "device/ports.h"

static const char *
state_of(const struct control_vport *v)
{
	if (v->port == NULL)
		return "detached";
	return v->port->ops->link(v->port) ? "up" : "down";
}

static json_t *
vlan_json(const struct config_port *p)
{
	char text[32];

	if (p->vlan_mode == CONFIG_VLAN_TRUNK)
		return json_string("trunk");
	snprintf(text, sizeof(text), "%s %u",
		p->vlan_mode == CONFIG_VLAN_ACCESS ? "access" : "native", p->vlan);
	return json_string(text);
}

static json_t *
port_json(struct control *c, const struct control_vport *v, const struct ledger *l)
{
	char attachment[256], carrier[256];
	const uint16_t id = v->cfg.id;
	const struct control_eswitch *hw = &c->eswitch[id];

	ports_attachment_text(c, &v->cfg.attach, attachment, sizeof(attachment));
	carry_text(c, v, carrier, sizeof(carrier));
	return json_pack("{ss ss si ss ss ss ss si so si sI sI sI sI sI sI sI sI sI}", "name",
		v->cfg.name, "switch", c->cfg->switches[v->cfg.sw].name, "id", (int)id, "vm",
		vm_name(c, v->cfg.vm), "attachment", attachment, "carried_by", carrier, "state",
		state_of(v), "queues", v->port == NULL ? 0 : (int)v->port->n_rxq, "vlan",
		vlan_json(&v->cfg), "mtu", (int)v->cfg.mtu, "rx_packets",
		(json_int_t)l->vport[id].received, "tx_packets", (json_int_t)l->delivered[id],
		"rx_bytes", (json_int_t)l->received_bytes[id], "tx_bytes",
		(json_int_t)l->delivered_bytes[id], "dropped", (json_int_t)l->vport[id].dropped,
		"hw_rx_packets", (json_int_t)hw->rx_packets, "hw_tx_packets",
		(json_int_t)hw->tx_packets, "hw_rx_bytes", (json_int_t)hw->rx_bytes, "hw_tx_bytes",
		(json_int_t)hw->tx_bytes);
}

COMMAND(cmd_port_list)
{
	struct control *c = app;
	const char *vm = arg_str(args, "vm");
	const char *sw = arg_str(args, "switch");
	struct ledger *l = malloc(sizeof(*l));
	json_t *items = json_array();
	unsigned i;

	if (l == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	ledger_read(c, l, NULL);
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];

		if (!v->used || (vm != NULL && strcmp(vm_name(c, v->cfg.vm), vm) != 0) ||
			(sw != NULL && strcmp(c->cfg->switches[v->cfg.sw].name, sw) != 0))
			continue;
		json_array_append_new(items, port_json(c, v, l));
	}
	free(l);
	*result = json_items(items, 0);
	return 0;
}

static struct qos_held
held_for(const struct control *c, uint16_t vport)
{
	const struct qos_account *accounts[DP_WORKERS_MAX];
	uint16_t w;

	for (w = 0; w < c->n_workers; w++)
		accounts[w] = &dp_accounts(c->dp, w)[vport];
	return qos_account_held(accounts, c->n_workers);
}

// Who moves packets through the rings of the guest, and what was wrong with them.
static void
rings_json(const struct control_vport *v, json_t *out)
{
	struct dp_vhost_rings rings;
	char text[160];

	if (v->port == NULL || !dp_port_vhost_rings(v->port, &rings))
		return;
	json_object_set_new(out, "rings",
		json_string(!rings.guest ? "no guest"
			    : rings.own  ? "own"
					 : "rte_vhost"));
	json_object_set_new(out, "refused_by_rings", json_integer((json_int_t)rings.refused));
	json_object_set_new(out, "guests_waited", json_integer((json_int_t)rings.strangers));
	if (rings.broken == 0)
		return;
	snprintf(text, sizeof(text), "%u, the first is ring %u (%s the guest): %s", rings.broken,
		rings.first, rings.first % 2 == 0 ? "to" : "from", rings.why);
	json_object_set_new(out, "broken_rings", json_string(text));
}

COMMAND(cmd_port_show)
{
	struct control *c = app;
	struct control_vport *v = arg_port(c, args, err);
	struct qos_held held;
	struct ledger *l;

	if (v == NULL)
		return err->code;
	l = malloc(sizeof(*l));
	if (l == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	ledger_read(c, l, NULL);
	held = held_for(c, v->cfg.id);
	*result = port_json(c, v, l);
	misses_json(c, v, *result);
	rings_json(v, *result);
	json_object_set_new(*result, "drops", ledger_drops(&l->vport[v->cfg.id]));
	json_object_set_new(*result, "held_packets", json_integer(held.packets));
	json_object_set_new(*result, "held_bytes", json_integer(held.bytes));
	json_object_set_new(*result, "mac_check", json_boolean(v->cfg.mac_check));
	json_object_set_new(*result, "ip_check", json_boolean(v->cfg.ip_check));
	json_object_set_new(*result, "storm_pps",
		v->cfg.storm_pps > 0 ? json_integer(v->cfg.storm_pps) : json_null());
	json_object_set_new(*result, "rate", json_rate(v->cfg.rate_bps, v->cfg.burst_bytes));
	json_object_set_new(*result, "max_queues", json_integer(v->cfg.max_queues));
	free(l);
	return 0;
}

static int
vf_in_use(const struct control *c, const struct config_attachment *a)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct config_attachment *o = &c->vports[i].cfg.attach;

		if (c->vports[i].used && c->vports[i].port != NULL && o->kind == a->kind &&
			o->nic == a->nic && (a->kind != CONFIG_ATTACH_VF || o->vf == a->vf) &&
			(a->kind == CONFIG_ATTACH_VF || a->kind == CONFIG_ATTACH_NIC))
			return (int)i;
	}
	return -1;
}

static int
nic_args(const struct control *c, const json_t *args, struct config_attachment *a,
	struct sl_err *err)
{
	const char *nic = arg_str(args, "nic");
	int index = nic == NULL ? -ENOENT : find_nic(c, nic), user, standby;

	if (index < 0)
		return no_nic(c, nic, err);
	a->nic = (uint16_t)index;
	a->vf = (uint16_t)arg_int(args, "vf", 0);
	if (a->kind == CONFIG_ATTACH_VF && a->vf >= c->cfg->nics[index].vfs)
		return sl_err_set(err, EINVAL, "vf", "%u is above %d (%s has %u VFs)", a->vf,
			c->cfg->nics[index].vfs - 1, nic, c->cfg->nics[index].vfs);
	a->standby_vf = a->kind == CONFIG_ATTACH_VF ? CONFIG_SAME_VF : 0;
	if (config_primary_of(c->cfg, (uint16_t)index) >= 0)
		return sl_err_set(err, EINVAL, "nic",
			"%s stands by for %s: attach to that one, ports move with it", nic,
			c->cfg->nics[index].standby_for);
	standby = config_standby_of(c->cfg, (uint16_t)index);
	if (standby >= 0 && a->kind == CONFIG_ATTACH_VF && a->vf >= c->cfg->nics[standby].vfs)
		return sl_err_set(err, EINVAL, "vf", "%u is above %d (the standby %s has %u VFs)",
			a->vf, c->cfg->nics[standby].vfs - 1, c->cfg->nics[standby].name,
			c->cfg->nics[standby].vfs);
	user = vf_in_use(c, a);
	if (user >= 0)
		return sl_err_set(err, EBUSY, "nic", "port %s has it", c->vports[user].cfg.name);
	return 0;
}

static int
attach_args(const struct control *c, const json_t *args, struct config_attachment *a,
	struct sl_err *err)
{
	const char *kind = arg_str(args, "kind"), *path = arg_str(args, "path"),
		   *dev = arg_str(args, "dev");
	const char *mode = arg_str(args, "mode");
	const char *rings = arg_str(args, "rings");
	int64_t queues = arg_int(args, "queues", 1);

	memset(a, 0, sizeof(*a));
	if (queues < 1 || queues > DP_QUEUES_MAX)
		return sl_err_set(err, EINVAL, "queues", "1 to %u are possible", DP_QUEUES_MAX);
	a->queues = (uint16_t)queues;
	if (strcmp(kind, "nic") == 0 || strcmp(kind, "vf") == 0) {
		a->kind = kind[0] == 'n' ? CONFIG_ATTACH_NIC : CONFIG_ATTACH_VF;
		a->queues = 0;
		return nic_args(c, args, a, err);
	}
	if (strcmp(kind, "vhost-user") == 0) {
		a->kind = CONFIG_ATTACH_VHOST;
		if (path == NULL || path[0] == '\0' || strlen(path) >= sizeof(a->path))
			return sl_err_set(err, EINVAL, "path",
				"the path of the socket is needed, below %zu characters",
				sizeof(a->path));
		if (mode != NULL && strcmp(mode, "server") != 0 && strcmp(mode, "client") != 0)
			return sl_err_set(
				err, EINVAL, "mode", "\"%s\" is not server or client", mode);
		if (rings != NULL && strcmp(rings, "own") != 0 && strcmp(rings, "rte_vhost") != 0)
			return sl_err_set(
				err, EINVAL, "rings", "\"%s\" is not own or rte_vhost", rings);
		snprintf(a->path, sizeof(a->path), "%s", path);
		a->library_rings = rings != NULL && strcmp(rings, "rte_vhost") == 0;
		a->client = mode != NULL && strcmp(mode, "client") == 0;
		return 0;
	}
	if (strcmp(kind, "ethdev") == 0) {
		a->kind = CONFIG_ATTACH_ETHDEV;
		if (dev == NULL || dev[0] == '\0' || strlen(dev) >= sizeof(a->dev))
			return sl_err_set(err, EINVAL, "dev",
				"device arguments are needed, below %zu characters",
				sizeof(a->dev));
		snprintf(a->dev, sizeof(a->dev), "%s", dev);
		return 0;
	}
	return sl_err_set(err, EINVAL, "kind", "\"%s\" is not nic, vf, vhost-user or ethdev", kind);
}

static json_t *
attach_answer(const struct control *c, const struct control_vport *v)
{
	char attachment[256];

	ports_attachment_text(c, &v->cfg.attach, attachment, sizeof(attachment));
	return json_pack(
		"{ss ss ss}", "name", v->cfg.name, "attachment", attachment, "state", state_of(v));
}

COMMAND(cmd_port_attach)
{
	struct control *c = app;
	struct control_vport *v = arg_port(c, args, err);
	struct config_attachment a;
	int rc;

	if (v == NULL)
		return err->code;
	if (v->port != NULL)
		return sl_err_set(
			err, EEXIST, "port", "%s has an attachment: detach it first", v->cfg.name);
	rc = attach_args(c, args, &a, err);
	if (rc == 0)
		rc = ports_attach(c, v, &a, err);
	if (rc != 0)
		return rc;
	rc = apply_decisions(c);
	if (rc != 0) { // no worker has seen it
		ports_close(c, v, ports_detach(c, v));
		return sl_err_set(err, rc, NULL, "out of memory");
	}
	*result = attach_answer(c, v);
	return 0;
}

COMMAND(cmd_port_detach)
{
	struct control *c = app;
	struct control_vport *v = arg_port(c, args, err);
	uint16_t id;

	if (v == NULL)
		return err->code;
	if (v->port == NULL)
		return sl_err_set(err, ENOENT, "port", "%s has no attachment", v->cfg.name);
	id = v->cfg.id;
	if (apply_leave(c, &id, 1) != 0)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	*result = attach_answer(c, v);
	return 0;
}
