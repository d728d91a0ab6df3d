# SPDX-License-Identifier: BSD-3-Clause
"""The demo: sluiced on one emulated NIC, with four VMs, plays traffic on the wire.

                       wire: the capture or the generator
                                     |
               +---------------------+---------------------+
               |   emulated NIC: embedded switch, queues   |
               +----+-----------+--------------+-----------+
                  VF 0        VF 1          PF queues
                    |           |              |
                   vm1         vm2          sluiced  -- vhost-user --  vm3, vm4

Which VM a packet is for is a stated hash, not flooding: the lowest two bits of the destination's
address (IPv4 or IPv6; of the destination MAC where there is no IP address): 0 is vm1, 3 is vm4.
"""
import argparse
import gzip
import json
import math
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / 'tests' / 'support'))

from sluice_harness import Proc, RpcClient, build_dir, short_dir, wait_for  # noqa: E402
from sluice_harness.machine import cores  # noqa: E402
from sluice_harness.sweep import sweep_files  # noqa: E402

PLACES = ['eswitch', 'exclusive-queue', 'shared-queue', 'ring', 'software']
NIC_QUEUES, NIC_DEFAULT, NIC_RULES = 6, 1, 80
GENERATOR = {'flows': 2000, 'seed': 1, 'pps': 20000}


def arguments():
    p = argparse.ArgumentParser(prog='scripts/demo', description=__doc__.split('\n')[0])
    p.add_argument('--pcap', metavar='FILE', help='play this capture (.pcap, .pcapng, .gz)')
    p.add_argument('--speed', type=float, default=1.0, metavar='X',
                   help='times the timing of the capture (default 1); 0: as fast as possible')
    p.add_argument('--seconds', type=float, default=None, metavar='N',
                   help='length of the generated traffic (default 15); with --pcap the demo must '
                        'be over in N seconds')
    p.add_argument('--json', action='store_true', help='end with one JSON object')
    a = p.parse_args()
    if a.pcap and not os.path.isfile(a.pcap):
        p.error(f'{a.pcap} is not a file')
    if a.speed < 0 or not math.isfinite(a.speed):
        p.error('--speed is 0 or above')
    return a


def wire_text(a):
    if a.pcap:
        return f'[replay,file={os.path.abspath(a.pcap)},speed={a.speed:g},loop=0]'
    count = int(GENERATOR['pps'] * (a.seconds or 15) * 1)
    options = ','.join(f'{k}={v}' for k, v in GENERATOR.items())
    return f'[generator,{options},count={count},size=mixed,skew=1.1,v6=20]'


def count_packets(path):
    """Whole records of a capture, counted here and not by what plays them."""
    opener = gzip.open if path.endswith('.gz') else open
    with opener(path, 'rb') as f:
        data = f.read()
    magic = data[:4]
    if magic == b'\x0a\x0d\x0d\x0a':
        return count_blocks(data)
    order = '<' if magic in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    at, n = 24, 0
    while at + 16 <= len(data):
        length = struct.unpack_from(order + 'I', data, at + 8)[0]
        if at + 16 + length > len(data):
            break
        at += 16 + length
        n += 1
    return n


def count_blocks(data):
    at, n = 0, 0
    order = '<' if data[8:12] == b'\x4d\x3c\x2b\x1a' else '>'
    while at + 12 <= len(data):
        kind, length = struct.unpack_from(order + 'II', data, at)
        if length < 12 or at + length > len(data):
            break
        n += kind in (2, 3, 6)
        at += length
    return n


def rules():
    """The stated hash, as rules."""
    out = []
    for n in range(4):
        vm = f'vm{n + 1}'
        out += [
            {'name': f'{vm}-ip', 'priority': 30, 'match': f'ip ip_dst=0.0.0.{n}/0.0.0.3',
             'actions': f'output={vm}'},
            {'name': f'{vm}-ip6', 'priority': 30, 'match': f'ip6 ip_dst=::{n}/::3',
             'actions': f'output={vm}'},
            {'name': f'{vm}-mac', 'priority': 10,
             'match': f'eth_dst=00:00:00:00:00:0{n}/00:00:00:00:00:03',
             'actions': f'output={vm}'},
        ]
    return out


