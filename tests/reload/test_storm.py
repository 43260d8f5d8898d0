# SPDX-License-Identifier: ISC
"""Many reloads, and many killed fronts, under load: no wrong answer, no lost
mail, no session that ends; a reload costs no stranger either.

10 of each, and 1,000 with POPPER_LONG.
"""

import os
import random
import re
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import again                                                    # noqa: E402
from lib import flavour, spool                                  # noqa: E402
from lib.popper import Pop, PopError, Serve                     # noqa: E402

PASSWORD = again.PASSWORD
ROUNDS = 1000 if os.environ.get("POPPER_LONG") else 10
SEED = os.environ.get("POPPER_SEED", "1")
USERS = 4
KEPT = "storm%d" % USERS                # whose session is there all the time
FEW, MANY = 3, 12                       # messages of a maildrop
PORTS = (110, 109)
KILLED = ("popper-front", "popper-front", "popper-auth", "popper-warden",
          "popper-ctl")                 # which hold nothing of a session's
LINES = (b"", b".", b"..", b".x", b">From x", b"word " * 10, b"x" * 5000,
         b"\xff\x00\r")


class Cut(Exception):
    """The connection ended before the login was answered, or nobody could."""


class Client(threading.Thread):
    """Logs in, looks at all it has, deletes one, quits; knows at each step what
    must come, and so what must be in the maildrop in the end."""

    def __init__(self, host, user, may_be_cut):
        super().__init__()
        self.host, self.user, self.may_be_cut = host, user, may_be_cut
        self.order = random.Random(SEED + user)
        self.mails = []                 # as they are in the spool
        self.number = 0
        self.stop = threading.Event()
        self.sessions = self.cuts = 0
        self.failure = None

    def deliver(self):
        """Nobody else is at the maildrop: the session has ended."""
        while len(self.mails) < MANY:
            lines = [self.order.choice(LINES)
                     for _ in range(self.order.randrange(40))]
            self.mails.append(b"From a@example.org Sat Jan  1 00:00:00 2000\n"
                              b"X-Number: %s.%d\n\n%sx\n\n" % (
                                  self.user.encode(), self.number,
                                  b"".join(line + b"\n" for line in lines)))
            self.number += 1
        self.host.spool(self.user, b"".join(self.mails))

    def log_in(self):
        try:
            pop = Pop(self.host.connect(self.order.choice(PORTS)))
        except (EOFError, OSError):
            raise Cut from None
        try:
            return pop, pop.login(self.user, PASSWORD)[0]
        except (EOFError, OSError):
            pop.close()
            raise Cut from None
        except PopError as e:           # auth has died
            pop.close()
            raise (Cut if "[SYS/TEMP]" in str(e) else e) from None

    def session(self):
        if len(self.mails) <= FEW:
            self.deliver()
        sent = [m.wire for m in spool.messages(b"".join(self.mails))]
        pop, n = self.log_in()
        with pop:
            if n != len(sent):
                raise AssertionError("%d messages, not %d" % (n, len(sent)))
            for i, wire in enumerate(sent, 1):
                if pop.retr(i) != wire:
                    raise AssertionError("message %d is another one" % i)
            gone = self.order.randrange(n)
            pop.dele(gone + 1)
            pop.quit()
        del self.mails[gone]
        self.sessions += 1

    def run(self):
        try:
            self.deliver()
            while not self.stop.is_set():
                try:
                    self.session()
                except Cut:
                    if not self.may_be_cut:
                        raise
                    self.cuts += 1
        except Exception as e:
            self.failure = "%s: %r after %d sessions" % (self.user, e,
                                                         self.sessions)


