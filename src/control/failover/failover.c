// SPDX-License-Identifier: BSD-3-Clause
#include "failover/failover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "failover/carry.h"
#include "failover/evict.h"
#include "failover/internal.h"
#include "failover/restart.h"
#include "nic/nic.h"
#include "place/ahead.h"
#include "place/mover.h"
#include "place/offload_run.h"

#define LOOK_NS (20 * SL_NS_PER_MS)    // at links whose driver may not tell of changes
#define DRAIN_NS (10 * SL_NS_PER_S)    // flows that have not left then are evicted
#define LEAVE_NS (500 * SL_NS_PER_MS)  // what is held then is lost by name
#define RUSH_LOW 128                   // orders under way: there is room for more
#define RETRY_NS (1000 * SL_NS_PER_MS) // after a standby that did not start
#define PAUSE_NS (64 * SL_NS_PER_S)    // at most, after a NIC that was not taken back
#define UP_NS (10 * SL_NS_PER_S)       // a link that is not up so long after a switch-over is down

static struct fo_pair *
pair_of(const struct control *c, uint16_t nic)
{
	struct failover *f = c->failover;
	unsigned i;

	for (i = 0; f != NULL && i < f->n_pairs; i++) {
		if (f->pair[i].nic[0] == nic || f->pair[i].nic[1] == nic)
			return &f->pair[i];
	}
	return NULL;
}

static struct fo_nic *
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

static void
failed(struct control *c, uint16_t nic, const char *why)
{
	struct fo_nic *n = fo_nic(c, nic);
	struct fo_pair *p = pair_of(c, nic);

	if (n->state == FAILOVER_FAILED)
		return;
	fo_set_state(c, nic, FAILOVER_FAILED);
	snprintf(n->why, sizeof(n->why), "%s", why);
	if (p->nic[p->on] == nic) {
		p->heard_ns = sl_now(&c->clock);
		p->retry_ns = 0; // whatever was tried before: now it is needed
	}
	sl_log(c->log, SL_LOG_ERR, "%s failed: %s", c->nics[nic]->name, why);
}

bool
failover_gone(struct control *c, uint16_t nic, const char *text)
{
	char why[96];

	if (pair_of(c, nic) == NULL)
		return false;
	snprintf(why, sizeof(why), "the device is gone (%.70s)", text);
	failed(c, nic, why);
	evict_ahead(c, nic);
	return true;
}

static void
judge_link(struct control *c, uint16_t nic, bool up, uint64_t now)
{
	struct fo_nic *n = fo_nic(c, nic);
	const struct fo_pair *p = pair_of(c, nic);

	if (up && !n->up)
		n->up_ns = now;
	n->up = up;
	n->was_up |= up;
	if (up)
		n->up_by_ns = 0;
	if (!up && n->was_up && n->state == FAILOVER_ACTIVE)
		failed(c, nic, "its link is down");
	else if (!up && n->up_by_ns != 0 && now >= n->up_by_ns && n->state == FAILOVER_ACTIVE)
		failed(c, nic, "its link did not come up");
	else if (!up && n->state == FAILOVER_RECOVERING)
		failed(c, nic, "its link is down again");
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
	bool removed, heard = watch_heard(&n->watch, &removed);

	if (removed)
		mover_nic_gone(c, dev, "its driver says so");
	if (!dev->gone && dev->ports[0].running && (heard || due))
		judge_link(c, nic, watch_link(&n->watch), now);
}

// ---- when to switch

static bool
usable(const struct control *c, uint16_t nic)
{
	const struct fo_nic *n = fo_nic(c, nic);

	return !c->nics[nic]->gone &&
	       (n->state == FAILOVER_STANDBY || n->state == FAILOVER_RECOVERING);
}

