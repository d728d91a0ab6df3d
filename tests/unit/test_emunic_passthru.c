// SPDX-License-Identifier: BSD-3-Clause
// PASSTHRU on the emulated NIC: what the rules behind one that lets a packet pass do, in which
// order they come, and where a packet ends that all of them let pass.
#include "emunic_actions.h"

#include "eswitch/walk.h"
#include "rte_pmd_emunic.h"

static struct rte_flow_error error;

#define DO(name, of)                                                                               \
	{                                                                                          \
		.type = RTE_FLOW_ACTION_TYPE_##name, .conf = of                                    \
	}

// A rule of port 0 for UDP to a port (0: for any packet).
static struct rte_flow *
rule(bool transfer, uint32_t group, uint32_t priority, uint16_t dport,
	const struct rte_flow_action *actions)
{
	const struct rte_flow_attr attr = {
		.group = group, .priority = priority, .ingress = !transfer, .transfer = transfer};
	const struct rte_flow_item_udp udp = {.hdr.dst_port = rte_cpu_to_be_16(dport)};
	const struct rte_flow_item_udp mask = {.hdr.dst_port = UINT16_MAX};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = dport ? RTE_FLOW_ITEM_TYPE_UDP : RTE_FLOW_ITEM_TYPE_VOID,
			.spec = dport ? &udp : NULL,
			.mask = dport ? &mask : NULL},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};

	return rte_flow_create(0, &attr, pattern, actions, &error);
}

static uint64_t
hits(struct rte_flow *flow)
{
	const struct rte_flow_action count[] = {DO(COUNT, NULL), END};
	struct rte_flow_query_count out = {.reset = 1};

	assert_non_null(flow);
	assert_int_equal(rte_flow_query(0, flow, count, &out, &error), 0);
	return out.hits;
}

// A packet to UDP port 53 enters by the wire. Returns whether it reached port 0, and by which
// queue, with its mark, or 0.
static int
enter(uint32_t *mark)
{
	struct rte_mbuf *got;

	scripts[0].in[scripts[0].n_in++] = packet(nic()->pool, false, false, 10);
	for (unsigned int round = 0; round < 3; round++) {
		for (uint16_t q = 0; q < 2; q++) {
			if (rte_eth_rx_burst(0, q, &got, 1) == 0)
				continue;
			*mark = got->ol_flags & RTE_MBUF_F_RX_FDIR_ID ? got->hash.fdir.hi : 0;
			rte_pktmbuf_free(got);
			return q;
		}
	}
	return -1;
}

static const struct rte_flow_action_mark five = {.id = 5}, six = {.id = 6};
static const struct rte_flow_action_queue first_queue = {.index = 0}, second_queue = {.index = 1};
static const struct rte_flow_action count_pass[] = {DO(COUNT, NULL), DO(PASSTHRU, NULL), END};
static const struct rte_flow_action mark_pass[] = {
	DO(COUNT, NULL), DO(MARK, &five), DO(PASSTHRU, NULL), END};

static void
test_both_apply(void **state)
{
	const struct rte_flow_action queue[] = {DO(COUNT, NULL), DO(QUEUE, &second_queue), END};
	const struct rte_flow_action marked[] = {
		DO(COUNT, NULL), DO(MARK, &six), DO(QUEUE, &first_queue), END};
	struct rte_flow *pass, *last, *before;
	uint32_t mark;

	plug(0);
	pass = rule(false, 0, 1, 0, mark_pass);
	last = rule(false, 0, 2, 53, queue);
	assert_int_equal(enter(&mark), 1);
	assert_int_equal(mark, 5);
	before = rule(false, 0, 0, 0, count_pass);
	assert_int_equal(rte_flow_destroy(0, last, &error), 0);
	last = rule(false, 0, 2, 0, marked); // the mark of the later one holds
	assert_int_equal(enter(&mark), 0);
	assert_int_equal(mark, 6);
	assert_int_equal(hits(before), 1);
	assert_int_equal(hits(pass), 2);
	assert_int_equal(hits(last), 1);
	assert_int_equal(rte_flow_destroy(0, last, &error), 0);
	assert_true(enter(&mark) >= 0); // where packets go that meet no rule
	assert_int_equal(mark, 5);
	assert_int_equal(rte_flow_isolate(0, 1, &error), 0);
	assert_int_equal(enter(&mark), -1);
	assert_int_equal(xstat("nic_drop_isolated"), 1);
	unplug();
}

