// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_QOS_ACCOUNT_H
#define SLUICE_QOS_ACCOUNT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

// Memory account of one target as one worker sees it: a packet is charged from classification until
// it is freed or the transmit side took it. A packet may be charged by one worker and released by
// another, so a single worker's difference means nothing; the sum over the workers is what the
// target holds. Thread safety: written by its owner thread only, read by any (relaxed).

struct qos_account {
	alignas(64) _Atomic uint64_t charged_packets;
	_Atomic uint64_t charged_bytes; // of buffer memory
	_Atomic uint64_t released_packets;
	_Atomic uint64_t released_bytes;
};

static inline void
qos_account_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline void
qos_account_charge(struct qos_account *a, uint32_t packets, uint64_t bytes)
{
	qos_account_add(&a->charged_packets, packets);
	qos_account_add(&a->charged_bytes, bytes);
}

static inline void
qos_account_release(struct qos_account *a, uint32_t packets, uint64_t bytes)
{
	qos_account_add(&a->released_packets, packets);
	qos_account_add(&a->released_bytes, bytes);
}

struct qos_held {
	int64_t packets;
	int64_t bytes;
};

// What n accounts (one per worker) of a target hold together.
struct qos_held qos_account_held(const struct qos_account *const *accounts, unsigned n);

#endif
