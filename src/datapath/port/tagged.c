// SPDX-License-Identifier: BSD-3-Clause
#include "port/tagged.h"

#include <errno.h>

#include <rte_ether.h>
#include <rte_pmd_emunic_miss.h>

#include "datapath/tag.h"
#include "poll.h"

#define PIECES 48 // of a frame
#define BITS 32   // numbers in a word

static_assert(DP_TAG_KEY == RTE_PMD_EMUNIC_MISS_KEY, "one key");

// A word has a bit for each of its numbers, and above them which word it is, counted from 1.
int
dp_tag_once(struct dp_tag_key *k, uint64_t number)
{
	const uint64_t word = number / BITS, bit = UINT64_C(1) << number % BITS;
	const uint64_t name = (word / DP_TAG_WORDS + 1) << BITS;
	_Atomic uint64_t *at = &k->seen[word % DP_TAG_WORDS];
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed), next;

	if (number == 0 || number >= DP_TAG_NUMBERS)
		return -ESTALE;
	do {
		if (old >> BITS > name >> BITS)
			return -ESTALE;
		next = old >> BITS == name >> BITS ? old : name;
		if (next & bit)
			return -EALREADY;
	} while (!atomic_compare_exchange_weak_explicit(
		at, &old, next | bit, memory_order_relaxed, memory_order_relaxed));
	return 0;
}

static bool
is_tagged(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return m->data_len >= sizeof(*eth) &&
	       eth->ether_type == rte_cpu_to_be_16(RTE_PMD_EMUNIC_MISS_ETHERTYPE);
}

// The key that the tag names; else why there is none.
static struct dp_tag_key *
key_of(const struct dp_tags *tags, const uint8_t *tag, enum dp_drop *why)
{
	const uint64_t vf = rte_pmd_emunic_miss_get(tag + 4, 2);
	uint16_t i;

	*why = DP_DROP_MISS_FOREIGN;
	for (i = 0; i < tags->n; i++) {
		if (tags->keys[i]->vf != vf)
			continue;
		if (tags->keys[i]->id == tag[3])
			return tags->keys[i];
		*why = DP_DROP_MISS_STALE;
	}
	return NULL;
}

static enum dp_drop
drop_of(int error)
{
	switch (error) {
	case -EACCES:
		return DP_DROP_MISS_FORGED;
	case -EPERM:
		return DP_DROP_MISS_FOREIGN;
	case -EALREADY:
		return DP_DROP_MISS_REPLAYED;
	case -ESTALE:
		return DP_DROP_MISS_STALE;
	default:
		return DP_DROP_MISS_MALFORMED;
	}
}

// NULL with *why: it is to be dropped. The tag's own window is not used: it is for one thread.
static struct dp_tag_key *
judge(const struct dp_tags *tags, const struct rte_mbuf *m, uint16_t *len, enum dp_drop *why)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct rte_pmd_emunic_miss_window unused = {0};
	struct rte_pmd_emunic_miss miss;
	struct iovec iov[PIECES];
	const struct rte_mbuf *s;
	struct dp_tag_key *k;
	unsigned n = 0;
	int rc;

	*why = DP_DROP_MISS_MALFORMED;
	if (m->data_len < RTE_PMD_EMUNIC_MISS_HEAD || m->nb_segs > PIECES)
		return NULL;
	k = key_of(tags, frame + RTE_PMD_EMUNIC_MISS_MACS, why);
	if (k == NULL)
		return NULL;
	for (s = m; s != NULL; s = s->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(s, void *), s->data_len};
	rc = rte_pmd_emunic_miss_open(k->key, k->vf, iov, n, &unused, &miss);
	if (rc == 0 && miss.origin != 1 + k->vf)
		rc = -EPERM; // nothing else is led into the VF's table
	if (rc == 0)
		rc = dp_tag_once(k, miss.number);
	*why = drop_of(rc);
	*len = miss.len;
	return rc == 0 ? k : NULL;
}

static void
cut_to(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *s = m;
	uint32_t left = len;

	m->pkt_len = len;
	m->nb_segs = 1;
	while (left > s->data_len && s->next != NULL) {
		left -= s->data_len;
		s = s->next;
		m->nb_segs++;
	}
	s->data_len = (uint16_t)left;
	rte_pktmbuf_free(s->next);
	s->next = NULL;
}

// As the NIC had it: what the guest says of it is not asked.
static void
restore(struct rte_mbuf *m, uint16_t len)
{
	rte_pmd_emunic_miss_strip(rte_pktmbuf_mtod(m, uint8_t *));
	rte_pktmbuf_adj(m, RTE_PMD_EMUNIC_MISS_TAG);
	if (len < m->pkt_len)
		cut_to(m, len);
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	m->tx_offload = 0;
}

uint16_t
tagged_take(struct dp_worker *w, const struct dp_tags *tags, struct rte_mbuf **pkts, uint16_t n,
	uint16_t from)
{
	struct rte_mbuf *taken[DP_BURST];
	uint16_t origin[DP_BURST], i, k, kept = 0, got = 0, len;
	enum dp_drop why;

	for (i = 0; i < n; i++) {
		const struct dp_tag_key *key;

		if (likely(!is_tagged(pkts[i]))) {
			pkts[kept++] = pkts[i];
			continue;
		}
		key = judge(tags, pkts[i], &len, &why);
		if (key == NULL) {
			lcore_drop(w, pkts[i], from, why);
			continue;
		}
		restore(pkts[i], len);
		taken[got] = pkts[i];
		origin[got++] = key->origin;
	}
	for (i = 0; i < got; i = k) {
		for (k = i; k < got && origin[k] == origin[i]; k++)
			;
		lcore_add(&w->vports[from].consumed, k - i);
		lcore_add(&w->vports[lcore_origin(origin[i])].originated, k - i);
		poll_handle(w, taken + i, (uint16_t)(k - i), lcore_origin(origin[i]), false);
	}
	lcore_free_flush(w);
	return kept;
}
