# SPDX-License-Identifier: ISC
"""What each process holds while it runs: descriptors, ids, cage; and that a
password stays in none but the front."""

import os
import re
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib.flavour import SANITIZED                               # noqa: E402
from lib.host import REPORT, crypt                              # noqa: E402
from lib.popper import PopError                                 # noqa: E402

CANARY = "Kanarienvogel-77-" + "q" * 5
FRONT, ALICE = 990, 1001

STANDARD = ["/dev/null", "/dev/null", REPORT if SANITIZED else "/dev/null"]
# What may be behind a descriptor from 3 on, and how many of them.
SOCKET = r"socket:\[\d+\]"
HOLDS = {
    # the client, the monitor's links, the log; the front: to the worker, too
    "front": {SOCKET: 5},
    "session": {SOCKET: 4,
                r"/run/popper/lock/[0-9a-f-]+alice": 1,
                r"/home/alice": 1,
                r"/var/mail/alice": 1,
                r"/var/mail/#\d+ \(deleted\)|/memfd:popper \(deleted\)": 1},
    # its record, its verdict, the log and the log's link
    "worker": {SOCKET: 4},
    # the log; a question to a name server
    "resolver": {SOCKET: 2},
}


NO_CORE = (b"0", b"0")


def core_limit(member):
    return re.search(rb"Max core file size +(\S+) +(\S+)",
                     member.read("limits")).groups()


