// SPDX-License-Identifier: BSD-3-Clause
#include "place/misses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "failover/failover.h"
#include "place/ahead.h"
#include "place/offload_run.h"
#include "publish.h"

#define KEEP_NS (2 * SL_NS_PER_S)   // a key that the NIC uses no more
#define RETRY_NS (10 * SL_NS_PER_S) // the driver did not take it

struct miss_key {
	LIST_ENTRY(miss_key) link;
	struct dp_tag_key *tag;
	uint16_t vport;
	char port[CONFIG_NAME_MAX]; // whose it is: the vport's id may become another one's
	uint64_t until_ns;          // not in use by the NIC, taken until then; 0: in use
	bool dead;                  // in no snapshot from the next one on
};

struct miss_way { // of a vport
	bool on;
	uint16_t nic, vf;
	struct miss_key *key, *next; // that the NIC has; that it is about to have
	uint64_t since_ns, retry_ns;
	char why[160]; // wanted, and not on
};

struct misses {
	struct miss_way way[DP_VPORTS_MAX];
	LIST_HEAD(, miss_key) keys;
	uint16_t n_keys;
	uint8_t next_id;
};

int
misses_new(struct control *c)
{
	c->misses = calloc(1, sizeof(*c->misses));
	if (c->misses == NULL)
		return -ENOMEM;
	LIST_INIT(&c->misses->keys);
	return 0;
}

// ---- keys

static void
key_free(struct misses *m, struct miss_key *k)
{
	LIST_REMOVE(k, link);
	m->n_keys--;
	explicit_bzero(k->tag->key, sizeof(k->tag->key));
	free(k->tag);
	free(k);
}

void
misses_free(struct control *c)
{
	struct misses *m = c->misses;

	if (m == NULL)
		return;
	while (!LIST_EMPTY(&m->keys))
		key_free(m, LIST_FIRST(&m->keys));
	free(m);
	c->misses = NULL;
}

void
misses_retire(struct control *c)
{
	struct miss_key *k, *next;

	for (k = c->misses != NULL ? LIST_FIRST(&c->misses->keys) : NULL; k != NULL; k = next) {
		next = LIST_NEXT(k, link);
		if (k->dead)
			key_free(c->misses, k);
	}
}

static bool
id_in_use(const struct misses *m, uint8_t id)
{
	const struct miss_key *k;

	LIST_FOREACH(k, &m->keys, link)
	{
		if (k->tag->id == id)
			return true;
	}
	return false;
}

static struct miss_key *
key_new(struct misses *m, const struct control_vport *v)
{
	struct dp_tag_key *tag;
	struct miss_key *k;

	if (m->n_keys == DP_TAG_KEYS_MAX)
		return NULL;
	k = calloc(1, sizeof(*k));
	tag = aligned_alloc(alignof(struct dp_tag_key), sizeof(*tag));
	if (k == NULL || tag == NULL) {
		free(k);
		free(tag);
		return NULL;
	}
	memset(tag, 0, sizeof(*tag));
	if (getrandom(tag->key, sizeof(tag->key), 0) != sizeof(tag->key)) {
		free(k);
		free(tag);
		return NULL;
	}
	while (id_in_use(m, m->next_id))
		m->next_id++;
	tag->id = m->next_id++;
	tag->vf = (uint16_t)(v->port->nic_port - 1);
	tag->origin = v->cfg.id;
	k->tag = tag;
	k->vport = v->cfg.id;
	snprintf(k->port, sizeof(k->port), "%s", v->cfg.name);
	LIST_INSERT_HEAD(&m->keys, k, link);
	m->n_keys++;
	return k;
}

uint16_t
misses_keys(const struct control *c, int vm, struct dp_tag_key **out, uint16_t max)
{
	const struct miss_key *k;
	uint16_t n = 0;

	if (c->misses == NULL)
		return 0;
	LIST_FOREACH(k, &c->misses->keys, link)
	{
		const struct control_vport *v = &c->vports[k->vport];

		if (!k->dead && n < max && v->used && v->cfg.vm == vm &&
			strcmp(v->cfg.name, k->port) == 0)
			out[n++] = k->tag;
	}
	return n;
}

// ---- what is wanted

static bool
way_back_up(const struct control *c, int16_t vm)
{
	uint16_t i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct control_vport *v = &c->vports[i];

		if (v->used && v->cfg.vm == vm && v->cfg.attach.kind == CONFIG_ATTACH_VHOST &&
			v->port != NULL && v->port->ops->link(v->port))
			return true;
	}
	return false;
}

// True: misses may come through the VM; else why not.
static bool
may_be_on(const struct control *c, const struct control_vport *v, char *why, size_t len)
{
	const struct nic *nic =
		v->port != NULL && v->port->nic != DP_NONE ? c->nics[v->port->nic] : NULL;

	if (nic == NULL || v->port->nic_port == 0)
		snprintf(why, len, "no VF carries the port at the moment");
	else if (!c->cfg->offload.enabled || !c->cfg->offload.vm_tables || v->cfg.vm < 0)
		snprintf(why, len, "it needs vm_tables, and a VM");
	else if (nic->gone || failover_drains(c, nic->index))
		snprintf(why, len, "%s is about to be out of use", nic->name);
	else if (nic->ops->miss == NULL)
		snprintf(why, len, "%s (%s) has no way through a VM", nic->name, nic->driver);
	else if (!way_back_up(c, v->cfg.vm))
		snprintf(why, len, "no vhost-user port of its VM is up, by which it could come");
	else
		return true;
	return false;
}

