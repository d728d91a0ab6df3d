# SPDX-License-Identifier: BSD-3-Clause
"""What rules do to packets, given by testpmd and seen in what comes out of a VF.

        wire (a capture) ---> [ transfer rules of net_emunic0 ] ---> vf0 (libpcap writes it down)

The NIC is that of test_emunic_testpmd.py.
"""
import re

import pytest
from scapy.all import Dot1Q, Ether, IP, IPv6, TCP, UDP, Raw, VXLAN, rdpcap

from test_emunic_testpmd import (assert_balanced, capture, create, errors, hits,  # noqa: F401
                                 pmd, settled, start_verbose, udp, xstats)

pytestmark = pytest.mark.plain_only


@pytest.fixture
def rewritten(pmd, work):  # noqa: F811
    """Plays packets through rules; returns what came out of vf0, and testpmd's counters."""
    def play(packets, *rules, before=(), counted=None):
        wire = capture(work, packets)
        out = work / 'vf0.pcap'
        t = pmd(f'net_emunic0,queues=1,representor=vf0,firmware=inline,'
                f'wire=[replay,file={wire},speed=0],vf0=[ethdev,net_pcap_vf0,tx_pcap={out}]')
        for line in before:
            t.cmd(line)
        ids = [create(t, rule) for rule in rules]
        t.cmd('set fwd rxonly')
        t.cmd('start')
        x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
        assert_balanced(x)
        if counted is not None:
            assert hits(t, ids[0])[0] == counted
        pmd.stop(t)
        return list(rdpcap(str(out))), x
    return play


TO_VF = 'count / represented_port ethdev_port_id 1 / end'


def check_sums(packet):
    """The checksums are those that scapy computes."""
    twin = packet.copy()
    for layer in (IP, TCP, UDP):
        if layer in twin:
            del twin[layer].chksum
    assert bytes(twin.__class__(bytes(twin))) == bytes(packet), packet.show(dump=True)


def test_nat_and_tag(rewritten):
    """As a router with NAT does, and into a VLAN: what OVS asks of a NIC."""
    packets = udp('10.0.0.1', 53, 5) + [
        Ether(src='02:00:00:00:00:aa', dst='02:00:00:00:00:bb') /
        IPv6(src='fd00::1', dst='fd00::2', hlim=9) / TCP(sport=1, dport=2) / Raw(b'abc')]
    packets = [Ether(bytes(p)) for p in packets]
    out, _ = rewritten(
        packets,
        'transfer pattern eth / ipv4 dst is 10.0.0.1 / udp / end actions '
        'set_mac_src mac_addr 02:00:00:00:01:01 / set_mac_dst mac_addr 02:00:00:00:01:02 / '
        'set_ipv4_src ipv4_addr 192.0.2.1 / set_ipv4_dst ipv4_addr 192.0.2.2 / '
        'set_tp_src port 4000 / set_tp_dst port 4001 / dec_ttl / of_push_vlan ethertype 0x8100 / '
        f'of_set_vlan_vid vlan_vid 100 / of_set_vlan_pcp vlan_pcp 3 / {TO_VF}',
        'transfer pattern eth / ipv6 / end actions set_ipv6_src ipv6_addr fd00::a / '
        'set_ipv6_dst ipv6_addr fd00::b / modify_field op sub dst_type ipv6_hoplimit '
        f'src_type value src_value 02 width 8 / {TO_VF}',
        counted=5)
    assert len(out) == 6
    for p in out[:5]:
        assert (p[Ether].src, p[Ether].dst) == ('02:00:00:00:01:01', '02:00:00:00:01:02')
        assert (p[Dot1Q].vlan, p[Dot1Q].prio) == (100, 3)
        assert (p[IP].src, p[IP].dst, p[IP].ttl) == ('192.0.2.1', '192.0.2.2', 63)
        assert (p[UDP].sport, p[UDP].dport) == (4000, 4001)
        check_sums(p)
    p = out[5]
    assert (p[IPv6].src, p[IPv6].dst, p[IPv6].hlim) == ('fd00::a', 'fd00::b', 7)
    check_sums(p)


def test_pop_and_ttl(rewritten):
    """A tag goes; a packet whose time is over does not get through, by name."""
    packets = udp('10.0.0.1', 53, 3, vlan=7) + [
        Ether(dst='02:00:00:00:00:bb') / IP(dst='10.0.0.2', ttl=1) / UDP(dport=9)]
    out, x = rewritten(packets,
                       f'transfer pattern eth / vlan / end actions of_pop_vlan / {TO_VF}',
                       f'transfer priority 1 pattern eth / ipv4 / end actions dec_ttl / {TO_VF}')
    assert len(out) == 3 and not any(Dot1Q in p for p in out)
    assert x['nic_drop_ttl'] == 1


