// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

int
emu_port_info(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
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

#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
const uint32_t *
emu_port_ptypes(struct rte_eth_dev *dev, size_t *n)
#else
const uint32_t *
emu_port_ptypes(struct rte_eth_dev *dev)
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
int
emu_port_representors(struct rte_eth_dev *dev, struct rte_eth_representor_info *info)
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

int
emu_port_burst_mode(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_burst_mode *mode)
{
	const struct emu_port *port = dev->data->dev_private;
	bool runs = __atomic_load_n(&port->nic->run_inline, __ATOMIC_RELAXED);

	snprintf(mode->info, sizeof(mode->info), "Scalar, a ring%s",
		runs ? ", runs the firmware" : "");
	return 0;
}

int
emu_port_firmware(struct rte_eth_dev *dev, char *text, size_t len)
{
	const struct emu_port *port = dev->data->dev_private;
	int n = snprintf(text, len, "emunic, run by %s", emu_firmware_runs(port->nic));

	return n < 0 ? -EINVAL : (size_t)n >= len ? n + 1 : 0;
}
