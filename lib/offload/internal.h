// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_OFFLOAD_INTERNAL_H
#define SLUICE_OFFLOAD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/idpool.h"
#include "base/rng.h"
#include "offload/offload.h"
#include "offload/policy.h"
#include "offload/shape.h"
#include "offload/vm.h"

#include "heap.h"

// What the files of this room share: the structs, and who keeps what right.
//
//   traits.c      rates, ranks                    flow_table.c  keys, ids, lists, who may leave
//   expect.c      flows not seen yet
//   queues.c      queue accounts                  nic.c         NICs, entries
//   shape.c       limits, refused shapes          proof.c       rules that do nothing
//   vm.c          guarantees and limits of VMs  part.c     limits of VMs in policy rules
//   cut.c         who has more than its limit
//   decide.c      which place a flow should have  place.c       steps of one flow's state machine
//   serve.c       who gets what is free           tick.c        a round of all of these
//   events.c      reports from outside            answer.c      answers of the NICs
//   retarget.c      flows that go to another NIC  rush.c        those of them whose place is known
//   info.c names.c explain.c  what people see
//
// Thread safety: owner thread only.

#define OF_NEVER UINT32_MAX
#define OF_CLEARLY 1.2 // what a flow must be worth more to replace another
#define OF_FAST_S 0.2  // half-lives
#define OF_SLOW_S 5.0
#define OF_SCALES 5
#define OF_FAST 0 // indices of the two that people see
#define OF_SLOW 2
#define OF_HINT_FACTOR 16.0             // a raised flow is worth what one of 16 times its rate is
#define OF_FORGET_NS (60 * SL_NS_PER_S) // a silent software flow is known for this long
#define OF_PROBE_NS (5 * SL_NS_PER_S)   // pause between tries at a larger table
#define OF_BACKOFF_MS 100               // first pause after a transient failure, doubled up to
#define OF_BACKOFF_MAX_MS 10000
#define OF_TEXT_MAX 96
#define OF_NO_POLICY UINT16_MAX
#define OF_POOL 32                         // residents that may have to go next
#define OF_KINDS 256                       // of flows, by hash
#define OF_EXPECT_OP_NS (1 * SL_NS_PER_MS) // what an operation takes, as long as that is not known

struct of_flow;
struct of_side;

struct of_account { // of one queue
	struct offload_queue q;
	uint32_t group;     // of the flows that share it (policy.c)
	uint8_t leaving;    // the state that it gets when it is empty; OFFLOAD_Q_STATES: none
	uint32_t left_tick; // when a worker last let go of it
	TAILQ_HEAD(, of_hold) holds;
};

struct of_charge { // to a VM's account with a policy rule (part.c)
	uint16_t vm;
	uint8_t rule; // 1 + index, 0: not charged
};

struct of_tokens { // of insertions
	double n;
	uint64_t ns;
};

struct of_part { // what a VM has of what a policy rule lets it have
	uint32_t entries, alone;
	struct of_tokens tokens;
};

struct of_hold { // one side of one flow on one queue
	struct of_account *account;
	struct of_side *side;
	uint16_t charged_vm; // exclusive: counted against this VM
	struct of_charge part;
	TAILQ_ENTRY(of_hold) link;
};

struct of_refusal { // the driver's words; made when there are some
	int errno_;
	char text[OF_TEXT_MAX];
};

enum of_holds { OF_HOLD_PLACE, OF_HOLD_NEXT };

