# SPDX-License-Identifier: BSD-3-Clause
"""What ports and rules do to packets, against small models in this file.

    FILE ── net_pcap ── src ── sluiced ── a, b, c ── net_pcap ── FILES
"""
import random
from collections import Counter

import pytest
from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN, Raw)

from sluice_harness import Frames, RpcError, wait_for

ME, YOU = '02:00:00:00:00:01', '02:00:00:00:00:02'


@pytest.fixture
def rig(sluiced):
    """rig(ports, rules, default): a switch with these ports and nothing attached to them."""
    def make(ports, rules=(), default='normal', **more):
        ports = [p if isinstance(p, dict) else {'name': p} for p in ports]
        switch = sluiced({'datapath': {'mbufs': 8192}, 'switches': [{
            'name': 'sw0', 'ports': ports, 'rules': list(rules),
            'tables': [{'id': 0, 'default': default}]}], **more})
        return switch, Frames(switch)
    return make


def ipv4(length=0, src=ME, dst=YOU):
    """A UDP packet of exactly so many bytes (what is too short is cut)."""
    n = max(length, 42)
    return bytes(Ether(src=src, dst=dst) / IP(src='10.0.0.1', dst='10.0.0.2', len=n - 14)
                 / UDP(sport=1, dport=2, len=n - 34) / Raw(b'x' * (n - 42)))[:length or n]


def test_every_length(rig):
    """From 0 to 9000 bytes, to a port of 1500 and one of 9000."""
    switch, frames = rig(['src', {'name': 'a', 'mtu': 1500}, {'name': 'b', 'mtu': 9000}],
                         [{'match': 'any', 'actions': 'output=a output=b'}])
    frames.target('a', 'b')
    lengths = [*range(0, 200), *range(200, 9000, 37), *range(1480, 1540), *range(8990, 9020)]
    sent = [ipv4(n) if n else b'' for n in lengths]
    # A cut header is a cut packet, whatever the IP header says of it.
    for n in range(34, 42):
        sent[n] = bytes(Ether(src=ME, dst=YOU) / IP(src='10.0.0.1', dst='10.0.0.2', len=n - 14,
                                                    proto=17))[:34] + b'x' * (n - 34)
    frames.play('src', sent)
    got_a, got_b = frames.got('a'), frames.got('b')
    good = [f for f in sent if len(f) >= 42]
    assert got_a == [f for f in good if len(f) <= 1514]
    assert got_b == [f for f in good if len(f) <= 9014]
    expected = {'runt': 14, 'malformed-ipv4': 20, 'malformed-l4': 8,
                'mtu': sum((len(f) > 1514) + (len(f) > 9014) for f in good)}
    assert frames.drops('src') == expected
    switch.settled()


