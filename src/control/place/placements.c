// SPDX-License-Identifier: BSD-3-Clause
#include "place/placements.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_prefetch.h>

#include "datapath/packet.h"
#include "orders.h"
#include "switch/rule_book.h"

#define REAP_FROM 256 // retired lanes
#define EACH_AHEAD 16

struct host_place {
	uint16_t old_txq; // before the last change
	uint8_t ring;     // per side
	bool untold;      // the worker has forgotten it
	uint16_t txq;
};

struct retired {
	struct dp_lane *lane;
	struct flow_actions *actions;
	struct sl_id id;
	bool give_back; // the slot's id too
};

struct placements {
	const struct dp_lane *_Atomic *lanes; // [DP_LANES_MAX]
	struct sl_idpool *lane_ids;
	struct placement *by_flow[PLACEMENT_FLOWS_MAX][2];
	uint32_t flows; // none of a flow from this index on was ever made
	uint32_t contradicted;
	struct host_place host[PLACEMENT_FLOWS_MAX];
	_Atomic uint32_t host_done; // SET_HOST orders that workers carried out
	uint32_t host_sent;
	uint32_t lane_version;
	bool rings[DP_VPORTS_MAX]; // a flow from it was ever sent by a ring on the brain's order
	struct retired *retired;
	uint32_t n_retired, cap_retired;
};

int
placements_new(struct control *c)
{
	struct placements *p = calloc(1, sizeof(*p));
	uint32_t i;

	if (p == NULL)
		return -ENOMEM;
	c->placements = p;
	p->lanes = calloc(DP_LANES_MAX, sizeof(*p->lanes));
	p->lane_ids = sl_idpool_new(DP_LANES_MAX, DP_LANE_GEN_MAX);
	for (i = 0; i < PLACEMENT_FLOWS_MAX; i++)
		p->host[i].txq = p->host[i].old_txq = DP_TXQ_OWN;
	return p->lanes != NULL && p->lane_ids != NULL ? 0 : -ENOMEM;
}

void
placements_fini(struct control *c)
{
	struct placements *p = c->placements;
	struct placement *pl;
	uint32_t i;

	if (p == NULL)
		return;
	for (i = 0; i < 2 * p->flows; i++) {
		pl = p->by_flow[i / 2][i % 2];
		if (pl == NULL)
			continue;
		free(pl->lane);
		free(pl->actions);
		free(pl);
	}
	placements_retire(c);
	free(p->retired);
	free(p->lanes);
	sl_idpool_free(p->lane_ids);
	free(p);
	c->placements = NULL;
}

const struct dp_lane *_Atomic *
placements_lanes(struct placements *p)
{
	return p->lanes;
}

uint32_t
placements_report_rate(const struct control *c)
{
	return c->cfg->offload.enabled ? dp_report_rate(c->cfg->offload.min_bps) : UINT32_MAX;
}

struct placement *
placement_find(const struct control *c, uint32_t flow, enum offload_side side)
{
	return flow < PLACEMENT_FLOWS_MAX ? c->placements->by_flow[flow][side] : NULL;
}

struct placement *
placement_make(struct control *c, const struct offload_order *order)
{
	struct placement *pl;

	if (order->flow >= PLACEMENT_FLOWS_MAX ||
		placement_find(c, order->flow, order->side) != NULL)
		return NULL;
	pl = calloc(1, sizeof(*pl));
	if (pl == NULL)
		return NULL;
	pl->flow = order->flow;
	pl->side = order->side;
	pl->place = order->place;
	pl->state = PLACEMENT_INSTALLING;
	c->placements->by_flow[order->flow][order->side] = pl;
	if (order->flow >= c->placements->flows)
		c->placements->flows = order->flow + 1;
	return pl;
}

