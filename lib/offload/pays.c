// SPDX-License-Identifier: BSD-3-Clause
#include "offload/pays.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SLOTS (2 * AHEAD_PAYS_MAX) // a power of two
#define CLEARLY 1.2
#define TIMES 2 // in a row
#define PAUSE_MAX 32
#define NOTHING 1.0 // byte a second
#define FAST_S 0.5
#define SLOW_S 10.0

struct rule {
	uint64_t key, bytes;
	double fast, slow;   // bytes a second
	uint32_t entries;    // that it had when it was there last
	uint8_t rounds, bad; // known for; worse than the margin, in a row
	bool used, named, aside, counted;
	bool out;          // there is no room for it beside those that carry more
	uint64_t until_ns; // aside and not counted: tried again then
	uint8_t pause;     // times AHEAD_PAYS_BACK_NS
};

struct ahead_pays {
	struct rule slot[SLOTS];
	uint32_t n, room;
	uint64_t now, before, room_ns; // there is room since then, 0: there is none
	double margin;
	bool wanted, changed;
	bool chosen; // not all have room
};

int
ahead_pays_new(struct ahead_pays **out)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : -ENOMEM;
}

void
ahead_pays_free(struct ahead_pays *p)
{
	free(p);
}

static uint32_t
slot_of(const struct ahead_pays *p, uint64_t key)
{
	uint32_t at = (uint32_t)sl_hash_words(&key, 1, 3) & (SLOTS - 1);

	while (p->slot[at].used && p->slot[at].key != key)
		at = (at + 1) & (SLOTS - 1);
	return at;
}

void
ahead_pays_begin(struct ahead_pays *p, uint64_t now_ns, double margin, bool wanted, uint32_t room)
{
	p->before = p->now;
	p->now = now_ns;
	p->margin = margin;
	p->wanted = wanted;
	p->room = room;
	p->changed = false;
	if (margin > 0)
		p->room_ns = 0;
	else if (p->room_ns == 0)
		p->room_ns = now_ns;
}

static void
add_rate(double *rate, double now, double s, double half_life)
{
	*rate += (now - *rate) * (1 - exp2(-s / half_life));
}

static void
measure(const struct ahead_pays *p, struct rule *r, uint64_t bytes)
{
	const double s = (double)(p->now - p->before) / 1e9;

	// A counter that was lost begins again.
	if (s > 0 && bytes >= r->bytes) {
		add_rate(&r->fast, (double)(bytes - r->bytes) / s, s, FAST_S);
		add_rate(&r->slow, (double)(bytes - r->bytes) / s, s, SLOW_S);
	}
	r->bytes = bytes;
	r->rounds += r->rounds < TIMES;
}

static void
put_aside(struct ahead_pays *p, struct rule *r, bool aside)
{
	p->changed |= r->aside != aside;
	r->aside = aside;
	r->bad = 0;
	if (!aside || r->counted)
		return;
	r->until_ns = p->now + r->pause * AHEAD_PAYS_BACK_NS;
	r->pause = r->pause < PAUSE_MAX ? 2 * r->pause : PAUSE_MAX;
}

static uint32_t
entries_of(const struct rule *r)
{
	return r->entries > 0 ? r->entries : 1;
}

static double
worth_of(const struct rule *r)
{
	return (r->fast > r->slow ? r->fast : r->slow) / entries_of(r);
}

static void
judge(struct ahead_pays *p, struct rule *r)
{
	const double worth = worth_of(r);

	if (p->margin <= 0) {
		r->bad = 0;
		if (r->aside && p->now - p->room_ns >= AHEAD_PAYS_CALM_NS)
			put_aside(p, r, false);
		return;
	}
	if (r->aside) {
		if (r->counted ? worth > p->margin * CLEARLY : p->now >= r->until_ns)
			put_aside(p, r, false);
		return;
	}
	if (!p->wanted || r->rounds < TIMES || worth * CLEARLY >= p->margin)
		r->bad = 0;
	else if (++r->bad >= TIMES)
		put_aside(p, r, true);
}

void
ahead_pays_rule(struct ahead_pays *p, uint64_t key, uint64_t bytes, uint32_t entries, bool counted)
{
	struct rule *r = &p->slot[slot_of(p, key)];

	if (!r->used && p->n == AHEAD_PAYS_MAX)
		return;
	if (!r->used) {
		*r = (struct rule){.key = key, .bytes = bytes, .used = true, .pause = 1};
		r->aside = p->margin > 0 && entries == 0;
		r->out = p->chosen && entries == 0;
		r->until_ns = p->now;
		p->n++;
	} else if (!r->named) {
		measure(p, r, bytes);
	}
	r->named = true;
	r->counted = counted;
	if (entries > 0)
		r->entries = entries;
	judge(p, r);
}

// Those that are left are put into their places anew: there are no gaps to be kept.
static void
forget_unnamed(struct ahead_pays *p)
{
	struct rule *kept = malloc(AHEAD_PAYS_MAX * sizeof(*kept));
	uint32_t i, n = 0;

	if (kept == NULL)
		return; // next time
	for (i = 0; i < SLOTS; i++) {
		if (p->slot[i].used && p->slot[i].named)
			kept[n++] = p->slot[i];
	}
	memset(p->slot, 0, sizeof(p->slot));
	for (i = 0; i < n; i++)
		p->slot[slot_of(p, kept[i].key)] = kept[i];
	p->n = n;
	free(kept);
}

// One that is there stays unless another is clearly better.
static int
by_worth(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
	double vx = worth_of(x) * (x->out ? 1 : CLEARLY), vy = worth_of(y) * (y->out ? 1 : CLEARLY);

	if (vx != vy)
		return vx > vy ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

// Where there is not room for all of them, those go first that carry most for an entry, and none
// that carries nothing while flows want entries.
static void
choose(struct ahead_pays *p)
{
	struct rule **list = malloc(AHEAD_PAYS_MAX * sizeof(*list));
	const bool pressed = p->wanted || p->margin > 0;
	uint32_t i, n = 0, sum = 0;

	for (i = 0; list != NULL && i < SLOTS; i++) {
		if (!p->slot[i].used || p->slot[i].aside)
			continue;
		list[n++] = &p->slot[i];
		sum += entries_of(&p->slot[i]);
	}
	p->chosen = sum > p->room;
	if (p->chosen)
		qsort(list, n, sizeof(*list), by_worth);
	for (i = 0, sum = 0; i < n; i++) {
		struct rule *r = list[i];
		bool out = false;

		if (p->chosen && r->counted) {
			out = (pressed && worth_of(r) < NOTHING) || sum + entries_of(r) > p->room;
			sum += out ? 0 : entries_of(r);
		}
		p->changed |= r->out != out;
		r->out = out;
	}
	free(list);
}

bool
ahead_pays_end(struct ahead_pays *p)
{
	bool gone = false;
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		gone |= p->slot[i].used && !p->slot[i].named;
	if (gone)
		forget_unnamed(p);
	choose(p);
	for (i = 0; i < SLOTS; i++)
		p->slot[i].named = false;
	return p->changed;
}

bool
ahead_pays(const struct ahead_pays *p, uint64_t key)
{
	const struct rule *r = &p->slot[slot_of(p, key)];

	if (r->used)
		return !r->aside && !r->out;
	return p->n == AHEAD_PAYS_MAX || (p->margin <= 0 && !p->chosen);
}
