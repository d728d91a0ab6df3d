// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "failover/internal.h"
#include "failover/restart.h"
#include "nic/nic.h"

static struct fo_pair *
commanded(struct control *c, uint16_t nic, struct sl_err *err)
{
	struct fo_pair *p = fo_pair_of(c, nic);

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
	if (p->nic[p->on] == nic && !fo_usable(c, p->nic[!p->on]))
		return sl_err_set(err, EBUSY, "nic", "%s cannot take over: it is %s (%s)",
			c->nics[p->nic[!p->on]]->name,
			failover_state_name(fo_nic(c, p->nic[!p->on])->state),
			fo_nic(c, p->nic[!p->on])->why);
	fo_nic(c, nic)->by_command = true;
	fo_failed(c, nic, "by command");
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
	if (restart_waits(c, nic)) {
		int rc = restart_try(c, nic, err);

		if (rc != 0)
			return rc;
		n->by_command = false; // it comes when its link is up
		if (n->state == FAILOVER_ACTIVE || n->state == FAILOVER_STANDBY)
			return 0;
	}
	if (c->nics[nic]->ports[0].running && !watch_link(&n->watch))
		return sl_err_set(err, EBUSY, "nic", "the link of %s is down", c->nics[nic]->name);
	n->by_command = false;
	p->retry_ns = 0;
	// A primary takes back what is its own; a standby may be polled still, and stands by then.
	fo_set_state(
		c, nic, p->nic[1] == nic && p->on == 0 ? FAILOVER_RECOVERING : FAILOVER_STANDBY);
	failover_run(c);
	return 0;
}
