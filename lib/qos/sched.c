// SPDX-License-Identifier: BSD-3-Clause
#include "qos/sched.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include <rte_bitops.h>
#include <rte_common.h>
#include <rte_malloc.h>

#define QUANTUM 2048 // bytes a round of the class of the least weight of its level
#define LEN_MIN 1u
#define LEN_MAX (1u << 18) // more than any packet has; keeps a round short
#define WEIGHT_MAX 1000
#define DEPTH_MIN 16
#define DEPTH_MAX 65536

struct slot {
	void *pkt;
	uint32_t len;
};

struct ring {
	struct slot *slots;
	uint32_t mask;
	uint32_t tail;
	uint32_t quantum; // bytes a round
	uint8_t level;    // 0 to n - 1, without gaps
	struct qos_class_stats stats;
};

// What a get changes, and an unget restores.
struct turn {
	uint32_t head[QOS_CLASSES_MAX];
	uint32_t deficit[QOS_CLASSES_MAX]; // bytes that the class may still send in this round
	uint8_t current[QOS_CLASSES_MAX];  // class whose round it is, by level
	uint32_t busy;                     // classes that hold packets, a bit each
};

struct qos_sched {
	struct turn now;
	struct turn before;                // the last get
	uint32_t members[QOS_CLASSES_MAX]; // classes of each level, a bit each
	uint8_t levels;
	uint8_t classes;
	uint16_t given; // by the last get
	uint32_t held;
	struct ring rings[QOS_CLASSES_MAX];
};

static bool
valid(const struct qos_class_cfg *c)
{
	return c->weight >= 1 && c->weight <= WEIGHT_MAX && c->depth >= DEPTH_MIN &&
	       c->depth <= DEPTH_MAX && rte_is_power_of_2(c->depth);
}

// Levels as configured may have gaps: they become 0, 1, 2 ... in the same order.
static uint8_t
level_of(const struct qos_class_cfg *classes, uint8_t n, uint8_t cls)
{
	uint32_t below[256 / 32] = {0};
	unsigned level = 0;

	for (uint8_t i = 0; i < n; i++)
		if (classes[i].level < classes[cls].level)
			below[classes[i].level / 32] |= 1u << (classes[i].level % 32);
	for (unsigned i = 0; i < RTE_DIM(below); i++)
		level += (unsigned)__builtin_popcount(below[i]);
	return (uint8_t)level;
}

static uint16_t
least_weight(const struct qos_class_cfg *classes, uint8_t n, uint8_t level)
{
	uint16_t least = WEIGHT_MAX;

	for (uint8_t i = 0; i < n; i++)
		if (classes[i].level == level && classes[i].weight < least)
			least = classes[i].weight;
	return least;
}

int
qos_sched_new(const struct qos_class_cfg *classes, uint8_t n, int socket_id, struct qos_sched **out)
{
	size_t len = RTE_ALIGN_CEIL(sizeof(struct qos_sched), RTE_CACHE_LINE_SIZE);
	struct qos_sched *s;
	struct slot *slots;

	if (n < 1 || n > QOS_CLASSES_MAX)
		return -EINVAL;
	for (uint8_t i = 0; i < n; i++) {
		if (!valid(&classes[i]))
			return -EINVAL;
		len += classes[i].depth * sizeof(struct slot);
	}
	s = rte_zmalloc_socket("qos_sched", len, RTE_CACHE_LINE_SIZE, socket_id);
	if (s == NULL)
		return -ENOMEM;
	slots = RTE_PTR_ADD(s, RTE_ALIGN_CEIL(sizeof(*s), RTE_CACHE_LINE_SIZE));
	s->classes = n;
	for (uint8_t i = 0; i < n; i++) {
		struct ring *r = &s->rings[i];

		r->slots = slots;
		slots += classes[i].depth;
		r->mask = classes[i].depth - 1;
		r->level = level_of(classes, n, i);
		r->quantum = (uint32_t)(QUANTUM * (uint64_t)classes[i].weight /
					least_weight(classes, n, classes[i].level));
		s->members[r->level] |= 1u << i;
		s->levels = RTE_MAX(s->levels, (uint8_t)(r->level + 1));
	}
	*out = s;
	return 0;
}

