// SPDX-License-Identifier: BSD-3-Clause
// Packets a second of one core from the wire of the emulated NIC into the buffers that an
// application receives, at several numbers of rules of 16 shapes: traffic is uniform over all rules
// in random order, and a tenth of it matches none. The firmware runs inline, so that the cycles are
// those of one core; of several rounds the quickest counts.
//
// What is in the cycles of a packet (TSC), one after the other: the wire (a buffer of the NIC's
// pool is taken, the frame of 64 bytes is copied into it), the NIC (receive, parse, look-up, count,
// choice of the queue, the copy into a buffer of the queue's own pool, its ring, the wire's buffer
// given back), rte_eth_rx_burst, and the application, which frees the packet. There is no cache of
// results. What the wire and the application take of that is measured alone, with no NIC between
// them, and told as source_cycles; it is not taken off.
//
// With --paths: the other ways through the NIC, with 10,000 rules where the switch has some: wire
// to VF, VF to VF, and an application's transmission to the wire. Backends of the VFs free what
// they get.
//
// usage: bench_emunic [EAL arguments] -- [--paths | rules ...]   (default 100 10000 60000 65536)

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

#include "backend/mbuf.h"
#include "emunic.h"
#include "emunic_rules.h"

#define FRAMES 131072
#define ROUNDS 100
#define ROUND_PACKETS 32768
#define QUEUES 4
#define PATH_RULES 10000

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

	if (emu_mbuf_take(b, s->pool, pkts, n) != 0)
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

// What takes everything and has nothing to give.
static uint16_t
drain_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

static const struct emu_backend_ops drain_ops = {
	.kind = "drain",
	.close = source_close,
	.rx = drain_rx,
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
start_port(uint16_t port, uint16_t queues, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};

	must(rte_eth_dev_configure(port, queues, queues, &conf), "configure");
	for (uint16_t q = 0; q < queues; q++) {
		must(rte_eth_rx_queue_setup(port, q, 1024, 0, NULL, pool), "receive queue");
		must(rte_eth_tx_queue_setup(port, q, 1024, 0, NULL), "transmit queue");
	}
	must(rte_eth_promiscuous_enable(port), "promiscuous");
	must(rte_eth_dev_start(port), "start");
}

// Makes the NIC that port 0 is the PF of. Its representors are the ports behind it, with one queue.
static struct emu_nic *
plug(struct source *s, const char *args, uint16_t representors)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"bench", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct emu_nic *nic;

	must(pool == NULL ? -ENOMEM : 0, "mempool");
	must(rte_vdev_init("net_emunic0", args), "NIC");
	nic = ((struct emu_port *)rte_eth_devices[0].data->dev_private)->nic;
	s->base.ops = &source_ops;
	s->pool = nic->pool;
	start_port(0, QUEUES, pool);
	for (uint16_t i = 1; i <= representors; i++)
		start_port(i, 1, pool);
	return nic;
}

