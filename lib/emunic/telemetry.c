// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#include "emunic.h"
#include "rte_pmd_emunic.h"

// Commands of the emulated NIC on DPDK's telemetry socket (DPDK programmer's guide, "Telemetry
// Library"), for people with dpdk-telemetry.py and for tests:
//   /emunic/swap,nic=NAME,side=wire|vfN,[KIND,key=value,...]   another backend behind a side

struct swap_args {
	char nic[RTE_ETH_NAME_MAX_LEN];
	char side[16];
	const char *backend; // rest of the text
};

// Copies the value of "key=" at *text up to the next comma and moves *text behind it.
static int
take_value(const char **text, const char *key, char *out, size_t len)
{
	const size_t n = strlen(key);
	size_t i;

	if (strncmp(*text, key, n) != 0)
		return -EINVAL;
	*text += n;
	i = strcspn(*text, ",");
	if (i == 0 || i >= len || (*text)[i] != ',')
		return -EINVAL;
	memcpy(out, *text, i);
	out[i] = '\0';
	*text += i + 1;
	return 0;
}

static int
parse_swap(const char *params, struct swap_args *a)
{
	if (params == NULL || take_value(&params, "nic=", a->nic, sizeof(a->nic)) != 0 ||
		take_value(&params, "side=", a->side, sizeof(a->side)) != 0)
		return -EINVAL;
	a->backend = params;
	return 0;
}

static int
tel_swap(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct swap_args a;
	uint16_t port_id;
	int rc;

	rte_tel_data_start_dict(d);
	if (parse_swap(params, &a) != 0) {
		rte_tel_data_add_dict_string(
			d, "error", "expected nic=NAME,side=SIDE,[KIND,key=value,...]");
		return 0;
	}
	rc = rte_eth_dev_get_port_by_name(a.nic, &port_id);
	if (rc == 0)
		rc = rte_pmd_emunic_backend_swap(port_id, a.side, a.backend);
	if (rc == 0)
		rte_tel_data_add_dict_string(d, "side", a.side);
	else
		rte_tel_data_add_dict_string(
			d, "error", rc == -ENODEV ? "no such emulated NIC" : strerror(-rc));
	return 0;
}

RTE_INIT(emunic_telemetry)
{
	rte_telemetry_register_cmd("/emunic/swap", tel_swap,
		"Puts another backend behind a side. Parameters: "
		"nic=NAME,side=wire|vfN,[KIND,...]");
}
