// SPDX-License-Identifier: BSD-3-Clause
// Rules ahead of traffic against the list of steps itself: what a NIC decides by the rules of a
// plan is what the first matching step says, or it is the host's; also half way between two plans.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ahead_model.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "flow/text.h"
#include "offload/ahead.h"
#include "offload/translate.h"

#define STEPS 40
#define RULES 128
#define PACKETS 150
#define ROUNDS 1500

struct set {
	struct ahead_step steps[STEPS];
	struct ahead_standing standings[STEPS];
	uint32_t n;
	struct ahead_rule rules[RULES];
	struct ahead_plan plan;
	struct translate_rule *nic; // [plan.n]
	bool in[RULES];
};

static uint64_t seed;

static uint32_t
refuse_some(void *ctx, const struct flow_match *match, const struct ahead_act *act)
{
	const uint32_t *every = ctx;
	struct translate_rule r;
	uint32_t shape;

	translate_ahead(match, act, 0, 1, 2, &r);
	shape = translate_ahead_shape(&r);
	return *every != 0 && shape / 2 % *every == 0 ? shape : 0;
}

// Each match without a tag, and those with one of a VID, as control makes steps.
static void
add_steps(struct set *s, struct sl_rng *rng)
{
	struct flow_match m;
	struct sl_err err;
	char text[256];
	struct ahead_act act = {.kind = (uint8_t)sl_rng_below(rng, 3)};

	sl_err_init(&err);
	model_random_match(rng, text, sizeof(text));
	if (sl_rng_below(rng, 12) == 0)
		text[0] = '\0';
	if (flow_match_parse(text, NULL, &m, &err) != 0)
		return; // words that contradict each other
	if (act.kind == AHEAD_PORT)
		act.port = (uint16_t)sl_rng_below(rng, 3);
	if (!(m.mask.vlan[0] & FLOW_VLAN_PRESENT))
		m.mask.vlan[0] |= FLOW_VLAN_PRESENT; // none: the key has no bit there
	flow_match_normalise(&m);
	s->steps[s->n++] = (struct ahead_step){.match = m, .act = act};
}

static void
make_set(struct set *s, struct sl_rng *rng, const struct set *old)
{
	uint32_t want = 1 + sl_rng_below(rng, STEPS), i;
	uint32_t every = sl_rng_below(rng, 2) ? 0 : 2 + sl_rng_below(rng, 8);

	memset(s, 0, sizeof(*s));
	// As a rule change does: most steps stay.
	for (i = 0; old != NULL && i < old->n && s->n < want; i++) {
		if (sl_rng_below(rng, 5) != 0)
			s->steps[s->n++] = old->steps[i];
		else if (sl_rng_below(rng, 2) != 0)
			add_steps(s, rng);
	}
	while (s->n < want)
		add_steps(s, rng);
	s->plan = (struct ahead_plan){.rules = s->rules, .room = sl_rng_below(rng, RULES)};
	ahead_plan(s->steps, s->n, refuse_some, &every, &s->plan, s->standings);
	assert_true(s->plan.n <= s->plan.room);
	s->nic = calloc(s->plan.n + 1, sizeof(*s->nic));
	assert_non_null(s->nic);
	for (i = 0; i < s->plan.n; i++) {
		assert_null(ahead_cannot_say(&s->rules[i].match));
		assert_int_equal(refuse_some(&every, &s->rules[i].match, &s->rules[i].act), 0);
		translate_ahead(&s->rules[i].match, &s->rules[i].act, s->rules[i].level, 1,
			(uint16_t)(10 + s->rules[i].act.port), &s->nic[i]);
	}
}

static struct ahead_act
reference(const struct set *s, const struct model_packet *p)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (flow_match_hits(&s->steps[i].match, &p->key))
			return s->steps[i].act;
	return (struct ahead_act){.kind = AHEAD_HOST};
}

