// SPDX-License-Identifier: BSD-3-Clause
#include "firmware.h"

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_ring.h>

#include "assign/groups.h"
#include "port/landing.h"
#include "port/mailbox.h"
#include "wire.h"

// The firmware moves packets between the sides and the host ports' rings, and notices what the host
// has to be told. Who runs it is firmware_run.c's.

#define LINK_CHECK_MS 10

static bool
is_polled(struct emu_side *side)
{
	return side->armed && !side->admin_down && !side->pulled && !side->still &&
	       side->backend != NULL && emu_rate_ready(&side->rate);
}

static unsigned int
poll_side(struct emu_nic *nic, struct emu_side *side)
{
	struct rte_mbuf *pkts[EMU_BURST];
	struct emu_wire *wire = side->wire;
	uint64_t bytes = 0;
	uint16_t n = 0;

	emu_landing_choose(nic, side);
	if (is_polled(side))
		n = side->backend->ops->rx(
			side->backend, pkts, wire != NULL ? emu_wire_burst(nic, wire) : EMU_BURST);
	if (n == 0) {
		if (wire != NULL)
			emu_wire_settle(nic, side, false);
		return 0;
	}
	for (uint16_t i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	side->rx_packets += n;
	side->rx_bytes += bytes;
	emu_rate_take(&side->rate, bytes);
	emu_switch(nic, side->index, false, pkts,
		wire != NULL ? emu_wire_in(nic, wire, pkts, n)
			     : emu_mailbox_take(nic, side, pkts, n));
	return n;
}

static unsigned int
poll_txq(struct emu_nic *nic, struct emu_port *port, uint16_t q)
{
	struct rte_mbuf *pkts[EMU_BURST];
	struct emu_rate *rate = &port->txq[q]->rate;
	unsigned int n;

	if (nic->gone || emu_has_queue(nic->moods.stall_tx[port->slot], q) || !emu_rate_ready(rate))
		return 0;
	n = rte_ring_sc_dequeue_burst(port->txq[q]->ring, (void **)pkts, EMU_BURST, NULL);
	for (unsigned int i = 0; rate->mbps > 0 && i < n; i++)
		emu_rate_take(rate, pkts[i]->pkt_len);
	if (n > 0)
		emu_switch(nic, port->index, true, pkts, n);
	return n;
}

// One burst of each transmit queue, at most max bursts; *next is where to go on.
static unsigned int
poll_port(struct emu_nic *nic, struct emu_port *port, uint16_t *next, unsigned int max)
{
	unsigned int moved = 0;

	if (!port->started || port->side->held)
		*next = port->n_txq;
	for (; *next < port->n_txq && max > 0; ++*next) {
		unsigned int n = poll_txq(nic, port, *next);

		moved += n;
		max -= n > 0;
	}
	return moved;
}

static void
event_alarm(void *arg)
{
	struct emu_nic *nic = arg;
	struct rte_eth_dev *tell[EMU_MAX_PORTS], *aged[EMU_MAX_PORTS];
	unsigned int n = 0, n_aged = 0;

	emu_gate_enter(&nic->gate);
	nic->alarm_set = false;
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		struct emu_port *port = nic->ports[i];

		if (nic->sides[i].link_changed && port != NULL && port->lsc && port->started)
			tell[n++] = port->dev;
		nic->sides[i].link_changed = false;
		if (port != NULL && port->aged_event) {
			port->aged_event = false;
			aged[n_aged++] = port->dev;
		}
	}
	emu_gate_leave(&nic->gate);
	for (unsigned int i = 0; i < n_aged; i++)
		rte_eth_dev_callback_process(aged[i], RTE_ETH_EVENT_FLOW_AGED, NULL);
	for (unsigned int i = 0; i < n; i++)
		rte_eth_dev_callback_process(tell[i], RTE_ETH_EVENT_INTR_LSC, NULL);
}

