// SPDX-License-Identifier: BSD-3-Clause
// Tables of ports that go, and the single flows that still have a rule in them.
#include "place/ahead_internal.h"
#include "place/placements.h"

#define LEAVE_NS (2 * SL_NS_PER_S)

// Is a way in about to go: that into `table`, or, when that is 0, any?
static bool
table_goes(const struct ahead_nic *n, uint32_t table)
{
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (l->used && !l->kept && l->state == AHEAD_IN && l->act.kind == AHEAD_JUMP &&
			(table == 0 || ahead_group(l->port) == table))
			return true;
	}
	return false;
}

void
ahead_tables_planned(struct control *c, uint16_t nic)
{
	struct ahead_nic *n = &c->ahead->nic[nic];

	if (!table_goes(n, 0)) {
		n->leave_ns = 0;
		return;
	}
	c->ahead->redecide = true; // new rules of single flows are not for it from now on
	if (n->leave_ns == 0)
		n->leave_ns = sl_now(&c->clock) + LEAVE_NS;
}

struct in_tables {
	const struct ahead_nic *n;
	uint16_t nic;
	uint32_t rules;
};

static void
count_rule(void *ctx, struct placement *pl)
{
	struct in_tables *k = ctx;

	k->rules += pl->nic == k->nic && pl->place.table != 0 && table_goes(k->n, pl->place.table);
}

bool
ahead_tables_wait(struct control *c, uint16_t nic)
{
	struct in_tables k = {.n = &c->ahead->nic[nic], .nic = nic};

	if (sl_now(&c->clock) >= k.n->leave_ns || !table_goes(k.n, 0))
		return false;
	placements_each(c, count_rule, &k);
	return k.rules > 0;
}
