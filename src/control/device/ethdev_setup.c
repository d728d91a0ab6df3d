// SPDX-License-Identifier: BSD-3-Clause
#include "device/ethdev_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mempool.h>

#define RX_OFFLOADS                                                                                \
	(RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO |   \
		RTE_ETH_RX_OFFLOAD_RSS_HASH)
#define TX_OFFLOADS                                                                                \
	(RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |                           \
		RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                      \
		RTE_ETH_TX_OFFLOAD_TCP_TSO)
#define RSS_TYPES (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP)

// 0x6d5a repeated gives both directions of a connection the same hash (Woo and Park, "Scalable TCP
// Session Monitoring with Symmetric Receive-side Scaling", 2012).
static void
symmetric_key(uint8_t *key, unsigned len)
{
	unsigned i;

	for (i = 0; i < len; i++)
		key[i] = i % 2 == 0 ? 0x6d : 0x5a;
}

static int
first_port(const char *name, uint16_t *ethdev)
{
	struct rte_dev_iterator it;
	char text[160];
	uint16_t id;

	if (rte_eth_dev_get_port_by_name(name, ethdev) == 0)
		return 0;
	snprintf(text, sizeof(text), "%s", name);
	RTE_ETH_FOREACH_MATCHING_DEV(id, text, &it)
	{
		*ethdev = id;
		rte_eth_iterator_cleanup(&it);
		return 0;
	}
	return -ENODEV;
}

int
ethdev_probe(const char *devargs, char *name, unsigned long name_len, uint16_t *ethdev, int *probed,
	struct sl_err *err)
{
	int rc;

	snprintf(name, name_len, "%.*s", (int)strcspn(devargs, ","), devargs);
	*probed = 0;
	if (first_port(name, ethdev) == 0)
		return 0;
	rc = rte_dev_probe(devargs);
	if (rc != 0)
		return sl_err_set(err, rc, NULL,
			"the device \"%s\" could not be opened: %s (is its driver loaded and "
			"bound, are its arguments "
			"right?)",
			devargs, strerror(-rc));
	*probed = 1;
	if (first_port(name, ethdev) != 0) {
		ethdev_remove(name);
		return sl_err_set(err, ENODEV, NULL, "the device \"%s\" has no port", devargs);
	}
	return 0;
}

void
ethdev_remove(const char *name)
{
	struct rte_eth_dev_info info;
	uint16_t ethdev;

	if (first_port(name, &ethdev) == 0 && rte_eth_dev_info_get(ethdev, &info) == 0 &&
		info.device != NULL)
		rte_dev_remove(info.device);
}

// A pool whose packets had not all come back when its device was closed is still there under its
// name; the device is not in use, so one that is complete by now can go.
static void
pool_name(char *name, unsigned long len, uint16_t ethdev, uint16_t index)
{
	struct rte_mempool *old;
	unsigned turn = 0;

	while (true) {
		snprintf(name, len, "sl-p%u-%u-%u", ethdev, index, turn++);
		old = rte_mempool_lookup(name);
		if (old == NULL)
			return;
		if (rte_mempool_full(old)) {
			rte_mempool_free(old);
			return;
		}
	}
}

static int
make_pools(uint16_t ethdev, const struct ethdev_plan *plan, struct ethdev_result *out,
	struct sl_err *err)
{
	uint16_t n = 1 + plan->rx_queues - plan->rx_default, i;
	char name[RTE_MEMPOOL_NAMESIZE];
	int socket = rte_eth_dev_socket_id(ethdev);
	static const unsigned cache = 256;

