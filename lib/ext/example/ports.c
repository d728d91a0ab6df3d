// SPDX-License-Identifier: BSD-3-Clause
// An extension to start from: drops flows by their destination port, looks into those of other
// ports for a word, and counts packets by protocol. Each of its arguments shows one answer of
// ext/abi.h:
//
//   drop     "tcp/23", ..     these flows are dropped (DROP: no packet comes here for it)
//   inspect  "udp/5000", ..   it must see these (SEE); a packet whose first piece has `word` in
//                             its payload is dropped
//   word     text             what `inspect` looks for
//   count    true or false    it is shown all other flows too and counts them (COPY, else PASS)
//   match    "tcp/80", ..     at the point MATCH, for rules with `extension=NAME`: these flows
//   match
//                             (HIT), with `word` those of their packets that have it (SEE)
//
// Thread safety: as ext/abi.h says; after init nothing of struct ports is written.
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ext/abi.h"

#define PORTS_MAX 64
#define WORD_MAX 64
#define MATCH_BYTES 512
#define TCP 6
#define UDP 17

struct port {
	uint8_t proto;
	uint16_t port;
};

struct port_list {
	unsigned n;
	struct port port[PORTS_MAX];
};

struct ports {
	struct port_list drop, inspect, match;
	char word[WORD_MAX];
	bool count;
};

enum { COUNT_TCP, COUNT_UDP, COUNT_OTHER_IP, COUNT_OTHER, COUNT_BYTES, COUNT_WORDS, COUNTS };

static const char *const names[COUNTS] = {
	[COUNT_TCP] = "tcp",
	[COUNT_UDP] = "udp",
	[COUNT_OTHER_IP] = "other-ip",
	[COUNT_OTHER] = "other",
	[COUNT_BYTES] = "bytes",
	[COUNT_WORDS] = "words",
};

// One worker writes, control reads.
struct worker {
	_Atomic uint64_t count[COUNTS];
};

static void
add(struct worker *w, unsigned what, uint64_t n)
{
	atomic_store_explicit(&w->count[what],
		atomic_load_explicit(&w->count[what], memory_order_relaxed) + n,
		memory_order_relaxed);
}

static bool
has(const struct port_list *l, const struct sluice_ext_flow *flow)
{
	unsigned i;

	for (i = 0; i < l->n; i++) {
		if (l->port[i].proto == flow->proto && l->port[i].port == flow->dport)
			return true;
	}
	return false;
}

static enum sluice_ext_verdict
ports_flow(void *self, const struct sluice_ext_flow *flow)
{
	const struct ports *p = self;
	bool ip = flow->l3 == SLUICE_EXT_IPV4 || flow->l3 == SLUICE_EXT_IPV6;

	if (ip && has(&p->drop, flow))
		return SLUICE_EXT_DROP;
	if (ip && has(&p->inspect, flow))
		return SLUICE_EXT_SEE;
	if (ip && has(&p->match, flow))
		return p->word[0] != '\0' ? SLUICE_EXT_SEE : SLUICE_EXT_HIT;
	return p->count ? SLUICE_EXT_COPY : SLUICE_EXT_PASS;
}

static void
count(struct worker *w, const struct sluice_ext_packet *pkt)
{
	const struct sluice_ext_flow *flow = pkt->flow;
	unsigned what = COUNT_OTHER;

	if (flow->l3 == SLUICE_EXT_IPV4 || flow->l3 == SLUICE_EXT_IPV6)
		what = flow->proto == TCP   ? COUNT_TCP
		       : flow->proto == UDP ? COUNT_UDP
					    : COUNT_OTHER_IP;
	add(w, what, 1);
	add(w, COUNT_BYTES, pkt->total);
}

static void
ports_burst(void *self, void *worker, struct sluice_ext_packet *pkts, unsigned n)
{
	const struct ports *p = self;
	struct worker *w = worker;
	unsigned i;

	for (i = 0; i < n; i++) {
		struct sluice_ext_packet *pkt = &pkts[i];

		bool matches = has(&p->match, pkt->flow);

		count(w, pkt);
		if (p->word[0] == '\0' || pkt->payload == 0 || pkt->payload >= pkt->len ||
			!(matches || has(&p->inspect, pkt->flow)))
			continue;
		if (memmem(pkt->data + pkt->payload, pkt->len - pkt->payload, p->word,
			    strlen(p->word)) != NULL) {
			pkt->verdict = matches ? SLUICE_EXT_HIT : SLUICE_EXT_DROP;
			add(w, COUNT_WORDS, 1);
		}
	}
}

