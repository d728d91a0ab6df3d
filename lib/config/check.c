// SPDX-License-Identifier: BSD-3-Clause
// What one thing says of another. Each check adds its own faults and changes nothing (but
// check_switch_ids).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_config.h>

#include "devargs.h"
#include "walk.h"

// Says where an element stands: "/ports/3" of the file, or of its switch.
static size_t
down_to(struct walk *w, const char *list, uint32_t place)
{
	size_t mark = walk_down(w, list);

	walk_down_index(w, place);
	return mark;
}

static size_t
down_to_port(struct walk *w, const struct config_port *port)
{
	uint32_t place = 0;
	size_t mark = down_to(w, "switches", port->sw);

	for (const struct config_port *p = w->cfg->ports; p != port; p++)
		place += p->sw == port->sw;
	down_to(w, "ports", place);
	return mark;
}

static void
check_rate(struct walk *w, uint64_t rate_bps, uint64_t burst_bytes)
{
	if (rate_bps > 0 && rate_bps < 1000)
		walk_fault(w, "/rate_bps", "%" PRIu64 " is below 1000 bit/s", rate_bps);
	if (burst_bytes > 0 && rate_bps == 0)
		walk_fault(w, "/burst_bytes", "needs rate_bps: a burst above which rate?");
	else if (burst_bytes > 0 && burst_bytes < 2000)
		walk_fault(w, "/burst_bytes", "%" PRIu64 " is below 2000, a frame", burst_bytes);
}

// Takes note of a text; true when it was there before. Empty texts are never twice.
static bool
seen_before(json_t *set, const char *text)
{
	if (text[0] == '\0')
		return false;
	if (json_object_get(set, text) != NULL)
		return true;
	json_object_set_new(set, text, json_true());
	return false;
}

static void
check_name(struct walk *w, json_t *set, const char *what, const char *name)
{
	if (seen_before(set, name))
		walk_fault(w, "/name", "there are two %s named \"%s\"", what, name);
}

// ---- names and numbers are unique

static void
check_part(struct walk *w, const char *key, uint32_t least, uint32_t most)
{
	if (most > 0 && least > most)
		walk_fault(w, key, "%u is above the maximum, %u", least, most);
}

// A VM's part of the hardware.
static void
check_parts(struct walk *w, const struct config_vm *vm)
{
	check_part(w, "/min_queues", vm->min_queues, vm->max_queues);
	check_part(w, "/min_entries", vm->min_entries, vm->max_entries);
	check_part(w, "/min_inserts", vm->min_inserts, vm->max_inserts);
	check_rate(w, vm->rate_bps, vm->burst_bytes);
}

static void
check_hint_socket(struct walk *w, json_t *set, const struct config_vm *vm)
{
	if (vm->hint_mode[strspn(vm->hint_mode, "01234567")] != '\0' ||
		strtoul(vm->hint_mode, NULL, 8) > 0777)
		walk_fault(w, "/hint_mode", "\"%s\" is not an octal mode from 000 to 777",
			vm->hint_mode);
	if (vm->hint_owner[0] != '\0' && vm->hint_socket[0] == '\0')
		walk_fault(w, "/hint_owner", "there is no hint_socket to own");
	if (seen_before(set, vm->hint_socket))
		walk_fault(w, "/hint_socket", "another VM has the same one");
}

