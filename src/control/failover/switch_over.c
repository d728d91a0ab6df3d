// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include <rte_ethdev.h>

#include "device/ports.h"
#include "failover/carry.h"
#include "failover/evict.h"
#include "failover/internal.h"
#include "failover/vf_map.h"
#include "nic/nic.h"
#include "orders.h"
#include "place/ahead.h"
#include "publish.h"

#define STALL_NS (5 * SL_NS_PER_S)    // without a rule less: what is left is flushed
#define SETTLE_NS (20 * SL_NS_PER_MS) // what is on its way to VFs that are left

struct way {
	struct control *c;
	struct nic *from, *to;
	uint16_t primary; // index of the NIC that the vports are attached to
	uint16_t port[OFFLOAD_NIC_PORTS_MAX];
	struct timeline *times;
	bool vfs_first;                       // they have moved ahead of all else
	struct dp_port *fresh[DP_VPORTS_MAX]; // by vport
	bool opened[DP_VPORTS_MAX];           // by this switch-over
	bool taken[DP_VPORTS_MAX];            // has such a device, opened or not
};

static struct control_vport *
vport_of(const struct way *w, unsigned i)
{
	struct control_vport *v = &w->c->vports[i];

	return carry_is_of(v, w->primary) ? v : NULL;
}

// Its port on the NIC that is left.
static uint16_t
left_port(const struct way *w, const struct config_attachment *a)
{
	if (a->kind != CONFIG_ATTACH_VF)
		return 0;
	return 1 + (w->from->index == a->nic ? a->vf : config_standby_vf(a));
}

// Before the NIC is started: some drivers take an MTU only then.
static void
plan_ports(struct way *w)
{
	uint16_t nic, port, i;

	for (i = 0; i < OFFLOAD_NIC_PORTS_MAX; i++)
		w->port[i] = OFFLOAD_NONE;
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = vport_of(w, i);

		if (v == NULL)
			continue;
		carry_where(w->c, &v->cfg.attach, &nic, &port);
		w->port[left_port(w, &v->cfg.attach)] = port;
		if (port < w->to->n_ports && !w->to->ports[port].running && v->cfg.mtu != 0)
			rte_eth_dev_set_mtu(w->to->ports[port].ethdev, v->cfg.mtu);
	}
}

// The PF of a NIC that only lost its link is polled all the time: that device is used again.
static int
open_ports(struct way *w, struct sl_err *err)
{
	unsigned i;
	int rc = 0;

	for (i = 0; rc == 0 && i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = vport_of(w, i);

		if (v == NULL)
			continue;
		if (v->leaving != NULL && v->leaving->nic == w->to->index) {
			w->fresh[i] = v->leaving;
			w->taken[i] = true;
			dp_port_poll_link(v->leaving); // else it stands as when it was lost
			continue;
		}
		rc = ports_open_nic(w->c, v, &w->fresh[i], err);
		w->opened[i] = w->taken[i] = rc == 0;
	}
	return rc;
}

static void
close_opened(struct way *w)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (w->opened[i])
			ports_close_device(w->c, w->fresh[i]);
	}
}

// Twice: as before. A vport whose NIC did not start has had none.
static void
exchange(struct way *w)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = vport_of(w, i);
		struct dp_port *old;

		if (v == NULL || !w->taken[i])
			continue;
		old = v->port;
		v->port = w->fresh[i];
		v->leaving = w->fresh[i] = old;
	}
}

// Nothing leaves by a device that never came into force.
static void
forget_opened(struct way *w)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (w->opened[i])
			w->c->vports[i].leaving = NULL;
	}
}

static void
expect(struct way *w, bool on)
{
	const struct vf_map *map = vf_map_for(w->from, w->to);
	uint16_t i;

	for (i = 1; i < OFFLOAD_NIC_PORTS_MAX; i++) {
		if (w->port[i] != OFFLOAD_NONE)
			map->expect(w->to, w->port[i] - 1, on);
	}
}

// Has all been sent that goes to the VFs by the NIC that is left?
static bool
sent_all(const struct way *w)
{
	unsigned i, q, cls;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = vport_of(w, i);
		const struct dp_port *old = v != NULL ? v->leaving : NULL;

		if (old == NULL || old->nic != w->from->index)
			continue;
		for (q = 0; q < old->n_txq; q++) {
			if (old->ops->tx_idle != NULL && !old->ops->tx_idle(old, (uint16_t)q))
				return false;
		}
		for (cls = 0; cls < old->n_classes; cls++) {
			if (atomic_load_explicit(&old->ring_held[cls], memory_order_acquire) > 0)
				return false;
		}
	}
	return true;
}

static void
settle(struct way *w)
{
	const uint64_t end = sl_now(&w->c->clock) + SETTLE_NS;

	if (!w->c->running)
		return;
	// Twice: what one worker handed to another before the first is sent by the second.
	orders_sync(w->c);
	orders_sync(w->c);
	while (!sent_all(w) && sl_now(&w->c->clock) < end)
		orders_nap();
}

static void
move_vfs(struct way *w, bool back)
{
	const struct vf_map *map = vf_map_for(w->from, w->to);
	struct sl_err err;
	uint16_t i;

	for (i = 1; i < OFFLOAD_NIC_PORTS_MAX; i++) {
		if (w->port[i] == OFFLOAD_NONE)
			continue;
		sl_err_init(&err);
		if ((back ? map->move(w->to, w->port[i] - 1, w->from, i - 1, &err)
			  : map->move(w->from, i - 1, w->to, w->port[i] - 1, &err)) != 0)
			sl_log(w->c->log, map->by_itself ? SL_LOG_ERR : SL_LOG_WARN, "%s",
				err.text);
	}
	timeline_mark(w->c, w->times, TIMELINE_VFS);
}

