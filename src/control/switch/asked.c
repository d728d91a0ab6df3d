// SPDX-License-Identifier: BSD-3-Clause
#include "switch/asked.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include <rte_ether.h>

static_assert(CONFIG_LEARNED_SRC == RULES_ASK_SRC && CONFIG_LEARNED_DST == RULES_ASK_DST,
	"a rule's learned addresses are questions of its entries");

static_assert((FLOW_L3_IPV4 & FLOW_L3_IPV6) != 0 && !(FLOW_L3_ARP & FLOW_L3_IPV4 & FLOW_L3_IPV6),
	"a bit that IPv4 and IPv6 share");

static const struct flow_inner_match nothing;

// One of the two is asked: name, or inner.
static bool
is(const struct asked *a, const char *name, const struct flow_inner_match *inner)
{
	return a->rules > 0 && strcmp(a->name, name) == 0 &&
	       flow_inner_match_equal(&a->inner, inner);
}

// Where it is not yet: a free place, one that is left, or none.
static unsigned
find(const struct asked_list *l, const char *name, const struct flow_inner_match *inner)
{
	unsigned i, unused = RULES_ASK_EXTENSIONS, left = RULES_ASK_EXTENSIONS;

	for (i = 0; i < RULES_ASK_EXTENSIONS; i++) {
		const struct asked *a = &l->list[i];

		if (is(a, name, inner))
			return i;
		if (a->rules == 0)
			unused = unused == RULES_ASK_EXTENSIONS ? i : unused;
		else if (a->rules == a->leaving && l->left[i].rules == 0)
			left = i;
	}
	return unused < RULES_ASK_EXTENSIONS ? unused : left;
}

static int
add(struct asked_list *l, const char *name, const struct flow_inner_match *inner, uint8_t *at,
	struct sl_err *err)
{
	const unsigned i = find(l, name, inner);

	if (i == RULES_ASK_EXTENSIONS)
		return sl_err_set(err, ENOSPC, "match",
			"the rules of a switch can match by %d extensions and insides of tunnels "
			"that differ, and do",
			RULES_ASK_EXTENSIONS);
	if (!is(&l->list[i], name, inner)) {
		if (l->list[i].rules > 0)
			l->left[i] = l->list[i];
		l->list[i] = (struct asked){.inner = *inner};
		snprintf(l->list[i].name, sizeof(l->list[i].name), "%s", name);
	}
	l->list[i].rules++;
	*at = (uint8_t)i;
	return 0;
}

// What a rule of that place asks there: a place and who left it never ask the same.
static struct asked *
asked_at(struct asked_list *l, uint8_t at, const char *name, const struct flow_inner_match *inner)
{
	return is(&l->list[at], name, inner) ? &l->list[at] : &l->left[at];
}

static void
drop(struct asked_list *l, uint8_t at, const char *name, const struct flow_inner_match *inner,
	bool leaves)
{
	struct asked *a = asked_at(l, at, name, inner);

	a->rules--;
	a->leaving -= leaves;
	if (l->list[at].rules == 0 && l->left[at].rules > 0) {
		l->list[at] = l->left[at];
		l->left[at].rules = 0;
	}
}

int
asked_add(struct asked_list *l, const struct config_rule *rule, struct asked_places *at,
	struct sl_err *err)
{
	int rc = 0;

	*at = (struct asked_places){0};
	if (rule->extension[0] != '\0')
		rc = add(l, rule->extension, &nothing, &at->extension, err);
	if (rc != 0 || !rule->inner.asked)
		return rc;
	rc = add(l, "", &rule->inner, &at->inner, err);
	if (rc != 0 && rule->extension[0] != '\0')
		drop(l, at->extension, rule->extension, &nothing, false);
	return rc;
}

void
asked_drop(struct asked_list *l, const struct config_rule *rule, const struct asked_places *at,
	bool leaves)
{
	if (rule->extension[0] != '\0')
		drop(l, at->extension, rule->extension, &nothing, leaves);
	if (rule->inner.asked)
		drop(l, at->inner, "", &rule->inner, leaves);
}

void
asked_leave(struct asked_list *l, const struct config_rule *rule, const struct asked_places *at,
	bool on)
{
	const uint32_t one = on ? 1 : -1u;

	if (rule->extension[0] != '\0')
		asked_at(l, at->extension, rule->extension, &nothing)->leaving += one;
	if (rule->inner.asked)
		asked_at(l, at->inner, "", &rule->inner)->leaving += one;
}

uint16_t
asked_bits(const struct config_rule *rule, const struct asked_places *at)
{
	uint16_t bits = rule->learned;

	if (rule->extension[0] != '\0')
		bits |= RULES_ASK_EXTENSION(at->extension);
	if (rule->inner.asked)
		bits |= RULES_ASK_EXTENSION(at->inner);
	return bits;
}

const char *
asked_extension(const struct asked_list *l, unsigned i)
{
	const struct asked *a = &l->list[i];

	return a->rules > 0 && !a->inner.asked ? a->name : NULL;
}

const struct flow_inner_match *
asked_inner(const struct asked_list *l, unsigned i)
{
	return l->list[i].rules > 0 ? &l->list[i].inner : &nothing;
}

void
asked_narrow(const struct flow_inner_match *inner, struct flow_match *m)
{
	const uint8_t is_ip = FLOW_L3_IPV4 & FLOW_L3_IPV6; // and not ARP
	struct flow_key *key = &m->key, *mask = &m->mask;
	uint16_t port = 0;
	uint8_t proto;
	bool named;

	switch (inner->tunnel) {
	case FLOW_TUNNEL_VXLAN:
	case FLOW_TUNNEL_GENEVE:
		proto = IPPROTO_UDP;
		port = htons(
			inner->tunnel == FLOW_TUNNEL_VXLAN ? FLOW_PORT_VXLAN : FLOW_PORT_GENEVE);
		break;
	case FLOW_TUNNEL_GRE:
	case FLOW_TUNNEL_NVGRE:
		proto = IPPROTO_GRE;
		break;
	default: // several kinds, or both protocols of IP in IP
		return;
	}
	named = mask->eth_type == UINT16_MAX;
	// What contradicts matches nothing anyway.
	if ((named && key->eth_type != htons(RTE_ETHER_TYPE_IPV4) &&
		    key->eth_type != htons(RTE_ETHER_TYPE_IPV6)) ||
		((key->proto ^ proto) & mask->proto) || ((key->l3 ^ is_ip) & mask->l3 & is_ip) ||
		(port != 0 && ((key->l4_dst ^ port) & mask->l4_dst)))
		return;
	key->proto = proto;
	mask->proto = UINT8_MAX;
	if (!named) {
		key->l3 |= is_ip;
		mask->l3 |= is_ip;
	}
	if (port == 0)
		return;
	key->l4_dst = port;
	mask->l4_dst = UINT16_MAX;
}
