// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/meter.h"

#include <errno.h>
#include <string.h>

#include <rte_flow.h>
#include <rte_malloc.h>
#include <rte_mtr_driver.h>

#include "emunic.h"

// rte_mtr's operations on a port. Each looks and changes under the NIC's gate.

#define ALL_STATS                                                                                  \
	(RTE_MTR_STATS_N_PKTS_GREEN | RTE_MTR_STATS_N_PKTS_YELLOW | RTE_MTR_STATS_N_PKTS_RED |     \
		RTE_MTR_STATS_N_PKTS_DROPPED | RTE_MTR_STATS_N_BYTES_GREEN |                       \
		RTE_MTR_STATS_N_BYTES_YELLOW | RTE_MTR_STATS_N_BYTES_RED |                         \
		RTE_MTR_STATS_N_BYTES_DROPPED)

#define FAIL(code, type, cause, message)                                                           \
	(-rte_mtr_error_set(error, code, RTE_MTR_ERROR_TYPE_##type, cause, message))

static struct emu_port *
enter(struct rte_eth_dev *dev)
{
	struct emu_port *port = dev->data->dev_private;

	emu_gate_enter(&port->nic->gate);
	return port;
}

static int
leave(struct emu_port *port, int ret)
{
	emu_gate_leave(&port->nic->gate);
	return ret;
}

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

static struct emu_meter_profile *
find_profile(struct emu_meters *ms, uint32_t id)
{
	struct emu_meter_profile *f;

	LIST_FOREACH(f, &ms->profiles, list)
	if (f->id == id)
		return f;
	return NULL;
}

static struct emu_meter_policy *
find_policy(struct emu_meters *ms, uint32_t id)
{
	struct emu_meter_policy *f;

	LIST_FOREACH(f, &ms->policies, list)
	if (f->id == id)
		return f;
	return NULL;
}

// Takes the rates over; rte_meter judges them.
static int
read_profile(struct emu_meter_profile *f, const struct rte_mtr_meter_profile *in)
{
	struct rte_meter_srtcm_params sr = {.cir = in->srtcm_rfc2697.cir,
		.cbs = in->srtcm_rfc2697.cbs,
		.ebs = in->srtcm_rfc2697.ebs};
	struct rte_meter_trtcm_params tr = {.cir = in->trtcm_rfc2698.cir,
		.pir = in->trtcm_rfc2698.pir,
		.cbs = in->trtcm_rfc2698.cbs,
		.pbs = in->trtcm_rfc2698.pbs};

	f->alg = in->alg;
	f->packets = in->packet_mode != 0;
	return in->alg == RTE_MTR_SRTCM_RFC2697 ? rte_meter_srtcm_profile_config(&f->srtcm, &sr)
						: rte_meter_trtcm_profile_config(&f->trtcm, &tr);
}

static int
add_profile(struct emu_meters *ms, uint32_t id, const struct rte_mtr_meter_profile *in,
	struct rte_mtr_error *error)
{
	struct emu_meter_profile *f;

	if (in == NULL)
		return FAIL(EINVAL, METER_PROFILE, NULL, "no profile");
	if (find_profile(ms, id) != NULL)
		return FAIL(EEXIST, METER_PROFILE_ID, NULL, "there is a profile of this number");
	if (in->alg != RTE_MTR_SRTCM_RFC2697 && in->alg != RTE_MTR_TRTCM_RFC2698)
		return FAIL(ENOTSUP, METER_PROFILE, in,
			"the algorithms are srTCM (RFC 2697) and trTCM (RFC 2698)");
	if (ms->n_profiles == EMU_MAX_METERS)
		return FAIL(ENOSPC, UNSPECIFIED, NULL, "the port has 4096 profiles, which is all");
	f = rte_zmalloc("emunic meter profile", sizeof(*f), 0);
	if (f == NULL)
		return FAIL(ENOMEM, UNSPECIFIED, NULL, "no memory for the profile");
	if (read_profile(f, in) != 0) {
		rte_free(f);
		return FAIL(EINVAL, METER_PROFILE, in,
			"rates and bursts have to be above 0 (srTCM: one of its bursts), and a "
			"trTCM's peak rate not below its committed one");
	}
	f->id = id;
	LIST_INSERT_HEAD(&ms->profiles, f, list);
	ms->n_profiles++;
	return 0;
}

static int
profile_add(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_meter_profile *in,
	struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);

	return leave(port, add_profile(&port->meters, id, in, error));
}

static int
profile_delete(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);
	struct emu_meter_profile *f = find_profile(&port->meters, id);

	if (f == NULL)
		return leave(port, FAIL(ENOENT, METER_PROFILE_ID, NULL, "no such profile"));
	if (f->users > 0)
		return leave(port, FAIL(EBUSY, METER_PROFILE_ID, NULL, "a meter has the profile"));
	LIST_REMOVE(f, list);
	port->meters.n_profiles--;
	rte_free(f);
	return leave(port, 0);
}

