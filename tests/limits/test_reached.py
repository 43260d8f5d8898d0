# SPDX-License-Identifier: ISC
"""Limits of popper serve: who reaches one is told so, with a response code; the
log says it in one line; everybody else goes on as if nothing were; and below the
limit nobody is refused.
"""

import os
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "serve"))

import house                                                    # noqa: E402
from lib import nasty                                           # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402
from lib.stall import quick_enough                              # noqa: E402

ELSEWHERE = "127.9.9.9"         # the address of a good client
PASSWORD = house.family.PASSWORD
SLACK = 20                      # seconds that a busy machine may add


class Reached(house.House):
    """One front, so that there is one line for each limit."""

    PORT = 110

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("sam", 1004, password=PASSWORD)
        cls.host.write("/etc/popper/users", "".join(
            "%s:{PLAIN}%s:%d:%d::/home/%s\n" % (name, PASSWORD, uid, uid, name)
            for name, uid in (("alice", 1001), ("bob", 1002), ("sam", 1004))),
            0o600)

    def serve(self, *rows, **options):
        # Not House.serve: limits are as they are by default.
        house.family.Family.serve(self, *rows, **{"fronts": 1, **options})
        self.wait_for(lambda: self.count() == {**house.ROLES,
                      "popper-front": 1}, "all roles")
        self.begin_log()

    def begin_log(self):
        """What an earlier server said is in the log before this one's word."""
        self.born = time.monotonic()
        self.log.wait("listening", self.mark)
        self.mark = self.log.mark()

    def age(self):
        """Seconds since the server began, or a little less."""
        return time.monotonic() - self.born

    def raw(self, address="127.0.0.1"):
        """A connection from there, of which nothing was read."""
        sock = self.host.in_network(socket.create_connection,
                                    ("127.0.0.1", self.PORT), 30,
                                    (address, 0))
        pop = Pop(sock, greet=False)
        self.addCleanup(pop.close)
        return pop

    def come(self, address="127.0.0.1"):
        """A connection from there, greeted; None: it was refused."""
        pop = self.raw(address)
        said = pop.line() + b"\r\n"
        if said.startswith(b"+OK"):
            return pop
        self.assertEqual(said, house.FULL)
        pop.at_end()
        return None

    def refused(self, user, text, address="127.0.0.1"):
        """A login that is told that, and then no more."""
        pop = self.come(address)
        with self.assertRaises(PopError) as caught:
            pop.login(user, PASSWORD)
        self.assertEqual(caught.exception.args[0], text)
        pop.at_end()

    def good(self, user="bob"):
        """Somebody elsewhere gets all that he asks for."""
        pop = self.come(ELSEWHERE)
        pop.login(user, PASSWORD)
        pop.cmd("NOOP")
        pop.quit()

    def one_line(self, limit, address="127.0.0.1"):
        """All of it is one line, with the address of one of them; but for the
        next ones, each ten seconds later."""
        lines = self.log.wait("limit-reached", self.mark)
        self.assertRegex(lines[0], r"limit-reached .*limit=%s ip=%s times=1$"
                         % (limit, address))
        self.assertLessEqual(len(lines), 1 + self.age() // 10, lines)

    def nobody(self):
        self.assertEqual(self.log.find("limit-reached", self.mark), [])


class Strangers(Reached):
    """What one may do before it has logged in."""

    def said(self, data, replies):
        """All that is said, in one piece; the answers but the last one."""
        pop = self.come()
        pop.send(data)
        out = self.ended(pop, 120).split(b"\r\n")
        self.assertEqual(len(out), replies + 1)
        self.assertEqual(out[-1], b"")
        return out[:-2], out[-2]

    def test_max_commands_before_login(self):
        self.serve(max_commands_before_login=8, max_bad_commands=7)
        pop = self.come()
        pop.send(b"x\r\n" * 6 + b"USER alice\r\nPASS %s\r\n"
                 % PASSWORD.encode())
        for _ in range(6):
            self.assertEqual(pop.line(), b"-ERR Unknown command.")
        self.assertEqual(pop.line(), b"+OK Password required.")
        self.assertTrue(pop.line().startswith(b"+OK "))
        for _ in range(20):             # of a stranger alone
            pop.cmd("NOOP")
        pop.quit()
        self.nobody()
        for n in (9, 9000, 1000000):    # a flood of good ones
            out, last = self.said(b"USER alice\r\n" * n, 9)
            self.assertEqual(set(out), {b"+OK Password required."})
            self.assertEqual(last, b"-ERR [SYS/TEMP] Too many commands before"
                                   b" login.")
            self.good()
        self.one_line("max_commands_before_login")

    def test_max_bad_commands(self):
        self.serve(max_bad_commands=7)
        pop = self.come()
        pop.send(b"x\r\n" * 6 + b"USER alice\r\n" + b"x\r\n" * 6
                 + b"CAPA\r\n" + b"QUIT\r\n")
        self.assertTrue(self.ended(pop).endswith(b"signing off.\r\n"))
        self.nobody()
        for _ in range(3):
            out, last = self.said(b"x\r\n" * 1000, 7)
            self.assertEqual(set(out), {b"-ERR Unknown command."})
            self.assertEqual(last, b"-ERR [SYS/TEMP] Too many bad commands.")
            self.good()
        self.one_line("max_bad_commands")

    def test_max_bad_commands_of_a_user(self):
        self.serve(max_bad_commands=7)
        pop = self.login("alice")
        pop.dele(1)
        pop.send(b"x\r\n" * 6 + b"NOOP\r\n" + b"x\r\n" * 6000)
        out = self.ended(pop).split(b"\r\n")
        self.assertEqual(len(out), 6 + 1 + 7 + 1)
        self.assertEqual(out[-2], b"-ERR [SYS/TEMP] Too many bad commands.")
        self.log.wait("session-end .*user=alice .*reason=bad-commands",
                      self.mark)
        self.no_sessions()
        self.one_line("max_bad_commands")
        self.unchanged()


    def lasts(self, step):
        """Seconds that a connection lives in which that goes on; it has a clean
        end (or is reset, for what it says behind that)."""
        began = time.monotonic()
        pop = self.come()
        try:
            while step(pop) is not False:
                self.assertLess(time.monotonic() - began, 60)
        except (ConnectionError, EOFError):
            pass
        return time.monotonic() - began

    def test_login_timeout(self):
        """Neither octet by octet, nor by many commands, nor by few."""
        self.serve(login_timeout=2, max_commands_before_login=1000000000)
        left, answers = b"", 0

        def drip(pop):
            pop.send(b"x")
            time.sleep(0.05)

        def flood(pop):
            """There is always something to be read and answered."""
            nonlocal left, answers
            pop.sock.setblocking(False)
            try:
                left = (left or b"CAPA\r\n" * 10000)
                left = left[pop.sock.send(left):]
            except BlockingIOError:
                pass
            try:
                data = pop.sock.recv(1 << 20)
                answers += data.count(b"+OK Cap")
                return data != b""
            except BlockingIOError:
                return True

        def ask(pop):
            pop.cmd("USER", "alice")
            time.sleep(0.3)

        def be_silent(pop):
            pop.at_end()
            return False
        self.come().cmd("QUIT")
        self.nobody()
        for step in (drip, flood, ask, be_silent):
            with self.subTest(step.__name__):
                took = self.lasts(step)
                self.assertGreater(took, 1.9)
                self.assertLess(took, 2 + SLACK)
                self.good()
        self.assertGreater(answers, 100)
        self.assertLessEqual(len(self.log.wait(
            r"limit-reached .*limit=login_timeout ip=127\.0\.0\.1 times=\d",
            self.mark)), 1 + self.age() // 10)

    def test_floods_leave_others_their_turn(self):
        """Commands without end, from some who read their answers."""
        self.serve(max_commands_before_login=100000000, login_timeout=60)
        pops = [self.come() for _ in range(10)]
        stop = threading.Event()
        sent = []

        def flood():
            block, n = b"CAPA\r\n" * 1000, 0
            for pop in pops:
                pop.sock.setblocking(False)
            while not stop.is_set():
                for pop in pops:
                    try:
                        pop.sock.send(block)
                        n += len(pop.sock.recv(1 << 20))
                    except BlockingIOError:
                        pass
            sent.append(n)
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for _ in range(10):
                self.good()
        finally:
            stop.set()
            thread.join(120)
        self.assertGreater(sent[0], 100000)     # it was a flood
        self.nobody()

    def test_storm_of_connections(self):
        """Some say nothing, some go at once, some by a reset."""
        self.serve(max_sessions_per_address=30)
        reset = struct.pack("ii", 1, 0)
        stay, told = [], 0
        for i in range(400):
            pop = self.raw()
            if i % 4 == 0:
                pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            if i % 2 == 0:
                pop.close()
            else:
                stay.append(pop)
            if i % 80 == 0:
                self.good()
        for pop in stay:
            told += pop.line() + b"\r\n" == house.FULL
        # Those who go may be counted still when the next one comes.
        self.assertIn(200 - told, range(1, 31))
        self.good()
        self.one_line("max_sessions_per_address")
        for pop in stay:
            pop.close()
        self.wait_for(self.come, "room for one more")


class Slow(Reached):
    """Who takes or gives so little that he only keeps a maildrop locked."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.large = nasty.mbox(nasty.NASTY[:2]) + (
            b"From a@example.org Thu Jan  2 03:04:05 2025\nSubject: large\n\n"
            + b"0123456789abcde\n" * (12 << 16) + b"\n")

    def setUp(self):
        super().setUp()
        self.mail = self.large
        self.host.spool("alice", self.mail)

    def user(self):
        def make():
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", 110))
            return s
        pop = Pop(self.host.in_network(make))
        self.addCleanup(pop.close)
        self.began = time.monotonic()
        pop.login("alice", PASSWORD)
        pop.dele(1)
        return pop

    def is_ended(self, reason, step, least, most=60):
        """That goes on until the session ends for this reason."""
        try:
            while not self.log.find("session-end .*user=alice", self.mark):
                step()
                time.sleep(0.1)
                self.assertLess(time.monotonic() - self.began, most)
        except ConnectionError:
            pass
        line, = self.log.wait("session-end .*user=alice", self.mark)
        self.assertRegex(line, "reason=%s .*deleted=0 " % reason)
        self.assertGreater(time.monotonic() - self.began, least)
        self.good()
        self.no_sessions()
        self.unchanged()
        self.login("alice").quit()

    def test_reader(self):
        self.serve(timeout=3, min_rate=100000)
        pop = self.user()
        pop.send(b"RETR 3\r\n")
        self.is_ended("too-slow", lambda: pop.sock.recv(1024), 2.5)
        self.one_line("min_rate")
        # Nor does the kernel keep for him for long what he did not take.
        self.wait_for(lambda: not self.kept(), "end of the rest", 60)

    def kept(self):
        """What the host's kernel holds for clients, of closed sockets."""
        with open("/proc/%d/net/tcp" % self.host.pid, encoding="ascii") as f:
            rows = [line.split() for line in list(f)[1:]]
        return [row for row in rows if row[1].endswith(":006E")
                and not row[4].startswith("00000000")]

    def test_reader_who_is_fast_enough(self):
        """The same, for three times as long; then at full speed."""
        self.serve(timeout=3)

        def take(step):
            pop = self.user()
            pop.send(b"RETR 3\r\n")
            size = int(pop.line().split()[1])
            got = len(pop.buf)
            end = time.monotonic() + 9
            while time.monotonic() < end:
                step()
                got += len(pop.sock.recv(1024))
                time.sleep(0.1)
            self.good()
            while got < size + len(b".\r\n"):
                step()
                data = pop.sock.recv(1 << 20)
                self.assertTrue(data, "cut off after %d octets" % got)
                got += len(data)
            pop.buf.clear()
            pop.cmd("RSET")
            pop.quit()
        quick_enough(take, 1)

    def test_line_that_never_ends(self):
        self.serve(timeout=3)
        pop = self.user()
        self.is_ended("timeout", lambda: pop.send(b"x"), 2.5)

    def test_message_that_drips(self):
        self.serve(timeout=3, min_rate=1000, xmit_sender="%u@example.org",
                   xmit_command="/bin/true")
        pop = self.user()
        pop.cmd("XTND XMIT")
        pop.send(b"To: bob@example.org\r\n\r\n")
        self.is_ended("too-slow", lambda: pop.send(b"slow\r\n"), 2.5)
        self.one_line("min_rate")


class Connections(Reached):
    def fill(self, addresses):
        """A connection from each; all are greeted, and nobody is refused."""
        out = [self.come(a) for a in addresses]
        self.assertNotIn(None, out)
        self.nobody()
        return out

    def test_max_sessions_per_address(self):
        """Strangers and sessions count alike."""
        self.serve(max_sessions_per_address=3)
        one, two, _ = self.fill(["127.0.0.1"] * 3)
        one.login("alice", PASSWORD)
        for _ in range(5):
            self.assertIsNone(self.come())
        self.one_line("max_sessions_per_address")
        self.good()
        self.come("127.0.0.2").cmd("QUIT")
        two.cmd("QUIT")
        two.at_end()
        self.wait_for(self.come, "room for one more")
        one.quit()

    def test_max_sessions_per_network(self):
        self.serve(max_sessions_per_address=2, max_sessions_per_network=5)
        clients = self.fill("127.0.0.%d" % (i // 2 + 1) for i in range(5))
        clients[0].login("alice", PASSWORD)
        for i in range(5):
            self.assertIsNone(self.come("127.0.0.%d" % (20 + i)))
        self.one_line("max_sessions_per_network", "127.0.0.20")
        self.good()
        self.come("127.0.1.1").cmd("QUIT")
        clients[1].cmd("QUIT")
        self.wait_for(lambda: self.come("127.0.0.20"), "room for one more")
        clients[0].quit()

    def test_a_network_has_what_an_address_has(self):
        self.serve(max_sessions_per_address=4, max_sessions_per_network=1)
        self.fill(["127.0.0.1"] * 4)
        self.assertIsNone(self.come())


class Single(Reached):
    """isolation = single forks for each connection; it counts them alike."""

    PORT = 1110

    def serve(self, *_, **options):
        self.serve_alone(**options)
        self.begin_log()

    def fills(self, limit, addresses, refused):
        clients = [self.come(a) for a in addresses]
        self.assertNotIn(None, clients)
        self.nobody()
        for _ in range(5):
            self.assertIsNone(self.come(refused))
        self.one_line(limit, refused)
        clients[0].cmd("USER", "alice")
        return clients

    def test_max_sessions(self):
        self.serve(max_sessions=2)
        self.fills("max_sessions", ["127.0.0.1", "127.0.0.2"], "127.0.0.1")

    def test_max_sessions_per_address(self):
        self.serve(max_sessions_per_address=2)
        self.fills("max_sessions_per_address", ["127.0.0.1"] * 2, "127.0.0.1")
        self.assertIsNotNone(self.come("127.0.0.2"))

    def test_max_sessions_per_network(self):
        self.serve(max_sessions_per_address=2, max_sessions_per_network=3)
        self.fills("max_sessions_per_network",
                   ["127.0.0.1", "127.0.0.1", "127.0.0.2"], "127.0.0.3")
        self.assertIsNotNone(self.come(ELSEWHERE))

    def test_commands_before_login(self):
        self.serve(max_commands_before_login=5)
        pop = self.come()
        pop.send(b"CAPA\r\n" * 1000)
        self.assertTrue(self.ended(pop).endswith(
            b"\r\n-ERR [SYS/TEMP] Too many commands before login.\r\n"))


class Sessions(Reached):
    def test_max_sessions(self):
        self.serve(max_sessions=2)
        one, two = self.login("alice"), self.come()
        two.login("sam", PASSWORD)
        self.nobody()
        for _ in range(5):
            self.refused("bob", b"[SYS/TEMP] Too many sessions, try again"
                                b" later.")
        self.one_line("max_sessions")
        # One line for each attempt, which is none that fail2ban counts.
        self.assertEqual(len(self.log.wait(
            "login-failed .*user=bob ip=127.0.0.1 reason=error "
            "detail=max_sessions$", self.mark, count=5)), 5)
        one.cmd("NOOP")
        one.quit()
        self.known_sessions(1)
        self.good()
        two.quit()

    def test_max_sessions_per_user(self):
        """One that has the maildrop, two that are told so and stay."""
        self.serve(max_sessions_per_user=3, drain_timeout=60)
        one = self.login("alice")
        stay = []
        for _ in range(2):
            pop = self.come()
            pop.cmd("USER", "alice")
            with self.assertRaises(PopError) as caught:
                pop.cmd("PASS", PASSWORD)
            self.assertRegex(caught.exception.args[0],
                             rb"^\[IN-USE\] Maildrop is in use since ")
            stay.append(pop)
        self.nobody()
        for _ in range(5):
            self.refused("alice", b"[IN-USE] Too many sessions of this user,"
                                  b" try again later.")
        self.one_line("max_sessions_per_user")
        self.assertEqual(len(self.log.wait(
            "login-failed .*user=alice ip=127.0.0.1 reason=error "
            "detail=max_sessions_per_user$", self.mark, count=5)), 5)
        self.good()
        for pop in stay:
            pop.close()
        one.quit()
        self.counted("user_sessions", 0)
        self.login("alice").quit()


if __name__ == "__main__":
    unittest.main()
