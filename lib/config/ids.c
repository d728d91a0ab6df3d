// SPDX-License-Identifier: BSD-3-Clause
// Numbers that outlive a reload: of vports and of VMs.
#include <stdlib.h>
#include <string.h>

#include "walk.h"

// ---- vports

static const struct config_port *
find_old_port(const struct config *old, uint16_t switch_id, const char *name)
{
	for (uint16_t i = 0; old != NULL && i < old->n_ports; i++) {
		const struct config_port *p = &old->ports[i];

		if (old->switches[p->sw].id == switch_id && strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static uint16_t
free_id(const bool *first, const bool *then)
{
	for (uint16_t i = 0; i < CONFIG_PORTS_MAX; i++) {
		if (!first[i] && !then[i])
			return i;
	}
	for (uint16_t i = 0; i < CONFIG_PORTS_MAX; i++) {
		if (!first[i])
			return i;
	}
	return 0; // not reached: there are at most as many ports as ids
}

// Old vports keep their ids; new ones get ids that no vport of the old configuration had, while
// there are such. All are below CONFIG_PORTS_MAX.
void
assign_port_ids(struct walk *w)
{
	bool taken[CONFIG_PORTS_MAX] = {false}, before[CONFIG_PORTS_MAX] = {false};
	bool kept[CONFIG_PORTS_MAX] = {false};
	struct config *cfg = w->cfg;

	for (uint16_t i = 0; w->old != NULL && i < w->old->n_ports; i++)
		before[w->old->ports[i].id] = true;
	for (uint16_t i = 0; i < cfg->n_ports; i++) {
		struct config_port *p = &cfg->ports[i];
		const struct config_switch *sw = &cfg->switches[p->sw];
		const struct config_port *o =
			find_old_port(w->old, sw->id != 0 ? sw->id : p->sw + 1, p->name);

		if (o == NULL || taken[o->id])
			continue;
		p->id = o->id;
		taken[p->id] = kept[i] = true;
	}
	for (uint16_t i = 0; i < cfg->n_ports; i++) {
		if (kept[i])
			continue;
		cfg->ports[i].id = free_id(taken, before);
		taken[cfg->ports[i].id] = true;
	}
}

// ---- VMs

static int
find_vm(const struct config_vm *vms, uint16_t n, const char *name)
{
	for (uint16_t i = 0; i < n; i++) {
		if (strcmp(vms[i].name, name) == 0)
			return i;
	}
	return -1;
}

static uint16_t
gone_vm(const struct config *cfg, const struct config_vm *vms)
{
	uint16_t i = 0;

	while (find_vm(cfg->vms, cfg->n_vms, vms[i].name) >= 0)
		i++;
	return i;
}

// VMs of the old configuration keep their places, also those that are gone; new ones stand behind
// them, or, when there is no room, take the place of one that is gone.
void
keep_vm_order(struct walk *w)
{
	struct config *cfg = w->cfg;
	uint16_t n = w->old == NULL ? 0 : w->old->n_vms;
	int16_t place[CONFIG_PORTS_MAX];
	struct config_vm *vms;

	if (n == 0)
		return;
	vms = calloc(CONFIG_PORTS_MAX, sizeof(*vms));
	if (vms == NULL) {
		walk_fault(w, NULL, "out of memory");
		return;
	}
	for (uint16_t i = 0; i < n; i++)
		memcpy(vms[i].name, w->old->vms[i].name, sizeof(vms[i].name));
	for (uint16_t i = 0; i < cfg->n_vms; i++)
		place[i] = (int16_t)find_vm(w->old->vms, w->old->n_vms, cfg->vms[i].name);
	for (uint16_t i = 0; i < cfg->n_vms; i++) {
		if (place[i] < 0)
			place[i] = (int16_t)(n < CONFIG_PORTS_MAX ? n++ : gone_vm(cfg, vms));
		vms[place[i]] = cfg->vms[i];
	}
	for (uint16_t i = 0; i < cfg->n_ports; i++) {
		if (cfg->ports[i].vm >= 0)
			cfg->ports[i].vm = place[cfg->ports[i].vm];
	}
	free(cfg->vms);
	cfg->vms = vms;
	cfg->n_vms = n;
}
