// SPDX-License-Identifier: BSD-3-Clause
// Does the work of each stage of the packet path a fixed number of times and tells callgrind where
// it begins and ends (scripts/check-instructions): counts are the same on a busy machine and on a
// quiet one, and a growth of 2 % is seen that no stopwatch sees.
//
//   parse          64-byte UDP to keys, bursts of DP_BURST
//   cache_hit      look-up of 1000 known flows
//   cache_miss     look-up of unknown flows and insertion into a full cache
//   rules          the rule engine at 1000 five-tuple rules
//   io             receive and transmit of the path_* stages with nothing between them; those are
//                  given without it
//   path_output    the whole path: parse, hit, counters, output
//   path_vlan      the same with a VLAN tag pushed
//   path_drop      the same, dropped
//   path_general   an action list: MAC rewritten, VLAN tag pushed, output
//   path_miss      flows that are not in the cache: decided, inserted, output
//
// usage: bench_instructions [EAL arguments] -- : one JSON object, with the packets of each stage.
// Seeds are fixed, and the clock of the path stands still.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_version.h>
#include <valgrind/callgrind.h>

#include "cache/cache.h"
#include "flow/parse.h"
#include "path_rig.h"

#define BURST DP_BURST
#define BURSTS 256 // of each stage
#define FLOWS 1000
#define KNOWN_BURSTS (FLOWS / BURST)

struct bench {
	struct path path;
	struct rte_mbuf *pkts[BURST];
	struct flow_key keys[FLOWS]; // of the packets of path
	struct cache *cache;
	uint32_t next; // number of the next unknown flow
};

// Both are no-ops outside valgrind. The name ends up in the file that callgrind writes.
#define COUNT(name, stage)                                                                         \
	do {                                                                                       \
		CALLGRIND_ZERO_STATS;                                                              \
		stage;                                                                             \
		CALLGRIND_DUMP_STATS_AT(name);                                                     \
	} while (0)

static void
parse(struct bench *b)
{
	struct flow_key keys[BURST];
	uint8_t faults[BURST];
	unsigned i;

	for (i = 0; i < BURSTS; i++)
		if (flow_parse_burst(b->pkts, BURST, 1, 0, 0, keys, NULL, faults))
			path_die("a packet has a fault");
}

static void
cache_hit(struct bench *b)
{
	struct cache_entry *out[BURST];
	uint64_t hashes[BURST];
	unsigned i;

	for (i = 0; i < BURSTS; i++)
		if (cache_lookup_burst(b->cache, &b->keys[i % KNOWN_BURSTS * BURST], BURST, hashes,
			    out, NULL) != UINT64_MAX)
			path_die("a known flow is not found");
}

static void
cache_miss(struct bench *b)
{
	struct cache_entry *out[BURST];
	struct flow_key keys[BURST];
	uint64_t hashes[BURST];
	unsigned i, k;

	memcpy(keys, b->keys, sizeof(keys));
	for (i = 0; i < BURSTS; i++) {
		for (k = 0; k < BURST; k++, b->next++)
			memcpy(keys[k].src, &b->next, sizeof(b->next));
		cache_lookup_burst(b->cache, keys, BURST, hashes, out, NULL);
		for (k = 0; k < BURST; k++)
			cache_insert(b->cache, &keys[k], hashes[k], b->next >> 8);
	}
}

static void
rules(struct bench *b)
{
	const struct flow_key *keys[BURST];
	struct rules_result out[BURST];
	unsigned i, k;

	for (i = 0; i < BURSTS; i++) {
		for (k = 0; k < BURST; k++)
			keys[k] = &b->keys[i % KNOWN_BURSTS * BURST + k];
		rules_lookup_burst(b->path.set, keys, BURST, out);
	}
}

static void
io(struct bench *b)
{
	struct rte_mbuf *pkts[BURST];
	unsigned i;

	for (i = 0; i < BURSTS; i++)
		rte_eth_tx_burst(b->path.ethdev[PATH_OUT], 0, pkts,
			rte_eth_rx_burst(b->path.ethdev[PATH_IN], 0, pkts, BURST));
}

static void
loops(struct bench *b)
{
	unsigned i;

	for (i = 0; i < BURSTS; i++)
		dp_worker_once(b->path.worker);
}

