// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"

// Bursts of marked packets of any mixture, against a model that looks at one packet at a time. A
// burst that lanes take as a whole, one that they take in part and one that they do not take must
// do the same to each packet, and count the same.

#define LANES 6
#define SHARED_RULE 4 // of the lanes 4 and 5
#define GEN 2
#define RX_FLAGS                                                                                   \
	(RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID | RTE_MBUF_F_RX_RSS_HASH |                     \
		RTE_MBUF_F_RX_L4_CKSUM_MASK)

// Port and output of each lane; the last two have the same rule, and one goes elsewhere.
static const uint16_t port_of[LANES] = {10, 11, 12, 13, 14, 14};
static const uint16_t out_of[LANES] = {1, 1, 1, 2, 1, 1};

struct lanes {
	struct bench b;
	struct sl_rng rng;
	unsigned seed;
	struct dp_lane lane[LANES];
	struct dp_verdict verdict[LANES];
	uint64_t packets[LANES], bytes[LANES], rule_packets[LANES], rule_bytes[LANES];
	uint64_t hits, stale, path[DP_PATHS];
	uint32_t sent[3][DP_BURST]; // stamps, in order
	unsigned n_sent[3];
};

// How the lanes of a burst are chosen.
enum mixture { ONE, QUICK, ANY, HOLES, MIXTURES };

static uint32_t
below(struct lanes *l, uint32_t n)
{
	return (uint32_t)(sl_rng_next(&l->rng) % n);
}

static void
open_lanes(struct lanes *l)
{
	struct bench *b = &l->b;
	char match[40], actions[16];
	unsigned i;

	bench_begin(b, 3, 2, 1);
	b->assigned_from = 1;
	b->vport[0].port->rx_device_flags = true;
	for (i = 0; i <= SHARED_RULE; i++) {
		snprintf(match, sizeof(match), "port=0 udp dport=%u", port_of[i]);
		snprintf(actions, sizeof(actions), "output=%u", out_of[i]);
		bench_rule(b, i, 1, match, actions);
	}
	bench_publish(b);
	for (i = 0; i < LANES; i++) {
		struct flow_key key;

		flow_key_init(&key, 5, 0);
		key.eth_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
		key.l3 = FLOW_L3_IPV4;
		key.proto = IPPROTO_UDP;
		key.l4_dst = rte_cpu_to_be_16(port_of[i]);
		l->lane[i] = (struct dp_lane){.gen = GEN,
			.version = i + 1,
			.path = i == 2 ? DP_PATH_EXCLUSIVE_QUEUE : DP_PATH_SHARED_QUEUE,
			.origin = 0};
		dp_compile(b->snap, &key, &l->lane[i].program, &l->verdict[i]);
		assert_int_equal(l->lane[i].program.out, out_of[i]);
		assert_int_equal(l->lane[i].program.n_rules, 1);
		l->lane[i].actions = &l->verdict[i].actions;
		b->lanes[i] = &l->lane[i];
	}
}

static unsigned
choose(struct lanes *l, enum mixture mix, unsigned first)
{
	switch (mix) {
	case ONE:
		return first;
	case QUICK: // one output, one path
		return (unsigned[]){0, 1, 4, 5}[below(l, 4)];
	default:
		return below(l, LANES);
	}
}

