// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_OFFLOAD_H
#define SLUICE_OFFLOAD_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "flow/action.h"
#include "flow/key.h"

// The placement manager's brain: which flow is handled where at each device, and why.
//
// Problem: NIC queues and table entries are few, flows are many, and drivers refuse what they like.
// Idea: a state machine per (flow, side), where a flow has a side at the NIC that it comes in by
// and one at the NIC that it leaves by. Events (a flow got busy, a rate, a hint, an answer of a
// NIC) change traits and states; a tick compares what each flow wants with the queue accounts and
// table entries of its NIC, and gives out a bounded number of orders. The best waiting flow
// (heaviest rate, raised or lowered by hints) gets what becomes free; a resident leaves for a flow
// that is clearly better only after its minimum residency. Pure: no device calls, no thread, any
// clock. It runs the same on simulated time. Cost: a report O(log waiting), a round O(what changed
// + orders). What it refuses to do: walk all flows, or order more than a round's bound.
//
// The policy. What must hold, and is the reason otherwise: enabled; no fragments; no per-packet
// fields; no extension that must see it; at least min_bps (a hint or a pinned queue raises it, a
// rule that wants a ring gets that).
//
// Side IN, when the flow leaves by the same NIC or is dropped: eswitch.
//
// Side IN else: a receive queue of its NIC port, of the flow's worker: alone when heavy and one is
// free, else shared with flows of its VM (at most half of a port's queues are shared).
//
// Side OUT, when it leaves by a NIC and not through an eswitch: a transmit queue, likewise.
//
// Until it has that: the ring in mode split; software in mode share, which fills shared queues
// above shared_flows, and with other VMs' flows, before it gives up. The ring is told to side OUT
// where there is one, else to side IN. What can never be placed stays in software, or in the ring
// when its rules want one.
//
// Thread safety: owner thread only (control).

struct offload;

// ---- devices and their queues

#define OFFLOAD_NICS_MAX 16
#define OFFLOAD_NIC_PORTS_MAX 65 // 0: the PF (wire); 1 + n: VF n (its representor)
#define OFFLOAD_QUEUES_MAX 256

enum offload_queue_kind { OFFLOAD_RX, OFFLOAD_TX, OFFLOAD_VF };

enum offload_queue_state {
	OFFLOAD_Q_DEFAULT, // part of the RSS set (rx), or what unassigned flows use (tx)
	OFFLOAD_Q_FREE,
	OFFLOAD_Q_EXCLUSIVE,
	OFFLOAD_Q_SHARED,
	OFFLOAD_Q_STANDBY,
	OFFLOAD_Q_MONITOR,
	OFFLOAD_Q_STOPPED,
	OFFLOAD_Q_GROUP, // of a class rule: the NIC spreads flows over such queues by itself
	OFFLOAD_Q_STATES
};

struct offload_queue_id {
	uint16_t nic;
	uint16_t port; // as above
	uint8_t kind;  // enum offload_queue_kind
	uint16_t index;
};

struct offload_queue {
	struct offload_queue_id id;
	uint8_t state;  // enum offload_queue_state
	uint8_t worker; // that polls it (rx) or owns it (tx): the worker of its first flow, until
			// it is empty; default queues: index modulo workers
	uint16_t vm;    // of this VM's flows; OFFLOAD_NONE: of any
	uint32_t flows;
};

struct offload_nic_port_cfg {
	uint16_t rx_queues, rx_default; // queues 0 to rx_default - 1 are the RSS set
	uint16_t tx_queues, tx_default; // likewise, one for each worker
	uint16_t vf_queues; // of the VF behind a representor; read only, shown in the accounts
};

struct offload_nic_cfg {
	const char *name;    // borrowed until offload_nic_del
	bool eswitch;        // has transfer rules
	bool mark;           // delivers MARK: without it no lane and no queue placement
	uint32_t rule_limit; // 0: learned from the first refusal
	uint16_t ports;
	struct offload_nic_port_cfg port[OFFLOAD_NIC_PORTS_MAX];
};

