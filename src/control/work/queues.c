// SPDX-License-Identifier: BSD-3-Clause
#include "work/queues.h"

#include <errno.h>
#include <stdlib.h>

#include "state.h"

struct queue_was {
	const struct dp_port *port;
	uint16_t queue, worker;
	uint8_t kind;
	uint64_t packets, timed_packets, timed_cycles;
};

struct queue_reading {
	uint64_t at_ns;
	uint64_t busy[DP_WORKERS_MAX], total[DP_WORKERS_MAX];
	uint32_t n;
	struct queue_was list[];
};

static uint64_t
load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

struct queue_reading *
queue_reading_take(const struct control *c)
{
	const struct dp_snapshot *s = c->snapshot;
	struct queue_reading *r;
	uint32_t all = 0;
	uint16_t w, i;

	for (w = 0; w < c->n_workers; w++)
		all += s->plan[w].n_rxq;
	r = calloc(1, sizeof(*r) + all * sizeof(r->list[0]));
	if (r == NULL)
		return NULL;
	r->at_ns = sl_now(&c->clock);
	for (w = 0; w < c->n_workers; w++) {
		const struct dp_worker_counters *n = dp_worker_counters(c->dp, w);

		r->busy[w] = load(&n->busy_cycles);
		r->total[w] = load(&n->total_cycles);
		for (i = 0; i < s->plan[w].n_rxq; i++) {
			const struct dp_rxq *q = &s->plan[w].rxq[i];
			const struct dp_rxq_count *count = &q->port->worker[w]->rxq[q->queue];

			r->list[r->n++] = (struct queue_was){.port = q->port,
				.queue = q->queue,
				.worker = w,
				.kind = q->kind,
				.packets = load(&count->packets),
				.timed_packets = load(&count->timed_packets),
				.timed_cycles = load(&count->timed_cycles)};
		}
	}
	return r;
}

void
queue_reading_free(struct queue_reading *r)
{
	free(r);
}

bool
queue_reading_has(const struct queue_reading *r, const struct dp_port *port)
{
	uint32_t i;

	for (i = 0; r != NULL && i < r->n; i++)
		if (r->list[i].port == port)
			return true;
	return false;
}

// The same queue of the same worker; a port that was made anew in the same place counts from 0.
static const struct queue_was *
find(const struct queue_reading *r, const struct queue_was *q, uint32_t about)
{
	uint32_t i;

	for (i = 0; i < r->n; i++) {
		const struct queue_was *x = &r->list[(about + i) % r->n];

		if (x->port == q->port && x->queue == q->queue && x->worker == q->worker)
			return x->packets <= q->packets && x->timed_cycles <= q->timed_cycles
				       ? x
				       : NULL;
	}
	return NULL;
}

// What is divided: a queue's packets, each at the cost of its timed ones. Few timed ones say
// little: they are taken together with so many at the mean of the worker.
#define MEAN_PACKETS 256

struct part {
	double packets, timed_packets, timed_cycles, weight;
};

static double
weight_of(const struct part *q, const struct part *all)
{
	double mean = all->timed_packets > 0 ? all->timed_cycles / all->timed_packets : 1;

	return q->packets * (q->timed_cycles + MEAN_PACKETS * mean) /
	       (q->timed_packets + MEAN_PACKETS);
}

static void
add_part(struct part *all, const struct part *q)
{
	all->packets += q->packets;
	all->timed_packets += q->timed_packets;
	all->timed_cycles += q->timed_cycles;
}

int
queue_loads(const struct queue_reading *a, const struct queue_reading *b, struct queue_load **out,
	double worker[DP_WORKERS_MAX])
{
	double seconds = (double)(b->at_ns - a->at_ns) / (double)SL_NS_PER_S;
	struct queue_load *list = calloc(b->n + 1, sizeof(*list));
	struct part *part = calloc(b->n + 1, sizeof(*part)), all[DP_WORKERS_MAX] = {0};
	uint32_t i, n = 0;
	uint16_t w;

	if (list == NULL || part == NULL || seconds <= 0) {
		free(list);
		free(part);
		return -ENOMEM;
	}
	for (w = 0; w < DP_WORKERS_MAX; w++)
		worker[w] = b->total[w] > a->total[w] ? (double)(b->busy[w] - a->busy[w]) /
								(double)(b->total[w] - a->total[w])
						      : 0;
	for (i = 0; i < b->n; i++) {
		const struct queue_was *q = &b->list[i], *was = find(a, q, i);

		if (was == NULL)
			continue;
		part[n] = (struct part){.packets = (double)(q->packets - was->packets),
			.timed_packets = (double)(q->timed_packets - was->timed_packets),
			.timed_cycles = (double)(q->timed_cycles - was->timed_cycles)};
		add_part(&all[q->worker], &part[n]);
		list[n] = (struct queue_load){.port = q->port,
			.queue = q->queue,
			.worker = q->worker,
			.kind = q->kind,
			.packets_per_s = part[n].packets / seconds};
		if (part[n].timed_packets > 0)
			list[n].cycles_per_packet = part[n].timed_cycles / part[n].timed_packets;
		n++;
	}
	for (i = 0; i < n; i++) {
		part[i].weight = weight_of(&part[i], &all[list[i].worker]);
		all[list[i].worker].weight += part[i].weight;
	}
	for (i = 0; i < n; i++) {
		w = list[i].worker;
		if (all[w].weight > 0)
			list[i].load = worker[w] * part[i].weight / all[w].weight;
	}
	free(part);
	*out = list;
	return (int)n;
}