static void
check_top_names(struct walk *w)
{
	json_t *classes = json_object(), *nics = json_object(), *vms = json_object();
	json_t *switches = json_object(), *sockets = json_object();
	size_t mark;

	for (uint16_t i = 0; i < w->cfg->n_classes; i++) {
		mark = down_to(w, "classes", i);
		check_name(w, classes, "classes", w->cfg->classes[i].name);
		check_rate(w, w->cfg->classes[i].rate_bps, w->cfg->classes[i].burst_bytes);
		walk_up(w, mark);
	}
	for (uint16_t i = 0; i < w->cfg->n_nics; i++) {
		mark = down_to(w, "nics", i);
		check_name(w, nics, "NICs", w->cfg->nics[i].name);
		walk_up(w, mark);
	}
	for (uint16_t i = 0; i < w->cfg->n_vms && w->vms_given; i++) {
		mark = down_to(w, "vms", i);
		check_name(w, vms, "VMs", w->cfg->vms[i].name);
		check_hint_socket(w, sockets, &w->cfg->vms[i]);
		check_parts(w, &w->cfg->vms[i]);
		walk_up(w, mark);
	}
	for (uint16_t i = 0; i < w->cfg->n_switches; i++) {
		mark = down_to(w, "switches", i);
		check_name(w, switches, "switches", w->cfg->switches[i].name);
		walk_up(w, mark);
	}
	json_decref(classes);
	json_decref(nics);
	json_decref(vms);
	json_decref(switches);
	json_decref(sockets);
}

static void
check_switch_ids(struct walk *w)
{
	struct config *cfg = w->cfg;

	for (uint16_t i = 0; i < cfg->n_switches; i++) {
		if (cfg->switches[i].id == 0)
			cfg->switches[i].id = i + 1;
	}
	for (uint16_t i = 0; i < cfg->n_switches; i++) {
		size_t mark = down_to(w, "switches", i);

		for (uint16_t j = 0; j < i; j++) {
			if (cfg->switches[j].id == cfg->switches[i].id)
				walk_fault(w, "/id", "%u is the id of \"%s\" too",
					cfg->switches[i].id, cfg->switches[j].name);
		}
		walk_up(w, mark);
	}
}

static void
check_tables(struct walk *w, uint16_t sw)
{
	uint64_t ids = 0; // numbers are 0 to 63
	json_t *names = json_object();
	uint32_t place = 0;

	for (uint16_t i = 0; i < w->cfg->n_tables; i++) {
		const struct config_table *t = &w->cfg->tables[i];
		size_t mark;

		if (t->sw != sw)
			continue;
		mark = down_to(w, "tables", place++);
		if ((ids >> t->id & 1) != 0)
			walk_fault(w, "/id", "there are two tables %u", t->id);
		ids |= UINT64_C(1) << t->id;
		check_name(w, names, "tables", t->name);
		walk_up(w, mark);
	}
	if ((ids & 1) == 0)
		walk_fault(w, "/tables", "there is no table 0, where packets begin");
	json_decref(names);
}

static void
check_rules(struct walk *w, uint16_t sw)
{
	json_t *names = json_object();
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->cfg->n_rules; i++) {
		size_t mark;

		if (w->cfg->rules[i].sw != sw)
			continue;
		mark = down_to(w, "rules", n++);
		check_name(w, names, "rules", w->cfg->rules[i].name);
		walk_up(w, mark);
	}
	if (n > w->cfg->switches[sw].max_rules)
		walk_fault(w, "/rules", "%u are above max_rules %u", n,
			w->cfg->switches[sw].max_rules);
	json_decref(names);
}

static void
check_extensions(struct walk *w, uint16_t sw)
{
	json_t *names = json_object();
	uint32_t n = 0;

	for (uint16_t i = 0; i < w->cfg->n_extensions; i++) {
		size_t mark;

		if (w->cfg->extensions[i].sw != sw)
			continue;
		mark = down_to(w, "extensions", n++);
		check_name(w, names, "extensions", w->cfg->extensions[i].name);
		walk_up(w, mark);
	}
	if (n > CONFIG_EXTENSIONS_MAX)
		walk_fault(w, "/extensions", "%u are above %d", n, CONFIG_EXTENSIONS_MAX);
	json_decref(names);
}

// ---- NICs

static void
check_nic_queues(struct walk *w, const struct config_nic *nic)
{
	if (nic->default_queues > nic->queues)
		walk_fault(w, "/default_queues", "%u is above queues %u", nic->default_queues,
			nic->queues);
	if (nic->vf_default_queues > nic->vf_queues)
		walk_fault(w, "/vf_default_queues", "%u is above vf_queues %u",
			nic->vf_default_queues, nic->vf_queues);
}

