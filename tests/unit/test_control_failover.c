// SPDX-License-Identifier: BSD-3-Clause
// A NIC and its standby, when one of them, or its driver, does not behave. The NICs' ports and
// links are played (their functions are wrapped), and so is the driver; what decides is real.
//
//   pf0, vm1 (vf0), vm2 (vf1): on nic0; nic1 stands by for it
#include "control_support.h"

#include "device/ports.h"
#include "failover/carry.h"
#include "failover/evict.h"
#include "failover/failover.h"
#include "failover/restart.h"
#include "failover/vf_map.h"
#include "failover/watch.h"
#include "orders.h"

#define JSON(recover, offload)                                                                     \
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=6\",\"queues\":6,"                  \
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2,"                  \
	"\"recover_ms\":" recover "},"                                                             \
	"{\"name\":\"nic1\",\"dev\":\"net_x1,queues=6\",\"queues\":6,"                             \
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2,"                  \
	"\"standby_for\":\"nic0\"}],"                                                              \
	"\"offload\":{\"heavy_bps\":1000000,\"light_bps\":500000,\"min_bps\":1000,"                \
	"\"idle_ms\":60000,\"residency_ms\":1" offload "},"                                        \
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["                                       \
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"                       \
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}}," \
	"{\"name\":\"vm2\",\"vm\":\"v2\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":1}}]" \
	","                                                                                        \
	"\"rules\":[{\"match\":\"port=vm1\",\"actions\":\"output=vm2\"}]}]}"

#define FLOWS 3

static struct {
	bool link[2];
	bool no_start[2]; // nic_start fails
	unsigned starts[2], stops[2];
	bool no_publish;               // of what is on nic1
	unsigned moves[2][2];          // of VFs, by the NIC that they come to
	atomic_uint n_put, put[FLOWS]; // into nic1: flows in order
	bool unseen; // what was published last: workers may be at what there was before
} played;

// ---- what is played

int __wrap_nic_start(struct nic *nic, struct sl_err *err);
int
__wrap_nic_start(struct nic *nic, struct sl_err *err)
{
	uint16_t i;

	played.starts[nic->index]++;
	if (played.no_start[nic->index])
		return sl_err_set(err, EIO, NULL, "played");
	for (i = 0; i < nic->n_ports; i++)
		nic->ports[i].running = true;
	return 0;
}

static struct control *watched; // whose NICs are stopped

// Who polls a port that stops polls nothing, or what is freed next.
static void
assert_let_go(const struct control *c, uint16_t nic, bool with_pf)
{
	unsigned i, k;

	assert_false(played.unseen);
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		const struct dp_port *of[] = {c->vports[i].port, c->vports[i].leaving};

		for (k = 0; c->vports[i].used && k < 2; k++)
			assert_false(of[k] != NULL && of[k]->nic == nic &&
				     (with_pf || of[k]->nic_port != 0));
	}
}

void __wrap_nic_stop(struct nic *nic, bool with_pf);
void
__wrap_nic_stop(struct nic *nic, bool with_pf)
{
	uint16_t i;

	// Nobody is at its rules, and none is there.
	assert_int_equal(nic_executor_pending(nic->executor), 0);
	assert_int_equal(evict_left(watched, nic->index), 0);
	assert_int_equal(ahead_entries(watched, nic->index), 0);
	assert_let_go(watched, nic->index, with_pf);
	played.stops[nic->index]++;
	for (i = with_pf ? 0 : 1; i < nic->n_ports; i++)
		nic->ports[i].running = false;
}

int __wrap_watch_start(struct watch *w, uint16_t ethdev, int wake_fd);
int
__wrap_watch_start(struct watch *w, uint16_t ethdev, int wake_fd)
{
	w->ethdev = ethdev;
	return 0;
}

void __wrap_watch_stop(struct watch *w);
void
__wrap_watch_stop(struct watch *w)
{
}

bool __wrap_watch_heard(struct watch *w, bool *removed);
bool
__wrap_watch_heard(struct watch *w, bool *removed)
{
	*removed = false;
	return true;
}

