# SPDX-License-Identifier: BSD-3-Clause
"""What `trace` says of packets: made up, from a capture, passing, and carried by a NIC.

    FILE ── net_pcap ── src ── sluiced ── a, b ── net_pcap ── FILES

and a generator at the wire of an emulated NIC with a VF.
"""
import threading

import pytest
from scapy.all import IP, TCP, UDP, Dot1Q, Ether, Raw

from sluice_harness import Frames, RpcClient, RpcError, wait_for, wire_vf_null, write_capture

ME, YOU = '02:00:00:00:00:01', '02:00:00:00:00:02'


def udp(port, source=ME, size=0):
    return Ether(src=source, dst=YOU) / IP(src='10.0.0.1', dst='10.0.0.2') \
        / UDP(sport=9, dport=port) / Raw(b'x' * size)


@pytest.fixture
def switch(sluiced):
    return sluiced({'datapath': {'mbufs': 8192}, 'classes': [{'name': 'default'}, {'name': 'bulk'}],
                    'switches': [{
        'name': 'sw0',
        'ports': [{'name': 'src', 'vlan': {'mode': 'access', 'vid': 10}, 'mac_check': True,
                   'macs': [ME], 'ip_check': True, 'ips': ['10.0.0.1', 'fd00::/64']},
                  {'name': 'a'}, {'name': 'b', 'vlan': {'mode': 'access', 'vid': 20}}],
        'tables': [{'id': 0, 'name': 'main', 'default': 'drop'},
                   {'id': 5, 'name': 'web', 'default': 'normal'}],
        'rules': [{'name': 'web', 'match': 'port=src tcp', 'actions': 'goto=web'},
                  {'name': 'deny', 'match': 'port=src udp dport=1', 'actions': 'drop'},
                  {'name': 'dns', 'match': 'port=src udp dport=53', 'actions': 'output=a'},
                  {'name': 'other', 'match': 'port=src udp dport=54', 'actions': 'output=b'},
                  {'name': 'self', 'match': 'port=src udp dport=55', 'actions': 'output=src'},
                  {'name': 'slow', 'match': 'port=src udp dport=56',
                   'actions': 'rate=1k/1k output=a'},
                  {'name': 'ring', 'match': 'port=src udp dport=57',
                   'actions': 'class=bulk ring output=a'}],
        'extensions': [{'name': 'x', 'path': 'sluice_ext_ports.so', 'args': {'drop': 'udp/99'}}]}]})


def steps(answer):
    """{step: (result, detail)}; of several of a name the last."""
    return {s['step'].strip(): (s['result'], s['detail']) for s in answer['items']}


def traced(switch, flow, port='src', **more):
    return steps(switch.call('trace packet', port=port, **({'flow': flow} if flow else {}), **more))


def test_drops_have_their_step(switch):
    """Each main reason, by the step that it belongs to; and nothing is left of a dry run."""
    frames = Frames(switch)
    frames.target('a', 'b')
    cases = [
        ('udp dport=1', 'rule-drop'), ('udp dport=7', 'no-rule'), ('vlan=20 udp', 'vlan-filter'),
        (f'eth_src={YOU} udp', 'mac-spoof'), ('ip_src=10.9.9.9 udp', 'ip-spoof'),
        ('udp dport=99', 'extension'), ('udp dport=54', 'vlan-filter'),
        ('udp dport=55', 'same-port')]
    for flow, reason in cases:
        found = traced(switch, flow)
        assert found['drop'][0] == reason and found['actions'][0] == 'drop', (flow, found)
        assert found['end'][0] == 'would be dropped' and 'output' not in found, found
    assert traced(switch, 'eth_src=02:00:00:00:00:07 udp')['anti-spoof MAC'][0] == 'dropped'
    assert traced(switch, 'vlan=20 udp')['vlan'][0] == 'dropped'
    assert traced(switch, 'udp dport=99')['extension'] == ('x', 'ingress: drops it')
    assert traced(switch, None, hex='00 11')['drop'][0] == 'runt'
    cut = bytes(udp(53))[:30].hex()
    assert traced(switch, None, hex=cut)['parse'][0] == 'malformed-ipv4'
    large = bytes(udp(53, size=1600)).hex()
    assert traced(switch, None, hex=large)['drop'][0] == 'mtu'
    switch.call('port detach', port='a')
    assert traced(switch, 'udp dport=53')['drop'][0] == 'no-attachment'

    # Nobody counted any of it, nothing was learned or kept.
    stats = switch.settled()
    assert stats['packets'] == {'received': 0, 'originated': 0, 'copies': 0, 'sent': 0,
                                'consumed': 0, 'dropped': {}, 'held': 0}
    assert all(r['packets'] == 0 for r in switch.call('rule list')['items'])
    assert switch.call('mac list')['items'] == [] and switch.call('flow list')['items'] == []


