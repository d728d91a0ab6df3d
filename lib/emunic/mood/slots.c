// SPDX-License-Identifier: BSD-3-Clause
#include "mood/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
emu_name_number(const char *text, unsigned int limit, unsigned int *out)
{
	size_t n = strspn(text, "0123456789");

	*out = n > 0 && n <= 3 ? strtoul(text, NULL, 10) : limit;
	return text[n] == '\0' && *out < limit;
}

// Reads "WIRE", "WIREk" or "VFn".
static bool
read_name(const char *name, const char *wire, const char *vf, unsigned int *slot)
{
	unsigned int n = 0;

	if (strncmp(name, wire, strlen(wire)) == 0) {
		name += strlen(wire);
		if (*name != '\0' && (!emu_name_number(name, EMU_MAX_WIRES, &n) || n == 0))
			return false;
		*slot = n == 0 ? 0 : EMU_MAX_VFS + n;
		return true;
	}
	if (strncmp(name, vf, strlen(vf)) != 0 ||
		!emu_name_number(name + strlen(vf), EMU_MAX_VFS, &n))
		return false;
	*slot = 1 + n;
	return true;
}

static void
write_name(unsigned int slot, const char *wire, const char *vf, char *out, size_t len)
{
	if (slot == 0)
		snprintf(out, len, "%s", wire);
	else
		snprintf(out, len, "%s%u", emu_slot_is_wire(slot) ? wire : vf,
			emu_slot_number(slot));
}

bool
emu_side_slot(const char *name, unsigned int *slot)
{
	return read_name(name, "wire", "vf", slot);
}

void
emu_side_name(unsigned int slot, char *out, size_t len)
{
	write_name(slot, "wire", "vf", out, len);
}

bool
emu_host_slot(const char *name, unsigned int *slot)
{
	return read_name(name, "pf", "rep", slot);
}

void
emu_host_name(unsigned int slot, char *out, size_t len)
{
	write_name(slot, "pf", "rep", out, len);
}