// One colour's actions: DROP, or nothing, or a colour to go on with.
static int
read_color(struct emu_meter_policy *f, unsigned int c, const struct rte_flow_action *a,
	struct rte_mtr_error *error)
{
	const enum rte_mtr_error_type type[] = {RTE_MTR_ERROR_TYPE_POLICER_ACTION_GREEN,
		RTE_MTR_ERROR_TYPE_POLICER_ACTION_YELLOW, RTE_MTR_ERROR_TYPE_POLICER_ACTION_RED};
	const struct rte_flow_action_meter_color *conf;

	f->drop[c] = false;
	f->color[c] = c;
	for (; a != NULL && a->type != RTE_FLOW_ACTION_TYPE_END; a++) {
		conf = a->conf;
		switch (a->type) {
		case RTE_FLOW_ACTION_TYPE_VOID:
		case RTE_FLOW_ACTION_TYPE_PASSTHRU:
			break;
		case RTE_FLOW_ACTION_TYPE_DROP:
			f->drop[c] = true;
			break;
		case RTE_FLOW_ACTION_TYPE_METER_COLOR:
			if (conf == NULL || (unsigned int)conf->color >= RTE_COLORS)
				return -rte_mtr_error_set(error, EINVAL, type[c], a,
					"METER_COLOR needs green, yellow or red");
			f->color[c] = conf->color;
			break;
		default:
			return -rte_mtr_error_set(error, ENOTSUP, type[c], a,
				"a policy's actions are DROP, PASSTHRU and METER_COLOR");
		}
	}
	return 0;
}

static int
read_policy(struct emu_meter_policy *f, const struct rte_mtr_meter_policy_params *in,
	struct rte_mtr_error *error)
{
	int ret = 0;

	if (in == NULL)
		return FAIL(EINVAL, METER_POLICY, NULL, "no policy");
	for (unsigned int c = 0; ret == 0 && c < RTE_COLORS; c++)
		ret = read_color(f, c, in->actions[c], error);
	return ret;
}

static int
policy_validate(struct rte_eth_dev *dev, struct rte_mtr_meter_policy_params *in,
	struct rte_mtr_error *error)
{
	struct emu_meter_policy unused;

	return read_policy(&unused, in, error);
}

static int
policy_add(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_meter_policy_params *in,
	struct rte_mtr_error *error)
{
	struct emu_meter_policy *f, read = {.id = id};
	int ret = read_policy(&read, in, error);
	struct emu_port *port;

	if (ret != 0)
		return ret;
	port = enter(dev);
	if (find_policy(&port->meters, id) != NULL)
		return leave(port,
			FAIL(EEXIST, METER_POLICY_ID, NULL, "there is a policy of this number"));
	if (port->meters.n_policies == EMU_MAX_METERS)
		return leave(port, FAIL(ENOSPC, UNSPECIFIED, NULL,
					   "the port has 4096 policies, which is all"));
	f = rte_malloc("emunic meter policy", sizeof(*f), 0);
	if (f == NULL)
		return leave(port, FAIL(ENOMEM, UNSPECIFIED, NULL, "no memory for the policy"));
	*f = read;
	LIST_INSERT_HEAD(&port->meters.policies, f, list);
	port->meters.n_policies++;
	return leave(port, 0);
}

