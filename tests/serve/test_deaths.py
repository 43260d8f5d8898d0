# SPDX-License-Identifier: ISC
"""Each role of popper serve dies; it is started anew and costs only what it held.
And the end of all."""

import contextlib
import os
import re
import signal
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib import spool                                           # noqa: E402
from lib.popper import PopError                                 # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
TEMP = b"[SYS/TEMP] "


class Phases(house.House):
    def back(self, role):
        """It is there again, as it was, and somebody can log in."""
        self.log.wait("role-died .*role=" + role, self.mark)
        self.wait_for(lambda: self.count() == house.ROLES, "new " + role)
        self.next_login()

    def kill(self, role, sig=signal.SIGKILL):
        found = self.named(role)
        for m in found:
            m.kill(sig)
        return found

    def left(self):
        return len(spool.messages(self.host.spool("alice")))


class Deaths(Phases):
    def setUp(self):
        super().setUp()
        self.serve()

    def test_stop_frees_the_port(self):
        """Who has ended has no process left that listens: a restart may
        follow at once."""
        front = self.named("popper-front")[0]
        front.kill(signal.SIGSTOP)
        self.server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        self.assertIsNone(self.server.process.poll())
        front.kill(signal.SIGCONT)
        self.assertEqual(self.server.process.wait(60), 0)
        self.assertEqual(self.named("popper-front"), [])
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(110)
        self.server = self.SERVER(self.host)
        self.addCleanup(self.server.stop)
        self.next_login()

    def test_fronts(self):
        """Strangers see the end; sessions do not notice."""
        stranger, asked, alice = self.connect(), self.ask(), self.login("bob")
        self.kill("popper-front")
        self.assertEqual(self.ended(stranger), b"")
        self.assertEqual(self.ended(asked), b"")
        self.back("popper-front")
        alice.cmd("NOOP")
        alice.quit()

    def test_clients_that_reset_while_they_are_asked_about(self):
        """A front hands over a socket that is no longer connected."""
        fronts = {m.pid for m in self.named("popper-front")}
        auth, = self.named("popper-auth")
        auth.kill(signal.SIGSTOP)
        for _ in range(8):
            pop = self.connect()
            pop.cmd("USER", "alice")
            pop.send(b"PASS wonderland\r\n")
            time.sleep(0.1)
            pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
            pop.close()
        auth.kill(signal.SIGCONT)
        for _ in range(4):
            self.next_login()
        self.assertEqual({m.pid for m in self.named("popper-front")}, fronts)
        self.assertEqual(self.log.find("role-", self.mark), [])
        self.no_sessions()

    def test_auth(self):
        stranger, bob = self.connect(), self.login("bob")
        self.kill("popper-auth")
        self.back("popper-auth")
        stranger.login("alice", house.family.PASSWORD)
        stranger.quit()
        bob.quit()

    def test_warden(self):
        stranger, bob = self.connect(), self.login("bob")
        self.kill("popper-warden")
        self.back("popper-warden")
        stranger.login("alice", house.family.PASSWORD)
        stranger.quit()
        bob.quit()

    def test_spawner(self):
        """Its children live on, to the end of UPDATE."""
        stranger, bob, alice = (self.connect(), self.login("bob"),
                                self.in_update())
        self.kill("popper-spawner")
        self.wait_for(lambda: self.count() == house.ROLES, "new spawner")
        bob.cmd("NOOP")
        bob.quit()
        self.holder.close()
        self.assertIn(b"signing off", alice.reply())
        self.ended(alice)
        self.assertEqual(self.left(), 2)
        stranger.login("alice", house.family.PASSWORD)
        stranger.quit()
        self.no_sessions()

    def test_sessions_without_their_spawner(self):
        """They are the master's now: how they end stands in the log, one that
        dies in UPDATE is recovered, and no zombie is left."""
        bob, alice = self.login("bob"), self.in_update()
        self.kill("popper-spawner")
        self.wait_for(lambda: self.count() == house.ROLES, "new spawner")
        for m in self.sessions():
            m.kill(signal.SIGKILL)
        for user in ("alice", "bob"):
            self.log.wait("session-end .*%s .*reason=crash status=137" % user,
                          self.mark)
        self.assertEqual(self.ended(alice) + self.ended(bob), b"")
        self.holder.close()
        self.no_sessions()
        self.next_login()
        self.assertEqual(self.left(), 3)
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))
        self.assertEqual(self.log.find("recovery-not-now", self.mark), [])
        self.no_sessions()              # a zombie is still called so

    def test_stop_without_their_spawner(self):
        bob = self.login("bob")
        self.kill("popper-spawner")
        self.wait_for(lambda: self.count() == house.ROLES, "new spawner")
        began = time.monotonic()
        self.kill("popper", signal.SIGTERM)
        self.assertEqual(self.ended(bob), b"")
        self.assertEqual(self.server.process.wait(60), 0)
        self.assertLess(time.monotonic() - began, 40)
        self.log.wait("session-end .*user=bob .*reason=stopped", self.mark)

    def test_update_of_a_stop_without_spawner(self):
        """The hands that it needs are the next one's."""
        alice = self.in_update()
        self.kill("popper", signal.SIGTERM)
        self.wait_for(lambda: not self.named("popper-front"), "end of fronts")
        self.kill("popper-spawner")
        self.log.wait("role-died .*role=popper-spawner", self.mark)
        self.holder.close()
        self.assertIn(b"signing off", alice.reply())
        self.assertEqual(self.server.process.wait(60), 0)
        self.assertEqual(self.left(), 2)
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))

    def test_session(self):
        alice = self.login()
        alice.dele(1)
        self.kill("popper-session")
        self.assertEqual(self.ended(alice), b"")
        self.log.wait("session-end .*alice .*reason=crash status=137",
                      self.mark)
        self.next_login()
        self.assertEqual(self.left(), 3)

    def test_session_in_update(self):
        alice = self.in_update()
        self.kill("popper-session")
        self.assertEqual(self.ended(alice), b"")
        self.holder.close()
        self.no_sessions()
        self.next_login()
        self.assertEqual(self.left(), 3)
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))

    def test_master(self):
        """Nobody outlives it, but a session that is in UPDATE."""
        stranger, asked, bob, alice = (self.connect(), self.ask(),
                                       self.login("bob"), self.in_update())
        self.kill("popper")
        for pop in (stranger, asked, bob):
            self.assertEqual(self.ended(pop)[:1], b"")
        self.holder.close()
        self.ended(alice)
        self.wait_for(lambda: not self.members(), "end of all")
        self.assertIn(self.left(), (2, 3))

    def test_everybody_in_update(self):
        """What is left tells popper recover which maildrop it was."""
        alice = self.login()
        alice.dele(1)
        alice.quit()                    # from now on there is a journal
        self.no_sessions()
        self.in_update()
        (name,) = self.host.call(os.listdir, "/run/popper/lock")
        text = self.host.read("/run/popper/lock/" + name).decode()
        (key,) = re.findall(r" key=(\S+)\n$", text)
        self.assertTrue(self.host.exists("/var/lib/popper/journal/owner." + key))
        for m in self.members():
            m.kill(signal.SIGKILL)
        self.wait_for(lambda: not self.members(), "end of all")
        self.assertTrue(self.host.exists("/run/popper/lock/" + name))
        self.holder.close()
        self.host.run(["/usr/sbin/popper", "recover", "--quick"])
        self.assertEqual(self.left(), 2)

    def test_many_deaths_under_load(self):
        """No wrong answer, no lost mail, whoever dies."""
        for i in range(1000 if LONG else 24):
            role = ("popper-front", "popper-auth", "popper-warden",
                    "popper-spawner")[i % 4]
            bob = self.login("bob")
            self.kill(role)
            bob.cmd("NOOP")
            bob.quit()
            self.wait_for(lambda: self.count() == house.ROLES, "all roles")
            self.no_sessions()
            self.at_rest(2)             # the fronts know of the new one, too
        self.next_login()
        self.assertEqual(self.left(), 3)


