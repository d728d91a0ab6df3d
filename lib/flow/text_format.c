// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "flow/text.h"
#include "text_lex.h"
#include "text_match.h"

// Each word takes the bits that it says out of `rest`; what no word says is said raw at the end, so
// that nothing of a match is ever lost.
struct match_format {
	const struct flow_match *m;
	struct flow_key rest; // mask bits that are still to be said
	const struct flow_names *names;
	struct sl_strbuf *out;
	size_t start;
	int eth_type; // -1: not named whole
	int proto;    // -1: not named whole
	bool is_ip;   // IP by ethertype, or by the bit of l3
	bool said_ip; // a word was said that sets that bit
};

static void
say(struct match_format *f, const char *word)
{
	text_add_word(f->out, f->start, word);
}

static void
take(struct match_format *f, enum text_field field, uint16_t bits)
{
	text_field_put(&f->rest, field, text_field_get(&f->rest, field) & (uint16_t)~bits);
}

static uint16_t
key_of(const struct match_format *f, enum text_field field)
{
	return text_field_get(&f->m->key, field);
}

static bool
is_whole(const struct match_format *f, enum text_field field)
{
	uint16_t all = text_field_size(field) == 1 ? UINT8_MAX : UINT16_MAX;

	return text_field_get(&f->m->mask, field) == all;
}

static void
say_number(struct match_format *f, const char *word, enum text_field field)
{
	say(f, word);
	sl_strbuf_addf(f->out, "=%u", key_of(f, field));
	take(f, field, UINT16_MAX);
}

static void
format_port(struct match_format *f)
{
	if (is_whole(f, TEXT_SWITCH))
		say_number(f, "switch", TEXT_SWITCH);
	if (!is_whole(f, TEXT_VPORT))
		return;
	say(f, "port=");
	text_add_name(f->out, f->names, f->names != NULL ? f->names->port_name : NULL,
		key_of(f, TEXT_VPORT));
	take(f, TEXT_VPORT, UINT16_MAX);
}

static void
format_mac(struct match_format *f, const char *word, const uint8_t *key, const uint8_t *mask)
{
	static const uint8_t none[6], all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (memcmp(mask, none, 6) == 0)
		return;
	say(f, word);
	text_add_mac(f->out, key);
	if (memcmp(mask, all, 6) == 0)
		return;
	sl_strbuf_add(f->out, "/");
	text_add_mac(f->out, mask);
}

static void
format_family(struct match_format *f)
{
	if (f->eth_type < 0)
		return;
	take(f, TEXT_ETH_TYPE, UINT16_MAX);
	if (f->eth_type == TEXT_ETH_ARP)
		say(f, "arp");
	else if (f->eth_type == TEXT_ETH_IP && f->proto != IPPROTO_ICMP)
		say(f, "ip");
	else if (f->eth_type == TEXT_ETH_IP6 && f->proto != IPPROTO_ICMPV6)
		say(f, "ip6");
	else if (f->eth_type != TEXT_ETH_IP && f->eth_type != TEXT_ETH_IP6) {
		say(f, "eth_type");
		sl_strbuf_addf(f->out, "=0x%04x", (unsigned)f->eth_type);
	}
}

static void
format_vlan(struct match_format *f, enum text_field field, const char *vlan, const char *pcp)
{
	uint16_t key = key_of(f, field), mask = text_field_get(&f->m->mask, field);
	bool has_pcp = (mask & 0xf000) == 0xf000 && (key & FLOW_VLAN_PRESENT);

	if ((mask & TEXT_VLAN_TAG) == TEXT_VLAN_TAG && (key & FLOW_VLAN_PRESENT)) {
		say(f, vlan);
		sl_strbuf_addf(f->out, "=%u", key & 0x0fffu);
		take(f, field, TEXT_VLAN_TAG);
	} else if ((mask & TEXT_VLAN_TAG) == TEXT_VLAN_TAG && (key & TEXT_VLAN_TAG) == 0) {
		say(f, vlan);
		sl_strbuf_add(f->out, "=none");
		take(f, field, TEXT_VLAN_TAG);
	} else if ((mask & TEXT_VLAN_TAG) == FLOW_VLAN_PRESENT && (key & FLOW_VLAN_PRESENT) &&
		   !has_pcp) {
		say(f, vlan);
		sl_strbuf_add(f->out, "=any");
		take(f, field, FLOW_VLAN_PRESENT);
	}
	if (!has_pcp)
		return;
	say(f, pcp);
	sl_strbuf_addf(f->out, "=%u", key >> TEXT_PCP_SHIFT);
	take(f, field, 0xf000);
}

