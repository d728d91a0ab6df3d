# SPDX-License-Identifier: BSD-3-Clause
"""The policy of `bench forward`: 1000 five-tuple rules that let pass to one output, all else is
dropped. The packets of net_flowsource (forward_source.c) meet one of them each."""

RULES = 1000


def fields(rule):
    """Prefixes of source and destination, source port and mask, destination port."""
    high, low = rule >> 8, rule & 255
    return f'10.{high}.{low}.0/24', f'172.{16 + high}.{low}.0/24', (0, 0x8000), 1000 + rule


def sluice_rules(source, sink, all_else=False, field=False):
    """`all_else`: what meets none of them passes too, for captures. `field`: one more rule above
    them, which no packet meets, reads a field in which packets of one flow may differ."""
    out = []
    if field:
        out.append({'priority': 200, 'match': f'port={source} udp dscp=46', 'actions': 'drop'})
    if all_else:
        out.append({'priority': 1, 'match': f'port={source}', 'actions': f'output={sink}'})
    for rule in range(RULES):
        src, dst, (sport, mask), dport = fields(rule)
        out.append({'priority': 100, 'actions': f'output={sink}',
                    'match': f'port={source} udp ip_src={src} ip_dst={dst} sport={sport}/{mask} '
                             f'dport={dport}'})
    return out


def openflow_rules(source, sink, all_else=False, field=False):
    lines = []
    if field:
        lines.append(f'table=0,priority=200,in_port={source},udp,nw_tos={46 << 2},actions=drop')
    if all_else:
        lines.append(f'table=0,priority=1,in_port={source},actions=output:{sink}')
    for rule in range(RULES):
        src, dst, (sport, mask), dport = fields(rule)
        lines.append(f'table=0,priority=100,in_port={source},udp,nw_src={src},nw_dst={dst},'
                     f'tp_src={sport}/{mask:#x},tp_dst={dport},actions=output:{sink}')
    return '\n'.join(lines) + '\n'
