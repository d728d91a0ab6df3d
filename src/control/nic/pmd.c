// SPDX-License-Identifier: BSD-3-Clause
#include "nic/pmd.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_pmd_emunic.h>

typedef int (*miss_fn)(uint16_t port, uint16_t vf, const struct rte_pmd_emunic_vf_miss *conf,
	char *why, size_t why_len);

typedef int (*queues_fn)(
	uint16_t port, uint16_t vf, struct rte_pmd_emunic_vf_queue *out, uint16_t n);

// EAL has loaded the driver, privately: it is found by its name. The handle is not kept, EAL's is.
void
nic_pmd_find(const char *symbol, void *out)
{
	void *lib = dlopen("librte_net_emunic.so", RTLD_LAZY | RTLD_NOLOAD);
	void *p = lib != NULL ? dlsym(lib, symbol) : dlsym(RTLD_DEFAULT, symbol);

	memcpy(out, &p, sizeof(p));
	if (lib != NULL)
		dlclose(lib);
}

int
nic_emunic_miss(uint16_t pf, uint16_t vf, const struct nic_miss *miss, char *why, size_t why_len)
{
	struct rte_pmd_emunic_vf_miss conf = {
		.way = miss->to_vm ? RTE_PMD_EMUNIC_MISS_TO_VM : RTE_PMD_EMUNIC_MISS_TO_REPRESENTOR,
		.key_id = miss->key_id,
		.group = miss->group,
	};
	miss_fn set;

	why[0] = '\0';
	memcpy(conf.key, miss->key, sizeof(conf.key));
	nic_pmd_find("rte_pmd_emunic_vf_miss_set", &set);
	if (set == NULL) {
		snprintf(why, why_len, "this version of its driver has no way through a VM");
		return -ENOTSUP;
	}
	return set(pf, vf, &conf, why, why_len);
}

int
nic_emunic_vf_queues(uint16_t pf, uint16_t vf, struct nic_vf_queue *out, uint16_t max)
{
	struct rte_pmd_emunic_vf_queue q[RTE_PMD_EMUNIC_RETA];
	queues_fn queues;
	int n, i;

	nic_pmd_find("rte_pmd_emunic_vf_queues", &queues);
	if (queues == NULL)
		return -ENOTSUP;
	n = queues(pf, vf, q, RTE_PMD_EMUNIC_RETA);
	if (n > max)
		n = max;
	for (i = 0; i < n; i++)
		out[i] = (struct nic_vf_queue){.packets = q[i].packets, .rss = q[i].rss != 0};
	return n;
}