def test_whole_frames_of_other_kinds(rig):
    """LLC, unknown types, extension headers: what is no fault goes through as it is."""
    switch, frames = rig(['src', 'a'], [{'match': 'any', 'actions': 'output=a'}])
    chain = IPv6(src='fd00::1', dst='fd00::2') / IPv6ExtHdrHopByHop(options=[PadN(optdata=b'1234')])
    good = [
        Ether(src=ME, dst=YOU, type=0x88cc) / Raw(b'lldp'),
        Ether(src=ME, dst=YOU, type=0x9999),
        Ether(src=ME, dst=YOU, type=4) / Raw(b'\xaa\xaa\x03\x00'),
        Ether(src=ME, dst=YOU) / ARP(),
        Ether(src=ME, dst=YOU) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP() / ICMP(),
        Ether(src=ME, dst=YOU) / IP(options=[b'\x01\x01\x01\x00']) / TCP(flags='S'),
        Ether(src=ME, dst=YOU) / chain / UDP() / Raw(b'x'),
        Ether(src=ME, dst=YOU) / chain / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / TCP(),
        Ether(src=ME, dst=YOU) / IPv6() / IPv6ExtHdrFragment(offset=10, m=1) / Raw(b'y' * 64),
        Ether(src=ME, dst=YOU) / IPv6() / ICMPv6ND_NS(),
        Ether(src=ME, dst=YOU) / IP(frag=100, proto=17) / Raw(b'no header here'),
        Ether(src=ME, dst=YOU) / IP(proto=47) / Raw(b'gre'),
    ]
    bad = {
        'malformed-vlan': [bytes(Ether(type=0x8100))[:14], bytes(Ether(type=0x8100)) + b'\x00'],
        'malformed-arp': [bytes(Ether(src=ME) / ARP())[:30]],
        'malformed-ipv4': [bytes(Ether(type=0x800) / Raw(b'\x65' + b'\0' * 30)),
                           bytes(Ether() / IP(ihl=4) / UDP()), bytes(Ether() / IP(len=500) / UDP()),
                           bytes(Ether() / IP(len=10) / UDP())],
        'malformed-ipv6': [bytes(Ether() / IPv6(plen=500) / UDP()),
                           bytes(Ether() / IPv6(version=5) / UDP())],
        'malformed-ipv6-ext': [bytes(Ether() / chain / UDP())[:-14],
                               bytes(Ether() / IPv6() / IPv6ExtHdrDestOpt(len=200))],
        'malformed-l4': [bytes(Ether() / IP() / TCP(dataofs=3)), bytes(Ether() / IP() / TCP())[:-8]],
    }
    bad['malformed-ipv4'].append(bad['malformed-l4'].pop())  # shorter than its total length
    bad['malformed-ipv6'].append(bad['malformed-ipv6-ext'].pop(0))
    many = IPv6(src='fd00::1', dst='fd00::2')
    for _ in range(9):
        many /= IPv6ExtHdrDestOpt()
    bad['malformed-ipv6-ext'].append(bytes(Ether() / many / UDP()))
    good = [bytes(g) for g in good]
    frames.target('a')
    frames.play('src', good + [b for group in bad.values() for b in group])
    assert frames.got('a') == good
    assert frames.drops('src') == {k: len(v) for k, v in bad.items()}
    switch.settled()


# ---- VLANs

VLAN_PORTS = {
    'acc10': {'mode': 'access', 'vid': 10},
    'acc20': {'mode': 'access', 'vid': 20},
    'nat10': {'mode': 'native', 'vid': 10, 'vids': ['20']},
    'trunk': {'mode': 'trunk', 'vids': ['10-19']},
    'all': {'mode': 'trunk'},
}


def vlan_in(port, tag):
    """The VLAN of a frame that came tagged or untagged (None) into a port; False: filtered.

    A port takes its own VLAN tagged too. Without "vids", a trunk takes untagged frames.
    """
    inside = {'acc10': (10,), 'acc20': (20,), 'nat10': (10, 20), 'trunk': range(10, 20),
              'all': range(0, 4095)}[port]
    if tag is None and 'vid' in VLAN_PORTS[port]:
        return VLAN_PORTS[port]['vid']
    return (tag or 0) if (tag or 0) in inside else False


def vlan_out(port, vid):
    """How a VLAN leaves a port: False (not), None (untagged) or its tag."""
    own = VLAN_PORTS[port].get('vid')
    if vid == own or (vid == 0 and own is None and vlan_in(port, None) is not False):
        return None
    return vid if vid and vlan_in(port, vid) is not False else False


@pytest.mark.parametrize('source', VLAN_PORTS)
def test_vlans(rig, source):
    """A broadcast in each VLAN, from one port to all."""
    switch, frames = rig([{'name': n, 'vlan': v} for n, v in VLAN_PORTS.items()])
    others = [n for n in VLAN_PORTS if n != source]
    frames.target(*others)
    tags = [None, 10, 11, 20, 30, 4094]
    frames.play(source, [Ether(src=ME, dst='ff:ff:ff:ff:ff:ff')
                         / (Dot1Q(vlan=t, prio=3) if t is not None else Raw(b''))
                         / Raw(bytes([n]) * 50) for n, t in enumerate(tags)])
    expected = {n: [] for n in others}
    filtered = 0
    for n, tag in enumerate(tags):
        vid = vlan_in(source, tag)
        if vid is False:
            filtered += 1
            continue
        for port in others:
            out = vlan_out(port, vid)
            if out is not False:
                expected[port].append((n, out))
    got = {}
    for port in others:
        got[port] = []
        for frame in frames.got(port):
            packet = Ether(frame)
            got[port].append((frame[-1], packet[Dot1Q].vlan if Dot1Q in packet else None))
    assert got == expected
    assert frames.drops(source).get('vlan-filter', 0) >= filtered
    switch.settled()


