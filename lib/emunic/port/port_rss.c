// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <errno.h>
#include <string.h>

// Checks conf and puts it in force. Under the gate.
static int
apply(struct emu_port *port, const struct rte_eth_rss_conf *conf)
{
	if (conf->rss_key != NULL && conf->rss_key_len != 0 &&
		conf->rss_key_len != EMU_RSS_KEY_LEN) {
		EMU_LOG(ERR, "%s: an RSS key has %d bytes, not %u", port->nic->name,
			EMU_RSS_KEY_LEN, conf->rss_key_len);
		return -EINVAL;
	}
	if (conf->rss_hf & ~(uint64_t)EMU_RSS_TYPES) {
		EMU_LOG(ERR, "%s: RSS types %#" PRIx64 " are not supported", port->nic->name,
			(uint64_t)(conf->rss_hf & ~(uint64_t)EMU_RSS_TYPES));
		return -EINVAL;
	}
	if (conf->rss_key != NULL)
		emu_rss_set_key(&port->rss, conf->rss_key);
	port->rss.types = conf->rss_hf;
	port->rss_on = conf->rss_hf != 0;
	return 0;
}

int
emu_port_rss_configure(struct emu_port *port, const struct rte_eth_conf *conf)
{
	for (unsigned int i = 0; i < EMU_RETA_SIZE; i++)
		port->reta[i] = port->n_rxq > 0 ? i % port->n_rxq : 0;
	if (conf->rxmode.mq_mode == RTE_ETH_MQ_RX_RSS)
		return apply(port, &conf->rx_adv_conf.rss_conf);
	if (conf->rxmode.mq_mode != RTE_ETH_MQ_RX_NONE) {
		EMU_LOG(ERR, "%s: receive mode %#x is not supported, only RSS", port->nic->name,
			conf->rxmode.mq_mode);
		return -ENOTSUP;
	}
	port->rss_on = false;
	port->rss.types = 0;
	return 0;
}

int
emu_port_rss_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	struct emu_port *port = dev->data->dev_private;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = apply(port, conf);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_port_rss_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	const struct emu_port *port = dev->data->dev_private;

	if (conf->rss_key != NULL && conf->rss_key_len >= EMU_RSS_KEY_LEN)
		memcpy(conf->rss_key, port->rss.key, EMU_RSS_KEY_LEN);
	conf->rss_key_len = EMU_RSS_KEY_LEN;
	conf->rss_hf = port->rss.types;
	return 0;
}

int
emu_port_reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *conf, uint16_t size)
{
	struct emu_port *port = dev->data->dev_private;

	if (size != EMU_RETA_SIZE) {
		EMU_LOG(ERR, "%s: the redirection table has %d entries, not %u", port->nic->name,
			EMU_RETA_SIZE, size);
		return -EINVAL;
	}
	for (uint16_t i = 0; i < size; i++) {
		const struct rte_eth_rss_reta_entry64 *group = &conf[i / RTE_ETH_RETA_GROUP_SIZE];
		uint16_t at = i % RTE_ETH_RETA_GROUP_SIZE;

		if ((group->mask >> at & 1) && group->reta[at] >= port->n_rxq) {
			EMU_LOG(ERR, "%s: redirection entry %u: there is no queue %u",
				port->nic->name, i, group->reta[at]);
			return -EINVAL;
		}
	}
	emu_gate_enter(&port->nic->gate);
	for (uint16_t i = 0; i < size; i++) {
		const struct rte_eth_rss_reta_entry64 *group = &conf[i / RTE_ETH_RETA_GROUP_SIZE];
		uint16_t at = i % RTE_ETH_RETA_GROUP_SIZE;

		if (group->mask >> at & 1)
			port->reta[i] = group->reta[at];
	}
	emu_gate_leave(&port->nic->gate);
	return 0;
}

int
emu_port_reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *conf, uint16_t size)
{
	const struct emu_port *port = dev->data->dev_private;

	if (size != EMU_RETA_SIZE)
		return -EINVAL;
	for (uint16_t i = 0; i < size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &conf[i / RTE_ETH_RETA_GROUP_SIZE];
		uint16_t at = i % RTE_ETH_RETA_GROUP_SIZE;

		if (group->mask >> at & 1)
			group->reta[at] = port->reta[i];
	}
	return 0;
}
