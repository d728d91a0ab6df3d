// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <errno.h>

#include "engine_test.h"
#include "rules/rules.h"

static struct rules_entry
entry(uint32_t id, uint16_t table, uint16_t priority)
{
	struct rules_entry e;

	memset(&e, 0, sizeof(e));
	e.id = id;
	e.table = table;
	e.priority = priority;
	flow_match_init(&e.match);
	return e;
}

static struct flow_actions
go_to(uint16_t table)
{
	struct flow_actions a = {.n = 1};

	a.list[0] = (struct flow_action){.type = FLOW_ACT_GOTO, .index = table};
	return a;
}

static struct flow_actions
output(uint16_t port)
{
	struct flow_actions a = {.n = 1};

	a.list[0] = (struct flow_action){.type = FLOW_ACT_OUTPUT, .port = port};
	return a;
}

// Commits, looks one key up, puts the set.
static struct rules_result
look(struct rules *r, const struct flow_key *key)
{
	struct rules_set *s = rules_commit(r);
	struct rules_result out;

	assert_non_null(s);
	rules_lookup(s, key, &out);
	rules_set_put(s);
	return out;
}

static void
test_refusals(void **state)
{
	struct rules *r = rules_new(7);
	struct rules_entry e;
	struct sl_err err;
	(void)state;

	for (uint32_t id = 0; id < 7; id++) {
		e = entry(id, 0, 1);
		assert_int_equal(rules_add(r, &e, NULL), 0);
	}
	e = entry(7, 0, 1);
	sl_err_init(&err);
	assert_int_equal(rules_add(r, &e, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "room for 7"));
	e = entry(3, 0, 1);
	assert_int_equal(rules_add(r, &e, NULL), -EEXIST);
	assert_int_equal(rules_del(r, 3), 0);
	assert_int_equal(rules_del(r, 3), -ENOENT);
	assert_int_equal(rules_del(r, 1000), -ENOENT);
	assert_null(rules_find(r, 1000));
	e = entry(3, RULES_TABLES, 1);
	assert_int_equal(rules_add(r, &e, NULL), -EINVAL);
	e = entry(3, 5, 1);
	e.actions = go_to(5);
	sl_err_init(&err);
	assert_int_equal(rules_add(r, &e, &err), -EINVAL);
	assert_non_null(strstr(err.text, "goto=5"));
	e.actions = go_to(RULES_TABLES);
	assert_int_equal(rules_add(r, &e, NULL), -EINVAL);
	e.actions = go_to(6);
	e.actions.list[e.actions.n++] = (struct flow_action){.type = FLOW_ACT_DROP};
	assert_int_equal(rules_add(r, &e, NULL), -EINVAL);
	e.actions.n = FLOW_ACTIONS_MAX + 1;
	assert_int_equal(rules_add(r, &e, NULL), -EINVAL);
	e.actions = output(1);
	e.actions.list[0].type = FLOW_ACTS;
	assert_int_equal(rules_add(r, &e, NULL), -EINVAL);
	e.actions = go_to(3);
	assert_int_equal(rules_table_default(r, 3, &e.actions, NULL), -EINVAL);
	assert_int_equal(rules_table_default(r, RULES_TABLES, &e.actions, NULL), -EINVAL);
	assert_int_equal(rules_count(r), 6);
	e = entry(3, 0, 1);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	rules_free(r);
}

