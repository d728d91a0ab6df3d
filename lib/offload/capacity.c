// SPDX-License-Identifier: BSD-3-Clause
// What a NIC can do at a time, who has to leave it next, and what a newcomer has to beat.
//
// Problem: no API tells what an operation costs or how many a second are taken, nor may all
// residents be looked at to find the least. Idea: orders under way are bounded by a window that
// grows while answers come as fast as ever and shrinks when they take twice that (as TCP Vegas
// does), so that the choice of what goes next is made late. A pool of the least residents seen is
// kept by sampling (as Redis does for its eviction), and the least of it, published to the workers,
// is what a flow has to beat to be worth a report. Where newcomers are worth clearly more than the
// least residents, some entries are kept free for such newcomers, since a swap takes two
// operations. Cost: some samples a round while entries are wanted, next to none otherwise.
#include <math.h>

#include "internal.h"

#define SAMPLES 16 // residents that are looked at in a round
#define WINDOW_LEAST 4.0
#define WINDOW_FIRST 16.0
#define RESERVE_PART 16 // of the table is kept free for newcomers
#define RESERVE_WORTH 2 // that are worth so many times more
#define COUNTS 64
#define LOAD_REPORTS 512 // of ROUND_NS
#define LOAD_FIRST 500.0 // bytes a second
#define LOAD_MOST 1e8
#define LOAD_FALL 0.98 // in ROUND_NS: half in 35
#define ROUND_NS SL_NS_PER_MS
#define RUSH_WINDOW 512
#define CALM_NS (100 * SL_NS_PER_MS) // nobody wanted an entry for so long
#define WANTED_NS SL_NS_PER_S
#define REFRESH_NS (20 * SL_NS_PER_MS)
#define COUNT_NS (100 * SL_NS_PER_MS)

void
offload_capacity_init(struct of_nic *n)
{
	n->window = WINDOW_FIRST;
}

// ---- residents that may have to go

void
offload_pool_forget(struct of_nic *n, const struct of_side *s)
{
	uint32_t i;

	for (i = 0; i < n->n_pool; i++) {
		if (n->pool[i] == s) {
			n->pool[i] = n->pool[--n->n_pool];
			n->pool_worth[i] = n->pool_worth[n->n_pool];
			return;
		}
	}
}

static void
pool_offer(struct offload *o, struct of_nic *n, struct of_side *s)
{
	double worth = offload_worth(o, offload_flow_of(s), o->now);
	uint32_t i, at = 0;

	for (i = 0; i < n->n_pool; i++) {
		if (n->pool[i] == s)
			return;
		if (n->pool_worth[i] > n->pool_worth[at])
			at = i;
	}
	if (n->n_pool < OF_POOL)
		at = n->n_pool++;
	else if (worth >= n->pool_worth[at])
		return;
	n->pool[at] = s;
	n->pool_worth[at] = worth;
}

struct of_side *
offload_pool_least(struct offload *o, struct of_nic *n, uint16_t for_vm)
{
	struct of_side *least = NULL;
	double least_worth = 0;
	uint32_t i;

	for (i = 0; i < n->n_pool; i++) {
		struct of_side *s = n->pool[i];

		if (s->state != OFFLOAD_ST_PLACED ||
			o->now - s->since_ns < offload_residency(o, s) ||
			offload_vm_keeps_entry(s, for_vm, o))
			continue;
		if (!least || n->pool_worth[i] < least_worth) {
			least = s;
			least_worth = n->pool_worth[i];
		}
	}
	return least;
}

static void
pool_refresh(struct offload *o, struct of_nic *n)
{
	uint32_t i;

	for (i = 0; i < n->n_pool; i++)
		n->pool_worth[i] = offload_worth(o, offload_flow_of(n->pool[i]), o->now);
	// Those that may not leave now make room for some that may.
	for (i = n->n_pool; i-- > 0 && o->n_limited > 0;) {
		if (offload_vm_keeps_entry(n->pool[i], OFFLOAD_NONE, o))
			offload_pool_forget(n, n->pool[i]);
	}
	for (i = 0; i < SAMPLES && n->n_residents; i++) {
		struct of_side *s = n->residents[sl_rng_below(&o->rng, n->n_residents)];

		if (s->state == OFFLOAD_ST_PLACED && !offload_vm_keeps_entry(s, OFFLOAD_NONE, o))
			pool_offer(o, n, s);
	}
}

