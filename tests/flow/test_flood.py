# SPDX-License-Identifier: ISC
"""More than a dialogue can show: a million commands in one piece, arguments of
all awkward lengths, lines without end, arbitrary segments.  Whatever comes,
there is one status line for each line, memory stays bounded, and no octet of
the client's comes back.
"""

import os
import random
import re
import socket
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import dialogue                                                  # noqa: E402
from fixture import Fixture                                      # noqa: E402
from lib.flavour import memory                                   # noqa: E402
from lib.host import binary                                      # noqa: E402
from ways import Tcp                                             # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED", "1"))
MEMORY = memory(32 << 10)       # KiB, with all libraries
LENGTHS = sorted({n + d for n in (0, 40, 255, 256, 512, 1024, 4096, 8192)
                  for d in range(-12, 13) if n + d >= 0} | {65536})
VERBS = [b"USER", b"PASS", b"RPOP", b"QUIT", b"CAPA", b"STAT", b"LIST",
         b"RETR", b"DELE", b"NOOP", b"LAST", b"RSET", b"TOP", b"TOP 1",
         b"UIDL", b"XTND", b"XTND XLST", b"XTND XMIT", b"XTND BBOARDS",
         b"XTND ARCHIVE", b"XTND X-BBOARDS", b"AUTH", b"APOP", b"STLS", b""]
HEAD = """# source: threats.md A, D
spool ann = two.mbox
option max_bad_commands = 1000000
option max_commands_before_login = 1000000
%s
---
"""


class Client(Tcp):
    """A connection whose sending does not wait for its reading."""

    def say(self, data):
        def send():
            try:
                self.sock.sendall(data)
            except OSError:
                pass            # the test sees what is missing
        self.sender = threading.Thread(target=send)
        self.sender.start()

    def all(self):
        """Everything until the server closes."""
        out = bytearray()
        self.sock.settimeout(120)
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                break
            out += data
        self.sender.join()
        return bytes(out)

    def peak(self):
        """KiB of memory that popper had at most so far."""
        with open("/proc/%d/status" % self.process.pid,
                  encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))


