// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/meter_ops.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

// rte_mtr's operations on a port's meters.

#define ALL_STATS                                                                                  \
	(RTE_MTR_STATS_N_PKTS_GREEN | RTE_MTR_STATS_N_PKTS_YELLOW | RTE_MTR_STATS_N_PKTS_RED |     \
		RTE_MTR_STATS_N_PKTS_DROPPED | RTE_MTR_STATS_N_BYTES_GREEN |                       \
		RTE_MTR_STATS_N_BYTES_YELLOW | RTE_MTR_STATS_N_BYTES_RED |                         \
		RTE_MTR_STATS_N_BYTES_DROPPED)

static int
capabilities(struct rte_eth_dev *dev, struct rte_mtr_capabilities *cap, struct rte_mtr_error *error)
{
	memset(cap, 0, sizeof(*cap));
	cap->n_max = EMU_MAX_METERS;
	cap->n_shared_max = EMU_MAX_METERS;
	cap->identical = 1;
	cap->shared_identical = 1;
	cap->shared_n_flows_per_mtr_max = UINT32_MAX;
	cap->chaining_n_mtrs_per_flow_max = EMU_MAX_METERS;
	cap->chaining_use_prev_mtr_color_supported = 1;
	cap->meter_srtcm_rfc2697_n_max = EMU_MAX_METERS;
	cap->meter_trtcm_rfc2698_n_max = EMU_MAX_METERS;
	cap->meter_rate_max = UINT32_MAX;
	cap->meter_policy_n_max = EMU_MAX_METERS;
	cap->color_aware_srtcm_rfc2697_supported = 1;
	cap->color_aware_trtcm_rfc2698_supported = 1;
	cap->srtcm_rfc2697_byte_mode_supported = 1;
	cap->srtcm_rfc2697_packet_mode_supported = 1;
	cap->trtcm_rfc2698_byte_mode_supported = 1;
	cap->trtcm_rfc2698_packet_mode_supported = 1;
	cap->stats_mask = ALL_STATS;
	return 0;
}

static bool
all_green(const enum rte_color *table, unsigned int n)
{
	for (unsigned int i = 0; table != NULL && i < n; i++)
		if (table[i] != RTE_COLOR_GREEN)
			return false;
	return true;
}

static int
create_meter(struct emu_meters *ms, uint32_t id, const struct rte_mtr_params *in, int shared,
	struct rte_mtr_error *error)
{
	struct emu_meter_profile *profile;
	struct emu_meter_policy *policy;
	struct emu_meter *m;

	if (in == NULL)
		return MTR_FAIL(EINVAL, MTR_PARAMS, NULL, "no parameters");
	if (emu_meter_find(ms, id) != NULL)
		return MTR_FAIL(EEXIST, MTR_ID, NULL, "there is a meter of this number");
	profile = emu_meter_profile_find(ms, in->meter_profile_id);
	if (profile == NULL)
		return MTR_FAIL(ENOENT, METER_PROFILE_ID, NULL, "no such profile");
	policy = emu_meter_policy_find(ms, in->meter_policy_id);
	if (policy == NULL)
		return MTR_FAIL(ENOENT, METER_POLICY_ID, NULL, "no such policy");
	if (in->stats_mask & ~(uint64_t)ALL_STATS)
		return MTR_FAIL(
			EINVAL, STATS_MASK, NULL, "unknown statistics: the mask is at most 0xff");
	if (!all_green(in->dscp_table, 64) || !all_green(in->vlan_table, 16))
		return MTR_FAIL(
			ENOTSUP, MTR_PARAMS, in, "colours from DSCP or VLAN are not supported");
	if (ms->n_meters == EMU_MAX_METERS)
		return MTR_FAIL(
			ENOSPC, UNSPECIFIED, NULL, "the port has 4096 meters, which is all");
	m = rte_zmalloc("emunic meter", sizeof(*m), 0);
	if (m == NULL)
		return MTR_FAIL(ENOMEM, UNSPECIFIED, NULL, "no memory for the meter");
	m->id = id;
	m->shared = shared != 0;
	m->enabled = in->meter_enable != 0;
	m->aware = in->use_prev_mtr_color != 0;
	m->stats_mask = in->stats_mask;
	m->profile = profile;
	m->policy = policy;
	emu_meter_config(m);
	profile->users++;
	policy->users++;
	LIST_INSERT_HEAD(&ms->meters, m, list);
	ms->n_meters++;
	return 0;
}

