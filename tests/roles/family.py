# SPDX-License-Identifier: ISC
"""What the tests of the processes share: a private host with popper serve, and
a look at the family of one connection."""

import os
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Pop, Super, conf                         # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

PASSWORD = "wonderland"
# One for each attempt, one for each session.
ATTEMPT = re.compile(r"(?:^|: )(login|login-failed|session-end) ")
# A hash that nothing matches and that keeps a worker busy for long.
SLOW = "$6$rounds=90000000$slow$" + "x" * 86
# Larger maps are a sanitizer's notes on the memory, not octets that came in.
SHADOW = 1 << 30
OPTIONS = {"auth": "file", "peer_check": "no", "auth_fail_delay": 1,
           "plaintext_networks": "0.0.0.0/0 ::/0",
           "drain_timeout": 1, "lock_timeout": 120}


class Member:
    """One process of popper's, as /proc tells."""

    def __init__(self, pid):
        self.pid = pid
        self.status = {}
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            for line in f:
                key, _, value = line.partition(":")
                self.status[key] = value.split()
        self.parent = int(self.status["PPid"][0])
        self.uid = int(self.status["Uid"][0])

    def read(self, name):
        with open("/proc/%d/%s" % (self.pid, name), "rb") as f:
            return f.read()

    def fds(self):
        """{descriptor: what it is}."""
        folder = "/proc/%d/fd" % self.pid
        out = {}
        for fd in os.listdir(folder):
            try:
                out[int(fd)] = os.readlink(folder + "/" + fd)
            except FileNotFoundError:
                pass                    # closed meanwhile
        return out

    def memory(self):
        """All that can be read of its memory."""
        out = []
        with open("/proc/%d/maps" % self.pid, encoding="ascii") as maps, \
                open("/proc/%d/mem" % self.pid, "rb", 0) as mem:
            for line in maps:
                span, rights = line.split()[:2]
                if "r" not in rights or "[v" in line:
                    continue
                start, end = (int(x, 16) for x in span.split("-"))
                if end - start > SHADOW:
                    continue
                try:
                    mem.seek(start)
                    out.append(mem.read(end - start))
                except OSError:
                    pass
        return b"".join(out)

    def kill(self, sig=signal.SIGKILL):
        """By SIGKILL it is dead, and not about to be, when this returns: it counts
        for nobody who looks whether there is another one."""
        try:
            os.kill(self.pid, sig)
        except ProcessLookupError:
            pass                # it was quicker
        end = time.monotonic() + 120
        while sig == signal.SIGKILL and alive(self.pid):
            if time.monotonic() > end:
                raise AssertionError("%d does not die" % self.pid)
            time.sleep(0.001)


