# SPDX-License-Identifier: BSD-3-Clause
"""What README.md says of the results of benchmarks: {benchmark: {machine, rows}} to Markdown."""
from statistics import fmean

from pictures import CLASSIFY_MARK, EMUNIC_MARK, FORWARD_MARKS, LANE_MARK, SCALE_MARK, WAKE_MARK_US

SHOWN = {  # pictures that stand in the README, with what they show; of others there is a link
    'forward': 'forwarding under 1000 rules, by flows: floor, OVS-DPDK and sluice',
    'forward-traffic': 'forwarding with Zipf orders, mixed sizes and a rule that reads DSCP',
    'churn': 'what established flows keep under new flows and floods',
    'vhost': 'VM to VM over vhost-user: floor, OVS-DPDK and sluice',
    'classify': 'look-ups in sets of 10,000 rules: rte_acl and sluice',
    'placement': 'share of the bytes that the NIC handles, by policy',
    'failover': 'share of the bytes in hardware after a NIC failed',
}


def table(heads, rows):
    lines = ['| ' + ' | '.join(heads) + ' |', '| ' + ' | '.join(
        '---:' if h.startswith('>') else '---' for h in heads) + ' |']
    lines[0] = lines[0].replace('>', '')
    return '\n'.join(lines + ['| ' + ' | '.join(r) + ' |' for r in rows]) + '\n'


def over(r, who):
    return r[who] - r['floor']


def forward_table(rows):
    out = []
    for r in (r for r in rows if r['traffic'] == 'uniform'):
        ovs, mark = r['ovs'], FORWARD_MARKS.get(r['flows'])
        out.append([f'{r["flows"]:,}', f'{r["floor"]:.0f}',
                    f'{ovs:.0f} ({r["ovs_tuning"].upper()})' if ovs else '-', f'{r["sluice"]:.0f}',
                    f'{over(r, "sluice"):.0f}', f'{mark}' if mark else '-',
                    f'{over(r, "ovs") / over(r, "sluice"):.1f}' if ovs else '-'])
    return table(['>flows', '>floor', '>OVS-DPDK (its tuning)', '>sluice', '>sluice over the floor',
                  '>mark', '>OVS-DPDK / sluice, over the floor'], out)


# ---- one line for each mark: [(what, figure, mark)]

def forward(rows):
    def times(among):
        return [over(r, 'ovs') / over(r, 'sluice') for r in among if r['ovs']]
    up_to = [r for r in rows if r['flows'] and r['flows'] <= 100000]
    some = times(r for r in up_to if r['traffic'] != 'field')
    field = times(r for r in up_to if r['traffic'] == 'field')
    cache = [r['cache_mb'] for r in rows if r['traffic'] == 'uniform' and r['flows'] == 1000000]
    out = [('OVS-DPDK / sluice over the floor up to 100,000 flows, least of uniform, Zipf and mix',
            f'{min(some):.1f}', '3')] if some else []
    if field:
        out.append(('the same where a rule above all reads DSCP', f'{min(field):.1f}', ''))
    captured = times(r for r in rows if r['flows'] is None)
    if captured:
        out.append((f'the same with {len(captured)} captures in a loop, least and mean',
                    f'{min(captured):.1f}, {fmean(captured):.1f}', '3'))
    return out + ([('memory of 1,000,000 cached flows', f'{cache[0]:.0f} MB', '160 MB')]
                  if cache else [])


def lane(rows):
    words = {'exclusive': 'a queue of one flow', 'shared': 'a queue that flows share'}

    def sure(r):  # 95 % interval
        return f' ({r["from"]:.1f} to {r["to"]:.1f})' if 'from' in r else ''
    return [(f'{words.get(r["queue"], r["queue"])} ({r["flows"]}), over the floor',
             f'{r["over_io"]:.1f} cycles{sure(r)}', f'{LANE_MARK}') for r in rows]


def churn(rows):
    words = {'new': '200,000 new flows a second', 'flood': 'a SYN flood',
             'vary': 'a SYN flood whose sources change'}
    return [(f'established flows keep, with {words.get(r["phase"].split()[0], r["phase"])}',
             f'{100 * r["kept"]:.2f} %, {r["missed"]:,} missed',
             'all' if r['phase'] == 'new' else '95 %') for r in rows if r['program'] == 'sluice']


def vhost(rows):
    out = []
    for r in rows:
        if r['options'] == 'default':
            out.append(('VM to VM, virtio defaults: floor / sluice', f'{r["of_floor"]:.2f}', '0.9'))
        elif r['of_ovs']:
            out.append(('VM to VM, mrg_rxbuf=0,in_order=1: OVS-DPDK / sluice', f'{r["of_ovs"]:.2f}',
                        '1.5'))
    return out


def scale(rows):
    return [('two workers, of one', f'{r["of_one"]:.2f}', f'{SCALE_MARK}, with three cores')
            for r in rows if r['workers'] == 2]


def path(rows):
    words = {'candidates': 'each flow is told as a candidate for hardware',
             'field_other': 'a rule reads DSCP that no flow can reach',
             'field': 'each flow can reach a rule that reads DSCP'}
    plain = {r['flows']: r['over_io'] for r in rows if r['case'] == 'plain'}
    out = [('path in one process, over I/O, at ' + ' / '.join(f'{n:,}' for n in plain),
            ' / '.join(f'{c:.0f}' for c in plain.values()) + ' cycles', '')] if plain else []
    for case in words:
        of = [r for r in rows if r['case'] == case]
        if of:
            out.append((f'where {words[case]}, at ' + ' / '.join(f'{r["flows"]:,}' for r in of),
                        ' / '.join(f'{r["over_io"]:.0f}' for r in of) + ' cycles', ''))
    return out


