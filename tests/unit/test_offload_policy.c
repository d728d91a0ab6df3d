// SPDX-License-Identifier: BSD-3-Clause
// One test for each sentence of the policy.
#include "offload_fixture.h"

#define HEAVY (100 * MBIT)
#define NORMAL (5 * MBIT)
#define LIGHT (MBIT / 10)

static int
setup(void **state)
{
	static struct world w;

	w_init(&w, NULL);
	w_nic(&w, 0, "nic0", 4, 0);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	w_fini(*state);
	return 0;
}

static void
test_same_nic_goes_to_eswitch(void **state)
{
	struct world *w = *state;
	struct w_flow *vf_vf = w_add(w, 1, 2, NORMAL), *wire_vf = w_add(w, 9, 1, HEAVY);
	struct w_flow *vf_wire = w_add(w, 2, 9, NORMAL), *light = w_add(w, 1, 2, LIGHT);

	w_run(w, 2000);
	w_expect(w, vf_vf, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, vf_vf, OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NONE);
	w_expect(w, wire_vf, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, vf_wire, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, light, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	// Nothing went by the ring on its way.
	assert_int_equal(w->hosts, 0);
	assert_int_equal(w->installs, 3);
}

static void
test_to_vhost_goes_to_queues(void **state)
{
	struct world *w = *state;
	struct w_flow *heavy = w_add(w, 9, 3, HEAVY), *a = w_add(w, 9, 3, NORMAL);
	struct w_flow *b = w_add(w, 9, 3, NORMAL), *other = w_add(w, 9, 4, NORMAL);
	struct offload_flow_info ia, ib, io, ih;
	struct offload_queue q;

	w_run(w, 2000);
	w_expect(w, heavy, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, other, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	ia = w_get(w, a);
	ib = w_get(w, b);
	io = w_get(w, other);
	ih = w_get(w, heavy);
	assert_int_equal(ia.side[0].actual.queue.index, ib.side[0].actual.queue.index);
	assert_int_not_equal(ia.side[0].actual.queue.index, io.side[0].actual.queue.index);
	q = w_queue(w, 0, 0, OFFLOAD_RX, ia.side[0].actual.queue.index);
	assert_int_equal(q.flows, 2);
	assert_int_equal(q.state, OFFLOAD_Q_SHARED);
	assert_int_equal(q.vm, 3);
	q = w_queue(w, 0, 0, OFFLOAD_RX, ih.side[0].actual.queue.index);
	assert_int_equal(q.flows, 1);
	assert_int_equal(q.state, OFFLOAD_Q_EXCLUSIVE);
}

static void
test_other_worker_other_queue(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, NORMAL), *b = w_add(w, 9, 3, NORMAL);
	struct offload_flow_info ia, ib;

	b->worker = 1;
	w_run(w, 200);
	ia = w_get(w, a);
	ib = w_get(w, b);
	assert_int_equal(ia.side[0].actual.path, OFFLOAD_SHARED_QUEUE);
	assert_int_equal(ib.side[0].actual.path, OFFLOAD_SHARED_QUEUE);
	assert_int_not_equal(ia.side[0].actual.queue.index, ib.side[0].actual.queue.index);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, ib.side[0].actual.queue.index).worker, 1);
}

static void
test_no_queue_is_ring(void **state)
{
	struct world *w = *state;
	unsigned i;

	// Half of the 4 queues may be shared, by 4 flows each: 8 of 10 flows.
	for (i = 0; i < 10; i++)
		w_add(w, 9, 3, NORMAL + i * MBIT / 2);
	w_run(w, 3000);
	for (i = 0; i < 2; i++) {
		w_expect(w, &w->flow[i], OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED,
			OFFLOAD_R_NO_FREE_QUEUE);
		assert_int_equal(w->flow[i].host[OFFLOAD_IN].path, OFFLOAD_RING);
		w_expect_words(
			w, &w->flow[i], OFFLOAD_IN, "no shared queue of nic0/pf/rx is free for it");
	}
	for (; i < 10; i++)
		w_expect(w, &w->flow[i], OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
			OFFLOAD_R_NONE);
	// The best that waits gets what becomes free.
	w->flow[5].bps = 0;
	w_run(w, 3000);
	w_expect(w, &w->flow[1], OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_NONE);
	w_expect(w, &w->flow[0], OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED,
		OFFLOAD_R_NO_FREE_QUEUE);
}

