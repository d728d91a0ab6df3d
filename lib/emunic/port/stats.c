// SPDX-License-Identifier: BSD-3-Clause
#include "port/port.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_ring.h>

// Basic statistics are the port's own and can be reset; the extended ones of the PF are the NIC's
// ledger (emunic.h) and only grow.

static struct emu_queue_totals
rxq_totals(const struct emu_rxq *q)
{
	if (q == NULL)
		return (struct emu_queue_totals){0};
	return (struct emu_queue_totals){emu_read(&q->packets), emu_read(&q->bytes),
		emu_read(&q->missed), emu_read(&q->nombuf)};
}

static struct emu_queue_totals
txq_totals(const struct emu_txq *q)
{
	if (q == NULL)
		return (struct emu_queue_totals){0};
	return (struct emu_queue_totals){emu_read(&q->packets), emu_read(&q->bytes), 0, 0};
}

static void
add(struct emu_queue_totals *sum, struct emu_queue_totals t)
{
	sum->packets += t.packets;
	sum->bytes += t.bytes;
	sum->missed += t.missed;
	sum->nombuf += t.nombuf;
}

static struct emu_queue_totals
less(struct emu_queue_totals a, struct emu_queue_totals b)
{
	return (struct emu_queue_totals){
		a.packets - b.packets, a.bytes - b.bytes, a.missed - b.missed, a.nombuf - b.nombuf};
}

static void
basic(struct emu_port *port, struct rte_eth_stats *stats, uint64_t *q_rx, uint64_t *q_rx_bytes,
	uint64_t *q_tx, uint64_t *q_tx_bytes, uint64_t *q_errors, unsigned int n)
{
	struct emu_queue_totals rx = less(port->rx_gone, port->rx_gone_base);
	struct emu_queue_totals tx = less(port->tx_gone, port->tx_gone_base);

	for (uint16_t i = 0; i < EMU_MAX_QUEUES; i++) {
		struct emu_queue_totals t = less(rxq_totals(port->rxq[i]), port->rx_base[i]);

		add(&rx, t);
		if (i < n) {
			q_rx[i] = t.packets;
			q_rx_bytes[i] = t.bytes;
			q_errors[i] = t.missed + t.nombuf;
		}
		t = less(txq_totals(port->txq[i]), port->tx_base[i]);
		add(&tx, t);
		if (i < n) {
			q_tx[i] = t.packets;
			q_tx_bytes[i] = t.bytes;
		}
	}
	stats->ipackets = rx.packets;
	stats->ibytes = rx.bytes;
	stats->imissed = rx.missed;
	stats->rx_nombuf = rx.nombuf;
	stats->opackets = tx.packets;
	stats->obytes = tx.bytes;
}

#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
int
emu_port_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats, struct eth_queue_stats *q)
{
	struct emu_port *port = dev->data->dev_private;
	struct eth_queue_stats unused;

	if (q == NULL)
		q = &unused;
	emu_gate_enter(&port->nic->gate);
	basic(port, stats, q->q_ipackets, q->q_ibytes, q->q_opackets, q->q_obytes, q->q_errors,
		RTE_MIN(RTE_ETHDEV_QUEUE_STAT_CNTRS, EMU_MAX_QUEUES));
	emu_gate_leave(&port->nic->gate);
	return 0;
}
#else
int
emu_port_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	basic(port, stats, stats->q_ipackets, stats->q_ibytes, stats->q_opackets, stats->q_obytes,
		stats->q_errors, RTE_MIN(RTE_ETHDEV_QUEUE_STAT_CNTRS, EMU_MAX_QUEUES));
	emu_gate_leave(&port->nic->gate);
	return 0;
}
#endif

int
emu_port_stats_reset(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	for (uint16_t i = 0; i < EMU_MAX_QUEUES; i++) {
		port->rx_base[i] = rxq_totals(port->rxq[i]);
		port->tx_base[i] = txq_totals(port->txq[i]);
	}
	port->rx_gone_base = port->rx_gone;
	port->tx_gone_base = port->tx_gone;
	emu_gate_leave(&port->nic->gate);
	return 0;
}

// The extended statistics are one list, walked for names and for values alike, so that the two
// cannot differ.
struct walk {
	struct rte_eth_xstat *values;     // NULL: not wanted
	struct rte_eth_xstat_name *names; // NULL: not wanted
	unsigned int max;
	unsigned int n;
};

static void __rte_format_printf(3, 4) put(struct walk *w, uint64_t value, const char *fmt, ...)
{
	va_list ap;

	if (w->n < w->max && w->values != NULL) {
		w->values[w->n].id = w->n;
		w->values[w->n].value = value;
	}
	if (w->n < w->max && w->names != NULL) {
		va_start(ap, fmt);
		vsnprintf(w->names[w->n].name, sizeof(w->names[0].name), fmt, ap);
		va_end(ap);
	}
	w->n++;
}

