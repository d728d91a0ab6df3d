// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>

#include <rte_version.h>

#include "emunic.h"
#include "mood/telemetry.h"
#include "port/vf_rss.h"

// Commands of the emulated NIC on DPDK's telemetry socket (DPDK programmer's guide, "Telemetry
// Library"), for people with dpdk-telemetry.py and for tests:
//   /emunic/list                                   the names of the NICs
//   /emunic/info,nic=NAME                          rules, backends, limits and moods
//   /emunic/vf,nic=NAME,vf=N                       the queues of a VF, and its RSS
//   /emunic/set,nic=NAME,key=value,...             other limits and moods (moods.h)
//   /emunic/swap,nic=NAME,side=wire|wireK|vfN,[KIND,...]       another backend behind a side

static pthread_mutex_t tel_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void
emu_tel_lock(void)
{
	pthread_mutex_lock(&tel_lock);
}

void
emu_tel_unlock(void)
{
	pthread_mutex_unlock(&tel_lock);
}

int
emu_tel_run(const struct emu_tel_command *commands, unsigned int n, const char *cmd,
	const char *params, struct rte_tel_data *d)
{
	int ret = -EINVAL;

	emu_tel_lock();
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(cmd, commands[i].name) == 0)
			ret = commands[i].run(cmd, params, d);
	emu_tel_unlock();
	return ret;
}

void
emu_tel_add_number(struct rte_tel_data *d, const char *name, uint64_t value)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
	rte_tel_data_add_dict_uint(d, name, value);
#else
	rte_tel_data_add_dict_u64(d, name, value);
#endif
}

// The NIC of an ethdev, or NULL.
static struct emu_nic *
nic_of(uint16_t id)
{
	if (!rte_eth_dev_is_valid_port(id) || !emu_is_port(&rte_eth_devices[id]))
		return NULL;
	return ((struct emu_port *)rte_eth_devices[id].data->dev_private)->nic;
}

// The first ethdev of a NIC, by which it is found; RTE_MAX_ETHPORTS: none.
static uint16_t
first_port(const char *name)
{
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		const struct emu_nic *nic = nic_of(id);

		if (nic != NULL && strcmp(nic->name, name) == 0)
			return id;
	}
	return RTE_MAX_ETHPORTS;
}

int
emu_tel_refuse(struct rte_tel_data *d, const char *fmt, ...)
{
	char text[RTE_TEL_MAX_STRING_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	// DPDK 22.11 writes control characters as no JSON does.
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "error", text);
	return 0;
}

struct emu_nic *
emu_tel_nic(const char **params, uint16_t *port_id, struct rte_tel_data *d)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	const char *at = *params;
	size_t n;

	if (at == NULL || strncmp(at, "nic=", 4) != 0) {
		emu_tel_refuse(d, "expected nic=NAME first, not \"%.48s\"", at != NULL ? at : "");
		return NULL;
	}
	n = strcspn(at + 4, ",");
	snprintf(name, sizeof(name), "%.*s", (int)RTE_MIN(n, sizeof(name)), at + 4);
	*params = at[4 + n] == ',' ? at + 5 + n : at + 4 + n;
	*port_id = first_port(name);
	if (*port_id == RTE_MAX_ETHPORTS) {
		emu_tel_refuse(d, "there is no emulated NIC \"%s\" (/emunic/list has all)", name);
		return NULL;
	}
	return nic_of(*port_id);
}

static int
tel_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	if (params != NULL && params[0] != '\0')
		return emu_tel_refuse(d, "expected no parameters, not \"%.64s\"", params);
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		const struct emu_nic *nic = nic_of(id);

		if (nic != NULL && first_port(nic->name) == id)
			rte_tel_data_add_array_string(d, nic->name);
	}
	return 0;
}