struct of_side {
	uint8_t idx;    // enum offload_side
	uint8_t state;  // enum offload_state
	uint8_t reason; // enum offload_reason
	uint8_t host;   // the path that the worker was told
	uint8_t path;   // IN: of the rule (installing, placed, removing); else OFFLOAD_SOFTWARE
	uint8_t want;   // best path that it may have
	bool moving;    // OF_HOLD_NEXT or the entry is kept for its next place
	bool has_entry;
	bool resend;         // a REMOVE failed, to be given again at retry_ns
	bool fresh;          // waits, and was not looked at yet
	bool yields;         // wants an entry and beats nobody: waits again with its next report
	uint8_t fails;       // transient failures in a row
	uint8_t shape;       // 1 + index of the shape of its rule, 0: none
	bool beyond;         // its rule tries whether there is more room than is known
	bool trial;          // its rule tries a shape that was refused
	uint32_t stray;      // packets that came to the host though its rule is in force (proof.c)
	uint64_t stray_ns;   // since then; 0: none
	uint64_t read_ns;    // its counter was read last, and had not moved
	uint16_t nic;        // of entry and rule
	uint16_t charged_vm; // for the entry
	struct of_charge part;
	struct offload_queue_id queue; // that the rule steers to; nic OFFLOAD_NONE: none
	uint32_t reasons_ever;
	uint32_t resident; // index in the NIC's residents, OF_NEVER: none
	uint64_t sig;      // of the decision that the rule was made for
	uint32_t table;    // that the rule is in
	uint64_t since_ns, retry_ns;
	struct of_hold hold[2]; // enum of_holds
	struct of_node wait;    // in a heap of those that wait
	struct of_heap *wait_in;
	struct of_node timer;  // key: -(ms, rounded up)
	struct of_side *stash; // of serve.c
	struct of_heap *stash_heap;
	struct of_refusal *refusal;
};

enum of_dirty { OF_CLEAN, OF_DIRTY, OF_URGENT };

struct of_flow {
	struct flow_key key;
	struct offload_decision d;
	struct sl_id id;
	uint32_t hash;
	uint32_t reverse;
	uint8_t worker;
	int8_t hint;     // that counts
	int8_t asked;    // as it was given
	uint16_t policy; // index of its rule, OF_NO_POLICY: none
	bool heavy;
	bool gone;     // its worker forgot it
	bool unsure;   // whether `worker` is still its worker
	bool expected; // no packet of it was seen yet (expect.c)
	bool told;     // its packets were counted for its kind
	uint8_t kind;  // index of kinds
	bool answered; // the other direction was seen after it, or it is that one
	bool kept;     // in the list of flows that hold something
	uint8_t dirty;
	uint8_t paths_ever;
	uint8_t dscp;
	uint8_t last_path;   // of a rule, for counters that come late
	uint32_t order_tick; // of its last order
	uint32_t reasons_ever;
	uint64_t first_ns, last_ns, rate_ns;
	double sum[OF_SCALES]; // decayed bytes at rate_ns
	uint64_t all_packets, all_bytes;
	double expect_s, expect_bytes; // expected: when, and how much, were it certain
	uint64_t packets[OFFLOAD_PATHS], bytes[OFFLOAD_PATHS];
	struct of_side side[2];
	TAILQ_ENTRY(of_flow) lru;
	TAILQ_ENTRY(of_flow) todo;
	LIST_ENTRY(of_flow)
	vm_link[2]; // of the VM that it comes from, and goes to where that is
		    // another one
};

LIST_HEAD(of_vm_flows, of_flow);

struct of_kind { // of flows, by what they have turned out to be
	double asked, answered;
	double wait_s, bytes;       // of answers, smoothed
	double flows, first, later; // reported; bytes of their first reports, and of all later ones
};

struct of_vm {
	struct offload_vm_limits limits; // all 0: none
	uint32_t entries;                // of all NICs
	uint32_t entries_on[OFFLOAD_NICS_MAX];
	uint16_t rx_alone, tx_alone; // queues that its flows have alone
	double inserts;              // decayed count
	uint64_t inserts_ns;
	struct of_tokens tokens; // that it may have now
	uint64_t cut_ns;         // its flows are walked for what is above its limits no sooner
	uint32_t promised, promised_tick; // entries that leave for its flows, in that round
	struct of_part *parts; // [n_policies], once a flow of it was charged to one with limits
	bool over;             // it has more than one of these lets it
	uint64_t part_cut_ns;
	LIST_ENTRY(of_vm) over_link;
	struct of_vm_flows flows[2];
	struct of_kind *kinds; // [OF_KINDS], while it has flows
};

