// SPDX-License-Identifier: BSD-3-Clause
#include "emunic_rules.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_flow.h>

static const struct {
	uint8_t src, dst; // prefix lengths
	uint8_t port;
} shapes[BENCH_SHAPES] = {
	{32, 32, 1},
	{32, 32, 0},
	{32, 24, 1},
	{32, 24, 0},
	{24, 32, 1},
	{24, 32, 0},
	{24, 24, 1},
	{24, 24, 0},
	{16, 32, 1},
	{16, 32, 0},
	{16, 24, 1},
	{16, 24, 0},
	{0, 32, 0},
	{0, 24, 1},
	{0, 24, 0},
	{32, 0, 0},
};

struct tuple {
	uint32_t src, dst;
	uint16_t dport;
};

static struct tuple
tuple_of(uint32_t i)
{
	uint32_t own = i % BENCH_SHAPES << 20 | (i / BENCH_SHAPES & 0xfff) << 8;
	uint32_t net = i < BENCH_RULES_MAX ? 10 : 172;

	return (struct tuple){
		.src = net << 24 | own | (i * 7 & 0xff),
		.dst = (net + 1) << 24 | own | (i * 11 & 0xff),
		.dport = 1024 + (uint16_t)(i % 60000),
	};
}

static rte_be32_t
prefix(uint8_t len)
{
	return len == 0 ? 0 : rte_cpu_to_be_32(UINT32_MAX << (32 - len));
}

static int
create(uint16_t port, uint32_t i, const struct rte_flow_attr *attr,
	const struct rte_flow_action *actions, struct rte_flow_error *error)
{
	struct tuple t = tuple_of(i);
	uint32_t s = i % BENCH_SHAPES;
	struct rte_flow_item_ipv4 ip = {
		.hdr = {.src_addr = rte_cpu_to_be_32(t.src), .dst_addr = rte_cpu_to_be_32(t.dst)}};
	struct rte_flow_item_ipv4 ip_mask = {
		.hdr = {.src_addr = prefix(shapes[s].src), .dst_addr = prefix(shapes[s].dst)}};
	struct rte_flow_item_udp udp = {.hdr = {.dst_port = rte_cpu_to_be_16(t.dport)}};
	struct rte_flow_item_udp udp_mask = {.hdr = {.dst_port = shapes[s].port ? 0xffff : 0}};
	struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ip, .mask = &ip_mask},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &udp_mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};

	return rte_flow_create(port, attr, pattern, actions, error) != NULL ? 0 : -rte_errno;
}

int
bench_rule_create(uint16_t port, uint32_t i, int queue, struct rte_flow_error *error)
{
	struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_action_queue to = {.index = (uint16_t)queue};
	struct rte_flow_action actions[] = {
		{.type = queue < 0 ? RTE_FLOW_ACTION_TYPE_DROP : RTE_FLOW_ACTION_TYPE_QUEUE,
			.conf = queue < 0 ? NULL : &to},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return create(port, i, &attr, actions, error);
}

int
bench_rule_create_transfer(uint16_t port, uint32_t i, uint16_t to, struct rte_flow_error *error)
{
	struct rte_flow_attr attr = {.transfer = 1};
	struct rte_flow_action_ethdev conf = {.port_id = to};
	struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &conf},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	return create(port, i, &attr, actions, error);
}

void
bench_rule_frame(uint32_t i, uint8_t *f)
{
	static const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0,
		BENCH_FRAME - 14, 0, 0, 0, 0, 64, 17, 0, 0};
	struct tuple t = tuple_of(i);
	rte_be32_t src = rte_cpu_to_be_32(t.src), dst = rte_cpu_to_be_32(t.dst);
	rte_be16_t ports[] = {
		RTE_BE16(4096), rte_cpu_to_be_16(t.dport), RTE_BE16(BENCH_FRAME - 34), 0};

	memset(f, 0, BENCH_FRAME);
	memcpy(f, head, sizeof(head));
	memcpy(f + 26, &src, 4);
	memcpy(f + 30, &dst, 4);
	memcpy(f + 34, ports, sizeof(ports));
}
