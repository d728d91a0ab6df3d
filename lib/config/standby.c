// SPDX-License-Identifier: BSD-3-Clause
// NICs that stand by for others: who for whom, and which VF for which.
#include <string.h>

#include "walk.h"

static int
nic_by_name(const struct config *cfg, const char *name)
{
	for (uint16_t i = 0; i < cfg->n_nics; i++) {
		if (strcmp(cfg->nics[i].name, name) == 0)
			return i;
	}
	return -1;
}

int
config_primary_of(const struct config *cfg, uint16_t nic)
{
	const char *name = cfg->nics[nic].standby_for;

	return name[0] == '\0' ? -1 : nic_by_name(cfg, name);
}

int
config_standby_of(const struct config *cfg, uint16_t nic)
{
	for (uint16_t i = 0; i < cfg->n_nics; i++) {
		if (strcmp(cfg->nics[i].standby_for, cfg->nics[nic].name) == 0)
			return i;
	}
	return -1;
}

uint16_t
config_standby_vf(const struct config_attachment *a)
{
	return a->standby_vf == CONFIG_SAME_VF ? a->vf : a->standby_vf;
}

// What moves to it may still hold packet buffers of the NIC that it stands by for, so that it is
// the one that is closed first: the later one in the list.
void
check_standby(struct walk *w, uint16_t i)
{
	const struct config_nic *nic = &w->cfg->nics[i];
	int primary = config_primary_of(w->cfg, i);

	if (nic->standby_for[0] == '\0')
		return;
	if (primary < 0)
		walk_fault(w, "/standby_for", "there is no NIC named \"%s\"", nic->standby_for);
	else if (primary >= i)
		walk_fault(w, "/standby_for", "%s has to stand before it in the list",
			nic->standby_for);
	else if (w->cfg->nics[primary].standby_for[0] != '\0')
		walk_fault(w, "/standby_for", "%s stands by itself, for %s", nic->standby_for,
			w->cfg->nics[primary].standby_for);
	else if (config_standby_of(w->cfg, (uint16_t)primary) != i)
		walk_fault(w, "/standby_for", "%s has a standby already: %s", nic->standby_for,
			w->cfg->nics[config_standby_of(w->cfg, (uint16_t)primary)].name);
}

// Nothing is attached to a standby: it gets what its NIC has. What that has needs a place there.
void
check_standby_port(struct walk *w, const struct config_port *port)
{
	const struct config_attachment *a = &port->attach;
	const struct config *cfg = w->cfg;
	int standby = config_standby_of(cfg, a->nic);

	if (cfg->nics[a->nic].standby_for[0] != '\0')
		walk_fault(w, "/attach/nic",
			"%s stands by for %s: ports are attached to that one, and move with it",
			cfg->nics[a->nic].name, cfg->nics[a->nic].standby_for);
	if (standby < 0 || a->kind != CONFIG_ATTACH_VF) {
		if (standby < 0 && a->kind == CONFIG_ATTACH_VF && a->standby_vf != CONFIG_SAME_VF)
			walk_fault(w, "/attach/standby_vf", "%s has no standby",
				cfg->nics[a->nic].name);
		return;
	}
	if (config_standby_vf(a) >= cfg->nics[standby].vfs)
		walk_fault(w, "/attach/standby_vf", "%u: the standby %s has %u VFs",
			config_standby_vf(a), cfg->nics[standby].name, cfg->nics[standby].vfs);
	for (const struct config_port *p = cfg->ports; p != port; p++) {
		if (p->attach.kind == CONFIG_ATTACH_VF && p->attach.nic == a->nic &&
			config_standby_vf(&p->attach) == config_standby_vf(a))
			walk_fault(w, "/attach/standby_vf",
				"VF %u of %s is for port \"%s\" already", config_standby_vf(a),
				cfg->nics[standby].name, p->name);
	}
}
