// SPDX-License-Identifier: BSD-3-Clause
#include "classify/classify.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "act/act.h"
#include "act/offload.h"
#include "out/output.h"
#include "out/ring.h"

#define LANE_INDEX_MASK (DP_LANES_MAX - 1)

static const struct dp_lane *
lane_of(const struct dp_worker *w, const struct dp_burst *b, uint32_t mark)
{
	const struct dp_lane *lane;

	if (w->snap->lanes == NULL || mark >> (DP_LANE_INDEX_BITS + DP_LANE_GEN_BITS) != 0)
		return NULL;
	lane = atomic_load_explicit(&w->snap->lanes[mark & LANE_INDEX_MASK], memory_order_acquire);
	if (lane == NULL || lane->gen != mark >> DP_LANE_INDEX_BITS || lane->origin != b->origin ||
		lane->sw != b->sw)
		return NULL;
	return lane;
}

enum lane_way { LANE_NEW, LANE_OLD_QUEUE, LANE_RING };

// A flow that was on the ring, or sent by another queue, goes on that way until it was seen empty
// once, then never again.
static enum lane_way
way_of(struct dp_worker *w, const struct dp_lane *lane, uint32_t index)
{
	const struct dp_program *prog = &lane->program;
	const struct dp_port *p;

	if (w->lane_drained[index] == lane->version)
		return LANE_NEW;
	p = prog->out < DP_VPORTS_MAX ? w->out[prog->out].port : NULL;
	if (p != NULL && lane->was_ring && !ring_drained(w, p, prog->cls))
		return LANE_RING;
	if (p != NULL && lane->moved && !output_way_empty(w, p, lane->before.txq))
		return LANE_OLD_QUEUE;
	w->lane_drained[index] = lane->version;
	return LANE_NEW;
}

// An offload request needs to know where the headers are.
static bool
settle(const struct dp_burst *b, struct rte_mbuf *m)
{
	struct flow_offsets off;
	struct flow_key key;

	return flow_parse(m, b->sw, b->origin, 0, &key, &off) == FLOW_OK &&
	       offload_settle(m, &key, &off);
}

static void
lane_take(struct dp_worker *w, struct dp_burst *b, uint16_t i, const struct dp_lane *lane,
	uint32_t index)
{
	struct rte_mbuf *m = b->pkts[i];
	enum lane_way way;

	lcore_add(&w->lanes[index].packets, 1);
	lcore_add(&w->lanes[index].bytes, m->pkt_len);
	if (unlikely(m->ol_flags & OFFLOAD_REQUESTS) && !settle(b, m)) {
		b->prog[i] = NULL;
		lcore_drop(w, m, b->origin, DP_DROP_MALFORMED_OFFLOAD);
		return;
	}
	b->prog[i] = &lane->program;
	b->list[i] = lane->actions;
	b->path[i] = lane->path;
	b->by_ring[i] = (lane->program.flags & DP_PROG_RING) != 0;
	if (likely(!lane->was_ring && !lane->moved))
		return;
	way = way_of(w, lane, index);
	b->by_ring[i] = b->by_ring[i] || way == LANE_RING;
	if (way == LANE_OLD_QUEUE)
		b->prog[i] = &lane->before;
}

static bool
whole_of_one(struct dp_worker *w, struct dp_burst *b)
{
	const uint32_t mark = b->pkts[0]->hash.fdir.hi;
	const struct dp_lane *lane = lane_of(w, b, mark);
	struct dp_count *count = &w->lanes[mark & LANE_INDEX_MASK];
	struct rte_mbuf *const *pkts = b->pkts;
	const uint16_t n = b->n;
	uint16_t i;

	if (lane == NULL || lane->was_ring || lane->moved || !act_is_plain(&lane->program))
		return false;
	for (i = 0; i + 4u <= n; i = (uint16_t)(i + 4)) {
		pkts[i]->ol_flags &= OFFLOAD_BUFFER;
		pkts[i + 1]->ol_flags &= OFFLOAD_BUFFER;
		pkts[i + 2]->ol_flags &= OFFLOAD_BUFFER;
		pkts[i + 3]->ol_flags &= OFFLOAD_BUFFER;
	}
	for (; i < n; i++)
		pkts[i]->ol_flags &= OFFLOAD_BUFFER;
	lcore_add(&count->packets, b->n);
	lcore_add(&count->bytes, b->bytes);
	b->prog[0] = &lane->program;
	b->path[0] = lane->path;
	return true;
}

