# SPDX-License-Identifier: BSD-3-Clause
"""A VM's hint by the mailbox of its VF: a frame that the NIC takes out at the VF's edge.

   generator ── wire ── nic0 ── vf0: the guest's frames, from a capture (vm-v0)
                          └── sluiced
"""
import struct
import subprocess

import pytest

from sluice_harness import wait_for
from sluice_harness.sluiced import program

RAISE, LOWER, CLEAR = 1, 2, 3


def config(vf0='sink', hints=True):
    return {
        'drivers': ['librte_net_emunic.so'],
        'offload': {'min_bps': '1k', 'tick_ms': 10},
        'nics': [{'name': 'nic0', 'queues': 2, 'default_queues': 1, 'vf_queues': 1,
                  'vf_default_queues': 1, 'vfs': 1,
                  'dev': 'net_emunic0,queues=2,vfs=1,representor=vf[0-0],wire=[sink],'
                         f'vf0=[{vf0}]'}],
        'switches': [{
            'name': 'sw0', 'tables': [{'id': 0, 'default': 'output=v0'}],
            'ports': [{'name': 'uplink', 'attach': {'kind': 'nic', 'nic': 'nic0'}},
                      {'name': 'v0', 'vm': 'vm-v0', 'hints': hints,
                       'attach': {'kind': 'vf', 'nic': 'nic0', 'vf': 0}}]}],
    }


def message(kind, text, ident=1):
    data = text.encode()
    return (bytes.fromhex('ffffffffffff020000000001') + struct.pack(
        '>HHIBBHI', 0x88b5, 0, 0x456d4278, 1, kind, len(data), ident) + data).ljust(60, b'\0')


def say(s, work, *frames):
    path = work / f'mail{say.count}.pcap'
    say.count += 1
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack('<IIII', 1, i * 20000, len(frame), len(frame)) + frame)
    s.swap(f'replay,file={path}', side='vf0')


say.count = 0


def hints(s):
    return s.call('vm show', vm='vm-v0')['hints']


@pytest.fixture
def switch(sluiced):
    s = sluiced(config(), telemetry=True)
    s.wait_up()
    return s


def test_given_and_taken_back(switch, work):
    s = switch
    s.swap('generator,flows=5,seed=3,pps=2000,size=300,skew=0,v6=0')
    wait_for(lambda: [f['port'] for f in s.call('flow list')['items']].count('uplink') == 5, 20,
             'flows')
    say(s, work, message(LOWER, 'ip'))
    wait_for(lambda: hints(s) == [{'match': 'ip', 'place': 'lower'}], 10, 'the hint')

    def all_say(word):
        return all(s.call('flow show', flow=f['id'])['hint'] == word
                   for f in s.call('flow list')['items'] if f['id'])
    wait_for(lambda: all_say('lower'), 10, 'it is followed')
    say(s, work, message(RAISE, 'ip'))
    wait_for(lambda: all_say('raise'), 10, 'raised')
    say(s, work, message(CLEAR, 'ip'))
    wait_for(lambda: not hints(s), 10, 'taken back')
    s.swap('sink')
    assert s.settled()['conserved']


def test_hostile(switch, work):
    """What is no match of its own, and more than a second may have, changes nothing."""
    s = switch
    say(s, work, message(RAISE, 'port=uplink'), message(RAISE, '#'), message(9, 'ip'),
        message(RAISE, ''), message(RAISE, 'ip\0x'), message(RAISE, 'ip', 7)[:29],
        message(LOWER, 'tcp'))
    wait_for(lambda: hints(s), 10, 'the last one')
    assert hints(s) == [{'match': 'tcp', 'place': 'lower'}]
    say(s, work, *(message(RAISE, f'udp dport={n + 1}') for n in range(100)))
    wait_for(lambda: s.telemetry('/emunic/list') and len(hints(s)) > 5, 10, 'some')
    assert len(hints(s)) <= 64 and s.call('status')
    s.swap('sink', side='vf0')
    assert s.settled()['conserved']


def test_the_client(sluiced, netns):
    """sluice-hint in a network namespace whose device is the VF: it is told what became of a hint,
    also of one that was taken in hand and refused then."""
    guest = netns('g')
    s = sluiced(config(f'ethdev,net_af_packet0,iface={guest.veth()}'), telemetry=True)
    s.wait_up()

    def hint(*words):
        return subprocess.run(['ip', 'netns', 'exec', str(guest), program('sluice-hint'),
                               '--mailbox', 'eth0', *words], capture_output=True, text=True,
                              timeout=30, check=False)
    done = hint('set', 'udp dport=53', 'raise')
    assert done.returncode == 0 and 'in force' in done.stdout, done
    assert hints(s) == [{'match': 'udp dport=53', 'place': 'raise'}]
    for words, why in ((('set', 'port=uplink', 'raise'), 'names a port'),
                       (('set', 'port=#200', 'raise'), 'names a port'),
                       (('set', '#', 'lower'), 'does not understand'),
                       (('clear', 'tcp'), 'no such hint')):
        done = hint(*words)
        assert done.returncode == 1 and why in done.stderr, done
    assert len(hints(s)) == 1
    assert hint('clear', 'udp dport=53').returncode == 0
    assert not hints(s)
    for words in (('list',), ('set', 'x' * 65, 'raise'), ('set', '', 'raise')):
        assert hint(*words).returncode == 2, words
    done = subprocess.run([program('sluice-hint'), '--mailbox', 'no-such-dev', 'clear', 'ip'],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and 'no-such-dev' in done.stderr, done


def test_the_client_where_hints_are_not_followed(sluiced, netns):
    guest = netns('g')
    s = sluiced(config(f'ethdev,net_af_packet0,iface={guest.veth()}', hints=False),
                telemetry=True)
    s.wait_up()
    s.swap('generator,flows=5,seed=3,pps=2000,size=300,skew=0,v6=0')
    wait_for(lambda: [f['port'] for f in s.call('flow list')['items']].count('uplink') == 5, 20,
             'flows')
    done = subprocess.run(['ip', 'netns', 'exec', str(guest), program('sluice-hint'), '--mailbox',
                           'eth0', 'set', 'ip', 'raise'], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 1 and 'not followed' in done.stderr, done
