// SPDX-License-Identifier: BSD-3-Clause
#include "place/class_rules.h"

#include <string.h>

#include "base/hash.h"

#define L3_IP 4 // the bit of FLOW_L3_IPV4 and FLOW_L3_IPV6

bool
class_rules_any(const struct control *c)
{
	uint16_t i;

	for (i = 0; i < c->cfg->n_policies; i++) {
		if (c->cfg->policies[i].class_rule)
			return c->cfg->offload.enabled;
	}
	return false;
}

// Of another port, it is another's; of another VM's, the NIC cannot tell where packets go.
static bool
is_port_of(const struct control *c, const struct config_policy *p, uint16_t vport)
{
	return (p->vport < 0 || p->vport == vport) &&
	       (p->vm < 0 || p->vm == c->vports[vport].cfg.vm);
}

bool
class_rule_queues(const struct control *c, const struct config_policy *p, uint16_t vport,
	uint16_t *first, uint16_t *n)
{
	const struct dp_port *port = c->vports[vport].port;
	const struct nic_port *np;
	uint16_t last;

	if (!p->class_rule || !is_port_of(c, p, vport) || port == NULL || port->nic == DP_NONE ||
		c->nics[port->nic] == NULL)
		return false;
	np = &c->nics[port->nic]->ports[port->nic_port];
	*first = p->queue_first > np->rx_default ? p->queue_first : np->rx_default;
	last = p->queue_last < np->rx_queues ? p->queue_last : (uint16_t)(np->rx_queues - 1);
	if (*first > last || last - *first + 1 > TRANSLATE_QUEUES)
		return false;
	*n = (uint16_t)(last - *first + 1);
	return true;
}

// ---- steps

bool
class_rule_told_by_host(const struct config_policy *p)
{
	return p->cls >= 0 || p->priority != CONFIG_ANY_LEVEL || p->hint != CONFIG_HINT_ANY ||
	       p->min_bps != 0 || p->max_bps != 0 || p->min_limit_bps != 0 ||
	       p->max_limit_bps != 0 || p->min_age_ms != 0 || p->max_age_ms != 0;
}

bool
class_rule_has_queues(const struct control *c, uint16_t vport, uint16_t first, uint16_t n)
{
	const struct dp_port *port = c->vports[vport].port;
	struct offload_queue_id q = {
		.nic = port->nic, .port = port->nic_port, .kind = OFFLOAD_RX, .index = first};

	for (; n > 0; n--, q.index++) {
		if (offload_queue_state_of(c->offload, q) != OFFLOAD_Q_GROUP)
			return false;
	}
	return true;
}

static uint32_t
add(struct ahead_step *steps, uint32_t n, uint32_t max, const struct flow_match *m,
	const struct ahead_act *act)
{
	if (n < max) {
		steps[n] = (struct ahead_step){.match = *m, .act = *act};
		flow_match_normalise(&steps[n].match);
	}
	return n + 1;
}

uint32_t
class_rule_by_dscp(struct ahead_step *steps, uint32_t n, uint32_t max,
	const struct config_policy *p, struct flow_match *m, const struct ahead_act *act)
{
	uint8_t i;

	if (p->dscp == 0 || act->kind == AHEAD_HOST)
		return add(steps, n, max, m, act);
	if (m->mask.eth_type == 0)
		m->mask.l3 = m->key.l3 = L3_IP;
	m->mask.dscp = 0x3f;
	for (i = 0; i < 64; i++) {
		if (!(p->dscp & UINT64_C(1) << i))
			continue;
		m->key.dscp = i;
		n = add(steps, n, max, m, act);
	}
	return n;
}

uint32_t
class_rule_steps(const struct control *c, uint16_t vport, struct ahead_step *steps, uint32_t max)
{
	const uint16_t own = c->vports[vport].cfg.id;
	uint32_t n = 0;
	uint16_t i;

	for (i = 0; i < c->cfg->n_policies; i++) {
		const struct config_policy *p = &c->cfg->policies[i];
		struct ahead_act act = {.kind = AHEAD_HOST};
		struct flow_match m;
		uint16_t first, k;

		if (p->vport >= 0 && p->vport != own)
			continue;
		flow_match_init(&m);
		if (p->has_match)
			m = p->match;
		if ((m.mask.vport & (m.key.vport ^ own)) ||
			(m.key.vlan[0] & m.mask.vlan[0] & FLOW_VLAN_PRESENT))
			continue;
		m.mask.vport = m.mask.switch_id = 0;
		m.mask.vlan[0] = FLOW_VLAN_PRESENT; // tagged frames are for the default queues
		m.key.vlan[0] = m.key.vlan[1] = m.mask.vlan[1] = 0;
		if (class_rule_queues(c, p, vport, &first, &k) && !class_rule_told_by_host(p) &&
			class_rule_has_queues(c, vport, first, k))
			act = (struct ahead_act){.kind = AHEAD_PORT, .port = i};
		n = class_rule_by_dscp(steps, n, max, p, &m, &act);
	}
	return n < max ? n : max;
}

// ---- queues

struct claims {
	struct control *c;
	class_in_use_fn in_use;
	uint64_t groups; // a name for which queues are in groups
};

static bool
is_wanted(const struct control *c, const struct offload_queue *q)
{
	uint16_t v, i, first, n;

	for (v = 0; v < DP_VPORTS_MAX && c->cfg->offload.enabled; v++) {
		const struct dp_port *port = c->vports[v].used ? c->vports[v].port : NULL;

		if (port == NULL || port->nic != q->id.nic || port->nic_port != q->id.port)
			continue;
		for (i = 0; i < c->cfg->n_policies; i++) {
			if (class_rule_queues(c, &c->cfg->policies[i], v, &first, &n) &&
				!class_rule_told_by_host(&c->cfg->policies[i]) &&
				q->id.index >= first && q->id.index < first + n)
				return true;
		}
	}
	return false;
}

static void
claim(void *ctx, const struct offload_queue *q)
{
	struct claims *k = ctx;
	bool group = q->state == OFFLOAD_Q_GROUP, wanted;

	// One on standby, under a monitor or stopped is somebody's.
	if (q->id.kind != OFFLOAD_RX ||
		(!group && q->state != OFFLOAD_Q_FREE && q->state != OFFLOAD_Q_EXCLUSIVE &&
			q->state != OFFLOAD_Q_SHARED))
		return;
	wanted = is_wanted(k->c, q);
	if (wanted != group && (wanted || !k->in_use(k->c, q->id.nic, q->id.port)))
		(void)offload_queue_reserve(
			k->c->offload, q->id, wanted ? OFFLOAD_Q_GROUP : OFFLOAD_Q_FREE);
	if (offload_queue_state_of(k->c->offload, q->id) == OFFLOAD_Q_GROUP) {
		const uint64_t w[] = {q->id.nic, q->id.port, q->id.index};

		k->groups ^= sl_hash_words(w, 3, 1);
	}
}

uint64_t
class_rules_queues(struct control *c, class_in_use_fn in_use)
{
	struct claims k = {.c = c, .in_use = in_use};

	offload_queue_each(c->offload, claim, &k);
	return k.groups;
}
