// SPDX-License-Identifier: BSD-3-Clause
// A traffic source for benchmarks, as a DPDK device that any program can load:
//
//   -d librte_net_flowsource.so --vdev net_flowsource0,flows=N[,KEY=VALUE...]
//     order=uniform|zipf  in which order the flows come (uniform)
//     size=64|mix         length of the frames; mix: 64, 594 and 1514 bytes as 7 to 4 to 1
//     pcap=FILE           a capture (pcap, pcap.gz): without rate= it is all that comes, in a loop
//     rate=N              packets a second of the flows (0: as many as are asked for)
//     dscp=N              code point of the flows' packets (0)
//     seed=N
//
// Problem: net_pcap with infinite_rx holds the whole capture in the receive pool, so its cost grows
// with the number of flows, and OVS cannot give it the mbufs of 1,000,000 packets.
// Idea: the frames are composed as they are received (source_traffic.h): the cost of a packet is
// the same at every number of flows, and the same for every program that is measured.
//
// With rate= the device is a queue of QUEUE descriptors that packets come to at their rates; what
// comes while it is full is missed. Then telemetry sets what else comes, while packets flow:
//   /flowsource/set,PORT,known=N,new=N,capture=N[,vary=1]   packets a second of the flows, of
//     flows never seen before, and of the capture (vary: with other sources in each round)
//   /flowsource/counts,PORT   what came, what was missed, by kind
//   /flowsource/clock         the rate of the cycle counter
// The thread that polls may lose its CPU to another program: when two polls are more than GAP_US
// apart nothing has come since GAP_US after the first.
// Refuses: more than one receive queue. What is sent to it is freed.
// Thread safety: as every ethdev; rates are written by one thread and read by another.

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_kvargs.h>
#include <rte_mbuf.h>
#include <rte_string_fns.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "source_traffic.h"

#define QUEUE 1024
#define GAP_US 150

enum kind { KNOWN, NEW, CAPTURE, KINDS };

struct source {
	struct traffic traffic;
	struct rte_mempool *pool;
	uint16_t port;
	uint64_t packets, bytes;
	// Of a paced source:
	_Atomic uint64_t rate[KINDS]; // packets a second
	_Atomic bool vary;
	double waiting[KINDS];
	uint64_t last, gap; // cycle counts
	double seconds;     // of a cycle
	_Atomic uint64_t came[KINDS], missed[KINDS];
	alignas(64) uint64_t sent;
	struct rte_ether_addr mac;
};

static inline void
finish(const struct source *s, struct rte_mbuf *m, uint16_t len)
{
	m->data_len = len;
	m->pkt_len = len;
	m->port = s->port;
}

static uint16_t
known_rx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = queue;
	uint64_t bytes = 0;
	uint16_t i;

	if (rte_pktmbuf_alloc_bulk(s->pool, pkts, n) != 0)
		return 0;
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint16_t len = traffic_known(&s->traffic, rte_pktmbuf_mtod(m, uint64_t *));

		finish(s, m, len);
		bytes += len;
	}
	s->packets += n;
	s->bytes += bytes;
	return n;
}

static uint16_t
capture_rx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = queue;
	uint16_t i;

	if (rte_pktmbuf_alloc_bulk(s->pool, pkts, n) != 0)
		return 0;
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint16_t len = traffic_captured(&s->traffic, rte_pktmbuf_mtod(m, uint64_t *));

		finish(s, m, len);
		s->bytes += len;
	}
	s->packets += n;
	return n;
}