// Splits "side=NAME,BACKEND". NULL after d has the error.
static struct emu_side *
find_side(struct emu_nic *nic, const char *rest, const char **backend, struct rte_tel_data *d)
{
	size_t n = strncmp(rest, "side=", 5) == 0 ? strcspn(rest + 5, ",") : 0;

	if (n == 0 || rest[5 + n] != ',') {
		emu_tel_refuse(
			d, "expected nic=NAME,side=SIDE,[KIND,key=value,...], not \"%.40s\"", rest);
		return NULL;
	}
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const char *name = nic->sides[i].name;

		if (strlen(name) == n && memcmp(name, rest + 5, n) == 0) {
			*backend = rest + 5 + n + 1;
			return &nic->sides[i];
		}
	}
	emu_tel_refuse(d, "the NIC has no side \"%.*s\", only wire, %u of wireK and %u of vfN",
		(int)RTE_MIN(n, 32U), rest + 5, nic->args.ports - 1U, nic->args.vfs);
	return NULL;
}

static int
tel_swap(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct emu_side *side;
	const char *backend;
	struct emu_nic *nic;
	uint16_t port_id;
	char why[256];

	nic = emu_tel_nic(&params, &port_id, d);
	side = nic == NULL ? NULL : find_side(nic, params, &backend, d);
	if (side == NULL)
		return 0;
	if (emu_nic_set_backend(nic, side, backend[0] != '\0' ? backend : NULL, why, sizeof(why)) !=
		0)
		return emu_tel_refuse(d, "%s", why);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "side", side->name);
	return 0;
}

static void
add_list(const struct emu_moods *m, enum emu_mood_list which, struct rte_tel_data *d)
{
	struct rte_tel_data *list = rte_tel_data_alloc();
	char entry[EMU_MOOD_TEXT];
	int has;

	if (list == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; (has = emu_moods_entry(m, which, i, entry, sizeof(entry))) >= 0;
		i++)
		if (has > 0)
			rte_tel_data_add_array_string(list, entry);
	rte_tel_data_add_dict_container(d, emu_moods_list_name(which), list, 0);
}

// What is plugged in at each side, and its link.
static void
add_sides(struct emu_nic *nic, struct rte_tel_data *d)
{
	struct rte_tel_data *list;
	char entry[64];

	// Backends are the primary's.
	if (rte_eal_process_type() != RTE_PROC_PRIMARY || (list = rte_tel_data_alloc()) == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	emu_gate_enter(&nic->gate);
	for (uint16_t i = 0; i < nic->n_sides; i++) {
		const struct emu_side *side = &nic->sides[i];

		snprintf(entry, sizeof(entry), "%s: %s, %s%s", side->name,
			side->backend != NULL ? side->backend->ops->kind : "nothing",
			emu_side_up(side) ? "up" : "down", side->held ? ", held" : "");
		rte_tel_data_add_array_string(list, entry);
	}
	emu_gate_leave(&nic->gate);
	rte_tel_data_add_dict_container(d, "sides", list, 0);
}

static int
tel_info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	uint32_t n_rules, n_transfer, n_masks, n_groups, value;
	struct emu_moods moods;
	const char *name;
	struct emu_nic *nic;
	uint64_t n_made;
	uint16_t port_id;

	nic = emu_tel_nic(&params, &port_id, d);
	if (nic == NULL)
		return 0;
	if (params[0] != '\0')
		return emu_tel_refuse(d, "expected nic=NAME and no more, not \"%.48s\"", params);
	emu_gate_enter(&nic->gate);
	moods = nic->moods;
	n_rules = nic->rules.n_rules;
	n_made = nic->rules.made;
	n_transfer = nic->n_transfer;
	n_groups = nic->rules.n_groups;
	n_masks = nic->rules.n_masks;
	emu_gate_leave(&nic->gate);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "nic", nic->name);
	rte_tel_data_add_dict_int(d, "port", port_id);
	rte_tel_data_add_dict_int(d, "ports", nic->args.ports);
	rte_tel_data_add_dict_int(d, "vfs", nic->args.vfs);
	rte_tel_data_add_dict_string(
		d, "profile", nic->args.profile[0] != '\0' ? nic->args.profile : "none");
	rte_tel_data_add_dict_string(d, "firmware", emu_firmware_runs(nic));
	rte_tel_data_add_dict_int(d, "rules", n_rules);
	emu_tel_add_number(d, "rules_made", n_made); // ever, those that are gone included
	rte_tel_data_add_dict_int(d, "rules_transfer", n_transfer);
	rte_tel_data_add_dict_int(d, "groups", n_groups);
	rte_tel_data_add_dict_int(d, "masks_used", n_masks);
	rte_tel_data_add_dict_int(d, "vfs_miss_to_vm", nic->misses_to_vm);
	for (unsigned int i = 0; (name = emu_moods_number(&moods, i, &value)) != NULL; i++)
		emu_tel_add_number(d, name, value);
	for (unsigned int i = 0; i < EMU_MOOD_LISTS; i++)
		add_list(&moods, i, d);
	add_sides(nic, d);
	return 0;
}