// The first of the rules that are in, of the least level. -1: none. Rules of one set that hit the
// same packet have different levels.
static int
first_hit(const struct set *s, const struct model_packet *p)
{
	int best = -1;
	uint32_t i;

	for (i = 0; i < s->plan.n; i++) {
		if (!s->in[i] || !model_hits(&s->nic[i], p))
			continue;
		if (best >= 0)
			assert_true(s->nic[best].attr.priority != s->nic[i].attr.priority);
		if (best < 0 || s->nic[i].attr.priority < s->nic[best].attr.priority)
			best = (int)i;
	}
	return best;
}

static bool
same(const struct ahead_act *a, const struct ahead_act *b)
{
	return a->kind == b->kind && (a->kind != AHEAD_PORT || a->port == b->port);
}

static bool
agrees(const struct set *s, int hit, const struct model_packet *p)
{
	struct ahead_act want = reference(s, p);

	return hit < 0 || s->rules[hit].act.kind == AHEAD_HOST || same(&s->rules[hit].act, &want);
}

// The step that decides, for messages.
static void
put_step(const struct set *s, uint32_t k, struct sl_strbuf *out)
{
	sl_strbuf_init(out, 1024);
	if (k == s->n) {
		sl_strbuf_add(out, "no step");
		return;
	}
	sl_strbuf_addf(out, "step %u \"", k);
	flow_match_format(&s->steps[k].match, NULL, out);
	sl_strbuf_addf(out, "\" (act %u, stands %s)", s->steps[k].act.kind,
		ahead_stand_name(s->standings[k].stand));
}

static void
complain(const struct set *s, int hit, const struct model_packet *p)
{
	char rule[512];
	struct sl_strbuf by;
	uint32_t k = 0;

	while (k < s->n && !flow_match_hits(&s->steps[k].match, &p->key))
		k++;
	put_step(s, k, &by);
	translate_format(&s->nic[hit], rule, sizeof(rule));
	fail_msg("seed %lu: \"%s\" (step %u, level %u, act %u), and not %s (l3 %u proto %u frag %u "
		 "vlan %x/%x)",
		seed, rule, s->rules[hit].step, s->rules[hit].level, s->rules[hit].act.kind,
		sl_strbuf_str(&by), p->key.l3, p->key.proto, p->key.frag, p->key.vlan[0],
		p->key.vlan[1]);
}

static void
test_decides_as_the_steps(void **state)
{
	static struct set s;
	uint64_t carried = 0, wholes = 0;
	unsigned round, i;

	for (round = 0; round < ROUNDS; round++) {
		struct sl_rng rng;

		seed = 1000 + round;
		rng.state = seed;
		make_set(&s, &rng, NULL);
		memset(s.in, 1, sizeof(s.in));
		for (i = 0; i < s.n; i++)
			wholes += s.standings[i].stand == AHEAD_WHOLE;
		for (i = 0; i < PACKETS; i++) {
			struct model_packet p = model_random_packet(&rng);
			int hit = first_hit(&s, &p);

			if (!agrees(&s, hit, &p))
				complain(&s, hit, &p);
			carried += hit >= 0 && s.rules[hit].act.kind != AHEAD_HOST;
		}
		free(s.nic);
	}
	// Not by sending everything to the host.
	assert_true(wholes > 4 * ROUNDS);
	assert_true(carried > ROUNDS * PACKETS / 8);
}

// A step that stands whole decides all of its packets itself, those that few packets aside.
static void
test_whole_is_whole(void **state)
{
	static struct set s;
	unsigned round, i;

	for (round = 0; round < ROUNDS; round++) {
		struct sl_rng rng;

		seed = 500000 + round;
		rng.state = seed;
		make_set(&s, &rng, NULL);
		memset(s.in, 1, sizeof(s.in));
		for (i = 0; i < PACKETS; i++) {
			struct model_packet p = model_random_packet(&rng);
			int hit = first_hit(&s, &p);
			uint32_t k = 0;

			while (k < s.n && !flow_match_hits(&s.steps[k].match, &p.key))
				k++;
			if (k == s.n || s.standings[k].stand != AHEAD_WHOLE || p.key.frag != 0 ||
				p.atomic || p.has_ext)
				continue;
			// Only a cover of a step above may be wider than its step.
			if (hit < 0 ||
				(s.rules[hit].act.kind == AHEAD_HOST && s.rules[hit].step >= k))
				fail_msg("seed %lu: step %u is not whole", seed, k);
		}
		free(s.nic);
	}
}

