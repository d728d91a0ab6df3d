// SPDX-License-Identifier: BSD-3-Clause
#include "failover/vf_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nic/pmd.h"

typedef int (*move_fn)(uint16_t port, const char *side, uint16_t to_port, const char *to_side);
typedef int (*hold_fn)(uint16_t port, const char *side, int on);

static void
side_name(uint16_t vf, char *buf, size_t len)
{
	snprintf(buf, len, "vf%u", vf);
}

static void
emulated_expect(const struct nic *nic, uint16_t vf, bool on)
{
	char side[16];
	hold_fn hold;

	nic_pmd_find("rte_pmd_emunic_side_hold", &hold);
	side_name(vf, side, sizeof(side));
	if (hold != NULL)
		hold(nic->ports[0].ethdev, side, on);
}

static int
emulated_move(const struct nic *from, uint16_t from_vf, const struct nic *to, uint16_t to_vf,
	struct sl_err *err)
{
	char side[16], dest[16];
	move_fn move;
	int rc;

	nic_pmd_find("rte_pmd_emunic_backend_move", &move);
	side_name(from_vf, side, sizeof(side));
	side_name(to_vf, dest, sizeof(dest));
	rc = move == NULL ? -ENOSYS : move(from->ports[0].ethdev, side, to->ports[0].ethdev, dest);
	if (rc == 0 || rc == -ENOENT) // nothing uses it
		return 0;
	return sl_err_set(err, rc, NULL, "what uses vf%u of %s cannot be taken to vf%u of %s: %s",
		from_vf, from->name, to_vf, to->name,
		rc == -ENOTSUP ? "an ethdev behind it stays with its NIC" : strerror(-rc));
}

static void
operator_expect(const struct nic *nic, uint16_t vf, bool on)
{
}

static int
operator_move(const struct nic *from, uint16_t from_vf, const struct nic *to, uint16_t to_vf,
	struct sl_err *err)
{
	return sl_err_set(err, ENOTSUP, NULL,
		"the VM that has vf%u of %s (%s) needs vf%u of %s (%s): with QMP, device_del and "
		"device_add; until then its packets go by its other attachments only",
		from_vf, from->name, from->dev_name, to_vf, to->name, to->dev_name);
}

const struct vf_map *
vf_map_for(const struct nic *a, const struct nic *b)
{
	static const struct vf_map emulated = {.name = "emulated",
		.by_itself = true,
		.expect = emulated_expect,
		.move = emulated_move};
	static const struct vf_map by_operator = {
		.name = "operator", .expect = operator_expect, .move = operator_move};
	const bool both =
		strcmp(a->driver, "net_emunic") == 0 && strcmp(b->driver, "net_emunic") == 0;

	return both ? &emulated : &by_operator;
}
