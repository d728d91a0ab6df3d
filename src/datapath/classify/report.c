// SPDX-License-Identifier: BSD-3-Clause
#include "classify/report.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include "datapath/mac.h"
#include "classify/vlan.h"
#include "trace/trace.h"

#define HALF_LIFE 12

static bool
event_put(struct dp_worker *w, const struct dp_event *ev)
{
	if (rte_ring_sp_enqueue_elem(w->events, (void *)(uintptr_t)ev, sizeof(*ev)) == 0)
		return true;
	lcore_add(&w->counters.events_lost, 1);
	return false;
}

void
report_init(struct dp_worker *w)
{
	// 2^16 * 2^(-i/12)
	static const uint32_t factor[HALF_LIFE] = {
		65536, 61858, 58386, 55109, 52016, 49097, 46341, 43740, 41285, 38968, 36781, 34716};
	uint32_t i;

	for (i = 0; i < w->n_reports; i++)
		w->reports[i].tick = i + 1;
	w->reports_free = 0;
	w->reports_used = 0;
	w->tell_wait = REPORT_TICKS;
	w->tell_first = REPORT_FIRST_MAX;
	w->tell_again = REPORT_AGAIN_MAX;
	for (i = 0; i < LCORE_DECAY - 1; i++)
		w->decay[i] = factor[i % HALF_LIFE] << 15 >> i / HALF_LIFE;
	w->decay[i] = 0;
}

// Behind up to two VLAN tags: the six upper bits of IPv4's second byte, or of IPv6's traffic class
// (RFC 2474).
uint8_t
report_dscp(const struct rte_mbuf *m)
{
	uint32_t at = 2 * RTE_ETHER_ADDR_LEN, tags;
	rte_be16_t type = 0;
	uint8_t ip[2];

	for (tags = 0; tags <= 2 && m->data_len >= at + 4; tags++, at += 4) {
		memcpy(&type, rte_pktmbuf_mtod_offset(m, const uint8_t *, at), sizeof(type));
		if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
			type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
			memcpy(ip, rte_pktmbuf_mtod_offset(m, const uint8_t *, at + 2), sizeof(ip));
			return type == RTE_BE16(RTE_ETHER_TYPE_IPV4)
				       ? ip[1] >> 2
				       : (uint8_t)((ip[0] & 0xf) << 2 | ip[1] >> 6);
		}
		if (type != RTE_BE16(RTE_ETHER_TYPE_VLAN) && type != RTE_BE16(RTE_ETHER_TYPE_QINQ))
			break;
	}
	return DP_NO_DSCP;
}

static bool
report_flow(struct dp_worker *w, const struct cache_entry *e, struct lcore_report *r, uint8_t type,
	uint8_t dscp)
{
	const struct dp_program *prog = entry_program(w, e);
	const uint64_t packets = cache_packets(e, w->cache_apart);
	const uint64_t bytes = cache_bytes(e, w->cache_apart);
	struct dp_event ev;

	// What a dry run counts is taken back: nobody is told.
	if (unlikely(w->tracing != NULL) && trace_is_dry(w))
		return false;
	memset(&ev, 0, sizeof(ev));
	ev.type = type;
	ev.worker = (uint8_t)w->id;
	ev.path =
		prog->flags & (DP_PROG_RING | DP_PROG_HOST_RING) ? DP_PATH_RING : DP_PATH_SOFTWARE;
	ev.dscp = dscp;
	ev.packets = (uint32_t)(packets - r->packets);
	ev.bytes = bytes - r->bytes;
	cache_key(e, w->cache_apart, &ev.key);
	if (!event_put(w, &ev))
		return false;
	r->rate = e->rate;
	r->packets = packets;
	r->bytes = bytes;
	return true;
}

// ---- what a tick has room for

static void
new_room(struct dp_worker *w)
{
	if (w->tell_tick == w->tick)
		return;
	// Full: less often; half of it unused: as often as it may be.
	if (w->tell_again == 0 && w->tell_wait < REPORT_TICKS_LIGHT)
		w->tell_wait++;
	else if (w->tell_again > REPORT_AGAIN_MAX / 2 && w->tell_wait > REPORT_TICKS)
		w->tell_wait--;
	w->tell_tick = w->tick;
	w->tell_first = REPORT_FIRST_MAX;
	w->tell_again = REPORT_AGAIN_MAX;
}

static bool
is_far(const struct dp_worker *w, const struct cache_entry *e)
{
	return (e->hint & ENTRY_PLAIN) != 0 && report_look(w, entry_out(e)) == REPORT_LOOK_FAR;
}

static bool
room_for_first(struct dp_worker *w, const struct cache_entry *e)
{
	uint32_t slots = is_far(w, e) ? w->n_reports / 2 : w->n_reports;

	new_room(w);
	return w->tell_first > 0 && w->reports_used < slots;
}

// ---- reports of a flow

