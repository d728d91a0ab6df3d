// SPDX-License-Identifier: BSD-3-Clause
#include "place/ahead.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "failover/failover.h"
#include "offload/pays.h"
#include "place/ahead_internal.h"
#include "place/ahead_worth.h"
#include "place/class_engine.h"
#include "place/class_rules.h"
#include "place/misses.h"
#include "place/mover.h"
#include "place/offload_run.h"
#include "publish.h"
#include "switch/rule_book.h"

#define RETRY_NS (1 * SL_NS_PER_S) // no memory for a plan
#define COUNT_NS (100 * SL_NS_PER_MS)
#define COUNTS_AT_ONCE 256
#define PLAN_PAUSE 4             // times what a plan took
#define WAY_NS (1 * SL_NS_PER_S) // single flows leave for rules; then those are tried anyhow
#define GROUPS_NS (50 * SL_NS_PER_MS)

int
ahead_new(struct control *c)
{
	unsigned i;

	c->ahead = calloc(1, sizeof(*c->ahead));
	if (c->ahead == NULL)
		return -ENOMEM;
	for (i = 0; i < CONFIG_NICS_MAX; i++)
		c->ahead->nic[i].room = c->ahead->nic[i].class_room = UINT32_MAX;
	return 0;
}

void
ahead_free(struct control *c)
{
	unsigned i;

	if (c->ahead == NULL)
		return;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		free(c->ahead->nic[i].live);
		free(c->ahead->nic[i].notes);
		ahead_pays_free(c->ahead->nic[i].pays);
	}
	for (i = 0; i < DP_SWITCHES_MAX; i++) {
		if (c->ahead->sets[i] != NULL)
			rules_set_put(c->ahead->sets[i]);
	}
	ahead_list_free(&c->ahead->list);
	class_groups_free(c->groups);
	free(c->ahead);
	c->ahead = NULL;
}

// ---- has anything changed?

static uint64_t
hash_more(uint64_t seed, const void *data, size_t n)
{
	return sl_hash_bytes(data, n, seed);
}

static uint64_t
fingerprint(const struct control *c)
{
	const struct config_offload *o = &c->cfg->offload;
	const uint64_t w[] = {
		o->enabled, o->rules_ahead, c->cfg->n_policies, c->cfg->n_tables, o->vm_tables};
	uint64_t h = sl_hash_words(w, 5, 0);
	uint16_t i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];
		uint64_t port[2] = {i, 0};

		if (!v->used || v->port == NULL)
			continue;
		port[1] = (uint64_t)misses_through(c, i) << 32 | (uint64_t)v->port->nic << 16 |
			  v->port->nic_port;
		h = hash_more(hash_more(h, port, sizeof(port)), &v->cfg, sizeof(v->cfg));
	}
	for (i = 0; i < c->cfg->n_vms; i++)
		h = hash_more(h, &c->cfg->vms[i].rate_bps, sizeof(c->cfg->vms[i].rate_bps));
	for (i = 0; i < c->cfg->n_classes; i++)
		h = hash_more(h, &c->cfg->classes[i].rate_bps, sizeof(c->cfg->classes[i].rate_bps));
	for (i = 0; i < c->cfg->n_switches; i++) {
		const bool ext = c->snapshot->sw[i].ext != NULL;

		h = hash_more(h, &ext, sizeof(ext));
	}
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		const uint8_t up =
			c->nics[i] == NULL
				? 0
				: (uint8_t)(1 + c->nics[i]->gone + 2 * failover_drains(c, i));

		h = hash_more(h, &up, sizeof(up));
	}
	h = hash_more(h, c->cfg->policies, c->cfg->n_policies * sizeof(*c->cfg->policies));
	return hash_more(h, c->cfg->tables, c->cfg->n_tables * sizeof(*c->cfg->tables));
}

static bool
has_changed(struct control *c)
{
	struct ahead *a = c->ahead;
	uint64_t now = fingerprint(c);
	bool changed = !a->planned || now != a->seen;
	uint16_t i;

	for (i = 0; i < DP_SWITCHES_MAX; i++) {
		if (a->sets[i] == c->set[i])
			continue;
		changed = true;
		if (c->set[i] != NULL)
			rules_set_ref(c->set[i]);
		if (a->sets[i] != NULL)
			rules_set_put(a->sets[i]);
		a->sets[i] = c->set[i];
	}
	a->seen = now;
	a->planned = true;
	return changed;
}

