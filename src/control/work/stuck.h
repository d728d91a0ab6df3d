// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_STUCK_H
#define SLUICE_CONTROL_STUCK_H

#include "state.h"

// Workers that do not go on.
//
// Problem: whatever is taken from workers (a snapshot, a port, a guest's rings) is freed when each
// of them has passed a point between two rounds, and there is no safe way to free it earlier. A
// worker that never gets there, in a driver's call that does not return, would hold control up for
// ever with no word. Idea: a worker that runs counts its rounds, also when it naps. Control looks
// at the counts once a second, from its loop and from every wait for workers, and tells of who has
// not counted on: after 1 s, then each 10 s, and when it goes on. After 60 s there is nothing to be
// hoped for: the process ends (SIGABRT, with a core file where those are kept, which shows where
// that worker is), so that who watches over it can start it again. Time in which the whole process
// stood still (stopped, or its machine) is not counted: a look counts for 2 s at most.
// Thread safety: owner thread only (control).

#define STUCK_END_S 60

// Of a worker that is at its `rounds`th round, ms after the last look.
enum stuck_word { STUCK_NOTHING, STUCK_TELL, STUCK_GOES_ON, STUCK_END };
enum stuck_word stuck_judge(struct stuck *s, uint16_t worker, uint64_t rounds, uint32_t ms);

void stuck_look(struct control *c);

#endif
