# SPDX-License-Identifier: BSD-3-Clause
"""TSC cycles per packet of one forwarding core, at several numbers of flows: 64-byte UDP, flows in
uniform random order, a policy of 1000 five-tuple rules that the packets pass, then one output.
--traffic adds others: flows by a Zipf law (exponent 1), frames of 64, 594 and 1514 bytes as 7 to 4
to 1, captures in a loop (their first 128 bytes, the original length; all that is well formed and
fits the MTU passes, at the cost of the same policy), and `field`: one more rule, above the others,
reads the packets' DSCP, so that flows are told apart by it too.
Beside sluice: testpmd's io forwarding from the same source to the same sink (the floor) and, where
it is installed, OVS-DPDK with the same rules, at the better of its tunings (EMC; SMC).

All run side by side, one at a time, the others standing still; each figure is the median of the
rounds."""
import argparse
import contextlib
import json
import pathlib
import shutil
import signal
import statistics
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from forward_rigs import Floor, Ovs, RigError, Sluice, ovs_installed  # noqa: E402
from hugepages import Hugepages  # noqa: E402
from sluice_harness import RpcError, short_dir  # noqa: E402

FLOWS = [1, 1000, 10000, 100000, 1000000]
MEMORY_MB = 3072
CAPTURES = TOP.parent / 'shared' / 'data' / 'pcap'
TRAFFIC = {'uniform': '', 'zipf': ',order=zipf', 'mix': ',size=mix', 'field': ',dscp=10'}


def say(*words):
    print('bench:', *words, file=sys.stderr, flush=True)


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench forward', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--flows', metavar='N,..', default=','.join(map(str, FLOWS)),
                   help='numbers of flows (default %(default)s)')
    p.add_argument('--traffic', metavar='KIND,..', default='uniform',
                   help='uniform, zipf, mix, field, captures (default %(default)s)')
    p.add_argument('--captures', metavar='DIR', type=pathlib.Path, default=CAPTURES,
                   help='where the captures are (default %(default)s)')
    p.add_argument('--rounds', type=int, default=5, metavar='N', help='default %(default)s')
    p.add_argument('--seconds', type=float, default=0.4, metavar='S',
                   help='CPU time of one measurement (default %(default)s)')
    p.add_argument('--no-ovs', action='store_true', help='leave OVS out')
    p.add_argument('--json', action='store_true', help='print one JSON object')
    a = p.parse_args()
    try:
        a.flows = [int(n) for n in a.flows.split(',')]
    except ValueError:
        p.error('--flows takes numbers with commas between them')
    if not all(1 <= n <= 10_000_000 for n in a.flows):
        p.error('--flows: 1 to 10000000')
    a.traffic = a.traffic.split(',')
    if not set(a.traffic) <= {*TRAFFIC, 'captures'}:
        p.error('--traffic: uniform, zipf, mix, field, captures')
    if a.rounds < 1 or not 0.05 <= a.seconds <= 60:
        p.error('--rounds is 1 or above, --seconds 0.05 to 60')
    return a


def rounds(a, rigs):
    """{(name, tuning): [(cycles, share), ..]}"""
    seen = {(r.name, t): [] for r in rigs for t in r.tunings}
    for _ in range(a.rounds):
        for rig in rigs:
            rig.go_on()
            for tuning in rig.tunings:
                rig.tune(tuning)
                time.sleep(0.3)
                seen[rig.name, tuning].append(rig.measure(a.seconds))
            rig.pause()
    return seen


def start(stack, rig):
    stack.callback(rig.stop)
    rig.start()
    for tuning in rig.tunings:
        rig.tune(tuning)
        rig.settle()
    rig.pause()
    return rig


