// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assign/groups.h"
#include "mood/telemetry.h"

// Queue groups on DPDK's telemetry socket. A group is named GROUP of the PF, or GROUP of the
// representor of VF N, as port=pf (which is also meant without) or port=repN:
//   /emunic/groups,nic=NAME                                  all groups of the NIC
//   /emunic/group,nic=NAME[,port=P],group=G                  its figures, queues and flows
//   /emunic/group_set,nic=NAME[,port=P],group=G,key=value,.. makes or changes it
//   /emunic/group_del,nic=NAME[,port=P],group=G              deletes it

#define QUEUES_TOLD 64 // an answer has 16 KB; free queues are counted
#define FLOWS_TOLD 32  // the heaviest of all
#define FLOWS_READ 256

struct place {
	uint16_t port_id;
	uint16_t group;
	char port[8];
};

// Takes "key=VALUE" off the front of *at. False when something else is there.
static bool
take(const char **at, const char *key, char *value, size_t len)
{
	size_t k = strlen(key), n;

	if (strncmp(*at, key, k) != 0 || (*at)[k] != '=')
		return false;
	n = strcspn(*at + k + 1, ",");
	snprintf(value, len, "%.*s", (int)RTE_MIN(n, len), *at + k + 1);
	*at += k + 1 + n;
	*at += **at == ',';
	return true;
}

static bool
small_number(const char *text, unsigned int limit, unsigned int *out)
{
	size_t n = strspn(text, "0123456789");

	*out = n > 0 && n <= 4 ? strtoul(text, NULL, 10) : limit;
	return text[n] == '\0' && *out < limit;
}

// Reads "[port=P,]group=G" and leaves *at behind it. False after d has the error.
static bool
find_group(struct emu_nic *nic, const char **at, struct place *out, struct rte_tel_data *d)
{
	char port[8] = "pf", group[8];
	unsigned int slot = 0, index = 0, number;
	const char *rest;

	take(at, "port", port, sizeof(port));
	while (index < nic->n_sides && emu_host_slot(port, &slot) &&
		emu_slot_of(index, nic->args.vfs) != slot)
		index++;
	if (!emu_host_slot(port, &slot) || index == nic->n_sides) {
		emu_tel_refuse(
			d, "port=%s: expected pf, pfK or repN, of those that the NIC has", port);
		return false;
	}
	rest = *at;
	if (!take(at, "group", group, sizeof(group)) ||
		!small_number(group, RTE_PMD_EMUNIC_GROUPS, &number)) {
		emu_tel_refuse(d,
			"expected nic=NAME[,port=P],group=G with G from 0 to 63, not \"%.40s\"",
			rest);
		return false;
	}
	if (nic->ports[index] == NULL) {
		emu_tel_refuse(d, "the NIC has no %s", port);
		return false;
	}
	out->port_id = nic->ports[index]->dev->data->port_id;
	out->group = number;
	snprintf(out->port, sizeof(out->port), "%s", port);
	return true;
}

static size_t __rte_format_printf(4, 5) put(char *out, size_t at, size_t len, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (at >= len)
		return at;
	va_start(ap, fmt);
	n = vsnprintf(out + at, len - at, fmt, ap);
	va_end(ap);
	return at + (n > 0 ? n : 0);
}

// Only what makes the kind; "" where any is.
static void
kind_text(uint32_t alike, const struct rte_pmd_emunic_kind *k, char *out, size_t len)
{
	char address[INET6_ADDRSTRLEN] = "none";
	size_t at = 0;

	out[0] = '\0';
	if (alike & RTE_PMD_EMUNIC_ALIKE_SOURCE)
		at = k->source == 0 ? put(out, at, len, " from wire")
				    : put(out, at, len, " from vf%u", k->source - 1);
	if (alike & RTE_PMD_EMUNIC_ALIKE_VLAN)
		at = put(out, at, len, " vlan %u", k->vlan);
	if (alike & RTE_PMD_EMUNIC_ALIKE_PCP)
		at = put(out, at, len, " pcp %u", k->pcp);
	if (alike & RTE_PMD_EMUNIC_ALIKE_DSCP)
		at = put(out, at, len, " dscp %u", k->dscp);
	if (k->ip_version != 0)
		inet_ntop(k->ip_version == 4 ? AF_INET : AF_INET6, k->destination, address,
			sizeof(address));
	if (alike & RTE_PMD_EMUNIC_ALIKE_DESTINATION)
		at = put(out, at, len, " to %s", address);
	if (alike & RTE_PMD_EMUNIC_ALIKE_MARK)
		at = put(out, at, len, " mark %u", k->mark);
	if (alike & RTE_PMD_EMUNIC_ALIKE_RATE)
		put(out, at, len, " rate class %u", k->rate_class);
}

