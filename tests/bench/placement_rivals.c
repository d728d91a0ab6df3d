// SPDX-License-Identifier: BSD-3-Clause
#include "placement_rivals.h"

#include <stdlib.h>
#include <string.h>

#include "placement_nic.h"

#define WINDOW_NS 100000000ULL
#define IDLE_NS 10000000000ULL
#define REBALANCE_NS 3000000000ULL

enum where { OUTSIDE, COMING, INSIDE, LEAVING };

struct rival_flow {
	uint64_t last_ns;
	uint32_t packets; // since the last rebalancing
	uint8_t where;
};

struct rival {
	const struct trace *t;
	struct rival_flow *flow;
	struct nic_model nic;
	uint32_t used, size;
	uint64_t carried;
	uint32_t *resident, n_resident;
};

static int
rival_init(struct rival *r, const struct trace *t, uint32_t size)
{
	memset(r, 0, sizeof(*r));
	r->t = t;
	r->size = size;
	r->flow = calloc(t->n_flows, sizeof(*r->flow));
	r->resident = calloc(t->n_flows, sizeof(*r->resident));
	if (r->flow == NULL || r->resident == NULL)
		return -1;
	return nic_model_init(&r->nic);
}

static double
rival_end(struct rival *r, bool ok)
{
	nic_model_fini(&r->nic);
	free(r->flow);
	free(r->resident);
	return ok ? (double)r->carried / (double)r->t->bytes : -1.0;
}

static int
go_in(struct rival *r, uint64_t ns, uint32_t flow)
{
	r->flow[flow].where = COMING;
	r->used++;
	return nic_model_put(&r->nic, ns, flow, 0, true);
}

static int
go_out(struct rival *r, uint64_t ns, uint32_t flow)
{
	r->flow[flow].where = LEAVING;
	return nic_model_put(&r->nic, ns, flow, 0, false);
}

static void
answers(struct rival *r, uint64_t ns)
{
	struct nic_op op;
	uint32_t i;

	while (nic_model_get(&r->nic, ns, &op)) {
		r->flow[op.flow].where = op.insert ? INSIDE : OUTSIDE;
		if (op.insert) {
			r->resident[r->n_resident++] = op.flow;
			continue;
		}
		r->used--;
		for (i = 0; r->resident[i] != op.flow; i++)
			;
		r->resident[i] = r->resident[--r->n_resident];
	}
}

static void
carry(struct rival *r, const struct trace_packet *p)
{
	struct rival_flow *f = &r->flow[p->flow];

	f->last_ns = p->ns;
	f->packets++;
	if (f->where == INSIDE || f->where == LEAVING)
		r->carried += p->len;
}

static int
expire(struct rival *r, uint64_t ns)
{
	uint32_t i;

	for (i = 0; i < r->n_resident; i++) {
		struct rival_flow *f = &r->flow[r->resident[i]];

		if (f->where == INSIDE && ns - f->last_ns >= IDLE_NS &&
			go_out(r, ns, r->resident[i]) != 0)
			return -1;
	}
	return 0;
}

double
rival_endless(const struct trace *t)
{
	struct rival r;
	bool ok = rival_init(&r, t, UINT32_MAX) == 0;
	uint32_t i;

	for (i = 0; ok && i < t->n_pkts; i++) {
		const struct trace_packet *p = &t->pkts[i];

		answers(&r, p->ns);
		if (p->flow == TRACE_NO_FLOW)
			continue;
		carry(&r, p);
		if (r.flow[p->flow].where == OUTSIDE)
			ok = go_in(&r, p->ns, p->flow) == 0;
	}
	return rival_end(&r, ok);
}

// ---- clairvoyant

