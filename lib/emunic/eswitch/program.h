// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_PROGRAM_H
#define EMUNIC_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eswitch/field.h"
#include "eswitch/reframe.h"
#include "eswitch/table.h"

// What a rule does to a packet, beside counting it, marking it and deciding where it goes.
//
// Problem: a rule may carry a dozen actions, yet most carry none of these, and the look-up must not
// pay for them. Idea: the common actions stand in the rule itself (struct emu_actions); all others
// are a program behind one pointer, which is NULL for most: an array of fixed-size operations, made
// from the action list when the rule is judged and run in its order, once, without loops or
// branches. Its end is the rule's fate. Cost: no rule without a program pays more than a test of
// the pointer; an edit costs some tens of instructions.
// What it refuses: more than EMU_MAX_OPS operations, and any after the one that decides.
//
// Thread safety: made and freed by the host, run by the firmware, all under the NIC's gate.

#define EMU_MAX_OPS 32
#define EMU_MAX_ENCAPS 2

enum emu_opcode {
	EMU_OP_MODIFY,    // dst = dst (how) src, of so many bits
	EMU_OP_PUT,       // dst = value[0], in the bits that are set in value[1]
	EMU_OP_DEC_TTL,   // the packet is dropped when nothing is left of it
	EMU_OP_PUSH_VLAN, // of type arg
	EMU_OP_POP_VLAN,
	EMU_OP_FLAG,
	EMU_OP_STRIP, // arg bytes
	EMU_OP_VXLAN_DECAP,
	EMU_OP_ENCAP, // the arg-th
	EMU_OP_METER, // by meter, which may drop it
	EMU_OP_SAMPLE,
};

enum emu_how { EMU_SET, EMU_ADD, EMU_SUB };

struct emu_op {
	uint8_t code; // enum emu_opcode
	uint8_t how;  // enum emu_how
	uint8_t dst;  // enum emu_field
	uint8_t src;  // enum emu_field; EMU_FIELD_NONE: value
	uint8_t dst_at;
	uint8_t src_at; // bits that are skipped from the least significant end
	uint8_t width;  // bits
	uint16_t arg;
	union {
		uint64_t value[2]; // the least significant half first
		struct emu_meter *meter;
		struct emu_sample *sample;
	};
};

// A copy of every ratio-th packet, as it is when the operation comes, and what becomes of it.
struct emu_sample {
	uint32_t ratio;
	uint32_t since;        // packets since the last copy
	struct emu_port *port; // of the rule
	struct emu_actions act;
};

struct emu_program {
	uint16_t n_ops;
	bool writes;    // to the packet's headers
	bool reframes;  // by a tunnel header, before which a packet must be one packet
	uint16_t grows; // by at most so many bytes
	struct emu_encap *encap[EMU_MAX_ENCAPS];
	struct emu_rss_rule *rss; // where the fate is EMU_FATE_RSS
	struct emu_op ops[];
};

struct emu_meter;
struct emu_nic;
struct emu_port;
struct emu_rss_rule;

// Lets go of what an operation holds.
void emu_op_release(const struct emu_op *op);
// Frees what the actions hold and forgets it. Their rule is in no table any more.
void emu_actions_release(struct emu_actions *act);

// Runs the program of a rule on p. False: the packet was dropped, and counted.
bool emu_program_run(struct emu_nic *nic, struct emu_pkt *p, const struct emu_program *program);

// True when p has to be segmented before the rule's actions can be done to it.
static inline bool
emu_must_split(const struct emu_pkt *p, const struct emu_actions *act)
{
	return p->gso && act->program != NULL && act->program->reframes;
}

#endif
