// SPDX-License-Identifier: BSD-3-Clause
// Rules of the placement policy: what they name is looked up once all of it is known.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define SHARE_RATIO_PCT 200 // the default

static const char *const place_words[CONFIG_PLACES] = {
	"software", "ring", "shared-queue", "exclusive-queue", "eswitch"};

static void
find_names(struct walk *w, struct config_policy *p)
{
	const struct config *cfg = w->cfg;
	uint16_t i;

	p->vm = p->cls = -1;
	p->vport = -1;
	for (i = 0; i < cfg->n_vms && p->vm < 0 && p->vm_name[0] != '\0'; i++)
		p->vm = strcmp(cfg->vms[i].name, p->vm_name) == 0 ? (int16_t)i : -1;
	for (i = 0; i < cfg->n_classes && p->cls < 0 && p->class_name[0] != '\0'; i++)
		p->cls = strcmp(cfg->classes[i].name, p->class_name) == 0 ? (int16_t)i : -1;
	for (i = 0; i < cfg->n_ports && p->vport < 0 && p->port_name[0] != '\0'; i++) {
		if (strcmp(cfg->ports[i].name, p->port_name) == 0) {
			p->vport = cfg->ports[i].id;
			p->sw = cfg->ports[i].sw;
		}
	}
	if (p->vm < 0 && p->vm_name[0] != '\0')
		walk_fault(w, "/vm", "there is no VM \"%.40s\"", p->vm_name);
	if (p->cls < 0 && p->class_name[0] != '\0')
		walk_fault(w, "/class", "there is no class \"%.40s\" in /classes", p->class_name);
	if (p->vport < 0 && p->port_name[0] != '\0')
		walk_fault(w, "/port", "there is no port \"%.40s\"", p->port_name);
}

// Names in the match are those of the port's switch, else of the first.
static void
read_match(struct walk *w, struct config_policy *p)
{
	struct config_names ctx = {.cfg = w->cfg, .sw = p->sw};
	struct flow_names names;
	struct sl_err err;

	if (p->match_text[0] == '\0')
		return;
	sl_err_init(&err);
	config_flow_names(&ctx, &names);
	if (w->cfg->n_switches == 0)
		walk_fault(w, "/match", "there is no switch");
	else if (flow_match_parse(p->match_text, &names, &p->match, &err) != 0)
		walk_fault(w, "/match", "%s", err.text);
	else if (flow_match_fields(&p->match) != 0)
		walk_fault(w, "/match",
			"dscp, ttl, tcp-flags, frag and pcp differ between packets of one flow: "
			"for "
			"dscp the policy has a field of its own; for others a rule of the switch "
			"has to give such flows a class, and the policy names that");
	else
		p->has_match = true;
}

static void
read_places(struct walk *w, struct config_policy *p)
{
	unsigned i, k, seen = 0;

	for (i = 0; i < p->n_places; i++) {
		for (k = 0; k < CONFIG_PLACES && strcmp(p->place_text[i], place_words[k]) != 0; k++)
			;
		if (k == CONFIG_PLACES)
			walk_fault(w, "/places",
				"\"%.40s\" is not software, ring, shared-queue, exclusive-queue or "
				"eswitch",
				p->place_text[i]);
		else if ((seen & 1u << k) != 0)
			walk_fault(w, "/places", "\"%s\" is there twice", place_words[k]);
		else if ((seen & 1u) != 0 || ((seen & 2u) != 0 && k > 0))
			walk_fault(w, "/places",
				"\"%s\" is never reached: %s, before it, always has room",
				place_words[k], place_words[(seen & 1u) == 0]);
		else
			seen |= 1u << k;
		p->places[i] = (uint8_t)k;
	}
}

static void
read_queues(struct walk *w, struct config_policy *p)
{
	unsigned first, last;
	char rest;

	p->queue_first = p->queue_last = UINT16_MAX;
	if (p->queues_text[0] == '\0') {
		if (p->own_queues)
			walk_fault(w, "/own_queues", "needs queues: which ones?");
		return;
	}
	if (sscanf(p->queues_text, "%5u-%5u%c", &first, &last, &rest) != 2) {
		if (sscanf(p->queues_text, "%5u%c", &first, &rest) != 1) {
			walk_fault(w, "/queues", "\"%.40s\" is not FIRST-LAST", p->queues_text);
			return;
		}
		last = first;
	}
	if (first > last || last > 1023)
		walk_fault(w, "/queues", "\"%.40s\": 0 to 1023, the first not above the last",
			p->queues_text);
	p->queue_first = (uint16_t)first;
	p->queue_last = (uint16_t)last;
}

// Names of code points: RFC 2474 (cs), 2597 (af), 3246 (ef), 5865 (va), 8622 (le).
static int
dscp_value(const char *word)
{
	unsigned n, a, b;
	char rest;

	if (strcmp(word, "ef") == 0)
		return 46;
	if (strcmp(word, "va") == 0)
		return 44;
	if (strcmp(word, "le") == 0)
		return 1;
	if (sscanf(word, "cs%1u%c", &n, &rest) == 1 && n <= 7)
		return (int)(8 * n);
	if (sscanf(word, "af%1u%1u%c", &a, &b, &rest) == 2 && a >= 1 && a <= 4 && b >= 1 && b <= 3)
		return (int)(8 * a + 2 * b);
	if (word[0] >= '0' && word[0] <= '9' && sscanf(word, "%2u%c", &n, &rest) == 1 && n <= 63)
		return (int)n;
	return -1;
}

