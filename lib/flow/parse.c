// SPDX-License-Identifier: BSD-3-Clause
#include "flow/parse.h"

#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "load.h"
#include "parse_general.h"
#include "parse_wide.h"

// The fast path composes the key as eight words in registers and stores each once, so that a
// look-up that loads them as words right afterwards is not held up by narrower stores. The words:
//
//   0-1  src      2-3  dst      4  eth_dst, eth_src[0-1]      5  eth_src[2-5], eth_type, vlan[0]
//   6  vlan[1], l4_src, l4_dst, switch_id      7  vport, proto, l3, dscp, ttl, tcp_flags, frag
static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "the words are composed for little endian");
static_assert(
	offsetof(struct flow_key, eth_dst) == 32 && offsetof(struct flow_key, eth_src) == 38 &&
		offsetof(struct flow_key, eth_type) == 44 && offsetof(struct flow_key, vlan) == 46,
	"words 4 and 5");
static_assert(offsetof(struct flow_key, l4_src) == 50 && offsetof(struct flow_key, l4_dst) == 52 &&
		      offsetof(struct flow_key, switch_id) == 54 &&
		      offsetof(struct flow_key, vport) == 56,
	"word 6");
static_assert(offsetof(struct flow_key, proto) == 58 && offsetof(struct flow_key, l3) == 59 &&
		      offsetof(struct flow_key, dscp) == 60 &&
		      offsetof(struct flow_key, frag) == 63,
	"word 7");

// Those that parse_wide leaves out.
#define PER_PACKET (FLOW_FIELD_DSCP | FLOW_FIELD_TTL | FLOW_FIELD_TCP_FLAGS)
#define BE_IPV4 RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_IPV4)
#define BE_IPV6 RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_IPV6)
#define BE_VLAN RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_VLAN)
#define BE_QINQ RTE_STATIC_BSWAP16(RTE_ETHER_TYPE_QINQ)
#define IP4_LEN 20 // without options
#define IP6_LEN 40
#define TCP_LEN 20
#define UDP_LEN 8

// What is the same for all packets of a burst.
struct parse_want {
	uint32_t fields;
	uint16_t vlan_mask; // of the tag's bits
	uint16_t switch_id;
	uint16_t vport;
	uint64_t word7_mask; // 0 where a per-packet field is not wanted
#ifdef __SSSE3__
	bool bare;    // none of DSCP, TTL and TCP flags is wanted
	__m128i tail; // words 6 and 7 of an untagged IPv4 packet, without its ports and protocol
#endif
};

static inline struct parse_want
parse_want(uint16_t switch_id, uint16_t vport, uint32_t fields)
{
	uint64_t mask = 0xffffffff;
	struct parse_want want;

	mask |= fields & FLOW_FIELD_DSCP ? 0xffULL << 32 : 0;
	mask |= fields & FLOW_FIELD_TTL ? 0xffULL << 40 : 0;
	mask |= fields & FLOW_FIELD_TCP_FLAGS ? 0xffULL << 48 : 0;
	mask |= fields & FLOW_FIELD_FRAG ? 0xffULL << 56 : 0;
	want = (struct parse_want){.fields = fields,
		.vlan_mask = fields & FLOW_FIELD_PCP ? 0xefff : 0x0fff,
		.switch_id = switch_id,
		.vport = vport,
		.word7_mask = mask};
#ifdef __SSSE3__
	want.bare = !(fields & PER_PACKET);
	want.tail = _mm_set_epi64x(
		(long long)(vport | FLOW_L3_IPV4 << 24), (long long)((uint64_t)switch_id << 48));
#endif
	return want;
}

// The L4 header at l4, of which TCP_LEN bytes can be read and `room` belong to the packet. TCP and
// UDP come mixed: no branch between them. False: another protocol, or cut.
static inline bool
fast_l4(const uint8_t *l4, uint8_t proto, int64_t room, uint32_t *len, uint32_t *tcp_flags)
{
	uint32_t is_tcp = -(uint32_t)(proto == IPPROTO_TCP); // all ones or 0
	uint32_t least = UDP_LEN + ((TCP_LEN - UDP_LEN) & is_tcp);

	*len = (UDP_LEN & ~is_tcp) | ((l4[12] >> 4) * 4u & is_tcp);
	*tcp_flags = l4[13] & is_tcp;
	return (proto == IPPROTO_UDP || is_tcp != 0) && *len >= least && *len <= room;
}