// ---- carrying out

static void
free_live(struct ahead_nic *n, struct ahead_live *l)
{
	ahead_list_out(n, l);
	memset(l, 0, sizeof(*l));
}

static void
carried(struct control *c, struct ahead_live *l, uint64_t packets, uint64_t bytes)
{
	uint64_t more = packets - l->base_packets, more_bytes = bytes - l->base_bytes;
	uint8_t i;

	if (packets < l->base_packets || bytes < l->base_bytes)
		return;
	l->base_packets = packets;
	l->base_bytes = bytes;
	l->packets += more;
	l->bytes += more_bytes;
	if (l->act.kind == AHEAD_HOST || l->act.kind == AHEAD_JUMP || l->group)
		return; // the host counts them
	for (i = 0; i < l->chain.n; i++)
		rule_book_carried(c->book[l->sw], l->chain.rule[i].id, l->chain.rule[i].gen, more,
			more_bytes);
	c->eswitch[l->vport].rx_packets += more;
	c->eswitch[l->vport].rx_bytes += more_bytes;
	if (l->act.kind == AHEAD_PORT && l->out_vport < DP_VPORTS_MAX) {
		c->eswitch[l->out_vport].tx_packets += more;
		c->eswitch[l->out_vport].tx_bytes += more_bytes;
	}
}

static bool
give(struct control *c, uint16_t nic, uint32_t index)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	struct ahead_live *l = &n->live[index];
	struct nic_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return false;
	job->id = AHEAD_JOB | index;
	if (l->state == AHEAD_WANTED) {
		job->type = NIC_JOB_CREATE;
		l->ethdev = c->nics[nic]->ports[l->port].ethdev;
		ahead_rule_of(c, nic, l, &job->rule);
	} else {
		job->type = NIC_JOB_DESTROY;
		job->flow = l->handle;
	}
	job->ethdev = l->ethdev;
	if (!nic_executor_put(c->nics[nic]->executor, job)) {
		nic_job_free(job);
		return false;
	}
	l->state = l->state == AHEAD_WANTED ? AHEAD_MAKING : AHEAD_UNMAKING;
	n->outstanding++;
	return true;
}

static bool
wants(const struct ahead_live *l, uint8_t phase)
{
	return l->used && (phase == AHEAD_MAKE ? l->kept && l->state == AHEAD_WANTED
					       : !l->kept && l->state == AHEAD_IN);
}

// The next level of a phase, all of it. False: there is none left.
static bool
next_level(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	bool make = n->phase == AHEAD_MAKE, any = false;
	uint32_t i, level = 0;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (wants(l, n->phase) && (!any || (make ? l->level < level : l->level > level))) {
			level = l->level;
			any = true;
		}
	}
	for (i = 0; any && i < n->cap; i++) {
		if (wants(&n->live[i], n->phase) && n->live[i].level == level && !give(c, nic, i))
			break; // what is not given yet is when these are answered, or at a tick
	}
	return any;
}

// What is there, and what is to come.
static uint32_t
planned(const struct control *c, uint16_t nic)
{
	const struct ahead_nic *n = &c->ahead->nic[nic];
	uint32_t i, k = 0;

	for (i = 0; i < n->cap; i++)
		k += n->live[i].used;
	return k;
}

static void
plan(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];

	uint64_t now = sl_now(&c->clock);
	uint32_t room = ahead_room(c, nic);
	int rc;

	n->stale = false;
	n->swept = false;
	rc = ahead_plan_nic(c, nic);
	// The first plan names the rules; which of them are to be there is known then.
	if (rc == 0 && n->pays == NULL && room > 0 && ahead_worth_judge(c, nic, room))
		rc = ahead_plan_nic(c, nic);
	if (rc != 0) { // the one before it stays in force till then
		n->stale = true;
		n->retry_ns = now + RETRY_NS;
	}
	n->phase = AHEAD_MAKE;
	ahead_tables_planned(c, nic);
	offload_nic_reserve(c->offload, nic, planned(c, nic));
	n->way_ns = now + WAY_NS;
	// However fast rules change, planning has a fifth of control's time.
	n->plan_ns = sl_now(&c->clock);
	n->plan_ns += PLAN_PAUSE * (n->plan_ns - now);
}

