# SPDX-License-Identifier: ISC
"""How sessions end when the client is slow, silent, gone or noisy.

A timeout or a lost connection never deletes anything; a client that is still
taking octets is not idle; the last reply arrives, whatever the client sent
behind its last command.
"""

import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty, spool                                    # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, PopError, conf               # noqa: E402
from lib.stall import quick_enough                              # noqa: E402

POPPER = "/usr/sbin/popper"
CONF = {"peer_check": "no", "auth_fail_delay": 1, "drain_timeout": 2}
SLACK = 20                      # seconds that a busy machine may add


class Timeouts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password="wonderland")

    def setUp(self):
        self.mail = nasty.mbox(nasty.NASTY[:5])
        self.host.spool("alice", self.mail)
        self.log = self.host.syslog
        self.mark = self.log.mark()

    def begin(self, *flags, **options):
        self.host.write("/etc/popper/popper.conf", conf(**{**CONF, **options}))
        inetd = Inetd(self.host, 110, [POPPER, *flags])
        self.addCleanup(inetd.stop)
        return inetd

    def login(self, sock=None):
        pop = Pop(sock or self.host.connect(110))
        self.addCleanup(pop.close)
        pop.login("alice", "wonderland")
        return pop

    def small_window(self):
        """A connection of a client that takes little at a time."""
        def make():
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.connect(("127.0.0.1", 110))
            return s
        return self.host.in_network(make)

    def unchanged(self):
        self.assertEqual(self.host.spool("alice"), self.mail)

    # -- silence ----------------------------------------------------------

    def test_silent_client_is_left_without_a_word(self):
        inetd = self.begin("-T", "2")
        pop = self.login()
        began = time.monotonic()
        pop.dele(1)
        pop.at_end()
        took = time.monotonic() - began
        self.assertGreater(took, 1.9)
        self.assertLess(took, 2 + SLACK)
        inetd.wait()
        self.unchanged()
        self.log.wait(r"session-end .*\buser=alice .*timeout", self.mark)

    def test_silence_before_login(self):
        self.begin(login_timeout=2)
        pop = Pop(self.host.connect(110))
        began = time.monotonic()
        pop.at_end()
        self.assertLess(time.monotonic() - began, 2 + SLACK)
        pop.close()

    def test_trickle_before_login_is_bounded(self):
        self.begin(login_timeout=2)
        with Pop(self.host.connect(110)) as pop:
            began = time.monotonic()
            try:
                while time.monotonic() - began < 40:
                    pop.send(b"x")
                    time.sleep(0.3)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 2 + 2 + SLACK)

    def test_each_command_starts_the_clock_anew(self):
        self.begin("-T", "3")

        def ask(step):
            pop = self.login()
            for _ in range(4):
                step()
                time.sleep(1)
                pop.cmd("NOOP")
            pop.quit()
        quick_enough(ask, 2)

    # -- slow clients -----------------------------------------------------

    def test_slow_receiver_is_not_idle(self):
        """2 KB/s: all octets are in the socket's buffer long before the
        client has them."""
        text = b"Subject: slow\n\n" + b"".join(
            b"%05d slow slow slow slow\n" % i for i in range(500))
        self.mail = nasty.mbox([("slow", text)])
        self.host.spool("alice", self.mail)
        self.begin("-T", "2")
        want = spool.messages(self.mail)[0].wire

        def take(step):
            pop = self.login(self.small_window())
            pop.send(b"RETR 1\r\n")
            got = b""
            while not got.endswith(b"\r\n.\r\n"):
                data = pop.sock.recv(1024)
                step()
                self.assertTrue(data, "cut off after %d octets" % len(got))
                got += data
                time.sleep(len(data) / 2048)
            self.assertEqual(got.split(b"\r\n", 1)[1], want + b".\r\n")
            pop.cmd("NOOP")
            return pop
        pop = quick_enough(take, 1)
        began = time.monotonic()
        pop.at_end()
        self.assertLess(time.monotonic() - began, 2 + SLACK)

    def test_receiver_that_stopped_is_idle(self):
        self.host.spool("alice", nasty.mbox(
            [("huge", b"Subject: huge\n\n" + b"y" * 999 + b"\n" * 2
              + (b"z" * 99 + b"\n") * 100000)]))
        self.mail = self.host.spool("alice")
        inetd = self.begin("-T", "2")
        pop = self.login(self.small_window())
        pop.send(b"DELE 1\r\nRSET\r\nRETR 1\r\n")
        inetd.wait(2 + 2 + SLACK + 10)
        self.unchanged()
        self.log.wait(r"session-end .*\buser=alice .*timeout", self.mark)

    # -- lost connections -------------------------------------------------

    def test_lost_connection_deletes_nothing(self):
        inetd = self.begin()
        for how in ("fin", "half", "reset"):
            with self.subTest(how=how):
                mark = self.log.mark()
                pop = self.login()
                pop.dele(1)
                pop.send(b"DELE 2\r\nNOOP")
                if how == "half":
                    pop.sock.shutdown(socket.SHUT_WR)
                if how == "reset":
                    pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack("ii", 1, 0))
                if how != "half":
                    pop.close()
                inetd.wait()
                self.unchanged()
                self.log.wait(r"session-end .*\buser=alice ", mark)

    def test_half_closed_client_is_served_to_its_quit(self):
        inetd = self.begin()
        pop = self.login()
        pop.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
        pop.sock.shutdown(socket.SHUT_WR)
        pop.reply()
        self.assertEqual(pop.body(), spool.messages(self.mail)[0].wire)
        pop.reply()
        self.assertIn(b"signing off", pop.reply())
        pop.at_end()
        inetd.wait()
        self.assertEqual(len(spool.messages(self.host.spool("alice"))), 4)

    # -- the last reply ---------------------------------------------------

    RUBBISH = b"NOOP\r\nRETR 1\r\n\0\xff rubbish\r\n" * 4000

    def last_words(self, pop, data):
        """What comes after sending data and rubbish in one go; a reset on
        the way is an error."""
        pop.sock.settimeout(60)
        try:
            pop.send(data + self.RUBBISH)
        except BrokenPipeError:
            self.fail("the server closed before it had taken all")
        out = b""
        while True:
            more = pop.sock.recv(65536)
            if not more:
                return out
            out += more

    def test_reply_to_quit_arrives_before_login(self):
        self.begin()
        for _ in range(10):
            with Pop(self.host.connect(110)) as pop:
                out = self.last_words(pop, b"QUIT\r\n")
                self.assertRegex(out, rb"\A\+OK .* signing off\.\r\n\Z")

    def test_reply_to_quit_arrives_after_login(self):
        inetd = self.begin()
        for _ in range(5):
            pop = self.login()
            out = self.last_words(pop, b"QUIT\r\n")
            self.assertRegex(out, rb"\A\+OK .* signing off\.\r\n\Z")
            # The maildrop is in use until the drain is over.
            pop.close()
            inetd.wait()
        left = spool.messages(self.host.spool("alice"))
        self.assertEqual(len(left), 5)

    def test_reply_to_a_wrong_password_arrives(self):
        self.begin()
        with Pop(self.host.connect(110)) as pop:
            out = self.last_words(pop, b"USER alice\r\nPASS wrong\r\n")
            self.assertEqual(out, b"+OK Password required.\r\n"
                             b"-ERR [AUTH] Authentication failed.\r\n")

    def test_rubbish_is_answered_for_a_while_only(self):
        self.begin(max_bad_commands=5)
        with Pop(self.host.connect(110)) as pop:
            out = self.last_words(pop, b"")
            lines = out.split(b"\r\n")
            self.assertLess(len(lines), 12)
            self.assertTrue(all(x.startswith(b"-ERR") for x in lines[:-1]))

    def test_client_that_stays_after_quit_is_left(self):
        inetd = self.begin()
        pop = self.login()
        pop.cmd("QUIT")
        began = time.monotonic()
        self.assertEqual(inetd.wait(), [0])
        self.assertLess(time.monotonic() - began, 2 + SLACK)

    def test_wrong_password_is_answered_once(self):
        self.begin()
        with Pop(self.host.connect(110)) as pop:
            pop.cmd("USER", "alice")
            with self.assertRaises(PopError):
                pop.cmd("PASS", "wrong")
            pop.at_end()


if __name__ == "__main__":
    unittest.main()
