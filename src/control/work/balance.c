// SPDX-License-Identifier: BSD-3-Clause
#include "work/balance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "work/load.h"
#include "work/move.h"

#define STAYS 4 // intervals

struct todo {
	uint16_t vport, queue, to;
};

struct balancer {
	uint64_t since_ns; // the interval began; 0: not yet
	uint32_t interval_ms;
	struct queue_reading *first;
	struct todo todo[BALANCE_MOVES_MAX];
	uint32_t n_todo, at;
	uint64_t rounds;
	enum balance_verdict last;
};

struct balancer *
balancer_new(void)
{
	struct balancer *b = calloc(1, sizeof(*b));

	if (b != NULL)
		b->last = BALANCE_VERDICTS;
	return b;
}

void
balancer_free(struct balancer *b)
{
	if (b != NULL)
		queue_reading_free(b->first);
	free(b);
}

static bool
moved_lately(const struct control *c, const struct queue_load *q, uint64_t now)
{
	const uint64_t stays = (uint64_t)STAYS * c->cfg->balance.interval_ms * SL_NS_PER_MS;
	const struct queue_move *m;
	uint32_t i;

	for (i = 0; (m = queue_move_get(c, i)) != NULL && now - m->at_ns < stays; i++)
		if (m->vport == q->port->vport && m->queue == q->queue)
			return true;
	return false;
}

// Ports that are gone are in no reading of now, so q->port is there.
static void
plan(const struct control *c, const struct queue_load *queues, uint32_t n, struct balance_queue *in,
	struct balance_plan *out)
{
	const struct config_balance *cfg = &c->cfg->balance;
	const struct balance_limits limits = {.load_min = cfg->load_pct / 100.0,
		.gain_min = cfg->gain_pct / 100.0,
		.moves_max = BALANCE_MOVES_MAX};
	uint64_t now = sl_now(&c->clock);
	struct sl_err err;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct queue_load *q = &queues[i];
		uint16_t vport = q->port->vport;

		sl_err_init(&err);
		in[i] = (struct balance_queue){.load = q->load, .worker = q->worker};
		in[i].fixed = c->vports[vport].port != q->port ||
			      queue_move_check(c, vport, q->queue, 0, &err) != 0 ||
			      queue_pinned(c, vport, q->queue) || moved_lately(c, q, now);
	}
	balance_plan(in, n, c->n_workers, &limits, out);
}

static int
judge(const struct control *c, const struct queue_reading *a, const struct queue_reading *z,
	struct balance_view *out)
{
	struct balance_queue *in;
	int n = queue_loads(a, z, &out->queues, out->worker);

	if (n < 0)
		return n;
	in = calloc((size_t)n + 1, sizeof(*in));
	if (in == NULL) {
		free(out->queues);
		return -ENOMEM;
	}
	out->n = (uint32_t)n;
	plan(c, out->queues, out->n, in, &out->plan);
	free(in);
	return 0;
}

static void
begin_interval(struct control *c)
{
	struct balancer *b = c->balancer;

	queue_reading_free(b->first);
	b->first = queue_reading_take(c);
	b->since_ns = sl_now(&c->clock);
	b->interval_ms = c->cfg->balance.interval_ms;
}

static void
end_interval(struct control *c)
{
	struct balancer *b = c->balancer;
	struct queue_reading *now = queue_reading_take(c);
	struct balance_view v;
	uint32_t i;

	if (now == NULL || b->first == NULL || judge(c, b->first, now, &v) != 0) {
		queue_reading_free(now);
		return;
	}
	b->last = v.plan.verdict;
	b->n_todo = v.plan.n;
	b->at = 0;
	for (i = 0; i < v.plan.n; i++) {
		const struct queue_load *q = &v.queues[v.plan.moves[i].queue];

		b->todo[i] = (struct todo){q->port->vport, q->queue, v.plan.moves[i].to};
	}
	if (v.plan.n > 0) {
		b->rounds++;
		sl_log(c->log, SL_LOG_INFO,
			"the busiest worker has %.0f %%: %u queues move, for %.0f %%",
			100 * v.plan.before, v.plan.n, 100 * v.plan.after);
	}
	free(v.queues);
	queue_reading_free(now);
}

static void
carry_out(struct control *c)
{
	struct balancer *b = c->balancer;
	struct sl_err err;
	uint64_t number;

	while (b->at < b->n_todo && !queue_moves_busy(c)) {
		const struct todo *t = &b->todo[b->at++];

		// What cannot move any more stays; the next interval sees what became of it.
		sl_err_init(&err);
		queue_move_start(c, t->vport, t->queue, t->to, false, &number, &err);
	}
}

void
balancer_tick(struct control *c)
{
	struct balancer *b = c->balancer;

	if (!c->cfg->balance.enabled || c->n_workers < 2) {
		b->n_todo = b->at = 0;
		b->since_ns = 0;
		return;
	}
	carry_out(c);
	// Loads of a time in which queues move say nothing.
	if (b->at < b->n_todo || queue_moves_busy(c)) {
		b->since_ns = 0;
		return;
	}
	if (b->since_ns != 0 && b->interval_ms == c->cfg->balance.interval_ms) {
		if (balancer_next(c) > 0)
			return;
		end_interval(c);
	}
	begin_interval(c);
}

int
balancer_look(const struct control *c, struct balance_view *out)
{
	const struct queue_reading *a, *z;

	memset(out, 0, sizeof(*out));
	if (loads_readings(c, &a, &z))
		return judge(c, a, z, out);
	out->plan.verdict = BALANCE_UNKNOWN;
	return 0;
}

uint64_t
balancer_rounds(const struct control *c)
{
	return c->balancer->rounds;
}

enum balance_verdict
balancer_last(const struct control *c)
{
	return c->balancer->last;
}

uint64_t
balancer_next(const struct control *c)
{
	const struct balancer *b = c->balancer;
	uint64_t now = sl_now(&c->clock);
	uint64_t at = b->since_ns + (uint64_t)b->interval_ms * SL_NS_PER_MS;

	return b->since_ns == 0 || now >= at ? 0 : at - now;
}
