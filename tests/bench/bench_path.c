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

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "datapath/mac.h"
#include "datapath/worker.h"
#include "flow/text.h"
#include "lcore.h"
#include "loop.h"
#include "rules/rules.h"

#define RULES 1000
#define PORTS 2
#define POOL 16383
#define DESCRIPTORS 512
#define WARM_LOOPS_MAX 20000000u

enum { IN, OUT };

struct path {
	struct rte_mempool *pool;
	struct dp_datapath *dp;
	struct dp_worker *worker;
	struct rules *rules;
	struct rules_set *set;
	struct dp_mac_table *macs;
	struct dp_vport vport[PORTS];
	struct dp_port *port[PORTS];
	uint16_t members[PORTS];
	struct dp_rxq rxq;
	const struct dp_lane *_Atomic lanes[DP_LANES_MAX];
	struct dp_snapshot snap;
	uint16_t ethdev[PORTS];
	unsigned flows;
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("bench_path: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static uint16_t
open_device(const char *name, const char *args, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	uint16_t port;

	if (rte_vdev_init(name, args) != 0 || rte_eth_dev_get_port_by_name(name, &port) != 0)
		die("no device %s", name);
	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, 0, NULL, pool) != 0 ||
		rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, 0, NULL) != 0 ||
		rte_eth_dev_start(port) != 0)
		die("cannot start %s", name);
	return port;
}

// As tests/bench/forward_policy.py.
static void
add_rules(struct path *p)
{
	struct rules_entry e;
	struct sl_err err;
	char match[160];
	uint32_t r;

	sl_err_init(&err);
	p->rules = rules_new(RULES);
	if (p->rules == NULL)
		die("out of memory");
	for (r = 0; r < RULES; r++) {
		snprintf(match, sizeof(match),
			"port=%u udp ip_src=10.%u.%u.0/24 ip_dst=172.%u.%u.0/24 sport=0/0x8000 "
			"dport=%u",
			IN, r >> 8, r & 255, 16 + (r >> 8), r & 255, 1000 + r);
		memset(&e, 0, sizeof(e));
		e.id = r;
		e.priority = 100;
		if (flow_match_parse(match, NULL, &e.match, &err) != 0 ||
			flow_actions_parse("output=1", NULL, &e.actions, &err) != 0 ||
			rules_add(p->rules, &e, &err) != 0)
			die("%s: %s", match, err.text);
	}
	p->set = rules_commit(p->rules);
	p->macs = dp_mac_table_new(NULL, 0, 7);
	if (p->set == NULL || p->macs == NULL)
		die("out of memory");
}

static void
make_snapshot(struct path *p)
{
	struct dp_snapshot *s = &p->snap;
	uint16_t i;

	*s = (struct dp_snapshot){.gen = 1,
		.n_vports = PORTS,
		.n_switches = 1,
		.n_workers = 1,
		.n_classes = 1,
		.report_rate = UINT32_MAX,
		.lanes = p->lanes};
	for (i = 0; i < PORTS; i++) {
		p->vport[i] =
			(struct dp_vport){.id = i, .vm = DP_NONE, .port = p->port[i], .mtu = 1500};
		s->vport[i] = &p->vport[i];
		p->members[i] = i;
	}
	s->sw[0] = (struct dp_switch){.id = 1,
		.fields = rules_set_fields(p->set),
		.rules = p->set,
		.macs = p->macs,
		.max_rules = RULES,
		.n_vports = PORTS,
		.vports = p->members};
	p->rxq = (struct dp_rxq){.port = p->port[IN], .queue = 0, .kind = DP_RXQ_DEFAULT};
	s->plan[0] = (struct dp_worker_plan){.n_rxq = 1, .rxq = &p->rxq};
}

