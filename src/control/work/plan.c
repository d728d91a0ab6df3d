// SPDX-License-Identifier: BSD-3-Clause
#include "work/plan.h"

#include <string.h>

#define NONE UINT32_MAX

struct search {
	const struct balance_queue *queues;
	uint32_t n;
	uint16_t n_workers;
	double load[BALANCE_WORKERS_MAX];
	struct balance_plan *plan;
};

struct step {
	uint32_t give, take; // take NONE: a move, else they change places
	uint16_t to;
	double left; // load of the busier of the two afterwards
};

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

static uint16_t
busiest(const struct search *s)
{
	uint16_t w, most = 0;

	for (w = 1; w < s->n_workers; w++)
		if (s->load[w] > s->load[most])
			most = w;
	return most;
}

// Where a queue is by now, and whether it may go.
static uint16_t
worker_of(const struct search *s, uint32_t q, bool *free_to_go)
{
	uint32_t i;

	*free_to_go = !s->queues[q].fixed;
	for (i = 0; i < s->plan->n; i++) {
		if (s->plan->moves[i].queue != q)
			continue;
		*free_to_go = false;
		return s->plan->moves[i].to;
	}
	return s->queues[q].worker;
}

static void
try_step(const struct search *s, uint16_t from, const struct step *t, struct step *best)
{
	double given = s->queues[t->give].load;
	double taken = t->take == NONE ? 0 : s->queues[t->take].load;
	struct step x = *t;
	// A second move has to be worth it as well.
	double fee = t->take == NONE ? 0 : BALANCE_STEP_MIN * s->plan->before;

	x.left = larger(s->load[from] - given + taken, s->load[t->to] + given - taken) + fee;
	if (x.left < best->left)
		*best = x;
}

static bool
best_step(const struct search *s, uint16_t from, bool swaps, struct step *best)
{
	struct step t;
	uint32_t i, k;
	bool can;

	*best = (struct step){
		.give = NONE, .left = s->load[from] - BALANCE_STEP_MIN * s->plan->before};
	for (i = 0; i < s->n; i++) {
		if (worker_of(s, i, &can) != from || !can || s->queues[i].load <= 0)
			continue;
		t = (struct step){.give = i, .take = NONE};
		for (t.to = 0; t.to < s->n_workers; t.to++)
			if (t.to != from)
				try_step(s, from, &t, best);
		for (k = 0; swaps && k < s->n; k++) {
			t.to = worker_of(s, k, &can);
			t.take = k;
			if (t.to != from && can && s->queues[k].load < s->queues[i].load)
				try_step(s, from, &t, best);
		}
	}
	return best->give != NONE;
}

static void
move(struct search *s, uint32_t q, uint16_t from, uint16_t to)
{
	s->plan->moves[s->plan->n++] = (struct balance_move){.queue = q, .from = from, .to = to};
	s->load[from] -= s->queues[q].load;
	s->load[to] += s->queues[q].load;
}

void
balance_plan(const struct balance_queue *queues, uint32_t n, uint16_t n_workers,
	const struct balance_limits *limits, struct balance_plan *out)
{
	struct search s = {.queues = queues, .n = n, .n_workers = n_workers, .plan = out};
	struct step step;
	uint16_t from;
	uint32_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < n; i++)
		s.load[queues[i].worker] += queues[i].load;
	from = busiest(&s);
	out->before = out->after = s.load[from];
	out->verdict = n_workers < 2                    ? BALANCE_ONE
		       : out->before < limits->load_min ? BALANCE_CALM
							: BALANCE_EVEN;
	if (out->verdict != BALANCE_EVEN)
		return;
	while (out->n < limits->moves_max &&
		best_step(&s, from, out->n + 1 < limits->moves_max, &step)) {
		move(&s, step.give, from, step.to);
		if (step.take != NONE)
			move(&s, step.take, step.to, from);
		from = busiest(&s);
	}
	out->after = s.load[from];
	// Two may be the busiest, and the one that is not helped decides.
	if (out->n > 0 && out->after < out->before &&
		out->before - out->after >= limits->gain_min * out->before)
		out->verdict = BALANCE_MOVES;
	else
		out->n = 0;
}

const char *
balance_verdict_text(enum balance_verdict v)
{
	static const char *const texts[BALANCE_VERDICTS] = {
		[BALANCE_MOVES] = "queues should move",
		[BALANCE_CALM] = "no worker is busy enough",
		[BALANCE_EVEN] = "no move is worth it",
		[BALANCE_UNKNOWN] = "the loads are not known yet",
		[BALANCE_ONE] = "there is one worker",
	};

	return texts[v];
}