// The emulated NIC's arguments say how many it has; any NIC's representors say which VFs are used.
static void
check_nic_dev(struct walk *w, const struct config_nic *nic)
{
	char value[64];
	unsigned long has;
	unsigned top, faults = w->n_faults;
	int n;

	if (strncmp(nic->dev, "net_emunic", 10) == 0) {
		has = devargs_value(nic->dev, "vfs", value, sizeof(value)) ? strtoul(value, NULL, 0)
									   : UINT16_MAX;
		if (nic->vfs > has)
			walk_fault(w, "/vfs", "%u is above the %lu VFs that dev gives the NIC",
				nic->vfs, has);
		has = devargs_value(nic->dev, "queues", value, sizeof(value))
			      ? strtoul(value, NULL, 0)
			      : UINT16_MAX;
		if (nic->queues > has)
			walk_fault(w, "/queues",
				"%u is above the %lu queues that dev gives the NIC", nic->queues,
				has);
	}
	if (w->n_faults != faults || !devargs_value(nic->dev, "representor", value, sizeof(value)))
		return;
	n = devargs_representors(value, &top);
	if (n >= 0 && (nic->vfs > (unsigned)n || nic->vfs > top))
		walk_fault(w, "/vfs", "%u is above the %d of representor=%s in dev", nic->vfs, n,
			value);
}

// Is this the device that another NIC or port has?
static bool
is_device_taken(json_t *devices, const char *dev)
{
	char name[CONFIG_DEVARGS_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)devargs_name_len(dev), dev);
	return seen_before(devices, name);
}

static void
check_nics(struct walk *w, json_t *devices)
{
	for (uint16_t i = 0; i < w->cfg->n_nics; i++) {
		const struct config_nic *nic = &w->cfg->nics[i];
		size_t mark = down_to(w, "nics", i);

		check_nic_queues(w, nic);
		check_nic_dev(w, nic);
		if (is_device_taken(devices, nic->dev))
			walk_fault(w, "/dev", "device %.*s is used twice",
				(int)devargs_name_len(nic->dev), nic->dev);
		check_standby(w, i);
		walk_up(w, mark);
	}
}

// DPDK has a fixed table of devices: each NIC, each representor and each ethdev takes a place.
static void
check_device_count(struct walk *w)
{
	unsigned n = w->cfg->n_nics;

	for (uint16_t i = 0; i < w->cfg->n_nics; i++)
		n += w->cfg->nics[i].vfs;
	for (uint16_t i = 0; i < w->cfg->n_ports; i++)
		n += w->cfg->ports[i].attach.kind == CONFIG_ATTACH_ETHDEV;
	if (n > RTE_MAX_ETHPORTS)
		walk_fault(w, "/nics",
			"%u DPDK devices (NICs, VF representors, ethdev ports) are above the %d "
			"that "
			"this DPDK has room for",
			n, RTE_MAX_ETHPORTS);
}

// ---- ports

static void
check_vf(struct walk *w, const struct config_port *port)
{
	const struct config_nic *nic = &w->cfg->nics[port->attach.nic];

	if (nic->vfs == 0)
		walk_fault(w, "/attach/vf", "%s has no VFs (see its vfs)", nic->name);
	else if (port->attach.vf >= nic->vfs)
		walk_fault(w, "/attach/vf", "%u is above %u (%s has %u VFs)", port->attach.vf,
			nic->vfs - 1u, nic->name, nic->vfs);
}

// A PF or VF carries one port.
static void
check_shared_nic(struct walk *w, const struct config_port *port)
{
	const struct config_attachment *a = &port->attach;

	for (const struct config_port *p = w->cfg->ports; p != port; p++) {
		if (p->attach.kind != a->kind || p->attach.nic != a->nic)
			continue;
		if (a->kind == CONFIG_ATTACH_NIC)
			walk_fault(w, "/attach/nic", "%s carries port \"%s\" already",
				w->cfg->nics[a->nic].name, p->name);
		else if (p->attach.vf == a->vf)
			walk_fault(w, "/attach/vf", "VF %u of %s carries port \"%s\" already",
				a->vf, w->cfg->nics[a->nic].name, p->name);
		else
			continue;
		return;
	}
}