bool __wrap_watch_link(const struct watch *w);
bool
__wrap_watch_link(const struct watch *w)
{
	return played.link[w->ethdev / 100 - 1];
}

int __wrap_ports_open_nic(
	struct control *c, struct control_vport *v, struct dp_port **out, struct sl_err *err);
int
__wrap_ports_open_nic(
	struct control *c, struct control_vport *v, struct dp_port **out, struct sl_err *err)
{
	struct config_port cfg = v->cfg;
	uint16_t nic, port;

	carry_where(c, &v->cfg.attach, &nic, &port);
	cfg.attach.nic = nic;
	if (port > 0)
		cfg.attach.vf = port - 1;
	for (cfg.id = 0; c->ports[cfg.id] != NULL; cfg.id++)
		;
	*out = still_port(c, &cfg);
	(*out)->vport = v->cfg.id;
	return 0;
}

void __wrap_ports_close_device(struct control *c, struct dp_port *port);
void
__wrap_ports_close_device(struct control *c, struct dp_port *port)
{
	c->ports[port->index] = NULL;
	dp_port_free(port);
}

static void
no_expect(const struct nic *nic, uint16_t vf, bool on)
{
}

static int
note_move(const struct nic *from, uint16_t from_vf, const struct nic *to, uint16_t to_vf,
	struct sl_err *err)
{
	assert_int_equal(from->index, !to->index);
	assert_int_equal(from_vf, to_vf);
	played.moves[to->index][to_vf]++;
	return 0;
}

const struct vf_map *__wrap_vf_map_for(const struct nic *a, const struct nic *b);
const struct vf_map *
__wrap_vf_map_for(const struct nic *a, const struct nic *b)
{
	static const struct vf_map map = {
		.name = "played", .by_itself = true, .expect = no_expect, .move = note_move};

	return &map;
}

void __wrap_orders_sync(struct control *c);
void
__wrap_orders_sync(struct control *c)
{
	played.unseen = false;
}

int __real_publish(struct control *c, bool decisions);
int __wrap_publish(struct control *c, bool decisions);
int
__wrap_publish(struct control *c, bool decisions)
{
	const struct dp_port *port = c->vports[vport_of(c, "vm1")].port;

	if (played.no_publish && port != NULL && port->nic == 1)
		return -ENOMEM;
	played.unseen = true;
	return __real_publish(c, decisions);
}

// ---- the rig

static void
pair_free(struct control *c)
{
	atomic_store(&driver.hold_evict, false);
	failover_fini(c);
	rig_free(c);
}

static void
tick(struct control *c, uint64_t ms)
{
	rig_pass(c, ms);
	offload_run_answers(c);
	failover_run(c);
	offload_run_tick(c);
	rig_loop(c);
}

// So much time in ticks of 50 ms, in each of which the executors come back.
static void
pass(struct control *c, uint64_t ms)
{
	for (; ms > 0; ms -= 50) {
		tick(c, 50);
		rig_answers(c);
	}
}

// The same with an executor that may not come back.
static void
pass_held(struct control *c, uint64_t ms)
{
	for (; ms > 0; ms -= 50)
		tick(c, 50);
}

static struct control *
pair_new(const char *json)
{
	struct control *c = rig_new(json);
	struct sl_err err;
	uint16_t i;

	sl_err_init(&err);
	memset(&played, 0, sizeof(played));
	played.link[0] = played.link[1] = true;
	watched = c;
	for (i = 0; i < c->nics[0]->n_ports; i++) {
		c->nics[0]->ports[i].started = c->nics[0]->ports[i].running = true;
		c->nics[1]->ports[i].started = c->nics[1]->ports[i].running = true;
	}
	assert_int_equal(failover_new(c, &err), 0);
	assert_int_equal(played.stops[1], 1);
	pass(c, 100); // the links are seen to be up
	return c;
}

static struct failover_info
info(struct control *c, uint16_t nic)
{
	struct failover_info fi;

	failover_info(c, nic, &fi);
	return fi;
}

