// SPDX-License-Identifier: BSD-3-Clause
#include "text_match.h"

#include <string.h>

#include <netinet/in.h>

#include "flow/text.h"

// The ethertype that the match names, or -1.
static int
named_eth_type(const struct flow_match *m)
{
	if (text_field_get(&m->mask, TEXT_ETH_TYPE) != UINT16_MAX)
		return -1;
	return text_field_get(&m->key, TEXT_ETH_TYPE);
}

// Sees to it that only IP packets match: by the ethertype when it is named, else by l3, in a bit
// that IPv4 and IPv6 share.
static int
require_ip(struct text_match *p, const struct text_word *word)
{
	int type = named_eth_type(&p->m);

	if (type == TEXT_ETH_IP || type == TEXT_ETH_IP6)
		return 0;
	if (type >= 0)
		return text_error(&p->lex, word, "needs ip or ip6, another eth_type is named");
	return text_match_require(p, word, TEXT_L3, TEXT_L3_IS_IP, TEXT_L3_IS_IP);
}

static int
settle_needs(struct text_match *p)
{
	bool whole_proto = text_field_get(&p->m.mask, TEXT_PROTO) == 0xff;
	uint16_t proto = whole_proto ? text_field_get(&p->m.key, TEXT_PROTO) : UINT16_MAX;
	int type, ret = 0;

	if (p->ip4.set && named_eth_type(&p->m) != TEXT_ETH_ARP)
		ret = text_match_require(p, &p->ip4.word, TEXT_ETH_TYPE, TEXT_ETH_IP, UINT16_MAX);
	type = named_eth_type(&p->m);
	if (ret == 0 && p->ip.set)
		ret = require_ip(p, &p->ip.word);
	if (ret == 0 && p->proto.set && type != TEXT_ETH_ARP)
		ret = require_ip(p, &p->proto.word);
	if (ret == 0 && p->ports.set && proto != IPPROTO_TCP && proto != IPPROTO_UDP &&
		proto != IPPROTO_SCTP)
		ret = text_error(&p->lex, &p->ports.word, "needs tcp, udp or sctp to be named");
	if (ret == 0 && p->icmp.set && !(proto == IPPROTO_ICMP && type == TEXT_ETH_IP) &&
		!(proto == IPPROTO_ICMPV6 && type == TEXT_ETH_IP6))
		ret = text_error(&p->lex, &p->icmp.word, "needs icmp or icmp6 to be named");
	return ret;
}

int
flow_match_parse(const char *text, const struct flow_names *names, struct flow_match *out,
	struct sl_err *err)
{
	struct text_word word;
	struct text_match p;
	int ret;

	memset(&p, 0, sizeof(p));
	flow_match_init(&p.m);
	text_lex_init(&p.lex, text, names, err);
	while ((ret = text_next(&p.lex, &word)) > 0) {
		ret = text_match_word(&p, &word);
		if (ret != 0)
			return ret;
	}
	if (ret == 0)
		ret = settle_needs(&p);
	if (ret != 0)
		return ret;
	flow_match_normalise(&p.m);
	*out = p.m;
	return 0;
}
