# SPDX-License-Identifier: BSD-3-Clause
"""What it costs the packet path when 10,000 flows are put into hardware meanwhile.

  change_pct   a worker forwards fixed flows in software as fast as it can; in windows of 200 ms, in
               turn, 10,000 idle flows are put into the emulated NIC, or nothing is done. Cycles for
               each packet while the worker had its CPU (schedstat), with insertions against
               without: median over the pairs of windows, and its 95 % interval (mark: below 2)
  rule_us      time for each rule, from the change of the configuration to the last one
  p50_ms, p99_ms  heavy flows (10 Mbit/s, 1,000 packets a second each) begin one after the other at
               a NIC that takes 1 ms for a rule: how long the host carried each (mark: 25 and 50).
               It is told by the packets that it carried, so to 1 ms
"""
import argparse
import copy
import json
import pathlib
import signal
import statistics
import struct
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from sluice_harness import Sluiced, short_dir, wait_for  # noqa: E402
from sluice_harness.machine import build_dir  # noqa: E402

WINDOW_S = 0.2


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench install', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--flows', type=int, default=10000, metavar='N')
    p.add_argument('--pairs', type=int, default=40, metavar='N',
                   help='pairs of windows (default %(default)s)')
    p.add_argument('--starts', type=int, default=300, metavar='N',
                   help='heavy flows that begin (default %(default)s)')
    a = p.parse_args()
    if not 1 <= a.flows <= 50000 or a.pairs < 5 or not 10 <= a.starts <= 10000:
        p.error('--flows: 1 to 50000; --pairs: 5 or above; --starts: 10 to 10000')
    return a


def config(capacity, more='', background=True, **offload):
    plain = {'attach': {'kind': 'ethdev', 'dev': 'net_flowsource0,flows=1000'}, 'name': 'source'}
    null = {'attach': {'kind': 'ethdev', 'dev': 'net_null0,no-rx=1'}, 'name': 'null'}
    return {
        'drivers': ['librte_net_emunic.so']
        + ([str(build_dir() / 'tests' / 'bench' / 'librte_net_flowsource.so')] * background),
        'datapath': {'idle_ms': 3600000},
        'offload': {'heavy_bps': '5M', 'light_bps': '2M', **offload},
        'nics': [{'name': 'nic0', 'queues': 2, 'vf_queues': 2, 'vfs': 1, 'default_queues': 1,
                  'vf_default_queues': 1,
                  'dev': 'net_emunic0,queues=2,vfs=1,rep_queues=2,representor=vf0,'
                         f'capacity={capacity},wire=[sink],vf0=[sink]{more}'}],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'vm', 'vm': 'vm', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                      *([plain, null] if background else [])],
            'rules': [{'match': 'port=uplink', 'actions': 'output=vm'},
                      *([{'match': 'port=source', 'actions': 'output=null'}] if background
                        else [])]}]}


# ---- what the workers notice

class Worker:
    """The worker's thread: time on its CPU, and packets of the fixed flows."""

    def __init__(self, switch):
        self.switch = switch
        tasks = pathlib.Path(f'/proc/{switch.proc.pid}/task').iterdir()
        found = [t for t in tasks if 'rte-worker' in (t / 'comm').read_text()]
        assert found, 'there is no worker thread'
        self.task = max(found, key=lambda t: int((t / 'schedstat').read_text().split()[0]))
        ports = switch.telemetry('/ethdev/list')['/ethdev/list']
        self.port = next(p for p in ports if switch.telemetry(f'/ethdev/info,{p}')['/ethdev/info']
                         ['name'] == 'net_flowsource0')

    def look(self):
        ran = int((self.task / 'schedstat').read_text().split()[0])
        stats = self.switch.telemetry(f'/ethdev/stats,{self.port}')['/ethdev/stats']
        return ran, stats['ipackets']

    def window(self):
        """Nanoseconds of its CPU for each packet, over a window; over several, where another
        program kept it from its CPU for all of one."""
        first = last = self.look()
        end = time.monotonic() + 20 * WINDOW_S
        while last[1] == first[1]:
            assert time.monotonic() < end, 'the worker forwards nothing'
            time.sleep(WINDOW_S)
            last = self.look()
        return (last[0] - first[0]) / (last[1] - first[1])


