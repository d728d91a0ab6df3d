// SPDX-License-Identifier: BSD-3-Clause
#include "emunic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_errno.h>

// From a --vdev to ports and back. The PFs' ports come first, then the representors', and only then
// are backends opened, some of which make ports of their own: so the first PF keeps the lowest id.

RTE_LOG_REGISTER(emunic_logtype, pmd.net.emunic, NOTICE);

struct representor {
	struct emu_nic *nic;
	struct rte_eth_dev *pf;
	uint16_t vf;
};

static int
init_representor(struct rte_eth_dev *dev, void *params)
{
	const struct representor *r = params;

	dev->data->dev_flags |= RTE_ETH_DEV_REPRESENTOR;
	dev->data->representor_id = r->vf;
	dev->data->backer_port_id = r->pf->data->port_id;
	return emu_port_init(dev, r->nic, 1 + r->vf);
}

struct further_pf {
	struct emu_nic *nic;
	uint16_t number;
};

static int
init_pf(struct rte_eth_dev *dev, void *params)
{
	const struct further_pf *p = params;

	return emu_port_init(dev, p->nic, p->nic->args.vfs + p->number);
}

// The name of PF number above 0, whose ethdev is beside that of the NIC. False: it is too long.
static bool
pf_name(const char *nic, uint16_t number, char *out, size_t len)
{
	return snprintf(out, len, "%s_pf%u", nic, number) < (int)len;
}

static int
create_pfs(struct rte_vdev_device *vdev, struct emu_nic *nic)
{
	for (uint16_t i = 1; i < nic->args.ports; i++) {
		struct further_pf p = {.nic = nic, .number = i};
		char name[RTE_ETH_NAME_MAX_LEN];
		int ret;

		if (!pf_name(nic->name, i, name, sizeof(name))) {
			EMU_LOG(ERR, "%s: the name is too long for several ports", nic->name);
			return -ENAMETOOLONG;
		}
		ret = rte_eth_dev_create(
			&vdev->device, name, sizeof(struct emu_port), NULL, NULL, init_pf, &p);
		if (ret != 0) {
			EMU_LOG(ERR,
				"%s: no ethdev for pf%u: DPDK was built for %d ports in all (%s)",
				nic->name, i, RTE_MAX_ETHPORTS, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static int
create_representors(struct rte_vdev_device *vdev, struct emu_nic *nic, struct rte_eth_dev *pf)
{
	for (uint16_t i = 0; i < nic->args.n_reps; i++) {
		struct representor r = {.nic = nic, .pf = pf, .vf = nic->args.reps[i]};
		char name[RTE_ETH_NAME_MAX_LEN];
		int ret;

		if (snprintf(name, sizeof(name), "%s_representor_vf%u", nic->name, r.vf) >=
			(int)sizeof(name)) {
			EMU_LOG(ERR, "%s: the name is too long for representors", nic->name);
			return -ENAMETOOLONG;
		}
		ret = rte_eth_dev_create(&vdev->device, name, sizeof(struct emu_port), NULL, NULL,
			init_representor, &r);
		if (ret != 0) {
			EMU_LOG(ERR,
				"%s: no ethdev for the representor of vf%u: DPDK was built for %d "
				"ports in all (%s)",
				nic->name, r.vf, RTE_MAX_ETHPORTS, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static void
close_those(struct rte_device *device, bool representors)
{
	for (uint16_t id = RTE_MAX_ETHPORTS; id-- > 0;) {
		struct rte_eth_dev *dev = &rte_eth_devices[id];

		if (dev->state == RTE_ETH_DEV_UNUSED || dev->device != device ||
			!emu_is_port(dev) ||
			!!(dev->data->dev_flags & RTE_ETH_DEV_REPRESENTOR) != representors)
			continue;
		emu_port_close(dev);
		rte_eth_dev_release_port(dev);
	}
}

// Closes all ports of the device, the first PF last.
static void
close_ports(struct rte_device *device)
{
	close_those(device, true);
	close_those(device, false);
}

static bool
attach_port(struct rte_vdev_device *vdev, const char *name)
{
	struct rte_eth_dev *dev = rte_eth_dev_attach_secondary(name);

	if (dev == NULL)
		return false;
	dev->device = &vdev->device;
	emu_port_attach(dev);
	rte_eth_dev_probing_finish(dev);
	return true;
}

// The ports that the primary process has. The others are found by the first PF, so those of a NIC
// whose first PF the primary has closed are not.
static int
attach(struct rte_vdev_device *vdev, const char *name)
{
	const struct emu_nic *nic;
	uint16_t id;

	if (!attach_port(vdev, name) || rte_eth_dev_get_port_by_name(name, &id) != 0) {
		EMU_LOG(ERR, "%s: the primary process has no such port", name);
		return -ENODEV;
	}
	nic = ((struct emu_port *)rte_eth_devices[id].data->dev_private)->nic;
	for (uint16_t i = 1; i < nic->args.ports; i++) {
		char pf[RTE_ETH_NAME_MAX_LEN];

		if (pf_name(name, i, pf, sizeof(pf)) && !attach_port(vdev, pf))
			EMU_LOG(NOTICE, "%s: the primary process has closed it", pf);
	}
	for (uint16_t i = 0; i < nic->args.n_reps; i++) {
		char rep[RTE_ETH_NAME_MAX_LEN];

		snprintf(rep, sizeof(rep), "%s_representor_vf%u", name, nic->args.reps[i]);
		if (!attach_port(vdev, rep))
			EMU_LOG(NOTICE, "%s: the primary process has closed it", rep);
	}
	return 0;
}

static int
probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	struct emu_devargs args;
	struct emu_nic *nic;
	struct rte_eth_dev *pf;
	char why[1024];
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return attach(vdev, name);
	ret = emu_devargs_parse(name, rte_vdev_device_args(vdev), &args, why, sizeof(why));
	if (ret != 0) {
		EMU_LOG(ERR, "%s: %s", name, why);
		return ret;
	}
	if (vdev->device.numa_node == SOCKET_ID_ANY)
		vdev->device.numa_node = rte_socket_id_by_idx(0);
	ret = emu_nic_create(name, &args, vdev->device.numa_node, &nic);
	if (ret != 0) {
		emu_devargs_free(&args);
		return ret;
	}
	nic->refs = 1; // until the ports hold it
	pf = rte_eth_vdev_allocate(vdev, sizeof(struct emu_port));
	if (pf == NULL) {
		EMU_LOG(ERR, "%s: no ethdev is free: DPDK was built for %d in all", name,
			RTE_MAX_ETHPORTS);
		emu_nic_unref(nic);
		return -ENOSPC;
	}
	ret = emu_port_init(pf, nic, 0);
	if (ret == 0)
		rte_eth_dev_probing_finish(pf);
	if (ret == 0)
		ret = create_pfs(vdev, nic);
	if (ret == 0)
		ret = create_representors(vdev, nic, pf);
	if (ret == 0)
		ret = emu_nic_open_backends(nic);
	if (ret == 0)
		ret = emu_firmware_start(nic);
	if (ret != 0)
		close_ports(&vdev->device);
	else
		emu_nic_plan_removal(nic);
	emu_nic_unref(nic);
	return ret;
}

static int
remove_nic(struct rte_vdev_device *vdev)
{
	close_ports(&vdev->device);
	return 0;
}

static struct rte_vdev_driver emunic_driver = {
	.probe = probe,
	.remove = remove_nic,
};

RTE_PMD_REGISTER_VDEV(net_emunic, emunic_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_emunic, EMU_PARAM_STRING);
