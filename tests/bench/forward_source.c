// SPDX-License-Identifier: BSD-3-Clause
// A traffic source for benchmarks, as a DPDK device that any program can load:
//
//   -d librte_net_flowsource.so --vdev net_flowsource0,flows=N[,seed=S]
//
// Problem: net_pcap with infinite_rx holds the whole capture in the receive pool, so its cost grows
// with the number of flows, and OVS cannot give it the mbufs of 1,000,000 packets.
// Idea: the frames are composed as they are received, 64 bytes of UDP each in eight words, of flows
// drawn uniformly: the cost of a packet is the same at every number of flows, and the same for
// every program that is measured.
// Refuses: more than FLOWS_MAX flows, more than one receive queue. What is sent to it is freed.
//
// Flow f belongs to rule r = f mod 1000 of the policy (tests/bench/forward_policy.py); with
// q = f / 1000 it goes from 10.(r >> 8).(r & 255).(q & 255) to
// 172.(16 + (r >> 8)).(r & 255).(q >> 8 & 255), port 1000 + r.
// Thread safety: as every ethdev.

#include <errno.h>
#include <stdint.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_kvargs.h>
#include <rte_mbuf.h>
#include <rte_telemetry.h>

#define FRAME 64
#define RULES 1000
#define FLOWS_MAX (RULES * 65536u)
#define PORT_BASE 1000

struct source {
	alignas(64) uint64_t state; // of the draw
	uint64_t packets;
	struct rte_mempool *pool;
	uint32_t flows;
	uint16_t port;
	alignas(64) uint64_t sent;
	alignas(64) uint64_t head[8]; // the frame; words 3 and 4 are made for each packet
	uint32_t sum;                 // of the IPv4 header without the addresses
	struct rte_ether_addr mac;
};

static void
make_head(struct source *s)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 50, 0, 1, 0, 0, 64, 17};
	uint8_t frame[FRAME] = {0};

	memcpy(frame, head, sizeof(head));
	memcpy(s->head, frame, sizeof(frame));
	s->sum = 0x4500 + 50 + 1 + (64 << 8 | 17);
}

// Weyl sequence and one 128-bit product (after Lemire's wyrand).
static inline uint32_t
draw(uint64_t *state, uint32_t below)
{
	__uint128_t product;

	*state += 0xa0761d6478bd642fULL;
	product = (__uint128_t)*state * (*state ^ 0xe7037ed1a0b428dbULL);
	return (uint32_t)((uint64_t)(uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64)) *
				  below >>
			  32);
}

static inline void
compose(const struct source *s, uint32_t flow, uint64_t *frame)
{
	uint32_t rule = flow % RULES, nth = flow / RULES;
	uint32_t src = 10u << 24 | rule << 8 | (nth & 255);
	uint32_t dst = (172u << 24 | 16u << 16) + (rule << 8 | (nth >> 8 & 255));
	uint32_t ports = (1024 + (nth * 40503u & 0x3fff)) << 16 | (PORT_BASE + rule);
	uint32_t sum = s->sum + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);
	uint64_t word3, word4;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	word3 = (uint64_t)sum << 48 | (uint64_t)src << 16 | dst >> 16;
	word4 = (uint64_t)(dst & 0xffff) << 48 | (uint64_t)ports << 16 | 30;
	frame[0] = s->head[0];
	frame[1] = s->head[1];
	frame[2] = s->head[2];
	frame[3] = rte_cpu_to_be_64(word3);
	frame[4] = rte_cpu_to_be_64(word4);
	frame[5] = s->head[5];
	frame[6] = s->head[6];
	frame[7] = s->head[7];
}

static uint16_t
source_rx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = queue;
	uint64_t state = s->state;
	uint16_t i;

	if (rte_pktmbuf_alloc_bulk(s->pool, pkts, n) != 0)
		return 0;
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		compose(s, draw(&state, s->flows), rte_pktmbuf_mtod(m, uint64_t *));
		m->data_len = FRAME;
		m->pkt_len = FRAME;
		m->port = s->port;
	}
	s->state = state;
	s->packets += n;
	return n;
}

static uint16_t
source_tx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = queue;

	rte_pktmbuf_free_bulk(pkts, n);
	s->sent += n;
	return n;
}

static int
do_nothing(struct rte_eth_dev *dev)
{
	return 0;
}

static int
start(struct rte_eth_dev *dev)
{
	dev->data->dev_link.link_status = RTE_ETH_LINK_UP;
	return 0;
}

static int
stop(struct rte_eth_dev *dev)
{
	dev->data->dev_link.link_status = RTE_ETH_LINK_DOWN;
	return 0;
}

