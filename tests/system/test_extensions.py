# SPDX-License-Identifier: BSD-3-Clause
"""Extensions of a switch, bound, moved and taken away while packets flow.

    FILE ── net_pcap ── src ── sluiced ── a, b ── net_pcap ── FILES

and, where flows are in hardware, a generator at the wire of an emulated NIC with two VFs.
"""
import shutil

import pytest
from scapy.all import IP, TCP, UDP, Ether, Raw

from sluice_harness import Frames, RpcError, build_dir, wait_for, wire_vf_null

ME, YOU = '02:00:00:00:00:01', '02:00:00:00:00:02'
PORTS = 'sluice_ext_ports.so'


def udp(port, text=b'x'):
    return Ether(src=ME, dst=YOU) / IP(src='10.0.0.1', dst='10.0.0.2') / UDP(sport=9, dport=port) \
        / Raw(text)


def tcp(port):
    return Ether(src=ME, dst=YOU) / IP(src='10.0.0.1', dst='10.0.0.2') / TCP(sport=9, dport=port)


def file_config(extensions=(), actions='output=a'):
    return {'datapath': {'mbufs': 8192}, 'switches': [{
        'name': 'sw0', 'ports': [{'name': n} for n in ('src', 'a', 'b')],
        'rules': [{'match': 'port=src', 'actions': actions}],
        'extensions': list(extensions)}]}


def listed(switch):
    return {e['name']: e for e in switch.call('extension list')['items']}


def test_what_they_say(sluiced):
    """Final drops, packets that are looked into, and a monitor, from the configuration."""
    switch = sluiced(file_config([
        {'name': 'filter', 'path': PORTS, 'args': {'drop': ['udp/53', 'tcp/23'],
                                                   'inspect': 'udp/80', 'word': 'secret'}},
        {'name': 'counter', 'path': PORTS, 'at': 'monitor', 'args': {'count': True}}]))
    frames = Frames(switch)
    good = [udp(54), tcp(53), udp(80, b'nothing here'), udp(80, b'secre'), tcp(80)]
    bad = [udp(53), udp(53), tcp(23), udp(80, b'a secret word'), udp(80, b'secret')]
    frames.target('a')
    frames.play('src', [p for pair in zip(good, bad) for p in pair])
    assert frames.got('a') == [bytes(p) for p in good]
    assert frames.drops('src') == {'extension': len(bad)}
    found = listed(switch)
    assert found['filter']['dropped'] == len(bad) and found['filter']['packets'] == 4
    assert found['filter']['counters']['words'] == 2 and found['filter']['faults'] == 0
    assert found['counter']['counters'] == {'tcp': 2, 'udp': 3, 'other-ip': 0, 'other': 0,
                                            'bytes': sum(map(len, good)), 'words': 0}
    assert switch.settled()['packets']['dropped'] == {'extension': len(bad)}
    # The configuration in force says them again, and says the same when it is read.
    shown = switch.call('config show')['switches'][0]['extensions']
    assert shown[0]['args'] == {'drop': ['udp/53', 'tcp/23'], 'inspect': 'udp/80', 'word': 'secret'}
    assert shown[1] == {'name': 'counter', 'path': PORTS, 'at': 'monitor', 'args': {'count': 'true'}}


def test_egress_of_a_flood(sluiced):
    """An egress filter judges each copy, also of packets that go several ways."""
    switch = sluiced(file_config([{'name': 'out', 'path': PORTS, 'at': 'egress',
                                   'args': {'inspect': 'udp/80', 'word': 'secret'}}], 'flood'))
    frames = Frames(switch)
    frames.target('a', 'b')
    frames.play('src', [udp(80, b'secret'), udp(80, b'fine')])
    assert frames.got('a') == frames.got('b') == [bytes(udp(80, b'fine'))]
    assert frames.drops('src') == {'extension': 2}
    switch.settled()