def config(directory):
    device = (f'net_emunic0,queues={NIC_QUEUES},vfs=2,representor=vf[0-1],rep_queues=2,'
              f'capacity={NIC_RULES},wire=[sink],vf0=[sink],vf1=[sink]')
    ports = [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}, 'mtu': 9000}]
    for n in range(4):
        vm = f'vm{n + 1}'
        if n < 2:
            attach = {'kind': 'vf', 'nic': 'nic0', 'vf': n}
        else:
            attach = {'kind': 'vhost-user', 'path': str(directory / f'{vm}.sock')}
        ports.append({'name': vm, 'vm': vm, 'attach': attach, 'mtu': 9000})
    return {
        'control': {'socket': str(directory / 'sluice.sock')},
        'drivers': ['librte_net_emunic.so'],
        'classes': [{'name': 'default', 'level': 1, 'weight': 1, 'depth': 1024}],
        'nics': [{'name': 'nic0', 'dev': device, 'queues': NIC_QUEUES,
                  'default_queues': NIC_DEFAULT, 'vf_queues': 2, 'vf_default_queues': 1,
                  'vfs': 2}],
        # The rules below would be in the NIC before a packet comes: here single flows are shown.
        'offload': {'rules_ahead': 0},
        'vms': [{'name': f'vm{n + 1}'} for n in range(4)],
        'switches': [{'name': 'sw0', 'id': 1, 'ports': ports, 'rules': rules()}],
    }


class Switch:
    """sluiced, and a session on its control socket."""

    def __init__(self, directory, prefix):
        path = directory / 'sluice.json'
        path.write_text(json.dumps(config(directory), indent=2))
        # Poll-mode workers want a CPU to themselves; on a busy small machine this is the next best.
        argv = ['nice', '-n', '-10', build_dir() / 'src' / 'sluiced', f'--file-prefix={prefix}', '--', '--config', path]
        self.proc = Proc(argv, directory / 'sluiced.log')
        self.rpc = wait_for(lambda: self.connect(directory / 'sluice.sock'), 60,
                            'sluiced answers')

    def connect(self, path):
        assert self.proc.running, f'sluiced ended:\n{self.proc.tail()}'
        try:
            return RpcClient(path, timeout=60)
        except OSError:
            return None

    def call(self, method, **params):
        return self.rpc.call(method, **params)

    def stop(self):
        """Ends it; its exit code."""
        self.rpc.close()
        return self.proc.stop(30)


class Guests:
    """vm3 and vm4: one process that takes packets on a virtio-user port for each."""

    def __init__(self, directory):
        cpu = cores()[0]
        argv = ['nice', '-n', '-5', build_dir() / 'tests' / 'support' / 'guest', '--lcores', f'0@{cpu}', '--no-huge',
                '-m', '256', '--no-shconf', '--no-pci', '--no-telemetry',
                '--file-prefix', directory.name + '-vm']
        for n in (3, 4):
            argv += ['--vdev', f'net_virtio_user{n},path={directory}/vm{n}.sock,queues=1,'
                     f'queue_size=1024,mac=02:00:00:00:00:0{n}']
        self.proc = Proc(argv, directory / 'guests.log', stdin=subprocess.PIPE)
        self.proc.wait_text('^ready$', 60)

    def stop(self):
        self.proc.stop()


