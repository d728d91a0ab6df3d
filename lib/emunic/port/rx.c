// SPDX-License-Identifier: BSD-3-Clause
#include "port/rx.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_ring.h>

#include "port/offload.h"
#include "port/port.h"

static uint32_t
type_of(uint16_t layers)
{
	unsigned int tags = !!(layers & EMU_L_VLAN) + !!(layers & EMU_L_VLAN2);
	uint32_t t = tags == 2   ? RTE_PTYPE_L2_ETHER_QINQ
		     : tags == 1 ? RTE_PTYPE_L2_ETHER_VLAN
				 : RTE_PTYPE_L2_ETHER;

	if (layers & EMU_L_IPV4)
		t |= RTE_PTYPE_L3_IPV4_EXT_UNKNOWN;
	else if (layers & EMU_L_IPV6)
		t |= RTE_PTYPE_L3_IPV6_EXT_UNKNOWN;
	if (layers & EMU_L_FRAG)
		t |= RTE_PTYPE_L4_FRAG;
	else if (layers & EMU_L_TCP)
		t |= RTE_PTYPE_L4_TCP;
	else if (layers & EMU_L_UDP)
		t |= RTE_PTYPE_L4_UDP;
	return t;
}

void
emu_rx_init(struct emu_nic *nic)
{
	for (unsigned int i = 0; i < EMU_PTYPES; i++)
		nic->ptypes[i] = type_of(i << 1);
}

// The layers of which packet types tell, as the table of them is indexed.
static_assert(EMU_L_VLAN == 1 << 1 && EMU_L_UDP == 1 << 7 && EMU_PTYPES == 1 << 7,
	"VLAN to UDP are the bits of the table's index");

static inline uint32_t
packet_type(const struct emu_nic *nic, uint16_t layers, bool stripped)
{
	if (unlikely(stripped)) // the outer of the tags
		layers &= layers & EMU_L_VLAN2 ? ~EMU_L_VLAN2 : ~EMU_L_VLAN;
	return nic->ptypes[layers >> 1 & (EMU_PTYPES - 1)];
}

// Sets all that the application sees of a received packet besides its bytes, but for its outer tag,
// which moves there from them.
static inline void
set_metadata(const struct emu_rxq *q, const struct emu_pkt *p, struct rte_mbuf *m, uint64_t sums)
{
	const struct emu_port *port = q->port;
	uint64_t flags = sums;
	bool stripped = q->strip && emu_vlan_strip(&p->key, m);
	uint32_t hash;

	m->packet_type = packet_type(port->nic, p->key.layers, stripped);
	if (stripped)
		flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	if (p->hashed) {
		m->hash.rss = p->hash;
		flags |= RTE_MBUF_F_RX_RSS_HASH;
	} else if (port->rss_on && emu_rss_hash(&port->rss, p, &hash)) {
		m->hash.rss = hash;
		flags |= RTE_MBUF_F_RX_RSS_HASH;
	}
	if (p->marked && !port->no_mark) {
		m->hash.fdir.hi = p->mark;
		flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
	} else if (p->flagged && !port->no_flag) {
		flags |= RTE_MBUF_F_RX_FDIR;
	}
	m->ol_flags = flags;
}

static bool
may_chain(const struct emu_rxq *q)
{
	return q->offloads & (RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_TCP_LRO);
}

// Blocks that the compiler keeps in registers, the last one over the end of the one before.
static inline void
copy(void *to, const void *from, uint32_t n)
{
	uint8_t *dst = to;
	const uint8_t *src = from;

	if (unlikely(n < 64 || n > 512)) {
		memcpy(dst, src, n);
		return;
	}
	for (uint32_t at = 0; at + 64 < n; at += 64)
		rte_mov64(dst + at, src + at);
	rte_mov64(dst + n - 64, src + n - 64);
}

// What a buffer begins with that comes out of a mempool: its first eight bytes from data_off on,
// and no more, since nothing else of it is read before it is set.
static inline uint64_t
fresh_of(const struct emu_rxq *q)
{
	static_assert(
		offsetof(struct rte_mbuf, refcnt) == offsetof(struct rte_mbuf, data_off) + 2 &&
			offsetof(struct rte_mbuf, nb_segs) ==
				offsetof(struct rte_mbuf, data_off) + 4 &&
			offsetof(struct rte_mbuf, port) == offsetof(struct rte_mbuf, data_off) + 6,
		"offset, references, segments and port are one word");
	return RTE_PKTMBUF_HEADROOM | 1ULL << 16 | 1ULL << 32 | (uint64_t)q->port_id << 48;
}

