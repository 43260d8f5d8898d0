# SPDX-License-Identifier: ISC
"""A system call of a role fails: no mail is lost or comes twice, what was told is true,
the next login works, nothing is left behind, and the log says why.

A *point* is the n-th such call of a role, or of a process that it forks meanwhile
(sessions and hands are the spawner's), while a client logs in, reads, deletes and says
QUIT, and new mail comes.  strace lets it fail.  POPPER_LONG=1 tries all of them, else
POPPER_SEED chooses some.
"""

import collections
import os
import random
import re
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(
    __file__))), name) for name in ("serve", ".")]

import family                                                   # noqa: E402
import house                                                    # noqa: E402
from lib import changes, scene                                  # noqa: E402
from lib.flavour import SANITIZED                               # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402
from lib.strace import Strace                                   # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or random.randrange(1 << 32))
SAMPLE = 5                      # points of a role and a maildrop, in the short run
WARNING = 4                     # the priority: that, or worse

# How each call may fail, and its role live on or be followed by another.
ERRORS = {
    "accept4": "EMFILE ENFILE ECONNABORTED", "brk": "ENOMEM", "capset": "EPERM",
    "clone": "EAGAIN", "epoll_ctl": "ENOMEM ENOSPC", "epoll_wait": "EINTR",
    "fallocate": "ENOSPC EOPNOTSUPP", "fchmod": "EROFS", "fchown": "EPERM",
    "fcntl": "ENOLCK", "fdatasync": "EIO", "flock": "ENOLCK EINTR", "fstatfs": "EIO",
    "fsync": "EIO ENOSPC", "ftruncate": "EIO", "getdents64": "EIO",
    "getsockname": "ENOBUFS", "io_setup": "EAGAIN", "io_submit": "EAGAIN",
    "landlock_add_rule": "ENOMEM", "landlock_restrict_self": "ENOMEM",
    "linkat": "EIO EEXIST", "memfd_create": "EMFILE", "mkdirat": "ENOSPC",
    "mmap": "ENOMEM", "newfstatat": "EIO", "openat": "EMFILE EIO", "poll": "EINTR",
    "ppoll": "EINTR", "prctl": "EINVAL", "pread64": "EIO", "prlimit64": "EPERM",
    "pwrite64": "ENOSPC EIO", "recvfrom": "EAGAIN EINTR", "recvmsg": "EINTR",
    "renameat": "EIO ENOSPC", "seccomp": "ENOMEM", "sendmsg": "EAGAIN ETOOMANYREFS",
    "sendto": "EAGAIN", "setgroups": "EPERM", "setresgid": "EPERM",
    "setresuid": "EAGAIN", "socketpair": "EMFILE ENFILE", "unlinkat": "EIO",
    "utimensat": "EPERM", "write": "EIO",
}
TEXTS = {name: scene.message(name, size=20000 if name == b"m3" else 0)
         for name in (b"m1", b"m2", b"m3", b"m4", b"m5", b"m6", b"new")}
OLD = list(TEXTS)
ASKED = {2: b"m2", 5: b"m5"}    # to be deleted


class Mbox:
    USER = "alice"

    def __init__(self, root):
        self.path = root + "/var/mail/" + self.USER

    def put(self):
        with open(self.path, "wb") as f:
            f.write(b"".join(TEXTS[name] for name in OLD[:-1]))
        os.chown(self.path, 1001, 8)
        os.chmod(self.path, 0o660)

    def deliver(self):
        with changes.locked(self.path, changes.STALE) as fd:
            changes.write_all(fd, TEXTS[b"new"], os.fstat(fd).st_size)

    def names(self):
        """Of what lies there, in order, all of it as it was."""
        with open(self.path, "rb") as f:
            found = scene.parse(f.read())
        for name, text in found:
            if text != scene.bare(TEXTS[name]):
                raise AssertionError("octets of %r: %r" % (name, text[:300]))
        return [name for name, _ in found]

    @staticmethod
    def may_be(names, new):
        """An UPDATE that was not heard of has been done, or not."""
        return names in (OLD, new)


