// SPDX-License-Identifier: BSD-3-Clause
// Class rules to a VM's VF: which parts of the switch's rules are ahead of traffic for them, whose
// they are where classes overlap, and what a policy rule above keeps with the host.
//
//   pf0, vm1, vm2: on nic0, whose driver the test plays. rules_ahead is 0: nothing else is there.
#include "control_ahead.h"

#define SWITCH                                                                                     \
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=6\",\"queues\":6,"                  \
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2}],"                \
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["                                       \
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"                       \
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}}," \
	"{\"name\":\"vm2\",\"vm\":\"v2\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":1}}]" \
	","                                                                                        \
	"\"tables\":[{\"id\":0,\"default\":\"output=vm1\"}]}],"                                    \
	"\"offload\":{\"rules_ahead\":0,\"policy\":["
#define VF(name, more)                                                                             \
	"{\"name\":\"" name "\",\"vm\":\"v1\",\"port\":\"pf0\",\"class_rule\":true,"               \
	"\"class_target\":\"vf\"" more "}"

static const char two_classes[] = SWITCH VF("web", ",\"match\":\"tcp dport=80-99\"") "," VF(
	"all-tcp", ",\"match\":\"tcp\"") "]}}";
static const char above[] =
	SWITCH "{\"name\":\"heavy\",\"match\":\"tcp dport=80\",\"min_bps\":1000}," VF(
		"all-tcp", ",\"match\":\"tcp\"") "]}}";
static const char by_dscp[] = SWITCH VF("voice", ",\"match\":\"udp\",\"dscp\":\"46\"") "]}}";

static struct control *
begin(const char *text)
{
	struct control *c = rig_new(text);

	in_force(c);
	run_until_done(c);
	return c;
}

static void
tcp_to(struct flow_key *key, uint16_t vport, uint16_t port)
{
	flow_key_init(key, 5, vport);
	key->eth_type = RTE_BE16(0x0800);
	key->l3 = FLOW_L3_IPV4;
	key->proto = IPPROTO_TCP;
	key->src[0] = key->dst[0] = 10;
	key->l4_src = RTE_BE16(40000);
	key->l4_dst = rte_cpu_to_be_16(port);
}

static bool
serves(struct control *c, uint16_t vport, uint16_t port)
{
	struct flow_key key;
	char by[64];

	tcp_to(&key, vport, port);
	return ahead_serves(c, &key, by, sizeof(by));
}

static json_int_t
entries(struct control *c, const char *policy)
{
	json_t *list = ahead_class_json(c, 0), *o;
	json_int_t n = -1;
	size_t i;

	json_array_foreach(list, i, o)
	{
		if (strcmp(json_string_value(json_object_get(o, "policy")), policy) == 0)
			n = json_integer_value(json_object_get(o, "entries"));
	}
	json_decref(list);
	return n;
}

// Each entry is one class's: that of the first policy rule that has it.
static void
test_overlapping_classes(void **state)
{
	struct control *c = begin(two_classes);
	const uint16_t pf0 = vport_of(c, "pf0"), vm2 = vport_of(c, "vm2");
	const struct ahead_nic *n = &c->ahead->nic[0];
	uint32_t i, acts = 0;

	(void)state;
	assert_true(serves(c, pf0, 80));
	assert_true(serves(c, pf0, 443));
	assert_false(serves(c, vm2, 80)); // by another port
	for (i = 0; i < n->cap; i++)
		acts += n->live[i].used && n->live[i].act.kind == AHEAD_PORT;
	assert_true(entries(c, "web") > 0 && entries(c, "all-tcp") > 0);
	assert_int_equal(entries(c, "web") + entries(c, "all-tcp"), acts);
	rig_free(c);
}

// What no NIC can tell of a policy rule above keeps what it may match.
static void
test_a_policy_above(void **state)
{
	struct control *c = begin(above);
	const uint16_t pf0 = vport_of(c, "pf0");

	(void)state;
	assert_false(serves(c, pf0, 80));
	assert_true(serves(c, pf0, 81));
	rig_free(c);
}

static void
test_by_dscp(void **state)
{
	struct control *c = begin(by_dscp);
	const struct ahead_nic *n = &c->ahead->nic[0];
	uint32_t i;

	(void)state;
	assert_false(serves(c, vport_of(c, "pf0"), 80));
	assert_true(entries(c, "voice") > 0);
	for (i = 0; i < n->cap; i++) {
		if (!n->live[i].used || n->live[i].act.kind != AHEAD_PORT)
			continue;
		assert_int_equal(n->live[i].match.mask.dscp, 0x3f);
		assert_int_equal(n->live[i].match.key.dscp, 46);
	}
	rig_free(c);
}

static int
start(void **state)
{
	return control_eal("test_control_class_vf", "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlapping_classes),
		cmocka_unit_test(test_a_policy_above),
		cmocka_unit_test(test_by_dscp),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
