// SPDX-License-Identifier: BSD-3-Clause
// Keys and ways of misses that come through their VM: the workers know a key before the NIC has it,
// and for a while after the NIC has another one; without a way back misses go to the representor.
//
//   vm1: VF 0 of nic0, whose driver the test plays; back1: the vhost-user port of the same VM
#include "control_ahead.h"

#include "place/misses.h"

static const char text[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=4\",\"queues\":4,"
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":2}],"
	"\"offload\":{\"vm_tables\":true,\"miss_key_s\":60},"
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"miss\":\"vm\","
	"\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}},"
	"{\"name\":\"back1\",\"vm\":\"v1\","
	"\"attach\":{\"kind\":\"vhost-user\",\"path\":\"/tmp/x.sock\"}},"
	"{\"name\":\"back2\",\"vm\":\"v2\","
	"\"attach\":{\"kind\":\"vhost-user\",\"path\":\"/tmp/y.sock\"}}],"
	"\"tables\":[{\"id\":0,\"default\":\"drop\"}]}]}";

// What the NIC was told last, and how it answers.
static struct {
	struct control *c;
	int rc;
	unsigned calls, to_vm;
	uint16_t vf;
	struct nic_miss miss;
	bool known; // a worker knew the key when the NIC got it
} nic;

static bool link_up;

static bool
workers_know(const struct control *c, uint16_t vport, const struct nic_miss *miss)
{
	const struct dp_tags *t = c->snapshot->vport[vport]->tags;
	uint16_t i;

	for (i = 0; t != NULL && i < t->n; i++)
		if (t->keys[i]->id == miss->key_id &&
			memcmp(t->keys[i]->key, miss->key, sizeof(miss->key)) == 0)
			return true;
	return false;
}

static int
played_miss(uint16_t pf, uint16_t vf, const struct nic_miss *miss, char *why, size_t len)
{
	nic.calls++;
	if (nic.rc != 0) {
		snprintf(why, len, "no room for a key");
		return nic.rc;
	}
	nic.vf = vf;
	nic.miss = *miss;
	nic.to_vm += miss->to_vm;
	nic.known = miss->to_vm && workers_know(nic.c, vport_of(nic.c, "back1"), miss);
	return 0;
}

static bool
played_link(const struct dp_port *p)
{
	return link_up;
}

static struct nic_ops ops;
static struct dp_port_ops port_ops;

static struct control *
begin(bool has_way)
{
	struct control *c = rig_new(text);
	uint16_t back = vport_of(c, "back1");

	memset(&nic, 0, sizeof(nic));
	nic.c = c;
	link_up = true;
	ops = driver_ops;
	ops.miss = has_way ? played_miss : NULL;
	c->nics[0]->ops = &ops;
	port_ops = *c->vports[back].port->ops;
	port_ops.link = played_link;
	c->vports[back].port->ops = &port_ops;
	assert_int_equal(misses_new(c), 0);
	return c;
}

static void
end(struct control *c)
{
	c->running = false; // keys outlive the snapshot
	misses_free(c);
	rig_free(c);
}

static void
run(struct control *c, unsigned ms)
{
	for (; ms > 0; ms = ms > 500 ? ms - 500 : 0) {
		rig_pass(c, ms > 500 ? 500 : ms);
		rig_loop(c);
		misses_run(c);
	}
}

static uint16_t
keys(const struct control *c, const char *port)
{
	const struct dp_tags *t = c->snapshot->vport[vport_of(c, port)]->tags;

	return t != NULL ? t->n : 0;
}

static void
expect_reason(struct control *c, const char *words)
{
	const struct control_vport *v = &c->vports[vport_of(c, "vm1")];
	json_t *o = json_object();
	const char *said;

	misses_json(c, v, o);
	said = json_string_value(json_object_get(o, "miss_reason"));
	if (words == NULL) {
		assert_null(said);
		assert_string_equal(json_string_value(json_object_get(o, "miss")), "vm");
	} else {
		assert_non_null(said);
		assert_string_equal(said, words);
		assert_string_equal(json_string_value(json_object_get(o, "miss")), "representor");
	}
	json_decref(o);
}

static void
test_workers_know_the_key_first(void **state)
{
	struct control *c = begin(true);
	const uint16_t vm1 = vport_of(c, "vm1");

	expect_reason(c, "not yet");
	run(c, 10);
	assert_true(misses_through(c, vm1));
	assert_int_equal(nic.calls, 1);
	assert_true(nic.miss.to_vm && nic.known);
	assert_int_equal(nic.vf, 0);
	assert_int_equal(nic.miss.group, ahead_group(1));
	assert_int_equal(keys(c, "back1"), 1);
	assert_int_equal(keys(c, "back2"), 0); // another VM's
	expect_reason(c, NULL);
	run(c, 30000);
	assert_int_equal(nic.calls, 1);
	end(c);
}

// A new key after its time; the old one is taken for a while, then known to nobody.
static void
test_a_key_is_replaced(void **state)
{
	struct control *c = begin(true);
	struct nic_miss first;

	run(c, 10);
	first = nic.miss;
	run(c, 60500);
	assert_int_equal(nic.calls, 2);
	assert_true(nic.miss.to_vm && nic.known);
	assert_memory_not_equal(nic.miss.key, first.key, sizeof(first.key));
	assert_int_not_equal(nic.miss.key_id, first.key_id);
	assert_int_equal(keys(c, "back1"), 2);
	assert_true(workers_know(c, vport_of(c, "back1"), &first));
	run(c, 3000);
	assert_int_equal(keys(c, "back1"), 1);
	assert_false(workers_know(c, vport_of(c, "back1"), &first));
	assert_true(misses_through(c, vport_of(c, "vm1")));
	end(c);
}

// The VM's way back goes down: the representor has them at once; and back with a key that is new.
static void
test_no_way_back(void **state)
{
	struct control *c = begin(true);
	const uint16_t vm1 = vport_of(c, "vm1");
	struct nic_miss first;

	run(c, 10);
	first = nic.miss;
	link_up = false;
	run(c, 10);
	assert_false(misses_through(c, vm1));
	assert_false(nic.miss.to_vm);
	expect_reason(c, "no vhost-user port of its VM is up, by which it could come");
	assert_true(workers_know(c, vport_of(c, "back1"), &first)); // on their way in the guest
	run(c, 3000);
	assert_int_equal(keys(c, "back1"), 0);
	link_up = true;
	run(c, 10);
	assert_true(misses_through(c, vm1));
	assert_memory_not_equal(nic.miss.key, first.key, sizeof(first.key));
	end(c);
}

static void
test_refused(void **state)
{
	struct control *c = begin(true);

	nic.rc = -ENOSPC;
	run(c, 2000);
	assert_int_equal(nic.calls, 1); // not at each tick
	assert_false(misses_through(c, vport_of(c, "vm1")));
	expect_reason(c, "nic0: no room for a key");
	nic.rc = 0;
	run(c, 9000);
	assert_true(misses_through(c, vport_of(c, "vm1")));
	end(c);
}

// While it is on and a new key is refused, the NIC goes on with the one that it has.
static void
test_a_new_key_is_refused(void **state)
{
	struct control *c = begin(true);
	struct nic_miss first;

	run(c, 10);
	first = nic.miss;
	nic.rc = -ENOSPC;
	run(c, 65000);
	assert_int_equal(nic.calls, 2);
	assert_true(misses_through(c, vport_of(c, "vm1")));
	assert_true(workers_know(c, vport_of(c, "back1"), &first));
	expect_reason(c, NULL);
	nic.rc = 0;
	run(c, 10000);
	assert_int_equal(nic.calls, 3);
	assert_memory_not_equal(nic.miss.key, first.key, sizeof(first.key));
	end(c);
}

static void
test_reasons(void **state)
{
	struct control *c = begin(false);
	struct control_vport *v = &c->vports[vport_of(c, "vm1")];
	struct dp_port *port = v->port;

	snprintf(c->nics[0]->driver, sizeof(c->nics[0]->driver), "net_x");
	run(c, 10);
	expect_reason(c, "nic0 (net_x) has no way through a VM");
	c->cfg->offload.vm_tables = false;
	run(c, 10);
	expect_reason(c, "it needs vm_tables, and a VM");
	v->port = NULL;
	run(c, 10);
	expect_reason(c, "no VF carries the port at the moment");
	v->port = port;
	assert_int_equal(nic.calls, 0);
	end(c);
}

static int
start(void **state)
{
	return control_eal("test_control_misses", "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workers_know_the_key_first),
		cmocka_unit_test(test_a_key_is_replaced),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_a_new_key_is_refused),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
