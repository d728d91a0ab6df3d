// SPDX-License-Identifier: BSD-3-Clause
#include "failover/failover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failover/evict.h"
#include "failover/internal.h"
#include "failover/restart.h"
#include "nic/nic.h"
#include "place/mover.h"

#define LOOK_NS (20 * SL_NS_PER_MS) // at links whose driver may not tell of changes

struct fo_pair *
fo_pair_of(const struct control *c, uint16_t nic)
{
	struct failover *f = c->failover;
	unsigned i;

	for (i = 0; f != NULL && i < f->n_pairs; i++) {
		if (f->pair[i].nic[0] == nic || f->pair[i].nic[1] == nic)
			return &f->pair[i];
	}
	return NULL;
}

struct fo_nic *
fo_nic(const struct control *c, uint16_t nic)
{
	return &c->failover->nic[nic];
}

void
fo_set_state(struct control *c, uint16_t nic, enum failover_state state)
{
	struct fo_nic *n = fo_nic(c, nic);

	if (n->state == state)
		return;
	n->state = state;
	n->since_ns = sl_now(&c->clock);
	if (state == FAILOVER_ACTIVE || state == FAILOVER_STANDBY)
		n->why[0] = '\0';
}

// ---- start and end

static int
add_pair(struct control *c, uint16_t primary, uint16_t standby, struct sl_err *err)
{
	struct fo_pair *p = &c->failover->pair[c->failover->n_pairs++];
	unsigned i;
	int rc;

	p->nic[0] = primary;
	p->nic[1] = standby;
	for (i = 0; i < 2; i++) {
		struct fo_nic *n = fo_nic(c, p->nic[i]);

		n->since_ns = sl_now(&c->clock);
		rc = watch_start(&n->watch, c->nics[p->nic[i]]->ports[0].ethdev, c->wake_fd);
		if (rc != 0)
			return sl_err_set(err, rc, NULL, "%s cannot be watched for failures: %s",
				c->nics[p->nic[i]]->name, strerror(-rc));
	}
	fo_nic(c, standby)->state = FAILOVER_STANDBY;
	nic_stop(c->nics[standby], true);
	offload_nic_standby(c->offload, standby);
	return 0;
}

int
failover_new(struct control *c, struct sl_err *err)
{
	uint16_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < c->cfg->n_nics; i++) {
		const int primary = config_primary_of(c->cfg, i);

		if (primary < 0)
			continue;
		if (c->failover == NULL) {
			c->failover = calloc(1, sizeof(*c->failover));
			if (c->failover == NULL || evict_new(&c->evict) != 0)
				return sl_err_set(err, ENOMEM, NULL, "out of memory");
		}
		rc = add_pair(c, (uint16_t)primary, i, err);
	}
	return rc;
}

void
failover_fini(struct control *c)
{
	unsigned i, k;

	for (i = 0; c->failover != NULL && i < c->failover->n_pairs; i++) {
		for (k = 0; k < 2; k++)
			watch_stop(&fo_nic(c, c->failover->pair[i].nic[k])->watch);
	}
	free(c->failover);
	c->failover = NULL;
	restart_fini(c);
	evict_free(c->evict);
	c->evict = NULL;
}

// ---- who has failed

void
fo_failed(struct control *c, uint16_t nic, const char *why)
{
	struct fo_nic *n = fo_nic(c, nic);
	struct fo_pair *p = fo_pair_of(c, nic);

	if (n->state == FAILOVER_FAILED)
		return;
	fo_set_state(c, nic, FAILOVER_FAILED);
	snprintf(n->why, sizeof(n->why), "%s", why);
	if (p->nic[p->on] == nic) {
		p->told_ns = n->told_ns != 0 ? n->told_ns : sl_now(&c->clock);
		p->retry_ns = 0; // whatever was tried before: now it is needed
	}
	sl_log(c->log, SL_LOG_ERR, "%s failed: %s", c->nics[nic]->name, why);
}

bool
failover_gone(struct control *c, uint16_t nic, const char *text)
{
	char why[96];

	if (fo_pair_of(c, nic) == NULL)
		return false;
	snprintf(why, sizeof(why), "the device is gone (%.70s)", text);
	fo_failed(c, nic, why);
	evict_ahead(c, nic);
	return true;
}

static void
judge_link(struct control *c, uint16_t nic, bool up, uint64_t now)
{
	struct fo_nic *n = fo_nic(c, nic);
	const struct fo_pair *p = fo_pair_of(c, nic);

	if (up && !n->up)
		n->up_ns = now;
	n->up = up;
	n->was_up |= up;
	if (up)
		n->up_by_ns = 0;
	if (!up && n->was_up && n->state == FAILOVER_ACTIVE)
		fo_failed(c, nic, "its link is down");
	else if (!up && n->up_by_ns != 0 && now >= n->up_by_ns && n->state == FAILOVER_ACTIVE)
		fo_failed(c, nic, "its link did not come up");
	else if (!up && n->state == FAILOVER_RECOVERING)
		fo_failed(c, nic, "its link is down again");
	else if (up && n->state == FAILOVER_FAILED && !n->by_command && p->phase == FO_IDLE) {
		// With nowhere else to be there is nothing to wait for.
		fo_set_state(c, nic, p->nic[p->on] == nic ? FAILOVER_ACTIVE : FAILOVER_RECOVERING);
		sl_log(c->log, SL_LOG_INFO, "%s: its link is back", c->nics[nic]->name);
	}
}

static void
look_at(struct control *c, uint16_t nic, bool due, uint64_t now)
{
	struct fo_nic *n = fo_nic(c, nic);
	struct nic *dev = c->nics[nic];
	bool removed, heard;

	n->told_ns = watch_told(&n->watch);
	heard = watch_heard(&n->watch, &removed);

	if (removed)
		mover_nic_gone(c, dev, "its driver says so");
	if (!dev->gone && dev->ports[0].running && (heard || due))
		judge_link(c, nic, watch_link(&n->watch), now);
	n->told_ns = 0;
}

void
failover_run(struct control *c)
{
	struct failover *f = c->failover;
	uint64_t now;
	bool due;
	unsigned i, k;

	restart_run(c);
	if (f == NULL)
		return;
	now = sl_now(&c->clock);
	due = now >= f->next_look_ns;
	if (due)
		f->next_look_ns = now + LOOK_NS;
	for (i = 0; i < f->n_pairs; i++) {
		struct fo_pair *p = &f->pair[i];

		for (k = 0; k < 2; k++)
			look_at(c, p->nic[k], due, now);
		fo_run_pair(c, p, now);
	}
}
