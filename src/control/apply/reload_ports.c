// SPDX-License-Identifier: BSD-3-Clause
#include "apply/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apply/apply.h"
#include "ledger.h"
#include "switch/macs.h"
#include "device/ports.h"

// "/switches/0/ports/3": where the file says it.
static void
say_where(const struct config *cfg, const struct config_port *port, struct sl_err *err)
{
	const struct config_port *p;
	char place[64];
	unsigned n = 0;

	for (p = cfg->ports; p != port; p++)
		n += p->sw == port->sw;
	snprintf(place, sizeof(place), "/switches/%u/ports/%u/attach", port->sw, n);
	sl_err_prefix(err, place);
}

static const struct config_port *
port_by_id(const struct config *cfg, uint16_t id)
{
	uint16_t i;

	for (i = 0; i < cfg->n_ports; i++) {
		if (cfg->ports[i].id == id)
			return &cfg->ports[i];
	}
	return NULL;
}

static bool
same_attachment(const struct config_attachment *a, const struct config_attachment *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool
same_device(const struct config_attachment *a, const struct config_attachment *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CONFIG_ATTACH_NONE:
		return false;
	case CONFIG_ATTACH_NIC:
		return a->nic == b->nic;
	case CONFIG_ATTACH_VF:
		return a->nic == b->nic && a->vf == b->vf;
	case CONFIG_ATTACH_VHOST:
		return strcmp(a->path, b->path) == 0;
	case CONFIG_ATTACH_ETHDEV:
		return strcspn(a->dev, ",") == strcspn(b->dev, ",") &&
		       strncmp(a->dev, b->dev, strcspn(a->dev, ",")) == 0;
	}
	return false;
}

// A vport that goes away lets go of its device first only where another one is to have it (a port
// that was given another name): the others keep working until nothing can fail any more.
static bool
has_heir(const struct reload *r, const struct control_vport *v)
{
	uint16_t i;

	for (i = 0; i < r->next->n_ports; i++) {
		if (r->next->ports[i].id != v->cfg.id &&
			same_device(&r->next->ports[i].attach, &v->cfg.attach))
			return true;
	}
	return false;
}

// What was attached live to a port that has no attachment in the file, and had none: it stays, but
// where the file gives that device to another port.
static bool
stays_live(const struct reload *r, const struct config_port *p)
{
	const struct control_vport *v = &r->c->vports[p->id];
	const struct config_port *was = port_by_id(r->c->cfg, p->id);
	uint16_t i;

	if (!v->used || v->port == NULL || was == NULL || was->attach.kind != CONFIG_ATTACH_NONE ||
		p->attach.kind != CONFIG_ATTACH_NONE)
		return false;
	for (i = 0; i < r->next->n_ports; i++) {
		if (same_device(&r->next->ports[i].attach, &v->cfg.attach))
			return false;
	}
	return true;
}

// Whose attachment changes.
static bool
changes_hands(const struct reload *r, const struct config_port *p)
{
	return !same_attachment(&r->c->vports[p->id].cfg.attach, &p->attach) && !stays_live(r, p);
}

static bool
same_properties(const struct config_port *a, const struct config_port *b)
{
	struct config_port other = *b;

	other.attach = a->attach;
	return memcmp(a, &other, sizeof(other)) == 0;
}

static void
note_attachment(struct reload *r, const struct config_port *p)
{
	const struct config_attachment *now = &r->c->vports[p->id].cfg.attach;
	const struct config_port *was = port_by_id(r->c->cfg, p->id);
	char attachment[80], text[160];

	if (was == NULL || same_attachment(&was->attach, now)) {
		reload_note(r, "attachment changed:", p->name);
		return;
	}
	ports_attachment_text(r->c, now, attachment, sizeof(attachment));
	snprintf(text, sizeof(text), "%s (undoes what was done live: %s)", p->name, attachment);
	reload_note(r, "attachment changed:", text);
}

static void
note_ports(struct reload *r)
{
	uint16_t i;

	for (i = 0; i < r->next->n_ports; i++) {
		const struct config_port *p = &r->next->ports[i];
		const struct control_vport *v = &r->c->vports[p->id];

		if (!v->used)
			reload_note(r, "port added:", p->name);
		else if (changes_hands(r, p))
			note_attachment(r, p);
		else if (!same_properties(&v->cfg, p))
			reload_note(r, "properties changed:", p->name);
	}
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (r->c->vports[i].used && port_by_id(r->next, i) == NULL)
			reload_note(r, "port removed:", r->c->vports[i].cfg.name);
	}
}

