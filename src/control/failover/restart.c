// SPDX-License-Identifier: BSD-3-Clause
#include "failover/restart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/ports.h"
#include "failover/carry.h"
#include "failover/internal.h"
#include "failover/trial.h"
#include "nic/nic.h"
#include "orders.h"
#include "place/ahead.h"
#include "publish.h"

#define DRAIN_NS (10 * SL_NS_PER_S)
#define SETTLE_NS (20 * SL_NS_PER_MS) // what is on its way out by its ports

struct restart {
	struct {
		bool drains;
		uint64_t deadline_ns;
		struct sl_err err; // of the last one
		bool waits;        // it did not start, and is tried again
		char why[96];
		uint64_t since_ns, pause_ns, next_ns;
	} nic[CONFIG_NICS_MAX];
};

// A port while it is closed: its queues go on with their workers.
struct stopped {
	uint16_t vport;
	struct dp_port *old; // NULL: it did not start again the last time
	uint8_t rxq_worker[DP_QUEUES_MAX];
	bool rxq_pinned[DP_QUEUES_MAX];
};

int
restart_begin(struct control *c, uint16_t nic, struct sl_err *err)
{
	struct failover_info info;

	failover_info(c, nic, &info);
	if (c->nics[nic]->gone)
		return sl_err_set(err, ENODEV, "nic", "%s is gone: it comes back at a restart only",
			c->nics[nic]->name);
	if (info.busy || restart_drains(c, nic))
		return sl_err_set(err, EBUSY, "nic", "%s is being switched over, or restarted",
			c->nics[nic]->name);
	if (restart_waits(c, nic) && trial_may(c, nic)) {
		sl_err_init(&c->restart->nic[nic].err);
		return restart_try(c, nic, err);
	}
	if (info.state != FAILOVER_ACTIVE)
		return sl_err_set(err, EBUSY, "nic",
			"%s is %s: only a NIC that carries its ports can be restarted",
			c->nics[nic]->name, failover_state_name(info.state));
	if (c->restart == NULL)
		c->restart = calloc(1, sizeof(*c->restart));
	if (c->restart == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	c->restart->nic[nic].drains = true;
	c->restart->nic[nic].deadline_ns = sl_now(&c->clock) + DRAIN_NS;
	sl_err_init(&c->restart->nic[nic].err);
	offload_nic_drain(c->offload, nic, true);
	ahead_review(c);
	return 0;
}

bool
restart_drains(const struct control *c, uint16_t nic)
{
	return c->restart != NULL && c->restart->nic[nic].drains;
}

int
restart_result(const struct control *c, uint16_t nic, struct sl_err *err)
{
	if (restart_drains(c, nic))
		return -EINPROGRESS;
	*err = c->restart->nic[nic].err;
	return err->code;
}

void
restart_fini(struct control *c)
{
	free(c->restart);
	c->restart = NULL;
}

static bool
sent_all(const struct stopped *s, unsigned n)
{
	unsigned i, q;

	for (i = 0; i < n; i++) {
		struct dp_port *port = s[i].old;

		for (q = 0; port != NULL && q < port->n_txq; q++) {
			if (port->ops->tx_idle != NULL && !port->ops->tx_idle(port, (uint16_t)q))
				return false;
		}
	}
	return true;
}

static void
settle(struct control *c, const struct stopped *s, unsigned n)
{
	const uint64_t end = sl_now(&c->clock) + SETTLE_NS;

	if (!c->running)
		return;
	// Twice: what one worker handed to another before the first is sent by the second.
	orders_sync(c);
	orders_sync(c);
	while (!sent_all(s, n) && sl_now(&c->clock) < end)
		orders_nap();
}

static int
open_again(struct control *c, const struct stopped *s, unsigned n, struct sl_err *err)
{
	unsigned i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		struct control_vport *v = &c->vports[s[i].vport];
		struct dp_port *port;

		rc = ports_open_nic(c, v, &port, err);
		if (rc != 0)
			break;
		v->port = port;
		if (s[i].old == NULL)
			continue;
		memcpy(port->rxq_worker, s[i].rxq_worker, sizeof(s[i].rxq_worker));
		memcpy(port->rxq_pinned, s[i].rxq_pinned, sizeof(s[i].rxq_pinned));
	}
	if (rc == 0 && publish(c, false) != 0)
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory");
	for (i = 0; rc != 0 && i < n; i++) { // no snapshot has them
		struct control_vport *v = &c->vports[s[i].vport];

		if (v->port != NULL)
			ports_close_device(c, v->port);
		v->port = NULL;
	}
	return rc;
}

static bool
is_on(const struct control *c, const struct control_vport *v, uint16_t nic)
{
	const struct config_attachment *a = &v->cfg.attach;
	uint16_t at, port;

	if (!v->used || (a->kind != CONFIG_ATTACH_NIC && a->kind != CONFIG_ATTACH_VF))
		return false;
	carry_where(c, a, &at, &port);
	return at == nic;
}

static unsigned
take_ports(struct control *c, uint16_t nic, struct stopped *s)
{
	unsigned i, n = 0;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = &c->vports[i];

		if (!is_on(c, v, nic))
			continue;
		s[n].vport = (uint16_t)i;
		s[n].old = v->port;
		if (v->port != NULL) {
			memcpy(s[n].rxq_worker, v->port->rxq_worker, sizeof(s[n].rxq_worker));
			memcpy(s[n].rxq_pinned, v->port->rxq_pinned, sizeof(s[n].rxq_pinned));
		}
		v->port = NULL;
		n++;
	}
	return n;
}

