// SPDX-License-Identifier: BSD-3-Clause
// One worker that polls the queues in turn, a burst at a time, and serves the ring after them.
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "queues.h"

#define PACKET 200u // bytes
#define RUN_NS (SL_NS_PER_S / 10)
#define BURST 32
#define PACKETS_MAX 4000000
#define BURST_MAX 16 // packets of a flow that come at once

static const uint32_t COST_NS[OFFLOAD_PATHS] = {90, 130, 35, 30, 0}; // assumed

struct bench_packet {
	uint64_t ns;
	uint8_t flow;
};

static int
earlier(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct fifo {
	const struct bench_packet **at;
	uint32_t head, tail;
};

struct delays {
	struct bench_packet *packets;
	uint32_t n;
	uint64_t *of[OFFLOAD_PATHS];
	uint32_t n_of[OFFLOAD_PATHS];
	struct fifo queue[QUEUES + 1]; // the last one: the ring
};

static int
by_time(const void *a, const void *b)
{
	return earlier(
		&((const struct bench_packet *)a)->ns, &((const struct bench_packet *)b)->ns);
}

// Bursts of packets at random times.
static void
arrivals(const struct bench *b, struct delays *d)
{
	struct sl_rng rng = {.state = 7};
	unsigned i, k;

	for (i = 0; i < FLOWS; i++) {
		uint64_t gap = 8ULL * PACKET * SL_NS_PER_S / b->flow[i].bps, ns = 0;

		while (ns < RUN_NS && d->n + BURST_MAX < PACKETS_MAX) {
			uint32_t burst = 1 + sl_rng_below(&rng, BURST_MAX);

			ns += gap * burst / 2 + sl_rng_below(&rng, (uint32_t)(gap * burst) + 1);
			for (k = 0; k < burst; k++)
				d->packets[d->n++] = (struct bench_packet){ns, (uint8_t)i};
		}
	}
	qsort(d->packets, d->n, sizeof(*d->packets), by_time);
}

static uint64_t
serve(const struct bench *b, struct delays *d, unsigned q, uint64_t now)
{
	struct fifo *f = &d->queue[q];
	unsigned n;

	for (n = 0; n < BURST && f->head < f->tail; n++) {
		const struct bench_packet *p = f->at[f->head++];
		uint8_t path = path_of(&b->flow[p->flow]);

		now += COST_NS[path];
		if (path == OFFLOAD_RING && q != QUEUES) {
			d->queue[QUEUES].at[d->queue[QUEUES].tail++] = p;
			continue;
		}
		d->of[path][d->n_of[path]++] = now - p->ns;
	}
	return now;
}

static void
run_worker(const struct bench *b, struct delays *d)
{
	uint64_t now = 0;
	uint32_t next = 0, done;
	unsigned q;

	for (done = 0; done < d->n; done = d->n_of[0] + d->n_of[1] + d->n_of[2] + d->n_of[3]) {
		for (; next < d->n && d->packets[next].ns <= now; next++) {
			struct fifo *f = &d->queue[queue_of(&b->flow[d->packets[next].flow])];

			f->at[f->tail++] = &d->packets[next];
		}
		now += 50; // an empty loop
		for (q = 0; q <= QUEUES; q++)
			now = serve(b, d, q, now);
	}
}

static bool
delays_init(struct delays *d)
{
	bool ok;
	unsigned i;

	memset(d, 0, sizeof(*d));
	d->packets = calloc(PACKETS_MAX, sizeof(*d->packets));
	ok = d->packets != NULL;
	for (i = 0; i < OFFLOAD_PATHS; i++)
		ok &= (d->of[i] = calloc(PACKETS_MAX, sizeof(uint64_t))) != NULL;
	for (i = 0; i <= QUEUES; i++)
		ok &= (d->queue[i].at = calloc(PACKETS_MAX, sizeof(void *))) != NULL;
	return ok;
}

void
delays_free(struct delays *d)
{
	unsigned i;

	free(d->packets);
	for (i = 0; i < OFFLOAD_PATHS; i++)
		free(d->of[i]);
	for (i = 0; i <= QUEUES; i++)
		free(d->queue[i].at);
	free(d);
}

struct delays *
delays_measure(const struct bench *b)
{
	struct delays *d = malloc(sizeof(*d));
	unsigned i;

	if (d == NULL)
		return NULL;
	if (!delays_init(d)) {
		delays_free(d);
		return NULL;
	}
	arrivals(b, d);
	run_worker(b, d);
	for (i = 0; i < OFFLOAD_PATHS; i++)
		qsort(d->of[i], d->n_of[i], sizeof(uint64_t), earlier);
	return d;
}

double
delays_p99(const struct delays *d, enum offload_path path)
{
	return d->n_of[path] > 0 ? (double)d->of[path][d->n_of[path] / 100 * 99] / 1e3 : -1;
}
