// SPDX-License-Identifier: BSD-3-Clause
// One round: what changed is judged (contradicted placements first), then each NIC gives out what
// it has, then flows that nobody speaks of any more are forgotten. All of it bounded.
#include "internal.h"

#define IDLE_LOOKS 256
#define FORGET_LOOKS 256

static void
expire_timers(struct offload *o)
{
	struct of_node *node;

	while ((node = offload_heap_top(&o->timers)) &&
		-node->key <= (double)(o->now / SL_NS_PER_MS)) {
		struct of_side *s =
			(struct of_side *)((char *)node - offsetof(struct of_side, timer));

		offload_heap_remove(&o->timers, node);
		offload_todo(o, offload_flow_of(s), OF_DIRTY);
	}
}

// Flows that hold something and have had no packet for idle_ms.
static void
find_idle(struct offload *o)
{
	struct of_flow *f;
	unsigned looks;

	for (looks = 0; looks < IDLE_LOOKS && (f = TAILQ_FIRST(&o->kept)); looks++) {
		if (o->now - f->last_ns < offload_idle(o))
			return;
		offload_touch(o, f);
		offload_todo(o, f, OF_DIRTY);
	}
}

static bool
done_with(const struct offload *o, const struct of_flow *f)
{
	return !f->kept && f->order_tick != o->tick && o->now - f->last_ns >= OF_FORGET_NS;
}

static void
judge_todo(struct offload *o)
{
	struct of_flows again;
	struct of_flow *f;

	TAILQ_INIT(&again);
	while ((f = TAILQ_FIRST(&o->todo))) {
		if (!offload_judge(o, f))
			break;
		TAILQ_REMOVE(&o->todo, f, todo);
		f->dirty = OF_CLEAN;
		if (done_with(o, f)) {
			offload_forget(o, f);
		} else if (f->gone && !f->kept && f->order_tick == o->tick) {
			f->dirty = OF_DIRTY; // its last order has to be carried out first
			TAILQ_INSERT_TAIL(&again, f, todo);
		}
	}
	TAILQ_CONCAT(&o->todo, &again, todo);
}

static void
forget_silent(struct offload *o)
{
	struct of_flow *f;
	unsigned looks;

	for (looks = 0; looks < FORGET_LOOKS && (f = TAILQ_FIRST(&o->host)); looks++) {
		if (!done_with(o, f))
			return;
		offload_forget(o, f);
	}
}

uint32_t
offload_tick(struct offload *o, struct offload_order *out, uint32_t max)
{
	uint32_t i;

	if (max > o->cfg.orders_per_tick && !offload_rushes(o))
		max = o->cfg.orders_per_tick;
	o->now = sl_now(o->clock);
	o->tick++;
	offload_load_tick(o);
	expire_timers(o);
	find_idle(o);
	// A flood of small changes must not keep waiting flows out for good.
	o->orders = (struct of_orders){.out = out, .max = max - max / 4};
	judge_todo(o);
	o->orders.max = max;
	offload_cut(o);
	for (i = 0; i < OFFLOAD_NICS_MAX; i++) {
		struct of_nic *n = offload_nic(o, (uint16_t)((o->next_nic + i) % OFFLOAD_NICS_MAX));

		if (!n)
			continue;
		offload_limit_probe(o, n);
		offload_capacity_tick(o, n);
		offload_serve(o, n);
		offload_rush_tick(o, n);
	}
	o->next_nic = (o->next_nic + 1) % OFFLOAD_NICS_MAX;
	forget_silent(o);
	max = o->orders.n;
	o->orders = (struct of_orders){0};
	return max;
}
