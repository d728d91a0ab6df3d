// SPDX-License-Identifier: BSD-3-Clause
#include "work/resize.h"

#include "datapath/resize.h"
#include "orders.h"

int
resize_prepare(struct control *c, uint32_t flows, struct sl_err *err)
{
	struct sl_err why;
	int rc;

	sl_err_init(&why);
	rc = dp_resize_prepare(c->dp, flows, &why);
	return rc == 0 ? 0 : sl_err_set(err, -rc, "/datapath/flows", "%s", why.text);
}

void
resize_cancel(struct control *c)
{
	dp_resize_cancel(c->dp);
}

void
resize_begin(struct control *c)
{
	const struct dp_order order = {.type = DP_ORD_RESIZE};
	uint16_t w;

	for (w = 0; w < c->n_workers; w++)
		orders_put(c, w, &order);
	c->resizes++;
	c->resize_ns = sl_now(&c->clock);
}

bool
resize_under_way(const struct control *c)
{
	return c->resize_ns != 0;
}

void
resize_run(struct control *c)
{
	uint64_t ms;

	if (c->resize_ns == 0 || dp_resize_run(c->dp))
		return;
	ms = (sl_now(&c->clock) - c->resize_ns) / SL_NS_PER_MS;
	c->resize_ns = 0;
	sl_log(c->log, SL_LOG_INFO, "the workers' caches are for %u flows now, after %u ms",
		c->cfg->flows, (unsigned)ms);
}
