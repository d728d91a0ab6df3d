// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_OFFLOAD_FIXTURE_H
#define SLUICE_TESTS_OFFLOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "offload/offload.h"
#include "offload/shape.h"

// A small world for the placement manager: a clock set by hand, flows of a constant rate, workers
// that do as SET_HOST says, NICs that answer in the round after the order. vports and VMs: 1 and 2
// are on VF 0 and 1 of NIC 0, 3 and 4 are vhost, 9 is the wire of NIC 0, 19 the wire of NIC 1.

#define W_FLOWS 600
#define W_ORDERS 256
#define W_TICK_MS 20
#define MBIT 1000000ULL

struct w_flow {
	struct flow_key key;
	struct offload_decision d;
	uint64_t bps;
	uint32_t id;
	uint8_t worker;
	bool dead;                    // its rule does nothing
	struct offload_place rule;    // what the NIC has; path software: nothing
	struct offload_place host[2]; // what the worker was told
};

struct world {
	struct sl_clock clock;
	struct offload_cfg cfg;
	struct offload *o;
	struct w_flow flow[W_FLOWS];
	unsigned n_flows;
	struct offload_order open[2 * W_ORDERS]; // orders that wait for their answer
	unsigned n_open;
	unsigned installs, removes, hosts; // orders in all
	unsigned last_round;               // orders of the last round
	enum offload_outcome answer;       // to INSTALL
	enum offload_outcome answer_remove;
	unsigned capacity; // entries that NIC 0 takes, 0: any number
	unsigned entries;
	// What a NIC says to an INSTALL, where that is not `answer`; NULL: it is.
	enum offload_outcome (*judge)(struct world *w, const struct w_flow *f);
	struct offload_nic_cfg nic;
};

static inline struct offload_cfg
w_cfg(void)
{
	return (struct offload_cfg){.enabled = true,
		.heavy_bps = 50 * MBIT,
		.light_bps = 20 * MBIT,
		.min_bps = 1 * MBIT,
		.eswitch_min_bps = 1 * MBIT,
		.idle_ms = 2000,
		.residency_ms = 500,
		.shared_flows = 4,
		.orders_per_tick = 64,
		.flows_max = 1024,
		.workers = 2};
}

// NIC 0: wire and two VFs; each port has queues 0 (and 1, tx: one for each worker) by default.
static inline void
w_nic(struct world *w, uint16_t index, const char *name, uint16_t queues, uint32_t limit)
{
	uint16_t i;

	memset(&w->nic, 0, sizeof(w->nic));
	w->nic.name = name;
	w->nic.eswitch = w->nic.mark = true;
	w->nic.rule_limit = limit;
	w->nic.ports = 3;
	for (i = 0; i < 3; i++)
		w->nic.port[i] = (struct offload_nic_port_cfg){.rx_queues = queues + 1,
			.rx_default = 1,
			.tx_queues = queues + 2,
			.tx_default = 2,
			.vf_queues = i ? 2 : 0};
	assert_int_equal(offload_nic_add(w->o, index, &w->nic), 0);
}

static inline void
w_init(struct world *w, const struct offload_cfg *cfg)
{
	memset(w, 0, sizeof(*w));
	w->cfg = cfg ? *cfg : w_cfg();
	w->clock = sl_clock_manual(1000 * SL_NS_PER_S);
	assert_int_equal(offload_new(&w->cfg, &w->clock, &w->o), 0);
}

static inline void
w_fini(struct world *w)
{
	offload_free(w->o);
}

static inline struct offload_end
w_end(uint16_t vport)
{
	struct offload_end e = {.nic = OFFLOAD_NONE, .port = 0, .vport = vport, .vm = vport};

	if (vport == 1 || vport == 2) {
		e.nic = 0;
		e.port = vport;
	} else if (vport == 9 || vport == 19) {
		e.nic = vport / 10;
		e.vm = OFFLOAD_NONE;
	} else if (vport == OFFLOAD_NONE) {
		e.vm = OFFLOAD_NONE;
	}
	return e;
}

static inline struct offload_decision
w_decision(uint16_t from, uint16_t to)
{
	struct offload_decision d = {.in = w_end(from),
		.out = w_end(to),
		.lane_ok = true,
		.eswitch_ok = true,
		.drop = to == OFFLOAD_NONE,
		.pinned_queue = OFFLOAD_NONE,
		.vm_max_queues = 16,
		.gen = 1};

	d.actions.n = 1;
	d.actions.list[0].type = to == OFFLOAD_NONE ? FLOW_ACT_DROP : FLOW_ACT_OUTPUT;
	d.actions.list[0].port = to;
	return d;
}

static inline struct flow_key
w_key(uint16_t from, unsigned n)
{
	struct flow_key k;

	flow_key_init(&k, 1, from);
	k.eth_src[0] = k.eth_dst[0] = 2;
	k.eth_src[5] = (uint8_t)from;
	k.eth_dst[5] = 77;
	k.eth_type = htons(0x0800);
	k.l3 = FLOW_L3_IPV4;
	k.proto = IPPROTO_UDP;
	k.src[0] = k.dst[0] = 10;
	k.src[3] = 1;
	k.dst[3] = 2;
	k.l4_src = htons((uint16_t)(1000 + n));
	k.l4_dst = htons(80);
	return k;
}

static inline struct w_flow *
w_add(struct world *w, uint16_t from, uint16_t to, uint64_t bps)
{
	struct w_flow *f = &w->flow[w->n_flows];

	assert_true(w->n_flows < W_FLOWS);
	f->key = w_key(from, w->n_flows++);
	f->d = w_decision(from, to);
	f->bps = bps;
	f->id = UINT32_MAX;
	return f;
}

