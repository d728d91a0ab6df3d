// SPDX-License-Identifier: BSD-3-Clause
#include "offload/vm.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "internal.h"

#define BURST_PART 20 // of a second's insertions may come at once
#define INSERT_HALF_S 0.25

// ---- whose flows

void
offload_vm_link(struct offload *o, struct of_flow *f)
{
	const uint16_t in = f->d.in.vm, out = f->d.out.vm;

	if (in != OFFLOAD_NONE)
		LIST_INSERT_HEAD(&o->vm[in].flows[0], f, vm_link[0]);
	if (out != OFFLOAD_NONE && out != in)
		LIST_INSERT_HEAD(&o->vm[out].flows[1], f, vm_link[1]);
}

void
offload_vm_unlink(struct of_flow *f)
{
	if (f->d.in.vm != OFFLOAD_NONE)
		LIST_REMOVE(f, vm_link[0]);
	if (f->d.out.vm != OFFLOAD_NONE && f->d.out.vm != f->d.in.vm)
		LIST_REMOVE(f, vm_link[1]);
}

uint16_t
offload_vm_sends(const struct offload_decision *d)
{
	return d->in.vm != OFFLOAD_NONE ? d->in.vm : offload_vm(d);
}

// Who pays for a queue that the side has alone.
uint16_t
offload_vm_queue_payer(const struct of_flow *f, const struct of_side *s)
{
	return s->idx == OFFLOAD_IN ? f->d.out.vm : f->d.in.vm;
}

static const struct of_vm *
vm_of(const struct offload *o, uint16_t vm)
{
	return vm != OFFLOAD_NONE ? &o->vm[vm] : NULL;
}

static uint32_t
alone(const struct of_vm *v)
{
	return (uint32_t)v->rx_alone + v->tx_alone;
}

void
offload_vm_count_entry(struct offload *o, uint16_t vm, uint16_t nic, int by)
{
	if (vm == OFFLOAD_NONE)
		return;
	o->vm[vm].entries += (uint32_t)by;
	o->vm[vm].entries_on[nic] += (uint32_t)by;
}

void
offload_vm_charge(struct offload *o, struct of_hold *h, uint16_t vm, int by)
{
	if (vm == OFFLOAD_NONE)
		return;
	if (h->account->q.id.kind == OFFLOAD_RX)
		o->vm[vm].rx_alone = (uint16_t)(o->vm[vm].rx_alone + by);
	else
		o->vm[vm].tx_alone = (uint16_t)(o->vm[vm].tx_alone + by);
	h->charged_vm = by > 0 ? vm : OFFLOAD_NONE;
}

// A new decision names other VMs: what the flow has is theirs from now on.
void
offload_vm_recharge(struct offload *o, struct of_flow *f)
{
	int i, k;

	for (i = 0; i < 2; i++) {
		struct of_side *s = &f->side[i];
		uint16_t payer = offload_vm_queue_payer(f, s), vm = offload_vm(&f->d);

		if (s->has_entry && s->charged_vm != vm) {
			offload_vm_count_entry(o, s->charged_vm, s->nic, -1);
			offload_vm_count_entry(o, vm, s->nic, 1);
			s->charged_vm = vm;
		}
		for (k = 0; k < 2; k++) {
			struct of_hold *h = &s->hold[k];

			if (!h->account || h->account->q.state != OFFLOAD_Q_EXCLUSIVE ||
				h->charged_vm == payer)
				continue;
			offload_vm_charge(o, h, h->charged_vm, -1);
			offload_vm_charge(o, h, payer, 1);
		}
	}
	offload_part_settle(o, f);
}

// ---- maxima

uint8_t
offload_vm_entry_reason(const struct offload *o, const struct of_flow *f)
{
	const struct of_vm *v = vm_of(o, offload_vm(&f->d));

	if (v && ((f->d.vm_max_entries && v->entries >= f->d.vm_max_entries) ||
			 (v->limits.max_entries && v->entries >= v->limits.max_entries)))
		return OFFLOAD_R_VM_ENTRY_LIMIT;
	return offload_part_entries_used(o, f) ? OFFLOAD_R_VM_ENTRY_LIMIT : OFFLOAD_R_NONE;
}