// At one priority the more exact rule comes first, then the older one; a rule comes once at most.
static void
test_order(void **state)
{
	const struct rte_flow_action to[] = {DO(COUNT, NULL), DO(QUEUE, &second_queue), END};
	struct rte_flow *wide, *exact, *same, *end, *never;
	uint32_t mark;

	for (int transfer = 0; transfer < 2; transfer++) {
		const struct rte_flow_action drop[] = {DO(COUNT, NULL), DO(DROP, NULL), END};

		plug(0);
		wide = rule(transfer, 0, 7, 0, count_pass);
		exact = rule(transfer, 0, 7, 53, count_pass);
		same = rule(transfer, 0, 7, 53, count_pass);
		end = rule(transfer, 0, 7, 0, transfer ? drop : to);
		never = rule(transfer, 0, 8, 53, drop);
		assert_int_equal(enter(&mark), transfer ? -1 : 1);
		assert_int_equal(hits(wide), 1);
		assert_int_equal(hits(exact), 1);
		assert_int_equal(hits(same), 1);
		assert_int_equal(hits(end), 1);
		assert_int_equal(hits(never), 0);
		unplug();
	}
}

// What a rule wrote is what the next one matches; an earlier one is not asked again.
static void
test_edits(void **state)
{
	const struct rte_flow_action_set_tp port = {.port = RTE_BE16(54)};
	const struct rte_flow_action edit[] = {
		DO(COUNT, NULL), DO(SET_TP_DST, &port), DO(PASSTHRU, NULL), END};
	const struct rte_flow_action to[] = {DO(COUNT, NULL), DO(QUEUE, &second_queue), END};
	const struct rte_flow_action drop[] = {DO(COUNT, NULL), DO(DROP, NULL), END};
	struct rte_flow *early, *editor, *old, *fresh;
	uint32_t mark;

	plug(0);
	early = rule(false, 0, 0, 54, drop);
	editor = rule(false, 0, 1, 53, edit);
	old = rule(false, 0, 2, 53, drop);
	fresh = rule(false, 0, 3, 54, to);
	assert_int_equal(enter(&mark), 1);
	assert_int_equal(hits(early) + hits(old), 0);
	assert_int_equal(hits(editor), 1);
	assert_int_equal(hits(fresh), 1);
	unplug();
}

// Groups: the next rule is one of the same group, and behind it is a miss; a jump may follow.
static void
test_groups(void **state)
{
	const struct rte_flow_action_jump one = {.group = 1};
	const struct rte_flow_action jump[] = {DO(COUNT, NULL), DO(JUMP, &one), END};
	const struct rte_flow_action drop[] = {DO(COUNT, NULL), DO(DROP, NULL), END};
	struct rte_flow *pass, *jumps, *inside, *outside;
	uint32_t mark;
	char why[256];

	plug(0);
	pass = rule(true, 0, 0, 0, count_pass);
	jumps = rule(true, 0, 1, 53, jump);
	outside = rule(true, 0, 2, 0, drop);
	inside = rule(true, 1, 0, 0, count_pass);
	assert_true(enter(&mark) >= 0);
	assert_int_equal(rte_pmd_emunic_set(0, "jump_miss_drop=1", why, sizeof(why)), 0);
	assert_int_equal(enter(&mark), -1);
	assert_int_equal(xstat("nic_drop_jump_miss"), 1);
	assert_int_equal(hits(pass), 2);
	assert_int_equal(hits(jumps), 2);
	assert_int_equal(hits(inside), 2);
	assert_int_equal(hits(outside), 0);
	unplug();
}

