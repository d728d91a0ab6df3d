// SPDX-License-Identifier: BSD-3-Clause
#include "pending.h"

#include <errno.h>
#include <stdlib.h>

#define PENDING_MAX 256

struct pending {
	struct pending_item {
		pending_step step;
		void *state;
		uint64_t deadline_ns;
	} items[PENDING_MAX];
	unsigned n;
};

int
pending_add(struct control *c, pending_step step, void *state, uint64_t timeout_ms)
{
	struct pending *p = c->pending;

	if (p == NULL) {
		p = c->pending = calloc(1, sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
	}
	if (p->n == PENDING_MAX)
		return -EBUSY;
	p->items[p->n++] =
		(struct pending_item){step, state, sl_now(&c->clock) + timeout_ms * SL_NS_PER_MS};
	return 0;
}

void
pending_run(struct control *c)
{
	struct pending *p = c->pending;
	uint64_t now = sl_now(&c->clock);
	unsigned i;

	for (i = p == NULL ? 0 : p->n; i-- > 0;) {
		if (p->items[i].step(c, p->items[i].state, now >= p->items[i].deadline_ns))
			p->items[i] = p->items[--p->n];
	}
}

void
pending_fini(struct control *c)
{
	struct pending *p = c->pending;
	unsigned i;

	for (i = p == NULL ? 0 : p->n; i-- > 0;)
		p->items[i].step(c, p->items[i].state, true);
	free(p);
	c->pending = NULL;
}