# ---- spoofing

def test_anti_spoof(rig):
    switch, frames = rig([{'name': 'src', 'mac_check': True, 'macs': [ME], 'ip_check': True,
                           'ips': ['10.0.0.1', 'fd00::/64']}, 'a'],
                         [{'match': 'any', 'actions': 'output=a'}])
    good = [
        Ether(src=ME) / IP(src='10.0.0.1') / UDP(),
        Ether(src=ME) / IPv6(src='fd00::5') / UDP(),
        Ether(src=ME) / ARP(hwsrc=ME, psrc='10.0.0.1'),
        Ether(src=ME) / ARP(hwsrc=ME, psrc='0.0.0.0'),  # a probe for its own address
        Ether(src=ME) / Dot1Q(vlan=5) / IP(src='10.0.0.1') / UDP(),
        Ether(src=ME, type=0x88cc) / Raw(b'x'),
        Ether(src=ME) / IPv6(src='fe80::ff:fe00:1') / ICMPv6ND_NS(),
    ]
    bad_mac = [Ether(src=YOU) / IP(src='10.0.0.1') / UDP(), Ether(src=YOU) / ARP(psrc='10.0.0.1'),
               Ether(src='ff:ff:ff:ff:ff:ff') / IP(src='10.0.0.1') / UDP()]
    bad_ip = [Ether(src=ME) / IP(src='10.0.0.2') / UDP(), Ether(src=ME) / IP(src='0.0.0.1') / UDP(),
              Ether(src=ME) / IPv6(src='fd01::5') / UDP(),
              Ether(src=ME) / ARP(hwsrc=ME, psrc='10.0.0.2'),
              Ether(src=ME) / Dot1Q(vlan=5) / IP(src='10.0.0.9') / TCP(),
              Ether(src=ME) / IP(src='10.0.0.2', frag=5) / Raw(b'x' * 20)]
    frames.target('a')
    packets = [*good, *bad_mac, *bad_ip]
    order = list(range(len(packets)))
    random.Random(1).shuffle(order)
    frames.play('src', [packets[i] for i in order])
    got = frames.got('a')
    assert sorted(got) == sorted(map(bytes, good)), [Ether(g).summary() for g in got]
    assert frames.drops('src') == {'mac-spoof': len(bad_mac), 'ip-spoof': len(bad_ip)}
    switch.settled()


# ---- rules

def rule_of(rng, n):
    """A random rule: its text, and a function that says whether a scapy packet matches."""
    words, tests = [], []

    def add(word, test):
        words.append(word)
        tests.append(test)
    kind = rng.choice(['tcp', 'udp', 'ip', 'any'])
    if kind != 'any':
        add(kind if kind == 'ip' else f'ip {kind}',
            lambda p: IP in p and (kind == 'ip' or (TCP if kind == 'tcp' else UDP) in p))
    if kind != 'any' and rng.random() < 0.6:
        net, bits = rng.randrange(4), rng.choice([24, 32])
        host = rng.randrange(4) if bits == 32 else 0
        prefix = f'10.0.{net}.'
        add(f'ip_dst={prefix}{host}/{bits}',
            lambda p: p[IP].dst.startswith(prefix) and (bits == 24 or p[IP].dst == f'{prefix}{host}'))
    if kind in ('tcp', 'udp') and rng.random() < 0.7:
        lo = rng.randrange(1, 100)
        hi = rng.choice([lo, lo + rng.randrange(50)])
        add(f'dport={lo}-{hi}' if hi > lo else f'dport={lo}', lambda p: lo <= p.dport <= hi)
    if kind == 'tcp' and rng.random() < 0.3:
        add('tcp_flags=+syn-ack', lambda p: p[TCP].flags & 0x12 == 0x02)
    if kind != 'any' and rng.random() < 0.2:
        dscp = rng.choice([0, 10])
        add(f'dscp={dscp}', lambda p: p[IP].tos >> 2 == dscp)
    if rng.random() < 0.2:
        vid = rng.choice([5, None])
        add(f'vlan={vid or "none"}', lambda p: (p[Dot1Q].vlan if Dot1Q in p else None) == vid)
    if not words:
        add('eth_src=02:00:00:00:00:00/ff:00:00:00:00:03', lambda p: p.src[:2] == '02'
            and int(p.src[-2:], 16) % 4 == 0)
    return {'name': f'r{n}', 'priority': rng.randrange(50), 'match': ' '.join(words),
            'actions': rng.choice(['output=a', 'output=b', 'drop', 'output=a output=b'])}, tests


