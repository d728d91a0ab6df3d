// SPDX-License-Identifier: BSD-3-Clause
#include "port/landing.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

// The mempool that all receive queues of a started port share, or NULL.
static struct rte_mempool *
shared_pool(const struct emu_port *port)
{
	struct rte_mempool *pool;

	if (port == NULL || !port->started || port->n_rxq == 0 || port->rxq[0] == NULL)
		return NULL;
	pool = port->rxq[0]->pool;
	for (uint16_t i = 1; i < port->n_rxq; i++)
		if (port->rxq[i] == NULL || port->rxq[i]->pool != pool)
			return NULL;
	return pool;
}

bool
emu_pool_is_shared(const struct rte_mempool *pool)
{
	const char *ops = rte_mempool_get_ops(pool->ops_index)->name;

	// The flags are how rte_mempool_create was asked for one of these; a driver's name says the
	// same (rte_pktmbuf_pool_create_by_ops, --mbuf-pool-ops-name).
	return (pool->flags & (RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET)) == 0 &&
	       strcmp(ops, "ring_sp_sc") != 0 && strcmp(ops, "ring_sp_mc") != 0 &&
	       strcmp(ops, "ring_mp_sc") != 0;
}

void
emu_landing_update(struct emu_nic *nic, struct emu_side *side)
{
	struct rte_mempool *pool = shared_pool(nic->ports[side->index]);

	if (pool != NULL &&
		(pool->size < EMU_LANDING_BUFS || !emu_pool_is_shared(pool) ||
			rte_pktmbuf_data_room_size(pool) < rte_pktmbuf_data_room_size(nic->pool)))
		pool = NULL;
	side->landing = pool;
	emu_landing_choose(nic, side);
}

static void
set(struct emu_backend *b, struct rte_mempool *pool)
{
	b->landing = pool;
	if (b->ops->land != NULL)
		b->ops->land(b);
}

void
emu_landing_choose(const struct emu_nic *nic, struct emu_side *side)
{
	bool stays = nic->n_transfer == 0 && nic->misses_to_vm == 0 &&
		     (side->wire == NULL || nic->moods.late == 0);
	struct rte_mempool *pool = stays ? side->landing : NULL;
	struct emu_backend *b = side->backend;

	if (likely(b == NULL || b->landing == pool))
		return;
	set(b, pool);
}

void
emu_landing_end(struct emu_backend *b)
{
	set(b, NULL);
}
