# SPDX-License-Identifier: ISC
"""One line for each login attempt, whatever becomes of it, and one for each
session that began."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402


class Attempts(family.Family):
    def refused(self, user="alice", password="wrong"):
        with Pop(self.host.connect(110)) as pop:
            with self.assertRaises(PopError):
                pop.login(user, password)

    # -- no session -------------------------------------------------------

    def test_wrong_password(self):
        self.serve()
        self.refused()
        self.lines(r"login-failed .*user=alice .*reason=bad-password")

    def test_several_tries(self):
        self.serve(auth_tries=3)
        with Pop(self.host.connect(110)) as pop:
            for _ in range(2):
                with self.assertRaises(PopError):
                    pop.login("alice", "wrong")
            pop.login("alice", family.PASSWORD)
            pop.quit()
        self.lines(*[r"login-failed .*reason=bad-password"] * 2,
                   r"login .*user=alice", r"session-end .*reason=quit ")

    def test_client_that_does_not_wait(self):
        """Who leaves before the answer has made his attempt all the same."""
        self.serve()
        pop = self.connect()
        pop.send(b"USER alice\r\nPASS wrong\r\n")
        pop.close()
        self.log.wait("login-failed", self.mark)
        self.only_server()              # else it is stopped without a verdict
        self.lines(r"login-failed .*user=alice .*reason=bad-password")

    def test_no_attempt(self):
        """Nobody was asked: nothing to tell."""
        self.serve()
        pop = self.connect()
        for line in (b"PASS x", b"USER " + b"a" * 900, b"RPOP alice",
                     b"USER alice"):
            pop.send(line + b"\r\n")
            pop.status()
        pop.quit()
        self.only_server()
        self.assertEqual(self.log.find("login", self.mark), [])

    def test_killed_worker(self):
        self.serve()
        self.ask()
        self.children()[1].kill()
        self.lines(r'login-failed .*reason=error detail="see worker-died"')

    def test_auth_timeout(self):
        self.serve(auth_timeout=1)
        pop = self.asked_about()
        self.ended(pop)
        self.lines(r'login-failed .*reason=error detail="see auth-timeout"')

    def test_no_user_database(self):
        self.host.call(os.chmod, "/etc/popper/users", 0o644)
        self.addCleanup(self.host.call, os.chmod, "/etc/popper/users", 0o600)
        self.serve()
        self.refused(password=family.PASSWORD)
        self.lines(r'login-failed .*reason=error detail="see auth-error"')

    def test_killed_front(self):
        self.serve()
        self.ask()
        self.children()[0].kill()
        self.lines(r"login-failed .*reason=error "
                   r'detail="the connection was lost"')

    def test_stopped_in_an_attempt(self):
        self.serve()
        self.ask()
        self.server.stop()
        self.lines(r'login-failed .*reason=error detail="popper was stopped"')

    # -- sessions ---------------------------------------------------------

    def test_session(self):
        self.serve()
        self.login().quit()
        self.lines(r"login .*user=alice", r"session-end .*reason=quit ")

    def test_no_maildrop(self):
        self.serve()
        self.login()
        with self.assertRaises(PopError) as e:
            self.login()
        self.assertIn(b"[IN-USE]", e.exception.args[0])
        self.log.wait("reason=no-maildrop ", self.mark)
        self.server.stop()
        self.lines(r"login ", r"login ", r"session-end .*reason=no-maildrop ",
                   r"session-end .*reason=stopped ")

    def test_killed_session(self):
        self.serve()
        self.login()
        self.children()[0].kill()
        self.lines(r"login ", r"session-end .*user=alice .*reason=crash ")

    def test_lost_client(self):
        self.serve()
        self.login().close()
        self.lines(r"login ", r"session-end .*reason=client-gone ")

    def test_timeout(self):
        self.serve(timeout=1)
        self.ended(self.login())
        self.lines(r"login ", r"session-end .*reason=timeout ")

    def test_bad_commands(self):
        self.serve(max_bad_commands=2)
        pop = self.login()
        pop.send(b"X\r\nX\r\n")
        self.ended(pop)
        self.lines(r"login ", r"session-end .*reason=bad-commands ")

    def test_stopped_session(self):
        self.serve()
        self.login()
        self.server.stop()
        self.lines(r"login ", r"session-end .*reason=stopped ")


if __name__ == "__main__":
    unittest.main()