static void
place_flows(struct control *c, uint32_t *id, uint32_t rules)
{
	uint16_t i;

	for (i = 0; i < FLOWS; i++) {
		const struct flow_key key = udp_key(c, "vm1", 1 + i);

		id[i] = rig_report(c, &key, 1000, 2000000);
	}
	rig_settle(c);
	assert_int_equal(atomic_load(&driver.live), rules);
}

static void
assert_ports_on(struct control *c, int nic)
{
	unsigned i;

	for (i = 0; i < DP_VPORTS_MAX; i++) {
		if (c->vports[i].used && nic < 0)
			assert_null(c->vports[i].port);
		else if (c->vports[i].used)
			assert_int_equal(c->vports[i].port->nic, nic);
	}
}

// ---- tests

// A port does not stop while the executor is at its rules, however long the driver takes.
static void
test_stop_waits_for_rules(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));
	uint32_t id[FLOWS];

	place_flows(c, id, FLOWS);
	atomic_store(&driver.hold_evict, true);
	played.link[0] = false;
	pass_held(c, 20000);
	assert_int_equal(failover_carrier(c, 0), 1);
	assert_int_equal(played.stops[0], 0);
	assert_int_equal(evict_left(c, 0), FLOWS);
	assert_true(info(c, 0).busy);
	atomic_store(&driver.hold_evict, false);
	pass(c, 1000);
	assert_int_equal(played.stops[0], 1);
	assert_int_equal(evict_unread(c, 0), 0);
	assert_false(info(c, 0).busy);
	assert_int_equal(atomic_load(&driver.live), FLOWS); // those in nic1
	assert_int_equal(atomic_load(&driver.flushed), 0);
	pair_free(c);
}

// A flow that its worker has forgotten, because a rule had all its packets, goes along all the
// same.
static void
test_forgotten_flows_go_along(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));
	uint32_t id[FLOWS];
	uint16_t i;

	place_flows(c, id, FLOWS);
	for (i = 0; i < FLOWS; i++) {
		const struct flow_key key = udp_key(c, "vm1", 1 + i);

		offload_flow_gone(c->offload, &key, 0, 0);
	}
	played.link[0] = false;
	pass(c, 1000);
	assert_int_equal(failover_carrier(c, 0), 1);
	assert_int_equal(atomic_load(&driver.live), FLOWS);
	for (i = 0; i < FLOWS; i++)
		assert_int_equal(placement_find(c, id[i], OFFLOAD_IN)->nic, 1);
	pair_free(c);
}

// What is not destroyed at first is tried again, and its last counters are counted once.
static void
test_destroy_is_tried_again(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));
	struct offload_flow_info fi;
	uint32_t id[FLOWS];

	place_flows(c, id, FLOWS);
	atomic_store(&driver.packets, 50);
	atomic_store(&driver.bytes, 5000);
	atomic_store(&driver.undo_outcome, OFFLOAD_TRANSIENT);
	played.link[0] = false;
	pass(c, 3000);
	assert_int_equal(evict_left(c, 0), FLOWS);
	assert_in_range(atomic_load(&driver.destroyed), 2 * FLOWS, 40 * FLOWS); // with pauses
	assert_int_equal(played.stops[0], 0);
	atomic_store(&driver.undo_outcome, OFFLOAD_OK);
	pass(c, 1000);
	assert_int_equal(evict_left(c, 0), 0);
	assert_int_equal(evict_unread(c, 0), 0);
	assert_int_equal(atomic_load(&driver.flushed), 0);
	assert_int_equal(played.stops[0], 1);
	assert_true(offload_flow_get(c->offload, id[0], &fi));
	assert_int_equal(fi.packets[OFFLOAD_ESWITCH], 100); // by both NICs' rules
	pair_free(c);
}

// What the driver does not destroy at all is flushed before the NIC stands by.
static void
test_flush_at_last(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));
	uint32_t id[FLOWS];

	place_flows(c, id, FLOWS);
	atomic_store(&driver.undo_outcome, OFFLOAD_TRANSIENT);
	played.link[0] = false;
	pass(c, 10000);
	assert_int_equal(evict_left(c, 0), 0);
	assert_int_equal(evict_unread(c, 0), FLOWS);
	assert_int_equal(atomic_load(&driver.flushed), c->nics[0]->n_ports);
	assert_int_equal(played.stops[0], 1);
	assert_false(info(c, 0).busy);
	pair_free(c);
}

