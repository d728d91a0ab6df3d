// SPDX-License-Identifier: BSD-3-Clause
#include "backend/kinds.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "backend/args.h"
#include "backend/gen_flows.h"
#include "backend/mbuf.h"

// A seeded source of heavy-tailed traffic: packets come as a Poisson process of `pps` a second
// (0: whenever asked), each one of a flow picked by weight (gen_flows.h), written as
// gen_frame.h says. The same arguments give the same packets, whatever the timing. What it
// is given to transmit is counted and freed. The clock starts at the first call of rx; an endless
// generator that is not asked for LAG_MAX_NS skips that time, one with a count never does.

#define LAG_MAX_NS 100000000.0

struct generator {
	struct emu_backend base;
	struct emu_backend_stats stats;
	struct emu_stash stash;
	struct emu_gen_flows *flows;
	struct emu_rng rng;
	struct emu_rng gaps; // its own, so that pps changes no packet
	double pps;
	uint64_t count; // 0: endless
	uint64_t made;
	uint32_t size;     // of a frame, 0: mixed
	uint32_t size_max; // of a mixed frame
	uint64_t start_ns; // 0: the clock has not started
	// The next packet, drawn before there is a buffer for it.
	double next_ns; // since start_ns
	uint32_t next_flow;
	uint32_t next_size;
};

// Frame sizes in the shares 7 : 4 : 1, as the simple Internet mix has them.
static uint32_t
draw_size(struct generator *g)
{
	uint32_t ticket = emu_rng_below(&g->rng, 12);

	if (g->size != 0)
		return g->size;
	return RTE_MIN(ticket < 7 ? 64u : ticket < 11 ? 594u : 1514u, g->size_max);
}

static void
draw_next(struct generator *g)
{
	if (g->pps > 0)
		g->next_ns += -log(emu_rng_real(&g->gaps)) * 1e9 / g->pps;
	g->next_flow = emu_gen_flows_pick(g->flows, &g->rng);
	g->next_size = draw_size(g);
	emu_gen_flows_prefetch(g->flows, g->next_flow);
}

// Makes the packet that was drawn, and draws the one after it. NULL without a buffer: then nothing
// has changed.
static struct rte_mbuf *
make_next(struct generator *g)
{
	struct emu_gen_flow *f = emu_gen_flows_at(g->flows, g->next_flow);
	uint32_t frame_len = RTE_MAX(g->next_size, f->payload);
	struct rte_mbuf *m = emu_stash_get(&g->stash);
	uint32_t seq = f->seq, used;
	uint16_t id = f->id;

	if (m == NULL)
		return NULL;
	used = emu_gen_frame_put(
		f, g->made, g->next_flow, frame_len, rte_pktmbuf_mtod(m, uint8_t *));
	if (!emu_mbuf_pad(&g->stash, m, used, frame_len)) {
		f->seq = seq;
		f->id = id;
		return NULL;
	}
	g->made++;
	draw_next(g);
	return m;
}

static bool
gen_finished(struct emu_backend *b)
{
	const struct generator *g = (const struct generator *)b;

	return g->count != 0 && g->made == g->count;
}

static uint16_t
gen_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct generator *g = (struct generator *)b;
	uint64_t now = emu_now_ns();
	uint16_t given = 0;

	if (g->start_ns == 0)
		g->start_ns = now;
	if (g->count == 0 && g->pps > 0 && now - g->start_ns > g->next_ns + LAG_MAX_NS)
		g->start_ns = now - (uint64_t)g->next_ns;
	while (given < n && !gen_finished(b) && g->next_ns <= now - g->start_ns) {
		pkts[given] = make_next(g);
		if (pkts[given] == NULL)
			break;
		given++;
	}
	g->stats.rx_packets += given;
	g->stats.rx_bytes += emu_mbuf_bytes(pkts, given);
	return given;
}

static uint16_t
gen_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct generator *g = (struct generator *)b;

	g->stats.tx_packets += n;
	g->stats.tx_bytes += emu_mbuf_bytes(pkts, n);
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static bool
gen_link(struct emu_backend *b)
{
	return true;
}

// A cable takes whole, finished frames only.
static bool
gen_takes_offloads(struct emu_backend *b)
{
	return false;
}

static uint64_t
gen_next_event(struct emu_backend *b)
{
	const struct generator *g = (const struct generator *)b;

	if (gen_finished(b))
		return UINT64_MAX;
	return g->start_ns == 0 ? 0 : g->start_ns + (uint64_t)g->next_ns + 1;
}

static void
gen_move(struct emu_backend *b, const struct emu_backend_env *env)
{
	emu_stash_move(&((struct generator *)b)->stash, env->pool);
}

static void
gen_land(struct emu_backend *b)
{
	emu_stash_free(&((struct generator *)b)->stash);
}

static void
gen_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	*out = ((struct generator *)b)->stats;
}

static void
gen_close(struct emu_backend *b)
{
	struct generator *g = (struct generator *)b;

	emu_stash_free(&g->stash);
	emu_gen_flows_free(g->flows);
	free(g);
}

// What the arguments say.
struct options {
	uint64_t flows, seed, count, v6, udp;
	double pps, skew;
	char size[16], cdf[EMU_ARG_TEXT_MAX];
	uint8_t dst_mac[6], src_mac[6];
	struct emu_prefix src4, dst4, src6, dst6;
	uint32_t frame; // from size
};

