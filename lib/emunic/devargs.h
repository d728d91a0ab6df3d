// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_DEVARGS_H
#define EMUNIC_DEVARGS_H

#include <stddef.h>
#include <stdint.h>

#include "mood/moods.h"

// Device arguments of --vdev net_emunicN,... :
//
//   queues=N          receive and transmit queue pairs of each PF, 1 to 256 (default 4)
//   ports=N           physical ports, 1 to 4 (default: as many as wireK= name): PF and wire each
//   vfs=N             VFs of the first PF, 0 to 64 (default: as many as representor= and vfN= name)
//   representor=LIST  which VFs get a representor ethdev, in DPDK's form, e.g. vf[0-3] or
//                     pf0vf[0-3]
//   rep_queues=N      queue pairs of each representor, 1 to 256 (default 1)
//   wire=[BACKEND]    what is plugged in at the wire (backend.h; default nothing: link down), and
//   wireK=[BACKEND]   at the wire of PF K, 1 to 3
//   vfN=[BACKEND]     what uses VF N
//   mbufs=N           packet buffers of the NIC itself (default by the number of VFs)
//   mac=XX:..:XX      address of the first PF; a representor's is that plus 1 plus its VF, and of
//                     PF K that plus the number of VFs plus K
//   firmware=KIND     thread (default: one that sleeps when idle), service (a DPDK service core;
//                     where none runs, inline), inline (inside the application's bursts)
//   profile=NAME      limits and moods of a family of NICs: connectx, e810 or 82599 (profile.h);
//                     what stands behind it overrides them
//   and its limits and moods (moods.h), by default none but capacity=1024
//
// An unknown key, a key given twice and a value out of range are errors.
// Thread safety: any thread (no state).

#define EMU_PARAM_STRING                                                                           \
	"queues=<1-256> vfs=<0-64> representor=vf[<list>] rep_queues=<1-256> wire=[<backend>] "    \
	"ports=<1-4> wire<1-3>=[<backend>] "                                                       \
	"vf<N>=[<backend>] mbufs=<N> mac=<addr> firmware=thread|service|inline "                   \
	"profile=connectx|e810|82599 " EMU_MOODS_STRING

enum emu_firmware_kind { EMU_FW_THREAD, EMU_FW_SERVICE, EMU_FW_INLINE };

struct emu_devargs {
	uint16_t queues;
	uint16_t vfs;
	uint16_t ports;
	uint16_t rep_queues;
	uint16_t n_reps;
	uint16_t reps[EMU_MAX_VFS]; // VF numbers
	uint32_t mbufs;
	struct emu_moods moods;
	char profile[16]; // empty: none
	enum emu_firmware_kind firmware;
	uint8_t mac[6];
	char *backends[EMU_SLOTS]; // by slot: texts without their brackets, owned; NULL: none
};

// Fills out from text (NULL: all defaults). name seeds the default MAC. Returns 0 or -errno with a
// sentence in why. On success emu_devargs_free is due.
int emu_devargs_parse(
	const char *name, const char *text, struct emu_devargs *out, char *why, size_t why_len);
// What lists of moods may name.
struct emu_extent emu_devargs_extent(const struct emu_devargs *a);
void emu_devargs_free(struct emu_devargs *a);

#endif