// Without memory for the list the lane stays allocated: safe, and its slot is lost.
static void
retire(struct placements *p, struct retired r)
{
	if (p->n_retired == p->cap_retired) {
		uint32_t cap = p->cap_retired == 0 ? 256 : 2 * p->cap_retired;
		struct retired *grown = realloc(p->retired, cap * sizeof(*grown));

		if (grown == NULL)
			return;
		p->retired = grown;
		p->cap_retired = cap;
	}
	p->retired[p->n_retired++] = r;
}

void
placement_take_off(struct control *c, struct placement *pl)
{
	struct placements *p = c->placements;

	if (pl->has_lane) {
		atomic_store_explicit(&p->lanes[pl->lane_id.index], NULL, memory_order_release);
		retire(p, (struct retired){.lane = pl->lane,
				  .actions = pl->actions,
				  .id = pl->lane_id,
				  .give_back = true});
	}
	p->contradicted -= pl->contradicted;
	p->by_flow[pl->flow][pl->side] = NULL;
}

void
placement_drop(struct control *c, struct placement *pl)
{
	placement_take_off(c, pl);
	free(pl);
}

// They lie anywhere in memory, and no cache holds them all.
static void
prefetch(const struct placement *pl)
{
	size_t at;

	for (at = 0; at < sizeof(*pl); at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0((const char *)pl + at);
}

void
placements_each(struct control *c, placement_fn fn, void *ctx)
{
	struct placements *p = c->placements;
	struct placement **all = &p->by_flow[0][0];
	uint32_t i, n = 2 * p->flows;

	for (i = 0; i < n; i++) {
		if (i + EACH_AHEAD < n && all[i + EACH_AHEAD] != NULL)
			prefetch(all[i + EACH_AHEAD]);
		if (all[i] != NULL)
			fn(ctx, all[i]);
	}
}

static bool
same_end(const struct offload_end *a, const struct offload_end *b)
{
	return a->nic == b->nic && a->port == b->port && a->vport == b->vport;
}

void
placement_made_for(struct placement *pl, const struct offload_decision *d)
{
	pl->in = d->in;
	pl->out = d->out;
	pl->drop = d->drop;
}

void
placement_decided_by(struct control *c, struct placement *pl, const struct flow_key *key,
	const struct dp_program *prog)
{
	int sw = control_switch_of(c, key->switch_id);
	uint8_t i;

	pl->by.n = 0;
	pl->by.gen = c->gen;
	if (sw < 0 || pl->place.path != OFFLOAD_ESWITCH)
		return; // a lane's packets are counted by workers
	pl->by.sw = (uint16_t)sw;
	for (i = 0; i < prog->n_rules; i++) {
		struct placement_rule *r = &pl->by.rule[pl->by.n];

		if (rule_book_entry_rule(c->book[sw], prog->rule[i], &r->id, &r->gen))
			pl->by.n++;
	}
}

// A lane runs the new program already; a rule in the embedded switch does what it was made for
// until it is gone.
void
placement_judge(struct control *c, struct placement *pl, const struct offload_decision *d)
{
	bool contradicted = pl->place.path == OFFLOAD_ESWITCH &&
			    (pl->drop != d->drop || !same_end(&pl->in, &d->in) ||
				    !same_end(&pl->out, &d->out) || !d->eswitch_ok ||
				    d->depends != 0 || d->seen != OFFLOAD_SEEN_NO);

	c->placements->contradicted += contradicted;
	c->placements->contradicted -= pl->contradicted;
	pl->contradicted = contradicted;
}

void
placements_retire(struct control *c)
{
	struct placements *p = c->placements;
	uint32_t i;

	for (i = 0; i < p->n_retired; i++) {
		free(p->retired[i].lane);
		free(p->retired[i].actions);
		if (p->retired[i].give_back)
			sl_idpool_put(p->lane_ids, p->retired[i].id);
	}
	p->n_retired = 0;
}

void
placements_reap(struct control *c)
{
	if (!c->running || c->placements->n_retired < REAP_FROM)
		return;
	dp_synchronize(c->dp);
	placements_retire(c);
}

uint32_t
placements_contradicted(const struct control *c)
{
	return c->placements->contradicted;
}

// ---- lanes

static struct dp_lane *
make_lane(struct control *c, const struct placement *pl, const struct flow_key *key,
	struct flow_actions **actions)
{
	struct dp_lane *lane = calloc(1, sizeof(*lane));
	const struct host_place *host = &c->placements->host[pl->flow];
	int sw = control_switch_of(c, key->switch_id);
	struct dp_verdict verdict;

	*actions = calloc(1, sizeof(**actions));
	if (lane != NULL && *actions != NULL && sw >= 0)
		dp_compile(c->snapshot, key, &lane->program, &verdict);
	// What depends on a per-packet field has more than one decision.
	if (lane == NULL || *actions == NULL || sw < 0 || verdict.depends != 0) {
		free(lane);
		free(*actions);
		*actions = NULL;
		return NULL;
	}
	**actions = verdict.actions;
	lane->gen = pl->lane_id.gen;
	lane->path = pl->place.path;
	lane->was_ring = host->ring != 0;
	lane->sw = (uint16_t)sw;
	lane->origin = key->vport;
	lane->version = ++c->placements->lane_version;
	lane->program.txq = host->txq;
	if ((host->ring & 1u << OFFLOAD_OUT) != 0)
		lane->program.flags |= DP_PROG_RING; // its way out is the ring
	lane->actions = *actions;
	lane->moved = host->old_txq != host->txq;
	lane->before = lane->program;
	lane->before.txq = host->old_txq;
	return lane;
}

int
placement_lane_open(struct control *c, struct placement *pl, const struct flow_key *key)
{
	struct placements *p = c->placements;

	if (sl_idpool_take(p->lane_ids, &pl->lane_id) != 0)
		return -ENOSPC;
	pl->lane = make_lane(c, pl, key, &pl->actions);
	if (pl->lane == NULL) {
		sl_idpool_put(p->lane_ids, pl->lane_id);
		return -ENOENT;
	}
	pl->has_lane = true;
	// The counters of a slot go on from lane to lane.
	placement_lane_delta(c, pl, &(uint32_t){0}, &(uint64_t){0});
	atomic_store_explicit(&p->lanes[pl->lane_id.index], pl->lane, memory_order_release);
	return 0;
}

void
placement_lane_update(struct control *c, struct placement *pl, const struct flow_key *key)
{
	struct placements *p = c->placements;
	struct flow_actions *actions;
	struct dp_lane *lane;
	bool by_ring;

	if (!pl->has_lane)
		return;
	lane = make_lane(c, pl, key, &actions);
	if (lane == NULL) {
		// Without memory, or when the decision has come to depend on per-packet fields, the
		// packets take the ordinary path, which has the new rules.
		atomic_store_explicit(&p->lanes[pl->lane_id.index], NULL, memory_order_release);
		return;
	}
	// Its packets may still lie in the ring: that has to be seen empty first, as before.
	by_ring = pl->lane->was_ring || (pl->lane->program.flags & DP_PROG_RING) != 0;
	lane->was_ring = by_ring;
	atomic_store_explicit(&p->lanes[pl->lane_id.index], lane, memory_order_release);
	retire(p, (struct retired){.lane = pl->lane, .actions = pl->actions});
	pl->lane = lane;
	pl->actions = actions;
}

void
placement_carried(struct control *c, const struct placement *pl, uint64_t packets, uint64_t bytes)
{
	uint8_t i;

	if (pl->in.vport < DP_VPORTS_MAX) {
		c->eswitch[pl->in.vport].rx_packets += packets;
		c->eswitch[pl->in.vport].rx_bytes += bytes;
	}
	if (!pl->drop && pl->out.vport < DP_VPORTS_MAX) {
		c->eswitch[pl->out.vport].tx_packets += packets;
		c->eswitch[pl->out.vport].tx_bytes += bytes;
	}
	for (i = 0; i < pl->by.n; i++)
		rule_book_carried(
			c->book[pl->by.sw], pl->by.rule[i].id, pl->by.rule[i].gen, packets, bytes);
}

uint32_t
placement_mark(const struct placement *pl)
{
	return pl->lane_id.gen << DP_LANE_INDEX_BITS | pl->lane_id.index;
}

void
placement_lane_delta(struct control *c, struct placement *pl, uint32_t *packets, uint64_t *bytes)
{
	uint64_t sum_packets = 0, sum_bytes = 0;
	uint16_t w;

	for (w = 0; w < c->n_workers; w++) {
		const struct dp_count *n = &dp_lane_counts(c->dp, w)[pl->lane_id.index];

		sum_packets += atomic_load_explicit(&n->packets, memory_order_relaxed);
		sum_bytes += atomic_load_explicit(&n->bytes, memory_order_relaxed);
	}
	*packets = (uint32_t)(sum_packets - pl->base_packets);
	*bytes = sum_bytes - pl->base_bytes;
	pl->base_packets = sum_packets;
	pl->base_bytes = sum_bytes;
}

// ---- how the host handles a flow

void
placements_set_host(
	struct control *c, const struct offload_order *order, const struct flow_key *key)
{
	struct host_place *h = &c->placements->host[order->flow];
	struct dp_order o = {
		.type = DP_ORD_SET_HOST, .key = *key, .done = &c->placements->host_done};
	const uint8_t bit = (uint8_t)(1u << order->side);
	unsigned side;

	h->ring = (uint8_t)(order->place.path == OFFLOAD_RING ? h->ring | bit : h->ring & ~bit);
	if (order->side == OFFLOAD_OUT) {
		h->old_txq = h->txq;
		h->txq = order->place.path == OFFLOAD_SHARED_QUEUE ||
					 order->place.path == OFFLOAD_EXCLUSIVE_QUEUE
				 ? order->place.queue.index
				 : DP_TXQ_OWN;
	}
	h->untold = false;
	o.flags = h->ring != 0 ? DP_PROG_HOST_RING : 0;
	o.txq = h->txq;
	if (h->ring != 0 && key->vport < DP_VPORTS_MAX)
		c->placements->rings[key->vport] = true;
	orders_put(c, order->worker, &o);
	c->placements->host_sent++;
	for (side = 0; side < 2; side++) {
		if (c->placements->by_flow[order->flow][side] != NULL)
			placement_lane_update(c, c->placements->by_flow[order->flow][side], key);
	}
}

void
placements_forget_host(struct control *c, uint32_t flow)
{
	if (flow < PLACEMENT_FLOWS_MAX)
		c->placements->host[flow] =
			(struct host_place){.txq = DP_TXQ_OWN, .old_txq = DP_TXQ_OWN};
}

void
placements_untold_host(struct control *c, uint32_t flow)
{
	struct host_place *h = &c->placements->host[flow];

	h->ring &= (uint8_t)(1u << OFFLOAD_OUT);
	h->untold = true;
}

void
placements_retell_host(
	struct control *c, uint32_t flow, uint16_t worker, const struct flow_key *key)
{
	struct host_place *h = &c->placements->host[flow];
	const struct dp_order o = {.type = DP_ORD_SET_HOST,
		.key = *key,
		.flags = h->ring != 0 ? DP_PROG_HOST_RING : 0,
		.txq = h->txq,
		.done = &c->placements->host_done};

	if (!h->untold)
		return;
	h->untold = false;
	orders_put(c, worker, &o);
	c->placements->host_sent++;
}

bool
placements_used_rings(const struct control *c, uint16_t vport)
{
	return c->placements->rings[vport];
}

bool
placements_host_settled(const struct control *c)
{
	return atomic_load_explicit(&c->placements->host_done, memory_order_acquire) ==
	       c->placements->host_sent;
}