static void
format_proto(struct match_format *f)
{
	const char *word = NULL;

	if (f->proto < 0 || !(f->is_ip || f->eth_type == TEXT_ETH_ARP))
		return;
	take(f, TEXT_PROTO, UINT16_MAX);
	if (f->is_ip && f->proto == IPPROTO_TCP)
		word = "tcp";
	else if (f->is_ip && f->proto == IPPROTO_UDP)
		word = "udp";
	else if (f->is_ip && f->proto == IPPROTO_SCTP)
		word = "sctp";
	else if (f->eth_type == TEXT_ETH_IP && f->proto == IPPROTO_ICMP)
		word = "icmp";
	else if (f->eth_type == TEXT_ETH_IP6 && f->proto == IPPROTO_ICMPV6)
		word = "icmp6";
	f->said_ip = f->is_ip;
	if (word != NULL)
		say(f, word);
	else
		say_number(f, "proto", TEXT_PROTO);
}

// The length of the prefix that mask is, or -1.
static int
prefix_len(const uint8_t *mask, unsigned n)
{
	unsigned len = 0;
	unsigned i;

	while (len < n * 8 && (mask[len / 8] & 0x80 >> len % 8))
		len++;
	for (i = len; i < n * 8; i++) {
		if (mask[i / 8] & 0x80 >> i % 8)
			return -1;
	}
	return (int)len;
}

static void
say_addr(struct match_format *f, const char *word, int family, const uint8_t *key,
	const uint8_t *mask)
{
	unsigned n = family == AF_INET6 ? 16 : 4;
	int len = prefix_len(mask, n);
	char buf[INET6_ADDRSTRLEN];

	say(f, word);
	sl_strbuf_addf(f->out, "=%s", inet_ntop(family, key, buf, sizeof(buf)));
	if (len < 0)
		sl_strbuf_addf(f->out, "/%s", inet_ntop(family, mask, buf, sizeof(buf)));
	else if (len < (int)n * 8)
		sl_strbuf_addf(f->out, "/%d", len);
}

static void
format_addr(struct match_format *f, const char *word, const char *raw_word, const uint8_t *key,
	const uint8_t *mask)
{
	static const uint8_t none[16];
	bool has_rest = memcmp(mask + 4, none, 12) != 0;

	if (memcmp(mask, none, 16) == 0)
		return;
	if ((f->eth_type == TEXT_ETH_IP || f->eth_type == TEXT_ETH_ARP) && !has_rest)
		say_addr(f, word, AF_INET, key, mask);
	else if (f->eth_type == TEXT_ETH_IP6)
		say_addr(f, word, AF_INET6, key, mask);
	else
		say_addr(f, raw_word, AF_INET6, key, mask);
}

static void
format_ip_fields(struct match_format *f)
{
	uint16_t frag = key_of(f, TEXT_FRAG);
	const char *word = NULL;

	if (!f->is_ip)
		return;
	if (is_whole(f, TEXT_DSCP) && key_of(f, TEXT_DSCP) <= 63) {
		say_number(f, "dscp", TEXT_DSCP);
		f->said_ip = true;
	}
	if (is_whole(f, TEXT_TTL)) {
		say_number(f, "ttl", TEXT_TTL);
		f->said_ip = true;
	}
	if (is_whole(f, TEXT_FRAG) && frag == FLOW_FRAG_NO)
		word = "frag=no";
	else if (is_whole(f, TEXT_FRAG) && frag == FLOW_FRAG_FIRST)
		word = "frag=first";
	else if (is_whole(f, TEXT_FRAG) && frag == FLOW_FRAG_LATER)
		word = "frag=later";
	else if (text_field_get(&f->m->mask, TEXT_FRAG) == 1 && frag == 1)
		word = "frag=yes";
	if (word == NULL)
		return;
	say(f, word);
	take(f, TEXT_FRAG, UINT16_MAX);
	f->said_ip = true;
}