static void
path_open(struct bench *b, uint32_t flows, uint32_t entries, const char *actions)
{
	struct path_conf conf = {.flows = entries, .actions = actions};
	struct path *p = &b->path;
	char args[32];

	memset(p, 0, sizeof(*p));
	path_pool(p);
	snprintf(args, sizeof(args), "flows=%u", flows);
	p->ethdev[PATH_IN] = path_device(p, "net_flowsource0", args, 1);
	p->ethdev[PATH_OUT] = path_device(p, "net_null0", "no-rx=1", 1);
	path_begin(p, &conf);
	dp_worker_once(p->worker); // reads the clock once
	p->worker->next_tick = UINT64_MAX;
}

static void
path_close(struct bench *b)
{
	struct path *p = &b->path;
	unsigned i;

	path_end(p);
	for (i = 0; i < PATH_PORTS; i++) {
		rte_eth_dev_stop(p->ethdev[i]);
		rte_eth_dev_close(p->ethdev[i]);
	}
	rte_mempool_free(p->pool);
	rte_vdev_uninit("net_flowsource0");
	rte_vdev_uninit("net_null0");
}

// Until the flows are known: a look-up in the worker's cache that misses none of a few rounds.
static void
warm(struct bench *b)
{
	const struct dp_worker_counters *c = dp_worker_counters(b->path.dp, 0);
	unsigned i;

	for (i = 0; i < 5000 && c->flows_seen < FLOWS; i++)
		dp_worker_once(b->path.worker);
	if (c->flows_seen < FLOWS)
		path_die("the flows did not get known");
}

// The packets of the stages that have no path around them, and their keys.
static void
lib_open(struct bench *b)
{
	struct rte_mbuf *pkts[BURST];
	struct cache_entry *out;
	uint8_t faults[BURST];
	uint64_t hash;
	unsigned i;

	path_open(b, FLOWS, 1024, NULL);
	if (cache_new(1024, SOCKET_ID_ANY, 42, NULL, NULL, &b->cache) != 0)
		path_die("out of memory");
	for (i = 0; i + BURST <= FLOWS; i += BURST) {
		if (rte_eth_rx_burst(b->path.ethdev[PATH_IN], 0, pkts, BURST) != BURST ||
			flow_parse_burst(pkts, BURST, 1, 0, 0, &b->keys[i], NULL, faults))
			path_die("no packets");
		if (i == 0)
			memcpy(b->pkts, pkts, sizeof(pkts));
		else
			rte_pktmbuf_free_bulk(pkts, BURST);
	}
	for (; i < FLOWS; i++)
		b->keys[i] = b->keys[0];
	for (i = 0; i < FLOWS; i++) {
		cache_lookup_burst(b->cache, &b->keys[i], 1, &hash, &out, NULL);
		cache_insert(b->cache, &b->keys[i], hash, 0);
	}
}

static void
lib_close(struct bench *b)
{
	rte_pktmbuf_free_bulk(b->pkts, BURST);
	cache_free(b->cache);
	path_close(b);
}

static void
known_path(struct bench *b, const char *name, const char *actions)
{
	path_open(b, FLOWS, 4096, actions);
	warm(b);
	COUNT(name, loops(b));
	path_close(b);
}

int
main(int argc, char **argv)
{
	static struct bench b;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	lib_open(&b);
	COUNT("parse", parse(&b));
	COUNT("cache_hit", cache_hit(&b));
	cache_miss(&b); // fills the cache
	COUNT("cache_miss", cache_miss(&b));
	COUNT("rules", rules(&b));
	COUNT("io", io(&b));
	lib_close(&b);
	known_path(&b, "path_output", "output=1");
	known_path(&b, "path_vlan", "push_vlan=7,output=1");
	known_path(&b, "path_drop", "drop");
	known_path(&b, "path_general", "set_eth_dst=02:00:00:00:00:09,push_vlan=7,output=1");
	path_open(&b, 1000000, 1024, NULL);
	loops(&b); // fills the cache
	COUNT("path_miss", loops(&b));
	path_close(&b);
	printf("{\"packets\":%u,\"compiler\":\"%s %d\",\"dpdk\":\"%d.%02d\"}\n", BURST * BURSTS,
#ifdef __clang__
		"clang", __clang_major__,
#else
		"gcc", __GNUC__,
#endif
		RTE_VER_YEAR, RTE_VER_MONTH);
	rte_eal_cleanup();
	return 0;
}