static void
check_attachment(struct walk *w, const struct config_port *port, json_t *devices, json_t *sockets)
{
	switch (port->attach.kind) {
	case CONFIG_ATTACH_NONE:
		return;
	case CONFIG_ATTACH_VF:
		check_vf(w, port);
		check_shared_nic(w, port);
		check_standby_port(w, port);
		return;
	case CONFIG_ATTACH_NIC:
		check_shared_nic(w, port);
		check_standby_port(w, port);
		return;
	case CONFIG_ATTACH_VHOST:
		if (seen_before(sockets, port->attach.path))
			walk_fault(w, "/attach/path", "%s is used twice", port->attach.path);
		return;
	case CONFIG_ATTACH_ETHDEV:
		if (is_device_taken(devices, port->attach.dev))
			walk_fault(w, "/attach/dev", "device %.*s is used twice",
				(int)devargs_name_len(port->attach.dev), port->attach.dev);
		return;
	}
}

static void
check_ports(struct walk *w, json_t *devices, json_t *sockets)
{
	json_t *names = json_object();

	for (uint16_t i = 0; i < w->cfg->n_ports; i++) {
		const struct config_port *port = &w->cfg->ports[i];
		size_t mark = down_to_port(w, port);

		check_name(w, names, "ports", port->name);
		check_attachment(w, port, devices, sockets);
		check_miss(w, port);
		check_rate(w, port->rate_bps, port->burst_bytes);
		if (port->mac_check && port->n_macs == 0)
			walk_fault(
				w, "/mac_check", "needs macs: without any, all would be dropped");
		if (port->ip_check && port->n_ips == 0)
			walk_fault(w, "/ip_check", "needs ips: without any, all would be dropped");
		walk_up(w, mark);
	}
	json_decref(names);
}

static void
check_single_values(struct walk *w, json_t *sockets)
{
	const struct config *cfg = w->cfg;

	seen_before(sockets, cfg->socket);
	if (seen_before(sockets, cfg->socket_ro))
		walk_fault(w, "/control/readonly_socket", "%s is used twice", cfg->socket_ro);
	if (cfg->offload.light_bps > cfg->offload.heavy_bps)
		walk_fault(w, "/offload/light_bps", "%" PRIu64 " is above heavy_bps %" PRIu64,
			cfg->offload.light_bps, cfg->offload.heavy_bps);
	if (cfg->offload.min_bps > cfg->offload.heavy_bps)
		walk_fault(w, "/offload/min_bps", "%" PRIu64 " is above heavy_bps %" PRIu64,
			cfg->offload.min_bps, cfg->offload.heavy_bps);
	if (cfg->n_classes == 0)
		walk_fault(w, "/classes", "there must be one class");
	for (uint16_t i = 0; i < cfg->n_classes; i++) {
		size_t mark = down_to(w, "classes", i);

		if ((cfg->classes[i].depth & (cfg->classes[i].depth - 1)) != 0)
			walk_fault(w, "/depth", "%u is no power of two", cfg->classes[i].depth);
		walk_up(w, mark);
	}
}

void
check_all(struct walk *w)
{
	json_t *devices = json_object(), *sockets = json_object();

	check_single_values(w, sockets);
	check_top_names(w);
	check_switch_ids(w);
	check_nics(w, devices);
	check_ports(w, devices, sockets);
	check_device_count(w);
	for (uint16_t i = 0; i < w->cfg->n_switches; i++) {
		size_t mark = down_to(w, "switches", i);

		check_tables(w, i);
		check_rules(w, i);
		check_extensions(w, i);
		walk_up(w, mark);
	}
	json_decref(devices);
	json_decref(sockets);
}
