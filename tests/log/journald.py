# SPDX-License-Identifier: ISC
"""Who takes journald's datagrams in a private host: a socket of ours, or
Debian's systemd-journald, unpacked, run there by itself."""

import json
import os
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import forms                                                    # noqa: E402
from lib.host import Syslog                                     # noqa: E402

SOCKET = "/run/systemd/journal/socket"
MACHINE = "0123456789abcdef0123456789abcdef"


class Journal(Syslog):
    """Like Syslog, its lines the messages; entries: {field: text} of each."""

    def __init__(self, host):
        host.mkdir(os.path.dirname(SOCKET))
        self.entries = []
        super().__init__(host, SOCKET)

    def _collect(self, sock):
        while True:
            try:
                data = sock.recv(65536, socket.MSG_PEEK)
            except OSError:
                return
            if not data:
                return
            pairs = forms.journal(data)
            entry = {k: v.decode("ascii") for k, v in pairs}
            if len(entry) != len(pairs):
                raise AssertionError("a field comes twice: %r" % data)
            self.entries.append(entry)
            self.priorities.append(int(entry["PRIORITY"]))
            self.lines.append(entry["MESSAGE"])
            sock.recv(1)


class Journald:
    """The real one.  It wants to know its control groups, nothing else."""

    def __init__(self, host):
        self.host = host
        host.write("/etc/machine-id", MACHINE + "\n")
        host.write("/etc/systemd/journald.conf", "[Journal]\n"
                   "Storage=volatile\nReadKMsg=no\nRateLimitBurst=0\n")
        host.mkdir("/run/systemd/journal")
        if host.run(["mount", "-t", "cgroup2", "-o", "ro", "none",
                     "/sys/fs/cgroup"]).returncode != 0:
            raise unittest.SkipTest("no systemd in a private host here")
        self.start()

    def start(self):
        self.process = self.host.popen(["/lib/systemd/systemd-journald"],
                                       stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not self.host.call(_listens):
            if time.monotonic() > deadline \
                    or self.process.poll() is not None:
                raise AssertionError("systemd-journald does not start")
            time.sleep(0.05)

    def stop(self):
        self.process.stop()

    def show(self, *match):
        """Entries of popper's, as journalctl has them."""
        r = self.host.run(["journalctl", "--no-pager", "-o", "json",
                           "SYSLOG_IDENTIFIER=popper", *match])
        return [json.loads(line) for line in r.stdout.splitlines()]

    def wait(self, *match, count=1):
        deadline = time.monotonic() + 60
        while True:
            found = self.show(*match)
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise AssertionError("not in the journal: %s\n%s"
                                     % (match, self.show()))
            time.sleep(0.1)


def _listens():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        try:
            s.connect(SOCKET)
        except OSError:
            return False
        return True
