# SPDX-License-Identifier: BSD-3-Clause
"""Numbered packets to somebody who answers each: what became of every one of them.

As a program, in a namespace: `numbered.py ADDRESS` sends a UDP packet every 2 ms until SIGINT, and
then prints how many it sent, and which answers were missing, came twice, or out of order.
"""
import json
import pathlib
import select
import signal
import socket
import struct
import sys
import time

PORT = 7007
PAUSE = 0.002
LAST = 2.0  # seconds that the last answers may take


class Numbered:
    """The program, run in a namespace."""

    def __init__(self, netns, address, log):
        self.proc = netns.start(['/usr/bin/python3', pathlib.Path(__file__).resolve(), address], log)
        self.proc.wait_text('^answered$', 20)

    def stop(self):
        """What became of the packets; all of them have to be answered, once and in order."""
        self.proc.signal(signal.SIGINT)
        assert self.proc.wait(20) == 0, self.proc.tail()
        return json.loads(self.proc.text().splitlines()[-1])

    def all_came(self):
        told = self.stop()
        assert told['sent'] > 10, told
        assert (told['lost'], told['twice'], told['late']) == ([], 0, 0), told


def main(address):
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(time.monotonic() + LAST))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    s.bind(('', PORT))
    sent = highest = twice = late = 0
    missing = set()
    due = time.monotonic()
    while not stop or (missing and time.monotonic() < stop[0]):
        now = time.monotonic()
        if now >= due and not stop:
            s.sendto(struct.pack('!Q', sent), (address, PORT))
            missing.add(sent)
            sent += 1
            due = max(due + PAUSE, now - 10 * PAUSE)
        try:
            readable = select.select([s], [], [], max(0, min(due - time.monotonic(), PAUSE)))[0]
        except InterruptedError:
            continue
        while readable:
            try:
                number, = struct.unpack('!Q', s.recv(64))
            except BlockingIOError:
                break
            if not highest:
                print('answered', flush=True)
            if number in missing:
                missing.remove(number)
            else:
                twice += 1
            late += number + 1 < highest
            highest = max(highest, number + 1)
    print(json.dumps({'sent': sent, 'lost': sorted(missing)[:20], 'twice': twice, 'late': late}))


if __name__ == '__main__':
    main(sys.argv[1])
