// SPDX-License-Identifier: BSD-3-Clause
// The rules of a switch as people know them: rules of a VM over its ports, counters that outlive
// entries, names, and a book of 7.
#include <errno.h>

#include "control_support.h"
#include "switch/asked.h"

static const char json[] = "{\"switches\":[{\"name\":\"s\",\"id\":5,\"max_rules\":7,\"ports\":["
			   "{\"name\":\"a\",\"vm\":\"v1\"},{\"name\":\"b\",\"vm\":\"v1\"},"
			   "{\"name\":\"c\",\"vm\":\"v2\"},{\"name\":\"d\"}]}]}";

static int
add(struct control *c, const char *name, const char *match, const char *actions, uint32_t *id)
{
	struct config_rule rule;
	struct sl_err err;

	sl_err_init(&err);
	memset(&rule, 0, sizeof(rule));
	if (config_rule_parse(c->cfg, 0, match, actions, &rule, &err) != 0)
		fail_msg("%s: %s", err.path, err.text);
	rule.table = rule.priority = 0;
	snprintf(rule.name, sizeof(rule.name), "%s", name);
	return rule_book_add(c->book[0], &rule, false, id, &err);
}

static void
put_in_force(struct control *c)
{
	c->rules_dirty[0] = true;
	assert_int_equal(publish(c, true), 0);
}

static struct dp_count *
counters(struct control *c)
{
	return (struct dp_count *)(uintptr_t)dp_rule_counts(c->dp, 0, 0);
}

// The entry that a packet of the port hits, UINT32_MAX: none.
static uint32_t
entry_of(struct control *c, const char *port)
{
	const struct flow_key key = udp_key(c, port, 1);
	struct rules_result res;

	rules_lookup(c->set[0], &key, &res);
	return res.n > 0 ? res.rule[0] : UINT32_MAX;
}

static void
test_vm_rule(void **state)
{
	struct control *c = rig_new(json);
	uint32_t id, ea, eb;
	uint64_t packets, bytes;
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(add(c, "r", "vm=v1", "drop", &id), 0);
	put_in_force(c);
	ea = entry_of(c, "a");
	eb = entry_of(c, "b");
	assert_int_not_equal(ea, eb);
	assert_int_equal(rule_book_of_entry(c->book[0], ea)->id, id);
	assert_int_equal(rule_book_of_entry(c->book[0], eb)->id, id);
	assert_int_equal(entry_of(c, "c"), UINT32_MAX);
	assert_int_equal(rule_book_count(c->book[0]), 1);
	counters(c)[ea].packets = 10;
	counters(c)[eb].packets = 5;
	counters(c)[eb].bytes = 500;
	rule_book_counters(c->book[0], id, &packets, &bytes);
	assert_int_equal(packets, 15);
	// b leaves the VM, c joins it. Packets that workers count until they know are not lost.
	c->vports[vport_of(c, "b")].cfg.vm = -1;
	c->vports[vport_of(c, "c")].cfg.vm = c->vports[vport_of(c, "a")].cfg.vm;
	assert_int_equal(rule_book_refresh(c->book[0], &err), 0);
	counters(c)[eb].packets = 6;
	put_in_force(c);
	assert_int_equal(entry_of(c, "b"), UINT32_MAX);
	assert_int_equal(rule_book_of_entry(c->book[0], entry_of(c, "c"))->id, id);
	rule_book_counters(c->book[0], id, &packets, &bytes);
	assert_int_equal(packets, 16);
	assert_int_equal(bytes, 500);
	assert_int_equal(rule_book_del(c->book[0], id), 0);
	put_in_force(c);
	assert_int_equal(entry_of(c, "a"), UINT32_MAX);
	assert_int_equal(rule_book_del(c->book[0], id), -ENOENT);
	rig_free(c);
}

static uint32_t
replace(struct control *c, uint32_t old, const char *match)
{
	struct config_rule rule;
	struct sl_err err;
	uint32_t id;

	sl_err_init(&err);
	memset(&rule, 0, sizeof(rule));
	assert_int_equal(config_rule_parse(c->cfg, 0, match, "drop", &rule, &err), 0);
	rule.table = rule.priority = 0;
	assert_int_equal(rule_book_replace(c->book[0], old, &rule, &id, &err), 0);
	put_in_force(c);
	return id;
}