static inline uint64_t
word(const void *of)
{
	uint64_t out;

	memcpy(&out, of, sizeof(out));
	return out;
}

// Every packet's lane is live, plain, and as the first one's but for what it counts. Looked at by
// words, without a branch for each packet; touches nothing but prog[].
static bool
alike(const struct dp_worker *w, struct dp_burst *b)
{
	const struct dp_lane *const _Atomic *lanes = w->snap->lanes;
	const struct dp_lane whose = {.sw = b->sw, .origin = b->origin};
	const struct dp_lane *first, *lane;
	struct rte_mbuf *const *pkts = b->pkts;
	uint64_t differ = 0, state = 0, head = 0;
	const uint16_t n = b->n;
	uint16_t i;

	if (lanes == NULL)
		return false;
	first = lane_of(w, b, b->pkts[0]->hash.fdir.hi);
	if (first == NULL || first->was_ring || first->moved || !act_is_plain(&first->program))
		return false;
	for (i = 0; i < n; i++) {
		const uint32_t mark = pkts[i]->hash.fdir.hi;

		lane = atomic_load_explicit(&lanes[mark & LANE_INDEX_MASK], memory_order_acquire);
		if (unlikely(lane == NULL))
			return false;
		differ |= (word(&lane->gen) ^ word(&whose.gen)) ^ mark >> DP_LANE_INDEX_BITS;
		state |= word(&lane->version) ^ word(&first->version);
		head |= act_head(&lane->program) ^ act_head(&first->program);
		b->prog[i] = &lane->program;
	}
	b->path[0] = first->path;
	return differ == 0 && state >> 32 == 0 && (head & (ACT_PLAIN_MASK | ACT_OUT_MASK)) == 0;
}
static_assert(
	offsetof(struct dp_lane, gen) == 0 && offsetof(struct dp_lane, sw) == 4 &&
		offsetof(struct dp_lane, origin) == 6 && offsetof(struct dp_lane, version) == 8 &&
		offsetof(struct dp_lane, path) == 12 && offsetof(struct dp_lane, was_ring) == 13 &&
		offsetof(struct dp_lane, moved) == 14 && offsetof(struct dp_lane, reserved) == 15,
	"looked at as two words");

static bool
whole_of_several(struct dp_worker *w, struct dp_burst *b)
{
	struct dp_count *const counts = w->lanes;
	struct rte_mbuf *const *pkts = b->pkts;
	const uint16_t n = b->n;
	uint16_t i;

	if (!alike(w, b))
		return false;
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct dp_count *count = &counts[m->hash.fdir.hi & LANE_INDEX_MASK];

		m->ol_flags &= OFFLOAD_BUFFER;
		lcore_add(&count->packets, 1);
		lcore_add(&count->bytes, m->pkt_len);
	}
	return true;
}

bool
lane_whole(struct dp_worker *w, struct dp_burst *b)
{
	if (!b->plain || !b->marked || !(b->one_mark ? whole_of_one(w, b) : whole_of_several(w, b)))
		return false;
	lcore_add(&w->counters.lane_hits, b->n);
	b->whole = true;
	return true;
}

uint16_t
lane_split(struct dp_worker *w, struct dp_burst *b, struct rte_mbuf **rest)
{
	uint16_t n = 0, hits = 0, stale = 0;
	uint16_t i;

	memset(b->path, DP_PATH_SOFTWARE, sizeof(b->path));
	memset(b->by_ring, 0, sizeof(b->by_ring));
	for (i = 0; i < b->n; i++) {
		struct rte_mbuf *m = b->pkts[i];
		const struct dp_lane *lane = NULL;

		if (m->ol_flags & RTE_MBUF_F_RX_FDIR_ID) {
			lane = lane_of(w, b, m->hash.fdir.hi);
			stale += lane == NULL;
			m->ol_flags &= ~(uint64_t)RTE_MBUF_F_RX_FDIR_ID;
		}
		if (likely(lane != NULL)) {
			hits++;
			lane_take(w, b, i, lane, m->hash.fdir.hi & LANE_INDEX_MASK);
			continue;
		}
		b->at[n] = (uint8_t)i;
		rest[n++] = m;
	}
	lcore_add(&w->counters.lane_hits, hits);
	lcore_add(&w->counters.lane_stale, stale);
	return n;
}
