// SPDX-License-Identifier: BSD-3-Clause
#include "backend/ethdev_find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ethdev_driver.h>
#include <rte_dev.h>
#include <rte_errno.h>

int
emu_ethdev_say(char *why, size_t why_len, const char *name, const char *what, int rc)
{
	snprintf(why, why_len, "ethdev: %s: %s: %s", name, what, strerror(-rc));
	return rc;
}

// Removes a device that an earlier close left on its bus, so that it can be probed afresh.
static void
remove_leftover(const char *name)
{
	char filter[RTE_DEV_NAME_MAX_LEN + 32];
	struct rte_dev_iterator it;
	struct rte_device *dev;

	snprintf(filter, sizeof(filter), "bus=vdev,name=%s", name);
	rte_errno = 0; // what init returns, also when all is well
	if (rte_dev_iterator_init(&it, filter) != 0)
		return;
	dev = rte_dev_iterator_next(&it);
	if (dev != NULL)
		rte_dev_remove(dev);
}

static int
find_or_probe(const char *text, uint16_t *port, bool *probed, char *why, size_t why_len)
{
	struct rte_devargs da = {0};
	char name[RTE_DEV_NAME_MAX_LEN];
	int rc;

	if (rte_eth_dev_get_port_by_name(text, port) == 0)
		return 0;
	if (rte_devargs_parse(&da, text) != 0) {
		snprintf(why, why_len,
			"ethdev: \"%s\" is neither a port nor the devargs of a device with a "
			"driver",
			text);
		return -ENODEV;
	}
	snprintf(name, sizeof(name), "%s", da.name);
	rte_devargs_reset(&da);
	if (rte_eth_dev_get_port_by_name(name, port) == 0) {
		snprintf(why, why_len, "ethdev: %s exists already, give its name alone", name);
		return -EEXIST;
	}
	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS) {
		snprintf(why, why_len,
			"ethdev: %s would be port %u, this DPDK has room for %u in all", name,
			rte_eth_dev_count_total() + 1u, (unsigned int)RTE_MAX_ETHPORTS);
		return -ENOSPC;
	}
	remove_leftover(name);
	rc = rte_dev_probe(text);
	if (rc != 0)
		return emu_ethdev_say(why, why_len, text, "its driver refuses the device", rc);
	if (rte_eth_dev_get_port_by_name(name, port) != 0) {
		snprintf(why, why_len, "ethdev: %s is a device, but not a network port", text);
		return -ENODEV;
	}
	*probed = true;
	return 0;
}

// Whether packets of NIC `nic` come back to it by what is plugged in there, when a port of `device`
// is: that is the NIC itself, or one that is behind it, by one of its own ports or by others.
static bool
is_circle(const char *nic, const char *device, unsigned int depth)
{
	struct rte_eth_dev_owner owner;

	if (strcmp(device, nic) == 0)
		return true;
	for (uint16_t id = 0; depth > 0 && id < RTE_MAX_ETHPORTS; id++) {
		char *side;

		// The NIC that has taken a port of `nic` is in its owner's name (take).
		if (!rte_eth_dev_is_valid_port(id) || rte_eth_devices[id].device == NULL ||
			strcmp(rte_dev_name(rte_eth_devices[id].device), nic) != 0 ||
			rte_eth_dev_owner_get(id, &owner) != 0 ||
			(side = strchr(owner.name, ' ')) == NULL)
			continue;
		*side = '\0';
		if (is_circle(owner.name, device, depth - 1))
			return true;
	}
	return false;
}

int
emu_ethdev_find(
	const char *nic, const char *text, uint16_t *port, bool *probed, char *why, size_t why_len)
{
	const struct rte_device *device;
	int rc = find_or_probe(text, port, probed, why, why_len);

	if (rc != 0)
		return rc;
	device = rte_eth_devices[*port].device;
	if (device == NULL || !is_circle(nic, rte_dev_name(device), RTE_MAX_ETHPORTS))
		return 0;
	snprintf(why, why_len,
		"ethdev: %s is a port of %s, or what it sends comes back there: a NIC is not "
		"plugged into itself",
		text, nic);
	return -ELOOP;
}
