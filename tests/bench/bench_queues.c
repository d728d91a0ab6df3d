// SPDX-License-Identifier: BSD-3-Clause
// Which flows share which queues: 8 flows to two VMs on the 4 assigned queues of a NIC port, by
// the placement manager itself on simulated time, in mode share and split, without a policy and
// with rules that group by rate limit, by priority, and that give each VM queues of its own.
//
// A row for each: purity (of the pairs of flows on one queue, the part that belongs together: of
// one VM, one limit, one level), load of each queue (Mbit/s), orders for each flow (host messages),
// and the 99th percentile of the delay of packets in each kind of place. The delay is that of one
// worker that polls the queues in turn, 32 packets at a time, and serves the ring after them; what
// a packet costs there is assumed (COST_NS), so that the columns compare and say no more.
//
// usage: bench_queues        One line of JSON for each row.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "offload/offload.h"
#include "offload/policy.h"

#define FLOWS 8
#define QUEUES 5 // 0 is the default one
#define TICK_NS SL_NS_PER_MS
#define RUN_TICKS 4000
#define PACKET 1000u // bytes
#define BURST 32
#define ORDERS 256
#define PACKETS_MAX 4000000

static const uint32_t COST_NS[OFFLOAD_PATHS] = {90, 130, 35, 30, 0}; // assumed

struct bench_flow {
	struct flow_key key;
	struct offload_decision d;
	uint64_t bps;
	uint32_t id;
	uint32_t group; // flows of one belong together
	struct offload_place host, rule;
};

struct bench_packet {
	uint64_t ns;
	uint8_t flow;
};

struct bench {
	struct sl_clock clock;
	struct offload *o;
	struct bench_flow flow[FLOWS];
	uint32_t orders;
	struct offload_order open[ORDERS];
	uint32_t n_open;
};

enum kind { PLAIN, RATE_LIMITS, PRIORITIES, PARTITIONS, KINDS };
static const char *const kind_names[KINDS] = {"none", "rate-limit", "priority", "partition"};

static uint32_t
make_policy(enum kind kind, struct offload_policy *list)
{
	int i;

	for (i = 0; i < 2; i++) {
		offload_policy_init(&list[i]);
		snprintf(list[i].name, sizeof(list[i].name), "%s-%d", kind_names[kind], i);
	}
	if (kind == PARTITIONS) {
		for (i = 0; i < 2; i++) {
			list[i].vm = (uint16_t)(1 + i);
			list[i].queue_first = (uint16_t)(1 + 2 * i);
			list[i].queue_last = (uint16_t)(2 + 2 * i);
			list[i].queues_owned = true;
		}
		return 2;
	}
	list[0].share = kind == RATE_LIMITS ? OFFLOAD_SHARE_RATE_LIMIT : OFFLOAD_SHARE_PRIORITY;
	return kind == PLAIN ? 0 : 1;
}

// Four heavy flows and four light ones, for four queues; VMs, limits and levels alternate, each in
// its own way.
static void
make_flow(struct bench_flow *f, unsigned i, enum kind kind, bool share)
{
	static const uint64_t bps[FLOWS] = {
		400000000, 300000000, 200000000, 100000000, 4000000, 4000000, 3000000, 3000000};
	uint16_t vm = (uint16_t)(1 + i % 2);

	flow_key_init(&f->key, 1, 0);
	f->key.eth_type = 8;
	f->key.l3 = FLOW_L3_IPV4;
	f->key.proto = 17;
	f->key.src[3] = (uint8_t)(1 + i);
	f->bps = bps[i];
	f->host = f->rule = (struct offload_place){.path = OFFLOAD_SOFTWARE};
	f->d = (struct offload_decision){
		.in = {.nic = 0, .port = 0, .vport = 0, .vm = OFFLOAD_NONE},
		.out = {.nic = OFFLOAD_NONE, .vport = vm, .vm = vm},
		.lane_ok = true,
		.priority = (uint8_t)(i / 2 % 2 ^ i % 2),
		.share = share,
		.pinned_queue = OFFLOAD_NONE,
		.vm_max_queues = 16,
		.gen = 1,
	};
	f->d.actions.n = 2;
	f->d.actions.list[0].type = FLOW_ACT_RATE;
	f->d.actions.list[0].rate.kbps = i % 4 < 2 ? 1000000 : 8000;
	f->d.actions.list[1].type = FLOW_ACT_OUTPUT;
	f->d.actions.list[1].port = vm;
	f->group = kind == RATE_LIMITS  ? f->d.actions.list[0].rate.kbps
		   : kind == PRIORITIES ? f->d.priority
					: vm;
}

