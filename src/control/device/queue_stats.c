// SPDX-License-Identifier: BSD-3-Clause
#include "device/queue_stats.h"

#include <stdio.h>
#include <string.h>

#include "device/xstats.h"

static void
take(void *ctx, const char *name, uint64_t value)
{
	struct queue_stats *out = ctx;
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
	memset(out, 0, sizeof(*out));
	xstats_each(ethdev, take, out);
}
