// SPDX-License-Identifier: BSD-3-Clause
#include "classify/answers.h"

#include "datapath/mac.h"
#include "extend/extend.h"

static bool
learned(const struct dp_mac_table *macs, const uint8_t addr[6], uint16_t vlan, uint16_t at)
{
	const struct dp_mac *m = addr[0] & 1 ? NULL : dp_mac_find(macs, addr, vlan);

	return m != NULL && (at == DP_NONE || m->vport == at);
}

uint16_t
answers_inside(const struct dp_switch *sw, const struct flow_key *key, uint16_t asked,
	const struct dp_shown *pkt)
{
	struct flow_offsets off;
	struct flow_inner inner;
	struct flow_key outer;
	uint16_t yes = 0;
	unsigned i;

	if (pkt == NULL || asked == 0 ||
		flow_parse(pkt->m, key->switch_id, key->vport, 0, &outer, &off) != FLOW_OK ||
		!flow_parse_inner(pkt->m, &outer, &off, FLOW_FIELD_ALL, &inner))
		return 0;
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
		if ((asked & RULES_ASK_EXTENSION(i)) && flow_inner_hits(&sw->inner[i], &inner))
			yes |= RULES_ASK_EXTENSION(i);
	return yes;
}

void
answers_get(const struct dp_switch *sw, const struct flow_key *key, uint16_t vlan,
	const struct dp_shown *pkt, struct answers *out)
{
	struct sluice_ext_flow flow;
	unsigned i;

	*out = (struct answers){0};
	if ((sw->asks & RULES_ASK_SRC) && learned(sw->macs, key->eth_src, vlan, key->vport))
		out->yes |= RULES_ASK_SRC;
	if ((sw->asks & RULES_ASK_DST) && learned(sw->macs, key->eth_dst, vlan, DP_NONE))
		out->yes |= RULES_ASK_DST;
	if ((sw->asks & ~RULES_ASK_LEARNED) == 0)
		return;
	ext_flow_of_key(key, &flow);
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++) {
		struct ext *e = sw->matchers[i];
		enum sluice_ext_verdict v;

		if (!(sw->asks & RULES_ASK_EXTENSION(i)))
			continue;
		if (flow_inner_may_hit(&sw->inner[i], key))
			out->inside |= RULES_ASK_EXTENSION(i);
		if (e == NULL)
			continue;
		v = ext_ask(e, &flow);
		if (v == SLUICE_EXT_SEE) {
			out->by_packet = e;
			v = pkt != NULL && !pkt->dry && extend_match(e, key, pkt) ? SLUICE_EXT_HIT
										  : SLUICE_EXT_PASS;
		}
		out->yes |= v == SLUICE_EXT_HIT ? RULES_ASK_EXTENSION(i) : 0;
	}
}