// Of equal priorities the first wins, and a rule that takes the place of another is that first one
// still: a rule of one entry, of a VM with its ports, and of a port that the VM gets later.
static void
test_replaced_stays_first(void **state)
{
	struct control *c = rig_new(json);
	const int16_t v1 = c->vports[vport_of(c, "a")].cfg.vm;
	uint32_t first, catch;
	struct sl_err err;
	unsigned i;

	sl_err_init(&err);
	assert_int_equal(add(c, "first", "udp", "drop", &first), 0);
	assert_int_equal(add(c, "catch", "any", "drop", &catch), 0);
	put_in_force(c);
	for (i = 0; i < 20; i++) {
		first = replace(c, first, i % 2 ? "vm=v1" : "udp dport=1-9000");
		assert_string_equal(rule_book_get(c->book[0], first)->name, "first");
		assert_int_equal(rule_book_of_entry(c->book[0], entry_of(c, "a"))->id, first);
		assert_int_equal(rule_book_of_entry(c->book[0], entry_of(c, "b"))->id, first);
	}
	assert_int_equal(rule_book_of_entry(c->book[0], entry_of(c, "d"))->id, catch);
	c->vports[vport_of(c, "d")].cfg.vm = v1;
	assert_int_equal(rule_book_refresh(c->book[0], &err), 0);
	put_in_force(c);
	assert_int_equal(rule_book_of_entry(c->book[0], entry_of(c, "d"))->id, first);
	rig_free(c);
}

static void
test_names(void **state)
{
	struct control *c = rig_new(json);
	const struct config_rule *r;
	uint32_t id, other;
	char text[16];

	assert_int_equal(add(c, "first", "udp", "drop", &id), 0);
	assert_int_equal(add(c, "first", "tcp", "drop", &other), -EEXIST);
	assert_int_equal(add(c, "", "tcp", "drop", &other), 0);
	assert_int_equal(rule_book_count(c->book[0]), 2);
	r = rule_book_find(c->book[0], "first");
	assert_int_equal(r->id, id);
	snprintf(text, sizeof(text), "%u", other);
	assert_int_equal(rule_book_find(c->book[0], text)->id, other);
	assert_null(rule_book_find(c->book[0], "second"));
	assert_null(rule_book_find(c->book[0], "77"));
	assert_null(rule_book_find(c->book[0], "-1"));
	assert_null(rule_book_find(c->book[0], "4294967296"));
	assert_null(rule_book_get(c->book[0], 7));
	assert_null(rule_book_of_entry(c->book[0], UINT32_MAX));
	assert_int_equal(rule_book_del(c->book[0], id), 0);
	assert_null(rule_book_find(c->book[0], "first"));
	assert_int_equal(add(c, "first", "udp", "drop", &id), 0);
	rig_free(c);
}

static void
test_exhaustion(void **state)
{
	struct control *c = rig_new(json);
	uint32_t ids[7], id, i;
	char match[32];

	for (i = 0; i < 6; i++) {
		snprintf(match, sizeof(match), "udp dport=%u", i + 1);
		assert_int_equal(add(c, "", match, "drop", &ids[i]), 0);
	}
	// A rule that needs two entries, where one is left, leaves nothing behind, however often.
	for (i = 0; i < 50; i++)
		assert_int_equal(add(c, "two", "vm=v1", "drop", &id), -ENOSPC);
	for (i = 0; i < 50; i++) {
		assert_int_equal(add(c, "two", "tcp", "drop", &id), 0);
		rule_book_take_back(c->book[0], id);
	}
	assert_int_equal(rule_book_count(c->book[0]), 6);
	assert_null(rule_book_find(c->book[0], "two"));
	put_in_force(c);
	assert_int_equal(add(c, "", "tcp", "drop", &ids[6]), 0);
	assert_int_equal(add(c, "", "icmp", "drop", &id), -ENOSPC);
	// A deleted one makes room at once; its entry is not used again before the workers have let
	// go of it.
	assert_int_equal(rule_book_del(c->book[0], ids[3]), 0);
	assert_int_equal(add(c, "", "icmp", "drop", &id), 0);
	assert_int_equal(rule_book_del(c->book[0], id), 0);
	assert_int_equal(add(c, "", "icmp", "drop", &ids[3]), 0);
	assert_int_equal(add(c, "", "arp", "drop", &id), -ENOSPC);
	put_in_force(c);
	assert_int_equal(add(c, "", "arp", "drop", &id), -ENOSPC);
	rig_free(c);
}