TAILQ_HEAD(of_flows, of_flow);
LIST_HEAD(of_vms, of_vm);

struct of_port {
	uint16_t n[3], n_default[3]; // by kind
	struct of_account *account[3];
	struct of_heap wait[2]; // rx, tx
};

struct of_shape {
	uint64_t hash;
	char text[OFFLOAD_SHAPE_TEXT];
	uint32_t used;            // sides with a rule of it, or with one on its way
	bool limit_known, wanted; // of its own; a flow waits for more
	uint32_t limit, probe_step;
	uint64_t probe_ns;
	uint32_t epoch;     // of the NIC when it was refused for want of room
	uint32_t full_used; // then
	bool trying;        // beyond the known size
	bool refused, dead, retrying;
	uint8_t fails;
	uint64_t retry_ns;
	struct of_refusal refusal;
};

struct of_rush {
	struct sl_id flow;
	uint32_t bucket;
};

struct of_nic {
	bool present, gone;
	bool drained;              // nothing new goes there, and what is there leaves
	uint32_t rush;             // flows that came from another NIC and are not judged here yet
	uint64_t rush_end;         // whatever is left of them then
	struct of_rush *rush_list; // of those whose place is known (rush.c)
	uint32_t rush_n, rush_at;
	uint32_t rush_answers;
	uint64_t rush_begun;
	uint16_t nic;
	const char *name;
	bool eswitch, mark;
	uint16_t ports;
	struct of_port *port;
	struct of_heap wait; // for entries of the embedded switch
	uint32_t cfg_limit;  // of the table, 0: not configured
	uint32_t reserved,
		overdrawn; // by others than flows; what of that is above the table's size
	bool limit_known, table_wanted;
	bool giving_way; // more flows are there than may be since others got a part of the table
	uint32_t limit, probe_step;
	uint64_t probe_ns; // last lesson about the limit
	uint64_t count_ns;
	uint32_t count_at;             // resident whose counter is read next
	struct of_side *pool[OF_POOL]; // the least residents that were seen lately
	double pool_worth[OF_POOL];
	uint32_t n_pool;
	uint64_t pool_ns, wanted_ns; // next refreshed; an entry was wanted last
	double least;                // worth of the least that may go, 0: there is room
	double spare_least;          // the same, also when some are kept free
	double margin;               // what one more entry would carry, bytes a second
	double entry_worth;          // of flows when they get an entry, smoothed
	double op_ns;                // what one operation takes, smoothed
	double op_least_ns;          // when nothing else is under way
	bool steady;                 // the window has met its bound
	double window;               // orders that may be under way at a time
	uint32_t entries, inflight, leaving, promised;
	struct of_side **residents;
	uint32_t n_residents, cap_residents;
	struct of_shape shapes[OFFLOAD_SHAPES_MAX];
	uint32_t n_shapes, n_refused; // of them that are refused
	uint32_t n_parted;            // that ever had a limit of their own
	uint32_t epoch;               // counts what was learned of the size of the common table
	struct offload_nic_stats stats;
};

struct of_orders {
	struct offload_order *out;
	uint32_t n, max;
};

