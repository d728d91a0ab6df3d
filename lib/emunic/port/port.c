// SPDX-License-Identifier: BSD-3-Clause
#include "mood/telemetry.h"
#include "port/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_flow_driver.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_version.h>

#include "assign/groups.h"
#include "rte_flow/flow.h"
#include "port/landing.h"
#include "port/queue.h"
#include "wire.h"

// A VF that nobody represents follows the first PF: it comes up with it, and has its MTU.
static bool
follows(const struct emu_port *port, uint16_t side)
{
	return port->index == 0 && port->nic->ports[side] == NULL &&
	       port->nic->sides[side].wire == NULL;
}

static void
set_mtu(struct emu_nic *nic, struct emu_side *side, uint16_t mtu)
{
	struct emu_backend *b = side->backend;
	int rc = 0;

	if (side->mtu == mtu)
		return;
	side->mtu = mtu;
	if (b != NULL && b->ops->mtu != NULL)
		rc = b->ops->mtu(b, mtu);
	if (rc != 0)
		EMU_LOG(WARNING, "%s: %s: the %s behind it keeps its own MTU: %s", nic->name,
			side->name, b->ops->kind, rte_strerror(-rc));
}

// The MTU of the port's side, and of those that follow. Under the gate.
static void
set_mtus(struct emu_port *port, uint16_t mtu)
{
	struct emu_nic *nic = port->nic;

	set_mtu(nic, port->side, mtu);
	for (uint16_t i = 0; i < nic->n_sides; i++)
		if (follows(port, i))
			set_mtu(nic, &nic->sides[i], mtu);
}

static int
port_configure(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;
	const struct rte_eth_conf *conf = &dev->data->dev_conf;
	int ret = emu_port_check_speeds(port, conf->link_speeds);

	if (ret != 0)
		return ret;
	if (conf->intr_conf.rxq) {
		ret = emu_port_intr_check(port);
		if (ret != 0)
			return ret;
	}
	emu_gate_enter(&port->nic->gate);
	port->n_rxq = dev->data->nb_rx_queues;
	port->n_txq = dev->data->nb_tx_queues;
	port->rx_offloads = conf->rxmode.offloads;
	port->lsc = conf->intr_conf.lsc;
	port->vlan_filter = conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	ret = emu_port_rss_configure(port, conf);
	if (ret == 0)
		set_mtus(port, dev->data->mtu);
	emu_gate_leave(&port->nic->gate);
	dev->data->scattered_rx = !!(
		conf->rxmode.offloads & (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO));
	return ret;
}

// Every queue has been set up: ethdev checks that on start only in later releases.
static int
check_queues(const struct emu_port *port)
{
	for (uint16_t i = 0; i < port->n_rxq; i++)
		if (port->rxq[i] == NULL)
			return -EINVAL;
	for (uint16_t i = 0; i < port->n_txq; i++)
		if (port->txq[i] == NULL)
			return -EINVAL;
	return 0;
}

static void
set_queue_states(struct rte_eth_dev *dev, bool on)
{
	struct emu_port *port = dev->data->dev_private;

	for (uint16_t i = 0; i < port->n_rxq; i++) {
		port->rxq[i]->started = on && !port->rxq[i]->deferred;
		dev->data->rx_queue_state[i] = port->rxq[i]->started ? RTE_ETH_QUEUE_STATE_STARTED
								     : RTE_ETH_QUEUE_STATE_STOPPED;
	}
	for (uint16_t i = 0; i < port->n_txq; i++) {
		bool started = on && !port->txq[i]->deferred;

		__atomic_store_n(&port->txq[i]->started, started, __ATOMIC_RELAXED);
		dev->data->tx_queue_state[i] =
			started ? RTE_ETH_QUEUE_STATE_STARTED : RTE_ETH_QUEUE_STATE_STOPPED;
	}
}

// From the first start on, the side is polled.
static void
arm_sides(struct emu_port *port)
{
	struct emu_nic *nic = port->nic;

	port->side->armed = true;
	for (uint16_t i = 0; i < nic->n_sides; i++)
		if (follows(port, i))
			nic->sides[i].armed = true;
}

static bool
fails_to_start(struct emu_nic *nic)
{
	bool fails;

	emu_gate_enter(&nic->gate);
	fails = nic->moods.fail_start > 0;
	nic->moods.fail_start -= fails;
	emu_gate_leave(&nic->gate);
	return fails;
}

static int
port_start(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;
	struct rte_eth_link link;
	int ret;

	if (check_queues(port) != 0) {
		EMU_LOG(ERR, "%s: port %u starts with queues that are not set up", nic->name,
			dev->data->port_id);
		return -EINVAL;
	}
	if (fails_to_start(nic)) {
		EMU_LOG(ERR, "%s: port %u does not start (fail_start)", nic->name,
			dev->data->port_id);
		return -EIO;
	}
	ret = emu_port_intr_start(port);
	if (ret != 0)
		return ret;
	emu_firmware_arm(nic);
	emu_gate_enter(&nic->gate);
	set_queue_states(dev, true);
	port->started = true;
	arm_sides(port);
	emu_landing_update(nic, port->side);
	nic->n_started++;
	emu_port_link(port, &link);
	port->side->link = link.link_status == RTE_ETH_LINK_UP;
	rte_eth_linkstatus_set(dev, &link);
	emu_gate_leave(&nic->gate);
	return 0;
}

