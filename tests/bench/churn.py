# SPDX-License-Identifier: BSD-3-Clause
"""What established flows lose when others come and go: 100,000 flows of 40 packets a second each in
uniform random order (64-byte UDP, the policy and the one worker of `bench forward`, which
never sleeps; the rest of the configuration is at its default), on a queue of 1024 descriptors by which everything comes. On top:

  new       200,000 flows a second that were never seen before, of one packet each
  flood     a capture of a spoofed SYN flood in a loop (1,000,000 packets a second, dropped by the
            policy)
  vary      the same, with other source addresses each time it is played

Phases take turns with quiet ones in one run of each program. `kept` is the established flows' packets
that were sent, by those that came, in that phase; `of quiet` is that by the same of the quiet
phases around it. `missed` are packets that met a full queue. Time in which the worker was kept from
its CPU by another program is left out (the source stops then). Beside sluice, where it is
installed: OVS-DPDK with its EMC."""
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

from forward_rigs import SINK, SOURCE, Ovs, RigError, Sluice, ovs_installed  # noqa: E402
from hugepages import Hugepages  # noqa: E402
from sluice_harness import RpcError, short_dir  # noqa: E402

MEMORY_MB = 2048
CAPTURE = TOP.parent / 'shared' / 'data' / 'dos' / 'synflood_spoofed.pcap.gz'
QUIET = {'new': 0, 'capture': 0, 'vary': 0}


class SluiceCounts(Sluice):
    def config(self):
        out = super().config()
        out['datapath']['sleep_after'] = 0  # OVS does not sleep either
        return out

    def figures(self):
        """Counters of the worker, and what was dropped for another reason than the policy."""
        worker = self.rpc.call('worker list')['items'][0]
        lost = self.rpc.call('stats')['software']['dropped']
        return {**{k: worker[k] for k in ('misses', 'evicted', 'over_budget')},
                'dropped': sum(n for name, n in lost.items() if name not in ('no-rule', 'policy'))}


class OvsEmc(Ovs):
    tunings = ('emc',)

    def figures(self):
        return {}


def say(*words):
    print('bench:', *words, file=sys.stderr, flush=True)


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench churn', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--flows', type=int, default=100000, metavar='N', help='default %(default)s')
    p.add_argument('--rate', type=int, default=4000000, metavar='PPS',
                   help='packets a second of all established flows (default %(default)s)')
    p.add_argument('--new', type=int, default=200000, metavar='N', help='default %(default)s')
    p.add_argument('--flood', default='1000000', metavar='PPS,..', help='default %(default)s')
    p.add_argument('--capture', type=pathlib.Path, default=CAPTURE, metavar='FILE',
                   help='of the flood (default %(default)s)')
    p.add_argument('--rounds', type=int, default=3, metavar='N', help='default %(default)s')
    p.add_argument('--seconds', type=float, default=2, metavar='S',
                   help='length of a phase (default %(default)s)')
    p.add_argument('--no-ovs', action='store_true', help='leave OVS out')
    p.add_argument('--json', action='store_true', help='print one JSON object')
    a = p.parse_args()
    try:
        a.flood = [int(n) for n in a.flood.split(',')]
    except ValueError:
        p.error('--flood takes numbers with commas between them')
    if not 1 <= a.flows <= 10_000_000 or a.rounds < 1 or not 0.2 <= a.seconds <= 60:
        p.error('--flows: 1 to 10000000, --rounds: 1 or above, --seconds: 0.2 to 60')
    return a


def look(rig):
    source, sink = (rig.telemetry.port(name) for name in (SOURCE, SINK))
    out = rig.counts()
    out['received'] = rig.telemetry.ask(f'/ethdev/stats,{source}')['ipackets']
    out['sent'] = rig.telemetry.ask(f'/ethdev/stats,{sink}')['opackets']
    out['ran'] = int((rig.worker() / 'schedstat').read_text().split()[0])
    out['clock'] = time.monotonic_ns()
    return {**out, **rig.figures()}


def phase(rig, seconds, rates):
    """What happened while that came: differences of all counters."""
    rig.set_rates(**{**QUIET, **rates})
    time.sleep(0.3)  # what the last phase has left in the queue
    first = look(rig)
    time.sleep(seconds)
    return {k: v - first[k] for k, v in look(rig).items()}


def kept(seen):
    """The part of the established flows' packets that was sent: all that is sent but new flows."""
    return (seen['sent'] - seen['new']) / (seen['known'] + seen['known_missed'])