// All devices that change hands are closed before any is opened, so that two vports can swap.
static int
take_off(struct reload *r, struct sl_err *err)
{
	uint16_t ids[DP_VPORTS_MAX], n = 0, i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &r->c->vports[i];
		const struct config_port *p = port_by_id(r->next, i);

		if (!v->used || (p == NULL && !has_heir(r, v)) ||
			(p != NULL && !changes_hands(r, p)))
			continue;
		r->taken[n] = v->cfg;
		ids[n++] = i;
	}
	if (apply_leave(r->c, ids, n) != 0)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	r->n_taken = n;
	return 0;
}

static int
open_port(struct reload *r, const struct config_port *p, struct sl_err *err)
{
	struct control_vport *v = &r->c->vports[p->id];
	int rc;

	if (v->used)
		return changes_hands(r, p) ? ports_attach(r->c, v, &p->attach, err) : 0;
	memset(v, 0, sizeof(*v));
	v->cfg = *p;
	rc = ledger_vport_new(r->c, p->id) == 0 ? ports_attach(r->c, v, &p->attach, err)
						: sl_err_set(err, ENOMEM, NULL, "out of memory");
	if (rc != 0) {
		memset(v, 0, sizeof(*v));
		return rc;
	}
	v->used = true;
	r->opened[r->n_opened++] = p->id;
	return 0;
}

int
reload_ports_first(struct reload *r, struct sl_err *err)
{
	uint16_t i;
	int rc;

	note_ports(r);
	if (r->dry)
		return 0;
	rc = take_off(r, err);
	if (rc != 0)
		return rc;
	for (i = 0; rc == 0 && i < r->next->n_ports; i++) {
		rc = open_port(r, &r->next->ports[i], err);
		if (rc != 0)
			say_where(r->next, &r->next->ports[i], err);
	}
	return rc;
}

void
reload_ports_undo(struct reload *r)
{
	struct control *c = r->c;
	uint16_t ids[2 * DP_VPORTS_MAX], n = 0, i;
	struct sl_err err;

	for (i = 0; i < r->n_opened; i++)
		ids[n++] = r->opened[i];
	for (i = 0; i < r->n_taken; i++)
		ids[n++] = r->taken[i].id;
	if (apply_leave(c, ids, n) != 0) {
		sl_log(c->log, SL_LOG_ERR, "out of memory: the attachments of the reload stay");
		return;
	}
	for (i = 0; i < r->n_opened; i++)
		memset(&c->vports[r->opened[i]], 0, sizeof(c->vports[0]));
	for (i = 0; i < r->n_taken; i++) {
		sl_err_init(&err);
		if (ports_attach(c, &c->vports[r->taken[i].id], &r->taken[i].attach, &err) != 0)
			sl_log(c->log, SL_LOG_ERR,
				"port %s: its old attachment does not open again: %s",
				r->taken[i].name, err.text);
	}
}

void
reload_ports_remove(struct reload *r)
{
	struct control *c = r->c;
	uint16_t ids[DP_VPORTS_MAX], n = 0, i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (!c->vports[i].used || port_by_id(r->next, i) != NULL)
			continue;
		macs_flush(c, c->vports[i].cfg.sw, (int)i, -1);
		ids[n++] = i;
	}
	if (apply_leave(c, ids, n) != 0) {
		sl_log(c->log, SL_LOG_ERR,
			"out of memory: removed ports stay until the next reload");
		return;
	}
	for (i = 0; i < n; i++)
		memset(&c->vports[ids[i]], 0, sizeof(c->vports[0]));
}

static bool
same_vlans(const struct config_port *a, const struct config_port *b)
{
	return a->vlan_mode == b->vlan_mode && a->vlan == b->vlan &&
	       memcmp(a->trunk, b->trunk, sizeof(a->trunk)) == 0;
}

void
reload_ports_second(struct reload *r)
{
	struct control *c = r->c;
	uint16_t i;

	for (i = 0; i < r->next->n_ports; i++) {
		const struct config_port *p = &r->next->ports[i];
		struct control_vport *v = &c->vports[p->id];
		const struct config_attachment attach = v->cfg.attach; // may be a live one
		bool mtu = v->cfg.mtu != p->mtu;

		if (!same_vlans(&v->cfg, p)) // they were learned in other VLANs
			macs_flush(c, p->sw, p->id, -1);
		v->cfg = *p;
		v->cfg.attach = attach;
		if (mtu)
			ports_set_mtu(c, v);
	}
}
