// SPDX-License-Identifier: BSD-3-Clause
#include "obey.h"

#include <rte_ring_elem.h>

#include "classify/entry.h"
#include "out/ring.h"
#include "out/tx.h"
#include "resize_step.h"
#include "tick.h"
#include "trace/trace.h"

#define OBEY_MAX 32 // orders of one loop

static void
done(_Atomic uint32_t *counter)
{
	if (counter != NULL)
		atomic_fetch_add_explicit(counter, 1, memory_order_release);
}

static void
set_host(struct dp_worker *w, const struct dp_order *o)
{
	struct cache_entry *e = cache_lookup(w->cache, &o->key);
	uint8_t host = o->flags & DP_PROG_HOST_RING;
	struct dp_program *prog;
	bool by_ring, leaves;

	if (e == NULL)
		return;
	prog = entry_program(w, e);
	by_ring = (prog->flags & (DP_PROG_RING | DP_PROG_HOST_RING)) != 0;
	leaves = by_ring ? host == 0 : prog->txq != o->txq;
	if (leaves || (prog->flags & DP_PROG_LINGER)) {
		// Its packets may lie on the old way still.
		if (!(prog->flags & DP_PROG_LINGER))
			prog->next_cls = prog->cls;
		prog->next_flags = host;
		prog->next_txq = o->txq;
		prog->flags |= DP_PROG_LINGER;
	} else {
		prog->flags = (uint8_t)((prog->flags & ~DP_PROG_HOST_RING) | host);
		prog->txq = o->txq;
	}
	entry_changed(w, e);
}

struct dump {
	const struct dp_worker *w;
	struct dp_flow_dump *into;
};

static void
dump_one(void *ctx, const struct cache_entry *e)
{
	const struct dump *d = ctx;
	struct cache_flow *to = &d->into->entries[d->into->n];

	cache_read(e, d->w->cache_apart, to);
	if (to->packets != 0) // or it is a bare entry, see classify/fields.h
		d->into->n++;
}

static void
dump(const struct dp_worker *w, struct dp_flow_dump *into)
{
	struct dump d = {.w = w, .into = into};

	into->n = 0;
	into->more = cache_walk(w->cache, &into->cursor, into->size, dump_one, &d);
}

static void
obey(struct dp_worker *w, struct dp_order *o)
{
	switch (o->type) {
	case DP_ORD_SET_HOST:
		set_host(w, o);
		break;
	case DP_ORD_MOVE_MODE:
		// An earlier one that did not see the end of its loop has been overtaken by this.
		done(w->move_done);
		w->move_mode = o->mode;
		w->move_done = o->done;
		return;
	case DP_ORD_DUMP:
		dump(w, o->dump);
		break;
	case DP_ORD_SYNC:
		tx_flush_all(w);
		tick_publish(w);
		break;
	case DP_ORD_TRACE:
		trace_job(w, o->trace);
		break;
	case DP_ORD_LIVE:
		trace_live(w, o->live);
		break;
	case DP_ORD_RESIZE:
		resize_switch(w);
		break;
	case DP_ORD_DRAIN_PORT:
		ring_drain(w, o->port);
		lcore_free_flush(w);
		break;
	default:
		break;
	}
	done(o->done);
}

uint32_t
obey_orders(struct dp_worker *w)
{
	struct dp_order o;
	uint32_t n = 0;

	if (likely(rte_ring_empty(w->orders)))
		return 0;
	while (n < OBEY_MAX && rte_ring_sc_dequeue_elem(w->orders, &o, sizeof(o)) == 0) {
		obey(w, &o);
		n++;
	}
	return n;
}

void
obey_loop_end(struct dp_worker *w)
{
	if (likely(w->move_done == NULL))
		return;
	done(w->move_done);
	w->move_done = NULL;
}
