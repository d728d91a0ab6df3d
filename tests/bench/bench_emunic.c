// SPDX-License-Identifier: BSD-3-Clause
// Packets a second of one core from the wire of the emulated NIC into the buffers that an
// application receives, at several numbers of rules of 16 shapes: traffic is uniform over all rules
// in random order, and a tenth of it matches none. The firmware runs inline, so that the cycles are
// those of one core, source and application included; of several rounds the quickest counts.
//
// usage: bench_emunic [EAL arguments] -- [rules ...]   (default 100 10000 60000 65536)

#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "emunic.h"
#include "emunic_rules.h"

#define FRAMES 131072
#define ROUNDS 100
#define ROUND_PACKETS 32768
#define QUEUES 4

struct source {
	struct emu_backend base;
	struct rte_mempool *pool;
	uint32_t at;
	alignas(64) uint8_t frames[FRAMES][BENCH_FRAME];
};

// A wire on which packets always wait.
static uint16_t
source_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = (struct source *)b;

	if (rte_pktmbuf_alloc_bulk(s->pool, pkts, n) != 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		pkts[i]->data_len = BENCH_FRAME;
		pkts[i]->pkt_len = BENCH_FRAME;
		memcpy(rte_pktmbuf_mtod(pkts[i], void *), s->frames[s->at++ % FRAMES], BENCH_FRAME);
		rte_prefetch0(s->frames[(s->at + EMU_BURST) % FRAMES]);
	}
	return n;
}

static uint16_t
source_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static bool
source_link(struct emu_backend *b)
{
	return true;
}

static bool
source_takes_offloads(struct emu_backend *b)
{
	return false;
}

static uint64_t
source_next_event(struct emu_backend *b)
{
	return 0;
}

static void
source_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	memset(out, 0, sizeof(*out));
}

static void
source_close(struct emu_backend *b)
{
}

static const struct emu_backend_ops source_ops = {
	.kind = "source",
	.close = source_close,
	.rx = source_rx,
	.tx = source_tx,
	.link = source_link,
	.takes_offloads = source_takes_offloads,
	.next_event = source_next_event,
	.stats = source_stats,
};

static void
must(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "bench_emunic: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void
plug(struct source *s)
{
	struct rte_eth_conf conf = {0};
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"bench", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct emu_nic *nic;

	must(pool == NULL ? -ENOMEM : 0, "mempool");
	must(rte_vdev_init("net_emunic0", "queues=4,firmware=inline,capacity=65536"), "NIC");
	nic = ((struct emu_port *)rte_eth_devices[0].data->dev_private)->nic;
	s->base.ops = &source_ops;
	s->pool = nic->pool;
	nic->sides[0].backend = &s->base;
	must(rte_eth_dev_configure(0, QUEUES, QUEUES, &conf), "configure");
	for (uint16_t q = 0; q < QUEUES; q++) {
		must(rte_eth_rx_queue_setup(0, q, 1024, 0, NULL, pool), "receive queue");
		must(rte_eth_tx_queue_setup(0, q, 1024, 0, NULL), "transmit queue");
	}
	must(rte_eth_promiscuous_enable(0), "promiscuous");
	must(rte_eth_dev_start(0), "start");
}

static uint32_t
draw(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

// Rule i goes to queue 1 + i % 3, so that queue 0 gets what no rule takes. Returns the share of
// that, in packets of FRAMES.
static uint32_t
fill(struct source *s, uint32_t rules)
{
	struct rte_flow_error error = {0};
	uint64_t rng = rules;
	uint32_t misses = 0;

	for (uint32_t i = 0; i < rules; i++) {
		if (bench_rule_create(0, i, 1 + i % (QUEUES - 1), &error) == 0)
			continue;
		fprintf(stderr, "bench_emunic: rule %" PRIu32 ": %s\n", i, error.message);
		exit(1);
	}
	for (uint32_t i = 0; i < FRAMES; i++) {
		bool miss = draw(&rng) % 10 == 0;

		bench_rule_frame(
			miss ? BENCH_RULES_MAX + draw(&rng) : draw(&rng) % rules, s->frames[i]);
		misses += miss;
	}
	s->at = 0;
	return misses;
}

// The time that this thread was on a CPU: a neighbour takes nothing from a figure but caches.
static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

// One round; returns the nanoseconds per packet and adds up what each queue got.
static double
one_round(uint64_t *got)
{
	struct rte_mbuf *pkts[2 * EMU_BURST]; // a third of what four calls brought
	uint64_t start = cpu_ns(), all = 0;

	while (all < ROUND_PACKETS) {
		for (uint16_t q = 0; q < QUEUES; q++) {
			uint16_t n = rte_eth_rx_burst(0, q, pkts, RTE_DIM(pkts));

			rte_pktmbuf_free_bulk(pkts, n);
			got[q] += n;
			all += n;
		}
	}
	return (double)(cpu_ns() - start) / (double)all;
}

static void
measure(struct source *s, uint32_t rules, bool first)
{
	double best = 1e9, expected = (double)fill(s, rules) / FRAMES, share;
	uint64_t got[QUEUES] = {0}, all = 0;
	struct rte_flow_error error;

	one_round(got);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		double ns = one_round(got);

		best = RTE_MIN(best, ns);
	}
	for (unsigned int q = 0; q < QUEUES; q++)
		all += got[q];
	share = (double)got[0] / (double)all;
	if (share < expected - 0.01 || share > expected + 0.01) {
		fprintf(stderr, "bench_emunic: %.3f of the packets met no rule, not %.3f\n", share,
			expected);
		exit(1);
	}
	printf("%s{\"rules\": %" PRIu32 ", \"shapes\": %d, \"mpps\": %.2f, \"cycles\": %.1f}",
		first ? "" : ", ", rules, RTE_MIN(BENCH_SHAPES, (int)rules), 1e3 / best,
		best * (double)rte_get_tsc_hz() / 1e9);
	must(rte_flow_flush(0, &error), "flush");
}

int
main(int argc, char **argv)
{
	static const uint32_t usual[] = {100, 10000, 60000, 65536};
	struct source *s = aligned_alloc(64, sizeof(*s));
	int used = rte_eal_init(argc, argv);

	must(used, "EAL");
	must(s == NULL ? -ENOMEM : 0, "memory");
	plug(s);
	argc -= used + 1;
	printf("{\"bench\": \"emunic\", \"rows\": [");
	for (int i = 0; i < (argc > 0 ? argc : (int)RTE_DIM(usual)); i++) {
		unsigned long n = argc > 0 ? strtoul(argv[used + 1 + i], NULL, 10) : usual[i];

		if (n == 0 || n > BENCH_RULES_MAX) {
			fprintf(stderr, "bench_emunic: from 1 to %d rules\n", BENCH_RULES_MAX);
			return 2;
		}
		measure(s, n, i == 0);
	}
	printf("]}\n");
	rte_eth_dev_stop(0);
	rte_vdev_uninit("net_emunic0");
	free(s);
	rte_eal_cleanup();
	return 0;
}
