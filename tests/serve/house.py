# SPDX-License-Identifier: ISC
"""What the tests of `popper serve` share: a look at its roles."""

import fcntl
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "roles"))

import family                                                   # noqa: E402
from lib.popper import Serve                                    # noqa: E402

FULL = b"-ERR [SYS/TEMP] Too many connections, try again later.\r\n"
# By the names that ps shows; how many there are.
ROLES = {"popper": 1, "popper-auth": 1, "popper-warden": 1,
         "popper-spawner": 1, "popper-front": 2}


class House(family.Family):
    SERVER = Serve

    def serve(self, *rows, **options):
        super().serve(*rows, **{"fronts": 2, "max_sessions_per_address": 1000,
                                **options})
        want = {**ROLES, "popper-front": options.get("fronts", 2)}
        self.wait_for(lambda: self.count() == want, "all roles")

    def named(self, name):
        return [m for m in self.members() if m.status["Name"] == [name]]

    def count(self):
        """{role: processes}, of those that stay."""
        out = {}
        for m in self.members():
            name = m.status["Name"][0]
            if name in ROLES:
                out[name] = out.get(name, 0) + 1
        return out

    def sessions(self):
        return self.named("popper-session")

    def no_sessions(self, seconds=120):
        self.wait_for(lambda: not self.sessions() + self.named("popper-hand")
                      + self.named("popper-recover"), "end of all sessions",
                      seconds)

    def ctl_facts(self, *words):
        """What popper ctl tells, row by row.  The master, or a front, may hear of an
        end when no process, and no connection, is left."""
        r = self.host.run(["/usr/sbin/popper", "ctl", "--json", *words],
                          check=True)
        return [json.loads(row) for row in r.stdout.splitlines()]

    def known_sessions(self, n):
        """Until the master knows of so many."""
        self.wait_for(lambda: len(self.ctl_facts("who")) == n,
                      "%d sessions" % n)

    def counted(self, key, n):
        """Until so many of alice, or of her address, count for that limit."""
        self.wait_for(lambda: self.ctl_facts("why", "alice@127.0.0.1")[0][key] == n,
                      "%s of %d" % (key, n))

    def worker_there(self):
        return bool(self.named("popper-worker"))

    def in_update(self, user="alice"):
        """QUIT waits for the maildrop, which another program has locked."""
        pop = self.login(user)
        pop.dele(1)
        self.holder = open("/proc/%d/root/var/mail/%s"
                           % (self.host.pid, user), "r+b")
        self.addCleanup(self.holder.close)
        fcntl.lockf(self.holder, fcntl.LOCK_EX)
        pop.send(b"QUIT\r\n")
        self.heard(pop)
        return pop
