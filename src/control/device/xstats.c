// SPDX-License-Identifier: BSD-3-Clause
#include "device/xstats.h"

#include <stdlib.h>

#include <rte_ethdev.h>

bool
xstats_each(uint16_t ethdev, xstat_fn fn, void *ctx)
{
	int i, n = rte_eth_xstats_get_names(ethdev, NULL, 0);
	struct rte_eth_xstat_name *names;
	struct rte_eth_xstat *values;
	bool ok;

	if (n <= 0)
		return false;
	names = calloc((size_t)n, sizeof(*names));
	values = calloc((size_t)n, sizeof(*values));
	ok = names != NULL && values != NULL &&
	     rte_eth_xstats_get_names(ethdev, names, (unsigned)n) == n &&
	     rte_eth_xstats_get(ethdev, values, (unsigned)n) == n;
	for (i = 0; ok && i < n; i++)
		fn(ctx, names[values[i].id].name, values[i].value);
	free(names);
	free(values);
	return ok;
}
