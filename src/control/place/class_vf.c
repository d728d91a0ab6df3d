// SPDX-License-Identifier: BSD-3-Clause
#include "place/class_vf.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_ether.h>

#include "place/class_rules.h"

#define CODE_POINTS 64

struct filter {
	const struct control *c;
	uint16_t vport;
	struct ahead_step *out;
	uint32_t n, cap;
	int rc;
};

static bool
is_class(const struct config_policy *p)
{
	return p->class_rule && p->class_target == CONFIG_CLASS_VF;
}

bool
class_vf_any(const struct control *c)
{
	uint16_t i;

	for (i = 0; i < c->cfg->n_policies; i++) {
		if (is_class(&c->cfg->policies[i]))
			return c->cfg->offload.enabled;
	}
	return false;
}

static void
put(struct filter *f, const struct ahead_step *s)
{
	struct ahead_step *grown;

	if (f->rc != 0 || f->n > AHEAD_STEPS_MAX)
		return; // what is behind those is the host's
	if (f->n == f->cap) {
		uint32_t cap = f->cap == 0 ? 64 : 2 * f->cap;

		grown = realloc(f->out, cap * sizeof(*grown));
		if (grown == NULL) {
			f->rc = -ENOMEM;
			return;
		}
		f->out = grown;
		f->cap = cap;
	}
	f->out[f->n] = *s;
	flow_match_normalise(&f->out[f->n].match);
	f->n++;
}

static void
put_host(struct filter *f, const struct ahead_step *s, const struct flow_match *m)
{
	struct ahead_step host = *s;

	host.match = *m;
	if (s->act.kind != AHEAD_HOST) {
		host.act = (struct ahead_act){.kind = AHEAD_HOST};
		host.why = AHEAD_WHY_NO_CLASS;
	}
	put(f, &host);
}

static void
put_class(struct filter *f, const struct ahead_step *s, const struct config_policy *p,
	struct flow_match *m)
{
	struct ahead_step parts[CODE_POINTS];
	uint32_t n = class_rule_by_dscp(parts, 0, CODE_POINTS, p, m, &s->act), i;

	for (i = 0; i < n && i < CODE_POINTS; i++) {
		parts[i].rule = s->rule;
		put(f, &parts[i]);
	}
}

// Both ends as a policy rule means them. out: that the packets leave by.
static bool
may_be_of(const struct control *c, const struct config_policy *p, uint16_t vport, uint16_t out)
{
	return (p->vport < 0 || p->vport == vport) &&
	       (p->vm < 0 || p->vm == c->vports[vport].cfg.vm ||
		       (out < DP_VPORTS_MAX && p->vm == c->vports[out].cfg.vm));
}

static bool
part_of(const struct flow_match *m, const struct config_policy *p, uint16_t vport,
	struct flow_match *out)
{
	struct flow_match own = p->match;

	*out = *m;
	if (!p->has_match)
		return true;
	if (own.mask.vport & (own.key.vport ^ vport))
		return false;
	own.key.vport = own.mask.vport = own.key.switch_id = own.mask.switch_id = 0;
	return ahead_both(m, &own, out);
}

static bool
leads_to(const struct control *c, const struct config_policy *p, uint16_t out)
{
	return is_class(p) && !class_rule_told_by_host(p) && out < DP_VPORTS_MAX &&
	       c->vports[out].cfg.vm == p->vm && c->vports[out].port != NULL &&
	       c->vports[out].port->nic_port > 0;
}

static void
filter_step(struct filter *f, const struct ahead_step *s)
{
	const struct control *c = f->c;
	const uint16_t nic = c->vports[f->vport].port->nic;
	uint16_t out = DP_NONE, i;
	struct flow_match m;

	if (s->act.kind == AHEAD_PORT)
		out = ahead_vport_at(c, nic, s->act.port);
	for (i = 0; s->act.kind == AHEAD_PORT && i < c->cfg->n_policies; i++) {
		const struct config_policy *p = &c->cfg->policies[i];

		if (!may_be_of(c, p, f->vport, out) || !part_of(&s->match, p, f->vport, &m))
			continue;
		if (leads_to(c, p, out))
			put_class(f, s, p, &m);
		else
			put_host(f, s, &m);
		if (!p->has_match && p->dscp == 0 && !class_rule_told_by_host(p))
			return; // it has all of the step
	}
	put_host(f, s, &s->match);
}

int
class_vf_filter(const struct control *c, uint16_t vport, struct ahead_list *list)
{
	struct filter f = {.c = c, .vport = vport};
	uint32_t i;

	for (i = 0; i < list->n; i++)
		filter_step(&f, &list->steps[i]);
	if (f.rc != 0) {
		free(f.out);
		return f.rc;
	}
	free(list->steps);
	list->steps = f.out;
	list->n = f.n;
	list->cap = f.cap;
	return 0;
}

bool
class_vf_has(const struct control *c, const struct config_policy *p, uint16_t vport, uint16_t out,
	const struct flow_match *match)
{
	struct flow_match m;

	return leads_to(c, p, out) && may_be_of(c, p, vport, out) && part_of(match, p, vport, &m);
}

bool
class_vf_within(const struct control *c, const struct config_policy *p, uint16_t vport,
	uint16_t out, const struct flow_match *match)
{
	const bool ip4 = match->key.eth_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
	struct flow_match m;

	if (!leads_to(c, p, out) || !may_be_of(c, p, vport, out) || !part_of(match, p, vport, &m))
		return false;
	// A NIC rule says its network layer by the ethertype.
	if (m.mask.l3 != 0 && !ahead_only_family(&m, ip4 ? FLOW_L3_IPV4 : FLOW_L3_IPV6))
		return false;
	flow_match_normalise(&m);
	if (!flow_match_equal(&m, match))
		return false;
	return p->dscp == 0 ||
	       (match->mask.dscp == CODE_POINTS - 1 && (p->dscp >> match->key.dscp & 1));
}
