// SPDX-License-Identifier: BSD-3-Clause
#include "parse_wide.h"

#include <assert.h>
#include <stdalign.h>
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

#define IP4_LEN 20
#define IP6_LEN 40
#define TCP_LEN 20
#define UDP_LEN 8
#define TCP_OFFSET 12 // the byte with the data offset
#define L3_BARE RTE_ETHER_HDR_LEN
#define L3_TAGGED (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)
#define BE_IPV4 RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_IPV4)
#define BE_IPV6 RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_IPV6)
#define BE_VLAN RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_VLAN)
#define BE_QINQ RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_QINQ)

bool
parse_wide_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
}

// The halves of a key, in registers of 256 bits: wider ones lower the clock of the whole core (by a
// tenth on a Granite Rapids), which costs more than they save. The first half has the addresses of
// L3, the second one the rest; what is the same for all packets of a burst waits in `rest`.
#define HALF(member) (offsetof(struct flow_key, member) - offsetof(struct flow_key, eth_dst))
#define BYTES(n, at) (((1U << (n)) - 1) << (at))
#define ETH_ADDRS BYTES(12, 0) // stand in the key as they do in the frame
static_assert(offsetof(struct flow_key, eth_dst) == 32 && HALF(eth_src) == 6 &&
		      HALF(eth_type) == 12 && HALF(vlan) == 14 && HALF(l4_src) == 18 &&
		      HALF(l4_dst) == 20 && HALF(switch_id) == 22 && HALF(vport) == 24 &&
		      HALF(proto) == 26 && HALF(l3) == 27,
	"the orders below are those of the key");

// Where its bytes are in the 32 bytes that begin at the ethertype (IPv4): addresses at 14, ports at
// 22, protocol at 11.
static const uint8_t ip4_addrs[32] = {[0] = 14, 15, 16, 17, [16] = 18, 19, 20, 21};
static const uint8_t ip4_rest[32] = {
	[HALF(eth_type)] = 0, 1, [HALF(l4_src)] = 22, 23, 24, 25, [HALF(proto)] = 11};
// What they begin with: the ethertype, version and header length; no fragment.
static const uint8_t ip4[16] = {[0] = 0x08, 0x00, 0x45};
static const uint8_t ip4_mask[16] = {[0] = 0xff, 0xff, 0xff, [8] = 0x3f, 0xff};
#define IP4_ADDRS (BYTES(4, 0) | BYTES(4, 16))
#define IP4_REST (BYTES(2, HALF(eth_type)) | PORTS | BYTES(1, HALF(proto)))
#define PORTS BYTES(4, HALF(l4_src))
// In the 32 bytes that end behind the ports (IPv6).
static const uint8_t ip6_rest[32] = {[HALF(l4_src)] = 28, 29, 30, 31};

struct wide_plan {
	__m128i ip4, ip4_mask;
	__m256i ip4_addrs, ip4_rest, ip6_rest;
	__m256i rest4, rest6;
	uint16_t vlan_mask;
};

static inline WIDE_INLINE struct wide_plan
make_plan(const struct parse_wide_want *want)
{
	const struct flow_key key4 = {
		.switch_id = want->switch_id, .vport = want->vport, .l3 = FLOW_L3_IPV4};
	struct flow_key key6 = key4;
	struct wide_plan plan = {.vlan_mask = want->vlan_mask};

	key6.eth_type = BE_IPV6;
	key6.l3 = FLOW_L3_IPV6;
	plan.rest4 = _mm256_loadu_si256((const __m256i *)&key4 + 1);
	plan.rest6 = _mm256_loadu_si256((const __m256i *)&key6 + 1);
	plan.ip4 = _mm_loadu_si128((const __m128i *)ip4);
	plan.ip4_mask = _mm_loadu_si128((const __m128i *)ip4_mask);
	plan.ip4_addrs = _mm256_loadu_si256((const __m256i *)ip4_addrs);
	plan.ip4_rest = _mm256_loadu_si256((const __m256i *)ip4_rest);
	plan.ip6_rest = _mm256_loadu_si256((const __m256i *)ip6_rest);
	return plan;
}

// What an L4 header needs of its IP packet, in quarter bytes, as the high half of a byte tells the
// length of a TCP header in words of four: L4_NONE - spare, and what the TCP data offset adds to
// the least one. UDP has no such field (mask 0); no packet is long enough for other protocols
// (spare 0).
#define L4_NONE (1 << 20)
static const struct {
	uint32_t spare[UINT8_MAX + 1];
	uint32_t mask[UINT8_MAX + 1]; // of the byte with the data offset
	uint32_t least[UINT8_MAX + 1];
} l4_need = {
	.spare = {[IPPROTO_UDP] = L4_NONE - 4 * UDP_LEN, [IPPROTO_TCP] = L4_NONE - 4 * TCP_LEN},
	.mask = {[IPPROTO_TCP] = 0xf0},
	.least = {[IPPROTO_TCP] = 4 * TCP_LEN},
};

// room: bytes of the IP packet behind its header. TCP and UDP come mixed: no branch between them.
static inline WIDE_INLINE bool
wide_l4(const uint8_t *l4, uint8_t proto, int64_t room)
{
	// Huge when it is below.
	uint32_t more = (l4[TCP_OFFSET] & l4_need.mask[proto]) - l4_need.least[proto];

	return (int64_t)more <= room * 4 + l4_need.spare[proto] - L4_NONE;
}

