// SPDX-License-Identifier: BSD-3-Clause
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define SAMPLE 512      // entries that bits are chosen by
#define CANDIDATES 32   // bits that are tried in each step
#define PER_CHILD 1u    // entries of a child that a node has bits for
#define CELLS 4096      // places in the children, while bits are chosen
#define GAIN_MIN 0.95   // what a bit has to bring: cost, and copies at their price
#define PRICE_DEAR 0.4  // of copies: exponent
#define PRICE_CHEAP 0.1 // where there are few entries beside the others of their table

// A bit of the key.
struct bit {
	uint8_t word, at;
	double cost;
};

// The sample, as it is spread over the children by the bits chosen so far.
struct spread {
	uint32_t n;     // places taken
	uint32_t cells; // children that have some
	double cost;
	uint16_t entry[CELLS];
	uint16_t start[CELLS + 1]; // of each child, in entry
	double share[CELLS];       // of the look-ups, by estimate
};

struct chooser {
	const struct rule *sample[SAMPLE];
	uint32_t n;
	uint32_t copies; // RULES_ONE: none beside the entry itself
	bool cheap;
	struct bit candidate[CANDIDATES];
	uint32_t candidates;
	struct spread now, next;
};

static inline unsigned
bit_of(const uint64_t *words, const struct bit *b)
{
	return words[b->word] >> b->at & 1;
}

// Look-ups go where the entries are; those that do not care draw no more of them to one side.
static inline double
share_of(uint32_t side, uint32_t any, uint32_t all)
{
	return (side + any * 0.5) / all;
}

// The cost of a node is the entries that a look-up then meets, by estimate.
static double
spread_cost(const struct chooser *c, const struct bit *b, uint32_t *places)
{
	double cost = 0;

	*places = 0;
	for (uint32_t g = 0; g < c->now.cells; g++) {
		uint32_t side[2] = {0, 0}, any = 0;
		uint32_t all = c->now.start[g + 1] - c->now.start[g];

		for (uint32_t i = c->now.start[g]; i < c->now.start[g + 1]; i++) {
			const struct rule *r = c->sample[c->now.entry[i]];
			unsigned cares = bit_of(r->mask, b);

			any += !cares;
			side[bit_of(r->key, b)] += cares;
		}
		cost += c->now.share[g] * (share_of(side[0], any, all) * (side[0] + any) +
						  share_of(side[1], any, all) * (side[1] + any));
		*places += side[0] + side[1] + 2 * any;
	}
	return cost;
}

// False: too many copies.
static bool
spread_by(struct chooser *c, const struct bit *b)
{
	struct spread *to = &c->next;

	to->n = 0;
	to->cells = 0;
	to->cost = 0;
	for (uint32_t g = 0; g < c->now.cells; g++) {
		uint32_t all = c->now.start[g + 1] - c->now.start[g];

		for (unsigned side = 0; side < 2; side++) {
			uint32_t from = to->n, any = 0;

			for (uint32_t i = c->now.start[g]; i < c->now.start[g + 1]; i++) {
				const struct rule *r = c->sample[c->now.entry[i]];

				if (bit_of(r->mask, b) && bit_of(r->key, b) != side)
					continue;
				if (to->n == CELLS)
					return false;
				any += !bit_of(r->mask, b);
				to->entry[to->n++] = c->now.entry[i];
			}
			if (to->n == from)
				continue;
			to->share[to->cells] =
				c->now.share[g] * share_of(to->n - from - any, any, all);
			to->cost += to->share[to->cells] * (to->n - from);
			to->start[to->cells++] = (uint16_t)from;
		}
	}
	to->start[to->cells] = (uint16_t)to->n;
	if (to->n > c->copies * c->n / RULES_ONE)
		return false;
	c->now = *to;
	return true;
}

static int
by_cost(const void *a, const void *b)
{
	const struct bit *x = a, *y = b;

	return (x->cost > y->cost) - (x->cost < y->cost);
}

static void
spread_all(struct chooser *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		c->now.entry[i] = (uint16_t)i;
	c->now.n = c->n;
	c->now.cells = 1;
	c->now.start[0] = 0;
	c->now.start[1] = (uint16_t)c->n;
	c->now.share[0] = 1;
	c->now.cost = c->n;
}