static void
test_limit(void **state)
{
	const struct rte_flow_action to[] = {DO(COUNT, NULL), DO(QUEUE, &second_queue), END};
	struct rte_flow *passes[EMU_MAX_PASSES], *end;
	uint32_t mark;

	plug_with("queues=2,representor=vf0,firmware=inline,capacity=80", 0);
	for (unsigned int i = 0; i < RTE_DIM(passes); i++)
		passes[i] = rule(false, 0, i, i % 2 ? 53 : 0, count_pass);
	end = rule(false, 0, 1000, 0, to);
	assert_int_equal(enter(&mark), -1);
	assert_int_equal(xstat("nic_drop_pass_limit"), 1);
	assert_int_equal(hits(end), 0);
	assert_int_equal(rte_flow_destroy(0, passes[0], &error), 0);
	assert_int_equal(enter(&mark), 1);
	assert_int_equal(hits(end), 1);
	for (unsigned int i = 1; i < RTE_DIM(passes); i++)
		assert_int_equal(hits(passes[i]), 2);
	unplug();
}

// A packet of several segments is counted whole by the rule that lets it pass, and cut by the next.
static void
test_segments(void **state)
{
	const struct rte_flow_action_raw_encap encap = {.data = outer, .size = OUTER};
	const struct rte_flow_action encap_pass[] = {
		DO(COUNT, NULL), DO(RAW_ENCAP, &encap), DO(PASSTHRU, NULL), END};
	const struct rte_flow_attr attr = {.egress = 1};
	unsigned int n = (BIG + MSS - 1) / MSS;
	struct rte_flow *whole, *cut, *after;
	struct rte_mbuf *m;

	plug(0);
	nic()->sides[0].mtu = 2000;
	whole = rte_flow_create(0, &attr, any, count_pass, &error);
	cut = rte_flow_create(0, &attr, any, encap_pass, &error);
	after = rte_flow_create(0, &attr, any, count_pass, &error);
	m = packet(pools[0], false, true, BIG);
	ask(m, false, true, true);
	send_one(0, m);
	assert_int_equal(hits(whole), 1);
	assert_int_equal(hits(cut), n);
	assert_int_equal(hits(after), n);
	assert_int_equal(scripts[0].n_out, n);
	for (unsigned int i = 0; i < n; i++)
		assert_memory_equal(
			rte_pktmbuf_mtod_offset(scripts[0].out[i], void *, 42), &outer[42], 8);
	unplug();
}

static void
test_refusals(void **state)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action two[] = {DO(QUEUE, &first_queue), DO(PASSTHRU, NULL), END};
	const struct rte_flow_action other[] = {DO(PASSTHRU, NULL), DO(QUEUE, &first_queue), END};
	const struct rte_flow_action twice[] = {DO(PASSTHRU, NULL), DO(PASSTHRU, NULL), END};
	const struct rte_flow_action_sample sample = {.ratio = 1, .actions = &count_pass[1]};
	const struct rte_flow_action copy[] = {DO(SAMPLE, &sample), END};
	const struct rte_flow_action over[] = {DO(DROP, NULL), DO(PASSTHRU, NULL), END};
	const struct rte_flow_action under[] = {DO(PASSTHRU, NULL), DO(DROP, NULL), END};
	uint32_t mark;

	plug(0);
	refused(&attr, two, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "PASSTHRU leaves to other rules");
	refused(&attr, other, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "only one action may decide");
	refused(&attr, twice, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, "a second PASSTHRU");
	refused(&attr, copy, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, "let pass");
	// As rte_flow.h says, it overrides DROP.
	assert_non_null(rule(false, 0, 0, 0, over));
	assert_non_null(rule(false, 0, 0, 0, under));
	assert_true(enter(&mark) >= 0);
	unplug();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_apply),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_refusals),
	};

	return run_nic_tests(argv[0], tests, RTE_DIM(tests));
}
