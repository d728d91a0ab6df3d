// SPDX-License-Identifier: BSD-3-Clause
#include "work/move.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "place/placements.h"
#include "publish.h"

#define HOLD_NS (5 * SL_NS_PER_S)
#define TAKE_NS (20 * SL_NS_PER_MS) // the queue is polled by nobody meanwhile
#define REST_NS (100 * SL_NS_PER_MS)
#define SETTLE_NS (5 * SL_NS_PER_S) // after a rest
#define TRIES 8

enum phase { PHASE_IDLE, PHASE_HOLD, PHASE_TAKE, PHASE_TAKEN, PHASE_REST };

struct queue_moves {
	enum phase phase;
	uint64_t from_ns, until_ns, began_ns; // of the phase: it does nothing before, and ends
	struct dp_port *port;
	struct dp_takeover *takeover; // in the snapshot
	uint64_t takeovers;           // so far
	uint64_t n;                   // all that were begun; the last is list[(n - 1) % kept]
	struct queue_move list[QUEUE_MOVES_KEPT];
	uint64_t ended[QUEUE_MOVE_ENDS];
};

struct queue_moves *
queue_moves_new(void)
{
	return calloc(1, sizeof(struct queue_moves));
}

void
queue_moves_free(struct queue_moves *m)
{
	if (m != NULL)
		free(m->takeover);
	free(m);
}

static struct queue_move *
current(struct queue_moves *m)
{
	return &m->list[(m->n - 1) % QUEUE_MOVES_KEPT];
}

struct dp_takeover *
queue_moves_takeover(const struct control *c)
{
	return c->moves != NULL ? c->moves->takeover : NULL;
}

bool
queue_moves_busy(const struct control *c)
{
	return c->moves->phase != PHASE_IDLE;
}

// A queue that single flows hold alone or share is polled by their worker.
static bool
is_movable(const struct control *c, const struct dp_port *p, uint16_t queue)
{
	struct offload_queue_id id = {
		.nic = p->nic, .port = p->nic_port, .kind = OFFLOAD_RX, .index = queue};

	if (p->nic == DP_NONE)
		return queue < p->n_rxq;
	return queue < c->nics[p->nic]->ports[p->nic_port].rx_default ||
	       offload_queue_state_of(c->offload, id) == OFFLOAD_Q_GROUP;
}

int
queue_move_check(
	const struct control *c, uint16_t vport, uint16_t queue, uint16_t to, struct sl_err *err)
{
	const struct control_vport *v = vport < DP_VPORTS_MAX ? &c->vports[vport] : NULL;

	if (v == NULL || !v->used || v->port == NULL)
		return sl_err_set(err, ENOENT, "port", "the port has no attachment");
	if (queue >= v->port->n_rxq)
		return sl_err_set(err, ENOENT, "queue", "%s has %u receive queues, 0 to %u",
			v->cfg.name, v->port->n_rxq, v->port->n_rxq - 1u);
	if (!is_movable(c, v->port, queue))
		return sl_err_set(err, EINVAL, "queue",
			"queue %u of %s is for single flows, and with the worker that has them: "
			"default queues (and those of a class rule) can be moved",
			queue, v->cfg.name);
	if (to >= c->n_workers)
		return sl_err_set(err, ENOENT, "worker",
			"there is no worker %u, the last one is %u", to, c->n_workers - 1u);
	if (v->leaving != NULL)
		return sl_err_set(
			err, EBUSY, "port", "%s is changing its NIC: try again", v->cfg.name);
	return 0;
}

