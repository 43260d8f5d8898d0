# SPDX-License-Identifier: ISC
"""The settings that bound what a client may do, and when it is told."""

import math
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import Inetd, Pop, PopError                     # noqa: E402

REFUSED = b"[AUTH] Authentication failed."
FULL = b"-ERR [SYS/TEMP] "
SLACK = 15                      # seconds that a busy machine may add


def rounds_for(seconds):
    """Rounds of sha512 that take so long, or longer on a busy machine."""
    quickest = math.inf
    for _ in range(5):
        began = time.monotonic()
        crypt("x", "$6$rounds=100000$abcdefgh$")
        quickest = min(quickest, time.monotonic() - began)
    return int(100000 * seconds / quickest)


class Limits(family.Family):
    def wrong(self, pop, user=b"alice", password=b"wrong"):
        """A refusal, and the seconds until it came."""
        pop.cmd("USER", user)
        began = time.monotonic()
        with self.assertRaises(PopError) as e:
            pop.cmd("PASS", password)
        self.seconds = time.monotonic() - began
        return e.exception.args[0]

    def took(self, seconds):
        self.assertGreaterEqual(self.seconds, seconds - 0.01)
        self.assertLess(self.seconds, seconds + SLACK)

    # -- tries and delays -------------------------------------------------

    def test_tries(self):
        self.serve(auth_tries=3)
        pop = self.connect()
        for user in (b"alice", b"bob"):
            self.assertEqual(self.wrong(pop, user), REFUSED)
            self.took(1)
        self.assertEqual(pop.login("alice", family.PASSWORD)[0], 3)
        pop.quit()
        pop = self.connect()
        for _ in range(3):
            self.assertEqual(self.wrong(pop), REFUSED)
            self.took(1)
        pop.at_end()
        self.log.wait("login-failed", self.mark, count=5)
        self.assertEqual(self.log.find("misbehaved", self.mark), [])

    def test_delay(self):
        for delay in (0, 2):
            with self.subTest(delay=delay):
                self.serve(auth_fail_delay=delay)
                for _ in range(12):
                    self.assertEqual(self.wrong(self.connect()), REFUSED)
                    self.took(delay)
                    if self.seconds < delay + 0.5:
                        break           # else that was a busy machine
                else:
                    self.fail("always late: %s" % self.seconds)
                self.server.stop()

    def test_slow_worker_is_answered_at_a_multiple(self):
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.serve()
        for _ in range(8):
            self.host.write(
                "/etc/popper/users", "slow:$6$rounds=%d$slow$%s:1003:1003::"
                "/home/sloth\n" % (rounds_for(1.35), "x" * 86), 0o600)
            self.assertEqual(self.wrong(self.connect(), b"slow"), REFUSED)
            if self.seconds > 1.9 and \
                    abs(self.seconds - round(self.seconds)) < 0.3:
                return          # else it was busy, then or at the measure
        self.fail("at no multiple: %s" % self.seconds)

    def test_auth_timeout(self):
        for delay, seconds in ((1, 2), (3, 3)):
            with self.subTest(delay=delay):
                self.serve(auth_timeout=1, auth_fail_delay=delay)
                mark = self.log.mark()
                pop = self.connect()
                self.assertTrue(self.wrong(pop, b"sloth").startswith(
                    b"[SYS/TEMP]"))
                self.took(seconds)
                self.ended(pop)
                self.log.wait("auth-timeout .*1 s", mark)
                self.only_server()
                self.server.stop()

    def test_login_timeout(self):
        self.serve(login_timeout=2)
        began = time.monotonic()
        self.assertEqual(self.ended(self.connect()), b"")
        self.assertLess(time.monotonic() - began, 2 + SLACK)
        self.only_server()

    def test_a_refusal_comes_behind_the_login_timeout(self):
        for tries in (1, 3):
            with self.subTest(tries=tries):
                self.serve(login_timeout=1, auth_fail_delay=2,
                           auth_tries=tries)
                pop = self.connect()
                self.assertEqual(self.wrong(pop), REFUSED)
                self.took(2)
                self.assertEqual(self.ended(pop), b"")
                self.only_server()
                self.server.stop()
        self.assertEqual(self.log.find("front-late", self.mark), [])

    def test_a_slow_yes_comes_behind_the_login_timeout(self):
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.serve(login_timeout=1)
        for _ in range(8):
            hashed = crypt("right", "$6$rounds=%d$slow$" % rounds_for(2))
            self.host.write("/etc/popper/users",
                            "slow:%s:1003:1003::/home/sloth\n" % hashed, 0o600)
            began = time.monotonic()
            pop = self.connect()
            pop.login("slow", "right")
            seconds = time.monotonic() - began
            pop.quit()
            if seconds > 1.5:
                return          # else it was busy at the measure
        self.fail("always quick: %s" % seconds)

    def test_no_verdict_within_the_login_timeout(self):
        """auth_timeout has the last word then."""
        self.serve(login_timeout=2, auth_timeout=3)
        pop = self.ask()
        self.assertTrue(self.ended(pop).startswith(b"-ERR [SYS/TEMP]"))
        self.log.wait("auth-timeout .*3 s", self.mark)
        self.only_server()

    def test_a_front_that_hangs_with_a_question_is_killed(self):
        self.serve(login_timeout=1, drain_timeout=1, auth_timeout=1)
        pop = self.ask()
        self.children()[0].kill(19)             # SIGSTOP
        began = time.monotonic()
        self.assertEqual(self.ended(pop), b"")
        self.assertGreater(time.monotonic() - began, 6)
        self.log.wait("front-late", self.mark)
        self.only_server()

    def test_a_front_that_hangs_is_killed(self):
        self.serve(login_timeout=2, drain_timeout=1)
        pop = self.connect()
        self.children()[0].kill(19)             # SIGSTOP
        self.assertEqual(self.ended(pop), b"")
        self.log.wait("front-late", self.mark)
        self.only_server()

    def test_bad_commands(self):
        self.serve(max_bad_commands=3)
        for login in (False, True):
            with self.subTest(login=login):
                pop = self.login() if login else self.connect()
                pop.send(b"A\r\nB\r\nCAPA\r\nC\r\nD\r\nE\r\nF\r\n")
                said = self.ended(pop)
                self.assertEqual(said.count(b"-ERR"), 5)
        self.log.wait("session-end .*reason=bad-commands", self.mark)

    def test_commands_before_login(self):
        self.serve(max_commands_before_login=3)
        pop = self.connect()
        pop.send(b"CAPA\r\n" * 1000)
        self.assertTrue(self.ended(pop).endswith(
            b"\r\n-ERR [SYS/TEMP] Too many commands before login.\r\n"))
        pop = self.login()
        pop.cmd("NOOP")
        pop.quit()

    # -- addresses --------------------------------------------------------

    def shown(self, address, port):
        mark = self.log.mark()
        with Pop(self.host.connect(port, address)) as pop:
            self.wrong(pop)
        return self.log.wait("login-failed", mark)[0].split("ip=")[1].split()[0]

    def test_mapped_address(self):
        self.configure(auth_fail_delay=0)
        with Inetd(self.host, 110, address="::"):
            self.assertEqual(self.shown("127.0.0.1", 110), "127.0.0.1")
            self.assertEqual(self.shown("::1", 110), "::1")


if __name__ == "__main__":
    unittest.main()
