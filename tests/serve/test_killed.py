# SPDX-License-Identifier: ISC
"""Whoever is killed at whatever moment, while mail is delivered, read and
deleted: no wrong answer, no lost mail, and nothing is left of it."""

import collections
import fcntl
import os
import random
import re
import signal
import ssl
import sys
import threading
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), room) for room in ("serve", "tls")]

import house                                                    # noqa: E402
import house_tls                                                # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
KILLS = 1000 if LONG else 48
USERS = ["u%d" % i for i in range(6)]
# All but the master; what is rare is killed as often as what is always there.
VICTIMS = ("popper-front", "popper-auth", "popper-warden", "popper-spawner",
           "popper-worker", "popper-session", "popper-hand", "popper-keeper",
           "popper-resolver", "popper-metrics", "popper-ctl")
# Who asks again is told no better than this, and loses nothing by it.
TRY_AGAIN = re.compile(rb"\[(SYS/TEMP|IN-USE)\]")
MARK = re.compile(rb"^X-Mark: (\S+)\r?$", re.M)
GONE = (EOFError, ConnectionError, ssl.SSLError)


class Client(threading.Thread):
    """One user, with his own mail agent.  `mail` is what his maildrop must
    hold, by mark; `perhaps`: what the last QUIT, whose answer was lost, may
    have deleted."""

    def __init__(self, test, user):
        super().__init__()
        self.test, self.user = test, user
        self.random = random.Random("%s %s" % (
            os.environ.get("POPPER_SEED", "1"), user))
        self.path = "/proc/%d/root/var/mail/%s" % (test.host.pid, user)
        self.mail, self.perhaps, self.n = {}, set(), 0
        self.counts = collections.Counter()
        self.error = None
        for _ in range(4):
            self.deliver()

    def deliver(self):
        """With both locks, as an MTA."""
        self.n += 1
        mark = b"%s.%d" % (self.user.encode(), self.n)
        body = b"".join(b"%s line %d\n" % (mark, i) for i in
                        range(self.random.choice((1, 20, 2000))))
        text = (b"From x@example.org Thu Nov 26 10:00:00 2026\n"
                b"Subject: mail\nX-Mark: %s\n\n%s\n" % (mark, body))
        lock = self.path + ".lock"
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
                break
            except FileExistsError:
                time.sleep(0.01)
        try:
            with open(self.path, "ab") as f:
                fcntl.lockf(f, fcntl.LOCK_EX)
                f.write(text)
        finally:
            os.unlink(lock)
        self.mail[mark] = body.replace(b"\n", b"\r\n")
        self.counts["delivered"] += 1

    def found(self, marks):
        """What there is, is what there must be."""
        want = set(self.mail)
        if self.perhaps and set(marks) == want - self.perhaps:
            self.forget(self.perhaps)
        self.perhaps = set()
        if list(marks) != sorted(self.mail, key=lambda m: int(
                m.rsplit(b".", 1)[1])):
            raise AssertionError("%s has %r, not %r" % (self.user, marks,
                                                        sorted(self.mail)))

    def forget(self, marks):
        for mark in marks:
            del self.mail[mark]
            self.counts["retrieved"] += 1

    def session(self, pop):
        n, _ = pop.login(self.user, house.family.PASSWORD)
        marks, whole = [], {}
        for i in range(1, n + 1):
            text = pop.retr(i)
            mark = MARK.search(text).group(1)
            if text.split(b"\r\n\r\n", 1)[1] != self.mail[mark]:
                raise AssertionError("another message: %r" % mark)
            marks.append(mark)
            whole[mark] = i
        self.found(marks)
        gone = set(self.random.sample(marks, min(len(marks), 2)))
        for mark in gone:
            pop.dele(whole[mark])
        self.perhaps = gone
        pop.quit()
        self.forget(gone)
        self.perhaps = set()
        self.counts["sessions"] += 1

    def once(self):
        try:
            # A question that was lost is answered when a front gives up.
            tls = self.random.random() < 0.3
            sock = self.test.host.connect(995 if tls else 110, timeout=90)
            with sock, Pop(house_tls.insecure().wrap_socket(sock) if tls else
                           sock, timeout=90) as pop:
                self.session(pop)
        except GONE:
            self.counts["lost"] += 1
        except PopError as e:
            if not TRY_AGAIN.match(e.args[0]):
                raise
            self.counts["again"] += 1

    def run(self):
        try:
            while not self.test.done.is_set():
                self.once()
                while len(self.mail) < 4:
                    self.deliver()
        except BaseException as e:      # for the test to raise
            self.error = e
            self.test.done.set()