int
queue_move_start(struct control *c, uint16_t vport, uint16_t queue, uint16_t to, bool by_hand,
	uint64_t *number, struct sl_err *err)
{
	struct queue_moves *m = c->moves;
	int rc = queue_move_check(c, vport, queue, to, err);

	if (rc != 0)
		return rc;
	if (m->phase != PHASE_IDLE)
		return sl_err_set(err, EBUSY, NULL, "another queue is being moved: try again");
	m->port = c->vports[vport].port;
	if (m->port->rxq_worker[queue] == to)
		return sl_err_set(err, EALREADY, "worker", "worker %u has it already", to);
	m->began_ns = sl_now(&c->clock);
	m->from_ns = m->began_ns;
	m->until_ns = m->began_ns + HOLD_NS;
	m->n++;
	*number = m->n;
	*current(m) = (struct queue_move){.number = m->n,
		.at_ns = m->began_ns,
		.vport = vport,
		.queue = queue,
		.from = m->port->rxq_worker[queue],
		.to = (uint8_t)to,
		.by_hand = by_hand};
	offload_hold(c->offload, vport, current(m)->from);
	m->phase = PHASE_HOLD;
	return 0;
}

static void
end(struct control *c, enum queue_move_end how)
{
	struct queue_moves *m = c->moves;
	struct queue_move *q = current(m);

	offload_hold_end(c->offload);
	q->end = how;
	q->at_ns = sl_now(&c->clock);
	q->took_us = (q->at_ns - m->began_ns) / SL_NS_PER_US;
	m->ended[how]++;
	m->phase = PHASE_IDLE;
	sl_log(c->log, how == QUEUE_MOVE_DONE ? SL_LOG_INFO : SL_LOG_WARN,
		"queue %u of %s, from worker %u to %u%s: %s", q->queue,
		c->vports[q->vport].used ? c->vports[q->vport].cfg.name : "a port", q->from, q->to,
		q->by_hand ? " (by hand)" : "", queue_move_end_text(how));
}

// Published without it, nobody reads it any more.
static bool
forget_takeover(struct control *c)
{
	struct queue_moves *m = c->moves;
	struct dp_takeover *t = m->takeover;

	m->takeover = NULL;
	if (publish(c, false) != 0) {
		m->takeover = t;
		return false;
	}
	free(t);
	return true;
}

static void
rest(struct control *c, enum queue_move_end how)
{
	struct queue_moves *m = c->moves;

	if (current(m)->tries >= TRIES) {
		end(c, how);
		return;
	}
	m->from_ns = sl_now(&c->clock) + REST_NS;
	m->until_ns = m->from_ns + SETTLE_NS;
	m->phase = PHASE_REST;
}

static void
take(struct control *c)
{
	struct queue_moves *m = c->moves;
	struct queue_move *q = current(m);
	struct dp_takeover *t = calloc(1, sizeof(*t));

	q->tries++;
	if (t == NULL) {
		rest(c, QUEUE_MOVE_LATE);
		return;
	}
	t->number = ++m->takeovers;
	t->port = m->port;
	t->queue = q->queue;
	t->from = q->from;
	t->to = q->to;
	t->rings = placements_used_rings(c, q->vport);
	m->takeover = t;
	m->port->rxq_worker[q->queue] = q->to;
	if (publish(c, false) != 0) {
		m->port->rxq_worker[q->queue] = q->from;
		m->takeover = NULL;
		free(t);
		rest(c, QUEUE_MOVE_LATE);
		return;
	}
	m->until_ns = sl_now(&c->clock) + TAKE_NS;
	m->phase = PHASE_TAKE;
}

// Its port is carried by something: else the new worker finds nothing that it could take.
static bool
is_planned(const struct control *c, const struct dp_takeover *t)
{
	const struct dp_worker_plan *plan = &c->snapshot->plan[t->to];
	uint16_t i;

	for (i = 0; i < plan->n_rxq; i++)
		if (plan->rxq[i].port == t->port && plan->rxq[i].queue == t->queue)
			return true;
	return false;
}

