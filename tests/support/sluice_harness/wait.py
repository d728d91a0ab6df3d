# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for something to become true, with an end."""
import time


def wait_for(predicate, timeout=10.0, what='', interval=0.02):
    """Calls predicate until its result is true and returns that; AssertionError when time is up.

    The interval grows to a tenth of a second, so that a long wait costs little.
    """
    end = time.monotonic() + timeout
    last = None
    while True:
        last = predicate()
        if last:
            return last
        if time.monotonic() >= end:
            raise AssertionError(f'not within {timeout:g} s: {what or predicate.__name__}; '
                                 f'last seen: {last!r}')
        time.sleep(interval)
        interval = min(interval * 1.5, 0.1)