def test_vxlan(rewritten):
    """A VXLAN header goes on, as VXLAN_ENCAP or as raw bytes, and comes off."""
    inner = [Ether(bytes(p)) for p in udp('10.0.0.1', 53, 2)]
    outer = Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02') / \
        IP(src='192.0.2.1', dst='192.0.2.2') / UDP(sport=5, dport=4789, chksum=0) / VXLAN(vni=77)
    packets = inner[:1] + [inner[1].__class__(bytes(inner[1]).replace(b'\x0a\x00\x00\x01',
                                                                    b'\x0a\x00\x00\x02'))]
    packets += [Ether(bytes(outer / inner[0]))]
    out, _ = rewritten(
        packets,
        f'transfer pattern eth / ipv4 dst is 10.0.0.1 / end actions vxlan_encap / {TO_VF}',
        f'transfer pattern eth / ipv4 dst is 10.0.0.2 / end actions raw_encap index 0 / {TO_VF}',
        f'transfer pattern eth / ipv4 / udp dst is 4789 / end actions vxlan_decap / {TO_VF}',
        before=('set vxlan ip-version ipv4 vni 77 udp-src 0 udp-dst 4789 ip-src 192.0.2.1 '
                'ip-dst 192.0.2.2 eth-src 02:00:00:00:00:01 eth-dst 02:00:00:00:00:02',
                'set raw_encap 0 eth src is 02:00:00:00:00:01 dst is 02:00:00:00:00:02 / '
                'ipv4 src is 192.0.2.1 dst is 192.0.2.2 proto is 17 / udp dst is 4789 / '
                'vxlan vni is 77 / end_set'))
    assert len(out) == 3
    for p, was in zip(out[:2], packets):
        assert (p[IP].src, p[IP].dst) == ('192.0.2.1', '192.0.2.2')
        assert p[VXLAN].vni == 77 and p[UDP].dport == 4789 and p[UDP].sport >= 0xc000
        assert p[IP].len == len(p) - 14 and p[UDP].len == len(p) - 34
        assert bytes(p[VXLAN].payload) == bytes(was)
    assert bytes(out[2]) == bytes(inner[0])


def test_meter_and_mirror(rewritten):
    """A meter that lets five packets pass, and every second of those copied to the wire."""
    out, x = rewritten(
        udp('10.0.0.1', 53, 20),
        f'transfer pattern eth / ipv4 / end actions meter mtr_id 1 / sample ratio 2 index 0 / {TO_VF}',
        before=('add port meter profile srtcm_rfc2697 0 1 1 5 0 1',
                'add port meter policy 0 1 g_actions end y_actions drop / end r_actions drop / end',
                'create port meter 0 1 1 1 yes 0xff 1 g 0',
                'set sample_actions 0 port_id id 0 / end'))
    assert len(out) == 5 and x['nic_drop_meter'] == 15
    assert x['nic_copies'] == 2 and x['nic_sent_wire'] == 2


def test_passthru_and_shared_rss(pmd, work):  # noqa: F811
    """A rule lets all packets pass and marks them; the next ones share an RSS, which is changed
    under them and cannot be destroyed."""
    wire = capture(work, udp('10.0.0.1', 80, 6) + udp('10.0.0.1', 81, 4) + udp('10.0.0.1', 82, 3))
    t = pmd(f'net_emunic0,queues=4,firmware=inline,wire=[replay,file={wire},speed=0]',
            args=('--rxq=4', '--txq=4'))
    passing = create(t, 'priority 1 ingress pattern eth / end '
                        'actions count / mark id 5 / passthru / end')
    out = t.cmd('flow indirect_action 0 create action_id 7 ingress action rss queues 1 end / end')
    assert 'Indirect action #7 created' in out, out
    shared = [create(t, f'priority 2 ingress pattern eth / ipv4 / udp dst is {p} / end '
                        'actions count / indirect 7 / end') for p in (80, 81)]
    out = errors(t, 'flow indirect_action 0 update 7 action rss queues 9 end / end')
    assert 'the port has no such receive queue' in out, out
    out = t.cmd('flow indirect_action 0 update 7 action rss queues 3 end / end')
    assert 'Indirect action #7 updated' in out, out
    out = errors(t, 'flow indirect_action 0 destroy action_id 7')
    assert 'rules use the shared action' in out, out
    t.cmd('set fwd rxonly')
    t.cmd('set verbose 1')
    start_verbose(t)
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    assert_balanced(x)
    assert hits(t, passing)[0] == 13
    assert [hits(t, r)[0] for r in shared] == [6, 4]
    assert x['rx_q3_packets'] == 10 and x['rx_q1_packets'] == 0
    for rule in shared:
        t.cmd(f'flow destroy 0 rule {rule}')
    assert 'Indirect action #7 destroyed' in t.cmd('flow indirect_action 0 destroy action_id 7')
    pmd.stop(t)
    assert len(re.findall(r'FDIR matched ID=0x5', (work / 'testpmd0.out').read_text())) == 13
