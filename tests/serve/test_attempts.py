# SPDX-License-Identifier: ISC
"""popper serve: one line for each login attempt, whoever is lost in it."""

import os
import signal
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402

PASSWORD = house.family.PASSWORD
# Some seconds of a worker's time.
SNAIL = "$6$rounds=5000000$slow$" + "x" * 86


class Attempts(house.House):
    def asked(self, user="alice", password=PASSWORD):
        """A stranger about whom auth is asked, which sleeps; and auth."""
        auth, = self.named("popper-auth")
        auth.kill(signal.SIGSTOP)
        self.addCleanup(auth.kill, signal.SIGCONT)
        pop = self.connect()
        pop.send(b"USER %s\r\nPASS %s\r\n" % (user.encode(),
                                              password.encode()))
        pop.line()
        return pop, auth

    def lost(self, user="alice", why="the connection was lost"):
        self.lines(r'login-failed .*user=%s ip=\S+ reason=error detail="%s"'
                   % (user, why))

    def test_client_that_resets(self):
        """With the right password: it is no secret that he has tried."""
        self.serve()
        pop, auth = self.asked()
        pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        pop.close()
        auth.kill(signal.SIGCONT)
        self.lost()

    def test_killed_front(self):
        self.serve(fronts=1)
        pop, auth = self.asked()
        front, = self.named("popper-front")
        front.kill()
        self.ended(pop)
        auth.kill(signal.SIGCONT)
        self.lost()

    def test_killed_worker(self):
        self.serve()
        self.ask()
        for worker in self.named("popper-worker"):
            worker.kill()
        # It may not have heard the question yet.
        self.lost("sloth", "see worker-(died|start)")

    def test_killed_auth(self):
        """One line for all of them."""
        self.serve()
        self.ask()
        self.named("popper-auth")[0].kill()
        self.log.wait("front-link .*times=1", self.mark)

    def test_killed_warden(self):
        """And its workers with it."""
        self.serve()
        self.ask()
        self.named("popper-warden")[0].kill()
        self.lost("sloth", "see (warden|worker)-(died|start)")

    def test_auth_timeout(self):
        self.serve(auth_timeout=1)
        pop = self.asked_about()
        self.ended(pop)
        self.lost("sloth", "see auth-timeout")

    def test_worker_that_is_late(self):
        """It has nothing to say any more."""
        self.host.add_user("snail", 1005, hashed=SNAIL)
        users = self.host.read("/etc/popper/users").decode()
        self.host.write("/etc/popper/users", users + "snail:{CRYPT}%s:1005:"
                        "1005::/nonexistent\n" % SNAIL, 0o600)
        self.serve(auth_timeout=1)
        pop = self.ask("snail")
        worker, = self.named("popper-worker")
        self.ended(pop)
        self.wait_for(lambda: not house.family.alive(worker.pid),
                      "end of its work", 120)
        self.lost("snail", "see auth-timeout")

    def test_stopped(self):
        self.serve()
        self.ask()
        self.server.stop()
        self.lost("sloth", "(popper was stopped|see worker-died)")
        self.assertEqual(self.log.find("warden-died", self.mark), [])


if __name__ == "__main__":
    unittest.main()
