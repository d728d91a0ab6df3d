// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_DATAPATH_TAG_H
#define SLUICE_DATAPATH_TAG_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "datapath/limits.h"

// Misses that come through the VM: what met nothing in the table of a VM's VF, the NIC gave to that
// VF with a keyed tag (rte_pmd_emunic_miss.h), and a program in the guest passes it on, unchanged,
// over a vhost-user port of the VM. The worker judges the tag there. What is genuine and new ends
// as a frame of that port (consumed) and begins as one of its true origin, the VF's vport
// (originated), so that it meets the rules as if it had come by the representor. All else is
// dropped by a name of its own, and neither its origin nor its contents are looked at.
//
// Once: a number of a key is taken by one worker only, whichever queues of the guest it comes by,
// with no lock: 2048 numbers are remembered in words of 32 that are replaced as a whole by a later
// word, never by an earlier one (compare and swap). A number whose word was replaced is refused.
// Cost: SipHash over the frame, and one atomic operation. Refuses: numbers from 2^42 on; a key is
// replaced long before.
//
// Control frees a key when no snapshot has it.
// Thread safety: any thread; a key is constant but for `seen`, which is written by atomics only.

#define DP_TAG_KEY 16
#define DP_TAG_WORDS 64
#define DP_TAG_NUMBERS (UINT64_C(1) << 42)
#define DP_TAG_KEYS_MAX 256 // in use at a time: the tag names one by a byte

struct dp_tag_key {
	uint8_t id;      // in the tag
	uint16_t vf;     // that the tag was given to
	uint16_t origin; // vport that its frames come from
	uint8_t key[DP_TAG_KEY];
	alignas(64) _Atomic uint64_t seen[DP_TAG_WORDS];
};

struct dp_tags { // that a vhost-user port may hand in: those of the VFs of its VM
	uint16_t n;
	struct dp_tag_key *const *keys;
};

// The number came by that key. 0, -EALREADY: it came before, -ESTALE: that cannot be told any more.
int dp_tag_once(struct dp_tag_key *k, uint64_t number);

#endif
