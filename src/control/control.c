// SPDX-License-Identifier: BSD-3-Clause
#include "control/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "apply/apply.h"
#include "base/hash.h"
#include "cmd/commands.h"
#include "failover/failover.h"
#include "guest/channels.h"
#include "guest/mailbox.h"
#include "place/hints.h"
#include "work/balance.h"
#include "work/load.h"
#include "work/move.h"
#include "work/stuck.h"
#include "ledger.h"
#include "loop.h"
#include "switch/extensions.h"
#include "switch/macs.h"
#include "switch/meters.h"
#include "place/ahead.h"
#include "place/misses.h"
#include "place/mover.h"
#include "place/offload_run.h"
#include "pending.h"
#include "place/placements.h"
#include "device/ports.h"
#include "publish.h"
#include "switch/rule_book.h"
#include "state.h"

#define JUMBO_MBUFS 255
#define JUMBO_BYTES 9728u // of /switches/N/ports/N/mtu at most, with its headers

int
control_switch_of(const struct control *c, uint16_t id)
{
	uint16_t i;

	for (i = 0; i < c->cfg->n_switches; i++) {
		if (c->cfg->switches[i].id == id)
			return i;
	}
	return -1;
}

// ---- the start list: walked up, and down in mirror

static void
stop_basics(struct control *c)
{
	loads_free(c->loads);
	queue_moves_free(c->moves);
	balancer_free(c->balancer);
	hints_fini(c);
	ledger_fini(c);
	ahead_free(c);
	misses_free(c);
	mover_free(c->mover);
	placements_fini(c);
	macs_fini(c);
	meters_free(c);
	close(c->stop_fd);
	close(c->wake_fd);
}

static int
start_basics(struct control *c, struct sl_err *err)
{
	c->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	c->loads = loads_new();
	c->moves = queue_moves_new();
	c->balancer = balancer_new();
	if (c->stop_fd >= 0 && c->wake_fd >= 0 && c->loads != NULL && c->moves != NULL &&
		c->balancer != NULL && macs_new(c) == 0 && placements_new(c) == 0 &&
		ahead_new(c) == 0 && misses_new(c) == 0 && mover_new(&c->mover) == 0)
		return 0;
	stop_basics(c);
	return sl_err_set(err, ENOMEM, NULL, "out of memory or of file descriptors");
}

// Guests' sockets are mostly beside the control socket, and NICs open theirs before it.
static int
start_directory(struct control *c, struct sl_err *err)
{
	int rc = ctl_socket_directory(c->cfg->socket, err);

	return rc != 0 ? rc : ctl_socket_unused(c->cfg->socket, err);
}

static void
stop_directory(struct control *c)
{
}

static void
stop_pools(struct control *c)
{
	rte_mempool_free(c->copies);
	rte_mempool_free(c->vhost_pool);
	rte_mempool_free(c->jumbo);
}

