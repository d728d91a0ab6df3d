// SPDX-License-Identifier: BSD-3-Clause
// Receive queues on their way to another worker, as control sees it: what becomes of flows with
// hardware queues, of a port that goes, and who polls what a port leaves behind.
//
//   pf0, vm1 (vf0): on nic0; host: on nothing that is a NIC
#include "control_support.h"

#include "failover/failover.h"
#include "work/move.h"

static const char json[] =
	"{\"nics\":[{\"name\":\"nic0\",\"dev\":\"net_x0,queues=6\",\"queues\":6,"
	"\"default_queues\":2,\"vf_queues\":2,\"vf_default_queues\":1,\"vfs\":1}],"
	"\"offload\":{\"rules_ahead\":0,\"heavy_bps\":1000000,\"light_bps\":500000,\"min_bps\":"
	"1000,\"idle_ms\":500,"
	"\"residency_ms\":1},"
	"\"switches\":[{\"name\":\"s\",\"id\":5,\"ports\":["
	"{\"name\":\"pf0\",\"attach\":{\"kind\":\"nic\",\"nic\":\"nic0\"}},"
	"{\"name\":\"vm1\",\"vm\":\"v1\",\"attach\":{\"kind\":\"vf\",\"nic\":\"nic0\",\"vf\":0}},"
	"{\"name\":\"host\",\"vm\":\"v3\"}],"
	"\"rules\":[{\"match\":\"port=pf0\",\"actions\":\"output=host\"}]}]}";

static struct control *
begin(void)
{
	struct control *c = rig_new(json);

	c->moves = queue_moves_new();
	assert_non_null(c->moves);
	return c;
}

static void
end(struct control *c)
{
	queue_moves_free(c->moves);
	c->moves = NULL;
	rig_free(c);
}

// To a second worker that control knows of meanwhile, and that never runs.
static void
start(struct control *c, uint16_t vport, uint16_t queue)
{
	struct sl_err err;
	uint64_t number;

	sl_err_init(&err);
	c->n_workers = 2;
	assert_int_equal(queue_move_start(c, vport, queue, 1, true, &number, &err), 0);
	c->n_workers = 1;
}

// Which worker polls it in the snapshot in force, DP_NONE: nobody.
static uint16_t
polled_by(const struct control *c, const struct dp_port *port, uint16_t queue)
{
	uint16_t w, i, found = DP_NONE;

	for (w = 0; w < DP_WORKERS_MAX; w++) {
		const struct dp_worker_plan *plan = &c->snapshot->plan[w];

		for (i = 0; i < plan->n_rxq; i++) {
			if (plan->rxq[i].port != port || plan->rxq[i].queue != queue)
				continue;
			assert_int_equal(found, DP_NONE);
			found = w;
		}
	}
	return found;
}

// The old worker has let go, and the port is in no snapshot any more, though it is not closed: the
// new worker never says that it has the queue.
static void
test_port_unpublished(void **state)
{
	struct control *c = begin();
	const uint16_t vport = vport_of(c, "pf0");
	struct dp_port *port = c->vports[vport].port;

	start(c, vport, 0);
	queue_moves_run(c);
	assert_non_null(c->snapshot->takeover);
	assert_int_equal(polled_by(c, port, 0), 1);
	rig_loop(c);
	rig_loop(c);
	assert_int_equal(c->snapshot->takeover->state, DP_TAKEOVER_LEFT);
	c->vports[vport].port = NULL;
	assert_int_equal(publish(c, false), 0);
	queue_moves_run(c);
	assert_false(queue_moves_busy(c));
	assert_null(c->snapshot->takeover);
	assert_int_equal(queue_move_get(c, 0)->end, QUEUE_MOVE_GONE);
	c->vports[vport].port = port;
	assert_int_equal(publish(c, false), 0);
	assert_int_equal(polled_by(c, port, 0), 1);
	end(c);
}

