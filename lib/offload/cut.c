// SPDX-License-Identifier: BSD-3-Clause
// Who has more than its maximum, since that fell: the flows that are worth least leave. All flows
// of a VM are walked, but not in each round, however long a removal takes.
#include "internal.h"

#define CUTS 64 // of a VM at a time
#define CUT_NS (10 * SL_NS_PER_MS)

struct cut { // of one kind
	uint16_t vm;
	uint8_t rule; // only what is charged to it: 1 + index; 0: all of the VM's
	bool queues;
	uint32_t leaving; // on their way already
	uint32_t n;
	struct of_side *side[CUTS]; // the least, least first
	double worth[CUTS];
};

static bool
pays(const struct cut *c, const struct of_side *s)
{
	const struct of_hold *h = &s->hold[OF_HOLD_PLACE];

	if (c->queues)
		return h->account && h->charged_vm == c->vm &&
		       (!c->rule || h->part.rule == c->rule);
	return s->has_entry && s->charged_vm == c->vm && (!c->rule || s->part.rule == c->rule);
}

static void
keep_least(struct cut *c, struct of_side *s, double worth)
{
	uint32_t at = c->n < CUTS ? c->n++ : CUTS - 1;

	for (; at > 0 && c->worth[at - 1] > worth; at--) {
		c->worth[at] = c->worth[at - 1];
		c->side[at] = c->side[at - 1];
	}
	c->worth[at] = worth;
	c->side[at] = s;
}

static void
look(struct offload *o, struct cut *c, struct of_side *s)
{
	double worth;

	if (!pays(c, s))
		return;
	if (s->state == OFFLOAD_ST_REMOVING && (c->queues || !s->moving)) {
		c->leaving++;
		return;
	}
	if (s->state != OFFLOAD_ST_PLACED)
		return;
	worth = offload_worth(o, offload_flow_of(s), o->now);
	if (c->n < CUTS || worth < c->worth[CUTS - 1])
		keep_least(c, s, worth);
}

// False: there are no orders left.
static bool
cut_one(struct offload *o, struct of_side *s, uint8_t reason)
{
	struct of_flow *f = offload_flow_of(s);

	if (s->idx == OFFLOAD_IN)
		return offload_order_remove(o, f, s, reason);
	if (!offload_order_host(o, f, s, OFFLOAD_SOFTWARE, NULL))
		return false;
	offload_set_state(o, s, OFFLOAD_ST_WANTED);
	offload_set_reason(o, f, s, reason);
	offload_todo(o, f, OF_DIRTY);
	return true;
}

// What is too much, and is not leaving yet, is cut from its least on.
static void
cut(struct offload *o, uint16_t vm, uint8_t rule, bool queues, uint32_t over)
{
	const uint8_t reason = queues ? OFFLOAD_R_VM_QUEUE_LIMIT : OFFLOAD_R_VM_ENTRY_LIMIT;
	struct cut c = {.vm = vm, .rule = rule, .queues = queues};
	struct of_flow *f;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		LIST_FOREACH(f, &o->vm[vm].flows[i], vm_link[i])
		{
			look(o, &c, &f->side[OFFLOAD_IN]);
			look(o, &c, &f->side[OFFLOAD_OUT]);
		}
	}
	for (i = 0; i < c.n && c.leaving + i < over; i++) {
		if (!cut_one(o, c.side[i], reason))
			return;
	}
}

static bool
may_cut(struct offload *o, uint64_t *next_ns)
{
	if (o->now < *next_ns || o->orders.n == o->orders.max)
		return false;
	*next_ns = o->now + CUT_NS;
	return true;
}

static void
cut_vm(struct offload *o, uint16_t vm)
{
	struct of_vm *v = &o->vm[vm];
	const struct offload_vm_limits *l = &v->limits;
	uint32_t alone = (uint32_t)v->rx_alone + v->tx_alone;
	bool entries = l->max_entries && v->entries > l->max_entries;
	bool queues = l->max_queues && alone > l->max_queues;

	if ((!entries && !queues) || !may_cut(o, &v->cut_ns))
		return;
	if (entries)
		cut(o, vm, 0, false, v->entries - l->max_entries);
	if (queues)
		cut(o, vm, 0, true, alone - l->max_queues);
}

// False: no policy rule gives the VM less than its flows have.
static bool
cut_parts(struct offload *o, struct of_vm *v)
{
	bool over = false, may = may_cut(o, &v->part_cut_ns);
	uint32_t i;

	for (i = 0; i < o->n_policies; i++) {
		const struct offload_policy *p = &o->policies[i];
		const struct of_part *part = &v->parts[i];
		bool entries = p->max_entries && part->entries > p->max_entries;
		bool queues = p->max_queues && part->alone > p->max_queues;

		over |= entries || queues;
		if (may && entries)
			cut(o, (uint16_t)(v - o->vm), (uint8_t)(i + 1), false,
				part->entries - p->max_entries);
		if (may && queues)
			cut(o, (uint16_t)(v - o->vm), (uint8_t)(i + 1), true,
				part->alone - p->max_queues);
	}
	return over;
}

void
offload_cut(struct offload *o)
{
	struct of_vm *v, *next;
	uint16_t i;

	for (i = 0; i < o->n_limited; i++)
		cut_vm(o, o->limited[i]);
	for (v = LIST_FIRST(&o->parts_over); v; v = next) {
		next = LIST_NEXT(v, over_link);
		if (!cut_parts(o, v)) {
			v->over = false;
			LIST_REMOVE(v, over_link);
		}
	}
}
