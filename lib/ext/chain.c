// SPDX-License-Identifier: BSD-3-Clause
#include "ext/chain.h"

#include <arpa/inet.h>
#include <string.h>

#include "ext.h"

#define VID_MASK 0x0fff

static uint16_t
vid_of(uint16_t tag)
{
	return tag & FLOW_VLAN_PRESENT ? tag & VID_MASK : SLUICE_EXT_NO_PORT;
}

void
ext_flow_of_key(const struct flow_key *key, struct sluice_ext_flow *out)
{
	memcpy(out->eth_dst, key->eth_dst, sizeof(out->eth_dst));
	memcpy(out->eth_src, key->eth_src, sizeof(out->eth_src));
	out->eth_type = ntohs(key->eth_type);
	out->vlan[0] = vid_of(key->vlan[0]);
	out->vlan[1] = vid_of(key->vlan[1]);
	out->sw = key->switch_id;
	out->in = key->vport;
	out->out = SLUICE_EXT_NO_PORT;
	out->sport = ntohs(key->l4_src);
	out->dport = ntohs(key->l4_dst);
	out->l3 = key->l3;
	out->proto = key->proto;
	memcpy(out->src, key->src, sizeof(out->src));
	memcpy(out->dst, key->dst, sizeof(out->dst));
}

enum sluice_ext_verdict
ext_ask(struct ext *e, const struct sluice_ext_flow *flow)
{
	enum sluice_ext_verdict v = e->ops->flow(e->self, flow);
	unsigned may = 1u << SLUICE_EXT_PASS;

	if (e->at == SLUICE_EXT_MATCH)
		may |= 1u << SLUICE_EXT_HIT | (e->ops->match_bytes > 0) << SLUICE_EXT_SEE;
	else
		may |= 1u << SLUICE_EXT_COPY;
	if (e->at == SLUICE_EXT_INGRESS || e->at == SLUICE_EXT_EGRESS)
		may |= 1u << SLUICE_EXT_DROP | 1u << SLUICE_EXT_SEE;
	if (v <= SLUICE_EXT_HIT && (may & 1u << v))
		return v;
	atomic_fetch_add_explicit(&e->faults, 1, memory_order_relaxed);
	return may & 1u << SLUICE_EXT_DROP ? SLUICE_EXT_DROP : SLUICE_EXT_PASS;
}

// A header that is named is among the first bytes as a whole: it ends where the next one begins.
static void
cut(struct sluice_ext_packet *pkt, uint32_t bytes)
{
	if (pkt->len <= bytes)
		return;
	pkt->len = bytes;
	if (pkt->l4 == 0 || pkt->l4 > bytes)
		pkt->l3 = 0;
	if (pkt->payload > bytes || pkt->payload == 0)
		pkt->payload = pkt->l4 = 0;
}

bool
ext_match_packet(struct ext *e, unsigned worker, struct sluice_ext_packet *pkt)
{
	cut(pkt, e->ops->match_bytes);
	ext_burst(e, worker, pkt, 1);
	if (pkt->verdict != SLUICE_EXT_PASS && pkt->verdict != SLUICE_EXT_HIT)
		atomic_fetch_add_explicit(&e->faults, 1, memory_order_relaxed);
	return pkt->verdict == SLUICE_EXT_HIT;
}

void
ext_chain_ask(const struct ext_chain *chain, enum sluice_ext_point at,
	const struct sluice_ext_flow *flow, struct ext_answer *out)
{
	unsigned i;

	*out = (struct ext_answer){0};
	for (i = 0; i < chain->n[at]; i++) {
		struct ext *e = chain->list[at][i];
		enum sluice_ext_verdict v = ext_ask(e, flow);
		enum ext_seen seen = v == SLUICE_EXT_SEE    ? EXT_SEEN_ALL
				     : v == SLUICE_EXT_COPY ? EXT_SEEN_COPY
							    : EXT_SEEN_NO;

		if (v == SLUICE_EXT_DROP) {
			out->dropper = e;
			return;
		}
		if (seen > out->seen) {
			out->seen = seen;
			out->viewer = e;
		}
	}
}

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

void
ext_burst(struct ext *e, unsigned worker, struct sluice_ext_packet *pkts, unsigned n)
{
	add(&e->counts[worker].packets, n);
	e->ops->burst(e->self, e->memory[worker], pkts, n);
}

void
ext_count_dropped(struct ext *e, unsigned worker, unsigned n)
{
	add(&e->counts[worker].dropped, n);
}

const char *
ext_name(const struct ext *e)
{
	return e->name;
}
