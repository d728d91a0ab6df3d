// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_QOS_BUCKET_H
#define SLUICE_QOS_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

// Token bucket (single rate, RFC 2697 without the excess burst): tokens are bytes, time is a cycle
// counter of hz. Cost: one multiplication a packet. Thread safety: owner thread only.

struct qos_bucket {
	uint64_t tokens;    // in 1/2^16 byte
	uint64_t burst;     // in 1/2^16 byte
	uint64_t per_cycle; // in 1/2^32 of the above
	uint64_t last;      // cycles; ahead of now while a long packet is paid back
};

// rate: bit/s, 1 k to 1 T (brought into that range); burst: bytes, at least one frame (raised to
// 2000 when lower). Full at first.
void qos_bucket_init(
	struct qos_bucket *b, uint64_t rate_bps, uint64_t burst_bytes, uint64_t hz, uint64_t now);
// Takes len bytes if they are there; false: the packet is above the rate. A packet longer than the
// burst (a segmentation offload's) passes when the bucket is full, and what it lacks is paid back
// before the next one. A now that goes back gives no tokens.
bool qos_bucket_take(struct qos_bucket *b, uint32_t len, uint64_t now);

#endif
