// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/build.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "eswitch/meter.h"

// METER and SAMPLE: the operations that stand for something outside of the rule.

int
emu_build_meter(struct emu_build *b)
{
	const struct rte_flow_action_meter *conf = b->action->conf;
	struct emu_op op = {.code = EMU_OP_METER};
	int ret;

	op.meter = conf != NULL ? emu_meter_find(&b->port->meters, conf->mtr_id) : NULL;
	if (op.meter == NULL)
		return emu_build_conf(b, "METER: the port has no such meter (rte_mtr_create)");
	if (op.meter->users > 0 && !op.meter->shared)
		return emu_build_conf(b, "METER: another rule has the meter, which is not shared");
	ret = emu_build_op(b, &op);
	if (ret == 0)
		op.meter->users++;
	return ret;
}

static bool
may_be_sampled(int type)
{
	return type != RTE_FLOW_ACTION_TYPE_JUMP && type != RTE_FLOW_ACTION_TYPE_SAMPLE &&
	       type != RTE_FLOW_ACTION_TYPE_METER && type != RTE_FLOW_ACTION_TYPE_COUNT &&
	       type != RTE_FLOW_ACTION_TYPE_AGE && type != RTE_FLOW_ACTION_TYPE_INDIRECT &&
	       type != RTE_FLOW_ACTION_TYPE_DROP && type != RTE_FLOW_ACTION_TYPE_PASSTHRU;
}

int
emu_build_sample(struct emu_build *b)
{
	const struct rte_flow_action_sample *conf = b->action->conf;
	struct emu_op op = {.code = EMU_OP_SAMPLE};
	struct emu_flow_spec sub = *b->spec;
	struct emu_sample *s;
	int ret;

	if (conf == NULL || conf->ratio == 0 || conf->actions == NULL)
		return emu_build_conf(b, "SAMPLE needs a ratio above 0 and actions");
	for (const struct rte_flow_action *a = conf->actions; a->type != RTE_FLOW_ACTION_TYPE_END;
		a++)
		if (!may_be_sampled(a->type))
			return rte_flow_error_set(b->error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, a,
				"SAMPLE: a copy cannot be dropped, counted, aged, metered, sampled "
				"again, let pass, or jump");
	memset(&sub.act, 0, sizeof(sub.act));
	ret = emu_flow_actions(b->port, conf->actions, &sub, b->error);
	if (ret != 0)
		return ret;
	s = rte_zmalloc("emunic sample", sizeof(*s), 0);
	if (s == NULL || sub.act.fate == EMU_FATE_NONE || sub.act.fate == EMU_FATE_GROUP) {
		const char *why = s == NULL ? "no memory for a sample"
				  : sub.act.fate == EMU_FATE_NONE
					  ? "SAMPLE: the copy has to go somewhere"
					  : "SAMPLE: a copy is of no flow, so it cannot go to a "
					    "queue group";

		rte_free(s);
		emu_actions_release(&sub.act);
		return emu_build_conf(b, why);
	}
	s->ratio = conf->ratio;
	s->port = b->port;
	s->act = sub.act;
	op.sample = s;
	ret = emu_build_op(b, &op);
	if (ret != 0) {
		emu_actions_release(&s->act);
		rte_free(s);
	}
	return ret;
}
