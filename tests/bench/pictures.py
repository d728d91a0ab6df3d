# SPDX-License-Identifier: BSD-3-Clause
"""The pictures of each benchmark: what is drawn of its rows, and the marks beside (svg.py). The table
stands at the end: {benchmark: [Picture]}; the first one of a benchmark has its name."""
import dataclasses
from collections.abc import Callable

from svg import bars, curves

SWITCHES = ['floor', 'OVS-DPDK', 'sluice']
CYCLES = 'cycles a packet (TSC), fewer is better'
# Over I/O, by flows: what `forward` has to reach.
FORWARD_MARKS = {1: 28, 1000: 28, 10000: 32, 100000: 48, 1000000: 70}
LANE_MARK, CLASSIFY_MARK, WAKE_MARK_US, SCALE_MARK, EMUNIC_MARK = 12, 1.5, 100, 1.9, 20


@dataclasses.dataclass
class Picture:
    name: str
    title: str
    unit: str
    series: list
    groups: Callable  # rows to [(label, [value of each of series], mark or None)]
    note: str = ''
    mark: str = ''  # what marks are
    y_unit: str = ''  # curves, by x instead of groups: then groups is rows to [[(x, y)] of each]

    def draw(self, rows, machine):
        """SVG text, None: there is nothing of it in the rows."""
        found = self.groups(rows)
        if not any(found):
            return None
        on = (f'{machine["cpu"]}, {machine["cpus"]} CPUs, kernel {machine["kernel"]}, '
              f'DPDK {machine["dpdk"]}')
        note = f'{self.note}. {on}.' if self.note else f'{on}.'
        if self.y_unit:
            return curves(self.title, self.unit, self.y_unit, self.series, found, note)
        return bars(self.title, self.unit, self.series, found, note, self.mark)


def programs(r):
    return [r['floor'], r['ovs'], r['sluice']]


def flows(r):
    return f'{r["flows"]:,} flow' + ('s' if r['flows'] != 1 else '')


def forward_uniform(rows):
    return [(flows(r), programs(r),
             r['floor'] + FORWARD_MARKS[r['flows']] if r['flows'] in FORWARD_MARKS else None)
            for r in rows if r['traffic'] == 'uniform']


def forward_traffic(rows):
    words = {'zipf': 'Zipf', 'mix': 'mixed sizes', 'field': 'a DSCP rule'}
    return [(f'{words[r["traffic"]]}, {flows(r)}', programs(r), None)
            for kind in words for r in rows if r['traffic'] == kind]


def forward_captures(rows):
    return [(r['traffic'], programs(r), None) for r in rows if r['flows'] is None]


def churn(rows):
    words = {'new': '200,000 new a second', 'flood': 'SYN flood', 'vary': 'SYN flood, new sources'}
    of = {(r['program'], r['phase']): 100 * r['kept'] for r in rows}
    out = []
    for phase in dict.fromkeys(r['phase'] for r in rows):
        kind, _, rate = phase.partition(' ')
        label = words.get(kind, kind) + (f', {rate.replace("M", " Mpps")}' if rate else '')
        out.append((label, [of.get(('ovs', phase)), of.get(('sluice', phase))],
                    100 if kind == 'new' else 95))
    return out


def vhost(rows):
    def mark(r):
        if r['options'] == 'default':
            return r['floor'] / 0.9
        return r['ovs'] / 1.5 if r['ovs'] else None
    return [({'default': 'defaults', 'in-order': 'mrg_rxbuf=0,in_order=1'}.get(r['options'], r['options']),
             programs(r), mark(r)) for r in rows]


def scale(rows):
    return [(f'{r["workers"]} worker' + 's' * (r['workers'] > 1), [r['mpps']],
             SCALE_MARK * rows[0]['mpps'] if r['workers'] == 2 else None) for r in rows]


def path_plain(rows):
    return [(flows(r), [r['floor'], r['sluice']], None) for r in rows if r['case'] == 'plain']


def path_cases(rows):
    words = {'candidates': 'all are told as candidates',
             'field_other': 'a rule reads DSCP, of none',
             'field': 'a rule reads DSCP, of all'}
    plain = {r['flows']: r['over_io'] for r in rows if r['case'] == 'plain'}
    return [(f'{words[r["case"]]}, {r["flows"]:,}', [plain.get(r['flows']), r['over_io']], None)
            for r in rows if r['case'] != 'plain']


def classify_sets(size):
    def groups(rows):
        return [(r['set'], [r['rte_acl_cycles'], r['cycles_per_lookup']],
                 CLASSIFY_MARK * r['rte_acl_cycles'] if r['rte_acl_cycles'] else None)
                for r in rows if r['set'].endswith(size)]
    return groups


def placement_at(speed):
    def groups(rows):
        return [(f'{r["pcap"].split(".")[0][:26]}, {r["entries"]}',
                 [r['share'][k] for k in ('endless', 'clairvoyant', 'first_come', 'sluice')], None)
                for r in rows if 'share' in r and r['speed'] == speed]
    return groups


def failover(rows):
    over_time = rows[0]['slow']['over_time']
    return [[(r['ms'], r[k]) for r in over_time] for k in ('of_heaviest', 'share')]