def interval(values):
    """The median and the 95 % interval of it (order statistics, binomial)."""
    v = sorted(values)
    half = 0.98 * len(v) ** 0.5
    low, high = max(0, int(len(v) / 2 - half)), min(len(v) - 1, int(len(v) / 2 + half))
    return statistics.median(v), v[low], v[high]


def rules(switch):
    return switch.call('nic show', nic='nic0')['rules']


def notice(a):
    on = config(a.flows + 1024, idle_ms=3600000, orders_per_tick=64)
    s = Sluiced(short_dir('bench-install'), on, telemetry=True)
    s.swap(f'generator,flows={a.flows},seed=3,pps=200000,size=64,skew=0,v6=0')
    wait_for(lambda: rules(s) >= a.flows, 60, f'{a.flows} flows are in the NIC')
    s.swap('sink')
    off = copy.deepcopy(s.config)
    off['offload']['enabled'] = False

    def reload(cfg):
        s.write_config(cfg)
        s.call('config reload')

    def emptied():
        reload(off)
        wait_for(lambda: rules(s) == 0, 30, 'no rule is left')
    emptied()
    worker = Worker(s)
    pairs, made, took = [], [], []
    for n in range(a.pairs):
        found = {}
        for insert in (n % 2 == 0, n % 2 != 0):
            reload(s.config if insert else off)
            found[insert] = worker.window()
            if insert:
                made.append(rules(s))
                emptied()
        pairs.append(100 * (found[True] / found[False] - 1))
    for _ in range(5):
        began = time.monotonic()
        reload(s.config)
        wait_for(lambda: rules(s) >= a.flows, 60, 'all are there again')
        took.append((time.monotonic() - began) / a.flows * 1e6)
        emptied()
    s.stop()
    median, low, high = interval(pairs)
    return {'change_pct': round(median, 2), 'low_pct': round(low, 2), 'high_pct': round(high, 2),
            'pairs': len(pairs), 'inserted_in_window': round(statistics.median(made)),
            'rule_us': round(min(took), 2)}


# ---- from a heavy flow's first packet to its rule

def frame(n, size):
    """A UDP packet of flow n, to an address that is its own."""
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, size - 14, 0, 0, 64, 17, 0, bytes([10, 0, n >> 8, n & 255]),
                     bytes([10, 1, n >> 8, n & 255]))
    total = sum(struct.unpack('>10H', ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack('>H', 0xffff - total) + ip[12:]
    udp = struct.pack('>HHHH', 1000 + n % 50000, 2000, size - 34, 0)
    return b'\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0' + ip + udp + bytes(size - 42)


def write_starts(path, starts, every_ms, lasts_ms):
    events = sorted((n * every_ms + t, n) for n in range(starts) for t in range(lasts_ms))
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for ms, n in events:
            data = frame(n, 1250)
            us = ms * 1000 + n * 7 % 1000
            f.write(struct.pack('<IIII', 1 + us // 1000000, us % 1000000, len(data), len(data)))
            f.write(data)


def starts(a):
    directory = short_dir('bench-starts')
    write_starts(directory / 'in.pcap', a.starts, 10, 150)
    s = Sluiced(directory, config(a.starts + 1024, ',insert_us=1000', background=False),
                telemetry=True)
    s.swap(f'replay,file={directory}/in.pcap')
    wait_for(lambda: s.call('stats')['nics'][0]['wire_finished'], 60, 'the flows have ended')
    late = []
    for f in s.call('flow list', limit=0)['items']:
        if f['id']:
            by = s.call('flow show', flow=f['id'])['packets_by_place']
            late.append(by['software'] + by['ring'] + by['shared-queue'] + by['exclusive-queue'])
    s.stop()
    assert len(late) >= a.starts, f'{len(late)} flows of {a.starts} are known'
    late.sort()
    return {'starts': len(late), 'p50_ms': late[len(late) // 2],
            'p99_ms': late[min(len(late) - 1, len(late) * 99 // 100)], 'max_ms': late[-1]}


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        row = {'bench': 'install', 'flows': a.flows, **notice(a), **starts(a)}
    except (AssertionError, OSError) as e:
        print(f'bench: {e}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(row))
    return 0


if __name__ == '__main__':
    sys.exit(main())
