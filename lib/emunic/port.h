// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_PORT_H
#define EMUNIC_PORT_H

#include <rte_version.h>

#include "emunic.h"

// The parts of the ethdev operations that have files of their own. Thread safety: any one thread
// at a time for each port, as ethdev has it; they take the gate.

// port_rss.c
int emu_port_rss_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
int emu_port_rss_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
int emu_port_reta_update(
	struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *conf, uint16_t size);
int emu_port_reta_query(
	struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *conf, uint16_t size);
// What dev_configure asks of RSS. Under the gate.
int emu_port_rss_configure(struct emu_port *port, const struct rte_eth_conf *conf);

// port_link.c
int emu_port_link_update(struct rte_eth_dev *dev, int wait);
int emu_port_link_up(struct rte_eth_dev *dev);
int emu_port_link_down(struct rte_eth_dev *dev);

// port_filter.c
int emu_port_promisc_on(struct rte_eth_dev *dev);
int emu_port_promisc_off(struct rte_eth_dev *dev);
int emu_port_allmulti_on(struct rte_eth_dev *dev);
int emu_port_allmulti_off(struct rte_eth_dev *dev);
int emu_port_mac_add(
	struct rte_eth_dev *dev, struct rte_ether_addr *mac, uint32_t index, uint32_t pool);
void emu_port_mac_remove(struct rte_eth_dev *dev, uint32_t index);
int emu_port_mac_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac);
int emu_port_mcast_set(struct rte_eth_dev *dev, struct rte_ether_addr *macs, uint32_t n);

// stats.c
#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
int emu_port_stats_get(
	struct rte_eth_dev *dev, struct rte_eth_stats *stats, struct eth_queue_stats *queues);
#else
int emu_port_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats);
#endif
int emu_port_stats_reset(struct rte_eth_dev *dev);
int emu_port_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *out, unsigned int n);
int emu_port_xstats_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *out, unsigned int n);

#endif