// Where nothing has failed there is time: the pause is twice as long each time.
static void
not_switched(struct control *c, struct fo_pair *p, const struct sl_err *err)
{
	const uint16_t from = p->nic[p->on], to = p->nic[!p->on];

	if (p->planned)
		p->pause_ns = p->pause_ns == 0 ? RETRY_NS : RTE_MIN(2 * p->pause_ns, PAUSE_NS);
	p->retry_ns = sl_now(&c->clock) + (p->planned ? p->pause_ns : RETRY_NS);
	sl_log(c->log, SL_LOG_ERR, "%s cannot take over from %s, next try in %d s: %s",
		c->nics[to]->name, c->nics[from]->name,
		(int)((p->planned ? p->pause_ns : RETRY_NS) / SL_NS_PER_S), err->text);
	p->phase = FO_IDLE;
	offload_nic_drain(c->offload, from, false);
	if (fo_nic(c, from)->state == FAILOVER_LEAVING)
		fo_set_state(c, from, FAILOVER_ACTIVE);
	ahead_review(c);
}

static void
switch_now(struct control *c, struct fo_pair *p, bool planned)
{
	const uint16_t from = p->nic[p->on], to = p->nic[!p->on];
	const uint64_t now = sl_now(&c->clock);
	struct sl_err err;

	sl_err_init(&err);
	p->planned = planned;
	p->from = p->on;
	if (!planned || p->begun_ns == 0)
		p->begun_ns = p->heard_ns != 0 && !planned ? p->heard_ns : now;
	if (fo_switch(c, p, &err) != 0) {
		not_switched(c, p, &err);
		return;
	}
	fo_nic(c, to)->was_up = fo_nic(c, to)->up = false;
	fo_nic(c, to)->up_by_ns = sl_now(&c->clock) + UP_NS;
	fo_set_state(c, to, FAILOVER_ACTIVE);
	p->switches++;
	p->retargeted_us = 0;
	p->pause_ns = 0;
	p->rushing = true;
	p->phase = FO_LEAVE;
	p->deadline_ns = sl_now(&c->clock) + LEAVE_NS;
	sl_log(c->log, SL_LOG_WARN,
		"%s has the ports and VFs of %s (%" PRIu64 " us), %u flows follow",
		c->nics[to]->name, c->nics[from]->name, p->took_us, p->flows);
	ahead_review(c);
	offload_run_tick(c);
}

// A NIC that did not start when it was last wanted shows first that it does: the one that carries
// is not drained for it once more.
static int
starts_again(struct control *c, const struct fo_pair *p, struct sl_err *err)
{
	struct nic *to = c->nics[p->nic[!p->on]];
	const bool pf_ran = to->ports[0].running;
	int rc;

	if (p->pause_ns == 0)
		return 0;
	rc = nic_start(to, err);
	nic_stop(to, !pf_ran);
	return rc;
}

static void
begin_planned(struct control *c, struct fo_pair *p)
{
	const uint16_t from = p->nic[p->on];
	struct sl_err err;

	sl_err_init(&err);
	p->planned = true;
	if (starts_again(c, p, &err) != 0) {
		not_switched(c, p, &err);
		return;
	}
	p->phase = FO_DRAIN;
	p->begun_ns = sl_now(&c->clock);
	p->deadline_ns = p->begun_ns + DRAIN_NS;
	if (fo_nic(c, from)->state == FAILOVER_ACTIVE)
		fo_set_state(c, from, FAILOVER_LEAVING);
	offload_nic_drain(c->offload, from, true);
	ahead_review(c);
}

static void
run_idle(struct control *c, struct fo_pair *p, uint64_t now)
{
	const uint16_t on = p->nic[p->on], other = p->nic[!p->on];
	const struct fo_nic *o = fo_nic(c, other);
	const uint32_t recover_ms = c->cfg->nics[other].recover_ms;

	if (now < p->retry_ns || (restart_drains(c, on) && fo_nic(c, on)->state != FAILOVER_FAILED))
		return;
	if (fo_nic(c, on)->state == FAILOVER_FAILED && usable(c, other)) {
		if (fo_nic(c, on)->by_command && !c->nics[on]->gone && fo_nic(c, on)->up)
			begin_planned(c, p);
		else
			switch_now(c, p, false);
	} else if (p->on == 1 && o->state == FAILOVER_RECOVERING && recover_ms > 0 &&
		   now - o->up_ns >= recover_ms * SL_NS_PER_MS) {
		begin_planned(c, p);
	} else if (p->on == 1 && o->state == FAILOVER_STANDBY) { // a command took it back
		begin_planned(c, p);
	} else if (p->on == 0 && o->state == FAILOVER_RECOVERING) {
		nic_stop(c->nics[other], true); // a standby that has recovered stands by
		fo_set_state(c, other, FAILOVER_STANDBY);
	}
}

