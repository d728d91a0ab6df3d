// SPDX-License-Identifier: BSD-3-Clause
// How long a packet waits for a worker that naps. One worker runs its real loop on an lcore of its
// own between two ports that are rings; the main lcore puts one packet in at a random time after
// the worker has gone to sleep, and watches for it at the other end.
//
// usage: bench_wake [EAL arguments] -- [--packets N] [--sleep-after N]
//   --packets      measurements (default 20000)
//   --sleep-after  empty loops before a nap, 0: never (default 64, as the configuration's)
//
// It prints one JSON object: microseconds from the packet in the receive queue to the packet in
// the transmit queue, percentiles, and the naps that were taken. Beside the naps, the same worker
// that never sleeps: what is over that is the price of sleeping.

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_random.h>

#include "datapath/mac.h"
#include "datapath/worker.h"
#include "flow/text.h"
#include "rules/rules.h"

#define PORTS 2
#define GAP_MIN_US 200 // long enough for the empty loops before a nap
#define GAP_US 400

enum { IN, OUT };

struct wake {
	struct rte_mempool *pool;
	struct rte_ring *ring[PORTS]; // from us to the worker, from the worker to us
	struct dp_datapath *dp;
	struct rules *rules;
	struct rules_set *set;
	struct dp_mac_table *macs;
	struct dp_vport vport[PORTS];
	struct dp_port *port[PORTS];
	uint16_t ethdev[PORTS], members[PORTS];
	struct dp_rxq rxq;
	const struct dp_lane *_Atomic lanes[DP_LANES_MAX];
	struct dp_snapshot snap;
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("bench_wake: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static void
open_ports(struct wake *k)
{
	static const struct qos_class_cfg class = {.level = 0, .weight = 1, .depth = 64};
	struct rte_eth_conf conf = {0};
	int port;
	uint16_t i;

	for (i = 0; i < PORTS; i++) {
		char name[] = "wake0";

		name[4] += i;
		k->ring[i] = rte_ring_create(name, 64, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		port = k->ring[i] != NULL ? rte_eth_from_ring(k->ring[i]) : -1;
		if (port < 0 || rte_eth_dev_configure((uint16_t)port, 1, 1, &conf) != 0 ||
			rte_eth_rx_queue_setup((uint16_t)port, 0, 64, 0, NULL, k->pool) != 0 ||
			rte_eth_tx_queue_setup((uint16_t)port, 0, 64, 0, NULL) != 0 ||
			rte_eth_dev_start((uint16_t)port) != 0)
			die("no device on a ring");
		k->ethdev[i] = (uint16_t)port;
		if (dp_port_ethdev(k->ethdev[i], 1, 1, &k->port[i]) != 0)
			die("out of memory");
		k->port[i]->index = i;
		k->port[i]->vport = i;
		if (dp_port_attach(k->port[i], 1, &class, 1, 0) != 0)
			die("out of memory");
	}
}

static void
make_snapshot(struct wake *k)
{
	struct rules_entry e = {.id = 0, .priority = 1};
	struct dp_snapshot *s = &k->snap;
	struct sl_err err;
	uint16_t i;

	sl_err_init(&err);
	k->rules = rules_new(1);
	if (k->rules == NULL || flow_match_parse("any", NULL, &e.match, &err) != 0 ||
		flow_actions_parse("output=1", NULL, &e.actions, &err) != 0 ||
		rules_add(k->rules, &e, &err) != 0)
		die("%s", err.text);
	k->set = rules_commit(k->rules);
	k->macs = dp_mac_table_new(NULL, 0, 7);
	*s = (struct dp_snapshot){.gen = 1,
		.n_vports = PORTS,
		.n_switches = 1,
		.n_workers = 1,
		.n_classes = 1,
		.report_rate = UINT32_MAX,
		.lanes = k->lanes};
	for (i = 0; i < PORTS; i++) {
		k->vport[i] =
			(struct dp_vport){.id = i, .vm = DP_NONE, .port = k->port[i], .mtu = 1500};
		s->vport[i] = &k->vport[i];
		k->members[i] = i;
	}
	s->sw[0] = (struct dp_switch){.id = 1,
		.rules = k->set,
		.macs = k->macs,
		.max_rules = 1,
		.n_vports = PORTS,
		.vports = k->members};
	k->rxq = (struct dp_rxq){.port = k->port[IN], .queue = 0, .kind = DP_RXQ_DEFAULT};
	s->plan[0] = (struct dp_worker_plan){.n_rxq = 1, .rxq = &k->rxq};
}

static void
begin(struct wake *k, uint32_t sleep_after)
{
	struct dp_datapath_cfg cfg = {.n_workers = 1, .flows = 1024, .seed = 42};
	struct sl_err err;

	cfg.lcore[0] = rte_get_next_lcore(-1, 1, 0);
	cfg.sleep_after = sleep_after;
	cfg.copies = k->pool;
	sl_err_init(&err);
	if (dp_new(&cfg, &k->dp, &err) != 0 || dp_rule_counts_new(k->dp, 0, 1) != 0 ||
		dp_start(k->dp, &k->snap, &err) != 0)
		die("%s", err.text);
}

static void
end(struct wake *k)
{
	dp_stop(k->dp);
	dp_free(k->dp);
}

// One frame to the worker and back; cycles.
static uint64_t
one(struct wake *k, uint32_t n)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb6};
	struct rte_mbuf *m = rte_pktmbuf_alloc(k->pool);
	uint64_t start, took;

	if (m == NULL)
		die("no packet buffer");
	memcpy(rte_pktmbuf_append(m, sizeof(frame)), frame, sizeof(frame));
	rte_delay_us_block(GAP_MIN_US + (unsigned int)rte_rand_max(GAP_US));
	start = rte_rdtsc();
	if (rte_ring_enqueue(k->ring[IN], m) != 0)
		die("packet %u was not taken", n);
	while (rte_ring_dequeue(k->ring[OUT], (void **)&m) != 0) {
		if (rte_rdtsc() - start > 5 * rte_get_tsc_hz())
			die("packet %u did not come back in 5 s", n);
	}
	took = rte_rdtsc() - start;
	rte_pktmbuf_free(m);
	return took;
}

static int
order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
measure(struct wake *k, uint32_t packets, uint32_t sleep_after, const char *name)
{
	uint64_t *took = calloc(packets, sizeof(*took)), naps;
	double us = (double)rte_get_tsc_hz() / 1e6;
	uint32_t i;

	if (took == NULL)
		die("out of memory");
	begin(k, sleep_after);
	one(k, 0); // the flow is known from here on
	for (i = 0; i < packets; i++)
		took[i] = one(k, i + 1);
	naps = dp_worker_counters(k->dp, 0)->naps;
	end(k);
	qsort(took, packets, sizeof(*took), order);
	printf("{\"worker\":\"%s\",\"packets\":%u,\"naps\":%" PRIu64 ",\"us_p50\":%.1f,"
	       "\"us_p90\":%.1f,\"us_p99\":%.1f,\"us_max\":%.1f}",
		name, packets, naps, (double)took[packets / 2] / us,
		(double)took[packets / 10 * 9] / us, (double)took[packets / 100 * 99] / us,
		(double)took[packets - 1] / us);
	free(took);
}

static uint32_t
number(const char *text, uint32_t least)
{
	char *stop;
	unsigned long n = strtoul(text, &stop, 10);

	if (*text < '0' || *text > '9' || *stop != '\0' || n < least || n > 10000000)
		die("'%s' is not a number from %u to 10000000", text, least);
	return (uint32_t)n;
}

int
main(int argc, char **argv)
{
	uint32_t packets = 20000, sleep_after = 64;
	int used = rte_eal_init(argc, argv);
	static struct wake k;

	if (used < 0)
		return 1;
	for (argc -= used + 1, argv += used + 1; argc > 1; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "--packets") == 0)
			packets = number(argv[1], 100);
		else if (strcmp(argv[0], "--sleep-after") == 0)
			sleep_after = number(argv[1], 0);
		else
			break;
	}
	if (argc > 0)
		die("no option %s", argv[0]);
	if (rte_lcore_count() < 2)
		die("it takes two lcores");
	k.pool = rte_pktmbuf_pool_create("wake", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (k.pool == NULL)
		die("no packet buffers");
	open_ports(&k);
	make_snapshot(&k);
	printf("{\"bench\":\"wake\",\"rows\":[\n");
	measure(&k, packets, sleep_after, "naps");
	printf(",\n");
	measure(&k, packets, 0, "polls");
	printf("\n]}\n");
	rte_eal_cleanup();
	return 0;
}
