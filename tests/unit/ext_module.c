// SPDX-License-Identifier: BSD-3-Clause
// Extensions for the tests: one that does what its arguments say, and, by VARIANT, ones that are
// wrong. Thread safety: as ext/abi.h says.
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ext/abi.h"

#define GOOD 0
#define OTHER_ABI 1
#define NO_SYMBOL 2
#define NO_BURST 3
#define SMALL 4
#define GIVES_NOTHING 5

#if VARIANT == NO_SYMBOL

int ext_module_nothing(void);

int
ext_module_nothing(void)
{
	return 0;
}

#else

struct module {
	const struct sluice_ext_host *host;
	unsigned say;       // of flows from port 0 on; others pass
	int only_out;       // -1: any
	uint8_t drop_below; // packets whose last byte is below it are dropped
	_Atomic bool quiet; // says pass from now on
	_Atomic uint64_t asked;
	FILE *log; // "order": each call of burst writes the letter
	char letter;
};

struct worker {
	uint64_t packets;
	uint64_t bursts;
};

static enum sluice_ext_verdict
module_flow(void *self, const struct sluice_ext_flow *flow)
{
	struct module *m = self;

	atomic_fetch_add(&m->asked, 1);
	if (atomic_load(&m->quiet) || (m->only_out >= 0 && flow->out != m->only_out))
		return SLUICE_EXT_PASS;
	return (enum sluice_ext_verdict)m->say;
}

static void
module_burst(void *self, void *worker, struct sluice_ext_packet *pkts, unsigned n)
{
	struct module *m = self;
	struct worker *w = worker;
	unsigned i;

	w->packets += n;
	w->bursts++;
	for (i = 0; i < n; i++) {
		if (pkts[i].payload == 0 || pkts[i].payload > pkts[i].len ||
			pkts[i].len > pkts[i].total || pkts[i].data[0] == 0xee)
			abort();
		if (pkts[i].data[pkts[i].len - 1] < m->drop_below)
			pkts[i].verdict =
				m->host->at == SLUICE_EXT_MATCH ? SLUICE_EXT_HIT : SLUICE_EXT_DROP;
		if (pkts[i].data[pkts[i].len - 1] == 200) {
			atomic_store(&m->quiet, true);
			m->host->ask_again(m->host->ctx);
		}
	}
	if (m->log != NULL) {
		fputc(m->letter, m->log);
		fflush(m->log);
	}
}

static int
module_init(const struct sluice_ext_host *host, const struct sluice_ext_arg *args, unsigned n_args,
	void **self, char *why, size_t why_len)
{
	static const char *const words[] = {"pass", "drop", "see", "copy", "hit", "nonsense"};
	struct module *m = calloc(1, sizeof(*m));
	unsigned i, k;

	if (m == NULL)
		return -ENOMEM;
	m->host = host;
	m->only_out = -1;
	for (i = 0; i < n_args; i++) {
		if (strcmp(args[i].name, "say") == 0) {
			for (k = 0; k < 6; k++)
				if (strcmp(words[k], args[i].value) == 0)
					m->say = k;
		} else if (strcmp(args[i].name, "out") == 0) {
			m->only_out = atoi(args[i].value);
		} else if (strcmp(args[i].name, "drop_below") == 0) {
			m->drop_below = (uint8_t)atoi(args[i].value);
		} else if (strcmp(args[i].name, "log") == 0) {
			m->letter = args[i].value[0];
			m->log = fopen(args[i].value + 1, "ae");
		} else {
			snprintf(why, why_len, "no argument %s", args[i].name);
			free(m);
			return -EINVAL;
		}
	}
	*self = m;
	return 0;
}

static void
module_fini(void *self)
{
	struct module *m = self;

	if (m->log != NULL)
		fclose(m->log);
	free(m);
}

static unsigned
module_counters(void *self, void *const *worker, unsigned workers, struct sluice_ext_counter *out,
	unsigned max)
{
	struct module *m = self;
	unsigned i;

	(void)max;
	memset(out[0].name, 'x', sizeof(out[0].name)); // no end
	out[0].value = atomic_load(&m->asked);
	snprintf(out[1].name, sizeof(out[1].name), "a b\n");
	for (i = 0; i < workers; i++) {
		out[1].value += ((const struct worker *)worker[i])->packets;
		out[2].value += ((const struct worker *)worker[i])->bursts;
	}
	snprintf(out[2].name, sizeof(out[2].name), "bursts");
	return 1000; // more than there is room for
}

const struct sluice_extension *
sluice_extension(void)
{
	static const struct sluice_extension module = {
		.abi = SLUICE_EXT_ABI + (VARIANT == OTHER_ABI),
		.size = VARIANT == SMALL ? 16 : sizeof(struct sluice_extension),
		.name = "module",
		.version = "7",
		.points = 1u << SLUICE_EXT_INGRESS | 1u << SLUICE_EXT_EGRESS |
			  (VARIANT == GOOD) << SLUICE_EXT_MONITOR |
			  (VARIANT == GOOD) << SLUICE_EXT_MATCH,
		.match_bytes = 128,
		.worker_bytes = sizeof(struct worker),
		.init = module_init,
		.fini = module_fini,
		.flow = module_flow,
		.burst = VARIANT == NO_BURST ? NULL : module_burst,
		.counters = module_counters,
	};

	return VARIANT == GIVES_NOTHING ? NULL : &module;
}

#endif
