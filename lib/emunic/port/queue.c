// SPDX-License-Identifier: BSD-3-Clause
#include "port/queue.h"

#include <errno.h>

#include <rte_bitops.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_version.h>

#include "port/landing.h"

void
emu_ring_drain(struct emu_nic *nic, struct rte_ring *ring)
{
	void *m;

	while (rte_ring_sc_dequeue(ring, &m) == 0)
		emu_drop(nic, EMU_DROP_PORT_STOP, m);
}

// A ring of exactly n_desc places, of no name: any number of queues may exist.
static struct rte_ring *
ring_new(uint16_t n_desc, unsigned int socket)
{
	uint32_t slots = rte_align32pow2(n_desc + 1);
	struct rte_ring *ring =
		rte_zmalloc_socket("emunic ring", rte_ring_get_memsize(slots), 64, socket);

	if (ring != NULL && rte_ring_init(ring, "emunic", n_desc,
				    RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ) != 0) {
		rte_free(ring);
		return NULL;
	}
	return ring;
}

int
emu_rxq_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t n_desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_rxq *q;

	if (pool == NULL) {
		EMU_LOG(ERR, "%s: rx queue %u: buffer split is not supported", port->nic->name, id);
		return -ENOTSUP;
	}
	if (rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) {
		EMU_LOG(ERR,
			"%s: rx queue %u: pools with pinned external buffers are not supported",
			port->nic->name, id);
		return -ENOTSUP;
	}
	if (port->nic->args.firmware != EMU_FW_INLINE && !emu_pool_is_shared(pool)) {
		EMU_LOG(ERR,
			"%s: rx queue %u: mempool %s is for one thread only (%s), and the firmware "
			"is another: give it one of ring_mp_mc, or firmware=inline",
			port->nic->name, id, pool->name,
			rte_mempool_get_ops(pool->ops_index)->name);
		return -EINVAL;
	}
	q = rte_zmalloc_socket("emunic rxq", sizeof(*q), 64, socket);
	if (q == NULL || (q->ring = ring_new(n_desc, socket)) == NULL) {
		rte_free(q);
		return -ENOMEM;
	}
	q->pool = pool;
	q->port = port;
	q->id = id;
	q->port_id = dev->data->port_id;
	q->n_desc = n_desc;
	q->offloads = conf->offloads | dev->data->dev_conf.rxmode.offloads;
	q->room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	q->deferred = conf->rx_deferred_start;
	q->drop_en = conf->rx_drop_en;
	q->strip = q->offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
	q->event_fd = port->rx_event[id];
	emu_gate_enter(&port->nic->gate);
	port->rxq[id] = q;
	emu_landing_update(port->nic, port->side);
	emu_gate_leave(&port->nic->gate);
	dev->data->rx_queues[id] = q;
	return 0;
}

int
emu_txq_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t n_desc, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_txq *q = rte_zmalloc_socket("emunic txq", sizeof(*q), 64, socket);

	if (q == NULL || (q->ring = ring_new(n_desc, socket)) == NULL) {
		rte_free(q);
		return -ENOMEM;
	}
	q->port = port;
	q->id = id;
	q->n_desc = n_desc;
	q->offloads = conf->offloads | dev->data->dev_conf.txmode.offloads;
	q->deferred = conf->tx_deferred_start;
	emu_gate_enter(&port->nic->gate);
	emu_rate_set(&q->rate, port->tx_rate[id]);
	port->txq[id] = q;
	emu_gate_leave(&port->nic->gate);
	dev->data->tx_queues[id] = q;
	return 0;
}

static void
add(struct emu_queue_totals *sum, uint64_t packets, uint64_t bytes, uint64_t missed,
	uint64_t nombuf)
{
	sum->packets += packets;
	sum->bytes += bytes;
	sum->missed += missed;
	sum->nombuf += nombuf;
}

void
emu_rxq_release(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu_rxq *q = dev->data->rx_queues[id];
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;

	if (q == NULL)
		return;
	emu_gate_enter(&nic->gate);
	port->rxq[id] = NULL;
	emu_landing_update(nic, port->side);
	emu_ring_drain(nic, q->ring);
	add(&port->rx_gone, q->packets, q->bytes, q->missed, q->nombuf);
	add(&nic->host_rx_gone, q->packets, q->bytes, q->missed, q->nombuf);
	add(&port->rx_gone_base, port->rx_base[id].packets, port->rx_base[id].bytes,
		port->rx_base[id].missed, port->rx_base[id].nombuf);
	port->rx_base[id] = (struct emu_queue_totals){0};
	emu_gate_leave(&nic->gate);
	rte_free(q->ring);
	rte_free(q);
	dev->data->rx_queues[id] = NULL;
}