// What replaces a whole table is there before that goes, for as long as no worker sees either.
static void
test_a_full_table_is_replaced(void **state)
{
	struct control *c = rig_new(json);
	uint32_t old[7], id, i, round;
	char match[32];

	for (i = 0; i < 7; i++) {
		snprintf(match, sizeof(match), "udp dport=%u", i + 1);
		assert_int_equal(add(c, "", match, "drop", &old[i]), 0);
	}
	for (round = 0; round < 20; round++) {
		uint32_t fresh[7];

		for (i = 0; i < 7; i++)
			rule_book_leaves(c->book[0], old[i], true);
		for (i = 0; i < 7; i++) {
			snprintf(match, sizeof(match), "tcp dport=%u", round * 7 + i + 1);
			assert_int_equal(add(c, "", match, "drop", &fresh[i]), 0);
		}
		assert_int_equal(add(c, "", "icmp", "drop", &id), -ENOSPC);
		if (round % 2 == 0) { // it is taken back
			for (i = 0; i < 7; i++) {
				assert_int_equal(rule_book_del(c->book[0], fresh[i]), 0);
				rule_book_leaves(c->book[0], old[i], false);
			}
		} else {
			for (i = 0; i < 7; i++)
				assert_int_equal(rule_book_del(c->book[0], old[i]), 0);
			memcpy(old, fresh, sizeof(old));
		}
		assert_int_equal(rule_book_count(c->book[0]), 7);
		assert_int_equal(add(c, "", "icmp", "drop", &id), -ENOSPC);
		put_in_force(c);
	}
	rig_free(c);
}

static void
test_check(void **state)
{
	struct control *c = rig_new(json);
	struct config *next;
	struct sl_err err;
	uint32_t id, i;
	char match[32];

	next = config_of("{\"switches\":[{\"name\":\"s\",\"id\":5,\"max_rules\":7,\"ports\":["
			 "{\"name\":\"a\",\"vm\":\"v1\"},{\"name\":\"b\",\"vm\":\"v1\"},"
			 "{\"name\":\"c\",\"vm\":\"v1\"},{\"name\":\"e\",\"vm\":\"v1\"}]}]}",
		c->cfg);
	assert_int_equal(add(c, "r", "vm=v1", "drop", &id), 0);
	sl_err_init(&err);
	for (i = 0; i < 3; i++) {
		assert_int_equal(rule_book_check(c->book[0], next, &err), 0);
		snprintf(match, sizeof(match), "udp dport=%u", i + 1);
		assert_int_equal(add(c, "", match, "drop", &id), 0);
	}
	assert_int_equal(rule_book_check(c->book[0], next, &err), 0);
	assert_int_equal(add(c, "", "tcp", "drop", &id), 0);
	assert_int_equal(rule_book_check(c->book[0], next, &err), -ENOSPC);
	config_free(next);
	rig_free(c);
}