static const char *const drop_names[EMU_DROPS] = {
	[EMU_DROP_RULE] = "rule",
	[EMU_DROP_JUMP_LOOP] = "jump_loop",
	[EMU_DROP_PASS_LIMIT] = "pass_limit",
	[EMU_DROP_JUMP_MISS] = "jump_miss",
	[EMU_DROP_ISOLATED] = "isolated",
	[EMU_DROP_MALFORMED] = "malformed",
	[EMU_DROP_MTU] = "mtu",
	[EMU_DROP_MAC_FILTER] = "mac_filter",
	[EMU_DROP_VLAN_FILTER] = "vlan_filter",
	[EMU_DROP_HOST_STOPPED] = "host_stopped",
	[EMU_DROP_RX_MISSED] = "rx_missed",
	[EMU_DROP_RX_NOMBUF] = "rx_nombuf",
	[EMU_DROP_RX_TOO_LONG] = "rx_too_long",
	[EMU_DROP_RX_QUEUE_STOPPED] = "rx_queue_stopped",
	[EMU_DROP_RX_QUEUE_STALLED] = "rx_queue_stalled",
	[EMU_DROP_VF_QUEUE_STALLED] = "vf_queue_stalled",
	[EMU_DROP_WIRE_LOSS] = "wire_loss",
	[EMU_DROP_BAD_OFFLOAD] = "bad_offload",
	[EMU_DROP_MBOX_FLOOD] = "mbox_flood",
	[EMU_DROP_MBOX_MALFORMED] = "mbox_malformed",
	[EMU_DROP_MISS_LOOP] = "miss_loop",
	[EMU_DROP_NO_BUFFER] = "no_buffer",
	[EMU_DROP_PORT_STOP] = "port_stop",
	[EMU_DROP_METER] = "meter",
	[EMU_DROP_TTL] = "ttl",
	[EMU_DROP_EDIT] = "edit",
};

static void
walk_host(struct walk *w, struct emu_nic *nic)
{
	struct emu_queue_totals rx = nic->host_rx_gone, tx = nic->host_tx_gone;
	uint64_t held = 0;

	for (unsigned int i = 0; i < EMU_MAX_WIRES; i++)
		held += (nic->wires[i].held_in != NULL) + (nic->wires[i].held_out != NULL);
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const struct emu_port *port = nic->ports[i];

		for (uint16_t q = 0; port != NULL && q < EMU_MAX_QUEUES; q++) {
			add(&rx, rxq_totals(port->rxq[q]));
			add(&tx, txq_totals(port->txq[q]));
			held += port->rxq[q] != NULL ? rte_ring_count(port->rxq[q]->ring) : 0;
			held += port->txq[q] != NULL ? rte_ring_count(port->txq[q]->ring) : 0;
		}
	}
	put(w, tx.packets, "nic_received_host");
	put(w, tx.bytes, "nic_received_host_bytes");
	put(w, rx.packets, "nic_sent_host");
	put(w, rx.bytes, "nic_sent_host_bytes");
	put(w, held, "nic_held");
}

// What the side's backends, of now and before, tell.
static struct emu_backend_stats
backend_stats(const struct emu_side *side)
{
	return side->told;
}

static void
walk_sides(struct walk *w, struct emu_nic *nic)
{
	struct emu_side wire = {0}, vf = {0};

	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const struct emu_side *side = &nic->sides[i];
		struct emu_side *sum = side->wire != NULL ? &wire : &vf;

		sum->rx_packets += side->rx_packets;
		sum->rx_bytes += side->rx_bytes;
		sum->tx_packets += side->tx_packets - backend_stats(side).tx_errors;
		sum->tx_bytes += side->tx_bytes;
	}
	put(w, wire.rx_packets, "nic_received_wire");
	put(w, wire.rx_bytes, "nic_received_wire_bytes");
	put(w, vf.rx_packets, "nic_received_vf");
	put(w, vf.rx_bytes, "nic_received_vf_bytes");
	put(w, wire.tx_packets, "nic_sent_wire");
	put(w, wire.tx_bytes, "nic_sent_wire_bytes");
	put(w, vf.tx_packets, "nic_sent_vf");
	put(w, vf.tx_bytes, "nic_sent_vf_bytes");
	put(w, nic->copies, "nic_copies");
	put(w, nic->mailbox.originated, "nic_originated_mailbox");
	put(w, nic->mailbox.consumed, "nic_consumed_mailbox");
}

static void
walk_drops(struct walk *w, struct emu_nic *nic)
{
	for (uint16_t i = 0; i < EMU_DROPS; i++)
		put(w, nic->drops[i], "nic_drop_%s", drop_names[i]);
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const struct emu_side *side = &nic->sides[i];

		put(w, side->drop_full, "nic_drop_tx_%s_full", side->name);
		put(w, side->drop_down, "nic_drop_tx_%s_down", side->name);
		put(w, backend_stats(side).tx_errors, "nic_drop_tx_%s_shape", side->name);
	}
}