#ifdef __SSSE3__
// The most common packet, untagged plain IPv4 with TCP or UDP, where no per-packet field is wanted:
// its key is the frame's own bytes in another order, four loads and one shuffle. False, with
// nothing written, for all else. want->bare.
static inline bool
parse_bare_ip4(const uint8_t *p, uint32_t head_len, uint32_t frame_len,
	const struct parse_want *want, struct flow_key *key, struct flow_offsets *off)
{
	enum { L3 = RTE_ETHER_HDR_LEN, L4 = L3 + IP4_LEN, TAIL = L3 + 8 }; // TAIL: the TTL
	const __m128i eth_mask = _mm_setr_epi32(-1, -1, -1, 0xffff);       // no tag
	const __m128i order = // TTL, protocol, sum, addresses, ports -> words 6 and 7
		_mm_setr_epi8(-1, -1, 12, 13, 14, 15, -1, -1, -1, -1, 1, -1, -1, -1, -1, -1);
	__m128i *words = (__m128i *)key;
	uint32_t l4_len, flags, end;
	uint64_t head, at;
	uint16_t more;
	__m128i tail;
	uint8_t proto;

	if (unlikely(head_len < L4 + TCP_LEN))
		return false;
	head = load64(p + 12); // type, version and length, TOS, total length
	proto = p[L3 + 9];
	if ((head & 0xffffff) != (BE_IPV4 | 0x45 << 16) ||
		(load16(p + L3 + 6) & RTE_STATIC_BSWAP16(0x3fff)) != 0)
		return false;
	end = L3 + rte_be_to_cpu_16((uint16_t)(head >> 32));
	if (unlikely(
		    end > frame_len || !fast_l4(p + L4, proto, (int64_t)end - L4, &l4_len, &flags)))
		return false;
	tail = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + TAIL)), order);
	_mm_storeu_si128(&words[0], _mm_cvtsi32_si128((int)load32(p + L3 + 12)));
	_mm_storeu_si128(&words[1], _mm_cvtsi32_si128((int)load32(p + L3 + 16)));
	_mm_storeu_si128(&words[2], _mm_and_si128(_mm_loadu_si128((const __m128i *)p), eth_mask));
	_mm_storeu_si128(&words[3], _mm_or_si128(tail, want->tail));
	at = L3 | (uint64_t)L4 << 16 | (uint64_t)(L4 + l4_len) << 32; // and no tag, no fragment
	more = (uint16_t)(flags | (uint32_t)(p[L3 + 1] >> 2) << 8);
	memcpy(off, &at, sizeof(at));
	memcpy((uint8_t *)off + sizeof(at), &more, sizeof(more));
	return true;
}
static_assert(offsetof(struct flow_offsets, l4) == 2 &&
		      offsetof(struct flow_offsets, payload) == 4 &&
		      offsetof(struct flow_offsets, vlans) == 6 &&
		      offsetof(struct flow_offsets, tcp_flags) == 8 &&
		      offsetof(struct flow_offsets, dscp) == 9,
	"offsets in two words");
#endif

// What the fast path knows once the L3 header is good.
struct fast_l3 {
	uint64_t src[2];
	uint64_t dst[2];
	uint32_t l4;  // where it begins
	uint32_t end; // of the IP packet; at least l4
	uint8_t proto;
	uint8_t version;
	uint8_t tos;
	uint8_t ttl;
};

// head_len covers IP4_LEN and TCP_LEN after l3. False: not a plain packet, or a faulty one.
static inline bool
fast_ip4(const uint8_t *p, uint32_t l3, uint32_t frame_len, struct fast_l3 *f)
{
	const uint8_t *ip = p + l3;
	uint32_t total = rte_be_to_cpu_16(load16(ip + 2));
	bool plain = ip[0] == 0x45 && (load16(ip + 6) & RTE_STATIC_BSWAP16(0x3fff)) == 0;

	f->src[0] = load32(ip + 12);
	f->src[1] = 0;
	f->dst[0] = load32(ip + 16);
	f->dst[1] = 0;
	f->l4 = l3 + IP4_LEN;
	f->end = l3 + total;
	f->proto = ip[9];
	f->version = FLOW_L3_IPV4;
	f->tos = ip[1];
	f->ttl = ip[8];
	return plain && total >= IP4_LEN && f->end <= frame_len;
}

