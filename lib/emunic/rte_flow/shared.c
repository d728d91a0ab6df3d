// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/shared.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "rte_flow/build.h"

// The application's handle.
struct rte_flow_action_handle {
	LIST_ENTRY(rte_flow_action_handle) list; // of the port
	enum rte_flow_action_type type;
	uint8_t domains; // that rules with it may be of
	struct emu_counter counter;
	struct emu_age *age;
};

static struct rte_flow_action_handle *
find(const struct emu_port *port, const void *handle)
{
	struct rte_flow_action_handle *h;

	LIST_FOREACH(h, &port->handles, list)
	if (h == handle)
		return h;
	return NULL;
}

static int
unknown(const void *handle, struct rte_flow_error *error)
{
	return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, handle,
		"the port has no such shared action");
}

int
emu_build_shared(struct emu_build *b)
{
	struct rte_flow_action_handle *h = find(b->port, b->action->conf);

	if (h == NULL)
		return emu_build_conf(b, "INDIRECT: the port has no such shared action");
	if (!(h->domains & b->spec->domain))
		return emu_build_conf(
			b, "INDIRECT: the shared action is not for rules of this domain");
	if (h->type == RTE_FLOW_ACTION_TYPE_AGE) {
		if (b->act->age_timeout > 0 || b->act->age != NULL)
			return emu_build_invalid(b, "a second AGE");
		b->act->age = h->age;
		return 0;
	}
	if (b->act->count)
		return emu_build_invalid(b, "a second COUNT");
	b->act->count = true;
	b->act->counter = &h->counter;
	return 0;
}

static int
open_handle(struct emu_port *port, struct rte_flow_action_handle *h,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	const struct rte_flow_action_age *age = action->conf;

	h->type = action->type;
	if (action->type == RTE_FLOW_ACTION_TYPE_COUNT)
		return 0;
	if (action->type != RTE_FLOW_ACTION_TYPE_AGE)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, action,
			"COUNT and AGE can be shared");
	if (age == NULL || age->timeout == 0)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, age,
			"AGE needs a timeout of a second or more");
	h->age = emu_age_new(port, age->timeout, age->context != NULL ? age->context : h);
	if (h->age == NULL)
		return rte_flow_error_set(error, ENOMEM, RTE_FLOW_ERROR_TYPE_ACTION, action,
			"no memory for the shared action");
	return 0;
}

struct rte_flow_action_handle *
emu_handle_create(struct rte_eth_dev *dev, const struct rte_flow_indir_action_conf *conf,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_action_handle *h;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_flow_gone(port, error);
	h = ret == 0 ? rte_zmalloc("emunic handle", sizeof(*h), 64) : NULL;
	if (ret == 0 && (h == NULL || port->n_handles == EMU_MAX_HANDLES)) {
		ret = rte_flow_error_set(error, h == NULL ? ENOMEM : ENOSPC,
			RTE_FLOW_ERROR_TYPE_ACTION, action,
			h == NULL ? "no memory for the shared action"
				  : "the port has its 4096 shared actions");
	}
	if (ret == 0)
		ret = open_handle(port, h, action, error);
	if (ret == 0) {
		// No direction named: any.
		h->domains = (conf->ingress ? EMU_ON_INGRESS : 0) |
			     (conf->egress ? EMU_ON_EGRESS : 0) |
			     (conf->transfer ? EMU_ON_TRANSFER : 0);
		if (h->domains == 0)
			h->domains = EMU_ON_ALL;
		LIST_INSERT_HEAD(&port->handles, h, list);
		port->n_handles++;
	} else {
		rte_free(h);
		h = NULL;
	}
	emu_gate_leave(&port->nic->gate);
	return h;
}

static void
close_handle(struct emu_port *port, struct rte_flow_action_handle *h)
{
	LIST_REMOVE(h, list);
	port->n_handles--;
	if (h->age != NULL)
		emu_age_free(h->age);
	rte_free(h);
}

int
emu_handle_destroy(struct rte_eth_dev *dev, struct rte_flow_action_handle *handle,
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_action_handle *h;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	h = find(port, handle);
	if (h == NULL)
		ret = unknown(handle, error);
	else if (h->counter.users > 0 || (h->age != NULL && h->age->users > 0))
		ret = rte_flow_error_set(error, EBUSY, RTE_FLOW_ERROR_TYPE_HANDLE, handle,
			"rules use the shared action");
	else
		close_handle(port, h);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_handle_update(struct rte_eth_dev *dev, struct rte_flow_action_handle *handle,
	const void *update, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	const struct rte_flow_update_age *u = update;
	struct rte_flow_action_handle *h;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	h = find(port, handle);
	if (h == NULL)
		ret = unknown(handle, error);
	else if (h->age == NULL)
		ret = rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_HANDLE, handle,
			"a shared COUNT has nothing to update");
	else if (u->timeout_valid && u->timeout == 0)
		ret = rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, update,
			"AGE needs a timeout of a second or more");
	if (ret == 0 && u->timeout_valid)
		h->age->timeout = u->timeout;
	if (ret == 0 && u->touch)
		h->age->hit = true;
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_handle_query(struct rte_eth_dev *dev, const struct rte_flow_action_handle *handle, void *data,
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_action_handle *h;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	h = find(port, handle);
	if (h == NULL)
		ret = unknown(handle, error);
	else if (h->age != NULL)
		emu_answer_age(h->age, data);
	else
		emu_answer_count(port->nic, &h->counter, data);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

void
emu_handles_fini(struct emu_port *port)
{
	emu_gate_enter(&port->nic->gate);
	while (!LIST_EMPTY(&port->handles))
		close_handle(port, LIST_FIRST(&port->handles));
	emu_gate_leave(&port->nic->gate);
}
