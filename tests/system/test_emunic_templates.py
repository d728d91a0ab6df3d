# SPDX-License-Identifier: BSD-3-Clause
"""The template and queue API of rte_flow on the emulated NIC, as dpdk-testpmd uses it."""
import re

from test_emunic_testpmd import (assert_balanced, capture, errors, hits, pmd, settled,
                                 start_verbose, udp, xstats)

import pytest

pytestmark = pytest.mark.plain_only


def said(t, line, text):
    out = errors(t, line)
    assert text in out, (line, out)


def configure(t):
    said(t, 'port stop 0', 'Done')
    said(t, 'flow configure 0 queues_number 2 queues_size 64 counters_number 100 '
            'aging_counters_number 10 meters_number 4', 'number of queues 2 with 64 elements')
    said(t, 'port start 0', 'Done')


def test_templates(pmd, work):  # noqa: F811
    """Rules by templates: what the masks leave open is each rule's. Packets meet them, results wait
    for their push, and nothing ends while it is in use."""
    packets = udp('10.0.0.1', 80, 10) + udp('10.0.0.2', 80, 20) + udp('10.0.0.3', 80, 3)
    wire = capture(work, packets)
    t = pmd(f'net_emunic0,queues=4,firmware=inline,wire=[replay,file={wire},speed=0]',
            args=('--rxq=4', '--txq=4', '--disable-rss'))
    configure(t)
    said(t, 'flow pattern_template 0 create ingress pattern_template_id 1 template '
            'eth / ipv4 dst mask 255.255.255.255 / end', 'Pattern template #1 created')
    # Its mark and its queue are each rule's, and those of the other are its own.
    said(t, 'flow actions_template 0 create ingress actions_template_id 1 '
            'template mark id 7 / queue index 0 / count / end mask mark / queue / count / end',
         'Actions template #1 created')
    said(t, 'flow actions_template 0 create ingress actions_template_id 2 '
            'template mark id 7 / queue index 2 / count / end '
            'mask mark id 0xffffffff / queue index 0xffff / count / end',
         'Actions template #2 created')
    said(t, 'flow template_table 0 create table_id 3 group 0 priority 1 ingress rules_number 8 '
            'pattern_template 1 actions_template 1 actions_template 2', 'Template table #3 created')
    rule = ('template_table 3 pattern_template 0 actions_template {} postpone {} '
            'pattern eth / ipv4 dst is {} / end actions mark id 9 / queue index 3 / count / end')
    said(t, f'flow queue 0 create 0 {rule.format(0, "no", "10.0.0.1")}', 'creation enqueued')
    said(t, f'flow queue 0 create 1 {rule.format(1, "yes", "10.0.0.2")}', 'creation enqueued')
    said(t, 'flow pull 0 queue 0', 'pulled 1 operations (0 failed, 1 succeeded)')
    said(t, 'flow pull 0 queue 1', 'pulled 0 operations')
    said(t, 'flow push 0 queue 1', 'operations pushed')
    said(t, 'flow pull 0 queue 1', 'pulled 1 operations (0 failed, 1 succeeded)')
    t.cmd('set fwd rxonly')
    t.cmd('set verbose 1')
    start_verbose(t)
    x = settled(t, lambda x: x['wire_finished'] and x['nic_held'] == 0)
    t.cmd('stop')
    t.cmd('set verbose 0')
    assert_balanced(x)
    assert [x[f'rx_q{q}_packets'] for q in range(4)] == [3, 0, 20, 10]
    assert hits(t, 0)[0] == 10 and hits(t, 1)[0] == 20
    said(t, 'flow template_table 0 destroy table 3', 'the table has rules')
    for number in range(2):
        said(t, f'flow queue 0 destroy 0 postpone no rule {number}', 'destruction enqueued')
    said(t, 'flow pull 0 queue 0', 'pulled 2 operations (0 failed, 2 succeeded)')
    said(t, 'flow actions_template 0 destroy actions_template 1', 'a table uses')
    said(t, 'flow template_table 0 destroy table 3', 'Template table #3 destroyed')
    said(t, 'flow actions_template 0 destroy actions_template 1', 'template #1 destroyed')
    said(t, 'flow pattern_template 0 destroy pattern_template 1', 'template #1 destroyed')
    assert xstats(t)['nic_rules'] == 0
    pmd.stop(t)
    marks = re.findall(r'FDIR matched ID=(0x\w+)', (work / 'testpmd0.out').read_text())
    assert sorted(marks) == ['0x7'] * 20 + ['0x9'] * 10


def test_refusals(pmd):  # noqa: F811
    """What the NIC cannot do by templates is said where it is asked for."""
    t = pmd('net_emunic0,queues=2,wire=[sink]', 'net_emunic1,queues=2,wire=[sink]')
    configure(t)
    said(t, 'flow pattern_template 0 create ingress pattern_template_id 1 template '
            'eth / mpls / end', 'MPLS: item not supported')
    said(t, 'flow actions_template 0 create transfer actions_template_id 1 '
            'template rss / end mask rss / end', 'RSS needs an ingress rule')
    said(t, 'port stop 0', 'Done')
    for numbers, text in (((65, 64, 0, 0, 0), 'queues'), ((1, 5000, 0, 0, 0), '4096'),
                          ((1, 64, 5000, 0, 0), 'more counters'), ((1, 64, 0, 0, 5000), 'meters')):
        said(t, 'flow configure 0 queues_number {} queues_size {} counters_number {} '
                'aging_counters_number {} meters_number {}'.format(*numbers), text)