static bool
is_wanted(const struct control_vport *v)
{
	return v->used && v->cfg.miss_vm;
}

static void
tell(struct control *c, const struct control_vport *v, struct miss_way *way, const char *why)
{
	if (strcmp(way->why, why) == 0)
		return;
	snprintf(way->why, sizeof(way->why), "%s", why);
	if (why[0] != '\0')
		sl_log(c->log, SL_LOG_WARN,
			"port %s: misses go to its representor, not through its VM: %s",
			v->cfg.name, why);
}

// ---- on and off

static void
let_go(struct miss_key **k, uint64_t until_ns)
{
	if (*k != NULL)
		(*k)->until_ns = until_ns;
	*k = NULL;
}

static void
switch_off(struct control *c, struct miss_way *way)
{
	const struct nic_miss to_representor = {.to_vm = false};
	const struct nic *nic = c->nics[way->nic];
	char why[160];

	if (nic != NULL && !nic->gone &&
		nic->ops->miss(nic->ports[0].ethdev, way->vf, &to_representor, why, sizeof(why)) !=
			0)
		sl_log(c->log, SL_LOG_WARN, "%s does not take the way of vf%u back: %s", nic->name,
			way->vf, why);
	way->on = false;
	let_go(&way->key, sl_now(&c->clock) + KEEP_NS);
}

// The workers know the key by now.
static void
switch_on(struct control *c, const struct control_vport *v, struct miss_way *way)
{
	const struct nic *nic = c->nics[v->port->nic];
	struct nic_miss miss = {.to_vm = true,
		.key_id = way->next->tag->id,
		.group = ahead_group(v->port->nic_port)};
	uint64_t now = sl_now(&c->clock);
	char words[120] = "", why[160];
	int rc;

	memcpy(miss.key, way->next->tag->key, sizeof(miss.key));
	rc = nic->ops->miss(nic->ports[0].ethdev, way->next->tag->vf, &miss, words, sizeof(words));
	explicit_bzero(&miss, sizeof(miss));
	if (rc != 0) {
		let_go(&way->next, now);
		way->retry_ns = now + RETRY_NS;
		snprintf(why, sizeof(why), "%s: %s", nic->name,
			words[0] != '\0' ? words : strerror(-rc));
		tell(c, v, way, way->on ? "" : why);
		return;
	}
	let_go(&way->key, now + KEEP_NS);
	way->key = way->next;
	way->next = NULL;
	if (!way->on)
		sl_log(c->log, SL_LOG_INFO, "port %s: misses come through its VM", v->cfg.name);
	way->on = true;
	way->nic = nic->index;
	way->vf = (uint16_t)(v->port->nic_port - 1);
	way->since_ns = now;
	tell(c, v, way, "");
}

// True: it is to get a new key, which is made.
static bool
prepare(struct control *c, struct control_vport *v, struct miss_way *way, uint64_t now)
{
	char why[160] = "";
	bool may = is_wanted(v) && may_be_on(c, v, why, sizeof(why));

	if (way->on && (!may || way->nic != v->port->nic || way->vf + 1 != v->port->nic_port))
		switch_off(c, way);
	if (!may) {
		tell(c, v, way, why);
		return false;
	}
	if (now < way->retry_ns ||
		(way->on && now - way->since_ns < c->cfg->offload.miss_key_s * SL_NS_PER_S))
		return false;
	way->next = key_new(c->misses, v);
	if (way->next == NULL) {
		way->retry_ns = now + RETRY_NS;
		tell(c, v, way, way->on ? "" : "no memory, or too many keys are in use");
	}
	return way->next != NULL;
}

// True: one has to leave the snapshot.
static bool
expire(struct misses *m, uint64_t now)
{
	struct miss_key *k;
	bool any = false;

	LIST_FOREACH(k, &m->keys, link)
	{
		k->dead |= k->until_ns != 0 && now >= k->until_ns;
		any |= k->dead;
	}
	return any;
}

void
misses_run(struct control *c)
{
	struct misses *m = c->misses;
	uint64_t now = sl_now(&c->clock);
	bool keys, changed = false, was;
	uint16_t i;

	if (m == NULL || !c->running)
		return;
	keys = expire(m, now);
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		was = m->way[i].on;
		if (m->way[i].on || is_wanted(&c->vports[i]))
			keys |= prepare(c, &c->vports[i], &m->way[i], now);
		else
			m->way[i].why[0] = '\0';
		changed |= was != m->way[i].on;
	}
	if (keys && publish(c, false) != 0) { // no memory: the next time
		for (i = 0; i < DP_VPORTS_MAX; i++)
			let_go(&m->way[i].next, now);
		keys = false;
	}
	for (i = 0; keys && i < DP_VPORTS_MAX; i++) {
		if (m->way[i].next == NULL)
			continue;
		was = m->way[i].on;
		switch_on(c, &c->vports[i], &m->way[i]);
		changed |= was != m->way[i].on;
	}
	if (changed)
		offload_run_redecide(c);
}

// ---- for others

bool
misses_through(const struct control *c, uint16_t vport)
{
	return c->misses != NULL && vport < DP_VPORTS_MAX && c->misses->way[vport].on;
}

void
misses_json(const struct control *c, const struct control_vport *v, json_t *out)
{
	const struct miss_way *way = &c->misses->way[v->cfg.id];

	json_object_set_new(out, "miss", json_string(way->on ? "vm" : "representor"));
	if (is_wanted(v) && !way->on)
		json_object_set_new(out, "miss_reason",
			json_string(way->why[0] != '\0' ? way->why : "not yet"));
}