	out->pools = calloc(n, sizeof(*out->pools));
	if (out->pools == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	for (i = 0; i < n; i++) {
		uint32_t size = i == 0 ? plan->mbufs : plan->queue_mbufs;

		pool_name(name, sizeof(name), ethdev, i);
		out->pools[i] = rte_pktmbuf_pool_create(name, size, size >= 4 * cache ? cache : 0,
			0, RTE_MBUF_DEFAULT_BUF_SIZE, socket);
		if (out->pools[i] == NULL)
			return sl_err_set(err, rte_errno, NULL,
				"no memory for %u packet buffers (more hugepages, or a smaller "
				"/datapath/mbufs)",
				size);
		out->n_pools++;
	}
	return 0;
}

static int
check_limits(
	const struct rte_eth_dev_info *info, const struct ethdev_plan *plan, struct sl_err *err)
{
	if (plan->rx_queues > info->max_rx_queues)
		return sl_err_set(err, EINVAL, NULL,
			"%u receive queues are wanted, the device has %u", plan->rx_queues,
			info->max_rx_queues);
	if (plan->tx_queues > info->max_tx_queues)
		return sl_err_set(err, EINVAL, NULL,
			"%u transmit queues are wanted, the device has %u", plan->tx_queues,
			info->max_tx_queues);
	return 0;
}

static void
fill_conf(const struct rte_eth_dev_info *info, const struct ethdev_plan *plan,
	struct rte_eth_conf *conf, uint8_t *key)
{
	uint64_t types = RSS_TYPES & info->flow_type_rss_offloads;