static void
test_defaults_and_depth(void **state)
{
	struct rules *r = rules_new(100);
	struct flow_actions a = output(4);
	struct rules_result out;
	struct rules_entry e;
	struct flow_key key;
	(void)state;

	flow_key_init(&key, 1, 2);
	out = look(r, &key);
	assert_true(out.no_rule && out.n == 0 && out.actions.n == 0 && !out.too_long);
	assert_int_equal(rules_table_default(r, 1, &a, NULL), 0);
	a = go_to(1);
	assert_int_equal(rules_table_default(r, 0, &a, NULL), 0);
	out = look(r, &key);
	assert_true(!out.no_rule && out.n == 0 && out.actions.n == 1);
	assert_int_equal(out.actions.list[0].port, 4);

	// Tables 0 to 7 are as many as a packet may see; one more is too long.
	for (uint16_t t = 0; t < RULES_DEPTH; t++) {
		e = entry(t, t, 9);
		e.actions = t + 1 < RULES_DEPTH ? go_to(t + 1) : output(9);
		assert_int_equal(rules_add(r, &e, NULL), 0);
	}
	out = look(r, &key);
	assert_int_equal(out.n, RULES_DEPTH);
	assert_true(!out.too_long && !out.no_rule && out.actions.list[0].port == 9);
	assert_int_equal(rules_del(r, RULES_DEPTH - 1), 0);
	e.actions = go_to(RULES_DEPTH);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	out = look(r, &key);
	assert_true(out.too_long && out.n == RULES_DEPTH);
	rules_free(r);
}

static void
test_too_many_actions(void **state)
{
	struct rules *r = rules_new(10);
	struct rules_entry e = entry(0, 0, 1);
	struct rules_result out;
	struct flow_key key;
	(void)state;

	flow_key_init(&key, 1, 2);
	for (unsigned i = 0; i < FLOW_ACTIONS_MAX - 1; i++)
		e.actions.list[e.actions.n++] =
			(struct flow_action){.type = FLOW_ACT_OUTPUT, .port = (uint16_t)i};
	e.actions.list[e.actions.n++] = (struct flow_action){.type = FLOW_ACT_GOTO, .index = 1};
	assert_int_equal(rules_add(r, &e, NULL), 0);
	e = entry(1, 1, 1);
	e.actions = output(90);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	out = look(r, &key);
	assert_true(!out.too_long && out.actions.n == FLOW_ACTIONS_MAX);
	assert_int_equal(rules_del(r, 1), 0);
	e.actions.list[e.actions.n++] = (struct flow_action){.type = FLOW_ACT_OUTPUT, .port = 91};
	assert_int_equal(rules_add(r, &e, NULL), 0);
	out = look(r, &key);
	assert_true(out.too_long && out.n == 2);
	rules_free(r);
}

// The decision depends on the per-packet fields that entries read which the flow can reach, and of
// no others.
static void
test_fields(void **state)
{
	struct rules *r = rules_new(10);
	struct rules_entry e = entry(0, 0, 5);
	struct rules_set *s;
	struct flow_key key;
	(void)state;

	flow_key_init(&key, 1, 2);
	e.match.key.vport = 2;
	e.match.mask.vport = UINT16_MAX;
	e.actions = output(1);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	e = entry(1, 0, 1);
	e.match.mask.dscp = 0x3f;
	e.actions = go_to(2);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	e = entry(2, 2, 1);
	e.match.mask.tcp_flags = 2;
	assert_int_equal(rules_add(r, &e, NULL), 0);
	// Port 2 is decided by an entry that reads none and comes first.
	assert_int_equal(look(r, &key).fields, 0);
	key.vport = 3;
	assert_int_equal(look(r, &key).fields, FLOW_FIELD_DSCP | FLOW_FIELD_TCP_FLAGS);
	// This packet does not go to table 2, another of its flow may.
	key.dscp = 4;
	assert_int_equal(look(r, &key).fields, FLOW_FIELD_DSCP | FLOW_FIELD_TCP_FLAGS);
	assert_int_equal(look(r, &key).n, 0);
	e = entry(3, 0, 9);
	e.match.key.vport = 2;
	e.match.mask.vport = UINT16_MAX;
	e.match.mask.ttl = UINT8_MAX;
	assert_int_equal(rules_add(r, &e, NULL), 0);
	key.vport = 2;
	assert_int_equal(look(r, &key).fields, FLOW_FIELD_TTL);
	s = rules_commit(r);
	assert_int_equal(
		rules_set_fields(s), FLOW_FIELD_DSCP | FLOW_FIELD_TCP_FLAGS | FLOW_FIELD_TTL);
	rules_set_put(s);
	rules_free(r);
}