static void
wait_for_room(struct dp_worker *w, struct cache_entry *e)
{
	e->hint |= ENTRY_TOLD | ENTRY_WAITS;
	lcore_add(&w->counters.events_lost, 1);
}

void
report_first(struct dp_worker *w, struct cache_entry *e, uint8_t dscp)
{
	uint32_t slot = w->reports_free;
	struct lcore_report *r;

	if (!room_for_first(w, e)) {
		wait_for_room(w, e);
		return;
	}
	r = &w->reports[slot];
	w->reports_free = r->tick;
	r->packets = 0;
	r->bytes = 0;
	if (!report_flow(w, e, r, DP_EV_FLOW, dscp)) {
		r->tick = w->reports_free;
		w->reports_free = slot;
		e->hint |= ENTRY_TOLD | ENTRY_WAITS;
		return;
	}
	w->reports_used++;
	w->tell_first--;
	r->tick = w->tick;
	entry_set_flags(w, e, (uint16_t)(slot + 1));
}

static bool
report_again(struct dp_worker *w, const struct cache_entry *e, struct lcore_report *r, uint8_t dscp)
{
	if (!report_flow(w, e, r, DP_EV_FLOW, dscp))
		return false;
	r->tick = w->tick;
	return true;
}

static void
mac_of_entry_used(struct dp_worker *w, const struct cache_entry *e)
{
	struct flow_key key;

	cache_key(e, w->cache_apart, &key);
	report_mac_used(w, &key);
}

// A flow that was told: is it to be told again?
static void
look(struct dp_worker *w, struct cache_entry *e, uint32_t passed, const struct rte_mbuf *m,
	uint8_t dscp)
{
	const bool far = is_far(w, e);
	const bool light = e->rate < w->report_rate;
	struct lcore_report *r;
	uint32_t since;

	new_room(w);
	if (w->tell_again == 0 || passed < (far ? REPORT_LOOK_FAR : light ? REPORT_LOOK_LIGHT : 1u))
		return;
	r = &w->reports[entry_more(w, e)->flags - 1];
	since = w->tick - r->tick;
	// Below the bar it can wait; what has doubled since it was told cannot.
	if (!far && (light ? since < REPORT_TICKS_LIGHT
			   : since < w->tell_wait && e->rate / 2 < r->rate))
		return;
	if (report_again(w, e, r, m != NULL ? report_dscp(m) : dscp))
		w->tell_again--;
}

void
report_tick(struct dp_worker *w, struct cache_entry *e, uint32_t last, const struct rte_mbuf *m,
	uint8_t dscp)
{
	uint32_t passed = report_passed(e, w->tick, last);

	if (unlikely(passed >= REPORT_MAC_TICKS) && (e->hint & ENTRY_MAC_DEP))
		mac_of_entry_used(w, e);
	if (likely(!(e->hint & ENTRY_TOLD)))
		return;
	if (!(e->hint & ENTRY_WAITS))
		look(w, e, passed, m, dscp);
	else if (room_for_first(w, e))
		e->hint &= ~(ENTRY_TOLD | ENTRY_WAITS);
}

void
report_gone(void *ctx, const struct cache_entry *e)
{
	struct dp_worker *w = ctx;
	struct lcore_report *r;
	uint16_t flags;

	w->evicted++;
	if (!(e->hint & ENTRY_TOLD) || (e->hint & ENTRY_WAITS))
		return;
	flags = entry_more(w, e)->flags;
	r = &w->reports[flags - 1];
	report_flow(w, e, r, DP_EV_FLOW_GONE, DP_NO_DSCP);
	r->tick = w->reports_free;
	w->reports_free = flags - 1u;
	w->reports_used--;
}

void
report_mac(struct dp_worker *w, const struct flow_key *key, uint16_t vlan)
{
	struct dp_event ev;

	memset(&ev, 0, sizeof(ev));
	ev.type = DP_EV_MAC;
	ev.worker = (uint8_t)w->id;
	ev.key.switch_id = key->switch_id;
	ev.key.vport = key->vport;
	ev.key.vlan[0] = vlan;
	memcpy(ev.key.eth_src, key->eth_src, sizeof(key->eth_src));
	event_put(w, &ev);
}

void
report_mac_used(struct dp_worker *w, const struct flow_key *key)
{
	const struct dp_vport *v = key->vport < DP_VPORTS_MAX ? w->snap->vport[key->vport] : NULL;
	const struct dp_mac *m;
	struct vlan_tags tags;

	if (v == NULL || (unlikely(w->tracing != NULL) && trace_is_dry(w)))
		return;
	vlan_tags_of_key(key, &tags);
	if (!vlan_ingress(v, &tags))
		return;
	m = dp_mac_find(w->snap->sw[v->sw].macs, key->eth_src, vlan_outer(&tags));
	if (m != NULL && m->vport == v->id && m->used != NULL)
		atomic_store_explicit(m->used, w->tick, memory_order_relaxed);
}