class Maildir(Mbox):
    USER = "bob"

    def put(self):
        for part in ("", "/new", "/cur", "/tmp"):
            os.makedirs(self.path + part, 0o700, exist_ok=True)
            os.chown(self.path + part, 1002, 1002)
            for name in os.listdir(self.path + part):
                if os.path.isfile(self.path + part + "/" + name):
                    os.unlink(self.path + part + "/" + name)
        for i in range(len(OLD) - 1):
            self._put(i)

    def _put(self, i):
        tmp, name = self.path + "/tmp/x", "/new/17%08d.M1P1.host" % i
        with open(tmp, "wb") as f:
            f.write(TEXTS[OLD[i]].partition(b"\n")[2][:-1])
        os.chown(tmp, 1002, 1002)
        os.rename(tmp, self.path + name)

    def deliver(self):
        self._put(len(OLD) - 1)

    def names(self):
        found = {}
        for part in ("/new/", "/cur/"):
            for name in os.listdir(self.path + part):
                with open(self.path + part + name, "rb") as f:
                    text = f.read()
                who = scene.name_of(text)
                if text != TEXTS[who].partition(b"\n")[2][:-1] or who in found:
                    raise AssertionError("twice, or octets of %r" % who)
                found[who] = name
        return sorted(found, key=OLD.index)

    @staticmethod
    def may_be(names, new):
        """Its files go one by one."""
        return set(new) <= set(names)


class Told:
    """What a client has heard."""

    def __init__(self):
        self.quit = None        # whether QUIT was +OK, if there was a reply
        self.deleted = set()
        self.failed = False     # something was not +OK, or there was no reply