static void
begin(struct path *p, unsigned flows)
{
	static const struct qos_class_cfg class = {.level = 0, .weight = 1, .depth = 64};
	struct dp_datapath_cfg cfg = {.n_workers = 1,
		.lcore = {rte_lcore_id()},
		.flows = RTE_MAX(131072u, flows + flows / 20),
		.seed = 42};
	struct sl_err err;
	char args[32];
	uint16_t i;

	memset(p, 0, sizeof(*p));
	p->flows = flows;
	p->pool = rte_pktmbuf_pool_create("path", POOL, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (p->pool == NULL)
		die("no packet buffers");
	snprintf(args, sizeof(args), "flows=%u", flows);
	p->ethdev[IN] = open_device("net_flowsource0", args, p->pool);
	p->ethdev[OUT] = open_device("net_null0", "", p->pool);
	cfg.copies = p->pool;
	sl_err_init(&err);
	if (dp_new(&cfg, &p->dp, &err) != 0)
		die("%s", err.text);
	add_rules(p);
	for (i = 0; i < PORTS; i++) {
		if (dp_port_ethdev(p->ethdev[i], 1, 1, &p->port[i]) != 0)
			die("out of memory");
		p->port[i]->index = i;
		p->port[i]->vport = i;
		if (dp_port_attach(p->port[i], 1, &class, 1, 0) != 0)
			die("out of memory");
	}
	if (dp_rule_counts_new(p->dp, 0, RULES) != 0)
		die("out of memory");
	make_snapshot(p);
	p->worker = p->dp->worker[0];
	dp_publish(p->dp, &p->snap);
}

static void
end(struct path *p)
{
	uint16_t i;

	dp_worker_offline(p->worker);
	dp_publish(p->dp, NULL);
	dp_free(p->dp);
	for (i = 0; i < PORTS; i++) {
		dp_port_free(p->port[i]);
		rte_eth_dev_stop(p->ethdev[i]);
		rte_eth_dev_close(p->ethdev[i]);
	}
	rules_set_put(p->set);
	rules_free(p->rules);
	dp_mac_table_free(p->macs);
	rte_mempool_free(p->pool);
	rte_vdev_uninit("net_flowsource0");
	rte_vdev_uninit("net_null0");
}

// Until the flows are known.
static void
warm(struct path *p)
{
	const struct dp_worker_counters *c = dp_worker_counters(p->dp, 0);
	uint64_t want = p->flows - p->flows / 1000;
	uint32_t i;

	for (i = 0; i < WARM_LOOPS_MAX && c->flows_seen < want; i++)
		dp_worker_once(p->worker);
	if (c->flows_seen < want)
		die("only %" PRIu64 " of %u flows got known", (uint64_t)c->flows_seen, p->flows);
}

static double
through_path(struct path *p, uint32_t loops)
{
	const struct dp_vport_counters *c = dp_vport_counters(p->dp, 0);
	uint64_t first = c[IN].sent, start = rte_rdtsc_precise(), took;
	uint32_t i;

	for (i = 0; i < loops; i++)
		dp_worker_once(p->worker);
	took = rte_rdtsc_precise() - start;
	if (c[IN].sent == first)
		die("nothing was sent");
	return (double)took / (double)(c[IN].sent - first);
}

static double
through_nothing(struct path *p, uint32_t loops)
{
	struct rte_mbuf *pkts[DP_BURST];
	uint64_t start = rte_rdtsc_precise(), n = 0;
	uint16_t got;

	while (loops-- > 0) {
		got = rte_eth_rx_burst(p->ethdev[IN], 0, pkts, DP_BURST);
		n += rte_eth_tx_burst(p->ethdev[OUT], 0, pkts, got);
	}
	return (double)(rte_rdtsc_precise() - start) / (double)n;
}

static int
order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// What it costs while nobody else is on the CPU.
static double
usual(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), order);
	return v[n / 50];
}

static void
measure(unsigned flows, uint32_t loops, unsigned rounds, bool first)
{
	double *none = calloc(rounds, sizeof(*none)), *path = calloc(rounds, sizeof(*path));
	double floor, best;
	static struct path p;
	unsigned i;

	if (none == NULL || path == NULL)
		die("out of memory");
	begin(&p, flows);
	warm(&p);
	for (i = 0; i < rounds; i++) {
		none[i] = through_nothing(&p, loops);
		path[i] = through_path(&p, loops);
	}
	floor = usual(none, rounds);
	best = usual(path, rounds);
	free(none);
	free(path);
	printf("%s{\"flows\":%u,\"floor\":%.1f,\"sluice\":%.1f,\"over_io\":%.1f}",
		first ? "" : ",\n", flows, floor, best, best - floor);
	fflush(stdout);
	end(&p);
}

static uint32_t
number(const char *text)
{
	unsigned long n;
	char *stop;

	errno = 0;
	n = strtoul(text, &stop, 10);
	if (errno != 0 || *stop != '\0' || n == 0 || n > UINT32_MAX / 2)
		die("'%s' is not a number that can be used", text);
	return (uint32_t)n;
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
			loops = number(argv[1]);
		else if (strcmp(argv[0], "--rounds") == 0)
			rounds = number(argv[1]);
		else
			die("no option %s", argv[0]);
	}
	printf("{\"bench\":\"path\",\"rows\":[\n");
	if (argc == 0)
		for (i = 0; i < RTE_DIM(sizes); i++)
			measure(sizes[i], loops, rounds, i == 0);
	for (i = 0; i < (unsigned)RTE_MAX(argc, 0); i++)
		measure(number(argv[i]), loops, rounds, i == 0);
	printf("]}\n");
	rte_eal_cleanup();
	return 0;
}