static void
run_drain(struct control *c, struct fo_pair *p, uint64_t now)
{
	const uint16_t from = p->nic[p->on], to = p->nic[!p->on];

	if (!usable(c, to)) { // it failed meanwhile
		offload_nic_drain(c->offload, from, false);
		if (fo_nic(c, from)->state == FAILOVER_LEAVING)
			fo_set_state(c, from, FAILOVER_ACTIVE);
		p->phase = FO_IDLE;
		ahead_review(c);
	} else if (c->nics[from]->gone || !watch_link(&fo_nic(c, from)->watch)) {
		failed(c, from, "its link is down");
		switch_now(c, p, false);
	} else if ((offload_nic_empty(c->offload, from) && evict_left(c, from) == 0 &&
			   (c->ahead == NULL || ahead_entries(c, from) == 0)) ||
		   now >= p->deadline_ns) {
		switch_now(c, p, true);
	}
}

static void
run_leave(struct control *c, struct fo_pair *p, uint64_t now)
{
	const uint16_t left = p->nic[p->from];

	if ((p->rushing && now < p->deadline_ns) ||
		!fo_leave(c, p, now >= p->deadline_ns + LEAVE_NS))
		return;
	if (fo_nic(c, left)->state == FAILOVER_LEAVING)
		fo_set_state(c, left, FAILOVER_STANDBY);
	p->phase = FO_IDLE;
	p->begun_ns = p->heard_ns = 0;
}

static void
run_rush(struct control *c, struct fo_pair *p, uint64_t now)
{
	const uint16_t on = p->nic[p->on];

	if (!p->rushing)
		return;
	if (offload_nic_rush(c->offload, on) > 0)
		return;
	p->rushing = false;
	p->retargeted_us = (now - p->begun_ns) / 1000;
	sl_log(c->log, SL_LOG_INFO, "%s has the rules of %u flows, %" PRIu64 " us after %s",
		c->nics[on]->name, p->flows, p->retargeted_us,
		p->planned ? "the order" : "the failure");
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
		if (p->rushing && mover_pending(c) < RUSH_LOW)
			offload_run_tick(c); // not only when it is time: the next ones
		run_rush(c, p, now);
		if (p->phase == FO_IDLE)
			run_idle(c, p, now);
		else if (p->phase == FO_DRAIN)
			run_drain(c, p, now);
		else
			run_leave(c, p, now);
		// Not while the rules that are wanted go the other way, unless that takes long.
		if (!p->rushing || now >= p->deadline_ns)
			evict_run(c);
	}
}

// ---- what people see, and say

bool
failover_drains(const struct control *c, uint16_t nic)
{
	const struct fo_pair *p = pair_of(c, nic);

	return restart_drains(c, nic) ||
	       (p != NULL && p->phase == FO_DRAIN && p->nic[p->on] == nic);
}

uint16_t
failover_carrier(const struct control *c, uint16_t nic)
{
	const struct fo_pair *p = pair_of(c, nic);

	return p != NULL && p->nic[0] == nic ? p->nic[p->on] : nic;
}

const char *
failover_state_name(enum failover_state s)
{
	static const char *const names[] = {[FAILOVER_ACTIVE] = "active",
		[FAILOVER_STANDBY] = "standby",
		[FAILOVER_FAILED] = "failed",
		[FAILOVER_RECOVERING] = "recovering",
		[FAILOVER_LEAVING] = "leaving"};

	return names[s];
}

void
failover_info(const struct control *c, uint16_t nic, struct failover_info *out)
{
	const struct fo_pair *p = pair_of(c, nic);
	const bool gone = c->nics[nic]->gone;

	*out = (struct failover_info){.role = "alone",
		.partner = -1,
		.state = gone ? FAILOVER_FAILED : FAILOVER_ACTIVE,
		.why = gone ? "the device is gone" : "",
		.since_s = (double)(sl_now(&c->clock) - c->started_ns) / (double)SL_NS_PER_S};
	if (p == NULL)
		return;
	out->role = p->nic[0] == nic ? "primary" : "standby";
	out->partner = p->nic[p->nic[0] == nic];
	out->state = fo_nic(c, nic)->state;
	out->why = fo_nic(c, nic)->why;
	out->since_s = (double)(sl_now(&c->clock) - fo_nic(c, nic)->since_ns) / (double)SL_NS_PER_S;
	out->switches = p->switches;
	out->took_us = p->took_us;
	out->retargeted_us = p->retargeted_us;
	out->flows = p->flows;
	out->busy = p->phase != FO_IDLE || p->rushing;
}

