// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>

#include <rte_cycles.h>

#include "assign/groups.h"

#define EXPORT __attribute__((visibility("default")))

static int
find_port(uint16_t port_id, struct emu_port **port)
{
	if (!rte_eth_dev_is_valid_port(port_id) || !emu_is_port(&rte_eth_devices[port_id]))
		return -ENODEV;
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return -ENOTSUP;
	*port = rte_eth_devices[port_id].data->dev_private;
	return 0;
}

static int
find_port_or_say(uint16_t port_id, struct emu_port **port, char *why, size_t why_len)
{
	int ret = find_port(port_id, port);

	if (ret != 0)
		snprintf(why, why_len, "%s",
			ret == -ENODEV ? "no such port of an emulated NIC"
				       : "only the primary process changes the NIC");
	return ret;
}

EXPORT int
rte_pmd_emunic_group_set(
	uint16_t port_id, uint16_t group, const char *text, char *why, size_t why_len)
{
	struct emu_port *port;
	int ret = find_port_or_say(port_id, &port, why, why_len);

	return ret != 0 ? ret : emu_groups_set(port, group, text, why, why_len);
}

EXPORT int
rte_pmd_emunic_group_del(uint16_t port_id, uint16_t group, char *why, size_t why_len)
{
	struct emu_port *port;
	int ret = find_port_or_say(port_id, &port, why, why_len);

	return ret != 0 ? ret : emu_groups_del(port, group, why, why_len);
}

EXPORT int
rte_pmd_emunic_group_get(uint16_t port_id, uint16_t group, struct rte_pmd_emunic_group *out)
{
	const struct emu_assign *a;
	struct emu_port *port;
	int ret = find_port(port_id, &port);

	if (ret != 0)
		return ret;
	emu_gate_enter(&port->nic->gate);
	a = emu_groups_get(port, group);
	if (a != NULL) {
		emu_assign_group(a, out);
		out->rules = emu_groups_rules(port, group);
	}
	emu_gate_leave(&port->nic->gate);
	return a != NULL ? 0 : -ENOENT;
}

EXPORT int
rte_pmd_emunic_group_queues(
	uint16_t port_id, uint16_t group, struct rte_pmd_emunic_queue *out, uint16_t n)
{
	const struct emu_assign *a;
	struct emu_port *port;
	int ret = find_port(port_id, &port);

	if (ret != 0)
		return ret;
	emu_gate_enter(&port->nic->gate);
	a = emu_groups_get(port, group);
	ret = a != NULL ? a->conf.n_queues : -ENOENT;
	for (uint16_t i = 0; a != NULL && i < n && i < a->conf.n_queues; i++)
		emu_assign_queue(a, i, rte_get_tsc_cycles(), &out[i]);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

EXPORT int
rte_pmd_emunic_group_flows(uint16_t port_id, uint16_t group, uint32_t *next,
	struct rte_pmd_emunic_flow *out, uint32_t n)
{
	const uint32_t at_once = 256; // and then packets go first
	const struct emu_assign *a = NULL;
	struct emu_port *port;
	int ret = find_port(port_id, &port);
	uint32_t k = 0, got = 1;

	if (ret != 0)
		return ret;
	while (k < n && got > 0) {
		emu_gate_enter(&port->nic->gate);
		a = emu_groups_get(port, group);
		got = a == NULL ? 0
				: emu_assign_flows(a, next, rte_get_tsc_cycles(), &out[k],
					  RTE_MIN(n - k, at_once));
		emu_gate_leave(&port->nic->gate);
		k += got;
	}
	return a != NULL || k > 0 || n == 0 ? (int)k : -ENOENT;
}