static inline void
bump(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

// What has come since the last poll. Returns how many packets wait.
static double
arrive(struct source *s)
{
	uint64_t now = rte_rdtsc();
	double passed = (double)RTE_MIN(now - s->last, s->gap) * s->seconds, all = 0;
	unsigned k;

	s->last = now;
	for (k = 0; k < KINDS; k++) {
		s->waiting[k] +=
			passed * (double)atomic_load_explicit(&s->rate[k], memory_order_relaxed);
		all += s->waiting[k];
	}
	if (all <= QUEUE)
		return all;
	for (k = 0; k < KINDS; k++) {
		uint64_t lost = (uint64_t)(s->waiting[k] * (1 - QUEUE / all));

		s->waiting[k] -= (double)lost;
		bump(&s->missed[k], lost);
	}
	return QUEUE;
}

static enum kind
next_kind(struct source *s)
{
	double all = s->waiting[KNOWN] + s->waiting[NEW] + s->waiting[CAPTURE];
	double point = all * traffic_draw(&s->traffic.state, 1u << 30) / (1u << 30);

	if (point < s->waiting[KNOWN])
		return KNOWN;
	return point < s->waiting[KNOWN] + s->waiting[NEW] ? NEW : CAPTURE;
}

static uint16_t
compose(struct source *s, enum kind kind, uint64_t *out)
{
	switch (kind) {
	case NEW:
		return traffic_new(&s->traffic, out);
	case CAPTURE:
		return traffic_captured(&s->traffic, out);
	default:
		return traffic_known(&s->traffic, out);
	}
}

static uint16_t
paced_rx(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = queue;
	uint64_t came[KINDS] = {0};
	double all = arrive(s);
	unsigned k;
	uint16_t i;

	n = (uint16_t)RTE_MIN((double)n, all);
	if (n == 0 || rte_pktmbuf_alloc_bulk(s->pool, pkts, n) != 0)
		return 0;
	s->traffic.vary = atomic_load_explicit(&s->vary, memory_order_relaxed);
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		enum kind kind = next_kind(s);
		uint16_t len = compose(s, kind, rte_pktmbuf_mtod(m, uint64_t *));

		s->waiting[kind] -= 1;
		came[kind]++;
		finish(s, m, len);
		s->bytes += len;
	}
	for (k = 0; k < KINDS; k++)
		bump(&s->came[k], came[k]);
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
	info->min_rx_bufsize = 1518;
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
#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats, struct eth_queue_stats *queues)
#else
stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
#endif
{
	const struct source *s = dev->data->dev_private;

	stats->ipackets = s->packets;
	stats->ibytes = s->bytes;
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

struct source_args {
	uint64_t flows, seed, dscp, rate;
	bool zipf, mix, paced;
	char pcap[256];
};

static int
number_of(const char *value, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(value, &end, 10);
	return errno != 0 || end == value || *end != '\0' || *out > max ? -EINVAL : 0;
}

// One of two words: true for the second.
static int
either(const char *value, const char *first, const char *second, bool *out)
{
	*out = strcmp(value, second) == 0;
	return *out || strcmp(value, first) == 0 ? 0 : -EINVAL;
}

static int
take_arg(const char *key, const char *value, void *out)
{
	struct source_args *a = out;

	if (strcmp(key, "flows") == 0)
		return number_of(value, TRAFFIC_FLOWS_MAX, &a->flows);
	if (strcmp(key, "seed") == 0)
		return number_of(value, UINT64_MAX, &a->seed);
	if (strcmp(key, "dscp") == 0)
		return number_of(value, 63, &a->dscp);
	if (strcmp(key, "order") == 0)
		return either(value, "uniform", "zipf", &a->zipf);
	if (strcmp(key, "size") == 0)
		return either(value, "64", "mix", &a->mix);
	if (strcmp(key, "rate") == 0) {
		a->paced = true;
		return number_of(value, UINT32_MAX, &a->rate);
	}
	return strlcpy(a->pcap, value, sizeof(a->pcap)) < sizeof(a->pcap) ? 0 : -EINVAL;
}

static int
parse_args(struct rte_vdev_device *vdev, struct source_args *a)
{
	static const char *const keys[] = {
		"flows", "seed", "dscp", "order", "size", "rate", "pcap", NULL};
	const char *text = rte_vdev_device_args(vdev);
	struct rte_kvargs *args;
	int rc;

	*a = (struct source_args){.flows = 1, .seed = 1};
	if (text == NULL || text[0] == '\0')
		return 0;
	args = rte_kvargs_parse(text, keys);
	if (args == NULL)
		return -EINVAL;
	rc = rte_kvargs_process(args, NULL, take_arg, a);
	rte_kvargs_free(args);
	return rc != 0 || a->flows == 0 ? -EINVAL : 0;
}

static int
make_source(struct source *s, const struct source_args *a)
{
	int rc;

	traffic_start(&s->traffic, (uint32_t)a->flows, a->seed);
	traffic_dscp(&s->traffic, (uint8_t)a->dscp);
	s->traffic.mix = a->mix;
	if (a->zipf && traffic_zipf(&s->traffic) != 0)
		return -ENOMEM;
	if (a->pcap[0] != '\0') {
		rc = traffic_capture(&s->traffic, a->pcap);
		if (rc != 0)
			return rc;
	}
	s->gap = rte_get_tsc_hz() / 1000000 * GAP_US;
	s->seconds = 1.0 / (double)rte_get_tsc_hz();
	s->last = rte_rdtsc();
	atomic_init(&s->rate[KNOWN], a->rate);
	return 0;
}

static int
probe(struct rte_vdev_device *vdev)
{
	struct source_args a;
	struct rte_eth_dev *dev;
	struct source *s;
	int rc = parse_args(vdev, &a);

	if (rc != 0)
		return rc;
	if (vdev->device.numa_node == SOCKET_ID_ANY)
		vdev->device.numa_node = rte_socket_id_by_idx(0);
	dev = rte_eth_vdev_allocate(vdev, sizeof(*s));
	if (dev == NULL)
		return -ENOSPC;
	s = dev->data->dev_private;
	rc = make_source(s, &a);
	if (rc != 0) {
		traffic_end(&s->traffic);
		rte_eth_dev_release_port(dev);
		return rc;
	}
	s->port = dev->data->port_id;
	s->mac = (struct rte_ether_addr){.addr_bytes = {2, 0, 0, 0, 1, (uint8_t)s->port}};
	dev->data->mac_addrs = &s->mac;
	dev->data->dev_link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_100G, .link_duplex = RTE_ETH_LINK_FULL_DUPLEX};
	dev->dev_ops = &source_ops;
	dev->rx_pkt_burst = a.paced ? paced_rx : a.pcap[0] != '\0' ? capture_rx : known_rx;
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
	traffic_end(&((struct source *)dev->data->dev_private)->traffic);
	close_port(dev);
	return rte_eth_dev_release_port(dev);
}

static struct rte_vdev_driver source_driver = {.probe = probe, .remove = take_away};

RTE_PMD_REGISTER_VDEV(net_flowsource, source_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_flowsource,
	"flows=<1-65536000> order=uniform|zipf size=64|mix pcap=<file> rate=<pps> dscp=<0-63> "
	"seed=<number>");

static int
add_number(struct rte_tel_data *d, const char *name, uint64_t value)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	return rte_tel_data_add_dict_uint(d, name, value);
#else
	return rte_tel_data_add_dict_u64(d, name, value);
#endif
}