// Of equal priority the one added first; adding it again makes it the youngest.
static void
test_age(void **state)
{
	struct rules *r = rules_new(10);
	struct rules_entry e;
	struct flow_key key;
	(void)state;

	flow_key_init(&key, 1, 2);
	for (uint32_t id = 5; id > 2; id--) {
		e = entry(id, 0, 7);
		e.actions = output((uint16_t)id);
		assert_int_equal(rules_add(r, &e, NULL), 0);
	}
	assert_int_equal(look(r, &key).rule[0], 5);
	e = *rules_find(r, 5);
	assert_int_equal(rules_del(r, 5), 0);
	assert_int_equal(look(r, &key).rule[0], 4);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	assert_int_equal(look(r, &key).rule[0], 4);
	rules_free(r);
}

// A set keeps what it needs when its rules and the writer are gone; tables that did not change are
// one and the same in both sets.
static void
test_sets_live_on(void **state)
{
	struct rules_set_stats a, b;
	struct rules *r = rules_new(10);
	struct rules_entry e = entry(1, 0, 7);
	struct rules_set *first, *second;
	struct rules_result out;
	struct flow_key key;
	(void)state;

	flow_key_init(&key, 1, 2);
	e.actions = output(8);
	assert_int_equal(rules_add(r, &e, NULL), 0);
	first = rules_commit(r);
	second = rules_commit(r);
	rules_set_stats_get(first, &a);
	rules_set_stats_get(second, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.trees, 1);
	rules_set_ref(first);
	rules_set_put(first);
	assert_int_equal(rules_del(r, 1), 0);
	rules_free(r);
	rules_set_put(second);
	rules_lookup(first, &key, &out);
	assert_true(out.n == 1 && out.rule[0] == 1 && out.actions.list[0].port == 8);
	rules_set_put(first);
}

// More masks than a filter has room for, all in one word and in several.
static void
test_many_masks(void **state)
{
	struct rules *r = rules_new(5000);
	struct trial t = trial_start(31);
	struct rules_entry e[600];
	struct rules_set *s;
	(void)state;

	for (uint32_t i = 0; i < 600; i++) {
		e[i] = entry(i, 0, (uint16_t)below(&t, 1000));
		for (unsigned j = 0; j < 4; j++) {
			e[i].match.mask.src[j] = (uint8_t)(below(&t, 256) & below(&t, 256));
			e[i].match.key.src[j] = (uint8_t)below(&t, 256);
			e[i].match.mask.dst[j] = (uint8_t)(below(&t, 4) ? 0 : 3);
		}
		flow_match_normalise(&e[i].match);
		assert_int_equal(rules_add(r, &e[i], NULL), 0);
	}
	s = rules_commit(r);
	for (t.step = 0; t.step < 20000; t.step++) {
		const struct rules_entry *best = NULL;
		struct rules_result out;
		struct flow_key key;

		flow_key_init(&key, 0, 0);
		for (unsigned j = 0; j < 4; j++) {
			key.src[j] = (uint8_t)below(&t, 256);
			key.dst[j] = (uint8_t)below(&t, 4);
		}
		for (uint32_t i = 0; i < 600; i++)
			if (flow_match_hits(&e[i].match, &key) &&
				(best == NULL || e[i].priority > best->priority))
				best = &e[i];
		rules_lookup(s, &key, &out);
		expect(&t, out.n == (best != NULL));
		expect(&t, best == NULL || out.rule[0] == best->id);
	}
	rules_set_put(s);
	rules_free(r);
}

