// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

// The link of a host port is that of what is plugged in at the side that it represents, as long as
// nobody has set it down.

void
emu_port_link(const struct emu_port *port, struct rte_eth_link *link)
{
	*link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_100G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = port->side->held || emu_side_up(port->side) ? RTE_ETH_LINK_UP
									   : RTE_ETH_LINK_DOWN,
	};
}

int
emu_port_link_update(struct rte_eth_dev *dev, int wait)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_eth_link link;

	emu_gate_enter(&port->nic->gate);
	emu_port_link(port, &link);
	emu_gate_leave(&port->nic->gate);
	return rte_eth_linkstatus_set(dev, &link);
}

static int
set_admin(struct rte_eth_dev *dev, bool down)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	port->side->admin_down = down;
	port->nic->link_check_at = 0;
	emu_gate_leave(&port->nic->gate);
	emu_port_link_update(dev, 0);
	return 0;
}

int
emu_port_link_up(struct rte_eth_dev *dev)
{
	return set_admin(dev, false);
}

int
emu_port_link_down(struct rte_eth_dev *dev)
{
	return set_admin(dev, true);
}
