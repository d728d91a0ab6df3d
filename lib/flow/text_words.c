// SPDX-License-Identifier: BSD-3-Clause
#include "text_match.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "flow/text.h"
#include "text_lex.h"

struct match_word {
	const char *name;
	bool has_value;
	int arg; // for parse
	int (*parse)(struct text_match *p, const struct text_word *word, int arg);
};

static void
need(struct text_need *n, const struct text_word *word)
{
	ptrdiff_t value = word->value != NULL ? word->value - word->buf : 0;

	if (n->set)
		return;
	n->set = true;
	n->word = *word;
	n->word.name = n->word.buf;
	n->word.value = word->value != NULL ? n->word.buf + value : NULL;
}

int
text_match_require(struct text_match *p, const struct text_word *word, enum text_field f,
	uint16_t value, uint16_t mask)
{
	uint16_t key = text_field_get(&p->m.key, f), old = text_field_get(&p->m.mask, f);

	if ((key ^ value) & old & mask)
		return text_error(
			&p->lex, word, "contradicts another word on %s", text_field_name(f));
	text_field_put(&p->m.key, f, key | (value & mask));
	text_field_put(&p->m.mask, f, old | mask);
	return 0;
}

// The same for n bytes at an offset in the key.
static int
require_bytes(struct text_match *p, const struct text_word *word, size_t offset,
	const uint8_t *value, const uint8_t *mask, size_t n)
{
	uint8_t *key = (uint8_t *)&p->m.key + offset;
	uint8_t *old = (uint8_t *)&p->m.mask + offset;
	size_t i;

	for (i = 0; i < n; i++) {
		if ((key[i] ^ value[i]) & old[i] & mask[i])
			return text_error(&p->lex, word, "contradicts another word on it");
		key[i] |= value[i] & mask[i];
		old[i] |= mask[i];
	}
	return 0;
}

// Splits "VALUE/MASK" in buf; the mask, or NULL.
static char *
split_mask(char buf[TEXT_WORD_MAX + 1], const char *text)
{
	char *slash;

	snprintf(buf, TEXT_WORD_MAX + 1, "%s", text);
	slash = strchr(buf, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

static int
parse_any(struct text_match *p, const struct text_word *word, int arg)
{
	return 0;
}

static int
parse_family(struct text_match *p, const struct text_word *word, int eth_type)
{
	return text_match_require(p, word, TEXT_ETH_TYPE, (uint16_t)eth_type, UINT16_MAX);
}

static int
parse_eth_type(struct text_match *p, const struct text_word *word, int arg)
{
	uint32_t type;

	if (strcmp(word->value, "ip") == 0)
		type = TEXT_ETH_IP;
	else if (strcmp(word->value, "ip6") == 0)
		type = TEXT_ETH_IP6;
	else if (strcmp(word->value, "arp") == 0)
		type = TEXT_ETH_ARP;
	else if (!text_number(word->value, UINT16_MAX, &type))
		return text_error(&p->lex, word, "expected ip, ip6, arp or 0x0 to 0xffff");
	return parse_family(p, word, (int)type);
}

static int
parse_l4(struct text_match *p, const struct text_word *word, int proto)
{
	need(&p->ip, word);
	return text_match_require(p, word, TEXT_PROTO, (uint16_t)proto, 0xff);
}

static int
parse_icmp(struct text_match *p, const struct text_word *word, int proto)
{
	int ret = parse_family(p, word, proto == IPPROTO_ICMP ? TEXT_ETH_IP : TEXT_ETH_IP6);

	return ret != 0 ? ret : text_match_require(p, word, TEXT_PROTO, (uint16_t)proto, 0xff);
}

static int
parse_proto(struct text_match *p, const struct text_word *word, int arg)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} names[] = {{"icmp", IPPROTO_ICMP}, {"igmp", IPPROTO_IGMP}, {"ipip", IPPROTO_IPIP},
		{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"ipv6", IPPROTO_IPV6},
		{"gre", IPPROTO_GRE}, {"esp", IPPROTO_ESP}, {"ah", IPPROTO_AH},
		{"icmp6", IPPROTO_ICMPV6}, {"ospf", 89}, {"pim", IPPROTO_PIM}, {"vrrp", 112},
		{"sctp", IPPROTO_SCTP}, {"udplite", IPPROTO_UDPLITE}};
	uint32_t proto = UINT32_MAX;
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(word->value, names[i].name) == 0)
			proto = names[i].proto;
	}
	if (proto == UINT32_MAX && !text_number(word->value, UINT8_MAX, &proto))
		return text_error(&p->lex, word, "expected 0 to 255 or a name like udp or gre");
	need(&p->proto, word);
	return text_match_require(p, word, TEXT_PROTO, (uint16_t)proto, 0xff);
}

