// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_PORT_H
#define EMUNIC_PORT_H

#include <rte_version.h>

#include "emunic.h"

// The parts of the ethdev operations that have files of their own. Thread safety: any one thread
// at a time for each port, as ethdev has it; they take the gate.

// port_info.c: what a port is and can do; also in a secondary process.
int emu_port_info(struct rte_eth_dev *dev, struct rte_eth_dev_info *info);
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
const uint32_t *emu_port_ptypes(struct rte_eth_dev *dev, size_t *n);
#else
const uint32_t *emu_port_ptypes(struct rte_eth_dev *dev);
#endif
int emu_port_representors(struct rte_eth_dev *dev, struct rte_eth_representor_info *info);
int emu_port_burst_mode(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_burst_mode *mode);
int emu_port_firmware(struct rte_eth_dev *dev, char *text, size_t len);

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
// Whether the link_speeds of a configuration leave one that the NIC has; else -EINVAL, and it logs.
int emu_port_check_speeds(const struct emu_port *port, uint32_t speeds);
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

// port_vlan.c. The first three are the firmware's, under the gate.
bool emu_vlan_accepts(const struct emu_port *port, const union emu_key *key);
// Takes the outer tag of m, whose headers key is of, into m->vlan_tci. False: there is none.
bool emu_vlan_strip(const union emu_key *key, struct rte_mbuf *m);
// Puts m's vlan_tci into it; *m may become another. False: no buffer, *m stays.
bool emu_vlan_insert(struct emu_nic *nic, struct rte_mbuf **m);
int emu_port_vlan_filter(struct rte_eth_dev *dev, uint16_t vid, int on);
int emu_port_vlan_offload(struct rte_eth_dev *dev, int mask);
void emu_port_vlan_strip(struct rte_eth_dev *dev, uint16_t queue, int on);

// port_intr.c
// Whether the NIC can have receive interrupts at all; 0 or -ENOTSUP.
int emu_port_intr_check(const struct emu_port *port);
// At the start and, with no burst or wake-up under way, the stop of a port that wants them.
int emu_port_intr_start(struct emu_port *port);
void emu_port_intr_stop(struct emu_port *port);
// Tells who waits for the queue that there is something in it. The firmware.
void emu_rxq_wake(struct emu_rxq *q);
int emu_port_intr_enable(struct rte_eth_dev *dev, uint16_t queue);
int emu_port_intr_disable(struct rte_eth_dev *dev, uint16_t queue);

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
