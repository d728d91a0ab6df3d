// SPDX-License-Identifier: BSD-3-Clause
#include "switch/macs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "switch/mac_list.h"

#define AGE_EVERY_NS SL_NS_PER_S

struct switch_macs {
	struct mac_list learned;
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
	unsigned i;

	c->macs = calloc(1, sizeof(*c->macs));
	if (c->macs == NULL)
		return -ENOMEM;
	c->macs->seed = sl_hash_seed();
	for (i = 0; i < DP_SWITCHES_MAX; i++)
		mac_list_init(&c->macs->sw[i].learned, c->macs->seed);
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

		for (k = 0; k < s->learned.n; k++)
			free((void *)s->learned.list[k].used);
		for (k = 0; k < s->n_dead; k++)
			free((void *)s->dead[k]);
		for (k = 0; k < s->n_retired; k++)
			dp_mac_table_free(s->retired[k]);
		dp_mac_table_free(s->table);
		mac_list_fini(&s->learned);
		free(s->dead);
	}
	free(c->macs);
	c->macs = NULL;
}

// A worker's clock may be a tick ahead of what this one read.
static uint32_t
ticks_since(uint32_t now, const struct mac_learned *l)
{
	int32_t ticks = (int32_t)(now - atomic_load_explicit(l->used, memory_order_relaxed));

	return ticks > 0 ? (uint32_t)ticks : 0;
}

static void
learn(struct control *c, struct switch_macs *s, const struct dp_event *ev, uint16_t vlan)
{
	_Atomic uint32_t *used = malloc(sizeof(*used));
	struct mac_learned *l =
		used != NULL ? mac_list_add(&s->learned, ev->key.eth_src, vlan) : NULL;

	if (l == NULL) {
		free((void *)used);
		return;
	}
	atomic_init(used, tick_now(c));
	l->used = used;
	l->vport = ev->key.vport;
	s->dirty = true;
}

void
macs_learn(struct control *c, const struct dp_event *ev)
{
	int sw = control_switch_of(c, ev->key.switch_id);
	uint16_t vlan = ev->key.vlan[0] & 0xfff;
	const struct control_vport *v =
		ev->key.vport < DP_VPORTS_MAX ? &c->vports[ev->key.vport] : NULL;
	struct mac_learned *l;
	struct switch_macs *s;

	// A vport that went away since, or a multicast "source", is not learned.
	if (sw < 0 || v == NULL || !v->used || v->cfg.sw != sw || (ev->key.eth_src[0] & 1) != 0)
		return;
	s = &c->macs->sw[sw];
	l = mac_list_find(&s->learned, ev->key.eth_src, vlan);
	if (l != NULL) {
		s->dirty = s->dirty || l->vport != ev->key.vport;
		l->vport = ev->key.vport;
		atomic_store_explicit(l->used, tick_now(c), memory_order_relaxed);
	} else if (s->learned.n >= c->cfg->switches[sw].mac_limit) {
		s->refused++;
	} else {
		learn(c, s, ev, vlan);
	}
}

// The VLAN in which the packet path learns the source of such packets of the port.
static uint16_t
learned_vlan(const struct config_port *port, const struct flow_key *key)
{
	uint16_t vid = (key->vlan[0] & FLOW_VLAN_PRESENT) != 0 ? key->vlan[0] & 0xfff : 0;

	return port->vlan_mode != CONFIG_VLAN_TRUNK && vid == 0 ? port->vlan : vid;
}

void
macs_touch(struct control *c, const struct flow_key *key)
{
	int sw = control_switch_of(c, key->switch_id);
	const struct control_vport *v = key->vport < DP_VPORTS_MAX ? &c->vports[key->vport] : NULL;
	struct mac_learned *l;

	if (sw < 0 || v == NULL || !v->used)
		return;
	l = mac_list_find(&c->macs->sw[sw].learned, key->eth_src, learned_vlan(&v->cfg, key));
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
	s->dead[s->n_dead++] = s->learned.list[i].used;
	mac_list_del(&s->learned, i);
	s->dirty = true;
}

bool
macs_tick(struct control *c)
{
	uint64_t now = sl_now(&c->clock);
	bool age = now >= c->macs->next_age_ns, dirty = false;
	uint32_t tick = tick_now(c);
	uint16_t sw;

	if (age)
		c->macs->next_age_ns = now + AGE_EVERY_NS;
	for (sw = 0; sw < c->cfg->n_switches; sw++) {
		struct switch_macs *s = &c->macs->sw[sw];
		uint64_t limit =
			(uint64_t)c->cfg->switches[sw].mac_age_s * SL_NS_PER_S / DP_TICK_NS;
		// One that is in use may look unused for so long.
		uint64_t late = limit + DP_MAC_USED_TICKS;
		uint32_t i;

		for (i = s->learned.n; age && limit != 0 && i-- > 0;) {
			if (ticks_since(tick, &s->learned.list[i]) > late)
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

	for (i = s->learned.n; i-- > 0;) {
		const struct mac_learned *l = &s->learned.list[i];

		if ((vport < 0 || l->vport == vport) && (vlan < 0 || l->vlan == vlan)) {
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
	macs = calloc(s->learned.n + 1, sizeof(*macs));
	if (macs == NULL)
		return s->table;
	for (i = 0; i < s->learned.n; i++) {
		const struct mac_learned *l = &s->learned.list[i];

		macs[i] = (struct dp_mac){.vlan = l->vlan, .vport = l->vport, .used = l->used};
		memcpy(macs[i].addr, l->addr, 6);
	}
	table = dp_mac_table_new(macs, s->learned.n, c->macs->seed);
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

	for (i = 0; i < s->learned.n; i++) {
		const struct mac_learned *l = &s->learned.list[i];
		const struct mac_info info = {
			.addr = l->addr,
			.vlan = l->vlan,
			.vport = l->vport,
			.age_s = (uint32_t)((uint64_t)ticks_since(now, l) * DP_TICK_NS /
					    SL_NS_PER_S),
		};

		fn(ctx, &info);
	}
}

uint64_t
macs_refused(const struct control *c, uint16_t sw)
{
	return c->macs->sw[sw].refused;
}