// A list of code points and ranges of them: "ef,af41,8-15".
static void
read_dscp(struct walk *w, const char *key, const char *text, uint64_t *out)
{
	char copy[CONFIG_DSCP_MAX], *at = copy, *word, *dash;

	*out = 0;
	snprintf(copy, sizeof(copy), "%s", text);
	while (text[0] != '\0' && (word = strsep(&at, ",")) != NULL) {
		int first, last;

		dash = strchr(word, '-');
		if (dash != NULL)
			*dash = '\0';
		first = dscp_value(word);
		last = dash != NULL ? dscp_value(dash + 1) : first;
		if (first < 0 || last < first) {
			walk_fault(w, key,
				"\"%.40s%s%.40s\" is no code point or range: 0 to 63, cs0 to cs7, "
				"af11 to af43, ef, va, le",
				word, dash != NULL ? "-" : "", dash != NULL ? dash + 1 : "");
			continue;
		}
		for (; first <= last; first++)
			*out |= UINT64_C(1) << first;
	}
}

static void
check_ranges(struct walk *w, const struct config_policy *p)
{
	if (p->max_bps > 0 && p->max_bps <= p->min_bps)
		walk_fault(w, "/max_bps", "is not above min_bps: no flow could match");
	if (p->max_age_ms > 0 && p->max_age_ms <= p->min_age_ms)
		walk_fault(w, "/max_age_ms", "is not above min_age_ms: no flow could match");
	if ((p->dscp_raise & p->dscp_lower) != 0)
		walk_fault(w, "/dscp_lower", "has a code point that is in dscp_raise too");
	if (p->max_limit_bps > 0 && p->max_limit_bps < p->min_limit_bps)
		walk_fault(w, "/max_limit_bps", "is below min_limit_bps: no flow could match");
	if (p->share_ratio_pct != SHARE_RATIO_PCT && p->share != CONFIG_SHARE_RATE_LIMIT)
		walk_fault(
			w, "/share_ratio_pct", "has a meaning with \"share\": \"rate-limit\" only");
	if (p->heavy_bps > 0 && p->light_bps > p->heavy_bps)
		walk_fault(w, "/light_bps", "is above heavy_bps");
}

static void
check_class_vf(struct walk *w, const struct config_policy *p)
{
	if (p->vm_name[0] == '\0')
		walk_fault(w, "/class_target", "needs vm: to whose VF?");
	if (p->queues_text[0] != '\0')
		walk_fault(w, "/queues", "have no meaning with \"class_target\": \"vf\"");
	if (p->strict_order ||
		(p->n_places > 0 && strcmp(place_words[p->places[0]], "eswitch") != 0))
		walk_fault(w, "/class_target",
			"a VF is reached by the eswitch, and the rule keeps flows out of it");
}

static void
check_class_rule(struct walk *w, const struct config_policy *p)
{
	if (!p->class_rule && p->class_target != CONFIG_CLASS_QUEUES)
		walk_fault(w, "/class_target", "is where a class_rule leads: needs that");
	if (!p->class_rule)
		return;
	if (p->class_target == CONFIG_CLASS_VF)
		check_class_vf(w, p);
	else if (p->queues_text[0] == '\0')
		walk_fault(w, "/class_rule", "needs queues: which ones?");
	if (p->max_queues > 0)
		walk_fault(w, "/max_queues",
			"the NIC gives flows of a class_rule their queues: it keeps no limit of a "
			"VM");
	if (p->cls >= 0 || p->priority != CONFIG_ANY_LEVEL || p->hint != CONFIG_HINT_ANY ||
		p->min_bps > 0 || p->max_bps > 0 || p->min_limit_bps > 0 || p->max_limit_bps > 0 ||
		p->min_age_ms > 0 || p->max_age_ms > 0)
		walk_fault(w, "/class_rule",
			"a NIC tells flows by port, vm, match and dscp only: not by class, "
			"priority, hint, rate, limit or age");
}

void
parse_policies(struct walk *w)
{
	uint32_t i, k;

	for (i = 0; i < w->cfg->n_policies; i++) {
		struct config_policy *p = &w->cfg->policies[i];
		size_t mark = walk_down(w, "offload");

		walk_down(w, "policy");
		walk_down_index(w, i);
		for (k = 0; k < i; k++)
			if (strcmp(w->cfg->policies[k].name, p->name) == 0)
				walk_fault(w, "/name", "rule %u has this name too", k);
		find_names(w, p);
		read_match(w, p);
		read_places(w, p);
		read_queues(w, p);
		read_dscp(w, "/dscp", p->dscp_text, &p->dscp);
		read_dscp(w, "/dscp_raise", p->raise_text, &p->dscp_raise);
		read_dscp(w, "/dscp_lower", p->lower_text, &p->dscp_lower);
		check_ranges(w, p);
		check_class_rule(w, p);
		walk_up(w, mark);
	}
}
