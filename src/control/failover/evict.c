// SPDX-License-Identifier: BSD-3-Clause
#include "failover/evict.h"

#include <errno.h>
#include <stdlib.h>

#include "nic/nic.h"
#include "place/ahead.h"
#include "place/mover.h"
#include "place/placements.h"

#define BATCH 128
#define RETRY_NS (100 * SL_NS_PER_MS) // after a batch of which nothing could be destroyed

TAILQ_HEAD(left_list, placement);

struct evict {
	struct left_list rules[CONFIG_NICS_MAX]; // to be destroyed
	struct left_list given[CONFIG_NICS_MAX]; // the executor destroys these, in this order
	struct left_list late[CONFIG_NICS_MAX];  // it is at an order of these
	uint32_t n[CONFIG_NICS_MAX];             // in all three
	uint64_t unread[CONFIG_NICS_MAX];
	uint64_t retry_ns[CONFIG_NICS_MAX];
	struct placement *of_flow[PLACEMENT_FLOWS_MAX]; // side in, the last one taken out
};

int
evict_new(struct evict **out)
{
	struct evict *e = calloc(1, sizeof(*e));
	unsigned i;

	if (e == NULL)
		return -ENOMEM;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		TAILQ_INIT(&e->rules[i]);
		TAILQ_INIT(&e->given[i]);
		TAILQ_INIT(&e->late[i]);
	}
	*out = e;
	return 0;
}

static void
free_list(struct left_list *l)
{
	struct placement *pl;

	while ((pl = TAILQ_FIRST(l)) != NULL) {
		TAILQ_REMOVE(l, pl, link);
		free(pl);
	}
}

void
evict_free(struct evict *e)
{
	unsigned i;

	for (i = 0; e != NULL && i < CONFIG_NICS_MAX; i++) {
		free_list(&e->rules[i]);
		free_list(&e->given[i]);
		free_list(&e->late[i]);
	}
	free(e);
}

static void
forget(struct evict *e, struct placement *pl)
{
	e->n[pl->nic]--;
	if (e->of_flow[pl->flow] == pl)
		e->of_flow[pl->flow] = NULL;
	free(pl);
}

struct begin_ctx {
	struct control *c;
	uint16_t nic;
};

static void
take_off(void *ctx, struct placement *pl)
{
	const struct begin_ctx *b = ctx;
	struct evict *e = b->c->evict;
	uint32_t packets;
	uint64_t bytes;

	if (pl->nic != b->nic)
		return;
	if (pl->has_lane) {
		placement_lane_delta(b->c, pl, &packets, &bytes);
		if (packets > 0)
			offload_flow_count(b->c->offload, pl->flow, packets, bytes);
	}
	placement_take_off(b->c, pl);
	e->n[pl->nic]++;
	if (pl->side == OFFLOAD_IN)
		e->of_flow[pl->flow] = pl;
	if (pl->state == PLACEMENT_PLACED)
		TAILQ_INSERT_TAIL(&e->rules[pl->nic], pl, link);
	else
		TAILQ_INSERT_TAIL(&e->late[pl->nic], pl, link);
}

void
evict_begin(struct control *c, uint16_t nic)
{
	struct begin_ctx b = {.c = c, .nic = nic};

	mover_nic_out(c, nic);
	placements_each(c, take_off, &b);
}

// What the rule carried since its counters were last read; a lane counts for itself. By now the
// flow may have another rule in another NIC, of which this says nothing, or be forgotten, and its
// id another flow's.
static void
take_final(struct control *c, struct placement *pl, uint64_t packets, uint64_t bytes)
{
	struct offload_flow_view f;

	if (pl->place.path != OFFLOAD_ESWITCH || packets <= pl->base_packets ||
		bytes < pl->base_bytes)
		return;
	placement_carried(c, pl, packets - pl->base_packets, bytes - pl->base_bytes);
	if (offload_flow_look(c->offload, pl->flow, &f) && f.gen == pl->by.flow_gen)
		offload_flow_left(c->offload, pl->flow, OFFLOAD_ESWITCH,
			(uint32_t)(packets - pl->base_packets), bytes - pl->base_bytes);
	pl->base_packets = packets; // a destroy that failed is tried again
	pl->base_bytes = bytes;
}