def cache(rows):
    return [('look-up in the flow cache, at ' + ' / '.join(f'{r["flows"]:,}' for r in rows),
             ' / '.join(f'{r["lookup"]:.0f}' for r in rows) + ' cycles', '')]


def classify(rows):
    out = []
    for size, words in (('_10k', '10,000'), ('_1k', '1,000')):
        both = [(r['cycles_per_lookup'], r['rte_acl_cycles']) for r in rows
                if r['set'].endswith(size) and r['rte_acl_cycles']]
        if not both:
            continue
        ours, theirs = zip(*both)
        out.append((f'look-up in {len(both)} sets of {words} rules, mean: sluice, rte_acl',
                    f'{fmean(ours):.0f}, {fmean(theirs):.0f} cycles',
                    'below rte_acl' if size == '_10k' else ''))
        out.append((f'the same, sluice / rte_acl at most', f'{max(a / b for a, b in both):.2f}',
                    f'{CLASSIFY_MARK}' if size == '_10k' else ''))
    return out + [(f'wrong answers in {len(rows)} sets; an update is visible (99 %); memory',
                   f'{sum(r["wrong"] for r in rows)}; {max(r["update_ms_p99"] for r in rows):.2f} ms; '
                   f'{max(r["memory_mb"] for r in rows):.1f} MB at most', '0; 10 ms')]


def emunic(rows):
    out = [('emulated NIC, wire to queue, at ' + ' / '.join(f'{r["rules"]:,}' for r in rows)
            + ' rules', ' / '.join(f'{r["mpps"]:.1f}' for r in rows) + ' Mpps', f'{EMUNIC_MARK}')]
    made = [r for r in rows if r.get('inserts_per_s')]
    if made:
        last = made[-1]
        out.append((f'the same, {last["rules"]:,} rules resident: insertions, removals',
                    f'{last["inserts_per_s"] / 1e6:.1f}, {last["removals_per_s"] / 1e6:.1f} M/s', ''))
    return out


def placement(rows):
    ratio = [r['share']['sluice'] / min(r['share']['endless'], r['share']['clairvoyant'])
             for r in rows if 'share' in r]
    return [(f'bytes in hardware, of the smaller of an endless table and one that knows the future, '
             f'{len(ratio)} cases: mean, least', f'{fmean(ratio):.2f}, {min(ratio):.2f}', '')]


def wake(rows):
    return [('a packet waits for a worker that naps: median, 99 %',
             f'{r["us_p50"]:.0f}, {r["us_p99"]:.0f} us', f'{WAKE_MARK_US} us')
            for r in rows if r['worker'] == 'naps']


def failover(rows):
    r = rows[0]
    return [(f'link lost with {r["flows"]:,} placed flows: all in the standby after; packets lost '
             'there, back; flows stuck',
             f'{r["rules_ms"]:.0f} ms; {r["lost"]:,}, {r["lost_back"]:,}; {r["stuck"]}', '50 ms; -, 0; 0')]


def install(rows):
    r = rows[0]
    return [('a heavy flow is in hardware after (NIC: 1 ms a rule): median, 99 %',
             f'{r["p50_ms"]:.0f}, {r["p99_ms"]:.0f} ms', '25, 50 ms'),
            ('what workers notice of 10,000 insertions', f'{r["change_pct"]:+.1f} % cycles', '2 %')]


def instructions(rows):
    of = {r['stage']: r['instructions'] for r in rows}
    return [('instructions a packet: parse; cache hit; miss with insertion; path of a known flow',
             f'{of["parse"]:.0f}; {of["cache_hit"]:.0f}; {of["cache_miss"]:.0f}; '
             f'{of["path_output"]:.0f}', '5 % growth fails')]


LINES = {f.__name__: f for f in (
    forward, lane, churn, vhost, scale, path, cache, classify, emunic, placement, wake, failover,
    install, instructions)}


def picture(name):
    return f'![{SHOWN[name]}](config/figures/{name}.svg)\n'


def taken_on(benches):
    """The machine of the newest results."""
    m = max((b['machine'] for b in benches.values()), key=lambda m: m['time'])
    return (f'Taken {m["time"][:10]} on {m["cpu"]}, {m["cpus"]} CPUs, kernel {m["kernel"]}, DPDK '
            f'{m["dpdk"]}' + (f', {m["ovs"]}' if m['ovs'] else '')
            + f', sluice {m["sluice"]} (`config/figures/results.json`).\n')


def readme_part(benches, pictures):
    names = [n.removesuffix('.svg') for n in pictures]
    parts = [taken_on(benches)] if benches else []
    if 'forward' in benches:
        parts.append(forward_table(benches['forward']['rows']))
    parts += [picture(n) for n in names if n.startswith('forward') and n in SHOWN]
    lines = [[f'`{name}`', *cells] for name in LINES if name in benches
             for cells in LINES[name](benches[name]['rows'])]
    if lines:
        parts.append(table(['benchmark', 'what', 'figure', 'mark'], lines))
    parts += [picture(n) for n in names if not n.startswith('forward') and n in SHOWN]
    links = [f'[{n}](config/figures/{n}.svg)' for n in names if n not in SHOWN]
    if links:
        parts.append('More pictures: ' + ', '.join(links) + '.\n')
    return '\n' + '\n'.join(parts) + '\n'
