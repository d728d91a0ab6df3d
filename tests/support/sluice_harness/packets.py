# SPDX-License-Identifier: BSD-3-Clause
"""Packets from files into a switch and out of it into files, by net_pcap on ordinary ports.

A source plays its file once, as fast as it is polled, from the moment that it is attached; so a
test attaches the targets first and knows exactly what the switch has seen.
"""
import itertools
import struct

from .wait import wait_for

DEVICES = itertools.count()


def write_capture(path, frames):
    """frames: bytes, or what bytes() makes of a scapy packet."""
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for n, frame in enumerate(frames):
            data = bytes(frame)
            f.write(struct.pack('<IIII', 1, n % 1000000, len(data), len(data)) + data)
    return path


def read_capture(path):
    """The frames of a capture (classic pcap of this machine's byte order)."""
    data = path.read_bytes()
    frames, at = [], 24
    while at + 16 <= len(data):
        length = struct.unpack_from('=I', data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


class Frames:
    """Attaches files to ports of a switch."""

    def __init__(self, switch):
        self.switch = switch
        self.targets = {}

    def target(self, *ports):
        """These ports write what they get."""
        for port in ports:
            path = self.switch.directory / f'{port}-{next(DEVICES)}.pcap'
            self.switch.call('port attach', port=port, kind='ethdev',
                             dev=f'net_pcap{next(DEVICES)},tx_pcap={path}')
            self.targets[port] = path

    def got(self, port):
        """What the port was given; it is detached by that."""
        self.switch.call('port detach', port=port)
        return read_capture(self.targets.pop(port))

    def play(self, port, frames, timeout=20.0):
        """The port receives these frames (or the records of a file); returns when all are in."""
        path = self.switch.directory / f'{port}-{next(DEVICES)}.pcap'
        frames = list(frames)
        write_capture(path, frames)
        self.play_file(port, path, len(frames), timeout)

    def play_file(self, port, path, count, timeout=20.0):
        before = self.switch.port(port)['rx_packets']
        self.switch.call('port attach', port=port, kind='ethdev',
                         dev=f'net_pcap{next(DEVICES)},rx_pcap={path}')
        wait_for(lambda: self.switch.port(port)['rx_packets'] >= before + count, timeout,
                 f'{count} packets of {path.name} at {port}')
        self.switch.call('port detach', port=port)
        assert self.switch.port(port)['rx_packets'] == before + count

    def drops(self, port, before=None):
        """Drops by name of what came from a port, or how much they grew."""
        now = self.switch.port(port)['drops']
        return {k: v - (before or {}).get(k, 0) for k, v in now.items()
                if v != (before or {}).get(k, 0)}