struct offload {
	struct offload_cfg cfg;
	const struct sl_clock *clock;
	uint64_t now, seed;
	uint32_t tick;
	struct sl_rng rng;
	struct sl_idpool *ids;
	struct of_flow **flows; // by id
	uint32_t n_flows;
	uint32_t *slots; // open addressing: id + 1, 0: empty
	uint32_t slot_mask;
	struct of_flows kept, host; // oldest packet first: holds something, or nothing
	struct of_flows todo;       // to be judged; denies and other contradictions first
	struct of_heap timers;
	struct of_nic nic[OFFLOAD_NICS_MAX];
	uint32_t next_nic; // whom the tick serves first
	uint32_t reports;  // since the load was looked at last
	uint64_t load_ns;  // when it is next
	double load_bar;   // bytes a second below which reports are too many to be heard
	struct of_orders orders;
	struct offload_policy *policies;
	uint32_t n_policies;
	uint64_t policy_least_bps; // least of the rules' own thresholds
	struct of_vm *vm;          // [OFFLOAD_NONE]
	struct of_vms parts_over;  // who has more than a policy rule lets it have
	uint16_t *limited;         // VMs with limits
	uint16_t n_limited;
	bool holds; // flows of these two
	uint16_t hold_vport;
	uint8_t hold_worker;
	struct of_kind kinds[OF_KINDS]; // of flows that are no VM's
	struct offload_stats stats;
};

static inline struct of_flow *
offload_flow_of(struct of_side *s)
{
	return (struct of_flow *)((char *)(s - s->idx) - offsetof(struct of_flow, side));
}

// No queue of the host for it at present (hold.c).
static inline bool
offload_on_hold(const struct offload *o, const struct of_flow *f)
{
	return f->unsure ||
	       (o->holds && f->worker == o->hold_worker && f->key.vport == o->hold_vport);
}

// All of a flow's lines, for walks over many.
static inline void
offload_prefetch(const struct of_flow *f)
{
	for (size_t i = 0; f && i < sizeof(*f); i += 64)
		__builtin_prefetch((const char *)f + i);
}

static inline bool
offload_in_hardware(uint8_t path)
{
	return path >= OFFLOAD_SHARED_QUEUE;
}

#define OF_IDLE_MS 2000     // where the configuration leaves it to us
#define OF_RESIDENCY_MS 200 // on a queue

static inline uint64_t
offload_idle(const struct offload *o)
{
	return (o->cfg.idle_ms ? o->cfg.idle_ms : OF_IDLE_MS) * SL_NS_PER_MS;
}

static inline uint16_t
offload_vm(const struct offload_decision *d)
{
	return d->out.vm != OFFLOAD_NONE ? d->out.vm : d->in.vm;
}

// traits.c
void offload_traits_add(
	struct offload *o, struct of_flow *f, uint64_t now, uint32_t packets, uint64_t bytes);
uint64_t offload_rate_fast(const struct of_flow *f, uint64_t now); // bit/s
uint64_t offload_rate_slow(const struct of_flow *f, uint64_t now);
uint64_t offload_rate(const struct of_flow *f, uint64_t now); // the greater of the two
// What an entry for it is worth: bytes a second that it is expected to carry, raised or lowered by
// its hint. Falls until the next packet comes.
double offload_worth(const struct offload *o, const struct of_flow *f, uint64_t now);
// The same without what hints add or take: bytes a second that an entry for it takes off the host.
double offload_brings(const struct offload *o, const struct of_flow *f, uint64_t now);

// expect.c
// f was reported for the first time.
void offload_expect_new(struct offload *o, struct of_flow *f, uint64_t bytes);
// The first packets of an expected flow: carried by its rule, or not.
void offload_expect_seen(struct offload *o, struct of_flow *f, bool carried, uint64_t bytes);
double offload_expect_worth(const struct of_flow *f, uint64_t now);
uint8_t offload_kind_of(const struct flow_key *key);
// A flow of the VM was forgotten, or is another's: with the last one what is known of its kinds
// goes.
void offload_kinds_forget(struct offload *o, uint16_t vm);
void offload_kind_seen(struct offload *o, struct of_flow *f, uint64_t bytes);
double offload_kind_promise(const struct offload *o, const struct of_flow *f);

// flow_table.c
int offload_table_init(struct offload *o);
void offload_table_fini(struct offload *o);
struct of_flow *offload_table_find(const struct offload *o, const struct flow_key *key);
struct of_flow *offload_table_get(const struct offload *o, uint32_t id);
struct of_flow *offload_table_add(struct offload *o, const struct flow_key *key, uint8_t worker,
	const struct offload_decision *d);                     // NULL: full