// ---- flows

#define OFFLOAD_NONE UINT16_MAX
#define OFFLOAD_NO_DSCP UINT8_MAX

enum offload_path {
	OFFLOAD_SOFTWARE,
	OFFLOAD_RING,
	OFFLOAD_SHARED_QUEUE,
	OFFLOAD_EXCLUSIVE_QUEUE,
	OFFLOAD_ESWITCH,
	OFFLOAD_PATHS
};
enum offload_state {
	OFFLOAD_ST_SOFTWARE, // is where it wants to be, and that is the host
	OFFLOAD_ST_WANTED,   // waits for something: see reason
	OFFLOAD_ST_INSTALLING,
	OFFLOAD_ST_PLACED,
	OFFLOAD_ST_REMOVING,
	OFFLOAD_ST_REFUSED, // see reason, errno, text and retry
	OFFLOAD_STATES
};
enum offload_reason {
	OFFLOAD_R_NONE,     // it is where it wants to be
	OFFLOAD_R_LIGHT,    // below min_bps: not worth an entry
	OFFLOAD_R_DISABLED, // by configuration
	OFFLOAD_R_NO_NIC,   // neither end is on a NIC
	OFFLOAD_R_TABLE_FULL,
	OFFLOAD_R_NO_FREE_QUEUE,
	OFFLOAD_R_VM_QUEUE_LIMIT,
	OFFLOAD_R_VM_ENTRY_LIMIT,
	OFFLOAD_R_DEPENDS, // the decision reads per-packet fields (detail: FLOW_FIELD_*)
	OFFLOAD_R_FRAGMENTS,
	OFFLOAD_R_ACTIONS, // flood, rate, class or several outputs that the NIC path cannot keep
	OFFLOAD_R_NO_MARK,
	OFFLOAD_R_UNSUPPORTED, // the driver refused this shape; remembered
	OFFLOAD_R_DRIVER,      // the driver failed otherwise; tried again at retry_ns
	OFFLOAD_R_NIC_GONE,
	OFFLOAD_R_HINT,      // its VM asked for a lower place
	OFFLOAD_R_BUDGET,    // the tick's bound was reached; next tick
	OFFLOAD_R_STALE,     // the rules changed, a new decision is on its way
	OFFLOAD_R_EXTENSION, // an extension of the switch has to be shown its packets
	OFFLOAD_R_SERVED, // a rule for all of its kind in the NIC carries it (decision.served_by)
	OFFLOAD_R_POLICY, // its policy rule does not allow the place
	OFFLOAD_R_VM_INSERT_LIMIT, // its VM has had its insertions of this second
	OFFLOAD_R_DEAD, // the driver took a rule of this shape, and it did nothing; remembered
	OFFLOAD_R_THROUGH_VM, // its packets come by its VM's own port: no queue of the NIC has them
	OFFLOAD_R_LENT,       // what it had was lent, and is guaranteed to another VM
	OFFLOAD_R_METER,      // its port, VM or class has a rate that the NIC does not keep
	OFFLOAD_R_WORKER, // its receive queue goes, or went, to another worker: see offload_hold
	OFFLOAD_REASONS
};

enum offload_side { OFFLOAD_IN, OFFLOAD_OUT };

struct offload_end {   // where one end of a flow is attached
	uint16_t nic;  // OFFLOAD_NONE: not on a NIC
	uint16_t port; // of the NIC: 0 PF, 1 + n VF n
	uint16_t vport;
	uint16_t vm; // OFFLOAD_NONE: none
};

// What extensions have to be shown of a flow, as enum ext_seen.
enum offload_seen {
	OFFLOAD_SEEN_NO,
	OFFLOAD_SEEN_COPY, // each packet, by the host: not through an eswitch
	OFFLOAD_SEEN_ALL   // each packet before it goes on: not by a lane either
};