// A standby whose link does not come up has failed; whose link is up first has the ports.
static void
test_dead_standby(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));

	played.link[0] = played.link[1] = false;
	pass(c, 9000);
	assert_int_equal(failover_carrier(c, 0), 1);
	assert_int_equal(info(c, 1).state, FAILOVER_ACTIVE);
	pass(c, 2000);
	assert_int_equal(info(c, 1).state, FAILOVER_FAILED);
	assert_string_equal(info(c, 1).why, "its link did not come up");
	played.link[0] = true;
	pass(c, 1000);
	assert_int_equal(failover_carrier(c, 0), 0);
	assert_int_equal(info(c, 0).state, FAILOVER_ACTIVE);
	pair_free(c);
}

// A primary that does not start costs the NIC that carries one drain, and few tries.
static void
test_primary_does_not_start(void **state)
{
	struct control *c = pair_new(JSON("100", ",\"rules_ahead\":8"));
	unsigned i, drains = 0, tries;
	bool was = false;

	ahead_review(c);
	played.link[0] = false;
	pass(c, 2000);
	assert_int_equal(failover_carrier(c, 0), 1);
	played.no_start[0] = true;
	played.starts[0] = 0;
	played.link[0] = true;
	for (i = 0; i < 600 * 20; i++) { // 10 minutes
		pass(c, 50);
		drains += failover_drains(c, 1) && !was;
		was = failover_drains(c, 1);
	}
	tries = played.starts[0];
	assert_int_equal(drains, 1);
	assert_in_range(tries, 8, 20);
	assert_int_equal(info(c, 1).state, FAILOVER_ACTIVE);
	assert_in_range(ahead_entries(c, 1), 1, 8); // they are back after the drain
	// When it is needed it is tried at once.
	played.link[1] = false;
	pass(c, 50);
	assert_int_equal(played.starts[0], tries + 1);
	played.no_start[0] = false;
	pass(c, 2000);
	assert_int_equal(failover_carrier(c, 0), 0);
	pair_free(c);
}

// A switch-over that is not published leaves nothing behind, and the next one goes well.
static void
test_not_published(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));
	unsigned i;

	played.no_publish = true;
	played.link[0] = false;
	pass(c, 50);
	for (i = 0; i < DP_VPORTS_MAX; i++) {
		assert_null(c->vports[i].leaving);
		if (c->vports[i].used)
			assert_int_equal(c->vports[i].port->nic, 0);
	}
	assert_int_equal(publish(c, true), 0);
	played.no_publish = false;
	pass(c, 2000);
	assert_int_equal(failover_carrier(c, 0), 1);
	pair_free(c);
}

// The counters of rules ahead of traffic are as lost with the device as those of flows.
static void
test_rules_ahead_of_a_gone_nic(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":8"));
	uint32_t ahead;

	ahead_review(c);
	pass(c, 1000);
	ahead = ahead_entries(c, 0);
	assert_in_range(ahead, 1, 8);
	assert_int_equal(atomic_load(&driver.live), ahead);
	mover_nic_gone(c, c->nics[0], "played");
	pass(c, 2000);
	assert_int_equal(failover_carrier(c, 0), 1);
	assert_int_equal(ahead_entries(c, 0), 0);
	assert_int_equal(evict_unread(c, 0), ahead);
	pair_free(c);
}