static void
plan_when_due(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];

	if (n->stale && n->outstanding == 0 && sl_now(&c->clock) >= n->plan_ns)
		plan(c, nic);
}

static bool
any_wanted(const struct ahead_nic *n)
{
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		if (wants(&n->live[i], AHEAD_MAKE))
			return true;
	}
	return false;
}

static void
finished(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];

	n->phase = AHEAD_IDLE;
	if (any_wanted(n)) { // old ones were in their way
		n->phase = AHEAD_MAKE;
		return;
	}
	c->ahead->redecide |= n->changed;
	n->changed = false;
	offload_nic_reserve(c->offload, nic, ahead_entries(c, nic));
	plan_when_due(c, nic);
}

static void
run_nic(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	uint64_t now = sl_now(&c->clock);

	if (n->phase == AHEAD_IDLE) {
		n->stale |= ahead_expired(c, nic) ||
			    (!n->stale && ahead_worth_run(c, nic, ahead_room(c, nic)));
		plan_when_due(c, nic);
	}
	while (n->phase != AHEAD_IDLE && n->outstanding == 0 && n->retry_ns <= now) {
		n->retry_ns = 0;
		if (n->phase == AHEAD_UNMAKE && ahead_tables_wait(c, nic))
			return;
		// Single flows that have to leave for what comes, first.
		if (n->phase == AHEAD_MAKE && now < n->way_ns && any_wanted(n) &&
			offload_nic_crowded(c->offload, nic))
			return;
		if (next_level(c, nic)) {
			if (n->outstanding == 0)
				return; // the executor is busy
		} else if (n->phase == AHEAD_MAKE) {
			n->phase = AHEAD_UNMAKE;
		} else {
			finished(c, nic);
		}
	}
}

static void
redecide_when_changed(struct control *c)
{
	if (!c->ahead->redecide || !c->running)
		return;
	c->ahead->redecide = false;
	offload_run_redecide(c);
}

void
ahead_review(struct control *c)
{
	uint16_t i;

	if (c->ahead == NULL || !has_changed(c))
		return;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		struct ahead_nic *n = &c->ahead->nic[i];

		if (c->nics[i] == NULL || c->nics[i]->gone)
			continue;
		n->stale = true;
		n->room = n->class_room = UINT32_MAX;
		plan_when_due(c, i);
		run_nic(c, i);
	}
}

// ---- counters

static void
count_nic(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	uint64_t now = sl_now(&c->clock);
	struct nic_job *job;
	uint32_t k;

	if (n->counting || now < n->count_ns || n->cap == 0 || c->nics[nic]->gone)
		return;
	n->count_ns = now + COUNT_NS;
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return;
	job->id = AHEAD_JOB;
	job->type = NIC_JOB_COUNT;
	job->counts = calloc(n->cap, sizeof(*job->counts));
	// Each look goes on where the one before it ended.
	for (k = 0; job->counts != NULL && k < n->cap && job->n_counts < COUNTS_AT_ONCE; k++) {
		const uint32_t i = n->count_at % n->cap;
		const struct ahead_live *l = &n->live[i];

		n->count_at = i + 1;
		if (l->used && l->state == AHEAD_IN)
			job->counts[job->n_counts++] =
				(struct nic_count){.id = i, .ethdev = l->ethdev, .flow = l->handle};
	}
	if (job->n_counts > 0 && nic_executor_put(c->nics[nic]->executor, job))
		n->counting = true;
	else
		nic_job_free(job);
}

static void
take_counts(struct control *c, struct ahead_nic *n, const struct nic_job *job)
{
	uint32_t i;

	n->counting = false;
	for (i = 0; i < job->n_counts; i++) {
		const struct nic_count *k = &job->counts[i];
		struct ahead_live *l = k->id < n->cap ? &n->live[k->id] : NULL;

		if (l != NULL && l->used && l->handle == k->flow && k->error == 0)
			carried(c, l, k->packets, k->bytes);
	}
}

// ---- queues of class rules

static bool
leads_there(const struct control *c, uint16_t nic, uint16_t port)
{
	const struct ahead_nic *n = &c->ahead->nic[nic];
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		if (n->live[i].used && n->live[i].group && n->live[i].port == port)
			return true;
	}
	return n->phase != AHEAD_IDLE;
}

