// SPDX-License-Identifier: BSD-3-Clause
// The assignment engine by itself, on queues and a clock of the test: every packet is checked for
// order within its flow, and the engine's account of its queues against a recount.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_common.h>
#include <rte_eal.h>

#include "assign/assign.h"
#include "eswitch/packet.h"

#define MS UINT64_C(1000000) // ticks are nanoseconds
#define QUEUES 8
#define DEPTH 512
#define FLOWS 64

// What a queue holds, and what was taken out of it.
struct queue {
	uint32_t in, out;
	uint16_t flow[DEPTH];
	uint32_t seq[DEPTH];
	bool stopped;
};

struct world {
	struct emu_assign *a;
	struct queue queue[QUEUES];
	uint64_t now;
	uint32_t sent[FLOWS];  // sequence number of the last packet of each flow
	uint32_t taken[FLOWS]; // and of the last that came out
	uint64_t rng, seed;
};

static bool
usable(void *arg, uint16_t queue)
{
	return queue < QUEUES && !((struct world *)arg)->queue[queue].stopped;
}

static uint32_t
place(void *arg, uint16_t queue, uint32_t n)
{
	return ((struct world *)arg)->queue[queue].in + n;
}

static bool
passed(void *arg, uint16_t queue, uint32_t where)
{
	const struct queue *q = &((struct world *)arg)->queue[queue];

	return (int32_t)(q->out - where) >= 0 || q->out == q->in;
}

static const struct emu_assign_ops ops = {usable, place, passed};

static uint32_t
draw(struct world *w, uint32_t below)
{
	w->rng = w->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(w->rng >> 33) % below;
}