def packet_of(rng):
    vlan = Dot1Q(vlan=5) if rng.random() < 0.3 else None
    eth = Ether(src=f'02:00:00:00:00:{rng.randrange(16):02x}', dst=YOU)
    ip = IP(src='192.0.2.1', dst=f'10.0.{rng.randrange(4)}.{rng.randrange(4)}',
            tos=rng.choice([0, 40, 184]))
    l4 = rng.choice([
        lambda: TCP(sport=rng.randrange(1000), dport=rng.randrange(1, 150),
                    flags=rng.choice(['S', 'SA', 'A'])),
        lambda: UDP(sport=rng.randrange(1000), dport=rng.randrange(1, 150)),
        lambda: ICMP()])()
    return eth / vlan / ip / l4 if vlan else eth / ip / l4


def test_rules_against_a_model(rig):
    """Random rules and packets: where each packet goes, and every counter."""
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    rng = random.Random(seed)
    rules = [rule_of(rng, n) for n in range(40)]
    switch, frames = rig(['src', 'a', 'b'], [r for r, _ in rules], default='drop')
    frames.target('a', 'b')
    packets = [packet_of(rng) for _ in range(600)] * 2
    rng.shuffle(packets)
    hits, lost, out = Counter(), Counter(), {'a': [], 'b': []}
    for p in packets:
        rule = max((n for n, (r, tests) in enumerate(rules) if all(t(p) for t in tests)),
                   key=lambda n: (rules[n][0]['priority'], -n), default=None)
        if rule is None:
            lost['no-rule'] += 1
            continue
        hits[f'r{rule}'] += 1
        actions = rules[rule][0]['actions']
        if actions == 'drop':
            lost['rule-drop'] += 1
        for port in 'ab':
            if f'output={port}' in actions:
                out[port].append(bytes(p))
    frames.play('src', packets)
    switch.settled()
    now = {r['name']: r['packets'] for r in switch.call('rule list', limit=0)['items']}
    assert {k: v for k, v in now.items() if v} == dict(hits)
    assert frames.drops('src') == dict(lost)
    for port in 'ab':
        assert Counter(frames.got(port)) == Counter(out[port]), port


def test_fragments(rig):
    """Only the first fragment has ports; later ones match by address, and by frag."""
    rules = [{'name': 'port', 'priority': 9, 'match': 'udp dport=53', 'actions': 'output=a'},
             {'name': 'later', 'priority': 8, 'match': 'ip frag=later', 'actions': 'output=b'},
             {'name': 'later6', 'priority': 8, 'match': 'ip6 frag=later', 'actions': 'output=b'},
             {'name': 'first', 'priority': 7, 'match': 'ip frag=first', 'actions': 'drop'}]
    switch, frames = rig(['src', 'a', 'b'], rules, default='drop')
    frames.target('a', 'b')
    l2 = Ether(src=ME, dst=YOU)
    first = l2 / IP(flags='MF') / UDP(dport=53, len=100) / Raw(b'x' * 64)
    last = l2 / IP(frag=9, proto=17) / Raw(b'\x00\x35' * 32)
    other = l2 / IP(flags='MF') / UDP(dport=54, len=100) / Raw(b'x' * 64)
    first6 = l2 / IPv6() / IPv6ExtHdrFragment(m=1, nh=17) / UDP(dport=53, len=100) / Raw(b'x' * 64)
    last6 = l2 / IPv6() / IPv6ExtHdrFragment(offset=9, nh=17) / Raw(b'\x00\x35' * 32)
    atomic = l2 / IPv6() / IPv6ExtHdrFragment(nh=17) / UDP(dport=53) / Raw(b'x' * 8)
    frames.play('src', [first, last, other, first6, last6, atomic] * 3)
    assert Counter(frames.got('a')) == Counter([bytes(p) for p in (first, first6, atomic)] * 3)
    assert Counter(frames.got('b')) == Counter([bytes(p) for p in (last, last6)] * 3)
    assert frames.drops('src') == {'rule-drop': 3}
    switch.settled()


