// SPDX-License-Identifier: BSD-3-Clause
// What follows from a driver's refusals: each of them leads to another plan, a pause or both, so
// that the same is never asked again at once.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "place/ahead_internal.h"
#include "place/mover.h"

#define RETRY_NS (1 * SL_NS_PER_S)   // after a failure that passes
#define ROOM_NS (10 * SL_NS_PER_S)   // a full table is asked for more
#define SHAPE_NS (600 * SL_NS_PER_S) // a shape is tried again; twice that the next time
#define EXACT_NS (60 * SL_NS_PER_S)  // the same of one rule
#define PAUSE_MAX_NS (3600 * SL_NS_PER_S)
#define TRIES 3 // of one rule

const struct ahead_refusal *
ahead_refusal_of(const struct ahead_nic *n, uint32_t shape)
{
	uint32_t i;

	for (i = 0; i < n->n_refused; i++)
		if (n->refused[i].shape == shape)
			return &n->refused[i];
	return NULL;
}

uint32_t
ahead_exact(uint16_t vport, const struct flow_match *match, const struct ahead_act *act, bool group)
{
	const uint64_t w[] = {vport, act->kind, act->port, group, group ? 0 : act->vlan,
		group ? 0 : act->vlan_op, (uint64_t)match->sport.lo << 16 | match->sport.hi,
		(uint64_t)match->dport.lo << 16 | match->dport.hi,
		sl_hash_bytes(&match->key, sizeof(match->key), 1),
		sl_hash_bytes(&match->mask, sizeof(match->mask), 2)};

	return (uint32_t)sl_hash_words(w, sizeof(w) / sizeof(w[0]), 0) | 1;
}

// Rules that are in, of the plan or not.
static uint32_t
count_in(const struct ahead_nic *n, bool kept, bool group)
{
	uint32_t i, k = 0;

	for (i = 0; i < n->cap; i++)
		k += n->live[i].used && n->live[i].state == AHEAD_IN && n->live[i].kept == kept &&
		     n->live[i].group == group;
	return k;
}

static void
remember(struct control *c, uint16_t nic, const struct ahead_live *l, uint32_t shape,
	uint64_t pause_ns, const char *text)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	struct ahead_refusal *r = (struct ahead_refusal *)(uintptr_t)ahead_refusal_of(n, shape);
	uint64_t now = sl_now(&c->clock);
	struct translate_rule rule;
	char words[256];

	if (r != NULL && r->active)
		return; // others of its kind were on their way
	if (r == NULL) {
		r = &n->refused[n->refused_at];
		n->refused_at = (n->refused_at + 1) % AHEAD_REFUSED_MAX;
		if (n->n_refused < AHEAD_REFUSED_MAX)
			n->n_refused++;
		if (r->active)
			n->retry_ns = now + RETRY_NS; // what is forgotten is asked for again
		*r = (struct ahead_refusal){.shape = shape, .pause_ns = pause_ns};
		ahead_rule_of(c, nic, l, &rule);
		translate_format(&rule, words, sizeof(words));
		sl_log(c->log, SL_LOG_INFO, "%s does not take %s \"%s\": %s", c->nics[nic]->name,
			pause_ns == SHAPE_NS ? "rules like" : "the rule", words, text);
	} else if (r->pause_ns < PAUSE_MAX_NS) {
		r->pause_ns *= 2;
	}
	r->active = true;
	r->until_ns = now + r->pause_ns;
	snprintf(r->text, sizeof(r->text), "%s", text);
}

// Old rules go first: what they decided is the host's then. False: that was done, or there are
// none.
static bool
sweep(struct ahead_nic *n)
{
	if (n->swept || count_in(n, false, false) + count_in(n, false, true) == 0)
		return false;
	n->swept = true;
	n->phase = AHEAD_UNMAKE;
	return true;
}

static void
no_room(struct control *c, struct ahead_nic *n, const struct ahead_live *l)
{
	uint64_t now = sl_now(&c->clock);

	if (n->stale || n->phase == AHEAD_UNMAKE || sweep(n))
		return; // or one before it said so
	if (l->group) {
		n->class_room = count_in(n, true, true);
		n->class_room_ns = now;
	} else if (l->level >= AHEAD_MISS_LEVEL) {
		n->flat_ns[l->vport] = now + ROOM_NS;
	} else {
		n->room = count_in(n, true, false);
		n->room_ns = now;
	}
	n->stale = true;
}

// Is a rule that goes in the way of one that comes, by its match?
static bool
in_its_way(const struct ahead_nic *n, const struct ahead_live *l)
{
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *o = &n->live[i];

		if (o->used && !o->kept && o->state == AHEAD_IN && o->vport == l->vport &&
			o->group == l->group && o->table == l->table &&
			flow_match_equal(&o->match, &l->match))
			return true;
	}
	return false;
}

static void
not_made(struct control *c, uint16_t nic, struct ahead_live *l, const struct nic_job *job)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	struct translate_rule rule;

	// Some drivers take no second rule of the same match, whatever it does.
	if ((job->error == EEXIST || job->error == EXDEV) && in_its_way(n, l) &&
		(n->phase == AHEAD_UNMAKE || sweep(n)))
		return;
	switch (job->outcome) {
	case OFFLOAD_UNSUPPORTED:
		ahead_rule_of(c, nic, l, &rule);
		remember(c, nic, l, translate_ahead_shape(&rule), SHAPE_NS, job->text);
		n->stale = true;
		break;
	case OFFLOAD_FULL:
		no_room(c, n, l);
		break;
	default:
		if (++l->tries < TRIES) {
			n->retry_ns = sl_now(&c->clock) + RETRY_NS;
			break;
		}
		// The others do not wait for it.
		remember(c, nic, l, ahead_exact(l->vport, &l->match, &l->act, l->group), EXACT_NS,
			job->text);
		n->stale = true;
	}
}

void
ahead_failed(struct control *c, uint16_t nic, struct ahead_live *l, const struct nic_job *job)
{
	if (job->outcome == OFFLOAD_GONE)
		mover_nic_gone(c, c->nics[nic], job->text);
	else if (job->type == NIC_JOB_CREATE)
		not_made(c, nic, l, job);
	else // it decides packets as long as it is there: those below it wait
		c->ahead->nic[nic].retry_ns = sl_now(&c->clock) + RETRY_NS;
}

static bool
over(uint64_t *until, uint64_t now)
{
	if (*until == 0 || now < *until)
		return false;
	*until = 0;
	return true;
}

bool
ahead_expired(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];
	uint64_t now = sl_now(&c->clock);
	bool due = false;
	uint32_t i;

	if (n->room != UINT32_MAX && now - n->room_ns >= ROOM_NS) {
		n->room = UINT32_MAX;
		due = true;
	}
	if (n->class_room != UINT32_MAX && now - n->class_room_ns >= ROOM_NS) {
		n->class_room = UINT32_MAX;
		due = true;
	}
	for (i = 0; i < DP_VPORTS_MAX; i++)
		due |= over(&n->flat_ns[i], now);
	for (i = 0; i < n->n_refused; i++) {
		if (!n->refused[i].active || now < n->refused[i].until_ns)
			continue;
		n->refused[i].active = false;
		due = true;
	}
	return due;
}
