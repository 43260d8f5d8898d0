# SPDX-License-Identifier: ISC
"""Who must be quick enough, on a machine that may let him stand still."""

import time


class Stall:
    """The longest time between two steps."""

    def __init__(self):
        self.longest, self.last = 0.0, time.monotonic()

    def step(self):
        now = time.monotonic()
        self.longest = max(self.longest, now - self.last)
        self.last = now


def quick_enough(scenario, most, tries=8):
    """scenario(step), which calls step() each time it has heard or said something.
    What fails while it was within `most` seconds from one to the next has failed;
    else it is tried again."""
    for last in (*[False] * (tries - 1), True):
        stall = Stall()
        try:
            return scenario(stall.step)
        except (AssertionError, OSError, EOFError) as e:
            stall.step()
            if last or stall.longest <= most:
                raise
            print("once more, after %.1f s of nothing: %r" % (stall.longest, e))