static int
close_port(struct rte_eth_dev *dev)
{
	dev->data->mac_addrs = NULL; // part of dev_private
	return 0;
}

static int
info_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	info->max_rx_queues = 1;
	info->max_tx_queues = RTE_MAX_QUEUES_PER_PORT;
	info->max_rx_pktlen = UINT16_MAX;
	info->min_rx_bufsize = FRAME;
	info->max_mac_addrs = 1;
	return 0;
}

static int
rx_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t n_desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct source *s = dev->data->dev_private;

	s->pool = pool;
	dev->data->rx_queues[queue] = s;
	return 0;
}

static int
tx_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t n_desc, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	dev->data->tx_queues[queue] = dev->data->dev_private;
	return 0;
}

static int
link_update(struct rte_eth_dev *dev, int wait)
{
	return 0;
}

static int
stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	const struct source *s = dev->data->dev_private;

	stats->ipackets = s->packets;
	stats->ibytes = s->packets * FRAME;
	stats->opackets = s->sent;
	return 0;
}

static int
mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	return 0;
}

static int
mac_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr)
{
	return 0;
}

static const struct eth_dev_ops source_ops = {
	.dev_configure = do_nothing,
	.dev_start = start,
	.dev_stop = stop,
	.dev_close = close_port,
	.dev_infos_get = info_get,
	.promiscuous_enable = do_nothing,
	.promiscuous_disable = do_nothing,
	.allmulticast_enable = do_nothing,
	.allmulticast_disable = do_nothing,
	.rx_queue_setup = rx_setup,
	.tx_queue_setup = tx_setup,
	.link_update = link_update,
	.stats_get = stats_get,
	.mtu_set = mtu_set,
	.mac_addr_set = mac_set,
};

static int
number_of(const char *key, const char *value, void *out)
{
	char *end;

	errno = 0;
	*(uint64_t *)out = strtoull(value, &end, 10);
	return errno != 0 || end == value || *end != '\0' ? -EINVAL : 0;
}

static int
parse_args(struct rte_vdev_device *vdev, uint64_t *flows, uint64_t *seed)
{
	static const char *const keys[] = {"flows", "seed", NULL};
	const char *text = rte_vdev_device_args(vdev);
	struct rte_kvargs *args;
	int rc;

	*flows = 1;
	*seed = 1;
	if (text == NULL || text[0] == '\0')
		return 0;
	args = rte_kvargs_parse(text, keys);
	if (args == NULL)
		return -EINVAL;
	rc = rte_kvargs_process(args, "flows", number_of, flows);
	if (rc == 0)
		rc = rte_kvargs_process(args, "seed", number_of, seed);
	rte_kvargs_free(args);
	return rc != 0 || *flows == 0 || *flows > FLOWS_MAX ? -EINVAL : 0;
}

static int
probe(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev;
	uint64_t flows, seed;
	struct source *s;
	int rc = parse_args(vdev, &flows, &seed);

	if (rc != 0)
		return rc;
	if (vdev->device.numa_node == SOCKET_ID_ANY)
		vdev->device.numa_node = rte_socket_id_by_idx(0);
	dev = rte_eth_vdev_allocate(vdev, sizeof(*s));
	if (dev == NULL)
		return -ENOSPC;
	s = dev->data->dev_private;
	s->state = seed;
	s->flows = (uint32_t)flows;
	s->port = dev->data->port_id;
	s->mac = (struct rte_ether_addr){.addr_bytes = {2, 0, 0, 0, 1, (uint8_t)s->port}};
	make_head(s);
	dev->data->mac_addrs = &s->mac;
	dev->data->dev_link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_100G, .link_duplex = RTE_ETH_LINK_FULL_DUPLEX};
	dev->dev_ops = &source_ops;
	dev->rx_pkt_burst = source_rx;
	dev->tx_pkt_burst = source_tx;
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int
take_away(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	if (dev == NULL)
		return 0;
	close_port(dev);
	return rte_eth_dev_release_port(dev);
}

static struct rte_vdev_driver source_driver = {.probe = probe, .remove = take_away};

RTE_PMD_REGISTER_VDEV(net_flowsource, source_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_flowsource, "flows=<1-65536000> seed=<number>");

// Whoever measures asks any of the programs for the rate of the cycle counter.
static int
tell_clock(const char *cmd, const char *params, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	return rte_tel_data_add_dict_u64(d, "tsc_hz", rte_get_tsc_hz());
}

RTE_INIT(source_register)
{
	rte_telemetry_register_cmd(
		"/flowsource/clock", tell_clock, "Returns the rate of the cycle counter.");
}