void offload_table_link(struct offload *o, struct of_flow *f); // with its other direction
void offload_forget(struct offload *o, struct of_flow *f);
void offload_touch(struct offload *o, struct of_flow *f); // a packet came
void offload_sort(struct offload *o, struct of_flow *f);  // into the list where it belongs
void offload_todo(struct offload *o, struct of_flow *f, enum of_dirty how);

// queues.c
int offload_port_init(struct offload *o, struct of_port *p, uint16_t nic, uint16_t port,
	const struct offload_nic_port_cfg *cfg);
void offload_port_fini(struct of_port *p);
struct of_account *offload_account(const struct offload *o, struct offload_queue_id q);
// A queue for a side that wants `want`; NULL: none, see *reason. *got: the path that it gives;
// *reason is also set where *got is less than want. only_better: a shared queue is not enough.
struct of_account *offload_queue_pick(struct offload *o, struct of_flow *f, struct of_side *s,
	uint8_t want, bool only_better, uint8_t *got, uint8_t *reason);
bool offload_took_alone(const struct offload *o, const struct of_flow *f);
void offload_queue_hold(struct offload *o, struct of_side *s, enum of_holds which,
	struct of_account *a, uint8_t path);
void offload_queue_release(struct offload *o, struct of_side *s, enum of_holds which);
void offload_queue_settle(struct of_side *s); // the next place becomes the place
// Resident alone on a queue of that port and kind that is weakest, and may leave; vm OFFLOAD_NONE:
// of any; rule: only who is charged to that policy rule (1 + index, 0: any); not of those that are
// guaranteed to another VM than for_vm. *busy: one is leaving already.
struct of_side *offload_queue_weakest(struct offload *o, struct of_port *p, uint8_t kind,
	uint16_t vm, uint8_t rule, uint16_t for_vm, bool *busy);

// retarget.c
void offload_judge_nic(struct offload *o, uint16_t nic); // all flows with an end there
// As offload_nic_gone(), but for the flows of that bit map by index (NULL: none).
void offload_nic_gone_but(struct offload *o, uint16_t nic, const uint64_t *done);

// rush.c
#define OF_RUSH_OP_NS 200e3 // a NIC that is this quick gets the rules of a rush as it takes them
bool offload_rushes(const struct offload *o); // a NIC that does
void offload_rush_tick(struct offload *o, struct of_nic *n);
bool offload_rush_begin(struct of_nic *n, uint32_t most); // a list of so many; false: none
void offload_rush_add(struct offload *o, struct of_nic *n, const struct of_flow *f);
void offload_rush_sort(struct of_nic *n);
void offload_rush_fini(struct of_nic *n);
bool offload_rush_after(const struct of_nic *n, double worth); // the next is worth less
// The next one that waits as it was put there; NULL: none.
struct of_flow *offload_rush_next(struct offload *o, struct of_nic *n);
// By its best answer, or by how many came so far: on a busy machine each answer may be late.
bool offload_rush_quick(const struct offload *o, const struct of_nic *n);

// nic.c
struct of_nic *offload_nic(struct offload *o, uint16_t nic); // NULL: none that works
void offload_entry_take(struct offload *o, struct of_flow *f, struct of_side *s, uint16_t nic);
void offload_entry_release(struct offload *o, struct of_side *s);
bool offload_resident_add(struct of_nic *n, struct of_side *s);
void offload_resident_del(struct of_nic *n, struct of_side *s);

// shape.c
bool offload_entry_free(const struct of_nic *n, const struct of_flow *f, uint8_t path);
uint8_t offload_shape_full(const struct of_nic *n, const struct of_flow *f, uint8_t path);
void offload_limit_refused(struct offload *o, struct of_nic *n, struct of_shape *sh);
void offload_limit_probe(struct offload *o, struct of_nic *n);
const struct of_shape *offload_shape_known(
	const struct of_nic *n, const struct of_flow *f, uint8_t path);