def alive(pid):
    try:
        return Member(pid).status["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Family(unittest.TestCase):
    """A test with a host, a super-server and alice, whose password is right,
    and sloth, whose worker thinks for long."""

    SERVER = Super
    PACKAGES = ()
    server = None

    @classmethod
    def archives(cls):
        return [unpack(p) for p in cls.PACKAGES]

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=cls.archives())
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password=PASSWORD)
        cls.host.add_user("bob", 1002, password=PASSWORD)
        cls.host.add_user("sloth", 1003, hashed=SLOW)
        cls.host.write("/etc/popper/users", "".join(
            "%s:%s:%d:%d::/home/%s\n" % row for row in (
                ("alice", "{PLAIN}" + PASSWORD, 1001, 1001, "alice"),
                ("bob", "{PLAIN}" + PASSWORD, 1002, 1002, "bob"),
                ("sloth", "{CRYPT}" + SLOW, 1003, 1003, "sloth"))), 0o600)
        cls.namespace = os.readlink("/proc/%d/ns/pid" % cls.host.pid)

    def setUp(self):
        self.mail = nasty.mbox(nasty.NASTY[:3])
        self.host.spool("alice", self.mail)
        self.log = self.host.syslog
        self.mark = self.log.mark()

    def without_sloth(self):
        """An unknown name is measured against a row: not against the slow one."""
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.host.write("/etc/popper/users", b"".join(
            row for row in users.splitlines(True)
            if not row.startswith(b"sloth")), 0o600)

    def configure(self, *rows, **options):
        self.host.write("/etc/popper/popper.conf", conf(
            **{**OPTIONS, **options}) + "".join(r + "\n" for r in rows))

    def serve(self, *rows, **options):
        """In place of the last one, whose roles may still be ending."""
        if self.server:
            self.server.stop()
        self.only_server()
        self.configure(*rows, **options)
        self.server = self.SERVER(self.host)
        self.addCleanup(self.server.stop)

    def serve_alone(self, **options):
        """isolation = single, as alice; on port 1110, with ~/mbox."""
        own = "/home/alice/pop"
        self.host.mkdir(own, 0o755, "alice")
        self.host.write(own + "/users", "alice:{PLAIN}%s:1001:1001::"
                        "/home/alice\n" % PASSWORD, 0o600, "alice")
        self.host.write(own + "/conf", conf(**{
            **OPTIONS, "isolation": "single", "listen": "127.0.0.1:1110",
            "maildrop": "~/mbox", "passwd_file": "users", "state_dir": "state",
            "run_dir": "run", "deny_file": "none", **options}), 0o644, "alice")
        server = self.host.popen(["/usr/sbin/popper", "serve", "--config",
                                  own + "/conf"], user="alice")
        self.addCleanup(server.stop)
        self.host.wait_port(1110)

    def lines(self, *want):
        """These lines come, in this order, and no other one of their kind."""
        self.log.wait(want[-1] if want else ".", self.mark)
        self.server.stop()              # then nobody logs any more
        self.log.settle()
        got = [s for s in self.log.lines[self.mark:] if ATTEMPT.search(s)]
        self.assertEqual(len(got), len(want), got)
        for line, pattern in zip(got, want):
            self.assertRegex(line, r"(?:^|: )%s" % pattern)
            self.assertRegex(line, r" sid=\S+ .*\bip=127\.0\.0\.1\b")

    # -- clients ----------------------------------------------------------

    def connect(self, **kw):
        pop = Pop(self.host.connect(110, **kw))
        self.addCleanup(pop.close)
        return pop

    def login(self, user="alice"):
        pop = self.connect()
        pop.login(user, PASSWORD)
        return pop

    def asked_about(self, user="sloth"):
        """A stranger, as soon as his password is sent."""
        pop = self.connect()
        pop.cmd("USER", user)
        pop.send(b"PASS x\r\n")
        return pop

    def ask(self, user="sloth"):
        """A stranger whose worker thinks."""
        pop = self.asked_about(user)
        self.wait_for(self.worker_there, "a worker")
        return pop

    def worker_there(self):
        return len(self.children()) == 2

    def ended(self, pop, seconds=120):
        """The connection has a clean end; what came before it."""
        pop.sock.settimeout(seconds)
        rest = bytes(pop.buf)
        while True:
            data = pop.sock.recv(1 << 20)
            if not data:
                pop.close()
                return rest
            rest += data

    def next_login(self):
        """The maildrop is free, and whole."""
        with Pop(self.host.connect(110)) as pop:
            self.assertEqual(pop.login("alice", PASSWORD)[0], 3)
            pop.quit()

    def unchanged(self):
        self.assertEqual(self.host.spool("alice"), self.mail)
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))

    # -- processes --------------------------------------------------------

    def heard(self, pop):
        """Until popper has read all that this client has said, and has done what it
        can do then: for QUIT that shows nowhere."""
        port = ":%04X" % pop.sock.getsockname()[1]

        def unread():
            with open("/proc/%d/net/tcp" % self.host.pid,
                      encoding="ascii") as f:
                return [w for w in map(str.split, f) if w[2].endswith(port)
                        and not w[4].endswith(":00000000")]
        self.wait_for(lambda: not unread(), "reader")
        self.at_rest()

    def at_rest(self, most=8):
        """Until all wait for something, but for workers, who think.  Whoever has
        something to do is seen as running, though others have the processors."""
        looks = 0

        def enough():
            nonlocal looks
            looks += 1
            for m in self.members():
                if m.status["State"][0] not in "ST" \
                        and m.status["Name"] != ["popper-worker"]:
                    looks = 0
            return looks == most
        self.wait_for(enough, "rest")

    def steady(self, value):
        """It, as soon as it stays the same."""
        last, looks = value(), 0

        def enough():
            nonlocal last, looks
            before, last = last, value()
            looks = looks + 1 if last == before else 0
            return looks == 8
        self.wait_for(enough, "value that stays the same")
        return last

    def wait_for(self, condition, what, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail("no " + what)
            time.sleep(0.01)

    def members(self):
        """All processes of popper in the host."""
        out = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(
                        "/proc/%s/ns/pid" % name) == self.namespace:
                    m = Member(int(name))
                    if m.status["Name"][0].split("-")[0] == "popper" \
                            and m.status["State"][0] != "Z":
                        out.append(m)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass            # gone, or none of ours
        return out

    def monitor(self):
        """The only one: the child of the server."""
        server = self.server.process.inner()

        def found():
            return [m for m in self.members() if m.parent == server]

        # A connection before this one may still be on its way out.
        self.wait_for(lambda: len(found()) == 1, "single connection")
        return found()[0]

    def children(self):
        """Of the only monitor, oldest first."""
        monitor = self.monitor().pid
        return sorted((m for m in self.members() if m.parent == monitor),
                      key=lambda m: m.pid)

    def only_server(self, seconds=120):
        """No orphan is left."""
        self.wait_for(lambda: not self.members(), "end of all processes",
                      seconds)