// Checksums and lengths of a packet whose sender left them to the NIC.
static bool
finish(const struct emu_pkt *p, struct rte_mbuf *m, uint64_t *sums)
{
	if (!p->gso)
		return m->data_len >= p->l2_len + p->l3_len + p->l4_len && emu_fill_sums(p, m);
	// One LRO packet. The segments' checksums never existed; the stack may trust the data.
	*sums &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
	*sums |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->tso_segsz = p->mss;
	return true;
}

// Copies p into m, a buffer of the queue as it comes out of its mempool; p->m stays. False with the
// reason when it does not fit, is nonsense, or the mempool ends.
static inline bool
fill(struct emu_rxq *q, uint64_t fresh, const struct emu_pkt *p, struct rte_mbuf *m,
	enum emu_drop *why)
{
	const struct rte_mbuf *from = p->m;
	uint64_t sums = 0;

	memcpy(RTE_PTR_ADD(m, offsetof(struct rte_mbuf, data_off)), &fresh, sizeof(fresh));
	m->vlan_tci = 0;
	if (likely(from->nb_segs == 1 && from->pkt_len <= q->room)) {
		copy(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(from, const void *),
			from->pkt_len);
		m->data_len = from->pkt_len;
		m->pkt_len = from->pkt_len;
	} else {
		rte_pktmbuf_reset(m);
		m->port = q->port_id;
		*why = EMU_DROP_RX_NOMBUF;
		if (!emu_append(m, q->pool, from, 0, from->pkt_len)) {
			q->nombuf++;
			return false;
		}
	}
	if (q->offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM)
		sums = emu_verify_sums(p, q->offloads);
	*why = EMU_DROP_BAD_OFFLOAD;
	if (unlikely(p->gso || p->l4_sum || p->ip_sum) && !finish(p, m, &sums))
		return false;
	set_metadata(q, p, m, sums);
	return true;
}

// Takes up to n buffers of the queue's mempool, whole bursts at a time where there are enough.
static unsigned int
take_buffers(struct emu_rxq *q, struct rte_mbuf **m, unsigned int n)
{
	unsigned int got = 0;

	if (n == 0 || rte_mempool_get_bulk(q->pool, (void **)m, n) == 0)
		return n;
	while (got < n && rte_mempool_get(q->pool, (void **)&m[got]) == 0)
		got++;
	emu_add(&q->nombuf, n - got);
	return got;
}

void
emu_spent_free(struct emu_nic *nic)
{
	struct rte_mbuf *plain[RTE_DIM(nic->spent)];
	unsigned int k = 0;

	for (unsigned int i = 0; i < nic->n_spent; i++) {
		struct rte_mbuf *m = nic->spent[i];

		if (likely(m->pool == nic->pool && m->nb_segs == 1 && RTE_MBUF_DIRECT(m) &&
			    rte_mbuf_refcnt_read(m) == 1))
			plain[k++] = m;
		else
			rte_pktmbuf_free(m);
	}
	nic->n_spent = 0;
	if (k > 0)
		rte_mempool_put_bulk(nic->pool, (void **)plain, k);
}

void
emu_rx_flush(struct emu_nic *nic, struct emu_rxq *q)
{
	struct rte_mbuf *m[EMU_BURST];
	unsigned int n = q->n_staged, fit, got, done = 0;
	uint64_t fresh = fresh_of(q);

	q->n_staged = 0;
	if (n == 0)
		return;
	fit = RTE_MIN(n, rte_ring_free_count(q->ring));
	got = take_buffers(q, m, fit);
	if (unlikely(got < n)) {
		nic->drops[EMU_DROP_RX_MISSED] += n - fit;
		emu_add(&q->missed, n - fit);
		nic->drops[EMU_DROP_RX_NOMBUF] += fit - got;
	}
	for (unsigned int i = 0; i < got; i++) {
		enum emu_drop why;

		if (likely(fill(q, fresh, q->staged[i], m[i], &why))) {
			m[done++] = m[i];
		} else {
			nic->drops[why]++;
			rte_pktmbuf_free(m[i]);
		}
	}
	if (nic->n_spent + n > RTE_DIM(nic->spent))
		emu_spent_free(nic);
	for (unsigned int i = 0; i < n; i++)
		nic->spent[nic->n_spent++] = ((struct emu_pkt *)q->staged[i])->m;
	rte_ring_sp_enqueue_bulk(q->ring, (void **)m, done, NULL);
	if (q->event_fd >= 0 && done > 0)
		emu_rxq_wake(q);
}

// How many packets of the burst go to which queue, into n_staged, and whether all of them lie in
// buffers of their queues and are nobody else's. Returns how many queues there are; 0: the burst is
// not plain.
static unsigned int
count_queues(struct emu_rxq *const *q, struct emu_pkt *const *pkts, unsigned int n,
	struct emu_rxq **queues, bool *landed)
{
	unsigned int n_queues = 0;
	bool odd = false, there = true;

