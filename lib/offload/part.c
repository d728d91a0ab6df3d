// SPDX-License-Identifier: BSD-3-Clause
// What policy rules let each VM have. A flow's entry and its queues alone are charged to the VM
// that pays for them (vm.c) and to the rule that the flow has; they move with it when it gets
// another rule. Rules without limits are not charged.
#include <stdlib.h>

#include "internal.h"

static bool
limited(const struct offload_policy *p)
{
	return p && (p->max_queues || p->max_entries || p->max_inserts);
}

// A VM's account with the flow's rule; NULL: the rule has no limits, or there is no VM or memory.
static struct of_part *
part_of(struct offload *o, const struct of_flow *f, uint16_t vm)
{
	struct of_vm *v;
	uint32_t i;

	if (vm == OFFLOAD_NONE || !limited(offload_policy_known(o, f)))
		return NULL;
	v = &o->vm[vm];
	if (!v->parts) {
		v->parts = calloc(o->n_policies, sizeof(*v->parts));
		for (i = 0; v->parts && i < o->n_policies; i++)
			offload_tokens_fill(
				&v->parts[i].tokens, o->policies[i].max_inserts, o->now);
	}
	return v->parts ? &v->parts[f->policy] : NULL;
}

static const struct of_part *
part_seen(const struct offload *o, const struct of_flow *f, uint16_t vm)
{
	if (vm == OFFLOAD_NONE || !limited(offload_policy_known(o, f)) || !o->vm[vm].parts)
		return NULL;
	return &o->vm[vm].parts[f->policy];
}

static void
look_over(struct offload *o, uint16_t vm, uint16_t rule)
{
	const struct offload_policy *p = &o->policies[rule];
	struct of_vm *v = &o->vm[vm];
	const struct of_part *part = &v->parts[rule];

	if (v->over || !((p->max_entries && part->entries > p->max_entries) ||
			       (p->max_queues && part->alone > p->max_queues)))
		return;
	v->over = true;
	v->part_cut_ns = 0;
	LIST_INSERT_HEAD(&o->parts_over, v, over_link);
}

// What is charged becomes what is right: vm OFFLOAD_NONE: to nobody.
static void
charge(struct offload *o, const struct of_flow *f, struct of_charge *c, bool queue, uint16_t vm)
{
	struct of_part *part = part_of(o, f, vm), *old = NULL;

	if (c->rule)
		old = &o->vm[c->vm].parts[c->rule - 1];
	if (old == part)
		return;
	if (old && queue)
		old->alone--;
	else if (old)
		old->entries--;
	c->rule = 0;
	if (!part)
		return;
	if (queue)
		part->alone++;
	else
		part->entries++;
	c->vm = vm;
	c->rule = (uint8_t)(f->policy + 1);
	look_over(o, vm, f->policy);
}

void
offload_part_settle(struct offload *o, struct of_flow *f)
{
	int i, k;

	for (i = 0; i < 2; i++) {
		struct of_side *s = &f->side[i];

		charge(o, f, &s->part, false, s->has_entry ? s->charged_vm : OFFLOAD_NONE);
		for (k = 0; k < 2; k++)
			charge(o, f, &s->hold[k].part, true,
				s->hold[k].account ? s->hold[k].charged_vm : OFFLOAD_NONE);
	}
}

static void
forget(struct of_flow *f)
{
	int i;

	for (i = 0; i < 2; i++) {
		f->side[i].part.rule = 0;
		f->side[i].hold[OF_HOLD_PLACE].part.rule = 0;
		f->side[i].hold[OF_HOLD_NEXT].part.rule = 0;
	}
}

// The rules are about to be others.
void
offload_parts_forget(struct offload *o)
{
	struct of_flow *f;
	uint32_t i;

	TAILQ_FOREACH(f, &o->kept, lru)
	forget(f);
	for (i = 0; i < OFFLOAD_NONE; i++) {
		free(o->vm[i].parts);
		o->vm[i].parts = NULL;
		o->vm[i].over = false;
	}
	LIST_INIT(&o->parts_over);
}

bool
offload_part_entries_used(const struct offload *o, const struct of_flow *f)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	const struct of_part *part = part_seen(o, f, offload_vm(&f->d));

	return part && p->max_entries && part->entries >= p->max_entries;
}

bool
offload_part_queues_used(const struct offload *o, const struct of_flow *f, const struct of_side *s)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	const struct of_part *part = part_seen(o, f, offload_vm_queue_payer(f, s));

	return part && p->max_queues && part->alone >= p->max_queues;
}

bool
offload_part_inserts_used(const struct offload *o, const struct of_flow *f)
{
	const struct offload_policy *p = offload_policy_known(o, f);
	const struct of_part *part = part_seen(o, f, offload_vm(&f->d));

	return part && p->max_inserts && part->tokens.n < 1;
}

bool
offload_part_may_insert(struct offload *o, const struct of_flow *f)
{
	struct of_part *part = part_of(o, f, offload_vm(&f->d));
	uint32_t most = part ? offload_policy_known(o, f)->max_inserts : 0;

	return most == 0 || offload_tokens_there(&part->tokens, most, o->now);
}

void
offload_part_inserted(struct offload *o, const struct of_flow *f)
{
	struct of_part *part = part_of(o, f, offload_vm(&f->d));
	uint32_t most = part ? offload_policy_known(o, f)->max_inserts : 0;

	if (most != 0)
		offload_tokens_take(&part->tokens, most);
}

void
offload_policy_part(
	const struct offload *o, uint32_t rule, uint16_t vm, uint32_t *queues, uint32_t *entries)
{
	const struct of_part *parts = vm != OFFLOAD_NONE ? o->vm[vm].parts : NULL;

	*queues = parts && rule < o->n_policies ? parts[rule].alone : 0;
	*entries = parts && rule < o->n_policies ? parts[rule].entries : 0;
}