def test_live(sluiced):
    """Add, move and remove by command; the order is what is listed and what is obeyed."""
    switch = sluiced(file_config())
    frames = Frames(switch)

    def passes(*packets):
        frames.target('a')
        frames.play('src', packets)
        return len(frames.got('a'))
    assert passes(udp(53), udp(54)) == 2
    answer = switch.ctl_json('extension', 'add', 'one', PORTS, '--args', 'drop=udp/53,udp/55')
    assert answer.pop('software_us') >= 0
    assert answer == {'switch': 'sw0', 'name': 'one', 'at': 'ingress', 'order': 1,
                      'software': 'in-force', 'hardware': 'in-force'}
    assert passes(udp(53), udp(54)) == 1
    switch.call('extension add', name='two', path=PORTS, args='drop=udp/53', before='one')
    switch.call('extension add', name='seen', path=PORTS, at='monitor', args='count=true')
    assert [e['name'] for e in switch.call('extension list')['items']] == ['two', 'one', 'seen']
    assert passes(udp(53)) == 0  # the first drops it, the second is not asked
    assert [listed(switch)[n]['dropped'] for n in ('two', 'one')] == [1, 1]
    assert switch.call('extension move', name='two')['order'] == 2
    assert passes(udp(53)) == 0
    assert [listed(switch)[n]['dropped'] for n in ('two', 'one')] == [1, 2]
    switch.call('extension move', name='two', before='one')
    assert listed(switch)['two']['order'] == 1
    switch.ctl('extension', 'remove', 'two')
    assert passes(udp(53)) == 0
    switch.call('extension remove', name='one')
    assert passes(udp(53), udp(55)) == 2
    assert list(listed(switch)) == ['seen'] and listed(switch)['seen']['counters']['udp'] == 2  # of what was not dropped
    switch.settled()


def test_refused(sluiced, work):
    """Nothing is accepted in silence, and what is refused changes nothing."""
    switch = sluiced(file_config([{'name': 'one', 'path': PORTS}]))

    def refused(words, **args):
        with pytest.raises(RpcError) as error:
            switch.call('extension add', **{'name': 'new', 'path': PORTS, **args})
        assert words in str(error.value), error.value
    broken = work / 'broken.so'
    broken.write_text('this is no shared object')
    refused('/nowhere/x.so', path='/nowhere/x.so')
    refused('broken.so', path=str(broken))
    refused('sluice_extension', path='librte_net_emunic.so')
    refused('not tcp/PORT or udp/PORT', args='drop=53')
    refused('no argument "nonsense"', args='nonsense=1')
    refused('is not NAME=VALUE', args='drop')
    refused('monitor only counts', at='monitor', args='drop=udp/53')
    refused('forward', at='forward')
    refused('already', name='one')
    refused('no extension "nobody"', before='nobody')
    refused('letters, digits', name='1x')
    refused('at most', args='word=' + 'x' * 80)
    refused('more than 32', args='drop=' + ','.join(f'udp/{n}' for n in range(40)))
    for command in ('extension remove', 'extension move'):
        with pytest.raises(RpcError, match='no extension "nobody"'):
            switch.call(command, name='nobody')
    for n in range(15):
        switch.call('extension add', name=f'e{n}', path=PORTS)
    refused('at most 16')
    assert len(listed(switch)) == 16

    def bad(words, **one):
        switch.write_config({**switch.config, **file_config(
            [{'name': 'one', 'path': PORTS}, {'name': 'two', 'path': PORTS, **one}])})
        with pytest.raises(RpcError) as error:
            switch.call('config reload')
        assert words in error.value.text, error.value
        assert '/switches/0/extensions' in str(error.value.data), error.value.data
    bad('/nowhere/x.so', path='/nowhere/x.so')
    bad('"forward" is none of "ingress", "egress", "monitor"', at='forward')
    bad('two extensions named', name='one')
    bad('not tcp/PORT', args={'drop': [53]})
    bad('must be text', args={'drop': {'a': 1}})
    bad('added live', name='e1')
    bad('above 16', name='sixteen')
    assert len(listed(switch)) == 16


def test_reload(sluiced):
    """A reload adds, removes, changes and moves; what stays goes on counting."""
    def extension(name, **args):
        return {'name': name, 'path': PORTS, 'args': args}
    switch = sluiced(file_config([extension('a', drop='udp/1'), extension('b', count=True)]))
    frames = Frames(switch)

    def reload(*extensions):
        switch.write_config({**switch.config, **file_config(extensions)})
        dry = switch.call('config reload', check=True)['changed']
        done = switch.call('config reload')['changed']
        assert dry == done
        assert [e['name'] for e in switch.call('extension list')['items'] if not e['live']] \
            == [e['name'] for e in extensions]
        return done

    def play(*packets):
        frames.target('a')
        frames.play('src', packets)
        return len(frames.got('a'))
    assert play(udp(1), udp(2)) == 1
    switch.call('extension add', name='live', path=PORTS, args='drop=udp/3')
    assert reload(extension('b', count=True), extension('a', drop='udp/1')) \
        == ['extensions in another order in sw0']
    assert play(udp(1), udp(2), udp(3)) == 1
    assert listed(switch)['b']['counters']['udp'] == 4  # one behind a's drop, three before it
    assert reload(extension('b', count=True), extension('a', drop='udp/2')) \
        == ['extension changed: a']
    assert play(udp(1), udp(2), udp(3)) == 1
    assert reload(extension('c')) == ['extension added: c', 'extension removed: b',
                                      'extension removed: a']
    assert play(udp(1), udp(2), udp(3)) == 2
    assert [e['name'] for e in switch.call('extension list')['items']] == ['c', 'live']
    switch.settled()


