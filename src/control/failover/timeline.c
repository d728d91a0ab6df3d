// SPDX-License-Identifier: BSD-3-Clause
#include "failover/timeline.h"

#include <string.h>
#include <time.h>

static uint64_t
cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint32_t
us(uint64_t ns)
{
	return (uint32_t)(ns / SL_NS_PER_US);
}

void
timeline_begin(struct control *c, struct timeline *t, uint64_t begun_ns, uint16_t to)
{
	const uint64_t now = sl_now(&c->clock);

	memset(t, 0, sizeof(*t));
	t->begun_ns = begun_ns != 0 && begun_ns < now ? begun_ns : now;
	t->cpu_ns = cpu_now();
	t->driver_ns = c->nics[to]->cost.total_ns;
	memcpy(t->spent_ns, c->spent_ns, sizeof(t->spent_ns));
	timeline_mark(c, t, TIMELINE_HEARD);
}

void
timeline_mark(struct control *c, struct timeline *t, enum timeline_step step)
{
	if (t->at_us[step] == 0)
		t->at_us[step] = us(sl_now(&c->clock) - t->begun_ns) + 1;
}

void
timeline_end(struct control *c, struct timeline *t, uint16_t to)
{
	const struct nic_cost *cost = &c->nics[to]->cost;
	uint32_t all, cpu = us(cpu_now() - t->cpu_ns), spent = 0;
	unsigned i;

	timeline_mark(c, t, TIMELINE_LAST);
	all = t->at_us[TIMELINE_LAST] - t->at_us[TIMELINE_HEARD];
	// The end of the rush is seen a round after its last answer.
	if (cost->last_ns > t->begun_ns && cost->total_ns > t->driver_ns)
		t->at_us[TIMELINE_LAST] = us(cost->last_ns - t->begun_ns) + 1;
	for (i = 0; i < CONTROL_SPENT; i++)
		spent += t->spent_us[i] = us(c->spent_ns[i] - t->spent_ns[i]);
	t->other_us = cpu > spent ? cpu - spent : 0;
	t->waits_us = all > cpu ? all - cpu : 0;
	t->driver_us = us(cost->total_ns - t->driver_ns);
	t->over = true;
}

const char *
timeline_step_name(enum timeline_step step)
{
	static const char *const names[TIMELINE_STEPS] = {[TIMELINE_HEARD] = "heard",
		[TIMELINE_VFS] = "vfs",
		[TIMELINE_STARTED] = "started",
		[TIMELINE_PORTS] = "ports",
		[TIMELINE_PLANNED] = "planned",
		[TIMELINE_FIRST] = "first_order",
		[TIMELINE_LAST] = "last_rule"};

	return names[step];
}

const char *
timeline_spent_name(enum control_spent what)
{
	static const char *const names[CONTROL_SPENT] = {[CONTROL_REPORTS] = "reports",
		[CONTROL_PLAN] = "plan",
		[CONTROL_ORDERS] = "orders",
		[CONTROL_ANSWERS] = "answers"};

	return names[what];
}