static int
meter_create(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_params *in, int shared,
	struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);

	return emu_mtr_leave(port, create_meter(&port->meters, id, in, shared, error));
}

// The meter, or NULL with the error set. Under the gate.
static struct emu_meter *
find(struct emu_port *port, uint32_t id, struct rte_mtr_error *error)
{
	struct emu_meter *m = emu_meter_find(&port->meters, id);

	if (m == NULL)
		rte_mtr_error_set(error, ENOENT, RTE_MTR_ERROR_TYPE_MTR_ID, NULL, "no such meter");
	return m;
}

static int
meter_destroy(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m == NULL)
		return emu_mtr_leave(port, -ENOENT);
	if (m->users > 0)
		return emu_mtr_leave(port, MTR_FAIL(EBUSY, MTR_ID, NULL, "a rule has the meter"));
	m->profile->users--;
	m->policy->users--;
	LIST_REMOVE(m, list);
	port->meters.n_meters--;
	rte_free(m);
	return emu_mtr_leave(port, 0);
}

static int
set_enabled(struct rte_eth_dev *dev, uint32_t id, bool on, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m != NULL)
		m->enabled = on;
	return emu_mtr_leave(port, m != NULL ? 0 : -ENOENT);
}

static int
meter_enable(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	return set_enabled(dev, id, true, error);
}

static int
meter_disable(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	return set_enabled(dev, id, false, error);
}

static int
meter_profile_update(
	struct rte_eth_dev *dev, uint32_t id, uint32_t profile, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter *m = find(port, id, error);
	struct emu_meter_profile *f = emu_meter_profile_find(&port->meters, profile);

	if (m == NULL)
		return emu_mtr_leave(port, -ENOENT);
	if (f == NULL)
		return emu_mtr_leave(
			port, MTR_FAIL(ENOENT, METER_PROFILE_ID, NULL, "no such profile"));
	m->profile->users--;
	m->profile = f;
	f->users++;
	return emu_mtr_leave(port, emu_meter_config(m));
}

static int
meter_policy_update(
	struct rte_eth_dev *dev, uint32_t id, uint32_t policy, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter *m = find(port, id, error);
	struct emu_meter_policy *f = emu_meter_policy_find(&port->meters, policy);

	if (m == NULL)
		return emu_mtr_leave(port, -ENOENT);
	if (f == NULL)
		return emu_mtr_leave(
			port, MTR_FAIL(ENOENT, METER_POLICY_ID, NULL, "no such policy"));
	m->policy->users--;
	m->policy = f;
	f->users++;
	return emu_mtr_leave(port, 0);
}

static int
stats_update(struct rte_eth_dev *dev, uint32_t id, uint64_t mask, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m == NULL)
		return emu_mtr_leave(port, -ENOENT);
	if (mask & ~(uint64_t)ALL_STATS)
		return emu_mtr_leave(port, MTR_FAIL(EINVAL, STATS_MASK, NULL,
						   "unknown statistics: the mask is at most 0xff"));
	m->stats_mask = mask;
	return emu_mtr_leave(port, 0);
}

static int
stats_read(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_stats *stats, uint64_t *mask,
	int clear, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m == NULL)
		return emu_mtr_leave(port, -ENOENT);
	if (stats != NULL)
		*stats = m->stats;
	if (mask != NULL)
		*mask = m->stats_mask;
	if (clear)
		memset(&m->stats, 0, sizeof(m->stats));
	return emu_mtr_leave(port, 0);
}

static const struct rte_mtr_ops ops = {
	.capabilities_get = capabilities,
	.meter_profile_add = emu_meter_profile_add,
	.meter_profile_delete = emu_meter_profile_delete,
	.create = meter_create,
	.destroy = meter_destroy,
	.meter_enable = meter_enable,
	.meter_disable = meter_disable,
	.meter_profile_update = meter_profile_update,
	.meter_policy_update = meter_policy_update,
	.stats_update = stats_update,
	.stats_read = stats_read,
	.meter_policy_validate = emu_meter_policy_validate,
	.meter_policy_add = emu_meter_policy_add,
	.meter_policy_delete = emu_meter_policy_delete,
};

int
emu_port_mtr_ops(struct rte_eth_dev *dev, void *out)
{
	*(const struct rte_mtr_ops **)out = &ops;
	return 0;
}