// A standby that carried and lost its link stands by again when that is back, or by command: its
// PF was polled until then, and is let go of before it stops.
static void
test_the_standby_comes_back(void **state)
{
	struct control *c = pair_new(JSON("600000", ",\"rules_ahead\":0"));
	uint32_t id[FLOWS];
	struct sl_err err;
	unsigned round;

	place_flows(c, id, FLOWS);
	for (round = 0; round < 3; round++) {
		played.link[0] = false;
		pass(c, 2000);
		assert_ports_on(c, 1);
		played.link[0] = true;
		pass(c, 100);
		played.link[1] = false;
		pass(c, 2000);
		assert_ports_on(c, 0);
		assert_true(c->nics[1]->ports[0].running);
		assert_non_null(c->vports[vport_of(c, "pf0")].leaving);
		sl_err_init(&err);
		if (round == 1)
			assert_int_equal(failover_fail(c, 1, &err), 0);
		played.link[1] = true;
		pass(c, 1000);
		if (round == 1)
			assert_int_equal(failover_recover(c, 1, &err), 0);
		pass(c, 1000);
		assert_int_equal(info(c, 1).state, FAILOVER_STANDBY);
		assert_false(c->nics[1]->ports[0].running);
		assert_null(c->vports[vport_of(c, "pf0")].leaving);
		assert_ports_on(c, 0);
		assert_int_equal(atomic_load(&driver.live), FLOWS);
	}
	pair_free(c);
}

static void
note_order(struct nic_job *job)
{
	const unsigned n = job->ethdev >= 200 ? atomic_fetch_add(&played.n_put, 1) : FLOWS;

	if (n < FLOWS)
		atomic_store(&played.put[n], (unsigned)job->id >> 1);
}

// The standby has nothing until it is needed; then each VF comes to it, the heaviest flow first.
static void
test_what_moves(void **state)
{
	struct control *c = pair_new(JSON("100", ",\"rules_ahead\":0"));
	const struct offload_queue_id q = {.nic = 1, .kind = OFFLOAD_RX};
	uint32_t id[FLOWS], i;

	for (i = 0; i < FLOWS; i++) {
		const struct flow_key key = udp_key(c, "vm1", 1 + i);

		id[i] = rig_report(c, &key, 1000, 2000000 * (1 + (i + 1) % FLOWS)); // 2, 3, 1
	}
	driver.judge = note_order;
	rig_settle(c);
	assert_int_equal(atomic_load(&played.n_put), 0);
	assert_int_equal(offload_queue_state_of(c->offload, q), OFFLOAD_Q_STANDBY);
	played.link[0] = false;
	pass(c, 1000);
	for (i = 0; i < FLOWS; i++)
		assert_int_equal(atomic_load(&played.put[i]), id[(FLOWS + 1 - i) % FLOWS]);
	played.link[0] = true;
	pass(c, 3000);
	for (i = 0; i < 4; i++)
		assert_int_equal(played.moves[i / 2][i % 2], 1);
	assert_int_equal(offload_queue_state_of(c->offload, q), OFFLOAD_Q_STANDBY);
	pair_free(c);
}

// What restarts a NIC waits for its drain.
static void
restart(struct control *c, uint16_t nic, int expected)
{
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(restart_begin(c, nic, &err), 0);
	pass(c, 500);
	assert_int_equal(restart_result(c, nic, &err), expected);
}

// A NIC that does not start again is lost to its standby, and back when it starts and its link is
// up; one that stands by, stands by again.
static void
test_not_started_again(void **state)
{
	struct control *c = pair_new(JSON("1000", ",\"rules_ahead\":0"));
	uint32_t id[FLOWS];

	place_flows(c, id, FLOWS);
	played.no_start[0] = true;
	restart(c, 0, -EIO);
	assert_int_equal(failover_carrier(c, 0), 1);
	assert_ports_on(c, 1);
	assert_int_equal(info(c, 0).state, FAILOVER_FAILED);
	assert_string_equal(info(c, 0).why, "it does not start again (played)");
	assert_true(info(c, 0).next_try_s > 0);
	pass(c, 2000);
	assert_int_equal(atomic_load(&driver.live), FLOWS); // in nic1
	played.no_start[0] = false;
	played.link[0] = false;
	pass(c, 64000);
	assert_true(c->nics[0]->ports[0].running);
	assert_false(c->nics[0]->ports[1].running);
	assert_non_null(c->vports[vport_of(c, "pf0")].leaving);
	assert_null(c->vports[vport_of(c, "vm1")].leaving);
	assert_true(info(c, 0).next_try_s < 0);
	assert_string_equal(info(c, 0).why, "its link is down");
	assert_int_equal(failover_carrier(c, 0), 1);
	played.link[0] = true;
	pass(c, 500);
	assert_int_equal(info(c, 0).state, FAILOVER_RECOVERING);
	// The other one does not start: the first has them at once.
	played.no_start[1] = true;
	restart(c, 1, -EIO);
	assert_int_equal(failover_carrier(c, 0), 0);
	assert_ports_on(c, 0);
	assert_int_equal(info(c, 0).state, FAILOVER_ACTIVE);
	assert_int_equal(info(c, 1).state, FAILOVER_FAILED);
	played.no_start[1] = false;
	pass(c, 64000);
	assert_int_equal(info(c, 1).state, FAILOVER_STANDBY);
	assert_false(c->nics[1]->ports[0].running);
	assert_int_equal(failover_carrier(c, 0), 0);
	pair_free(c);
}

