// SPDX-License-Identifier: BSD-3-Clause
#include "place/class_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place/class_rules.h"

#define RETRY_NS (10 * SL_NS_PER_S)
#define TEXT 160

struct group { // of a port of a NIC
	uint16_t nic, port, first, n;
	bool made, wanted;
	uint64_t retry_ns;
	char text[TEXT]; // its figures, as the engine has them
	char why[192];   // it could not be made
};

struct class_groups {
	uint32_t n, cap;
	bool changed; // one was made
	struct group *list;
};

void
class_groups_free(struct class_groups *g)
{
	if (g == NULL)
		return;
	free(g->list);
	free(g);
}

static const struct nic_engine *
engine_of(const struct control *c, uint16_t nic)
{
	return c->nics[nic] != NULL && !c->nics[nic]->gone ? nic_engine_for(c->nics[nic]->driver)
							   : NULL;
}

static bool
wants_engine(const struct config_policy *p)
{
	return p->class_rule && p->class_target == CONFIG_CLASS_ENGINE;
}

// ---- figures

static const char *
alike(const struct config_policy *p, uint16_t port)
{
	switch (p->share) {
	case CONFIG_SHARE_VM:
		return port == 0 ? "destination" : "none";
	case CONFIG_SHARE_PRIORITY:
		return "pcp";
	case CONFIG_SHARE_CLASS:
		return "dscp";
	case CONFIG_SHARE_RATE_LIMIT:
		return "none";
	default:
		return "source+destination+dscp";
	}
}

static unsigned
kbps(uint64_t own, uint64_t all)
{
	uint64_t k = (own != 0 ? own : all) / 1000;

	return k == 0 ? 1 : k > 400000000 ? 400000000 : (unsigned)k;
}

static void
figures(const struct control *c, const struct config_policy *p, const struct group *g, char *out)
{
	const struct config_offload *o = &c->cfg->offload;
	unsigned heavy = kbps(p->heavy_bps, o->heavy_bps);
	unsigned light = kbps(p->light_bps, o->light_bps);

	snprintf(out, TEXT, "queues=%u-%u,alike=%s,heavy=%u,light=%u,shared_max=%u", g->first,
		g->first + g->n - 1u, alike(p, g->port), heavy, light < heavy ? light : heavy,
		g->n > 1 ? g->n / 2u : 1u);
}

// ---- groups

static struct group *
find(const struct control *c, uint16_t nic, uint16_t port, uint16_t first, uint16_t n)
{
	struct class_groups *l = c->groups;
	uint32_t i;

	for (i = 0; l != NULL && i < l->n; i++) {
		struct group *g = &l->list[i];

		if (g->nic == nic && g->port == port && g->first == first && g->n == n)
			return g;
	}
	return NULL;
}