static int
parse_port(struct text_match *p, const struct text_word *word, int arg)
{
	const struct flow_names *names = p->lex.names;
	int id = text_resolve(&p->lex, word, names != NULL ? names->port_id : NULL, "port");

	return id < 0 ? id : text_match_require(p, word, TEXT_VPORT, (uint16_t)id, UINT16_MAX);
}

static int
parse_switch(struct text_match *p, const struct text_word *word, int arg)
{
	uint32_t id;

	if (!text_number(word->value, UINT16_MAX, &id))
		return text_error(&p->lex, word, "expected the number of a switch, 0 to 65535");
	return text_match_require(p, word, TEXT_SWITCH, (uint16_t)id, UINT16_MAX);
}

static int
parse_mac(struct text_match *p, const struct text_word *word, int offset)
{
	uint8_t mask[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	char buf[TEXT_WORD_MAX + 1];
	char *mask_text = split_mask(buf, word->value);
	uint8_t mac[6];

	if (!text_mac(buf, mac) || (mask_text != NULL && !text_mac(mask_text, mask)))
		return text_error(&p->lex, word,
			"expected a MAC address like 02:00:00:00:00:01, or MAC/MASK");
	return require_bytes(p, word, (size_t)offset, mac, mask, sizeof(mac));
}

static int
parse_vlan(struct text_match *p, const struct text_word *word, int f)
{
	enum text_field field = (enum text_field)f;
	uint32_t vid;

	if (strcmp(word->value, "none") == 0)
		return text_match_require(p, word, field, 0, TEXT_VLAN_TAG);
	if (strcmp(word->value, "any") == 0)
		return text_match_require(p, word, field, FLOW_VLAN_PRESENT, FLOW_VLAN_PRESENT);
	if (!text_number(word->value, 4095, &vid))
		return text_error(&p->lex, word, "expected none, any or 0 to 4095");
	return text_match_require(
		p, word, field, (uint16_t)(FLOW_VLAN_PRESENT | vid), TEXT_VLAN_TAG);
}

static int
parse_pcp(struct text_match *p, const struct text_word *word, int f)
{
	uint32_t pcp;

	if (!text_number(word->value, 7, &pcp))
		return text_error(&p->lex, word, "expected a priority, 0 to 7");
	return text_match_require(p, word, (enum text_field)f,
		(uint16_t)(FLOW_VLAN_PRESENT | pcp << TEXT_PCP_SHIFT), 0xf000);
}

// A prefix length or an address as mask, in the first n bytes of mask.
static bool
parse_ip_mask(const char *text, int family, uint8_t *mask, unsigned n)
{
	uint32_t len;
	unsigned i;

	if (!text_number(text, n * 8, &len))
		return inet_pton(family, text, mask) == 1;
	for (i = 0; i < n; i++) {
		mask[i] = len >= 8 ? 0xff : (uint8_t)(0xff00 >> len);
		len -= len >= 8 ? 8 : len;
	}
	return true;
}

static int
parse_addr(struct text_match *p, const struct text_word *word, int offset)
{
	char buf[TEXT_WORD_MAX + 1];
	char *mask_text = split_mask(buf, word->value);
	uint8_t addr[16], mask[16];
	bool v6 = strchr(buf, ':') != NULL;
	int family = v6 ? AF_INET6 : AF_INET;
	unsigned n = v6 ? 16 : 4;
	int ret = 0;

	memset(mask, 0xff, sizeof(mask));
	if (inet_pton(family, buf, addr) != 1)
		return text_error(&p->lex, word, "expected an IPv4 or IPv6 address");
	if (mask_text != NULL && !parse_ip_mask(mask_text, family, mask, n))
		return text_error(&p->lex, word,
			"expected a prefix length, 0 to %u, or a mask of the same family after "
			"the slash",
			n * 8);
	if (v6)
		ret = parse_family(p, word, TEXT_ETH_IP6);
	else
		need(&p->ip4, word);
	return ret != 0 ? ret : require_bytes(p, word, (size_t)offset, addr, mask, n);
}

// dscp, ttl: a number, all bits.
static int
parse_ip_number(struct text_match *p, const struct text_word *word, int f)
{
	uint32_t max = f == TEXT_DSCP ? 63 : UINT8_MAX;
	uint32_t v;

	if (!text_number(word->value, max, &v))
		return text_error(&p->lex, word, "expected 0 to %u", max);
	need(&p->ip, word);
	return text_match_require(p, word, (enum text_field)f, (uint16_t)v, 0xff);
}

static int
parse_frag(struct text_match *p, const struct text_word *word, int arg)
{
	static const struct {
		const char *name;
		uint8_t value;
		uint8_t mask;
	} names[] = {{"no", FLOW_FRAG_NO, 0xff}, {"yes", 1, 1}, {"first", FLOW_FRAG_FIRST, 0xff},
		{"later", FLOW_FRAG_LATER, 0xff}};
	unsigned i;

	need(&p->ip, word);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(word->value, names[i].name) == 0)
			return text_match_require(
				p, word, TEXT_FRAG, names[i].value, names[i].mask);
	}
	return text_error(&p->lex, word, "expected no, yes, first or later");
}