// A queue is polled before a rule leads there, and until none has for a while.
static void
group_queues(struct control *c)
{
	uint64_t now = sl_now(&c->clock), groups;
	bool changed;
	uint16_t i;

	if (now < c->ahead->groups_ns || !c->running)
		return;
	c->ahead->groups_ns = now + GROUPS_NS;
	changed = class_groups_run(c);
	groups = class_rules_queues(c, leads_there);
	if (groups == c->ahead->groups ? !changed : publish(c, false) != 0)
		return;
	c->ahead->groups = groups;
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] == NULL || c->nics[i]->gone)
			continue;
		c->ahead->nic[i].stale = true;
		plan_when_due(c, i);
	}
}

void
ahead_run(struct control *c)
{
	uint16_t i;

	if (c->ahead == NULL)
		return;
	if (!c->ahead->planned)
		ahead_review(c);
	group_queues(c);
	for (i = 0; i < CONFIG_NICS_MAX; i++) {
		if (c->nics[i] == NULL || c->nics[i]->gone)
			continue;
		run_nic(c, i);
		count_nic(c, i);
	}
	redecide_when_changed(c);
}

// ---- answers

static void
take_answer(struct control *c, uint16_t nic, const struct nic_job *job)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	uint32_t index = job->id & ~AHEAD_JOB;
	struct ahead_live *l = index < n->cap ? &n->live[index] : NULL;

	if (l == NULL || !l->used)
		return; // the NIC was gone meanwhile
	n->outstanding--;
	n->changed |= job->outcome == OFFLOAD_OK;
	if (job->type == NIC_JOB_CREATE) {
		l->handle = job->flow;
		l->state = job->outcome == OFFLOAD_OK ? AHEAD_IN : AHEAD_WANTED;
		if (job->outcome != OFFLOAD_OK)
			ahead_failed(c, nic, l, job);
	} else {
		if (job->counted)
			carried(c, l, job->packets, job->bytes);
		l->state = AHEAD_IN;
		if (job->outcome == OFFLOAD_OK)
			free_live(n, l);
		else
			ahead_failed(c, nic, l, job);
	}
	if (!c->nics[nic]->gone)
		plan_when_due(c, nic);
}

void
ahead_answer(struct control *c, struct nic_job *job, uint16_t nic)
{
	if (job->type == NIC_JOB_COUNT)
		take_counts(c, &c->ahead->nic[nic], job);
	else
		take_answer(c, nic, job);
	nic_job_free(job);
	if (!c->nics[nic]->gone)
		run_nic(c, nic);
}

void
ahead_nic_gone(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = c->ahead != NULL ? &c->ahead->nic[nic] : NULL;

	if (n == NULL)
		return;
	if (n->cap > 0)
		memset(n->live, 0, n->cap * sizeof(*n->live));
	memset(n->serving, 0, sizeof(n->serving));
	class_groups_nic_gone(c, nic);
	n->phase = AHEAD_IDLE;
	n->outstanding = n->n_notes = 0;
	n->stale = n->counting = false;
}

// ---- for others

uint32_t
ahead_entries(const struct control *c, uint16_t nic)
{
	const struct ahead_nic *n = &c->ahead->nic[nic];
	uint32_t i, k = 0;

	for (i = 0; i < n->cap; i++)
		k += n->live[i].used && n->live[i].state != AHEAD_WANTED;
	return k;
}

uint32_t
ahead_pending(const struct control *c)
{
	uint32_t n = 0, i, k;

	for (i = 0; c->ahead != NULL && i < CONFIG_NICS_MAX; i++) {
		const struct ahead_nic *a = &c->ahead->nic[i];

		n += a->stale;
		for (k = 0; k < a->cap; k++)
			n += a->live[k].used && (a->live[k].state != AHEAD_IN || !a->live[k].kept);
	}
	return n;
}

uint32_t
ahead_table(const struct control *c, uint16_t nic, uint16_t port)
{
	const struct ahead_nic *n = c->ahead != NULL ? &c->ahead->nic[nic] : NULL;
	uint32_t i;

	for (i = 0; n != NULL && c->cfg->offload.vm_tables && i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (l->used && l->kept && l->state == AHEAD_IN && l->act.kind == AHEAD_JUMP &&
			l->port == port)
			return ahead_group(port);
	}
	return 0;
}