static void
format_l4_port(struct match_format *f, const char *word, const char *raw_word,
	enum text_field field, struct flow_range range)
{
	uint16_t mask = text_field_get(&f->m->mask, field);
	bool has_ports = f->is_ip && (f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP ||
					     f->proto == IPPROTO_SCTP);

	if (has_ports && mask != 0) {
		say(f, word);
		sl_strbuf_addf(f->out, "=%u", key_of(f, field));
		if (mask != UINT16_MAX)
			sl_strbuf_addf(f->out, "/0x%04x", mask);
		take(f, field, UINT16_MAX);
	}
	if (range.lo == 0 && range.hi == UINT16_MAX)
		return;
	say(f, has_ports && range.lo <= range.hi ? word : raw_word);
	sl_strbuf_addf(f->out, "=%u-%u", range.lo, range.hi);
}

static void
format_icmp(struct match_format *f)
{
	uint16_t key = key_of(f, TEXT_L4_SRC), mask = text_field_get(&f->m->mask, TEXT_L4_SRC);

	if (!(f->eth_type == TEXT_ETH_IP && f->proto == IPPROTO_ICMP) &&
		!(f->eth_type == TEXT_ETH_IP6 && f->proto == IPPROTO_ICMPV6))
		return;
	if ((mask & 0xff00) == 0xff00) {
		say(f, "icmp_type");
		sl_strbuf_addf(f->out, "=%u", key >> 8);
		take(f, TEXT_L4_SRC, 0xff00);
	}
	if ((mask & 0x00ff) == 0x00ff) {
		say(f, "icmp_code");
		sl_strbuf_addf(f->out, "=%u", key & 0xffu);
		take(f, TEXT_L4_SRC, 0x00ff);
	}
	if (is_whole(f, TEXT_L4_DST))
		say_number(f, "icmp_id", TEXT_L4_DST);
}

static void
format_tcp_flags(struct match_format *f)
{
	uint16_t key = key_of(f, TEXT_TCP_FLAGS),
		 mask = text_field_get(&f->m->mask, TEXT_TCP_FLAGS);
	unsigned bit;

	if (!f->is_ip || f->proto != IPPROTO_TCP || mask == 0)
		return;
	say(f, "tcp_flags=");
	for (bit = 0; bit < TEXT_TCP_FLAG_COUNT; bit++) {
		if (mask & 1u << bit)
			sl_strbuf_addf(f->out, "%c%s", key & 1u << bit ? '+' : '-',
				text_tcp_flag_name(bit));
	}
	take(f, TEXT_TCP_FLAGS, UINT16_MAX);
}

static void
format_rest(struct match_format *f)
{
	uint16_t mask;
	unsigned i;

	if (f->eth_type != TEXT_ETH_IP && f->eth_type != TEXT_ETH_IP6 && f->said_ip)
		take(f, TEXT_L3, TEXT_L3_IS_IP);
	for (i = 0; i < TEXT_FIELDS; i++) {
		mask = text_field_get(&f->rest, (enum text_field)i);
		if (mask == 0)
			continue;
		say(f, TEXT_RAW_PREFIX);
		sl_strbuf_addf(f->out, "%s=0x%x/0x%x", text_field_name((enum text_field)i),
			key_of(f, (enum text_field)i) & mask, mask);
	}
}