// With nowhere to go the pauses double up to 64 s, a command tries at once, and no rule is made.
static void
test_not_started_with_no_partner(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":8"));
	uint32_t id[FLOWS], made;
	struct sl_err err;

	sl_err_init(&err);
	ahead_review(c);
	place_flows(c, id, FLOWS + 1);
	assert_in_range(ahead_entries(c, 0), 1, FLOWS + 1);
	assert_int_equal(failover_fail(c, 1, &err), 0);
	played.no_start[0] = true;
	restart(c, 0, -EIO);
	assert_ports_on(c, -1);
	assert_int_equal(atomic_load(&driver.live), 0);
	made = atomic_load(&driver.created);
	played.starts[0] = 0;
	pass(c, 600000);
	assert_in_range(played.starts[0], 12, 15); // 1 2 4 8 16 32 64 64 ...
	assert_int_equal(atomic_load(&driver.created), made);
	assert_true(failover_drains(c, 0));
	played.starts[0] = 0;
	sl_err_init(&err);
	assert_int_equal(restart_begin(c, 0, &err), -EIO);
	assert_int_equal(played.starts[0], 1);
	played.no_start[0] = false;
	sl_err_init(&err);
	assert_int_equal(restart_begin(c, 0, &err), 0);
	assert_int_equal(restart_result(c, 0, &err), 0);
	assert_int_equal(info(c, 0).state, FAILOVER_ACTIVE);
	assert_ports_on(c, 0);
	pass(c, 2000);
	assert_in_range(atomic_load(&driver.live), 1, 64);
	assert_int_equal(info(c, 0).switches, 0);
	pair_free(c);
}

// What its own NIC did not have goes back to nothing when the switch-over is not published.
static void
test_not_started_not_published(void **state)
{
	struct control *c = pair_new(JSON("0", ",\"rules_ahead\":0"));

	played.no_publish = true;
	played.no_start[0] = true;
	restart(c, 0, -EIO);
	assert_ports_on(c, -1);
	assert_null(c->vports[vport_of(c, "pf0")].leaving);
	assert_int_equal(failover_carrier(c, 0), 0);
	played.no_publish = false;
	pass(c, 2000);
	assert_int_equal(failover_carrier(c, 0), 1);
	assert_ports_on(c, 1);
	pair_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forgotten_flows_go_along),
		cmocka_unit_test(test_stop_waits_for_rules),
		cmocka_unit_test(test_destroy_is_tried_again),
		cmocka_unit_test(test_flush_at_last),
		cmocka_unit_test(test_dead_standby),
		cmocka_unit_test(test_primary_does_not_start),
		cmocka_unit_test(test_not_published),
		cmocka_unit_test(test_rules_ahead_of_a_gone_nic),
		cmocka_unit_test(test_what_moves),
		cmocka_unit_test(test_the_standby_comes_back),
		cmocka_unit_test(test_not_started_again),
		cmocka_unit_test(test_not_started_with_no_partner),
		cmocka_unit_test(test_not_started_not_published),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
