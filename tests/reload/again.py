# SPDX-License-Identifier: ISC
"""What the tests of a reload share."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "serve"))

import house                                                    # noqa: E402

family = house.family
CONF = "/etc/popper/popper.conf"
PASSWORD = family.PASSWORD


class Again(house.House):
    def hup(self, expect="reloaded"):
        """The line of the log that tells what came of it."""
        mark = self.log.mark()
        self.server.process.send_signal(signal.SIGHUP)
        line = self.log.wait(r"popper\[\d+\]: (reloaded|reload-refused) ",
                             mark)[0]
        self.assertIn(" " + expect + " ", line)
        return line

    def again(self, *rows, expect="reloaded", **options):
        self.configure(*rows, **{"fronts": 2, "max_sessions_per_address": 1000,
                                 **options})
        return self.hup(expect)

    @staticmethod
    def open_files(member):
        """How many, but for the rows of counters that the next crew takes."""
        return sum("memfd:popper" not in what
                   for what in member.fds().values())

    def main(self):
        return family.Member(self.server.process.inner())

    def settled(self, seconds=120):
        """Nobody of an earlier crew is left."""
        self.wait_for(lambda: self.count() == house.ROLES, "end of all earlier"
                      " processes", seconds)

    def listeners(self):
        """{address: inode} of its listening sockets."""
        main = self.main()
        mine = {m.group(1) for m in map(
            re.compile(r"socket:\[(\d+)\]").match, main.fds().values()) if m}
        out = {}
        for name in ("tcp", "tcp6"):
            for line in main.read("net/" + name).decode().splitlines()[1:]:
                w = line.split()
                if w[3] == "0A" and w[9] in mine:
                    address, port = w[1].split(":")
                    out[(address, int(port, 16))] = w[9]
        return out

    def ports(self):
        return sorted(port for _, port in self.listeners())