static const char *
state_name(uint8_t state)
{
	static const char *const names[] = {[RTE_PMD_EMUNIC_QUEUE_FREE] = "free",
		[RTE_PMD_EMUNIC_QUEUE_EXCLUSIVE] = "exclusive",
		[RTE_PMD_EMUNIC_QUEUE_SHARED] = "shared",
		[RTE_PMD_EMUNIC_QUEUE_STOPPED] = "stopped"};

	return state < RTE_DIM(names) ? names[state] : "?";
}

static void
add_queues(const struct place *p, uint32_t alike, struct rte_tel_data *d)
{
	struct rte_pmd_emunic_queue *q = calloc(EMU_MAX_QUEUES, sizeof(*q));
	struct rte_tel_data *list = rte_tel_data_alloc();
	unsigned int told = 0, free_ones = 0;
	int n = q != NULL ? rte_pmd_emunic_group_queues(p->port_id, p->group, q, EMU_MAX_QUEUES)
			  : 0;

	if (list != NULL)
		rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	for (int i = 0; list != NULL && i < n; i++) {
		char line[RTE_TEL_MAX_STRING_LEN], kind[128];

		free_ones += q[i].state == RTE_PMD_EMUNIC_QUEUE_FREE;
		if ((n > QUEUES_TOLD && q[i].state == RTE_PMD_EMUNIC_QUEUE_FREE) ||
			told++ >= QUEUES_TOLD)
			continue;
		kind_text(alike, &q[i].kind, kind, sizeof(kind));
		put(line, 0, sizeof(line),
			"queue %u: %s%s%s, flows %u, %" PRIu64 " kbit/s, packets %" PRIu64,
			q[i].queue, state_name(q[i].state), q[i].mixed ? " mixed" : "", kind,
			q[i].flows, q[i].bps / 1000, q[i].packets);
		rte_tel_data_add_array_string(list, line);
	}
	emu_tel_add_number(d, "queues_free", free_ones);
	if (list != NULL)
		rte_tel_data_add_dict_container(d, "queues", list, 0);
	free(q);
}

static int
heavier(const void *a, const void *b)
{
	const struct rte_pmd_emunic_flow *x = a, *y = b;

	return (x->bps < y->bps) - (x->bps > y->bps);
}

static size_t
put_end(char *out, size_t at, size_t len, const struct rte_pmd_emunic_flow *f, bool dst)
{
	char address[INET6_ADDRSTRLEN] = "";
	const uint8_t *mac = dst ? f->dst_mac : f->src_mac;
	uint16_t port = dst ? f->dst_port : f->src_port;

	if (f->ip_version == 0)
		return put(out, at, len, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			mac[3], mac[4], mac[5]);
	inet_ntop(f->ip_version == 4 ? AF_INET : AF_INET6, dst ? f->dst : f->src, address,
		sizeof(address));
	return put(out, at, len, f->ip_version == 4 ? "%s:%u" : "[%s]:%u", address, port);
}