static int
port_stop(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;
	struct rte_eth_link link;
	bool lose_own, lose_transfer;

	emu_gate_enter(&nic->gate);
	lose_own = port->started && nic->moods.stop_flush;
	lose_transfer = port->started && port->index == 0 && nic->moods.proxy_flush;
	if (port->started) {
		port->started = false;
		emu_landing_update(nic, port->side);
		nic->n_started--;
		if (port->pf)
			emu_wire_settle(nic, port->side, true);
		set_queue_states(dev, false);
		emu_port_intr_stop(port);
		for (uint16_t i = 0; i < port->n_rxq; i++)
			emu_ring_drain(nic, port->rxq[i]->ring);
		for (uint16_t i = 0; i < port->n_txq; i++)
			emu_ring_drain(nic, port->txq[i]->ring);
		emu_groups_forget(port);
	}
	emu_port_link(port, &link);
	rte_eth_linkstatus_set(dev, &link);
	emu_gate_leave(&nic->gate);
	if (lose_own)
		emu_flow_forget(port);
	if (lose_transfer)
		emu_flow_forget_transfer(nic);
	dev->data->dev_started = 0;
	return 0;
}

int
emu_port_close(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY || nic == NULL)
		return 0;
	port_stop(dev);
	emu_flow_forget(port);
	emu_flow_fini(port);
	emu_meters_free(&port->meters);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		emu_rxq_release(dev, i);
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		emu_txq_release(dev, i);
	emu_gate_enter(&nic->gate);
	nic->ports[port->index] = NULL;
	// What the side sends from now on would have nowhere to go.
	if (port->pf)
		port->side->armed = false;
	emu_groups_free(port);
	emu_gate_leave(&nic->gate);
	emu_firmware_settle_events(nic);
	emu_table_fini(&port->ingress);
	emu_table_fini(&port->egress);
	dev->data->mac_addrs = NULL; // part of dev_private
	// A telemetry command that has found the NIC goes on with it until its end.
	emu_tel_lock();
	port->nic = NULL;
	emu_nic_unref(nic);
	emu_tel_unlock();
	return 0;
}

static int
port_mtu(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	set_mtus(port, mtu);
	emu_gate_leave(&port->nic->gate);
	return 0;
}

static int
port_metadata(struct rte_eth_dev *dev, uint64_t *features)
{
	struct emu_port *port = dev->data->dev_private;

	*features &= RTE_ETH_RX_METADATA_USER_FLAG | RTE_ETH_RX_METADATA_USER_MARK;
	port->no_flag = !(*features & RTE_ETH_RX_METADATA_USER_FLAG);
	port->no_mark = !(*features & RTE_ETH_RX_METADATA_USER_MARK);
	return 0;
}

static int
port_is_removed(struct rte_eth_dev *dev)
{
	const struct emu_port *port = dev->data->dev_private;
	bool gone;

	emu_gate_enter(&port->nic->gate);
	gone = port->nic->gone;
	emu_gate_leave(&port->nic->gate);
	return gone;
}

static int
port_flow_ops(struct rte_eth_dev *dev, const struct rte_flow_ops **ops)
{
	*ops = emu_flow_ops();
	return 0;
}

