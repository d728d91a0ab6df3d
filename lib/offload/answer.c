// SPDX-License-Identifier: BSD-3-Clause
// What a NIC answered, classed by the caller, and what follows from it.
#include <stdlib.h>

#include <bsd/string.h>

#include "internal.h"

static void
remember_words(struct of_side *s, int errno_, const char *text)
{
	if (!s->refusal)
		s->refusal = calloc(1, sizeof(*s->refusal));
	if (!s->refusal)
		return;
	s->refusal->errno_ = errno_;
	strlcpy(s->refusal->text, text ? text : "", sizeof(s->refusal->text));
}

static uint64_t
backoff(const struct offload *o, struct of_side *s)
{
	uint64_t ms = OF_BACKOFF_MS << (s->fails < 8 ? s->fails : 8);

	if (s->fails < UINT8_MAX)
		s->fails++;
	return o->now + (ms < OF_BACKOFF_MAX_MS ? ms : OF_BACKOFF_MAX_MS) * SL_NS_PER_MS;
}

static void
install_failed(struct offload *o, struct of_flow *f, struct of_side *s,
	enum offload_outcome outcome, int errno_, const char *text)
{
	struct of_nic *n = &o->nic[s->nic];
	struct of_shape *sh = offload_shape_of(n, s);

	remember_words(s, errno_, text);
	if (outcome == OFFLOAD_UNSUPPORTED)
		offload_shape_refuse(o, n, sh, errno_, text, false);
	offload_queue_release(o, s, OF_HOLD_PLACE);
	offload_entry_release(o, s);
	s->path = OFFLOAD_SOFTWARE;
	switch (outcome) {
	case OFFLOAD_FULL:
		offload_limit_refused(o, n, sh);
		offload_set_state(o, s, OFFLOAD_ST_WANTED);
		offload_set_reason(o, f, s, OFFLOAD_R_TABLE_FULL);
		break;
	case OFFLOAD_UNSUPPORTED:
		offload_set_state(o, s, OFFLOAD_ST_REFUSED);
		offload_set_reason(o, f, s, OFFLOAD_R_UNSUPPORTED);
		break;
	default:
		offload_set_state(o, s, OFFLOAD_ST_REFUSED);
		offload_set_reason(o, f, s, OFFLOAD_R_DRIVER);
		offload_timer(o, s, backoff(o, s));
	}
}

static void
installed(struct offload *o, struct of_flow *f, struct of_side *s)
{
	struct of_nic *n = &o->nic[s->nic];

	offload_shape_accepted(o, s);
	if (!offload_resident_add(n, s)) {
		// Out of memory: it cannot be replaced by others, all else holds.
		s->resident = OF_NEVER;
	}
	s->fails = 0;
	free(s->refusal);
	s->refusal = NULL;
	offload_set_state(o, s, OFFLOAD_ST_PLACED);
	n->stats.installed++;
	n->stats.moves_eswitch += s->path == OFFLOAD_ESWITCH;
	f->last_path = s->path;
	offload_ever(o, f, s->path);
}

static void
removed(struct offload *o, struct of_flow *f, struct of_side *s)
{
	struct of_nic *n = &o->nic[s->nic];

	n->stats.removed++;
	n->stats.moves_eswitch += s->path == OFFLOAD_ESWITCH;
	offload_resident_del(n, s);
	offload_queue_release(o, s, OF_HOLD_PLACE);
	offload_shape_release(o, s);
	s->path = OFFLOAD_SOFTWARE;
	s->fails = 0;
	if (s->moving) {
		offload_set_state(o, s, OFFLOAD_ST_WANTED);
		offload_set_reason(o, f, s, OFFLOAD_R_BUDGET);
		return;
	}
	n->leaving--;
	offload_entry_release(o, s);
	s->want = s->host;
	offload_set_state(o, s, OFFLOAD_ST_SOFTWARE);
}

static void
count_final(struct offload *o, struct of_flow *f, uint32_t packets, uint64_t bytes)
{
	if (f->expected && packets)
		offload_expect_seen(o, f, true, bytes);
	f->packets[f->last_path] += packets;
	f->bytes[f->last_path] += bytes;
	if (packets || bytes)
		offload_traits_add(o, f, o->now, packets, bytes);
}

void
offload_done(struct offload *o, uint32_t flow, enum offload_side side, enum offload_outcome outcome,
	int errno_, const char *text, uint32_t packets, uint64_t bytes)
{
	struct of_flow *f = offload_table_get(o, flow);
	struct of_side *s;
	uint16_t nic;

	if (!f || side != OFFLOAD_IN)
		return; // side OUT has no orders that are answered
	s = &f->side[side];
	if ((s->state != OFFLOAD_ST_INSTALLING && s->state != OFFLOAD_ST_REMOVING) || s->resend)
		return; // the NIC went meanwhile, or the answer comes twice
	nic = s->nic;
	o->now = sl_now(o->clock);
	o->nic[nic].inflight--;
	o->nic[nic].rush_answers++;
	offload_capacity_answer(o, &o->nic[nic], s->since_ns);
	if (s->state == OFFLOAD_ST_REMOVING)
		count_final(o, f, packets, bytes);
	if (outcome == OFFLOAD_GONE) {
		remember_words(s, errno_, text);
		offload_nic_gone(o, nic);
	} else if (s->state == OFFLOAD_ST_INSTALLING) {
		if (outcome == OFFLOAD_OK)
			installed(o, f, s);
		else
			install_failed(o, f, s, outcome, errno_, text);
	} else if (outcome == OFFLOAD_OK) {
		removed(o, f, s);
	} else {
		remember_words(s, errno_, text);
		s->resend = true;
		offload_timer(o, s, backoff(o, s));
	}
	offload_sort(o, f);
	// In a rush the other rules come first; when it is over, all of its flows are judged.
	if (s->state != OFFLOAD_ST_PLACED || o->nic[nic].rush == 0)
		offload_todo(o, f, OF_DIRTY);
}
