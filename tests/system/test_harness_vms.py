# SPDX-License-Identifier: BSD-3-Clause
"""The guests of these tests are real: two of them talk through a switch that is not ours.

    guest a (eth0) ── vhost-user ── testpmd (io forwarding) ── vhost-user ── guest b (eth0)
    10.0.0.1                                                                 10.0.0.2
"""
import time

import pytest

from sluice_harness import CommandFailed, Nic, Testpmd, tcp_transfer

pytestmark = [pytest.mark.slow, pytest.mark.plain_only]


def test_two_guests_over_testpmd(work, guest):
    # With these flags testpmd hands the guests' segmentation requests through as they are.
    eal = [f'--vdev=net_vhost{i},iface={work}/{n}.sock,tso=1,legacy-ol-flags=1'
           for i, n in enumerate('ab')]
    with Testpmd(work, eal, huge=False) as pmd:
        pmd.cmd('start')
        a, b = (guest(n, [Nic(f'{work}/{n}.sock', f'52:54:00:00:00:0{i}',
                              (f'10.0.0.{i}/24', f'fd00::{i}/64'))])
                for i, n in ((1, 'a'), (2, 'b')))
        began = time.monotonic()
        a.start(wait=False)
        b.start(wait=False)
        a.wait_boot()
        b.wait_boot()
        print(f'both have booted after {time.monotonic() - began:.1f} s')
        assert a.ping('10.0.0.2') == 3
        assert b.ping('fd00::1') == 3

        assert {'csum', 'host-tso4', 'guest-tso4', 'mrg-rxbuf'} <= a.virtio_features()
        for source, target, address in ((a, b, '10.0.0.2'), (b, a, '10.0.0.1')):
            bps = tcp_transfer(source, target, address)
            print(f'{source.name} to {target.name}: {bps / 1e6:.0f} Mbit/s')
        # How many of a transfer are large is TCP's business: on a loaded machine they are few.
        assert pmd.port_xstats(0)['rx_q0_size_1519_max_packets'] > 0, 'no packet above the MTU'

        with pytest.raises(CommandFailed):
            a.run('ls /nowhere')
        b.kill()
        assert a.ping('10.0.0.2', count=1) == 0
        b.start()
        assert a.ping('10.0.0.2') == 3
