// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_TIMELINE_H
#define SLUICE_CONTROL_TIMELINE_H

#include "state.h"

// Where the time of a switch-over goes: when each of its steps was over, and what control did until
// the last rule was in place. Microseconds from the moment in which the driver told of the failure
// (its event, on its own thread), or control decided on a planned switch-over; 0: not yet.
//
// Control's time is measured as it is spent by anything (control.spent_ns); here the difference
// over the switch-over is taken. What is not on a CPU at all is "waits": for answers, or behind
// other threads of the same CPU.
// Thread safety: owner thread only (control).

enum timeline_step {
	TIMELINE_HEARD,   // control took notice
	TIMELINE_VFS,     // the VMs' VFs have moved (at a failure they go first)
	TIMELINE_STARTED, // the other NIC's ports run
	TIMELINE_PORTS,   // and workers poll them
	TIMELINE_PLANNED, // the shadow table and the brain know
	TIMELINE_FIRST,   // orders of rules are with the executor
	TIMELINE_LAST,    // the last rule was answered
	TIMELINE_STEPS
};

struct timeline {
	uint64_t begun_ns, cpu_ns, driver_ns; // when it began; what was spent by then
	uint64_t spent_ns[CONTROL_SPENT];
	bool over;
	uint32_t at_us[TIMELINE_STEPS];
	uint32_t spent_us[CONTROL_SPENT]; // of control's time by what it was spent on
	uint32_t other_us, waits_us;      // on anything else; not on a CPU
	uint32_t driver_us;               // of the executor's time, in the driver
};

// begun_ns: 0: now.
void timeline_begin(struct control *c, struct timeline *t, uint64_t begun_ns, uint16_t to);
void timeline_mark(struct control *c, struct timeline *t, enum timeline_step step);
// The rules are in place in NIC `to`.
void timeline_end(struct control *c, struct timeline *t, uint16_t to);
const char *timeline_step_name(enum timeline_step step);
const char *timeline_spent_name(enum control_spent what);

#endif
