// SPDX-License-Identifier: BSD-3-Clause
#include "device/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "failover/carry.h"
#include "failover/restart.h"
#include "ledger.h"
#include "orders.h"
#include "work/load.h"
#include "work/move.h"

#define ETHDEV_DESC 512
#define ETHDEV_MBUFS_MIN 4096

static int
free_index(const struct control *c)
{
	int i;

	for (i = 0; i < DP_PORTS_MAX; i++) {
		if (c->ports[i] == NULL)
			return i;
	}
	return -ENOSPC;
}

static int
open_nic_port(struct control *c, const struct config_attachment *a, struct dp_port **out,
	struct sl_err *err)
{
	struct nic_port *np;
	uint16_t index, n;
	struct nic *nic;
	int rc;

	carry_where(c, a, &index, &n);
	nic = c->nics[index];
	if (nic == NULL || n >= nic->n_ports)
		return sl_err_set(err, ENODEV, NULL, "the NIC has no such port");
	if (restart_waits(c, index) && !nic->ports[0].running)
		return sl_err_set(
			err, EBUSY, NULL, "%s does not start again: see `nic show`", nic->name);
	np = &nic->ports[n];
	rc = dp_port_ethdev(np->ethdev, np->rx_queues, np->tx_queues, out);
	if (rc != 0)
		return sl_err_set(err, rc, NULL, "out of memory");
	(*out)->nic = nic->index;
	(*out)->nic_port = n;
	(*out)->tx_offloads = np->setup.tx_offloads;
	(*out)->lro = (np->setup.rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
	return 0;
}

static int
open_ethdev(struct control *c, struct control_vport *v, const struct config_attachment *a,
	struct dp_port **out, struct sl_err *err)
{
	struct ethdev_plan plan = {
		.rx_queues = a->queues,
		.rx_default = a->queues,
		.tx_queues = a->queues,
		.rx_desc = ETHDEV_DESC,
		.tx_desc = ETHDEV_DESC,
		.mtu = v->cfg.mtu,
		.mbufs = c->cfg->mbufs < ETHDEV_MBUFS_MIN ? ETHDEV_MBUFS_MIN : c->cfg->mbufs,
	};
	int rc, probed = 0;
	uint16_t ethdev;

	rc = ethdev_probe(a->dev, v->dev_name, sizeof(v->dev_name), &ethdev, &probed, err);
	if (rc != 0)
		return rc;
	v->owns_ethdev = probed != 0;
	rc = ethdev_setup(ethdev, &plan, &v->setup, err);
	if (rc == 0 && dp_port_ethdev(ethdev, plan.rx_queues, plan.tx_queues, out) != 0) {
		rc = sl_err_set(err, ENOMEM, NULL, "out of memory");
		ethdev_teardown(ethdev, &v->setup);
	}
	if (rc != 0) {
		if (v->owns_ethdev)
			ethdev_remove(v->dev_name);
		v->owns_ethdev = false;
		return rc;
	}
	(*out)->nic = DP_NONE;
	(*out)->nic_port = DP_NONE;
	(*out)->tx_offloads = v->setup.tx_offloads;
	(*out)->lro = (v->setup.rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0;
	return 0;
}

static int
open_vhost(struct control *c, const struct control_vport *v, const struct config_attachment *a,
	struct dp_port **out, struct sl_err *err)
{
	const struct dp_vhost_cfg cfg = {
		.path = a->path,
		.client = a->client,
		.library_rings = a->library_rings,
		.queues = a->queues,
		.mtu = v->cfg.mtu,
		.pool = c->vhost_pool,
	};
	int rc = dp_port_vhost(&cfg, out, err);

	if (rc != 0)
		return rc;
	(*out)->nic = DP_NONE;
	(*out)->nic_port = DP_NONE;
	return 0;
}

static int
attach_worker_parts(
	struct control *c, struct control_vport *v, struct dp_port *port, struct sl_err *err)
{
	struct qos_class_cfg classes[CONFIG_CLASSES_MAX];
	int index = free_index(c), rc;
	uint8_t i;

	for (i = 0; i < c->cfg->n_classes; i++) {
		classes[i].level = c->cfg->classes[i].level;
		classes[i].weight = c->cfg->classes[i].weight;
		classes[i].depth = c->cfg->classes[i].depth;
	}
	if (index < 0)
		return sl_err_set(err, ENOSPC, NULL,
			"%u attachments are open, there can be no more", DP_PORTS_MAX);
	port->index = (uint16_t)index;
	port->vport = v->cfg.id;
	port->mtu = v->cfg.mtu;
	snprintf(port->name, sizeof(port->name), "%s", v->cfg.name);
	rc = dp_port_attach(port, c->n_workers, classes, c->cfg->n_classes, SOCKET_ID_ANY);
	if (rc != 0)
		return sl_err_set(err, rc, NULL, "out of memory for the port's queues");
	c->ports[index] = port;
	return 0;
}

int
ports_attach(struct control *c, struct control_vport *v, const struct config_attachment *a,
	struct sl_err *err)
{
	struct dp_port *port = NULL;
	int rc = 0;

