// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/shared.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "eswitch/rss_rule.h"
#include "rte_flow/build.h"

// The application's handle.
struct rte_flow_action_handle {
	LIST_ENTRY(rte_flow_action_handle) list; // of the port
	enum rte_flow_action_type type;
	uint8_t domains; // that rules with it may be of
	struct emu_counter counter;
	struct emu_age *age;      // or NULL
	struct emu_rss_rule *rss; // or NULL; one of its references is the handle's
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

static bool
is_busy(const struct rte_flow_action_handle *h)
{
	return h->counter.users > 0 || (h->age != NULL && h->age->users > 0) ||
	       (h->rss != NULL && h->rss->refs > 1);
}

int
emu_handle_type(const struct emu_port *port, const void *handle)
{
	const struct rte_flow_action_handle *h = find(port, handle);

	return h != NULL ? (int)h->type : -1;
}

static int
share_age(struct emu_build *b, const struct rte_flow_action_handle *h)
{
	if (b->act->age_timeout > 0 || b->act->age != NULL)
		return emu_build_invalid(b, "a second AGE");
	b->act->age = h->age;
	return 0;
}

static int
share_count(struct emu_build *b, struct rte_flow_action_handle *h)
{
	if (b->act->count)
		return emu_build_invalid(b, "a second COUNT");
	b->act->count = true;
	b->act->counter = &h->counter;
	return 0;
}

static int
share_rss(struct emu_build *b, const struct rte_flow_action_handle *h)
{
	int ret = emu_build_decide(b, EMU_FATE_RSS, 0);

	if (ret != 0)
		return ret;
	h->rss->refs++;
	b->rss = h->rss;
	return 0;
}

int
emu_build_shared(struct emu_build *b)
{
	struct rte_flow_action_handle *h = find(b->port, b->action->conf);
	int ret;

	if (h == NULL)
		return emu_build_conf(b, "INDIRECT: the port has no such shared action");
	if (!(h->domains & b->spec->domain))
		return emu_build_conf(
			b, "INDIRECT: the shared action is not for rules of this domain");
	ret = emu_flow_supported(b->port, b->spec, true, h->type, b->action, b->error);
	if (ret < 0)
		return ret;
	return h->type == RTE_FLOW_ACTION_TYPE_AGE   ? share_age(b, h)
	       : h->type == RTE_FLOW_ACTION_TYPE_RSS ? share_rss(b, h)
						     : share_count(b, h);
}

// Reads an RSS action as one of a rule of the port. The builder's operations stay untouched.
static int
read_rss(struct emu_port *port, const struct rte_flow_action *action, struct emu_rss_rule **out,
	struct rte_flow_error *error)
{
	struct emu_build b;

	memset(&b, 0, offsetof(struct emu_build, ops));
	b.port = port;
	b.action = action;
	b.error = error;
	return emu_rss_rule_read(&b, out);
}

static int
open_age(struct emu_port *port, struct rte_flow_action_handle *h,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	const struct rte_flow_action_age *age = action->conf;

	if (age == NULL || age->timeout == 0)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_CONF, age,
			"AGE needs a timeout of a second or more");
	h->age = emu_age_new(port, age->timeout, age->context != NULL ? age->context : h);
	if (h->age == NULL)
		return rte_flow_error_set(error, ENOMEM, RTE_FLOW_ERROR_TYPE_ACTION, action,
			"no memory for the shared action");
	return 0;
}

// Fills h, whose domains are known, with what the action says.
static int
open_handle(struct emu_port *port, struct rte_flow_action_handle *h,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	const struct emu_flow_spec spec = {.domain = h->domains};
	int ret = emu_flow_supported(port, &spec, true, action->type, action, error);

	if (ret < 0)
		return ret;
	h->type = action->type;
	switch (action->type) {
	case RTE_FLOW_ACTION_TYPE_COUNT:
		return 0;
	case RTE_FLOW_ACTION_TYPE_AGE:
		return open_age(port, h, action, error);
	case RTE_FLOW_ACTION_TYPE_RSS:
		return read_rss(port, action, &h->rss, error);
	default:
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, action,
			"only COUNT, AGE and RSS can be shared");
	}
}