static int
bench_init(struct bench *b, enum kind kind, bool share)
{
	struct offload_cfg cfg = {.enabled = true,
		.heavy_bps = 10000000,
		.light_bps = 5000000,
		.min_bps = 64000,
		.shared_flows = 64,
		.orders_per_tick = 64,
		.flows_max = 1024,
		.workers = 1};
	struct offload_nic_cfg nic = {.name = "nic0", .mark = true, .ports = 1};
	struct offload_policy list[2];
	uint32_t n = make_policy(kind, list);
	unsigned i;

	memset(b, 0, sizeof(*b));
	b->clock = sl_clock_manual(1000 * SL_NS_PER_S);
	nic.port[0] = (struct offload_nic_port_cfg){
		.rx_queues = QUEUES, .rx_default = 1, .tx_queues = 1, .tx_default = 1};
	for (i = 0; i < FLOWS; i++)
		make_flow(&b->flow[i], i, kind, share);
	if (offload_new(&cfg, &b->clock, &b->o) != 0 || offload_nic_add(b->o, 0, &nic) != 0)
		return -1;
	return offload_policies_set(b->o, list, n);
}

static struct bench_flow *
flow_of(struct bench *b, uint32_t id)
{
	unsigned i = 0;

	while (i + 1 < FLOWS && b->flow[i].id != id)
		i++;
	return &b->flow[i];
}

static void
answer(struct bench *b)
{
	uint32_t n = b->n_open, i;

	b->n_open = 0;
	for (i = 0; i < n; i++) {
		const struct offload_order *o = &b->open[i];

		flow_of(b, o->flow)->rule =
			o->type == OFFLOAD_INSTALL ? o->place : (struct offload_place){.path = 0};
		offload_done(b->o, o->flow, OFFLOAD_IN, OFFLOAD_OK, 0, NULL, 0, 0);
	}
}

static void
step(struct bench *b)
{
	struct offload_order out[ORDERS];
	uint32_t n, i;

	b->clock.manual_ns += TICK_NS;
	for (i = 0; i < FLOWS; i++) {
		struct bench_flow *f = &b->flow[i];
		uint64_t bytes = f->bps / 8 / 1000;

		if (f->rule.path != OFFLOAD_SOFTWARE)
			offload_flow_count(b->o, f->id, 1, bytes);
		else
			f->id = offload_flow_report(
				b->o, &f->key, 0, &f->d, 1, bytes, f->host.path);
	}
	answer(b);
	n = offload_tick(b->o, out, ORDERS);
	b->orders += n;
	for (i = 0; i < n; i++) {
		if (out[i].type == OFFLOAD_SET_HOST)
			flow_of(b, out[i].flow)->host = out[i].place;
		else
			b->open[b->n_open++] = out[i];
	}
}

// ---- what came of it

static uint8_t
path_of(const struct bench_flow *f)
{
	return f->rule.path != OFFLOAD_SOFTWARE ? f->rule.path : f->host.path;
}

// 0: the default queue, also that of the ring's flows.
static uint16_t
queue_of(const struct bench_flow *f)
{
	return f->rule.path != OFFLOAD_SOFTWARE ? f->rule.queue.index : 0;
}

static double
purity(const struct bench *b)
{
	unsigned pairs = 0, pure = 0, i, k;

	for (i = 0; i < FLOWS; i++) {
		for (k = i + 1; k < FLOWS; k++) {
			uint16_t q = queue_of(&b->flow[i]);

			if (q == 0 || q != queue_of(&b->flow[k]))
				continue;
			pairs++;
			pure += b->flow[i].group == b->flow[k].group;
		}
	}
	return pairs > 0 ? (double)pure / pairs : 1.0;
}

