// SPDX-License-Identifier: BSD-3-Clause
#include "place/mover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failover/evict.h"
#include "failover/failover.h"
#include "orders.h"
#include "place/ahead.h"
#include "place/placements.h"
#include "publish.h"

#define MOVER_QUEUE 8192

enum phase { PHASE_IDLE, PHASE_ENTER, PHASE_WORK, PHASE_LEAVE };

struct fifo {
	struct offload_order list[MOVER_QUEUE];
	uint32_t head, n;
};

// An order whose answer the brain gets when its batch has left.
struct finished {
	uint32_t flow;
	uint8_t side, type;
	enum offload_outcome outcome;
	int error;
	char text[96];
	uint32_t packets;
	uint64_t bytes;
};

struct mover {
	enum phase phase;
	enum dp_move_mode mode;
	_Atomic uint32_t acks; // of workers, in enter and leave
	uint32_t outstanding;  // rules of the batch with the executors
	uint32_t direct;       // eswitch rules with the executors
	struct fifo in, out;
	struct finished batch[MOVER_QUEUE];
	uint32_t n_batch;
	uint32_t to_start; // orders of the batch that begins
};

int
mover_new(struct mover **out)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : -ENOMEM;
}

void
mover_free(struct mover *m)
{
	free(m);
}

static bool
fifo_put(struct fifo *f, const struct offload_order *o)
{
	if (f->n == MOVER_QUEUE)
		return false;
	f->list[(f->head + f->n++) % MOVER_QUEUE] = *o;
	return true;
}

static bool
fifo_get(struct fifo *f, struct offload_order *o)
{
	if (f->n == 0)
		return false;
	*o = f->list[f->head];
	f->head = (f->head + 1) % MOVER_QUEUE;
	f->n--;
	return true;
}

static void
set_mode(struct control *c, enum dp_move_mode mode)
{
	const struct dp_order order = {.type = DP_ORD_MOVE_MODE,
		.mode = (uint8_t)mode,
		.done = mode == DP_MOVE_NONE ? NULL : &c->mover->acks};
	uint16_t w;

	atomic_store(&c->mover->acks, 0);
	for (w = 0; w < c->n_workers; w++)
		orders_put(c, w, &order);
}

// The brain forgets all placements on that NIC, and so does the shadow table, but for those that
// the executor is at: their answers come.
static void
drop_placed(void *ctx, struct placement *pl)
{
	struct control *c = ctx;

	if (pl->state == PLACEMENT_PLACED && c->nics[pl->nic]->gone)
		placement_drop(c, pl);
}

void
mover_nic_gone(struct control *c, struct nic *nic, const char *text)
{
	if (nic->gone)
		return;
	nic->gone = true;
	if (failover_gone(c, nic->index, text)) {
		ahead_nic_gone(c, nic->index);
		return;
	}
	sl_log(c->log, SL_LOG_ERR,
		"%s is gone (%s): nothing is placed on it any more until a restart", nic->name,
		text);
	offload_nic_gone(c->offload, nic->index);
	ahead_nic_gone(c, nic->index);
	placements_each(c, drop_placed, c);
	publish(c, false);
}

static void
answer_now(struct control *c, const struct finished *f)
{
	struct placement *pl = placement_find(c, f->flow, f->side);
	struct nic *nic = pl != NULL ? c->nics[pl->nic] : NULL;

	if (f->outcome == OFFLOAD_GONE && nic != NULL)
		mover_nic_gone(c, nic, f->text);
	if (pl != NULL && nic->gone)
		placement_drop(c, pl);
	else if (pl != NULL &&
		 (f->type == OFFLOAD_REMOVE ? f->outcome == OFFLOAD_OK || f->outcome == OFFLOAD_GONE
					    : f->outcome != OFFLOAD_OK))
		placement_drop(c, pl);
	else if (pl != NULL)
		pl->state = PLACEMENT_PLACED;
	offload_done(
		c->offload, f->flow, f->side, f->outcome, f->error, f->text, f->packets, f->bytes);
}

static void
fail_now(struct control *c, const struct offload_order *o, enum offload_outcome outcome, int error,
	const char *text)
{
	struct finished f = {.flow = o->flow,
		.side = o->side,
		.type = o->type,
		.outcome = outcome,
		.error = error};

	snprintf(f.text, sizeof(f.text), "%.*s", (int)sizeof(f.text) - 1, text);
	answer_now(c, &f);
}