static void
feed(struct lanes *l, unsigned i, uint32_t stamp, enum mixture mix)
{
	struct frame f = {.src = 1,
		.dst = 2,
		.ip_src = 1,
		.ip_dst = 2,
		.dport = port_of[i],
		.stamp = stamp,
		.len = 4 + below(l, 100)};
	uint32_t how = mix == HOLES ? below(l, 8) : 7, rule = i > SHARED_RULE ? SHARED_RULE : i;
	struct rte_mbuf *m = frame_make(&l->b, &f);

	m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	m->hash.fdir.hi = GEN << DP_LANE_INDEX_BITS | i;
	if (how == 0) // to be finished
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	else if (how == 1) // stale
		m->hash.fdir.hi = (GEN + 1) << DP_LANE_INDEX_BITS | i;
	else if (how == 2) // none
		m->hash.fdir.hi = GEN << DP_LANE_INDEX_BITS | 99;
	if (how != 3) {
		m->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
		l->stale += how == 1 || how == 2;
	}
	l->rule_packets[rule]++;
	l->rule_bytes[rule] += m->pkt_len;
	if (how == 1 || how == 2 || how == 3) {
		l->path[DP_PATH_SOFTWARE]++;
	} else {
		l->hits++;
		l->packets[i]++;
		l->bytes[i] += m->pkt_len;
		l->path[l->lane[i].path]++;
	}
	l->sent[out_of[i]][l->n_sent[out_of[i]]++] = stamp;
	bench_feed(&l->b, 0, 1, m);
}

static void
compare(struct lanes *l)
{
	const struct dp_worker_counters *c = dp_worker_counters(l->b.dp, 0);
	const struct dp_vport_counters *from = &dp_vport_counters(l->b.dp, 0)[0];
	const struct dp_count *lanes = dp_lane_counts(l->b.dp, 0);
	const struct dp_count *rules = dp_rule_counts(l->b.dp, 0, 0);
	bool same = c->lane_hits == l->hits && c->lane_stale == l->stale;
	struct rte_mbuf *m;
	unsigned i, n;

	for (i = 0; i < LANES; i++)
		same = same && lanes[i].packets == l->packets[i] && lanes[i].bytes == l->bytes[i] &&
		       rules[i].packets == l->rule_packets[i] && rules[i].bytes == l->rule_bytes[i];
	for (i = 0; i < DP_PATHS; i++)
		same = same && from->path_packets[i] == l->path[i];
	for (i = 1; i <= 2; i++) {
		for (n = 0; (m = bench_out(&l->b, (uint16_t)i)) != NULL; n++) {
			same = same && n < l->n_sent[i] && frame_stamp(m) == l->sent[i][n] &&
			       (m->ol_flags & RX_FLAGS) == 0;
			rte_pktmbuf_free(m);
		}
		same = same && n == l->n_sent[i];
		l->n_sent[i] = 0;
	}
	if (!same)
		fail_msg("seed %u: not as the model says", l->seed);
}

static void
mixed_bursts(void **state)
{
	static struct lanes l;
	unsigned turn, i;

	for (unsigned seed = 1; seed <= 3; seed++) {
		memset(&l, 0, sizeof(l));
		l.seed = seed;
		l.rng.state = seed;
		open_lanes(&l);
		for (turn = 0; turn < 500; turn++) {
			enum mixture mix = below(&l, MIXTURES);
			unsigned n = 1 + below(&l, DP_BURST), first = below(&l, LANES);

			for (i = 0; i < n; i++)
				feed(&l, choose(&l, mix, first), i, mix);
			bench_run(&l.b);
			compare(&l);
		}
		bench_end(&l.b);
	}
}

// A lane that has left its ring, or its queue, just now, among others: packets of it are looked at
// one by one, and the burst is nobody's as a whole.
static void
one_on_its_way(void **state)
{
	static struct lanes l;
	unsigned way, i;

	for (way = 0; way < 2; way++) {
		memset(&l, 0, sizeof(l));
		l.rng.state = 1;
		open_lanes(&l);
		l.lane[1].was_ring = way == 0;
		l.lane[1].moved = way == 1;
		l.lane[1].before = l.lane[1].program;
		for (i = 0; i < 20; i++)
			feed(&l, (unsigned[]){0, 1, 4}[i % 3], i, QUICK);
		bench_run(&l.b);
		assert_int_equal(l.b.dp->worker[0]->lane_drained[1], l.lane[1].version);
		compare(&l);
		bench_end(&l.b);
	}
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_lanes");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mixed_bursts),
		cmocka_unit_test(one_on_its_way),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
