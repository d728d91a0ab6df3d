// SPDX-License-Identifier: BSD-3-Clause
#include "nic/nic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#define QUEUE_MBUFS                                                                                \
	4095 // pool of an assigned queue: its descriptors, a burst in flight, and what waits at an
	     // output

static int
find_representors(struct nic *nic, struct sl_err *err)
{
	uint16_t vf, id;

	for (vf = 0; vf + 1 < nic->n_ports; vf++) {
		struct rte_dev_iterator it;
		char text[192];

		snprintf(text, sizeof(text), "%s,representor=vf%u", nic->dev_name, vf);
		nic->ports[1 + vf].ethdev = RTE_MAX_ETHPORTS;
		RTE_ETH_FOREACH_MATCHING_DEV(id, text, &it)
		{
			nic->ports[1 + vf].ethdev = id;
			rte_eth_iterator_cleanup(&it);
			break;
		}
		if (nic->ports[1 + vf].ethdev == RTE_MAX_ETHPORTS)
			return sl_err_set(err, ENODEV, NULL,
				"%s has no representor of VF %u (do the device arguments ask for "
				"representor=vf[0-%u]?)",
				nic->name, vf, nic->n_ports - 2u);
	}
	return 0;
}

// Is this where the attachment's packets are, now or after a failure of its NIC?
static bool
is_at(const struct config *cfg, const struct config_attachment *a, uint16_t nic, uint16_t port)
{
	const int primary = config_primary_of(cfg, nic);

	if (a->kind != CONFIG_ATTACH_NIC && a->kind != CONFIG_ATTACH_VF)
		return false;
	if (primary >= 0)
		return a->nic == primary &&
		       port == (a->kind == CONFIG_ATTACH_NIC ? 0 : 1 + config_standby_vf(a));
	return a->nic == nic && port == (a->kind == CONFIG_ATTACH_NIC ? 0 : 1 + a->vf);
}

// The MTU of the vport that a port of the NIC carries; 0: none does.
static uint16_t
mtu_of(const struct config *cfg, uint16_t nic, uint16_t port)
{
	uint16_t i;

	for (i = 0; i < cfg->n_ports; i++) {
		const struct config_attachment *a = &cfg->ports[i].attach;

		if (is_at(cfg, a, nic, port))
			return cfg->ports[i].mtu;
	}
	return 0;
}

static int
setup_ports(const struct nic_env *env, struct nic *nic, const struct config_nic *cfg,
	struct sl_err *err)
{
	uint16_t i;

	for (i = 0; i < nic->n_ports; i++) {
		struct nic_port *p = &nic->ports[i];
		struct ethdev_plan plan = {
			.rx_queues = i == 0 ? cfg->queues : cfg->vf_queues,
			.rx_default = i == 0 ? cfg->default_queues : cfg->vf_default_queues,
			.rx_desc = NIC_RX_DESC,
			.tx_desc = NIC_TX_DESC,
			.mtu = mtu_of(env->cfg, nic->index, i),
			.mbufs = env->cfg->mbufs,
			.queue_mbufs = QUEUE_MBUFS,
		};
		int rc;

		plan.tx_queues = plan.rx_queues < env->n_workers ? env->n_workers : plan.rx_queues;
		rc = ethdev_setup(p->ethdev, &plan, &p->setup, err);
		if (rc != 0)
			return rc;
		p->rx_queues = plan.rx_queues;
		p->rx_default = plan.rx_default;
		p->tx_queues = plan.tx_queues;
		p->started = p->running = true;
	}
	return 0;
}

