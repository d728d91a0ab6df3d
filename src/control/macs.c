// SPDX-License-Identifier: BSD-3-Clause
#include "macs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define AGE_EVERY_NS SL_NS_PER_S

struct learned {
	uint8_t addr[6];
	uint16_t vlan, vport;
	_Atomic uint32_t *used; // tick of the last use, written by workers
};

struct switch_macs {
	struct learned *list;
	uint32_t n, cap;
	bool dirty;
	struct dp_mac_table *table; // built last
	struct dp_mac_table *retired[4];
	uint8_t n_retired;
	_Atomic uint32_t **dead; // cells of addresses that are gone: a worker may hold them until
				 // the next publish
	uint32_t n_dead, cap_dead;
	uint64_t refused;
};

struct mac_learner {
	uint64_t seed, next_age_ns;
	struct switch_macs sw[DP_SWITCHES_MAX];
};

static uint32_t
tick_now(const struct control *c)
{
	return (uint32_t)(sl_now(&c->clock) / DP_TICK_NS);
}

int
macs_new(struct control *c)
{
	c->macs = calloc(1, sizeof(*c->macs));
	if (c->macs == NULL)
		return -ENOMEM;
	c->macs->seed = sl_hash_seed();
	return 0;
}

void
macs_fini(struct control *c)
{
	uint32_t i, k;

	if (c->macs == NULL)
		return;
	for (i = 0; i < DP_SWITCHES_MAX; i++) {
		struct switch_macs *s = &c->macs->sw[i];

		for (k = 0; k < s->n; k++)
			free((void *)s->list[k].used);
		for (k = 0; k < s->n_dead; k++)
			free((void *)s->dead[k]);
		for (k = 0; k < s->n_retired; k++)
			dp_mac_table_free(s->retired[k]);
		dp_mac_table_free(s->table);
		free(s->list);
		free(s->dead);
	}
	free(c->macs);
	c->macs = NULL;
}

static struct learned *
find(struct switch_macs *s, const uint8_t *addr, uint16_t vlan)
{
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		if (s->list[i].vlan == vlan && memcmp(s->list[i].addr, addr, 6) == 0)
			return &s->list[i];
	}
	return NULL;
}

static bool
grow(struct switch_macs *s, uint32_t limit)
{
	uint32_t cap = s->cap == 0 ? 64 : 2 * s->cap;
	struct learned *list;

	if (s->n < s->cap)
		return true;
	if (s->n >= limit)
		return false;
	list = realloc(s->list, cap * sizeof(*list));
	if (list == NULL)
		return false;
	s->list = list;
	s->cap = cap;
	return true;
}

void
macs_learn(struct control *c, const struct dp_event *ev)
{
	int sw = control_switch_of(c, ev->key.switch_id);
	uint16_t vlan = ev->key.vlan[0] & 0xfff;
	struct switch_macs *s;
	struct learned *l;

	// A vport that went away since, or a multicast "source", is not learned.
	if (sw < 0 || ev->key.vport >= DP_VPORTS_MAX || !c->vports[ev->key.vport].used ||
		(ev->key.eth_src[0] & 1) != 0)
		return;
	s = &c->macs->sw[sw];
	l = find(s, ev->key.eth_src, vlan);
	if (l != NULL) {
		s->dirty = s->dirty || l->vport != ev->key.vport;
		l->vport = ev->key.vport;
		atomic_store_explicit(l->used, tick_now(c), memory_order_relaxed);
		return;
	}
	if (s->n >= c->cfg->switches[sw].mac_limit || !grow(s, c->cfg->switches[sw].mac_limit)) {
		s->refused++;
		return;
	}
	l = &s->list[s->n];
	l->used = malloc(sizeof(*l->used));
	if (l->used == NULL)
		return;
	atomic_init(l->used, tick_now(c));
	memcpy(l->addr, ev->key.eth_src, 6);
	l->vlan = vlan;
	l->vport = ev->key.vport;
	s->n++;
	s->dirty = true;
}

void
macs_touch(struct control *c, const struct flow_key *key)
{
	int sw = control_switch_of(c, key->switch_id);
	const struct control_vport *v;
	struct learned *l;
	uint16_t vlan;

	if (sw < 0 || key->vport >= DP_VPORTS_MAX || !c->vports[key->vport].used)
		return;
	v = &c->vports[key->vport];
	// The table knows the VLAN that the port's mode gave.
	vlan = key->vlan[0] & 0xfff;
	if (vlan == 0 && v->cfg.vlan_mode != CONFIG_VLAN_TRUNK)
		vlan = v->cfg.vlan;
	l = find(&c->macs->sw[sw], key->eth_src, vlan);
	if (l != NULL && l->vport == key->vport)
		atomic_store_explicit(l->used, tick_now(c), memory_order_relaxed);
}