static int
start_pools(struct control *c, struct sl_err *err)
{
	c->copies = rte_pktmbuf_pool_create(
		"sl-copies", c->cfg->mbufs, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	c->vhost_pool = rte_pktmbuf_pool_create(
		"sl-vhost", c->cfg->mbufs, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	c->jumbo = rte_pktmbuf_pool_create(
		"sl-jumbo", JUMBO_MBUFS, 0, 0, JUMBO_BYTES + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (c->copies != NULL && c->vhost_pool != NULL && c->jumbo != NULL)
		return 0;
	stop_pools(c);
	return sl_err_set(err, ENOMEM, "/datapath/mbufs",
		"no memory for %u packet buffers (more hugepages, or fewer buffers)",
		c->cfg->mbufs);
}

// Every lcore but the main one is a worker.
static int
start_lcores(struct control *c, struct sl_err *err)
{
	unsigned lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (c->n_workers < DP_WORKERS_MAX)
			c->lcore[c->n_workers++] = lcore;
	}
	if (c->n_workers == 0)
		return sl_err_set(err, EINVAL, NULL,
			"there is no worker lcore: give EAL at least two, for example --lcores "
			"'0@0,1@1'");
	return 0;
}

static void
stop_lcores(struct control *c)
{
	c->n_workers = 0;
}

static void
look_for_stuck(void *ctx)
{
	stuck_look(ctx);
}

static int
start_datapath(struct control *c, struct sl_err *err)
{
	struct dp_datapath_cfg cfg = {
		.n_workers = c->n_workers,
		.flows = c->cfg->flows,
		.sleep_after = c->cfg->sleep_after,
		.seed = sl_hash_seed(),
		.copies = c->copies,
		.jumbo = c->jumbo,
		.waits = look_for_stuck,
		.waits_ctx = c,
	};

	memcpy(cfg.lcore, c->lcore, sizeof(cfg.lcore));
	return dp_new(&cfg, &c->dp, err);
}

static void
stop_datapath(struct control *c)
{
	dp_free(c->dp);
	c->dp = NULL;
}

static int
start_offload(struct control *c, struct sl_err *err)
{
	const struct offload_cfg cfg = offload_run_cfg(c->cfg, c->n_workers);

	if (offload_new(&cfg, &c->clock, &c->offload) != 0)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	if (offload_run_policy(c) != 0) {
		offload_free(c->offload);
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	return 0;
}

static void
stop_offload(struct control *c)
{
	offload_free(c->offload);
}

static void
stop_devices(struct control *c)
{
	unsigned i;

	// What the workers still hold for a port ends before the port does.
	dp_free(c->dp);
	c->dp = NULL;
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		struct control_vport *v = &c->vports[i];
		struct dp_port *port = v->used ? ports_detach(c, v) : NULL;

		if (port != NULL)
			ports_close(c, v, port);
	}
	failover_fini(c);
	for (i = CONFIG_NICS_MAX; i-- > 0;)
		nic_close(c->nics[i]);
	publish_fini(c);
	extensions_fini(c);
	for (i = 0; i < DP_SWITCHES_MAX; i++)
		rule_book_free(c->book[i]);
}

static int
start_devices(struct control *c, struct sl_err *err)
{
	int rc = apply_start(c, err);

	if (rc != 0)
		stop_devices(c);
	return rc;
}

static int
start_workers(struct control *c, struct sl_err *err)
{
	int rc = dp_start(c->dp, c->snapshot, err);

	c->running = rc == 0;
	return rc;
}

static void
stop_workers(struct control *c)
{
	struct ledger *l = malloc(sizeof(*l));

	dp_stop(c->dp);
	c->running = false;
	if (l == NULL)
		return;
	ledger_read(c, l, NULL);
	sl_log(c->log, SL_LOG_INFO,
		"at the end: received %" PRIu64 ", originated %" PRIu64 ", copies %" PRIu64
		", sent %" PRIu64 ", consumed %" PRIu64 ", dropped %" PRIu64 ", held %" PRIu64 "%s",
		l->all.received, l->all.originated, l->all.copies, l->all.sent, l->all.consumed,
		l->all.dropped, l->all.held, l->conserved ? "" : " (not conserved)");
	free(l);
}

static int
start_socket(struct control *c, struct sl_err *err)
{
	int rc = commands_bind(&c->commands, err);

	if (rc == 0)
		rc = ctl_server_new(c->commands, c, c->log, &c->server);
	if (rc != 0) {
		free(c->commands);
		return sl_err_set(
			err, rc, NULL, "the control server did not start: %s", strerror(-rc));
	}
	rc = ctl_server_listen(c->server, c->cfg->socket, false, err);
	if (rc == 0 && c->cfg->socket_ro[0] != '\0')
		rc = ctl_server_listen(c->server, c->cfg->socket_ro, true, err);
	if (rc != 0) {
		ctl_server_free(c->server);
		free(c->commands);
	}
	return rc;
}

static int
start_channels(struct control *c, struct sl_err *err)
{
	int rc = channels_new(c);

	if (rc != 0)
		return sl_err_set(err, rc, NULL, "no channels for guests: %s", strerror(-rc));
	rc = channels_apply(c, err);
	if (rc != 0)
		channels_fini(c);
	return rc;
}

static int
start_mailbox(struct control *c, struct sl_err *err)
{
	return mailbox_new(c) == 0 ? 0 : sl_err_set(err, ENOMEM, NULL, "out of memory");
}

static void
stop_socket(struct control *c)
{
	pending_fini(c);
	ctl_server_free(c->server);
	free(c->commands);
}

static const struct {
	const char *name;
	int (*start)(struct control *c, struct sl_err *err);
	void (*stop)(struct control *c);
} steps[] = {
	{"basics", start_basics, stop_basics},
	{"socket directory", start_directory, stop_directory},
	{"packet buffers", start_pools, stop_pools},
	{"lcores", start_lcores, stop_lcores},
	{"offload", start_offload, stop_offload},
	{"datapath", start_datapath, stop_datapath},
	{"devices", start_devices, stop_devices},
	{"workers", start_workers, stop_workers},
	{"control socket", start_socket, stop_socket},
	{"guests' channels", start_channels, channels_fini},
	{"VFs' mailboxes", start_mailbox, mailbox_fini},
};

int
control_new(const struct control_cfg *cfg, struct control **out, struct sl_err *err)
{
	struct control *c = calloc(1, sizeof(*c));
	unsigned i, n = sizeof(steps) / sizeof(steps[0]);
	int rc = 0;

	if (c == NULL) {
		config_free(cfg->config);
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	}
	c->config_path = cfg->config_path;
	c->cfg = cfg->config;
	c->log = cfg->log;
	c->clock = sl_clock_monotonic();
	c->started_ns = sl_now(&c->clock);
	for (i = 0; i < n && rc == 0; i++)
		rc = steps[i].start(c, err);
	if (rc == 0) {
		*out = c;
		return 0;
	}
	for (i--; i-- > 0;)
		steps[i].stop(c);
	config_free(c->cfg);
	free(c);
	return rc;
}

void
control_run(struct control *c)
{
	loop_run(c);
}

void
control_stop(struct control *c)
{
	const uint64_t one = 1;

	atomic_store(&c->stop, true);
	if (write(c->stop_fd, &one, sizeof(one)) < 0)
		return; // it is readable already
}

void
control_reload(struct control *c)
{
	const uint64_t one = 1;

	atomic_store(&c->reload_asked, true);
	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		return; // control is awake already
}

void
control_free(struct control *c)
{
	unsigned i = sizeof(steps) / sizeof(steps[0]);

	while (i-- > 0)
		steps[i].stop(c);
	config_free(c->cfg);
	free(c);
}