// Which rule of a NIC for all flows of a kind has this one: no entry of its own is spent on it.
enum offload_served {
	OFFLOAD_SERVED_NO,
	OFFLOAD_SERVED_ESWITCH, // a rule ahead of traffic carries it with no host
	OFFLOAD_SERVED_QUEUES   // a class rule spreads it over its queues
};

// What the rules decided for the flow, as far as placement needs it.
struct offload_decision {
	struct offload_end in, out; // out.vport OFFLOAD_NONE: dropped or several outputs
	uint32_t depends;           // FLOW_FIELD_* the decision reads
	uint8_t cls;                // QoS class
	uint8_t priority;           // level of the class, 0 is served first
	bool wants_ring;            // a rule asks for a class, ring or rate
	bool lane_ok;               // the program runs without parsed headers
	bool eswitch_ok;            // its actions can be said as transfer actions
	bool metered; // and that is all the same: its port, VM or class has a rate, kept on the
		      // host
	bool drop;
	bool fragments;
	uint32_t table;              // that its entry would go to, 0: the flat one
	uint16_t pinned_queue;       // rule action queue=N, OFFLOAD_NONE: none
	bool share;                  // the switch keeps all flows on physical queues (mode share)
	uint16_t vm_max_queues;      // of the VM that the flow goes to
	uint32_t vm_max_entries;     // 0: no limit
	uint32_t gen;                // of the rules
	struct flow_actions actions; // for translate
	uint8_t seen;                // enum offload_seen
	bool through_vm; // what no rule of its NIC takes comes through its VM, by no queue of the
			 // NIC
	uint8_t served;  // enum offload_served
	char served_by[64]; // the rule, "" for none
	char seen_by[32];   // the extension that asks for that, "" for none
};

struct offload_place {
	uint8_t path;                  // enum offload_path
	struct offload_queue_id queue; // where the path has one
	uint32_t table;                // eswitch: group of the rule, 0: the flat one
};

struct offload_side_info {
	uint8_t state;               // enum offload_state
	uint8_t reason;              // enum offload_reason
	struct offload_place actual; // queue.nic OFFLOAD_NONE: the path has none
	// queue.nic is not OFFLOAD_NONE when that queue is held already: it is the actual one, the
	// one being installed, or the next one of a flow that moves.
	struct offload_place wanted;
	uint64_t since_ns; // in this state
	uint64_t retry_ns; // 0: no retry planned
	int driver_errno;
	char driver_text[96];
};

struct offload_flow_info {
	uint32_t id; // stable while the flow is known, printed as f<id>
	struct flow_key key;
	struct offload_decision decision;
	uint8_t worker;
	uint64_t first_ns, last_ns;
	uint64_t packets[OFFLOAD_PATHS]; // carried while in that place, as far as known
	uint64_t bytes[OFFLOAD_PATHS];
	uint64_t rate_fast_bps; // decayed, half-life 0.2 s
	uint64_t rate_slow_bps; // half-life 5 s
	int8_t hint;            // that counts: -1 lower, 0, +1 raise
	int8_t asked;           // the hint that was given, whatever the policy says
	uint8_t dscp;           // as it came last to the host, OFFLOAD_NO_DSCP: not known
	struct offload_side_info side[2];
	uint32_t reverse; // id of the other direction, UINT32_MAX: not known
};

struct offload_cfg {
	bool enabled;
	uint64_t heavy_bps, light_bps, min_bps;
	uint64_t eswitch_min_bps;       // as min_bps, for an entry of an embedded switch
	uint32_t idle_ms, residency_ms; // 0: the brain's to choose
	uint32_t retry_ms;              // a refused shape is tried again, at first; likewise
	uint16_t shared_flows;
	uint32_t orders_per_tick;
	uint32_t flows_max; // known flows, 64 to 2^20
	uint32_t workers;
};

