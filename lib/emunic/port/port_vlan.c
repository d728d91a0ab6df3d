// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <errno.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "port/offload.h"

// VLANs of a host port: which are let in, and tags that move between the packet and its mbuf. Only
// the outer tag, and only one of 802.1Q (0x8100), as rte_vlan_strip has it.

bool
emu_vlan_accepts(const struct emu_port *port, const union emu_key *key)
{
	uint16_t vid = rte_be_to_cpu_16(key->tci) & 0xfff;

	// A tag without a VLAN carries a priority only.
	if (!port->vlan_filter || !(key->layers & EMU_L_VLAN) || vid == 0)
		return true;
	return port->vlans[vid / 64] >> vid % 64 & 1;
}

bool
emu_vlan_strip(const union emu_key *key, struct rte_mbuf *m)
{
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	if (!(key->layers & EMU_L_VLAN) || key->eth_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
		m->data_len < RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)
		return false;
	m->vlan_tci = rte_be_to_cpu_16(key->tci);
	memmove(data + RTE_VLAN_HLEN, data, 2 * RTE_ETHER_ADDR_LEN);
	rte_pktmbuf_adj(m, RTE_VLAN_HLEN);
	return true;
}

bool
emu_vlan_insert(struct emu_nic *nic, struct rte_mbuf **m)
{
	const uint16_t tag[2] = {RTE_BE16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16((*m)->vlan_tci)};
	uint8_t macs[2 * RTE_ETHER_ADDR_LEN], *data;

	if (!emu_get(*m, 0, macs, sizeof(macs)))
		return true; // no Ethernet header: the parser says so
	if (!emu_is_own(*m, sizeof(macs)) || rte_pktmbuf_headroom(*m) < RTE_VLAN_HLEN) {
		struct rte_mbuf *copy = rte_pktmbuf_copy(*m, nic->pool, 0, UINT32_MAX);

		if (copy == NULL)
			return false;
		rte_pktmbuf_free(*m);
		*m = copy;
	}
	data = (uint8_t *)rte_pktmbuf_prepend(*m, RTE_VLAN_HLEN);
	memcpy(data, macs, sizeof(macs));
	memcpy(data + sizeof(macs), tag, sizeof(tag));
	(*m)->ol_flags &= ~RTE_MBUF_F_TX_VLAN;
	return true;
}

int
emu_port_vlan_filter(struct rte_eth_dev *dev, uint16_t vid, int on)
{
	struct emu_port *port = dev->data->dev_private;
	uint64_t bit = UINT64_C(1) << vid % 64;

	if (vid >= EMU_VLANS)
		return -EINVAL;
	emu_gate_enter(&port->nic->gate);
	if (on)
		port->vlans[vid / 64] |= bit;
	else
		port->vlans[vid / 64] &= ~bit;
	emu_gate_leave(&port->nic->gate);
	return 0;
}

int
emu_port_vlan_offload(struct rte_eth_dev *dev, int mask)
{
	struct emu_port *port = dev->data->dev_private;
	uint64_t offloads = dev->data->dev_conf.rxmode.offloads;

	emu_gate_enter(&port->nic->gate);
	if (mask & RTE_ETH_VLAN_FILTER_MASK)
		port->vlan_filter = offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	for (uint16_t i = 0; (mask & RTE_ETH_VLAN_STRIP_MASK) && i < port->n_rxq; i++)
		if (port->rxq[i] != NULL)
			port->rxq[i]->strip = offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
	emu_gate_leave(&port->nic->gate);
	return 0;
}

void
emu_port_vlan_strip(struct rte_eth_dev *dev, uint16_t queue, int on)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	if (queue < port->n_rxq && port->rxq[queue] != NULL)
		port->rxq[queue]->strip = on;
	emu_gate_leave(&port->nic->gate);
}