void
qos_sched_free(struct qos_sched *s)
{
	assert(s == NULL || s->held == 0);
	rte_free(s);
}

bool
qos_sched_put(struct qos_sched *s, uint8_t cls, void *pkt, uint32_t len)
{
	struct ring *r = &s->rings[cls];

	assert(cls < s->classes);
	len = RTE_MAX(len, LEN_MIN);
	len = RTE_MIN(len, LEN_MAX);
	if (r->stats.held > r->mask) {
		r->stats.full++;
		return false;
	}
	r->slots[r->tail++ & r->mask] = (struct slot){.pkt = pkt, .len = len};
	s->now.busy |= 1u << cls;
	s->given = 0; // its place may be taken now
	s->held++;
	r->stats.enqueued++;
	if (++r->stats.held > r->stats.held_max)
		r->stats.held_max = r->stats.held;
	return true;
}

// The busy class of the level whose turn it is after cls.
static uint8_t
next_class(uint32_t busy, uint8_t cls)
{
	uint32_t after = busy & ~((2u << cls) - 1);

	return (uint8_t)__builtin_ctz(after != 0 ? after : busy);
}

// The class that sends next: of the first level that holds anything, deficit round robin.
static uint8_t
elect(struct qos_sched *s)
{
	uint8_t level = 0, cls;
	uint32_t busy;

	while ((busy = s->now.busy & s->members[level]) == 0)
		level++;
	cls = s->now.current[level];
	for (;;) {
		const struct ring *r = &s->rings[cls];

		if ((busy & 1u << cls) != 0 &&
			s->now.deficit[cls] >= r->slots[s->now.head[cls] & r->mask].len)
			break;
		cls = next_class(busy, cls);
		s->now.deficit[cls] += s->rings[cls].quantum;
	}
	s->now.current[level] = cls;
	return cls;
}

static struct slot *
take(struct qos_sched *s, uint8_t cls)
{
	struct ring *r = &s->rings[cls];
	struct slot *slot = &r->slots[s->now.head[cls]++ & r->mask];

	s->now.deficit[cls] -= slot->len;
	if (s->now.head[cls] == r->tail) {
		s->now.busy &= ~(1u << cls);
		s->now.deficit[cls] = 0;
	}
	return slot;
}

uint16_t
qos_sched_get(struct qos_sched *s, void **pkts, uint8_t *cls, uint16_t n)
{
	uint16_t got = (uint16_t)RTE_MIN((uint32_t)n, s->held);

	s->before = s->now;
	s->given = got;
	s->held -= got;
	for (uint16_t i = 0; i < got; i++) {
		uint8_t c = elect(s);

		pkts[i] = take(s, c)->pkt;
		if (cls != NULL)
			cls[i] = c;
		s->rings[c].stats.dequeued++;
		s->rings[c].stats.held--;
	}
	return got;
}

// Is pkt what the next get begins with? Leaves the schedule as it is.
static bool
gives_next(struct qos_sched *s, const void *pkt)
{
	struct turn now = s->now;
	uint8_t cls = elect(s);
	const struct ring *r = &s->rings[cls];
	bool same = r->slots[s->now.head[cls] & r->mask].pkt == pkt;

	s->now = now;
	return same;
}

void
qos_sched_unget(struct qos_sched *s, void *const *pkts, const uint8_t *cls, uint16_t n)
{
	uint16_t kept = (uint16_t)(s->given - n);

	assert(n <= s->given);
	// The schedule is a function of its state: go back, and take again what was kept.
	s->now = s->before;
	for (uint16_t i = 0; i < kept; i++)
		take(s, elect(s));
	for (uint16_t i = 0; i < n; i++) {
		s->rings[cls[i]].stats.dequeued--;
		s->rings[cls[i]].stats.held++;
	}
	s->held += n;
	s->given = kept;
	assert(n == 0 || gives_next(s, pkts[0]));
}

uint32_t
qos_sched_held(const struct qos_sched *s)
{
	return s->held;
}

void
qos_sched_class_stats(const struct qos_sched *s, uint8_t cls, struct qos_class_stats *out)
{
	*out = s->rings[cls].stats;
}
