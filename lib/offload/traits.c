// SPDX-License-Identifier: BSD-3-Clause
// Decayed rates, and what an entry for a flow is worth.
//
// A flow keeps, for each of some half-lives, the sum of its bytes, each weighed by how often the
// half-life has passed since; sum * ln 2 / half-life is its rate on that scale. What a flow will
// send soon is best guessed from the scale on which it is busiest: the short one for a flow that
// has just become busy, the long ones for a flow that sends a little again and again. Three things
// keep the maximum over the scales honest: few packets prove little, a young flow's long sums are
// taken for its age, and silence that is long for this flow says that it has ended. What flows of
// its kind have brought after so few packets (expect.c) lowers it further.
//
// Flows on no NIC, which are told once a second only, have rates to be shown: the bytes of a report
// are spread over the time since the one before, and a rate holds until the next one is due.
#include <math.h>

#include "internal.h"

#define YOUNG_NS (100 * SL_NS_PER_MS)
#define LATE_GAPS 8.0
#define FAR_NS (1200 * SL_NS_PER_MS) // a worker tells of a flow on no NIC at least so often

static const double half_s[OF_SCALES] = {OF_FAST_S, 1.0, OF_SLOW_S, 60.0, 600.0};

// By how much each sum has fallen. One exponential and some products: each half-life is a multiple
// of the one before.
static void
decays(uint64_t from, uint64_t to, double *d)
{
	double x = to > from ? exp2(-(double)(to - from) / 1e9 / half_s[OF_SCALES - 1]) : 1.0, y;

	d[4] = x; // 600 s
	y = x * x;
	d[3] = x = y * y * y * y * y; // 60 s
	y = x * x;
	y *= y;
	d[2] = x = y * y * y; // 5 s
	y = x * x;
	d[1] = x = y * y * x; // 1 s
	y = x * x;
	d[0] = y * y * x; // 0.2 s
}

// Nobody competes for anything with it, so it is told once a second.
static bool
far(const struct of_flow *f)
{
	return f->d.in.nic == OFFLOAD_NONE && f->d.out.nic == OFFLOAD_NONE;
}

// What a byte weighs that came at any time between, when the sum has fallen by d since.
static double
spread(uint64_t from, uint64_t to, double half, double d)
{
	return to > from ? (1 - d) / (M_LN2 / half * ((double)(to - from) / 1e9)) : 1;
}

void
offload_traits_add(
	struct offload *o, struct of_flow *f, uint64_t now, uint32_t packets, uint64_t bytes)
{
	double d[OF_SCALES];
	int i;

	decays(f->rate_ns, now, d);
	for (i = 0; i < OF_SCALES; i++) {
		double weight = far(f) ? spread(f->rate_ns, now, half_s[i], d[i]) : 1;

		f->sum[i] = f->sum[i] * d[i] + (double)bytes * weight;
	}
	f->all_packets += packets;
	f->all_bytes += bytes;
	if (packets)
		offload_kind_seen(o, f, bytes);
	f->rate_ns = now;
	if (packets)
		f->last_ns = now;
}

// Bytes a second.
static double
rate(const struct of_flow *f, uint64_t now, int scale)
{
	double d[OF_SCALES];

	if (far(f) && now - f->rate_ns < FAR_NS)
		now = f->rate_ns; // as it was told
	decays(f->rate_ns, now, d);
	return f->sum[scale] * d[scale] * M_LN2 / half_s[scale];
}

static uint64_t
bits(double bytes)
{
	return bytes < 1e17 ? (uint64_t)(bytes * 8) : (uint64_t)1e18;
}

uint64_t
offload_rate_fast(const struct of_flow *f, uint64_t now)
{
	return bits(rate(f, now, OF_FAST));
}

uint64_t
offload_rate_slow(const struct of_flow *f, uint64_t now)
{
	return bits(rate(f, now, OF_SLOW));
}

uint64_t
offload_rate(const struct of_flow *f, uint64_t now)
{
	uint64_t fast = offload_rate_fast(f, now), slow = offload_rate_slow(f, now);

	return fast > slow ? fast : slow;
}

// An estimate from n packets is off by about 1 / sqrt(n) of itself: that much is taken off, so that
// one packet does not beat a flow that is known.
static double
sure(double n)
{
	return 1 - 1 / sqrt(1 + n);
}

double
offload_brings(const struct offload *o, const struct of_flow *f, uint64_t now)
{
	double d[OF_SCALES], a[OF_SCALES], most = 0, packet, late;
	int i;

	if (f->all_packets == 0)
		return f->expected ? offload_expect_worth(f, now) : 0;
	decays(f->rate_ns, now, d);
	// A young flow's sums have not seen a whole half-life: they are taken for what they have.
	decays(f->first_ns, now + YOUNG_NS, a);
	packet = (double)f->all_bytes / (double)f->all_packets;
	for (i = 0; i < OF_SCALES; i++) {
		double sum = f->sum[i] * d[i];
		double r = sum * M_LN2 / half_s[i] / (1 - a[i]) * sure(sum / packet);

		if (r > most)
			most = r;
	}
	if (most <= 0)
		return 0;
	// Silent for much longer than its packets are apart: it has probably ended.
	late = (double)(now - f->last_ns) / 1e9 * most / packet / LATE_GAPS;
	return most * offload_kind_promise(o, f) / (1 + late * late);
}

double
offload_worth(const struct offload *o, const struct of_flow *f, uint64_t now)
{
	const double most = offload_brings(o, f, now);

	if (f->all_packets == 0) // nobody has asked for it yet
		return most;
	return f->hint > 0 ? most * OF_HINT_FACTOR : f->hint < 0 ? most / OF_HINT_FACTOR : most;
}
