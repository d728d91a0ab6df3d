// SPDX-License-Identifier: BSD-3-Clause
#include "rte_flow/flow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_version.h>

#include "rte_flow/async.h"
#include "rte_flow/shared.h"
#include "eswitch/program.h"

struct emu_port *
emu_flow_port(struct emu_port *port, uint16_t ethdev_id)
{
	struct emu_nic *nic = port->nic;

	for (uint16_t i = 0; i < nic->n_sides; i++)
		if (nic->ports[i] != NULL && nic->ports[i]->dev->data->port_id == ethdev_id)
			return nic->ports[i];
	return NULL;
}

static int
flow_validate(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_flow_spec spec;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_flow_compile(port, attr, pattern, actions, &spec, error);
	if (ret == 0)
		ret = emu_flow_room(port, &spec, error);
	emu_actions_release(&spec.act);
	emu_gate_leave(&port->nic->gate);
	return ret;
}

static void
sleep_ns(uint64_t ns)
{
	struct timespec ts = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};

	while (ns > 0 && nanosleep(&ts, &ts) != 0 && errno == EINTR)
		;
}

uint64_t
emu_insertion_turn(struct emu_nic *nic, uint64_t now)
{
	const struct emu_moods *m = &nic->moods;
	uint64_t free = RTE_MAX(nic->insert_next_ns, nic->insert_done_ns);
	uint64_t begin = RTE_MAX(now, free);

	if (m->insert_rate > 0)
		nic->insert_next_ns = begin + NS_PER_S / m->insert_rate;
	nic->insert_done_ns = begin + m->insert_us * 1000ULL;
	return nic->insert_done_ns;
}

// Waits as long as the hardware takes for an insertion.
static void
insertion_cost(struct emu_nic *nic)
{
	struct timespec ts;
	uint64_t now, done;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * NS_PER_S + ts.tv_nsec;
	emu_gate_enter(&nic->gate);
	done = emu_insertion_turn(nic, now);
	emu_gate_leave(&nic->gate);
	if (done > now)
		sleep_ns(done - now);
}

// The next insertions that are to fail.
static int
check_failure(struct emu_port *port, struct rte_flow_error *error)
{
	struct emu_moods *m = &port->nic->moods;

	if (m->fail_next == 0)
		return 0;
	m->fail_next--;
	return rte_flow_error_set(error, m->fail_errno, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
		"the NIC failed (fail_next)");
}

// The next rules that are to be accepted and not to work match only what comes from a port that no
// NIC has.
static void
make_dead(struct emu_moods *m, struct emu_flow_spec *spec)
{
	if (m->dead_next == 0)
		return;
	m->dead_next--;
	spec->match.key.port = UINT16_MAX;
	spec->match.mask.port = UINT16_MAX;
}

// The rule begins to use what it shares with others, and its own age object. False when memory
// ends.
static bool
attach(struct emu_port *port, struct rte_flow *flow)
{
	struct emu_actions *act = &flow->act;

	if (act->age_timeout > 0) {
		act->age = emu_age_new(
			port, act->age_timeout, act->age_context != NULL ? act->age_context : flow);
		if (act->age == NULL)
			return false;
	}
	if (act->age != NULL)
		act->age->users++;
	if (act->counter != NULL)
		act->counter->users++;
	emu_rule_settle(flow);
	return true;
}

static void
detach(struct rte_flow *flow)
{
	struct emu_actions *act = &flow->act;

	if (act->age != NULL && --act->age->users == 0 && act->age_timeout > 0)
		emu_age_free(act->age);
	if (act->counter != NULL)
		act->counter->users--;
	act->age = NULL;
	act->counter = NULL;
}