struct of_shape *offload_shape_of(struct of_nic *n, const struct of_side *s); // of its rule
void offload_shape_take(struct offload *o, struct of_flow *f, struct of_side *s);
void offload_shape_release(struct offload *o, struct of_side *s);
void offload_shape_accepted(struct offload *o, struct of_side *s);
void offload_shape_proved(struct offload *o, struct of_side *s);
// NULL: it may be tried.
const struct of_shape *offload_shape_refused(
	const struct offload *o, uint16_t nic, const struct of_flow *f, uint8_t path);
// sh: that of the rule that was refused. What its flow's would be by now may be another one.
void offload_shape_refuse(struct offload *o, struct of_nic *n, struct of_shape *sh, int errno_,
	const char *text, bool dead);
void offload_shapes_forgive(struct of_nic *n);
uint32_t offload_shapes_count(const struct of_nic *n); // refused ones

// proof.c
void offload_proof_moved(struct offload *o, struct of_flow *f);
void offload_proof_stray(struct offload *o, struct of_flow *f, uint32_t packets);
bool offload_proof_dead(const struct of_side *s, uint64_t now);
bool offload_proof_remove(struct offload *o, struct of_flow *f, struct of_side *s);

// policy.c
const struct offload_policy *offload_policy_of(struct offload *o, struct of_flow *f);
const struct offload_policy *offload_policy_known(const struct offload *o, const struct of_flow *f);
bool offload_policy_allows(const struct offload_policy *p, uint8_t path);
bool offload_policy_prefers_queue(const struct offload_policy *p);
bool offload_policy_prefers_shared(const struct offload_policy *p);
bool offload_policy_queue(const struct offload *o, const struct of_flow *f, uint16_t index);
uint32_t offload_share_group(const struct offload *o, const struct of_flow *f, uint16_t vm);
uint32_t offload_rate_limit(const struct of_flow *f); // kbit/s of its rule, 0: none

// vm.c
void offload_vm_link(struct offload *o, struct of_flow *f);
void offload_vm_unlink(struct of_flow *f);
uint16_t offload_vm_sends(const struct offload_decision *d); // whose transmit queue it is
#define OF_OWED 1e15                                         // above what any flow is worth
// What a flow is worth, and above all others while its VM has less than it is guaranteed.
double offload_rank(const struct offload *o, const struct of_flow *f, const struct of_side *s);
// Why a flow of that VM may have nothing more; OFFLOAD_R_NONE: it may.
uint8_t offload_vm_entry_reason(const struct offload *o, const struct of_flow *f);
uint8_t offload_vm_queue_reason(
	const struct offload *o, const struct of_flow *f, const struct of_side *s);
bool offload_vm_may_insert(struct offload *o, const struct of_flow *f);
void offload_vm_inserted(struct offload *o, const struct of_flow *f);
// Its VM has, and is promised in this round, fewer entries of the NIC than it is guaranteed; or it
// has fewer queues alone.
bool offload_vm_owed_entry(const struct offload *o, const struct of_flow *f, uint16_t nic);
bool offload_vm_owed_queue(
	const struct offload *o, const struct of_flow *f, const struct of_side *s);
// A resident, or an owner of a queue, that its VM's guarantee keeps there whoever of another VM
// comes.
bool offload_vm_keeps_entry(const struct of_side *s, uint16_t for_vm, const struct offload *o);
bool offload_vm_keeps_queue(const struct offload *o, const struct of_hold *h, uint16_t for_vm);
// An entry is on its way to a flow of its VM.
void offload_vm_promise(struct offload *o, const struct of_flow *f);
bool offload_vm_any_owed(const struct offload *o, uint16_t nic); // an entry, and there are flows
void offload_vm_count_entry(struct offload *o, uint16_t vm, uint16_t nic, int by);
void offload_vm_recharge(struct offload *o, struct of_flow *f);
void offload_vm_charge(struct offload *o, struct of_hold *h, uint16_t vm, int by);
uint16_t offload_vm_queue_payer(const struct of_flow *f, const struct of_side *s);
void offload_tokens_fill(struct of_tokens *t, uint32_t a_second, uint64_t now);
bool offload_tokens_there(struct of_tokens *t, uint32_t a_second, uint64_t now); // one at least
void offload_tokens_take(struct of_tokens *t, uint32_t a_second);