void
flow_match_format(const struct flow_match *m, const struct flow_names *names, struct sl_strbuf *out)
{
	struct match_format f = {
		.m = m, .rest = m->mask, .names = names, .out = out, .start = out->len};

	f.eth_type = is_whole(&f, TEXT_ETH_TYPE) ? key_of(&f, TEXT_ETH_TYPE) : -1;
	f.proto = is_whole(&f, TEXT_PROTO) ? key_of(&f, TEXT_PROTO) : -1;
	f.is_ip = f.eth_type == TEXT_ETH_IP || f.eth_type == TEXT_ETH_IP6 ||
		  (f.eth_type < 0 && (key_of(&f, TEXT_L3) & TEXT_L3_IS_IP));
	format_port(&f);
	format_mac(&f, "eth_src=", m->key.eth_src, m->mask.eth_src);
	format_mac(&f, "eth_dst=", m->key.eth_dst, m->mask.eth_dst);
	format_vlan(&f, TEXT_VLAN, "vlan", "pcp");
	format_vlan(&f, TEXT_VLAN2, "vlan2", "pcp2");
	format_family(&f);
	format_proto(&f);
	format_addr(&f, "ip_src", TEXT_RAW_PREFIX "src", m->key.src, m->mask.src);
	format_addr(&f, "ip_dst", TEXT_RAW_PREFIX "dst", m->key.dst, m->mask.dst);
	format_ip_fields(&f);
	format_icmp(&f);
	format_l4_port(&f, "sport", TEXT_RAW_PREFIX "sport", TEXT_L4_SRC, m->sport);
	format_l4_port(&f, "dport", TEXT_RAW_PREFIX "dport", TEXT_L4_DST, m->dport);
	format_tcp_flags(&f);
	format_rest(&f);
	if (out->len == f.start)
		sl_strbuf_add(out, "any");
}

static void
mask_bytes(uint8_t *mask, const uint8_t *key, size_t n, bool always)
{
	static const uint8_t none[16];

	if (always || memcmp(key, none, n) != 0)
		memset(mask, 0xff, n);
}

void
text_key_match(const struct flow_key *key, struct flow_match *out)
{
	bool is_ip = key->l3 == FLOW_L3_IPV4 || key->l3 == FLOW_L3_IPV6;
	size_t addr_len = key->l3 == FLOW_L3_IPV6 ? 16 : 4;
	struct flow_key *mask = &out->mask;

	flow_match_init(out);
	out->key = *key;
	mask_bytes((uint8_t *)&mask->switch_id, (const uint8_t *)&key->switch_id, 2, false);
	mask_bytes((uint8_t *)&mask->vport, (const uint8_t *)&key->vport, 2, true);
	mask_bytes(mask->eth_src, key->eth_src, 6, false);
	mask_bytes(mask->eth_dst, key->eth_dst, 6, false);
	mask_bytes((uint8_t *)&mask->eth_type, (const uint8_t *)&key->eth_type, 2, true);
	mask->vlan[0] =
		key->vlan[0] != 0 ? TEXT_VLAN_TAG | (key->vlan[0] & 0xe000 ? 0xe000 : 0) : 0;
	mask->vlan[1] =
		key->vlan[1] != 0 ? TEXT_VLAN_TAG | (key->vlan[1] & 0xe000 ? 0xe000 : 0) : 0;
	mask->dscp = key->dscp != 0 ? 0xff : 0;
	mask->ttl = key->ttl != 0 ? 0xff : 0;
	mask->frag = key->frag != 0 ? 0xff : 0;
	mask->tcp_flags = key->tcp_flags;
	if (key->l3 != FLOW_L3_NONE) {
		mask_bytes(mask->src, key->src, addr_len, true);
		mask_bytes(mask->dst, key->dst, addr_len, true);
		mask->proto = 0xff;
	}
	if (is_ip && (key->l4_src != 0 || key->l4_dst != 0)) {
		mask->l4_src = UINT16_MAX;
		if (key->l4_dst != 0 ||
			(key->proto != IPPROTO_ICMP && key->proto != IPPROTO_ICMPV6))
			mask->l4_dst = UINT16_MAX;
	}
	flow_match_normalise(out);
}

void
flow_key_format(const struct flow_key *key, const struct flow_names *names, struct sl_strbuf *out)
{
	struct flow_match m;

	text_key_match(key, &m);
	flow_match_format(&m, names, out);
}