// Each extension and each inside that rules ask has a bit, shared by those that ask the same, and
// free again when the last of them is gone; there are fourteen.
static void
test_asked(void **state)
{
	struct config_rule rule[RULES_ASK_EXTENSIONS + 2];
	struct asked_places at[RULES_ASK_EXTENSIONS + 2];
	struct asked_list l;
	struct sl_err err;
	uint16_t bits = 0;
	unsigned i;

	memset(&l, 0, sizeof(l));
	memset(rule, 0, sizeof(rule));
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++) {
		if (i < 2)
			snprintf(rule[i].extension, sizeof(rule[i].extension), "x%u", i);
		else
			rule[i].inner =
				(struct flow_inner_match){.asked = true, .has_vni = true, .vni = i};
		sl_err_init(&err);
		assert_int_equal(asked_add(&l, &rule[i], &at[i], &err), 0);
		assert_int_equal(asked_add(&l, &rule[i], &at[i], &err), 0);
		assert_int_equal(__builtin_popcount(asked_bits(&rule[i], &at[i])), 1);
		bits |= asked_bits(&rule[i], &at[i]);
	}
	assert_int_equal(bits, (uint16_t)~RULES_ASK_LEARNED);
	rule[i].inner = (struct flow_inner_match){.asked = true, .has_vni = true, .vni = 99};
	snprintf(rule[i].extension, sizeof(rule[i].extension), "x0");
	assert_int_equal(asked_add(&l, &rule[i], &at[i], &err), -ENOSPC);
	assert_string_equal(err.path, "match");
	rule[i + 1].learned = CONFIG_LEARNED_DST; // both at once, of those that are there
	rule[i + 1].inner = rule[5].inner;
	snprintf(rule[i + 1].extension, sizeof(rule[i + 1].extension), "x1");
	assert_int_equal(asked_add(&l, &rule[i + 1], &at[i + 1], &err), 0);
	assert_int_equal(asked_bits(&rule[i + 1], &at[i + 1]),
		asked_bits(&rule[1], &at[1]) | asked_bits(&rule[5], &at[5]) | RULES_ASK_DST);
	asked_drop(&l, &rule[0], &at[0], false);
	asked_drop(&l, &rule[0], &at[0], false); // and what was refused has left nothing behind
	asked_drop(&l, &rule[5], &at[5], false);
	asked_drop(&l, &rule[5], &at[5], false);
	assert_int_equal(asked_inner(&l, 5)->vni, 5);
	asked_drop(&l, &rule[i + 1], &at[i + 1], false);
	assert_false(asked_inner(&l, 5)->asked);
	assert_null(asked_extension(&l, 0));
	assert_string_equal(asked_extension(&l, 1), "x1");
	assert_null(asked_extension(&l, 2));
	assert_int_equal(asked_add(&l, &rule[i], &at[i], &err), 0);
	assert_int_equal(__builtin_popcount(asked_bits(&rule[i], &at[i])), 2);
}

// The matches of 14 rules, from the given VNI on.
static void
fill(struct config_rule rule[RULES_ASK_EXTENSIONS], uint32_t vni)
{
	unsigned i;

	memset(rule, 0, RULES_ASK_EXTENSIONS * sizeof(*rule));
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
		rule[i].inner = (struct flow_inner_match){.asked = true,
			.tunnel = FLOW_TUNNEL_VXLAN,
			.has_vni = true,
			.vni = vni + i};
}

static void
check_asked(
	const struct asked_list *l, const struct config_rule *rule, const struct asked_places *at)
{
	unsigned i;

	for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
		assert_int_equal(asked_inner(l, at[i].inner)->vni, rule[i].inner.vni);
}

// Where all places are taken, others come for those that leave: these are back when it is undone.
static void
test_asked_leave(void **state)
{
	struct config_rule old[RULES_ASK_EXTENSIONS], next[RULES_ASK_EXTENSIONS];
	struct asked_places at[RULES_ASK_EXTENSIONS], to[RULES_ASK_EXTENSIONS], more;
	struct asked_list l = {0};
	const struct asked_list none = {0};
	unsigned i, turn;
	struct sl_err err;
	(void)state;

	sl_err_init(&err);
	fill(old, 1);
	fill(next, 8); // the last 7 of the old ones, and 7 others
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
		assert_int_equal(asked_add(&l, &old[i], &at[i], &err), 0);
	for (turn = 0; turn < 2; turn++) {
		assert_int_equal(asked_add(&l, &next[13], &to[13], &err), -ENOSPC);
		for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
			asked_leave(&l, &old[i], &at[i], true);
		for (i = RULES_ASK_EXTENSIONS; i-- > 0;) // first those that may take a wrong one
			assert_int_equal(asked_add(&l, &next[i], &to[i], &err), 0);
		check_asked(&l, next, to);
		assert_int_equal(asked_add(&l, &old[0], &more, &err), -ENOSPC);
		for (i = 0; turn == 0 && i < RULES_ASK_EXTENSIONS; i++)
			asked_leave(&l, &old[i], &at[i], false);
		for (i = 0; turn == 0 && i < RULES_ASK_EXTENSIONS; i++)
			asked_drop(&l, &next[i], &to[i], false);
		if (turn == 0)
			check_asked(&l, old, at);
	}
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
		asked_drop(&l, &old[i], &at[i], true);
	check_asked(&l, next, to);
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++)
		asked_drop(&l, &next[i], &to[i], false);
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++) {
		assert_int_equal(l.list[i].rules + l.list[i].leaving, none.list[i].rules);
		assert_int_equal(l.left[i].rules, 0);
	}
}

