// SPDX-License-Identifier: BSD-3-Clause
#include "device/queue_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

static void
take(struct queue_stats *out, const char *name, uint64_t value)
{
	struct queue_count *q;
	unsigned index;
	char dir, what;
	int end = 0;

	// rx_q3_packets, rx_q3_bytes, rx_q3_errors, and nothing that only begins so
	if (sscanf(name, "%cx_q%u_%c%n", &dir, &index, &what, &end) != 3 || end == 0 ||
		index >= DP_QUEUES_MAX || (dir != 'r' && dir != 't'))
		return;
	name += end - 1;
	q = dir == 'r' ? &out->rx[index] : &out->tx[index];
	if (strcmp(name, "packets") == 0)
		q->packets = value;
	else if (strcmp(name, "bytes") == 0)
		q->bytes = value;
	else if (strcmp(name, "errors") == 0)
		q->errors = value;
}

void
queue_stats_read(uint16_t ethdev, struct queue_stats *out)
{
	int i, n = rte_eth_xstats_get_names(ethdev, NULL, 0);
	struct rte_eth_xstat_name *names;
	struct rte_eth_xstat *values;

	memset(out, 0, sizeof(*out));
	if (n <= 0)
		return;
	names = calloc((size_t)n, sizeof(*names));
	values = calloc((size_t)n, sizeof(*values));
	if (names != NULL && values != NULL &&
		rte_eth_xstats_get_names(ethdev, names, (unsigned)n) == n &&
		rte_eth_xstats_get(ethdev, values, (unsigned)n) == n) {
		for (i = 0; i < n; i++)
			take(out, names[values[i].id].name, values[i].value);
	}
	free(names);
	free(values);
}