def test_offloaded_flows_come_back(sluiced):
    """A flow that an extension must see leaves the embedded switch and the lanes, and says why;
    one of which it gets a copy keeps its queue; when it is gone both go back."""
    switch = sluiced(wire_vf_null(), telemetry=True)
    switch.wait_up()
    switch.swap('generator,flows=20,seed=7,pps=4000,size=300,skew=0,v6=0')

    def at(*places):
        items = switch.call('flow list', limit=0)['items']
        return [f for f in items if f['place'] in places and f['state'] == 'placed']

    def one(place):
        return wait_for(lambda: at(place), 15, f'a flow at {place}')[0]
    carried = one('eswitch')
    queued = wait_for(lambda: at('exclusive-queue', 'shared-queue'), 15, 'a flow on a queue')[0]
    ports = [f['match'].split('dport=')[1].split()[0] for f in (carried, queued)]
    protos = ['udp' if 'udp' in f['match'].split() else 'tcp' for f in (carried, queued)]
    which = ','.join(f'{p}/{n}' for p, n in zip(protos, ports))

    answer = switch.call('extension add', name='looks', path=PORTS, wait=True,
                         args=f'inspect={which} word=zzzz')
    assert answer['hardware'] == 'in-force', answer
    before = listed(switch)['looks']['packets']
    wait_for(lambda: listed(switch)['looks']['packets'] > before + 100, 15, 'packets to look at')
    for flow in (carried, queued):
        def refused(flow=flow):
            explained = str(switch.call('flow explain', flow=flow['id']))
            return 'extension looks must see it' in explained and explained
        wait_for(refused, 10, f'the reason of {flow["match"]}')
        shown = switch.call('flow show', flow=flow['id'])
        assert shown['place'] in ('software', 'ring'), shown
    assert 'extension' in switch.call('stats')['refused']

    # Others are as before; what was placed for its own sake comes back once nobody looks.
    assert at('eswitch')
    switch.call('extension remove', name='looks', wait=True)
    wait_for(lambda: carried['id'] in [f['id'] for f in at('eswitch')], 15, 'the eswitch again')

    # A copy: nothing is left in the embedded switch, but lanes go on.
    switch.call('extension add', name='copies', path=PORTS, at='monitor', args='count=true',
                wait=True)
    assert not at('eswitch')
    wait_for(lambda: at('exclusive-queue', 'shared-queue'), 15, 'a flow on a queue')
    before = listed(switch)['copies']['packets']
    wait_for(lambda: listed(switch)['copies']['packets'] > before + 1000, 15, 'copies')
    switch.call('extension remove', name='copies', wait=True)
    one('eswitch')

    # A final drop is the NIC's to carry out.
    dropped = one('eswitch')
    switch.call('extension add', name='drops', path=PORTS, wait=True,
                args=f'drop={protos[0]}/{dropped["match"].split("dport=")[1].split()[0]}')
    wait_for(lambda: dropped['id'] in [f['id'] for f in at('eswitch')], 15, 'its drop in the NIC')
    switch.swap('sink')
    stats = switch.settled()
    assert stats['conserved']


def test_a_file_is_let_go(sluiced, work):
    """After its last packet an extension's file is closed: it is mapped no more."""
    copy = work / 'mine.so'
    shutil.copy(next(build_dir().rglob(PORTS)), copy)
    switch = sluiced(file_config())
    maps = f'/proc/{switch.proc.pid}/maps'

    def mapped():
        with open(maps, encoding='utf-8') as f:
            return 'mine.so' in f.read()
    for _ in range(3):
        switch.call('extension add', name='mine', path=str(copy))
        assert mapped()
        switch.call('extension remove', name='mine')
        assert not mapped()


