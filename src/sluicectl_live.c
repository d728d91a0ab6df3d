// SPDX-License-Identifier: BSD-3-Clause
#include "sluicectl_live.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ROWS 24 // of a terminal that does not say

bool
live_start(struct live *l)
{
	struct termios raw;
	sigset_t set;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
		tcgetattr(STDIN_FILENO, &l->before) != 0)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC);
	raw = l->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (l->signals < 0 || tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) {
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		return false;
	}
	printf("\033[?25l\033[?7l"); // no cursor, no wrapping
	return true;
}

void
live_stop(struct live *l)
{
	printf("\033[?7h\033[?25h");
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &l->before);
	close(l->signals);
}

void
live_clear(struct live *l)
{
	struct winsize size;

	l->rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row
										  : ROWS;
	printf("\033[H\033[2J");
}

int
live_wait(struct live *l, double seconds)
{
	struct pollfd p[] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = l->signals, .events = POLLIN}};
	unsigned char key;

	fflush(stdout);
	if (poll(p, 2, (int)(seconds * 1000)) <= 0)
		return 0;
	if (p[1].revents != 0 || read(STDIN_FILENO, &key, 1) != 1)
		return LIVE_END;
	return key;
}