uint64_t
offload_residency(const struct offload *o, const struct of_side *s)
{
	const struct of_nic *n;

	if (o->cfg.residency_ms)
		return o->cfg.residency_ms * SL_NS_PER_MS;
	if (s->path != OFFLOAD_ESWITCH || s->nic == OFFLOAD_NONE)
		return OF_RESIDENCY_MS * SL_NS_PER_MS;
	n = &o->nic[s->nic];
	return (uint64_t)(4 * n->op_least_ns);
}

// ---- what the NIC can do at a time

void
offload_capacity_answer(struct offload *o, struct of_nic *n, uint64_t since_ns)
{
	double took = (double)(o->now - since_ns);

	if (n->op_least_ns == 0 || took < n->op_least_ns)
		n->op_least_ns = took;
	else
		n->op_least_ns *= 1.0001;
	n->op_ns = n->op_ns == 0 ? took : n->op_ns + (took - n->op_ns) / 16;
	// What is answered within a round makes no choice earlier than it has to be made.
	if (took > 2 * n->op_least_ns && took > ROUND_NS) {
		n->steady = true;
		if (n->window > WINDOW_LEAST)
			n->window -= 1 / n->window;
	} else if (n->inflight + 1 >= n->window && n->window < 2.0 * o->cfg.orders_per_tick) {
		n->window += n->steady ? 1 / n->window : 1;
	}
}

bool
offload_capacity_room(const struct offload *o, const struct of_nic *n)
{
	// While the rules of another NIC are put into it, one that is quick gets them as fast as it
	// takes them: their order is known already.
	if (offload_rush_quick(o, n))
		return n->inflight < RUSH_WINDOW;
	return n->inflight < n->window;
}

// A swap costs two operations, one after the other; an entry that is free costs a newcomer one. So
// residents that are worth much less than newcomers are, leave ahead of them. Whatever they are
// worth, the least leave for others than flows that have been given a part of the table.
static void
keep_reserve(struct offload *o, struct of_nic *n)
{
	uint32_t reserve = n->limit / RESERVE_PART + 1, spare;
	struct of_side *least;
	bool crowded;

	if (reserve > n->window)
		reserve = (uint32_t)n->window;
	for (;;) {
		crowded = n->entries > n->limit + n->leaving;
		spare = crowded ? 0 : n->limit + n->leaving - n->entries;
		least = offload_pool_least(o, n, OFFLOAD_NONE);
		if (spare >= reserve || !least || !offload_capacity_room(o, n) ||
			(!crowded &&
				offload_worth(o, offload_flow_of(least), o->now) * RESERVE_WORTH >
					n->entry_worth) ||
			!offload_order_remove(
				o, offload_flow_of(least), least, OFFLOAD_R_TABLE_FULL))
			return;
	}
}

// Where no flow has an entry that could be compared with.
static double
best_waiting(const struct offload *o, const struct of_nic *n)
{
	const struct of_node *top = offload_heap_top(&n->wait);

	return top ? offload_brings(o,
			     offload_flow_of((struct of_side *)((char *)top -
								offsetof(struct of_side, wait))),
			     o->now)
		   : 0;
}

