// SPDX-License-Identifier: BSD-3-Clause
#include "backend/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/args.h"
#include "backend/capture.h"
#include "backend/mbuf.h"

// Plays a capture (capture.h) with its timing times `speed` (0: as fast as it is asked),
// once or in a loop. Every record is played, whatever its length: what the NIC does not take is
// the NIC's to name. Its clock starts at the first call of rx; when it is asked late or the pool is
// empty, records come late and none is left out. What it is given to transmit is counted and freed.

#define SPEED_MIN 1e-3

struct replay {
	struct emu_backend base;
	struct emu_backend_stats stats;
	struct emu_stash stash;
	struct emu_capture capture;
	double speed;
	bool loop;
	size_t next;       // record
	uint64_t lap_ns;   // due time of this lap's first record, in the capture's time
	uint64_t start_ns; // 0: the clock has not started
};

static bool
replay_finished(struct emu_backend *b)
{
	const struct replay *r = (const struct replay *)b;

	return r->next == r->capture.n;
}

// When the next record is due, by CLOCK_MONOTONIC.
static uint64_t
due_ns(const struct replay *r)
{
	if (r->speed == 0)
		return 0;
	return r->start_ns +
	       (uint64_t)((r->lap_ns + r->capture.records[r->next].due_ns) / r->speed);
}

// Goes on to the next record, and from the last to the first of the next lap: one mean gap later.
static void
advance(struct replay *r)
{
	uint64_t span = r->capture.records[r->next].due_ns;

	if (++r->next < r->capture.n || !r->loop)
		return;
	r->lap_ns += span + (r->capture.n > 1 ? span / (r->capture.n - 1) : 0);
	if (span == 0)
		r->lap_ns += EMU_CAPTURE_GAP_NONE_NS;
	r->next = 0;
}

static uint16_t
replay_rx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct replay *r = (struct replay *)b;
	uint64_t now = emu_now_ns();
	uint16_t given = 0;

	if (r->start_ns == 0)
		r->start_ns = now;
	for (; given < n && !replay_finished(b) && due_ns(r) <= now; given++) {
		const struct emu_record *record = &r->capture.records[r->next];

		pkts[given] = emu_mbuf_make(
			&r->stash, r->capture.data + record->offset, record->held, record->length);
		if (pkts[given] == NULL)
			break;
		advance(r);
	}
	r->stats.rx_packets += given;
	r->stats.rx_bytes += emu_mbuf_bytes(pkts, given);
	return given;
}

static uint16_t
replay_tx(struct emu_backend *b, struct rte_mbuf **pkts, uint16_t n)
{
	struct replay *r = (struct replay *)b;

	r->stats.tx_packets += n;
	r->stats.tx_bytes += emu_mbuf_bytes(pkts, n);
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

static bool
replay_link(struct emu_backend *b)
{
	return true;
}

// A cable takes whole, finished frames only.
static bool
replay_takes_offloads(struct emu_backend *b)
{
	return false;
}

static uint64_t
replay_next_event(struct emu_backend *b)
{
	const struct replay *r = (const struct replay *)b;

	if (replay_finished(b))
		return UINT64_MAX;
	return r->start_ns == 0 ? 0 : due_ns(r);
}

static void
replay_move(struct emu_backend *b, const struct emu_backend_env *env)
{
	emu_stash_move(&((struct replay *)b)->stash, env->pool);
}

static void
replay_land(struct emu_backend *b)
{
	emu_stash_free(&((struct replay *)b)->stash);
}

static void
replay_stats(struct emu_backend *b, struct emu_backend_stats *out)
{
	*out = ((struct replay *)b)->stats;
}

static void
replay_close(struct emu_backend *b)
{
	struct replay *r = (struct replay *)b;

	emu_stash_free(&r->stash);
	emu_capture_free(&r->capture);
	free(r);
}

static int
replay_open(const struct emu_backend_env *env, const char *text, struct emu_backend **out,
	char *why, size_t why_len)
{
	char file[EMU_ARG_TEXT_MAX] = "";
	double speed = 1;
	bool loop = false;
	uint64_t memory_mib = 1024;
	struct emu_arg args[] = {
		{.key = "file",
			.type = EMU_ARG_TEXT,
			.out = file,
			.size = sizeof(file),
			.required = true},
		{.key = "speed", .type = EMU_ARG_REAL, .out = &speed, .lo = 0, .hi = 1e6},
		{.key = "loop", .type = EMU_ARG_BOOL, .out = &loop},
		{.key = "memory", .type = EMU_ARG_UINT, .out = &memory_mib, .lo = 1, .hi = 1 << 20},
	};
	struct emu_capture_limits limits = {.frame_max = emu_mbuf_frame_max(env->pool)};
	struct replay *r;
	int rc;

	rc = emu_args_parse("replay", text, args, RTE_DIM(args), why, why_len);
	if (rc != 0)
		return rc;
	if (speed > 0 && speed < SPEED_MIN) {
		snprintf(why, why_len, "replay: speed=%g is neither 0 nor at least %g", speed,
			SPEED_MIN);
		return -EINVAL;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		snprintf(why, why_len, "replay: no memory");
		return -ENOMEM;
	}
	limits.memory = memory_mib << 20;
	rc = emu_capture_load(file, &limits, &r->capture, why, why_len);
	if (rc != 0) {
		free(r);
		return rc;
	}
	r->base.ops = emu_backend_replay();
	r->stash.of = &r->base;
	r->stash.pool = env->pool;
	r->speed = speed;
	r->loop = loop;
	r->stats.rx_errors = r->capture.damaged;
	*out = &r->base;
	return 0;
}

const struct emu_backend_ops *
emu_backend_replay(void)
{
	static const struct emu_backend_ops ops = {
		.kind = "replay",
		.open = replay_open,
		.close = replay_close,
		.rx = replay_rx,
		.tx = replay_tx,
		.link = replay_link,
		.takes_offloads = replay_takes_offloads,
		.next_event = replay_next_event,
		.move = replay_move,
		.land = replay_land,
		.finished = replay_finished,
		.stats = replay_stats,
	};

	return &ops;
}
