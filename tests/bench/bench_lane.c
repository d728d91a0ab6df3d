// SPDX-License-Identifier: BSD-3-Clause
// Cycles per packet of a receive queue with a fixed meaning (a lane: rules of the NIC steer a flow
// to the queue and mark it), over the floor: the same receive and transmit calls, on the same
// queues of the same emulated NIC with the same rules, with nothing between them. Taken in turns;
// the lane's part includes its counters, those of its rule and the ports, and the memory accounts.
//
// The packets of net_flowsource come in by the wire of net_emunic0, whose firmware runs inline:
// what it costs is in both. They leave by the representor of a VF. Rows: one flow with a queue of
// its own; eight flows that share a queue, each with a mark of its own, mixed packet by packet.
//
// usage: bench_lane [EAL arguments] -- [--loops N] [--rounds N]
//   --loops   loops of 32 packets in one measurement (default 100)
//   --rounds  measurements of each (default 4000)
//
// A window of the one stands beside a window of the other, which of them comes first changes from
// round to round, and it is their differences that count: what the machine does to a round it does
// to both. over_io is the median of the differences, from and to are its 95 % interval (that of the
// order statistics, which asks nothing of how they are distributed); floor is the median of its
// windows, and sluice is floor and over_io together.
//
// It prints one JSON object.

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>

#include "path_rig.h"

#define QUEUE 1 // the one with a meaning; 0 is the default
#define GEN 1u
#define SHARED 8

static const char nic[] = "net_emunic0", representor[] = "net_emunic0_representor_vf0";

static uint32_t
mark_of(unsigned flow)
{
	return GEN << DP_LANE_INDEX_BITS | (flow + 1);
}

// UDP to the flow's port (source_traffic.h): mark, count, to the queue.
static void
steer(uint16_t port, unsigned flow)
{
	struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_item_udp udp = {.hdr.dst_port = rte_cpu_to_be_16((uint16_t)(1000 + flow))};
	struct rte_flow_item_udp mask = {.hdr.dst_port = 0xffff};
	struct rte_flow_item pattern[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	struct rte_flow_action_mark mark = {.id = mark_of(flow)};
	struct rte_flow_action_queue queue = {.index = QUEUE};
	struct rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark},
		{.type = RTE_FLOW_ACTION_TYPE_COUNT},
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_error error = {0};

	if (rte_flow_create(port, &attr, pattern, actions, &error) == NULL)
		path_die("rule of flow %u: %s", flow, error.message);
}

static void
open_lanes(struct path *p, struct dp_lane *lane, unsigned flows)
{
	unsigned i;

	for (i = 0; i < flows; i++) {
		lane[i] = (struct dp_lane){.gen = GEN,
			.version = 1,
			.path = flows == 1 ? DP_PATH_EXCLUSIVE_QUEUE : DP_PATH_SHARED_QUEUE,
			.origin = PATH_IN,
			.program = {.kind = DP_PROG_OUTPUT,
				.n_rules = 1,
				.rule = {(uint16_t)i},
				.out = PATH_OUT,
				.txq = DP_TXQ_OWN}};
		atomic_store(&p->lanes[i + 1], &lane[i]);
		steer(p->ethdev[PATH_IN], i);
	}
}

static double
through_lane(struct path *p, uint32_t loops)
{
	const struct dp_worker_counters *w = dp_worker_counters(p->dp, 0);
	uint64_t first = w->lane_hits, start = rte_rdtsc_precise(), took;

	for (uint32_t i = 0; i < loops; i++)
		dp_worker_once(p->worker);
	took = rte_rdtsc_precise() - start;
	if (w->lane_hits == first || w->hits + w->misses + w->lane_stale != 0)
		path_die("not all packets went by the lane");
	return (double)took / (double)(w->lane_hits - first);
}