// head_len covers IP6_LEN and TCP_LEN after l3.
static inline bool
fast_ip6(const uint8_t *p, uint32_t l3, uint32_t frame_len, struct fast_l3 *f)
{
	const uint8_t *ip = p + l3;

	f->src[0] = load64(ip + 8);
	f->src[1] = load64(ip + 16);
	f->dst[0] = load64(ip + 24);
	f->dst[1] = load64(ip + 32);
	f->l4 = l3 + IP6_LEN;
	f->end = f->l4 + rte_be_to_cpu_16(load16(ip + 4));
	f->proto = ip[6];
	f->version = FLOW_L3_IPV6;
	f->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	f->ttl = ip[7];
	return ip[0] >> 4 == 6 && f->end <= frame_len;
}

// Parses [one tag and] plain IPv4 or IPv6 with TCP or UDP whose headers lie in the first segment.
// False, with nothing written, for all else, faults included.
static inline bool
parse_fast(const uint8_t *p, uint32_t head_len, uint32_t frame_len, const struct parse_want *want,
	struct flow_key *key, struct flow_offsets *off)
{
	uint32_t l3 = RTE_ETHER_HDR_LEN;
	uint64_t words[8], vlan = 0, ports, high;
	uint32_t l4_len, flags;
	struct fast_l3 f;
	uint16_t type;

	if (unlikely(head_len < RTE_ETHER_HDR_LEN + IP4_LEN + TCP_LEN))
		return false;
	high = load64(p + 8);
	type = (uint16_t)(high >> 32);
	if (type == BE_VLAN || type == BE_QINQ) {
		vlan = rte_be_to_cpu_16((uint16_t)(high >> 48));
		vlan = (vlan & want->vlan_mask) | FLOW_VLAN_PRESENT;
		type = load16(p + 16);
		l3 += RTE_VLAN_HLEN;
	}
	if (type == BE_IPV4) {
		if (head_len < l3 + IP4_LEN + TCP_LEN || !fast_ip4(p, l3, frame_len, &f))
			return false;
	} else if (type == BE_IPV6) {
		if (head_len < l3 + IP6_LEN + TCP_LEN || !fast_ip6(p, l3, frame_len, &f))
			return false;
	} else {
		return false;
	}
	if (unlikely(!fast_l4(p + f.l4, f.proto, (int64_t)f.end - f.l4, &l4_len, &flags)))
		return false;
	ports = load32(p + f.l4);
	words[0] = f.src[0];
	words[1] = f.src[1];
	words[2] = f.dst[0];
	words[3] = f.dst[1];
	words[4] = load64(p);
	words[5] = (high & 0xffffffff) | (uint64_t)type << 32 | vlan << 48;
	words[6] = ports << 16 | (uint64_t)want->switch_id << 48;
	words[7] = (want->vport | (uint64_t)f.proto << 16 | (uint64_t)f.version << 24 |
			   (uint64_t)(f.tos >> 2) << 32 | (uint64_t)f.ttl << 40 |
			   (uint64_t)flags << 48) &
		   want->word7_mask;
	memcpy(key, words, sizeof(words));
	*off = (struct flow_offsets){.l3 = (uint16_t)l3,
		.l4 = (uint16_t)f.l4,
		.payload = (uint16_t)(f.l4 + l4_len),
		.vlans = vlan != 0,
		.frag = FLOW_FRAG_NO,
		.tcp_flags = (uint8_t)flags,
		.dscp = f.tos >> 2};
	return true;
}

// Kept out of the burst's loop.
static __attribute__((noinline)) enum flow_fault
parse_rest(const struct parse_input *in, const struct parse_want *want, struct flow_key *key,
	struct flow_offsets *off)
{
	flow_key_init(key, want->switch_id, want->vport);
	memset(off, 0, sizeof(*off));
	return parse_general(in, 0, want->fields, key, off);
}

