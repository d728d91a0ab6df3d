// SPDX-License-Identifier: BSD-3-Clause
// MAC learning on a clock set by hand: learn, move, age, limit, flush, tables that live until no
// snapshot has them; the index against a plain list.
#include "control_support.h"
#include "switch/mac_list.h"

static const char json[] =
	"{\"switches\":[{\"name\":\"s\",\"id\":5,\"mac_limit\":4,\"mac_age_s\":10,\"ports\":["
	"{\"name\":\"a\"},{\"name\":\"b\"},"
	"{\"name\":\"c\",\"vlan\":{\"mode\":\"access\",\"vid\":7}}]},"
	"{\"name\":\"other\",\"id\":6,\"mac_age_s\":1,\"ports\":[{\"name\":\"x\"}]}]}";

static struct dp_event
seen(const struct control *c, const char *port, uint8_t last, uint16_t vlan)
{
	struct dp_event ev = {.type = DP_EV_MAC};

	flow_key_init(&ev.key, 5, vport_of(c, port));
	ev.key.eth_src[0] = 2;
	ev.key.eth_src[5] = last;
	ev.key.vlan[0] = vlan;
	return ev;
}

static void
learn(struct control *c, const char *port, uint8_t last, uint16_t vlan)
{
	const struct dp_event ev = seen(c, port, last, vlan);

	macs_learn(c, &ev);
}

// Where the table of the next snapshot has the address; -1: nowhere.
static int
where(struct control *c, uint8_t last, uint16_t vlan)
{
	const uint8_t addr[6] = {2, 0, 0, 0, 0, last};
	const struct dp_mac *m = dp_mac_find(macs_table(c, 0), addr, vlan);

	return m == NULL ? -1 : m->vport;
}

static void
count_one(void *ctx, const struct mac_info *info)
{
	(*(unsigned *)ctx)++;
	assert_in_range(info->age_s, 0, 11);
}

static unsigned
count(struct control *c)
{
	unsigned n = 0;

	macs_each(c, 0, count_one, &n);
	return n;
}

static void
test_learn_and_move(void **state)
{
	struct control *c = rig_new(json);
	struct dp_event ev;

	learn(c, "a", 1, 0);
	assert_true(macs_tick(c));
	assert_int_equal(where(c, 1, 0), vport_of(c, "a"));
	assert_false(macs_tick(c));
	assert_int_equal(where(c, 1, 9), -1);
	learn(c, "a", 1, 0); // again: nothing new
	assert_false(macs_tick(c));
	learn(c, "b", 1, 0);
	assert_true(macs_tick(c));
	assert_int_equal(where(c, 1, 0), vport_of(c, "b"));
	// Not learned: multicast, a switch or vport that is not there, another switch's vport.
	ev = seen(c, "a", 2, 0);
	ev.key.eth_src[0] = 3;
	macs_learn(c, &ev);
	ev = seen(c, "a", 2, 0);
	ev.key.switch_id = 99;
	macs_learn(c, &ev);
	ev = seen(c, "a", 2, 0);
	ev.key.vport = 200;
	macs_learn(c, &ev);
	ev.key.vport = UINT16_MAX;
	macs_learn(c, &ev);
	ev.key.vport = vport_of(c, "x");
	macs_learn(c, &ev);
	assert_int_equal(count(c), 1);
	rig_free(c);
}

static void
test_age(void **state)
{
	struct control *c = rig_new(json);
	struct flow_key key;

	learn(c, "a", 1, 0);
	learn(c, "b", 2, 0);
	macs_tick(c);
	macs_table(c, 0);
	rig_pass(c, 6000);
	learn(c, "b", 2, 0);
	rig_pass(c, 6000);
	assert_true(macs_tick(c));
	assert_int_equal(where(c, 1, 0), -1);
	assert_int_equal(where(c, 2, 0), vport_of(c, "b"));
	// A worker that is a tick ahead is not 2^32 ticks behind.
	learn(c, "c", 3, 7);
	atomic_fetch_add(dp_mac_find(macs_table(c, 0), (uint8_t[6]){2, 0, 0, 0, 0, 3}, 7)->used, 1);
	rig_pass(c, 1001);
	c->clock.manual_ns -= 1001 * SL_NS_PER_MS;
	macs_tick(c);
	assert_int_equal(count(c), 2);
	// What the NIC carries keeps the address alive, in the VLAN that the port gives.
	key = udp_key(c, "c", 1);
	key.eth_src[5] = 3;
	rig_pass(c, 8000);
	macs_touch(c, &key);
	rig_pass(c, 8000);
	macs_tick(c);
	assert_int_equal(where(c, 3, 7), vport_of(c, "c"));
	assert_int_equal(where(c, 2, 0), -1);
	rig_free(c);
}

