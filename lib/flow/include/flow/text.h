// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_FLOW_TEXT_H
#define SLUICE_FLOW_TEXT_H

#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "flow/action.h"
#include "flow/match.h"
#include "flow/tunnel.h"

// The one text syntax of a match and of an action list: in the config, sluicectl, logs and tests.
//
//   match:   words `field` or `field=value` with blanks or commas between, all of which must hold;
//   "" or "any" matches everything
//     switch=N             the switch
//     port=NAME            the vport it came from
//     eth_src=MAC[/MASK]   eth_dst=MAC[/MASK]   eth_type=0x86dd | ip | ip6 | arp
//     vlan=none | any | VID      pcp=0-7      vlan2=...  pcp2=...   the inner tag
//     ip_src=10.0.0.0/8 | 10.0.0.1/0.0.0.3 | 2001:db8::/32 | ADDR/ADDR-MASK     ip_dst=...
//     ip | ip6 | arp | tcp | udp | sctp | icmp | icmp6   proto=0-255 | NAME
//     dscp=0-63     ttl=0-255     frag=no | yes | first | later
//     sport=N | N/MASK | LO-HI    dport=...
//     tcp_flags=+syn-ack          icmp_type=N    icmp_code=N    icmp_id=N (echo)
//   A field that needs another one sets it: ip_dst=10.0.0.1 means ip (or arp where that is named),
//   icmp means ip, tcp_flags means tcp, pcp means that there is a tag; tcp, udp, sctp, proto, dscp,
//   ttl, frag, sport and dport without ip or ip6 mean either (l3 in the bit that both share), and
//   proto with arp is the operation. sport and dport need tcp, udp or sctp to be named, icmp_* need
//   icmp or icmp6.
//   raw_FIELD=VALUE[/MASK] says any bits of a key field and sets nothing else: switch port eth_type
//   vlan vlan2 l3 proto dscp ttl tcp_flags frag l4_src l4_dst; src and dst as an IPv6 address;
//   raw_sport=LO-HI, raw_dport=LO-HI. The formatter uses it for what no other word can say.
//
//   what is inside a tunnel (flow/tunnel.h), in rules only: beside the words of the outer headers
//     tunnel=vxlan | geneve | gre | nvgre | ipip | any      vni=N      inner_WORD
//   A WORD is any of the above but switch and port: inner_ip_dst=10.0.0.1 inner_tcp inner_dport=80.
//   vni and inner_WORD alone mean any tunnel; with tunnel=gre, vni is the 32-bit key.
//
//   actions: words with blanks or commas between; "drop" is the empty list said aloud: "" is read
//   as one drop action, and drop stands alone; goto comes last
//     output=NAME  normal  flood  drop  push_vlan=VID  pop_vlan  set_vlan=VID  set_eth_src=MAC
//     set_eth_dst=MAC class=NAME  ring  queue=N  rate=10M[/64k] (bit/s, burst in bytes; k M G are
//     decimal; whole thousands) goto=TABLE
//
// #N is the port, class or table with that id: what the formatter says where there is no name.
// format(parse(text)) is one canonical form, and parse(format(x)) == x for every normalised match x
// and every action list x that a parser could have made. Thread safety: any thread; the resolver is
// called on the caller's thread.

// Turns names into ids and back; control gives one that looks at the config. Each returns -ENOENT
// (or NULL) when there is no such thing.
struct flow_names {
	void *ctx;
	int (*port_id)(void *ctx, const char *name);
	const char *(*port_name)(void *ctx, uint16_t id);
	int (*class_id)(void *ctx, const char *name);
	const char *(*class_name)(void *ctx, uint16_t id);
	int (*table_id)(void *ctx, const char *name);
	const char *(*table_name)(void *ctx, uint16_t id);
};

// names may be NULL: then ports, classes and tables are plain numbers. 0 or -EINVAL; errors say
// `"WORD" (column N): what was expected`, and *out is not touched.
int flow_match_parse(const char *text, const struct flow_names *names, struct flow_match *out,
	struct sl_err *err);
int flow_actions_parse(const char *text, const struct flow_names *names, struct flow_actions *out,
	struct sl_err *err);
void flow_match_format(
	const struct flow_match *m, const struct flow_names *names, struct sl_strbuf *out);
void flow_actions_format(
	const struct flow_actions *a, const struct flow_names *names, struct sl_strbuf *out);
// Takes the words on tunnels out of text, blanks in their place: what is left is for
// flow_match_parse. Where there are none out->asked is false. Errors as above.
int flow_inner_take(char *text, struct flow_inner_match *out, struct sl_err *err);
// Nothing where m->asked is false.
void flow_inner_match_format(const struct flow_inner_match *m, struct sl_strbuf *out);
// What a packet has inside, in the words of a match.
void flow_inner_format(const struct flow_inner *in, struct sl_strbuf *out);
// A flow's key in the same words (exact values, only those fields that hold something).
void flow_key_format(
	const struct flow_key *key, const struct flow_names *names, struct sl_strbuf *out);

#endif
