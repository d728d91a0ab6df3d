// SPDX-License-Identifier: BSD-3-Clause
// Rules ahead of traffic, kept in step with a real switch on a NIC whose driver the test plays:
// random rules come and go, and what the NIC decides of random packets is what the switch decides,
// or the host's. Then the driver's refusals, a full table and a NIC that goes.
#include "control_ahead.h"

static uint32_t
add_random(struct control *c, struct sl_rng *rng)
{
	static const char *const actions[] = {"drop", "drop", "output=vm1", "output=vm2",
		"output=pf0", "output=host", "normal", "flood", "goto=1", "goto=2",
		"set_vlan=20 output=vm2", "push_vlan=30 output=pf0", "class=bulk output=vm2",
		"rate=1M output=pf0", "output=vm1 output=pf0", "pop_vlan output=pf0",
		"set_vlan=10 goto=2"};
	static const char *const ports[] = {"", "", "", " port=pf0", " port=vm1"};
	const char *act = actions[sl_rng_below(rng, 17)];
	uint16_t table = (uint16_t)sl_rng_below(rng, 3);
	char match[256];
	size_t n;

	if (strstr(act, "goto=1") != NULL)
		table = 0;
	else if (strstr(act, "goto=2") != NULL)
		table = table == 2 ? 1 : table;
	model_random_match(rng, match, sizeof(match));
	n = strlen(match);
	snprintf(match + n, sizeof(match) - n, "%s", ports[sl_rng_below(rng, 5)]);
	return add(c, table, (uint16_t)sl_rng_below(rng, 4), match, act);
}

static const struct ahead_live *
nic_decides(const struct control *c, const struct model_packet *p, uint64_t seed)
{
	const struct ahead_nic *n = &c->ahead->nic[0];
	const struct ahead_live *best = NULL;
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];
		struct translate_rule r;

		if (!l->used || l->state != AHEAD_IN || l->vport != p->key.vport)
			continue;
		ahead_rule_of(c, 0, l, &r);
		if (!model_hits(&r, p))
			continue;
		if (best != NULL && best->level == l->level)
			fail_msg("seed %lu: two rules of one level hit a packet", seed);
		if (best == NULL || l->level < best->level)
			best = l;
	}
	return best;
}

// True: the NIC decided it.
static bool
check_packet(const struct control *c, const struct model_packet *p, uint64_t seed)
{
	static const uint8_t ops[] = {[DP_VLAN_KEEP] = AHEAD_VLAN_KEEP,
		[DP_VLAN_PUSH] = AHEAD_VLAN_PUSH,
		[DP_VLAN_POP] = AHEAD_VLAN_POP,
		[DP_VLAN_SET] = AHEAD_VLAN_SET};
	const struct ahead_live *l = nic_decides(c, p, seed);
	struct dp_program prog;
	struct dp_verdict v;
	bool same;

	if (l == NULL || l->act.kind == AHEAD_HOST)
		return false;
	dp_compile(c->snapshot, &p->key, &prog, &v);
	if (l->act.kind == AHEAD_DROP)
		same = prog.kind == DP_PROG_DROP;
	else
		same = prog.kind == DP_PROG_OUTPUT && v.single_output && !v.rated &&
		       prog.cls == 0 &&
		       !(prog.flags & (DP_PROG_RING | DP_PROG_MAC_DEP | DP_PROG_STORM)) &&
		       c->vports[prog.out].port->nic == 0 &&
		       c->vports[prog.out].port->nic_port == l->act.port &&
		       ops[prog.vlan_op] == l->act.vlan_op &&
		       (prog.vlan_op == DP_VLAN_KEEP || prog.vlan_op == DP_VLAN_POP ||
			       prog.vlan == l->act.vlan);
	if (!same) {
		struct translate_rule r;
		char text[512];

		ahead_rule_of(c, 0, l, &r);
		translate_format(&r, text, sizeof(text));
		fail_msg("seed %lu: the NIC's \"%s\" and the switch (kind %u, drop %u, out %u) "
			 "differ "
			 "(from %u, l3 %u proto %u frag %u vlan %x/%x)",
			seed, text, prog.kind, prog.drop, prog.out, p->key.vport, p->key.l3,
			p->key.proto, p->key.frag, p->key.vlan[0], p->key.vlan[1]);
	}
	return true;
}

