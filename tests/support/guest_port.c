// SPDX-License-Identifier: BSD-3-Clause
#include "guest_port.h"

#include <rte_ethdev.h>

int
guest_port_start(uint16_t port, struct rte_mempool *pool, uint16_t descriptors)
{
	struct rte_eth_conf conf = {0};
	uint16_t rx = descriptors, tx = descriptors;

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
		rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx) != 0 ||
		rte_eth_rx_queue_setup(port, 0, rx, SOCKET_ID_ANY, NULL, pool) != 0 ||
		rte_eth_tx_queue_setup(port, 0, tx, SOCKET_ID_ANY, NULL) != 0)
		return -1;
	return rte_eth_dev_start(port);
}
