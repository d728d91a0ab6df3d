# SPDX-License-Identifier: BSD-3-Clause
"""A NIC with 10,000 placed flows loses its link at full traffic; its standby takes over; and back.

Two emulated NICs with a VM's VF between them; the VM sends, heavy-tailed (Zipf 1.0), to the wire.

  quick  the standby takes rules as fast as it can: rules_ms is from the link event to the last
         rule of the 10,000 in the standby (at most 50); lost: packets of the way there, by name,
         lost_back: of the way back (0), with on_host_back: the share of the VM's packets that came to
         the host meanwhile, and starved_back: the share of the time in which the worker could have
         run and others had its CPU (what is lost with none of that is our fault); stuck: flows that are neither placed nor known to wait (0);
         steps_ms: when each step was over, from the event; control_ms: what control's time went
         to on its CPU, and waits, when it had none; driver_ms: of the executor's time, in rte_flow
  slow   the standby takes 1 ms for a rule and at most 5,000 a second: the share of the bytes that
         hardware carries over time, beside the share of the same number of the heaviest flows;
         short: by how much it was below that at most; rising: it never fell
"""
import argparse
import json
import pathlib
import signal
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / 'tests' / 'support'), str(pathlib.Path(__file__).parent)]

from sluice_harness import Sluiced, short_dir, wait_for  # noqa: E402

SKEW = 1.0
LOOK_S = 0.3  # who asks meanwhile takes control's time


