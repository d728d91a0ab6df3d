// SPDX-License-Identifier: BSD-3-Clause
// Rules that were accepted and do nothing (offload/shape.h has the idea).
#include <stdio.h>

#include "offload/shape.h"

#include "internal.h"

#define GRACE_NS (200 * SL_NS_PER_MS) // packets may still be on their way when a rule is made
#define STILL_NS SL_NS_PER_S          // for so long
#define STRAY_LEAST 8                 // so many packets came to the host

static bool
in_force(const struct of_side *s)
{
	return s->state == OFFLOAD_ST_PLACED && s->has_entry;
}

// The rule's counter moved.
void
offload_proof_moved(struct offload *o, struct of_flow *f)
{
	struct of_side *s = &f->side[OFFLOAD_IN];

	s->stray = 0;
	s->stray_ns = 0;
	if (in_force(s))
		offload_shape_proved(o, s);
}

void
offload_flow_still(struct offload *o, uint32_t id)
{
	struct of_flow *f = offload_table_get(o, id);

	if (f)
		f->side[OFFLOAD_IN].read_ns = sl_now(o->clock);
}

// Packets of a flow came to the host though its rule is in force. The first report may speak of
// packets from before.
void
offload_proof_stray(struct offload *o, struct of_flow *f, uint32_t packets)
{
	struct of_side *s = &f->side[OFFLOAD_IN];

	if (!in_force(s) || packets == 0 || o->now - s->since_ns < GRACE_NS)
		return;
	if (s->stray_ns == 0) {
		s->stray_ns = o->now;
		return;
	}
	s->stray += packets;
	if (s->stray >= STRAY_LEAST && o->now - s->stray_ns >= STILL_NS &&
		s->read_ns > s->stray_ns + STILL_NS / 2)
		offload_todo(o, f, OF_DIRTY);
}

bool
offload_proof_dead(const struct of_side *s, uint64_t now)
{
	return in_force(s) && s->stray_ns > 0 && s->stray >= STRAY_LEAST &&
	       now - s->stray_ns >= STILL_NS && s->read_ns > s->stray_ns + STILL_NS / 2;
}

// False: the round has no orders left.
bool
offload_proof_remove(struct offload *o, struct of_flow *f, struct of_side *s)
{
	struct of_nic *n = &o->nic[s->nic];
	char words[OF_TEXT_MAX];

	if (o->orders.n == o->orders.max)
		return false;
	snprintf(words, sizeof(words), "taken, and %u packets came to the host in %llu ms",
		s->stray, (unsigned long long)((o->now - s->stray_ns) / SL_NS_PER_MS));
	offload_shape_refuse(o, n, offload_shape_of(n, s), 0, words, true);
	n->stats.dead++;
	s->trial = false;
	s->stray = 0;
	s->stray_ns = 0;
	return offload_order_remove(o, f, s, OFFLOAD_R_DEAD);
}
