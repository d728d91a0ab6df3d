// SPDX-License-Identifier: BSD-3-Clause
#include "cmd/vf_queues.h"

#include <string.h>

#include "nic/nic.h"
#include "nic/pmd.h"

static int
read_vf(const struct nic *nic, uint16_t port, struct nic_vf_queue *out, uint16_t max)
{
	return nic == NULL || nic->gone || nic->ops->vf_queues == NULL || port == 0
		       ? 0
		       : nic->ops->vf_queues(nic->ports[0].ethdev, (uint16_t)(port - 1), out, max);
}

void
vf_queues_refresh(struct control *c)
{
	struct nic_vf_queue q[OFFLOAD_QUEUES_MAX];
	bool spread[OFFLOAD_QUEUES_MAX];
	uint16_t i, port;
	int n, k;

	for (i = 0; i < c->cfg->n_nics; i++) {
		for (port = 1; c->nics[i] != NULL && port < c->nics[i]->n_ports; port++) {
			n = read_vf(c->nics[i], port, q, OFFLOAD_QUEUES_MAX);
			for (k = 0; k < n; k++)
				spread[k] = q[k].rss;
			if (n >= 0)
				(void)offload_vf_queues(
					c->offload, c->nics[i]->index, port, spread, (uint16_t)n);
		}
	}
}

void
vf_queues_packets(
	const struct control *c, uint16_t nic, uint16_t port, uint64_t *packets, uint16_t n)
{
	struct nic_vf_queue q[OFFLOAD_QUEUES_MAX];
	int has = read_vf(c->nics[nic], port, q, OFFLOAD_QUEUES_MAX), i;

	memset(packets, 0, n * sizeof(*packets));
	for (i = 0; i < has && i < n; i++)
		packets[i] = q[i].packets;
}