class Stops(Phases):
    def stop(self, sig, everybody=False):
        self.serve()
        clients = [self.connect(), self.login("bob")]
        waiting = self.in_update()
        server = self.server.process.inner()
        for m in self.members():
            if everybody or m.pid == server:
                m.kill(sig)
        for pop in clients:
            self.assertEqual(self.ended(pop), b"")
        self.assertIsNone(self.server.process.poll())
        self.holder.close()
        self.assertIn(b"signing off", waiting.reply())
        self.assertEqual(self.server.process.wait(60), 0)
        self.wait_for(lambda: not self.members(), "end of all")
        self.assertEqual(self.left(), 2)
        self.log.wait(r"session-end .*user=bob .*reason=stopped", self.mark)
        self.log.wait(r"session-end .*user=alice .*reason=quit", self.mark)
        self.log.wait(r": stopped ", self.mark)

    def test_sigterm(self):
        self.stop(signal.SIGTERM)

    @contextlib.contextmanager
    def deaf_log(self):
        """The log daemon's queue is full, so that a line takes its time."""
        def fill():
            deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            deaf.bind("/proc/%d/root/dev/log" % self.host.pid)
            full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            full.setblocking(False)
            full.connect(deaf.getsockname())
            with self.assertRaises(BlockingIOError):
                while True:
                    full.send(b"x")
            full.close()
            return deaf
        self.log.stop(unlink=True)
        try:
            with self.host.in_network(fill):
                yield
        finally:
            self.log.start()

    def test_while_it_begins(self):
        """As soon as it listens it is told; not when its roles are there."""
        self.configure(fronts=2)
        for sig in (signal.SIGTERM, signal.SIGHUP):
            with self.deaf_log():
                server = self.SERVER(self.host)
                self.addCleanup(server.stop)
                server.process.send_signal(sig)
            if sig == signal.SIGHUP:
                self.wait_for(lambda: self.count() == house.ROLES, "all roles")
                self.next_login()
            self.assertEqual(server.stop(), 0)

    def test_ctrl_c(self):
        """The terminal sends it to the whole process group."""
        self.stop(signal.SIGINT, everybody=True)
        self.assertEqual(self.log.find("role-died|crash", self.mark), [])


class Refused(Phases):
    def test_wrong_password(self):
        self.without_sloth()
        self.serve(auth_tries=2, auth_fail_delay=1)
        pop = self.connect()
        for user in ("alice", "nobody-here"):
            began = time.monotonic()
            pop.cmd("USER", user)
            with self.assertRaises(PopError) as caught:
                pop.cmd("PASS", "wrong")
            self.assertEqual(caught.exception.args[0],
                             b"[AUTH] Authentication failed.")
            self.assertGreaterEqual(time.monotonic() - began, 0.99)
        self.assertEqual(self.ended(pop), b"")
        self.log.wait("login-failed", self.mark, count=2)
        self.assertEqual(len(self.log.find("login-failed", self.mark)), 2)


del Phases

if __name__ == "__main__":
    unittest.main()