struct rte_flow_action_handle *
emu_shared_create(struct emu_port *port, const struct rte_flow_indir_action_conf *conf,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	struct rte_flow_action_handle *h;

	if (emu_flow_gone(port, error) != 0)
		return NULL;
	h = rte_zmalloc("emunic handle", sizeof(*h), 64);
	if (h == NULL || port->n_handles == EMU_MAX_HANDLES) {
		rte_flow_error_set(error, h == NULL ? ENOMEM : ENOSPC, RTE_FLOW_ERROR_TYPE_ACTION,
			action,
			h == NULL ? "no memory for the shared action"
				  : "the port has its 4096 shared actions");
		rte_free(h);
		return NULL;
	}
	h->domains = (conf->ingress ? EMU_ON_INGRESS : 0) | (conf->egress ? EMU_ON_EGRESS : 0) |
		     (conf->transfer ? EMU_ON_TRANSFER : 0);
	if (h->domains == 0) // no direction named: any
		h->domains = EMU_ON_ALL;
	if (open_handle(port, h, action, error) != 0) {
		rte_free(h);
		return NULL;
	}
	LIST_INSERT_HEAD(&port->handles, h, list);
	port->n_handles++;
	return h;
}

static void
close_handle(struct emu_port *port, struct rte_flow_action_handle *h)
{
	LIST_REMOVE(h, list);
	port->n_handles--;
	if (h->age != NULL)
		emu_age_free(h->age);
	emu_rss_rule_put(h->rss);
	rte_free(h);
}

int
emu_shared_destroy(
	struct emu_port *port, struct rte_flow_action_handle *handle, struct rte_flow_error *error)
{
	struct rte_flow_action_handle *h = find(port, handle);

	if (h == NULL)
		return unknown(handle, error);
	if (is_busy(h))
		return rte_flow_error_set(error, EBUSY, RTE_FLOW_ERROR_TYPE_HANDLE, handle,
			"rules use the shared action");
	close_handle(port, h);
	return 0;
}

static int
update_age(struct rte_flow_action_handle *h, const struct rte_flow_update_age *u,
	struct rte_flow_error *error)
{
	if (u->timeout_valid && u->timeout == 0)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, u,
			"AGE needs a timeout of a second or more");
	if (u->timeout_valid)
		h->age->timeout = u->timeout;
	if (u->touch)
		h->age->hit = true;
	return 0;
}

// All rules that share it go by the new one from the next packet on.
static int
update_rss(struct emu_port *port, struct rte_flow_action_handle *h,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	struct emu_rss_rule *fresh;
	uint32_t refs = h->rss->refs;
	int ret;

	if (action->type != RTE_FLOW_ACTION_TYPE_RSS)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, action,
			"a shared RSS is updated by an RSS action");
	ret = read_rss(port, action, &fresh, error);
	if (ret != 0)
		return ret;
	*h->rss = *fresh;
	h->rss->refs = refs;
	emu_rss_rule_put(fresh);
	return 0;
}

int
emu_shared_update(struct emu_port *port, struct rte_flow_action_handle *handle, const void *update,
	struct rte_flow_error *error)
{
	struct rte_flow_action_handle *h = find(port, handle);

	if (h == NULL)
		return unknown(handle, error);
	if (h->type == RTE_FLOW_ACTION_TYPE_COUNT)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_HANDLE, handle,
			"a shared COUNT has nothing to update");
	if (update == NULL)
		return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
			"nothing to update the shared action with");
	return h->age != NULL ? update_age(h, update, error) : update_rss(port, h, update, error);
}

int
emu_shared_query(struct emu_port *port, const struct rte_flow_action_handle *handle, void *data,
	struct rte_flow_error *error)
{
	struct rte_flow_action_handle *h = find(port, handle);

	if (h == NULL)
		return unknown(handle, error);
	if (h->age != NULL)
		emu_answer_age(h->age, data);
	else if (h->rss != NULL)
		emu_answer_rss(port, h->rss, data);
	else
		emu_answer_count(port->nic, &h->counter, data);
	return 0;
}

struct rte_flow_action_handle *
emu_handle_create(struct rte_eth_dev *dev, const struct rte_flow_indir_action_conf *conf,
	const struct rte_flow_action *action, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct rte_flow_action_handle *h;

	emu_gate_enter(&port->nic->gate);
	h = emu_shared_create(port, conf, action, error);
	emu_gate_leave(&port->nic->gate);
	return h;
}

int
emu_handle_destroy(struct rte_eth_dev *dev, struct rte_flow_action_handle *handle,
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_shared_destroy(port, handle, error);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_handle_update(struct rte_eth_dev *dev, struct rte_flow_action_handle *handle,
	const void *update, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_shared_update(port, handle, update, error);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

int
emu_handle_query(struct rte_eth_dev *dev, const struct rte_flow_action_handle *handle, void *data,
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_shared_query(port, handle, data, error);
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