static int
tel_set(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct emu_nic *nic;
	uint16_t port_id;
	char why[1024];

	nic = emu_tel_nic(&params, &port_id, d);
	if (nic == NULL)
		return 0;
	if (rte_pmd_emunic_set(port_id, params, why, sizeof(why)) != 0)
		return emu_tel_refuse(d, "%s", why);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "nic", nic->name);
	return 0;
}

static void
add_queues(struct rte_tel_data *d, const uint16_t *queues, uint16_t n)
{
	struct rte_tel_data *list = rte_tel_data_alloc();

	if (list == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_INT_VAL);
	for (uint16_t i = 0; i < n; i++)
		rte_tel_data_add_array_int(list, queues[i]);
	rte_tel_data_add_dict_container(d, "reta", list, 0);
}

static int
tel_vf(const char *cmd, const char *params, struct rte_tel_data *d)
{
	char types[32], text[2 * EMU_RSS_KEY_LEN + 1];
	uint16_t port_id, n, queues[EMU_VF_RETA];
	uint8_t key[EMU_RSS_KEY_LEN];
	uint32_t vf = UINT32_MAX;
	const struct emu_side *side;
	struct emu_nic *nic;
	uint64_t bits;

	nic = emu_tel_nic(&params, &port_id, d);
	if (nic == NULL)
		return 0;
	if (strncmp(params, "vf=", 3) != 0 || !emu_name_number(params + 3, nic->args.vfs, &vf))
		return emu_tel_refuse(d, "expected nic=NAME,vf=N with N below %u, not \"%.32s\"",
			nic->args.vfs, params);
	side = &nic->sides[1 + vf];
	emu_vf_rss_get(nic, side, &bits, key);
	n = emu_vf_reta_get(nic, side, queues);
	snprintf(types, sizeof(types), "0x%" PRIx64, bits);
	for (unsigned int i = 0; i < EMU_RSS_KEY_LEN; i++)
		snprintf(&text[2 * i], 3, "%02x", key[i]);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "vf", side->name);
	rte_tel_data_add_dict_int(d, "queues", side->n_queues);
	rte_tel_data_add_dict_string(d, "rss_types", types);
	rte_tel_data_add_dict_string(d, "rss_key", text);
	add_queues(d, queues, n);
	return 0;
}

static int
command(const char *cmd, const char *params, struct rte_tel_data *d)
{
	static const struct emu_tel_command commands[] = {{"/emunic/list", tel_list},
		{"/emunic/info", tel_info}, {"/emunic/vf", tel_vf}, {"/emunic/set", tel_set},
		{"/emunic/swap", tel_swap}};

	return emu_tel_run(commands, RTE_DIM(commands), cmd, params, d);
}

RTE_INIT(emunic_telemetry)
{
	rte_telemetry_register_cmd(
		"/emunic/list", command, "Names of the emulated NICs. No parameters");
	rte_telemetry_register_cmd("/emunic/info", command,
		"Rules, backends, limits and moods of an emulated NIC. Parameters: nic=NAME");
	rte_telemetry_register_cmd(
		"/emunic/vf", command, "Queues and RSS of a VF. Parameters: nic=NAME,vf=N");
	rte_telemetry_register_cmd("/emunic/set", command,
		"Sets limits and moods. Parameters: nic=NAME,key=value[,key=value...]");
	rte_telemetry_register_cmd("/emunic/swap", command,
		"Puts another backend behind a side. Parameters: "
		"nic=NAME,side=wire|wireK|vfN,[KIND,...]");
}
