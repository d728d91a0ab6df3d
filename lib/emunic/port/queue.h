// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_QUEUE_H
#define EMUNIC_QUEUE_H

#include "emunic.h"

// The queue operations of a host port. Thread safety: any one thread at a time, as ethdev has it;
// they take the gate.

int emu_rxq_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t n_desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int emu_txq_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t n_desc, unsigned int socket,
	const struct rte_eth_txconf *conf);
void emu_rxq_release(struct rte_eth_dev *dev, uint16_t id);
void emu_txq_release(struct rte_eth_dev *dev, uint16_t id);
int emu_rxq_start(struct rte_eth_dev *dev, uint16_t id);
int emu_rxq_stop(struct rte_eth_dev *dev, uint16_t id);
int emu_txq_start(struct rte_eth_dev *dev, uint16_t id);
int emu_txq_stop(struct rte_eth_dev *dev, uint16_t id);
// A limit in Mbit/s on what the firmware takes from a queue; 0: none. It stays when the queue is
// set up again.
int emu_txq_rate(struct rte_eth_dev *dev, uint16_t id, uint32_t mbps);
void emu_rxq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_rxq_info *info);
void emu_txq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_txq_info *info);

// Frees what is in a ring as dropped by EMU_DROP_PORT_STOP; under the gate, and with no burst of
// the application under way.
void emu_ring_drain(struct emu_nic *nic, struct rte_ring *ring);

// How full queues are, for ethdev's fast functions: sets these.
void emu_queue_counts(struct rte_eth_dev *dev);

#endif
