// SPDX-License-Identifier: BSD-3-Clause
#include "tree.h"

#define BITS_AN_ENTRY 16
#define BITS_MIN_LOG 9
#define BITS_MAX_LOG 24
#define COMMON_MIN 12 // bits that the masks have in common
#define WORDS_MAX 3   // of the key, those with most of them

static void
mark(struct rules_sieve *s, const struct rule *rule)
{
	uint64_t bit = rules_sieve_bit(s, rule->key);

	atomic_fetch_or_explicit(&s->bits[bit / 64], 1ULL << (bit % 64), memory_order_relaxed);
}

// Takes the words of the common mask that have most bits. Returns how many bits it took.
static unsigned
take_words(struct rules_sieve *s, uint64_t *common)
{
	unsigned bits = 0;

	while (s->words < WORDS_MAX) {
		uint8_t most = 0;

		for (uint8_t w = 1; w < RULES_WORDS; w++)
			if (__builtin_popcountll(common[w]) > __builtin_popcountll(common[most]))
				most = w;
		if (common[most] == 0)
			break;
		bits += (unsigned)__builtin_popcountll(common[most]);
		s->word[s->words] = most;
		s->mask[s->words++] = common[most];
		common[most] = 0;
	}
	return bits;
}

struct rules_sieve *
rules_sieve_new(struct rules_mem *m, const struct rule *const *list, uint32_t n)
{
	struct rules_sieve plan = {.words = 0}, *s;
	uint64_t common[RULES_WORDS];
	uint8_t log = BITS_MIN_LOG;

	for (unsigned w = 0; w < RULES_WORDS; w++) {
		common[w] = n > 0 ? UINT64_MAX : 0;
		for (uint32_t i = 0; i < n; i++)
			common[w] &= list[i]->mask[w];
	}
	if (take_words(&plan, common) < COMMON_MIN)
		return NULL;
	while (log < BITS_MAX_LOG && 1ULL << log < (uint64_t)n * BITS_AN_ENTRY)
		log++;
	s = rules_mem_get(m, sizeof(*s) + (1ULL << log) / 8);
	if (s == NULL)
		return NULL;
	plan.obj = s->obj;
	plan.shift = (uint8_t)(64 - log);
	*s = plan;
	for (uint32_t i = 0; i < n; i++)
		mark(s, list[i]);
	return s;
}

bool
rules_sieve_add(struct rules_sieve *s, const struct rule *rule)
{
	for (unsigned i = 0; i < s->words; i++)
		if ((rule->mask[s->word[i]] & s->mask[i]) != s->mask[i])
			return false;
	mark(s, rule);
	return true;
}
