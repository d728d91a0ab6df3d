// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <errno.h>

// The link of a host port is that of what is plugged in at the side that it represents, as long as
// nobody has set it down; it is up while the side is held, whatever becomes of what is plugged in.

bool
emu_side_link(const struct emu_side *side)
{
	return side->held || emu_side_up(side);
}

void
emu_port_link(const struct emu_port *port, struct rte_eth_link *link)
{
	*link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_100G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = emu_side_link(port->side) ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN,
	};
}

int
emu_port_check_speeds(const struct emu_port *port, uint32_t speeds)
{
	if (speeds == RTE_ETH_LINK_SPEED_AUTONEG || speeds & RTE_ETH_LINK_SPEED_100G)
		return 0;
	EMU_LOG(ERR,
		"%s: port %u: link_speeds %#x has no speed of this NIC, which is 100 Gbit/s (%#x); "
		"0 leaves the choice to it",
		port->nic->name, port->dev->data->port_id, speeds, RTE_ETH_LINK_SPEED_100G);
	return -EINVAL;
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
