# SPDX-License-Identifier: BSD-3-Clause
"""The emulated NIC under Debian's dpdk-testpmd: a real client of its ethdev and rte_flow.

        testpmd        port 0 (PF)   port 1 (rep vf0)   port 2 (rep vf1)
                          |             |                  |
        net_emunic0    [ embedded switch ............................ ]
                          |             |                  |
                        wire           vf0                vf1
                     (a capture)      (sink)      (generator or sink)

With firmware=inline nothing moves before testpmd's `start`, so that rules are there before the
first packet and every count is exact; other tests use the default, a thread.
"""
import itertools
import json
import os
import re
import socket

import pytest
from scapy.all import (Dot1Q, Ether, IP, IPv6, TCP, UDP, Raw, wrpcap)

from sluice_harness import Testpmd, data_dir, foreign_build_dir, need, wait_for

pytestmark = pytest.mark.plain_only
NIC = 'librte_net_emunic.so'


@pytest.fixture
def pmd(work):
    """Starts testpmd with some emulated NICs; they end with the test."""
    lib = foreign_build_dir() / 'lib' / 'emunic'
    assert (lib / NIC).exists(), f'{lib / NIC} is not built'
    need('dpdk-testpmd')
    started = []

    def start(*vdevs, args=(), memory=512, prefix=None):
        eal = ['-d', NIC, '--log-level', 'pmd.net.emunic:info']
        eal += ['--file-prefix', prefix] if prefix else []
        for vdev in vdevs:
            eal += ['--vdev', vdev]
        env = {'LD_LIBRARY_PATH': f"{lib}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(':')}
        t = Testpmd(work, eal=eal, args=args, memory=memory, env=env, huge=False,
                    telemetry=prefix is not None,
                    name=f'testpmd{len(started)}')
        started.append(t)
        return t

    def stop(t):
        started.remove(t)
        return t.stop()

    start.stop = stop
    yield start
    for t in started:
        t.stop()


def xstats(t, port=0):
    return {k: int(v) for k, v in re.findall(r'^(\w+): (\d+)$',
                                             t.cmd(f'show port xstats {port}'), re.M)}


def settled(t, done, port=0):
    """The xstats once done(xstats) holds and two readings agree."""
    last = [None]

    def look():
        now = xstats(t, port)
        same, last[0] = now == last[0] and done(now), now
        return now if same else None
    return wait_for(look, 15, 'the counters settle')


def assert_balanced(x):
    received = x['nic_received_wire'] + x['nic_received_vf'] + x['nic_received_host']
    sent = x['nic_sent_wire'] + x['nic_sent_vf'] + x['nic_sent_host']
    drops = sum(v for k, v in x.items() if k.startswith('nic_drop_'))
    made = x['nic_copies'] + x['nic_originated_mailbox']
    assert received + made == sent + x['nic_consumed_mailbox'] + drops + x['nic_held'], x


def create(t, rule, port=0):
    out = t.cmd(f'flow create {port} {rule}')
    match = re.search(r'Flow rule #(\d+) created', out)
    assert match, out
    return int(match.group(1))


def errors(t, line):
    """What a command printed to its standard error, which is the log."""
    before = len(t.proc.text())
    out = t.cmd(line)
    return out + t.proc.text()[before:]


def patient(t, line):
    """Runs a command. What testpmd's other threads print meanwhile may cut its prompt in two."""
    try:
        return t.cmd(line, timeout=5)
    except AssertionError:
        return t.cmd('')


def start_verbose(t):
    return patient(t, 'start')


def hits(t, rule, port=0):
    out = t.cmd(f'flow query {port} {rule} count')
    found = dict(re.findall(r'^ (hits|bytes): (\d+)$', out, re.M))
    assert 'hits_set: 1' in out and 'bytes_set: 1' in out, out
    return int(found['hits']), int(found['bytes'])


def capture(work, packets, name='wire.pcap'):
    """Writes a capture, ten microseconds between packets."""
    for i, packet in enumerate(packets):
        packet.time = 1 + i * 1e-5
    wrpcap(str(work / name), packets)
    return work / name


def udp(dst, dport, n=1, src='10.9.0.1', size=20, vlan=None):
    out = []
    for i in range(n):
        eth = Ether(src='02:00:00:00:00:aa', dst='02:00:00:00:00:bb')
        if vlan is not None:
            eth /= Dot1Q(vlan=vlan)
        out.append(eth / IP(src=src, dst=dst) / UDP(sport=1000 + i, dport=dport) / Raw(b'x' * size))
    return out


def test_ports(pmd):
    """PFs and representors are there, each NIC with a switch domain of its own."""
    t = pmd('net_emunic0,queues=4,representor=vf[0-1],wire=[sink],vf0=[sink]',
            'net_emunic1,queues=2,mac=02:00:00:00:77:00')
    infos = [t.cmd(f'show port info {p}') for p in range(4)]
    names = [re.search(r'Device name: (\S+)', i).group(1) for i in infos]
    assert names == ['net_emunic0', 'net_emunic0_representor_vf0', 'net_emunic0_representor_vf1',
                     'net_emunic1']
    domains = [re.search(r'Switch domain Id: (\d+)', i).group(1) for i in infos]
    assert domains[0] == domains[1] == domains[2] != domains[3]
    assert [re.search(r'Switch Port Id: (\d+)', i).group(1) for i in infos] == ['0', '1', '2', '0']
    assert 'Max possible RX queues: 4' in infos[0] and 'Max possible RX queues: 1' in infos[1]
    # The link is that of what is plugged in.
    assert [re.search(r'Link status: (\w+)', i).group(1) for i in infos] == [
        'up', 'up', 'down', 'down']
    assert 'MAC address: 02:00:00:00:77:00' in infos[3]
    t.cmd('set link-down port 0')
    assert 'Link status: down' in t.cmd('show port info 0')
    t.cmd('set link-up port 0')
    assert 'Link status: up' in t.cmd('show port info 0')


def test_link_events(pmd):
    """A change of the link is an event of its port, and of no other."""
    t = pmd('net_emunic0,queues=1,representor=vf0,wire=[sink],vf0=[sink]')
    seen = []

    def event():
        seen.append(patient(t, 'show port summary 0'))
        return 'Port 0: link state change event' in ''.join(seen)
    for change in ('down', 'up'):
        seen.clear()
        seen.append(patient(t, f'set link-{change} port 0'))
        wait_for(event, 5, f'the event of link {change}')
        assert 'Port 1: link state change' not in ''.join(seen)


@pytest.mark.parametrize('capture_file', ['pcpp_fuzz.pcap', 'tcpdump.pcap.gz',
                                          'zeek_suricata.pcap.gz'])
def test_malformed(pmd, capture_file):
    """Every packet of a capture of malformed packets is delivered or lost by name."""
    path = data_dir('malformed') / capture_file
    t = pmd(f'net_emunic0,queues=2,firmware=inline,representor=vf0,vf0=[sink],'
            f'wire=[replay,file={path},speed=0]', args=('--enable-rx-cksum',))
    for item in ('eth / vlan / ipv6 / tcp', 'eth / ipv4 / tcp', 'udp', 'eth / ipv6'):
        create(t, f'ingress priority 1 pattern {item} / end actions mark id 1 / count / end')
    create(t, 'transfer pattern represented_port ethdev_port_id is 0 / eth / ipv4 / udp / end '
              'actions count / represented_port ethdev_port_id 1 / end')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert x['nic_received_wire'] == x['wire_played'] > 30
    assert x['nic_sent_host'] > 0 and x['vf0_rx_packets'] == x['nic_eswitch_packets']


def test_ingress_rules(pmd, work):
    """QUEUE, MARK, COUNT and DROP on what reaches the PF, in order of priority."""
    packets = (udp('10.0.0.1', 80, 10) + udp('10.0.0.2', 80, 20) + udp('10.0.0.3', 53, 30) +
               udp('10.0.0.1', 53, 5) + udp('10.0.0.4', 99, 7, vlan=42))
    wire = capture(work, packets)
    t = pmd(f'net_emunic0,queues=4,firmware=inline,wire=[replay,file={wire},speed=0]',
            args=('--rxq=4', '--txq=4', '--disable-rss'))
    to_queue = create(t, 'ingress priority 1 pattern eth / ipv4 dst is 10.0.0.1 / end '
                         'actions mark id 0x1234 / queue index 3 / count / end')
    prefix = create(t, 'ingress priority 2 pattern eth / ipv4 dst spec 10.0.0.0 '
                       'dst mask 255.255.255.252 / udp dst is 80 / end '
                       'actions queue index 2 / count / end')
    drop = create(t, 'ingress priority 0 pattern udp dst is 53 / end actions drop / count / end')
    vlan = create(t, 'ingress priority 5 pattern eth / vlan tci is 42 / ipv4 / end '
                     'actions queue index 1 / count / end')
    listing = t.cmd('flow list 0')
    assert len(re.findall(r'^\d+\s+0\s+\d+\s+i--', listing, re.M)) == 4, listing
    t.cmd('set fwd rxonly')
    t.cmd('set verbose 1')
    out = start_verbose(t)
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert x['wire_played'] == x['nic_received_wire'] == len(packets)
    assert hits(t, to_queue) == (10, 10 * 62)
    assert hits(t, prefix)[0] == 20
    assert hits(t, drop)[0] == 35 == x['nic_drop_rule']
    assert hits(t, vlan) == (7, 7 * 66)
    assert [x[f'rx_q{q}_packets'] for q in range(4)] == [0, 7, 20, 10]
    # The mark comes with the packets (testpmd shows it), and with no others.
    pmd.stop(t)
    out = (work / 'testpmd0.out').read_text()
    assert len(re.findall(r'FDIR matched ID=0x1234', out)) == 10
    assert len(re.findall(r'FDIR matched', out)) == 10


def test_query_resets_and_destroy(pmd, work):
    wire = capture(work, udp('10.0.0.1', 80, 50))
    t = pmd(f'net_emunic0,queues=2,firmware=inline,wire=[replay,file={wire},speed=0]',
            args=('--rxq=2', '--txq=2', '--disable-rss'))
    rule = create(t, 'ingress pattern eth / ipv4 / end actions queue index 1 / count / end')
    plain = create(t, 'ingress priority 9 pattern eth / ipv6 / end actions drop / end')
    assert 'the rule has no COUNT' in errors(t, f'flow query 0 {plain} count')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert hits(t, rule)[0] == 50
    assert xstats(t)['nic_rules'] == 2
    assert f'Flow rule #{rule} destroyed' in t.cmd(f'flow destroy 0 rule {rule}')
    assert xstats(t)['nic_rules'] == 1
    t.cmd('flow flush 0')
    assert xstats(t)['nic_rules'] == 0
    assert not re.findall(r'^\d+\t', t.cmd('flow list 0'), re.M)


def test_transfer_rules(pmd, work):
    """The embedded switch: wire to VF, VF to wire, VF to VF, and what rules leave to the defaults.
    """
    wire = capture(work, udp('10.0.1.1', 80, 40) + udp('10.0.1.2', 80, 25) + udp('10.0.1.9', 1, 9))
    vf1 = capture(work, udp('10.0.2.1', 80, 11) + udp('10.0.2.2', 80, 13) + udp('10.0.2.3', 80, 6),
                  'vf1.pcap')
    t = pmd(f'net_emunic0,queues=2,firmware=inline,representor=vf[0-1],vf0=[sink],'
            f'wire=[replay,file={wire},speed=0],vf1=[replay,file={vf1},speed=0]')
    # With a port item, and without one: then it is the port that the rule is created on.
    wire_to_vf0 = create(t, 'transfer pattern represented_port ethdev_port_id is 0 / eth / '
                            'ipv4 dst is 10.0.1.1 / end actions count / '
                            'represented_port ethdev_port_id 1 / end')
    wire_drop = create(t, 'transfer pattern eth / ipv4 dst is 10.0.1.2 / end '
                          'actions count / drop / end')
    vf1_to_vf0 = create(t, 'transfer pattern eth / ipv4 dst is 10.0.2.1 / end actions count / '
                           'represented_port ethdev_port_id 1 / end', port=2)
    to_pf = create(t, 'transfer pattern represented_port ethdev_port_id is 2 / eth / '
                      'ipv4 dst is 10.0.2.2 / end actions count / mark id 7 / '
                      'port_representor port_id 0 / end')
    # Rules of the wire do not touch what VF 1 sends: this one never matches.
    never = create(t, 'transfer pattern eth / ipv4 dst is 10.0.2.3 / end actions count / drop / end')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['vf1_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert hits(t, wire_to_vf0)[0] == 40
    assert hits(t, wire_drop)[0] == 25 == x['nic_drop_rule']
    assert hits(t, vf1_to_vf0, port=2)[0] == 11
    assert hits(t, to_pf)[0] == 13
    assert hits(t, never)[0] == 0
    assert x['vf0_rx_packets'] == x['nic_sent_vf'] == x['nic_eswitch_packets'] == 51
    assert x['vf1_tx_packets'] == x['nic_received_vf'] == 30
    # What no rule took: from the wire to the PF, from VF 1 to its representor.
    assert t.port_stats(0)['RX-packets'] == 9 + 13
    assert t.port_stats(2)['RX-packets'] == 6


def test_host_sends(pmd):
    """Host ports send to what they represent; transfer rules see that by PORT_REPRESENTOR only."""
    t = pmd('net_emunic0,queues=1,representor=vf[0-1],wire=[sink],vf0=[sink],vf1=[sink]')
    blind = create(t, 'transfer pattern eth / end actions count / drop / end')
    detour = create(t, 'transfer pattern port_representor port_id is 1 / eth / end '
                       'actions count / represented_port ethdev_port_id 2 / end')
    t.cmd('set fwd txonly')
    t.cmd('start tx_first 1')
    wait_for(lambda: xstats(t)['nic_received_host'] > 5000, 10, 'packets from the host')
    t.cmd('stop')
    x = settled(t, lambda x: x['nic_held'] == 0)
    assert_balanced(x)
    assert hits(t, blind)[0] == 0
    from_rep0 = hits(t, detour)[0]
    assert from_rep0 > 0
    assert x['vf0_rx_packets'] == 0
    sent = [xstats(t, p)['tx_good_packets'] for p in range(3)]
    assert x['nic_received_host'] == sum(sent) and sent[1] == from_rep0
    # A full side loses by name, and no other way.
    assert x['nic_sent_wire'] + x['nic_drop_tx_wire_full'] == sent[0]
    assert x['vf1_rx_packets'] + x['nic_drop_tx_vf1_full'] == sent[1] + sent[2]


def test_capacity(pmd):
    """A full NIC says so with its figures; a freed entry is free for the other domain too."""
    t = pmd('net_emunic0,queues=2,capacity=7,wire=[sink]')
    rules = [create(t, f'ingress pattern eth / ipv4 dst is 10.0.0.{i} / end actions drop / end')
             for i in range(4)]
    rules += [create(t, f'transfer pattern eth / ipv4 dst is 10.0.0.{i} / end actions drop / end')
              for i in range(3)]
    more = 'transfer pattern eth / ipv6 / end actions drop / end'
    for command in ('create', 'validate'):
        out = errors(t, f'flow {command} 0 {more}')
        assert 'the NIC is full: it holds 7 rules of 7' in out and 'No space left' in out, out
    t.cmd(f'flow destroy 0 rule {rules[1]}')
    assert 'Flow rule validated' in t.cmd(f'flow validate 0 {more}')
    create(t, more)
    assert xstats(t)['nic_rules'] == xstats(t)['nic_rules_capacity'] == 7


REFUSALS = [
    # rule, rte_flow's error type as testpmd shows it, message
    ('ingress egress pattern eth / end actions drop / end', 'attributes', 'of one domain'),
    ('group 1 ingress pattern eth / end actions jump group 1 / end', 'action configuration',
     'in that group itself'),
    ('egress pattern eth / end actions queue index 0 / end', 'specific action',
     'QUEUE needs an ingress or transfer rule'),
    ('ingress pattern eth / ipv4 src spec 10.0.0.9 src last 10.0.0.1 src mask 255.255.255.255 / '
     'end actions drop / end', 'item specification range', 'IPV4: last is below spec in src'),
    ('ingress pattern eth src spec 02:00:00:00:00:01 src last 02:00:00:00:00:09 / end '
     'actions drop / end', 'item specification range', 'ETH: no ranges of src'),
    ('ingress pattern eth / mpls / end actions drop / end', 'specific pattern item',
     'MPLS: item not supported'),
    ('ingress pattern eth / ipv4 / ipv6 / end actions drop / end', 'specific pattern item',
     'IPV6 cannot follow'),
    ('ingress pattern represented_port ethdev_port_id is 0 / end actions drop / end',
     'specific pattern item', 'needs a transfer rule'),
    ('transfer pattern represented_port ethdev_port_id is 9 / end actions drop / end',
     'item specification', 'not of this NIC'),
    ('ingress pattern eth / end actions queue index 256 / end', 'action configuration',
     'no such receive queue'),
    ('transfer pattern eth / end actions queue index 0 / end', 'specific action',
     'QUEUE needs an ingress rule, or a VF as target'),
    ('ingress pattern eth / end actions pf / end', 'specific action', 'action not supported'),
    ('ingress pattern eth / end actions rss level 2 / end', 'action configuration',
     'only the outermost headers'),
    ('ingress pattern eth / end actions drop / dec_ttl / end', 'specific action',
     'would never be done'),
    ('ingress pattern eth / end actions of_set_vlan_vid vlan_vid 4096 / drop / end',
     'action configuration', 'wider than its field'),
    ('ingress pattern eth / end actions meter mtr_id 5 / queue index 0 / end',
     'action configuration', 'no such meter'),
    ('ingress pattern eth / end actions drop / queue index 0 / end', 'specific action',
     'only one action may decide'),
    ('ingress pattern eth / end actions represented_port ethdev_port_id 0 / end',
     'specific action', 'needs a transfer rule'),
    ('transfer pattern eth / end actions represented_port ethdev_port_id 3 / end',
     'action configuration', 'not of this NIC'),
    ('ingress pattern eth / end actions end', 'actions', 'needs an action'),
]


def test_refusals(pmd):
    """What the NIC cannot do is refused with the kind of the error, its cause and a sentence."""
    t = pmd('net_emunic0,queues=2,wire=[sink]', 'net_emunic1,queues=2')
    for rule, kind, message in REFUSALS:
        for command in ('validate', 'create'):
            out = errors(t, f'flow {command} 0 {rule}')
            assert 'Caught PMD error type' in out and kind in out and message in out, (rule, out)
    assert xstats(t)['nic_rules'] == 0


def test_rss(pmd, work):
    """Flows spread over the queues by the redirection table; a new table moves them."""
    packets = list(itertools.chain.from_iterable(
        udp(f'10.1.{i // 200}.{i % 200}', 80, 2, src=f'10.2.0.{i % 250}') for i in range(400)))
    packets += [Ether(src='02:00:00:00:00:aa', dst='02:00:00:00:00:bb') /
                IPv6(src=f'fd00::{i:x}', dst='fd00:1::1') / TCP(sport=i, dport=443)
                for i in range(1, 201)]
    wire = capture(work, packets)
    args = ('--rxq=4', '--txq=4')
    vdev = f'net_emunic0,queues=4,firmware=inline,wire=[replay,file={wire},speed=0]'
    t = pmd(vdev, args=args)
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    spread = [x[f'rx_q{q}_packets'] for q in range(4)]
    assert sum(spread) == len(packets) and min(spread) > 100, spread
    pmd.stop(t)

    t = pmd(vdev, args=args)
    for i in range(0, 512, 8):
        entries = ','.join(f'({j},{2 + j % 2})' for j in range(i, i + 8))
        assert 'Bad' not in t.cmd(f'port config 0 rss reta {entries}')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    spread = [x[f'rx_q{q}_packets'] for q in range(4)]
    assert spread[:2] == [0, 0] and min(spread[2:]) > 200, spread


def test_two_nics_forward(pmd):
    """Two NICs in one process, firmware threads, packets from one wire to the other and to a VF."""
    t = pmd('net_emunic0,queues=2,wire=[generator,flows=100,seed=3,pps=200000,count=20000]',
            'net_emunic1,queues=2,representor=vf0,wire=[sink],'
            'vf0=[generator,flows=5,seed=4,pps=50000,count=5000]',
            args=('--rxq=1', '--txq=1'))
    t.cmd('start')
    a = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    b = settled(t, lambda x: x['vf0_finished'] and x['nic_held'] == 0 and
                x['nic_received_host'] > 0, port=1)
    a = settled(t, lambda x: x['nic_held'] == 0)
    assert_balanced(a)
    assert_balanced(b)
    assert a['nic_received_wire'] == a['wire_played'] == 20000
    assert b['nic_received_vf'] == 5000
    # Port 0 is paired with port 1, the other NIC's PF.
    assert a['nic_sent_host'] + a['nic_drop_rx_missed'] == 20000
    assert b['nic_sent_wire'] > 0


def test_stop_and_unplug(pmd):
    """What is in the rings when a port stops is counted; a NIC can be unplugged and come back."""
    vdev = ('net_emunic0,queues=1,representor=vf0,mac=02:00:00:00:00:01,'
            'wire=[generator,flows=9,pps=100000,count=500,dst_mac=02:00:00:00:00:01]')
    t = pmd(vdev)
    # testpmd does not poll, so all stays in the receive ring.
    x = settled(t, lambda x: x['wire_finished'])
    assert x['nic_held'] == 500
    assert_balanced(x)
    t.cmd('port stop all')
    x = settled(t, lambda x: True)
    assert x['nic_drop_port_stop'] == 500 and x['nic_held'] == 0
    assert_balanced(x)
    t.cmd('port start all')
    create(t, 'transfer pattern eth / end actions drop / end', port=1)
    t.cmd('port stop all')
    t.cmd('port close all')
    out = t.cmd('device detach net_emunic0')
    assert 'removed' in out or 'detached' in out, out
    out = t.cmd(f'port attach {vdev}')
    assert 'Attached' in out or 'Now total ports is' in out, out
    t.cmd('port start all')
    x = settled(t, lambda x: x['wire_finished'])
    assert x['nic_received_wire'] == 500 and x['nic_rules'] == 0


WRONG = [
    ('queue=4', "unknown argument 'queue'"),
    ('queues=0', 'queues=0: expected a number from 1 to 256'),
    ('queues=257', 'expected a number from 1 to 256'),
    ('queues=2,queues=2', 'queues is given twice'),
    ('vfs=1,representor=vf[0-3]', 'vf3 is named, but vfs=1'),
    ('representor=pf1', 'expected VFs'),
    ('wire=[sink', 'brackets do not match'),
    ('wire=[nonsense]', 'nonsense'),
    ('wire=[replay,file=/does/not/exist]', '/does/not/exist'),
    ('mac=ff:ff:ff:ff:ff:ff', 'expected a unicast address'),
    ('profile=cx9', 'profile=cx9: expected connectx, e810 or 82599'),
    ('firmware=fast', 'expected thread, service or inline'),
    ('capacity=0', 'expected a number from 1 to 1048576'),
    ('loss=2000000', 'loss=2000000: expected a number from 0 to 1000000'),
    ('vfs=2,link_down=vf2', 'the NIC has 2 VFs, so no vf2'),
    ('refuse=item.nonsense', "'item.nonsense' is neither an item nor an action"),
    ('queues', 'expected KEY=VALUE'),
]


def test_wrong_devargs(pmd):
    """Every mistake is named when the device is attached, and leaves nothing behind."""
    t = pmd('net_emunic0,queues=1')
    for args, message in WRONG:
        said = errors(t, f'port attach net_emunic1,{args}')
        assert 'EMUNIC: net_emunic1: ' in said and message in said, (args, said)
    assert 'Now total ports is 2' in t.cmd('port attach net_emunic1,queues=2')
    ports = re.findall(r'Infos for port', t.cmd('show port info all'))
    assert len(ports) == 2


@pytest.mark.parametrize('firmware', ['thread', 'inline', 'service'])
def test_firmware_kinds(pmd, firmware):
    """Each way to run the firmware moves packets; a service with no service core runs inline."""
    t = pmd(f'net_emunic0,queues=1,firmware={firmware},'
            'wire=[generator,flows=50,seed=1,pps=0,count=3000]')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert x['nic_sent_host'] + x['nic_drop_rx_missed'] == 3000
    runs = [k for k in ('thread', 'service', 'inline') if x[f'nic_firmware_{k}']]
    assert runs == ['thread' if firmware == 'thread' else 'inline']


def telemetry(prefix, command):
    """The answer to one command on DPDK's telemetry socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(f'/run/dpdk/{prefix}/dpdk_telemetry.v2')
        s.recv(65536)
        s.send(command.encode())
        return json.loads(s.recv(65536))[command.split(',')[0]]


def test_moods(pmd, work):
    """Limits and moods: given as device arguments, shown and changed over telemetry."""
    prefix = f'{work.name}-moods'
    t = pmd('net_emunic0,queues=1,representor=vf0,firmware=inline,capacity=20,masks=3,vf0=[sink],'
            'refuse=action.mark,wire=[generator,flows=9,seed=1,pps=0,count=1000],loss=500000,seed=4',
            prefix=prefix)

    def set_moods(text):
        answer = telemetry(prefix, f'/emunic/set,nic=net_emunic0,{text}')
        assert answer == {'nic': 'net_emunic0'}, answer

    assert telemetry(prefix, '/emunic/list') == ['net_emunic0']
    info = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert (info['capacity'], info['masks'], info['rules'], info['loss']) == (20, 3, 0, 500000)
    assert info['refuse'] == ['action.mark'] and info['stall'] == info['link_down'] == []
    eth = 'transfer priority 1 pattern eth / end actions count / drop / end'
    ip = 'ingress pattern eth / ipv4 / end actions count / drop / end'
    marked = 'ingress pattern eth / end actions mark id 5 / queue index 0 / end'
    assert 'the NIC refuses it (refuse=action.mark)' in errors(t, f'flow create 0 {marked}')
    set_moods('refuse=none,fail_next=1,fail_errno=12')
    assert 'the NIC failed (fail_next)' in errors(t, f'flow create 0 {marked}')
    create(t, marked)
    set_moods('capacity=1')
    assert 'the NIC is full: it holds 1 rules of 1' in errors(t, f'flow create 0 {ip}')
    set_moods('capacity=20,masks=1')
    assert 'the NIC is full: it holds 1 masks of 1' in errors(t, f'flow create 0 {ip}')
    set_moods('masks=0,dead_next=1')
    dead = create(t, eth)
    info = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert (info['rules'], info['rules_transfer'], info['masks_used']) == (2, 1, 2)
    set_moods('link_down=wire,stall=rep0.rx0')
    assert 'Link status: down' in t.cmd('show port info 0')
    info = telemetry(prefix, '/emunic/info,nic=net_emunic0')
    assert info['link_down'] == ['wire'] and info['stall'] == ['rep0.rx0']
    set_moods('link_down=none,seed=5')
    t.cmd('set fwd rxonly')
    t.cmd('start')
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    t.cmd('stop')
    assert_balanced(x)
    assert 400 < x['nic_drop_wire_loss'] < 600 and hits(t, dead) == (0, 0)
    set_moods('stop_flush=1')
    t.cmd('port stop 0')
    assert xstats(t)['nic_rules'] == 0
    for text, message in [('capacity=21', 'at most 20'), ('loss=1000001', 'from 0 to 1000000'),
                          ('stall=rep1.rx0', 'no rep1'), ('x=1', "unknown mood 'x'")]:
        answer = telemetry(prefix, f'/emunic/set,nic=net_emunic0,{text}')
        assert message in answer['error'], answer
    assert telemetry(prefix, '/emunic/info,nic=none') == {
        'error': 'there is no emulated NIC "none" (/emunic/list has all)'}


def test_surprise_removal(pmd, work):
    """A device that is pulled out raises its event, on which testpmd itself lets go of it."""
    prefix = f'{work.name}-removal'
    t = pmd('net_emunic0,queues=1,wire=[generator,flows=9,seed=1,pps=10000]',
            'net_emunic1,queues=1', prefix=prefix)
    t.cmd('set fwd rxonly')
    t.cmd('start')
    answer = telemetry(prefix, '/emunic/set,nic=net_emunic0,remove_ms=1')
    assert answer == {'nic': 'net_emunic0'}, answer
    wait_for(lambda: telemetry(prefix, '/emunic/list') == ['net_emunic1'], 15, 'it is detached')
    assert len(re.findall(r'Infos for port', t.cmd('show port info all'))) == 1
