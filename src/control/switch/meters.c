// SPDX-License-Identifier: BSD-3-Clause
#include "switch/meters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#define BURST_PART 10 // of a second
#define BURST_LEAST 64000

struct rated {
	struct dp_meter m; // first, on a cache line of its own
	uint64_t bps, burst;
	struct rated *next; // of those that are retired
};

struct meters {
	struct rated *port[DP_VPORTS_MAX], *vm[CONFIG_PORTS_MAX], *cls[CONFIG_CLASSES_MAX];
	struct rated *old;
};

uint64_t
meters_burst(uint64_t rate_bps, uint64_t burst_bytes)
{
	uint64_t part = rate_bps / 8 / BURST_PART;

	if (burst_bytes != 0)
		return burst_bytes;
	return part > BURST_LEAST ? part : BURST_LEAST;
}

static void
free_list(struct rated **list, unsigned n)
{
	while (n-- > 0)
		free(list[n]);
}

void
meters_free(struct control *c)
{
	struct meters *m = c->meters;

	if (m == NULL)
		return;
	meters_retire(c);
	free_list(m->port, DP_VPORTS_MAX);
	free_list(m->vm, CONFIG_PORTS_MAX);
	free_list(m->cls, CONFIG_CLASSES_MAX);
	free(m);
	c->meters = NULL;
}

// The bytes that were taken of the old burst are taken of the new one, at most all of it. They are
// time in the meter, of which a slow rate has a lot: as it stands it would close a fast one for
// minutes.
static void
go_on(struct rated *r, struct rated *old, uint64_t now)
{
	const uint64_t next = atomic_load_explicit(&old->m.next, memory_order_relaxed);
	__uint128_t taken = 0;

	if (next > now)
		taken = (__uint128_t)(next - now) * r->m.cycles_per_kbyte / old->m.cycles_per_kbyte;
	if (taken > r->m.burst_cycles)
		taken = r->m.burst_cycles;
	atomic_store_explicit(&r->m.next, now + (uint64_t)taken, memory_order_relaxed);
}

static int
set(struct meters *m, struct rated **at, uint64_t bps, uint64_t burst_bytes)
{
	struct rated *old = *at, *r = NULL;
	const uint64_t burst = meters_burst(bps, burst_bytes);

	if (old != NULL ? old->bps == bps && old->burst == burst : bps == 0)
		return 0;
	if (bps != 0) {
		r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);
		if (r == NULL)
			return -ENOMEM;
		memset(r, 0, sizeof(*r));
		dp_meter_init(&r->m, bps, burst, rte_get_tsc_hz());
		r->bps = bps;
		r->burst = burst;
	}
	if (old != NULL) {
		if (r != NULL)
			go_on(r, old, rte_get_tsc_cycles());
		old->next = m->old;
		m->old = old;
	}
	*at = r;
	return 0;
}

int
meters_update(struct control *c)
{
	struct meters *m = c->meters;
	uint16_t i;
	int rc = 0;

	if (m == NULL)
		m = c->meters = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;

	for (i = 0; i < DP_VPORTS_MAX && rc == 0; i++) {
		const struct config_port *p = c->vports[i].used ? &c->vports[i].cfg : NULL;

		rc = set(m, &m->port[i], p != NULL ? p->rate_bps : 0,
			p != NULL ? p->burst_bytes : 0);
	}
	for (i = 0; i < CONFIG_PORTS_MAX && rc == 0; i++) {
		const struct config_vm *v = i < c->cfg->n_vms ? &c->cfg->vms[i] : NULL;

		rc = set(m, &m->vm[i], v != NULL ? v->rate_bps : 0, v != NULL ? v->burst_bytes : 0);
	}
	for (i = 0; i < c->cfg->n_classes && rc == 0; i++)
		rc = set(
			m, &m->cls[i], c->cfg->classes[i].rate_bps, c->cfg->classes[i].burst_bytes);
	return rc;
}

static struct dp_meter *
meter_of(struct rated *r)
{
	return r != NULL ? &r->m : NULL;
}

struct dp_meter *
meters_port(const struct control *c, uint16_t vport)
{
	return meter_of(c->meters->port[vport]);
}

struct dp_meter *
meters_vm(const struct control *c, int16_t vm)
{
	return vm >= 0 ? meter_of(c->meters->vm[vm]) : NULL;
}

struct dp_meter *
meters_class(const struct control *c, uint8_t cls)
{
	return meter_of(c->meters->cls[cls]);
}

void
meters_retire(struct control *c)
{
	struct rated *r;

	while ((r = c->meters->old) != NULL) {
		c->meters->old = r->next;
		free(r);
	}
}