// "tcp/23" or "udp/53".
static bool
add_port(struct port_list *l, const char *text)
{
	unsigned long port;
	char *end;

	if (l->n == PORTS_MAX || (strncmp(text, "tcp/", 4) != 0 && strncmp(text, "udp/", 4) != 0) ||
		text[4] < '0' || text[4] > '9')
		return false;
	port = strtoul(text + 4, &end, 10);
	if (*end != '\0' || port > UINT16_MAX)
		return false;
	l->port[l->n++] = (struct port){text[0] == 't' ? TCP : UDP, (uint16_t)port};
	return true;
}

static bool
set(struct ports *p, const struct sluice_ext_arg *arg, char *why, size_t why_len)
{
	struct port_list *list = strcmp(arg->name, "drop") == 0      ? &p->drop
				 : strcmp(arg->name, "inspect") == 0 ? &p->inspect
				 : strcmp(arg->name, "match") == 0   ? &p->match
								     : NULL;

	if (list != NULL) {
		if (add_port(list, arg->value))
			return true;
		snprintf(why, why_len, "%s: \"%.40s\" is not tcp/PORT or udp/PORT (at most %d)",
			arg->name, arg->value, PORTS_MAX);
	} else if (strcmp(arg->name, "word") == 0) {
		if (strlen(arg->value) < sizeof(p->word)) {
			snprintf(p->word, sizeof(p->word), "%s", arg->value);
			return true;
		}
		snprintf(why, why_len, "word: at most %d bytes", WORD_MAX - 1);
	} else if (strcmp(arg->name, "count") == 0) {
		p->count = strcmp(arg->value, "true") == 0;
		if (p->count || strcmp(arg->value, "false") == 0)
			return true;
		snprintf(why, why_len, "count: true or false, not \"%.40s\"", arg->value);
	} else {
		snprintf(why, why_len,
			"there is no argument \"%.40s\": drop, inspect, match, word, "
			"count",
			arg->name);
	}
	return false;
}

static int
ports_init(const struct sluice_ext_host *host, const struct sluice_ext_arg *args, unsigned n_args,
	void **self, char *why, size_t why_len)
{
	struct ports *p = calloc(1, sizeof(*p));
	unsigned i;

	if (p == NULL)
		return -ENOMEM;
	for (i = 0; i < n_args; i++) {
		if (!set(p, &args[i], why, why_len)) {
			free(p);
			return -EINVAL;
		}
	}
	if (host->at == SLUICE_EXT_MONITOR && (p->drop.n > 0 || p->inspect.n > 0)) {
		snprintf(why, why_len, "a monitor only counts: no drop, no inspect");
		free(p);
		return -EINVAL;
	}
	if (host->at == SLUICE_EXT_MATCH
			? p->match.n == 0 || p->drop.n + p->inspect.n > 0 || p->count
			: p->match.n > 0) {
		snprintf(why, why_len,
			"match belongs to the point match, and is all that it takes, with word");
		free(p);
		return -EINVAL;
	}
	*self = p;
	return 0;
}

static void
ports_fini(void *self)
{
	free(self);
}

static unsigned
ports_counters(void *self, void *const *worker, unsigned workers, struct sluice_ext_counter *out,
	unsigned max)
{
	unsigned i, n;

	(void)self;
	for (n = 0; n < COUNTS && n < max; n++) {
		snprintf(out[n].name, sizeof(out[n].name), "%s", names[n]);
		for (i = 0; i < workers; i++) {
			const struct worker *w = worker[i];

			out[n].value += atomic_load_explicit(&w->count[n], memory_order_relaxed);
		}
	}
	return n;
}

__attribute__((visibility("default"))) const struct sluice_extension *
sluice_extension(void)
{
	static const struct sluice_extension ports = {
		.abi = SLUICE_EXT_ABI,
		.size = sizeof(struct sluice_extension),
		.name = "ports",
		.version = "1",
		.points = 1u << SLUICE_EXT_INGRESS | 1u << SLUICE_EXT_EGRESS |
			  1u << SLUICE_EXT_MONITOR | 1u << SLUICE_EXT_MATCH,
		.match_bytes = MATCH_BYTES,
		.worker_bytes = sizeof(struct worker),
		.init = ports_init,
		.fini = ports_fini,
		.flow = ports_flow,
		.burst = ports_burst,
		.counters = ports_counters,
	};

	return &ports;
}