	switch (a->kind) {
	case CONFIG_ATTACH_NONE:
		break;
	case CONFIG_ATTACH_NIC:
	case CONFIG_ATTACH_VF:
		rc = open_nic_port(c, a, &port, err);
		break;
	case CONFIG_ATTACH_VHOST:
		rc = open_vhost(c, v, a, &port, err);
		break;
	case CONFIG_ATTACH_ETHDEV:
		rc = open_ethdev(c, v, a, &port, err);
		break;
	}
	if (rc != 0)
		return rc;
	if (port != NULL) {
		rc = attach_worker_parts(c, v, port, err);
		if (rc != 0) {
			uint16_t ethdev = port->ethdev;

			dp_port_free(port);
			if (a->kind == CONFIG_ATTACH_ETHDEV)
				ethdev_teardown(ethdev, &v->setup);
			if (v->owns_ethdev)
				ethdev_remove(v->dev_name);
			v->owns_ethdev = false;
			return rc;
		}
	}
	v->port = port;
	v->cfg.attach = *a;
	ledger_port_opened(c, v->cfg.id, port != NULL && port->nic != DP_NONE);
	return 0;
}

struct dp_port *
ports_detach(struct control *c, struct control_vport *v)
{
	struct dp_port *port = v->port;

	v->port = NULL;
	return port;
}

int
ports_open_nic(struct control *c, struct control_vport *v, struct dp_port **out, struct sl_err *err)
{
	int rc = open_nic_port(c, &v->cfg.attach, out, err);
	uint16_t q;

	if (rc != 0)
		return rc;
	rc = attach_worker_parts(c, v, *out, err);
	if (rc != 0) {
		dp_port_free(*out);
		return rc;
	}
	// Its flows stay with their workers.
	for (q = 0; v->port != NULL && q < (*out)->n_rxq && q < v->port->n_rxq; q++) {
		(*out)->rxq_worker[q] = v->port->rxq_worker[q];
		(*out)->rxq_pinned[q] = v->port->rxq_pinned[q];
	}
	return 0;
}

void
ports_close_device(struct control *c, struct dp_port *port)
{
	queue_moves_port_gone(c, port);
	loads_port_gone(c, port);
	orders_drain_port(c, port);
	c->ports[port->index] = NULL;
	dp_port_free(port);
}

void
ports_close(struct control *c, struct control_vport *v, struct dp_port *port)
{
	const bool own = port->nic == DP_NONE && v->cfg.attach.kind == CONFIG_ATTACH_ETHDEV;
	const uint16_t ethdev = port->ethdev;

	if (v->leaving != NULL)
		ports_close_device(c, v->leaving);
	v->leaving = NULL;
	ports_close_device(c, port);
	ledger_port_closed(c, v->cfg.id);
	if (own)
		ethdev_teardown(ethdev, &v->setup);
	if (own && v->owns_ethdev)
		ethdev_remove(v->dev_name);
	v->owns_ethdev = false;
	memset(&v->cfg.attach, 0, sizeof(v->cfg.attach));
}

void
ports_set_mtu(struct control *c, struct control_vport *v)
{
	int rc;

	if (v->port == NULL)
		return;
	v->port->mtu = v->cfg.mtu;
	if (v->cfg.attach.kind == CONFIG_ATTACH_VHOST || v->cfg.mtu == 0)
		return;
	rc = rte_eth_dev_set_mtu(v->port->ethdev, v->cfg.mtu);
	if (rc != 0)
		sl_log(c->log, SL_LOG_WARN,
			"port %s: its device does not take an MTU of %u now: %s", v->cfg.name,
			v->cfg.mtu, strerror(-rc));
}

const char *
ports_attach_name(enum config_attach kind)
{
	static const char *const names[] = {
		[CONFIG_ATTACH_NONE] = "none",
		[CONFIG_ATTACH_NIC] = "nic",
		[CONFIG_ATTACH_VF] = "vf",
		[CONFIG_ATTACH_VHOST] = "vhost-user",
		[CONFIG_ATTACH_ETHDEV] = "ethdev",
	};

	return names[kind];
}

void
ports_attachment_text(
	const struct control *c, const struct config_attachment *a, char *buf, unsigned long len)
{
	switch (a->kind) {
	case CONFIG_ATTACH_NONE:
		snprintf(buf, len, "none");
		break;
	case CONFIG_ATTACH_NIC:
		snprintf(buf, len, "%s", c->cfg->nics[a->nic].name);
		break;
	case CONFIG_ATTACH_VF:
		snprintf(buf, len, "%s/vf%u", c->cfg->nics[a->nic].name, a->vf);
		break;
	case CONFIG_ATTACH_VHOST:
		snprintf(buf, len, "vhost-user:%s%s", a->path, a->client ? " (client)" : "");
		break;
	case CONFIG_ATTACH_ETHDEV:
		snprintf(buf, len, "%s", a->dev);
		break;
	}
}
