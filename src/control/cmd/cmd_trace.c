// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/trace_json.h"
#include "cmd/trace_packet.h"
#include "flow/parse.h"
#include "orders.h"
#include "pending.h"
#include "place/placements.h"

#define JOB_MS 10000

// ---- one packet

struct traced {
	struct ctl_call *call;
	json_t *items; // what is known of it before
	_Atomic uint32_t done;
	struct dp_trace_job job;
};

static bool
job_step(struct control *c, void *state, bool expired)
{
	struct traced *t = state;

	// The worker may still write: its record cannot go before it has let go.
	while (expired && c->running && atomic_load_explicit(&t->done, memory_order_acquire) == 0)
		orders_nap();
	if (atomic_load_explicit(&t->done, memory_order_acquire) != 0)
		trace_json(c, &t->job.record, 0, t->items);
	else if (c->running)
		return false;
	ctl_call_reply(t->call, json_items(t->items, json_array_size(t->items)));
	free(t);
	return true;
}

// The worker that knows the flow, else the one that reads the port's first queue. m gets the mark
// that the NIC would give it.
static uint16_t
choose(struct control *c, const struct control_vport *v, const struct trace_packet *p,
	struct rte_mbuf *m, json_t *items)
{
	struct dp_port *port = v->port;
	struct offload_flow_info fi;
	struct flow_offsets off;
	struct placement *pl;
	struct flow_key key;
	uint32_t id;

	if (flow_parse_bytes(p->bytes, p->len, c->cfg->switches[v->cfg.sw].id, v->cfg.id,
		    rules_set_fields(c->set[v->cfg.sw]), &key, &off) == FLOW_OK) {
		dp_own_key(c->snapshot, &key);
		trace_json_hardware(c, &key, items);
		if (offload_find(c->offload, &key, &id) == 0 &&
			offload_flow_get(c->offload, id, &fi)) {
			pl = placement_find(c, id, OFFLOAD_IN);
			if (pl != NULL && pl->has_lane && pl->state == PLACEMENT_PLACED) {
				m->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
				m->hash.fdir.hi = placement_mark(pl);
			}
			return fi.worker;
		}
	}
	return port != NULL ? port->rxq_worker[0] : 0;
}

static int
start(struct control *c, struct ctl_call *call, const struct control_vport *v,
	const struct trace_packet *p, int64_t worker, bool send, struct sl_err *err)
{
	struct traced *t = calloc(1, sizeof(*t));
	struct rte_mbuf *m = t != NULL ? trace_packet_mbuf(c, p) : NULL;
	struct dp_order o = {.type = DP_ORD_TRACE};
	uint16_t known;

	if (m == NULL || pending_add(c, job_step, t, JOB_MS) != 0) {
		rte_pktmbuf_free(m);
		free(t);
		return sl_err_set(err, ENOMEM, NULL, "out of memory, or too many commands wait");
	}
	t->call = call;
	t->items = json_array();
	t->job.m = m;
	t->job.origin = v->cfg.id;
	t->job.dry = !send;
	known = choose(c, v, p, m, t->items);
	o.trace = &t->job;
	o.done = &t->done;
	orders_put(c, worker >= 0 ? (uint16_t)worker : known, &o);
	return CTL_LATER;
}

static int
match_arg(const struct control *c, uint16_t sw, const char *text, struct flow_match *out,
	const char *key, struct sl_err *err)
{
	struct config_names ctx = {.cfg = c->cfg, .sw = sw};
	struct flow_names names;
	struct sl_err why;

	sl_err_init(&why);
	config_flow_names(&ctx, &names);
	if (flow_match_parse(text, &names, out, &why) != 0)
		return sl_err_set(err, why.code, key, "%s", why.text);
	flow_match_normalise(out);
	return 0;
}