static inline WIDE_INLINE void
store_key(struct flow_key *key, const uint8_t *p, __m256i addrs, __m256i rest)
{
	_mm256_storeu_si256((__m256i *)key, addrs);
	_mm256_storeu_si256((__m256i *)key + 1, _mm256_mask_loadu_epi8(rest, ETH_ADDRS, p));
}

// l3: where the IPv4 header begins, if it is one: what is before it says so. rest: what is the same
// for all, and the tag.
static inline WIDE_INLINE bool
wide_ip4(const uint8_t *p, uint32_t l3, const struct rte_mbuf *m, const struct wide_plan *plan,
	__m256i rest, struct flow_key *key)
{
	const __m256i from = _mm256_loadu_si256((const __m256i *)(p + l3 - 2));
	const __m128i differ = _mm_ternarylogic_epi32(
		_mm256_castsi256_si128(from), plan->ip4, plan->ip4_mask, 0x28); // (a ^ b) & c
	uint32_t total;

	if (unlikely(!_mm_testz_si128(differ, differ)))
		return false;
	total = (uint16_t)rte_be_to_cpu_32(load32(p + l3));
	if (unlikely(!wide_l4(p + l3 + IP4_LEN, p[l3 + 9], (int64_t)total - IP4_LEN) ||
		     l3 + total > m->pkt_len))
		return false;
	store_key(key, p, _mm256_maskz_permutexvar_epi8(IP4_ADDRS, plan->ip4_addrs, from),
		_mm256_mask_permutexvar_epi8(rest, IP4_REST, plan->ip4_rest, from));
	return true;
}

static inline WIDE_INLINE bool
wide_ip6(const uint8_t *p, uint32_t l3, const struct rte_mbuf *m, const struct wide_plan *plan,
	__m256i rest, struct flow_key *key)
{
	uint32_t room;
	uint64_t word;
	uint8_t proto;

	if (unlikely(m->data_len < l3 + IP6_LEN + TCP_LEN))
		return false;
	word = load64(p + l3); // version, class, label, payload length, next header, hop limit
	room = rte_be_to_cpu_16((uint16_t)(word >> 32));
	proto = (uint8_t)(word >> 48);
	if (unlikely((word & 0xf0) != 0x60 || !wide_l4(p + l3 + IP6_LEN, proto, room) ||
		     l3 + IP6_LEN + room > m->pkt_len))
		return false;
	rest = _mm256_mask_set1_epi8(rest, BYTES(1, HALF(proto)), (char)proto);
	rest = _mm256_mask_permutexvar_epi8(rest, PORTS, plan->ip6_rest,
		_mm256_loadu_si256((const __m256i *)(p + l3 + IP6_LEN + 4 - 32)));
	store_key(key, p, _mm256_loadu_si256((const __m256i *)(p + l3 + 8)), rest);
	return true;
}

// All but untagged IPv4.
static inline WIDE_INLINE bool
wide_other(const uint8_t *p, const struct rte_mbuf *m, const struct wide_plan *plan,
	struct flow_key *key)
{
	const __mmask16 at = 1U << HALF(vlan) / 2;
	uint16_t type = load16(p + RTE_ETHER_HDR_LEN - 2);
	uint16_t vlan;

	if (type == BE_IPV6)
		return wide_ip6(p, L3_BARE, m, plan, plan->rest6, key);
	if (type != BE_VLAN && type != BE_QINQ)
		return false;
	vlan = rte_be_to_cpu_16(load16(p + RTE_ETHER_HDR_LEN)) & plan->vlan_mask;
	vlan |= FLOW_VLAN_PRESENT;
	type = load16(p + L3_TAGGED - 2);
	if (type == BE_IPV4)
		return wide_ip4(p, L3_TAGGED, m, plan,
			_mm256_mask_set1_epi16(plan->rest4, at, (short)vlan), key);
	return type == BE_IPV6 &&
	       wide_ip6(p, L3_TAGGED, m, plan, _mm256_mask_set1_epi16(plan->rest6, at, (short)vlan),
		       key);
}

WIDE uint64_t
parse_wide_burst(struct rte_mbuf *const *pkts, uint16_t n, const struct parse_wide_want *want,
	struct flow_key *keys)
{
	const struct wide_plan plan = make_plan(want);
	uint64_t left = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

		// Enough for a tag, IPv4 and all that is looked at of TCP.
		if (unlikely(m->data_len < L3_BARE + IP4_LEN + TCP_LEN)) {
			left |= 1ULL << i;
			continue;
		}
		if (likely(wide_ip4(p, L3_BARE, m, &plan, plan.rest4, &keys[i])))
			continue;
		if (!wide_other(p, m, &plan, &keys[i]))
			left |= 1ULL << i;
	}
	return left;
}
static_assert(L3_TAGGED + IP4_LEN + TCP_OFFSET < L3_BARE + IP4_LEN + TCP_LEN &&
		      L3_TAGGED - 2 + 32 <= L3_BARE + IP4_LEN + TCP_LEN,
	"what is read of a tagged packet");

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
