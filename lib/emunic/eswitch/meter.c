// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/meter.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

struct emu_meter *
emu_meter_find(struct emu_meters *ms, uint32_t id)
{
	struct emu_meter *m;

	LIST_FOREACH(m, &ms->meters, list)
	if (m->id == id)
		return m;
	return NULL;
}

int
emu_meter_config(struct emu_meter *m)
{
	if (m->profile->alg == RTE_MTR_SRTCM_RFC2697)
		return rte_meter_srtcm_config(&m->srtcm, &m->profile->srtcm);
	return rte_meter_trtcm_config(&m->trtcm, &m->profile->trtcm);
}

static enum rte_color
color_of(struct emu_meter *m, uint32_t size, enum rte_color was)
{
	struct emu_meter_profile *f = m->profile;
	uint64_t now = rte_rdtsc();

	if (f->alg == RTE_MTR_SRTCM_RFC2697)
		return m->aware
			       ? rte_meter_srtcm_color_aware_check(
					 &m->srtcm, &f->srtcm, now, size, was)
			       : rte_meter_srtcm_color_blind_check(&m->srtcm, &f->srtcm, now, size);
	return m->aware ? rte_meter_trtcm_color_aware_check(&m->trtcm, &f->trtcm, now, size, was)
			: rte_meter_trtcm_color_blind_check(&m->trtcm, &f->trtcm, now, size);
}

static void
note(struct emu_meter *m, enum rte_color c, bool drop, uint32_t bytes)
{
	const uint64_t packets_of[] = {
		RTE_MTR_STATS_N_PKTS_GREEN, RTE_MTR_STATS_N_PKTS_YELLOW, RTE_MTR_STATS_N_PKTS_RED};
	const uint64_t bytes_of[] = {RTE_MTR_STATS_N_BYTES_GREEN, RTE_MTR_STATS_N_BYTES_YELLOW,
		RTE_MTR_STATS_N_BYTES_RED};

	if (drop) {
		m->stats.n_pkts_dropped += !!(m->stats_mask & RTE_MTR_STATS_N_PKTS_DROPPED);
		if (m->stats_mask & RTE_MTR_STATS_N_BYTES_DROPPED)
			m->stats.n_bytes_dropped += bytes;
		return;
	}
	m->stats.n_pkts[c] += !!(m->stats_mask & packets_of[c]);
	if (m->stats_mask & bytes_of[c])
		m->stats.n_bytes[c] += bytes;
}

bool
emu_meter_run(struct emu_meter *m, struct emu_pkt *p)
{
	uint32_t bytes = p->m->pkt_len;
	enum rte_color c;
	bool drop;

	if (!m->enabled)
		return true;
	c = color_of(m, m->profile->packets ? 1 : bytes, (enum rte_color)p->color);
	drop = m->policy->drop[c];
	note(m, c, drop, bytes);
	p->color = m->policy->color[c];
	return !drop;
}

void
emu_meters_free(struct emu_meters *ms)
{
	struct emu_meter_profile *profile;
	struct emu_meter_policy *policy;
	struct emu_meter *m;

	while ((m = LIST_FIRST(&ms->meters)) != NULL) {
		LIST_REMOVE(m, list);
		rte_free(m);
	}
	while ((policy = LIST_FIRST(&ms->policies)) != NULL) {
		LIST_REMOVE(policy, list);
		rte_free(policy);
	}
	while ((profile = LIST_FIRST(&ms->profiles)) != NULL) {
		LIST_REMOVE(profile, list);
		rte_free(profile);
	}
	ms->n_meters = ms->n_policies = ms->n_profiles = 0;
}
