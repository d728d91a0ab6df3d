// SPDX-License-Identifier: BSD-3-Clause
#include "loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_common.h>

#include "apply/apply.h"
#include "apply/reload.h"
#include "failover/failover.h"
#include "guest/channels.h"
#include "guest/mailbox.h"
#include "place/misses.h"
#include "place/offload_run.h"
#include "pending.h"
#include "publish.h"
#include "switch/extensions.h"
#include "work/balance.h"
#include "work/load.h"
#include "work/move.h"
#include "work/resize.h"
#include "work/stuck.h"

#define MESSAGES_AT_ONCE 64
#define LINK_POLL_NS (200 * SL_NS_PER_MS)
#define MAC_PUBLISH_NS (5 * SL_NS_PER_MS)

static void
drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		;
}

static void
tell_link(struct control *c, struct control_vport *v)
{
	const bool up = v->port != NULL && v->port->ops->link(v->port);

	if (up == v->told_up)
		return;
	v->told_up = up;
	sl_log(c->log, SL_LOG_INFO, "port %s is %s", v->cfg.name,
		up                ? "up"
		: v->port == NULL ? "detached"
				  : "down");
}

// What goes wrong at a guest's rings and socket, once; the counters go on.
static void
tell_guest(struct control *c, struct control_vport *v)
{
	struct dp_vhost_rings rings;

	if (v->port == NULL || !dp_port_vhost_rings(v->port, &rings))
		memset(&rings, 0, sizeof(rings));
	if (rings.broken != 0 && !v->told_broken)
		sl_log(c->log, SL_LOG_WARN,
			"port %s: ring %u (%s the guest) is broken, and rests until the guest "
			"resets its device: %s",
			v->cfg.name, rings.first, rings.first % 2 == 0 ? "to" : "from", rings.why);
	else if (rings.broken == 0 && v->told_broken)
		sl_log(c->log, SL_LOG_INFO, "port %s: no ring of its guest is broken any more",
			v->cfg.name);
	v->told_broken = rings.broken != 0;
	if (rings.strangers > v->strangers && !v->told_stranger) {
		v->told_stranger = true;
		sl_log(c->log, SL_LOG_WARN,
			"port %s: another guest at its socket waits until this one has left",
			v->cfg.name);
	}
	v->told_stranger = v->told_stranger && rings.guest;
	v->strangers = rings.strangers;
}

// Devices without a link interrupt are asked; the packet path reads the answer.
static void
poll_links(struct control *c)
{
	unsigned i;

	for (i = 0; i < DP_PORTS_MAX; i++) {
		if (c->ports[i] != NULL)
			dp_port_poll_link(c->ports[i]);
	}
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (!c->vports[i].used)
			continue;
		tell_link(c, &c->vports[i]);
		tell_guest(c, &c->vports[i]);
	}
}

void
loop_tick(struct control *c)
{
	uint64_t now = sl_now(&c->clock), took;

	if (now >= c->next_link_ns) {
		c->next_link_ns = now + LINK_POLL_NS;
		poll_links(c);
	}

	// What workers learned is in force from here; decisions that placed flows rest on are
	// looked at again.
	if (offload_run_events(c) && now >= c->next_mac_publish_ns) {
		if (publish(c, true) == 0)
			offload_run_redecide(c);
		// Looking at all known flows takes its time: a flood of new addresses may have a
		// fifth of control's.
		took = sl_now(&c->clock) - now;
		c->next_mac_publish_ns = now + took + RTE_MAX(MAC_PUBLISH_NS, 4 * took);
	}
	if (extensions_ask_again(c) && apply_decisions(c) != 0)
		sl_log(c->log, SL_LOG_ERR,
			"out of memory: what extensions changed comes into force with the next "
			"change");
	offload_run_answers(c);
	failover_run(c);
	misses_run(c);
	offload_run_tick(c);
	queue_moves_run(c);
	resize_run(c);
	balancer_tick(c);
	loads_tick(c);
	stuck_look(c);
	pending_run(c);
}

// Waits at most ns. Linux before 5.11 knows whole milliseconds only.
static int
wait_events(int ep, struct epoll_event *ev, int max, uint64_t ns)
{
	struct timespec wait = {
		.tv_sec = (time_t)(ns / SL_NS_PER_S), .tv_nsec = (long)(ns % SL_NS_PER_S)};
	int n = epoll_pwait2(ep, ev, max, &wait, NULL);

	if (n < 0 && errno == ENOSYS)
		n = epoll_wait(ep, ev, max, (int)((ns + SL_NS_PER_MS - 1) / SL_NS_PER_MS));
	return n;
}

void
loop_run(struct control *c)
{
	const int fds[] = {c->stop_fd, c->wake_fd, ctl_server_fd(c->server), channels_fd(c)};
	int ep = epoll_create1(EPOLL_CLOEXEC), n, i;
	struct epoll_event ev[RTE_DIM(fds)];
	uint64_t next = 0, now;

	if (ep < 0) {
		sl_log(c->log, SL_LOG_ERR, "epoll: %s", strerror(errno));
		return;
	}
	for (i = 0; i < (int)RTE_DIM(fds); i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[i]};

		if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e) != 0)
			sl_log(c->log, SL_LOG_ERR, "epoll: %s", strerror(errno));
	}
	while (!atomic_load(&c->stop) && !c->shutdown_asked) {
		now = sl_now(&c->clock);
		n = wait_events(ep, ev, RTE_DIM(ev), next > now ? next - now : 0);
		for (i = 0; i < n; i++) {
			if (ev[i].data.fd == c->wake_fd) {
				drain(c->wake_fd);
				offload_run_answers(c);
				failover_run(c);
			}
		}
		ctl_server_poll(c->server, MESSAGES_AT_ONCE);
		channels_poll(c);
		mailbox_poll(c);
		reload_when_asked(c);
		now = sl_now(&c->clock);
		if (now >= next) {
			loop_tick(c);
			next = now + offload_run_pause(c);
		}
	}
	// The answer to `shutdown` goes out before the socket closes (ctl_server_free sends what is
	// left).
	close(ep);
}