uint8_t
offload_vm_queue_reason(const struct offload *o, const struct of_flow *f, const struct of_side *s)
{
	const struct of_vm *v = vm_of(o, offload_vm_queue_payer(f, s));

	if (v && ((s->idx == OFFLOAD_IN && v->rx_alone >= f->d.vm_max_queues) ||
			 (v->limits.max_queues && alone(v) >= v->limits.max_queues)))
		return OFFLOAD_R_VM_QUEUE_LIMIT;
	return offload_part_queues_used(o, f, s) ? OFFLOAD_R_VM_QUEUE_LIMIT : OFFLOAD_R_NONE;
}

// Insertions of late.
static double
inserts_now(const struct of_vm *v, uint64_t now)
{
	return v->inserts * exp2(-(double)(now - v->inserts_ns) / 1e9 / INSERT_HALF_S);
}

static double
inserts_rate(const struct of_vm *v, uint64_t now)
{
	return inserts_now(v, now) * M_LN2 / INSERT_HALF_S;
}

static double
burst(uint32_t a_second)
{
	return fmax(1, (double)a_second / BURST_PART);
}

void
offload_tokens_fill(struct of_tokens *t, uint32_t a_second, uint64_t now)
{
	t->n = burst(a_second);
	t->ns = now;
}

bool
offload_tokens_there(struct of_tokens *t, uint32_t a_second, uint64_t now)
{
	t->n += (double)(now - t->ns) / 1e9 * a_second;
	t->n = fmin(t->n, burst(a_second));
	t->ns = now;
	return t->n >= 1;
}

// Moves from one place to another pay too, and are not asked before: what they owe is bounded.
void
offload_tokens_take(struct of_tokens *t, uint32_t a_second)
{
	t->n = fmax(t->n - 1, -burst(a_second));
}

bool
offload_vm_may_insert(struct offload *o, const struct of_flow *f)
{
	const uint16_t vm = offload_vm(&f->d);
	struct of_vm *v = vm != OFFLOAD_NONE ? &o->vm[vm] : NULL;

	if (v && v->limits.max_inserts &&
		!offload_tokens_there(&v->tokens, v->limits.max_inserts, o->now))
		return false;
	return offload_part_may_insert(o, f);
}

void
offload_vm_inserted(struct offload *o, const struct of_flow *f)
{
	const uint16_t vm = offload_vm(&f->d);
	struct of_vm *v = vm != OFFLOAD_NONE ? &o->vm[vm] : NULL;

	if (!v)
		return;
	v->inserts = inserts_now(v, o->now) + 1;
	v->inserts_ns = o->now;
	if (v->limits.max_inserts)
		offload_tokens_take(&v->tokens, v->limits.max_inserts);
	offload_part_inserted(o, f);
}

// ---- guarantees

bool
offload_vm_owed_entry(const struct offload *o, const struct of_flow *f, uint16_t nic)
{
	const struct of_vm *v = vm_of(o, offload_vm(&f->d));

	return v && nic < OFFLOAD_NICS_MAX &&
	       v->entries_on[nic] + (v->promised_tick == o->tick ? v->promised : 0) <
		       v->limits.min_entries;
}

void
offload_vm_promise(struct offload *o, const struct of_flow *f)
{
	const uint16_t vm = offload_vm(&f->d);
	struct of_vm *v = vm != OFFLOAD_NONE ? &o->vm[vm] : NULL;

	if (!v)
		return;
	v->promised = v->promised_tick == o->tick ? v->promised + 1 : 1;
	v->promised_tick = o->tick;
}

bool
offload_vm_owed_queue(const struct offload *o, const struct of_flow *f, const struct of_side *s)
{
	const struct of_vm *v = vm_of(o, offload_vm_queue_payer(f, s));

	return v && s->want == OFFLOAD_EXCLUSIVE_QUEUE && alone(v) < v->limits.min_queues;
}