// Flows that hold hardware queues give them back before the queue goes.
static void
test_flows_come_back(void **state)
{
	struct control *c = begin();
	const uint16_t vport = vport_of(c, "pf0");
	const struct flow_key key = udp_key(c, "pf0", 1);
	uint32_t id = rig_report(c, &key, 1000, 2000000);
	struct offload_flow_info fi;
	unsigned i;

	assert_int_not_equal(id, UINT32_MAX);
	rig_settle(c);
	assert_true(offload_flow_get(c->offload, id, &fi));
	assert_int_equal(fi.side[OFFLOAD_IN].state, OFFLOAD_ST_PLACED);
	assert_int_equal(atomic_load(&driver.live), 1);
	start(c, vport, 0);
	queue_moves_run(c);
	assert_null(c->snapshot->takeover);
	assert_int_equal(polled_by(c, c->vports[vport].port, 0), 0);
	for (i = 0; i < 50 && c->snapshot->takeover == NULL; i++) {
		rig_settle(c);
		queue_moves_run(c);
	}
	assert_non_null(c->snapshot->takeover);
	assert_int_equal(atomic_load(&driver.live), 0);
	assert_int_equal(polled_by(c, c->vports[vport].port, 0), 1);
	c->vports[vport].port = NULL; // nothing of it is on its way
	assert_int_equal(publish(c, false), 0);
	queue_moves_run(c);
	assert_false(queue_moves_busy(c));
	c->vports[vport].port = c->ports[vport];
	assert_int_equal(publish(c, false), 0);
	end(c);
}

// A try was called off, and after it a worker does not do what it is told about a flow: the queue
// stays where it is, and flows may have hardware queues again.
static void
test_never_settles(void **state)
{
	struct control *c = begin();
	const uint16_t vport = vport_of(c, "pf0");
	const struct flow_key key = udp_key(c, "pf0", 1);
	const struct offload_order o = {
		.type = OFFLOAD_SET_HOST, .side = OFFLOAD_OUT, .place = {.path = OFFLOAD_SOFTWARE}};

	start(c, vport, 0);
	queue_moves_run(c);
	assert_non_null(c->snapshot->takeover);
	rig_pass(c, 30);
	queue_moves_run(c);
	assert_null(c->snapshot->takeover);
	assert_true(queue_moves_busy(c));
	placements_set_host(c, &o, &key);
	assert_false(placements_host_settled(c));
	rig_pass(c, 5000);
	queue_moves_run(c);
	assert_true(queue_moves_busy(c));
	rig_pass(c, 200);
	queue_moves_run(c);
	assert_false(queue_moves_busy(c));
	assert_int_equal(queue_move_get(c, 0)->end, QUEUE_MOVE_UNSETTLED);
	assert_int_equal(queue_moves_ended(c, QUEUE_MOVE_UNSETTLED), 1);
	assert_int_equal(polled_by(c, c->vports[vport].port, 0), 0);
	rig_loop(c);
	assert_true(placements_host_settled(c));
	end(c);
}

// A queue of a class rule was moved; when its port leaves the NIC, which may be
// gone, its worker stays.
static void
test_worker_stays(void **state)
{
	struct control *c = begin();
	const struct offload_queue_id q = {.nic = 0, .port = 0, .kind = OFFLOAD_RX, .index = 4};
	struct control_vport *v = &c->vports[vport_of(c, "pf0")];
	struct dp_port *port = v->port;

	assert_int_equal(offload_queue_reserve(c->offload, q, OFFLOAD_Q_GROUP), 0);
	port->rxq_worker[q.index] = 1;
	assert_int_equal(publish(c, false), 0);
	assert_int_equal(polled_by(c, port, q.index), 1);
	c->failover = (void *)c; // only asked whether it is there
	v->leaving = port;
	v->port = c->vports[vport_of(c, "host")].port;
	offload_nic_gone(c->offload, 0);
	assert_int_equal(publish(c, false), 0);
	assert_int_equal(polled_by(c, port, q.index), 1);
	c->failover = NULL;
	v->port = port;
	v->leaving = NULL;
	assert_int_equal(publish(c, false), 0);
	end(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_unpublished),
		cmocka_unit_test(test_flows_come_back),
		cmocka_unit_test(test_never_settles),
		cmocka_unit_test(test_worker_stays),
	};

	return control_eal(argv[0], "0") != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
