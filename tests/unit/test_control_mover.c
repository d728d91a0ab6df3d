// SPDX-License-Identifier: BSD-3-Clause
// Moves between queues, and to and from the embedded switch, carried out for the real brain on a
// NIC whose driver the test plays: what waits for whom, failures, lanes, a NIC that goes.
//
//   pf0, vm1 (vf0), vm2 (vf1): on nic0      host: on nothing that is a NIC
#include "control_support.h"

#include "apply/apply.h"

static const char json[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=6\",\"queues\":6,"
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2}],"
	"\"offload\":{\"rules_ahead\":0,\"heavy_bps\":1000000,\"light_bps\":500000,\"min_bps\":"
	"1000,\"idle_ms\":500,"
	"\"residency_ms\":1},"
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}},"
	"{\"name\":\"vm2\",\"vm\":\"v2\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":1}},"
	"{\"name\":\"host\",\"vm\":\"v3\"}],"
	"\"rules\":[{\"match\":\"port=pf0\",\"actions\":\"output=host\"},"
	"{\"match\":\"port=vm1\",\"actions\":\"output=vm2\"}]}]}";

static struct offload_flow_info
info_of(struct control *c, uint32_t id)
{
	struct offload_flow_info fi;

	assert_true(offload_flow_get(c->offload, id, &fi));
	return fi;
}

static unsigned
lanes_live(struct control *c)
{
	const struct dp_lane *_Atomic *lanes = placements_lanes(c->placements);
	unsigned i, n = 0;

	for (i = 0; i < DP_LANES_MAX; i++)
		n += atomic_load(&lanes[i]) != NULL;
	return n;
}

static uint32_t
heavy(struct control *c, const char *from, uint16_t port)
{
	const struct flow_key key = udp_key(c, from, port);
	uint32_t id = rig_report(c, &key, 1000, 2000000);

	assert_int_not_equal(id, UINT32_MAX);
	return id;
}

// No call may reach the driver before the workers poll in the right order, and no answer the brain
// before they have seen the old queues empty.
static void
test_phases(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id = heavy(c, "pf0", 1);
	unsigned i;

	rig_pass(c, 5);
	offload_run_tick(c);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_INSTALLING);
	for (i = 0; i < 20; i++) {
		nap();
		offload_run_answers(c);
	}
	assert_int_equal(atomic_load(&driver.created), 0);
	assert_int_equal(lanes_live(c), 0);
	rig_loop(c);
	offload_run_answers(c);
	assert_int_equal(lanes_live(c), 1); // before the rule that marks packets for it
	rig_answers(c);
	assert_int_equal(atomic_load(&driver.created), 1);
	for (i = 0; i < 20; i++)
		offload_run_answers(c);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_INSTALLING);
	rig_loop(c);
	offload_run_answers(c);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_PLACED);
	assert_int_equal(mover_pending(c), 0);
	assert_int_equal(lanes_live(c), 1);
	rig_loop(c);
	// The way back: the lane stays until the queue was seen empty.
	rig_pass(c, 600);
	offload_run_tick(c);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_REMOVING);
	rig_loop(c);
	rig_answers(c);
	assert_int_equal(atomic_load(&driver.destroyed), 1);
	assert_int_equal(lanes_live(c), 1);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_REMOVING);
	rig_loop(c);
	offload_run_answers(c);
	assert_int_equal(lanes_live(c), 0);
	assert_null(placement_find(c, id, OFFLOAD_IN));
	rig_free(c);
}

static void
test_refused(void **state)
{
	static const struct {
		int outcome, reason;
	} cases[] = {{OFFLOAD_UNSUPPORTED, OFFLOAD_R_UNSUPPORTED},
		{OFFLOAD_TRANSIENT, OFFLOAD_R_DRIVER}, {OFFLOAD_FULL, OFFLOAD_R_TABLE_FULL}};
	unsigned i;

	for (i = 0; i < 3; i++) {
		struct control *c = rig_new(json);
		struct offload_flow_info fi;
		uint32_t id = heavy(c, "pf0", 1);

		atomic_store(&driver.outcome, cases[i].outcome);
		rig_settle(c);
		fi = info_of(c, id);
		assert_int_equal(fi.side[OFFLOAD_IN].reason, cases[i].reason);
		assert_string_equal(fi.side[OFFLOAD_IN].driver_text, "played");
		assert_int_equal(lanes_live(c), 0);
		assert_null(placement_find(c, id, OFFLOAD_IN));
		assert_int_equal(mover_pending(c), 0);
		rig_free(c);
	}
}

// To the embedded switch no worker is waited for. A removal that fails is tried again, and what it
// counted is told once; a query that fails is not a count of 0.
static void
test_eswitch(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id = heavy(c, "vm1", 1);
	struct offload_flow_info fi;
	struct offload_cfg oc;

	rig_pass(c, 5);
	offload_run_tick(c);
	rig_answers(c);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_PLACED);
	assert_int_equal(driver.ethdev[0], 101); // of vf0's representor
	atomic_store(&driver.packets, 50);
	atomic_store(&driver.bytes, 5000);
	rig_pass(c, 101);
	offload_run_tick(c);
	rig_answers(c);
	assert_int_equal(info_of(c, id).packets[OFFLOAD_ESWITCH], 50);
	atomic_store(&driver.blind, true);
	rig_pass(c, 101);
	offload_run_tick(c);
	rig_answers(c);
	assert_int_equal(info_of(c, id).packets[OFFLOAD_ESWITCH], 50);
	atomic_store(&driver.blind, false);
	atomic_store(&driver.packets, 60);
	atomic_store(&driver.bytes, 6000);
	atomic_store(&driver.undo_outcome, OFFLOAD_TRANSIENT);
	c->cfg->offload.enabled = false;
	oc = offload_run_cfg(c->cfg, c->n_workers);
	offload_reconfigure(c->offload, &oc);
	offload_run_tick(c);
	rig_answers(c);
	fi = info_of(c, id);
	assert_int_equal(fi.side[OFFLOAD_IN].state, OFFLOAD_ST_REMOVING);
	assert_int_equal(fi.packets[OFFLOAD_ESWITCH], 60);
	atomic_store(&driver.undo_outcome, OFFLOAD_OK);
	rig_pass(c, 1000);
	rig_settle(c);
	fi = info_of(c, id);
	assert_int_equal(fi.side[OFFLOAD_IN].state, OFFLOAD_ST_SOFTWARE);
	assert_int_equal(fi.packets[OFFLOAD_ESWITCH], 60);
	assert_int_equal(atomic_load(&driver.live), 0);
	rig_free(c);
}

