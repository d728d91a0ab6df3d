// SPDX-License-Identifier: BSD-3-Clause
// Receive queues and their workers: what balancing would do, what it did, and moves by hand.
#include <errno.h>
#include <stdlib.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "pending.h"
#include "work/balance.h"
#include "work/move.h"

#define MOVE_MS 10000
#define MOVES_SHOWN 16

static double
percent(double part)
{
	return (double)(int64_t)(1000 * part + 0.5) / 10;
}

static json_t *
move_json(const struct control *c, const struct queue_move *m)
{
	return json_pack("{ss si si si ss ss sI sI sI si}", "port", port_name(c, m->vport), "queue",
		(int)m->queue, "from", (int)m->from, "worker", (int)m->to, "by",
		m->by_hand ? "hand" : "load", "outcome", queue_move_end_text(m->end), "ago_ms",
		(json_int_t)((sl_now(&c->clock) - m->at_ns) / SL_NS_PER_MS), "took_us",
		(json_int_t)m->took_us, "unpolled_us", (json_int_t)m->unpolled_us, "tries",
		(int)m->tries);
}

static json_t *
moves_json(const struct control *c)
{
	json_t *moves = json_array();
	const struct queue_move *m;
	uint32_t i;

	for (i = 0; i < MOVES_SHOWN && (m = queue_move_get(c, i)) != NULL; i++)
		json_array_append_new(moves, move_json(c, m));
	return moves;
}

static json_t *
plan_json(const struct control *c, const struct balance_view *v)
{
	json_t *moves = json_array();
	uint32_t i;

	for (i = 0; i < v->plan.n; i++) {
		const struct balance_move *m = &v->plan.moves[i];
		const struct queue_load *q = &v->queues[m->queue];

		json_array_append_new(
			moves, json_pack("{ss si si si sf}", "port", port_name(c, q->port->vport),
				       "queue", (int)q->queue, "from", (int)m->from, "worker",
				       (int)m->to, "load_pct", percent(q->load)));
	}
	return moves;
}

static json_t *
workers_json(const struct control *c, const struct balance_view *v)
{
	json_t *workers = json_array();
	uint16_t w;

	for (w = 0; w < c->n_workers; w++)
		json_array_append_new(workers,
			json_pack("{si sf si}", "worker", (int)w, "load_pct", percent(v->worker[w]),
				"rx_queues", (int)c->snapshot->plan[w].n_rxq));
	return workers;
}

COMMAND(cmd_worker_balance)
{
	struct control *c = app;
	const struct config_balance *cfg = &c->cfg->balance;
	struct balance_view v;
	int rc = balancer_look(c, &v);

	if (rc != 0)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	*result = json_pack("{sb ss sf sf si si sI sI sI so so so}", "enabled", (int)cfg->enabled,
		"verdict", balance_verdict_text(v.plan.verdict), "before_pct",
		percent(v.plan.before), "after_pct", percent(v.plan.after), "needs_pct",
		(int)cfg->load_pct, "gain_pct", (int)cfg->gain_pct, "next_ms",
		(json_int_t)(balancer_next(c) / SL_NS_PER_MS), "rounds",
		(json_int_t)balancer_rounds(c), "called_off",
		(json_int_t)(queue_moves_ended(c, QUEUE_MOVE_HELD) +
			     queue_moves_ended(c, QUEUE_MOVE_LATE) +
			     queue_moves_ended(c, QUEUE_MOVE_UNSETTLED)),
		"workers", workers_json(c, &v), "plan", plan_json(c, &v), "moves", moves_json(c));
	free(v.queues);
	return 0;
}

struct move_call {
	struct ctl_call *call;
	uint64_t number;
	bool pin;
};

static const struct queue_move *
move_by_number(const struct control *c, uint64_t number)
{
	const struct queue_move *m;
	uint32_t i;

	for (i = 0; (m = queue_move_get(c, i)) != NULL; i++)
		if (m->number == number)
			return m;
	return NULL;
}

static bool
move_step(struct control *c, void *state, bool expired)
{
	struct move_call *w = state;
	const struct queue_move *m = move_by_number(c, w->number);
	struct sl_err err;

	if (m != NULL && m->end == QUEUE_MOVE_OPEN && !expired)
		return false;
	if (m != NULL && m->end == QUEUE_MOVE_DONE) {
		if (w->pin && c->vports[m->vport].port != NULL)
			queue_pin(c, m->vport, m->queue, true);
		ctl_call_reply(w->call, move_json(c, m));
	} else {
		sl_err_init(&err);
		sl_err_set(&err, m == NULL || m->end == QUEUE_MOVE_OPEN ? ETIMEDOUT : EBUSY, NULL,
			"the queue %s",
			m == NULL ? "is not heard of" : queue_move_end_text(m->end));
		ctl_call_fail(w->call, &err);
	}
	free(w);
	return true;
}

// The queue that args name. -ENOENT, -EINVAL.
static int
arg_queue(
	struct control *c, const json_t *args, uint16_t *vport, uint16_t *queue, struct sl_err *err)
{
	const struct control_vport *v = arg_port(c, args, err);

	if (v == NULL)
		return -ENOENT;
	*vport = v->cfg.id;
	*queue = (uint16_t)arg_int(args, "queue", 0);
	return 0;
}

static json_t *
queue_now(const struct control *c, uint16_t vport, uint16_t queue)
{
	return json_pack("{ss si si sb}", "port", port_name(c, vport), "queue", (int)queue,
		"worker", (int)c->vports[vport].port->rxq_worker[queue], "pinned",
		(int)queue_pinned(c, vport, queue));
}

COMMAND(cmd_worker_move)
{
	struct control *c = app;
	uint16_t to = (uint16_t)arg_int(args, "worker", 0);
	bool pin = arg_bool(args, "pin");
	struct move_call *w;
	uint16_t vport, queue;
	uint64_t number;
	int rc = arg_queue(c, args, &vport, &queue, err);

	if (rc == 0)
		rc = queue_move_check(c, vport, queue, to, err);
	if (rc != 0)
		return rc;
	if (pin && c->vports[vport].port->rxq_worker[queue] == to && !queue_moves_busy(c)) {
		queue_pin(c, vport, queue, true);
		*result = queue_now(c, vport, queue);
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	rc = queue_move_start(c, vport, queue, to, true, &number, err);
	if (rc != 0) {
		free(w);
		return rc;
	}
	*w = (struct move_call){.call = call, .number = number, .pin = pin};
	rc = pending_add(c, move_step, w, MOVE_MS);
	if (rc != 0) {
		free(w);
		return sl_err_set(err, rc, NULL,
			"the queue is being moved, but too many commands wait to be told of it");
	}
	return CTL_LATER;
}

COMMAND(cmd_worker_unpin)
{
	struct control *c = app;
	uint16_t vport, queue;
	int rc = arg_queue(c, args, &vport, &queue, err);

	if (rc == 0)
		rc = queue_move_check(c, vport, queue, 0, err);
	if (rc != 0)
		return rc;
	queue_pin(c, vport, queue, false);
	*result = queue_now(c, vport, queue);
	return 0;
}