// "LO-HI"; raw: also one that is empty.
static int
parse_range(struct text_match *p, const struct text_word *word, int f, bool raw)
{
	struct flow_range *range = f == TEXT_L4_SRC ? &p->m.sport : &p->m.dport;
	char buf[TEXT_WORD_MAX + 1];
	char *dash;
	uint32_t lo, hi;

	snprintf(buf, sizeof(buf), "%s", word->value);
	dash = strchr(buf, '-');
	if (dash != NULL)
		*dash = '\0';
	if (dash == NULL || !text_number(buf, UINT16_MAX, &lo) ||
		!text_number(dash + 1, UINT16_MAX, &hi))
		return text_error(&p->lex, word, "expected LOW-HIGH, each 0 to 65535");
	if (lo > hi && !raw)
		return text_error(&p->lex, word, "%u is above %u", lo, hi);
	if (lo < range->lo)
		lo = range->lo;
	if (hi > range->hi)
		hi = range->hi;
	if (lo > hi && !raw)
		return text_error(&p->lex, word, "contradicts another word on it");
	*range = (struct flow_range){.lo = (uint16_t)lo, .hi = (uint16_t)hi};
	return 0;
}

static int
parse_l4_port(struct text_match *p, const struct text_word *word, int f)
{
	char buf[TEXT_WORD_MAX + 1];
	uint32_t v, mask = UINT16_MAX;
	char *mask_text;

	need(&p->ip, word);
	need(&p->ports, word);
	if (strchr(word->value, '-') != NULL)
		return parse_range(p, word, f, false);
	mask_text = split_mask(buf, word->value);
	if (!text_number(buf, UINT16_MAX, &v) ||
		(mask_text != NULL && !text_number(mask_text, UINT16_MAX, &mask)))
		return text_error(
			&p->lex, word, "expected a port, PORT/MASK or LOW-HIGH, 0 to 65535");
	return text_match_require(p, word, (enum text_field)f, (uint16_t)v, (uint16_t)mask);
}

static int
parse_icmp_field(struct text_match *p, const struct text_word *word, int shift)
{
	uint32_t v;

	if (!text_number(word->value, UINT8_MAX, &v))
		return text_error(&p->lex, word, "expected 0 to 255");
	need(&p->icmp, word);
	return text_match_require(
		p, word, TEXT_L4_SRC, (uint16_t)(v << shift), (uint16_t)(0xff << shift));
}

static int
parse_icmp_id(struct text_match *p, const struct text_word *word, int arg)
{
	uint32_t v;

	if (!text_number(word->value, UINT16_MAX, &v))
		return text_error(&p->lex, word, "expected 0 to 65535");
	need(&p->icmp, word);
	return text_match_require(p, word, TEXT_L4_DST, (uint16_t)v, UINT16_MAX);
}

static int
parse_tcp_flags(struct text_match *p, const struct text_word *word, int arg)
{
	const char *s = word->value;
	uint8_t value = 0, mask = 0;
	unsigned bit;
	int ret;

	while (*s == '+' || *s == '-') {
		for (bit = 0; bit < TEXT_TCP_FLAG_COUNT; bit++) {
			if (strncmp(s + 1, text_tcp_flag_name(bit), 3) == 0)
				break;
		}
		if (bit == TEXT_TCP_FLAG_COUNT || (mask & 1u << bit))
			break;
		mask |= 1u << bit;
		value |= *s == '+' ? 1u << bit : 0;
		s += 4;
	}
	if (*s != '\0' || mask == 0)
		return text_error(&p->lex, word,
			"expected + or - before each of fin syn rst psh ack urg ece cwr, each "
			"once, like +syn-ack");
	ret = parse_l4(p, word, IPPROTO_TCP);
	return ret != 0 ? ret : text_match_require(p, word, TEXT_TCP_FLAGS, value, mask);
}

// "VALUE/MASK" of a key field, with no meaning.
static int
parse_raw(struct text_match *p, const struct text_word *word, int f)
{
	uint32_t max = text_field_size((enum text_field)f) == 1 ? UINT8_MAX : UINT16_MAX;
	char buf[TEXT_WORD_MAX + 1];
	char *mask_text = split_mask(buf, word->value);
	uint32_t v, mask = max;

	if (!text_number(buf, max, &v) ||
		(mask_text != NULL && !text_number(mask_text, max, &mask)))
		return text_error(
			&p->lex, word, "expected VALUE or VALUE/MASK, each 0 to 0x%x", max);
	return text_match_require(p, word, (enum text_field)f, (uint16_t)v, (uint16_t)mask);
}