def test_rules_match_by_them(sluiced):
    """Rules that match by an extension: by the flow, or by what is in its packets; a rule holds the
    extension that it matches by, over commands and reloads."""
    config = file_config([{'name': 'web', 'path': PORTS, 'at': 'match', 'args': {'match': 'tcp/80'}}])
    config['switches'][0]['rules'].insert(
        0, {'name': 'web', 'match': 'extension=web port=src', 'actions': 'output=b', 'priority': 2})
    switch = sluiced(config)
    frames = Frames(switch)

    def passes(*packets):
        frames.target('a', 'b')
        frames.play('src', packets)
        return len(frames.got('a')), len(frames.got('b'))

    def reload(config):
        switch.write_config({**config, 'control': switch.config['control']})
        switch.call('config reload')
    assert passes(tcp(80), tcp(80), tcp(81), udp(80)) == (2, 2)
    rule = switch.call('rule show', rule='web')
    assert rule['match'] == 'extension=web port=src' and rule['packets'] == 2
    assert switch.call('config show')['switches'][0]['rules'][0]['match'] == rule['match']
    traced = str(switch.call('trace packet', port='src', flow='tcp dport=80')['items'])
    assert 'match: matches' in traced, traced
    assert 'priority 2, extension: extension=web port=src -> output=b' in traced, traced

    # By the packet: no decision is kept, and a dry run is shown none.
    switch.call('extension add', name='word', path=PORTS, at='match', args='match=udp/9 word=secret')
    switch.call('rule add', match='extension=word', actions='drop', priority=3, name='words')
    assert passes(udp(9), udp(9, b'a secret'), udp(9), udp(9, b'secre')) == (3, 0)
    assert switch.call('rule show', rule='words')['packets'] == 1
    assert switch.call('worker show')['uncached'] == 4
    assert 'no match' in str(switch.call('trace packet', port='src', flow='udp dport=9'))

    for words, command, args in (
            ('no extension "wort"', 'rule add', {'match': 'extension=wort', 'actions': 'drop'}),
            ('at match', 'rule add', {'match': 'extension=plain', 'actions': 'drop'}),
            ('is there twice', 'rule add', {'match': 'extension=web extension=word',
                                            'actions': 'drop'}),
            ('a rule matches by it', 'extension remove', {'name': 'web'}),
            ('a rule matches by it', 'extension remove', {'name': 'word'}),
            ('all that it takes', 'extension add', {'name': 'x', 'path': PORTS, 'at': 'match',
                                                    'args': 'drop=tcp/80'})):
        if 'plain' in str(args):
            switch.call('extension add', name='plain', path=PORTS, args='drop=tcp/1')
        with pytest.raises(RpcError, match=words):
            switch.call(command, **args)
    # A rule of the file that matches by what the file has not.
    del config['switches'][0]['extensions'][0]
    with pytest.raises(RpcError, match='no extension "web" at the point match'):
        reload(config)
    # The file's rule and extension go together; what was added live stays.
    del config['switches'][0]['rules'][0]
    reload(config)
    assert sorted(listed(switch)) == ['plain', 'word']
    assert passes(tcp(80), udp(9, b'a secret')) == (1, 0)
    switch.call('rule del', rule='words')
    switch.call('extension remove', name='word')
    assert passes(udp(9, b'a secret')) == (1, 0)
    switch.settled()


def test_rules_match_learned(sluiced):
    """Destinations that were learned get their packets, others none: no flood of what is unknown."""
    config = file_config()
    config['switches'][0]['rules'] = [
        {'name': 'all', 'match': 'eth_dst=ff:ff:ff:ff:ff:ff', 'actions': 'normal', 'priority': 9},
        {'name': 'known', 'match': 'eth_dst=learned', 'actions': 'normal', 'priority': 5},
        {'name': 'unknown', 'match': 'any', 'actions': 'drop'}]
    switch = sluiced(config)
    frames = Frames(switch)
    frames.target('a', 'b')
    frames.play('src', [udp(1)])
    assert frames.got('a') == frames.got('b') == []
    here = udp(1)
    here.src, here.dst = YOU, 'ff:ff:ff:ff:ff:ff'
    frames.play('a', [here])
    wait_for(lambda: [m for m in switch.call('mac list')['items'] if m['mac'] == YOU], 10, 'learned')
    frames.target('a', 'b')
    frames.play('src', [udp(1)])
    assert len(frames.got('a')) == 1 and frames.got('b') == []
    assert switch.call('rule show', rule='known')['packets'] == 1
    assert switch.call('rule show', rule='unknown')['packets'] == 1
    detail = str(switch.call('trace packet', port='src', flow=f'eth_dst={YOU}')['items'])
    assert 'learned: eth_dst=learned' in detail, detail
    with pytest.raises(RpcError, match='eth_dst=learnt'):
        switch.call('rule add', match='eth_dst=learnt', actions='drop')
