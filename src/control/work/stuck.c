// SPDX-License-Identifier: BSD-3-Clause
#include "work/stuck.h"

#include <stdlib.h>

#define LOOK_MS 1000
#define AGAIN_MS 10000
#define MOST_MS 2000 // that one look counts for

enum stuck_word
stuck_judge(struct stuck *s, uint16_t worker, uint64_t rounds, uint32_t ms)
{
	const uint32_t before = s->worker[worker].ms;
	uint32_t now;

	if (ms > MOST_MS)
		ms = MOST_MS;
	if (rounds != s->worker[worker].rounds) {
		s->worker[worker].rounds = rounds;
		s->worker[worker].ms = 0;
		return before >= LOOK_MS ? STUCK_GOES_ON : STUCK_NOTHING;
	}
	now = s->worker[worker].ms += ms;
	if (now >= STUCK_END_S * 1000)
		return STUCK_END;
	return before < LOOK_MS || now / AGAIN_MS != before / AGAIN_MS ? STUCK_TELL : STUCK_NOTHING;
}

static void
look_at(struct control *c, uint16_t w, uint32_t ms)
{
	const uint64_t rounds =
		atomic_load_explicit(&dp_worker_counters(c->dp, w)->loops, memory_order_relaxed);
	const uint32_t before = c->stuck.worker[w].ms;

	switch (stuck_judge(&c->stuck, w, rounds, ms)) {
	case STUCK_NOTHING:
		return;
	case STUCK_TELL:
		sl_log(c->log, SL_LOG_WARN,
			"worker %u (lcore %u) has not ended a round for %u s: changes wait for it",
			w, dp_worker_lcore(c->dp, w), c->stuck.worker[w].ms / 1000);
		return;
	case STUCK_GOES_ON:
		sl_log(c->log, SL_LOG_WARN, "worker %u (lcore %u) goes on after %u s", w,
			dp_worker_lcore(c->dp, w), before / 1000);
		return;
	case STUCK_END:
		sl_log(c->log, SL_LOG_ERR,
			"worker %u (lcore %u) has not ended a round for %u s: sluiced gives up", w,
			dp_worker_lcore(c->dp, w), STUCK_END_S);
		abort();
	}
}

void
stuck_look(struct control *c)
{
	const uint64_t now = sl_now(&c->clock);
	uint32_t ms;
	uint16_t w;

	if (c->stuck.look_ns == 0)
		c->stuck.look_ns = now; // they have just begun
	if (!c->running || now - c->stuck.look_ns < LOOK_MS * SL_NS_PER_MS)
		return;
	ms = now - c->stuck.look_ns < MOST_MS * SL_NS_PER_MS
		     ? (uint32_t)((now - c->stuck.look_ns) / SL_NS_PER_MS)
		     : MOST_MS;
	c->stuck.look_ns = now;
	for (w = 0; w < c->n_workers; w++)
		look_at(c, w, ms);
}