@unittest.skipIf(SANITIZED, "sanitizers distort the times")
class Calls(house.House):
    ROLES = ("popper-spawner", "popper", "popper-front", "popper-auth", "popper-warden")

    def setUp(self):
        super().setUp()
        self.host.mkdir("/etc/popper/bull")
        self.serve(fronts=1, auth_workers=1, lock_timeout=2, auth_fail_delay=0,
                   auth_cache_ttl=0, bulletins="/etc/popper/bull")
        self.root = "/proc/%d/root" % self.host.pid
        self.drops = [Mbox(self.root), Maildir(self.root)]
        for drop in self.drops:
            drop.put()
            self.session(drop)
        self.quiet()
        self.rest = self.descriptors()
        self.tried = self.struck = 0

    # -- a session ----------------------------------------------------------

    def session(self, drop):
        told = Told()
        try:
            with Pop(self.host.connect(110), timeout=60) as pop:
                self.talk(pop, drop, told)
        except (EOFError, ConnectionError):
            told.failed = True
        return told

    def talk(self, pop, drop, told):
        def ask(function, *args):
            try:
                return function(*args)
            except PopError:
                told.failed = True
                return None
        if ask(pop.login, drop.USER, family.PASSWORD) is None:
            return
        ask(pop.uidl)
        for n in (1, 3):
            got = ask(pop.retr, n)
            if got is not None and self.plain(got) != scene.as_seen(TEXTS[OLD[n - 1]]):
                raise AssertionError("RETR %d: %r" % (n, got[:300]))
        for n, name in ASKED.items():
            if ask(pop.dele, n) is not None:
                told.deleted.add(name)
        drop.deliver()
        told.quit = ask(pop.cmd, "QUIT") is not None

    @staticmethod
    def plain(text):
        return scene.bare(text.replace(b"\r\n", b"\n"))

    def next_login_shows(self, drop):
        """As soon as whoever died is there again; it changes nothing but Status."""
        end = time.monotonic() + 120
        while True:
            try:
                with Pop(self.host.connect(110)) as pop:
                    pop.login(drop.USER, family.PASSWORD)
                    seen = {n: pop.retr(n) for n in sorted(pop.uidl())}
                    pop.quit()
                    break
            except (PopError, EOFError, ConnectionError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.assertEqual([scene.name_of(text) for text in seen.values()], drop.names())
        for text in seen.values():
            self.assertEqual(self.plain(text), scene.as_seen(TEXTS[scene.name_of(text)]))

    # -- what is there ------------------------------------------------------

    def descriptors(self):
        """{role: how many}."""
        return {m.status["Name"][0]: len(m.fds()) for m in self.members()
                if m.status["Name"][0] in house.ROLES}

    def quiet(self):
        self.no_sessions()
        want = {**house.ROLES, "popper-front": 1}
        self.wait_for(lambda: self.count() == want, "all roles")

    def left_behind(self, call):
        """Locks, and journals of an UPDATE.  What could not be removed stays."""
        found = [n for n in os.listdir(self.root + "/var/mail")
                 if n not in ("alice", "bob")]
        if call == "unlinkat":
            for name in [n for n in found if n.startswith(".lk")]:
                os.unlink(self.root + "/var/mail/" + name)
                found.remove(name)
        folder = self.root + "/var/lib/popper/journal/"
        return found + [n for n in os.listdir(folder)
                        if not n.startswith(("owner.", "reserve", "."))
                        and os.path.getsize(folder + n) > 0]

    # -- points -------------------------------------------------------------

    def strace(self, role, *options):
        """On a role; the spawner's stand for their sessions."""
        return Strace(self.named(role)[0].pid, self.host.base, *options)

    def points(self, role, drop):
        """[(call, error, n)] of a session in which nothing fails."""
        drop.put()
        trace = self.strace(role)
        try:
            self.assertTrue(self.session(drop).quit)
            self.quiet()
        finally:
            trace.stop()
        most = collections.Counter()
        for (_, call), n in collections.Counter(
                re.findall(r"(?m)^(\d+) +(\w+)\(", "\n".join(trace.lines()))).items():
            most[call] = max(most[call], n)
        return [(call, error, n + 1) for call in sorted(most)
                for error in ERRORS.get(call, "").split() for n in range(most[call])]

    def try_point(self, role, drop, call, error, n, unlocked=False):
        """unlocked: no dotlock waits for the next login."""
        drop.put()
        mark = self.log.mark()
        trace = self.strace(role, "-e", "trace=" + call, "-e",
                            "inject=%s:error=%s:when=%d" % (call, error, n))
        try:
            told = self.session(drop)
            self.no_sessions()
        finally:
            trace.stop()
        self.tried += 1
        self.struck += any("(INJECTED)" in line for line in trace.lines())
        self.quiet()
        if unlocked:
            self.wait_for(lambda: not os.path.exists(drop.path + ".lock"),
                          "end of the dotlock")
        self.next_login_shows(drop)
        self.judge(drop, told, mark)
        self.quiet()
        self.assertEqual(self.left_behind(call), [])
        self.wait_for(lambda: all(now <= self.rest[name] for name, now
                                  in self.descriptors().items()),
                      "end of descriptors: %s" % self.rest)
        return told

    def judge(self, drop, told, mark):
        names = drop.names()
        if b"new" not in names:         # there was no time for it to come
            names = names + [b"new"]
        new = [name for name in OLD if name not in told.deleted]
        if told.quit:
            self.assertEqual(names, new)
        else:
            self.assertTrue(drop.may_be(names, new), names)
        if told.failed:
            self.wait_for(lambda: self.warned(mark), "warning in the log")

    def warned(self, mark):
        """Some lines come once in a while, however often it happens."""
        return self.log.find(": front-link ") or [line for line, priority in zip(
            self.log.lines[mark:], self.log.priorities[mark:])
            if priority & 7 <= WARNING]

    # -- the test -----------------------------------------------------------

    def test_each_call_may_fail(self):
        print("seed %d" % SEED, flush=True)
        rng = random.Random(SEED)
        pairs = [(role, drop) for role in self.ROLES for drop in self.drops]
        if not LONG:
            pairs = [rng.choice(pairs[:2]), rng.choice(pairs[2:])]
        for role, drop in pairs:
            points = self.points(role, drop)
            if not LONG:
                points = rng.sample(points, min(SAMPLE, len(points)))
            for point in points:
                with self.subTest(role=role, drop=drop.USER, point=point):
                    self.try_point(role, drop, *point)
        print("%d points, %d struck" % (self.tried, self.struck), flush=True)
        self.assertGreater(self.struck, 0)

    def test_a_dotlock_that_could_not_be_removed(self):
        """It is tried again: for the next lock, and at the end."""
        for n, failed in ((1, "UNLOCK"), (3, "the end of UPDATE")):
            with self.subTest(failed):
                self.assertTrue(self.try_point("popper", self.drops[0], "unlinkat",
                                               "EIO", n, unlocked=True).quit)


if __name__ == "__main__":
    unittest.main()
