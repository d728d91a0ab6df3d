// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_SLUICECTL_LIVE_H
#define SLUICE_SLUICECTL_LIVE_H

#include <stdbool.h>
#include <termios.h>

// A screen that is drawn again and again until a key ends it: the terminal gives single keys, does
// not wrap lines, and is as before afterwards, also after an interrupt.
// Thread safety: owner thread only.

struct live {
	struct termios before;
	int signals; // SIGINT and SIGTERM, as a descriptor
	unsigned rows;
};

#define LIVE_END -1

bool live_start(struct live *l); // false: this is no terminal
void live_stop(struct live *l);
void live_clear(struct live *l); // and finds out the size again
// A key, 0 when seconds have passed, or LIVE_END.
int live_wait(struct live *l, double seconds);

#endif