def row(a, kind, flows, source, memory, base_mb):
    """Figures of one kind of traffic; `source`: the arguments of the source that make it."""
    with contextlib.ExitStack() as stack:
        directory = short_dir('bench')
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        kinds = [Floor] + ([Ovs] if ovs_installed() and not a.no_ovs else []) + [Sluice]
        rigs = [start(stack, k(directory, flows, memory, source)) for k in kinds]
        seen = rounds(a, rigs)
        sluice = rigs[-1]
        sluice.go_on()
        sluice.check()
        cache_mb = sluice.heap_mb() - base_mb
        hz = sluice.telemetry.ask('/flowsource/clock')['tsc_hz']
    medians = {key: statistics.median(c for c, _ in values) for key, values in seen.items()}
    ovs = {t: c for (name, t), c in medians.items() if name == 'ovs'}
    best = min(ovs, key=ovs.get) if ovs else None
    out = {'traffic': kind, 'flows': flows, 'floor': medians['floor', ''], 'ovs': ovs[best] if ovs else None,
           'sluice': medians['sluice', ''], 'ovs_tuning': best, 'ovs_all': ovs or None,
           'spread': {f'{n} {t}'.strip(): [min(v)[0], max(v)[0]] for (n, t), v in seen.items()},
           'cpu_share': min(s for v in seen.values() for _, s in v), 'cache_mb': cache_mb}
    return out, hz


def base_memory(memory):
    """The heap of a sluiced with the smallest cache, in MB."""
    with contextlib.ExitStack() as stack:
        directory = short_dir('bench')
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        rig = Sluice(directory, 1, memory)
        rig.cache_min = 1024
        stack.callback(rig.stop)
        rig.start()
        return rig.heap_mb()


def rounded(value):
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return value


def shown(value, digits):
    return '-' if value is None else f'{value:.{digits}f}'


def table(rows):
    heads = ['traffic', 'flows', 'floor', 'OVS', 'tuned', 'sluice', 'OVS/sluice', 'over I/O: OVS', 'sluice',
             'ratio', 'cache MB']
    named = max(len(r['traffic']) for r in rows)
    print(' '.join(f'{h:>{max(len(h), 7)}}' for h in [f'{"traffic":<{named}}'] + heads[1:]))
    for r in rows:
        ovs, floor, mine = r['ovs'], r['floor'], r['sluice'] - r['floor']
        over = None if ovs is None else ovs - floor
        cells = [r['traffic'], shown(r['flows'], 0), shown(floor, 1), shown(ovs, 1), r['ovs_tuning'] or '-',
                 shown(r['sluice'], 1), shown(ovs and ovs / r['sluice'], 2), shown(over, 1),
                 shown(mine, 1), shown(over and over / mine, 2), shown(r['cache_mb'], 1)]
        cells[0] = f'{cells[0]:<{named}}'
        print(' '.join(f'{c:>{max(len(h), 7)}}' for h, c in zip(heads, cells)))


def wanted(a):
    """(kind, flows, arguments of the source) of each row."""
    out = [(kind, flows, TRAFFIC[kind]) for kind in a.traffic if kind in TRAFFIC
           for flows in a.flows]
    if 'captures' in a.traffic:
        files = sorted(a.captures.glob('*.pcap*')) if a.captures.is_dir() else []
        if not files:
            say(f'{a.captures} has no captures: their rows are skipped')
        out += [(f.name.split('.')[0], 1, f',pcap={f.resolve()}') for f in files]
    return out


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not ovs_installed() and not a.no_ovs:
        say('OVS-DPDK is not installed (openvswitch-switch-dpdk): its column stays empty')
    rows, hz = [], 0
    try:
        with Hugepages(MEMORY_MB) as pages:
            memory = 'huge' if pages.enough else 'small'
            if not pages.enough:
                say(f'only {pages.free_mb} of {MEMORY_MB} MB of hugepages can be had: '
                    'all run with --no-huge, with more TLB misses')
            base = base_memory(memory)
            for kind, flows, source in wanted(a):
                say(kind, '' if 'pcap=' in source else f'{flows} flows')
                one, hz = row(a, kind, flows, source, memory, base)
                if 'pcap=' in source:
                    one['flows'] = None
                rows.append(rounded(one))
    except (RigError, RpcError, AssertionError, OSError) as e:
        say(f'{type(e).__name__}: {e}')
        return 1
    except KeyboardInterrupt:
        return 130
    if rows and min(r['cpu_share'] for r in rows) < 0.9:
        say('the machine is busy: figures count the cycles on the CPU, but the caches were shared')
    if a.json:
        print(json.dumps({'bench': 'forward', 'rows': rows, 'tsc_hz': hz, 'memory': memory,
                          'rules': 1000, 'frame': 64, 'rounds': a.rounds}))
    elif rows:
        table(rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