// -EINVAL: flows_max, or no workers (at most 255), orders_per_tick or shared_flows, or light_bps
// above heavy_bps. clock is borrowed.
int offload_new(const struct offload_cfg *cfg, const struct sl_clock *clock, struct offload **out);
void offload_free(struct offload *o);
void offload_reconfigure(
	struct offload *o, const struct offload_cfg *cfg); // flows_max and workers stay

// Numbers the NIC (index below OFFLOAD_NICS_MAX). -EEXIST, -EINVAL, -ENOMEM.
int offload_nic_add(struct offload *o, uint16_t nic, const struct offload_nic_cfg *cfg);
// The device is gone: its placements are forgotten (no remove orders), the flows get
// OFFLOAD_R_NIC_GONE. Open orders of that NIC must not be answered any more once it is added again.
void offload_nic_gone(struct offload *o, uint16_t nic);
void offload_nic_del(struct offload *o, uint16_t nic);
// So many entries of its table are held by others than flows.
void offload_nic_reserve(struct offload *o, uint16_t nic, uint32_t entries);
// Flows still have more than that leaves them: the next rounds take the least out.
bool offload_nic_crowded(const struct offload *o, uint16_t nic);
// Bytes a second that one more entry of its table would carry of flows; 0: there is room. *wanted:
// a flow asked for an entry in vain within the last second.
double offload_nic_margin(const struct offload *o, uint16_t nic, bool *wanted);
// Nothing new goes to the NIC, and what is there leaves by orders; off: it is as before.
void offload_nic_drain(struct offload *o, uint16_t nic, bool on);
// Nothing is there any more, and nothing on its way.
bool offload_nic_empty(const struct offload *o, uint16_t nic);
// It is there and not in use: it holds nothing, and gets nothing before offload_nic_move.
void offload_nic_standby(struct offload *o, uint16_t nic);
// What was attached at ports of one NIC is attached at those of another from now on: port[i] is
// where port i went, OFFLOAD_NONE: nowhere. What was placed at `from` is forgotten, as when it is
// gone; its flows are put into `to`, which is in use from now on, those that are worth most first,
// and as fast as it takes them. Open orders of `from` must not be answered any more.
void offload_nic_move(struct offload *o, uint16_t from, uint16_t to, const uint16_t *port);
// Flows that came by that and wait there still; 0: all have been looked at.
uint32_t offload_nic_rush(const struct offload *o, uint16_t nic);
// OFFLOAD_Q_STATES when there is no such queue.
enum offload_queue_state offload_queue_state_of(const struct offload *o, struct offload_queue_id q);
// A queue is taken out of use for flows (stopped, standby, monitor, group) or given back (free).
// Its flows leave first: it gets its state when the last one has left. -EINVAL: no such queue, a
// default one, a VF's, or not one of these states.
int offload_queue_reserve(
	struct offload *o, struct offload_queue_id q, enum offload_queue_state state);

// ---- what happened

// A flow is busy enough to be judged (first report), or reports its counters again. bytes, packets:
// since the last report; they were carried by path. Returns the id, or UINT32_MAX when flows_max
// are known and none could leave. A decision of an older gen than the known one is not taken.
uint32_t offload_flow_report(struct offload *o, const struct flow_key *key, uint8_t worker,
	const struct offload_decision *d, uint32_t packets, uint64_t bytes, enum offload_path path);
// After the first report of a flow: is its other direction, of which nothing was seen yet, likely
// enough to come (and not at once) that a rule may wait for it? Then *key is its key.
bool offload_flow_expects(struct offload *o, uint32_t id, struct flow_key *key);
// That direction and its decision: it is known from now on, competes by what flows of its kind
// brought, and is forgotten as others are. UINT32_MAX: not taken.
uint32_t offload_flow_expect(struct offload *o, uint32_t id, const struct flow_key *key,
	const struct offload_decision *d);
// Counters of a placed flow as hardware or lane says them, since the last call.
void offload_flow_count(struct offload *o, uint32_t id, uint32_t packets, uint64_t bytes);
// The last counters of a placement that offload_nic_move forgot, and the path that it was. The flow
// may have another one by now: they prove nothing of that.
void offload_flow_left(
	struct offload *o, uint32_t id, enum offload_path path, uint32_t packets, uint64_t bytes);
