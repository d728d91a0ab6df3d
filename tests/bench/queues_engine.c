// SPDX-License-Identifier: BSD-3-Clause
// The same flows on a NIC with an assignment engine: the real one, on queues and a clock of ours.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "assign/assign.h"
#include "queues.h"

#define GROUPS_MAX 2
#define REVIEW_TICKS 10

// The worker keeps up, so that all that was put into a queue before has passed.
static bool
usable(void *arg, uint16_t queue)
{
	(void)arg;
	return queue < QUEUES;
}

static uint32_t
place(void *arg, uint16_t queue, uint32_t n)
{
	(void)arg;
	(void)queue;
	return n;
}

static bool
passed(void *arg, uint16_t queue, uint32_t where)
{
	(void)arg;
	(void)queue;
	(void)where;
	return true;
}

static const struct emu_assign_ops ops = {usable, place, passed};

// What is said to the NIC: groups, and a class rule for each kind, which marks it. Half of the
// queues may be shared in mode split, as the placement manager has it.
static int
make_group(struct bench *b, const char *queues, uint32_t n_queues, uint32_t n_kinds, bool share,
	struct emu_assign **out)
{
	struct emu_assign_conf conf;
	char text[256], more[64] = "", why[128];

	if (!share)
		snprintf(more, sizeof(more), ",overflow=0,shared_max=%u,exclusive_max=%u",
			n_queues / 2, n_queues);
	snprintf(text, sizeof(text), "queues=%s,alike=mark,heavy=%u,light=%u,shared_load=0%s",
		queues, (uint32_t)(HEAVY_BPS / 1000), (uint32_t)(LIGHT_BPS / 1000), more);
	emu_assign_defaults(&conf);
	if (emu_assign_parse(&conf, text, why, sizeof(why)) != 0)
		return -EINVAL;
	*out = emu_assign_new(&conf, SL_NS_PER_S, &ops, NULL, 0);
	b->setup += 1 + n_kinds;
	return *out != NULL ? 0 : -ENOMEM;
}

static uint16_t
send(struct emu_assign *a, const struct bench_flow *f, uint64_t now)
{
	const struct emu_assign_traits traits = {.mark = f->group};
	struct emu_assign_key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.src, f->key.src, sizeof(key.src));
	return emu_assign_pick(
		a, &key, &traits, (uint32_t)(f->bps * TICK_NS / SL_NS_PER_S / 8), 1, now);
}

// What the NIC tells of its decision.
static void
read_back(struct bench_flow *f, const struct emu_assign *a, uint16_t queue)
{
	if (queue == 0) { // left to the host, which puts it into a ring
		f->host.path = OFFLOAD_RING;
		return;
	}
	f->rule.path = a->slot[queue].state == EMU_SLOT_EXCLUSIVE ? OFFLOAD_EXCLUSIVE_QUEUE
								  : OFFLOAD_SHARED_QUEUE;
	f->rule.queue.index = queue;
}

int
engine_place(struct bench *b, enum kind kind, bool share)
{
	struct emu_assign *groups[GROUPS_MAX] = {NULL};
	uint16_t queue[FLOWS];
	unsigned i, t;
	int rc;

	if (kind == PARTITIONS) {
		rc = make_group(b, "1-2", 2, 2, share, &groups[0]);
		if (rc == 0)
			rc = make_group(b, "3-4", 2, 2, share, &groups[1]);
	} else {
		rc = make_group(b, "1-4", 4, kind == RATE_LIMITS ? 6 : 4, share, &groups[0]);
	}
	for (t = 0; t < RUN_TICKS && rc == 0; t++) {
		b->clock.manual_ns += TICK_NS;
		for (i = 0; i < FLOWS; i++) {
			struct emu_assign *a = groups[kind == PARTITIONS ? i % 2 : 0];

			queue[i] = send(a, &b->flow[i], b->clock.manual_ns);
			if (t + 1 == RUN_TICKS)
				read_back(&b->flow[i], a, queue[i]);
		}
		for (i = 0; i < GROUPS_MAX && t % REVIEW_TICKS == 0; i++)
			if (groups[i] != NULL)
				emu_assign_review(groups[i], b->clock.manual_ns);
	}
	for (i = 0; i < GROUPS_MAX; i++)
		emu_assign_free(groups[i]);
	return rc;
}
