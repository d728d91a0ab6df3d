// SPDX-License-Identifier: BSD-3-Clause
#include "failover/trial.h"

#include <errno.h>
#include <stdio.h>

#include "device/ports.h"
#include "failover/carry.h"
#include "failover/internal.h"
#include "nic/nic.h"
#include "publish.h"

void
trial_failed(struct control *c, uint16_t nic, const char *why)
{
	struct fo_nic *n;

	if (fo_pair_of(c, nic) == NULL)
		return;
	n = fo_nic(c, nic);
	n->up = n->was_up = false;
	n->up_by_ns = 0;
	fo_failed(c, nic, why);
}

bool
trial_may(const struct control *c, uint16_t nic)
{
	const struct fo_pair *p = fo_pair_of(c, nic);

	return p == NULL || (p->phase == FO_IDLE && !fo_nic(c, nic)->by_command);
}

bool
trial_carries(const struct control *c, uint16_t nic)
{
	const struct fo_pair *p = fo_pair_of(c, nic);

	return p == NULL || p->nic[p->on] == nic;
}

// Its PF is polled beside what carries the vports now, as that of a NIC that lost its link.
static int
poll_beside(struct control *c, struct fo_pair *p, struct sl_err *err)
{
	unsigned i;
	int rc = 0;

	p->on = !p->on; // carry_where() says this one for the moment
	for (i = 0; rc == 0 && i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = &c->vports[i];

		if (carry_is_of(v, p->nic[0]) && v->cfg.attach.kind == CONFIG_ATTACH_NIC)
			rc = ports_open_nic(c, v, &v->leaving, err);
	}
	p->on = !p->on;
	if (rc == 0 && publish(c, false) != 0)
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory");
	for (i = 0; rc != 0 && i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = &c->vports[i];

		if (!carry_is_of(v, p->nic[0]) || v->leaving == NULL)
			continue;
		ports_close_device(c, v->leaving); // no snapshot has it
		v->leaving = NULL;
	}
	return rc;
}

int
trial_beside(struct control *c, uint16_t nic, struct sl_err *err)
{
	struct fo_pair *p = fo_pair_of(c, nic);
	struct fo_nic *n = fo_nic(c, nic);
	const bool primary = p->nic[0] == nic;
	int rc = nic_start(c->nics[nic], err);

	if (rc != 0)
		return rc;
	nic_stop(c->nics[nic], !primary);
	if (!primary) {
		fo_set_state(c, nic, FAILOVER_STANDBY);
		return 0;
	}
	rc = poll_beside(c, p, err);
	if (rc != 0) {
		nic_stop(c->nics[nic], true);
		return rc;
	}
	snprintf(n->why, sizeof(n->why), "%s",
		watch_link(&n->watch) ? "it had not started again" : "its link is down");
	return 0;
}

void
trial_works(struct control *c, uint16_t nic)
{
	if (fo_pair_of(c, nic) == NULL)
		return;
	fo_expect_link(c, nic);
	fo_set_state(c, nic, FAILOVER_ACTIVE);
}