static bool
owed_in(const struct offload *o, const struct of_flow *f)
{
	const struct of_vm *v = vm_of(o, offload_vm(&f->d));
	uint16_t nic = f->d.in.nic;

	if (!v)
		return false;
	return (nic < OFFLOAD_NICS_MAX && v->entries_on[nic] < v->limits.min_entries) ||
	       (v->limits.min_inserts && inserts_rate(v, o->now) < v->limits.min_inserts);
}

double
offload_rank(const struct offload *o, const struct of_flow *f, const struct of_side *s)
{
	double worth = offload_worth(o, f, o->now);

	if (o->n_limited == 0)
		return worth;
	if (offload_vm_owed_queue(o, f, s) ||
		(s->idx == OFFLOAD_IN && !s->has_entry && owed_in(o, f)))
		return worth + OF_OWED;
	return worth;
}

bool
offload_vm_keeps_entry(const struct of_side *s, uint16_t for_vm, const struct offload *o)
{
	const struct of_vm *v = vm_of(o, s->charged_vm);

	return v && s->charged_vm != for_vm && s->nic < OFFLOAD_NICS_MAX &&
	       v->entries_on[s->nic] <= v->limits.min_entries;
}

bool
offload_vm_keeps_queue(const struct offload *o, const struct of_hold *h, uint16_t for_vm)
{
	const struct of_vm *v = vm_of(o, h->charged_vm);

	return v && h->charged_vm != for_vm && alone(v) <= v->limits.min_queues;
}

bool
offload_vm_any_owed(const struct offload *o, uint16_t nic)
{
	uint16_t i;

	for (i = 0; i < o->n_limited; i++) {
		const struct of_vm *v = &o->vm[o->limited[i]];

		if (v->entries_on[nic] < v->limits.min_entries &&
			(!LIST_EMPTY(&v->flows[0]) || !LIST_EMPTY(&v->flows[1])))
			return true;
	}
	return false;
}

// ---- from outside

static bool
no_limits(const struct offload_vm_limits *l)
{
	static const struct offload_vm_limits none;

	return memcmp(l, &none, sizeof(none)) == 0;
}

int
offload_vm_set(struct offload *o, uint16_t vm, const struct offload_vm_limits *limits)
{
	struct of_vm *v;
	bool had, has = !no_limits(limits);
	uint16_t i;
	struct of_flow *f;

	if (vm == OFFLOAD_NONE || (limits->max_queues && limits->min_queues > limits->max_queues) ||
		(limits->max_entries && limits->min_entries > limits->max_entries) ||
		(limits->max_inserts && limits->min_inserts > limits->max_inserts))
		return -EINVAL;
	v = &o->vm[vm];
	if (memcmp(&v->limits, limits, sizeof(*limits)) == 0)
		return 0;
	had = !no_limits(&v->limits);
	// A limit that is new begins with its burst, and none with what the last one was owed.
	if (v->limits.max_inserts != limits->max_inserts)
		offload_tokens_fill(&v->tokens, limits->max_inserts, sl_now(o->clock));
	v->cut_ns = 0;
	v->limits = *limits;
	if (has && !had)
		o->limited[o->n_limited++] = vm;
	for (i = 0; had && !has && i < o->n_limited; i++) {
		if (o->limited[i] == vm)
			o->limited[i] = o->limited[--o->n_limited];
	}
	for (i = 0; i < 2; i++) {
		LIST_FOREACH(f, &v->flows[i], vm_link[i])
		{
			f->side[OFFLOAD_IN].yields = false;
			offload_todo(o, f, OF_DIRTY);
		}
	}
	return 0;
}

void
offload_vm_get(const struct offload *o, uint16_t vm, struct offload_vm_info *out)
{
	const struct of_vm *v = vm_of(o, vm);

	memset(out, 0, sizeof(*out));
	if (!v)
		return;
	out->limits = v->limits;
	out->queues = alone(v);
	out->entries = v->entries;
	memcpy(out->entries_on, v->entries_on, sizeof(out->entries_on));
	out->inserts = (uint32_t)lround(inserts_rate(v, sl_now(o->clock)));
}