def arguments():
    p = argparse.ArgumentParser(prog='scripts/bench failover', description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--flows', type=int, default=10000, metavar='N')
    p.add_argument('--pps', type=int, default=100000, metavar='N',
                   help='packets a second of all flows (default %(default)s)')
    p.add_argument('--slow-seconds', type=float, default=6, metavar='S',
                   help='how long the slow standby is watched (default %(default)s)')
    a = p.parse_args()
    if not 1 <= a.flows <= 50000 or a.pps < 1 or a.slow_seconds <= 0:
        p.error('--flows: 1 to 50000; --pps: 1 or above; --slow-seconds: above 0')
    return a


def config(a, standby):
    source = f'generator,flows={a.flows},seed=3,pps={a.pps},size=200,skew={SKEW},v6=0'

    def nic(n, sides, more=''):
        return {'name': f'nic{n}', 'queues': 2, 'vf_queues': 2, 'vfs': 1, 'recover_ms': 100,
                'default_queues': 1, 'vf_default_queues': 1,
                **({'standby_for': 'nic0'} if n else {}),
                'dev': f'net_emunic{n},queues=2,vfs=1,rep_queues=2,representor=vf0,'
                       f'capacity={a.flows + 1024},wire=[sink]{sides}{more}'}
    return {
        'drivers': ['librte_net_emunic.so'],
        'nics': [nic(0, f',vf0=[{source}]'), nic(1, '', standby)],
        'switches': [{
            'name': 'sw0',
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'vm', 'vm': 'vm',
                       'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}}],
            'rules': [{'match': 'port=vm', 'actions': 'output=uplink'}]}]}


class Rig:
    """A switch with that standby, all flows in the NIC."""

    def __init__(self, a, standby=''):
        self.flows = a.flows
        self.switch = Sluiced(short_dir('bench-failover'), config(a, standby), telemetry=True)
        self.placed('nic0', 60)

    def nic(self, name):
        return self.switch.call('nic show', nic=name)

    def placed(self, name, seconds):
        wait_for(lambda: self.nic(name)['rules'] >= self.flows, seconds,
                 f'{self.flows} flows are in {name}')

    def link(self, sides):
        answer = self.switch.telemetry(f'/emunic/set,nic=net_emunic0,link_down={sides}')
        assert 'error' not in str(answer), answer
        return time.monotonic()

    def drops(self):
        return self.switch.call('stats')['packets']['dropped']

    def quiet(self, seconds=20):
        wait_for(lambda: not self.nic('nic0')['switching'], seconds, 'the switch-over is over')

    def stuck(self):
        """Flows that wait for an answer for good."""
        def between():
            return sum(self.total(state) for state in ('installing', 'removing', 'refused'))
        wait_for(lambda: between() == 0 or None, 5, 'no flow is between two places')
        return between() + max(0, self.flows - self.total('placed'))

    def total(self, state):
        answer = self.switch.call('flow list', state=state, place='eswitch', limit=1)
        return answer.get('total', len(answer['items']))

    def sums(self):
        """Packets of the VM, and those that rules of the standby carried, so far; all are of one
        length."""
        nic = self.switch.call('stats')['nics'][1]
        return nic['received_vf'], nic['eswitch_packets']

    def came(self):
        """Packets of the VM so far, and those that the host had to take."""
        nics = self.switch.call('stats')['nics']
        return sum(n['received_vf'] for n in nics), sum(n['sent_host'] for n in nics)

    def starved(self):
        """Until now, and how long of it workers were ready to run and did not, in ns (kernel
        documentation, scheduler/sched-stats)."""
        tasks = pathlib.Path('/proc', str(self.switch.proc.pid), 'task').iterdir()
        return time.monotonic_ns(), sum(
            int((t / 'schedstat').read_text().split()[1]) for t in tasks
            if (t / 'comm').read_text().startswith('rte-worker'))

    def end(self):
        self.switch.swap('sink', side='vf0')
        self.switch.swap('sink', side='vf0', nic='net_emunic1')
        self.switch.settled()
        self.switch.stop()


def less(after, before):
    return {k: n - before.get(k, 0) for k, n in after.items() if n > before.get(k, 0)}


def in_ms(times):
    return {k: us / 1000 for k, us in times.items()}


def quick(a):
    rig = Rig(a)
    before = rig.drops()
    rig.link('wire')
    time.sleep(LOOK_S)
    rig.placed('nic1', 20)
    rig.quiet()
    there = rig.nic('nic1')['last_switch']
    lost = less(rig.drops(), before)
    stuck = rig.stuck()
    before, came, starved = rig.drops(), rig.came(), rig.starved()
    rig.link('none')
    time.sleep(4 * LOOK_S)
    wait_for(lambda: rig.nic('nic0')['state'] == 'active' and rig.nic('nic0')['switches'] == 2, 30,
             'it is back')
    rig.placed('nic0', 20)
    rig.quiet()
    back = rig.nic('nic0')['last_switch']
    elapsed, starved = (x - y for x, y in zip(rig.starved(), starved))
    vm, host = (x - y for x, y in zip(rig.came(), came))
    row = {'nic': 'quick', 'flows': there['flows'], 'pps': a.pps,
           'ports_ms': there['ports_us'] / 1000, 'rules_ms': there['rules_us'] / 1000,
           'steps_ms': in_ms(there['steps_us']), 'control_ms': in_ms(there['control_us']),
           'driver_ms': there['driver_us'] / 1000, 'lost': sum(lost.values()),
           'lost_by_name': lost, 'stuck': stuck, 'back_rules_ms': back['rules_us'] / 1000,
           'lost_back': sum((lost_back := less(rig.drops(), before)).values()),
           'lost_back_by_name': lost_back, 'on_host_back': round(host / max(vm, 1), 4),
           'starved_back': round(starved / elapsed, 2), 'stuck_back': rig.stuck()}
    rig.end()
    return row


def heaviest(n, flows):
    """The share of the n heaviest."""
    weights = [1 / k ** SKEW for k in range(1, flows + 1)]
    return sum(weights[:n]) / sum(weights)


def slow(a):
    rig = Rig(a, ',insert_us=1000,insert_rate=5000')
    before = rig.drops()
    began = rig.link('wire')
    wait_for(lambda: rig.nic('nic0')['state'] == 'failed', 5, 'it is seen')
    points, last = [], None
    for at in (0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 10):
        if at > a.slow_seconds:
            break
        time.sleep(max(0, began + at - time.monotonic()))
        sums, rules = rig.sums(), rig.nic('nic1')['rules']
        if last is not None and sums[0] > last[0][0]:
            points.append({'ms': round(at * 1000), 'rules': rules,
                           'share': round((sums[1] - last[0][1]) / (sums[0] - last[0][0]), 3),
                           'of_heaviest': round((heaviest(last[1], a.flows)
                                                 + heaviest(rules, a.flows)) / 2, 3)})
        last = (sums, rules)
    shares = [p['share'] for p in points]
    lost = less(rig.drops(), before)
    row = {'nic': '1 ms, 5000/s', 'flows': a.flows, 'pps': a.pps, 'over_time': points,
           'short': round(max((p['of_heaviest'] - p['share'] for p in points), default=0), 3),
           'rising': shares == sorted(shares), 'lost': sum(lost.values()), 'lost_by_name': lost}
    rig.end()
    return row


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rows = [quick(a), slow(a)]
    except (AssertionError, OSError) as e:
        print(f'bench: {e}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps({'bench': 'failover', **rows[0], 'slow': rows[1]}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