// Puts a rule that was judged into its table. Under the gate.
static struct rte_flow *
insert(struct emu_port *port, const struct emu_flow_spec *spec, struct rte_flow_error *error)
{
	struct emu_rules *r = &port->nic->rules;
	struct emu_table *root = emu_flow_root(port, spec->domain), *next = NULL;
	struct emu_table *t = emu_group_get(r, root, spec->group);
	struct rte_flow *flow = NULL;
	int err = ENOMEM;

	if (t != NULL && spec->act.fate == EMU_FATE_JUMP)
		next = emu_group_get(r, root, spec->act.jump);
	if (t != NULL && (next != NULL || spec->act.fate != EMU_FATE_JUMP))
		flow = emu_table_add(r, t, &spec->match, spec->priority, &spec->act, &err);
	if (flow != NULL && !attach(port, flow)) {
		emu_table_del(r, t, flow);
		flow = NULL;
		err = ENOMEM;
	}
	if (flow == NULL) {
		if (next != NULL)
			emu_group_put(r, next);
		if (t != NULL)
			emu_group_put(r, t);
		rte_flow_error_set(error, err == ENOMEM ? ENOMEM : ENOSPC,
			RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
			err == ENOMEM  ? "no memory for the rule"
			: err == E2BIG ? "64 rules differ from it in their ranges only"
				       : "no room for another mask");
		return NULL;
	}
	if (next != NULL)
		next->refs++;
	flow->next = next;
	flow->port = port;
	port->nic->n_transfer += spec->transfer;
	emu_add(&port->nic->rule_changes, 1);
	TAILQ_INSERT_TAIL(&port->rules, flow, list);
	return flow;
}

struct rte_flow *
emu_flow_insert(struct emu_port *port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	struct rte_flow *flow = NULL;
	struct emu_flow_spec spec;

	if (emu_flow_compile(port, attr, pattern, actions, &spec, error) == 0 &&
		emu_flow_room(port, &spec, error) == 0 && check_failure(port, error) == 0) {
		make_dead(&port->nic->moods, &spec);
		flow = insert(port, &spec, error);
	}
	if (flow == NULL)
		emu_actions_release(&spec.act);
	return flow;
}

static struct rte_flow *
flow_create(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_nic *nic = port->nic;
	struct rte_flow *flow;

	pthread_mutex_lock(&nic->insert_lock);
	insertion_cost(nic);
	emu_gate_enter(&nic->gate);
	flow = emu_flow_insert(port, attr, pattern, actions, error);
	emu_gate_leave(&nic->gate);
	pthread_mutex_unlock(&nic->insert_lock);
	return flow;
}

bool
emu_flow_live(const struct emu_port *port, const struct rte_flow *flow)
{
	const struct emu_rules *r = &port->nic->rules;

	if (flow <= emu_rule_none(r) || flow > r->slots + r->capacity)
		return false;
	return ((uintptr_t)flow - (uintptr_t)r->slots) % sizeof(*flow) == 0 && flow->port == port;
}

static bool
is_transfer(const struct emu_nic *nic, const struct rte_flow *flow)
{
	return flow->table == &nic->transfer || flow->table->root == &nic->transfer;
}

void
emu_flow_remove(struct emu_port *port, struct rte_flow *flow)
{
	struct emu_nic *nic = port->nic;
	struct emu_table *t = flow->table, *next = flow->next;

	TAILQ_REMOVE(&port->rules, flow, list);
	flow->port = NULL;
	nic->n_transfer -= is_transfer(nic, flow);
	emu_add(&nic->rule_changes, 1);
	emu_table_del(&nic->rules, t, flow);
	detach(flow);
	if (flow->template != NULL)
		emu_template_use(flow->template, -1);
	emu_actions_release(&flow->act);
	if (next != NULL) {
		next->refs--;
		emu_group_put(&nic->rules, next);
	}
	emu_group_put(&nic->rules, t);
}

static int
flow_destroy(struct rte_eth_dev *dev, struct rte_flow *flow, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	bool live;

	emu_gate_enter(&port->nic->gate);
	live = emu_flow_live(port, flow);
	if (live)
		emu_flow_remove(port, flow);
	emu_gate_leave(&port->nic->gate);
	if (!live)
		return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"the port has no such rule");
	return 0;
}

// One rule at a time, so that the firmware is never held up for long.
void
emu_flow_forget(struct emu_port *port)
{
	bool more;

	do {
		emu_gate_enter(&port->nic->gate);
		more = !TAILQ_EMPTY(&port->rules);
		if (more)
			emu_flow_remove(port, TAILQ_FIRST(&port->rules));
		emu_gate_leave(&port->nic->gate);
	} while (more);
}

