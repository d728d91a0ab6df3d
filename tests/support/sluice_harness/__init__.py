# SPDX-License-Identifier: BSD-3-Clause
"""What the system tests stand on: sluiced and its clients, network namespaces, testpmd, and real
virtual machines. Everything that is started here carries the mark of its run (SLUICE_RUN) and dies
with the process that started it; sweep.py removes what is left by mark."""
from .configs import wire_vf_null
from .machine import RUN, build_dir, cores, data_dir, eal_memory, foreign_build_dir, need, short_dir
from .netns import NetNs
from .numbered import Numbered
from .packets import Frames, read_capture, write_capture
from .proc import Proc
from .rpc import RpcClient, RpcError
from .sluiced import Sluiced
from .testpmd import Testpmd
from .vm import VM, CommandFailed, Nic, tcp_transfer
from .wait import wait_for

__all__ = [
    'RUN', 'build_dir', 'cores', 'data_dir', 'eal_memory', 'foreign_build_dir', 'need', 'short_dir',
    'Frames', 'NetNs', 'Numbered', 'Proc', 'RpcClient', 'RpcError', 'Sluiced', 'Testpmd', 'VM', 'CommandFailed', 'Nic',
    'read_capture', 'tcp_transfer', 'wait_for', 'wire_vf_null', 'write_capture',
]