// The worker's cache let go of the flow (it had been reported), and of what SET_HOST said. A placed
// flow stays until it is idle.
void offload_flow_gone(
	struct offload *o, const struct flow_key *key, uint32_t packets, uint64_t bytes);
// A default receive queue of the vport is about to go from this worker to another one. As long as
// that holds, flows of the two are placed on no queue of the host, and those that are leave them,
// so that all their packets come by the default queue. One at a time; entries of the embedded
// switch stay. The second one ends it: until a worker reports one of those flows, nobody knows
// whose it is, and it is not placed on a queue.
void offload_hold(struct offload *o, uint16_t vport, uint8_t worker);
void offload_hold_end(struct offload *o);
// Flows that are held and still have a queue of the host, or are on their way to or from one.
uint32_t offload_held(const struct offload *o);
// New rules or ports: a flow's decision as it is now. Contradicted placements are removed first.
void offload_flow_redecide(struct offload *o, uint32_t id, const struct offload_decision *d);
// The DSCP of a packet of the flow, as its worker says.
void offload_flow_dscp(struct offload *o, uint32_t id, uint8_t dscp);
int offload_hint(struct offload *o, const struct flow_key *key, int8_t hint); // -ENOENT
int offload_find(const struct offload *o, const struct flow_key *key, uint32_t *id);

// ---- orders
//
// INSTALL and REMOVE are given for side IN only, and each is answered once. A flow has at most one
// of them open, and while one is open no other order for that side but SET_HOST.
//
//   INSTALL place.path eswitch: the transfer rule; queue: MARK and QUEUE rule to place.queue, which
//     `worker` polls from now on (it was free, or is that worker's already), and the lane.
//   REMOVE takes back what the flow's INSTALL made. Answer when the rule is destroyed, its final
//     counters are read, the lane is unpublished and the queue holds none of its packets any more:
//     with the answer queue and entry are given to others, maybe to another worker.
//   SET_HOST is how the worker handles the flow's packets that no rule takes: side IN: software or
//     ring. side OUT: software (the default transmit queue of that worker), ring, or the transmit
//     queue place.queue, which is owned by `worker` from now on; side OUT also holds for the
//     packets of the lane. Not answered; it has to be in force before the next offload_tick, since
//     a queue that one worker left may be given to another one then.
//
// A flow that moves between two places in hardware gets a REMOVE, and after its answer an INSTALL
// of the next place, whose queue and table entry are kept for it meanwhile; in between the host
// path handles it, which always works. (Two rules with one pattern at once are refused or undefined
// on most NICs.) All queues that a flow is ever on are polled by its worker, so that order is kept
// when each queue is drained before the next is used.

enum offload_order_type {
	OFFLOAD_INSTALL, // make the hardware rule and, for queues, the lane; then answer with
			 // offload_done
	OFFLOAD_REMOVE,  // undo; then answer
	OFFLOAD_SET_HOST // the worker handles the flow as `place` says (software, ring, transmit
			 // queue); no answer
};

struct offload_order {
	uint8_t type; // enum offload_order_type
	uint8_t side; // enum offload_side
	uint8_t worker;
	uint32_t flow;
	struct offload_place place;
};

enum offload_outcome {
	OFFLOAD_OK,
	OFFLOAD_FULL,
	OFFLOAD_UNSUPPORTED,
	OFFLOAD_TRANSIENT,
	OFFLOAD_GONE
};

// Ages, judges, and writes up to max orders to out. Call every tick_ms. Returns the number.
uint32_t offload_tick(struct offload *o, struct offload_order *out, uint32_t max);
// The answer to an INSTALL or REMOVE. errno_ positive or 0; text: the driver's words, may be NULL.
// For a REMOVE, packets and bytes are the final counters since the last offload_flow_count.
void offload_done(struct offload *o, uint32_t flow, enum offload_side side,
	enum offload_outcome outcome, int errno_, const char *text, uint32_t packets,
	uint64_t bytes);

