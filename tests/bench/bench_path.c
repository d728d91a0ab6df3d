// SPDX-License-Identifier: BSD-3-Clause
// Cycles per packet of the packet path by itself, in one process: one worker, driven loop by loop,
// between net_flowsource (forward_source.c) and net_null under the 1000 rules of `forward`. Beside
// it, taken in turns, the floor: the same receive and transmit calls with nothing between them.
//
// usage: bench_path [EAL arguments] -- [--loops N] [--rounds N] [FLOWS ...]
//   --loops   loops of 32 packets in one measurement (default 300: well within a time slice)
//   --rounds  measurements of each (default 2000); what one in fifty stays below counts
//
// It prints one JSON object. scripts/bench forward is the benchmark that compares with other
// switches; this one shows within seconds what a change does, also on a machine that is in use,
// and is what `bench stages` counts instructions of.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "path_rig.h"

#define WARM_LOOPS_MAX 20000000u

static void
begin(struct path *p, unsigned flows)
{
	struct path_conf conf = {.flows = RTE_MAX(131072u, flows + flows / 20)};
	char args[32];

	memset(p, 0, sizeof(*p));
	path_pool(p);
	snprintf(args, sizeof(args), "flows=%u", flows);
	p->ethdev[PATH_IN] = path_device(p, "net_flowsource0", args, 1);
	p->ethdev[PATH_OUT] = path_device(p, "net_null0", "", 1);
	path_begin(p, &conf);
}

static void
end(struct path *p)
{
	uint16_t i;

	path_end(p);
	for (i = 0; i < PATH_PORTS; i++) {
		rte_eth_dev_stop(p->ethdev[i]);
		rte_eth_dev_close(p->ethdev[i]);
	}
	rte_mempool_free(p->pool);
	rte_vdev_uninit("net_flowsource0");
	rte_vdev_uninit("net_null0");
}

// Until the flows are known.
static void
warm(struct path *p, unsigned flows)
{
	const struct dp_worker_counters *c = dp_worker_counters(p->dp, 0);
	uint64_t want = flows - flows / 1000;
	uint32_t i;

	for (i = 0; i < WARM_LOOPS_MAX && c->flows_seen < want; i++)
		dp_worker_once(p->worker);
	if (c->flows_seen < want)
		path_die("only %" PRIu64 " of %u flows got known", (uint64_t)c->flows_seen, flows);
}

static double
through_path(struct path *p, uint32_t loops)
{
	const struct dp_vport_counters *c = dp_vport_counters(p->dp, 0);
	uint64_t first = c[PATH_IN].sent, start = rte_rdtsc_precise(), took;
	uint32_t i;

	for (i = 0; i < loops; i++)
		dp_worker_once(p->worker);
	took = rte_rdtsc_precise() - start;
	if (c[PATH_IN].sent == first)
		path_die("nothing was sent");
	return (double)took / (double)(c[PATH_IN].sent - first);
}

static double
through_nothing(struct path *p, uint32_t loops)
{
	struct rte_mbuf *pkts[DP_BURST];
	uint64_t start = rte_rdtsc_precise(), n = 0;
	uint16_t got;

	while (loops-- > 0) {
		got = rte_eth_rx_burst(p->ethdev[PATH_IN], 0, pkts, DP_BURST);
		n += rte_eth_tx_burst(p->ethdev[PATH_OUT], 0, pkts, got);
	}
	return (double)(rte_rdtsc_precise() - start) / (double)n;
}

static void
measure(unsigned flows, uint32_t loops, unsigned rounds, bool first)
{
	double *none = calloc(rounds, sizeof(*none)), *path = calloc(rounds, sizeof(*path));
	double floor, best;
	static struct path p;
	unsigned i;

	if (none == NULL || path == NULL)
		path_die("out of memory");
	begin(&p, flows);
	warm(&p, flows);
	for (i = 0; i < rounds; i++) {
		none[i] = through_nothing(&p, loops);
		path[i] = through_path(&p, loops);
	}
	floor = path_usual(none, rounds);
	best = path_usual(path, rounds);
	free(none);
	free(path);
	printf("%s{\"flows\":%u,\"floor\":%.1f,\"sluice\":%.1f,\"over_io\":%.1f}",
		first ? "" : ",\n", flows, floor, best, best - floor);
	fflush(stdout);
	end(&p);
}

int
main(int argc, char **argv)
{
	static const unsigned sizes[] = {1, 1000, 10000, 100000, 1000000};
	uint32_t loops = 300;
	unsigned rounds = 2000;
	int used = rte_eal_init(argc, argv);
	unsigned i;

	if (used < 0)
		return 1;
	argc -= used;
	argv += used;
	for (argc--, argv++; argc > 1 && argv[0][0] == '-'; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "--loops") == 0)
			loops = path_number(argv[1]);
		else if (strcmp(argv[0], "--rounds") == 0)
			rounds = path_number(argv[1]);
		else
			path_die("no option %s", argv[0]);
	}
	printf("{\"bench\":\"path\",\"rows\":[\n");
	if (argc == 0)
		for (i = 0; i < RTE_DIM(sizes); i++)
			measure(sizes[i], loops, rounds, i == 0);
	for (i = 0; i < (unsigned)RTE_MAX(argc, 0); i++)
		measure(path_number(argv[i]), loops, rounds, i == 0);
	printf("]}\n");
	rte_eal_cleanup();
	return 0;
}
