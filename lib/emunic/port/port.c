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

#define RX_OFFLOADS                                                                                \
	(RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO |   \
		RTE_ETH_RX_OFFLOAD_RSS_HASH | RTE_ETH_RX_OFFLOAD_VLAN_STRIP |                      \
		RTE_ETH_RX_OFFLOAD_VLAN_FILTER)
#define RX_QUEUE_OFFLOADS                                                                          \
	(RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_VLAN_STRIP)
#define TX_OFFLOADS                                                                                \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |                            \
		RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |                        \
		RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_VLAN_INSERT)

static int
port_info(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct emu_port *port = dev->data->dev_private;

	info->min_mtu = EMU_MIN_MTU;
	info->max_mtu = EMU_MAX_MTU;
	info->min_rx_bufsize = 64;
	info->max_rx_pktlen = EMU_MAX_FRAME;
	info->max_lro_pkt_size = EMU_MAX_LRO;
	info->max_rx_queues = port->max_queues;
	info->max_tx_queues = port->max_queues;
	info->max_mac_addrs = EMU_MAX_MACS;
	info->max_vfs = port->index == 0 ? port->nic->args.vfs : 0;
	info->rx_offload_capa = RX_OFFLOADS;
	info->rx_queue_offload_capa = RX_QUEUE_OFFLOADS;
	info->tx_offload_capa = TX_OFFLOADS;
	info->reta_size = EMU_RETA_SIZE;
	info->hash_key_size = EMU_RSS_KEY_LEN;
	info->flow_type_rss_offloads = EMU_RSS_TYPES;
	info->rx_desc_lim = (struct rte_eth_desc_lim){
		.nb_max = EMU_MAX_DESC, .nb_min = EMU_MIN_DESC, .nb_align = 1};
	info->tx_desc_lim = (struct rte_eth_desc_lim){.nb_max = EMU_MAX_DESC,
		.nb_min = EMU_MIN_DESC,
		.nb_align = 1,
		.nb_seg_max = UINT8_MAX,
		.nb_mtu_seg_max = UINT8_MAX};
	info->default_rxportconf = (struct rte_eth_dev_portconf){
		.burst_size = EMU_BURST, .ring_size = EMU_DEFAULT_DESC, .nb_queues = 1};
	info->default_txportconf = info->default_rxportconf;
	info->speed_capa = RTE_ETH_LINK_SPEED_100G;
	info->dev_capa =
		RTE_ETH_DEV_CAPA_RUNTIME_RX_QUEUE_SETUP | RTE_ETH_DEV_CAPA_RUNTIME_TX_QUEUE_SETUP;
	// Rules live in the NIC, not in the port's configuration, unless it is told to lose them.
	if (!port->nic->moods.stop_flush)
		info->dev_capa |= RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP;
	info->switch_info.name = port->nic->name;
	info->switch_info.domain_id = port->nic->domain;
	info->switch_info.port_id = port->index;
	return 0;
}

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

#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
static const uint32_t *
port_ptypes(struct rte_eth_dev *dev, size_t *n)
#else
static const uint32_t *
port_ptypes(struct rte_eth_dev *dev)
#endif
{
	static const uint32_t types[] = {RTE_PTYPE_L2_ETHER, RTE_PTYPE_L2_ETHER_VLAN,
		RTE_PTYPE_L2_ETHER_QINQ, RTE_PTYPE_L3_IPV4_EXT_UNKNOWN,
		RTE_PTYPE_L3_IPV6_EXT_UNKNOWN, RTE_PTYPE_L4_FRAG, RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L4_UDP, RTE_PTYPE_UNKNOWN};

#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	*n = RTE_DIM(types) - 1;
#endif
	return types;
}

// All VFs are of the first PF; a representor is as that is.
static int
port_representors(struct rte_eth_dev *dev, struct rte_eth_representor_info *info)
{
	const struct emu_port *port = dev->data->dev_private;
	uint16_t vfs = port->nic->args.vfs;

	if (info == NULL)
		return vfs > 0;
	info->controller = 0;
	info->pf = port->pf ? emu_slot_number(port->slot) : 0;
	info->nb_ranges = 0;
	if (info->nb_ranges_alloc > 0 && vfs > 0) {
		struct rte_eth_representor_range *r = &info->ranges[0];

		memset(r, 0, sizeof(*r));
		r->type = RTE_ETH_REPRESENTOR_VF;
		r->id_end = vfs - 1;
		snprintf(r->name, sizeof(r->name), "pf0vf");
		info->nb_ranges = 1;
	}
	return vfs > 0;
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

#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
static int
port_rx_count(void *rxq)
#else
static uint32_t
port_rx_count(void *rxq)
#endif
{
	const struct emu_rxq *q = rxq;

	return rte_ring_count(q->ring);
}

static int
port_rx_status(void *rxq, uint16_t offset)
{
	const struct emu_rxq *q = rxq;

	if (offset >= q->n_desc)
		return -EINVAL;
	return offset < rte_ring_count(q->ring) ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
static int
port_tx_count(void *txq)
{
	const struct emu_txq *q = txq;

	return rte_ring_count(q->ring);
}
#endif

// What the firmware has not taken yet are the descriptors that were filled last; what it took goes
// on in order, whatever queue it reads next.
static int
port_tx_status(void *txq, uint16_t offset)
{
	const struct emu_txq *q = txq;

	if (offset >= q->n_desc)
		return -EINVAL;
	return offset + rte_ring_count(q->ring) >= q->n_desc ? RTE_ETH_TX_DESC_FULL
							     : RTE_ETH_TX_DESC_DONE;
}

static int
port_burst_mode(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_burst_mode *mode)
{
	const struct emu_port *port = dev->data->dev_private;
	bool runs = __atomic_load_n(&port->nic->run_inline, __ATOMIC_RELAXED);

	snprintf(mode->info, sizeof(mode->info), "Scalar, a ring%s",
		runs ? ", runs the firmware" : "");
	return 0;
}

static int
port_firmware(struct rte_eth_dev *dev, char *text, size_t len)
{
	const struct emu_port *port = dev->data->dev_private;
	int n = snprintf(text, len, "emunic, run by %s", emu_firmware_runs(port->nic));

	return n < 0 ? -EINVAL : (size_t)n >= len ? n + 1 : 0;
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
	.rx_burst_mode_get = port_burst_mode,
	.tx_burst_mode_get = port_burst_mode,
	.fw_version_get = port_firmware,
	.set_queue_rate_limit = emu_txq_rate,
	.stats_get = emu_port_stats_get,
	.stats_reset = emu_port_stats_reset,
	.xstats_get = emu_port_xstats_get,
	.xstats_get_names = emu_port_xstats_names,
	.dev_infos_get = port_info,
	.rxq_info_get = emu_rxq_info,
	.txq_info_get = emu_txq_info,
	.dev_supported_ptypes_get = port_ptypes,
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
	.representor_info_get = port_representors,
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
	.dev_infos_get = port_info,
	.rxq_info_get = emu_rxq_info,
	.txq_info_get = emu_txq_info,
	.dev_supported_ptypes_get = port_ptypes,
	.rx_burst_mode_get = port_burst_mode,
	.tx_burst_mode_get = port_burst_mode,
	.fw_version_get = port_firmware,
	.rss_hash_conf_get = emu_port_rss_get,
	.reta_query = emu_port_reta_query,
	.representor_info_get = port_representors,
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
	dev->rx_queue_count = port_rx_count;
	dev->rx_descriptor_status = port_rx_status;
	dev->tx_descriptor_status = port_tx_status;
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	dev->tx_queue_count = port_tx_count;
#endif
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