static int
parse_raw_range(struct text_match *p, const struct text_word *word, int f)
{
	return parse_range(p, word, f, true);
}

static int
parse_raw_addr(struct text_match *p, const struct text_word *word, int offset)
{
	char buf[TEXT_WORD_MAX + 1];
	char *mask_text = split_mask(buf, word->value);
	uint8_t addr[16], mask[16];

	memset(mask, 0xff, sizeof(mask));
	if (inet_pton(AF_INET6, buf, addr) != 1 ||
		(mask_text != NULL && !parse_ip_mask(mask_text, AF_INET6, mask, 16)))
		return text_error(&p->lex, word,
			"expected 16 bytes in the form of an IPv6 address, or ADDRESS/MASK");
	return require_bytes(p, word, (size_t)offset, addr, mask, sizeof(addr));
}

static const struct match_word words[] = {
	{"any", false, 0, parse_any},
	{"ip", false, TEXT_ETH_IP, parse_family},
	{"ip6", false, TEXT_ETH_IP6, parse_family},
	{"arp", false, TEXT_ETH_ARP, parse_family},
	{"tcp", false, IPPROTO_TCP, parse_l4},
	{"udp", false, IPPROTO_UDP, parse_l4},
	{"sctp", false, IPPROTO_SCTP, parse_l4},
	{"icmp", false, IPPROTO_ICMP, parse_icmp},
	{"icmp6", false, IPPROTO_ICMPV6, parse_icmp},
	{"switch", true, 0, parse_switch},
	{"port", true, 0, parse_port},
	{"eth_src", true, offsetof(struct flow_key, eth_src), parse_mac},
	{"eth_dst", true, offsetof(struct flow_key, eth_dst), parse_mac},
	{"eth_type", true, 0, parse_eth_type},
	{"vlan", true, TEXT_VLAN, parse_vlan},
	{"vlan2", true, TEXT_VLAN2, parse_vlan},
	{"pcp", true, TEXT_VLAN, parse_pcp},
	{"pcp2", true, TEXT_VLAN2, parse_pcp},
	{"ip_src", true, offsetof(struct flow_key, src), parse_addr},
	{"ip_dst", true, offsetof(struct flow_key, dst), parse_addr},
	{"proto", true, 0, parse_proto},
	{"dscp", true, TEXT_DSCP, parse_ip_number},
	{"ttl", true, TEXT_TTL, parse_ip_number},
	{"frag", true, 0, parse_frag},
	{"sport", true, TEXT_L4_SRC, parse_l4_port},
	{"dport", true, TEXT_L4_DST, parse_l4_port},
	{"tcp_flags", true, 0, parse_tcp_flags},
	{"icmp_type", true, 8, parse_icmp_field},
	{"icmp_code", true, 0, parse_icmp_field},
	{"icmp_id", true, 0, parse_icmp_id},
	{TEXT_RAW_PREFIX "sport", true, TEXT_L4_SRC, parse_raw_range},
	{TEXT_RAW_PREFIX "dport", true, TEXT_L4_DST, parse_raw_range},
	{TEXT_RAW_PREFIX "src", true, offsetof(struct flow_key, src), parse_raw_addr},
	{TEXT_RAW_PREFIX "dst", true, offsetof(struct flow_key, dst), parse_raw_addr},
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static const char *
word_name_at(unsigned i)
{
	return words[i].name;
}

int
text_match_word(struct text_match *p, const struct text_word *word)
{
	const size_t prefix = strlen(TEXT_RAW_PREFIX);
	struct match_word raw = {.has_value = true, .parse = parse_raw};
	const struct match_word *def = NULL;
	unsigned i;

	for (i = 0; i < WORDS && def == NULL; i++) {
		if (strcmp(word->name, words[i].name) == 0)
			def = &words[i];
	}
	if (def == NULL && strncmp(word->name, TEXT_RAW_PREFIX, prefix) == 0) {
		for (i = 0; i < TEXT_FIELDS; i++) {
			if (strcmp(word->name + prefix, text_field_name((enum text_field)i)) != 0)
				continue;
			raw.name = word->name;
			raw.arg = (int)i;
			def = &raw;
		}
	}
	if (def == NULL)
		return text_unknown(&p->lex, word, word_name_at, WORDS);
	if (def->has_value && (word->value == NULL || word->value[0] == '\0'))
		return text_error(&p->lex, word, "expected a value: %s=...", def->name);
	if (!def->has_value && word->value != NULL)
		return text_error(&p->lex, word, "%s takes no value", def->name);
	return def->parse(p, word, def->arg);
}
