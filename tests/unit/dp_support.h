// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_DP_SUPPORT_H
#define SLUICE_TESTS_DP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "base/rng.h"
#include "datapath/mac.h"
#include "datapath/meter.h"
#include "datapath/worker.h"
#include "flow/text.h"
#include "lcore.h"
#include "loop.h"
#include "memory.h"
#include "rules/rules.h"

// What the tests of the packet path share: a bench with one switch (real rules, real cache, real
// scheduler), vports on devices that are queues in memory, workers that are driven loop by loop,
// and a ledger that is checked after every step. Thread safety: init only.

#define BENCH_VPORTS 12 // ids 0 to 11
#define BENCH_QUEUE 4096
#define BENCH_QUEUES 4
#define BENCH_RULES 64

struct fake_queue {
	struct rte_mbuf *pkts[BENCH_QUEUE];
	unsigned head, n;
};

struct fake { // the device: what it will give, what it was given
	struct fake_queue rx[BENCH_QUEUES];
	struct fake_queue tx[BENCH_QUEUES];
	bool down;
	bool tx_busy[BENCH_QUEUES]; // still sends what it took on that queue
	bool tx_tells;              // it has not sent what the test has not taken out
	unsigned room;              // packets that tx takes at most until it is set again
	void (*arrive)(void *ctx);  // called before each receive: packets may come at any time
	void *ctx;
};

static inline void
fake_push(struct fake_queue *q, struct rte_mbuf *m)
{
	assert_true(q->n < BENCH_QUEUE);
	q->pkts[(q->head + q->n++) % BENCH_QUEUE] = m;
}

static inline struct rte_mbuf *
fake_pop(struct fake_queue *q)
{
	struct rte_mbuf *m;

	if (q->n == 0)
		return NULL;
	m = q->pkts[q->head];
	q->head = (q->head + 1) % BENCH_QUEUE;
	q->n--;
	return m;
}

static inline uint16_t
fake_rx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct fake *f = p->priv;
	uint16_t i;

	if (f->arrive != NULL)
		f->arrive(f->ctx);
	for (i = 0; i < n && f->rx[queue].n > 0; i++)
		pkts[i] = fake_pop(&f->rx[queue]);
	return i;
}

static inline uint16_t
fake_tx(struct dp_port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct fake *f = p->priv;
	uint16_t i;

	for (i = 0; i < n && f->room > 0; i++, f->room--)
		fake_push(&f->tx[queue], pkts[i]);
	return i;
}

static inline bool
fake_link(const struct dp_port *p)
{
	return !((const struct fake *)p->priv)->down;
}

static inline bool
fake_tx_idle(const struct dp_port *p, uint16_t queue)
{
	const struct fake *f = p->priv;

	return !f->tx_busy[queue] && (!f->tx_tells || f->tx[queue].n == 0);
}

static inline void
fake_counters(const struct dp_port *p, struct dp_port_counters *out)
{
	memset(out, 0, sizeof(*out));
}

static inline void
fake_close(struct dp_port *p)
{
	struct fake *f = p->priv;
	struct rte_mbuf *m;
	unsigned q;

	for (q = 0; q < BENCH_QUEUES; q++) {
		while ((m = fake_pop(&f->rx[q])) != NULL)
			rte_pktmbuf_free(m);
		while ((m = fake_pop(&f->tx[q])) != NULL)
			rte_pktmbuf_free(m);
	}
	free(f);
}

static inline struct dp_port *
fake_port(uint16_t index, uint16_t vport, uint16_t queues, uint16_t n_workers)
{
	static const struct dp_port_ops ops = {.kind = "fake",
		.rx = fake_rx,
		.tx = fake_tx,
		.link = fake_link,
		.tx_idle = fake_tx_idle,
		.counters = fake_counters,
		.close = fake_close};
	static const struct qos_class_cfg classes[3] = {{.level = 0, .weight = 1, .depth = 64},
		{.level = 1, .weight = 3, .depth = 64}, {.level = 1, .weight = 1, .depth = 64}};
	struct dp_port *p = dp_zalloc(sizeof(*p), 0);
	uint16_t q;

	assert_non_null(p);
	p->ops = &ops;
	p->index = index;
	p->vport = vport;
	p->n_rxq = queues;
	p->n_txq = queues;
	p->nic = DP_NONE;
	p->mtu = 1500;
	p->tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	p->priv = calloc(1, sizeof(struct fake));
	assert_non_null(p->priv);
	((struct fake *)p->priv)->room = UINT32_MAX;
	assert_int_equal(dp_port_attach(p, n_workers, classes, 3, 0), 0);
	for (q = 0; q < queues; q++)
		p->rxq_worker[q] = (uint8_t)(q % n_workers);
	return p;
}

