// SPDX-License-Identifier: BSD-3-Clause
#include "eal.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#define ARGS_MAX 96
#define MBUF_BYTES 2560ULL         // with headroom, header and ring slots
#define MBUF_BYTES_NO_HUGE 4224ULL // none crosses a page of 4 kB
#define FLOW_BYTES 192ULL
#define QUEUE_MBUFS 4096ULL
#define OTHER_BYTES (192ULL << 20)

struct eal {
	int n;
	char *list[ARGS_MAX + 1]; // EAL moves these about
	char *own[ARGS_MAX];      // the same, to be freed
};

static void
add(struct eal *a, const char *text)
{
	if (a->n == ARGS_MAX)
		return;
	a->own[a->n] = a->list[a->n] = strdup(text);
	a->list[++a->n] = NULL;
}

static bool
has(const struct eal *a, const char *option)
{
	const size_t len = strlen(option);
	int i;

	for (i = 0; i < a->n; i++) {
		if (strncmp(a->list[i], option, len) == 0 &&
			(len == 2 || a->list[i][len] == '\0' || a->list[i][len] == '='))
			return true;
	}
	return false;
}

static unsigned
cpus(unsigned *list, unsigned max)
{
	cpu_set_t set;
	unsigned i, n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	for (i = 0; i < CPU_SETSIZE && n < max; i++) {
		if (CPU_ISSET(i, &set))
			list[n++] = i;
	}
	return n;
}

// Control on the first CPU, one worker on the second; with one CPU only they share it.
static void
choose_lcores(struct eal *a)
{
	unsigned list[2] = {0};
	unsigned n = cpus(list, 2);
	char text[64];

	if (has(a, "-l") || has(a, "-c") || has(a, "--lcores"))
		return;
	snprintf(text, sizeof(text), "--lcores=0@%u,1@%u", list[0], n > 1 ? list[1] : list[0]);
	add(a, text);
}

static uint64_t
memory_needed(const struct config *cfg, uint64_t mbuf_bytes)
{
	uint64_t mbufs = 2ULL * cfg->mbufs, workers = 4, queues = 0;
	uint16_t i;

	for (i = 0; i < cfg->n_nics; i++) {
		const struct config_nic *n = &cfg->nics[i];

		mbufs += (1ULL + n->vfs) * cfg->mbufs;
		queues += (uint64_t)(n->queues - n->default_queues) +
			  (uint64_t)n->vfs * (n->vf_queues - n->vf_default_queues);
	}
	for (i = 0; i < cfg->n_ports; i++)
		mbufs += cfg->ports[i].attach.kind == CONFIG_ATTACH_ETHDEV ? cfg->mbufs : 0;
	mbufs += queues * QUEUE_MBUFS;
	return mbufs * mbuf_bytes + workers * cfg->flows * FLOW_BYTES + OTHER_BYTES;
}

static uint64_t
read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

// Free hugepages of all sizes, in bytes.
static uint64_t
hugepages_free(void)
{
	static const char dir[] = "/sys/kernel/mm/hugepages";
	DIR *d = opendir(dir);
	struct dirent *e;
	uint64_t bytes = 0;
	char path[512];
	unsigned kb;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "hugepages-%ukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%.200s/free_hugepages", dir, e->d_name);
		bytes += read_number(path) * kb * 1024;
	}
	if (d != NULL)
		closedir(d);
	return bytes;
}

static void
choose_memory(struct eal *a, const struct config *cfg, struct sl_log *log)
{
	const uint64_t need = memory_needed(cfg, MBUF_BYTES), have = hugepages_free();
	char text[64];

	if (!has(a, "--no-huge") && !has(a, "-m") && !has(a, "--socket-mem") &&
		!has(a, "--in-memory") && have < need) {
		sl_log(log, SL_LOG_WARN,
			"about %llu MB of hugepages are needed, %llu MB are free: running without "
			"(slower; see README, Memory)",
			(unsigned long long)(need >> 20), (unsigned long long)(have >> 20));
		add(a, "--no-huge");
	}
	if (has(a, "--no-huge")) {
		if (!has(a, "-m")) {
			snprintf(text, sizeof(text), "%llu",
				(unsigned long long)(memory_needed(cfg, MBUF_BYTES_NO_HUGE) >> 20));
			add(a, "-m");
			add(a, text);
		}
		if (!has(a, "--proc-type"))
			add(a, "--no-shconf");
	} else if (!has(a, "--file-prefix") && !has(a, "--in-memory") && !has(a, "--proc-type")) {
		add(a, "--in-memory"); // leaves nothing behind in the file system
	}
	if (!has(a, "--file-prefix"))
		add(a, "--file-prefix=sluice");
}