static double
through_nothing(struct path *p, uint32_t loops)
{
	struct rte_mbuf *pkts[DP_BURST];
	uint64_t start = rte_rdtsc_precise(), n = 0;

	for (uint32_t i = 0; i < loops; i++) {
		uint16_t got = rte_eth_rx_burst(p->ethdev[PATH_IN], QUEUE, pkts, DP_BURST);
		uint16_t sent = rte_eth_tx_burst(p->ethdev[PATH_OUT], 0, pkts, got);

		rte_pktmbuf_free_bulk(&pkts[sent], got - sent);
		n += got;
	}
	if (n == 0)
		path_die("nothing came");
	return (double)(rte_rdtsc_precise() - start) / (double)n;
}

// In any order before; sorted then.
static double
median(double *v, unsigned n)
{
	path_usual(v, n);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static void
say(unsigned flows, double *none, double *more, unsigned rounds, bool first)
{
	const double floor = median(none, rounds), over = median(more, rounds);
	// Ranks of the median: so many of n lie below it as a coin falls on one side.
	const unsigned aside = (unsigned)(0.98 * sqrt(rounds) + 1), mid = rounds / 2;
	const double from = more[mid > aside ? mid - aside : 0];
	const double to = more[mid + aside < rounds ? mid + aside : rounds - 1];

	printf("%s{\"queue\":\"%s\",\"flows\":%u,\"floor\":%.1f,\"sluice\":%.1f,\"over_io\":%.1f,"
	       "\"from\":%.1f,\"to\":%.1f}",
		first ? "" : ",\n", flows == 1 ? "exclusive" : "shared", flows, floor, floor + over,
		over, from, to);
	fflush(stdout);
}

static void
measure(unsigned flows, uint32_t loops, unsigned rounds, bool first)
{
	double *none = calloc(rounds, sizeof(*none)), *more = calloc(rounds, sizeof(*more));
	struct path_conf conf = {.flows = 1024, .kind = DP_RXQ_ASSIGNED, .queue = QUEUE};
	struct dp_lane lane[SHARED];
	static struct path p;
	char args[160];

	if (none == NULL || more == NULL)
		path_die("out of memory");
	memset(&p, 0, sizeof(p));
	path_pool(&p);
	snprintf(args, sizeof(args),
		"queues=2,firmware=inline,representor=vf[0-0],rep_queues=2,vf0=[sink],"
		"wire=[ethdev,net_flowsource0,flows=%u]",
		flows);
	p.ethdev[PATH_IN] = path_device(&p, nic, args, QUEUE + 1);
	p.ethdev[PATH_OUT] = path_device(&p, representor, NULL, QUEUE + 1);
	path_begin(&p, &conf);
	open_lanes(&p, lane, flows);
	through_nothing(&p, loops);
	for (unsigned i = 0; i < rounds; i++) {
		double before = i % 2 ? through_lane(&p, loops) : 0;

		none[i] = through_nothing(&p, loops);
		more[i] = (i % 2 ? before : through_lane(&p, loops)) - none[i];
	}
	say(flows, none, more, rounds, first);
	free(none);
	free(more);
	path_end(&p);
	rte_eth_dev_stop(p.ethdev[PATH_OUT]);
	rte_eth_dev_stop(p.ethdev[PATH_IN]);
	rte_vdev_uninit(nic);
	rte_mempool_free(p.pool);
}

int
main(int argc, char **argv)
{
	uint32_t loops = 100, rounds = 4000;
	int used = rte_eal_init(argc, argv);

	if (used < 0)
		return 1;
	argc -= used;
	argv += used;
	for (argc--, argv++; argc > 1; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "--loops") == 0)
			loops = path_number(argv[1]);
		else if (strcmp(argv[0], "--rounds") == 0)
			rounds = path_number(argv[1]);
		else
			path_die("no option %s", argv[0]);
	}
	printf("{\"bench\":\"lane\",\"rows\":[\n");
	measure(1, loops, rounds, true);
	measure(SHARED, loops, rounds, false);
	printf("]}\n");
	rte_eal_cleanup();
	return 0;
}