static uint32_t
top_level(const struct set *s)
{
	uint32_t i, top = 0;

	for (i = 0; i < s->plan.n; i++)
		top = s->rules[i].level > top ? s->rules[i].level : top;
	return top;
}

static bool
shared(const struct set *s, uint32_t i, const struct set *t)
{
	uint32_t k;

	for (k = 0; k < t->plan.n; k++)
		if (t->rules[k].level == s->rules[i].level &&
			same(&t->rules[k].act, &s->rules[i].act) &&
			flow_match_equal(&t->rules[k].match, &s->rules[i].match))
			return true;
	return false;
}

static void
check_between(struct set *old, struct set *new, struct sl_rng *rng)
{
	unsigned i;

	for (i = 0; i < 40; i++) {
		struct model_packet p = model_random_packet(rng);
		int a = first_hit(old, &p), b = first_hit(new, &p);
		uint32_t pa = a < 0 ? UINT32_MAX : old->nic[a].attr.priority;
		uint32_t pb = b < 0 ? UINT32_MAX : new->nic[b].attr.priority;
		struct ahead_act was = reference(old, &p), is = reference(new, &p);

		// Of equal priorities a NIC may take either.
		if (a >= 0 && pa <= pb && old->rules[a].act.kind != AHEAD_HOST &&
			!same(&old->rules[a].act, &was) && !same(&old->rules[a].act, &is))
			complain(old, a, &p);
		if (b >= 0 && pb <= pa && new->rules[b].act.kind != AHEAD_HOST &&
			!same(&new->rules[b].act, &was) && !same(&new->rules[b].act, &is))
			complain(new, b, &p);
	}
}

// New rules level by level from the first, then old ones from the last: at each step between the
// two, each packet is decided by the old steps, the new ones or the host.
static void
test_changes_in_step(void **state)
{
	static struct set old, new;
	unsigned round;

	for (round = 0; round < ROUNDS / 4; round++) {
		struct sl_rng rng;
		uint32_t level, i;

		seed = 900000 + round;
		rng.state = seed;
		make_set(&old, &rng, NULL);
		make_set(&new, &rng, &old);
		memset(old.in, 1, sizeof(old.in));
		for (i = 0; i < new.plan.n; i++)
			new.in[i] = shared(&new, i, &old);
		for (level = 0; level <= top_level(&new); level++) {
			for (i = 0; i < new.plan.n; i++) {
				if (new.rules[i].level != level || new.in[i])
					continue;
				new.in[i] = true;
				check_between(&old, &new, &rng);
			}
		}
		for (level = top_level(&old) + 1; level-- > 0;) {
			for (i = 0; i < old.plan.n; i++) {
				if (old.rules[i].level != level || shared(&old, i, &new))
					continue;
				old.in[i] = false;
				check_between(&old, &new, &rng);
			}
		}
		free(old.nic);
		free(new.nic);
	}
}

// ---- by hand

static struct ahead_step
step(const char *match, uint8_t kind)
{
	struct ahead_step s = {.act = {.kind = kind}};
	struct sl_err err;

	sl_err_init(&err);
	assert_int_equal(flow_match_parse(match, NULL, &s.match, &err), 0);
	s.match.mask.vlan[0] |= FLOW_VLAN_PRESENT;
	flow_match_normalise(&s.match);
	return s;
}

static void
plan_of(struct set *s, uint32_t room)
{
	uint32_t every = 0;

	s->plan = (struct ahead_plan){.rules = s->rules, .room = room};
	ahead_plan(s->steps, s->n, refuse_some, &every, &s->plan, s->standings);
}