// The bits that alone spread the sample best. rest: those that have it as "any" are counted as a
// part of their own, not twice.
static void
find_candidates(struct chooser *c, bool rest)
{
	struct bit all[RULES_WORDS * 64];
	uint32_t n = 0;

	for (uint8_t w = 0; w < RULES_WORDS; w++) {
		uint64_t differ = 0;

		for (uint32_t i = 1; i < c->n; i++)
			differ |= (c->sample[i]->key[w] ^ c->sample[0]->key[w]) |
				  (c->sample[i]->mask[w] ^ c->sample[0]->mask[w]);
		for (; differ != 0; differ &= differ - 1) {
			struct bit b = {.word = w, .at = (uint8_t)__builtin_ctzll(differ)};
			uint32_t side[2] = {0, 0}, any = 0;

			for (uint32_t i = 0; i < c->n; i++) {
				if (bit_of(c->sample[i]->mask, &b))
					side[bit_of(c->sample[i]->key, &b)]++;
				else
					any++;
			}
			b.cost = (share_of(side[0], any, c->n) * (side[0] + any) +
				  share_of(side[1], any, c->n) * (side[1] + any));
			if (rest)
				b.cost = (double)(side[0] * side[0] + side[1] * side[1]) / c->n +
					 any;
			all[n++] = b;
		}
	}
	qsort(all, n, sizeof(all[0]), by_cost);
	c->candidates = n < CANDIDATES ? n : CANDIDATES;
	memcpy(c->candidate, all, c->candidates * sizeof(all[0]));
}

// May the node look at that bit too? It has room for two words.
static bool
node_takes(const struct rules_node *node, const struct bit *b)
{
	for (unsigned i = 0; i < 2; i++)
		if (node->mask[i] == 0 || node->word[i] == b->word)
			return (node->mask[i] >> b->at & 1) == 0;
	return false;
}

static void
node_take(struct rules_node *node, const struct bit *b)
{
	unsigned i = node->mask[0] != 0 && node->word[0] != b->word;

	node->word[i] = b->word;
	node->mask[i] |= 1ULL << b->at;
	node->bits++;
	node->shift = (uint8_t)__builtin_popcountll(node->mask[0]);
}

static void
keep_those_that_care(struct chooser *c, const struct bit *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++)
		if (bit_of(c->sample[i]->mask, b))
			c->sample[n++] = c->sample[i];
	c->n = n;
}

// Adds the bits that bring most, copies priced in.
static void
add_bits(struct chooser *c, struct rules_node *node, unsigned max)
{
	double price = c->cheap ? PRICE_CHEAP : PRICE_DEAR;

	while (node->bits < max) {
		const struct bit *best = NULL;
		double gain = GAIN_MIN;

		for (uint32_t i = 0; i < c->candidates; i++) {
			const struct bit *b = &c->candidate[i];
			uint32_t places;
			double with;

			if (!node_takes(node, b))
				continue;
			with = spread_cost(c, b, &places) / c->now.cost *
			       pow((double)places / c->now.n, price);
			if (places > c->copies * c->n / RULES_ONE || with >= gain)
				continue;
			best = b;
			gain = with;
		}
		if (best == NULL || !spread_by(c, best))
			return;
		node_take(node, best);
	}
}

// No bit is of use to all. Takes one that is of use to some; the others are left to rest.
static void
choose_for_some(struct chooser *c, struct rules_node *node, unsigned max)
{
	struct bit first;

	find_candidates(c, true);
	if (c->candidates == 0 || c->candidate[0].cost > 0.85 * c->n)
		return;
	first = c->candidate[0];
	keep_those_that_care(c, &first);
	spread_all(c);
	if (c->n == 0 || !spread_by(c, &first))
		return;
	node_take(node, &first);
	find_candidates(c, false);
	add_bits(c, node, max);
}

bool
rules_choose(struct rules_node *node, const struct rule *const *list, uint32_t n, uint32_t copies)
{
	uint32_t step = n > SAMPLE ? n / SAMPLE : 1;
	struct chooser *c = malloc(sizeof(*c));
	uint64_t room = copies > RULES_COPIES ? (uint64_t)n * copies / RULES_COPIES : n;
	unsigned max = 1;

	if (c == NULL)
		return false;
	while (max < RULES_NODE_BITS && (PER_CHILD << max) < room)
		max++;
	c->n = 0;
	c->copies = copies;
	c->cheap = copies > RULES_COPIES;
	for (uint32_t i = 0; i < n && c->n < SAMPLE; i += step)
		c->sample[c->n++] = list[i];
	spread_all(c);
	find_candidates(c, false);
	add_bits(c, node, max);
	if (node->bits == 0)
		choose_for_some(c, node, max);
	free(c);
	return node->bits > 0;
}