static struct group *
add(struct control *c, uint16_t nic, uint16_t port, uint16_t first, uint16_t n)
{
	struct class_groups *l = c->groups;

	if (l == NULL)
		l = c->groups = calloc(1, sizeof(*l));
	if (l != NULL && l->n == l->cap) {
		uint32_t cap = l->cap == 0 ? 8 : 2 * l->cap;
		struct group *grown = realloc(l->list, cap * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		l->list = grown;
		l->cap = cap;
	}
	if (l == NULL)
		return NULL;
	l->list[l->n] = (struct group){.nic = nic, .port = port, .first = first, .n = n};
	return &l->list[l->n++];
}

// What has the engine's group of that number, if that is not g.
static struct group *
holder(const struct control *c, const struct group *g)
{
	uint32_t i;

	for (i = 0; i < c->groups->n; i++) {
		struct group *o = &c->groups->list[i];

		if (o != g && o->made && o->nic == g->nic && o->port == g->port &&
			o->first == g->first)
			return o;
	}
	return NULL;
}

// Why the engine cannot have it; "": it can.
static void
judge(const struct control *c, struct group *g, const struct group *other)
{
	const struct nic *nic = c->nics[g->nic];

	g->why[0] = '\0';
	if (engine_of(c, g->nic) == NULL)
		snprintf(g->why, sizeof(g->why), "%s (%s) has no assignment engine", nic->name,
			nic->driver);
	else if (g->first >= NIC_GROUPS)
		snprintf(g->why, sizeof(g->why), "groups begin at queues below %u", NIC_GROUPS);
	else if (other != NULL && other->wanted)
		snprintf(g->why, sizeof(g->why), "%s: another group begins at queue %u", nic->name,
			g->first);
}

static void
make(struct control *c, const struct config_policy *p, struct group *g)
{
	const struct nic *nic = c->nics[g->nic];
	struct group *other = holder(c, g);
	uint64_t now = sl_now(&c->clock);
	char text[TEXT], words[96] = "";
	int rc;

	figures(c, p, g, text);
	if ((g->made && strcmp(text, g->text) == 0) || now < g->retry_ns)
		return;
	judge(c, g, other);
	if (g->why[0] != '\0')
		return;
	rc = engine_of(c, g->nic)->set(
		nic->ports[g->port].ethdev, g->first, text, words, sizeof(words));
	if (rc != 0) {
		g->retry_ns = now + RETRY_NS;
		snprintf(g->why, sizeof(g->why), "%s: %s", nic->name,
			words[0] != '\0' ? words : strerror(-rc));
		sl_log(c->log, SL_LOG_WARN,
			"class rule %s spreads by RSS, not by the engine of %s: %s", p->name,
			nic->name, g->why);
		return;
	}
	if (other != NULL)
		other->made = false; // it is not there to be taken back any more
	c->groups->changed |= !g->made;
	g->made = true;
	snprintf(g->text, sizeof(g->text), "%s", text);
}

// False: a rule still leads there.
static bool
unmake(const struct control *c, struct group *g)
{
	const struct nic_engine *e = engine_of(c, g->nic);

	if (g->made && e != NULL &&
		e->del(c->nics[g->nic]->ports[g->port].ethdev, g->first) == -EBUSY)
		return false;
	g->made = false;
	return true;
}

// What the rules at one port want.
static void
look_at(struct control *c, uint16_t vport)
{
	const struct dp_port *port = c->vports[vport].port;
	uint16_t i, first, n;

	for (i = 0; i < c->cfg->n_policies; i++) {
		const struct config_policy *p = &c->cfg->policies[i];
		struct group *g;

		if (!wants_engine(p) || !class_rule_queues(c, p, vport, &first, &n))
			continue;
		g = find(c, port->nic, port->nic_port, first, n);
		if (g == NULL)
			g = add(c, port->nic, port->nic_port, first, n);
		if (g == NULL || g->wanted)
			continue; // the first rule of these queues says how
		g->wanted = true;
		if (class_rule_has_queues(c, vport, first, n))
			make(c, p, g);
	}
}

bool
class_groups_run(struct control *c)
{
	uint32_t i;
	uint16_t v;

	for (i = 0; c->groups != NULL && i < c->groups->n; i++)
		c->groups->list[i].wanted = false;
	if (c->groups != NULL)
		c->groups->changed = false;
	for (v = 0; v < DP_VPORTS_MAX && c->cfg->offload.enabled; v++) {
		const struct dp_port *port = c->vports[v].used ? c->vports[v].port : NULL;

		if (port != NULL && port->nic != DP_NONE && c->nics[port->nic] != NULL)
			look_at(c, v);
	}
	for (i = 0; c->groups != NULL && i < c->groups->n; i++) {
		struct group *g = &c->groups->list[i];

		if (!g->wanted && unmake(c, g)) {
			*g = c->groups->list[--c->groups->n];
			i--;
		}
	}
	return c->groups != NULL && c->groups->changed;
}

void
class_groups_nic_gone(struct control *c, uint16_t nic)
{
	uint32_t i;

	for (i = 0; c->groups != NULL && i < c->groups->n; i++) {
		if (c->groups->list[i].nic == nic)
			c->groups->list[i--] = c->groups->list[--c->groups->n];
	}
}

// ---- for others

static const struct group *
group_of(const struct control *c, const struct config_policy *p, uint16_t vport)
{
	const struct dp_port *port = c->vports[vport].port;
	uint16_t first, n;

	return wants_engine(p) && class_rule_queues(c, p, vport, &first, &n)
		       ? find(c, port->nic, port->nic_port, first, n)
		       : NULL;
}

bool
class_group_of(
	const struct control *c, const struct config_policy *p, uint16_t vport, uint16_t *group)
{
	const struct group *g = group_of(c, p, vport);

	if (g == NULL || !g->made || !g->wanted)
		return false;
	*group = g->first;
	return true;
}

const char *
class_group_why(const struct control *c, const struct config_policy *p, uint16_t vport)
{
	const struct group *g = group_of(c, p, vport);

	if (!wants_engine(p) || (g != NULL && g->made))
		return "";
	return g != NULL && g->why[0] != '\0' ? g->why : "its group is about to be made";
}

bool
class_group_queue(
	const struct control *c, const struct offload_queue_id *q, struct nic_group_queue *out)
{
	struct nic_group_queue list[DP_QUEUES_MAX];
	uint32_t i;
	int n, k;

	for (i = 0; c->groups != NULL && i < c->groups->n; i++) {
		const struct group *g = &c->groups->list[i];
		const struct nic_engine *e = engine_of(c, g->nic);

		if (!g->made || e == NULL || g->nic != q->nic || g->port != q->port ||
			q->kind != OFFLOAD_RX || q->index < g->first || q->index >= g->first + g->n)
			continue;
		n = e->queues(
			c->nics[g->nic]->ports[g->port].ethdev, g->first, list, DP_QUEUES_MAX);
		for (k = 0; k < n; k++) {
			if (list[k].queue != q->index)
				continue;
			*out = list[k];
			return true;
		}
	}
	return false;
}

bool
class_group_flow(const struct control *c, const struct flow_key *key, struct nic_group_queue *out)
{
	const struct dp_port *port = key->vport < DP_VPORTS_MAX && c->vports[key->vport].used
					     ? c->vports[key->vport].port
					     : NULL;
	uint32_t i;

	for (i = 0; port != NULL && c->groups != NULL && i < c->groups->n; i++) {
		const struct group *g = &c->groups->list[i];
		const struct nic_engine *e = engine_of(c, g->nic);

		if (g->made && e != NULL && g->nic == port->nic && g->port == port->nic_port &&
			e->find(port->ethdev, g->first, key, out) == 0)
			return true;
	}
	return false;
}

const char *
class_group_use(uint8_t use)
{
	static const char *const names[] = {[NIC_GROUP_FREE] = "free",
		[NIC_GROUP_ALONE] = "alone",
		[NIC_GROUP_SHARED] = "shared",
		[NIC_GROUP_STOPPED] = "stopped"};

	return names[use];
}

json_t *
class_groups_json(const struct control *c, uint16_t nic)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; c->groups != NULL && i < c->groups->n; i++) {
		const struct group *g = &c->groups->list[i];
		const struct nic_engine *e = engine_of(c, nic);
		struct nic_group is = {0};
		char port[16];

		if (g->nic != nic || !g->made || e == NULL ||
			e->get(c->nics[nic]->ports[g->port].ethdev, g->first, &is) != 0)
			continue;
		if (g->port == 0)
			snprintf(port, sizeof(port), "pf");
		else
			snprintf(port, sizeof(port), "vf%u", g->port - 1u);
		json_array_append_new(
			list, json_pack("{ss si ss si sI sI sI}", "port", port, "group",
				      (int)g->first, "figures", g->text, "flows", (int)is.flows,
				      "packets", (json_int_t)is.packets, "moves",
				      (json_int_t)is.moves, "mixed", (json_int_t)is.mixed));
	}
	return list;
}