def test_actions_that_change_packets(rig):
    edits = {
        'push_vlan=7 output=a': (Ether(src=ME, dst=YOU) / IP() / UDP(dport=1),
                                 Ether(src=ME, dst=YOU) / Dot1Q(vlan=7) / IP() / UDP(dport=1)),
        'pop_vlan output=a': (Ether(src=ME, dst=YOU) / Dot1Q(vlan=7, prio=5) / IP() / UDP(dport=2),
                              Ether(src=ME, dst=YOU) / IP() / UDP(dport=2)),
        'set_vlan=9 output=a': (Ether(src=ME, dst=YOU) / Dot1Q(vlan=7, prio=5) / IP()
                                / UDP(dport=3),
                                Ether(src=ME, dst=YOU) / Dot1Q(vlan=9, prio=5) / IP()
                                / UDP(dport=3)),
        'set_eth_src=02:00:00:00:00:0a set_eth_dst=02:00:00:00:00:0b output=a': (
            Ether(src=ME, dst=YOU) / IP() / UDP(dport=4),
            Ether(src='02:00:00:00:00:0a', dst='02:00:00:00:00:0b') / IP() / UDP(dport=4)),
        'push_vlan=8 push_vlan=9 output=a': (
            Ether(src=ME, dst=YOU) / IPv6() / UDP(dport=5),
            Ether(src=ME, dst=YOU) / Dot1Q(vlan=9) / Dot1Q(vlan=8) / IPv6() / UDP(dport=5)),
    }
    rules = [{'match': f'udp dport={n + 1}', 'actions': a} for n, a in enumerate(edits)]
    # Each port gets the packet as it is at that point of the list.
    rules.append({'match': 'udp dport=6', 'actions': 'output=b push_vlan=3 output=a'})
    switch, frames = rig(['src', 'a', 'b'], rules, default='drop')
    frames.target('a', 'b')
    both = Ether(src=ME, dst=YOU) / IP() / UDP(dport=6)
    frames.play('src', [p for p, _ in edits.values()] + [both])
    expected = [bytes(p) for _, p in edits.values()]
    expected.append(bytes(Ether(src=ME, dst=YOU) / Dot1Q(vlan=3) / IP() / UDP(dport=6)))
    assert Counter(frames.got('a')) == Counter(expected)
    assert frames.got('b') == [bytes(both)]
    switch.settled()


def test_learning_and_flooding(rig):
    switch, frames = rig(['a', 'b', 'c'])
    frames.target('b', 'c')
    frames.play('a', [Ether(src=ME, dst=YOU) / IP() / UDP()])  # unknown: everywhere
    assert len(frames.got('b')) == len(frames.got('c')) == 1
    table = wait_for(lambda: switch.call('mac list')['items'], 5, 'it is learned')
    assert [(m['mac'], m['port']) for m in table] == [(ME, 'a')]
    frames.target('a', 'c')
    frames.play('b', [Ether(src=YOU, dst=ME) / IP() / UDP(),
                      Ether(src=YOU, dst='33:33:00:00:00:01') / IPv6() / ICMPv6EchoRequest()])
    wait_for(lambda: len(switch.call('mac list')['items']) == 2, 5, 'both are learned')
    frames.play('b', [Ether(src=YOU, dst=YOU) / IP() / UDP()])
    assert len(frames.got('a')) == 2  # known, and the multicast
    assert len(frames.got('c')) == 1
    assert frames.drops('b') == {'same-port': 1}
    assert switch.call('mac flush', port='a')['flushed'] == 1
    frames.target('a', 'c')
    frames.play('b', [Ether(src=YOU, dst=ME) / IP() / UDP()])
    assert len(frames.got('a')) == len(frames.got('c')) == 1
    switch.settled()


def slow_frame(src, dport=2):
    return Ether(src=src, dst=YOU) / IP() / UDP(dport=dport) / Raw(b'x' * 958)