// What the backends themselves know; rx and tx as the VF sees them, so rx is out of the NIC.
static void
walk_backends(struct walk *w, struct emu_nic *nic)
{
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const struct emu_side *side = &nic->sides[i];
		struct emu_backend_stats s = backend_stats(side);

		put(w, side->finished, "%s_finished", side->name);
		put(w, s.rx_packets, "%s_played", side->name);
		put(w, s.rx_errors, "%s_rx_errors", side->name);
		if (side->wire != NULL)
			continue;
		put(w, side->tx_packets - s.tx_errors, "%s_rx_packets", side->name);
		put(w, side->tx_bytes, "%s_rx_bytes", side->name);
		put(w, side->rx_packets, "%s_tx_packets", side->name);
		put(w, side->rx_bytes, "%s_tx_bytes", side->name);
		put(w, side->mail.messages, "%s_mbox_messages", side->name);
		put(w, side->miss.tagged, "%s_rx_tagged_misses", side->name);
		for (uint16_t q = 0; side->n_queues > 1 && q < side->n_queues; q++)
			put(w, side->queue_packets[q], "%s_rx_q%u_packets", side->name, q);
	}
}

// The queues above those for which ethdev itself makes extended statistics, by the same names, and
// what it has no names for.
static void
walk_queues(struct walk *w, const struct emu_port *port)
{
	for (uint16_t i = RTE_ETHDEV_QUEUE_STAT_CNTRS; i < port->n_rxq; i++) {
		struct emu_queue_totals t = less(rxq_totals(port->rxq[i]), port->rx_base[i]);

		put(w, t.packets, "rx_q%u_packets", i);
		put(w, t.bytes, "rx_q%u_bytes", i);
		put(w, t.missed + t.nombuf, "rx_q%u_errors", i);
	}
	for (uint16_t i = RTE_ETHDEV_QUEUE_STAT_CNTRS; i < port->n_txq; i++) {
		struct emu_queue_totals t = less(txq_totals(port->txq[i]), port->tx_base[i]);

		put(w, t.packets, "tx_q%u_packets", i);
		put(w, t.bytes, "tx_q%u_bytes", i);
	}
	for (uint16_t i = 0; i < port->n_rxq; i++) {
		const struct emu_rxq *q = port->rxq[i];

		if (q != NULL && q->event_fd >= 0)
			put(w, emu_read(&q->interrupts), "rx_q%u_interrupts", i);
	}
}

static void
walk(struct walk *w, struct emu_port *port)
{
	struct emu_nic *nic = port->nic;
	uint64_t late = 0;

	emu_gate_enter(&nic->gate);
	for (uint16_t i = 0; i < nic->n_sides && rte_eal_process_type() == RTE_PROC_PRIMARY; i++)
		emu_side_ask(&nic->sides[i]);
	if (port->index == 0) {
		walk_host(w, nic);
		walk_sides(w, nic);
		walk_drops(w, nic);
		walk_backends(w, nic);
		put(w, nic->eswitch_packets, "nic_eswitch_packets");
		put(w, nic->eswitch_bytes, "nic_eswitch_bytes");
		for (unsigned int i = 0; i < EMU_MAX_WIRES; i++)
			late += nic->wires[i].late;
		put(w, late, "nic_wire_late");
		put(w, nic->thread_runs, "nic_firmware_thread");
		put(w, nic->service_added && !nic->run_inline, "nic_firmware_service");
		put(w, nic->run_inline, "nic_firmware_inline");
		put(w, nic->rules.n_rules, "nic_rules");
		put(w, nic->n_transfer, "nic_rules_transfer");
		put(w, nic->moods.capacity, "nic_rules_capacity");
		put(w, nic->rules.n_masks, "nic_masks");
	}
	if (port->pf) {
		put(w, port->side->rx_packets, "wire_rx_packets");
		put(w, port->side->rx_bytes, "wire_rx_bytes");
		put(w, port->side->tx_packets, "wire_tx_packets");
		put(w, port->side->tx_bytes, "wire_tx_bytes");
	} else {
		put(w, port->side->tx_packets, "vf_rx_packets");
		put(w, port->side->tx_bytes, "vf_rx_bytes");
		put(w, port->side->rx_packets, "vf_tx_packets");
		put(w, port->side->rx_bytes, "vf_tx_bytes");
	}
	put(w, port->ingress.n_rules, "rules_ingress");
	walk_queues(w, port);
	emu_gate_leave(&nic->gate);
}

int
emu_port_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *out, unsigned int n)
{
	struct walk w = {.values = out, .max = out != NULL ? n : 0};

	walk(&w, dev->data->dev_private);
	return w.n;
}

int
emu_port_xstats_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *out, unsigned int n)
{
	struct walk w = {.names = out, .max = out != NULL ? n : 0};

	walk(&w, dev->data->dev_private);
	return w.n;
}
