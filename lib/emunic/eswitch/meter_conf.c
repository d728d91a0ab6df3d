// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/meter_ops.h"

#include <errno.h>

#include <rte_flow.h>
#include <rte_malloc.h>

// What meters are made of: profiles (rates) and policies (what becomes of each colour).

struct emu_meter_profile *
emu_meter_profile_find(struct emu_meters *ms, uint32_t id)
{
	struct emu_meter_profile *f;

	LIST_FOREACH(f, &ms->profiles, list)
	if (f->id == id)
		return f;
	return NULL;
}

struct emu_meter_policy *
emu_meter_policy_find(struct emu_meters *ms, uint32_t id)
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
		return MTR_FAIL(EINVAL, METER_PROFILE, NULL, "no profile");
	if (emu_meter_profile_find(ms, id) != NULL)
		return MTR_FAIL(
			EEXIST, METER_PROFILE_ID, NULL, "there is a profile of this number");
	if (in->alg != RTE_MTR_SRTCM_RFC2697 && in->alg != RTE_MTR_TRTCM_RFC2698)
		return MTR_FAIL(ENOTSUP, METER_PROFILE, in,
			"the algorithms are srTCM (RFC 2697) and trTCM (RFC 2698)");
	if (ms->n_profiles == EMU_MAX_METERS)
		return MTR_FAIL(
			ENOSPC, UNSPECIFIED, NULL, "the port has 4096 profiles, which is all");
	f = rte_zmalloc("emunic meter profile", sizeof(*f), 0);
	if (f == NULL)
		return MTR_FAIL(ENOMEM, UNSPECIFIED, NULL, "no memory for the profile");
	if (read_profile(f, in) != 0) {
		rte_free(f);
		return MTR_FAIL(EINVAL, METER_PROFILE, in,
			"rates and bursts have to be above 0 (srTCM: one of its bursts), and a "
			"trTCM's peak rate not below its committed one");
	}
	f->id = id;
	LIST_INSERT_HEAD(&ms->profiles, f, list);
	ms->n_profiles++;
	return 0;
}

int
emu_meter_profile_add(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_meter_profile *in,
	struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);

	return emu_mtr_leave(port, add_profile(&port->meters, id, in, error));
}

int
emu_meter_profile_delete(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter_profile *f = emu_meter_profile_find(&port->meters, id);

	if (f == NULL)
		return emu_mtr_leave(
			port, MTR_FAIL(ENOENT, METER_PROFILE_ID, NULL, "no such profile"));
	if (f->users > 0)
		return emu_mtr_leave(
			port, MTR_FAIL(EBUSY, METER_PROFILE_ID, NULL, "a meter has the profile"));
	LIST_REMOVE(f, list);
	port->meters.n_profiles--;
	rte_free(f);
	return emu_mtr_leave(port, 0);
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
		return MTR_FAIL(EINVAL, METER_POLICY, NULL, "no policy");
	for (unsigned int c = 0; ret == 0 && c < RTE_COLORS; c++)
		ret = read_color(f, c, in->actions[c], error);
	return ret;
}

int
emu_meter_policy_validate(struct rte_eth_dev *dev, struct rte_mtr_meter_policy_params *in,
	struct rte_mtr_error *error)
{
	struct emu_meter_policy unused;

	return read_policy(&unused, in, error);
}

int
emu_meter_policy_add(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_meter_policy_params *in,
	struct rte_mtr_error *error)
{
	struct emu_meter_policy *f, read = {.id = id};
	int ret = read_policy(&read, in, error);
	struct emu_port *port;

	if (ret != 0)
		return ret;
	port = emu_mtr_enter(dev);
	if (emu_meter_policy_find(&port->meters, id) != NULL)
		return emu_mtr_leave(port, MTR_FAIL(EEXIST, METER_POLICY_ID, NULL,
						   "there is a policy of this number"));
	if (port->meters.n_policies == EMU_MAX_METERS)
		return emu_mtr_leave(port, MTR_FAIL(ENOSPC, UNSPECIFIED, NULL,
						   "the port has 4096 policies, which is all"));
	f = rte_malloc("emunic meter policy", sizeof(*f), 0);
	if (f == NULL)
		return emu_mtr_leave(
			port, MTR_FAIL(ENOMEM, UNSPECIFIED, NULL, "no memory for the policy"));
	*f = read;
	LIST_INSERT_HEAD(&port->meters.policies, f, list);
	port->meters.n_policies++;
	return emu_mtr_leave(port, 0);
}

int
emu_meter_policy_delete(struct rte_eth_dev *dev, uint32_t id, struct rte_mtr_error *error)
{
	struct emu_port *port = emu_mtr_enter(dev);
	struct emu_meter_policy *f = emu_meter_policy_find(&port->meters, id);

	if (f == NULL)
		return emu_mtr_leave(
			port, MTR_FAIL(ENOENT, METER_POLICY_ID, NULL, "no such policy"));
	if (f->users > 0)
		return emu_mtr_leave(
			port, MTR_FAIL(EBUSY, METER_POLICY_ID, NULL, "a meter has the policy"));
	LIST_REMOVE(f, list);
	port->meters.n_policies--;
	rte_free(f);
	return emu_mtr_leave(port, 0);
}