static uint16_t
ethdev_of(const struct control *c, uint16_t nic, uint16_t port)
{
	const struct nic *n = nic < CONFIG_NICS_MAX ? c->nics[nic] : NULL;

	return n != NULL && port < n->n_ports ? n->ports[port].ethdev : DP_NONE;
}

int
mover_rule(const struct control *c, const struct offload_flow_view *f, const struct placement *pl,
	uint16_t *ethdev, struct translate_rule *out, struct sl_err *err)
{
	const struct offload_decision *d = f->decision;

	if (pl->place.path == OFFLOAD_ESWITCH) {
		int rc;

		*ethdev = ethdev_of(c, d->in.nic, d->in.port);
		rc = d->drop ? translate_to_drop(f->key, *ethdev, out, err)
			     : translate_to_port(f->key, *ethdev,
				       ethdev_of(c, d->out.nic, d->out.port), &d->actions, out,
				       err);
		if (rc == 0)
			out->attr.group = pl->place.table;
		return rc;
	}
	*ethdev = ethdev_of(c, pl->place.queue.nic, pl->place.queue.port);
	return translate_to_queue(f->key, pl->place.queue.index, placement_mark(pl), out, err);
}

static int
build_rule(struct control *c, const struct offload_flow_view *f, struct placement *pl,
	struct nic_job *job, struct sl_err *err)
{
	int rc = pl->place.path == OFFLOAD_ESWITCH ? 0 : placement_lane_open(c, pl, f->key);

	if (rc == -ENOSPC)
		return sl_err_set(err, ENOSPC, NULL, "all %u lanes are taken", DP_LANES_MAX);
	if (rc != 0)
		return sl_err_set(err, EAGAIN, NULL, "its decision is not one for all its packets");
	return mover_rule(c, f, pl, &job->ethdev, &job->rule, err);
}

// A flow that comes from another NIC was decided by the same rules there.
static void
set_decided_by(struct control *c, struct placement *pl, const struct offload_flow_view *f)
{
	const struct placement *old = evict_of(c, pl->flow);
	struct dp_verdict verdict;
	struct dp_program prog;

	if (old != NULL && old->place.path == OFFLOAD_ESWITCH && old->by.flow_gen == f->gen &&
		old->by.gen == c->gen) {
		pl->by = old->by;
		return;
	}
	dp_compile(c->snapshot, f->key, &prog, &verdict);
	placement_decided_by(c, pl, f->key, &prog);
	pl->by.flow_gen = f->gen;
}

// The NIC of a placement is kept with it: by the time it is removed the flow's decision may name
// another one, or none.
static struct placement *
make_placement(struct control *c, const struct offload_order *o, const struct offload_flow_view *f)
{
	const struct offload_decision *d = f->decision;
	uint16_t nic = o->place.path == OFFLOAD_ESWITCH ? d->in.nic : o->place.queue.nic;
	struct placement *pl;

	if (nic >= CONFIG_NICS_MAX || c->nics[nic] == NULL)
		return NULL;
	pl = placement_make(c, o);
	if (pl == NULL)
		return NULL;
	pl->nic = nic;
	placement_made_for(pl, f->decision);
	if (o->place.path == OFFLOAD_ESWITCH)
		set_decided_by(c, pl, f);
	return pl;
}