class Killed(house_tls.Clients, house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for i, user in enumerate(USERS):
            cls.host.add_user(user, 1100 + i, password=house.family.PASSWORD)
            cls.host.spool(user, b"")
        users = cls.host.read("/etc/popper/users").decode()
        cls.host.write("/etc/popper/users", users + "".join(
            "%s:{PLAIN}%s:%d:%d::/home/%s\n" % (
                user, house.family.PASSWORD, 1100 + i, 1100 + i, user)
            for i, user in enumerate(USERS)), 0o600)

    def zombies(self):
        out = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/ns/pid" % name) == self.namespace:
                    m = house.family.Member(int(name))
                    if m.status["State"][0] == "Z":
                        out.append(m.status["Name"])
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass                    # gone, or none of ours
        return out

    def master_fds(self):
        master, = self.named("popper")
        return len(master.fds())

    def master_fds_at_rest(self):
        """Without what it has open for a moment: a file that it writes, the
        links of one whom it has not yet seen end."""
        fewest = self.master_fds()
        for _ in range(20):
            time.sleep(0.1)
            fewest = min(fewest, self.master_fds())
        return fewest

    def came_through(self):
        return sum(c.counts["sessions"] for c in self.clients)

    def let_one_through(self):
        """However slow the machine is."""
        before = self.came_through()
        self.wait_for(lambda: self.came_through() > before or
                      self.done.is_set(), "session between kills", 120)

    def kill_many(self):
        chance = random.Random(os.environ.get("POPPER_SEED", "1"))
        killed = collections.Counter()
        while sum(killed.values()) < KILLS and not self.done.is_set():
            name = chance.choice(VICTIMS)
            found = self.named(name)
            if found:
                chance.choice(found).kill(signal.SIGKILL)
                killed[name] += 1
                if sum(killed.values()) % 4 == 0:
                    self.let_one_through()
            self.done.wait(chance.choice((0.005, 0.05, 0.3)))
        return killed

    def clean(self):
        self.wait_for(lambda: self.count() == house.ROLES, "all roles", 60)
        self.no_sessions(60)

    def test_whoever_is_killed(self):
        self.serve(auth_workers=2, peer_check="yes", metrics="127.0.0.1:9110")
        self.done = threading.Event()
        self.next_login()
        self.clean()
        before = self.master_fds_at_rest()
        clients = self.clients = [Client(self, user) for user in USERS]
        for c in clients:
            c.start()
        try:
            killed = self.kill_many()
        finally:
            self.done.set()
            for c in clients:
                c.join()
        for c in clients:
            if c.error is not None:
                raise c.error
        self.clean()
        counts = sum((c.counts for c in clients), collections.Counter())
        for c in clients:               # what was cut off is decided now
            self.settle(c)
        self.clean()
        self.wait_for(lambda: self.master_fds() <= before,
                      "fewer descriptors of the master's", 60)
        self.assertEqual(self.master_fds_at_rest(), before)
        self.wait_for(lambda: not self.zombies(), "end of zombies")
        self.assertEqual(self.log.find("misbehaved|recovery-open",
                                       self.mark), [])
        self.assertGreaterEqual(counts["sessions"], KILLS // 4)
        self.assertEqual(sum(killed.values()), KILLS)

    def settle(self, c):
        """A last session; then the spool itself is looked at."""
        end = time.monotonic() + 120
        had = c.counts["sessions"]
        while c.counts["sessions"] == had:
            self.assertLess(time.monotonic(), end, "no session of " + c.user)
            c.once()
        marks = [MARK.search(m) for m in
                 self.host.spool(c.user).split(b"\n\nFrom ")]
        self.assertEqual(sorted(m.group(1) for m in marks if m),
                         sorted(c.mail))
        self.assertEqual(c.counts["delivered"],
                         c.counts["retrieved"] + len(c.mail))
        self.assertFalse(self.host.exists("/var/mail/%s.lock" % c.user))


if __name__ == "__main__":
    unittest.main()
