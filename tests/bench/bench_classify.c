// SPDX-License-Identifier: BSD-3-Clause
// Cycles per look-up of the rule engine on a ClassBench rule set, beside rte_acl in the same run.
// `wrong` counts the headers whose result differs from the trace's last column or from trying every
// rule. An update is one rule removed, added again and committed.
//
// usage: bench_classify [EAL arguments] -- --rules FILE --headers FILE [--no-acl]

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "base/rng.h"
#include "bench_acl.h"
#include "classbench.h"
#include "laps.h"

#define BURST 32
#define LOOKUPS 400000
#define UPDATES 1000

struct bench {
	const char *rules_path;
	const char *headers_path;
	bool acl;
	struct rules_entry *rules;
	int n_rules;
	struct classbench_header *headers;
	int n_headers;
	struct flow_key *keys; // of the headers, a line each, as the parser leaves them
	struct rules *writer;
	struct rules_set *set;
};

static struct flow_key *
keys_of(const struct bench *b)
{
	struct flow_key *keys = aligned_alloc(sizeof(*keys), (size_t)b->n_headers * sizeof(*keys));

	for (int i = 0; keys != NULL && i < b->n_headers; i++)
		keys[i] = b->headers[i].key;
	return keys;
}

static double
ms_since(uint64_t start)
{
	return (double)(rte_rdtsc_precise() - start) * 1000 / (double)rte_get_tsc_hz();
}

static uint32_t
brute(const struct bench *b, const struct flow_key *key)
{
	for (int i = 0; i < b->n_rules; i++)
		if (flow_match_hits(&b->rules[i].match, key))
			return (uint32_t)i + 1;
	return 0;
}

static uint32_t
wrong(const struct bench *b)
{
	uint32_t bad = 0;

	for (int i = 0; i < b->n_headers; i++) {
		const struct classbench_header *h = &b->headers[i];
		struct rules_result r;
		uint32_t got;

		rules_lookup(b->set, &h->key, &r);
		got = r.n > 0 ? r.rule[0] + 1 : 0;
		bad += got != h->rule || got != brute(b, &h->key);
	}
	return bad;
}

static double
cycles(const struct bench *b)
{
	static struct rules_result results[BURST];
	const struct flow_key *keys[BURST];
	struct laps laps = laps_start(LOOKUPS / LAPS_MIN);

	for (unsigned lap = 0; lap < LAPS_MIN; lap++) {
		int at = 0;

		for (uint32_t part = 0; part < laps.parts; part++) {
			uint64_t start = rte_rdtsc_precise();

			for (uint32_t done = 0; done < LAPS_PART; done += BURST) {
				for (unsigned i = 0; i < BURST; i++) {
					keys[i] = &b->keys[at];
					at = at + 1 < b->n_headers ? at + 1 : 0;
				}
				rules_lookup_burst(b->set, keys, BURST, results);
			}
			laps_part(&laps, part, start);
		}
	}
	return laps_cycles(&laps);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
update_p99(struct bench *b)
{
	struct sl_rng rng = {.state = 3};
	static double ms[UPDATES];

	for (unsigned i = 0; i < UPDATES; i++) {
		const struct rules_entry *e = &b->rules[sl_rng_below(&rng, (uint32_t)b->n_rules)];
		uint64_t start = rte_rdtsc_precise();
		struct rules_set *set;

		if (rules_del(b->writer, e->id) < 0 || rules_add(b->writer, e, NULL) < 0)
			return -1;
		set = rules_commit(b->writer);
		ms[i] = ms_since(start);
		if (set == NULL)
			return -1;
		rules_set_put(b->set);
		b->set = set;
	}
	qsort(ms, UPDATES, sizeof(ms[0]), compare);
	return ms[UPDATES * 99 / 100];
}

static bool
build(struct bench *b, double *ms)
{
	uint64_t start = rte_rdtsc_precise();

	b->writer = rules_new((uint32_t)b->n_rules);
	for (int i = 0; b->writer != NULL && i < b->n_rules; i++)
		if (rules_add(b->writer, &b->rules[i], NULL) < 0)
			return false;
	b->set = b->writer != NULL ? rules_commit(b->writer) : NULL;
	*ms = ms_since(start);
	return b->set != NULL;
}

static int
run(struct bench *b)
{
	struct rules_set_stats st;
	double ms, c, acl = -1, p99;
	uint32_t bad;

	b->n_rules = classbench_rules(b->rules_path, &b->rules);
	b->n_headers = classbench_headers(b->headers_path, &b->headers);
	if (b->n_rules <= 0 || b->n_headers <= 0) {
		fprintf(stderr, "bench_classify: %s: %d rules, %s: %d headers\n", b->rules_path,
			b->n_rules, b->headers_path, b->n_headers);
		return 2;
	}
	b->keys = keys_of(b);
	if (b->keys == NULL || !build(b, &ms)) {
		fprintf(stderr, "bench_classify: out of memory\n");
		return 1;
	}
	bad = wrong(b);
	c = cycles(b);
	rules_set_stats_get(b->set, &st);
	p99 = update_p99(b);
	if (b->acl)
		acl = bench_acl_cycles(b->rules, (uint32_t)b->n_rules, b->headers,
			(uint32_t)b->n_headers, LOOKUPS);
	printf("{\"bench\":\"classify\",\"rules\":%d,\"lookups\":%u,\"wrong\":%u,"
	       "\"cycles_per_lookup\":%.1f,",
		b->n_rules, LOOKUPS, bad, c);
	if (acl > 0)
		printf("\"rte_acl_cycles\":%.1f,", acl);
	else
		printf("\"rte_acl_cycles\":null,");
	printf("\"build_ms\":%.2f,\"update_ms_p99\":%.2f,\"memory_mb\":%.2f}\n", ms, p99,
		(double)st.memory / 1e6);
	rules_set_put(b->set);
	rules_free(b->writer);
	return bad != 0;
}

int
main(int argc, char **argv)
{
	struct bench b = {.acl = true};
	int used = rte_eal_init(argc, argv);
	int rc;

	if (used < 0)
		return 2;
	for (int i = used + 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-acl") == 0)
			b.acl = false;
		else if (strcmp(argv[i], "--rules") == 0 && i + 1 < argc)
			b.rules_path = argv[++i];
		else if (strcmp(argv[i], "--headers") == 0 && i + 1 < argc)
			b.headers_path = argv[++i];
	}
	if (b.rules_path == NULL || b.headers_path == NULL) {
		fprintf(stderr, "usage: bench_classify [EAL arguments] -- --rules FILE "
				"--headers FILE [--no-acl]\n");
		return 2;
	}
	rc = run(&b);
	free(b.rules);
	free(b.headers);
	free(b.keys);
	rte_eal_cleanup();
	return rc;
}