// The first transfer rule of any port, or NULL. Under the gate.
static struct rte_flow *
any_transfer(struct emu_nic *nic)
{
	struct rte_flow *f;

	for (uint16_t i = 0; nic->n_transfer > 0 && i < nic->n_sides; i++) {
		if (nic->ports[i] == NULL)
			continue;
		TAILQ_FOREACH(f, &nic->ports[i]->rules, list)
		if (is_transfer(nic, f))
			return f;
	}
	return NULL;
}

void
emu_flow_forget_transfer(struct emu_nic *nic)
{
	struct rte_flow *f;

	do {
		emu_gate_enter(&nic->gate);
		f = any_transfer(nic);
		if (f != NULL)
			emu_flow_remove(f->port, f);
		emu_gate_leave(&nic->gate);
	} while (f != NULL);
}

static int
flow_flush(struct rte_eth_dev *dev, struct rte_flow_error *error)
{
	emu_flow_forget(dev->data->dev_private);
	return 0;
}

static int
flow_isolate(struct rte_eth_dev *dev, int on, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	int ret;

	emu_gate_enter(&port->nic->gate);
	ret = emu_flow_gone(port, error);
	if (ret == 0)
		port->isolated = on;
	emu_gate_leave(&port->nic->gate);
	return ret;
}

// Every port of the NIC manages transfer rules itself: those with no port item are about the port
// that they are created on, which another one could not say. With pf_proxy= only the PF does.
static int
flow_proxy(struct rte_eth_dev *dev, uint16_t *proxy, struct rte_flow_error *error)
{
	struct emu_port *port = dev->data->dev_private;
	struct emu_port *pf;
	int ret = 0;

	emu_gate_enter(&port->nic->gate);
	pf = port->nic->moods.pf_proxy ? port->nic->ports[0] : port;
	if (pf != NULL)
		*proxy = pf->dev->data->port_id;
	else
		ret = rte_flow_error_set(error, ENODEV, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
			"the PF, which manages transfer rules (pf_proxy), is closed");
	emu_gate_leave(&port->nic->gate);
	return ret;
}

static const struct rte_flow_ops ops = {
	.validate = flow_validate,
	.create = flow_create,
	.destroy = flow_destroy,
	.flush = flow_flush,
	.query = emu_flow_query,
	.isolate = flow_isolate,
	.dev_dump = emu_flow_dump,
	.get_aged_flows = emu_flow_aged,
	.pick_transfer_proxy = flow_proxy,
	.action_handle_create = emu_handle_create,
	.action_handle_destroy = emu_handle_destroy,
	.action_handle_update = emu_handle_update,
	.action_handle_query = emu_handle_query,
	.info_get = emu_async_info,
	.configure = emu_async_configure,
	.pattern_template_create = emu_pattern_template_create,
	.pattern_template_destroy = emu_pattern_template_destroy,
	.actions_template_create = emu_actions_template_create,
	.actions_template_destroy = emu_actions_template_destroy,
	.template_table_create = emu_template_table_create,
	.template_table_destroy = emu_template_table_destroy,
#if RTE_VERSION < RTE_VERSION_NUM(24, 3, 0, 0)
	.async_create = emu_async_create,
	.async_destroy = emu_async_destroy,
	.push = emu_async_push,
	.pull = emu_async_pull,
	.async_action_handle_create = emu_async_handle_create,
	.async_action_handle_destroy = emu_async_handle_destroy,
	.async_action_handle_update = emu_async_handle_update,
	.async_action_handle_query = emu_async_handle_query,
#endif
};

#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
const struct rte_flow_fp_ops *
emu_flow_fast_ops(void)
{
	static const struct rte_flow_fp_ops fast = {
		.async_create = emu_async_create,
		.async_destroy = emu_async_destroy,
		.push = emu_async_push,
		.pull = emu_async_pull,
		.async_action_handle_create = emu_async_handle_create,
		.async_action_handle_destroy = emu_async_handle_destroy,
		.async_action_handle_update = emu_async_handle_update,
		.async_action_handle_query = emu_async_handle_query,
	};

	return &fast;
}
#endif

const struct rte_flow_ops *
emu_flow_ops(void)
{
	return &ops;
}

void
emu_flow_fini(struct emu_port *port)
{
	emu_async_fini(port);
	emu_handles_fini(port);
}