// Gives the rule of an order to its NIC's executor. False: it was answered already (it failed
// here).
static bool
start_rule(struct control *c, const struct offload_order *o)
{
	struct offload_flow_view f;
	struct placement *pl;
	struct nic_job *job;
	struct sl_err err;
	struct nic *nic;
	int rc = 0;

	sl_err_init(&err);
	if (!offload_flow_look(c->offload, o->flow, &f)) {
		fail_now(c, o, OFFLOAD_TRANSIENT, ENOMEM, "out of memory");
		return false;
	}
	pl = o->type == OFFLOAD_INSTALL ? make_placement(c, o, &f)
					: placement_find(c, o->flow, o->side);
	if (pl == NULL) {
		// What is not there needs no removal.
		fail_now(c, o, o->type == OFFLOAD_REMOVE ? OFFLOAD_OK : OFFLOAD_TRANSIENT,
			o->type == OFFLOAD_REMOVE ? 0 : ENOMEM, "");
		return false;
	}
	nic = c->nics[pl->nic];
	if (nic->gone) {
		fail_now(c, o, OFFLOAD_GONE, ENODEV, "the NIC is gone");
		return false;
	}
	job = nic_executor_job(nic->executor);
	if (job == NULL) {
		fail_now(c, o, OFFLOAD_TRANSIENT, ENOMEM, "out of memory");
		return false;
	}
	job->id = o->flow << 1 | o->side;
	if (o->type == OFFLOAD_INSTALL) {
		job->type = NIC_JOB_CREATE;
		rc = build_rule(c, &f, pl, job, &err);
		pl->ethdev = job->ethdev;
	} else {
		job->type = NIC_JOB_DESTROY;
		job->ethdev = pl->ethdev;
		job->flow = pl->handle;
		pl->state = PLACEMENT_REMOVING;
	}
	if (rc == 0 && nic_executor_put(nic->executor, job))
		return true;
	nic_executor_job_done(nic->executor, job);
	fail_now(c, o,
		rc == 0          ? OFFLOAD_TRANSIENT
		: rc == -ENOTSUP ? OFFLOAD_UNSUPPORTED
				 : OFFLOAD_TRANSIENT,
		rc == 0 ? EAGAIN : -rc, rc == 0 ? "the NIC's executor is busy" : err.text);
	return false;
}

static bool
is_queue_move(struct control *c, const struct offload_order *o)
{
	const struct placement *pl = placement_find(c, o->flow, o->side);
	uint8_t path = o->type == OFFLOAD_REMOVE && pl != NULL ? pl->place.path : o->place.path;

	return path == OFFLOAD_SHARED_QUEUE || path == OFFLOAD_EXCLUSIVE_QUEUE;
}

void
mover_order(struct control *c, const struct offload_order *o)
{
	struct mover *m = c->mover;
	struct offload_flow_view f;

	if (o->type == OFFLOAD_SET_HOST) {
		if (offload_flow_look(c->offload, o->flow, &f))
			placements_set_host(c, o, f.key);
		return;
	}
	if (!is_queue_move(c, o)) {
		m->direct += start_rule(c, o);
		return;
	}
	if (!fifo_put(o->type == OFFLOAD_INSTALL ? &m->in : &m->out, o))
		fail_now(c, o, OFFLOAD_TRANSIENT, EAGAIN, "too many moves are under way");
}

// A removal that fails is tried again: what was told once is not told again.
static void
take_final(struct control *c, struct placement *pl, const struct nic_job *job, struct finished *f)
{
	if (job->packets < pl->base_packets || job->bytes < pl->base_bytes)
		return;
	f->packets = (uint32_t)(job->packets - pl->base_packets);
	f->bytes = job->bytes - pl->base_bytes;
	placement_carried(c, pl, f->packets, f->bytes);
	pl->base_packets = job->packets;
	pl->base_bytes = job->bytes;
}

void
mover_answer(struct control *c, struct nic_job *job)
{
	struct mover *m = c->mover;
	struct placement *pl = placement_find(c, job->id >> 1, job->id & 1);
	struct nic *nic = pl != NULL ? c->nics[pl->nic] : NULL;
	struct finished f = {
		.flow = job->id >> 1,
		.side = job->id & 1,
		.type = job->type == NIC_JOB_CREATE ? OFFLOAD_INSTALL : OFFLOAD_REMOVE,
		.outcome = job->outcome,
		.error = job->error,
	};
	bool queue;

	if (evict_late(c, job, &queue)) {
		m->direct -= !queue;
		m->outstanding -= queue;
		nic_job_free(job);
		return;
	}
	memcpy(f.text, job->text, sizeof(f.text));
	if (nic != NULL && job->type == NIC_JOB_CREATE) {
		nic->errors[job->outcome]++;
		if (job->outcome == OFFLOAD_OK)
			nic_cost_add(&nic->cost, job->took_ns, sl_now(&c->clock));
	}
	if (pl != NULL && job->type == NIC_JOB_CREATE)
		pl->handle = job->flow;
	if (pl != NULL && job->counted && pl->place.path == OFFLOAD_ESWITCH)
		take_final(c, pl, job, &f);
	if (pl != NULL && pl->place.path == OFFLOAD_ESWITCH) {
		m->direct--;
		answer_now(c, &f);
	} else {
		m->outstanding--;
		m->batch[m->n_batch++] = f;
	}
	if (nic != NULL)
		nic_executor_job_done(nic->executor, job);
	else
		nic_job_free(job);
}