static int
policy_delete(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);
	struct emu_meter_policy *f = find_policy(&port->meters, id);

	if (f == NULL)
		return leave(port, FAIL(ENOENT, METER_POLICY_ID, NULL, "no such policy"));
	if (f->users > 0)
		return leave(port, FAIL(EBUSY, METER_POLICY_ID, NULL, "a meter has the policy"));
	LIST_REMOVE(f, list);
	port->meters.n_policies--;
	rte_free(f);
	return leave(port, 0);
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
		return FAIL(EINVAL, MTR_PARAMS, NULL, "no parameters");
	if (emu_meter_find(ms, id) != NULL)
		return FAIL(EEXIST, MTR_ID, NULL, "there is a meter of this number");
	profile = find_profile(ms, in->meter_profile_id);
	if (profile == NULL)
		return FAIL(ENOENT, METER_PROFILE_ID, NULL, "no such profile");
	policy = find_policy(ms, in->meter_policy_id);
	if (policy == NULL)
		return FAIL(ENOENT, METER_POLICY_ID, NULL, "no such policy");
	if (in->stats_mask & ~(uint64_t)ALL_STATS)
		return FAIL(
			EINVAL, STATS_MASK, NULL, "unknown statistics: the mask is at most 0xff");
	if (!all_green(in->dscp_table, 64) || !all_green(in->vlan_table, 16))
		return FAIL(ENOTSUP, MTR_PARAMS, in, "colours from DSCP or VLAN are not supported");
	if (ms->n_meters == EMU_MAX_METERS)
		return FAIL(ENOSPC, UNSPECIFIED, NULL, "the port has 4096 meters, which is all");
	m = rte_zmalloc("emunic meter", sizeof(*m), 0);
	if (m == NULL)
		return FAIL(ENOMEM, UNSPECIFIED, NULL, "no memory for the meter");
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
	struct emu_port *port = enter(dev);

	return leave(port, create_meter(&port->meters, id, in, shared, error));
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
	struct emu_port *port = enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m == NULL)
		return leave(port, -ENOENT);
	if (m->users > 0)
		return leave(port, FAIL(EBUSY, MTR_ID, NULL, "a rule has the meter"));
	m->profile->users--;
	m->policy->users--;
	LIST_REMOVE(m, list);
	port->meters.n_meters--;
	rte_free(m);
	return leave(port, 0);
}

static int
set_enabled(struct rte_eth_dev *dev, uint32_t id, bool on, struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m != NULL)
		m->enabled = on;
	return leave(port, m != NULL ? 0 : -ENOENT);
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
	struct emu_port *port = enter(dev);
	struct emu_meter *m = find(port, id, error);
	struct emu_meter_profile *f = find_profile(&port->meters, profile);

	if (m == NULL)
		return leave(port, -ENOENT);
	if (f == NULL)
		return leave(port, FAIL(ENOENT, METER_PROFILE_ID, NULL, "no such profile"));
	m->profile->users--;
	m->profile = f;
	f->users++;
	return leave(port, emu_meter_config(m));
}

static int
meter_policy_update(
	struct rte_eth_dev *dev, uint32_t id, uint32_t policy, struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);
	struct emu_meter *m = find(port, id, error);
	struct emu_meter_policy *f = find_policy(&port->meters, policy);

	if (m == NULL)
		return leave(port, -ENOENT);
	if (f == NULL)
		return leave(port, FAIL(ENOENT, METER_POLICY_ID, NULL, "no such policy"));
	m->policy->users--;
	m->policy = f;
	f->users++;
	return leave(port, 0);
}

static int
stats_update(struct rte_eth_dev *dev, uint32_t id, uint64_t mask, struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m == NULL)
		return leave(port, -ENOENT);
	if (mask & ~(uint64_t)ALL_STATS)
		return leave(port, FAIL(EINVAL, STATS_MASK, NULL,
					   "unknown statistics: the mask is at most 0xff"));
	m->stats_mask = mask;
	return leave(port, 0);
}

static int
stats_read(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_stats *stats, uint64_t *mask,
	int clear, struct rte_mtr_error *error)
{
	struct emu_port *port = enter(dev);
	struct emu_meter *m = find(port, id, error);

	if (m == NULL)
		return leave(port, -ENOENT);
	if (stats != NULL)
		*stats = m->stats;
	if (mask != NULL)
		*mask = m->stats_mask;
	if (clear)
		memset(&m->stats, 0, sizeof(m->stats));
	return leave(port, 0);
}

static const struct rte_mtr_ops ops = {
	.capabilities_get = capabilities,
	.meter_profile_add = profile_add,
	.meter_profile_delete = profile_delete,
	.create = meter_create,
	.destroy = meter_destroy,
	.meter_enable = meter_enable,
	.meter_disable = meter_disable,
	.meter_profile_update = meter_profile_update,
	.meter_policy_update = meter_policy_update,
	.stats_update = stats_update,
	.stats_read = stats_read,
	.meter_policy_validate = policy_validate,
	.meter_policy_add = policy_add,
	.meter_policy_delete = policy_delete,
};

int
emu_port_mtr_ops(struct rte_eth_dev *dev, void *out)
{
	*(const struct rte_mtr_ops **)out = &ops;
	return 0;
}