static int
restart_ports(struct control *c, struct nic *nic, struct stopped *s, struct sl_err *err)
{
	unsigned i, n = take_ports(c, nic->index, s);
	int rc;

	if (publish(c, false) != 0) {
		for (i = 0; i < n; i++)
			c->vports[s[i].vport].port = s[i].old;
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	settle(c, s, n);
	for (i = 0; i < n; i++) {
		if (s[i].old != NULL)
			ports_close_device(c, s[i].old);
	}
	nic_stop(nic, true);
	rc = nic_start(nic, err);
	if (rc == 0) {
		rc = open_again(c, s, n, err);
		if (rc != 0)
			nic_stop(nic, true);
	}
	for (i = 0; i < n; i++) {
		if (c->vports[s[i].vport].port != NULL)
			dp_port_poll_link(c->vports[s[i].vport].port);
	}
	return rc;
}

// Workers let go of its ports; they stop, start, and are polled again.
static int
stop_and_start(struct control *c, struct nic *nic, struct sl_err *err)
{
	struct stopped *s = calloc(DP_VPORTS_MAX, sizeof(*s));
	int rc;

	if (s == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	rc = restart_ports(c, nic, s, err);
	free(s);
	return rc;
}

static bool
is_empty(struct control *c, uint16_t nic)
{
	return offload_nic_empty(c->offload, nic) && ahead_entries(c, nic) == 0 &&
	       nic_executor_pending(c->nics[nic]->executor) == 0;
}

static void
finish(struct control *c, uint16_t nic)
{
	c->restart->nic[nic].drains = false;
	offload_nic_drain(c->offload, nic, false);
	ahead_review(c);
}

// ---- a NIC that does not start

static void
no_start(struct control *c, uint16_t nic, const char *text)
{
	const uint64_t now = sl_now(&c->clock);

	if (!c->restart->nic[nic].waits)
		c->restart->nic[nic].since_ns = now;
	c->restart->nic[nic].drains = false;
	c->restart->nic[nic].waits = true;
	c->restart->nic[nic].pause_ns = fo_pause(c->restart->nic[nic].pause_ns);
	c->restart->nic[nic].next_ns = now + c->restart->nic[nic].pause_ns;
	snprintf(c->restart->nic[nic].why, sizeof(c->restart->nic[nic].why),
		"it does not start again (%.60s)", text);
	sl_log(c->log, SL_LOG_ERR, "%s does not start again, next try in %d s: %s",
		c->nics[nic]->name, (int)(c->restart->nic[nic].pause_ns / SL_NS_PER_S), text);
	trial_failed(c, nic, c->restart->nic[nic].why);
	ahead_review(c);
}

int
restart_try(struct control *c, uint16_t nic, struct sl_err *err)
{
	const bool carries = trial_carries(c, nic);
	struct nic *dev = c->nics[nic];
	int rc = carries ? stop_and_start(c, dev, err) : trial_beside(c, nic, err);

	if (rc != 0) {
		no_start(c, nic, err->text);
		return rc;
	}
	c->restart->nic[nic].waits = false;
	c->restart->nic[nic].pause_ns = 0;
	sl_log(c->log, SL_LOG_INFO, "%s starts again", dev->name);
	if (carries) {
		trial_works(c, nic);
		finish(c, nic);
	}
	return 0;
}

bool
restart_waits(const struct control *c, uint16_t nic)
{
	return c->restart != NULL && c->restart->nic[nic].waits;
}

void
restart_wait_info(const struct control *c, uint16_t nic, struct restart_wait *out)
{
	const uint64_t now = sl_now(&c->clock), next = c->restart->nic[nic].next_ns;

	out->why = c->restart->nic[nic].why;
	out->since_s = (double)(now - c->restart->nic[nic].since_ns) / (double)SL_NS_PER_S;
	out->next_try_s = next > now ? (double)(next - now) / (double)SL_NS_PER_S : 0;
}

static void
run_waiting(struct control *c, uint16_t nic)
{
	struct sl_err err;

	if (c->nics[nic]->gone) {
		c->restart->nic[nic].waits = false;
	} else if (sl_now(&c->clock) >= c->restart->nic[nic].next_ns && trial_may(c, nic)) {
		sl_err_init(&err);
		restart_try(c, nic, &err);
	}
}

// ---- step by step

static void
run(struct control *c, uint16_t nic)
{
	struct sl_err *err = &c->restart->nic[nic].err;
	struct nic *dev = c->nics[nic];
	struct failover_info info;

	failover_info(c, nic, &info);
	if (info.state != FAILOVER_ACTIVE) {
		sl_err_set(err, ENODEV, "nic", "%s failed meanwhile: %s", dev->name, info.why);
		finish(c, nic);
	} else if (is_empty(c, nic)) {
		const int rc = stop_and_start(c, dev, err);

		if (rc != 0 && !dev->ports[0].running) {
			no_start(c, nic, err->text);
			return;
		}
		if (rc == 0)
			sl_log(c->log, SL_LOG_INFO, "%s was restarted", dev->name);
		finish(c, nic);
	} else if (sl_now(&c->clock) >= c->restart->nic[nic].deadline_ns) {
		sl_err_set(err, ETIMEDOUT, "nic",
			"%s holds rules that its driver does not let go of: nothing was stopped",
			dev->name);
		finish(c, nic);
	}
}

void
restart_run(struct control *c)
{
	uint16_t i;

	for (i = 0; c->restart != NULL && i < CONFIG_NICS_MAX; i++) {
		if (c->restart->nic[i].drains)
			run(c, i);
		else if (c->restart->nic[i].waits)
			run_waiting(c, i);
	}
}