static void
begin(struct control *c)
{
	struct mover *m = c->mover;

	// Removals first: what they free is wanted. Then in turn, so that neither waits for ever.
	if (m->out.n == 0 && m->in.n == 0)
		return;
	m->mode =
		m->out.n > 0 && (m->in.n == 0 || m->mode != DP_MOVE_OUT) ? DP_MOVE_OUT : DP_MOVE_IN;
	m->to_start = m->mode == DP_MOVE_OUT ? m->out.n : m->in.n;
	// The queues that the brain gave out are polled from here on, or nothing goes there.
	if (m->mode == DP_MOVE_IN && publish(c, false) != 0)
		return;
	m->n_batch = 0;
	set_mode(c, m->mode);
	m->phase = PHASE_ENTER;
}

static void
work(struct control *c)
{
	struct mover *m = c->mover;
	struct fifo *f = m->mode == DP_MOVE_OUT ? &m->out : &m->in;
	struct offload_order o;

	// What was ordered since the batch began waits: its queue is not polled yet.
	for (; m->to_start > 0 && fifo_get(f, &o); m->to_start--)
		m->outstanding += start_rule(c, &o);
	m->phase = PHASE_WORK;
}

static void
finish(struct control *c)
{
	struct mover *m = c->mover;
	uint32_t i;

	for (i = 0; i < m->n_batch; i++) {
		struct placement *pl = placement_find(c, m->batch[i].flow, m->batch[i].side);

		if (pl != NULL && pl->has_lane && m->batch[i].type == OFFLOAD_REMOVE)
			placement_lane_delta(c, pl, &m->batch[i].packets, &m->batch[i].bytes);
		answer_now(c, &m->batch[i]);
	}
	m->n_batch = 0;
	m->phase = PHASE_IDLE;
	set_mode(c, DP_MOVE_NONE);
	publish(c, false); // queues that became free are no longer polled; lanes that closed can be
			   // used again
}

void
mover_run(struct control *c)
{
	struct mover *m = c->mover;
	bool acked = atomic_load_explicit(&m->acks, memory_order_acquire) >= c->n_workers;

	switch (m->phase) {
	case PHASE_IDLE:
		begin(c);
		break;
	case PHASE_ENTER:
		if (acked)
			work(c);
		break;
	case PHASE_WORK:
		if (m->outstanding == 0) {
			set_mode(c, m->mode);
			m->phase = PHASE_LEAVE;
		}
		break;
	case PHASE_LEAVE:
		if (acked)
			finish(c);
		break;
	}
}

// to_start: how many of them, from the head, belong to the batch that begins.
static void
purge(struct fifo *f, uint16_t nic, uint32_t *to_start)
{
	struct offload_order o;
	uint32_t i, n = f->n, begun = *to_start;

	for (i = 0; i < n; i++) {
		fifo_get(f, &o);
		if (o.place.queue.nic != nic)
			fifo_put(f, &o);
		else if (i < begun)
			--*to_start;
	}
}

void
mover_nic_out(struct control *c, uint16_t nic)
{
	struct mover *m = c->mover;
	uint32_t i, n = 0, none = 0;

	purge(&m->in, nic, m->mode == DP_MOVE_IN ? &m->to_start : &none);
	purge(&m->out, nic, m->mode == DP_MOVE_OUT ? &m->to_start : &none);
	for (i = 0; i < m->n_batch; i++) {
		struct placement *pl = placement_find(c, m->batch[i].flow, m->batch[i].side);

		if (pl == NULL || pl->nic != nic)
			m->batch[n++] = m->batch[i];
		else if (pl->handle != NULL && m->batch[i].type == OFFLOAD_INSTALL)
			pl->state = PLACEMENT_PLACED;
		else
			placement_drop(c, pl);
	}
	m->n_batch = n;
}

uint32_t
mover_pending(const struct control *c)
{
	const struct mover *m = c->mover;

	return m->in.n + m->out.n + m->outstanding + m->direct + m->n_batch;
}
