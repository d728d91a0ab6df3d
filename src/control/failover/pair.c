// SPDX-License-Identifier: BSD-3-Clause
#include <rte_common.h>

#include "failover/evict.h"
#include "failover/internal.h"
#include "failover/restart.h"
#include "nic/nic.h"
#include "place/ahead.h"
#include "place/mover.h"
#include "place/offload_run.h"

// When a pair switches over, and what follows step by step.

#define DRAIN_NS (10 * SL_NS_PER_S)    // flows that have not left then are evicted
#define LEAVE_NS (500 * SL_NS_PER_MS)  // what is held then is lost by name
#define RUSH_LOW 257                   // orders under way: there is room for more
#define RETRY_NS (1000 * SL_NS_PER_MS) // after a standby that did not start
#define PAUSE_NS (64 * SL_NS_PER_S)    // at most, after a NIC that was not taken back
#define UP_NS (10 * SL_NS_PER_S)       // a link that is not up so long after a switch-over is down

bool
fo_usable(const struct control *c, uint16_t nic)
{
	const struct fo_nic *n = fo_nic(c, nic);

	return !c->nics[nic]->gone &&
	       (n->state == FAILOVER_STANDBY || n->state == FAILOVER_RECOVERING);
}

void
fo_expect_link(struct control *c, uint16_t nic)
{
	struct fo_nic *n = fo_nic(c, nic);

	n->was_up = n->up = false;
	n->up_by_ns = sl_now(&c->clock) + UP_NS;
}

uint64_t
fo_pause(uint64_t pause_ns)
{
	return pause_ns == 0 ? RETRY_NS : RTE_MIN(2 * pause_ns, PAUSE_NS);
}

// Where nothing has failed there is time: the pause is twice as long each time.
static void
not_switched(struct control *c, struct fo_pair *p, const struct sl_err *err)
{
	const uint16_t from = p->nic[p->on], to = p->nic[!p->on];

	if (p->planned)
		p->pause_ns = fo_pause(p->pause_ns);
	p->retry_ns = sl_now(&c->clock) + (p->planned ? p->pause_ns : RETRY_NS);
	sl_log(c->log, SL_LOG_ERR, "%s cannot take over from %s, next try in %d s: %s",
		c->nics[to]->name, c->nics[from]->name,
		(int)((p->planned ? p->pause_ns : RETRY_NS) / SL_NS_PER_S), err->text);
	p->phase = FO_IDLE;
	offload_nic_drain(c->offload, from, restart_waits(c, from));
	if (fo_nic(c, from)->state == FAILOVER_LEAVING)
		fo_set_state(c, from, FAILOVER_ACTIVE);
	ahead_review(c);
}

static void
switch_now(struct control *c, struct fo_pair *p, bool planned)
{
	const uint16_t from = p->nic[p->on], to = p->nic[!p->on];
	struct sl_err err;

	sl_err_init(&err);
	p->planned = planned;
	p->from = p->on;
	if (!planned)
		timeline_begin(c, &p->times, p->told_ns, to);
	if (fo_switch(c, p, &err) != 0) {
		not_switched(c, p, &err);
		return;
	}
	fo_expect_link(c, to);
	fo_set_state(c, to, FAILOVER_ACTIVE);
	p->switches++;
	p->pause_ns = 0;
	p->rushing = true;
	p->phase = FO_LEAVE;
	p->deadline_ns = sl_now(&c->clock) + LEAVE_NS;
	sl_log(c->log, SL_LOG_WARN, "%s has the ports and VFs of %s (%u us), %u flows follow",
		c->nics[to]->name, c->nics[from]->name, p->times.at_us[TIMELINE_PORTS], p->flows);
	ahead_review(c);
	offload_run_tick(c);
	timeline_mark(c, &p->times, TIMELINE_FIRST);
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
	timeline_begin(c, &p->times, 0, p->nic[!p->on]);
	p->deadline_ns = sl_now(&c->clock) + DRAIN_NS;
	if (fo_nic(c, from)->state == FAILOVER_ACTIVE)
		fo_set_state(c, from, FAILOVER_LEAVING);
	offload_nic_drain(c->offload, from, true);
	ahead_review(c);
}

// A standby that has recovered stands by. While its link was down its PF ran on, polled by workers:
// they let go of it before it stops.
static void
stand_by(struct control *c, struct fo_pair *p, uint64_t now)
{
	p->from = !p->on;
	p->planned = true;
	p->link_down = false;
	p->rules_left = 0;
	p->fewer_ns = now;
	p->phase = FO_LEAVE;
	p->deadline_ns = now + LEAVE_NS;
	fo_set_state(c, p->nic[p->from], FAILOVER_LEAVING);
}

static void
run_idle(struct control *c, struct fo_pair *p, uint64_t now)
{
	const uint16_t on = p->nic[p->on], other = p->nic[!p->on];
	const struct fo_nic *o = fo_nic(c, other);
	const uint32_t recover_ms = c->cfg->nics[other].recover_ms;

	if (now < p->retry_ns || (restart_drains(c, on) && fo_nic(c, on)->state != FAILOVER_FAILED))
		return;
	if (fo_nic(c, on)->state == FAILOVER_FAILED && fo_usable(c, other)) {
		if (fo_nic(c, on)->by_command && !c->nics[on]->gone && fo_nic(c, on)->up)
			begin_planned(c, p);
		else
			switch_now(c, p, false);
	} else if (p->on == 1 && o->state == FAILOVER_RECOVERING && recover_ms > 0 &&
		   now - o->up_ns >= recover_ms * SL_NS_PER_MS) {
		begin_planned(c, p);
	} else if (p->on == 1 && o->state == FAILOVER_STANDBY) { // a command took it back
		begin_planned(c, p);
	} else if (p->on == 0 && o->state == FAILOVER_RECOVERING && !p->rushing) {
		stand_by(c, p, now);
	}
}

static void
run_drain(struct control *c, struct fo_pair *p, uint64_t now)
{
	const uint16_t from = p->nic[p->on], to = p->nic[!p->on];

	if (!fo_usable(c, to)) { // it failed meanwhile
		offload_nic_drain(c->offload, from, false);
		if (fo_nic(c, from)->state == FAILOVER_LEAVING)
			fo_set_state(c, from, FAILOVER_ACTIVE);
		p->phase = FO_IDLE;
		ahead_review(c);
	} else if (c->nics[from]->gone || !watch_link(&fo_nic(c, from)->watch)) {
		fo_failed(c, from, "its link is down");
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
	p->told_ns = 0;
}

static void
run_rush(struct control *c, struct fo_pair *p)
{
	const uint16_t on = p->nic[p->on];

	if (!p->rushing)
		return;
	if (offload_nic_rush(c->offload, on) > 0)
		return;
	p->rushing = false;
	timeline_end(c, &p->times, on);
	sl_log(c->log, SL_LOG_INFO, "%s has the rules of %u flows, %u us after %s",
		c->nics[on]->name, p->flows, p->times.at_us[TIMELINE_LAST],
		p->planned ? "the order" : "the failure");
}

void
fo_run_pair(struct control *c, struct fo_pair *p, uint64_t now)
{
	if (p->rushing && mover_pending(c) < RUSH_LOW)
		offload_run_tick(c); // not only when it is time: the next ones
	run_rush(c, p);
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
