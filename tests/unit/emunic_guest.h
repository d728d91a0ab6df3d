// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_EMUNIC_GUEST_H
#define SLUICE_TESTS_EMUNIC_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// A guest that we did not write: Debian's dpdk-testpmd with a virtio-user port on a vhost-user
// socket. It answers each packet (macswap) until it is killed; its standard input takes testpmd's
// commands. Thread-safety: owner thread only.

#define GUEST_ARGS 48

struct guest {
	pid_t pid; // 0: does not run
	int in;
	char log[40];
};

static inline int
guest_is_there(void)
{
	return system("command -v dpdk-testpmd >/dev/null 2>&1") == 0;
}

// vdev: its arguments after the name; more: further testpmd options, ended by NULL, or NULL.
static inline void
guest_start(struct guest *g, const char *vdev, const char *const *more)
{
	char port[256];
	const char *argv[GUEST_ARGS] = {"stdbuf", "-oL", "dpdk-testpmd", "--no-huge", "-m256",
		"--no-pci", "--no-shconf", "--no-telemetry", "--lcores=0@0,1@0", "--vdev", port,
		"--", "--no-mlockall", "--total-num-mbufs=4096", "--no-flush-rx", "-i"};
	int pipes[2], log, argc = 16;

	snprintf(port, sizeof(port), "net_virtio_user0,%s", vdev);
	while (more != NULL && *more != NULL && argc < GUEST_ARGS - 1)
		argv[argc++] = *more++;
	snprintf(g->log, sizeof(g->log), "/tmp/emunic_guest_XXXXXX");
	log = mkstemp(g->log);
	if (log < 0 || pipe2(pipes, O_CLOEXEC) != 0)
		abort();
	g->pid = fork();
	if (g->pid == 0) {
		dup2(pipes[0], 0);
		dup2(log, 1);
		dup2(log, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(pipes[0]);
	close(log);
	g->in = pipes[1];
}

static inline void
guest_say(struct guest *g, const char *commands)
{
	ssize_t len = strlen(commands);

	if (write(g->in, commands, len) != len)
		fprintf(stderr, "the guest does not listen\n");
}

static inline void
guest_kill(struct guest *g)
{
	if (g->pid == 0)
		return;
	kill(g->pid, SIGKILL);
	waitpid(g->pid, NULL, 0);
	close(g->in);
	unlink(g->log);
	g->pid = 0;
}

// What the guest said, for a failure's report.
static inline void
guest_show(const struct guest *g)
{
	char line[300];
	FILE *in = fopen(g->log, "r");

	while (in != NULL && fgets(line, sizeof(line), in) != NULL)
		fprintf(stderr, "guest: %s", line);
	if (in != NULL)
		fclose(in);
}

#endif