static void
give_batch(struct control *c, uint16_t nic)
{
	struct evict *e = c->evict;
	struct nic_job *job = calloc(1, sizeof(*job));
	struct placement *pl;

	if (job != NULL)
		job->counts = calloc(BATCH, sizeof(*job->counts));
	if (job == NULL || job->counts == NULL) {
		free(job);
		return;
	}
	job->type = NIC_JOB_EVICT;
	TAILQ_FOREACH(pl, &e->rules[nic], link)
	{
		if (job->n_counts == BATCH)
			break;
		job->counts[job->n_counts++] =
			(struct nic_count){.ethdev = pl->ethdev, .flow = pl->handle};
	}
	if (!nic_executor_put(c->nics[nic]->executor, job)) {
		nic_job_free(job);
		return;
	}
	for (uint32_t i = 0; i < job->n_counts; i++) {
		pl = TAILQ_FIRST(&e->rules[nic]);
		TAILQ_REMOVE(&e->rules[nic], pl, link);
		TAILQ_INSERT_TAIL(&e->given[nic], pl, link);
	}
}

static uint32_t
give_up(struct evict *e, uint16_t nic)
{
	struct placement *pl;
	uint32_t n = 0;

	while ((pl = TAILQ_FIRST(&e->rules[nic])) != NULL) {
		TAILQ_REMOVE(&e->rules[nic], pl, link);
		e->unread[nic] += pl->place.path == OFFLOAD_ESWITCH;
		forget(e, pl);
		n++;
	}
	return n;
}

uint32_t
evict_give_up(struct control *c, uint16_t nic)
{
	return give_up(c->evict, nic) + evict_ahead(c, nic);
}

uint32_t
evict_ahead(struct control *c, uint16_t nic)
{
	const uint32_t n = c->ahead != NULL ? ahead_entries(c, nic) : 0;

	c->evict->unread[nic] += n;
	ahead_nic_gone(c, nic);
	return n;
}

const struct placement *
evict_of(const struct control *c, uint32_t flow)
{
	return c->evict != NULL && flow < PLACEMENT_FLOWS_MAX ? c->evict->of_flow[flow] : NULL;
}

void
evict_run(struct control *c)
{
	struct evict *e = c->evict;
	const uint64_t now = sl_now(&c->clock);
	uint16_t i;

	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] == NULL || TAILQ_EMPTY(&e->rules[i]) || !TAILQ_EMPTY(&e->given[i]))
			continue;
		if (c->nics[i]->gone)
			give_up(e, i);
		else if (now >= e->retry_ns[i])
			give_batch(c, i);
	}
}

void
evict_answer(struct control *c, uint16_t nic, struct nic_job *job)
{
	struct evict *e = c->evict;
	uint32_t i, destroyed = 0;

	if (job->outcome == OFFLOAD_GONE)
		mover_nic_gone(c, c->nics[nic], "no rule can be destroyed");
	for (i = 0; i < job->n_counts; i++) {
		const struct nic_count *n = &job->counts[i];
		struct placement *pl = TAILQ_FIRST(&e->given[nic]);

		TAILQ_REMOVE(&e->given[nic], pl, link);
		if (n->error == 0)
			take_final(c, pl, n->packets, n->bytes);
		if (n->destroy != 0 && !c->nics[nic]->gone) { // it may be there still
			TAILQ_INSERT_TAIL(&e->rules[nic], pl, link);
			continue;
		}
		if (n->error != 0)
			e->unread[nic] += pl->place.path == OFFLOAD_ESWITCH;
		forget(e, pl);
		destroyed++;
	}
	if (destroyed == 0)
		e->retry_ns[nic] = sl_now(&c->clock) + RETRY_NS;
	nic_job_free(job);
}

static struct placement *
find_late(struct evict *e, const struct nic_job *job)
{
	struct placement *pl;
	unsigned i;

	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		TAILQ_FOREACH(pl, &e->late[i], link)
		{
			if ((pl->flow << 1 | pl->side) == job->id && pl->ethdev == job->ethdev)
				return pl;
		}
	}
	return NULL;
}

bool
evict_late(struct control *c, const struct nic_job *job, bool *queue)
{
	struct evict *e = c->evict;
	struct placement *pl = e != NULL ? find_late(e, job) : NULL;

	if (pl == NULL)
		return false;
	*queue = pl->place.path != OFFLOAD_ESWITCH;
	TAILQ_REMOVE(&e->late[pl->nic], pl, link);
	if (job->type == NIC_JOB_CREATE)
		pl->handle = job->flow;
	else if (job->counted)
		take_final(c, pl, job->packets, job->bytes);
	if (pl->handle != NULL && (job->type == NIC_JOB_CREATE) == (job->error == 0))
		TAILQ_INSERT_TAIL(&e->rules[pl->nic], pl, link);
	else
		forget(e, pl);
	return true;
}

uint32_t
evict_left(const struct control *c, uint16_t nic)
{
	return c->evict != NULL ? c->evict->n[nic] : 0;
}

uint64_t
evict_unread(const struct control *c, uint16_t nic)
{
	return c->evict != NULL ? c->evict->unread[nic] : 0;
}