def phases(a, capture):
    out = [('new', {'new': a.new})]
    for rate in a.flood if capture else []:
        out += [(f'flood {rate / 1e6:g}M', {'capture': rate}),
                (f'vary {rate / 1e6:g}M', {'capture': rate, 'vary': 1})]
    return out


def run(a, kind, memory, capture):
    """Rows of one program."""
    with contextlib.ExitStack() as stack:
        directory = short_dir('bench')
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        source = f',rate={a.rate}' + (f',pcap={a.capture.resolve()}' if capture else '')
        rig = kind(directory, a.flows, memory, source)
        stack.callback(rig.stop)
        rig.start()
        rig.tune(rig.tunings[0])
        wait_known(rig)
        hz = rig.telemetry.ask('/flowsource/clock')['tsc_hz']
        rows = {}
        for _ in range(a.rounds):
            before = phase(rig, a.seconds / 2, {})
            for name, rates in phases(a, capture):
                seen = phase(rig, a.seconds, rates)
                after = phase(rig, a.seconds / 2, {})
                rows.setdefault(name, []).append((before, seen, after))
                before = after
        return [row(kind.name, name, seen, hz) for name, seen in rows.items()]


def wait_known(rig):
    """Until each flow has come some times."""
    end = time.monotonic() + 60
    want = 5 * rig.counts()['distinct']
    while rig.counts()['known'] < want:
        if time.monotonic() > end:
            raise RigError(f'{rig.name}: the flows do not come')
        time.sleep(0.2)


def row(program, name, rounds, hz):
    quiet = [(kept(before) + kept(after)) / 2 for before, _, after in rounds]
    share = [kept(seen) for _, seen, _ in rounds]
    seen = {k: sum(s[k] for _, s, _ in rounds) for k in rounds[0][1]}
    calm = {k: sum(s[k] for b, _, c in rounds for s in (b, c)) for k in rounds[0][1]}
    return {'program': program, 'phase': name, 'kept': statistics.median(share),
            'of_quiet': statistics.median(s / q for s, q in zip(share, quiet)),
            'missed': seen['known_missed'], 'missed_quiet': calm['known_missed'],
            'established_mpps': seen['known'] / seen['clock'] * 1e3,
            'others_mpps': (seen['new'] + seen['capture']) / seen['clock'] * 1e3,
            'cpu_share': seen['ran'] / seen['clock'],
            'cycles': seen['ran'] * hz / 1e9 / seen['received'],
            'cycles_quiet': calm['ran'] * hz / 1e9 / calm['received'],
            **{k: seen.get(k) for k in ('misses', 'evicted', 'over_budget', 'dropped')}}


def table(rows):
    heads = ['program', 'phase', 'kept %', 'of quiet %', 'missed', 'quiet', 'est. Mpps', 'others',
             'misses', 'evicted', 'over budget']
    print(f'{heads[0]:8}{heads[1]:14}' + ' '.join(f'{h:>10}' for h in heads[2:]))
    for r in rows:
        cells = [f'{100 * r["kept"]:.2f}', f'{100 * r["of_quiet"]:.2f}', r['missed'],
                 r['missed_quiet'], f'{r["established_mpps"]:.2f}', f'{r["others_mpps"]:.2f}',
                 *('-' if r[k] is None else r[k] for k in ('misses', 'evicted', 'over_budget'))]
        print(f'{r["program"]:8}{r["phase"]:14}' + ' '.join(f'{c:>10}' for c in cells))


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    capture = a.capture.is_file()
    if not capture:
        say(f'{a.capture} is not here: the floods are skipped')
    rows = []
    try:
        with Hugepages(MEMORY_MB) as pages:
            memory = 'huge' if pages.enough else 'small'
            if not pages.enough:
                say(f'only {pages.free_mb} of {MEMORY_MB} MB of hugepages can be had: '
                    'all run with --no-huge, with more TLB misses')
            for kind in [SluiceCounts] + ([OvsEmc] if ovs_installed() and not a.no_ovs else []):
                say(kind.name)
                rows += run(a, kind, memory, capture)
    except (RigError, RpcError, AssertionError, OSError) as e:
        say(f'{type(e).__name__}: {e}')
        return 1
    except KeyboardInterrupt:
        return 130
    rows = [{k: round(v, 4) if isinstance(v, float) else v for k, v in r.items()} for r in rows]
    if a.json:
        print(json.dumps({'bench': 'churn', 'rows': rows, 'flows': a.flows, 'rate': a.rate,
                          'memory': memory, 'capture': a.capture.name if capture else None}))
    else:
        table(rows)
    return 0


if __name__ == '__main__':
    sys.exit(main())
