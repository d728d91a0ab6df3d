// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_STATE_H
#define SLUICE_CONTROL_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/idpool.h"
#include "base/log.h"
#include "config/config.h"
#include "ctl/server.h"
#include "datapath/mac.h"
#include "datapath/meter.h"
#include "datapath/snapshot.h"
#include "datapath/worker.h"
#include "nic/nic.h"
#include "offload/offload.h"
#include "rules/rules.h"

// The one struct that everything of control hangs off. Each part is written by the file that is
// named behind it. Thread safety: owner thread only (control).

struct mac_learner;    // macs.h
struct ahead;          // ahead.h
struct meters;         // switch/meters.h
struct misses;         // place/misses.h
struct class_groups;   // place/class_engine.h
struct placements;     // placements.h
struct mover;          // mover.h
struct mailbox;        // mailbox.h
struct rule_book;      // rule_book.h
struct pending;        // pending.h
struct ledger_base;    // ledger.c
struct extension_book; // extensions.h
struct failover;       // failover.h
struct evict;          // evict.h
struct restart;        // restart.h
struct queue_moves;    // work/move.h
struct balancer;       // work/balance.h

struct control_vport {
	struct config_port cfg;
	bool used;
	bool told_up;         // the link, as the log knows it
	bool told_broken;     // likewise, its guest's rings
	bool told_stranger;   // likewise, that another guest came, while this one is there
	uint64_t strangers;   // of the port, as of the last look
	struct dp_port *port; // what carries it, NULL: nothing
	// What carried it before, on the NIC that it left: packets still come by it, none goes
	// there (failover/carry.c). NULL: nothing.
	struct dp_port *leaving;
	char dev_name[128];         // of an ethdev attachment that we probed
	struct ethdev_result setup; // of an ethdev attachment
	bool owns_ethdev;
};

// What a vport carried over NICs: the NICs count it at the outer edge.
struct control_inner {
	bool on_nic;
	uint64_t received, delivered;           // over NICs, before its attachment of now
	uint64_t base_received, base_delivered; // its counters when that one was opened
};

// What NICs carried for a vport with no host in between, as far as their rules' counters are read.
struct control_eswitch {
	uint64_t rx_packets, rx_bytes; // from it
	uint64_t tx_packets, tx_bytes; // to it
};

// What control's time on its CPU goes to while flows are placed (offload_run.c).
enum control_spent {
	CONTROL_REPORTS, // of workers
	CONTROL_PLAN,    // the brain's rounds
	CONTROL_ORDERS,  // making rules of its orders
	CONTROL_ANSWERS, // of the NICs' executors
	CONTROL_SPENT
};

// Rounds of workers, as last looked at (work/stuck.h).
struct stuck {
	uint64_t look_ns; // the last one
	struct {
		uint64_t rounds;
		uint32_t ms; // without another one
	} worker[DP_WORKERS_MAX];
};

struct control {
	const char *config_path;
	struct config *cfg; // in force (apply.c)
	struct sl_log *log;
	struct sl_clock clock;
	uint64_t started_ns;
	int stop_fd, wake_fd; // eventfds: end; a NIC has answered
	atomic_bool stop, reload_asked;

	uint16_t n_workers;
	unsigned lcore[DP_WORKERS_MAX];
	struct rte_mempool *copies; // for floods and segments
	struct rte_mempool *jumbo;  // for large frames in one piece
	struct rte_mempool *vhost_pool;
	struct dp_datapath *dp;
	const struct dp_snapshot *snapshot; // in force (publish.c)
	uint32_t gen;

	struct nic *nics[CONFIG_NICS_MAX];
	struct control_vport vports[DP_VPORTS_MAX];    // by id (ports.c)
	struct control_inner inner[DP_VPORTS_MAX];     // by id (ledger.c)
	struct control_eswitch eswitch[DP_VPORTS_MAX]; // by id (placements.c)
	struct ledger_base *base[DP_VPORTS_MAX];       // likewise; NULL: 0
	struct dp_port *ports[DP_PORTS_MAX];           // by index (ports.c)

	struct rule_book *book[DP_SWITCHES_MAX]; // by index in cfg->switches (rule_book.c)
	struct rules_set *set[DP_SWITCHES_MAX];  // committed (publish.c)
	bool rules_dirty[DP_SWITCHES_MAX];
	struct extension_book *extensions; // (extensions.c)
	struct mac_learner *macs;          // (macs.c)
	struct meters *meters;             // (switch/meters.c)
	struct offload *offload;
	struct ahead *ahead;            // (place/ahead.c)
	struct misses *misses;          // (place/misses.c)
	struct class_groups *groups;    // (place/class_engine.c); NULL: none yet
	struct placements *placements;  // (placements.c)
	struct mover *mover;            // (mover.c)
	struct failover *failover;      // (failover/failover.c); NULL: no NIC has a standby
	struct evict *evict;            // (failover/evict.c)
	struct restart *restart;        // (failover/restart.c); NULL: none so far
	struct channels *channels;      // (guest/channels.c)
	struct mailbox *mailbox;        // (guest/mailbox.c)
	struct hint_list *hints;        // (hints.c)
	struct stuck stuck;             // (work/stuck.c)
	struct loads *loads;            // (work/load.c)
	struct queue_moves *moves;      // (work/move.c)
	struct balancer *balancer;      // (work/balance.c)
	uint32_t resizes;               // of the workers' caches, so far (work/resize.c)
	uint64_t resize_ns;             // when the one under way began, 0: none is
	bool counting[CONFIG_NICS_MAX]; // a count job is with the NIC's executor (offload_run.c)
	uint64_t next_count_ns, next_mac_publish_ns, next_link_ns;
	uint64_t spent_ns[CONTROL_SPENT];
	uint64_t placing_ns; // workers or the brain had something to say last (offload_run.c)

	struct ctl_command *commands;
	struct ctl_server *server;
	struct pending *pending; // calls that are answered later (pending.c)
	bool running;            // the workers run
	bool tracing;            // a live trace is on (cmd_trace.c)
	bool shutdown_asked;
};

// Index of the switch with that id, -1: none.
int control_switch_of(const struct control *c, uint16_t id);

#endif