void
failover_note(const struct control *c, uint16_t vport, char *buf, size_t len)
{
	const struct control_vport *v = vport < DP_VPORTS_MAX ? &c->vports[vport] : NULL;
	const struct fo_nic *n;
	char where[64];

	buf[0] = '\0';
	if (c->failover == NULL || v == NULL || v->cfg.attach.nic >= CONFIG_NICS_MAX ||
		!carry_is_of(v, v->cfg.attach.nic) ||
		failover_carrier(c, v->cfg.attach.nic) == v->cfg.attach.nic)
		return;
	n = fo_nic(c, v->cfg.attach.nic);
	carry_text(c, v, where, sizeof(where));
	snprintf(buf, len, "%s %s %.1f s ago (%s): re-targeted to %s",
		c->nics[v->cfg.attach.nic]->name,
		n->state == FAILOVER_RECOVERING ? "came back" : "failed",
		(double)(sl_now(&c->clock) - n->since_ns) / (double)SL_NS_PER_S,
		n->why[0] != '\0' ? n->why : "its rules are on their way back", where);
}

static struct fo_pair *
commanded(struct control *c, uint16_t nic, struct sl_err *err)
{
	struct fo_pair *p = pair_of(c, nic);

	if (p == NULL)
		sl_err_set(err, EINVAL, "nic",
			"%s has no standby (see /nics/N/standby_for), and stands by for none",
			c->nics[nic]->name);
	else if (p->phase != FO_IDLE || p->rushing || restart_drains(c, p->nic[p->on]))
		sl_err_set(err, EBUSY, "nic", "a switch-over or restart of %s and %s is under way",
			c->nics[p->nic[0]]->name, c->nics[p->nic[1]]->name);
	else
		return p;
	return NULL;
}

int
failover_fail(struct control *c, uint16_t nic, struct sl_err *err)
{
	struct fo_pair *p = commanded(c, nic, err);

	if (p == NULL)
		return err->code;
	if (fo_nic(c, nic)->by_command)
		return sl_err_set(
			err, EALREADY, "nic", "%s was taken out already", c->nics[nic]->name);
	if (p->nic[p->on] == nic && !usable(c, p->nic[!p->on]))
		return sl_err_set(err, EBUSY, "nic", "%s cannot take over: it is %s (%s)",
			c->nics[p->nic[!p->on]]->name,
			failover_state_name(fo_nic(c, p->nic[!p->on])->state),
			fo_nic(c, p->nic[!p->on])->why);
	fo_nic(c, nic)->by_command = true;
	failed(c, nic, "by command");
	failover_run(c);
	return 0;
}

int
failover_recover(struct control *c, uint16_t nic, struct sl_err *err)
{
	struct fo_pair *p = commanded(c, nic, err);
	struct fo_nic *n;

	if (p == NULL)
		return err->code;
	n = fo_nic(c, nic);
	if (c->nics[nic]->gone)
		return sl_err_set(err, ENODEV, "nic", "%s is gone: it comes back at a restart only",
			c->nics[nic]->name);
	if (n->state == FAILOVER_ACTIVE || n->state == FAILOVER_STANDBY)
		return sl_err_set(err, EALREADY, "nic", "%s is %s", c->nics[nic]->name,
			failover_state_name(n->state));
	if (c->nics[nic]->ports[0].running && !watch_link(&n->watch))
		return sl_err_set(err, EBUSY, "nic", "the link of %s is down", c->nics[nic]->name);
	n->by_command = false;
	p->retry_ns = 0;
	fo_set_state(c, nic, FAILOVER_STANDBY); // a primary takes back what is its own
	failover_run(c);
	return 0;
}
