// SPDX-License-Identifier: BSD-3-Clause
#include "dp_support.h"
#include "act/offload.h"
#include "datapath/resize.h"

// Random steps of everything that can happen, and after each of them the ledger.

#define STEPS 6000
#define PORTS 6

struct soak {
	struct bench b;
	struct sl_rng rng;
	unsigned seed;
	struct dp_lane lane[4];
	struct flow_actions list[4];
	struct flow_key key; // of some flow that was seen
	uint32_t rules;      // ids 10 on
	unsigned resizes;
	uint64_t moved_out; // packets that the tests took from devices
};

static uint32_t
below(struct soak *s, uint32_t n)
{
	return sl_rng_below(&s->rng, n);
}

static void
fill_random(struct soak *s, struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t n = below(s, 4);

	while (n-- > 0)
		p[below(s, m->data_len)] = (uint8_t)below(s, 256);
	if (below(s, 8) == 0)
		rte_pktmbuf_trim(m, (uint16_t)below(s, m->data_len));
}

static struct rte_mbuf *
packet(struct soak *s)
{
	struct frame f = {.src = (uint8_t)(1 + below(s, 6)),
		.dst = (uint8_t)(below(s, 8) == 0 ? 0xff : 1 + below(s, 6)),
		.ip_src = (uint8_t)below(s, 8),
		.ip_dst = (uint8_t)below(s, 8),
		.sport = (uint16_t)below(s, 20),
		.dport = (uint16_t)below(s, 20),
		.tag = {(uint16_t)(below(s, 3) * 10), 7},
		.n_tags = (uint8_t)(below(s, 4) == 0 ? 1 + below(s, 2) : 0),
		.len = below(s, 10) == 0 ? 1500 : below(s, 200)};
	struct rte_mbuf *m = frame_make(&s->b, &f);

	if (below(s, 6) == 0)
		fill_random(s, m);
	if (below(s, 10) == 0) {
		m->ol_flags |= RTE_MBUF_F_RX_FDIR_ID;
		m->hash.fdir.hi = 1u << DP_LANE_INDEX_BITS | below(s, 5);
	}
	if (below(s, 10) == 0) {
		m->tso_segsz = (uint16_t)below(s, 600);
		m->ol_flags |= offload_from_rx(
			below(s, 2) ? RTE_MBUF_F_RX_L4_CKSUM_NONE
				    : RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
	}
	return m;
}

static void
step_feed(struct soak *s)
{
	uint32_t n = below(s, 200);
	uint16_t vport = (uint16_t)below(s, PORTS);

	while (n-- > 0 && s->b.vport[vport].port != NULL) {
		struct fake *dev = bench_dev(&s->b, vport);
		struct fake_queue *q = &dev->rx[below(s, s->b.vport[vport].port->n_rxq)];

		if (q->n < BENCH_QUEUE / 2)
			fake_push(q, packet(s));
	}
}

static void
step_rule(struct soak *s)
{
	static const char *const actions[] = {"output=%u", "drop", "normal", "flood",
		"ring,class=1,output=%u", "set_vlan=10,output=%u", "output=%u,output=2,normal",
		"pop_vlan,output=%u", "class=2,ring,flood", "rate=1M/2k,output=%u",
		"set_eth_dst=02:00:00:00:00:05,output=%u"};
	char match[64], act[80];
	uint32_t id = 10 + below(s, 40);

	if (rules_find(s->b.rules, id) != NULL) {
		rules_del(s->b.rules, id);
	} else {
		snprintf(match, sizeof(match), "port=%u udp dport=%u", below(s, PORTS),
			below(s, 20));
		snprintf(act, sizeof(act), actions[below(s, RTE_DIM(actions))], below(s, PORTS));
		bench_rule(&s->b, id, (uint16_t)below(s, 100), match, act);
	}
	bench_publish(&s->b);
}

static void
step_port_policy(struct soak *s)
{
	struct dp_vport *v = &s->b.vport[below(s, PORTS)];

	v->vlan_mode = (uint8_t)below(s, 3);
	v->vlan = 10;
	v->mtu = (uint16_t)(below(s, 2) ? 1500 : 200);
	v->storm_pps = below(s, 2) * 1000;
	bench_publish(&s->b);
}

static void
step_device(struct soak *s)
{
	uint16_t vport = (uint16_t)below(s, PORTS);

	if (s->b.vport[vport].port == NULL)
		return;
	bench_dev(&s->b, vport)->room = below(s, 2) ? UINT32_MAX : below(s, 100);
	bench_dev(&s->b, vport)->down = below(s, 6) == 0;
	s->moved_out += bench_count_out(&s->b, vport);
}

static void
step_replace_port(struct soak *s)
{
	uint16_t vport = (uint16_t)below(s, PORTS);
	struct dp_port *old = s->b.vport[vport].port;
	struct dp_order o = {.type = DP_ORD_DRAIN_PORT, .port = old};
	uint16_t w;

	s->b.vport[vport].port = NULL;
	if (old == NULL || below(s, 2))
		s->b.vport[vport].port = fake_port((uint16_t)(vport + 16 * below(s, 4)), vport,
			(uint16_t)(1 + below(s, 3)), s->b.n_workers);
	bench_publish(&s->b);
	if (old == NULL)
		return;
	for (w = 0; w < s->b.n_workers; w++) {
		assert_true(dp_order_put(s->b.dp, w, &o));
		dp_worker_once(s->b.dp->worker[w]);
		dp_worker_offline(s->b.dp->worker[w]);
	}
	dp_port_free(old);
}

static void
step_order(struct soak *s)
{
	struct dp_order o = {.type = (uint8_t)(below(s, 2) ? DP_ORD_SET_HOST : DP_ORD_MOVE_MODE),
		.flags = (uint8_t)(below(s, 2) ? DP_PROG_HOST_RING : 0),
		.mode = (uint8_t)below(s, 3),
		.txq = (uint16_t)(below(s, 2) ? DP_TXQ_OWN : below(s, 3)),
		.key = s->key};
	uint16_t w = (uint16_t)below(s, s->b.n_workers);

	dp_order_put(s->b.dp, w, &o);
}

// The caches get another size, or what is left of that goes on.
static void
step_resize(struct soak *s)
{
	const struct dp_order o = {.type = DP_ORD_RESIZE};
	struct dp_event ev[64];
	struct sl_err err;
	uint16_t w;

	while (dp_events_get(s->b.dp, ev, RTE_DIM(ev)) > 0)
		; // or nobody could be told of flows that leave
	if (dp_resize_run(s->b.dp))
		return;
	sl_err_init(&err);
	assert_int_equal(dp_resize_prepare(s->b.dp, 64 + below(s, 500), &err), 0);
	for (w = 0; w < s->b.n_workers; w++)
		assert_true(dp_order_put(s->b.dp, w, &o));
	s->resizes++;
}

static void
step_lane(struct soak *s)
{
	uint32_t i = below(s, 4);
	struct dp_lane *lane = &s->lane[i];
	struct dp_verdict v;

	atomic_store(&s->b.lanes[i], NULL);
	dp_synchronize(s->b.dp);
	if (below(s, 2))
		return;
	dp_compile(s->b.snap, &s->key, &lane->program, &v);
	s->list[i] = v.actions;
	lane->actions = &s->list[i];
	lane->gen = 1;
	lane->path = DP_PATH_SHARED_QUEUE;
	lane->version = 1 + below(s, 1u << 30);
	lane->was_ring = below(s, 2);
	lane->moved = below(s, 2);
	lane->before = lane->program;
	lane->before.txq = (uint16_t)(below(s, 2) ? DP_TXQ_OWN : below(s, 3));
	lane->origin = s->key.vport;
	atomic_store(&s->b.lanes[i], lane);
}

static void
take_key(struct soak *s)
{
	struct dp_event ev[64];
	unsigned n = dp_events_get(s->b.dp, ev, 64);

	while (n-- > 0)
		if (ev[n].type == DP_EV_FLOW)
			s->key = ev[n].key;
}

static void
step(struct soak *s)
{
	uint16_t w;

	switch (below(s, 40)) {
	case 0:
		step_rule(s);
		break;
	case 1:
		step_port_policy(s);
		break;
	case 2:
	case 3:
		step_device(s);
		break;
	case 4:
		if (below(s, 4) == 0)
			step_replace_port(s);
		break;
	case 5:
	case 6:
		step_order(s);
		break;
	case 7:
		step_lane(s);
		break;
	case 8:
		s->b.n_macs = 0;
		while (s->b.n_macs < 6 && below(s, 5))
			bench_learn(&s->b, (uint8_t)(s->b.n_macs + 1), (uint16_t)(below(s, 2) * 10),
				(uint16_t)below(s, PORTS));
		bench_publish(&s->b);
		break;
	case 9: {
		struct rte_mbuf *m = packet(s);

		if (!dp_inject(s->b.dp, 0, m, (uint16_t)below(s, PORTS)))
			rte_pktmbuf_free(m);
		break;
	}
	case 10:
		take_key(s);
		break;
	case 11:
		step_resize(s);
		break;
	default:
		step_feed(s);
		break;
	}
	w = (uint16_t)below(s, s->b.n_workers);
	dp_worker_once(s->b.dp->worker[w]);
	dp_worker_offline(s->b.dp->worker[w]);
	bench_check(&s->b, s->seed);
}

static void
soak(unsigned seed)
{
	struct soak *s = calloc(1, sizeof(*s));
	unsigned i, d, names = 0;

	assert_non_null(s);
	s->seed = seed;
	s->rng.state = seed;
	bench_begin(&s->b, PORTS, 2, 2);
	s->b.assigned_from = 1;
	bench_rule(&s->b, 1, 0, "any", "normal");
	dp_meter_init(&s->b.meters[12], 1000000, 3000, s->b.dp->hz);
	bench_publish(&s->b);
	s->b.snap->report_rate = 1;
	s->b.snap->idle_ticks = 3;
	for (i = 0; i < STEPS; i++) {
		step(s);
		for (d = 0; d < PORTS && i % 50 == 0; d++)
			if (s->b.vport[d].port != NULL)
				s->moved_out += bench_count_out(&s->b, (uint16_t)d);
	}
	for (d = 0; d < DP_DROP_COUNT; d++) {
		uint64_t n = 0;

		for (i = 0; i < PORTS; i++)
			n += bench_dropped(&s->b, (uint16_t)i, d);
		names += n != 0;
	}
	// The steps reach what they are meant to reach.
	assert_true(names >= 15);
	assert_true(s->moved_out > 10000);
	assert_true(s->resizes >= 10);
	bench_end(&s->b);
	free(s);
}

static void
ledger_holds(void **state)
{
	const char *given = getenv("SLUICE_SEED");
	unsigned seed;

	if (given != NULL) {
		soak((unsigned)strtoul(given, NULL, 0));
		return;
	}
	for (seed = 1; seed <= 4; seed++)
		soak(seed);
}

static int
setup(void **state)
{
	return bench_eal("test_datapath_soak");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_holds),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
