// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "rte_flow/async.h"
#include "rte_flow/build.h"

// What the configurations of a template's actions lead to, where rte_flow_conv copies no more than
// the pointer: the bytes of RAW actions, the value of MODIFY_FIELD, the actions of SAMPLE.

#define NAME "emunic template"

static void *
copy_bytes(const void *from, size_t n, size_t room)
{
	void *to = rte_zmalloc(NAME, room, 0);

	if (to != NULL)
		memcpy(to, from, n);
	return to;
}

static struct rte_flow_action *
copy_actions(const struct rte_flow_action *from)
{
	int size = rte_flow_conv(RTE_FLOW_CONV_OP_ACTIONS, NULL, 0, from, NULL);
	struct rte_flow_action *to = size > 0 ? rte_zmalloc(NAME, size, 0) : NULL;

	if (to != NULL)
		rte_flow_conv(RTE_FLOW_CONV_OP_ACTIONS, to, size, from, NULL);
	return to;
}

// Each takes over what the copied configuration leads to; not: it forgets it, as it is the
// application's.
static int
keep_raw(uint8_t **bytes, size_t n, bool take)
{
	const uint8_t *from = *bytes;

	if (from == NULL)
		return 0;
	*bytes = take ? copy_bytes(from, n, RTE_MAX(n, 1U)) : NULL;
	return *bytes != NULL ? 0 : -ENOMEM;
}

// A rule may bring another destination, whose values are longer.
static int
keep_value(struct rte_flow_action_modify_field *conf, bool take)
{
	const void *from = conf->src.pvalue;
	size_t n = emu_modify_value_size(conf->dst.field);

	if (conf->src.field != RTE_FLOW_FIELD_POINTER || from == NULL)
		return 0;
	conf->src.pvalue = take ? copy_bytes(from, n, EMU_MODIFY_VALUE_MAX) : NULL;
	return conf->src.pvalue != NULL ? 0 : -ENOMEM;
}

static int
keep_sample(struct rte_flow_action_sample *conf, bool take)
{
	const struct rte_flow_action *from = conf->actions;
	struct rte_flow_action *to;

	if (from == NULL)
		return 0;
	to = take ? copy_actions(from) : NULL;
	conf->actions = to;
	return to != NULL ? emu_template_keep(to) : -ENOMEM;
}

static int
keep(const struct rte_flow_action *a, bool take)
{
	void *conf = (void *)(uintptr_t)a->conf;
	struct rte_flow_action_raw_encap *encap = conf;
	struct rte_flow_action_raw_decap *decap = conf;

	if (conf == NULL)
		return 0;
	switch ((int)a->type) {
	case RTE_FLOW_ACTION_TYPE_RAW_ENCAP:
		encap->preserve = NULL; // nobody reads it
		return keep_raw(&encap->data, encap->size, take);
	case RTE_FLOW_ACTION_TYPE_RAW_DECAP:
		return keep_raw(&decap->data, decap->size, take);
	case RTE_FLOW_ACTION_TYPE_MODIFY_FIELD:
		return keep_value(conf, take);
	case RTE_FLOW_ACTION_TYPE_SAMPLE:
		return keep_sample(conf, take);
	default:
		return 0;
	}
}

int
emu_template_keep(struct rte_flow_action *list)
{
	int ret = 0;

	for (; list->type != RTE_FLOW_ACTION_TYPE_END; list++) {
		int rc = keep(list, ret == 0);

		ret = ret == 0 ? rc : ret;
	}
	return ret;
}

static void
drop(const struct rte_flow_action *a)
{
	const struct rte_flow_action_modify_field *modify = a->conf;
	const struct rte_flow_action_sample *sample = a->conf;
	const struct rte_flow_action_raw_encap *encap = a->conf;
	const struct rte_flow_action_raw_decap *decap = a->conf;

	if (a->conf == NULL)
		return;
	if (a->type == RTE_FLOW_ACTION_TYPE_RAW_ENCAP) {
		rte_free(encap->data);
	} else if (a->type == RTE_FLOW_ACTION_TYPE_RAW_DECAP) {
		rte_free(decap->data);
	} else if (a->type == RTE_FLOW_ACTION_TYPE_MODIFY_FIELD) {
		if (modify->src.field == RTE_FLOW_FIELD_POINTER)
			rte_free(modify->src.pvalue);
	} else if (a->type == RTE_FLOW_ACTION_TYPE_SAMPLE) {
		emu_template_drop(sample->actions);
		rte_free((void *)(uintptr_t)sample->actions);
	}
}

void
emu_template_drop(const struct rte_flow_action *list)
{
	for (; list != NULL && list->type != RTE_FLOW_ACTION_TYPE_END; list++)
		drop(list);
}