static int
make_packet(const struct control *c, const struct control_vport *v, const json_t *args,
	struct trace_packet *p, struct sl_err *err)
{
	const char *flow = arg_str(args, "flow"), *hex = arg_str(args, "hex");
	const char *pcap = arg_str(args, "pcap");
	struct flow_match match;
	int rc;

	if ((flow != NULL) + (hex != NULL) + (pcap != NULL) > 1)
		return sl_err_set(err, EINVAL, "flow", "one of flow, hex and pcap");
	if (pcap == NULL && json_object_get(args, "record") != NULL)
		return sl_err_set(err, EINVAL, "record", "belongs to pcap");
	if (hex != NULL)
		return trace_packet_hex(hex, p, err);
	if (pcap != NULL)
		return trace_packet_pcap(pcap, arg_int(args, "record", 1), p, err);
	rc = match_arg(c, v->cfg.sw, flow != NULL ? flow : "any", &match, "flow", err);
	return rc != 0 ? rc : trace_packet_match(v, c->cfg->switches[v->cfg.sw].id, &match, p, err);
}

COMMAND(cmd_trace_packet)
{
	struct control *c = app;
	struct control_vport *v = arg_port(c, args, err);
	int64_t worker = arg_int(args, "worker", -1);
	struct trace_packet *p;
	int rc;

	if (v == NULL)
		return err->code;
	if (worker >= c->n_workers)
		return sl_err_set(err, ENOENT, "worker",
			"there is no worker %u, the last one is %u", (unsigned)worker,
			c->n_workers - 1u);
	p = malloc(sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	rc = make_packet(c, v, args, p, err);
	if (rc == 0)
		rc = start(c, call, v, p, worker, arg_bool(args, "send"), err);
	free(p);
	return rc;
}

COMMAND(cmd_trace_flow)
{
	struct control *c = app;
	const char *text = arg_str(args, "flow");
	struct offload_flow_info fi;
	struct trace_packet *p;
	struct flow_match match;
	unsigned id;
	int rc, end = 0;

	if (sscanf(text, "f%9u%n", &id, &end) != 1 || text[end] != '\0' || text[1] < '0' ||
		text[1] > '9')
		return sl_err_set(err, EINVAL, "flow",
			"\"%.40s\" is not a flow's id (f and a number, see flow list)", text);
	if (!offload_flow_get(c->offload, id, &fi) || fi.key.vport >= DP_VPORTS_MAX ||
		!c->vports[fi.key.vport].used)
		return sl_err_set(err, ENOENT, "flow", "flow %s is not known (any more)", text);
	p = malloc(sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	flow_match_init(&match);
	match.key = fi.key;
	memset(&match.mask, 0xff, sizeof(match.mask));
	// What its packets have is not known, and nobody reads it.
	match.mask.tcp_flags = match.mask.ttl = match.mask.dscp = match.mask.frag = 0;
	match.mask.vlan[0] &= 0x1fff;
	match.mask.vlan[1] &= 0x1fff;
	flow_match_normalise(&match);
	rc = trace_packet_match(&c->vports[fi.key.vport], fi.key.switch_id, &match, p, err);
	if (rc == 0)
		rc = start(c, call, &c->vports[fi.key.vport], p, fi.worker, false, err);
	free(p);
	return rc;
}

// ---- live

struct live {
	struct ctl_call *call;
	json_t *items;
	struct flow_match match;
	unsigned count, seen;
	uint64_t end_ns;
	struct dp_live *worker[DP_WORKERS_MAX];
	struct dp_trace_record record;
};

struct hidden {
	const struct live *l;
	json_t *list;
	uint64_t n;
};

// Known flows that match and are carried where the host does not see them.
static void
hidden_one(void *ctx, const struct offload_flow_info *fi)
{
	struct hidden *h = ctx;
	char id[16];

	if (fi->side[OFFLOAD_IN].actual.path != OFFLOAD_ESWITCH ||
		!flow_match_hits(&h->l->match, &fi->key))
		return;
	h->n++;
	snprintf(id, sizeof(id), "f%u", fi->id);
	if (json_array_size(h->list) < 20)
		json_array_append_new(h->list, json_string(id));
}

static void
live_off(struct control *c, struct live *l)
{
	const struct dp_order off = {.type = DP_ORD_LIVE};
	unsigned w;

	orders_all(c, &off);
	for (w = 0; w < c->n_workers; w++)
		dp_live_free(l->worker[w]);
	c->tracing = false;
}

static void
live_answer(struct control *c, struct live *l)
{
	struct hidden h = {.l = l, .list = json_array()};
	uint64_t matched = 0, lost = 0;
	json_t *answer;
	unsigned w;

	for (w = 0; w < c->n_workers; w++) {
		matched += atomic_load(&l->worker[w]->matched);
		lost += atomic_load(&l->worker[w]->lost);
	}
	offload_flow_each(c->offload, hidden_one, &h);
	answer = json_pack("{so sI si sI sI so}", "items", l->items, "matched", (json_int_t)matched,
		"traced", (int)l->seen, "lost", (json_int_t)lost, "in_eswitch", (json_int_t)h.n,
		"in_eswitch_flows", h.list);
	live_off(c, l);
	ctl_call_reply(l->call, answer);
	free(l);
}

static bool
live_step(struct control *c, void *state, bool expired)
{
	struct live *l = state;
	unsigned w;

	for (w = 0; w < c->n_workers; w++) {
		while (l->seen < l->count && dp_live_get(l->worker[w], &l->record))
			trace_json(c, &l->record, ++l->seen, l->items);
	}
	if (l->seen < l->count && !expired)
		return false;
	live_answer(c, l);
	return true;
}

static int
live_on(struct control *c, struct live *l, uint32_t rate, struct sl_err *err)
{
	struct dp_order o = {.type = DP_ORD_LIVE};
	unsigned w;

	for (w = 0; w < c->n_workers; w++) {
		l->worker[w] = dp_live_new(&l->match, l->count, rate, SOCKET_ID_ANY);
		if (l->worker[w] == NULL) {
			while (w-- > 0)
				dp_live_free(l->worker[w]);
			return sl_err_set(err, ENOMEM, NULL, "out of memory");
		}
	}
	c->tracing = true;
	for (w = 0; w < c->n_workers; w++) {
		o.live = l->worker[w];
		orders_put(c, (uint16_t)w, &o);
	}
	return 0;
}

COMMAND(cmd_trace_live)
{
	struct control *c = app;
	int64_t count = arg_int(args, "count", 10), rate = arg_int(args, "rate", 100);
	int64_t seconds = arg_int(args, "seconds", 5);
	const char *text = arg_str(args, "match");
	int sw = arg_str(args, "switch") != NULL ? arg_switch(c, args, err) : 0, rc;
	struct live *l;

	if (sw < 0)
		return sw;
	if (count == 0 || rate == 0 || seconds == 0)
		return sl_err_set(err, EINVAL,
			count == 0  ? "count"
			: rate == 0 ? "rate"
				    : "seconds",
			"at least 1");
	if (c->tracing)
		return sl_err_set(err, EBUSY, NULL, "there is a live trace already: one at a time");
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	rc = match_arg(c, (uint16_t)sw, text != NULL ? text : "any", &l->match, "match", err);
	l->call = call;
	l->count = (unsigned)count;
	l->items = json_array();
	if (rc == 0)
		rc = live_on(c, l, (uint32_t)rate, err);
	if (rc == 0 && pending_add(c, live_step, l, (uint64_t)seconds * 1000) != 0) {
		live_off(c, l);
		rc = sl_err_set(err, EBUSY, NULL, "too many commands wait");
	}
	if (rc != 0) {
		json_decref(l->items);
		free(l);
		return rc;
	}
	return CTL_LATER;
}