static void
test_covers_what_overlaps(void **state)
{
	struct set s = {.n = 3};

	s.steps[0] = step("ip icmp icmp_type=8", AHEAD_HOST);
	s.steps[1] = step("ip ip_dst=10.0.0.0/8", AHEAD_PORT);
	s.steps[2] = step("ip6", AHEAD_DROP);
	plan_of(&s, 8);
	assert_int_equal(s.standings[0].stand, AHEAD_COVERED);
	assert_int_equal(s.standings[1].stand, AHEAD_WHOLE);
	assert_int_equal(s.standings[1].covers, 1);
	assert_int_equal(s.standings[2].stand, AHEAD_WHOLE);
	assert_int_equal(s.standings[2].covers, 0);
	assert_int_equal(s.plan.n, 3);
	assert_int_equal(s.rules[0].act.kind, AHEAD_HOST);
	assert_int_equal(s.rules[0].level, 0);
	assert_int_equal(s.rules[1].level, 1);
	assert_int_equal(s.rules[2].level, 0); // it meets neither
}

static void
test_room_is_kept(void **state)
{
	struct set s = {.n = 3};

	s.steps[0] = step("tcp dport=80", AHEAD_DROP); // IPv4 and IPv6
	s.steps[1] = step("ip ip_dst=10.0.0.0/8", AHEAD_PORT);
	s.steps[2] = step("eth_type=0x88cc", AHEAD_DROP);
	plan_of(&s, 3);
	assert_int_equal(s.standings[0].stand, AHEAD_WHOLE);
	assert_int_equal(s.standings[1].stand, AHEAD_NOT); // its fragments' cover makes it two
	assert_int_equal(s.standings[1].reason, AHEAD_R_ROOM);
	assert_int_equal(s.standings[2].stand, AHEAD_WHOLE);
	assert_true(s.plan.short_of_room);
	plan_of(&s, 5);
	assert_int_equal(s.standings[1].stand, AHEAD_WHOLE);
	assert_false(s.plan.short_of_room);
}

// An extension header does not lead around a deny; the host is asked once for all of them.
static void
test_extension_headers_of_ipv6(void **state)
{
	struct set s = {.n = 3};
	uint32_t i, hosts = 0;

	s.steps[0] = step("ip6 tcp dport=22", AHEAD_DROP);
	s.steps[1] = step("ip6 tcp dport=23", AHEAD_DROP);
	s.steps[2] = step("ip6", AHEAD_PORT);
	plan_of(&s, RULES);
	for (i = 0; i < s.plan.n; i++)
		hosts += s.rules[i].act.kind == AHEAD_HOST && s.rules[i].level < 2 &&
			 s.rules[i].match.mask.proto == 0xff &&
			 s.rules[i].match.key.proto != IPPROTO_TCP;
	assert_int_equal(hosts, 5);
	assert_int_equal(s.standings[2].stand, AHEAD_WHOLE);
	assert_int_equal(s.plan.n, 3 + 2 + 5);         // the rules, their fragments, the headers
	s.steps[0] = step("ip6 proto=51", AHEAD_DROP); // the host never says so of a packet
	plan_of(&s, RULES);
	assert_int_equal(s.standings[0].stand, AHEAD_COVERED);
}

static void
test_single_flows_are_left_out(void **state)
{
	struct set s = {.n = 1};

	s.steps[0] = step("ip udp ip_src=10.0.0.1 ip_dst=10.0.0.2 sport=1 dport=2", AHEAD_PORT);
	plan_of(&s, 8);
	assert_int_equal(s.standings[0].stand, AHEAD_NOT);
	assert_int_equal(s.standings[0].reason, AHEAD_R_ONE_FLOW);
	assert_int_equal(s.plan.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decides_as_the_steps),
		cmocka_unit_test(test_whole_is_whole),
		cmocka_unit_test(test_changes_in_step),
		cmocka_unit_test(test_covers_what_overlaps),
		cmocka_unit_test(test_room_is_kept),
		cmocka_unit_test(test_extension_headers_of_ipv6),
		cmocka_unit_test(test_single_flows_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