static void
begin(struct world *w, const char *text)
{
	struct emu_assign_conf conf;
	char why[256] = "";

	memset(w, 0, sizeof(*w));
	w->now = 1000 * MS;
	emu_assign_defaults(&conf);
	if (emu_assign_parse(&conf, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
	w->a = emu_assign_new(&conf, 1000 * MS, &ops, w, 0);
	assert_non_null(w->a);
}

static void
change(struct world *w, const char *text)
{
	struct emu_assign_conf conf = w->a->conf;
	char why[256] = "";

	if (emu_assign_parse(&conf, text, why, sizeof(why)) != 0)
		fail_msg("%s: %s", text, why);
	emu_assign_change(w->a, &conf, w->now);
}

static void
end(struct world *w)
{
	emu_assign_free(w->a);
}

// Takes at most n packets; none may come before an earlier one of its flow.
static void
take(struct world *w, uint16_t queue, uint32_t n)
{
	struct queue *q = &w->queue[queue];

	for (; n > 0 && q->out != q->in; n--, q->out++) {
		uint16_t flow = q->flow[q->out % DEPTH];
		uint32_t seq = q->seq[q->out % DEPTH];

		if (seq <= w->taken[flow])
			fail_msg("seed %lu: packet %u of flow %u in queue %u after %u", w->seed,
				seq, flow, queue, w->taken[flow]);
		w->taken[flow] = seq;
	}
}

static void
take_all(struct world *w)
{
	for (uint16_t q = 0; q < QUEUES; q++)
		take(w, q, DEPTH);
}

static struct emu_assign_key
key_of(uint16_t flow)
{
	struct emu_assign_key key = {
		.layers = EMU_L_IPV4 | EMU_L_UDP, .eth_type = 0x800, .proto = 17};

	key.side = flow % 3;
	key.vlan[0] = flow % 2;
	key.src[3] = flow;
	key.dst[3] = flow % 5;
	return key;
}

// One packet of a flow; returns its queue.
static uint16_t
send(struct world *w, uint16_t flow, uint8_t dscp, uint32_t bytes)
{
	const struct emu_assign_key key = key_of(flow);
	const struct emu_assign_traits traits = {.dscp = dscp};
	uint16_t id = emu_assign_pick(w->a, &key, &traits, bytes, 1, w->now);
	struct queue *q;

	if (id == EMU_ASSIGN_NONE)
		return id;
	assert_in_range(id, 0, QUEUES - 1);
	q = &w->queue[id];
	w->sent[flow]++;
	if (q->stopped || q->in - q->out == DEPTH)
		return id; // lost
	q->flow[q->in % DEPTH] = flow;
	q->seq[q->in++ % DEPTH] = w->sent[flow];
	return id;
}

// ms milliseconds with a packet of each flow in each: bytes[i] for flow i, 0: none.
static void
run(struct world *w, unsigned int ms, const uint32_t *bytes, unsigned int n)
{
	for (; ms > 0; ms--) {
		w->now += MS;
		for (unsigned int i = 0; i < n; i++)
			if (bytes[i] > 0)
				send(w, i, i % 2 ? 46 : 0, bytes[i]);
		take_all(w);
		if (ms % 10 == 0)
			emu_assign_review(w->a, w->now);
	}
}

// What the engine counts in its slots is what its flows say.
static void
recount(const struct world *w)
{
	uint32_t here[EMU_MAX_QUEUES] = {0}, bound[EMU_MAX_QUEUES] = {0},
		 pure[EMU_MAX_QUEUES] = {0};
	uint32_t n = 0;

	for (uint32_t i = 0; i < RTE_MAX(w->a->conf.flows, 8U); i++) {
		const struct emu_assign_flow *f = &w->a->flows[i];

		if (!f->used)
			continue;
		n++;
		here[f->queue]++;
		bound[f->target]++;
		pure[f->target] += f->pure;
	}
	assert_int_equal(n, w->a->n_flows);
	assert_true(n <= w->a->conf.flows);
	for (uint32_t q = 0; q < EMU_MAX_QUEUES; q++) {
		const struct emu_assign_slot *s = &w->a->slot[q];
		bool owned = s->owner != EMU_ASSIGN_NOBODY;

		assert_int_equal(s->here, here[q]);
		assert_int_equal(s->bound, bound[q]);
		if (s->state == EMU_SLOT_SHARED)
			assert_int_equal(s->pure, pure[q]);
		// Its alone: nobody else is bound to it, and nobody comes before it was left.
		if (s->state == EMU_SLOT_EXCLUSIVE) {
			assert_int_equal(s->bound, owned);
			if (owned)
				assert_int_equal(w->a->flows[s->owner].target, q);
		} else {
			assert_false(owned);
		}
		if (s->state == EMU_SLOT_FREE && q != 0) // that the tests use for overflow
			assert_int_equal(s->bound, 0);
	}
}

static struct rte_pmd_emunic_queue
queue_at(const struct world *w, uint16_t i)
{
	struct rte_pmd_emunic_queue out = {0};

	assert_int_equal(emu_assign_queue(w->a, i, w->now, &out), 1);
	return out;
}

// Eight flows, four queues: the heavy ones alone, the light ones together.
static void
test_heavy_alone(void **state)
{
	// kbit/s = 8 * bytes: 40 Mbit/s, 24 Mbit/s, and light ones
	const uint32_t bytes[] = {5000, 3000, 10, 10, 10, 10, 10, 10};
	struct rte_pmd_emunic_flow flows[FLOWS];
	struct rte_pmd_emunic_group group;
	unsigned int alone = 0, shared = 0;
	uint32_t next = 0;
	struct world w;

	begin(&w, "queues=1-4,heavy=10000,light=5000");
	run(&w, 200, bytes, 8);
	recount(&w);
	for (uint16_t i = 0; i < 4; i++) {
		struct rte_pmd_emunic_queue q = queue_at(&w, i);

		alone += q.state == RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE && q.flows == 1;
		shared += q.state == RTE_PMD_EMUNIC_QUEUE_SHARED ? q.flows : 0;
	}
	assert_int_equal(alone, 2);
	assert_int_equal(shared, 6);
	assert_int_equal(emu_assign_flows(w.a, &next, w.now, flows, FLOWS), 8);
	assert_int_equal(emu_assign_flows(w.a, &next, w.now, flows, FLOWS), 0);
	for (unsigned int i = 0; i < 8; i++) {
		bool heavy = flows[i].src[3] < 2;

		assert_int_equal(flows[i].ip_version, 4);
		assert_int_equal(flows[i].packets, 200);
		assert_int_equal(flows[i].state,
			heavy ? RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE : RTE_PMD_EMUNIC_QUEUE_SHARED);
		assert_in_range(flows[i].bps, (heavy ? 23 : 0) * 1000000, 41 * 1000000);
		assert_in_range(flows[i].age_ns, 199 * MS, 200 * MS);
	}
	emu_assign_group(w.a, &group);
	assert_int_equal(group.flows, 8);
	assert_int_equal(group.packets, 1600);
	end(&w);
}

// A flow between the thresholds stays what it is; one that gets light shares again.
static void
test_hysteresis(void **state)
{
	uint32_t bytes[] = {5000, 10};
	struct world w;

	begin(&w, "queues=1-2,heavy=10000,light=5000,hold=30");
	run(&w, 100, bytes, 2);
	assert_int_equal(
		w.a->slot[1].state + w.a->slot[2].state, EMU_SLOT_EXCLUSIVE + EMU_SLOT_SHARED);
	bytes[0] = 900; // 7.2 Mbit/s
	run(&w, 500, bytes, 2);
	assert_true(w.a->slot[1].state == EMU_SLOT_EXCLUSIVE ||
		    w.a->slot[2].state == EMU_SLOT_EXCLUSIVE);
	bytes[0] = 100;
	run(&w, 500, bytes, 2);
	recount(&w);
	assert_false(w.a->slot[1].state == EMU_SLOT_EXCLUSIVE ||
		     w.a->slot[2].state == EMU_SLOT_EXCLUSIVE);
	bytes[0] = 900; // and does not get one back by that
	run(&w, 500, bytes, 2);
	assert_false(w.a->slot[1].state == EMU_SLOT_EXCLUSIVE ||
		     w.a->slot[2].state == EMU_SLOT_EXCLUSIVE);
	end(&w);
}

// A peak shorter than the hold time moves nothing.
static void
test_peak(void **state)
{
	uint32_t bytes[] = {10, 10};
	struct world w;

	begin(&w, "queues=1-2,heavy=10000,light=5000,hold=50");
	run(&w, 100, bytes, 2);
	bytes[0] = 5000;
	run(&w, 30, bytes, 2);
	bytes[0] = 10;
	run(&w, 200, bytes, 2);
	assert_int_equal(w.a->moves, 0);
	end(&w);
}

static void
test_kinds(void **state)
{
	uint32_t bytes[FLOWS];
	uint16_t queue[2] = {EMU_ASSIGN_NONE, EMU_ASSIGN_NONE};
	struct world w;

	for (unsigned int i = 0; i < FLOWS; i++)
		bytes[i] = 20;
	begin(&w, "queues=0-3,alike=dscp,heavy=10000");
	run(&w, 100, bytes, 40);
	recount(&w);
	for (unsigned int i = 0; i < 40; i++) {
		uint16_t q = send(&w, i, i % 2 ? 46 : 0, 20);

		if (queue[i % 2] == EMU_ASSIGN_NONE)
			queue[i % 2] = q;
		assert_int_equal(q, queue[i % 2]);
	}
	assert_int_not_equal(queue[0], queue[1]);
	assert_int_equal(w.a->mixed, 0);
	// A flow that changes its DSCP goes to the others of that kind.
	for (unsigned int i = 0; i < 30; i++) {
		w.now += MS;
		send(&w, 0, 46, 20);
		take_all(&w);
	}
	assert_int_equal(send(&w, 0, 46, 20), queue[1]);
	// Another idea of what is alike takes hold within a window.
	change(&w, "alike=source+vlan");
	run(&w, 100, bytes, 40);
	recount(&w);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(queue_at(&w, i).kind.dscp, 0);
	end(&w);
}

// Flows of like rate together: slow ones, and fast ones that are not heavy, in queues of their own.
static void
test_rates(void **state)
{
	uint32_t bytes[FLOWS];
	uint16_t queue[2] = {EMU_ASSIGN_NONE, EMU_ASSIGN_NONE};
	struct world w;
	uint64_t moves;

	for (unsigned int i = 0; i < 20; i++)
		bytes[i] = i % 2 ? 1000 + 10 * i : 20 + i; // 8 to 10 Mbit/s, and 160 to 300 kbit/s
	begin(&w, "queues=0-3,alike=rate,heavy=100000,shared_load=0");
	run(&w, 100, bytes, 20);
	recount(&w);
	for (unsigned int i = 0; i < 20; i++) {
		uint16_t q = send(&w, i, 0, bytes[i]);

		if (queue[i % 2] == EMU_ASSIGN_NONE)
			queue[i % 2] = q;
		assert_int_equal(q, queue[i % 2]);
	}
	assert_int_not_equal(queue[0], queue[1]);
	for (uint16_t i = 0; i < 4; i++) {
		struct rte_pmd_emunic_queue q = queue_at(&w, i);

		assert_false(q.mixed);
		if (q.queue == queue[0])
			assert_int_equal(q.kind.rate_class, 1);
		if (q.queue == queue[1])
			assert_int_equal(q.kind.rate_class, 4);
	}
	// About a bound (256 kbit/s) nobody moves from class to class.
	moves = w.a->moves;
	for (unsigned int i = 0; i < 40; i++) {
		for (unsigned int k = 0; k < 20; k += 2)
			bytes[k] = i % 2 ? 30 : 36;
		run(&w, 10, bytes, 20);
	}
	assert_int_equal(w.a->moves, moves);
	// One that gets slow goes to the slow ones.
	bytes[1] = 15;
	run(&w, 200, bytes, 20);
	assert_int_equal(send(&w, 1, 46, 15), queue[0]);
	recount(&w);
	// Without the key they are of one kind.
	change(&w, "alike=none");
	run(&w, 200, bytes, 20);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(send(&w, i, 0, bytes[i]), send(&w, 0, 0, bytes[0]));
	end(&w);
}

// More kinds than queues: mixed, or in the overflow queue until there is one.
static void
test_overflow(void **state)
{
	uint32_t bytes[5] = {20, 20, 20, 20, 20};
	unsigned int over = 0;
	struct world w;

	begin(&w, "queues=1-3,alike=destination,heavy=10000,idle=100");
	run(&w, 100, bytes, 5);
	recount(&w);
	assert_true(w.a->mixed >= 2);
	for (uint16_t i = 0; i < 3; i++)
		over += queue_at(&w, i).mixed;
	assert_true(over > 0);
	change(&w, "overflow=0");
	run(&w, 100, bytes, 5);
	recount(&w);
	assert_int_equal(w.a->slot[0].here, 2);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(queue_at(&w, i).mixed, 0);
	// Two fall silent; those that waited get their queues.
	for (unsigned int i = 0, gone = 0; i < 5 && gone < 2; i++) {
		if (send(&w, i, 0, 20) != 0) {
			bytes[i] = 0;
			gone++;
		}
	}
	run(&w, 400, bytes, 5);
	recount(&w);
	assert_int_equal(w.a->slot[0].here, 0);
	end(&w);
}

// When there are more heavy flows than queues, a clearly heavier one takes a lighter one's.
static void
test_heavier(void **state)
{
	uint32_t bytes[4] = {2000, 2000, 10, 0};
	struct world w;

	begin(&w, "queues=0-2,heavy=10000,light=5000");
	run(&w, 100, bytes, 4);
	bytes[3] = 2500;
	run(&w, 200, bytes, 4);
	assert_int_not_equal(w.a->slot[send(&w, 3, 0, 10)].state, EMU_SLOT_EXCLUSIVE);
	bytes[3] = 9000;
	run(&w, 200, bytes, 4);
	recount(&w);
	assert_int_equal(w.a->slot[send(&w, 3, 0, 10)].state, EMU_SLOT_EXCLUSIVE);
	change(&w, "exclusive_max=1");
	run(&w, 50, bytes, 4);
	recount(&w);
	assert_int_equal(w.a->slot[send(&w, 3, 0, 10)].state, EMU_SLOT_EXCLUSIVE);
	assert_int_equal((w.a->slot[0].state == EMU_SLOT_EXCLUSIVE) +
				 (w.a->slot[1].state == EMU_SLOT_EXCLUSIVE) +
				 (w.a->slot[2].state == EMU_SLOT_EXCLUSIVE),
		1);
	end(&w);
}

// A kind whose queue carries too much takes another one that is free.
static void
test_load(void **state)
{
	uint32_t bytes[20];
	struct world w;

	for (unsigned int i = 0; i < 20; i++)
		bytes[i] = 1000; // 8 Mbit/s each
	begin(&w, "queues=0-3,heavy=10000,shared_load=30000");
	run(&w, 500, bytes, 20);
	recount(&w);
	for (uint16_t i = 0; i < 4; i++)
		assert_in_range(queue_at(&w, i).bps, 10000000, 90000000);
	end(&w);
}

static void
test_stopped(void **state)
{
	const uint32_t bytes[6] = {5000, 10, 10, 10, 10, 10};
	struct rte_pmd_emunic_queue q;
	struct world w;

	begin(&w, "queues=1-3,heavy=10000,idle=50");
	run(&w, 100, bytes, 6);
	for (uint16_t stop = 1; stop <= 3; stop++) {
		w.queue[stop].stopped = true;
		run(&w, 100, bytes, 6);
		recount(&w);
		q = queue_at(&w, stop - 1);
		assert_int_equal(q.state, RTE_PMD_EMUNIC_QUEUE_STOPPED);
		for (unsigned int i = 0; stop < 3 && i < 6; i++)
			assert_in_range(send(&w, i, 0, 10), stop + 1, 3);
	}
	for (uint16_t i = 1; i <= 3; i++)
		w.queue[i].stopped = false;
	run(&w, 200, bytes, 6);
	recount(&w);
	assert_int_equal(w.a->slot[send(&w, 0, 0, 10)].state, EMU_SLOT_EXCLUSIVE);
	// The group gets other queues while it is in use.
	change(&w, "queues=5-7");
	run(&w, 200, bytes, 6);
	recount(&w);
	for (unsigned int i = 0; i < 6; i++)
		assert_in_range(send(&w, i, 0, 10), 5, 7);
	assert_int_equal(w.a->slot[1].here + w.a->slot[2].here + w.a->slot[3].here, 0);
	end(&w);
}

// A flood of flows does not fill the table for good, and pushes no heavy flow out.
static void
test_full(void **state)
{
	struct emu_assign_traits traits = {0};
	const uint32_t bytes[1] = {5000};
	struct rte_pmd_emunic_group group;
	struct world w;

	begin(&w, "queues=0-3,heavy=10000,flows=16,idle=200");
	run(&w, 100, bytes, 1);
	for (uint32_t i = 0; i < 5000; i++) {
		struct emu_assign_key key = {.side = 9};

		if (i % 20 == 0)
			run(&w, 1, bytes, 1);
		memcpy(key.src, &i, sizeof(i));
		assert_int_not_equal(
			emu_assign_pick(w.a, &key, &traits, 60, 1, w.now), EMU_ASSIGN_NONE);
	}
	recount(&w);
	emu_assign_group(w.a, &group);
	assert_int_equal(group.flows, 16);
	assert_true(group.evicted > 100 && group.unmeasured > 100);
	assert_int_equal(w.a->slot[send(&w, 0, 0, 10)].state, EMU_SLOT_EXCLUSIVE);
	run(&w, 300, bytes, 1);
	assert_int_equal(w.a->n_flows, 1);
	emu_assign_forget(w.a);
	assert_int_equal(w.a->n_flows, 0);
	recount(&w);
	end(&w);
}

static const char *const figures[] = {"alike=none", "alike=dscp", "alike=source+dscp+vlan",
	"alike=destination", "alike=rate", "alike=rate+dscp", "overflow=mix", "overflow=0",
	"queues=1-4", "queues=2-3", "queues=1-7", "queues=5-7", "heavy=5000,light=2000",
	"heavy=50000,light=1000", "exclusive_max=1", "exclusive_max=0", "shared_max=1",
	"shared_max=0", "shared_load=20000", "shared_load=0", "hold=0", "hold=20", "idle=20",
	"idle=1000", "window=1", "window=10"};

// Anything may happen at any time; no packet overtakes another of its flow, nothing is lost count
// of, and the engine comes to rest.
static void
test_random(void **state)
{
	struct world w;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		begin(&w, seed % 2 ? "queues=1-4,heavy=10000,flows=1000"
				   : "queues=1-4,heavy=10000,flows=20,hold=0,window=2");
		w.rng = w.seed = seed;
		for (unsigned int step = 0; step < 20000; step++) {
			uint32_t what = draw(&w, 1000),
				 flow = draw(&w, 2) ? draw(&w, FLOWS) : draw(&w, 6);

			if (what < 900)
				send(&w, flow, draw(&w, 50) ? flow % 4 : draw(&w, 4),
					draw(&w, 2) ? 60 : 1500);
			else if (what < 980)
				take(&w, draw(&w, QUEUES), 1 + draw(&w, 60));
			else if (what < 995)
				emu_assign_review(w.a, w.now);
			else if (what < 998)
				change(&w, figures[draw(&w, RTE_DIM(figures))]);
			else
				w.queue[draw(&w, QUEUES)].stopped ^= draw(&w, 2);
			// What a stopped queue holds is lost with it.
			for (uint16_t q = 0; q < QUEUES; q++)
				if (w.queue[q].stopped)
					w.queue[q].out = w.queue[q].in;
			w.now += draw(&w, 200000);
			if (step % 50 == 0)
				recount(&w);
		}
		take_all(&w);
		change(&w, "idle=1");
		w.now += 5 * MS;
		for (unsigned int i = 0; i < 3; i++)
			emu_assign_review(w.a, w.now);
		recount(&w);
		assert_int_equal(w.a->n_flows, 0);
		end(&w);
	}
}

static void
refused(const char *text, const char *contains)
{
	struct emu_assign_conf conf, before;
	char why[256] = "";

	emu_assign_defaults(&conf);
	conf.n_queues = 1;
	before = conf;
	assert_int_equal(emu_assign_parse(&conf, text, why, sizeof(why)), -EINVAL);
	if (strstr(why, contains) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why, contains);
	assert_memory_equal(&conf, &before, sizeof(conf));
}

static void
test_text(void **state)
{
	struct emu_assign_conf conf, again;
	char text[1400], why[256];

	refused("queues=", "queues=");
	refused("queues=1+1", "each once");
	refused("queues=3-1", "as in 1-3+7");
	refused("queues=256", "0 to 255");
	refused("alike=color", "dscp");
	refused("heavy=0", "from 1 to");
	refused("heavy=1e3", "from 1 to");
	refused("light=200000", "above heavy");
	refused("overflow=x", "mix");
	refused("overflow=0", "own queues");
	refused("ports=1", "there is no 'ports'");
	refused("heavy", "key=value");
	refused("heavy=5,flows=0", "flows=0");
	emu_assign_defaults(&conf);
	assert_int_equal(emu_assign_parse(&conf, "heavy=5", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "needs queues"));
	assert_int_equal(emu_assign_parse(&conf,
				 "queues=0-200+201+203-254,alike=source+vlan+pcp+dscp+destination+"
				 "mark,overflow=202,heavy=400000000,light=7,window=1",
				 why, sizeof(why)),
		0);
	emu_assign_text(&conf, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text) - 1);
	emu_assign_defaults(&again);
	assert_int_equal(emu_assign_parse(&again, text, why, sizeof(why)), 0);
	assert_memory_equal(&conf, &again, sizeof(conf));
}

int
main(void)
{
	char *argv[] = {"test_emunic_assign", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0", "-m128", "--log-level=critical"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heavy_alone),
		cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_peak),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_heavier),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_text),
	};

	if (rte_eal_init(RTE_DIM(argv), argv) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
