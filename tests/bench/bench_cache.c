// SPDX-License-Identifier: BSD-3-Clause
// Cycles per packet of the flow cache: hash, look-up and counters, uniform random flows, bursts of
// 32. The keys come from a batch that fits the second-level cache, as packets just received do;
// with "parse" they are made from 64-byte frames by flow_parse_bytes within the time taken.
//
// usage: bench_cache [EAL arguments] -- [flows ...]   (default 1 1000 10000 100000 1000000)

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "base/rng.h"
#include "cache/cache.h"
#include "flow/parse.h"

#define BURST 32
#define BATCH 4096
#define ROUNDS 11
#define FRAME 64

struct bench {
	struct cache *cache;
	struct sl_rng rng;
	uint32_t flows;
	uint64_t missed;
	alignas(64) uint8_t frames[BATCH][FRAME];
	alignas(64) struct flow_key keys[BATCH];
};

// Ethernet, IPv4, UDP; the flow's number is spread over addresses and ports.
static void
frame_of(uint32_t flow, uint8_t *f)
{
	static const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0,
		0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 53, 0, 30, 0, 0};

	memset(f, 0, FRAME);
	memcpy(f, head, sizeof(head));
	f[27] = (uint8_t)(flow >> 16);
	f[28] = (uint8_t)(flow >> 8);
	f[29] = (uint8_t)flow;
	f[33] = (uint8_t)(flow >> 4);
	f[34] = (uint8_t)(flow >> 12);
	f[35] = (uint8_t)flow;
}

static void
key_of(uint32_t flow, struct flow_key *key)
{
	struct flow_offsets off;
	uint8_t f[FRAME];

	frame_of(flow, f);
	flow_parse_bytes(f, FRAME, 1, 1, 0, key, &off);
}

static void
count(struct bench *b, struct cache_entry **hit, uint64_t hits)
{
	const ptrdiff_t apart = cache_apart(b->cache);

	for (uint16_t i = 0; i < BURST; i++) {
		if (hit[i] == NULL)
			continue;
		cache_count(hit[i], apart, 1, FRAME);
		hit[i]->last_tick = 1;
	}
	b->missed += BURST - (uint64_t)__builtin_popcountll(hits);
}

static double
round_of(struct bench *b, bool parse)
{
	struct cache_entry *hit[BURST];
	struct flow_offsets off;
	uint64_t hashes[BURST];
	uint64_t start;

	for (uint32_t i = 0; i < BATCH; i++) {
		uint32_t flow = sl_rng_below(&b->rng, b->flows);

		frame_of(flow, b->frames[i]);
		key_of(flow, &b->keys[i]);
	}
	start = rte_rdtsc_precise();
	for (uint32_t at = 0; at < BATCH; at += BURST) {
		if (parse)
			for (uint32_t i = at; i < at + BURST; i++)
				flow_parse_bytes(b->frames[i], FRAME, 1, 1, 0, &b->keys[i], &off);
		count(b, hit, cache_lookup_burst(b->cache, &b->keys[at], BURST, hashes, hit, NULL));
	}
	return (double)(rte_rdtsc_precise() - start) / BATCH;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// The median of ROUNDS means over enough batches each.
static double
cycles(struct bench *b, bool parse)
{
	double mean[ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++) {
		mean[r] = 0;
		for (unsigned i = 0; i < 40; i++)
			mean[r] += round_of(b, parse) / 40;
	}
	qsort(mean, ROUNDS, sizeof(mean[0]), compare);
	return mean[ROUNDS / 2];
}

static int
run(struct bench *b, uint32_t flows, bool first)
{
	struct cache_stats st;
	struct flow_key key;
	double lookup, parse;

	b->flows = flows;
	b->missed = 0;
	if (cache_new(flows < 64 ? 64 : flows, SOCKET_ID_ANY, 42, NULL, NULL, &b->cache) < 0) {
		fprintf(stderr, "bench_cache: no memory for %u flows\n", flows);
		return -1;
	}
	for (uint32_t i = 0; i < flows; i++) {
		uint64_t hash;
		struct cache_entry *e;

		key_of(i, &key);
		if (cache_lookup_burst(b->cache, &key, 1, &hash, &e, NULL) == 0)
			cache_insert(b->cache, &key, hash, 0);
	}
	cache_stats_get(b->cache, &st);
	lookup = cycles(b, false);
	parse = cycles(b, true);
	printf("%s{\"flows\":%u,\"lookup\":%.1f,\"parse_lookup\":%.1f,\"missed\":%llu,"
	       "\"bytes_per_flow\":%.1f,\"early_evictions\":%llu}",
		first ? "" : ",", flows, lookup, parse, (unsigned long long)b->missed,
		(double)st.memory / flows, (unsigned long long)st.evicted_full);
	cache_free(b->cache);
	return 0;
}

int
main(int argc, char **argv)
{
	static const char *const usual[] = {"1", "1000", "10000", "100000", "1000000"};
	struct bench *b = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*b), 64));
	int used = rte_eal_init(argc, argv);
	int n, rc = 0;

	if (used < 0 || b == NULL)
		return 2;
	b->rng.state = 1;
	n = argc - used - 1;
	printf("{\"bench\":\"cache\",\"rows\":[");
	for (int i = 0; i < (n > 0 ? n : 5) && rc == 0; i++) {
		const char *word = n > 0 ? argv[used + 1 + i] : usual[i];
		uint32_t flows = (uint32_t)strtoul(word, NULL, 10);

		rc = run(b, flows > 0 ? flows : 1, i == 0);
	}
	printf("]}\n");
	free(b);
	rte_eal_cleanup();
	return rc < 0;
}
