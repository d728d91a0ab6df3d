// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_LAPS_H
#define SLUICE_TESTS_LAPS_H

#include <stdint.h>

#include <rte_cycles.h>

// Cycles of a trace that is gone through many times on a machine that does other things too: the
// trace is divided into parts, and the best time of each part counts. A part is long beside the
// cost of reading the clock, and short beside a time slice; the parts before it have filled the
// caches with what a long run would have there. Thread safety: owner thread only.

#define LAPS_PART 1024 // look-ups, a multiple of the burst
#define LAPS_PARTS 128
#define LAPS_MIN 40

struct laps {
	uint32_t parts;
	uint64_t best[LAPS_PARTS];
};

// n look-ups make a lap; what is beyond LAPS_PARTS parts is left out.
static inline struct laps
laps_start(uint32_t n)
{
	struct laps l = {.parts = n / LAPS_PART < LAPS_PARTS ? n / LAPS_PART : LAPS_PARTS};

	for (uint32_t i = 0; i < LAPS_PARTS; i++)
		l.best[i] = UINT64_MAX;
	return l;
}

static inline void
laps_part(struct laps *l, uint32_t part, uint64_t start)
{
	uint64_t cycles = rte_rdtsc_precise() - start;

	if (cycles < l->best[part])
		l->best[part] = cycles;
}

static inline double
laps_cycles(const struct laps *l)
{
	double sum = 0;

	for (uint32_t i = 0; i < l->parts; i++)
		sum += (double)l->best[i];
	return sum / l->parts / LAPS_PART;
}

#endif
