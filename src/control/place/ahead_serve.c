// SPDX-License-Identifier: BSD-3-Clause
// Which rule of a NIC has a flow: the rules of each port stand in lists by level, so that the first
// that matches is the one, and only those of the flow's own port are looked at.
#include <stdio.h>

#include "place/ahead_internal.h"
#include "switch/rule_book.h"

static struct ahead_live *
at(struct ahead_nic *n, uint32_t link)
{
	return link != 0 ? &n->live[link - 1] : NULL;
}

// Behind those of its level: most come in that order, so that the end is near.
void
ahead_list_in(struct ahead_nic *n, struct ahead_live *l)
{
	const uint32_t own = (uint32_t)(l - n->live) + 1;
	struct ahead_serving *s = &n->serving[l->vport][l->group];
	uint32_t before = s->last;

	while (before != 0 && at(n, before)->level > l->level)
		before = at(n, before)->prev;
	l->prev = before;
	l->next = before != 0 ? at(n, before)->next : s->first;
	if (before != 0)
		at(n, before)->next = own;
	else
		s->first = own;
	if (l->next != 0)
		at(n, l->next)->prev = own;
	else
		s->last = own;
}

void
ahead_list_out(struct ahead_nic *n, struct ahead_live *l)
{
	struct ahead_serving *s = &n->serving[l->vport][l->group];

	if (l->prev != 0)
		at(n, l->prev)->next = l->next;
	else
		s->first = l->next;
	if (l->next != 0)
		at(n, l->next)->prev = l->prev;
	else
		s->last = l->prev;
	l->prev = l->next = 0;
}

// Keys hold a DSCP only where a rule of the switch reads it. *unsure: the rule reads it, and it is
// not known.
static bool
hits(const struct ahead_live *l, struct flow_key key, uint8_t dscp, bool *unsure)
{
	struct flow_match m;

	*unsure = false;
	if (!l->group || l->match.mask.dscp == 0)
		return flow_match_hits(&l->match, &key);
	if (dscp != OFFLOAD_NO_DSCP) {
		key.dscp = dscp;
		return flow_match_hits(&l->match, &key);
	}
	m = l->match;
	m.mask.dscp = m.key.dscp = 0;
	*unsure = true;
	return flow_match_hits(&m, &key);
}

// The rule that has a flow, if that is not the host's.
static const struct ahead_live *
server_of(const struct control *c, const struct flow_key *key, uint8_t dscp, bool group)
{
	const struct control_vport *v = key->vport < DP_VPORTS_MAX ? &c->vports[key->vport] : NULL;
	const struct ahead_live *l;
	struct ahead_nic *n;
	bool unsure;

	if (c->ahead == NULL || v == NULL || v->port == NULL || v->port->nic == DP_NONE)
		return NULL;
	n = &c->ahead->nic[v->port->nic];
	for (l = at(n, n->serving[key->vport][group].first); l != NULL; l = at(n, l->next)) {
		if (l->state != AHEAD_IN || !l->kept || l->act.kind == AHEAD_JUMP ||
			!hits(l, *key, dscp, &unsure))
			continue;
		return l->act.kind != AHEAD_HOST && !unsure ? l : NULL;
	}
	return NULL;
}

bool
ahead_class_serves(
	const struct control *c, const struct flow_key *key, uint8_t dscp, char *buf, size_t len)
{
	const struct ahead_live *l = server_of(c, key, dscp, true);

	if (l == NULL || l->act.port >= c->cfg->n_policies)
		return false;
	snprintf(buf, len, "class rule %s", c->cfg->policies[l->act.port].name);
	return true;
}

bool
ahead_serves(const struct control *c, const struct flow_key *key, char *buf, size_t len)
{
	const struct ahead_live *best = server_of(c, key, OFFLOAD_NO_DSCP, false);

	if (best == NULL)
		return false;
	if (best->chain.n == 0) {
		snprintf(buf, len, "the default of table %u", best->chain.table);
	} else {
		const struct config_rule *r =
			rule_book_get(c->book[best->sw], best->chain.rule[best->chain.n - 1].id);

		if (r != NULL && r->name[0] != '\0')
			snprintf(buf, len, "rule %s", r->name);
		else
			snprintf(buf, len, "rule %u", best->chain.rule[best->chain.n - 1].id);
	}
	return true;
}