class Rights(family.Family):
    def holds(self, member, role):
        fds = member.fds()
        for fd in range(3):
            self.assertEqual(fds.pop(fd), STANDARD[fd], role)
        rows = {row: 0 for row in HOLDS[role]}
        for what in fds.values():
            found = [row for row in rows if re.fullmatch(row, what)]
            self.assertEqual(len(found), 1, "%s holds %s" % (role, what))
            rows[found[0]] += 1
        for row, n in rows.items():
            self.assertLessEqual(n, HOLDS[role][row], (role, row, fds))
        return rows

    def ids(self, member, uid, gid, groups=()):
        self.assertEqual(member.status["Uid"], [str(uid)] * 4)
        self.assertEqual(member.status["Gid"], [str(gid)] * 4)
        self.assertEqual(member.status["Groups"], [str(g) for g in groups])
        for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(member.status[key][0], 16), 0, key)

    def caged(self, member):
        self.assertEqual(member.status["Seccomp"], ["2"])
        self.assertEqual(member.status["NoNewPrivs"], ["1"])
        self.secret(member)

    def secret(self, member):
        """No core file, nothing to see for others of its uid."""
        self.assertEqual(os.stat("/proc/%d/environ" % member.pid).st_uid, 0)
        self.assertEqual(core_limit(member), NO_CORE)

    def empty_root(self, member):
        self.assertEqual(os.listdir("/proc/%d/root" % member.pid), [])

    def roles(self, auth):
        """Of a stranger who waits for his worker: (front, worker)."""
        self.serve(auth=auth)
        self.ask()
        # It has just been forked: give it the time to shed what it inherited, to
        # read PAM's files, and to shut its cage, where it has one.
        most = sum(HOLDS["worker"].values())
        cage = {"file": "2", "pam": "0"}[auth]

        def ready():
            worker = self.children()[1]
            held = [what for fd, what in worker.fds().items() if fd > 2]
            return len(held) <= most \
                and all(re.fullmatch(SOCKET, what) for what in held) \
                and core_limit(worker) == NO_CORE \
                and worker.status["Seccomp"] == [cage]
        self.wait_for(ready, "worker as it is when it works")
        return self.children()

    # -- each role --------------------------------------------------------

    def test_front_and_worker_of_a_password_file(self):
        front, worker = self.roles("file")
        self.assertEqual(self.holds(front, "front"), HOLDS["front"])
        self.assertEqual(self.holds(worker, "worker"), HOLDS["worker"])
        for member in (front, worker):
            self.ids(member, FRONT, FRONT)
            self.caged(member)
            self.empty_root(member)
        limits = front.read("limits")
        self.assertRegex(limits, b"Max open files +64 +64 ")
        if not SANITIZED:       # they fork
            self.assertRegex(limits, b"Max processes +0 +0 ")

    def test_worker_of_pam(self):
        worker = self.roles("pam")[1]
        self.assertEqual(worker.uid, 0)
        self.holds(worker, "worker")
        self.secret(worker)

    def test_session(self):
        self.host.add_group("crew", 2001, ["alice"])
        self.host.add_group("disk", 6, ["alice"])
        self.serve(auth="pam")
        pop = self.login()
        session, = self.children()
        self.ids(session, ALICE, ALICE, [2001])         # never disk
        self.caged(session)
        rows = self.holds(session, "session")
        self.assertEqual(rows[SOCKET], 4)
        self.assertEqual(rows[r"/run/popper/lock/[0-9a-f-]+alice"], 1)
        pop.retr(1)
        self.holds(self.children()[0], "session")
        pop.quit()
        self.only_server()

    def test_many_logins_in_one_connection_leak_nothing(self):
        self.serve(auth_tries=6, auth_fail_delay=0)
        pop = self.connect()
        monitor = self.monitor()
        before = None
        for _ in range(4):
            with self.assertRaises(PopError):
                pop.login("alice", "wrong")
            after = self.steady(lambda: len(monitor.fds()))
            before = before or after
            self.assertEqual(after, before)
        pop.login("alice", family.PASSWORD)
        # The client, two links, log; maildrop's folder and session lock.
        self.assertLessEqual(self.steady(lambda: len(monitor.fds())),
                             3 + 1 + 2 + 1 + 2)
        self.secret(monitor)

    def test_resolver(self):
        silent = self.host.in_network(self.silent_server)
        self.addCleanup(silent.close)
        self.serve(peer_check="yes", peer_check_timeout=60,
                   name_servers="127.0.0.1:5300")

        def make():
            return socket.create_connection(
                ("127.0.0.1", 110), 120, ("127.0.0.9", 0))
        sock = self.host.in_network(make)
        self.addCleanup(sock.close)
        question, asker = silent.recvfrom(512)
        self.wait_for(lambda: "2" in self.children()[0].status["Seccomp"],
                      "cage of the resolver")
        resolver = self.children()[0]
        self.holds(resolver, "resolver")
        self.ids(resolver, FRONT, FRONT)
        self.caged(resolver)
        self.empty_root(resolver)
        silent.sendto(question[:2] + b"\x80\x03" + question[4:], asker)
        self.wait_for(lambda: len(self.children()) == 1, "end of it")

    @staticmethod
    def silent_server():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(120)
        s.bind(("127.0.0.1", 5300))
        return s

    # -- passwords --------------------------------------------------------

    def holds_canary(self, member):
        self.assertNotIn(CANARY.encode(), member.read("environ"))
        self.assertNotIn(CANARY.encode(), member.read("cmdline"))
        return CANARY.encode() in member.memory()

    def test_canary(self):
        self.host.account("alice").hashed = crypt(CANARY)
        self.addCleanup(setattr, self.host.account("alice"), "hashed",
                        crypt(family.PASSWORD))
        self.host.add_group("crew2", 2002)              # writes shadow
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.host.write("/etc/popper/users", "alice:%s:1001:1001::"
                        "/home/alice\n" % crypt(CANARY), 0o600)
        self.host.mkdir("/var/log/popper", 0o700)
        for auth in ("pam", "file"):
            with self.subTest(auth=auth):
                self.serve(auth=auth, debug="yes", statistics="yes",
                           trace_file="/var/log/popper/trace", auth_tries=3)
                pop = self.connect()
                for words in ((b"USER alice", b"PASS x" + CANARY.encode()),
                              (b"PASS " + CANARY.encode(),),
                              (b"APOP alice " + CANARY.encode(),),
                              (CANARY.encode(),),
                              (b"USER alice",)):
                    for word in words:
                        pop.send(word + b"\r\n")
                        pop.line()
                monitor = self.monitor()
                self.assertFalse(self.holds_canary(monitor))
                pop.cmd("PASS", CANARY)
                session, = self.children()
                self.assertEqual(session.uid, ALICE)
                self.assertFalse(self.holds_canary(session))
                self.assertFalse(self.holds_canary(monitor))
                self.assertIn(b"Subject", session.memory() + b"Subject")
                pop.cmd("NOOP")
                pop.quit()
                self.only_server()
                self.server.stop()
        self.assertNotIn(CANARY, "\n".join(self.log.lines))
        trace = self.host.read("/var/log/popper/trace")
        self.assertIn(b"PASS", trace)
        self.assertNotIn(CANARY.encode(), trace)

    def test_the_search_finds_what_is_there(self):
        """While the front waits for a worker, it may hold the password; and
        the search must be able to find one."""
        self.serve()
        pop = self.connect()
        pop.cmd("USER", "alice")
        pop.send(b"PASS " + CANARY.encode())            # no end of the line
        self.wait_for(lambda: self.holds_canary(self.children()[0]),
                      "canary in the front")
        self.assertFalse(self.holds_canary(self.monitor()))


if __name__ == "__main__":
    unittest.main()
