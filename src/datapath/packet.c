// SPDX-License-Identifier: BSD-3-Clause
#include "datapath/packet.h"

#include <stdalign.h>

#include <rte_errno.h>

int
dp_packet_register(void)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "sluice_packet",
		.size = sizeof(struct dp_packet),
		.align = alignof(struct dp_packet),
	};
	int offset = rte_mbuf_dynfield_register(&field);

	return offset < 0 ? -rte_errno : offset;
}