void
offload_capacity_tick(struct offload *o, struct of_nic *n)
{
	struct of_side *least;
	double worth;

	if (n->table_wanted)
		n->wanted_ns = o->now;
	n->giving_way &= n->entries > n->limit;
	if (!n->limit_known || n->entries + n->limit / RESERVE_PART + 1 < n->limit) {
		n->least = n->spare_least = n->margin = 0;
		return;
	}
	if (o->now - n->wanted_ns > CALM_NS && o->now < n->pool_ns)
		return;
	n->pool_ns = o->now + REFRESH_NS;
	pool_refresh(o, n);
	keep_reserve(o, n);
	least = offload_pool_least(o, n, OFFLOAD_NONE);
	worth = least && !offload_vm_any_owed(o, n->nic)
			? offload_worth(o, offload_flow_of(least), o->now)
			: 0;
	n->spare_least = worth * RESERVE_WORTH <= n->entry_worth ? worth : 0;
	n->least = n->entries < n->limit ? 0 : worth;
	// Rules ahead of traffic are measured by what they bring: a hint is a wish among flows.
	if (worth > 0)
		worth = offload_brings(o, offload_flow_of(least), o->now);
	worth = least ? worth : best_waiting(o, n);
	// Who gets no entry does not go on waiting: what it is worth holds while entries are
	// wanted.
	if (least || worth > 0 || o->now - n->wanted_ns >= WANTED_NS)
		n->margin = worth;
}

double
offload_nic_margin(const struct offload *o, uint16_t nic, bool *wanted)
{
	const struct of_nic *n = nic < OFFLOAD_NICS_MAX ? &o->nic[nic] : NULL;
	bool works = n && n->present && !n->gone;

	*wanted = works && n->wanted_ns > 0 && o->now - n->wanted_ns < WANTED_NS;
	return works ? n->margin : 0;
}

// Entries that are kept free are for those that are worth making room for.
bool
offload_capacity_takes(const struct of_nic *n, double worth)
{
	return worth >= n->spare_least * OF_CLEARLY;
}

void
offload_capacity_entered(struct of_nic *n, double worth)
{
	n->entry_worth += (worth - n->entry_worth) / 32;
}

// More reports than control can hear in a round raise the bar, whatever a table has room for: a
// flood of new flows, each of a packet, must not be told one by one.
void
offload_load_tick(struct offload *o)
{
	if (o->now < o->load_ns)
		return;
	o->load_ns = o->now + ROUND_NS;
	if (o->reports > LOAD_REPORTS)
		o->load_bar = o->load_bar < LOAD_FIRST ? LOAD_FIRST : o->load_bar * 2;
	else if (o->reports < LOAD_REPORTS / 2)
		o->load_bar *= LOAD_FALL;
	if (o->load_bar > LOAD_MOST)
		o->load_bar = LOAD_MOST;
	o->reports = 0;
}

uint32_t
offload_bar(const struct offload *o, uint16_t nic)
{
	double bar = (double)o->cfg.min_bps / 8, least = (double)o->cfg.eswitch_min_bps / 8;
	const struct of_nic *n = nic < OFFLOAD_NICS_MAX ? &o->nic[nic] : NULL;

	if (!o->cfg.enabled)
		return UINT32_MAX;
	// What a rule finds worth a place has to be told, whatever holds for the others.
	if (o->n_policies > 0 && bar > (double)o->policy_least_bps / 8)
		bar = (double)o->policy_least_bps / 8;
	if (n && n->present && !n->gone && n->eswitch) {
		if (least < n->least * OF_CLEARLY)
			least = n->least * OF_CLEARLY;
		if (bar > least)
			bar = least;
	}
	if (bar < o->load_bar)
		bar = o->load_bar;
	bar *= OF_FAST_S / M_LN2;
	return bar < 1 ? 1 : bar < UINT32_MAX ? (uint32_t)bar : UINT32_MAX;
}

uint32_t
offload_counts_due(struct offload *o, uint16_t nic, uint32_t *ids, uint32_t max)
{
	struct of_nic *n = offload_nic(o, nic);
	uint64_t now = sl_now(o->clock);
	uint32_t k;

	if (!n || n->n_residents == 0)
		return 0;
	if (max > COUNTS)
		max = COUNTS;
	if (max > n->n_residents)
		max = n->n_residents;
	if (now - n->wanted_ns > CALM_NS && now < n->count_ns + COUNT_NS * max / n->n_residents)
		return 0;
	n->count_ns = now;
	for (k = 0; k < max; k++) {
		if (n->count_at >= n->n_residents)
			n->count_at = 0;
		ids[k] = offload_flow_of(n->residents[n->count_at++])->id.index;
	}
	return k;
}