// The lists by port and level say the same as a look at all rules.
static void
check_served(struct control *c, const struct flow_key *key, uint64_t seed)
{
	const struct ahead_nic *n = &c->ahead->nic[0];
	const struct ahead_live *best = NULL;
	char name[64];
	uint32_t i;

	for (i = 0; i < n->cap; i++) {
		const struct ahead_live *l = &n->live[i];

		if (l->used && l->vport == key->vport && l->state == AHEAD_IN && l->kept &&
			flow_match_hits(&l->match, key) && (best == NULL || l->level < best->level))
			best = l;
	}
	if (ahead_serves(c, key, name, sizeof(name)) !=
		(best != NULL && best->act.kind != AHEAD_HOST))
		fail_msg("seed %lu: served by %s, and that is wrong", seed, name);
}

static void
test_decides_as_the_switch(void **state)
{
	struct control *c = rig_new(json);
	uint32_t ids[64], n = 0;
	struct sl_rng rng = {.state = 77};
	unsigned decided = 0;
	unsigned round, i;

	for (round = 0; round < 400; round++) {
		uint64_t seed = rng.state;
		unsigned edits = 1 + sl_rng_below(&rng, 4);

		for (i = 0; i < edits; i++) {
			if (n == 0 || (n < 24 && sl_rng_below(&rng, 5) < 3)) {
				ids[n] = add_random(c, &rng);
				n += ids[n] != UINT32_MAX;
			} else {
				uint32_t at = sl_rng_below(&rng, n);

				assert_int_equal(rule_book_del(c->book[0], ids[at]), 0);
				ids[at] = ids[--n];
			}
		}
		in_force(c);
		run_until_done(c);
		for (i = 0; i < 120; i++) {
			struct model_packet p = model_random_packet(&rng);

			p.key.switch_id = 5;
			p.key.vport = vport_of(
				c, (const char *[]){"pf0", "vm1", "vm2"}[sl_rng_below(&rng, 3)]);
			decided += check_packet(c, &p, seed);
			check_served(c, &p.key, seed);
		}
		assert_int_equal(atomic_load(&driver.live), ahead_entries(c, 0));
	}
	assert_true(decided > 400 * 120 / 10); // not by leaving all to the host
	rig_free(c);
}

// ---- what a driver answers

static void
test_a_refused_shape(void **state)
{
	struct control *c = rig_new(json);

	add(c, 0, 9, "ip ip_dst=10.0.0.0/24", "output=vm2");
	atomic_store(&driver.outcome, OFFLOAD_UNSUPPORTED);
	in_force(c);
	run_until_done(c);
	assert_int_equal(ahead_entries(c, 0), 0);
	assert_true(c->ahead->nic[0].n_refused > 0);
	// It is not asked again for the same, but for what it may take.
	atomic_store(&driver.outcome, OFFLOAD_OK);
	atomic_store(&driver.created, 0);
	add(c, 0, 1, "ip ip_dst=10.0.1.0/24", "output=vm2");
	in_force(c);
	run_until_done(c);
	assert_int_equal(ahead_entries(c, 0), 0);
	add(c, 0, 1, "ip6 proto=47", "output=vm2");
	in_force(c);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) > 0);
	rig_free(c);
}

static void
test_a_full_table(void **state)
{
	struct control *c = rig_new(json);

	add(c, 0, 9, "ip ip_dst=10.0.0.0/24", "drop");
	in_force(c);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) > 0);
	atomic_store(&driver.outcome, OFFLOAD_FULL);
	add(c, 0, 10, "ip ip_dst=10.0.1.0/24", "drop");
	in_force(c);
	run_until_done(c);
	assert_true(c->ahead->nic[0].room != UINT32_MAX);
	// There is room again: it is tried in a while.
	atomic_store(&driver.outcome, OFFLOAD_OK);
	rig_pass(c, 11000);
	offload_run_tick(c);
	run_until_done(c);
	assert_true(c->ahead->nic[0].room == UINT32_MAX);
	assert_int_equal(atomic_load(&driver.live), ahead_entries(c, 0));
	rig_free(c);
}

