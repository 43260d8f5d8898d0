# SPDX-License-Identifier: ISC
"""A maildrop is given back before a client hears -ERR as before he hears +OK: who
comes again at once, while popper still waits for his first connection to end, is
not told [IN-USE]."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

AGAIN = 5
NOBODYS = 4711
PASSWORD = house.family.PASSWORD


class GivenBack:
    USER, UID, SPOOL = "alice", 1001, "/var/mail/alice"

    def give(self, uid):
        """Nobody opens a maildrop that is another user's."""
        os.chown("/proc/%d/root%s" % (self.host.pid, self.SPOOL), uid, -1)

    def begin(self, **options):
        """popper goes on with a connection for as long as it is there."""
        self.serve(drain_timeout=600, **options)
        self.addCleanup(self.give, self.UID)

    def refused(self, text):
        with self.assertRaisesRegex(PopError, text):
            self.login(self.USER)

    def fails_to_quit(self):
        pop = self.login(self.USER)
        pop.dele(1)
        self.give(NOBODYS)
        with self.assertRaisesRegex(PopError, r"\[SYS/"):
            pop.cmd("QUIT")
        self.give(self.UID)

    def test_no_maildrop(self):
        self.begin()
        self.give(NOBODYS)
        for _ in range(AGAIN):
            self.refused(r"\[SYS/")
        self.give(self.UID)
        self.login(self.USER).quit()

    def test_update_that_fails(self):
        self.begin()
        for _ in range(AGAIN):
            self.fails_to_quit()
        self.assertEqual(self.login(self.USER).stat()[0], 3)

    def test_login_delay(self):
        """An UPDATE that failed is no end of a login: its client may come once
        more, as who has lost his connection."""
        self.begin(login_delay="1h")
        self.fails_to_quit()
        self.login(self.USER).quit()
        for _ in range(AGAIN):
            self.refused(r"\[LOGIN-DELAY\]")


class Forked(GivenBack, house.family.Family):
    pass


class Served(GivenBack, house.House):
    pass


class Shared(GivenBack, house.House):
    """A session of many in one process, until it has to write."""
    USER, UID, SPOOL = "v0", 5000, "/var/mail/v0"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("vmail", cls.UID)
        users = cls.host.read("/etc/popper/users").decode()
        cls.host.write("/etc/popper/users", users + "v0:{PLAIN}%s:::"
                       ":/nonexistent\n" % PASSWORD, 0o600)

    def serve(self, **options):
        super().serve(virtual_user="vmail", sessions_per_process=100, **options)
        self.host.write(self.SPOOL, self.mail, 0o660, "vmail", "mail")


class Alone(GivenBack, house.family.Family):
    SPOOL = "/home/alice/mbox"

    def serve(self, **options):
        self.host.write(self.SPOOL, self.mail, 0o600, "alice")
        self.serve_alone(**options)

    def connect(self):
        pop = Pop(self.host.connect(1110))
        self.addCleanup(pop.close)
        return pop


if __name__ == "__main__":
    unittest.main()