def test_rates_of_ports_vms_and_classes(rig):
    """Each lets its burst pass and drops what is above by a name of its own; live; sums are exact."""
    rate = {'rate_bps': '10k', 'burst_bytes': 50000}  # a packet of 1000 bytes in 0.8 s
    ports = [{'name': 'src', 'vm': 'v', **rate}, {'name': 'more', 'vm': 'v'}, 'a']
    rules = [{'match': 'udp dport=9', 'priority': 2, 'actions': 'class=slow output=a'},
             {'match': 'udp dport=7', 'priority': 2, 'actions': 'drop'},
             {'match': 'udp', 'priority': 1, 'actions': 'output=a'}]
    classes = [{'name': 'default'}, {'name': 'slow', 'rate_bps': '10k', 'burst_bytes': 20000}]
    switch, frames = rig(ports, rules, classes=classes, vms=[{'name': 'v'}])
    frames.target('a')

    def run(port, n, dport=2):
        """What came out of n frames, and what the port's drops grew by."""
        before = frames.drops(port)
        frames.play(port, [slow_frame(ME, dport)] * n)
        got = [g for g in frames.got('a') if len(g) == 1000]
        lost = {k: v - before.get(k, 0) for k, v in frames.drops(port).items()
                if v > before.get(k, 0)}
        assert len(got) + sum(lost.values()) == n, (len(got), lost)
        switch.settled()
        return len(got), lost

    def again(**changes):
        switch.write_config({**switch.config, **changes})
        return str(switch.call('config reload'))
    got, lost = run('src', 300)
    assert set(lost) == {'port-rate'} and 50 <= got <= 60, (got, lost)
    assert switch.port('src')['rate'] == {'bps': 10000, 'burst_bytes': 50000}
    frames.target('a')
    assert run('more', 300) == (300, {}), 'another port of the VM has none'
    frames.target('a')
    assert run('src', 100, 7) == (0, {'rule-drop': 100}), 'what a rule drops counts for no rate'
    # A class, whatever port it comes by.
    frames.target('a')
    got, lost = run('more', 200, 9)
    assert set(lost) == {'class-rate'} and 20 <= got <= 30, (got, lost)
    # The VM's in place of the port's: of both ports together.
    plain = {**switch.config['switches'][0]}
    plain['ports'] = [{k: v for k, v in p.items() if k not in rate} for p in plain['ports']]
    vm = [{'name': 'v', 'rate_bps': '10k', 'burst_bytes': 30000}]
    assert 'rates of VMs or classes changed' in again(switches=[plain], vms=vm)
    assert switch.call('vm show', vm='v')['rate'] == {'bps': 10000, 'burst_bytes': 30000}
    frames.target('a')
    one, lost = run('src', 100)
    assert set(lost) == {'vm-rate'} and 30 <= one <= 40, (one, lost)
    frames.target('a')
    two, lost = run('more', 100)
    assert set(lost) == {'vm-rate'} and two <= 10, 'the burst is used up'
    # And away again.
    again(vms=[{'name': 'v'}], switches=[plain],
          classes=[{'name': 'default'}, {'name': 'slow'}])
    frames.target('a')
    assert run('src', 300, 9) == (300, {})
    with pytest.raises(RpcError, match='needs rate_bps'):
        again(vms=[{'name': 'v', 'burst_bytes': 5000}])
    with pytest.raises(RpcError, match='but for their rates'):
        again(classes=[{'name': 'default'}, {'name': 'slow', 'depth': 1024}])


def test_limits(rig):
    """Storms and rates: above them packets are dropped under that name."""
    switch, frames = rig([{'name': 'src', 'storm_pps': 100}, 'a'],
                         [{'match': 'udp', 'priority': 1, 'actions': 'rate=1M/10000 output=a'}])
    frames.target('a')
    frames.play('src', [Ether(src=ME, dst='ff:ff:ff:ff:ff:ff') / Raw(b'x' * 50)] * 2000
                + [Ether(src=ME, dst=YOU) / IP() / UDP() / Raw(b'x' * 958)] * 1000)
    drops = frames.drops('src')
    assert set(drops) == {'storm-limit', 'rate-limit'}, drops
    got = frames.got('a')
    slow = [g for g in got if len(g) == 1000]
    assert len(slow) == 1000 - drops['rate-limit'] and 10 <= len(slow) < 500
    assert len(got) - len(slow) == 2000 - drops['storm-limit'] and len(got) - len(slow) < 1000
    switch.settled()
