# SPDX-License-Identifier: BSD-3-Clause
"""Runs every benchmark, one after the other, and writes to --out: NAME.json with the figures and
what they were taken on, NAME.svg with a picture (bars), index.json with all of it. Needs about 15
minutes on a quiet machine; what fails is told and does not keep the others from running."""
import argparse
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from sluice_harness.proc import die_with_parent  # noqa: E402
from svg import chart  # noqa: E402

DATA = TOP.parent / 'shared' / 'data'
SWITCHES = ['floor', 'OVS-DPDK', 'sluice']


def forward_bars(rows):
    return [(r['traffic'] if r['flows'] is None else
             f'{r["flows"]:,}' + ('' if r['traffic'] == 'uniform' else f' {r["traffic"]}'),
             [r['floor'], r['ovs'], r['sluice']]) for r in rows]


def churn_bars(rows):
    names = list(dict.fromkeys(r['phase'] for r in rows))
    of = {(r['program'], r['phase']): 100 * r['kept'] for r in rows}
    return [(n, [of.get(('ovs', n)), of.get(('sluice', n))]) for n in names]


def over_io(rows):
    return [(f'{r["flows"]:,}', [r['floor'], r['sluice']]) for r in rows]


# name: (arguments, title, unit, series, bars of the rows, note)
BENCHES = {
    'forward': (['--traffic', 'uniform,zipf,mix,captures'], 'Forwarding under 1000 rules',
                'cycles a packet, fewer is better', SWITCHES, forward_bars,
                'by flows; floor: receive and transmit with nothing between'),
    'lane': ([], 'A queue with a fixed meaning', 'cycles a packet, fewer is better',
             ['floor', 'sluice'],
             lambda rows: [(f'{r["queue"]}, {r["flows"]}', [r['floor'], r['sluice']])
                           for r in rows], 'emulated NIC included in both'),
    'churn': ([], 'What 100,000 established flows keep', '% of their packets',
              ['OVS-DPDK', 'sluice'], churn_bars,
              'new: 200,000 new flows a second; flood, vary: a spoofed SYN flood'),
    'vhost': ([], 'VM to VM over vhost-user', 'cycles a packet, fewer is better', SWITCHES,
              lambda rows: [(r['options'], [r['floor'], r['ovs'], r['sluice']]) for r in rows],
              'by virtio options of the guests'),
    'scale': ([], 'Workers', 'Mpps, more is better', ['sluice'],
              lambda rows: [(f'{r["workers"]}', [r['mpps']]) for r in rows], ''),
    'path': ([], 'The packet path in one process', 'cycles a packet, fewer is better',
             ['floor', 'sluice'], over_io, 'by flows'),
    'cache': ([], 'The flow cache alone', 'cycles a look-up, fewer is better',
              ['look-up', 'parse and look-up'],
              lambda rows: [(f'{r["flows"]:,}', [r['lookup'], r['parse_lookup']]) for r in rows],
              'by flows'),
    'classify': ([], 'The rule engine, ClassBench sets', 'cycles a look-up, fewer is better',
                 ['rte_acl', 'sluice'],
                 lambda rows: [(r['set'], [r['rte_acl_cycles'], r['cycles_per_lookup']])
                               for r in rows], 'no bar: rte_acl did not build'),
    'emunic': ([], 'The emulated NIC', 'Mpps of one core, more is better', ['packets'],
               lambda rows: [(f'{r["rules"]:,} rules', [r['mpps']]) for r in rows], ''),
    'placement': ([], 'Bytes that the NIC handles', 'share', ['endless table', 'first come',
                                                             'sluice'],
                  lambda rows: [(f'{r["pcap"].split(".")[0][:16]} x{r["speed"]:g} {r["entries"]}',
                                 [r['share']['endless'], r['share']['first_come'],
                                  r['share']['sluice']]) for r in rows if 'share' in r], ''),
    'queues': ([], 'Eight flows on four queues', 'purity of the queues', ['sluice'],
               lambda rows: [(f'{r["mode"]} {r["policy"]}', [r['purity']]) for r in rows], ''),
    'wake': ([], 'How long a packet waits for a worker', 'microseconds, fewer is better',
             ['median', '99 of 100'],
             lambda rows: [(r['worker'], [r['us_p50'], r['us_p99']]) for r in rows], ''),
    'failover': ([], 'A NIC of 5,000 insertions a second takes over',
                 'share of the bytes that are in hardware again',
                 ['sluice', 'the heaviest first'],
                 lambda rows: [(f'{r["ms"]:,} ms', [r['share'], r['of_heaviest']])
                               for r in rows[0]['slow']['over_time']],
                 'by the time since the link was lost; 10,000 flows by a Zipf law'),
    'install': ([], 'From the first packet of a heavy flow to its rule',
                'ms, fewer is better', ['sluice'],
                lambda rows: [(name, [rows[0][f'{key}_ms']]) for name, key in
                              (('median', 'p50'), ('99 of 100', 'p99'), ('slowest', 'max'))],
                'the NIC takes 1 ms for an insertion'),
    'instructions': ([], 'Instructions of each stage', 'a packet, fewer is better',
                     ['baseline', 'now'],
                     lambda rows: [(r['stage'], [r['baseline'], r['instructions']])
                                   for r in rows], 'callgrind, without AVX-512'),
}


