// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_TESTS_LOCKED_POOL_H
#define SLUICE_TESTS_LOCKED_POOL_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

// A pool of buffers behind a mutex, for tests with threads: DPDK's own ones are shared objects that
// ThreadSanitizer does not see into, so that a buffer which one thread frees and another gets looks
// like a race. Thread safety: any thread.

struct locked_pool {
	pthread_mutex_t lock;
	unsigned n;
	void *object[];
};

static inline int
locked_pool_alloc(struct rte_mempool *mp)
{
	struct locked_pool *p = calloc(1, sizeof(*p) + mp->size * sizeof(void *));

	if (p == NULL)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	mp->pool_data = p;
	return 0;
}

static inline void
locked_pool_free(struct rte_mempool *mp)
{
	struct locked_pool *p = mp->pool_data;

	pthread_mutex_destroy(&p->lock);
	free(p);
}

static inline int
locked_pool_put(struct rte_mempool *mp, void *const *objects, unsigned n)
{
	struct locked_pool *p = mp->pool_data;

	pthread_mutex_lock(&p->lock);
	memcpy(&p->object[p->n], objects, n * sizeof(void *));
	p->n += n;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static inline int
locked_pool_get(struct rte_mempool *mp, void **objects, unsigned n)
{
	struct locked_pool *p = mp->pool_data;
	int rc = -ENOBUFS;

	pthread_mutex_lock(&p->lock);
	if (n <= p->n) {
		p->n -= n;
		memcpy(objects, &p->object[p->n], n * sizeof(void *));
		rc = 0;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static inline unsigned
locked_pool_count(const struct rte_mempool *mp)
{
	struct locked_pool *p = mp->pool_data;
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

// Once for a process, before the first one is made; then rte_pktmbuf_pool_create_by_ops takes the
// name "locked".
static inline int
locked_pool_register(void)
{
	static const struct rte_mempool_ops ops = {.name = "locked",
		.alloc = locked_pool_alloc,
		.free = locked_pool_free,
		.enqueue = locked_pool_put,
		.dequeue = locked_pool_get,
		.get_count = locked_pool_count};

	return rte_mempool_register_ops(&ops);
}

#endif