static void
test_heavy_shares_then_gets_its_own(void **state)
{
	struct world *w = *state;
	struct w_flow *late = NULL, *own = NULL;
	unsigned i;

	// With one queue shared, three are left for four heavy flows.
	w_add(w, 9, 3, NORMAL);
	w_run(w, 200);
	for (i = 0; i < 4; i++)
		w_add(w, 9, 3, HEAVY + i * MBIT);
	w_run(w, 2000);
	for (i = 1; i <= 4; i++) {
		if (w->flow[i].rule.path == OFFLOAD_SHARED_QUEUE)
			late = &w->flow[i];
		else
			own = &w->flow[i];
	}
	assert_true(late && own);
	w_expect(w, late, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_NO_FREE_QUEUE);
	w_expect_words(w, late, OFFLOAD_IN, "no exclusive queue of nic0/pf/rx is free for it");
	own->bps = 0;
	w_run(w, 3000);
	w_expect(w, late, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_heavy_until_light(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 9, 3, HEAVY);

	w_run(w, 1000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	f->bps = 30 * MBIT; // between light and heavy
	w_run(w, 30000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	f->bps = 10 * MBIT;
	w_run(w, 30000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	f->bps = 30 * MBIT;
	w_run(w, 30000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_much_heavier_takes_the_queue(void **state)
{
	struct world *w = *state;
	struct w_flow *big;
	unsigned i, installs;

	for (i = 0; i < 4; i++)
		w_add(w, 9, 3, HEAVY);
	w_run(w, 2000);
	big = w_add(w, 9, 4, HEAVY + HEAVY / 10); // a tenth more is not clearly more
	w_run(w, 5000);
	w_expect(w, big, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_NO_FREE_QUEUE);
	installs = w->installs;
	big->bps = 2 * HEAVY;
	w_run(w, 3000);
	w_expect(w, big, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_true(w->installs <= installs + 2);
}

static void
test_share_never_rings(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 40; i++) {
		struct w_flow *f = w_add(w, 9, i % 2 ? 3 : 4, i < 10 ? HEAVY : NORMAL);

		f->worker = i % 4 >= 2;
		f->d.share = true;
	}
	w_run(w, 3000);
	assert_int_equal(w->hosts, 0);
	for (i = 0; i < 40; i++) {
		struct offload_flow_info info = w_get(w, &w->flow[i]);

		assert_true(info.side[OFFLOAD_IN].actual.path >= OFFLOAD_SHARED_QUEUE);
		assert_int_equal(
			w_queue(w, 0, 0, OFFLOAD_RX, info.side[0].actual.queue.index).worker,
			w->flow[i].worker);
	}
}

// Heavy flows leave a queue to each worker that has none to share yet.
static void
test_share_leaves_a_queue(void **state)
{
	struct world *w = *state;
	struct w_flow *f;
	unsigned i;

	for (i = 0; i < 6; i++)
		w_add(w, 9, 3, HEAVY)->d.share = true;
	w_run(w, 2000);
	f = w_add(w, 9, 4, NORMAL);
	f->d.share = true;
	f->worker = 1;
	w_run(w, 1000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_drop_is_dropped_in_the_nic(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 9, OFFLOAD_NONE, NORMAL),
		      *g = w_add(w, 9, OFFLOAD_NONE, NORMAL);

	g->d.eswitch_ok = false;
	w_run(w, 500);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, g, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_ACTIONS);
}

static void
test_pinned(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 9, 3, LIGHT), *g = w_add(w, 9, 4, LIGHT), *other, *none;
	struct offload_flow_info info;

	f->d.pinned_queue = g->d.pinned_queue = 3;
	w_run(w, 500);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, g, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	info = w_get(w, f);
	assert_int_equal(info.side[0].actual.queue.index, 3);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, 3).flows, 2);
	assert_int_equal(w_queue(w, 0, 0, OFFLOAD_RX, 3).vm, OFFLOAD_NONE);
	other = w_add(w, 9, 3, LIGHT);
	other->d.pinned_queue = 3;
	other->worker = 1;
	none = w_add(w, 9, 3, LIGHT);
	none->d.pinned_queue = 12;
	w_run(w, 500);
	w_expect(w, other, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_NO_FREE_QUEUE);
	w_expect_words(w, other, OFFLOAD_IN,
		"its rule names nic0/pf/rx/3, which is shared with worker 0 (its own is 1)");
	w_expect_words(w, none, OFFLOAD_IN, "its rule names nic0/pf/rx/12, which does not exist");
}

static void
test_pinned_takes_it_from_an_owner(void **state)
{
	struct world *w = *state;
	struct w_flow *heavy = w_add(w, 9, 3, HEAVY), *f;
	struct offload_flow_info info;

	w_run(w, 500);
	info = w_get(w, heavy);
	assert_int_equal(info.side[0].actual.path, OFFLOAD_EXCLUSIVE_QUEUE);
	f = w_add(w, 9, 3, LIGHT);
	f->d.pinned_queue = info.side[0].actual.queue.index;
	w_run(w, 500);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, heavy, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

static void
test_two_nics_two_places(void **state)
{
	struct world *w = *state;
	struct w_flow *f = w_add(w, 1, 19, HEAVY), *g = w_add(w, 2, 19, NORMAL);
	struct offload_flow_info info;

	w_nic(w, 1, "nic1", 4, 0);
	w_run(w, 1000);
	w_expect(w, f, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, f, OFFLOAD_OUT, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, g, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	info = w_get(w, f);
	assert_int_equal(info.side[OFFLOAD_IN].actual.queue.nic, 0);
	assert_int_equal(info.side[OFFLOAD_IN].actual.queue.port, 1);
	assert_int_equal(info.side[OFFLOAD_IN].actual.queue.kind, OFFLOAD_RX);
	assert_int_equal(info.side[OFFLOAD_OUT].actual.queue.nic, 1);
	assert_int_equal(info.side[OFFLOAD_OUT].actual.queue.kind, OFFLOAD_TX);
	assert_int_equal(
		f->host[OFFLOAD_OUT].queue.index, info.side[OFFLOAD_OUT].actual.queue.index);
}

static void
test_from_vhost_gets_tx_queues(void **state)
{
	struct world *w = *state;
	struct w_flow *heavy = w_add(w, 3, 9, HEAVY), *a = w_add(w, 3, 9, NORMAL);
	struct w_flow *light = w_add(w, 3, 9, LIGHT), *more[6];
	struct offload_queue q;
	unsigned i;

	w_run(w, 500);
	w_expect(w, heavy, OFFLOAD_OUT, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, heavy, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NONE);
	w_expect(w, a, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, light, OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	assert_int_equal(w->installs, 0);
	// The worker changes: the queue stays with the old one.
	q = w_queue(w, 0, 0, OFFLOAD_TX, a->host[OFFLOAD_OUT].queue.index);
	assert_int_equal(q.worker, 0);
	a->worker = 1;
	w_run(w, 500);
	q = w_queue(w, 0, 0, OFFLOAD_TX, a->host[OFFLOAD_OUT].queue.index);
	assert_int_equal(q.worker, 1);
	assert_int_equal(q.flows, 1);
	// No queue left: the default one, no ring unless a rule wants one.
	for (i = 0; i < 6; i++) {
		more[i] = w_add(w, 3, 9, NORMAL / 2);
		more[i]->worker = 1;
		more[i]->d.wants_ring = i == 5;
	}
	more[4]->bps /= 2;
	more[5]->bps /= 2;
	w_add(w, 4, 9, NORMAL);
	w_run(w, 1000);
	w_expect(w, &w->flow[w->n_flows - 1], OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_NONE);
	w_expect(w, more[4], OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_WANTED,
		OFFLOAD_R_NO_FREE_QUEUE);
	w_expect(w, more[5], OFFLOAD_OUT, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_NO_FREE_QUEUE);
}

static void
test_ring_belongs_to_a_rule(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 3, 4, NORMAL), *b = w_add(w, 9, 3, LIGHT);
	struct w_flow *plain = w_add(w, 3, 4, NORMAL);

	a->d.wants_ring = b->d.wants_ring = true;
	w_run(w, 500);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NO_NIC);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	w_expect(w, plain, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NO_NIC);
}

static void
test_hints(void **state)
{
	struct world *w = *state;
	struct w_flow *up = w_add(w, 9, 3, LIGHT), *down = w_add(w, 1, 2, NORMAL);
	struct w_flow *less = w_add(w, 9, 4, HEAVY), *raised = w_add(w, 9, 4, NORMAL);
	struct flow_key unknown = w_key(7, 7);

	w_run(w, 1000);
	assert_int_equal(offload_hint(w->o, &up->key, 1), 0);
	assert_int_equal(offload_hint(w->o, &raised->key, 1), 0);
	assert_int_equal(offload_hint(w->o, &down->key, -1), 0);
	assert_int_equal(offload_hint(w->o, &less->key, -1), 0);
	assert_int_equal(offload_hint(w->o, &unknown, -1), -2);
	w_run(w, 1000);
	w_expect(w, up, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, down, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_HINT);
	w_expect(w, less, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_HINT);
	w_expect(w, raised, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	assert_int_equal(offload_hint(w->o, &down->key, 0), 0);
	w_run(w, 1000);
	w_expect(w, down, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
}

// Of those that wait, the raised one is first.
static void
test_hint_outranks(void **state)
{
	struct world *w = *state;
	struct w_flow *first, *raised, *plain;

	offload_nic_del(w->o, 0);
	w_nic(w, 0, "nic0", 4, 1);
	first = w_add(w, 1, 2, 2 * NORMAL);
	w_run(w, 500);
	raised = w_add(w, 1, 2, NORMAL);
	plain = w_add(w, 1, 2, 2 * NORMAL);
	w_run(w, 200);
	assert_int_equal(offload_hint(w->o, &raised->key, 1), 0);
	w_run(w, 1000);
	w_expect(w, raised, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, plain, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_TABLE_FULL);
	w_expect(w, first, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_TABLE_FULL);
}

static void
test_vm_limits(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 9, 3, 2 * HEAVY), *b = w_add(w, 9, 3, HEAVY), *c, *d;

	a->d.vm_max_queues = b->d.vm_max_queues = 1;
	w_run(w, 1000);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_VM_QUEUE_LIMIT);
	w_expect_words(w, b, OFFLOAD_IN, "its VM has 1 of 1 exclusive queues");
	a->bps = 0;
	w_run(w, 3000);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_EXCLUSIVE_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	c = w_add(w, 1, 2, NORMAL);
	d = w_add(w, 1, 2, NORMAL + MBIT / 10);
	c->d.vm_max_entries = d->d.vm_max_entries = 1;
	w_run(w, 1000);
	w_expect(w, d, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, c, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_VM_ENTRY_LIMIT);
	w_expect_words(w, c, OFFLOAD_IN, "its VM has 1 of 1 table entries");
	// Its own heavier flow takes its own lighter one's entry.
	c->bps = 4 * NORMAL;
	w_run(w, 2000);
	w_expect(w, c, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_expect(w, d, OFFLOAD_IN, OFFLOAD_RING, OFFLOAD_ST_WANTED, OFFLOAD_R_VM_ENTRY_LIMIT);
}

static void
test_what_keeps_it_on_the_host(void **state)
{
	struct world *w = *state;
	struct w_flow *depends = w_add(w, 1, 2, NORMAL), *frags = w_add(w, 1, 2, NORMAL);
	struct w_flow *lane = w_add(w, 9, 3, NORMAL), *rewritten = w_add(w, 9, 1, NORMAL);
	struct offload_cfg off = w->cfg;

	depends->d.depends = FLOW_FIELD_TCP_FLAGS | FLOW_FIELD_DSCP;
	frags->d.fragments = true;
	lane->d.lane_ok = false;
	rewritten->d.eswitch_ok = false;
	w_run(w, 500);
	w_expect(w, depends, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_DEPENDS);
	w_expect_words(w, depends, OFFLOAD_IN, "depends on dscp, tcp-flags");
	w_expect(w, frags, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_FRAGMENTS);
	w_expect(w, lane, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_ACTIONS);
	// What the embedded switch cannot do, the host does: with a queue on each side.
	w_expect(w, rewritten, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_ACTIONS);
	w_expect(
		w, rewritten, OFFLOAD_OUT, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	off.enabled = false;
	offload_reconfigure(w->o, &off);
	w_run(w, 500);
	w_expect(w, rewritten, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE,
		OFFLOAD_R_DISABLED);
	w_expect(w, rewritten, OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE,
		OFFLOAD_R_DISABLED);
}

static void
test_lesser_nic(void **state)
{
	struct world *w = *state;
	struct w_flow *same, *queue;

	offload_nic_del(w->o, 0);
	w_nic(w, 0, "nic0", 4, 0);
	offload_nic_del(w->o, 0);
	w->nic.eswitch = w->nic.mark = false;
	assert_int_equal(offload_nic_add(w->o, 0, &w->nic), 0);
	same = w_add(w, 1, 2, NORMAL);
	queue = w_add(w, 9, 3, NORMAL);
	w_run(w, 500);
	w_expect(w, same, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NO_MARK);
	w_expect(w, queue, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_NO_MARK);
	offload_nic_del(w->o, 0);
	w->nic.mark = true;
	assert_int_equal(offload_nic_add(w->o, 0, &w->nic), 0);
	w_run(w, 500);
	w_expect(w, same, OFFLOAD_IN, OFFLOAD_SHARED_QUEUE, OFFLOAD_ST_PLACED,
		OFFLOAD_R_UNSUPPORTED);
	w_expect_words(w, same, OFFLOAD_IN, "the NIC has no transfer rules");
}

static void
test_idle_leaves(void **state)
{
	struct world *w = *state;
	struct w_flow *a = w_add(w, 1, 2, NORMAL), *b = w_add(w, 9, 3, HEAVY);
	struct w_flow *c = w_add(w, 3, 9, HEAVY);
	struct offload_nic_stats ns;
	struct offload_stats st;
	uint32_t id;

	w_run(w, 1000);
	a->bps = b->bps = c->bps = 0;
	w_run(w, 1900);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_ESWITCH, OFFLOAD_ST_PLACED, OFFLOAD_R_NONE);
	w_run(w, 500);
	w_expect(w, a, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	w_expect(w, b, OFFLOAD_IN, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	w_expect(w, c, OFFLOAD_OUT, OFFLOAD_SOFTWARE, OFFLOAD_ST_SOFTWARE, OFFLOAD_R_LIGHT);
	assert_int_equal(c->host[OFFLOAD_OUT].path, OFFLOAD_SOFTWARE);
	assert_true(offload_nic_stats_get(w->o, 0, &ns));
	assert_int_equal(ns.entries, 0);
	// The heavy one was on a shared queue while its rate was not known yet.
	assert_int_equal(ns.installed, 3);
	assert_int_equal(ns.removed, 3);
	assert_int_equal(ns.moves_eswitch, 2);
	// What no worker knows any more is remembered for a while, in case that it comes again.
	offload_flow_gone(w->o, &a->key, 0, 0);
	w_run(w, 100);
	assert_int_equal(offload_find(w->o, &a->key, &id), 0);
	offload_stats_get(w->o, &st);
	assert_int_equal(st.flows, 3);
	assert_int_equal(st.ever_by_path[OFFLOAD_SOFTWARE], 3);
	assert_int_equal(st.ever_by_path[OFFLOAD_ESWITCH], 1);
	assert_int_equal(st.ever_by_path[OFFLOAD_EXCLUSIVE_QUEUE], 2);
	w_run(w, 70000);
	assert_int_equal(offload_find(w->o, &a->key, &id), -2);
	offload_stats_get(w->o, &st);
	assert_int_equal(st.flows, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_nic_goes_to_eswitch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_to_vhost_goes_to_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_worker_other_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_queue_is_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_heavy_shares_then_gets_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heavy_until_light, setup, teardown),
		cmocka_unit_test_setup_teardown(test_much_heavier_takes_the_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_share_never_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_share_leaves_a_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop_is_dropped_in_the_nic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pinned, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_pinned_takes_it_from_an_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_nics_two_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_vhost_gets_tx_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_belongs_to_a_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hint_outranks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vm_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_keeps_it_on_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lesser_nic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_leaves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
