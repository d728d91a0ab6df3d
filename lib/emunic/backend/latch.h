// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_BACKEND_LATCH_H
#define EMUNIC_BACKEND_LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// Lets one user (the firmware) work on something that another thread may take away.
//
// The user asks at each burst with enter; the other thread shuts the latch and waits until the user
// is out. Store-then-load in sequentially consistent order on both sides (Dekker's idea), so that
// one of the two always sees the other. Cost: one full barrier a burst.
// Thread safety: enter and leave by the one user; shut and open by any one thread at a time.

struct emu_latch {
	atomic_bool inside;
	atomic_bool shut;
};

static inline bool
emu_latch_enter(struct emu_latch *l)
{
	if (atomic_load_explicit(&l->shut, memory_order_relaxed))
		return false;
	atomic_store(&l->inside, true);
	if (!atomic_load(&l->shut))
		return true;
	atomic_store_explicit(&l->inside, false, memory_order_release);
	return false;
}

static inline void
emu_latch_leave(struct emu_latch *l)
{
	atomic_store_explicit(&l->inside, false, memory_order_release);
}

static inline void
emu_latch_open(struct emu_latch *l)
{
	atomic_store_explicit(&l->shut, false, memory_order_release);
}

// Shuts and waits for the user to be out, at most so many milliseconds. False when it still is in:
// the latch stays shut.
static inline bool
emu_latch_shut(struct emu_latch *l, unsigned int deadline_ms)
{
	const struct timespec nap = {.tv_nsec = 20000};
	struct timespec begin, now;

	atomic_store(&l->shut, true);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (atomic_load(&l->inside)) {
		nanosleep(&nap, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 >=
			(int64_t)deadline_ms)
			return !atomic_load(&l->inside);
	}
	return true;
}

#endif