static const struct eth_dev_ops ops = {
	.dev_configure = port_configure,
	.dev_start = port_start,
	.dev_stop = port_stop,
	.dev_close = emu_port_close,
	.is_removed = port_is_removed,
	.dev_set_link_up = emu_port_link_up,
	.dev_set_link_down = emu_port_link_down,
	.link_update = emu_port_link_update,
	.promiscuous_enable = emu_port_promisc_on,
	.promiscuous_disable = emu_port_promisc_off,
	.allmulticast_enable = emu_port_allmulti_on,
	.allmulticast_disable = emu_port_allmulti_off,
	.mac_addr_add = emu_port_mac_add,
	.mac_addr_remove = emu_port_mac_remove,
	.mac_addr_set = emu_port_mac_set,
	.set_mc_addr_list = emu_port_mcast_set,
	.mtu_set = port_mtu,
	.vlan_filter_set = emu_port_vlan_filter,
	.vlan_offload_set = emu_port_vlan_offload,
	.vlan_strip_queue_set = emu_port_vlan_strip,
	.rx_queue_intr_enable = emu_port_intr_enable,
	.rx_queue_intr_disable = emu_port_intr_disable,
	.rx_burst_mode_get = emu_port_burst_mode,
	.tx_burst_mode_get = emu_port_burst_mode,
	.fw_version_get = emu_port_firmware,
	.set_queue_rate_limit = emu_txq_rate,
	.stats_get = emu_port_stats_get,
	.stats_reset = emu_port_stats_reset,
	.xstats_get = emu_port_xstats_get,
	.xstats_get_names = emu_port_xstats_names,
	.dev_infos_get = emu_port_info,
	.rxq_info_get = emu_rxq_info,
	.txq_info_get = emu_txq_info,
	.dev_supported_ptypes_get = emu_port_ptypes,
	.rx_queue_start = emu_rxq_start,
	.rx_queue_stop = emu_rxq_stop,
	.tx_queue_start = emu_txq_start,
	.tx_queue_stop = emu_txq_stop,
	.rx_queue_setup = emu_rxq_setup,
	.rx_queue_release = emu_rxq_release,
	.tx_queue_setup = emu_txq_setup,
	.tx_queue_release = emu_txq_release,
	.rss_hash_update = emu_port_rss_update,
	.rss_hash_conf_get = emu_port_rss_get,
	.reta_update = emu_port_reta_update,
	.reta_query = emu_port_reta_query,
	.flow_ops_get = port_flow_ops,
	.mtr_ops_get = emu_port_mtr_ops,
	.representor_info_get = emu_port_representors,
	.rx_metadata_negotiate = port_metadata,
};

static int
secondary_link(struct rte_eth_dev *dev, int wait)
{
	return 0; // dev_link is in shared memory, and the firmware keeps it
}

static int
secondary_flow_ops(struct rte_eth_dev *dev, const struct rte_flow_ops **out)
{
	EMU_LOG(ERR, "%s: rules belong to the primary process", dev->data->name);
	return -ENOTSUP;
}

// What a secondary process may do beside moving packets: look. All that changes the NIC would need
// the primary's backends, threads and callbacks; ethdev answers it with -ENOTSUP.
static const struct eth_dev_ops secondary_ops = {
	.dev_close = emu_port_close,
	.is_removed = port_is_removed,
	.link_update = secondary_link,
	.stats_get = emu_port_stats_get,
	.stats_reset = emu_port_stats_reset,
	.xstats_get = emu_port_xstats_get,
	.xstats_get_names = emu_port_xstats_names,
	.dev_infos_get = emu_port_info,
	.rxq_info_get = emu_rxq_info,
	.txq_info_get = emu_txq_info,
	.dev_supported_ptypes_get = emu_port_ptypes,
	.rx_burst_mode_get = emu_port_burst_mode,
	.tx_burst_mode_get = emu_port_burst_mode,
	.fw_version_get = emu_port_firmware,
	.rss_hash_conf_get = emu_port_rss_get,
	.reta_query = emu_port_reta_query,
	.representor_info_get = emu_port_representors,
	.flow_ops_get = secondary_flow_ops,
};

bool
emu_is_port(const struct rte_eth_dev *dev)
{
	return dev->dev_ops == &ops || dev->dev_ops == &secondary_ops;
}

static void
set_bursts(struct rte_eth_dev *dev)
{
	dev->rx_pkt_burst = emu_rx_burst;
	dev->tx_pkt_burst = emu_tx_burst;
	emu_queue_counts(dev);
}

void
emu_port_attach(struct rte_eth_dev *dev)
{
	dev->dev_ops = &secondary_ops;
	set_bursts(dev);
}

int
emu_port_init(struct rte_eth_dev *dev, struct emu_nic *nic, uint16_t index)
{
	struct emu_port *port = dev->data->dev_private;
	uint8_t *mac = port->macs[0].addr_bytes;
	struct rte_eth_link link;

	port->nic = nic;
	port->side = &nic->sides[index];
	port->dev = dev;
	port->index = index;
	port->slot = port->side->slot;
	port->pf = port->side->wire != NULL;
	port->max_queues = port->pf ? nic->args.queues : nic->args.rep_queues;
	TAILQ_INIT(&port->rules);
	TAILQ_INIT(&port->aged);
	memset(port->rx_event, 0xff, sizeof(port->rx_event)); // -1
	emu_rss_set_key(&port->rss, NULL);
	memcpy(mac, nic->args.mac, 6);
	mac[5] += index;
	port->filter[0] = port->macs[0];

	dev->data->mac_addrs = port->macs;
	dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_INTR_RMV |
				RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS |
				RTE_ETH_DEV_FLOW_OPS_THREAD_SAFE;
	dev->data->numa_node = nic->socket_id;
	dev->dev_ops = &ops;
	set_bursts(dev);
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	dev->flow_fp_ops = emu_flow_fast_ops();
#endif
	emu_gate_enter(&nic->gate);
	nic->ports[index] = port;
	nic->refs++;
	emu_port_link(port, &link);
	rte_eth_linkstatus_set(dev, &link);
	emu_gate_leave(&nic->gate);
	return 0;
}