static const struct options defaults = {
	.flows = 2000,
	.seed = 1,
	.v6 = 20,
	.udp = 30,
	.pps = 10000,
	.skew = 1.1,
	.size = "mixed",
	.dst_mac = {0x02, 0, 0, 0, 0, 0x02},
	.src_mac = {0x02, 0, 0, 0, 0, 0x01},
	.src4 = {.addr = {10, 1}, .len = 16},
	.dst4 = {.addr = {10, 2}, .len = 16},
	.src6 = {.addr = {0xfd, 0, 0, 1}, .len = 64},
	.dst6 = {.addr = {0xfd, 0, 0, 2}, .len = 64},
};

static int
read_options(const char *text, struct options *o, char *why, size_t why_len)
{
	struct emu_arg args[] = {
		{.key = "flows",
			.type = EMU_ARG_UINT,
			.out = &o->flows,
			.lo = 1,
			.hi = EMU_GEN_FLOWS_MAX},
		{.key = "seed", .type = EMU_ARG_UINT, .out = &o->seed, .lo = 0, .hi = 0x1p53},
		{.key = "pps", .type = EMU_ARG_REAL, .out = &o->pps, .lo = 0, .hi = 1e9},
		{.key = "count", .type = EMU_ARG_UINT, .out = &o->count, .lo = 0, .hi = 0x1p53},
		{.key = "v6", .type = EMU_ARG_UINT, .out = &o->v6, .lo = 0, .hi = 100},
		{.key = "udp", .type = EMU_ARG_UINT, .out = &o->udp, .lo = 0, .hi = 100},
		{.key = "size", .type = EMU_ARG_TEXT, .out = o->size, .size = sizeof(o->size)},
		{.key = "skew", .type = EMU_ARG_REAL, .out = &o->skew, .lo = 0, .hi = 4},
		{.key = "cdf", .type = EMU_ARG_TEXT, .out = o->cdf, .size = sizeof(o->cdf)},
		{.key = "src", .type = EMU_ARG_PREFIX4, .out = &o->src4},
		{.key = "dst", .type = EMU_ARG_PREFIX4, .out = &o->dst4},
		{.key = "src6", .type = EMU_ARG_PREFIX6, .out = &o->src6},
		{.key = "dst6", .type = EMU_ARG_PREFIX6, .out = &o->dst6},
		{.key = "src_mac", .type = EMU_ARG_MAC, .out = o->src_mac},
		{.key = "dst_mac", .type = EMU_ARG_MAC, .out = o->dst_mac},
	};
	unsigned long frame;
	char *end;
	int rc;

	rc = emu_args_parse("generator", text, args, RTE_DIM(args), why, why_len);
	if (rc != 0 || strcmp(o->size, "mixed") == 0)
		return rc;
	frame = strtoul(o->size, &end, 10);
	if (*end != '\0' || frame < 60 || frame > 9618) {
		snprintf(why, why_len,
			"generator: size=%s is neither \"mixed\" nor a frame length from 60 to "
			"9618",
			o->size);
		return -EINVAL;
	}
	o->frame = frame;
	return 0;
}

static int
gen_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out, char *why,
	size_t why_len)
{
	struct options o = defaults;
	struct emu_gen_plan plan;
	struct generator *g;
	int rc;

	rc = read_options(text, &o, why, why_len);
	if (rc != 0)
		return rc;
	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		snprintf(why, why_len, "generator: no memory");
		return -ENOMEM;
	}
	plan = (struct emu_gen_plan){
		.flows = o.flows,
		.skew = o.skew,
		.cdf = o.cdf[0] != '\0' ? o.cdf : NULL,
		.v6_percent = o.v6,
		.udp_percent = o.udp,
		.src4 = o.src4,
		.dst4 = o.dst4,
		.src6 = o.src6,
		.dst6 = o.dst6,
	};
	memcpy(plan.dst_mac, o.dst_mac, sizeof(plan.dst_mac));
	memcpy(plan.src_mac, o.src_mac, sizeof(plan.src_mac));
	g->rng.state = o.seed;
	g->gaps.state = ~o.seed;
	rc = emu_gen_flows_new(&plan, &g->rng, &g->flows, why, why_len);
	if (rc != 0) {
		free(g);
		return rc;
	}
	g->base.ops = emu_backend_generator();
	g->stash.of = &g->base;
	g->stash.pool = env->pool;
	g->pps = o.pps;
	g->count = o.count;
	g->size = o.frame;
	g->size_max = env->mtu + RTE_ETHER_HDR_LEN;
	draw_next(g);
	*out = &g->base;
	return 0;
}

const struct emu_backend_ops *
emu_backend_generator(void)
{
	static const struct emu_backend_ops ops = {
		.kind = "generator",
		.open = gen_open,
		.close = gen_close,
		.rx = gen_rx,
		.tx = gen_tx,
		.link = gen_link,
		.takes_offloads = gen_takes_offloads,
		.next_event = gen_next_event,
		.move = gen_move,
		.land = gen_land,
		.finished = gen_finished,
		.stats = gen_stats,
	};

	return &ops;
}