// 14 rules that each ask another inside, and each replaced by one that asks yet another.
static void
test_replace_asked(void **state)
{
	struct control *c = rig_new("{\"switches\":[{\"name\":\"s\",\"max_rules\":14,\"ports\":["
				    "{\"name\":\"a\"}]}]}");
	uint32_t id[RULES_ASK_EXTENSIONS], other;
	struct config_rule rule = {0};
	char match[32];
	struct sl_err err;
	unsigned i;
	(void)state;

	for (i = 0; i < RULES_ASK_EXTENSIONS; i++) {
		snprintf(match, sizeof(match), "tunnel=vxlan vni=%u", i);
		assert_int_equal(add(c, "", match, "drop", &id[i]), 0);
	}
	put_in_force(c);
	for (i = 0; i < RULES_ASK_EXTENSIONS; i++) {
		snprintf(match, sizeof(match), "tunnel=vxlan vni=%u", 100 + i);
		sl_err_init(&err);
		assert_int_equal(config_rule_parse(c->cfg, 0, match, "drop", &rule, &err), 0);
		if (rule_book_replace(c->book[0], id[i], &rule, &other, &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(asked_inner(rule_book_asked(c->book[0]), i)->vni, 100 + i);
		put_in_force(c);
	}
	rig_free(c);
}

// An entry is as narrow as the tunnel that it asks for, and never loses a packet by that.
static void
test_narrow(void **state)
{
	static const struct {
		const char *tunnel, *match, *entry;
	} cases[] = {
		{"tunnel=vxlan", "any", "udp dport=4789"},
		{"tunnel=geneve vni=5", "ip_dst=10.0.0.1", "ip udp ip_dst=10.0.0.1 dport=6081"},
		{"tunnel=gre", "port=1", "port=1 proto=47"},
		{"tunnel=nvgre", "ip6", "ip6 proto=47"},
		{"tunnel=vxlan", "udp dport=4000-5000", "udp dport=4789"},
		{"tunnel=vxlan", "tcp", "tcp"}, // of no packet
		{"tunnel=vxlan", "arp", "arp"}, // likewise
		{"tunnel=ipip", "any", "any"},
		{"vni=5", "any", "any"},
	};
	struct flow_inner_match inner;
	struct flow_match m, want;
	struct sl_err err;
	char text[64];
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sl_err_init(&err);
		snprintf(text, sizeof(text), "%s", cases[i].tunnel);
		assert_int_equal(flow_inner_take(text, &inner, &err), 0);
		assert_int_equal(flow_match_parse(cases[i].match, NULL, &m, &err), 0);
		asked_narrow(&inner, &m);
		flow_match_normalise(&m);
		if (flow_match_parse(cases[i].entry, NULL, &want, &err) != 0)
			fail_msg("%s: %s", cases[i].entry, err.text);
		if (!flow_match_equal(&m, &want)) {
			struct sl_strbuf got;

			sl_strbuf_init(&got, 0);
			flow_match_format(&m, NULL, &got);
			fail_msg("%s %s: %s", cases[i].tunnel, cases[i].match, sl_strbuf_str(&got));
		}
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vm_rule),
		cmocka_unit_test(test_replaced_stays_first),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_a_full_table_is_replaced),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_asked_leave),
		cmocka_unit_test(test_replace_asked),
		cmocka_unit_test(test_narrow),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
