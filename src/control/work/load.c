// SPDX-License-Identifier: BSD-3-Clause
#include "work/load.h"

#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "work/queues.h"

struct reading {
	uint64_t at_ns; // 0: none
	uint64_t busy, total, packets, busy_loops;
	uint64_t stage[DP_STAGES], stage_packets;
};

struct loads {
	uint64_t next_ns;
	struct reading before[DP_WORKERS_MAX], last[DP_WORKERS_MAX];
	struct queue_reading *queues_before, *queues_last;
};

struct loads *
loads_new(void)
{
	return calloc(1, sizeof(struct loads));
}

void
loads_free(struct loads *l)
{
	if (l != NULL) {
		queue_reading_free(l->queues_before);
		queue_reading_free(l->queues_last);
	}
	free(l);
}

static uint64_t
load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void
read_worker(const struct control *c, uint16_t w, uint64_t now, struct reading *r)
{
	const struct dp_worker_counters *n = dp_worker_counters(c->dp, w);
	const struct dp_vport_counters *v = dp_vport_counters(c->dp, w);
	unsigned int i;

	*r = (struct reading){.at_ns = now};
	r->busy = load(&n->busy_cycles);
	r->total = load(&n->total_cycles);
	for (i = 0; i < DP_VPORTS_MAX; i++)
		r->packets += load(&v[i].received);
	for (i = 0; i < DP_STAGES; i++)
		r->stage[i] = load(&n->stage_cycles[i]);
	r->stage_packets = load(&n->stage_packets);
	r->busy_loops = load(&n->loops) - load(&n->empty_loops);
}

void
loads_tick(struct control *c)
{
	struct loads *l = c->loads;
	uint64_t now = sl_now(&c->clock);
	uint16_t w;

	if (now < l->next_ns)
		return;
	l->next_ns = now + SL_NS_PER_S;
	for (w = 0; w < c->n_workers; w++) {
		l->before[w] = l->last[w];
		read_worker(c, w, now, &l->last[w]);
	}
	queue_reading_free(l->queues_before);
	l->queues_before = l->queues_last;
	l->queues_last = queue_reading_take(c);
}

// Readings name ports, which may be looked into: without them until the next ones.
void
loads_port_gone(struct control *c, const struct dp_port *port)
{
	struct loads *l = c->loads;

	if (l == NULL)
		return;
	if (queue_reading_has(l->queues_before, port) || queue_reading_has(l->queues_last, port)) {
		queue_reading_free(l->queues_before);
		queue_reading_free(l->queues_last);
		l->queues_before = l->queues_last = NULL;
	}
}

bool
loads_readings(const struct control *c, const struct queue_reading **before,
	const struct queue_reading **last)
{
	*before = c->loads->queues_before;
	*last = c->loads->queues_last;
	return *before != NULL && *last != NULL;
}

void
loads_get(const struct control *c, uint16_t worker, struct worker_load *out)
{
	const struct reading *a = &c->loads->before[worker], *b = &c->loads->last[worker];
	double seconds = (double)(b->at_ns - a->at_ns) / (double)SL_NS_PER_S;
	double packets = (double)(b->packets - a->packets), timed = 0;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	if (a->at_ns == 0)
		return;
	out->known = true;
	if (b->total > a->total)
		out->busy = (double)(b->busy - a->busy) / (double)(b->total - a->total);
	out->packets_per_s = packets / seconds;
	if (packets > 0)
		out->cycles_per_packet = (double)(b->busy - a->busy) / packets;
	if (b->busy_loops > a->busy_loops)
		out->packets_per_loop = packets / (double)(b->busy_loops - a->busy_loops);
	for (i = 0; i < DP_STAGES; i++)
		timed += (double)(b->stage[i] - a->stage[i]);
	for (i = 0; i < DP_STAGES && timed > 0; i++) {
		double cycles = (double)(b->stage[i] - a->stage[i]);

		out->stage_share[i] = cycles / timed;
		out->stage_cycles_per_packet[i] =
			cycles / (double)(b->stage_packets - a->stage_packets);
	}
}
