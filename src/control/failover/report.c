// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "failover/carry.h"
#include "failover/internal.h"
#include "failover/restart.h"

bool
failover_drains(const struct control *c, uint16_t nic)
{
	const struct fo_pair *p = fo_pair_of(c, nic);

	return restart_drains(c, nic) || restart_waits(c, nic) ||
	       (p != NULL && p->phase == FO_DRAIN && p->nic[p->on] == nic);
}

bool
failover_rushes(const struct control *c)
{
	unsigned i;

	for (i = 0; c->failover != NULL && i < c->failover->n_pairs; i++) {
		if (c->failover->pair[i].rushing)
			return true;
	}
	return false;
}

uint16_t
failover_carrier(const struct control *c, uint16_t nic)
{
	const struct fo_pair *p = fo_pair_of(c, nic);

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

// What the operator can do.
static const char *
advice_on(const struct control *c, uint16_t nic, const struct failover_info *info)
{
	if (c->nics[nic]->gone)
		return "put the device back, then restart sluiced";
	if (info->next_try_s >= 0)
		return "see what the kernel and the driver log of it, reset it or its slot; "
		       "`nic restart` tries at once";
	if (info->state == FAILOVER_FAILED && fo_nic(c, nic)->by_command)
		return "`nic recover` takes it into use";
	if (info->state == FAILOVER_FAILED)
		return "see to its cable and what is at the other end; it is noticed when its link "
		       "is up";
	if (info->state == FAILOVER_RECOVERING && c->cfg->nics[nic].recover_ms == 0)
		return "`nic recover` gives it its ports back";
	return "";
}

void
failover_info(const struct control *c, uint16_t nic, struct failover_info *out)
{
	const struct fo_pair *p = fo_pair_of(c, nic);
	const bool gone = c->nics[nic]->gone, waits = !gone && restart_waits(c, nic);
	struct restart_wait wait = {.next_try_s = -1};

	if (waits)
		restart_wait_info(c, nic, &wait);
	*out = (struct failover_info){.role = "alone",
		.partner = -1,
		.state = gone || waits ? FAILOVER_FAILED : FAILOVER_ACTIVE,
		.why = gone    ? "the device is gone"
		       : waits ? wait.why
			       : "",
		.since_s =
			waits ? wait.since_s
			      : (double)(sl_now(&c->clock) - c->started_ns) / (double)SL_NS_PER_S,
		.next_try_s = p == NULL || !fo_nic(c, nic)->by_command ? wait.next_try_s : -1};
	out->advice = advice_on(c, nic, out);
	if (p == NULL)
		return;
	out->role = p->nic[0] == nic ? "primary" : "standby";
	out->partner = p->nic[p->nic[0] == nic];
	out->state = fo_nic(c, nic)->state;
	out->why = fo_nic(c, nic)->why;
	out->since_s = (double)(sl_now(&c->clock) - fo_nic(c, nic)->since_ns) / (double)SL_NS_PER_S;
	out->switches = p->switches;
	out->times = p->switches > 0 ? &p->times : NULL;
	out->flows = p->flows;
	out->busy = p->phase != FO_IDLE || p->rushing;
	out->advice = advice_on(c, nic, out);
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
