// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_TEXT_MATCH_H
#define SLUICE_FLOW_TEXT_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/match.h"
#include "text_lex.h"

// The key's fields of one or two bytes by number, shared by the parser and the formatter of a
// match. Thread safety: any thread.

enum text_field {
	TEXT_SWITCH,
	TEXT_VPORT,
	TEXT_ETH_TYPE,
	TEXT_VLAN,
	TEXT_VLAN2,
	TEXT_L3,
	TEXT_PROTO,
	TEXT_DSCP,
	TEXT_TTL,
	TEXT_TCP_FLAGS,
	TEXT_FRAG,
	TEXT_L4_SRC,
	TEXT_L4_DST,
	TEXT_FIELDS
};

#define TEXT_RAW_PREFIX "raw_"
#define TEXT_L3_IS_IP 0x04 // the bit of l3 that IPv4 and IPv6 have and ARP has not
#define TEXT_TCP_FLAG_COUNT 8
#define TEXT_ETH_IP 0x0800
#define TEXT_ETH_IP6 0x86dd
#define TEXT_ETH_ARP 0x0806
#define TEXT_PCP_SHIFT 13
#define TEXT_VLAN_TAG 0x1fff // VID and FLOW_VLAN_PRESENT

static_assert((FLOW_L3_IPV4 & TEXT_L3_IS_IP) != 0 && (FLOW_L3_IPV6 & TEXT_L3_IS_IP) != 0 &&
		      (FLOW_L3_ARP & TEXT_L3_IS_IP) == 0,
	"tcp alone means IPv4 or IPv6");

const char *text_field_name(enum text_field f);
unsigned text_field_size(enum text_field f);
// In host order.
uint16_t text_field_get(const struct flow_key *key, enum text_field f);
void text_field_put(struct flow_key *key, enum text_field f, uint16_t value);
// From the least significant bit.
const char *text_tcp_flag_name(unsigned bit);

// What a word needs that other words say, looked at when all are read.
struct text_need {
	bool set;
	struct text_word word; // the first that needs it
};

struct text_match {
	struct text_lex lex;
	struct flow_match m;
	struct text_need ip;    // IPv4 or IPv6
	struct text_need proto; // IPv4, IPv6 or ARP
	struct text_need ip4;   // IPv4 or ARP
	struct text_need ports; // TCP, UDP or SCTP
	struct text_need icmp;  // ICMP or ICMPv6
};

// The match of exactly what a key holds, as flow_key_format says it.
void text_key_match(const struct flow_key *key, struct flow_match *out);
// Adds what one word says; 0 or -EINVAL.
int text_match_word(struct text_match *p, const struct text_word *word);
// Adds bits to the match; -EINVAL when an earlier word says otherwise.
int text_match_require(struct text_match *p, const struct text_word *word, enum text_field f,
	uint16_t value, uint16_t mask);

#endif
