# SPDX-License-Identifier: ISC
"""The dotlock of a login is taken before the session is the user, and told to the
master: nobody has it for longer than a scan, whatever comes in between."""

import fcntl
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402


class Dotlock(house.House):
    LOCK = "/var/mail/alice.lock"

    def setUp(self):
        super().setUp()
        self.serve()

    def held(self):
        """The kernel's lock on the spool, by another program."""
        f = open("/proc/%d/root/var/mail/alice" % self.host.pid, "r+b")
        self.addCleanup(f.close)
        fcntl.lockf(f, fcntl.LOCK_EX)
        return f

    def freed(self):
        """While the session goes on: it is told to the master, and not waited for."""
        self.wait_for(lambda: not self.host.exists(self.LOCK), "dotlock free")

    def asked(self):
        pop = self.connect()
        pop.cmd("USER", "alice")
        pop.send(b"PASS %s\r\n" % house.family.PASSWORD.encode())
        self.wait_for(self.sessions, "a session")
        return pop

    def test_after_a_login_it_is_free(self):
        pop = self.login()
        self.freed()
        pop.quit()

    def test_without_a_spool_it_is_free(self):
        self.host.call(os.unlink, "/var/mail/alice")
        pop = self.login()
        self.assertEqual(pop.cmd("STAT")[:3], b"0 0")
        self.freed()
        pop.quit()

    def test_of_another_program(self):
        self.host.write(self.LOCK, "1\n")
        pop = self.asked()
        self.host.call(os.unlink, self.LOCK)
        self.assertIn(b"3 messages", pop.reply())
        self.freed()
        pop.quit()

    def test_it_is_not_kept_while_the_file_is_waited_for(self):
        """Who has the file may be waiting for the dotlock."""
        holder = self.held()
        pop = self.asked()
        self.freed()
        holder.close()
        self.assertIn(b"3 messages", pop.reply())
        self.freed()
        pop.quit()

    def test_of_a_session_that_dies_before_its_scan(self):
        holder = self.held()
        self.asked()
        for m in self.sessions():
            m.kill(signal.SIGKILL)
        self.no_sessions()
        self.freed()
        holder.close()
        self.next_login()


if __name__ == "__main__":
    unittest.main()
