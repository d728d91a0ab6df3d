// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/port.h"

#include <errno.h>
#include <string.h>

#include "memory.h"

static struct dp_port_worker *
port_worker_new(struct dp_port *p, int socket_id)
{
	struct dp_port_worker *pw = dp_zalloc(sizeof(*pw), socket_id);
	uint16_t q;

	if (pw == NULL)
		return NULL;
	pw->txbuf = dp_zalloc(sizeof(*pw->txbuf) * p->n_txq, socket_id);
	pw->rxq = dp_zalloc(sizeof(*pw->rxq) * RTE_MAX(p->n_rxq, 1), socket_id);
	if (pw->txbuf == NULL || pw->rxq == NULL) {
		dp_free_mem(pw->txbuf);
		dp_free_mem(pw->rxq);
		dp_free_mem(pw);
		return NULL;
	}
	for (q = 0; q < p->n_txq; q++) {
		pw->txbuf[q].port = p;
		pw->txbuf[q].queue = q;
	}
	return pw;
}

static void
port_workers_free(struct dp_port *p)
{
	uint16_t w;

	for (w = 0; w < DP_WORKERS_MAX; w++) {
		if (p->worker[w] != NULL) {
			dp_free_mem(p->worker[w]->txbuf);
			dp_free_mem(p->worker[w]->rxq);
		}
		dp_free_mem(p->worker[w]);
		p->worker[w] = NULL;
	}
}

int
dp_port_attach(struct dp_port *p, uint16_t n_workers, const struct qos_class_cfg *classes,
	uint8_t n_classes, int socket_id)
{
	uint16_t w, q;
	int rc;

	if (n_workers == 0 || n_workers > DP_WORKERS_MAX || p->n_txq == 0 ||
		p->n_txq > DP_QUEUES_MAX || p->n_rxq > DP_QUEUES_MAX)
		return -EINVAL;
	for (w = 0; w < n_workers; w++) {
		p->worker[w] = port_worker_new(p, socket_id);
		if (p->worker[w] == NULL) {
			port_workers_free(p);
			return -ENOMEM;
		}
		p->txq_of_worker[w] = w < p->n_txq ? w : DP_NONE;
	}
	for (; w < DP_WORKERS_MAX; w++)
		p->txq_of_worker[w] = DP_NONE;
	for (q = 0; q < p->n_txq; q++)
		p->txq_owner[q] = (uint8_t)(q % n_workers);
	// Dealt out in turn, from another one at each port.
	for (q = 0; q < p->n_rxq; q++)
		p->rxq_worker[q] = (uint8_t)((p->index + q) % n_workers);
	rc = qos_sched_new(classes, n_classes, socket_id, &p->sched);
	if (rc != 0) {
		port_workers_free(p);
		return rc;
	}
	p->n_classes = n_classes;
	// Only a worker that has a transmit queue of its own can serve rings; spread over those.
	p->sched_owner = (uint8_t)(p->index % (n_workers < p->n_txq ? n_workers : p->n_txq));
	return 0;
}

void
dp_port_free(struct dp_port *p)
{
	if (p == NULL)
		return;
	p->ops->close(p);
	qos_sched_free(p->sched);
	port_workers_free(p);
	dp_free_mem(p);
}
