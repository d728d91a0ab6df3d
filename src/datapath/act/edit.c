// SPDX-License-Identifier: BSD-3-Clause
#include "act/edit.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "act/offload.h"

#define TAG_AT (2 * RTE_ETHER_ADDR_LEN)
#define VID_MASK 0x0fff

struct rte_mbuf *
edit_copy(const struct rte_mbuf *m, struct rte_mempool *pool)
{
	if (pool == NULL)
		return NULL;
	return rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
}

static bool
is_ours(const struct rte_mbuf *m)
{
	if (rte_mbuf_refcnt_read(m) != 1 || RTE_MBUF_CLONED(m))
		return false;
	return !RTE_MBUF_HAS_EXTBUF(m) || rte_mbuf_ext_refcnt_read(m->shinfo) == 1;
}

// Puts a copy in the place of *m.
static bool
replace(struct rte_mbuf **m, uint32_t head, struct rte_mempool *pool)
{
	struct rte_mbuf *copy = edit_copy(*m, pool);

	if (copy == NULL)
		return false;
	if (copy->data_len < head) {
		rte_pktmbuf_free(copy);
		return false;
	}
	rte_pktmbuf_free(*m);
	*m = copy;
	return true;
}

bool
edit_own(struct rte_mbuf **m, uint32_t head, struct rte_mempool *pool)
{
	return (is_ours(*m) && (*m)->data_len >= head) || replace(m, head, pool);
}

static bool
is_tag(uint16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

// Two bytes at `at`, which may lie in a later segment; 0 when the frame ends before.
static uint16_t
word_at(const struct rte_mbuf *m, uint32_t at)
{
	uint16_t word = 0;
	uint16_t scratch;
	const void *p = rte_pktmbuf_read(m, at, sizeof(word), &scratch);

	if (p != NULL)
		memcpy(&word, p, sizeof(word));
	return word;
}

uint16_t
edit_outer_vid(const struct rte_mbuf *m, uint32_t *l2)
{
	*l2 = RTE_ETHER_HDR_LEN;
	if (!is_tag(word_at(m, TAG_AT)))
		return 0;
	*l2 += is_tag(word_at(m, TAG_AT + RTE_VLAN_HLEN)) ? 2 * RTE_VLAN_HLEN : RTE_VLAN_HLEN;
	return rte_be_to_cpu_16(word_at(m, TAG_AT + 2)) & VID_MASK;
}

static void
l2_len_moved(struct rte_mbuf *m, int by)
{
	if (m->ol_flags & OFFLOAD_REQUESTS)
		m->l2_len = (uint16_t)(m->l2_len + by);
}

static bool
push(struct rte_mbuf **m, uint16_t vid, struct rte_mempool *pool)
{
	uint16_t tag[2] = {RTE_BE16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(vid)};
	char *p;

	if (rte_pktmbuf_headroom(*m) < RTE_VLAN_HLEN && !replace(m, TAG_AT, pool))
		return false;
	p = rte_pktmbuf_prepend(*m, RTE_VLAN_HLEN);
	if (p == NULL)
		return false;
	memmove(p, p + RTE_VLAN_HLEN, TAG_AT);
	memcpy(p + TAG_AT, tag, sizeof(tag));
	l2_len_moved(*m, RTE_VLAN_HLEN);
	return true;
}

static void
pop(struct rte_mbuf *m)
{
	char *p = rte_pktmbuf_mtod(m, char *);

	memmove(p + RTE_VLAN_HLEN, p, TAG_AT);
	rte_pktmbuf_adj(m, RTE_VLAN_HLEN);
	l2_len_moved(m, -RTE_VLAN_HLEN);
}

static void
set(struct rte_mbuf *m, uint16_t vid)
{
	char *p = rte_pktmbuf_mtod(m, char *) + TAG_AT + 2;
	uint16_t tci;

	memcpy(&tci, p, sizeof(tci));
	tci = rte_cpu_to_be_16((uint16_t)((rte_be_to_cpu_16(tci) & ~VID_MASK) | vid));
	memcpy(p, &tci, sizeof(tci));
}

bool
edit_vlan(struct rte_mbuf **m, enum dp_vlan_op op, uint16_t vid, struct rte_mempool *pool)
{
	uint32_t head = TAG_AT + RTE_VLAN_HLEN + 2;
	bool tagged = (*m)->pkt_len >= head && is_tag(word_at(*m, TAG_AT));

	if (op == DP_VLAN_KEEP || (op == DP_VLAN_POP && !tagged))
		return true;
	if (!edit_own(m, RTE_MIN((*m)->pkt_len, head), pool))
		return false;
	if (op == DP_VLAN_POP)
		pop(*m);
	else if (op == DP_VLAN_SET && tagged)
		set(*m, vid);
	else
		return push(m, vid, pool);
	return true;
}

bool
edit_mac(struct rte_mbuf **m, bool source, const uint8_t mac[6], struct rte_mempool *pool)
{
	if (!edit_own(m, RTE_ETHER_HDR_LEN, pool))
		return false;
	memcpy(rte_pktmbuf_mtod(*m, char *) + (source ? RTE_ETHER_ADDR_LEN : 0), mac,
		RTE_ETHER_ADDR_LEN);
	return true;
}