PICTURES = {
    'forward': [
        Picture('forward', 'Forwarding on one core under 1000 rules', CYCLES, SWITCHES,
                forward_uniform, 'floor: the same receive and transmit with nothing between; 64-byte '
                'UDP, flows in uniform random order; each at its best tuning', 'mark'),
        Picture('forward-traffic', 'Forwarding: other orders, sizes and rules', CYCLES, SWITCHES,
                forward_traffic, 'Zipf: exponent 1; mixed sizes: 64, 594 and 1514 bytes as 7 to 4 to '
                '1; a DSCP rule: one more rule reads a field of each packet'),
        Picture('forward-captures', 'Forwarding: captures in a loop', CYCLES, SWITCHES,
                forward_captures, 'All that is well formed passes, at the cost of the same 1000 rules')],
    'lane': [Picture(
        'lane', 'A receive queue with a fixed meaning', CYCLES, ['floor', 'sluice'],
        lambda rows: [(f'{r["queue"]}, {flows(r)}', [r['floor'], r['sluice']], r['floor'] + LANE_MARK)
                      for r in rows],
        'floor: the same calls on the same queues of the emulated NIC with the same rules', 'mark')],
    'churn': [Picture(
        'churn', 'What 100,000 established flows keep', '% of their packets, more is better',
        ['OVS-DPDK', 'sluice'], churn, 'One queue of 1024 descriptors, 4 Mpps of established flows; '
        'the SYN flood is a capture in a loop', 'mark')],
    'vhost': [Picture(
        'vhost', 'VM to VM over vhost-user, by virtio options', CYCLES, SWITCHES, vhost,
        'floor: io forwarding between the same two ports; cycles of the loops that had packets', 'mark')],
    'scale': [Picture('scale', 'Two workers against one', 'Mpps, more is better', ['sluice'], scale,
                      'The mark is for a machine with a core for each worker and one beside', 'mark')],
    'path': [
        Picture('path', 'The packet path in one process', CYCLES, ['floor', 'sluice'], path_plain,
                '1000 rules, 64-byte UDP'),
        Picture('path-cases', 'What candidates for offload and per-packet fields cost',
                'cycles a packet over I/O (TSC), fewer is better', ['plain', 'sluice'], path_cases,
                'plain: none of it, at the same number of flows')],
    'cache': [Picture(
        'cache', 'The flow cache alone', 'cycles a look-up (TSC), fewer is better',
        ['look-up', 'parse and look-up'],
        lambda rows: [(flows(r), [r['lookup'], r['parse_lookup']], None) for r in rows])],
    'classify': [
        Picture('classify', 'The rule engine on ClassBench sets of 10,000 rules',
                'cycles a look-up (TSC), fewer is better', ['rte_acl', 'sluice'], classify_sets('_10k'),
                'rte_acl at its best algorithm and SIMD width; no bar: it did not build', 'mark'),
        Picture('classify-1k', 'The rule engine on ClassBench sets of 1,000 rules',
                'cycles a look-up (TSC), fewer is better', ['rte_acl', 'sluice'], classify_sets('_1k'),
                'rte_acl at its best algorithm and SIMD width; no bar: it did not build')],
    'emunic': [Picture(
        'emunic', 'The emulated NIC, wire to queue', 'Mpps of one core, more is better', ['packets'],
        lambda rows: [(f'{r["rules"]:,} rules', [r['mpps']], EMUNIC_MARK) for r in rows],
        'Rules of 16 shapes, traffic uniform over all of them', 'mark')],
    'placement': [
        Picture('placement', 'Bytes that the NIC handles, captures 20 times faster',
                'share of all bytes, more is better',
                ['endless table', 'clairvoyant', 'first come', 'sluice'], placement_at(20),
                'By capture and table entries; an operation of the NIC takes 1 ms'),
        Picture('placement-1', 'Bytes that the NIC handles, captures at their own speed',
                'share of all bytes, more is better',
                ['endless table', 'clairvoyant', 'first come', 'sluice'], placement_at(1),
                'By capture and table entries; an operation of the NIC takes 1 ms')],
    'queues': [Picture(
        'queues', 'Eight flows on four queues', 'purity of the queues, more is better', ['sluice'],
        lambda rows: [(f'{r["decides"]}: {r["mode"]}, {r["policy"]}', [r['purity']], None)
                      for r in rows], 'By who decides, mode and what the policy wants alike')],
    'wake': [Picture(
        'wake', 'How long a packet waits for a worker', 'microseconds, fewer is better',
        ['median', '99 of 100'],
        lambda rows: [(r['worker'], [r['us_p50'], r['us_p99']],
                       WAKE_MARK_US if r['worker'] == 'naps' else None) for r in rows],
        'naps: the packet comes to a worker that sleeps; polls: to one that never does', 'mark')],
    'failover': [Picture(
        'failover', 'A NIC of 5,000 insertions a second takes over',
        'ms since the link was lost', ['the heaviest first', 'sluice'], failover,
        '10,000 flows by a Zipf law', y_unit='share of the bytes in hardware')],
    'install': [Picture(
        'install', 'From the first packet of a heavy flow to its rule', 'ms, fewer is better',
        ['sluice'],
        lambda rows: [(name, [rows[0][f'{key}_ms']], mark) for name, key, mark in
                      (('median', 'p50', 25), ('99 of 100', 'p99', 50), ('slowest', 'max', None))],
        'The NIC takes 1 ms for an insertion', 'mark')],
    'instructions': [Picture(
        'instructions', 'Instructions of each stage', 'instructions a packet, fewer is better',
        ['baseline', 'now'],
        lambda rows: [(r['stage'], [r['baseline'], r['instructions']], None) for r in rows],
        'callgrind, without AVX-512')],
}
