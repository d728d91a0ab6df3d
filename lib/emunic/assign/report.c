// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_hash.h>

#include "assign/assign.h"
#include "eswitch/packet.h"

// What the engine tells of its decisions.

void
emu_assign_group(const struct emu_assign *a, struct rte_pmd_emunic_group *out)
{
	memset(out, 0, sizeof(*out));
	emu_assign_text(&a->conf, out->text, sizeof(out->text));
	out->flows = a->n_flows;
	out->packets = a->packets;
	out->moves = a->moves;
	out->mixed = a->mixed;
	out->evicted = a->evicted;
	out->unmeasured = a->unmeasured;
}

static uint8_t
state_of(const struct emu_assign_slot *s)
{
	return s->state == EMU_SLOT_EXCLUSIVE ? RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE
	       : s->state == EMU_SLOT_SHARED  ? RTE_PMD_EMUNIC_QUEUE_SHARED
					      : RTE_PMD_EMUNIC_QUEUE_FREE;
}

int
emu_assign_queue(
	const struct emu_assign *a, uint16_t i, uint64_t now, struct rte_pmd_emunic_queue *out)
{
	const struct emu_assign_slot *s;

	if (i >= a->conf.n_queues)
		return 0;
	memset(out, 0, sizeof(*out));
	out->queue = a->conf.queues[i];
	s = &a->slot[out->queue];
	out->state = emu_assign_usable(a, out->queue) ? state_of(s) : RTE_PMD_EMUNIC_QUEUE_STOPPED;
	if (s->state == EMU_SLOT_SHARED) {
		out->kind = s->kind;
		out->mixed = s->bound > s->pure;
	}
	if (s->state == EMU_SLOT_EXCLUSIVE && s->owner != EMU_ASSIGN_NOBODY)
		out->kind = a->flows[s->owner].kind;
	out->flows = s->here;
	out->assigned = s->bound;
	out->bps = emu_assign_bps(a, &s->rate, now);
	out->packets = s->packets;
	return 1;
}

static uint64_t
ns_of(const struct emu_assign *a, uint64_t ticks)
{
	return (unsigned __int128)ticks * 1000000000 / a->hz;
}

static void
tell_flow(const struct emu_assign *a, uint32_t flow, uint64_t now, struct rte_pmd_emunic_flow *out)
{
	const struct emu_assign_flow *f = &a->flows[flow];
	const struct emu_assign_key *key;
	void *at = NULL;

	rte_hash_get_key_with_position(a->hash, (int32_t)flow, &at);
	key = at;
	memset(out, 0, sizeof(*out));
	out->source = key->side;
	memcpy(out->vlan, key->vlan, sizeof(out->vlan));
	out->ether_type = key->eth_type;
	out->src_port = rte_be_to_cpu_16(key->sport);
	out->dst_port = rte_be_to_cpu_16(key->dport);
	out->proto = key->proto;
	out->ip_version = key->layers & EMU_L_IPV4 ? 4 : key->layers & EMU_L_IPV6 ? 6 : 0;
	memcpy(out->src, key->src, sizeof(out->src));
	memcpy(out->dst, key->dst, sizeof(out->dst));
	memcpy(out->src_mac, key->src_mac, sizeof(out->src_mac));
	memcpy(out->dst_mac, key->dst_mac, sizeof(out->dst_mac));
	out->kind = f->kind;
	out->queue = f->queue;
	out->next_queue = f->target;
	out->state = state_of(&a->slot[f->queue]);
	out->bps = emu_assign_bps(a, &f->rate, now);
	out->packets = f->packets;
	out->bytes = f->bytes;
	out->queue_ns = ns_of(a, now - f->since);
	out->age_ns = ns_of(a, now - f->born);
}

uint32_t
emu_assign_flows(const struct emu_assign *a, uint32_t *next, uint64_t now,
	struct rte_pmd_emunic_flow *out, uint32_t n)
{
	uint32_t records = RTE_MAX(a->conf.flows, 8U), k = 0;

	for (; *next < records && k < n; ++*next)
		if (a->flows[*next].used)
			tell_flow(a, *next, now, &out[k++]);
	return k;
}