struct bench {
	struct rte_mempool *pool, *copies;
	struct dp_datapath *dp;
	struct rules *rules;
	struct rules_set *set;
	struct dp_mac_table *macs;
	struct dp_mac mac[256];
	_Atomic uint32_t used[256];
	uint32_t n_macs;
	uint16_t n_workers;
	struct dp_vport vport[BENCH_VPORTS];
	// Two of each, as of the snapshots: a worker may still read the one before.
	uint16_t members[2][BENCH_VPORTS];
	struct dp_rxq rxq[2][DP_WORKERS_MAX][BENCH_VPORTS * BENCH_QUEUES];
	struct dp_meter meters[BENCH_RULES];
	const struct dp_lane *_Atomic lanes[DP_LANES_MAX];
	const struct ext_chain *ext;                // of the switch
	struct ext *matchers[RULES_ASK_EXTENSIONS]; // likewise
	struct flow_inner_match inner[RULES_ASK_EXTENSIONS];
	struct dp_takeover *takeover; // of the next snapshot
	uint16_t assigned_from;       // receive queues from this one on are assigned to lanes
	struct dp_snapshot *snap;
	struct dp_snapshot old[2]; // published in turn
	unsigned turn;
	uint32_t gen;
	uint64_t fed; // packets that the tests gave to devices
};

static inline int
bench_eal(const char *name)
{
	char *argv[] = {(char *)(uintptr_t)name, "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0", "-m256", "--log-level=critical", NULL};

	return rte_eal_init(8, argv) < 0 ? -1 : 0;
}

static inline struct fake *
bench_dev(struct bench *b, uint16_t vport)
{
	return b->vport[vport].port->priv;
}

// Publishes what the bench holds now as a new generation.
static inline void
bench_publish(struct bench *b)
{
	unsigned turn = b->turn++ % 2;
	struct dp_snapshot *s = &b->old[turn];
	struct rules_set *set = rules_commit(b->rules);
	struct dp_mac_table *macs = dp_mac_table_new(b->mac, b->n_macs, 7);
	uint16_t i, w, q;

	assert_non_null(set);
	assert_non_null(macs);
	memset(s, 0, sizeof(*s));
	s->gen = ++b->gen;
	s->n_vports = BENCH_VPORTS;
	s->n_switches = 1;
	s->n_workers = b->n_workers;
	s->n_classes = 3;
	s->report_rate = b->snap != NULL ? b->snap->report_rate : UINT32_MAX;
	s->idle_ticks = b->snap != NULL ? b->snap->idle_ticks : 0;
	s->tx_hold_us = b->snap != NULL ? b->snap->tx_hold_us : 0;
	s->insert_tokens = b->snap != NULL ? b->snap->insert_tokens : 0;
	s->lanes = b->lanes;
	s->takeover = b->takeover;
	for (i = 0; i < BENCH_VPORTS; i++) {
		if (b->vport[i].id == DP_NONE)
			continue;
		s->vport[i] = &b->vport[i];
		b->members[turn][s->sw[0].n_vports++] = i;
	}
	s->sw[0].id = 5;
	s->sw[0].fields = rules_set_fields(set);
	s->sw[0].rules = set;
	s->sw[0].macs = macs;
	s->sw[0].meters = b->meters;
	s->sw[0].max_rules = BENCH_RULES;
	s->sw[0].vports = b->members[turn];
	s->sw[0].ext = b->ext;
	s->sw[0].asks = rules_set_asks(set);
	memcpy(s->sw[0].matchers, b->matchers, sizeof(b->matchers));
	memcpy(s->sw[0].inner, b->inner, sizeof(b->inner));
	for (i = 0; i < BENCH_VPORTS; i++) {
		const struct dp_port *p = b->vport[i].id != DP_NONE ? b->vport[i].port : NULL;

		for (q = 0; p != NULL && q < p->n_rxq; q++) {
			w = p->rxq_worker[q];
			b->rxq[turn][w][s->plan[w].n_rxq++] = (struct dp_rxq){
				.port = b->vport[i].port,
				.queue = q,
				.kind = q >= b->assigned_from ? DP_RXQ_ASSIGNED : DP_RXQ_DEFAULT};
		}
	}
	for (w = 0; w < b->n_workers; w++)
		s->plan[w].rxq = b->rxq[turn][w];
	dp_publish(b->dp, s);
	b->snap = s;
	if (b->set != NULL)
		rules_set_put(b->set);
	dp_mac_table_free(b->macs);
	b->set = set;
	b->macs = macs;
}

static inline void
bench_rule_asks(struct bench *b, uint32_t id, uint16_t priority, uint16_t asks, const char *match,
	const char *actions)
{
	struct rules_entry e = {.id = id, .priority = priority, .asks = asks};
	struct sl_err err;

	sl_err_init(&err);
	if (flow_match_parse(match, NULL, &e.match, &err) != 0 ||
		flow_actions_parse(actions, NULL, &e.actions, &err) != 0 ||
		rules_add(b->rules, &e, &err) != 0)
		fail_msg("%s -> %s: %s %s", match, actions, err.path, err.text);
}