static void
read_links(const struct way *w)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = vport_of(w, i);

		if (v != NULL && v->port != NULL)
			dp_port_poll_link(v->port);
	}
}

static int
start(struct way *w, struct sl_err *err)
{
	const bool pf_ran = w->to->ports[0].running;
	int rc;

	rc = nic_start(w->to, err);
	if (rc != 0)
		return rc;
	timeline_mark(w->c, w->times, TIMELINE_STARTED);
	if (!w->vfs_first)
		expect(w, true);
	rc = open_ports(w, err);
	if (rc == 0) {
		exchange(w);
		rc = publish(w->c, false);
		if (rc == 0)
			return 0;
		sl_err_set(err, rc, NULL, "out of memory");
		exchange(w);
		forget_opened(w); // nothing was published that has them
	}
	close_opened(w);
	expect(w, false);
	nic_stop(w->to, !pf_ran);
	return rc;
}

int
fo_switch(struct control *c, struct fo_pair *p, struct sl_err *err)
{
	struct way *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	w->c = c;
	w->primary = p->nic[0];
	w->times = &p->times;
	w->from = c->nics[p->nic[p->on]];
	w->to = c->nics[p->nic[!p->on]];
	p->on = !p->on; // carry_where() says the other one from here on
	plan_ports(w);
	// On the NIC that failed each packet of a VM is lost: its VF leaves that first, and what
	// the VM sends waits with it until the other NIC is ready.
	w->vfs_first = !p->planned && vf_map_for(w->from, w->to)->by_itself;
	if (w->vfs_first)
		move_vfs(w, false);
	rc = start(w, err);
	if (rc != 0) {
		if (w->vfs_first)
			move_vfs(w, true);
		p->on = !p->on;
		free(w);
		return rc;
	}
	timeline_mark(c, &p->times, TIMELINE_PORTS);
	if (p->planned)
		settle(w);
	if (!w->vfs_first) {
		move_vfs(w, false);
		expect(w, false);
	}
	read_links(w);
	evict_begin(c, w->from->index);
	offload_nic_move(c->offload, w->from->index, w->to->index, w->port);
	p->flows = offload_nic_rush(c->offload, w->to->index);
	p->link_down = false;
	p->rules_left = 0;
	p->fewer_ns = sl_now(&c->clock);
	timeline_mark(c, &p->times, TIMELINE_PLANNED);
	free(w);
	return 0;
}

// ---- the NIC that was left

static bool
holds_packets(const struct dp_port *port)
{
	uint16_t q;

	for (q = 0; q < port->n_rxq; q++) {
		if (rte_eth_rx_queue_count(port->ethdev, q) > 0)
			return true;
	}
	return false;
}

// A port must not stop while its rules are there: many drivers free them then, under the executor
// that reads or destroys them. That is why a call in the driver is waited for without an end, and
// what the driver does not let go of is flushed.
static bool
rules_are_out(struct control *c, struct fo_pair *p, struct nic *left)
{
	const uint32_t n =
		evict_left(c, left->index) + (c->ahead != NULL ? ahead_entries(c, left->index) : 0);
	const uint64_t now = sl_now(&c->clock);
	uint16_t i;

	if (n != p->rules_left) {
		p->rules_left = n;
		p->fewer_ns = now;
	}
	if (nic_executor_pending(left->executor) > 0)
		return false;
	if (n == 0 || now - p->fewer_ns < STALL_NS)
		return n == 0;
	sl_log(c->log, SL_LOG_WARN, "%s: %u rules could not be destroyed, it is flushed",
		left->name, evict_give_up(c, left->index));
	for (i = 0; i < left->n_ports; i++) {
		if (left->ports[i].started && !left->gone)
			left->ops->flush(left->ports[i].ethdev);
	}
	return true;
}

bool
fo_leave(struct control *c, struct fo_pair *p, bool expired)
{
	struct nic *left = c->nics[p->nic[p->from]];
	// A PF that lost its link tells when it is back, and may receive before that is trusted.
	const bool keep_pf = !p->planned && !left->gone;
	struct dp_port *gone[DP_VPORTS_MAX];
	unsigned i, n = 0;

	if (!keep_pf && left->ports[0].running && !p->link_down)
		rte_eth_dev_set_link_down(left->ports[0].ethdev);
	p->link_down = !keep_pf;
	if (!rules_are_out(c, p, left))
		return false;
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = &c->vports[i];

		if (!carry_is_of(v, p->nic[0]) || v->leaving == NULL ||
			(keep_pf && v->leaving->nic_port == 0))
			continue;
		if (!expired && holds_packets(v->leaving))
			return false;
		gone[n++] = v->leaving;
	}
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = &c->vports[i];

		if (carry_is_of(v, p->nic[0]) && v->leaving != NULL &&
			!(keep_pf && v->leaving->nic_port == 0))
			v->leaving = NULL;
	}
	if (publish(c, false) != 0) { // they are in the snapshot still
		for (i = 0; i < n; i++)
			c->vports[gone[i]->vport].leaving = gone[i];
		return false;
	}
	orders_sync(c);
	for (i = 0; i < n; i++)
		ports_close_device(c, gone[i]);
	nic_stop(left, !keep_pf);
	return true;
}