static int
heavier(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

static uint64_t
best_of_window(const struct trace *t, uint32_t from, uint32_t to, uint32_t n, uint64_t *sum,
	uint64_t *list)
{
	uint64_t best = 0;
	uint32_t i, k = 0;

	for (i = from; i < to; i++)
		if (t->pkts[i].flow != TRACE_NO_FLOW)
			sum[t->pkts[i].flow] += t->pkts[i].len;
	for (i = from; i < to; i++) {
		uint32_t f = t->pkts[i].flow;

		if (f == TRACE_NO_FLOW || sum[f] == 0)
			continue;
		list[k++] = sum[f];
		sum[f] = 0;
	}
	qsort(list, k, sizeof(*list), heavier);
	for (i = 0; i < k && i < n; i++)
		best += list[i];
	return best;
}

double
rival_clairvoyant(const struct trace *t, uint32_t n)
{
	uint64_t *sum = calloc(t->n_flows, sizeof(*sum));
	uint64_t *list = calloc(t->n_flows, sizeof(*list));
	uint64_t carried = 0;
	uint32_t from, to;

	for (from = 0; sum != NULL && list != NULL && from < t->n_pkts; from = to) {
		for (to = from + 1; to < t->n_pkts &&
				    t->pkts[to].ns / WINDOW_NS == t->pkts[from].ns / WINDOW_NS;
			to++)
			;
		carried += best_of_window(t, from, to, n, sum, list);
	}
	if (sum == NULL || list == NULL)
		from = 0;
	free(sum);
	free(list);
	return from != 0 ? (double)carried / (double)t->bytes : -1.0;
}

// ---- finite tables

struct ranked {
	const struct rival_flow *flow;
	uint32_t id;
};

static int
slower(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->flow->packets > y->flow->packets) - (x->flow->packets < y->flow->packets);
}

// Lowest in hardware against highest outside, as long as the outside one is faster.
static int
rebalance(struct rival *r, uint64_t ns)
{
	struct ranked *list = calloc(r->t->n_flows, sizeof(*list));
	uint32_t n_in = 0, n_out = 0, i, k;
	int rc = list != NULL ? 0 : -1;

	for (i = 0; rc == 0 && i < r->n_resident; i++)
		if (r->flow[r->resident[i]].where == INSIDE)
			list[n_in++] = (struct ranked){&r->flow[r->resident[i]], r->resident[i]};
	for (i = 0; rc == 0 && i < r->t->n_flows; i++)
		if (r->flow[i].where == OUTSIDE && r->flow[i].packets > 0)
			list[n_in + n_out++] = (struct ranked){&r->flow[i], i};
	if (rc == 0) {
		qsort(list, n_in, sizeof(*list), slower);
		qsort(list + n_in, n_out, sizeof(*list), slower);
	}
	for (k = 0; rc == 0 && k < n_in && k < n_out; k++) {
		const struct ranked *in = &list[k], *out = &list[n_in + n_out - 1 - k];

		if (out->flow->packets <= in->flow->packets)
			break;
		rc = go_out(r, ns, in->id) != 0 || go_in(r, ns, out->id) != 0 ? -1 : 0;
	}
	for (i = 0; i < r->t->n_flows; i++)
		r->flow[i].packets = 0;
	free(list);
	return rc;
}

static double
table_of(const struct trace *t, uint32_t n, bool swap)
{
	struct rival r;
	bool ok = rival_init(&r, t, n) == 0;
	uint64_t next_expire = 0, next_swap = REBALANCE_NS;
	uint32_t i;

	for (i = 0; ok && i < t->n_pkts; i++) {
		const struct trace_packet *p = &t->pkts[i];

		answers(&r, p->ns);
		if (p->ns >= next_expire) {
			next_expire = p->ns + WINDOW_NS;
			ok = expire(&r, p->ns) == 0;
		}
		if (ok && swap && p->ns >= next_swap) {
			next_swap = p->ns + REBALANCE_NS;
			ok = rebalance(&r, p->ns) == 0;
		}
		if (!ok || p->flow == TRACE_NO_FLOW)
			continue;
		carry(&r, p);
		if (r.flow[p->flow].where == OUTSIDE && r.used < r.size)
			ok = go_in(&r, p->ns, p->flow) == 0;
	}
	return rival_end(&r, ok);
}

double
rival_first_come(const struct trace *t, uint32_t n)
{
	return table_of(t, n, false);
}

double
rival_pps_swap(const struct trace *t, uint32_t n)
{
	return table_of(t, n, true);
}
