// SPDX-License-Identifier: BSD-3-Clause
// Which flows are in hardware: the share of a capture's bytes that a NIC with few table entries
// handles, by sluice's own code on simulated time and by other ways of choosing.
//
// usage: bench_placement [EAL arguments] -- --pcap FILE... [--speed X...] [--entries N...]
//        [--rules none|addresses|ports] [--ahead never|always|pays]
// One line of JSON for each combination.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include "placement_rivals.h"
#include "placement_sluice.h"

#define LIST_MAX 64

struct args {
	const char *pcap[LIST_MAX];
	double speed[LIST_MAX];
	uint32_t entries[LIST_MAX];
	unsigned n_pcap, n_speed, n_entries;
	uint16_t queues;
	unsigned rules, when; // of struct ahead_setup
};

static const char *const rules_names[] = {"none", "addresses", "ports"};
static const char *const when_names[] = {"never", "always", "pays"};

static bool
one_of(const char *value, const char *const *names, unsigned n, unsigned *out)
{
	for (*out = 0; *out < n; ++*out) {
		if (strcmp(value, names[*out]) == 0)
			return true;
	}
	return false;
}

static bool
take(struct args *a, const char *option, const char *value)
{
	char *end = NULL;

	if (strcmp(option, "--pcap") == 0 && a->n_pcap < LIST_MAX) {
		a->pcap[a->n_pcap++] = value;
		return true;
	}
	if (strcmp(option, "--speed") == 0 && a->n_speed < LIST_MAX) {
		a->speed[a->n_speed] = strtod(value, &end);
		return *value != '\0' && *end == '\0' && a->speed[a->n_speed] >= 1e-3 &&
		       a->speed[a->n_speed++] <= 1e6;
	}
	if (strcmp(option, "--entries") == 0 && a->n_entries < LIST_MAX) {
		unsigned long n = strtoul(value, &end, 10);

		a->entries[a->n_entries++] = (uint32_t)n;
		return *value != '\0' && *end == '\0' && n >= 1 && n <= 1 << 20;
	}
	if (strcmp(option, "--rules") == 0)
		return one_of(value, rules_names, 3, &a->rules);
	if (strcmp(option, "--ahead") == 0)
		return one_of(value, when_names, 3, &a->when);
	if (strcmp(option, "--queues") == 0) {
		unsigned long n = strtoul(value, &end, 10);

		a->queues = (uint16_t)n;
		return *value != '\0' && *end == '\0' && n >= 1 && n <= 256;
	}
	return false;
}

// A list of values may follow an option.
static bool
parse_args(int argc, char **argv, struct args *a)
{
	const char *option = NULL;
	int i;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0)
			option = argv[i];
		else if (option == NULL || !take(a, option, argv[i]))
			return false;
	}
	if (a->n_speed == 0)
		a->speed[a->n_speed++] = 1;
	if (a->n_entries == 0)
		a->entries[a->n_entries++] = 1024;
	return a->n_pcap > 0;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static const char *const lost_names[SLUICE_LOST] = {
	"first", "untold", "light", "waits", "nic", "full", "evicted"};

static int
run(const struct trace *t, const char *path, double speed, uint32_t entries, const struct args *a,
	double endless)
{
	const struct ahead_setup ahead = {.rules = a->rules, .when = a->when};
	double clairvoyant = rival_clairvoyant(t, entries);
	double first_come = rival_first_come(t, entries);
	double pps_swap = rival_pps_swap(t, entries);
	struct sluice_result r;
	char lost[256];
	size_t at = 0;
	unsigned i;

	if (clairvoyant < 0 || first_come < 0 || pps_swap < 0 || endless < 0) {
		fprintf(stderr, "bench_placement: out of memory\n");
		return -1;
	}
	if (sluice_run(t, entries, a->queues, &ahead, &r) != 0)
		return -1;
	for (i = 0; i < SLUICE_LOST; i++)
		at += (size_t)snprintf(lost + at, sizeof(lost) - at, "%s\"%s\":%.4f",
			i > 0 ? "," : "", lost_names[i], r.lost[i]);
	printf("{\"bench\":\"placement\",\"pcap\":\"%s\",\"speed\":%g,\"entries\":%u,"
	       "\"packets\":%u,\"flows\":%u,\"real_timing\":%s,\"rules\":%u,\"ahead\":\"%s\","
	       "\"share\":{\"endless\":%.4f,"
	       "\"clairvoyant\":%.4f,\"first_come\":%.4f,\"pps_swap\":%.4f,\"sluice\":%.4f},"
	       "\"moves_per_s\":%.1f,\"reports_per_s\":%.1f,\"counters_per_s\":%.1f,"
	       "\"decisions_us_p99\":%.1f,\"lost\":{%s}}\n",
		base_name(path), speed, entries, t->n_pkts, t->n_flows,
		t->real_timing ? "true" : "false", r.rules, when_names[a->when], endless,
		clairvoyant, first_come, pps_swap, r.share, r.moves_per_s, r.events_per_s,
		r.counters_per_s, r.decisions_us_p99, lost);
	fflush(stdout);
	return 0;
}

static int
run_file(const struct args *a, const char *path)
{
	unsigned i, k;
	int rc = 0;

	for (i = 0; i < a->n_speed && rc == 0; i++) {
		struct trace t;
		double endless;

		if (trace_load(path, a->speed[i], &t) != 0)
			return -1;
		endless = rival_endless(&t);
		for (k = 0; k < a->n_entries && rc == 0; k++)
			rc = run(&t, path, a->speed[i], a->entries[k], a, endless);
		trace_free(&t);
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct args a = {.queues = 8, .when = AHEAD_PAYS};
	int used = rte_eal_init(argc, argv), rc = 0;
	unsigned i;

	if (used < 0)
		return 2;
	if (!parse_args(argc - used, argv + used, &a)) {
		fprintf(stderr, "usage: bench_placement [EAL arguments] -- --pcap FILE... "
				"[--speed X...] [--entries N...]\n");
		return 2;
	}
	for (i = 0; i < a.n_pcap && rc == 0; i++)
		rc = run_file(&a, a.pcap[i]);
	rte_eal_cleanup();
	return rc != 0;
}