// Whoever measures asks any of the programs for the rate of the cycle counter.
static int
tell_clock(const char *cmd, const char *params, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	return add_number(d, "tsc_hz", rte_get_tsc_hz());
}

// The source that "PORT..." names; rest is what follows.
static struct source *
named(const char *params, char **rest)
{
	unsigned long port;

	if (params == NULL)
		return NULL;
	port = strtoul(params, rest, 10);
	if (*rest == params || port >= RTE_MAX_ETHPORTS ||
		!rte_eth_dev_is_valid_port((uint16_t)port))
		return NULL;
	if (rte_eth_devices[port].dev_ops != &source_ops)
		return NULL;
	return rte_eth_devices[port].data->dev_private;
}

static int
tell_counts(const char *cmd, const char *params, struct rte_tel_data *d)
{
	static const char *const names[KINDS][2] = {
		{"known", "known_missed"}, {"new", "new_missed"}, {"capture", "capture_missed"}};
	char *rest;
	const struct source *s = named(params, &rest);
	unsigned k;

	if (s == NULL)
		return -EINVAL;
	rte_tel_data_start_dict(d);
	add_number(d, "distinct", s->traffic.distinct);
	add_number(d, "frames", s->traffic.n_capture);
	for (k = 0; k < KINDS; k++) {
		add_number(d, names[k][0], atomic_load_explicit(&s->came[k], memory_order_relaxed));
		add_number(
			d, names[k][1], atomic_load_explicit(&s->missed[k], memory_order_relaxed));
	}
	return 0;
}

static int
set_one(const char *key, const char *value, void *out)
{
	static const char *const names[KINDS] = {"known", "new", "capture"};
	struct source *s = out;
	uint64_t n;
	unsigned k;

	if (number_of(value, UINT32_MAX, &n) != 0)
		return -EINVAL;
	if (strcmp(key, "vary") == 0)
		atomic_store_explicit(&s->vary, n != 0, memory_order_relaxed);
	for (k = 0; k < KINDS; k++)
		if (strcmp(key, names[k]) == 0)
			atomic_store_explicit(&s->rate[k],
				k == CAPTURE && s->traffic.n_capture == 0 ? 0 : n,
				memory_order_relaxed);
	return 0;
}

static int
set_rates(const char *cmd, const char *params, struct rte_tel_data *d)
{
	static const char *const keys[] = {"known", "new", "capture", "vary", NULL};
	struct rte_kvargs *args;
	char *rest;
	struct source *s = named(params, &rest);
	int rc;

	if (s == NULL || *rest != ',')
		return -EINVAL;
	args = rte_kvargs_parse(rest + 1, keys);
	if (args == NULL)
		return -EINVAL;
	rc = rte_kvargs_process(args, NULL, set_one, s);
	rte_kvargs_free(args);
	rte_tel_data_start_dict(d);
	return rc != 0 ? -EINVAL : 0;
}

RTE_INIT(source_register)
{
	rte_telemetry_register_cmd(
		"/flowsource/clock", tell_clock, "Returns the rate of the cycle counter.");
	rte_telemetry_register_cmd("/flowsource/counts", tell_counts,
		"Returns what came to a source. Parameters: port");
	rte_telemetry_register_cmd("/flowsource/set", set_rates,
		"Sets what comes to a paced source. Parameters: port,known=,new=,capture=,vary=");
}
