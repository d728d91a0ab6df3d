# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels that pass the switch: what a trace says of them, and rules on what is inside.

    FILE ── net_pcap ── src ── sluiced ── a, b ── net_pcap ── FILES

The packets are scapy's: a second opinion on where their headers are.
"""
import pytest
from scapy.all import GRE, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw
from scapy.contrib.geneve import GENEVE
from scapy.layers.vxlan import VXLAN

from sluice_harness import Frames, RpcError

OUTER = Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02') / IP(src='10.0.0.1', dst='10.0.0.2')
FRAME = Ether(src='0a:00:00:00:00:01', dst='0a:00:00:00:00:02')
SSH = IP(src='192.168.0.1', dst='192.168.0.2') / TCP(sport=9, dport=22)
WEB = IP(src='192.168.0.1', dst='192.168.0.3') / TCP(sport=9, dport=80)
DNS6 = IPv6(src='fd00::1', dst='fd00::2') / UDP(sport=9, dport=53)


def vxlan(vni, inside, sport=50000):
    return OUTER / UDP(sport=sport, dport=4789) / VXLAN(vni=vni, flags=8) / inside


def geneve(vni, inside):
    return OUTER / UDP(sport=50000, dport=6081) / GENEVE(vni=vni, optionlen=2, proto=0x86dd,
                                                         options=bytes(8)) / inside


TUNNELS = {
    'vxlan': vxlan(5, FRAME / SSH),
    'geneve': geneve(7, DNS6),
    'nvgre': OUTER / GRE(proto=0x6558, key_present=1, key=9 << 8 | 3) / FRAME / Dot1Q(vlan=12) / WEB,
    'gre': OUTER / GRE(key_present=1, seqnum_present=1, key=0x10000001) / WEB,
    'ipip': OUTER / SSH,
}
INSIDE = {
    'vxlan': 'tunnel=vxlan vni=5 inner_eth_src=0a:00:00:00:00:01 inner_eth_dst=0a:00:00:00:00:02 '
             'inner_ip inner_tcp inner_ip_src=192.168.0.1 inner_ip_dst=192.168.0.2',
    'geneve': 'tunnel=geneve vni=7 inner_ip6 inner_udp inner_ip_src=fd00::1 inner_ip_dst=fd00::2',
    'nvgre': 'tunnel=nvgre vni=9 inner_eth_src=0a:00:00:00:00:01 inner_eth_dst=0a:00:00:00:00:02 '
             'inner_vlan=12 inner_ip inner_tcp',
    'gre': 'tunnel=gre vni=268435457 inner_ip inner_tcp',
    'ipip': 'tunnel=ipip inner_ip inner_tcp inner_ip_src=192.168.0.1 inner_ip_dst=192.168.0.2',
}


def file_config(rules=()):
    return {'datapath': {'mbufs': 8192}, 'switches': [{
        'name': 'sw0', 'ports': [{'name': 'src'}, {'name': 'a'}, {'name': 'b'}],
        'rules': [*rules, {'name': 'all', 'match': 'port=src', 'actions': 'output=a'}]}]}


def steps(answer):
    return {s['step'].strip(): (s['result'], s['detail']) for s in answer['items']}


def traced(switch, packet):
    return steps(switch.call('trace packet', port='src', hex=bytes(packet).hex()))


def end_of(packet, layer):
    """Where the last header of this kind ends."""
    n = 1
    while packet.getlayer(layer, n + 1) is not None:
        n += 1
    return len(packet) - len(packet.getlayer(layer, n).payload)


def test_a_trace_shows_the_inside(sluiced):
    switch = sluiced(file_config())
    frames = Frames(switch)
    frames.target('a')
    for kind, packet in TUNNELS.items():
        packet = Ether(bytes(packet))
        found = traced(switch, packet)
        assert found['tunnel'][0] == kind, found
        assert found['inside'][0] == 'ok' and found['inside'][1].startswith(INSIDE[kind]), found
        l4 = end_of(packet, UDP if kind == 'geneve' else TCP)
        assert f'payload at {l4},' in found['tunnel'][1], (found['tunnel'], l4)
        # What it says can be asked by a rule, and is of this packet.
        rule = switch.call('rule add', match=found['inside'][1], actions='output=b', priority=5)
        assert traced(switch, packet)['table main'][1].split(':')[0] == 'priority 5, inside', kind
        for other in set(TUNNELS) - {kind}:
            assert traced(switch, TUNNELS[other])['table main'][0] == 'all', (kind, other)
        switch.call('rule del', rule=str(rule['id']))
    # Outside as ever, and no more where there is no tunnel.
    assert 'dport=4789' in traced(switch, TUNNELS['vxlan'])['key'][1]
    assert 'tunnel' not in traced(switch, OUTER / UDP(dport=53))
    assert 'tunnel' not in traced(switch, OUTER / UDP(dport=4789) / Raw(b'\0no VXLAN'))
    cut = bytes(TUNNELS['ipip'])[:-25]
    cut = cut[:16] + (len(cut) - 14).to_bytes(2, 'big') + cut[18:]
    assert traced(switch, cut)['inside'][0] == 'malformed-ipv4'
    assert traced(switch, cut)['end'][0] == 'would be sent'
    switch.settled()


def test_rules_on_the_inside(sluiced):
    """Packets of one outer flow go by what is inside; what can reach no such rule stays cached."""
    switch = sluiced(file_config([{'name': 'ssh', 'priority': 9, 'actions': 'drop',
                                   'match': 'port=src tunnel=vxlan vni=5 inner_tcp inner_dport=22'}]))
    frames = Frames(switch)
    plain = OUTER / UDP(sport=9, dport=53)

    def go(*packets):
        frames.target('a', 'b')
        frames.play('src', packets)
        return [[bytes(Ether(f)) for f in frames.got(port)] for port in ('a', 'b')]
    denied, web, other = vxlan(5, FRAME / SSH), vxlan(5, FRAME / WEB), vxlan(6, FRAME / SSH)
    uncached = switch.call('worker show')['uncached']
    assert go(denied, web, other, plain, denied, web) == [[bytes(p) for p in (web, other, plain, web)],
                                                          []]
    assert switch.call('rule show', rule='ssh')['packets'] == 2
    assert switch.call('worker show')['uncached'] == uncached + 5
    assert switch.call('stats')['packets']['dropped'] == {'rule-drop': 2}
    # Live, from the reply on; several words share a question or have their own.
    switch.call('rule add', name='six', match='vni=6', actions='output=b', priority=9)
    switch.call('rule add', name='dns', match='inner_ip6 inner_udp inner_dport=53', priority=3,
                actions='output=b')
    assert go(denied, web, other, plain, TUNNELS['geneve'], TUNNELS['gre']) == [
        [bytes(p) for p in (web, plain, TUNNELS['gre'])], [bytes(other), bytes(TUNNELS['geneve'])]]
    assert 'vni=6' in switch.call('rule show', rule='six')['match']
    # Of a port whose packets reach none, none is decided by itself.
    for rule in ('six', 'dns'):
        switch.call('rule del', rule=rule)
    switch.call('rule add', match='port=b', actions='output=a')
    uncached = switch.call('worker show')['uncached']
    frames.target('a')
    frames.play('b', [denied] * 3)
    assert len(frames.got('a')) == 3
    assert switch.call('worker show')['uncached'] == uncached
    switch.settled()


def test_refusals_and_reload(sluiced):
    switch = sluiced(file_config())
    for words, match in (
            ('expected vxlan, geneve', 'tunnel=stt'), ('vni=.*expected 0 to 0xffffff', 'vni=0x1000000'),
            ('tunnel=ipip has none', 'tunnel=ipip vni=1'), ('needs tcp, udp or sctp', 'inner_dport=5'),
            ('no such word', 'inner_vni=5'), ('inner_port', 'inner_port=1')):
        with pytest.raises(RpcError, match=words):
            switch.call('rule add', match=match, actions='drop')
    # There is room for fourteen that differ, and those that are the same share it.
    for vni in range(14):
        for _ in range(2):
            switch.call('rule add', match=f'vni={vni}', actions='drop', name='' if _ else f'r{vni}')
    with pytest.raises(RpcError, match='14 extensions and insides of tunnels that differ'):
        switch.call('rule add', match='vni=99', actions='drop')
    for r in switch.call('rule list')['items']:
        if r['name'] != 'all':
            switch.call('rule del', rule=r['name'] or str(r['id']))
    # A rule of the file is kept by what it asks, or replaced.
    before = file_config([{'name': 'x', 'match': 'tunnel=gre vni=7', 'priority': 5, 'actions': 'drop'}])
    after = file_config([{'name': 'x', 'match': 'tunnel=gre vni=8', 'priority': 5, 'actions': 'drop'}])
    for config, vni in ((before, 7), (before, 7), (after, 8)):
        switch.write_config({**config, 'control': switch.config['control']})
        switch.call('config reload')
        assert [r['match'] for r in switch.call('rule list')['items'] if r['name'] == 'x'] == [
            f'tunnel=gre vni={vni}']
        found = traced(switch, OUTER / GRE(key_present=1, key=vni) / WEB)
        assert found['drop'][0] == 'rule-drop', found
