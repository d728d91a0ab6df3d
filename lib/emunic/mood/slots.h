// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_SLOTS_H
#define EMUNIC_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The names of the NIC's sides and host ports, and their slots: numbers that do not depend on how
// many VFs there are, so that arguments may come in any order. Slot 0 is the first wire and its PF,
// 1 + n is VF n and its representor, EMU_MAX_VFS + k is wire k and PF k.
// Thread safety: any thread (no state).

#define EMU_MAX_WIRES 4
#define EMU_MAX_VFS 64
#define EMU_SLOTS (EMU_MAX_WIRES + EMU_MAX_VFS)

static inline bool
emu_slot_is_wire(unsigned int slot)
{
	return slot == 0 || slot > EMU_MAX_VFS;
}

// The number of the wire, or of the VF.
static inline unsigned int
emu_slot_number(unsigned int slot)
{
	return slot == 0 ? 0 : slot > EMU_MAX_VFS ? slot - EMU_MAX_VFS : slot - 1;
}

// The slot of the i-th side or host port of a NIC with so many VFs: the further wires come last.
static inline unsigned int
emu_slot_of(unsigned int index, unsigned int vfs)
{
	return index <= vfs ? index : EMU_MAX_VFS + index - vfs;
}

// A number at the end of a name, of one to three digits, below limit.
bool emu_name_number(const char *text, unsigned int limit, unsigned int *out);

// wire, wire1 to wire3, vfN.
bool emu_side_slot(const char *name, unsigned int *slot);
void emu_side_name(unsigned int slot, char *out, size_t len);
// pf, pf1 to pf3, repN.
bool emu_host_slot(const char *name, unsigned int *slot);
void emu_host_name(unsigned int slot, char *out, size_t len);

#endif