static uint32_t
draw(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

// Traffic for so many rules. Returns how many of the FRAMES match none.
static uint32_t
draw_frames(struct source *s, uint32_t rules)
{
	uint64_t rng = rules;
	uint32_t misses = 0;

	for (uint32_t i = 0; i < FRAMES; i++) {
		bool miss = draw(&rng) % 10 == 0;

		bench_rule_frame(
			miss ? BENCH_RULES_MAX + draw(&rng) : draw(&rng) % rules, s->frames[i]);
		misses += miss;
	}
	s->at = 0;
	return misses;
}

// Rule i goes to queue 1 + i % 3, so that queue 0 gets what no rule takes. Returns the share of
// that, in packets of FRAMES.
static uint32_t
fill(struct source *s, uint32_t rules)
{
	struct rte_flow_error error = {0};

	for (uint32_t i = 0; i < rules; i++) {
		if (bench_rule_create(0, i, 1 + i % (QUEUES - 1), &error) == 0)
			continue;
		fprintf(stderr, "bench_emunic: rule %" PRIu32 ": %s\n", i, error.message);
		exit(1);
	}
	return draw_frames(s, rules);
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

// The wire and the application with no NIC between them.
static double
source_alone(struct source *s)
{
	double best = 1e9;

	for (unsigned int r = 0; r < ROUNDS; r++) {
		struct rte_mbuf *pkts[EMU_BURST];
		uint64_t start = cpu_ns();

		for (uint32_t n = 0; n < ROUND_PACKETS; n += EMU_BURST)
			rte_pktmbuf_free_bulk(pkts, source_rx(&s->base, pkts, EMU_BURST));
		best = RTE_MIN(best, (double)(cpu_ns() - start) / ROUND_PACKETS);
	}
	return best * (double)rte_get_tsc_hz() / 1e9;
}

// One call of the firmware, which takes a burst of what has a source; or one of the application,
// which sends. What no rule takes comes to a port; it is freed.
static void
path_step(struct source *s, bool transmit)
{
	struct rte_mbuf *pkts[2 * EMU_BURST];
	uint16_t n;

	if (transmit) {
		n = source_rx(&s->base, pkts, EMU_BURST);
		n -= rte_eth_tx_burst(0, 0, pkts, n);
		must(n == 0 ? 0 : -EIO, "transmit");
		return;
	}
	for (uint16_t port = 0; port < 2; port++) {
		n = rte_eth_rx_burst(port, 0, pkts, RTE_DIM(pkts));
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

static void
measure_path(struct emu_nic *nic, struct source *s, const char *name, uint16_t from, uint16_t rules)
{
	struct emu_backend drain = {.ops = &drain_ops}; // of all other sides
	bool transmit = from == UINT16_MAX;
	double best = 1e9, share;
	struct rte_flow_error error;
	uint64_t given = 0, out;

	for (uint16_t i = 0; i < nic->n_sides; i++)
		nic->sides[i].backend = i == from ? &s->base : &drain;
	for (uint32_t i = 0; i < rules; i++)
		must(bench_rule_create_transfer(from, i, 2, &error), "transfer rule");
	out = nic->sides[transmit ? 0 : 2].tx_packets;
	for (unsigned int r = 0; r < ROUNDS; r++) {
		uint64_t start = cpu_ns();
		uint32_t at = s->at;

		while (s->at - at < ROUND_PACKETS)
			path_step(s, transmit);
		best = RTE_MIN(best, (double)(cpu_ns() - start) / (s->at - at));
		given += s->at - at;
	}
	share = (double)(nic->sides[transmit ? 0 : 2].tx_packets - out) / (double)given;
	if (share < (rules > 0 ? 0.88 : 0.999)) {
		fprintf(stderr, "bench_emunic: %s: only %.3f of the packets came out\n", name,
			share);
		exit(1);
	}
	printf("%s{\"path\": \"%s\", \"rules\": %u, \"mpps\": %.2f, \"cycles\": %.1f}",
		from == 0 ? "" : ", ", name, rules, 1e3 / best,
		best * (double)rte_get_tsc_hz() / 1e9);
	for (uint16_t i = 0; i < nic->n_sides; i++)
		nic->sides[i].backend = NULL;
	must(rte_flow_flush(0, &error), "flush");
	must(rte_flow_flush(1, &error), "flush");
}

static void
measure_paths(struct source *s)
{
	struct emu_nic *nic =
		plug(s, "queues=4,firmware=inline,capacity=65536,representor=vf[0-1]", 2);

	draw_frames(s, PATH_RULES);
	measure_path(nic, s, "wire-to-vf", 0, PATH_RULES);
	measure_path(nic, s, "vf-to-vf", 1, PATH_RULES);
	measure_path(nic, s, "transmit", UINT16_MAX, 0);
	for (uint16_t i = 0; i < 3; i++)
		rte_eth_dev_stop(i);
}

static void
measure_rules(struct source *s, int n, char **rules)
{
	static const uint32_t usual[] = {100, 10000, 60000, 65536};
	struct emu_nic *nic = plug(s, "queues=4,firmware=inline,capacity=65536", 0);

	nic->sides[0].backend = &s->base;
	for (int i = 0; i < (n > 0 ? n : (int)RTE_DIM(usual)); i++) {
		unsigned long rule = n > 0 ? strtoul(rules[i], NULL, 10) : usual[i];

		if (rule == 0 || rule > BENCH_RULES_MAX) {
			fprintf(stderr, "bench_emunic: from 1 to %d rules\n", BENCH_RULES_MAX);
			exit(2);
		}
		measure(s, rule, i == 0);
	}
	rte_eth_dev_stop(0);
	nic->sides[0].backend = NULL;
}

int
main(int argc, char **argv)
{
	struct source *s = aligned_alloc(64, sizeof(*s));
	int used = rte_eal_init(argc, argv);

	must(used, "EAL");
	must(s == NULL ? -ENOMEM : 0, "memory");
	argc -= used + 1;
	argv += used + 1;
	printf("{\"bench\": \"emunic\", \"rows\": [");
	if (argc == 1 && strcmp(argv[0], "--paths") == 0)
		measure_paths(s);
	else
		measure_rules(s, argc, argv);
	printf("], \"source_cycles\": %.1f}\n", source_alone(s));
	rte_vdev_uninit("net_emunic0");
	free(s);
	rte_eal_cleanup();
	return 0;
}