// Workers say about once a second that an address is in use: until then it is not gone.
static void
test_age_of_one_in_use(void **state)
{
	struct control *c = rig_new(json);
	struct dp_event ev = seen(c, "x", 1, 0);
	const struct dp_mac *m;
	unsigned i;

	ev.key.switch_id = 6;
	macs_learn(c, &ev);
	m = dp_mac_find(macs_table(c, 1), ev.key.eth_src, 0);
	assert_non_null(m);
	for (i = 0; i < 5 * DP_MAC_USED_TICKS; i++) {
		c->clock.manual_ns += DP_TICK_NS;
		if (i % DP_MAC_USED_TICKS == DP_MAC_USED_TICKS - 1)
			atomic_fetch_add(m->used, DP_MAC_USED_TICKS);
		assert_false(macs_tick(c));
	}
	rig_pass(c, 3100);
	assert_true(macs_tick(c));
	assert_null(dp_mac_find(macs_table(c, 1), ev.key.eth_src, 0));
	rig_free(c);
}

static void
test_limit_and_flush(void **state)
{
	struct control *c = rig_new(json);
	uint8_t i;

	for (i = 0; i < 10; i++)
		learn(c, i % 2 ? "a" : "b", i, i / 2);
	assert_int_equal(count(c), 4);
	assert_int_equal(macs_refused(c, 0), 6);
	learn(c, "a", 0, 0); // a move is not a new one
	assert_int_equal(where(c, 0, 0), vport_of(c, "a"));
	assert_int_equal(macs_flush(c, 0, vport_of(c, "b"), -1), 1);
	assert_int_equal(macs_flush(c, 0, -1, 1), 1);
	assert_int_equal(count(c), 2);
	learn(c, "b", 9, 0); // there is room again
	assert_int_equal(where(c, 9, 0), vport_of(c, "b"));
	assert_int_equal(macs_flush(c, 0, -1, -1), 3);
	assert_int_equal(count(c), 0);
	assert_int_equal(where(c, 9, 0), -1);
	rig_free(c);
}

// A worker may hold the table of the snapshot in force, and write to its cells, until the next.
static void
test_tables_live_on(void **state)
{
	struct control *c = rig_new(json);
	const struct dp_mac *m;

	learn(c, "a", 1, 0);
	assert_int_equal(publish(c, true), 0);
	m = dp_mac_find(c->snapshot->sw[0].macs, (uint8_t[6]){2, 0, 0, 0, 0, 1}, 0);
	assert_non_null(m);
	assert_int_equal(macs_flush(c, 0, -1, -1), 1);
	macs_table(c, 0); // a snapshot is begun, but not put in force
	learn(c, "b", 2, 0);
	macs_table(c, 0);
	assert_int_equal(m->vport, vport_of(c, "a"));
	atomic_store(m->used, 5);
	assert_int_equal(publish(c, true), 0);
	assert_null(dp_mac_find(c->snapshot->sw[0].macs, (uint8_t[6]){2, 0, 0, 0, 0, 1}, 0));
	rig_free(c);
}

// ---- the index

#define MODEL 400

static void
test_index(void **state)
{
	const uint64_t seed = (uint64_t)time(NULL);
	struct sl_rng rng = {.state = seed};
	struct mac_list l;
	bool there[MODEL] = {false};
	unsigned i, k, n = 0;

	mac_list_init(&l, seed);
	for (i = 0; i < 20000; i++) {
		unsigned at = sl_rng_below(&rng, MODEL);
		const uint8_t addr[6] = {2, 0, 0, 0, (uint8_t)(at / 20), 1};
		const uint16_t vlan = (uint16_t)(at % 20);
		struct mac_learned *m = mac_list_find(&l, addr, vlan);

		if ((m != NULL) != there[at])
			fail_msg("seed %llu: %u", (unsigned long long)seed, at);
		if (m != NULL) {
			assert_int_equal(m->vport, at);
			mac_list_del(&l, (uint32_t)(m - l.list));
			n--;
		} else {
			m = mac_list_add(&l, addr, vlan);
			assert_non_null(m);
			m->vport = (uint16_t)at;
			n++;
		}
		there[at] = !there[at];
		assert_int_equal(l.n, n);
		for (k = 0; i % 500 == 0 && k < MODEL; k++) {
			const uint8_t other[6] = {2, 0, 0, 0, (uint8_t)(k / 20), 1};

			assert_true(
				there[k] == (mac_list_find(&l, other, (uint16_t)(k % 20)) != NULL));
		}
	}
	mac_list_fini(&l);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn_and_move),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_age_of_one_in_use),
		cmocka_unit_test(test_limit_and_flush),
		cmocka_unit_test(test_tables_live_on),
		cmocka_unit_test(test_index),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
