// SPDX-License-Identifier: BSD-3-Clause
#include "orders.h"

#include <time.h>

#include "work/stuck.h"

void
orders_nap(void)
{
	const struct timespec us20 = {.tv_nsec = 20000};

	nanosleep(&us20, NULL);
}

void
orders_put(struct control *c, uint16_t worker, const struct dp_order *order)
{
	while (!dp_order_put(c->dp, worker, order)) {
		orders_nap();
		stuck_look(c);
	}
}

void
orders_all(struct control *c, const struct dp_order *order)
{
	_Atomic uint32_t done = 0;
	struct dp_order o = *order;
	uint16_t w;

	if (!c->running)
		return;
	o.done = &done;
	for (w = 0; w < c->n_workers; w++)
		orders_put(c, w, &o);
	while (atomic_load_explicit(&done, memory_order_acquire) < c->n_workers) {
		orders_nap();
		stuck_look(c);
	}
}

void
orders_drain_port(struct control *c, struct dp_port *port)
{
	const struct dp_order order = {.type = DP_ORD_DRAIN_PORT, .port = port};

	// Twice: what a worker handed over to another one before the first pass is found by the
	// second.
	orders_all(c, &order);
	orders_all(c, &order);
}

void
orders_sync(struct control *c)
{
	const struct dp_order order = {.type = DP_ORD_SYNC};

	orders_all(c, &order);
}