	conf->rxmode.offloads = RX_OFFLOADS & info->rx_offload_capa;
	conf->txmode.offloads = TX_OFFLOADS & info->tx_offload_capa;
	if (info->max_lro_pkt_size > 0)
		conf->rxmode.max_lro_pkt_size = info->max_lro_pkt_size;
	if (plan->mtu != 0 && plan->mtu <= info->max_mtu)
		conf->rxmode.mtu = plan->mtu;
	if (types != 0 && plan->rx_queues > 1) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = types;
		if (info->hash_key_size > 0 && info->hash_key_size <= 64) {
			symmetric_key(key, info->hash_key_size);
			conf->rx_adv_conf.rss_conf.rss_key = key;
			conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
		}
	} else {
		conf->rxmode.offloads &= ~(uint64_t)RTE_ETH_RX_OFFLOAD_RSS_HASH;
	}
	conf->intr_conf.lsc = (*info->dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
}

static int
setup_queues(uint16_t ethdev, const struct rte_eth_dev_info *info, const struct ethdev_plan *plan,
	const struct rte_eth_conf *conf, struct ethdev_result *out, struct sl_err *err)
{
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	struct rte_eth_txconf txconf = info->default_txconf;
	uint16_t rx_desc = plan->rx_desc, tx_desc = plan->tx_desc, q;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(ethdev, &rx_desc, &tx_desc);

	rxconf.offloads = conf->rxmode.offloads;
	txconf.offloads = conf->txmode.offloads;
	for (q = 0; rc == 0 && q < plan->rx_queues; q++) {
		uint16_t pool = q < plan->rx_default ? 0 : 1 + q - plan->rx_default;

		rc = rte_eth_rx_queue_setup(ethdev, q, rx_desc, rte_eth_dev_socket_id(ethdev),
			&rxconf, out->pools[pool]);
	}
	for (q = 0; rc == 0 && q < plan->tx_queues; q++)
		rc = rte_eth_tx_queue_setup(
			ethdev, q, tx_desc, rte_eth_dev_socket_id(ethdev), &txconf);
	if (rc != 0)
		return sl_err_set(
			err, rc, NULL, "the device refused its queues: %s", strerror(-rc));
	return 0;
}

// RSS spreads onto the default queues only, so that an assigned queue holds nothing but what a rule
// steered there.
static int
limit_reta(uint16_t ethdev, const struct rte_eth_dev_info *info, const struct ethdev_plan *plan,
	bool rss, struct sl_err *err)
{
	struct rte_eth_rss_reta_entry64 *reta;
	uint16_t i;
	int rc;

	if (plan->rx_default == plan->rx_queues || !rss)
		return 0;
	if (info->reta_size == 0)
		return sl_err_set(err, ENOTSUP, NULL,
			"the device spreads packets over all queues and cannot be told otherwise: "
			"it can have no queues besides the default ones");
	reta = calloc(info->reta_size / RTE_ETH_RETA_GROUP_SIZE + 1u, sizeof(*reta));
	if (reta == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	for (i = 0; i < info->reta_size; i++) {
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ULL << (i % RTE_ETH_RETA_GROUP_SIZE);
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			i % plan->rx_default;
	}
	rc = rte_eth_dev_rss_reta_update(ethdev, reta, info->reta_size);
	free(reta);
	if (rc != 0)
		return sl_err_set(err, rc, NULL, "the device refused its RETA: %s", strerror(-rc));
	return 0;
}

int
ethdev_setup(uint16_t ethdev, const struct ethdev_plan *plan, struct ethdev_result *out,
	struct sl_err *err)
{
	uint64_t metadata = RTE_ETH_RX_METADATA_USER_MARK;
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	uint8_t key[64];
	int rc;

	memset(out, 0, sizeof(*out));
	rc = rte_eth_dev_info_get(ethdev, &info);
	if (rc != 0)
		return sl_err_set(err, rc, NULL, "the device does not answer: %s", strerror(-rc));
	rc = check_limits(&info, plan, err);
	if (rc != 0)
		return rc;
	fill_conf(&info, plan, &conf, key);
	// Some drivers deliver MARK only when asked before configure; one that does not know the
	// call delivers it anyway.
	rte_eth_rx_metadata_negotiate(ethdev, &metadata);
	rc = rte_eth_dev_configure(ethdev, plan->rx_queues, plan->tx_queues, &conf);
	if (rc != 0)
		return sl_err_set(
			err, rc, NULL, "the device refused its configuration: %s", strerror(-rc));
	// A device that runs for somebody else refused that: from here on its pools are ours.
	rc = make_pools(ethdev, plan, out, err);
	if (rc == 0)
		rc = setup_queues(ethdev, &info, plan, &conf, out, err);
	if (rc != 0)
		goto fail;
	// A switch takes what is for others, from the first packet on.
	rte_eth_promiscuous_enable(ethdev);
	rte_eth_allmulticast_enable(ethdev);
	rc = rte_eth_dev_start(ethdev);
	if (rc != 0) {
		sl_err_set(err, rc, NULL, "the device did not start: %s", strerror(-rc));
		goto fail;
	}
	rc = limit_reta(ethdev, &info, plan, conf.rxmode.mq_mode == RTE_ETH_MQ_RX_RSS, err);
	if (rc != 0) {
		rte_eth_dev_stop(ethdev);
		goto fail;
	}
	out->rx_offloads = conf.rxmode.offloads;
	out->tx_offloads = conf.txmode.offloads;
	return 0;
fail:
	ethdev_pools_free(out);
	return rc;
}

int
ethdev_restart(uint16_t ethdev, uint16_t rx_queues, uint16_t rx_default, struct sl_err *err)
{
	const struct ethdev_plan plan = {.rx_queues = rx_queues, .rx_default = rx_default};
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(ethdev, &info);

	if (rc == 0)
		rc = rte_eth_dev_start(ethdev);
	if (rc != 0)
		return sl_err_set(err, rc, NULL, "the device did not start: %s", strerror(-rc));
	rc = limit_reta(ethdev, &info, &plan,
		rx_queues > 1 && (info.flow_type_rss_offloads & RSS_TYPES) != 0, err);
	if (rc != 0)
		rte_eth_dev_stop(ethdev);
	return rc;
}

void
ethdev_pools_free(struct ethdev_result *r)
{
	uint16_t i;

	for (i = 0; i < r->n_pools; i++)
		rte_mempool_free(r->pools[i]);
	free(r->pools);
	memset(r, 0, sizeof(*r));
}

void
ethdev_teardown(uint16_t ethdev, struct ethdev_result *r)
{
	if (rte_eth_dev_is_valid_port(ethdev))
		rte_eth_dev_stop(ethdev);
	// A packet of ours may still lie in a peer's ring until the device is closed, so the pools
	// stay with the process when they are not complete again.
	for (uint16_t i = 0; i < r->n_pools; i++) {
		if (rte_mempool_full(r->pools[i]))
			rte_mempool_free(r->pools[i]);
	}
	free(r->pools);
	memset(r, 0, sizeof(*r));
}
