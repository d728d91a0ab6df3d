// SPDX-License-Identifier: BSD-3-Clause
// A secondary process that takes the gate of an emulated NIC and does not give it back: what a
// process leaves behind that dies inside.
//
//   hold_gate [EAL arguments with --proc-type=secondary]
//
// Prints "held" once it has the gate of the NIC of port 0, and waits to be killed.
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "emunic.h"

int
main(int argc, char **argv)
{
	struct emu_port *port;

	if (rte_eal_init(argc, argv) < 0 || !rte_eth_dev_is_valid_port(0) ||
		!emu_is_port(&rte_eth_devices[0])) {
		fprintf(stderr, "port 0 is not of an emulated NIC\n");
		return 1;
	}
	port = rte_eth_devices[0].data->dev_private;
	emu_gate_enter(&port->nic->gate);
	puts("held");
	fflush(stdout);
	for (;;)
		pause();
}