static void
test_an_executor_that_fails_for_a_while(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id = add(c, 0, 9, "ip ip_dst=10.0.0.0/24", "drop");

	atomic_store(&driver.outcome, OFFLOAD_TRANSIENT);
	in_force(c);
	rig_answers(c);
	assert_true(ahead_pending(c) > 0);
	atomic_store(&driver.outcome, OFFLOAD_OK);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) > 0);
	atomic_store(&driver.undo_outcome, OFFLOAD_TRANSIENT);
	rule_book_del(c->book[0], id);
	in_force(c);
	rig_answers(c);
	assert_true(ahead_pending(c) > 0); // it is not said to be in force
	atomic_store(&driver.undo_outcome, OFFLOAD_OK);
	run_until_done(c);
	assert_int_equal(atomic_load(&driver.live), ahead_entries(c, 0));
	rig_free(c);
}

static void
test_a_nic_that_goes(void **state)
{
	struct control *c = rig_new(json);

	add(c, 0, 9, "ip ip_dst=10.0.0.0/24", "drop");
	in_force(c);
	run_until_done(c);
	atomic_store(&driver.outcome, OFFLOAD_GONE);
	add(c, 0, 9, "ip ip_dst=10.0.1.0/24", "drop");
	in_force(c);
	run_until_done(c);
	assert_true(c->nics[0]->gone);
	assert_int_equal(ahead_entries(c, 0), 0);
	in_force(c);
	assert_int_equal(ahead_pending(c), 0);
	rig_free(c);
}

// What the NIC carried is the rule's, apart from what software did, and only its own.
static void
test_counters(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id = add(c, 0, 9, "port=pf0 ip ip_dst=10.0.0.0/24", "drop");
	uint64_t packets, bytes, past;
	unsigned i;

	in_force(c);
	run_until_done(c);
	atomic_store(&driver.packets, 10);
	atomic_store(&driver.bytes, 1000);
	for (i = 0; i < 3; i++) { // a reading may have been on its way
		rig_answers(c);
		rig_pass(c, 200);
		offload_run_tick(c);
	}
	rig_answers(c);
	rule_book_hardware(c->book[0], id, &packets, &bytes);
	assert_int_equal(packets, 10);
	assert_int_equal(bytes, 1000);
	assert_true(c->eswitch[vport_of(c, "pf0")].rx_packets >= 10);
	// Final counters are read before the rule goes.
	atomic_store(&driver.packets, 15);
	atomic_store(&driver.bytes, 1500);
	past = c->eswitch[vport_of(c, "pf0")].rx_packets;
	rule_book_del(c->book[0], id);
	in_force(c);
	run_until_done(c);
	assert_true(c->eswitch[vport_of(c, "pf0")].rx_packets >= past + 5);
	rig_free(c);
}

// Two vports change their VFs: what one's rules say is not done to packets of the other's.
static void
test_vfs_change_hands(void **state)
{
	struct control *c = rig_new(json);
	struct dp_port *one = c->vports[vport_of(c, "vm1")].port;
	struct dp_port *two = c->vports[vport_of(c, "vm2")].port;
	const struct ahead_nic *n = &c->ahead->nic[0];
	uint16_t port = one->nic_port;
	uint32_t i;

	add(c, 0, 9, "port=vm1 ip ip_dst=10.0.0.0/24", "drop");
	add(c, 0, 8, "port=vm2 ip ip_dst=10.0.1.0/24", "output=pf0");
	in_force(c);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) > 2);
	one->nic_port = two->nic_port;
	two->nic_port = port;
	in_force(c);
	run_until_done(c);
	assert_true(ahead_entries(c, 0) > 2);
	for (i = 0; i < n->cap; i++)
		assert_true(!n->live[i].used ||
			    n->live[i].port == c->vports[n->live[i].vport].port->nic_port);
	assert_int_equal(atomic_load(&driver.live), ahead_entries(c, 0));
	rig_free(c);
}

static int
start(void **state)
{
	return control_eal("test_control_ahead", "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decides_as_the_switch),
		cmocka_unit_test(test_a_refused_shape),
		cmocka_unit_test(test_a_full_table),
		cmocka_unit_test(test_an_executor_that_fails_for_a_while),
		cmocka_unit_test(test_a_nic_that_goes),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_vfs_change_hands),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