static void
forget(struct switch_macs *s, uint32_t i)
{
	if (s->n_dead == s->cap_dead) {
		uint32_t cap = s->cap_dead == 0 ? 64 : 2 * s->cap_dead;
		_Atomic uint32_t **dead = realloc(s->dead, cap * sizeof(*dead));

		if (dead == NULL)
			return; // stays learned until there is memory
		s->dead = dead;
		s->cap_dead = cap;
	}
	s->dead[s->n_dead++] = s->list[i].used;
	s->list[i] = s->list[--s->n];
	s->dirty = true;
}

bool
macs_tick(struct control *c)
{
	uint64_t now = sl_now(&c->clock);
	bool age = now >= c->macs->next_age_ns, dirty = false;
	uint16_t sw;

	if (age)
		c->macs->next_age_ns = now + AGE_EVERY_NS;
	for (sw = 0; sw < c->cfg->n_switches; sw++) {
		struct switch_macs *s = &c->macs->sw[sw];
		uint64_t limit =
			(uint64_t)c->cfg->switches[sw].mac_age_s * SL_NS_PER_S / DP_TICK_NS;
		uint32_t i;

		for (i = s->n; age && limit != 0 && i-- > 0;) {
			if (tick_now(c) - atomic_load_explicit(
						  s->list[i].used, memory_order_relaxed) >
				limit)
				forget(s, i);
		}
		dirty = dirty || s->dirty;
	}
	return dirty;
}

uint32_t
macs_flush(struct control *c, uint16_t sw, int vport, int vlan)
{
	struct switch_macs *s = &c->macs->sw[sw];
	uint32_t i, n = 0;

	for (i = s->n; i-- > 0;) {
		if ((vport < 0 || s->list[i].vport == vport) &&
			(vlan < 0 || s->list[i].vlan == vlan)) {
			forget(s, i);
			n++;
		}
	}
	return n;
}

const struct dp_mac_table *
macs_table(struct control *c, uint16_t sw)
{
	struct switch_macs *s = &c->macs->sw[sw];
	struct dp_mac_table *table;
	struct dp_mac *macs;
	uint32_t i;

	if (s->table != NULL && (!s->dirty || s->n_retired == 4))
		return s->table;
	macs = calloc(s->n + 1, sizeof(*macs));
	if (macs == NULL)
		return s->table;
	for (i = 0; i < s->n; i++) {
		memcpy(macs[i].addr, s->list[i].addr, 6);
		macs[i].vlan = s->list[i].vlan;
		macs[i].vport = s->list[i].vport;
		macs[i].used = s->list[i].used;
	}
	table = dp_mac_table_new(macs, s->n, c->macs->seed);
	free(macs);
	if (table == NULL)
		return s->table;
	if (s->table != NULL)
		s->retired[s->n_retired++] = s->table;
	s->table = table;
	s->dirty = false;
	return table;
}

void
macs_retire(struct control *c)
{
	uint16_t sw;
	uint32_t i;

	for (sw = 0; sw < DP_SWITCHES_MAX; sw++) {
		struct switch_macs *s = &c->macs->sw[sw];

		for (i = 0; i < s->n_retired; i++)
			dp_mac_table_free(s->retired[i]);
		s->n_retired = 0;
		// Cells go only when the table in force was built without them.
		for (i = 0; !s->dirty && i < s->n_dead; i++)
			free((void *)s->dead[i]);
		if (!s->dirty)
			s->n_dead = 0;
	}
}

void
macs_each(struct control *c, uint16_t sw, macs_fn fn, void *ctx)
{
	const struct switch_macs *s = &c->macs->sw[sw];
	uint32_t i, now = tick_now(c);

	for (i = 0; i < s->n; i++) {
		uint32_t used = atomic_load_explicit(s->list[i].used, memory_order_relaxed);
		const struct mac_info info = {
			.addr = s->list[i].addr,
			.vlan = s->list[i].vlan,
			.vport = s->list[i].vport,
			.age_s = (uint32_t)((uint64_t)(now - used) * DP_TICK_NS / SL_NS_PER_S),
		};

		fn(ctx, &info);
	}
}

uint64_t
macs_refused(const struct control *c, uint16_t sw)
{
	return c->macs->sw[sw].refused;
}