class Storm(again.Again):
    ROWS = tuple("listen = 127.0.0.1:%d" % p for p in PORTS)
    STORM = {"passwd_file": "storm", "status_headers": "no",
             "login_timeout": 3600, "timeout": 3600}

    def begin(self, may_be_cut):
        users = []
        for i in range(USERS + 1):
            name = "storm%d" % i
            self.host.add_user(name, 1100 + i)
            users.append("%s:{PLAIN}%s:%d:%d::/home/%s\n" % (
                name, PASSWORD, 1100 + i, 1100 + i, name))
        self.host.write("/etc/popper/storm", "".join(users), 0o600)
        self.configure(*self.ROWS, **{"fronts": 2, "max_sessions_per_address":
                                      1000, **self.STORM})
        # Large blocks are mapped, so that malloc does not keep any.
        self.server = Serve(self.host,
                            env={"MALLOC_MMAP_THRESHOLD_": "65536"})
        self.addCleanup(self.server.stop)
        self.settled()
        self.fds = self.steady(lambda: self.open_files(self.main()))
        self.host.spool(KEPT, self.mail)
        self.kept = self.connect()
        self.kept.login(KEPT, PASSWORD)
        self.kept.dele(2)
        self.clients = [Client(self.host, "storm%d" % i, may_be_cut)
                        for i in range(USERS)]
        for c in self.clients:
            self.addCleanup(c.stop.set)
            c.start()

    def failures(self):
        return [c.failure for c in self.clients if c.failure]

    def served(self, more):
        """So many sessions since the last time."""
        before = sum(c.sessions for c in self.clients)
        self.wait_for(lambda: self.failures() or sum(
            c.sessions for c in self.clients) >= before + more,
            "%d sessions" % more, 120)
        return not self.failures()

    def end(self, what):
        for c in self.clients:
            c.stop.set()
        for c in self.clients:
            c.join(120)
            self.assertFalse(c.is_alive(), c.user)
        self.assertEqual(self.failures(), [])
        for c in self.clients:
            self.assertEqual(self.host.spool(c.user), b"".join(c.mails))
        wire = [m.wire for m in spool.messages(self.mail)]
        self.assertEqual(self.kept.retr(1), wire[0])
        self.kept.quit()
        self.assertEqual([m.wire for m in spool.messages(
            self.host.spool(KEPT))], [wire[0], wire[2]])
        print("%d %s, %d sessions, %d cut" % (
            ROUNDS, what, sum(c.sessions for c in self.clients),
            sum(c.cuts for c in self.clients)))

    def memory(self):
        """Of the master in KiB, without files."""
        return int(re.search(rb"Anonymous:\s+(\d+)",
                             self.main().read("smaps_rollup")).group(1))

    def reload(self, order):
        """Good or bad; what comes of it is in the log."""
        if order.random() < 0.3:
            self.again(*self.ROWS, "timeout = x", expect="reload-refused",
                       **self.STORM)
            return
        extra = order.choice((
            (), ("listen = 127.0.0.1:1110",), ("listen = [::1]:110",),
            ("hide_version = yes",), ("statistics = yes",),
            ("auth_workers = 3",)))
        self.again(*self.ROWS, *extra, **{
            **self.STORM, "max_sessions": order.randrange(100, 3000),
            "fronts": order.randrange(1, 4)})

    def test_reloads(self):
        self.begin(may_be_cut=False)
        stranger = self.connect()
        order = random.Random(SEED)
        size = {}
        for i in range(ROUNDS):
            self.reload(order)
            if not self.served(1):
                break
            if i in (ROUNDS // 5, ROUNDS - 1):
                self.again(*self.ROWS, **self.STORM)
                size[i] = self.memory()
        self.assertEqual(self.failures(), [])
        stranger.quit()
        self.end("reloads")
        self.again(*self.ROWS, **self.STORM)
        self.settled(60)
        self.wait_for(lambda: self.open_files(self.main()) == self.fds,
                      "%d descriptors" % self.fds, 60)
        if not flavour.SANITIZED:
            self.assertLess(size[ROUNDS - 1] - size[ROUNDS // 5], 150)
        self.assertEqual(self.log.find("role-died|misbehaved|crash",
                                       self.mark), [])

    def test_killed_fronts(self):
        self.begin(may_be_cut=True)
        order = random.Random(SEED)
        for _ in range(ROUNDS):
            for m in self.named("popper-front")[:order.randrange(1, 3)]:
                m.kill(signal.SIGKILL)
            if not self.served(1):
                break
            self.wait_for(lambda: self.count() == again.house.ROLES,
                          "all roles", 60)
        self.assertEqual(self.failures(), [])
        self.end("rounds of killed fronts")
        self.assertEqual(self.log.find("misbehaved|crash", self.mark), [])
        self.assertEqual(len(self.log.find(
            "role-died role=(?!popper-front)", self.mark)), 0)

    def test_both(self):
        """Whoever is killed in the middle of a reload."""
        self.begin(may_be_cut=True)
        order = random.Random(SEED)
        for i in range(ROUNDS):
            self.configure(*self.ROWS, **{
                "max_sessions_per_address": 1000, **self.STORM,
                "fronts": order.randrange(1, 4)})
            self.server.process.send_signal(signal.SIGHUP)
            time.sleep(order.random() * 0.05)
            roles = self.named(order.choice(KILLED))
            if roles:
                order.choice(roles).kill(signal.SIGKILL)
            if not self.served(1):
                break
        self.assertEqual(self.failures(), [])
        self.again(*self.ROWS, **self.STORM)
        self.end("reloads with killed roles")
        self.settled(60)
        self.assertEqual(self.log.find("misbehaved|crash", self.mark), [])


if __name__ == "__main__":
    unittest.main()
