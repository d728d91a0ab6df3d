// SPDX-License-Identifier: BSD-3-Clause
#include "parse_wide.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "load.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi")))
#define WIDE_INLINE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi"), always_inline))

#define HALF 32
#define IP4_LEN 20
#define TCP_LEN 20
#define UDP_LEN 8
#define L3_BARE RTE_ETHER_HDR_LEN
#define L3_TAGGED (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)
#define BE_IPV4 RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_IPV4)
#define BE_VLAN RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_VLAN)
#define BE_QINQ RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_QINQ)

// Where the bytes of a key come from, for each half of it: key = frame's bytes in that order, and
// keep, or tail. Registers of 256 bits: wider ones lower the clock of the whole core (by a tenth
// on a Granite Rapids), which costs more than they save.
struct wide_plan {
	__m256i order[2];
	__mmask32 taken[2]; // the bytes that come from the frame
	__m256i keep;       // of the second half; the first one has addresses only
	__m256i tail;
};

bool
parse_wide_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
}

// Bytes of the frame in the order of a key; NONE: nothing of the frame.
#define NONE 64
#define SIX(n) n, (n) + 1, (n) + 2, (n) + 3, (n) + 4, (n) + 5
#define FOUR(n) n, (n) + 1, (n) + 2, (n) + 3
#define TWELVE_NONE NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE
#define ORDER(l3, vlan_low, vlan_high)                                                             \
	{                                                                                          \
		FOUR((l3) + 12), TWELVE_NONE, FOUR((l3) + 16), TWELVE_NONE, SIX(0), SIX(6),        \
			(l3)-2, (l3)-1, vlan_low, vlan_high, NONE, NONE, FOUR((l3) + IP4_LEN),     \
			NONE, NONE, NONE, NONE, (l3) + 9, NONE, NONE, NONE, NONE, NONE             \
	}
static const uint8_t order_bare[64] = ORDER(L3_BARE, NONE, NONE);
static const uint8_t order_tagged[64] =
	ORDER(L3_TAGGED, RTE_ETHER_HDR_LEN + 1, RTE_ETHER_HDR_LEN); // to host order
static_assert(
	offsetof(struct flow_key, eth_dst) == 32 && offsetof(struct flow_key, eth_type) == 44 &&
		offsetof(struct flow_key, vlan) == 46 && offsetof(struct flow_key, l4_src) == 50 &&
		offsetof(struct flow_key, proto) == 58,
	"the order is that of the key");

static inline WIDE_INLINE struct wide_plan
make_plan(const struct parse_wide_want *want, const uint8_t *order, bool tagged)
{
	const uint64_t vlan_at = 48; // bits, in word 5
	uint64_t keep = tagged ? (uint64_t)want->vlan_mask << vlan_at : 0;
	uint64_t tag = tagged ? (uint64_t)FLOW_VLAN_PRESENT << vlan_at : 0;
	struct wide_plan plan;
	unsigned i;

	for (i = 0; i < 2; i++) {
		plan.order[i] = _mm256_loadu_si256((const __m256i *)order + i);
		plan.taken[i] = _mm256_cmplt_epu8_mask(plan.order[i], _mm256_set1_epi8(NONE));
	}
	plan.keep = _mm256_set_epi64x(-1, -1, (long long)(keep | ((1ULL << vlan_at) - 1)), -1);
	plan.tail = _mm256_set_epi64x((long long)(want->vport | (uint64_t)FLOW_L3_IPV4 << 24),
		(long long)((uint64_t)want->switch_id << 48), (long long)tag, 0);
	return plan;
}

// What an L4 header needs of its IP packet: 65536 - spare bytes, and what the TCP data offset adds
// to the least one. UDP has no such field (mask 0); no packet is long enough for other protocols
// (spare 0).
#define L4_NONE 65536
struct l4_need {
	uint16_t spare;
	uint8_t mask; // of the byte with the data offset, shifted to bytes
	uint8_t least;
};
static const struct l4_need l4_needs[UINT8_MAX + 1] = {
	[IPPROTO_UDP] = {.spare = L4_NONE - (IP4_LEN + UDP_LEN)},
	[IPPROTO_TCP] = {.spare = L4_NONE - (IP4_LEN + TCP_LEN), .mask = 0x3c, .least = TCP_LEN},
};

// l3: where the IPv4 header begins, a constant. TCP and UDP come mixed: no branch between them.
static inline WIDE_INLINE bool
wide_ip4(const uint8_t *p, uint32_t l3, const struct rte_mbuf *m, const struct wide_plan *plan,
	struct flow_key *key)
{
	const __mmask32 head = (1U << (l3 + IP4_LEN + TCP_LEN - HALF)) - 1; // of the second half
	const struct l4_need *l4;
	uint32_t total, more;
	uint64_t word;
	__m256i low, high, tail;

	if (unlikely(m->data_len < l3 + IP4_LEN + TCP_LEN))
		return false;
	word = load64(p + l3); // version, TOS, total length, id, flags and offset
	if (unlikely((word & 0xff3f0000000000ff) != 0x45))
		return false;
	total = rte_be_to_cpu_16((uint16_t)(word >> 16));
	l4 = &l4_needs[p[l3 + 9]];
	more = ((uint32_t)p[l3 + IP4_LEN + 12] >> 2 & l4->mask) - l4->least;
	if (unlikely((int64_t)more > (int64_t)total + l4->spare - L4_NONE ||
		     l3 + total > m->pkt_len))
		return false;
	low = _mm256_loadu_si256((const __m256i *)p);
	high = _mm256_maskz_loadu_epi8(head, p + HALF);
	tail = _mm256_maskz_permutex2var_epi8(plan->taken[1], low, plan->order[1], high);
	_mm256_storeu_si256((__m256i *)key,
		_mm256_maskz_permutex2var_epi8(plan->taken[0], low, plan->order[0], high));
	// (tail & keep) | plan's tail
	_mm256_storeu_si256(
		(__m256i *)key + 1, _mm256_ternarylogic_epi32(tail, plan->keep, plan->tail, 0xea));
	return true;
}

WIDE uint64_t
parse_wide_burst(struct rte_mbuf *const *pkts, uint16_t n, const struct parse_wide_want *want,
	struct flow_key *keys)
{
	struct wide_plan bare = make_plan(want, order_bare, false);
	struct wide_plan tagged = make_plan(want, order_tagged, true);
	uint64_t left = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
		uint16_t type;

		if (unlikely(m->data_len < L3_TAGGED)) {
			left |= 1ULL << i;
			continue;
		}
		type = load16(p + RTE_ETHER_HDR_LEN - 2);
		if (likely(type == BE_IPV4)) {
			if (likely(wide_ip4(p, L3_BARE, m, &bare, &keys[i])))
				continue;
		} else if ((type == BE_VLAN || type == BE_QINQ) &&
			   load16(p + L3_TAGGED - 2) == BE_IPV4) {
			if (likely(wide_ip4(p, L3_TAGGED, m, &tagged, &keys[i])))
				continue;
		}
		left |= 1ULL << i;
	}
	return left;
}

#else

bool
parse_wide_here(void)
{
	return false;
}

uint64_t
parse_wide_burst(struct rte_mbuf *const *pkts, uint16_t n, const struct parse_wide_want *want,
	struct flow_key *keys)
{
	return UINT64_MAX;
}

#endif