static inline void
bench_rule(struct bench *b, uint32_t id, uint16_t priority, const char *match, const char *actions)
{
	bench_rule_asks(b, id, priority, 0, match, actions);
}

static inline void
bench_learn(struct bench *b, uint8_t last, uint16_t vlan, uint16_t vport)
{
	b->mac[b->n_macs] = (struct dp_mac){.addr = {2, 0, 0, 0, 0, last},
		.vlan = vlan,
		.vport = vport,
		.used = &b->used[b->n_macs]};
	b->n_macs++;
}

// n_ports vports 0 to n_ports - 1 with `queues` queues each; nothing is published yet.
static inline void
bench_begin(struct bench *b, uint16_t n_ports, uint16_t queues, uint16_t n_workers)
{
	struct dp_datapath_cfg cfg = {.n_workers = n_workers, .flows = 1024, .seed = 42};
	struct sl_err err;
	uint16_t i;

	memset(b, 0, sizeof(*b));
	b->n_workers = n_workers;
	b->assigned_from = BENCH_QUEUES;
	b->pool = rte_pktmbuf_pool_create("pool", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	b->copies = rte_pktmbuf_pool_create("copies", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert_non_null(b->pool);
	assert_non_null(b->copies);
	cfg.copies = b->copies;
	sl_err_init(&err);
	if (dp_new(&cfg, &b->dp, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(dp_rule_counts_new(b->dp, 0, BENCH_RULES), 0);
	b->rules = rules_new(BENCH_RULES);
	assert_non_null(b->rules);
	for (i = 0; i < BENCH_VPORTS; i++) {
		b->vport[i].id = DP_NONE;
		if (i >= n_ports)
			continue;
		b->vport[i] = (struct dp_vport){.id = i, .vm = DP_NONE, .mtu = 1500};
		b->vport[i].port = fake_port(i, i, queues, n_workers);
	}
}

struct bench_ledger {
	uint64_t received, originated, copies, sent, consumed, dropped, queued, dequeued;
};

static inline void
bench_ledger_of(const struct bench *b, uint16_t vport, struct bench_ledger *l)
{
	uint16_t w, d;

	for (w = 0; w < b->n_workers; w++) {
		const struct dp_vport_counters *c = &dp_vport_counters(b->dp, w)[vport];

		l->received += c->received;
		l->originated += c->originated;
		l->copies += c->copies;
		l->sent += c->sent;
		l->consumed += c->consumed;
		l->queued += c->queued;
		l->dequeued += c->dequeued;
		for (d = 0; d < DP_DROP_COUNT; d++)
			l->dropped += c->dropped[d];
	}
}

// The ledger of CONTRACTS.md, per vport and in all, and what is held in two ways; the accounts of
// the targets hold exactly what is held.
static inline void
bench_check(const struct bench *b, unsigned seed)
{
	uint64_t held = 0, delivered = 0, sent = 0;
	int64_t charged = 0;
	uint16_t v, w;

	for (v = 0; v < DP_VPORTS_MAX; v++) {
		const struct qos_account *accounts[DP_WORKERS_MAX];
		struct bench_ledger l = {0};
		struct qos_held h;

		bench_ledger_of(b, v, &l);
		if (l.received + l.originated + l.copies !=
			l.sent + l.consumed + l.dropped + l.queued - l.dequeued)
			fail_msg("seed %u: vport %u: %lu + %lu + %lu != %lu + %lu + %lu + %lu - "
				 "%lu",
				seed, v, l.received, l.originated, l.copies, l.sent, l.consumed,
				l.dropped, l.queued, l.dequeued);
		held += l.queued - l.dequeued;
		sent += l.sent;
		for (w = 0; w < b->n_workers; w++) {
			accounts[w] = &dp_accounts(b->dp, w)[v];
			delivered += dp_vport_counters(b->dp, w)[v].delivered;
		}
		h = qos_account_held(accounts, b->n_workers);
		assert_true(h.packets >= 0 && h.bytes >= 0);
		charged += h.packets;
	}
	assert_int_equal(held, dp_held(b->dp));
	assert_int_equal(held, charged);
	assert_int_equal(sent, delivered);
}

// Loops until no worker finds anything.
static inline void
bench_run(struct bench *b)
{
	bool found = true;
	unsigned i;
	uint16_t w;

	for (i = 0; i < 1000 && found; i++) {
		found = false;
		for (w = 0; w < b->n_workers; w++) {
			found |= dp_worker_once(b->dp->worker[w]);
			dp_worker_offline(b->dp->worker[w]);
		}
		bench_check(b, 0);
	}
}

static inline uint64_t
bench_dropped(const struct bench *b, uint16_t vport, enum dp_drop why)
{
	uint64_t n = 0;
	uint16_t w;

	for (w = 0; w < b->n_workers; w++)
		n += dp_vport_counters(b->dp, w)[vport].dropped[why];
	return n;
}

static inline void
bench_end(struct bench *b)
{
	struct dp_port *ports[BENCH_VPORTS] = {NULL};
	uint16_t i, w;

	bench_check(b, 0);
	for (i = 0; i < BENCH_VPORTS; i++) {
		if (b->vport[i].id == DP_NONE)
			continue;
		ports[i] = b->vport[i].port;
		for (w = 0; ports[i] != NULL && w < b->n_workers; w++) {
			struct dp_order o = {.type = DP_ORD_DRAIN_PORT, .port = ports[i]};

			assert_true(dp_order_put(b->dp, w, &o));
		}
	}
	for (w = 0; w < b->n_workers; w++) {
		dp_worker_once(b->dp->worker[w]);
		dp_worker_offline(b->dp->worker[w]);
	}
	bench_check(b, 0);
	dp_free(b->dp);
	for (i = 0; i < BENCH_VPORTS; i++)
		dp_port_free(ports[i]);
	if (b->set != NULL)
		rules_set_put(b->set);
	rules_free(b->rules);
	dp_mac_table_free(b->macs);
	assert_int_equal(rte_mempool_in_use_count(b->pool), 0);
	assert_int_equal(rte_mempool_in_use_count(b->copies), 0);
	rte_mempool_free(b->pool);
	rte_mempool_free(b->copies);
}

// A frame in words: Ethernet of 02:00:00:00:00:src to :dst (or broadcast when dst is 0xff).
struct frame {
	uint8_t src, dst;
	uint16_t tag[2]; // VIDs, outer first; n_tags of them
	uint8_t n_tags;
	uint8_t ip_src, ip_dst; // 10.0.0.x
	uint8_t dscp;
	uint16_t sport, dport;
	uint32_t len;   // of the UDP payload
	uint32_t stamp; // first 4 bytes of the payload
};

static inline struct rte_mbuf *
frame_make(struct bench *b, const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool);
	uint16_t type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	uint32_t len = RTE_MAX(f->len, 4u);
	struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
		.type_of_service = (uint8_t)(f->dscp << 2),
		.total_length = rte_cpu_to_be_16((uint16_t)(28 + len)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(0x0a000000u | f->ip_src),
		.dst_addr = rte_cpu_to_be_32(0x0a000000u | f->ip_dst)};
	struct rte_udp_hdr udp = {.src_port = rte_cpu_to_be_16(f->sport),
		.dst_port = rte_cpu_to_be_16(f->dport),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(8 + len))};
	uint8_t *p;
	unsigned i;

	assert_non_null(m);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(14 + 4 * f->n_tags + 28 + len));
	assert_non_null(p);
	memset(p, 0, m->pkt_len);
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memset(p, f->dst == 0xff ? 0xff : 0, 6);
	if (f->dst != 0xff)
		p[0] = 2;
	p[5] = f->dst;
	p[6] = 2;
	p[11] = f->src;
	p += 12;
	for (i = 0; i < f->n_tags; i++, p += 4) {
		p[0] = 0x81;
		p[2] = (uint8_t)(f->tag[i] >> 8);
		p[3] = (uint8_t)f->tag[i];
	}
	memcpy(p, &type, 2);
	memcpy(p + 2, &ip, sizeof(ip));
	memcpy(p + 22, &udp, sizeof(udp));
	memcpy(p + 30, &f->stamp, 4);
	return m;
}

static inline uint32_t
frame_stamp(const struct rte_mbuf *m)
{
	uint32_t stamp, at = 12;
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	while (p[at] == 0x81)
		at += 4;
	memcpy(&stamp, p + at + 30, 4);
	return stamp;
}

// Gives one packet to a device.
static inline void
bench_feed(struct bench *b, uint16_t vport, uint16_t queue, struct rte_mbuf *m)
{
	fake_push(&bench_dev(b, vport)->rx[queue], m);
	b->fed++;
}

// The next packet that went out by vport, on any queue; NULL: none.
static inline struct rte_mbuf *
bench_out(struct bench *b, uint16_t vport)
{
	struct rte_mbuf *m;
	unsigned q;

	for (q = 0; q < BENCH_QUEUES; q++) {
		m = fake_pop(&bench_dev(b, vport)->tx[q]);
		if (m != NULL)
			return m;
	}
	return NULL;
}

// Frees what went out by vport and returns how many.
static inline unsigned
bench_count_out(struct bench *b, uint16_t vport)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	while ((m = bench_out(b, vport)) != NULL) {
		rte_pktmbuf_free(m);
		n++;
	}
	return n;
}

#endif
