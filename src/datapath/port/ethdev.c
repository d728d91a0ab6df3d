// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "datapath/port.h"
#include "memory.h"

struct ethdev_port {
	_Atomic bool up;
};

static uint16_t
ethdev_rx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	return rte_eth_rx_burst(p->ethdev, queue, pkts, n);
}

static uint16_t
ethdev_tx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	return rte_eth_tx_burst(p->ethdev, queue, pkts, n);
}

// The descriptor behind the next one to be filled is the one that was filled last; while it is not
// done the queue holds something (rte_eth_tx_descriptor_status). Drivers that lack the call cannot
// tell.
static bool
ethdev_tx_idle(const struct dp_port *p, uint16_t queue)
{
	return p->tx_desc == 0 || rte_eth_tx_descriptor_status(p->ethdev, queue,
					  (uint16_t)(p->tx_desc - 1)) != RTE_ETH_TX_DESC_FULL;
}

static bool
ethdev_link(const struct dp_port *p)
{
	const struct ethdev_port *e = p->priv;

	return atomic_load_explicit(&e->up, memory_order_relaxed);
}

static void
ethdev_counters(const struct dp_port *p, struct dp_port_counters *out)
{
	struct rte_eth_stats s;

	memset(out, 0, sizeof(*out));
	if (rte_eth_stats_get(p->ethdev, &s) != 0)
		return;
	out->rx_packets = s.ipackets;
	out->rx_bytes = s.ibytes;
	out->tx_packets = s.opackets;
	out->tx_bytes = s.obytes;
	out->rx_missed = s.imissed + s.rx_nombuf;
}

static void
ethdev_read_link(struct dp_port *p)
{
	struct ethdev_port *e = p->priv;
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(p->ethdev, &link) == 0)
		atomic_store_explicit(
			&e->up, link.link_status == RTE_ETH_LINK_UP, memory_order_relaxed);
}

static int
ethdev_lsc(uint16_t ethdev, enum rte_eth_event_type event, void *arg, void *ret)
{
	ethdev_read_link(arg);
	return 0;
}

static void
ethdev_close(struct dp_port *p)
{
	// While it runs (on another thread) it cannot be taken out.
	while (rte_eth_dev_callback_unregister(p->ethdev, RTE_ETH_EVENT_INTR_LSC, ethdev_lsc, p) ==
		-EAGAIN)
		rte_delay_us_sleep(10);
	dp_free_mem(p->priv);
	p->priv = NULL;
}

static const struct dp_port_ops ethdev_ops = {
	.kind = "ethdev",
	.rx = ethdev_rx,
	.tx = ethdev_tx,
	.link = ethdev_link,
	.tx_idle = ethdev_tx_idle,
	.counters = ethdev_counters,
	.close = ethdev_close,
};

int
dp_port_ethdev(uint16_t ethdev, uint16_t n_rxq, uint16_t n_txq, struct dp_port **out)
{
	int socket = rte_eth_dev_socket_id(ethdev);
	struct rte_eth_txq_info txq;
	struct rte_eth_conf conf;
	struct dp_port *p;
	int rc;

	rc = rte_eth_dev_conf_get(ethdev, &conf);
	if (rc != 0)
		return rc;
	p = dp_zalloc(sizeof(*p), socket);
	if (p == NULL)
		return -ENOMEM;
	p->priv = dp_zalloc(sizeof(struct ethdev_port), socket);
	if (p->priv == NULL) {
		dp_free_mem(p);
		return -ENOMEM;
	}
	if (rte_eth_tx_queue_info_get(ethdev, 0, &txq) == 0)
		p->tx_desc = txq.nb_desc;
	p->ops = &ethdev_ops;
	p->rx_device_flags = true;
	p->vport = DP_NONE;
	p->nic = DP_NONE;
	p->ethdev = ethdev;
	p->n_rxq = n_rxq;
	p->n_txq = n_txq;
	atomic_store(&p->tx_offloads, conf.txmode.offloads);
	p->lro = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
	rte_eth_dev_get_mtu(ethdev, &p->mtu);
	if (rte_eth_dev_get_name_by_port(ethdev, p->name) != 0)
		snprintf(p->name, sizeof(p->name), "ethdev%u", ethdev);
	ethdev_read_link(p);
	rte_eth_dev_callback_register(ethdev, RTE_ETH_EVENT_INTR_LSC, ethdev_lsc, p);
	*out = p;
	return 0;
}

void
dp_port_poll_link(struct dp_port *p)
{
	if (p->ops == &ethdev_ops)
		ethdev_read_link(p);
}