def telemetry(directory, prefix, command):
    """One command on DPDK's telemetry socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(f'/run/dpdk/{prefix}/dpdk_telemetry.v2')
        s.recv(65536)
        s.send(command.encode())
        return json.loads(s.recv(65536))


def bar(share, width=24):
    full = round(share * width)
    return '#' * full + '.' * (width - full)


def show_places(stats, out):
    packets = stats['place_packets']
    total = max(1, sum(packets.values()))
    out(f'  {"place":<16} {"flows":>8} {"packets":>10}  share')
    for place in PLACES:
        share = packets[place] / total
        out(f'  {place:<16} {stats["flows"].get(place, 0):>8} {packets[place]:>10}  '
            f'{bar(share)} {100 * share:5.1f} %')


def show_queues(switch, out):
    out('  queues in use')
    for q in switch.call('queue list', kind='rx')['items']:
        if q['use'] in ('exclusive', 'shared', 'default') and q['port'] == 'pf':
            out(f'    {q["nic"]}/{q["port"]}/rx/{q["queue"]:<3} {q["use"]:<10} {q["owner"]:<6} '
                f'{q["flows"]:>4} flows {q["packets"]:>9} packets')


def flow_text(match):
    """What tells the flows of one wire apart: they have its port and MACs in common."""
    words = [w for w in match.split() if not w.startswith(('port=', 'eth_'))]
    return ' '.join(words) or match


def show_top(switch, out, n=5):
    out('  heaviest flows')
    for f in switch.call('offload top', limit=n)['items']:
        out(f'    {f["id"]:<6} {f["rate_bps"] / 1e6:8.2f} Mbit/s  {f["place"]:<16} '
            f'{f["state"]:<10} -> {f["to"]:<5} {flow_text(f["match"])}')


def watch(switch, expected, deadline, live):
    """Plays to the end; shows where things are once a second."""
    next_show = time.monotonic() + 1
    while True:
        stats = switch.call('stats')
        nic = stats['nics'][0]
        if nic['wire_finished']:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f'sluice demo: {nic["wire_played"]} of {expected} packets were '
                             'played when time was up')
        if live and time.monotonic() >= next_show:
            next_show += 1
            print(f'\n{nic["wire_played"]} of {expected} packets played')
            show_places(stats, print)
            show_queues(switch, print)
            show_top(switch, print)
            sys.stdout.flush()
        time.sleep(0.1)


def result(stats):
    packets = dict(stats['packets'])
    return {
        'played': stats['nics'][0]['wire_played'],
        'packets': packets,
        'conserved': stats['conserved'],
        'flows': stats['flows'],
        'place_packets': stats['place_packets'],
        'bytes': stats['bytes'],
        'refused': stats['refused'],
    }


def run(a, directory):
    live = not a.json
    say = print if live else lambda *_: None
    prefix = directory.name
    say(f'hash: the lowest two bits of the destination address choose vm1 to vm4\n'
        f'NIC: {NIC_RULES} rules, {NIC_QUEUES} receive queues ({NIC_DEFAULT} by RSS)')
    if a.pcap:
        expected = count_packets(a.pcap)
        deadline = time.monotonic() + (a.seconds or 24 * 3600)
    else:
        expected = int(GENERATOR['pps'] * (a.seconds or 15))
        deadline = time.monotonic() + 60 + 4 * (a.seconds or 15)
    switch = Switch(directory, prefix)
    guests = None
    try:
        guests = Guests(directory)
        wait_for(lambda: all(p['state'] == 'up' for p in switch.call('port list')['items']), 30,
                 'all ports are up')
        answer = telemetry(directory, prefix, f'/emunic/swap,nic=net_emunic0,side=wire,'
                                              f'{wire_text(a)}')
        if answer.get('/emunic/swap', {}).get('error'):
            raise SystemExit('sluice demo: ' + answer['/emunic/swap']['error'])
        watch(switch, expected, deadline, live)
        stats = switch.call('stats', settle=True)
        if live:
            print('\nsummary')
            show_places(stats, print)
            show_queues(switch, print)
            show_top(switch, print, 10)
            p = stats['packets']
            print(f'  ledger: {p["received"]} received + {p["originated"]} originated + '
                  f'{p["copies"]} copies = {p["sent"]} sent + {p["consumed"]} consumed + '
                  f'{sum(p["dropped"].values())} dropped + {p["held"]} held: '
                  f'{"conserved" if stats["conserved"] else "NOT CONSERVED"}')
            for name, n in sorted(p['dropped'].items()):
                print(f'    dropped {name}: {n}')
            for name, n in sorted(stats['refused'].items()):
                print(f'    not placed, {name}: {n}')
        final = result(stats)
    finally:
        if guests:
            guests.stop()
        code = switch.stop()
    if code != 0:
        print(f'sluice demo: sluiced ended with {code}:\n{switch.proc.tail()}', file=sys.stderr)
        return 1, final
    if final['played'] != expected:
        print(f'sluice demo: {final["played"]} packets were played, {expected} were to be',
              file=sys.stderr)
        return 1, final
    return (0 if final['conserved'] else 1), final


def main():
    a = arguments()
    directory = short_dir('demo')
    try:
        code, final = run(a, directory)
        if a.json:
            print(json.dumps(final))
    except AssertionError as e:
        print(f'sluice demo: {e}', file=sys.stderr)
        code = 1
    finally:
        if not os.environ.get('SLUICE_DEMO_KEEP'):
            sweep_files(directory.name)
    return code


if __name__ == '__main__':
    sys.exit(main())
