// SPDX-License-Identifier: BSD-3-Clause
#include "bench_acl.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_memory.h>

#include "laps.h"

#define BURST 32
#define BUILD_MAX (1UL << 30) // bytes that a build may take

// As in the packet: rte_acl wants big endian and one byte first.
struct tuple {
	uint8_t proto;
	uint32_t src;
	uint32_t dst;
	uint16_t sport;
	uint16_t dport;
} __attribute__((packed));

enum { PROTO, SRC, DST, SPORT, DPORT, FIELDS };

RTE_ACL_RULE_DEF(acl_rule, FIELDS);

static const struct rte_acl_field_def fields[FIELDS] = {
	{.type = RTE_ACL_FIELD_TYPE_BITMASK,
		.size = 1,
		.field_index = PROTO,
		.input_index = 0,
		.offset = offsetof(struct tuple, proto)},
	{.type = RTE_ACL_FIELD_TYPE_MASK,
		.size = 4,
		.field_index = SRC,
		.input_index = 1,
		.offset = offsetof(struct tuple, src)},
	{.type = RTE_ACL_FIELD_TYPE_MASK,
		.size = 4,
		.field_index = DST,
		.input_index = 2,
		.offset = offsetof(struct tuple, dst)},
	{.type = RTE_ACL_FIELD_TYPE_RANGE,
		.size = 2,
		.field_index = SPORT,
		.input_index = 3,
		.offset = offsetof(struct tuple, sport)},
	{.type = RTE_ACL_FIELD_TYPE_RANGE,
		.size = 2,
		.field_index = DPORT,
		.input_index = 3,
		.offset = offsetof(struct tuple, dport)},
};

static uint32_t
host32(const uint8_t *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return ntohl(v);
}

static void
set_port(struct rte_acl_field *f, struct flow_range r, uint16_t key, uint16_t mask)
{
	// A range that a mask says was folded into it.
	f->value.u16 = mask != 0 ? ntohs(key) : r.lo;
	f->mask_range.u16 = mask != 0 ? (uint16_t)(ntohs(key) | (uint16_t)~ntohs(mask)) : r.hi;
}

static void
acl_rule_of(const struct rules_entry *e, struct acl_rule *r)
{
	const struct flow_match *m = &e->match;

	memset(r, 0, sizeof(*r));
	r->data.category_mask = 1;
	r->data.priority = RTE_ACL_MAX_PRIORITY - (int32_t)e->id;
	r->data.userdata = e->id + 1;
	r->field[PROTO].value.u8 = m->key.proto;
	r->field[PROTO].mask_range.u8 = m->mask.proto;
	r->field[SRC].value.u32 = host32(m->key.src);
	r->field[SRC].mask_range.u32 = (uint32_t)__builtin_popcount(host32(m->mask.src));
	r->field[DST].value.u32 = host32(m->key.dst);
	r->field[DST].mask_range.u32 = (uint32_t)__builtin_popcount(host32(m->mask.dst));
	set_port(&r->field[SPORT], m->sport, m->key.l4_src, m->mask.l4_src);
	set_port(&r->field[DPORT], m->dport, m->key.l4_dst, m->mask.l4_dst);
}

static struct rte_acl_ctx *
build(const struct rules_entry *rules, uint32_t n)
{
	struct rte_acl_param param = {.name = "bench",
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(FIELDS),
		.max_rule_num = n};
	struct rte_acl_config cfg = {
		.num_categories = 1, .num_fields = FIELDS, .max_size = BUILD_MAX};
	struct rte_acl_ctx *ctx = rte_acl_create(&param);
	int rc = 0;

	if (ctx == NULL)
		return NULL;
	memcpy(cfg.defs, fields, sizeof(fields));
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct acl_rule r;

		acl_rule_of(&rules[i], &r);
		rc = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&r, 1);
	}
	if (rc == 0)
		rc = rte_acl_build(ctx, &cfg);
	if (rc != 0) {
		fprintf(stderr, "rte_acl: not built (%d)\n", rc);
		rte_acl_free(ctx);
		return NULL;
	}
	return ctx;
}

static double
classify(struct rte_acl_ctx *ctx, const struct tuple *tuples, uint32_t n, uint32_t lookups)
{
	struct laps laps = laps_start(lookups / LAPS_MIN);
	const uint8_t *data[BURST];
	uint32_t results[BURST];

	for (unsigned lap = 0; lap < LAPS_MIN; lap++) {
		uint32_t at = 0;

		for (uint32_t part = 0; part < laps.parts; part++) {
			uint64_t start = rte_rdtsc_precise();

			for (uint32_t done = 0; done < LAPS_PART; done += BURST) {
				for (unsigned i = 0; i < BURST; i++) {
					data[i] = (const uint8_t *)&tuples[at];
					at = at + 1 < n ? at + 1 : 0;
				}
				rte_acl_classify(ctx, data, results, BURST, 1);
			}
			laps_part(&laps, part, start);
		}
	}
	return laps_cycles(&laps);
}

double
bench_acl_cycles(const struct rules_entry *rules, uint32_t n_rules,
	const struct classbench_header *headers, uint32_t n_headers, uint32_t lookups)
{
	struct tuple *tuples = calloc(n_headers, sizeof(*tuples));
	struct rte_acl_ctx *ctx = build(rules, n_rules);
	uint32_t results[1], wrong = 0;
	double cycles = -1;

	if (ctx == NULL || tuples == NULL)
		goto out;
	for (uint32_t i = 0; i < n_headers; i++) {
		const struct flow_key *k = &headers[i].key;

		tuples[i].proto = k->proto;
		memcpy(&tuples[i].src, k->src, 4);
		memcpy(&tuples[i].dst, k->dst, 4);
		tuples[i].sport = k->l4_src;
		tuples[i].dport = k->l4_dst;
	}
	for (uint32_t i = 0; i < n_headers; i++) {
		const uint8_t *one = (const uint8_t *)&tuples[i];

		rte_acl_classify(ctx, &one, results, 1, 1);
		wrong += results[0] != headers[i].rule;
	}
	if (wrong > 0)
		fprintf(stderr, "rte_acl: %u results differ\n", wrong);
	cycles = classify(ctx, tuples, n_headers, lookups);
out:
	rte_acl_free(ctx);
	free(tuples);
	return cycles;
}
