// SPDX-License-Identifier: BSD-3-Clause
// The ledger's arithmetic: counters of workers and NICs are set by the test, the sums are judged.
//
//   wire -- [nic0] -- up         host: on nothing that is a NIC
//            vf0 --- rep
#include "control_support.h"

#include "ledger.h"

static const char json[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=2\",\"queues\":2,"
	"\"default_queues\":1,\"vf_queues\":1,\"vf_default_queues\":1,\"vfs\":1}],"
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"up\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"
	"{\"name\":\"rep\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}},"
	"{\"name\":\"host\",\"vm\":\"v2\"}]}]}";

static struct nic_ledger played; // what the NIC says

static void
say_ledger(uint16_t pf, struct nic_ledger *out, nic_drop_fn fn, void *ctx)
{
	*out = played;
	fn(ctx, "rx-full", played.dropped);
}

static const struct nic_ops ops = {.name = "ledger", .ledger = say_ledger};

static struct dp_vport_counters *
counters(struct control *c, const char *port)
{
	return (struct dp_vport_counters *)(uintptr_t)&dp_vport_counters(
		c->dp, 0)[vport_of(c, port)];
}

static struct control *
rig(void)
{
	struct control *c = rig_new(json);

	memset(&played, 0, sizeof(played));
	played.exact = true;
	c->nics[0]->ops = &ops;
	ledger_port_opened(c, vport_of(c, "up"), true);
	ledger_port_opened(c, vport_of(c, "rep"), true);
	ledger_port_opened(c, vport_of(c, "host"), false);
	return c;
}

static struct ledger
read_it(struct control *c, json_t *drops)
{
	struct ledger l;

	ledger_read(c, &l, drops);
	return l;
}

// 100 packets from the wire: 20 through the embedded switch, 10 dropped by the NIC, 70 to the host;
// of these 5 dropped by a rule, 40 delivered to `host`, 25 to vf0.
static void
set_traffic(struct control *c)
{
	struct dp_vport_counters *up = counters(c, "up");

	played.received_wire = 100;
	played.dropped = 10;
	played.sent_vf = 20 + 25;
	played.sent_host = 70;
	played.received_host = 25;
	played.eswitch_packets = 20;
	played.eswitch_bytes = 2000;
	up->received = 70;
	up->dropped[DP_DROP_RULE] = 5;
	up->sent = 65;
	up->path_packets[OFFLOAD_SOFTWARE] = 50;
	up->path_packets[OFFLOAD_EXCLUSIVE_QUEUE] = 20;
	counters(c, "host")->delivered = 40;
	counters(c, "rep")->delivered = 25;
}

static void
test_outer_edge(void **state)
{
	struct control *c = rig();
	json_t *drops = json_object();
	struct ledger l;

	set_traffic(c);
	l = read_it(c, drops);
	assert_int_equal(l.all.received, 100);
	assert_int_equal(l.all.sent, 45 + 40);
	assert_int_equal(l.all.dropped, 15);
	assert_int_equal(l.all.held, 0);
	assert_true(ledger_line_balanced(&l.all));
	assert_true(l.conserved);
	assert_int_equal(l.path_packets[OFFLOAD_ESWITCH], 20);
	assert_int_equal(l.path_packets[OFFLOAD_SOFTWARE], 50);
	assert_int_equal(l.path_packets[OFFLOAD_EXCLUSIVE_QUEUE], 20);
	assert_int_equal(json_integer_value(json_object_get(drops, "nic-rx-full")), 10);
	assert_int_equal(json_integer_value(json_object_get(drops, "rule-drop")), 5);
	assert_int_equal(json_object_size(drops), 2);
	json_decref(drops);
	rig_free(c);
}

// Each kind of packet that is nowhere, or twice, is seen.
static void
test_faults(void **state)
{
	struct control *c = rig();
	struct dp_vport_counters *up = counters(c, "up");

	set_traffic(c);
	up->sent = 64;
	assert_false(read_it(c, NULL).conserved);
	up->sent = 65;
	assert_true(read_it(c, NULL).conserved);
	played.sent_host = 71;
	assert_false(read_it(c, NULL).conserved);
	played.sent_host = 70;
	// A packet is gone between NIC and host: each ledger alone is right.
	up->received = 69;
	up->sent = 64;
	counters(c, "host")->delivered = 39;
	assert_false(read_it(c, NULL).conserved);
	up->received = 70;
	up->sent = 65;
	counters(c, "host")->delivered = 40;
	// Held by the counters, but not in any ring.
	up->queued = 1;
	up->sent = 64;
	counters(c, "host")->delivered = 39;
	assert_false(read_it(c, NULL).conserved);
	up->dequeued = 1;
	up->sent = 65;
	counters(c, "host")->delivered = 40;
	assert_true(read_it(c, NULL).conserved);
	// What a NIC that is not exact does is not judged, the software's ledger is.
	played.exact = false;
	played.sent_host = 7;
	assert_true(read_it(c, NULL).conserved);
	up->sent = 60;
	assert_false(read_it(c, NULL).conserved);
	rig_free(c);
}

// A vport leaves a NIC and comes to another kind of attachment: what it carried over the NIC stays
// inner, what it carries now is at the edge.
static void
test_moves(void **state)
{
	struct control *c = rig();
	struct dp_vport_counters *rep = counters(c, "rep");
	struct ledger l;

	set_traffic(c);
	c->inner[vport_of(c, "rep")].on_nic = true;
	// As ledger_port_closed does it, without workers to ask.
	c->inner[vport_of(c, "rep")].received += rep->received;
	c->inner[vport_of(c, "rep")].delivered += rep->delivered;
	ledger_port_opened(c, vport_of(c, "rep"), false);
	l = read_it(c, NULL);
	assert_int_equal(l.all.received, 100);
	assert_int_equal(l.all.sent, 85);
	assert_true(l.conserved);
	rep->received = 30; // from a socket now
	rep->sent = 30;
	counters(c, "host")->delivered += 30;
	l = read_it(c, NULL);
	assert_int_equal(l.all.received, 130);
	assert_int_equal(l.all.sent, 115);
	assert_true(l.conserved);
	// And back on the NIC: from here on the NIC counts it again.
	ledger_port_opened(c, vport_of(c, "rep"), true);
	played.received_vf = 7;
	played.sent_host += 7;
	rep->received += 7;
	rep->dropped[DP_DROP_STORM] = 7;
	l = read_it(c, NULL);
	assert_int_equal(l.all.received, 137);
	assert_int_equal(l.all.dropped, 22);
	assert_true(l.conserved);
	rig_free(c);
}

// A vport that has the id of one that is gone begins at 0; the sums keep both.
static void
test_new_vport(void **state)
{
	struct control *c = rig();
	struct dp_vport_counters *host = counters(c, "host");
	const uint16_t id = vport_of(c, "host");
	struct ledger l;

	set_traffic(c);
	host->received = host->dropped[DP_DROP_STORM] = 9;
	assert_int_equal(ledger_vport_new(c, id), 0);
	l = read_it(c, NULL);
	assert_true(l.conserved);
	assert_int_equal(l.vport[id].received, 0);
	assert_int_equal(l.vport[id].drops[DP_DROP_STORM], 0);
	assert_int_equal(l.delivered[id], 0);
	assert_int_equal(l.all.received, 109);
	host->received += 3;
	host->sent += 3;
	host->delivered += 3;
	l = read_it(c, NULL);
	assert_int_equal(l.vport[id].received, 3);
	assert_int_equal(l.vport[id].sent, 3);
	assert_int_equal(l.delivered[id], 3);
	assert_true(ledger_line_balanced(&l.vport[id]));
	assert_int_equal(l.all.received, 112);
	assert_int_equal(ledger_vport_new(c, id), 0);
	l = read_it(c, NULL);
	assert_int_equal(l.vport[id].received, 0);
	ledger_fini(c);
	rig_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outer_edge),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_new_vport),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