// The rule goes by the NIC that has it, although the flow's port is on none any more; the rules
// that contradict placements are counted exactly, also when a change is taken back.
static void
test_detached(void **state)
{
	struct control *c = rig_new(json);
	struct control_vport *v = &c->vports[vport_of(c, "vm1")];
	struct dp_port *port = v->port;
	uint32_t id = heavy(c, "vm1", 1);

	rig_settle(c);
	assert_int_equal(info_of(c, id).side[OFFLOAD_IN].state, OFFLOAD_ST_PLACED);
	atomic_store(&driver.hold, true); // the executor is busy with nothing that counts
	v->port = NULL;
	assert_int_equal(apply_decisions(c), 0);
	assert_int_equal(placements_contradicted(c), 1);
	v->port = port;
	assert_int_equal(apply_decisions(c), 0);
	assert_int_equal(placements_contradicted(c), 0);
	v->port = NULL;
	assert_int_equal(apply_decisions(c), 0);
	assert_int_equal(placements_contradicted(c), 1);
	atomic_store(&driver.hold, false);
	rig_settle(c);
	assert_int_equal(placements_contradicted(c), 0);
	assert_int_equal(atomic_load(&driver.live), 0);
	assert_null(placement_find(c, id, OFFLOAD_IN));
	v->port = port;
	rig_free(c);
}

static void
test_nic_goes(void **state)
{
	struct control *c = rig_new(json);
	uint32_t a = heavy(c, "vm1", 1), b = heavy(c, "pf0", 2), d;

	rig_settle(c);
	assert_int_equal(info_of(c, a).side[OFFLOAD_IN].state, OFFLOAD_ST_PLACED);
	assert_int_equal(info_of(c, b).side[OFFLOAD_IN].state, OFFLOAD_ST_PLACED);
	atomic_store(&driver.outcome, OFFLOAD_GONE);
	d = heavy(c, "vm1", 3);
	rig_settle(c);
	assert_true(c->nics[0]->gone);
	assert_null(placement_find(c, a, OFFLOAD_IN));
	assert_null(placement_find(c, b, OFFLOAD_IN));
	assert_null(placement_find(c, d, OFFLOAD_IN));
	assert_int_equal(lanes_live(c), 0);
	assert_int_equal(mover_pending(c), 0);
	assert_int_equal(info_of(c, a).side[OFFLOAD_IN].reason, OFFLOAD_R_NIC_GONE);
	rig_free(c);
}

// Seeded churn: flows come, get heavy, fall silent; the driver says what it likes. In the end
// nothing is left in the NIC, in the shadow table, or among the lanes.
static void
test_churn(void **state)
{
	const uint64_t seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
	struct sl_rng rng = {.state = seed};
	struct control *c = rig_new(json);
	unsigned i;

	for (i = 0; i < 1500; i++) {
		unsigned what = sl_rng_below(&rng, 12);

		if (what < 6) {
			heavy(c, what % 2 ? "pf0" : "vm1", (uint16_t)(1 + sl_rng_below(&rng, 60)));
		} else if (what == 6) {
			int outcome =
				(int)sl_rng_below(&rng, 2) * (int)sl_rng_below(&rng, OFFLOAD_GONE);

			// A shape that is refused is never tried again: not before some rules were
			// made.
			if (outcome == OFFLOAD_UNSUPPORTED && atomic_load(&driver.created) <= 10)
				outcome = OFFLOAD_TRANSIENT;
			atomic_store(&driver.outcome, outcome);
			atomic_store(&driver.undo_outcome,
				sl_rng_below(&rng, 4) == 0 ? OFFLOAD_TRANSIENT : OFFLOAD_OK);
		} else if (what == 7) {
			rig_pass(c, sl_rng_below(&rng, 300));
		} else if (what == 8) {
			c->rules_dirty[0] = true;
			assert_int_equal(apply_decisions(c), 0);
		} else {
			rig_pass(c, 5);
			offload_run_tick(c);
		}
		if (sl_rng_below(&rng, 2))
			rig_loop(c);
		if (sl_rng_below(&rng, 3) == 0)
			rig_answers(c);
	}
	atomic_store(&driver.outcome, OFFLOAD_OK);
	atomic_store(&driver.undo_outcome, OFFLOAD_OK);
	for (i = 0; i < 40; i++) {
		rig_pass(c, 600);
		rig_settle(c);
	}
	if (atomic_load(&driver.live) != 0 || lanes_live(c) != 0 || mover_pending(c) != 0 ||
		placements_contradicted(c) != 0)
		fail_msg("seed %llu: %u rules, %u lanes, %u pending", (unsigned long long)seed,
			atomic_load(&driver.live), lanes_live(c), mover_pending(c));
	assert_true(atomic_load(&driver.created) > 10);
	rig_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_eswitch),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_nic_goes),
		cmocka_unit_test(test_churn),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