int
nic_open(const struct nic_env *env, uint16_t index, struct nic **out, struct sl_err *err)
{
	const struct config_nic *cfg = &env->cfg->nics[index];
	struct rte_eth_dev_info info;
	struct nic *nic = calloc(1, sizeof(*nic));
	char path[64];
	int rc, probed = 0;

	if (nic == NULL)
		return sl_err_set(err, ENOMEM, NULL, "out of memory");
	snprintf(nic->name, sizeof(nic->name), "%s", cfg->name);
	nic->index = index;
	nic->n_ports = 1 + cfg->vfs;
	nic->ports = calloc(nic->n_ports, sizeof(*nic->ports));
	rc = nic->ports == NULL ? sl_err_set(err, ENOMEM, NULL, "out of memory") : 0;
	if (rc == 0)
		rc = ethdev_probe(cfg->dev, nic->dev_name, sizeof(nic->dev_name),
			&nic->ports[0].ethdev, &probed, err);
	nic->probed = probed != 0;
	if (rc == 0)
		rc = find_representors(nic, err);
	if (rc == 0)
		rc = setup_ports(env, nic, cfg, err);
	if (rc == 0)
		rc = rte_eth_dev_info_get(nic->ports[0].ethdev, &info);
	if (rc == 0) {
		snprintf(nic->driver, sizeof(nic->driver), "%s", info.driver_name);
		nic->ops = nic_ops_for(info.driver_name);
		rc = nic_executor_new(nic->name, nic->ops, env->wake_fd, &nic->executor);
	}
	if (rc != 0) {
		snprintf(path, sizeof(path), "/nics/%u", index);
		sl_err_set(err, rc, path, "%s could not be opened: %s", cfg->name, strerror(-rc));
		sl_err_prefix(err, err != NULL && err->path[0] == '\0' ? path : "");
		nic_close(nic);
		return rc;
	}
	*out = nic;
	return 0;
}

int
nic_start(struct nic *nic, struct sl_err *err)
{
	uint16_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < nic->n_ports; i++) {
		struct nic_port *p = &nic->ports[i];

		if (p->running)
			continue;
		rc = ethdev_restart(p->ethdev, p->rx_queues, p->rx_default, err);
		p->running = p->restarted = rc == 0;
	}
	if (rc == 0)
		rte_eth_dev_set_link_up(nic->ports[0].ethdev); // where the driver knows the call
	for (i = 0; i < nic->n_ports; i++) {
		struct nic_port *p = &nic->ports[i];

		if (rc != 0 && p->restarted) {
			rte_eth_dev_stop(p->ethdev);
			p->running = false;
		}
		p->restarted = false;
	}
	return rc;
}

void
nic_stop(struct nic *nic, bool with_pf)
{
	uint16_t i;

	if (with_pf && nic->ports[0].running)
		rte_eth_dev_set_link_down(nic->ports[0].ethdev);
	for (i = nic->n_ports; i-- > (with_pf ? 0 : 1);) {
		if (nic->ports[i].running)
			rte_eth_dev_stop(nic->ports[i].ethdev);
		nic->ports[i].running = false;
	}
}

void
nic_close(struct nic *nic)
{
	uint16_t i;

	if (nic == NULL)
		return;
	nic_executor_free(nic->executor);
	for (i = 0; nic->ops != NULL && i < nic->n_ports; i++) {
		if (nic->ports[i].started)
			nic->ops->flush(nic->ports[i].ethdev);
	}
	for (i = nic->n_ports; nic->ports != NULL && i-- > 0;) {
		if (nic->ports[i].started)
			ethdev_teardown(nic->ports[i].ethdev, &nic->ports[i].setup);
	}
	if (nic->probed)
		ethdev_remove(nic->dev_name);
	free(nic->ports);
	free(nic);
}

void
nic_offload_cfg(const struct nic *nic, const struct config_nic *cfg, uint16_t n_workers,
	struct offload_nic_cfg *out)
{
	uint16_t i;

	memset(out, 0, sizeof(*out));
	out->name = nic->name;
	out->eswitch = nic->eswitch;
	out->mark = nic->mark;
	out->rule_limit = cfg->rule_limit;
	out->ports = nic->n_ports;
	for (i = 0; i < nic->n_ports; i++) {
		out->port[i].rx_queues = nic->ports[i].rx_queues;
		out->port[i].rx_default = nic->ports[i].rx_default;
		out->port[i].tx_queues = nic->ports[i].tx_queues;
		out->port[i].tx_default = n_workers;
	}
}
