// SPDX-License-Identifier: BSD-3-Clause
#include "port/vf.h"

#include <rte_mbuf.h>

static uint16_t
count_queues(const struct emu_side *side)
{
	const struct emu_backend_ops *ops = side->backend != NULL ? side->backend->ops : NULL;

	return ops != NULL && ops->rx_queues != NULL ? ops->rx_queues(side->backend) : 1;
}

void
emu_vf_choose_queue(struct emu_nic *nic, struct emu_side *side, struct emu_pkt *p)
{
	uint16_t n = count_queues(side);
	uint16_t queue = p->vf_queue;
	uint32_t hash;

	side->n_queues = RTE_MIN(n, EMU_MAX_VF_QUEUES);
	if (n <= 1) {
		p->vf_queue = 0;
		return;
	}
	if (queue >= n) { // none was chosen, or one that is not there
		queue = 0;
		if (emu_rss_hash(side->rss != NULL ? side->rss : &nic->vf_rss, p, &hash)) {
			queue = hash % n;
			if (side->n_reta > 0 && side->reta[hash % EMU_VF_RETA] < n)
				queue = side->reta[hash % EMU_VF_RETA];
		}
	}
	p->vf_queue = queue;
}

uint16_t
emu_vf_queues(const struct emu_side *side, struct rte_pmd_emunic_vf_queue *out, uint16_t n)
{
	uint64_t first =
		side->tx_packets; // those of a queue that is alone are not counted by queue
	uint16_t has = side->backend != NULL ? RTE_MIN(count_queues(side), EMU_MAX_VF_QUEUES) : 0;

	for (unsigned int q = 1; q < EMU_MAX_VF_QUEUES; q++)
		first -= side->queue_packets[q];
	for (uint16_t q = 0; q < has && q < n; q++) {
		out[q] = (struct rte_pmd_emunic_vf_queue){
			.packets = q == 0 ? first : side->queue_packets[q],
			.rss = side->n_reta == 0};
		// A queue of the table that is not there stands for all.
		for (unsigned int i = 0; side->n_reta > 0 && i < EMU_VF_RETA && !out[q].rss; i++)
			out[q].rss = side->reta[i] == q || side->reta[i] >= has;
	}
	return has;
}

void
emu_vf_set_reta(struct emu_side *side, const uint16_t *queues, uint16_t n)
{
	side->n_reta = n;
	for (unsigned int i = 0; n > 0 && i < EMU_VF_RETA; i++)
		side->reta[i] = queues[i % n];
}

bool
emu_vf_stalled(const struct emu_nic *nic, const struct emu_side *side, uint16_t queue)
{
	return emu_has_queue(nic->moods.stall_vf_rx[side->slot - 1], queue);
}

void
emu_vf_set_stalls(struct emu_nic *nic, struct emu_side *side)
{
	struct emu_backend *b = side->backend;
	const uint64_t *tx;

	if (b != NULL)
		b->still = NULL;
	if (side->wire != NULL)
		return;
	tx = nic->moods.stall_vf_tx[side->slot - 1];
	side->stalls = false;
	for (unsigned int w = 0; w < EMU_VF_QUEUE_WORDS; w++)
		side->stalls |= nic->moods.stall_vf_rx[side->slot - 1][w] != 0;
	side->still = b != NULL && b->ops->rx_queues == NULL && emu_has_queue(tx, 0);
	for (unsigned int w = 0; b != NULL && w < EMU_VF_QUEUE_WORDS; w++)
		if (tx[w] != 0)
			b->still = tx;
}