static int
earlier(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct fifo {
	const struct bench_packet **at;
	uint32_t head, tail;
};

struct delays {
	struct bench_packet *packets;
	uint32_t n;
	uint64_t *of[OFFLOAD_PATHS];
	uint32_t n_of[OFFLOAD_PATHS];
	struct fifo queue[QUEUES + 1]; // the last one: the ring
};

static int
by_time(const void *a, const void *b)
{
	return earlier(
		&((const struct bench_packet *)a)->ns, &((const struct bench_packet *)b)->ns);
}

// Bursts of up to 16 packets at random times, a second of them.
static void
arrivals(struct bench *b, struct delays *d)
{
	struct sl_rng rng = {.state = 7};
	unsigned i, k;

	for (i = 0; i < FLOWS; i++) {
		uint64_t gap = 8ULL * PACKET * SL_NS_PER_S / b->flow[i].bps, ns = 0;

		while (ns < SL_NS_PER_S && d->n + 16 < PACKETS_MAX) {
			uint32_t burst = 1 + sl_rng_below(&rng, 16);

			ns += gap * burst / 2 + sl_rng_below(&rng, (uint32_t)(gap * burst) + 1);
			for (k = 0; k < burst; k++)
				d->packets[d->n++] = (struct bench_packet){ns, (uint8_t)i};
		}
	}
	qsort(d->packets, d->n, sizeof(*d->packets), by_time);
}

static uint64_t
serve(struct bench *b, struct delays *d, unsigned q, uint64_t now)
{
	struct fifo *f = &d->queue[q];
	unsigned n;

	for (n = 0; n < BURST && f->head < f->tail; n++) {
		const struct bench_packet *p = f->at[f->head++];
		uint8_t path = path_of(&b->flow[p->flow]);

		now += COST_NS[path];
		if (path == OFFLOAD_RING && q != QUEUES) {
			d->queue[QUEUES].at[d->queue[QUEUES].tail++] = p;
			continue;
		}
		d->of[path][d->n_of[path]++] = now - p->ns;
	}
	return now;
}

static void
run_worker(struct bench *b, struct delays *d)
{
	uint64_t now = 0;
	uint32_t next = 0, done;
	unsigned q;

	for (done = 0; done < d->n; done = d->n_of[0] + d->n_of[1] + d->n_of[2] + d->n_of[3]) {
		for (; next < d->n && d->packets[next].ns <= now; next++) {
			struct fifo *f = &d->queue[queue_of(&b->flow[d->packets[next].flow])];

			f->at[f->tail++] = &d->packets[next];
		}
		now += 50; // an empty loop
		for (q = 0; q <= QUEUES; q++)
			now = serve(b, d, q, now);
	}
}

static bool
delays_init(struct delays *d)
{
	bool ok;
	unsigned i;

	memset(d, 0, sizeof(*d));
	d->packets = calloc(PACKETS_MAX, sizeof(*d->packets));
	ok = d->packets != NULL;
	for (i = 0; i < OFFLOAD_PATHS; i++)
		ok &= (d->of[i] = calloc(PACKETS_MAX, sizeof(uint64_t))) != NULL;
	for (i = 0; i <= QUEUES; i++)
		ok &= (d->queue[i].at = calloc(PACKETS_MAX, sizeof(void *))) != NULL;
	return ok;
}

static void
delays_fini(struct delays *d)
{
	unsigned i;

	free(d->packets);
	for (i = 0; i < OFFLOAD_PATHS; i++)
		free(d->of[i]);
	for (i = 0; i <= QUEUES; i++)
		free(d->queue[i].at);
}

static void
print(struct bench *b, struct delays *d, enum kind kind, bool share)
{
	double load[QUEUES] = {0};
	unsigned i;

	for (i = 0; i < FLOWS; i++)
		load[queue_of(&b->flow[i])] += (double)b->flow[i].bps / 1e6;
	printf("{\"bench\":\"queues\",\"mode\":\"%s\",\"policy\":\"%s\",\"purity\":%.2f",
		share ? "share" : "split", kind_names[kind], purity(b));
	for (i = 0; i < QUEUES; i++)
		printf(",\"q%u_mbps\":%.0f", i, load[i]);
	for (i = OFFLOAD_SOFTWARE; i <= OFFLOAD_EXCLUSIVE_QUEUE; i++) {
		qsort(d->of[i], d->n_of[i], sizeof(uint64_t), earlier);
		printf(",\"%s_p99_us\":", offload_path_name(i));
		if (d->n_of[i] == 0)
			printf("null");
		else
			printf("%.2f", (double)d->of[i][d->n_of[i] / 100 * 99] / 1e3);
	}
	printf(",\"orders_per_flow\":%.2f}\n", (double)b->orders / FLOWS);
}

static int
row(enum kind kind, bool share)
{
	struct bench b;
	struct delays d;
	unsigned i;
	int rc = bench_init(&b, kind, share);

	for (i = 0; rc == 0 && i < RUN_TICKS; i++)
		step(&b);
	if (!delays_init(&d))
		rc = -1;
	if (rc == 0) {
		arrivals(&b, &d);
		run_worker(&b, &d);
		print(&b, &d, kind, share);
	} else {
		fprintf(stderr, "bench_queues: out of memory\n");
	}
	delays_fini(&d);
	offload_free(b.o);
	return rc;
}

int
main(void)
{
	int kind, rc = 0;

	for (kind = PLAIN; kind < KINDS && rc == 0; kind++) {
		rc = row((enum kind)kind, false);
		if (rc == 0)
			rc = row((enum kind)kind, true);
	}
	return rc != 0;
}
