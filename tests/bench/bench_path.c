// SPDX-License-Identifier: BSD-3-Clause
// Cycles per packet of the packet path by itself, in one process: one worker, driven loop by loop,
// between net_flowsource (forward_source.c) and net_null under the 1000 rules of `forward`. Beside
// it, taken in turns, the floor: the same receive and transmit calls with nothing between them.
//
// Cases, beside the plain one:
//   candidates   the packets come in by a NIC, and every flow is busy enough to be told to control
//                as one that wants hardware (tests/bench: nobody gives it a place)
//   field_other  a rule above the others reads a per-packet field (DSCP), which no flow can reach
//   field        each flow can reach one: its packets are looked up twice (classify/fields.h)
//
// usage: bench_path [EAL arguments] -- [--loops N] [--rounds N] [--case NAME] [FLOWS ...]
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

struct kase {
	const char *name;
	struct path_conf conf;
	unsigned entries; // of the cache, for each flow
	unsigned dscp;    // of the packets
};

static const struct kase cases[] = {
	{.name = "plain", .entries = 1},
	{.name = "candidates", .entries = 1, .conf.candidates = true},
	{.name = "field_other", .entries = 1, .dscp = 10, .conf.above = "udp dport=9 dscp=46"},
	{.name = "field", .entries = 2, .dscp = 10, .conf.above = "udp dscp=46"},
};

static void
begin(struct path *p, const struct kase *k, unsigned flows)
{
	struct path_conf conf = k->conf;
	unsigned entries = flows * k->entries;
	char args[48];

	conf.flows = RTE_MAX(131072u, entries + entries / 20);
	memset(p, 0, sizeof(*p));
	path_pool(p);
	snprintf(args, sizeof(args), "flows=%u,dscp=%u", flows, k->dscp);
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

// As control does, which is not here.
static uint64_t
take_events(struct path *p)
{
	struct dp_event events[256];
	uint64_t all = 0;
	unsigned n;

	while ((n = dp_events_get(p->dp, events, RTE_DIM(events))) > 0)
		all += n;
	return all;
}

static void
measure(const struct kase *k, unsigned flows, uint32_t loops, unsigned rounds, bool first)
{
	double *none = calloc(rounds, sizeof(*none)), *path = calloc(rounds, sizeof(*path));
	double floor, best;
	uint64_t events = 0, start, took;
	static struct path p;
	unsigned i;

	if (none == NULL || path == NULL)
		path_die("out of memory");
	begin(&p, k, flows);
	warm(&p, flows);
	take_events(&p);
	start = rte_rdtsc();
	for (i = 0; i < rounds; i++) {
		none[i] = through_nothing(&p, loops);
		path[i] = through_path(&p, loops);
		events += take_events(&p);
	}
	took = rte_rdtsc() - start;
	if (k->conf.candidates != (events > 0))
		path_die("%s: %" PRIu64 " flows were told", k->name, events);
	floor = path_usual(none, rounds);
	best = path_usual(path, rounds);
	free(none);
	free(path);
	printf("%s{\"case\":\"%s\",\"flows\":%u,\"floor\":%.1f,\"sluice\":%.1f,\"over_io\":%.1f,"
	       "\"events_per_s\":%.0f}",
		first ? "" : ",\n", k->name, flows, floor, best, best - floor,
		(double)events * (double)rte_get_tsc_hz() / (double)took);
	fflush(stdout);
	end(&p);
}

struct todo {
	uint32_t loops;
	unsigned rounds;
	const char *name; // NULL: all cases
	unsigned flows[16];
	unsigned n; // 0: the usual ones
};

static void
take_arguments(int argc, char **argv, struct todo *t)
{
	unsigned i;

	for (; argc > 1 && argv[0][0] == '-'; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "--loops") == 0)
			t->loops = path_number(argv[1]);
		else if (strcmp(argv[0], "--rounds") == 0)
			t->rounds = path_number(argv[1]);
		else if (strcmp(argv[0], "--case") == 0)
			t->name = argv[1];
		else
			path_die("no option %s", argv[0]);
	}
	for (; argc > 0; argc--, argv++) {
		if (t->n == RTE_DIM(t->flows))
			path_die("more than %zu numbers of flows", RTE_DIM(t->flows));
		t->flows[t->n++] = path_number(argv[0]);
	}
	for (i = 0; t->name != NULL && i < RTE_DIM(cases); i++)
		if (strcmp(cases[i].name, t->name) == 0)
			return;
	if (t->name != NULL)
		path_die("no case %s: plain, candidates, field_other, field", t->name);
}

int
main(int argc, char **argv)
{
	static const unsigned plain[] = {1, 1000, 10000, 100000, 1000000};
	static const unsigned other[] = {1000, 10000, 100000};
	struct todo t = {.loops = 300, .rounds = 2000};
	int used = rte_eal_init(argc, argv);
	bool first = true;
	unsigned c, i, n;

	if (used < 0)
		return 1;
	take_arguments(argc - used - 1, argv + used + 1, &t);
	printf("{\"bench\":\"path\",\"rows\":[\n");
	for (c = 0; c < RTE_DIM(cases); c++) {
		const unsigned *flows = t.n != 0 ? t.flows : c == 0 ? plain : other;

		if (t.name != NULL && strcmp(t.name, cases[c].name) != 0)
			continue;
		n = t.n != 0 ? t.n : c == 0 ? RTE_DIM(plain) : RTE_DIM(other);
		for (i = 0; i < n; i++, first = false)
			measure(&cases[c], flows[i], t.loops, t.rounds, first);
	}
	printf("]}\n");
	rte_eal_cleanup();
	return 0;
}