	for (unsigned int i = 0; i < n; i++) {
		const struct emu_pkt *p = pkts[i];

		odd |= p->gso | p->l4_sum | p->ip_sum | (p->m->nb_segs != 1) |
		       (p->m->pkt_len > q[i]->room) | (q[i]->pool != q[0]->pool);
		there &= (p->m->pool == q[i]->pool) & (rte_mbuf_refcnt_read(p->m) == 1) &
			 RTE_MBUF_DIRECT(p->m);
		queues[n_queues] = q[i];
		n_queues += q[i]->n_staged++ == 0;
	}
	for (unsigned int i = 0; i < n_queues; i++) {
		odd |= queues[i]->n_staged > rte_ring_free_count(queues[i]->ring);
		queues[i]->n_staged = 0;
	}
	*landed = there;
	return odd ? 0 : n_queues;
}

// Copies the packets of a burst to their queues' stages. False: the mempool has not so many
// buffers.
static bool
stage_copies(
	struct emu_nic *nic, struct emu_rxq *const *q, struct emu_pkt *const *pkts, unsigned int n)
{
	struct rte_mbuf *m[EMU_BURST];

	if (rte_mempool_get_bulk(q[0]->pool, (void **)m, n) != 0)
		return false;
	if (nic->n_spent + n > RTE_DIM(nic->spent))
		emu_spent_free(nic);
	for (unsigned int i = 0; i < n; i++) {
		enum emu_drop why;

		fill(q[i], fresh_of(q[i]), pkts[i], m[i], &why); // nothing of it can fail
		q[i]->staged[q[i]->n_staged++] = m[i];
		nic->spent[nic->n_spent++] = pkts[i]->m;
	}
	return true;
}

// The same where they lie in buffers of their queues.
static void
stage_landed(struct emu_rxq *const *q, struct emu_pkt *const *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct emu_rxq *to = q[i];
		struct rte_mbuf *m = pkts[i]->m;
		uint64_t sums = 0;

		if (to->offloads & RTE_ETH_RX_OFFLOAD_CHECKSUM)
			sums = emu_verify_sums(pkts[i], to->offloads);
		m->port = to->port_id;
		m->vlan_tci = 0;
		set_metadata(to, pkts[i], m, sums);
		to->staged[to->n_staged++] = m;
	}
}

bool
emu_rx_plain(
	struct emu_nic *nic, struct emu_rxq *const *q, struct emu_pkt *const *pkts, unsigned int n)
{
	struct emu_rxq *queues[EMU_BURST + 1];
	bool landed;
	unsigned int n_queues = count_queues(q, pkts, n, queues, &landed);

	if (unlikely(n_queues == 0))
		return false;
	if (landed)
		stage_landed(q, pkts, n);
	else if (!stage_copies(nic, q, pkts, n))
		return false;
	for (unsigned int i = 0; i < n_queues; i++) {
		struct emu_rxq *to = queues[i];

		rte_ring_sp_enqueue_bulk(to->ring, to->staged, to->n_staged, NULL);
		to->n_staged = 0;
		if (to->event_fd >= 0)
			emu_rxq_wake(to);
	}
	return true;
}

// A packet of many segments for a queue that wants them one by one.
static void
deliver_segments(struct emu_nic *nic, struct emu_rxq *q, struct emu_pkt *p)
{
	struct emu_segments s;
	unsigned int n = 0;

	emu_segments_init(&s, p);
	while (s.left > 0) {
		struct rte_mbuf *m = emu_segments_next(&s, q->pool);
		enum emu_drop why = EMU_DROPS;

		n++;
		if (m == NULL) {
			emu_add(&q->nombuf, 1);
			nic->drops[EMU_DROP_RX_NOMBUF]++;
			break;
		}
		m->port = q->port_id;
		set_metadata(q, p, m, emu_verify_sums(p, q->offloads));
		if (m->nb_segs > 1 && !may_chain(q)) {
			why = EMU_DROP_RX_TOO_LONG;
		} else if (rte_ring_sp_enqueue(q->ring, m) != 0) {
			why = EMU_DROP_RX_MISSED;
			emu_add(&q->missed, 1);
		}
		if (why != EMU_DROPS)
			emu_drop(nic, why, m);
	}
	if (q->event_fd >= 0)
		emu_rxq_wake(q);
	nic->copies += n - 1;
	rte_pktmbuf_free(p->m);
}

void
emu_rx_stage_odd(struct emu_nic *nic, struct emu_rxq *q, struct emu_pkt *p)
{
	if (p->gso && !(q->offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)) {
		emu_rx_flush(nic, q); // those before it stay before it
		deliver_segments(nic, q, p);
	} else if (p->m->pkt_len > q->room && !may_chain(q)) {
		emu_drop(nic, EMU_DROP_RX_TOO_LONG, p->m);
	} else {
		q->staged[q->n_staged++] = p;
	}
}