static void
flow_text(uint32_t alike, const struct rte_pmd_emunic_flow *f, char *out, size_t len)
{
	char kind[128];
	size_t at = f->source == 0 ? put(out, 0, len, "wire ")
				   : put(out, 0, len, "vf%u ", f->source - 1);

	at = put_end(out, at, len, f, false);
	at = put(out, at, len, " > ");
	at = put_end(out, at, len, f, true);
	at = f->ip_version != 0 ? put(out, at, len, " proto %u", f->proto)
				: put(out, at, len, " type %#06x", f->ether_type);
	kind_text(alike, &f->kind, kind, sizeof(kind));
	at = put(out, at, len, "%s: queue %u %s", kind, f->queue,
		f->state == RTE_PMD_EMUNIC_QUEUE_FREE ? "overflow" : state_name(f->state));
	if (f->next_queue != f->queue)
		at = put(out, at, len, " (to %u)", f->next_queue);
	put(out, at, len, " for %" PRIu64 " ms, %" PRIu64 " kbit/s, packets %" PRIu64,
		f->queue_ns / 1000000, f->bps / 1000, f->packets);
}

// The heaviest first; all are read, a piece at a time.
static void
add_flows(const struct place *p, uint32_t alike, struct rte_tel_data *d)
{
	struct rte_pmd_emunic_flow *top = calloc(FLOWS_TOLD + FLOWS_READ, sizeof(*top));
	struct rte_tel_data *list = rte_tel_data_alloc();
	uint32_t next = 0;
	int n = 0, got = top != NULL ? 1 : 0;

	while (got > 0) {
		got = rte_pmd_emunic_group_flows(p->port_id, p->group, &next, &top[n], FLOWS_READ);
		n += RTE_MAX(got, 0);
		qsort(top, n, sizeof(*top), heavier);
		n = RTE_MIN(n, FLOWS_TOLD);
	}
	if (list != NULL)
		rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	for (int i = 0; list != NULL && i < n; i++) {
		char line[RTE_TEL_MAX_STRING_LEN];

		flow_text(alike, &top[i], line, sizeof(line));
		rte_tel_data_add_array_string(list, line);
	}
	if (list != NULL)
		rte_tel_data_add_dict_container(d, "heaviest", list, 0);
	free(top);
}

static void
add_group(const struct rte_pmd_emunic_group *g, struct rte_tel_data *d)
{
	emu_tel_add_number(d, "rules", g->rules);
	emu_tel_add_number(d, "flows", g->flows);
	emu_tel_add_number(d, "packets", g->packets);
	emu_tel_add_number(d, "moves", g->moves);
	emu_tel_add_number(d, "mixed", g->mixed);
	emu_tel_add_number(d, "evicted", g->evicted);
	emu_tel_add_number(d, "unmeasured", g->unmeasured);
}

// The figures of a group, one entry each: a string holds 128 characters only.
static void
add_figures(char *text, struct rte_tel_data *d)
{
	struct rte_tel_data *list = rte_tel_data_alloc();
	char *rest;

	if (list == NULL)
		return;
	rte_tel_data_start_dict(list);
	for (char *part = strtok_r(text, ",", &rest); part != NULL;
		part = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(part, '=');

		*value++ = '\0';
		if (strlen(value) >= RTE_TEL_MAX_STRING_LEN)
			memcpy(&value[RTE_TEL_MAX_STRING_LEN - 4], "...", 4);
		rte_tel_data_add_dict_string(list, part, value);
	}
	rte_tel_data_add_dict_container(d, "figures", list, 0);
}

static int
tel_groups(const char *cmd, const char *params, struct rte_tel_data *d)
{
	uint16_t port_id;
	struct emu_nic *nic = emu_tel_nic(&params, &port_id, d);

	if (nic == NULL)
		return 0;
	if (params[0] != '\0')
		return emu_tel_refuse(d, "expected nic=NAME and no more, not \"%.48s\"", params);
	rte_tel_data_start_dict(d);
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		for (uint16_t g = 0; nic->ports[i] != NULL && g < RTE_PMD_EMUNIC_GROUPS; g++) {
			struct rte_pmd_emunic_group group;
			struct rte_tel_data *one;
			char name[24], port[8];

			if (rte_pmd_emunic_group_get(
				    nic->ports[i]->dev->data->port_id, g, &group) != 0 ||
				(one = rte_tel_data_alloc()) == NULL)
				continue;
			emu_host_name(emu_slot_of(i, nic->args.vfs), port, sizeof(port));
			snprintf(name, sizeof(name), "%s_%u", port, g);
			rte_tel_data_start_dict(one);
			add_group(&group, one);
			rte_tel_data_add_dict_container(d, name, one, 0);
		}
	}
	return 0;
}

