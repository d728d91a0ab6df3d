// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_QOS_SCHED_H
#define SLUICE_QOS_SCHED_H

#include <stdbool.h>
#include <stdint.h>

// The software rings of one target (an output vport) and the scheduler over them.
//
// One bounded ring per class. Classes have a strict level (0 is served first) and within a level a
// weight: deficit round robin by bytes (Shreedhar and Varghese, SIGCOMM 1995). A target that does
// not take its packets fills its own rings only. Holds opaque packets; the caller gives their
// length (a length of 0 counts as 1). Cost: O(1) a packet of up to 2048 bytes, the round of the
// least weight; a longer one takes more rounds of its level. 16 bytes for each packet of depth.
//
// Thread safety: owner thread only (the worker that owns the output queue). No heap after
// qos_sched_new.

#define QOS_CLASSES_MAX 16

struct qos_class_cfg {
	uint8_t level;   // strict: a lower one is served first
	uint16_t weight; // 1 to 1000, share within the level
	uint32_t depth;  // packets that the ring holds, a power of two, 16 to 65536
};

struct qos_class_stats {
	uint64_t enqueued;
	uint64_t dequeued;
	uint64_t full; // not taken
	uint32_t held;
	uint32_t held_max;
};

struct qos_sched;

// n: 1 to QOS_CLASSES_MAX. Returns 0 or -EINVAL, -ENOMEM.
int qos_sched_new(
	const struct qos_class_cfg *classes, uint8_t n, int socket_id, struct qos_sched **out);
void qos_sched_free(struct qos_sched *s); // must be empty

// False when the ring is full: the packet stays the caller's.
bool qos_sched_put(struct qos_sched *s, uint8_t cls, void *pkt, uint32_t len);
// Up to n packets in scheduler order; class of each in cls (may be NULL).
uint16_t qos_sched_get(struct qos_sched *s, void **pkts, uint8_t *cls, uint16_t n);
// Puts back the last `n` packets that qos_sched_get gave out, because the output did not take them;
// same order as given. Only between that get and the next put (asserted). The schedule is then as
// if they had never been given.
void qos_sched_unget(struct qos_sched *s, void *const *pkts, const uint8_t *cls, uint16_t n);
uint32_t qos_sched_held(const struct qos_sched *s);
void qos_sched_class_stats(const struct qos_sched *s, uint8_t cls, struct qos_class_stats *out);

#endif