def say(*words):
    print('bench:', *words, file=sys.stderr, flush=True)


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench all', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--out', type=pathlib.Path, required=True, metavar='DIR')
    p.add_argument('--only', metavar='NAME,..', help='of ' + ', '.join(BENCHES))
    p.add_argument('--quick', action='store_true', help='one round of each: to see that all runs')
    p.add_argument('--json', action='store_true', help='print index.json too')
    a = p.parse_args()
    a.only = a.only.split(',') if a.only else list(BENCHES)
    unknown = [n for n in a.only if n not in BENCHES]
    if unknown:
        p.error(f'--only: there is no {unknown[0]}: ' + ', '.join(BENCHES))
    return a


def first_line(*argv):
    try:
        run = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0] if run.returncode == 0 and lines else None


def machine():
    """What the figures were taken on."""
    model = re.search(r'^model name\s*: (.*)$', pathlib.Path('/proc/cpuinfo').read_text(), re.M)
    git = first_line('git', '-C', str(TOP), 'describe', '--always', '--dirty')
    return {'cpu': model[1] if model else platform.machine(), 'cpus': os.cpu_count(),
            'kernel': platform.release(), 'dpdk': first_line('pkg-config', '--modversion', 'libdpdk'),
            'ovs': first_line('ovs-vswitchd', '--version'), 'sluice': git,
            'load': round(os.getloadavg()[0], 2), 'time': time.strftime('%Y-%m-%dT%H:%M:%S%z')}


def commands(name, quick):
    """The command lines of one benchmark: classify has one for each rule set."""
    bench = [str(TOP / 'scripts' / 'bench'), name, '--json']
    if name == 'instructions':
        return [([str(TOP / 'scripts' / 'check-instructions'), '--json'], {})]
    if name == 'classify':
        sets = sorted((DATA / 'rules').glob('*_10k.gz')) if DATA.is_dir() else []
        return [(bench + ['--rules', str(s), '--headers', str(s)[:-3] + '.hdr.gz'],
                 {'set': s.name[:-3]}) for s in (sets[:2] if quick else sets)]
    if name == 'placement':
        return [(bench + ['--all', str(DATA / 'pcap')], {})] if DATA.is_dir() else []
    if quick and name in ('forward', 'churn', 'vhost', 'scale'):
        bench += ['--rounds', '1']
    if quick and name == 'forward':
        return [(bench + ['--flows', '1000', '--seconds', '0.1', '--traffic', 'uniform,zipf'], {})]
    return [(bench + BENCHES[name][0], {})]


def rows_of(text):
    """Rows of what a benchmark printed: an object, or one on each line."""
    try:
        found = [json.loads(text)]
    except json.JSONDecodeError:
        found = [json.loads(line) for line in text.splitlines() if line.startswith('{')]
    return [r for f in found for r in f.get('rows', [f])]


def run(name, quick):
    """(rows, what went wrong)"""
    rows = []
    for argv, more in commands(name, quick):
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=3600, check=False,
                              preexec_fn=die_with_parent)
        if done.returncode and not (name == 'instructions' and done.stdout):
            return rows, f'ended with {done.returncode}'
        rows += [{**more, **r} for r in rows_of(done.stdout)]
    return rows, None if rows else 'skipped: no data'


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    a.out.mkdir(parents=True, exist_ok=True)
    about = machine()
    index, wrong = {'machine': about, 'benches': {}}, 0
    note = f'{about["cpu"]}, {about["cpus"]} CPUs, kernel {about["kernel"]}, DPDK {about["dpdk"]}'
    for i, name in enumerate(a.only, 1):
        start = time.monotonic()
        say(f'[{i}/{len(a.only)}] {name}')
        rows, fault = run(name, a.quick)
        took = round(time.monotonic() - start, 1)
        say(f'[{i}/{len(a.only)}] {name}: {fault or f"{len(rows)} rows"} in {took:.0f} s')
        wrong += fault is not None and not fault.startswith('skipped')
        out = {'bench': name, 'machine': about, 'seconds': took, 'fault': fault, 'rows': rows}
        index['benches'][name] = out
        (a.out / f'{name}.json').write_text(json.dumps(out, indent=1) + '\n')
        if rows and BENCHES[name][4]:
            _, title, unit, series, bars, words = BENCHES[name]
            (a.out / f'{name}.svg').write_text(chart(
                title, unit, series, bars(rows), f'{words}{"; " if words else ""}{note}'))
    (a.out / 'index.json').write_text(json.dumps(index, indent=1) + '\n')
    if a.json:
        print(json.dumps(index))
    say(f'{len(a.only)} benchmarks, {wrong} failed: {a.out}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