// ---- what a worker need not tell, and what a NIC has to
//
// The decayed byte count (half-life 0.2 s, as datapath/report.h) from which on a worker reports a
// flow that comes in by that NIC. OFFLOAD_NONE: by no NIC.
uint32_t offload_bar(const struct offload *o, uint16_t nic);
// Placed flows of that NIC whose counters are to be read now. Returns how many, at most max.
uint32_t offload_counts_due(struct offload *o, uint16_t nic, uint32_t *ids, uint32_t max);

// ---- what people see

bool offload_flow_get(const struct offload *o, uint32_t id, struct offload_flow_info *out);
// What a rule is made from, in place: good until something is told to the manager.
struct offload_flow_view {
	const struct flow_key *key;
	const struct offload_decision *decision;
	uint32_t gen; // of its id: another flow's with the same id is another one
	uint8_t worker;
	uint8_t dscp; // OFFLOAD_NO_DSCP: not known
	int8_t asked;
};
bool offload_flow_look(const struct offload *o, uint32_t id, struct offload_flow_view *out);
typedef void (*offload_flow_fn)(void *ctx, const struct offload_flow_info *info);
void offload_flow_each(const struct offload *o, offload_flow_fn fn, void *ctx);
// The receive queues that a VF has by now: spread[i] when RSS spreads packets over queue i, else it
// is free; at most OFFLOAD_QUEUES_MAX. port as above, from 1. -EINVAL, -ENOMEM.
int offload_vf_queues(
	struct offload *o, uint16_t nic, uint16_t port, const bool *spread, uint16_t n);
typedef void (*offload_queue_fn)(void *ctx, const struct offload_queue *q);
void offload_queue_each(const struct offload *o, offload_queue_fn fn, void *ctx);

struct offload_nic_stats {
	uint32_t entries; // table entries in use by placements
	uint32_t limit;   // known or learned, 0: none seen yet
	uint32_t waiting; // flows that want an entry or a queue
	// What was learned of it: the time that an operation takes (smoothed; alone), how many
	// may be under way at a time, rule shapes that it refuses, and the worth (bit/s) that a
	// flow has to beat to get an entry (0: there is room).
	uint32_t op_us, op_least_us, window, under_way, shapes_refused;
	uint64_t to_beat_bps;
	uint64_t installed, removed, refused[OFFLOAD_REASONS]; // refused: flow sides that ever were
	uint64_t dead;          // rules that were found to do nothing
	uint64_t moves_eswitch; // moves to or from eswitch: packets that the host held may have
				// been overtaken
};
bool offload_nic_stats_get(const struct offload *o, uint16_t nic, struct offload_nic_stats *out);

struct offload_stats {
	uint32_t flows;
	uint32_t by_path[OFFLOAD_PATHS]; // known flows in each place now (side IN, else OUT)
	uint64_t
		ever_by_path[OFFLOAD_PATHS]; // a flow counts once under each place that it ever had
	uint64_t refused[OFFLOAD_REASONS];   // flows that ever had that reason
};
void offload_stats_get(const struct offload *o, struct offload_stats *out);

const char *offload_path_name(enum offload_path p); // "software", "ring", "shared-queue", ...
const char *offload_state_name(enum offload_state s);
const char *offload_reason_name(enum offload_reason r); // "table-full", "depends-on", ...
// One sentence for people: the reason with its details ("depends on tcp-flags", "table full: 1024
// of 1024").
void offload_explain(
	const struct offload *o, uint32_t id, enum offload_side side, char *buf, unsigned long len);
const char *offload_queue_state_name(enum offload_queue_state s);
// "nic0/pf/rx/5", "nic0/vf1/tx/0"
void offload_queue_name(
	const struct offload *o, struct offload_queue_id q, char *buf, unsigned long len);

#endif