static inline enum flow_fault
parse_mbuf(const struct rte_mbuf *m, const struct parse_want *want, struct flow_key *key,
	struct flow_offsets *off)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct parse_input in;

#ifdef __SSSE3__
	if (likely(want->bare && parse_bare_ip4(p, m->data_len, m->pkt_len, want, key, off)))
		return FLOW_OK;
#endif
	if (likely(parse_fast(p, m->data_len, m->pkt_len, want, key, off)))
		return FLOW_OK;
	in = (struct parse_input){.head = p,
		.head_len = RTE_MIN(m->data_len, m->pkt_len),
		.frame_len = m->pkt_len,
		.m = m->next != NULL ? m : NULL};
	return parse_rest(&in, want, key, off);
}

enum flow_fault
flow_parse_bytes(const uint8_t *data, uint32_t len, uint16_t switch_id, uint16_t vport,
	uint32_t fields, struct flow_key *key, struct flow_offsets *off)
{
	struct parse_want want = parse_want(switch_id, vport, fields);
	struct parse_input in = {.head = data, .head_len = len, .frame_len = len};

#ifdef __SSSE3__
	if (want.bare && parse_bare_ip4(data, len, len, &want, key, off))
		return FLOW_OK;
#endif
	if (parse_fast(data, len, len, &want, key, off))
		return FLOW_OK;
	return parse_rest(&in, &want, key, off);
}

enum flow_fault
flow_parse(const struct rte_mbuf *m, uint16_t switch_id, uint16_t vport, uint32_t fields,
	struct flow_key *key, struct flow_offsets *off)
{
	struct parse_want want = parse_want(switch_id, vport, fields);

	return parse_mbuf(m, &want, key, off);
}

// The packets of todo, one by one. True: one of them had a fault.
static bool
parse_each(struct rte_mbuf *const *pkts, uint64_t todo, const struct parse_want *want,
	struct flow_key *keys, struct flow_offsets *offs, uint8_t *faults)
{
	struct flow_offsets unwanted;
	bool any = false;

	for (; todo != 0; todo &= todo - 1) {
		unsigned i = (unsigned)__builtin_ctzll(todo);

		faults[i] = (uint8_t)parse_mbuf(
			pkts[i], want, &keys[i], offs != NULL ? &offs[i] : &unwanted);
		any |= faults[i] != FLOW_OK;
	}
	return any;
}

bool
flow_parse_burst(struct rte_mbuf *const *pkts, uint16_t n, uint16_t switch_id, uint16_t vport,
	uint32_t fields, struct flow_key *keys, struct flow_offsets *offs, uint8_t *faults)
{
	const struct parse_want want = parse_want(switch_id, vport, fields);
	const struct parse_wide_want wide = {
		.switch_id = switch_id, .vport = vport, .vlan_mask = want.vlan_mask};
	uint64_t todo = n < 64 ? (1ULL << n) - 1 : UINT64_MAX;

	memset(faults, FLOW_OK, n);
	if (offs == NULL && !(fields & PER_PACKET) && parse_wide_here()) {
		todo = parse_wide_burst(pkts, n, &wide, keys);
		if (likely(todo == 0))
			return false;
	}
	return parse_each(pkts, todo, &want, keys, offs, faults);
}

const char *
flow_fault_name(enum flow_fault fault)
{
	static const char *const names[FLOW_FAULTS] = {
		[FLOW_OK] = "ok",
		[FLOW_FAULT_RUNT] = "malformed-ethernet",
		[FLOW_FAULT_VLAN] = "malformed-vlan",
		[FLOW_FAULT_ARP] = "malformed-arp",
		[FLOW_FAULT_IPV4] = "malformed-ipv4",
		[FLOW_FAULT_IPV6] = "malformed-ipv6",
		[FLOW_FAULT_IPV6_EXT] = "malformed-ipv6-ext",
		[FLOW_FAULT_L4] = "malformed-l4",
	};

	return (unsigned)fault < FLOW_FAULTS ? names[fault] : "malformed";
}