def test_a_forward(switch, work):
    """The tables, the rule, the actions and the packet as it leaves; the same from a capture; and
    with --send it leaves."""
    frames = Frames(switch)
    frames.target('a')
    found = traced(switch, 'udp sport=9 dport=53')
    assert found['rules'][0] == 'matched' and found['table main'][0] == 'dns', found
    assert found['actions'] == ('output', 'push_vlan=10 output=a')
    assert found['cache'][0] == 'miss' and found['end'][0] == 'would be sent'
    assert found['output'][0] == 'a' and 'link up' in found['output'][1]
    assert '8100000a0800' in found['output'][1]  # tagged, as it leaves
    assert traced(switch, 'udp dport=57')['ring'][0] == 'bulk'
    assert 'class bulk' in traced(switch, 'udp dport=57')['output'][1]
    for family in ('ip', 'ip6'):
        found = traced(switch, f'{family} tcp dport=80')
        assert found['table main'][0] == 'web' and found['table web'] == ('default', 'normal')
        assert found['actions'][1].endswith('flood'), found
    for flow in ('arp', 'icmp icmp_type=8', 'ip6 icmp6 icmp_type=128', 'sctp dport=9',
                 'eth_type=0x88cc', 'ip udp frag=first', 'ip udp frag=later', 'tcp tcp_flags=+syn-ack',
                 'vlan=10 pcp=3 udp dport=53', 'ip6 ip_src=fd00::7 udp dport=53'):
        assert 'end' in traced(switch, flow), flow

    capture = write_capture(work / 'one.pcap', [udp(1), udp(53), udp(54)])
    assert traced(switch, None, pcap=str(capture), record=2)['table main'][0] == 'dns'
    assert frames.got('a') == []
    frames.target('a')
    assert traced(switch, None, pcap=str(capture), record=2, send=True)['end'][0] == 'sent'
    # By then the flow is in the cache.
    found = traced(switch, None, pcap=str(capture), record=2)
    assert found['cache'][0] == 'hit' and found['cache'][1].startswith('1 packets'), found
    switch.call('rule add', match='port=src udp dport=77', actions='drop')
    assert traced(switch, None, pcap=str(capture), record=2)['cache'][0] == 'stale'
    packets = switch.settled()['packets']
    assert (packets['originated'], packets['sent'], packets['dropped']) == (1, 1, {})
    sent = Ether(frames.got('a')[0])
    assert sent[Dot1Q].vlan == 10 and sent[UDP].dport == 53
    text = switch.ctl('trace', 'packet', 'src', 'udp dport=53')
    assert text.splitlines()[0].split() == ['STEP', 'RESULT', 'DETAIL'], text
    assert '\n  table main ' in text, text


def test_hostile_input(switch, work):
    def refused(words, command='trace packet', **args):
        with pytest.raises(RpcError) as error:
            switch.call(command, **args)
        assert words in error.value.text, error.value
    refused('no port named', port='nobody')
    refused('hexadecimal', port='src', hex='0g')
    refused('hexadecimal', port='src', hex='000')
    refused('no bytes', port='src', hex=' : ')
    refused('more than 9600', port='src', hex='00' * 9601)
    refused('one of flow, hex', port='src', hex='00', flow='udp')
    refused('belongs to pcap', port='src', flow='udp', record=2)
    refused('nonsense', port='src', flow='nonsense')
    refused('no packet can be made', port='src', flow='port=a udp')
    refused('no packet can be made', port='src', flow='udp dport=5-9')
    refused('there is no worker', port='src', flow='udp', worker=15)
    refused('No such file', port='src', pcap='/nowhere.pcap')
    refused('no regular file', port='src', pcap='/dev/zero')
    refused('no regular file', port='src', pcap=str(work))
    junk = work / 'junk.pcap'
    junk.write_bytes(b'\xd4\xc3\xb2\xa1' + b'\xff' * 50)
    with pytest.raises(RpcError):
        switch.call('trace packet', port='src', pcap=str(junk))
    capture = write_capture(work / 'two.pcap', [udp(1), udp(2)])
    refused('has 2 records', port='src', pcap=str(capture), record=3)
    refused('from 1', port='src', pcap=str(capture), record=0)
    capture.write_bytes(capture.read_bytes()[:-10])
    refused('truncated', port='src', pcap=str(capture), record=2)
    for text in ('f', 'fx', 'f-1', 'f1 ', 'f99999999999', '1'):
        refused('is not a flow', 'trace flow', flow=text)
    refused('not known', 'trace flow', flow='f7')
    refused('at least 1', 'trace live', count=0)
    refused('nonsense', 'trace live', match='nonsense')
    switch.settled()