// Notes link changes and rules that aged; the event itself comes from EAL's interrupt thread, as a
// device's would. Returns true when it has to be raised.
static bool
check_events(struct emu_nic *nic)
{
	bool changed = emu_age_sweep(nic, false);

	emu_groups_review(nic);
	nic->link_check_at = rte_get_tsc_cycles() + rte_get_tsc_hz() * LINK_CHECK_MS / 1000;
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		struct emu_side *side = &nic->sides[i];
		bool up = emu_side_link(side);

		emu_side_ask(side);
		if (up == side->link)
			continue;
		side->link = up;
		side->link_changed = true;
		if (nic->ports[i] != NULL) {
			struct rte_eth_link link;

			emu_port_link(nic->ports[i], &link);
			rte_eth_linkstatus_set(nic->ports[i]->dev, &link);
		}
		changed = true;
	}
	if (!changed || nic->alarm_set)
		return false;
	nic->alarm_set = true;
	return true;
}

static void
raise_events(struct emu_nic *nic)
{
	if (rte_eal_alarm_set(1, event_alarm, nic) != 0)
		EMU_LOG(WARNING, "%s: an event is lost", nic->name);
}

void
emu_firmware_links(struct emu_nic *nic)
{
	bool alarm;

	emu_gate_enter(&nic->gate);
	alarm = check_events(nic);
	emu_gate_leave(&nic->gate);
	if (alarm)
		raise_events(nic);
}

unsigned int
emu_firmware_round(struct emu_nic *nic)
{
	unsigned int moved = 0;
	bool alarm;

	for (uint16_t i = 0; i < nic->n_sides; i++) {
		uint16_t q = 0;
		bool more;

		emu_gate_enter_fw(&nic->gate);
		moved += poll_side(nic, &nic->sides[i]);
		emu_gate_leave(&nic->gate);
		do {
			emu_gate_enter_fw(&nic->gate);
			more = nic->ports[i] != NULL;
			if (more) {
				moved += poll_port(nic, nic->ports[i], &q, 1);
				more = q < nic->ports[i]->n_txq;
			}
			emu_gate_leave(&nic->gate);
		} while (more);
	}
	if (rte_get_tsc_cycles() >= nic->link_check_at) {
		emu_gate_enter_fw(&nic->gate);
		alarm = check_events(nic);
		emu_gate_leave(&nic->gate);
		if (alarm)
			raise_events(nic);
	}
	return moved;
}

void
emu_firmware_inline(struct emu_nic *nic)
{
	bool alarm = false;

	if (!emu_gate_try(&nic->gate))
		return;
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		uint16_t q = 0;

		poll_side(nic, &nic->sides[i]);
		if (nic->ports[i] != NULL)
			poll_port(nic, nic->ports[i], &q, EMU_MAX_QUEUES);
	}
	if (rte_get_tsc_cycles() >= nic->link_check_at)
		alarm = check_events(nic);
	emu_gate_leave(&nic->gate);
	if (alarm)
		raise_events(nic);
}

uint64_t
emu_firmware_next_event(struct emu_nic *nic, bool *unused)
{
	uint64_t next = UINT64_MAX;

	emu_gate_enter_fw(&nic->gate);
	*unused = nic->n_started == 0;
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		struct emu_side *side = &nic->sides[i];

		if (is_polled(side))
			next = RTE_MIN(next, side->backend->ops->next_event(side->backend));
	}
	emu_gate_leave(&nic->gate);
	return next;
}

void
emu_firmware_settle_events(struct emu_nic *nic)
{
	rte_eal_alarm_cancel(event_alarm, nic);
	emu_mailbox_stop(nic);
	emu_gate_enter(&nic->gate);
	if (nic->alarm_set && rte_eal_alarm_set(1, event_alarm, nic) != 0)
		nic->alarm_set = false;
	emu_mailbox_start(nic);
	emu_gate_leave(&nic->gate);
}

void
emu_firmware_drop_events(struct emu_nic *nic)
{
	rte_eal_alarm_cancel(event_alarm, nic);
	emu_mailbox_stop(nic);
}
