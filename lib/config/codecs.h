// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONFIG_CODECS_H
#define SLUICE_CONFIG_CODECS_H

#include "walk.h"

// Values that no general kind of field can say: a parser and a printer each, for config_codec.
// Thread safety: owner thread only while parsing.

bool codec_is_text(struct walk *w, const json_t *value); // else a fault

// codecs_net.c: VLANs and addresses of a port
void codec_parse_vids(struct walk *w, const json_t *value, void *base);
json_t *codec_print_vids(const struct config *cfg, const void *base);
// Once a port is read: trunk says which VIDs may pass, also by mode and vid.
void codec_finish_vlan(struct config_port *port);
void codec_parse_macs(struct walk *w, const json_t *value, void *base);
json_t *codec_print_macs(const struct config *cfg, const void *base);
void codec_parse_ips(struct walk *w, const json_t *value, void *base);
json_t *codec_print_ips(const struct config *cfg, const void *base);

// extensions.c
void codec_parse_args(struct walk *w, const json_t *value, void *base);
json_t *codec_print_args(const struct config *cfg, const void *base);

#endif
