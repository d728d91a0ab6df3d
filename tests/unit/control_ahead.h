// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_CONTROL_AHEAD_H
#define SLUICE_TESTS_CONTROL_AHEAD_H

#include "control_support.h"

#include "ahead_model.h"
#include "apply/apply.h"
#include "place/ahead_internal.h"

// What the tests of rules ahead of traffic share: a switch on a NIC whose driver the test plays,
//   pf0 (trunk), vm1 (access 10, anti-spoof), vm2 (native 20, storm limit): on nic0   host: on none
// and rules that come into force in it.
// Thread-safety: owner thread only.

static const char json[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=6\",\"queues\":6,"
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2}],"
	"\"offload\":{\"rules_ahead\":200},"
	"\"classes\":[{\"name\":\"default\"},{\"name\":\"bulk\"}],"
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0},"
	"\"vlan\":{\"mode\":\"access\",\"vid\":10},\"mac_check\":true,\"ip_check\":true,"
	"\"macs\":[\"00:00:00:00:00:01\",\"00:00:00:00:00:02\"],"
	"\"ips\":[\"10.0.0.2/31\",\"2000::2/127\"]},"
	"{\"name\":\"vm2\",\"vm\":\"v2\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":1},"
	"\"vlan\":{\"mode\":\"native\",\"vid\":20},\"storm_pps\":100},"
	"{\"name\":\"host\",\"vm\":\"v3\"}],"
	"\"tables\":[{\"id\":0,\"default\":\"drop\"},{\"id\":1,\"default\":\"output=vm1\"},"
	"{\"id\":2,\"default\":\"normal\"}]}]}";

static inline void
run_until_done(struct control *c)
{
	unsigned i;

	for (i = 0; i < 200 && ahead_pending(c) > 0; i++) {
		rig_answers(c);
		rig_pass(c, 200);
		offload_run_tick(c);
	}
	assert_int_equal(ahead_pending(c), 0);
}

static inline void
in_force(struct control *c)
{
	c->rules_dirty[0] = true;
	rig_loop(c);
	assert_int_equal(publish(c, true), 0);
	offload_run_redecide(c);
}

static inline uint32_t
add(struct control *c, uint16_t table, uint16_t priority, const char *match, const char *actions)
{
	struct config_rule rule;
	struct sl_err err;
	uint32_t id;

	sl_err_init(&err);
	if (config_rule_parse(c->cfg, 0, match, actions, &rule, &err) != 0)
		return UINT32_MAX; // words that contradict each other
	rule.table = table;
	rule.priority = priority;
	rule.name[0] = '\0';
	if (rule_book_add(c->book[0], &rule, false, &id, &err) != 0)
		fail_msg("%s", err.text);
	return id;
}

#endif