class Flood(unittest.TestCase):
    def client(self, more=""):
        with tempfile.NamedTemporaryFile("w", suffix=".pop") as f:
            f.write(HEAD % more)
            f.flush()
            fixture = Fixture(dialogue.Dialogue(f.name), binary())
        self.addCleanup(fixture.remove)
        client = Client(fixture)
        self.addCleanup(client.process.wait)
        self.addCleanup(client.process.kill)
        self.addCleanup(client.sock.close)
        return client

    def login(self, more=""):
        client = self.client(more)
        client.send(b"USER ann\r\nPASS secret\r\n")
        for _ in range(3):
            self.assertEqual(client.line()[:3], b"+OK")
        return client

    def flood(self, command, n, lines_each):
        """n times the same in one piece: as many replies, in bounded memory."""
        client = self.login()
        client.say(command * n + b"STAT\r\nQUIT\r\n")
        peak, lines, tail = client.peak(), 0, b""
        client.sock.settimeout(120)
        while True:
            data = client.sock.recv(1 << 20)
            if not data:
                break
            lines += data.count(b"\n")     # a read may end within CRLF
            tail = (tail + data)[-200:]
            if lines < n * lines_each:
                peak = max(peak, client.peak())
        self.assertEqual(lines, n * lines_each + 2)
        self.assertIn(b"+OK 2 320\r\n+OK popper at ", tail)
        self.assertLess(peak, MEMORY)

    def test_a_million_commands(self):
        self.flood(b"NOOP\r\n", 1000000, 1)

    def test_a_hundred_thousand_messages(self):
        """No more replies are made than the client takes."""
        with open(os.path.join(HERE, "files", "two.mbox"), "rb") as f:
            lines = f.read().split(b"\n\nFrom ")[0].count(b"\n")
        self.flood(b"RETR 1\r\n", 100000, lines + 2)

    def test_a_hundred_thousand_lists(self):
        self.flood(b"LIST\r\n", 100000, 4)

    def test_a_line_without_end(self):
        client = self.client()
        block = b"x" * (1 << 20)
        self.assertEqual(client.line()[:3], b"+OK")
        for _ in range(1024 if LONG else 64):
            client.send(block)
        client.send(b"\r\nCAPA now\r\n")
        self.assertEqual(client.line(), b"-ERR Line too long.\r\n")
        self.assertEqual(client.line(), b"-ERR Too many arguments.\r\n")
        self.assertLess(client.peak(), MEMORY)

    def test_lengths_before_login(self):
        client = self.client()
        client.line()
        lines = [v + b" " + b"w" * n for v in VERBS for n in LENGTHS
                 if v not in (b"PASS", b"RPOP", b"QUIT", b"CAPA", b"USER")
                 and (v, n) != (b"AUTH", 0)]            # that is a list
        lines += [v + b" " + b"w" * n for v in (b"USER", b"PASS")
                  for n in LENGTHS if v == b"USER" or n > 1100]
        self.one_status_each(client, lines)

    def test_lengths_after_login(self):
        client = self.login()
        lines = [v + b" " + b"w" * n for v in VERBS for n in LENGTHS
                 if n > 0 and v not in (b"XTND XLST", b"USER")]
        lines += [v + b" " + b"7" * n for v in (b"LIST", b"RETR", b"DELE",
                                                b"TOP 1", b"UIDL")
                  for n in LENGTHS if n > 0 and v != b"TOP 1" or n > 18]
        self.one_status_each(client, lines)

    def one_status_each(self, client, lines):
        client.say(b"".join(line + b"\r\n" for line in lines) + b"QUIT\r\n")
        got = client.all().split(b"\r\n")
        self.assertEqual(got.pop(), b"")
        self.assertEqual(len(got), len(lines) + 1)
        for line, reply in zip(lines, got):
            self.assertRegex(reply, rb"\A(\+OK|-ERR) [A-Za-z][ -~]{1,100}\Z",
                             line[:60])
            self.assertNotIn(b"ww", reply)
        self.assertTrue(got[-1].startswith(b"+OK popper at "))

    def test_every_octet_and_pair_as_a_line(self):
        octets = [bytes([a]) for a in range(256)]
        if LONG:
            octets += [a + b for a in octets for b in octets]
        else:
            rng = random.Random(SEED)
            octets += [bytes(rng.choices(range(256), k=2))
                       for _ in range(2000)]
        lines = [o for o in octets if b"\n" not in o]
        for client in (self.client(), self.login()):
            client.say(b"".join(line + b"\n" for line in lines) + b"QUIT\r\n")
            got = client.all().split(b"\r\n")
            got = [line for line in got if not line.startswith(b"+OK popper")]
            self.assertEqual(got.pop(), b"")
            self.assertEqual(len(got), len(lines))
            self.assertEqual({line[:5] for line in got}, {b"-ERR "})

    def test_any_segments(self):
        """The same octets in random pieces give the same replies."""
        rng = random.Random(SEED)
        words = [b"USER ann\r\n", b"PASS secret\r\n", b"STAT\n", b"LIST\r\n",
                 b"RETR 1\r\n", b"RETR 2\r\n", b"TOP 2 1\r\n", b"UIDL\n",
                 b"DELE 1\r\n", b"RSET\r\n", b"LAST\r\n", b"FOO\r\n",
                 b"x" * 3000 + b"\r\n", b"\0\r\n", b"\r\n", b"CAPA\r\n",
                 b"XTND XLST subject\r\n", b"NOOP \t\n"]
        for _ in range(40 if LONG else 5):
            said = b"USER ann\r\nPASS secret\r\n" + b"".join(
                rng.choices(words, k=60)) + b"RSET\r\nQUIT\r\n"
            heard = set()
            for piece in (len(said), 1500, 100, 7):
                client = self.client("option status_headers = no")
                client.sock.setsockopt(socket.IPPROTO_TCP,
                                       socket.TCP_NODELAY, 1)
                client.sender = threading.Thread(
                    target=self.dribble, args=(client, said, piece,
                                               rng.random()))
                client.sender.start()
                heard.add(client.all())
            self.assertEqual(len(heard), 1)

    @staticmethod
    def dribble(client, said, piece, seed):
        rng = random.Random(seed)
        while said:
            n = rng.randint(1, piece)
            client.sock.sendall(said[:n])
            said = said[n:]


if __name__ == "__main__":
    unittest.main()
