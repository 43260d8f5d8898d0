# SPDX-License-Identifier: ISC
"""strace on a process of popper's: to see its calls, or to let them fail."""

import os
import signal
import subprocess
import time


def _is_traced(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return "TracerPid:\t0\n" not in f.read()


class Strace:
    """One on a process, and on those that it forks."""

    def __init__(self, pid, folder, *options):
        self.output = os.path.join(folder, "strace")
        self.process = subprocess.Popen(
            ["strace", "-f", "-q", "-o", self.output, *options, "-p", str(pid)],
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not _is_traced(pid):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("strace does not come")
            time.sleep(0.002)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def lines(self):
        with open(self.output, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()