def test_live(switch):
    """Packets that pass, by a match, so many and no more; what is not shown is counted."""
    frames = Frames(switch)
    frames.target('a')
    answer = {}

    def listen(**args):
        client = RpcClient(switch.socket, timeout=30)
        while not answer:
            try:
                answer.update(client.call('trace live', **args))
            except RpcError as error:  # the main thread asked first
                assert 'one at a time' in error.text, error
    # The switch is asked for one trace at a time: the second says that the first listens.
    thread = threading.Thread(target=listen, kwargs={'match': 'udp dport=53', 'count': 3,
                                                     'seconds': 20})
    thread.start()

    def busy():
        try:
            switch.call('trace live', count=1, seconds=1)
        except RpcError as error:
            return 'one at a time' in error.text
        return False
    wait_for(busy, 10, 'the trace is on')
    frames.play('src', [udp(1), udp(53)] * 8)
    thread.join(30)
    assert not thread.is_alive()
    assert answer['traced'] == 3 and answer['matched'] >= 3 and answer['lost'] == 0, answer
    for number in (1, 2, 3):
        found = steps({'items': [s for s in answer['items'] if s['packet'] == number]})
        assert found['table main'][0] == 'dns' and found['output'][0] == 'a', found
        assert found['end'][0] == 'sent'
    # They went on in order, and are counted as any.
    got = [Ether(f) for f in frames.got('a')]
    assert len(got) == 8 and all(p[UDP].dport == 53 for p in got)
    stats = switch.settled()['packets']
    assert (stats['received'], stats['sent'], stats['dropped']) == (16, 8, {'rule-drop': 8})
    rules = {r['name']: r['packets'] for r in switch.call('rule list')['items']}
    assert rules['dns'] == 8 and rules['deny'] == 8
    # Nothing to see: it ends by time, and another may begin.
    quiet = switch.call('trace live', match='tcp', seconds=1)
    assert quiet['items'] == [] and quiet['matched'] == 0
    assert 'none' in switch.ctl('trace', 'live', '--seconds', '1')


def test_a_flow_in_hardware(sluiced):
    """A flow that a NIC carries: where, by which rule, and what the host would do with it."""
    s = sluiced(wire_vf_null(), telemetry=True)
    s.wait_up()
    s.swap('generator,flows=20,seed=7,pps=4000,size=300,skew=0,v6=0')

    def one(*places):
        def found():
            return [f for f in s.call('flow list', limit=0)['items']
                    if f['place'] in places and f['state'] == 'placed']
        return wait_for(found, 15, f'a flow at {places}')[0]

    carried = one('eswitch')
    found = steps(s.call('trace flow', flow=carried['id']))
    assert found['hardware'][0] == 'eswitch' and found['hardware'][1].startswith(carried['id'])
    assert found['rule'][0] == 'nic0' and 'transfer' in found['rule'][1], found
    assert found['note'][0] == 'not here' and found['output'][0] == 'v0', found

    queued = one('exclusive-queue', 'shared-queue')
    found = steps(s.call('trace flow', flow=queued['id']))
    assert found['hardware'][0].endswith('queue') and found['lane'][0] == 'live', found
    assert 'mark' in found['rule'][1] and found['output'][0] == 'w', found

    # Live, packets of lanes are seen; those of the embedded switch are said to be elsewhere.
    live = s.call('trace live', match='ip', count=20, seconds=10)
    assert live['traced'] == 20 and live['in_eswitch'] > 0
    assert carried['id'] in live['in_eswitch_flows']
    assert any(i['step'] == 'lane' and i['result'] == 'live' for i in live['items'])
    s.swap('sink')
    s.settled()
