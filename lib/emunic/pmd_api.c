// SPDX-License-Identifier: BSD-3-Clause
#include "rte_pmd_emunic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "port/vf.h"
#include "port/vf_rss.h"

#define EXPORT __attribute__((visibility("default")))

static bool
is_ours(uint16_t port_id)
{
	return rte_eth_dev_is_valid_port(port_id) && emu_is_port(&rte_eth_devices[port_id]);
}

// The NIC, which only the primary process changes.
static int
find_nic(uint16_t port_id, struct emu_nic **nic)
{
	if (!is_ours(port_id))
		return -ENODEV;
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return -ENOTSUP;
	*nic = ((struct emu_port *)rte_eth_devices[port_id].data->dev_private)->nic;
	return 0;
}

static int
find_side(uint16_t port_id, const char *name, struct emu_nic **nic, struct emu_side **side)
{
	int ret = find_nic(port_id, nic);

	if (ret != 0)
		return ret;
	for (uint16_t i = 0; name != NULL && i < (*nic)->n_sides; i++) {
		if (strcmp((*nic)->sides[i].name, name) == 0) {
			*side = &(*nic)->sides[i];
			return 0;
		}
	}
	return -EINVAL;
}

EXPORT int
rte_pmd_emunic_backend_swap(uint16_t port_id, const char *side, const char *text)
{
	struct emu_nic *nic;
	struct emu_side *s;
	char why[256];
	int ret = find_side(port_id, side, &nic, &s);

	if (ret != 0)
		return ret;
	return emu_nic_set_backend(
		nic, s, text != NULL && text[0] != '\0' ? text : NULL, why, sizeof(why));
}

EXPORT int
rte_pmd_emunic_backend_move(
	uint16_t port_id, const char *side, uint16_t to_port_id, const char *to_side)
{
	struct emu_nic *from, *to;
	struct emu_side *s, *dest;
	int ret = find_side(port_id, side, &from, &s);

	if (ret == 0)
		ret = find_side(to_port_id, to_side, &to, &dest);
	return ret != 0 ? ret : emu_nic_move_backend(from, s, to, dest);
}

EXPORT int
rte_pmd_emunic_side_hold(uint16_t port_id, const char *side, int on)
{
	struct emu_nic *nic;
	struct emu_side *s;
	int ret = find_side(port_id, side, &nic, &s);

	if (ret != 0)
		return ret;
	emu_gate_enter(&nic->gate);
	emu_side_hold(nic, s, on != 0);
	emu_gate_leave(&nic->gate);
	return 0;
}

EXPORT int
rte_pmd_emunic_set(uint16_t port_id, const char *text, char *why, size_t why_len)
{
	struct emu_port *port;

	if (!is_ours(port_id)) {
		snprintf(why, why_len, "no such emulated NIC");
		return -ENODEV;
	}
	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		snprintf(why, why_len, "only the primary process changes the NIC");
		return -ENOTSUP;
	}
	port = rte_eth_devices[port_id].data->dev_private;
	return emu_nic_set_moods(port->nic, text, why, why_len);
}

EXPORT int
rte_pmd_emunic_vf_reta_set(uint16_t port_id, uint16_t vf, const uint16_t *queues, uint16_t n)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	if (ret != 0)
		return ret;
	if (vf >= nic->args.vfs || n > EMU_VF_RETA)
		return -EINVAL;
	for (uint16_t i = 0; i < n; i++)
		if (queues[i] >= EMU_MAX_VF_QUEUES)
			return -EINVAL;
	emu_gate_enter(&nic->gate);
	emu_vf_set_reta(&nic->sides[1 + vf], queues, n);
	emu_gate_leave(&nic->gate);
	return 0;
}

EXPORT int
rte_pmd_emunic_vf_reta_get(uint16_t port_id, uint16_t vf, uint16_t *queues)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	static_assert(RTE_PMD_EMUNIC_RETA == EMU_VF_RETA, "as the header says");
	if (ret != 0)
		return ret;
	return vf < nic->args.vfs ? emu_vf_reta_get(nic, &nic->sides[1 + vf], queues) : -EINVAL;
}

EXPORT int
rte_pmd_emunic_vf_queues(
	uint16_t port_id, uint16_t vf, struct rte_pmd_emunic_vf_queue *out, uint16_t n)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	if (ret != 0)
		return ret;
	if (vf >= nic->args.vfs)
		return -EINVAL;
	emu_gate_enter(&nic->gate);
	ret = emu_vf_queues(&nic->sides[1 + vf], out, n);
	emu_gate_leave(&nic->gate);
	return ret;
}

EXPORT int
rte_pmd_emunic_vf_rss_set(uint16_t port_id, uint16_t vf, uint64_t types, const uint8_t *key)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	if (ret != 0)
		return ret;
	return vf < nic->args.vfs ? emu_vf_rss_set(nic, &nic->sides[1 + vf], types, key) : -EINVAL;
}

EXPORT int
rte_pmd_emunic_vf_rss_get(uint16_t port_id, uint16_t vf, uint64_t *types, uint8_t *key)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	if (ret != 0)
		return ret;
	if (vf >= nic->args.vfs)
		return -EINVAL;
	emu_vf_rss_get(nic, &nic->sides[1 + vf], types, key);
	return 0;
}

EXPORT int
rte_pmd_emunic_vf_rate_set(uint16_t port_id, uint16_t vf, uint32_t mbps)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	if (ret != 0)
		return ret;
	if (vf >= nic->args.vfs || mbps > EMU_MAX_RATE)
		return -EINVAL;
	emu_gate_enter(&nic->gate);
	nic->moods.rate[nic->sides[1 + vf].slot] = mbps;
	emu_rate_set(&nic->sides[1 + vf].rate, mbps);
	emu_gate_leave(&nic->gate);
	return 0;
}

EXPORT int
rte_pmd_emunic_vf_miss_set(uint16_t port_id, uint16_t vf, const struct rte_pmd_emunic_vf_miss *conf,
	char *why, size_t why_len)
{
	struct emu_nic *nic;
	int ret = find_nic(port_id, &nic);

	if (ret == 0)
		return emu_miss_set(nic, vf, conf, why, why_len);
	snprintf(why, why_len, "%s",
		ret == -ENODEV ? "no such port of an emulated NIC"
			       : "only the primary process changes the NIC");
	return ret;
}

EXPORT int
rte_pmd_emunic_side_finished(uint16_t port_id, const char *side)
{
	struct emu_nic *nic;
	struct emu_side *s;
	int ret = find_side(port_id, side, &nic, &s);

	if (ret != 0)
		return ret;
	emu_gate_enter(&nic->gate);
	if (s->backend != NULL && s->backend->ops->finished != NULL)
		ret = s->backend->ops->finished(s->backend);
	emu_gate_leave(&nic->gate);
	return ret;
}