void
emu_txq_release(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu_txq *q = dev->data->tx_queues[id];
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;

	if (q == NULL)
		return;
	emu_gate_enter(&nic->gate);
	port->txq[id] = NULL;
	emu_ring_drain(nic, q->ring);
	add(&port->tx_gone, q->packets, q->bytes, 0, 0);
	add(&nic->host_tx_gone, q->packets, q->bytes, 0, 0);
	add(&port->tx_gone_base, port->tx_base[id].packets, port->tx_base[id].bytes, 0, 0);
	port->tx_base[id] = (struct emu_queue_totals){0};
	emu_gate_leave(&nic->gate);
	rte_free(q->ring);
	rte_free(q);
	dev->data->tx_queues[id] = NULL;
}

int
emu_rxq_start(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	port->rxq[id]->started = true;
	emu_gate_leave(&port->nic->gate);
	dev->data->rx_queue_state[id] = RTE_ETH_QUEUE_STATE_STARTED;
	return 0;
}

// As of a port that stops: what the application did not take is lost by name, and is not there when
// the queue starts again.
int
emu_rxq_stop(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	port->rxq[id]->started = false;
	emu_ring_drain(port->nic, port->rxq[id]->ring);
	emu_gate_leave(&port->nic->gate);
	dev->data->rx_queue_state[id] = RTE_ETH_QUEUE_STATE_STOPPED;
	return 0;
}

int
emu_txq_start(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu_port *port = dev->data->dev_private;

	__atomic_store_n(&port->txq[id]->started, true, __ATOMIC_RELAXED);
	dev->data->tx_queue_state[id] = RTE_ETH_QUEUE_STATE_STARTED;
	return 0;
}

int
emu_txq_stop(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu_port *port = dev->data->dev_private;

	__atomic_store_n(&port->txq[id]->started, false, __ATOMIC_RELAXED);
	dev->data->tx_queue_state[id] = RTE_ETH_QUEUE_STATE_STOPPED;
	return 0;
}

int
emu_txq_rate(struct rte_eth_dev *dev, uint16_t id, uint32_t mbps)
{
	struct emu_port *port = dev->data->dev_private;

	if (mbps > EMU_MAX_RATE) {
		EMU_LOG(ERR, "%s: tx queue %u: a rate of %u Mbit/s, expected 0 (none) to %u",
			port->nic->name, id, mbps, EMU_MAX_RATE);
		return -EINVAL;
	}
	emu_gate_enter(&port->nic->gate);
	port->tx_rate[id] = mbps;
	if (port->txq[id] != NULL)
		emu_rate_set(&port->txq[id]->rate, mbps);
	emu_gate_leave(&port->nic->gate);
	return 0;
}

void
emu_rxq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_rxq_info *info)
{
	const struct emu_rxq *q = dev->data->rx_queues[id];

	info->mp = q->pool;
	info->nb_desc = q->n_desc;
	info->scattered_rx = dev->data->scattered_rx;
	info->rx_buf_size = q->room;
	info->conf.offloads = q->offloads;
	info->conf.rx_deferred_start = q->deferred;
	info->conf.rx_drop_en = q->drop_en;
}

void
emu_txq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_txq_info *info)
{
	const struct emu_txq *q = dev->data->tx_queues[id];

	info->nb_desc = q->n_desc;
	info->conf.offloads = q->offloads;
	info->conf.tx_deferred_start = q->deferred;
}

#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
static int
queue_rx_count(void *rxq)
#else
static uint32_t
queue_rx_count(void *rxq)
#endif
{
	const struct emu_rxq *q = rxq;

	return rte_ring_count(q->ring);
}

static int
queue_rx_status(void *rxq, uint16_t offset)
{
	const struct emu_rxq *q = rxq;

	if (offset >= q->n_desc)
		return -EINVAL;
	return offset < rte_ring_count(q->ring) ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
static int
queue_tx_count(void *txq)
{
	const struct emu_txq *q = txq;

	return rte_ring_count(q->ring);
}
#endif

// What the firmware has not taken yet are the descriptors that were filled last; what it took goes
// on in order, whatever queue it reads next.
static int
queue_tx_status(void *txq, uint16_t offset)
{
	const struct emu_txq *q = txq;

	if (offset >= q->n_desc)
		return -EINVAL;
	return offset + rte_ring_count(q->ring) >= q->n_desc ? RTE_ETH_TX_DESC_FULL
							     : RTE_ETH_TX_DESC_DONE;
}

void
emu_queue_counts(struct rte_eth_dev *dev)
{
	dev->rx_queue_count = queue_rx_count;
	dev->rx_descriptor_status = queue_rx_status;
	dev->tx_descriptor_status = queue_tx_status;
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	dev->tx_queue_count = queue_tx_count;
#endif
}
