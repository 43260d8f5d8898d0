# SPDX-License-Identifier: ISC
"""popper ctl trace: the dialogue of those whom it names, as it goes on; no
password, no mail; bounded in everything, and nobody waits for who reads it."""

import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "serve")]

import house                                                    # noqa: E402
from lib.popper import PopError                                 # noqa: E402

PASSWORD = house.family.PASSWORD
VMAIL = 5000
BODY = b"There is a secret in this message."
MAIL = b"".join(b"From x@example.org Mon Jan  1 00:00:%02d 2024\nSubject: %d\n\n"
                % (i, i) + BODY + b"\n\n" for i in range(3))


class Tracer:
    """popper ctl trace, and what it has printed."""

    def __init__(self, test, *words, reads=True, user=None):
        self.test = test
        self.out = bytearray()
        self.process = test.host.popen(
            ["/usr/sbin/popper", "ctl", "trace", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=user)
        test.addCleanup(self.kill)
        if reads:
            self.read()

    def read(self):
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.out += data

    def inner(self):
        return self.process.inner()

    def kill(self):
        if self.process.poll() is None:
            # nsenter stands still with its child.
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.stop(signal.SIGKILL)
        for f in (self.process.stdout, self.process.stderr):
            f.close()

    def ends(self, seconds=120):
        """Its exit status, when all was read."""
        code = self.process.wait(seconds)
        self.thread.join(seconds)
        return code

    def text(self):
        """All whole lines."""
        return bytes(self.out[:self.out.rfind(b"\n") + 1]).decode()

    def lines(self):
        return self.text().splitlines()

    def wait(self, pattern, seconds=120):
        self.test.wait_for(lambda: re.search(pattern, self.text()),
                           "%s in %s" % (pattern, self.text()), seconds)


class Trace(house.House):
    def setUp(self):
        super().setUp()
        self.host.spool("alice", MAIL)
        self.host.spool("bob", MAIL)

    def begins(self):
        """The log tells when it is on."""
        self.log.wait("trace-begin ", self.mark, count=self.traces + 1)
        self.traces += 1

    traces = 0

    def trace(self, *words, **kw):
        t = Tracer(self, *words, **kw)
        self.begins()
        return t

    def reason(self, reason):
        return self.log.wait("trace-end .*reason=%s" % reason, self.mark)

    def refused(self, *words, user=None, code=75):
        r = self.host.run(["/usr/sbin/popper", "ctl", "trace", *words], user=user)
        self.assertEqual((r.returncode, r.stdout), (code, b""), r.stderr)
        return r.stderr.decode()

    def guess(self, user, password):
        pop = self.connect()
        with self.assertRaises(PopError):
            pop.login(user, password)
        pop.close()


def said(lines, who="CS"):
    """[(C or S, line)]; of counts (C or S, (lines, octets))."""
    out = []
    for row in map(json.loads, lines):
        if row["from"] in who:
            out.append((row["from"], row["line"] if "line" in row else
                        (row["lines"], row["octets"])))
    return out


class Whom(Trace):
    def test_stranger(self):
        """By the name that he types; his password is not there."""
        self.without_sloth()
        self.serve()
        t = self.trace("--json", "mallory")
        self.guess("bob", "not-this-one")
        self.guess("mallory", "sesame-open")
        t.wait(r"\[AUTH\]")
        rows = [json.loads(x) for x in t.lines()]
        self.assertEqual({(r["user"], r["ip"]) for r in rows},
                         {("mallory", "127.0.0.1")})
        self.assertEqual(len({r["sid"] for r in rows}), 1)
        self.assertRegex(rows[0]["time"], r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$")
        self.assertEqual(said(t.lines())[:3], [
            ("C", "USER mallory"), ("S", "+OK Password required."),
            ("C", "PASS ***")])
        self.log.wait("login-failed sid=%s user=mallory" % rows[0]["sid"],
                      self.mark)
        self.nowhere(t, "sesame-open", "not-this-one")

    def nowhere(self, t, *secrets):
        for s in secrets:
            self.assertNotIn(s, t.text())
            self.assertEqual(self.log.find(re.escape(s), self.mark), [])

    def test_login(self):
        """From the greeting to the end, in both processes."""
        self.serve()
        t = self.trace("--json", "@127.0.0.1")
        pop = self.login()
        pop.cmd("STAT")
        pop.cmd("RETR", "2")
        retrieved = pop.body()
        pop.cmd("UIDL")
        pop.body()
        pop.dele(1)
        pop.quit()
        t.wait("signing off")
        got = said(t.lines())
        self.assertEqual([x for who, x in got if who == "C"], [
            "USER alice", "PASS ***", "STAT", "RETR 2", "UIDL", "DELE 1",
            "QUIT"])
        self.assertTrue(got[0][1].startswith("+OK popper"), got)
        self.assertEqual(got[got.index(("C", "RETR 2")) + 2],
                         ("S", (retrieved.count(b"\n") + 1,
                                len(retrieved) + 3)))
        self.assertEqual(got[got.index(("C", "UIDL")) + 2][1][0], 4)
        self.assertEqual(len({json.loads(x)["sid"] for x in t.lines()}), 1)
        self.assertNotIn("secret", t.text())
        self.assertNotIn("Subject", t.text())
        self.nowhere(t, PASSWORD)

    def test_runs_already(self):
        """A session and a stranger who were there before; by name, id, address
        and network."""
        self.serve()
        pop, other, stranger = self.login(), self.login("bob"), self.connect()
        stranger.cmd("USER", "alice")
        r = self.host.run(["/usr/sbin/popper", "ctl", "--json", "who", "alice"])
        sid = json.loads(r.stdout)["sid"]
        for words, users, sids in (
                ("alice", {"alice"}, 2), (sid, {"alice"}, 1),
                ("@127.0.0.1", {"alice", "bob"}, 3),
                ("@127.0.0.0/8", {"alice", "bob"}, 3),
                ("bob@127.0.0.1", {"bob"}, 1)):
            t = self.trace("--json", words)
            for p in (pop, other):
                p.cmd("NOOP")
            stranger.send(b"PASS\r\n")
            stranger.status()
            stranger.cmd("USER", "alice")
            self.wait_for(lambda: len({json.loads(x)["sid"] for x in t.lines()})
                          == sids, "all of them")
            self.assertEqual({json.loads(x)["user"] for x in t.lines()}, users)
            t.process.send_signal(signal.SIGINT)
            self.assertEqual(t.ends(), 0)
        t = self.trace("--json", "@192.0.2.0/24")
        pop.cmd("NOOP")
        t.process.send_signal(signal.SIGINT)
        t.ends()
        self.assertEqual(t.lines(), [])

    def test_odd_names(self):
        """What is typed as a name is escaped; what may be a password is not
        shown."""
        self.without_sloth()
        self.serve(max_bad_commands=50, auth_tries=3)
        t = self.trace("@127.0.0.1")
        pop = self.connect()
        for line in (b"USER a\xff\x1b[2J\"", b"PAS hush1", b"hush2",
                     b"USER bob hush3", b"AUTH PLAIN aHVzaDQ=", b"APOP bob hush5",
                     b"\xffPASS hush6", b"PASS\x01hush7", b"PASS hush8 hush9",
                     b"A" * 3000, b"user b", b"pass hushA"):
            pop.send(line + b"\r\n")
            try:
                pop.status()
            except PopError:
                pass
        t.wait(r"user b\"(?s:.*)\[AUTH\]")
        # The worker's own line may come behind what the front says.
        t.wait(r'user="?b"? ')
        self.assertNotIn("hush", t.text())
        self.assertNotIn("aHVza", t.text())
        self.assertNotIn("\x1b", t.text())
        self.assertTrue(t.text().isascii())

    def test_xmit(self):
        """A message that is sent to us is counted, and not shown."""
        self.host.write("/usr/local/bin/send", "#!/bin/sh\nexec cat > /dev/null\n",
                        0o755)
        self.serve(xmit_command="/usr/local/bin/send",
                   xmit_sender="%u@example.org")
        t = self.trace("--json", "alice")
        pop = self.login()
        pop.cmd("XTND", "XMIT")
        mail = b"To: x@example.org\r\n\r\nhush\r\n.\r\n"
        pop.send(mail)
        pop.reply()
        pop.quit()
        t.wait("signing off")
        got = said(t.lines())
        at = got.index(("C", "XTND XMIT"))
        self.assertEqual(got[at + 2], ("C", (mail.count(b"\n"), len(mail))))
        self.assertEqual(got[at + 3][0], "S")
        self.assertNotIn("hush", t.text())

    def test_shared(self):
        """Many sessions in one process: the one that is meant, and to its end
        in a process of its own."""
        self.host.add_user("vmail", VMAIL)
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.host.write("/etc/popper/users", users.decode() + "".join(
            "v%d:{PLAIN}%s::::/home/v%d\n" % (i, PASSWORD, i)
            for i in range(3)), 0o600)
        for i in range(3):
            self.host.write("/var/mail/v%d" % i, MAIL, 0o660, "vmail", "mail")
        self.serve(virtual_user="vmail", sessions_per_process=100, timeout=600)
        pops = [self.login("v%d" % i) for i in range(3)]
        self.assertEqual(len(self.named("popper-shared")), 1)
        t = self.trace("--json", "v1")
        for pop in pops:
            pop.cmd("RETR", "1")
            pop.body()
        pops[1].dele(1)
        pops[1].quit()
        pops[0].quit()
        t.wait("signing off")
        got = said(t.lines())
        self.assertEqual([x for who, x in got if who == "C"],
                         ["RETR 1", "DELE 1", "QUIT"])
        self.assertEqual({json.loads(x)["user"] for x in t.lines()}, {"v1"})
        self.assertNotIn("secret", t.text())

    def test_refused_at_the_door(self):
        self.serve(max_sessions_per_address=1)
        pop = self.connect()
        t = self.trace("--json", "@127.0.0.1")

        def told():
            with self.connect() as refused:
                self.assertIn(b"Too many", refused.greeting)
            return "Too many connections" in t.text()

        # A front does not wait long for the way to the trace, and loses a line.
        self.wait_for(told, "refusal in the trace")
        pop.close()


class Bounds(Trace):
    def test_time(self):
        self.serve()
        t = self.trace("--for", "1", "alice")
        self.assertEqual(t.ends(), 0)
        self.reason("time lines=0 octets=0 lost=0")

    def test_time_of_one_who_stands_still(self):
        """Nor does he keep others from one of theirs."""
        self.serve()
        t = self.trace("--for", "1", "alice")
        os.kill(t.inner(), signal.SIGSTOP)
        self.reason("time$")
        self.trace("alice")

    def test_size(self):
        self.serve()
        t = self.trace("--size", "2000", "alice")
        pop = self.login()
        for _ in range(40):
            pop.cmd("NOOP")
        self.assertEqual(t.ends(), 0)
        self.assertLessEqual(len(t.out), 2000)
        self.assertGreater(len(t.out), 1500)
        self.assertTrue(t.out.endswith(b"\n"))
        self.reason(r"size lines=%d octets=%d " % (len(t.lines()), len(t.out)))
        pop.quit()

    def test_one_at_a_time(self):
        self.serve()
        t = self.trace("alice")
        self.assertIn("there is a trace", self.refused("bob"))
        t.process.send_signal(signal.SIGINT)
        self.assertEqual(t.ends(), 0)
        self.reason("stopped ")
        self.trace("bob")

    def test_hangup(self):
        """Killed, or what it writes to is gone."""
        self.serve()
        t = self.trace("alice")
        os.kill(t.inner(), signal.SIGKILL)
        self.reason("gone")
        self.login().quit()
        t = self.trace("alice", reads=False)
        t.process.stdout.close()
        self.login().quit()
        self.reason("output ")
        self.assertEqual(self.log.find("role-", self.mark), [])

    def test_who_does_not_read(self):
        """Clients do not notice; what was lost is counted."""
        self.serve(timeout=600)
        t = self.trace("--for", "600", "--json", "alice", reads=False)
        # Small, so that it stands soon.
        fcntl.fcntl(t.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        pop = self.login()
        n = 5000
        for _ in range(n // 100):
            pop.send(b"NOOP\r\n" * 100)
            for _ in range(100):
                self.assertEqual(pop.status()[:3], b"+OK")
        t.read()
        # The first lines behind the gap say how large that was.
        self.wait_for(lambda: pop.cmd("NOOP") is not None and
                      '"lost"' in t.text(), "a count of what was lost")
        pop.quit()
        t.wait("signing off")
        t.process.send_signal(signal.SIGINT)
        self.assertEqual(t.ends(), 0)
        rows = [json.loads(x) for x in t.lines()]
        lost = sum(r.get("lost", 0) for r in rows)
        self.assertGreater(lost, n)
        self.assertGreaterEqual(len(rows) + lost, 2 * n)
        self.reason(r"stopped lines=%d .*lost=%d" % (len(rows), lost))

    def test_who_may(self):
        """Root alone: members of the group look at less."""
        self.host.add_group("popper", 700, ["bob"])
        self.serve()
        self.assertIn("not for this user", self.refused(
            "alice", user="bob", code=77))
        self.refused("alice", user="alice", code=77)
        self.assertEqual(self.log.find("trace-begin", self.mark), [])
        st = self.host.call(os.stat, "/run/popper/trace")
        self.assertEqual((st.st_mode & 0o777, st.st_uid, st.st_gid),
                         (0o600, 0, 0))

    def test_arguments(self):
        self.serve()
        for words in ((), ("--for", "0", "alice"), ("--for", "3601", "alice"),
                      ("--for", "x", "alice"), ("--size", "x", "alice"),
                      ("--size", "9999999999", "alice"), ("@nowhere",),
                      ("@10.0.0.1/8",), ("@10.0.0.0/33",), ("alice", "bob")):
            self.refused(*words, code=64)

    def test_log(self):
        self.serve()
        t = self.trace("--for", "77", "alice@192.0.2.1")
        line = self.log.find("trace-begin", self.mark)[0]
        self.assertRegex(line, "whom=alice@192.0.2.1 s=77 by_uid=0 by_pid=%d"
                         % self.inside(t))

    def inside(self, t):
        with open("/proc/%d/status" % t.inner(), encoding="ascii") as f:
            return int(re.search(r"NSpid:.*\s(\d+)", f.read())[1])

    def test_has_no_rights(self):
        """Who reads what strangers say is nobody, in a cage."""
        self.serve()
        t = self.trace("alice")

        def rights():
            m = house.family.Member(t.inner())
            return m.uid, m.status["Seccomp"], m.status["CapEff"]

        # The server has told the log before it steps down.
        self.wait_for(lambda: rights() == (990, ["2"], ["0" * 16]),
                      "a cage around who reads")


class Nonsense(Trace):
    """Of a process that was taken over, and of one that asks for a trace."""

    MARK = 0x504c               # of a message (sys/link.c)

    def open(self, name):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(s.close)
        s.settimeout(60)
        s.connect("/proc/%d/root/run/popper/%s" % (self.host.pid, name))
        return s

    @staticmethod
    def types():
        with open(os.path.join(os.path.dirname(TESTS), "src/role/permit.h"),
                  encoding="ascii") as f:
            names = re.findall(r"^\t(MSG_\w+)", f.read(), re.M)
        return {name: i for i, name in enumerate(names, 1)}

    def message(self, kind, body, length=None):
        return struct.pack("!HHI", self.MARK, kind,
                           len(body) if length is None else length) + body

    def mad(self):
        """Every type, with bodies of many sizes, and what is no message."""
        line = self.types()["MSG_TRACE_LINE"]
        for kind in range(len(self.types()) + 3):
            for size in (0, 1, 25, 80, 640) if kind != line else range(0, 700, 7):
                yield self.message(kind, bytes(size))
                yield self.message(kind, os.urandom(size))
        yield self.message(line, b"x" * 60, 61)
        yield b"x"
        yield b"\xff" * 9000

    def test_lines(self):
        """Its connection is closed; the others go on."""
        self.serve()
        t = self.trace("--json", "alice")
        pop = self.login()
        pop.cmd("NOOP")
        for data in self.mad():
            s = self.open("trace")
            s.send(data)
            try:
                self.assertEqual(s.recv(1), b"")
            except ConnectionResetError:
                pass
            s.close()
        s = self.open("trace")
        with open(os.devnull, "rb") as f:
            socket.send_fds(s, [self.message(1, b"")], [f.fileno()])
        self.assertEqual(s.recv(1), b"")
        pop.quit()
        t.wait("signing off")
        self.assertEqual(len(said(t.lines(), "C")), 4)

    def test_many_senders(self):
        """More than it takes do not keep out who was there before."""
        self.serve()
        t = self.trace("--json", "alice")
        pop = self.login()
        pop.cmd("NOOP")
        t.wait("NOOP")
        many = []
        for _ in range(230):
            self.wait_for(lambda: self.came_in(many), "room")
        pop.cmd("STAT")
        t.wait("STAT")
        for s in many:
            s.close()
        self.login("bob").quit()
        pop.quit()
        t.wait("signing off")

    def came_in(self, many):
        try:
            many.append(self.open("trace"))
        except BlockingIOError:
            return False        # its queue is full for a moment
        return True

    def test_lies(self):
        """What looks like a line is shown, escaped."""
        self.serve()
        t = self.trace("--size", "5000", "alice")
        s = self.open("trace")
        evil = b"\x1b[2J\n\"" * 20
        body = struct.pack("!BQQB", 1, 2 ** 64 - 1, 2 ** 64 - 1, 4) + \
            struct.pack("!I", 4) + b"\xff" * 4 + struct.pack("!I", 65535) + \
            struct.pack("!I", len(evil)) + evil + \
            struct.pack("!I", len(evil)) + evil + b"\xff" * 24
        s.send(self.message(self.types()["MSG_TRACE_LINE"], body))
        t.wait("lost=18446744073709551615")
        self.assertEqual(len(t.lines()), 1)
        self.assertTrue(t.text().isprintable() or
                        t.text()[:-1].isprintable())

    def test_who_asks(self):
        """Whatever follows the request ends the trace, and nothing else."""
        self.serve()
        types = self.types()
        ask = self.message(types["MSG_CTL_TRACE"], struct.pack("!IQ", 60, 0) +
                           struct.pack("!I", 5) + b"alice" + b"\0" +
                           b"\0" + struct.pack("!II", 0, 0))
        ends = 0
        for kind in range(len(types) + 3):
            for body in (b"", bytes(25), b"\xff" * 25, bytes(26)):
                s = self.open("ctl")
                s.send(ask)
                data, fds, _, _ = socket.recv_fds(s, 4096, 4)
                for fd in fds:
                    os.close(fd)
                self.assertEqual((data, len(fds)), (self.message(
                    types["MSG_CTL_TRACER"], b""), 1))
                s.send(self.message(kind, body))
                self.assertEqual(s.recv(1), b"")
                s.close()
                ends += 1
        self.log.wait("trace-end ", self.mark, count=ends)
        self.assertEqual(self.log.find("role-", self.mark), [])
        for bad in (bytes(4), struct.pack("!I", 3601), b"\xff" * 4):
            s = self.open("ctl")
            s.send(ask[:8] + bad + ask[12:])
            self.assertEqual(s.recv(4096)[2:4],
                             struct.pack("!H", types["MSG_CTL_DONE"]))
        self.assertEqual(len(self.log.find("trace-begin ", self.mark)), ends)


class Ends(Trace):
    """Whatever becomes of the server's processes, no trace stays on."""

    def works(self):
        """Another one can be had, and shows a login whole."""
        t = self.trace("--json", "alice")
        with self.connect() as pop:
            pop.login("alice", PASSWORD)
            pop.quit()
        t.wait("signing off")
        self.assertEqual([x for _, x in said(t.lines(), "C")],
                         ["USER alice", "PASS ***", "QUIT"])
        self.assertFalse([x for x in t.lines() if "lost" in x])
        t.process.send_signal(signal.SIGINT)
        self.assertEqual(t.ends(), 0)

    def test_front_and_spawner(self):
        """Those who follow them are traced."""
        self.serve()
        t = self.trace("--json", "alice")
        before = {m.pid for m in self.named("popper-front") +
                  self.named("popper-spawner")}
        pop = self.login()
        for m in self.named("popper-front") + self.named("popper-spawner"):
            m.kill()
        self.log.wait("role-died", self.mark, count=3)
        self.wait_for(lambda: self.count() == house.ROLES and not before & {
            m.pid for m in self.members()}, "new ones")
        pop.cmd("NOOP")
        with self.connect() as other:
            other.cmd("USER", "alice")
        t.wait("(?s)NOOP.*USER alice")
        t.process.send_signal(signal.SIGINT)
        t.ends()
        pop.quit()
        self.works()

    def test_ctl(self):
        self.serve()
        t = self.trace("alice")
        self.named("popper-ctl")[0].kill()
        self.assertEqual(t.ends(), 75)
        self.reason("server")
        self.works()

    def test_reload(self):
        self.serve()
        t = self.trace("alice")
        pop = self.login()
        r = self.host.run(["/usr/sbin/popper", "ctl", "reload"])
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(t.ends(), 75)
        self.reason("server")
        self.log.wait("reloaded", self.mark)
        self.wait_for(lambda: len(self.named("popper-ctl")) == 1, "one ctl")
        self.assertEqual(len(self.log.find("trace-end", self.mark)), 1)
        self.works_beside(pop)
        self.assertEqual(self.log.find("role-", self.mark), [])

    def works_beside(self, pop):
        t = self.trace("bob")
        pop.cmd("NOOP")
        self.login("bob").quit()
        t.wait("signing off")
        self.assertNotIn("alice", t.text())
        t.process.send_signal(signal.SIGINT)
        t.ends()

    def test_stop(self):
        self.serve()
        t = self.trace("alice")
        self.host.run(["/usr/sbin/popper", "ctl", "stop"])
        self.assertEqual(t.ends(), 75)
        self.reason("server")
        self.only_server()


if __name__ == "__main__":
    unittest.main()
