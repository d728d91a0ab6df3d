// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <errno.h>
#include <string.h>

// Which frames a port takes by their destination MAC. Representors take all: what reaches them
// was sent by their VF.

static int
set(struct rte_eth_dev *dev, bool *flag, bool on)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	*flag = on;
	emu_gate_leave(&port->nic->gate);
	return 0;
}

int
emu_port_promisc_on(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	return set(dev, &port->promiscuous, true);
}

int
emu_port_promisc_off(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	return set(dev, &port->promiscuous, false);
}

int
emu_port_allmulti_on(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	return set(dev, &port->all_multicast, true);
}

int
emu_port_allmulti_off(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	return set(dev, &port->all_multicast, false);
}

int
emu_port_mac_add(struct rte_eth_dev *dev, struct rte_ether_addr *mac, uint32_t index, uint32_t pool)
{
	struct emu_port *port = dev->data->dev_private;

	if (index >= EMU_MAX_MACS)
		return -ENOSPC;
	emu_gate_enter(&port->nic->gate);
	port->filter[index] = *mac;
	emu_gate_leave(&port->nic->gate);
	return 0;
}

void
emu_port_mac_remove(struct rte_eth_dev *dev, uint32_t index)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	memset(&port->filter[index], 0, sizeof(port->filter[index]));
	emu_gate_leave(&port->nic->gate);
}

int
emu_port_mac_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
	return emu_port_mac_add(dev, mac, 0, 0);
}

int
emu_port_mcast_set(struct rte_eth_dev *dev, struct rte_ether_addr *macs, uint32_t n)
{
	struct emu_port *port = dev->data->dev_private;

	if (n > EMU_MAX_MCAST)
		return -ENOSPC;
	emu_gate_enter(&port->nic->gate);
	if (n > 0)
		memcpy(port->mcast, macs, n * sizeof(*macs));
	port->n_mcast = n;
	emu_gate_leave(&port->nic->gate);
	return 0;
}
