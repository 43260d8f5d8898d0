# SPDX-License-Identifier: ISC
"""What a client has pipelined behind PASS passes from the front to the
session: nothing is lost, nothing is done twice, wherever the segments end."""

import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402

TALK = (b"CAPA\r\nUSER alice\r\nPASS wonderland\r\nSTAT\r\nDELE 2\r\nDELE 2\r\n"
        b"LIST\r\nRSET\r\nUIDL 1\r\nNOOP\r\nQUIT\r\n")


class HandOver(family.Family):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("/etc/popper/popper.conf", family.conf(
            **{**family.OPTIONS, "max_sessions_per_address": 100,
               "max_commands_before_login": 100000}))
        cls.server = cls.SERVER(cls.host)
        cls.addClassCleanup(cls.server.stop)

    def talk(self, pieces, pause=0.0):
        """All that the server says to these segments."""
        sock = self.host.connect(110)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
            if pause:
                time.sleep(pause)
        said = b""
        while True:
            data = sock.recv(65536)
            if not data:
                sock.close()
                return said
            said += data

    def test_every_place_of_a_split(self):
        want = self.talk([TALK])
        self.assertEqual(want.count(b"has been deleted"), 2)
        self.assertIn(b"Maildrop has 3 messages", want)
        self.assertIn(b"signing off", want)
        step = 1 if os.environ.get("POPPER_LONG") else 3
        for at in range(1, len(TALK), step):
            with self.subTest(at=at):
                self.assertEqual(self.talk([TALK[:at], TALK[at:]], 0.004),
                                 want)

    def test_octet_by_octet(self):
        pieces = [TALK[i:i + 1] for i in range(len(TALK))]
        self.assertEqual(self.talk(pieces, 0.002), self.talk([TALK]))

    def test_much_behind_pass(self):
        """More than a front reads at once, and just as much."""
        head = b"USER alice\r\nPASS wonderland\r\n"
        for size in (8192 - len(head), 8192, 8193, 3 * 8192 + 5, 100000):
            with self.subTest(size=size):
                n = (size - 6) // 6
                last = b"NOOP" + b" " * ((size - 6) % 6) + b"\r\n"
                said = self.talk([head + b"NOOP\r\n" * n + last +
                                  b"STAT\r\nQUIT\r\n"])
                lines = said.split(b"\r\n")
                self.assertEqual(len(lines), 3 + n + 1 + 2 + 1)
                self.assertEqual(set(x[:3] for x in lines[:-1]), {b"+OK"})
                self.assertRegex(lines[-3], rb"^\+OK 3 \d+$")

    def test_much_before_pass_and_nobody_reads(self):
        """The replies to 400 CAPAs do not fit into any buffer, and the last of
        them are still with the front when the password is right."""
        def make():
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", 110))
            return s
        sock = self.host.in_network(make)
        self.addCleanup(sock.close)
        sock.settimeout(60)
        one = self.talk([b"CAPA\r\nQUIT\r\n"]).split(b"\r\n", 1)[1]
        one = one[:one.index(b"\r\n.\r\n") + 5]
        sock.setblocking(False)
        left = b"CAPA\r\n" * 40000 + b"USER alice\r\nPASS wonderland\r\n" \
            b"NOOP\r\nQUIT\r\n"
        said, end = [], time.monotonic() + 90
        while time.monotonic() < end:
            try:
                left = left[sock.send(left):] if left else left
            except BlockingIOError:
                pass
            try:
                said.append(sock.recv(65536))
                if said[-1] == b"":
                    break
            except BlockingIOError:
                time.sleep(0.001)
        said = b"".join(said).split(b"\r\n", 1)[1]
        self.assertEqual(said.count(one), 40000)
        self.assertEqual(said[40000 * len(one):].count(b"+OK"), 4)
        self.assertTrue(said.endswith(b"signing off.\r\n"))


if __name__ == "__main__":
    unittest.main()
