// SPDX-License-Identifier: BSD-3-Clause
// Flows whose NIC went, and whose next place is known.
//
// Problem: ten thousand flows that go to another NIC at once have been judged before. To judge each
// again, have it join those that wait and take it from there costs three walks over memory that no
// cache holds, before and between the orders. Idea: a flow that the embedded switch carried from
// port to port wants the same of the other NIC, so that it is put on a list by worth, in buckets a
// sixteenth of an octave wide (one pass, no comparison), and served straight from it, with all the
// checks that any flow gets. A flow of which something was heard meanwhile, as is mostly of heavy
// ones, is judged as usual and joins those that wait: who of both is worth more is served first, so
// that a small table gets the heaviest. A NIC that turns out to be slow gives no haste: what is
// left of the list is judged as usual, and competes. Cost: two passes over the flows that moved.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BUCKET_SHIFT 19 // of a float: exponent, and 4 bits of the mantissa
#define BUCKETS (1u << (31 - BUCKET_SHIFT))

#define AHEAD 6
#define SLOW_NS (20 * SL_NS_PER_MS) // what a NIC is like has shown by then

static uint32_t
bucket_of(double worth)
{
	float w = worth > 0 ? (float)worth : 0;
	uint32_t bits;

	memcpy(&bits, &w, sizeof(bits));
	return BUCKETS - 1 - (bits >> BUCKET_SHIFT); // the greatest first
}

void
offload_rush_fini(struct of_nic *n)
{
	free(n->rush_list);
	n->rush_list = NULL;
	n->rush_n = n->rush_at = 0;
}

bool
offload_rush_begin(struct of_nic *n, uint32_t most)
{
	offload_rush_fini(n);
	n->rush_list = most > 0 ? malloc(most * sizeof(*n->rush_list)) : NULL;
	return n->rush_list;
}

void
offload_rush_add(struct offload *o, struct of_nic *n, const struct of_flow *f)
{
	n->rush_list[n->rush_n++] =
		(struct of_rush){.flow = f->id, .bucket = bucket_of(offload_worth(o, f, o->now))};
}

// Counting sort (Knuth 5.2, algorithm D). Without memory for it they are served as they came.
void
offload_rush_sort(struct of_nic *n)
{
	struct of_rush *to = malloc((size_t)n->rush_n * sizeof(*to) + 1);
	uint32_t *at = calloc(BUCKETS + 1, sizeof(*at)), i;

	if (to && at) {
		for (i = 0; i < n->rush_n; i++)
			at[n->rush_list[i].bucket + 1]++;
		for (i = 1; i < BUCKETS; i++)
			at[i] += at[i - 1];
		for (i = 0; i < n->rush_n; i++)
			to[at[n->rush_list[i].bucket]++] = n->rush_list[i];
		free(n->rush_list);
		n->rush_list = to;
		to = NULL;
	}
	free(to);
	free(at);
}

static struct of_flow *
flow_at(const struct offload *o, const struct of_nic *n, uint32_t i)
{
	struct of_flow *f = i < n->rush_n ? offload_table_get(o, n->rush_list[i].flow.index) : NULL;
	const struct of_side *s;

	if (!f || f->id.gen != n->rush_list[i].flow.gen)
		return NULL;
	s = &f->side[OFFLOAD_IN];
	return s->state == OFFLOAD_ST_WANTED && !s->wait_in && f->dirty == OF_CLEAN &&
			       f->d.in.nic == n->nic
		       ? f
		       : NULL;
}

// What is next lies anywhere in memory: it is fetched while those before it are served.
static void
fetch_ahead(const struct offload *o, const struct of_nic *n)
{
	const uint32_t at = n->rush_at + AHEAD;

	if (at + AHEAD < n->rush_n)
		__builtin_prefetch(&o->flows[n->rush_list[at + AHEAD].flow.index]);
	if (at < n->rush_n)
		offload_prefetch(offload_table_get(o, n->rush_list[at].flow.index));
}

// All that is left of it is judged, as other flows are.
static void
give_up(struct offload *o, struct of_nic *n)
{
	struct of_flow *f;

	for (; n->rush_at < n->rush_n; n->rush_at++) {
		f = flow_at(o, n, n->rush_at);
		if (f)
			offload_todo(o, f, OF_DIRTY);
	}
	offload_rush_fini(n);
}

bool
offload_rush_after(const struct of_nic *n, double worth)
{
	return n->rush_at < n->rush_n && bucket_of(worth) < n->rush_list[n->rush_at].bucket;
}

struct of_flow *
offload_rush_next(struct offload *o, struct of_nic *n)
{
	struct of_flow *f = NULL;

	if (n->rush_answers > 0 && o->now - n->rush_begun > SLOW_NS && !offload_rush_quick(o, n))
		give_up(o, n);
	while (!f && n->rush_at < n->rush_n) {
		fetch_ahead(o, n);
		f = flow_at(o, n, n->rush_at++);
	}
	if (!f)
		offload_rush_fini(n);
	return f;
}

bool
offload_rush_quick(const struct offload *o, const struct of_nic *n)
{
	return n->rush > 0 && n->rush_answers > 0 &&
	       ((n->op_least_ns > 0 && n->op_least_ns < OF_RUSH_OP_NS) ||
		       n->rush_answers * OF_RUSH_OP_NS > (double)(o->now - n->rush_begun));
}

bool
offload_rushes(const struct offload *o)
{
	uint16_t i;

	for (i = 0; i < OFFLOAD_NICS_MAX; i++) {
		if (o->nic[i].present && o->nic[i].rush > 0)
			return true;
	}
	return false;
}

// It is over when all have been judged, and nothing could be given to those that wait.
void
offload_rush_tick(struct offload *o, struct of_nic *n)
{
	if (n->rush == 0)
		return;
	if (o->now >= n->rush_end)
		give_up(o, n);
	n->rush = n->rush_n - n->rush_at + n->wait.n + n->inflight + 1;
	if (o->now < n->rush_end &&
		(n->rush_at < n->rush_n || n->inflight > 0 || TAILQ_FIRST(&o->todo)))
		return;
	n->rush = 0;
	offload_judge_nic(o, n->nic);
}
