// SPDX-License-Identifier: BSD-3-Clause
#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE ((size_t)2 << 20)
#define SIZES 128 // lines of the largest object that is cut from a piece

struct piece {
	struct piece *next;
	size_t len;
};

TAILQ_HEAD(live_list, rules_live);

struct rules_mem {
	uint64_t version;
	struct live_list live;             // oldest first
	struct rules_obj *retired, **last; // in order of version
	struct rules_obj *free[SIZES + 1]; // by lines
	struct piece *pieces;
	char *at, *end; // what is left of the first piece
	size_t used;
	bool dropped;
};

struct rules_mem *
rules_mem_new(void)
{
	struct rules_mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	TAILQ_INIT(&m->live);
	m->last = &m->retired;
	return m;
}

static void
destroy(struct rules_mem *m)
{
	struct piece *next;

	for (struct piece *p = m->pieces; p != NULL; p = next) {
		next = p->next;
		munmap(p, p->len);
	}
	free(m);
}

// A mapping that starts at a multiple of 2 MB, or NULL.
static struct piece *
piece_map(size_t len)
{
	char *p =
		mmap(NULL, len + PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (PIECE - (uintptr_t)p % PIECE) % PIECE;
	if (before > 0)
		munmap(p, before);
	if (before < PIECE)
		munmap(p + before + len, PIECE - before);
	madvise(p + before, len, MADV_HUGEPAGE);
	return (struct piece *)(void *)(p + before);
}

static void *
cut(struct rules_mem *m, size_t size)
{
	size_t len = PIECE;
	struct piece *p;
	char *at;

	if ((size_t)(m->end - m->at) >= size) {
		at = m->at;
		m->at += size;
		return at;
	}
	while (len < size + RULES_LINE)
		len += PIECE;
	p = piece_map(len);
	if (p == NULL)
		return NULL;
	*p = (struct piece){.next = m->pieces, .len = len};
	m->pieces = p;
	at = (char *)p + RULES_LINE;
	m->at = at + size;
	m->end = (char *)p + len;
	return at;
}

static void
put_free(struct rules_mem *m, struct rules_obj *o)
{
	struct rules_obj **free_at = &m->free[o->lines <= SIZES ? o->lines : 0];

	o->next = *free_at;
	*free_at = o;
}

// A free object of so many lines or NULL. Above SIZES all sizes share a list: the best fit, and
// what is over is free again.
static struct rules_obj *
take_free(struct rules_mem *m, uint32_t lines)
{
	struct rules_obj **best = NULL, **at = &m->free[lines <= SIZES ? lines : 0], *o, *rest;

	for (; *at != NULL && (best == NULL || (*best)->lines > lines); at = &(*at)->next)
		if ((*at)->lines >= lines && (best == NULL || (*at)->lines < (*best)->lines))
			best = at;
	if (best == NULL)
		return NULL;
	o = *best;
	*best = o->next;
	if (o->lines > lines) {
		rest = (void *)((char *)o + (size_t)lines * RULES_LINE);
		rest->lines = o->lines - lines;
		put_free(m, rest);
	}
	return o;
}

void *
rules_mem_get(struct rules_mem *m, size_t size)
{
	uint32_t lines = (uint32_t)((size + RULES_LINE - 1) / RULES_LINE);
	struct rules_obj *o = take_free(m, lines);

	if (o == NULL)
		o = cut(m, (size_t)lines * RULES_LINE);
	if (o == NULL)
		return NULL;
	memset(o, 0, (size_t)lines * RULES_LINE);
	o->version = m->version;
	o->lines = lines;
	m->used += (size_t)lines * RULES_LINE;
	return o;
}

void
rules_mem_put(struct rules_mem *m, struct rules_obj *o)
{
	m->used -= (size_t)o->lines * RULES_LINE;
	put_free(m, o);
}

void
rules_mem_retire(struct rules_mem *m, struct rules_obj *o)
{
	if (o->version == m->version) {
		rules_mem_put(m, o);
		return;
	}
	o->version = m->version;
	o->next = NULL;
	*m->last = o;
	m->last = &o->next;
}

void *
rules_mem_own(struct rules_mem *m, struct rules_obj *o, size_t size)
{
	struct rules_obj *copy, obj;

	if (o->version == m->version)
		return o;
	copy = rules_mem_get(m, size);
	if (copy == NULL)
		return NULL;
	obj = *copy;
	memcpy(copy, o, size);
	*copy = obj;
	rules_mem_retire(m, o);
	return copy;
}

static void
reap(struct rules_mem *m)
{
	const struct rules_live *oldest = TAILQ_FIRST(&m->live);
	struct rules_obj *o;

	while ((o = m->retired) != NULL && (oldest == NULL || o->version <= oldest->version)) {
		m->retired = o->next;
		if (m->retired == NULL)
			m->last = &m->retired;
		rules_mem_put(m, o);
	}
	if (m->dropped && oldest == NULL)
		destroy(m);
}

uint64_t
rules_mem_version(const struct rules_mem *m)
{
	return m->version;
}

void
rules_mem_commit(struct rules_mem *m, struct rules_live *live)
{
	live->version = m->version++;
	TAILQ_INSERT_TAIL(&m->live, live, link);
}

void
rules_mem_gone(struct rules_mem *m, struct rules_live *live)
{
	TAILQ_REMOVE(&m->live, live, link);
	reap(m);
}

void
rules_mem_drop(struct rules_mem *m)
{
	m->dropped = true;
	reap(m);
}

size_t
rules_mem_used(const struct rules_mem *m)
{
	return m->used;
}
