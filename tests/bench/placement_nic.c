// SPDX-License-Identifier: BSD-3-Clause
#include "placement_nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
nic_model_init(struct nic_model *n)
{
	memset(n, 0, sizeof(*n));
	n->size = 1024;
	n->ops = calloc(n->size, sizeof(*n->ops));
	return n->ops != NULL ? 0 : -ENOMEM;
}

void
nic_model_fini(struct nic_model *n)
{
	free(n->ops);
}

static int
grow(struct nic_model *n)
{
	struct nic_op *ops = calloc(2 * (size_t)n->size, sizeof(*ops));
	uint32_t i;

	if (ops == NULL)
		return -ENOMEM;
	for (i = 0; i < n->n; i++)
		ops[i] = n->ops[(n->first + i) % n->size];
	free(n->ops);
	n->ops = ops;
	n->first = 0;
	n->size *= 2;
	return 0;
}

int
nic_model_put(struct nic_model *n, uint64_t ns, uint32_t flow, uint32_t tag, bool insert)
{
	uint64_t start = ns;

	if (n->n == n->size && grow(n) != 0)
		return -ENOMEM;
	if (insert) {
		if (n->next_insert_ns > start)
			start = n->next_insert_ns;
		n->next_insert_ns = start + NIC_INSERT_NS;
		n->inserted++;
	}
	if (start + NIC_OP_NS > n->last_done_ns)
		n->last_done_ns = start + NIC_OP_NS;
	n->ops[(n->first + n->n++) % n->size] = (struct nic_op){
		.done_ns = n->last_done_ns, .flow = flow, .tag = tag, .insert = insert};
	return 0;
}

uint64_t
nic_model_next(const struct nic_model *n)
{
	return n->n > 0 ? n->ops[n->first].done_ns : UINT64_MAX;
}

bool
nic_model_get(struct nic_model *n, uint64_t ns, struct nic_op *op)
{
	if (n->n == 0 || n->ops[n->first].done_ns > ns)
		return false;
	*op = n->ops[n->first];
	n->first = (n->first + 1) % n->size;
	n->n--;
	return true;
}