static int
tel_group(const char *cmd, const char *params, struct rte_tel_data *d)
{
	uint16_t port_id;
	struct emu_nic *nic = emu_tel_nic(&params, &port_id, d);
	struct rte_pmd_emunic_group group;
	struct emu_assign_conf conf;
	struct place p;
	char why[256];

	if (nic == NULL || !find_group(nic, &params, &p, d))
		return 0;
	if (params[0] != '\0')
		return emu_tel_refuse(
			d, "expected nic=NAME[,port=P],group=G and no more, not \"%.32s\"", params);
	if (rte_pmd_emunic_group_get(p.port_id, p.group, &group) != 0)
		return emu_tel_refuse(
			d, "%s has no group %u (/emunic/groups has all)", p.port, p.group);
	emu_assign_defaults(&conf);
	emu_assign_parse(&conf, group.text, why, sizeof(why));
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "port", p.port);
	rte_tel_data_add_dict_int(d, "group", p.group);
	add_group(&group, d);
	add_figures(group.text, d);
	add_queues(&p, conf.alike, d);
	add_flows(&p, conf.alike, d);
	return 0;
}

static int
done(struct rte_tel_data *d, const struct place *p)
{
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "port", p->port);
	rte_tel_data_add_dict_int(d, "group", p->group);
	return 0;
}

static int
tel_set(const char *cmd, const char *params, struct rte_tel_data *d)
{
	uint16_t port_id;
	struct emu_nic *nic = emu_tel_nic(&params, &port_id, d);
	struct place p;
	char why[256];

	if (nic == NULL || !find_group(nic, &params, &p, d))
		return 0;
	if (rte_pmd_emunic_group_set(p.port_id, p.group, params, why, sizeof(why)) != 0)
		return emu_tel_refuse(d, "%s", why);
	return done(d, &p);
}

static int
tel_del(const char *cmd, const char *params, struct rte_tel_data *d)
{
	uint16_t port_id;
	struct emu_nic *nic = emu_tel_nic(&params, &port_id, d);
	struct place p;
	char why[256];

	if (nic == NULL || !find_group(nic, &params, &p, d))
		return 0;
	if (params[0] != '\0')
		return emu_tel_refuse(
			d, "expected nic=NAME[,port=P],group=G and no more, not \"%.32s\"", params);
	if (rte_pmd_emunic_group_del(p.port_id, p.group, why, sizeof(why)) != 0)
		return emu_tel_refuse(d, "%s", why);
	return done(d, &p);
}

static int
command(const char *cmd, const char *params, struct rte_tel_data *d)
{
	static const struct emu_tel_command commands[] = {{"/emunic/groups", tel_groups},
		{"/emunic/group", tel_group}, {"/emunic/group_set", tel_set},
		{"/emunic/group_del", tel_del}};

	return emu_tel_run(commands, RTE_DIM(commands), cmd, params, d);
}

RTE_INIT(emunic_group_telemetry)
{
	rte_telemetry_register_cmd(
		"/emunic/groups", command, "Queue groups of an emulated NIC. Parameters: nic=NAME");
	rte_telemetry_register_cmd("/emunic/group", command,
		"Queues and flows of a group. Parameters: nic=NAME[,port=pf|pfK|repN],group=G");
	rte_telemetry_register_cmd("/emunic/group_set", command,
		"Makes or changes a group. Parameters: nic=NAME[,port=pf|pfK|repN],group=G,"
		"queues=1-3,key=value...");
	rte_telemetry_register_cmd("/emunic/group_del", command,
		"Deletes a group. Parameters: nic=NAME[,port=pf|pfK|repN],group=G");
}
