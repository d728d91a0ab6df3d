// SPDX-License-Identifier: BSD-3-Clause
#include "trace/trace.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ring_elem.h>

#include "act/act.h"
#include "classify/classify.h"
#include "classify/entry.h"
#include "extend/extend.h"
#include "memory.h"
#include "poll.h"

#define AT_ONCE 10

bool
trace_is_dry(const struct dp_worker *w)
{
	return w->tracing->now != NULL && w->tracing->now->dry;
}

// ---- one packet

static void
note_decision(struct dp_trace_record *r, const struct dp_burst *b)
{
	const struct dp_program *prog = b->prog[0];

	if (prog == NULL)
		return;
	r->decided = true;
	r->program = *prog;
	r->path = b->path[0];
	if (prog->kind == DP_PROG_GENERAL)
		r->actions = *b->list[0];
}

bool
trace_rest(struct dp_worker *w, struct dp_burst *b)
{
	struct dp_trace_record *r = w->tracing->now;

	if (r == NULL)
		return false;
	note_decision(r, b);
	if (w->snap->sw[b->sw].ext != NULL)
		extend_burst(w, b);
	act_traced(w, b, !r->dry);
	if (!r->dry)
		classify_keep(w, b);
	lcore_free_flush(w);
	return true;
}

bool
trace_output(struct dp_worker *w, const struct dp_port *p, struct rte_mbuf *m,
	const struct dp_packet *where, uint16_t owner)
{
	struct dp_trace_record *r = w->tracing->now;
	struct dp_trace_output *o;

	if (r == NULL)
		return false;
	if (r->n_outputs == DP_TRACE_OUTPUTS) {
		r->outputs_lost++;
	} else {
		o = &r->output[r->n_outputs++];
		*o = (struct dp_trace_output){.vport = where->target,
			.txq = where->txq,
			.owner = owner,
			.cls = where->cls,
			.ring = (where->flags & DP_PKT_RING) != 0,
			.link = p->ops->link(p),
			.len = m->pkt_len,
			.n_bytes = (uint8_t)RTE_MIN(m->data_len, DP_TRACE_BYTES)};
		memcpy(o->bytes, rte_pktmbuf_mtod(m, const void *), o->n_bytes);
	}
	if (r->dry)
		lcore_free_later(w, m);
	return r->dry;
}

// The entries that the look-up will find, and what is in them before: the flow's bare one, where
// decisions depend on fields (classify/fields.h), and that of the decision.
struct met {
	unsigned int n;
	struct cache_entry *entry[2], was[2];
	struct cache_more more[2];
	uint64_t packets, bytes; // of the last one
	bool hit;                // the last one is the decision's
};

static bool
meet(struct dp_worker *w, struct met *met, const struct flow_key *key)
{
	struct cache_entry *e = cache_lookup(w->cache, key);

	if (e == NULL)
		return false;
	met->was[met->n] = *e;
	met->more[met->n] = *entry_more(w, e);
	met->packets = cache_packets(e, w->cache_apart);
	met->bytes = cache_bytes(e, w->cache_apart);
	met->entry[met->n++] = e;
	return true;
}

// As fields_lookup does it.
static void
meet_by_fields(struct dp_worker *w, struct met *met, const struct flow_key *full)
{
	struct flow_key bare = *full, own = *full;

	flow_key_keep(&bare, 0);
	met->hit = meet(w, met, &bare);
	dp_own_key(w->snap, &own);
	if (!flow_key_equal(&own, &bare))
		met->hit = meet(w, met, &own);
}

// What the packet meets: its key, and the entries.
static void
look(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, struct dp_trace_record *r,
	struct met *met)
{
	const struct dp_vport *v = w->snap->vport[origin];
	const struct dp_switch *sw;
	uint32_t moving;

	r->worker = w->id;
	r->origin = origin;
	r->gen = w->snap->gen;
	r->len = m->pkt_len;
	r->marked = (m->ol_flags & RTE_MBUF_F_RX_FDIR_ID) != 0;
	r->mark = r->marked ? m->hash.fdir.hi : 0;
	if (v == NULL || v->sw >= w->snap->n_switches)
		return;
	sw = &w->snap->sw[v->sw];
	r->fault = (uint8_t)flow_parse(m, sw->id, origin, sw->fields, &r->key, &r->off);
	if (r->fault != FLOW_OK)
		return;
	flow_parse_inner(m, &r->key, &r->off, FLOW_FIELD_ALL, &r->inner);
	do { // what a look-up has come may have something leave that was met (cache_take_over)
		moving = cache_moving(w->cache);
		met->n = 0;
		if (sw->fields != 0)
			meet_by_fields(w, met, &r->key);
		else
			met->hit = meet(w, met, &r->key);
	} while (cache_moving(w->cache) != moving);
}

static void
note_counters(struct dp_trace_record *r, const struct dp_vport_counters *before,
	const struct dp_vport_counters *after)
{
	unsigned d;

	r->copies = (uint16_t)(after->copies - before->copies);
	for (d = 0; d < DP_DROP_COUNT; d++)
		r->dropped[d] = (uint16_t)(after->dropped[d] - before->dropped[d]);
}

// After a dry run: nothing was learned. A stale entry stays stale.
static void
forget(const struct dp_worker *w, const struct met *met)
{
	for (unsigned int i = 0; i < met->n; i++) {
		*met->entry[i] = met->was[i];
		*entry_more(w, met->entry[i]) = met->more[i];
	}
}

