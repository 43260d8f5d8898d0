# SPDX-License-Identifier: ISC
"""A private host with one user, whose log is looked at."""

import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.host import Host                                       # noqa: E402
from lib.popper import Pop, PopError, Serve, conf               # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

PASSWORD = "wonderland"
WRONG = "Kanarienvogel-77"
OPTIONS = {"auth": "file", "peer_check": "no", "auth_fail_delay": 0,
           "drain_timeout": 1}


class Scene(unittest.TestCase):
    PACKAGES = ()           # names of what is unpacked together

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        cls.host = Host(packages=[unpack(*p) for p in cls.PACKAGES])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password=PASSWORD)
        cls.host.write("/etc/popper/users", "alice:{PLAIN}%s:1001:1001::"
                       "/home/alice\n" % PASSWORD, 0o600)

    def configure(self, **options):
        self.host.write("/etc/popper/popper.conf",
                        conf(**{**OPTIONS, **options}))

    def serve(self, **options):
        self.configure(**options)
        server = Serve(self.host)
        self.addCleanup(server.stop)
        return server

    def connect(self, source=None):
        """From an address of the host's, mostly 127.0.0.1."""
        to = "::1" if source and ":" in source else "127.0.0.1"
        pop = Pop(self.host.in_network(
            socket.create_connection, (to, 110), 30,
            (source, 0) if source else None))
        self.addCleanup(pop.close)
        return pop

    def fail_login(self, name, password=WRONG, source=None):
        with self.connect(source) as pop:
            pop.cmd("USER", name)
            with self.assertRaises(PopError):
                pop.cmd("PASS", password)
            pop.at_end()
