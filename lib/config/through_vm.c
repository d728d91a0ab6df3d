// SPDX-License-Identifier: BSD-3-Clause
// VFs whose misses go through their VM: what has to be there for that.
#include "walk.h"

// Has its VM a port by which its guest can hand them in?
static bool
has_way_back(const struct config *cfg, const struct config_port *port)
{
	for (uint16_t i = 0; i < cfg->n_ports; i++) {
		const struct config_port *p = &cfg->ports[i];

		if (p->attach.kind == CONFIG_ATTACH_VHOST && p->vm == port->vm)
			return true;
	}
	return false;
}

void
check_miss(struct walk *w, const struct config_port *port)
{
	const enum config_attach kind = port->attach.kind;

	if (!port->miss_vm)
		return;
	if (kind != CONFIG_ATTACH_VF && kind != CONFIG_ATTACH_NONE)
		walk_fault(w, "/miss", "is for a port that a VF carries");
	else if (port->vm < 0)
		walk_fault(w, "/miss", "goes through a VM, and port \"%s\" has none", port->name);
	else if (!w->cfg->offload.enabled || !w->cfg->offload.vm_tables)
		walk_fault(w, "/miss",
			"is about the port's table in the NIC: needs /offload/vm_tables");
	else if (!has_way_back(w->cfg, port))
		walk_fault(w, "/miss",
			"needs a port of VM \"%s\" that is attached by vhost-user, by which its "
			"guest passes on what the VF is given",
			w->cfg->vms[port->vm].name);
}