static inline struct w_flow *
w_find(struct world *w, uint32_t id)
{
	unsigned i;

	for (i = 0; i < w->n_flows; i++) {
		if (w->flow[i].id == id)
			return &w->flow[i];
	}
	return NULL;
}

static inline void
w_answer(struct world *w, const struct offload_order *order)
{
	struct w_flow *f = w_find(w, order->flow);
	enum offload_outcome outcome =
		order->type == OFFLOAD_INSTALL ? w->answer : w->answer_remove;
	bool ok;

	if (order->type == OFFLOAD_INSTALL && w->capacity && w->entries >= w->capacity)
		outcome = OFFLOAD_FULL;
	if (outcome == OFFLOAD_OK && order->type == OFFLOAD_INSTALL && w->judge)
		outcome = w->judge(w, f);
	ok = outcome == OFFLOAD_OK;
	if (ok && order->type == OFFLOAD_INSTALL)
		f->rule = order->place;
	else if (ok)
		f->rule.path = OFFLOAD_SOFTWARE;
	if (ok)
		w->entries += order->type == OFFLOAD_INSTALL ? 1 : -1;
	offload_done(
		w->o, order->flow, order->side, outcome, ok ? 0 : 28, ok ? NULL : "no way", 0, 0);
}

static inline void
w_answers(struct world *w)
{
	struct offload_order open[2 * W_ORDERS];
	unsigned n = w->n_open, i;

	memcpy(open, w->open, n * sizeof(open[0]));
	w->n_open = 0;
	for (i = 0; i < n; i++)
		w_answer(w, &open[i]);
}

static inline void
w_tick(struct world *w)
{
	struct offload_order out[W_ORDERS];
	uint32_t n = offload_tick(w->o, out, W_ORDERS), i;

	assert_true(n <= w->cfg.orders_per_tick);
	w->last_round = n;
	for (i = 0; i < n; i++) {
		struct w_flow *f = w_find(w, out[i].flow);

		assert_non_null(f);
		assert_int_equal(out[i].worker, f->worker);
		if (out[i].type == OFFLOAD_SET_HOST) {
			f->host[out[i].side] = out[i].place;
			w->hosts++;
			continue;
		}
		assert_true(w->n_open < 2 * W_ORDERS);
		w->open[w->n_open++] = out[i];
		w->installs += out[i].type == OFFLOAD_INSTALL;
		w->removes += out[i].type == OFFLOAD_REMOVE;
	}
}

static inline void
w_report(struct world *w, struct w_flow *f)
{
	uint64_t bytes = f->bps / 8 * W_TICK_MS / 1000;

	if (f->rule.path != OFFLOAD_SOFTWARE && f->dead)
		offload_flow_still(w->o, f->id);
	if (f->rule.path != OFFLOAD_SOFTWARE && !f->dead)
		offload_flow_count(w->o, f->id, 1, bytes);
	else
		f->id = offload_flow_report(
			w->o, &f->key, f->worker, &f->d, 1, bytes, f->host[OFFLOAD_IN].path);
}

// Time goes on: reports, answers of the last round, and a round, every W_TICK_MS.
static inline void
w_run(struct world *w, unsigned ms)
{
	unsigned i;

	for (; ms >= W_TICK_MS; ms -= W_TICK_MS) {
		w->clock.manual_ns += W_TICK_MS * SL_NS_PER_MS;
		for (i = 0; i < w->n_flows; i++) {
			if (w->flow[i].bps)
				w_report(w, &w->flow[i]);
		}
		w_answers(w);
		w_tick(w);
	}
}

static inline struct offload_flow_info
w_get(struct world *w, const struct w_flow *f)
{
	struct offload_flow_info info;

	assert_true(offload_flow_get(w->o, f->id, &info));
	return info;
}

static inline void
w_expect(struct world *w, const struct w_flow *f, enum offload_side side, enum offload_path path,
	enum offload_state state, enum offload_reason reason)
{
	struct offload_flow_info info = w_get(w, f);
	const struct offload_side_info *s = &info.side[side];
	char why[256];

	offload_explain(w->o, f->id, side, why, sizeof(why));
	if (s->actual.path != path || s->state != state || s->reason != reason)
		fail_msg("f%u side %d is in %s, %s, %s (%s); expected %s, %s, %s", f->id, side,
			offload_path_name(s->actual.path), offload_state_name(s->state),
			offload_reason_name(s->reason), why, offload_path_name(path),
			offload_state_name(state), offload_reason_name(reason));
}

static inline void
w_expect_words(struct world *w, const struct w_flow *f, enum offload_side side, const char *words)
{
	char why[256];

	offload_explain(w->o, f->id, side, why, sizeof(why));
	assert_string_equal(why, words);
}

struct w_queue_search {
	struct offload_queue_id id;
	struct offload_queue found;
	bool hit;
};

static inline void
w_queue_match(void *ctx, const struct offload_queue *q)
{
	struct w_queue_search *s = ctx;

	if (q->id.nic == s->id.nic && q->id.port == s->id.port && q->id.kind == s->id.kind &&
		q->id.index == s->id.index) {
		s->found = *q;
		s->hit = true;
	}
}

static inline struct offload_queue
w_queue(struct world *w, uint16_t nic, uint16_t port, uint8_t kind, uint16_t index)
{
	struct w_queue_search s = {.id = {nic, port, kind, index}};

	offload_queue_each(w->o, w_queue_match, &s);
	assert_true(s.hit);
	return s.found;
}

#endif
