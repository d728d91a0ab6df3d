// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_SNAPSHOT_H
#define SLUICE_DATAPATH_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/limits.h"
#include "datapath/port.h"
#include "datapath/program.h"
#include "flow/key.h"
#include "flow/tunnel.h"
#include "rules/rules.h"

// The one immutable thing that control publishes and workers read: who polls what, what belongs to
// whom, which rules hold. Counters and meters that it points to are written by their owners; all
// else is constant. Thread safety: one writer, many readers under RCU (rte_rcu_qsbr; a worker
// reports a quiescent state once per loop).

struct dp_mac_table; // datapath/mac.h
struct dp_meter;     // datapath/meter.h
struct ext;          // ext/loader.h
struct ext_chain;    // ext/chain.h
struct dp_tags;      // datapath/tag.h

enum dp_vlan_mode { DP_VLAN_TRUNK, DP_VLAN_ACCESS, DP_VLAN_NATIVE }; // as enum config_vlan_mode

// Places as the packet path counts them, as enum offload_path.
enum dp_path {
	DP_PATH_SOFTWARE,
	DP_PATH_RING,
	DP_PATH_SHARED_QUEUE,
	DP_PATH_EXCLUSIVE_QUEUE,
	DP_PATH_ESWITCH,
	DP_PATHS
};

struct dp_vport {
	uint16_t id;
	uint16_t sw;           // index of its switch in snapshot.sw
	uint16_t vm;           // DP_NONE: none
	struct dp_port *port;  // what carries it now, NULL: nothing
	uint8_t vlan_mode;     // enum dp_vlan_mode
	uint16_t vlan;         // access or native VID
	const uint64_t *trunk; // 4096 bits of allowed VIDs, NULL: all
	bool mac_check, ip_check;
	uint8_t n_macs, n_ips;
	const uint8_t (*macs)[6];
	const struct dp_ip_prefix {
		uint8_t addr[16];
		uint8_t l3, prefix;
	} * ips;
	uint16_t mtu;               // longest IP packet, 0: no limit
	uint32_t storm_pps;         // 0: no limit
	struct dp_meter *meter;     // of what comes in by it, NULL: no limit
	struct dp_meter *vm_meter;  // of what its VM sends in all
	const struct dp_tags *tags; // of misses that its guest passes on, NULL: none
};

struct dp_switch {
	uint16_t id;
	uint32_t fields; // FLOW_FIELD_* that any rule reads: those that the parser takes out of
			 // packets
	const struct rules_set *rules;
	const struct dp_mac_table *macs;
	struct dp_meter *meters; // [max_rules], for rules with a rate; shared by the workers
	uint32_t max_rules;      // size of each worker's rule counters
	uint16_t n_vports;
	const uint16_t *vports;      // members, for floods
	const struct ext_chain *ext; // NULL: there is no extension
	uint16_t asks;               // RULES_ASK_* that any rule asks
	// By RULES_ASK_EXTENSION; NULL: not bound, and matches nothing. Where inner.asked it is no
	// extension that is asked, but the inside of tunnels.
	struct ext *matchers[RULES_ASK_EXTENSIONS];
	struct flow_inner_match inner[RULES_ASK_EXTENSIONS];
};

// What a MARK stands for. Immutable; control replaces the pointer of a slot (release) and frees the
// old one after a grace period, so that a lane changes without a new snapshot.
struct dp_lane {
	// The first two words are looked at as such (classify/lane.c).
	uint32_t gen;    // of the mark; another one is stale
	uint16_t sw;     // index of the switch, for the rule counters
	uint16_t origin; // vport
	// Of this lane, never 0: a worker remembers which one's old way it saw empty.
	uint32_t version;
	uint8_t path; // enum dp_path, for path_packets
	// The flow was on the ring: goes on through it until it was seen empty once.
	bool was_ring;
	// It was sent by the transmit queue of `before`: goes on by it until that was idle once.
	bool moved;
	uint8_t reserved; // 0
	struct dp_program program;
	const struct flow_actions *actions; // GENERAL
	struct dp_program before;
};

enum dp_rxq_kind {
	DP_RXQ_DEFAULT,  // RSS: parse and look up
	DP_RXQ_ASSIGNED, // its packets carry MARKs of lanes; one without a live lane is treated as
			 // default
};

struct dp_rxq {
	struct dp_port *port;
	uint16_t queue;
	uint8_t kind; // enum dp_rxq_kind
};

// A receive queue on its way from one worker to another, so that no packet of a flow is overtaken.
//
// The snapshot that has it is the first in which `to` has the queue in its plan, and `from` has
// not. `to` leaves the queue alone until `from` said that nothing that it took from it is on its
// way any more: not with a worker that it was handed to, not in a ring (where `rings` asks for
// that), not in a transmit queue of its own, as far as the device tells. Nobody polls the queue
// meanwhile: some loops. Control may call it off as long as it waits. Thread safety: state: each of
// the three.
enum dp_takeover_state { DP_TAKEOVER_WAITS, DP_TAKEOVER_LEFT, DP_TAKEOVER_OFF };

struct dp_takeover {
	uint64_t number; // of all
	const struct dp_port *port;
	uint16_t queue;
	uint8_t from, to;
	bool rings;
	_Atomic uint32_t state;    // enum dp_takeover_state
	_Atomic uint32_t asked;    // `from` handed packets through others: they shall look too
	_Atomic uint32_t answered; // so many of them have sent what they had
	_Atomic uint64_t begun;    // cycles: `from` does not poll it any more; 0: not yet
	_Atomic uint64_t ended;    // `to` polls it; 0: not yet
};

struct dp_worker_plan {
	uint16_t n_rxq;
	const struct dp_rxq *rxq;
};

struct dp_snapshot {
	uint32_t gen; // of everything that a decision depends on: rules, ports, MACs
	uint16_t n_vports, n_switches, n_workers;
	uint8_t n_classes;
	struct dp_meter *const *class_meters; // [n_classes], each NULL: no limit; NULL: no limits
	const struct dp_vport *vport[DP_VPORTS_MAX]; // by id, NULL: none
	struct dp_switch sw[DP_SWITCHES_MAX];
	const struct dp_lane *_Atomic *lanes; // [DP_LANES_MAX], NULL: not live
	struct dp_worker_plan plan[DP_WORKERS_MAX];
	struct dp_takeover *takeover; // NULL: none is under way
	uint32_t idle_ticks;          // software flows idle for longer leave the cache
	uint32_t insert_tokens;       // of a full cache and a tick (cache_budget); 0: no limit
	uint32_t tx_hold_us;  // a worker gathers packets for so long (out/tx.h); 0: for one poll
	uint32_t report_rate; // decayed bytes from which on a flow is reported: dp_report_rate(bps)
};

#endif