static void
look(struct control *c)
{
	struct queue_moves *m = c->moves;
	struct queue_move *q = current(m);
	uint32_t waits = DP_TAKEOVER_WAITS;
	uint64_t ended = atomic_load_explicit(&m->takeover->ended, memory_order_acquire);

	if (!is_planned(c, m->takeover)) {
		if (forget_takeover(c))
			end(c, QUEUE_MOVE_GONE);
		return;
	}
	if (ended != 0) {
		q->unpolled_us =
			(ended - atomic_load(&m->takeover->begun)) * 1000000 / rte_get_tsc_hz();
		// What the old worker has told of the queue's flows is taken by the next tick.
		m->phase = PHASE_TAKEN;
		return;
	}
	if (sl_now(&c->clock) < m->until_ns ||
		!atomic_compare_exchange_strong(&m->takeover->state, &waits, DP_TAKEOVER_OFF))
		return; // in time still, or the old worker has let go: the new one goes on
	m->port->rxq_worker[q->queue] = q->from;
	if (forget_takeover(c)) {
		rest(c, QUEUE_MOVE_LATE);
		return;
	}
	// Nobody polls it: at the next tick again. The new worker sees that it was called off.
	m->port->rxq_worker[q->queue] = q->to;
	atomic_store(&m->takeover->state, DP_TAKEOVER_WAITS);
}

void
queue_moves_run(struct control *c)
{
	struct queue_moves *m = c->moves;
	uint64_t now = sl_now(&c->clock);

	switch (m->phase) {
	case PHASE_IDLE:
		break;
	case PHASE_HOLD:
	case PHASE_REST:
		if (c->vports[current(m)->vport].port != m->port ||
			c->vports[current(m)->vport].leaving != NULL)
			end(c, QUEUE_MOVE_GONE);
		else if (now < m->from_ns)
			break;
		else if (offload_held(c->offload) == 0 && placements_host_settled(c))
			take(c);
		else if (now >= m->until_ns)
			end(c, m->phase == PHASE_HOLD ? QUEUE_MOVE_HELD : QUEUE_MOVE_UNSETTLED);
		break;
	case PHASE_TAKE:
		look(c);
		break;
	case PHASE_TAKEN:
		if (forget_takeover(c))
			end(c, QUEUE_MOVE_DONE);
		break;
	}
}

void
queue_moves_port_gone(struct control *c, const struct dp_port *port)
{
	struct queue_moves *m = c->moves;

	if (m == NULL || m->phase == PHASE_IDLE || m->port != port)
		return;
	// Without memory for a snapshot its takeover stays: no plan has the queue any more.
	if (m->takeover != NULL && c->running && !forget_takeover(c))
		m->takeover = NULL;
	end(c, QUEUE_MOVE_GONE);
}

void
queue_pin(struct control *c, uint16_t vport, uint16_t queue, bool pinned)
{
	c->vports[vport].port->rxq_pinned[queue] = pinned;
}

bool
queue_pinned(const struct control *c, uint16_t vport, uint16_t queue)
{
	return c->vports[vport].port->rxq_pinned[queue];
}

const struct queue_move *
queue_move_get(const struct control *c, uint32_t i)
{
	const struct queue_moves *m = c->moves;

	return i >= m->n || i >= QUEUE_MOVES_KEPT ? NULL
						  : &m->list[(m->n - 1 - i) % QUEUE_MOVES_KEPT];
}

uint64_t
queue_moves_ended(const struct control *c, enum queue_move_end how)
{
	return c->moves->ended[how];
}

const char *
queue_move_end_text(enum queue_move_end how)
{
	static const char *const texts[QUEUE_MOVE_ENDS] = {
		[QUEUE_MOVE_OPEN] = "under way",
		[QUEUE_MOVE_DONE] = "moved",
		[QUEUE_MOVE_HELD] = "stays: its flows did not leave their hardware queues in time",
		[QUEUE_MOVE_LATE] = "stays: what was received did not leave in time",
		[QUEUE_MOVE_UNSETTLED] = "stays: placements did not settle in time for another try",
		[QUEUE_MOVE_GONE] = "gone: its port left meanwhile",
	};

	return texts[how];
}