static void
test_functions(void **state)
{
	struct rules_entry e = entry(0, 0, 0);
	(void)state;

	assert_string_equal(rules_function_name(rules_function_of(&e)), "mask");
	e.match.key.l3 = FLOW_L3_IPV4;
	e.match.mask.l3 = UINT8_MAX;
	memset(e.match.mask.dst, 0xff, 4);
	assert_string_equal(rules_function_name(rules_function_of(&e)), "exact");
	e.match.mask.vlan[0] = 0x1fff;
	e.match.mask.l4_dst = UINT16_MAX;
	assert_int_equal(rules_function_of(&e), RULES_EXACT);
	e.match.mask.src[0] = 0xfe;
	assert_string_equal(rules_function_name(rules_function_of(&e)), "prefix");
	e.match.mask.src[2] = 1;
	assert_int_equal(rules_function_of(&e), RULES_MASK);
	e.match.sport = (struct flow_range){5, 9};
	assert_string_equal(rules_function_name(rules_function_of(&e)), "range");
	e.asks = RULES_ASK_DST;
	assert_string_equal(rules_function_name(rules_function_of(&e)), "learned");
	e.asks |= RULES_ASK_EXTENSION(RULES_ASK_EXTENSIONS - 1);
	assert_string_equal(rules_function_name(rules_function_of(&e)), "extension");
	e = entry(0, 0, 0);
	e.match.key.l3 = FLOW_L3_IPV6;
	e.match.mask.l3 = UINT8_MAX;
	memset(e.match.mask.src, 0xff, 4);
	assert_int_equal(rules_function_of(&e), RULES_PREFIX);
	e.match.mask.eth_dst[0] = 1;
	assert_int_equal(rules_function_of(&e), RULES_MASK);
}

static bool no_memory;

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *
__wrap_realloc(void *old, size_t size)
{
	return no_memory ? NULL : __real_realloc(old, size);
}

// A rule that is told to go goes, whatever memory there is: its caller has no way back.
static void
test_deletion_without_memory(void **state)
{
	struct rules *r = rules_new(1000);
	struct flow_key key = {0};
	(void)state;

	for (unsigned round = 0; round < 6; round++) {
		const uint32_t n = 15 + 97 * round;

		for (uint32_t id = 0; id < n; id++) {
			struct rules_entry e = entry(id, id % 2, 1);

			assert_int_equal(rules_add(r, &e, NULL), 0);
		}
		if (round % 2)
			look(r, &key);
		for (uint32_t id = 0; id < n; id += 3) { // some come again meanwhile
			struct rules_entry e = entry(id, 1, 2);

			assert_int_equal(rules_del(r, id), 0);
			assert_int_equal(rules_add(r, &e, NULL), 0);
		}
		no_memory = true;
		for (uint32_t id = 0; id < n; id++)
			assert_int_equal(rules_del(r, id), 0);
		no_memory = false;
		assert_int_equal(rules_count(r), 0);
		assert_int_equal(look(r, &key).n, 0);
	}
	rules_free(r);
}

// A set says what its entries ask, and not what those that are gone asked.
static void
test_asks(void **state)
{
	static const uint16_t asks[] = {RULES_ASK_SRC, RULES_ASK_DST | RULES_ASK_EXTENSION(13)};
	struct rules *r = rules_new(8);
	struct rules_set *s;
	(void)state;

	assert_non_null(r);
	for (uint32_t i = 0; i < 4; i++) {
		struct rules_entry e = entry(i, 0, 0);

		e.asks = asks[i % 2];
		assert_int_equal(rules_add(r, &e, NULL), 0);
		s = rules_commit(r);
		assert_int_equal(rules_set_asks(s), i == 0 ? asks[0] : asks[0] | asks[1]);
		rules_set_put(s);
	}
	assert_int_equal(rules_del(r, 0), 0);
	assert_int_equal(rules_del(r, 3), 0);
	assert_int_equal(rules_del(r, 1), 0);
	s = rules_commit(r);
	assert_int_equal(rules_set_asks(s), asks[0]);
	rules_set_put(s);
	assert_int_equal(rules_del(r, 2), 0);
	s = rules_commit(r);
	assert_int_equal(rules_set_asks(s), 0);
	rules_set_put(s);
	rules_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_deletion_without_memory),
		cmocka_unit_test(test_defaults_and_depth),
		cmocka_unit_test(test_too_many_actions),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_sets_live_on),
		cmocka_unit_test(test_many_masks),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