static void
note_origin(const struct dp_worker *w, struct dp_trace_record *r, const struct met *met, bool lane)
{
	const struct cache_entry *was = &met->was[met->n > 0 ? met->n - 1 : 0];

	if (lane)
		r->from = DP_TRACE_LANE;
	else if (!r->decided)
		r->from = DP_TRACE_FAULT;
	else if (!met->hit)
		r->from = DP_TRACE_MISS;
	else
		r->from = was->gen == w->gen ? DP_TRACE_HIT : DP_TRACE_STALE;
	if (met->hit) {
		r->entry_packets = met->packets;
		r->entry_bytes = met->bytes;
	}
}

static void
trace_one(struct dp_worker *w, struct rte_mbuf *m, uint16_t origin, bool injected,
	struct dp_trace_record *r)
{
	struct dp_vport_counters *counters = &w->vports[lcore_origin(origin)];
	struct dp_vport_counters before = *counters;
	struct dp_worker_counters work = w->counters;
	struct met met = {.n = 0};
	bool lane;

	look(w, m, origin, r, &met);
	w->tracing->now = r;
	poll_handle(w, &m, 1, origin, injected);
	w->tracing->now = NULL;
	lane = w->counters.lane_hits != work.lane_hits;
	note_origin(w, r, &met, lane);
	note_counters(r, &before, counters);
	if (!r->dry)
		return;
	*counters = before; // they have one writer: this worker
	w->counters = work;
	if (lane) {
		struct dp_count *count = &w->lanes[r->mark & (DP_LANES_MAX - 1)];

		lcore_add(&count->packets, (uint64_t)-1);
		lcore_add(&count->bytes, -(uint64_t)r->len);
	}
	forget(w, &met);
}

void
trace_job(struct dp_worker *w, struct dp_trace_job *job)
{
	struct dp_tracing one = {.live = NULL}, *was = w->tracing;

	memset(&job->record, 0, sizeof(job->record));
	job->record.dry = job->dry;
	if (w->snap == NULL) {
		rte_pktmbuf_free(job->m);
		return;
	}
	if (!job->dry)
		lcore_add(&w->vports[lcore_origin(job->origin)].originated, 1);
	w->tracing = &one;
	trace_one(w, job->m, job->origin, true, &job->record);
	w->tracing = was;
}

// ---- live

void
trace_live(struct dp_worker *w, struct dp_live *live)
{
	w->tracing = live != NULL ? &live->tracing : NULL;
}

// Matches, and is to be recorded.
static bool
wanted(struct dp_worker *w, struct dp_live *live, const struct rte_mbuf *m, uint16_t origin)
{
	const struct dp_vport *v = w->snap->vport[origin];
	struct flow_offsets off;
	struct flow_key key;

	if (v == NULL || v->sw >= w->snap->n_switches)
		return false;
	flow_parse(m, w->snap->sw[v->sw].id, origin, live->fields, &key, &off);
	if (!flow_match_hits(&live->match, &key))
		return false;
	lcore_add(&live->matched, 1);
	if (live->budget == 0)
		return false; // more than was asked for
	if (w->now + AT_ONCE * live->gap < live->next) {
		lcore_add(&live->lost, 1);
		return false;
	}
	live->budget--;
	live->next = RTE_MAX(live->next, w->now) + live->gap;
	return true;
}

bool
trace_split(struct dp_worker *w, struct rte_mbuf **pkts, uint16_t n, uint16_t origin)
{
	const bool injected = w->burst.injected;
	struct dp_tracing *t = w->tracing;
	uint16_t i, first = 0;

	if (t->live == NULL || t->now != NULL)
		return false;
	w->tracing = NULL; // the others are handled as ever
	for (i = 0; i < n; i++) {
		if (!wanted(w, t->live, pkts[i], origin))
			continue;
		if (i > first)
			poll_handle(w, &pkts[first], i - first, origin, injected);
		first = i + 1;
		memset(&t->live->record, 0, sizeof(t->live->record));
		w->tracing = t;
		trace_one(w, pkts[i], origin, injected, &t->live->record);
		w->tracing = NULL;
		if (rte_ring_sp_enqueue_elem(
			    t->live->ring, &t->live->record, sizeof(t->live->record)) != 0) {
			lcore_add(&t->live->lost, 1);
			t->live->budget++;
		}
	}
	if (n > first)
		poll_handle(w, &pkts[first], n - first, origin, injected);
	w->tracing = t;
	return true;
}

struct dp_live *
dp_live_new(const struct flow_match *match, uint32_t budget, uint32_t per_second, int socket_id)
{
	const size_t elem = sizeof(struct dp_trace_record);
	struct dp_live *live = dp_zalloc(sizeof(*live), socket_id);
	ssize_t len = rte_ring_get_memsize_elem((unsigned)elem, DP_LIVE_RECORDS);

	if (live == NULL)
		return NULL;
	live->match = *match;
	live->fields = flow_match_fields(match);
	live->budget = budget;
	live->gap = rte_get_tsc_hz() / (per_second != 0 ? per_second : 1);
	live->tracing.live = live;
	live->ring = len > 0 ? dp_zalloc((size_t)len, socket_id) : NULL;
	if (live->ring == NULL || rte_ring_init(live->ring, "trace", DP_LIVE_RECORDS,
					  RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		dp_live_free(live);
		return NULL;
	}
	return live;
}

void
dp_live_free(struct dp_live *live)
{
	if (live == NULL)
		return;
	dp_free_mem(live->ring);
	dp_free_mem(live);
}

bool
dp_live_get(struct dp_live *live, struct dp_trace_record *out)
{
	return rte_ring_sc_dequeue_elem(live->ring, out, sizeof(*out)) == 0;
}
