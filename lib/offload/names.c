// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "internal.h"

static const char *
name_of(const char *const *names, unsigned n, unsigned i)
{
	return i < n ? names[i] : "?";
}

const char *
offload_path_name(enum offload_path p)
{
	static const char *const names[OFFLOAD_PATHS] = {[OFFLOAD_SOFTWARE] = "software",
		[OFFLOAD_RING] = "ring",
		[OFFLOAD_SHARED_QUEUE] = "shared-queue",
		[OFFLOAD_EXCLUSIVE_QUEUE] = "exclusive-queue",
		[OFFLOAD_ESWITCH] = "eswitch"};

	return name_of(names, OFFLOAD_PATHS, p);
}

const char *
offload_state_name(enum offload_state s)
{
	static const char *const names[OFFLOAD_STATES] = {[OFFLOAD_ST_SOFTWARE] = "software",
		[OFFLOAD_ST_WANTED] = "wanted",
		[OFFLOAD_ST_INSTALLING] = "installing",
		[OFFLOAD_ST_PLACED] = "placed",
		[OFFLOAD_ST_REMOVING] = "removing",
		[OFFLOAD_ST_REFUSED] = "refused"};

	return name_of(names, OFFLOAD_STATES, s);
}

const char *
offload_reason_name(enum offload_reason r)
{
	static const char *const names[OFFLOAD_REASONS] = {[OFFLOAD_R_NONE] = "none",
		[OFFLOAD_R_LIGHT] = "light",
		[OFFLOAD_R_DISABLED] = "disabled",
		[OFFLOAD_R_NO_NIC] = "no-nic",
		[OFFLOAD_R_TABLE_FULL] = "table-full",
		[OFFLOAD_R_NO_FREE_QUEUE] = "no-free-queue",
		[OFFLOAD_R_VM_QUEUE_LIMIT] = "vm-queue-limit",
		[OFFLOAD_R_VM_ENTRY_LIMIT] = "vm-entry-limit",
		[OFFLOAD_R_DEPENDS] = "depends-on",
		[OFFLOAD_R_FRAGMENTS] = "fragments",
		[OFFLOAD_R_ACTIONS] = "actions",
		[OFFLOAD_R_NO_MARK] = "no-mark",
		[OFFLOAD_R_UNSUPPORTED] = "unsupported",
		[OFFLOAD_R_DRIVER] = "driver",
		[OFFLOAD_R_NIC_GONE] = "nic-gone",
		[OFFLOAD_R_HINT] = "hint",
		[OFFLOAD_R_BUDGET] = "budget",
		[OFFLOAD_R_STALE] = "stale",
		[OFFLOAD_R_EXTENSION] = "extension",
		[OFFLOAD_R_POLICY] = "policy",
		[OFFLOAD_R_SERVED] = "served",
		[OFFLOAD_R_THROUGH_VM] = "through-vm",
		[OFFLOAD_R_VM_INSERT_LIMIT] = "vm-insert-limit",
		[OFFLOAD_R_DEAD] = "dead-rule",
		[OFFLOAD_R_LENT] = "lent",
		[OFFLOAD_R_METER] = "meter",
		[OFFLOAD_R_WORKER] = "worker-change"};

	return name_of(names, OFFLOAD_REASONS, r);
}

const char *
offload_queue_state_name(enum offload_queue_state s)
{
	static const char *const names[OFFLOAD_Q_STATES] = {[OFFLOAD_Q_DEFAULT] = "default",
		[OFFLOAD_Q_FREE] = "free",
		[OFFLOAD_Q_EXCLUSIVE] = "exclusive",
		[OFFLOAD_Q_SHARED] = "shared",
		[OFFLOAD_Q_STANDBY] = "standby",
		[OFFLOAD_Q_MONITOR] = "monitor",
		[OFFLOAD_Q_STOPPED] = "stopped",
		[OFFLOAD_Q_GROUP] = "group"};

	return name_of(names, OFFLOAD_Q_STATES, s);
}

void
offload_queue_name(const struct offload *o, struct offload_queue_id q, char *buf, unsigned long len)
{
	static const char *const kinds[] = {
		[OFFLOAD_RX] = "rx", [OFFLOAD_TX] = "tx", [OFFLOAD_VF] = "vf"};
	const char *name = q.nic < OFFLOAD_NICS_MAX ? o->nic[q.nic].name : NULL;
	const char *kind = name_of(kinds, 3, q.kind);
	char nic[16];

	snprintf(nic, sizeof(nic), "nic%u", q.nic);
	if (q.port == 0)
		snprintf(buf, len, "%s/pf/%s/%u", name ? name : nic, kind, q.index);
	else
		snprintf(buf, len, "%s/vf%u/%s/%u", name ? name : nic, q.port - 1u, kind, q.index);
}