// A bare name is found by the program's own run path (the build tree, or where it was installed);
// EAL would refuse the same file by its path beneath a world-writable directory.
static void
add_driver(struct eal *a, const char *name)
{
	add(a, "-d");
	add(a, name);
}

static const char *
words_for(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "no permission: run as root, or give the user the hugepage mount and the "
		       "devices";
	case ENOMEM:
		return "not enough memory: reserve hugepages (scripts/setup does), or run with "
		       "--no-huge";
	case EEXIST:
	case EALREADY:
		return "another process uses this --file-prefix";
	case EINVAL:
		return "an EAL argument is wrong: see the line of EAL above";
	case ENODEV:
		return "a device or driver could not be opened: see the lines of EAL above";
	default:
		return strerror(error);
	}
}

// A PCI device is named by its address, for example 0000:3b:00.0 or 3b:00.0.
static bool
is_pci(const char *dev)
{
	unsigned a, b, d, f;
	int end = 0;

	return (sscanf(dev, "%x:%x:%x.%x%n", &a, &b, &d, &f, &end) == 4 ||
		       sscanf(dev, "%x:%x.%x%n", &a, &b, &d, &end) == 3) &&
	       (dev[end] == '\0' || dev[end] == ',');
}

static bool
uses_pci(const struct config *cfg)
{
	uint16_t i;

	for (i = 0; i < cfg->n_nics; i++) {
		if (is_pci(cfg->nics[i].dev))
			return true;
	}
	for (i = 0; i < cfg->n_ports; i++) {
		if (cfg->ports[i].attach.kind == CONFIG_ATTACH_ETHDEV &&
			is_pci(cfg->ports[i].attach.dev))
			return true;
	}
	return false;
}

// Only the PCI devices that the configuration names are opened, when it is their turn; EAL by
// itself would take every one that it has a driver for. A list of allowed devices with nothing but
// the host bridge in it says so, and leaves those that are probed later.
static void
choose_pci(struct eal *a, const struct config *cfg)
{
	if (has(a, "--allow") || has(a, "-a") || has(a, "--block") || has(a, "-b") ||
		has(a, "--no-pci"))
		return;
	if (!uses_pci(cfg)) {
		add(a, "--no-pci");
		return;
	}
	add(a, "-a");
	add(a, "0000:00:00.0");
}

static void
args_free(struct eal *a)
{
	int i;

	for (i = 0; i < a->n; i++)
		free(a->own[i]);
	free(a);
}

static int
choose(struct eal *a, const struct config *cfg, int argc, char **argv, struct sl_log *log,
	struct sl_err *err)
{
	int i;

	add(a, "sluiced");
	for (i = 0; i < cfg->n_eal; i++)
		add(a, cfg->eal[i]);
	for (i = 0; i < argc; i++)
		add(a, argv[i]);
	choose_lcores(a);
	choose_memory(a, cfg, log);
	choose_pci(a, cfg);
	// rte_vhost tells some twenty lines for every guest that comes.
	if (!has(a, "--log-level")) {
		add(a, "--log-level=lib.eal:warning");
		add(a, "--log-level=lib.vhost.*:warning");
		add(a, "--log-level=lib.telemetry:error"); // tells of a socket that nobody has
							   // asked for
	}
	for (i = 0; i < cfg->n_drivers; i++)
		add_driver(a, cfg->drivers[i]);
	if (a->n == ARGS_MAX)
		return sl_err_set(err, E2BIG, "/eal", "more than %d EAL arguments", ARGS_MAX);
	return 0;
}

int
eal_start(const struct config *cfg, int argc, char **argv, struct sl_log *log, struct eal **out,
	struct sl_err *err)
{
	struct eal *a = calloc(1, sizeof(*a));
	int rc = a == NULL ? sl_err_set(err, ENOMEM, NULL, "out of memory")
			   : choose(a, cfg, argc, argv, log, err);

	if (rc == 0 && rte_eal_init(a->n, a->list) < 0)
		rc = sl_err_set(err, rte_errno != 0 ? rte_errno : EINVAL, NULL,
			"DPDK did not start: %s", words_for(rte_errno));
	if (rc != 0 && a != NULL)
		args_free(a);
	else
		*out = a;
	return rc;
}

void
eal_stop(struct eal *eal)
{
	rte_eal_cleanup();
	args_free(eal);
}
