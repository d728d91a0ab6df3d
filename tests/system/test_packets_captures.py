# SPDX-License-Identifier: BSD-3-Clause
"""Captures of all kinds, malformed ones too, through a switch whose rules read every field.

    FILE ── net_pcap ── src ──┐              ┌── v0: vf0 (a sink)
                              ├── sluiced ───┼── w:  net_null, 1500 bytes
    FILE ── wire of nic0 ── uplink           ├── j:  net_null, 9000 bytes
                                             └── v:  access port, net_null
Nothing may crash; each packet is sent or dropped by a name; the sums are exact.
"""
import gzip
import re
import shutil

import pytest

from sluice_harness import Frames, Sluiced, data_dir, read_capture, short_dir, wait_for

CAPTURES = [
    'malformed/pcpp_fuzz.pcap', 'malformed/tcpdump.pcap.gz', 'malformed/zeek_suricata.pcap.gz',
    'dos/amp_dns_fragmented.pcap.gz', 'dos/amp_isakmp.pcap.gz', 'dos/frag_confusion_spray.pcap.gz',
    'dos/ipv6_exthdr_flood.pcap.gz', 'dos/reflect_synack.pcap.gz', 'dos/synflood_cic2019.pcap.gz',
    'dos/synflood_spoofed.pcap.gz', 'pcap/enterprise_emix.pcap.gz', 'pcap/isp_sanitized4k.pcap.gz',
    'pcap/manyproto_pcpp.pcap.gz', 'pcap/protocol_zoo_a.pcap.gz',
]

# Every kind of match and of action, so that a wrong length anywhere is met by code that reads it.
RULES = [
    ('tcp tcp_flags=+syn-ack', 'class=bulk output=w'),
    ('tcp dport=80', 'set_eth_dst=02:00:00:00:00:77 output=v0'),
    ('udp dport=53', 'class=bulk normal'),
    ('udp sport=0-1000', 'rate=100M output=j'),
    ('ip frag=later', 'output=w'),
    ('ip6 frag=yes', 'output=w'),
    ('ip dscp=10', 'drop'),
    ('ip ttl=1', 'flood'),
    ('icmp icmp_type=8', 'push_vlan=7 output=w'),
    ('icmp6 icmp_type=135', 'flood'),
    ('vlan=any', 'pop_vlan output=v'),
    ('arp', 'normal'),
    ('sctp', 'push_vlan=9 push_vlan=8 output=v0'),
    ('ip6', 'output=j'),
    ('ip ip_dst=0.0.0.0/0.0.0.1', 'goto=second'),
]


def config():
    def null(name, n, **more):
        return {'name': name, 'attach': {'kind': 'ethdev', 'dev': f'net_null{n},no-rx=1'}, **more}
    return {
        'drivers': ['librte_net_emunic.so'],
        'datapath': {'flows': 65536},
        'classes': [{'name': 'default'}, {'name': 'bulk'}],
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1, 'vf_queues': 2,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=2,vfs=1,rep_queues=2,representor=vf[0],wire=[sink],'
                         'vf0=[sink]'}],
        'switches': [{
            'name': 'sw0',
            'tables': [{'id': 0, 'default': 'normal'},
                       {'id': 1, 'name': 'second', 'default': 'output=w'}],
            'ports': [{'name': 'uplink', 'mtu': 9000, 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'src', 'vm': 'vm1', 'storm_pps': 100000},
                      {'name': 'v0', 'vm': 'vm0', 'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}},
                      null('w', 0), null('j', 1, mtu=9000),
                      null('v', 2, vlan={'mode': 'access', 'vid': 7})],
            'rules': [{'priority': 100 - n, 'match': m, 'actions': a}
                      for n, (m, a) in enumerate(RULES)]
            + [{'table': 'second', 'match': 'ip dscp=46', 'actions': 'drop'}],
        }],
    }


@pytest.fixture(scope='module')
def live():
    work = short_dir('captures')
    with Sluiced(work, config(), telemetry=True) as switch:
        switch.wait_up('uplink', 'v0', 'w', 'j', 'v')
        yield switch
    shutil.rmtree(work)


def unpacked(switch, name):
    folder, file = name.split('/')
    source = data_dir(folder) / file
    path = switch.directory / file.removesuffix('.gz')
    opener = gzip.open if file.endswith('.gz') else open
    with opener(source, 'rb') as f, open(path, 'wb') as out:
        shutil.copyfileobj(f, out)
    return path


def check(switch):
    stats = switch.settled()
    for name in stats['packets']['dropped']:
        assert re.fullmatch(r'(nic-)?[a-z0-9_-]+', name), name
    assert all(p['conserved'] for p in stats['ports'])
    return stats


@pytest.mark.parametrize('name', CAPTURES)
def test_from_a_file_port(live, name):
    """Records as they were cut: the switch may read no further than that."""
    path = unpacked(live, name)
    count = len(read_capture(path))
    Frames(live).play_file('src', path, count, 60)
    stats = check(live)
    path.unlink()
    port = next(p for p in stats['ports'] if p['name'] == 'src')
    assert port['held'] == 0


@pytest.mark.parametrize('name', CAPTURES[:6])
def test_from_the_wire(live, name):
    """Records with their full length again, over the emulated NIC."""
    path = unpacked(live, name)
    count = len(read_capture(path))
    before = live.call('stats')['nics'][0]['wire_played']
    live.swap(f'replay,file={path},speed=0')
    wait_for(lambda: live.call('stats')['nics'][0]['wire_finished'], 30, 'all is played')
    stats = check(live)
    path.unlink()
    played = stats['nics'][0]['wire_played']
    assert played in (count, before + count), (before, played, count)


def test_what_was_malformed_has_that_name(live):
    if live.port('src')['rx_packets'] < 100000:
        pytest.skip('the captures have not been played')
    drops = live.port('src')['drops']
    assert {'malformed-ipv4', 'malformed-ipv6', 'malformed-l4', 'rule-drop'} <= set(drops), drops