// part.c
// After any change of what the flow has, of who pays for it, or of its policy rule.
void offload_part_settle(struct offload *o, struct of_flow *f);
void offload_parts_forget(struct offload *o);
// The flow's VM has all that the flow's rule lets it have.
bool offload_part_entries_used(const struct offload *o, const struct of_flow *f);
bool offload_part_queues_used(
	const struct offload *o, const struct of_flow *f, const struct of_side *s);
bool offload_part_inserts_used(const struct offload *o, const struct of_flow *f);
bool offload_part_may_insert(struct offload *o, const struct of_flow *f);
void offload_part_inserted(struct offload *o, const struct of_flow *f);

// cut.c
void offload_cut(struct offload *o);

// capacity.c
void offload_capacity_init(struct of_nic *n);
void offload_load_tick(struct offload *o);
void offload_capacity_tick(struct offload *o, struct of_nic *n);
// One operation was answered that was given out at since_ns.
void offload_capacity_answer(struct offload *o, struct of_nic *n, uint64_t since_ns);
bool offload_capacity_takes(const struct of_nic *n, double worth);
void offload_capacity_entered(struct of_nic *n, double worth); // a flow of that worth
bool offload_capacity_room(const struct offload *o, const struct of_nic *n);
void offload_pool_forget(struct of_nic *n, const struct of_side *s);
// The resident that is worth least and may go; NULL: none.
struct of_side *offload_pool_least(struct offload *o, struct of_nic *n, uint16_t for_vm);
uint64_t offload_residency(const struct offload *o, const struct of_side *s); // ns

// decide.c
struct of_verdict {
	uint8_t path;   // the best that policy and NIC allow
	uint8_t host;   // where it is handled until then: OFFLOAD_SOFTWARE or OFFLOAD_RING
	uint8_t reason; // why path is not higher
	// path is a queue, and while none is to be had the policy takes the embedded switch.
	bool then_eswitch;
};
struct of_verdict offload_decide(struct offload *o, struct of_flow *f, enum offload_side side);
// What a rule of that path depends on: a rule whose signature is not this one is contradicted.
uint64_t offload_sig(const struct of_flow *f, uint8_t path);
// The rule of side IN says what the decision no longer does, or is in a table that nothing leads to
// any more. One in the flat table may stay when its port gets a table: it comes before the way in.
bool offload_outdated(const struct of_flow *f);

// place.c
void offload_set_reason(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason);
void offload_set_state(struct offload *o, struct of_side *s, uint8_t state);
void offload_wait_join(struct offload *o, struct of_flow *f, struct of_side *s);
void offload_wait_leave(struct of_side *s);
void offload_timer(struct offload *o, struct of_side *s, uint64_t at_ns); // 0: none
// Each of these gives an order and is false when the round has none left.
bool offload_order_host(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t path,
	struct of_account *a);
bool offload_order_install(struct offload *o, struct of_flow *f, struct of_side *s);
bool offload_order_remove(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason);
// Leaves its place for `want` (and the queue a, where that has one), whose entry and queue it keeps
// meanwhile.
bool offload_order_move(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t want,
	struct of_account *a, uint8_t reason);
void offload_move_cancel(struct offload *o, struct of_side *s);
void offload_ever(struct offload *o, struct of_flow *f, uint8_t path);

// judge.c
bool offload_judge(struct offload *o, struct of_flow *f); // false: no orders left

// serve.c
void offload_serve(struct offload *o, struct of_nic *n);

// events.c
void offload_side_reset(struct offload *o, struct of_flow *f, struct of_side *s, uint8_t reason);

#endif
