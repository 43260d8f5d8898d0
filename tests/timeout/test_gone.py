# SPDX-License-Identifier: ISC
"""A client whose host vanishes without a word: its maildrop is free again
within client_gone_timeout.  A host that is there is never taken for one that is
not, however slow its reader or its line is.

The client's kernel is made to drop all packets of the connection (a filter on
the socket), so that it acknowledges nothing, answers no probe, and sends
neither FIN nor RST: as a host without power, or behind a line that is down.
"""

import concurrent.futures
import ctypes
import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty, spool                                    # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, PopError, Serve, conf        # noqa: E402

GONE = 3                        # client_gone_timeout, seconds
SLACK = 20                      # keepalive's seconds, and a busy machine
CONF = {"peer_check": "no", "auth_fail_delay": 1, "drain_timeout": 1,
        "client_gone_timeout": GONE, "timeout": 600}
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
RETURN = 0x06
# A segment's octets behind its header (BPF): length less 4 * (byte 12 >> 4).
DATA = ((0x30, 0, 0, 12), (0x74, 0, 0, 2), (0x54, 0, 0, 0x3c), (0x07, 0, 0, 0),
        (0x80, 0, 0, 0), (0x1c, 0, 0, 0))
JUMP_ABOVE = 0x25
LARGE = 12 << 20                # more than all buffers of a connection
USERS = ("alice", "bob", "carol", "dave")


def attach(sock, *rows):
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *r) for r in rows))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HL", len(rows), ctypes.addressof(program)))


def vanish(sock):
    """From now on its kernel drops what comes for it."""
    attach(sock, (RETURN, 0, 0, 0))


def vanish_for_data(sock):
    """Or nothing but what carries data: else it would say again and again what
    it has just said, and so be heard."""
    attach(sock, *DATA, (JUMP_ABOVE, 1, 0, 0), (RETURN, 0, 0, 0xffffffff),
           (RETURN, 0, 0, 0))


def come_back(sock):
    sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def large():
    return nasty.mbox(nasty.NASTY[:2]) + (
        b"From a@example.org Thu Jan  2 03:04:05 2025\nSubject: large\n\n"
        + (b"0123456789" * 6 + b"abc\n") * (LARGE // 64) + b"\n")


class Gone(unittest.TestCase):
    port = 110

    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        for i, user in enumerate(USERS):
            cls.host.add_user(user, 1001 + i, password="wonderland")

    def setUp(self):
        self.mail = large()
        self.host.spool("alice", self.mail)
        self.log = self.host.syslog
        self.mark = self.log.mark()

    def begin(self, **options):
        self.host.write("/etc/popper/popper.conf", conf(**{**CONF, **options}))
        server = Serve(self.host)
        self.addCleanup(server.stop)

    def login(self, small=False, user="alice", port=None):
        def make():
            s = socket.socket()
            if small:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", port or self.port))
            return s
        pop = Pop(self.host.in_network(make))
        self.addCleanup(pop.close)
        self.began = time.monotonic()
        self.assertEqual(pop.login(user, "wonderland")[0], 3)
        return pop

    def free_after(self):
        """Seconds from the login until somebody else gets the maildrop."""
        while True:
            with Pop(self.host.connect(self.port)) as pop:
                try:
                    pop.login("alice", "wonderland")
                except PopError as e:
                    self.assertTrue(e.args[0].startswith(b"[IN-USE] "))
                else:
                    took = time.monotonic() - self.began
                    pop.quit()
                    return took
            self.assertLess(time.monotonic() - self.began, 90, "not free")
            time.sleep(0.1)

    def freed(self):
        took = self.free_after()
        self.assertGreater(took, GONE - 1.5)
        self.assertLess(took, GONE + SLACK)
        self.log.wait("session-end .*user=alice .*reason=client-gone",
                      self.mark)
        self.assertEqual(self.host.spool("alice"), self.mail)
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))

    # -- gone -------------------------------------------------------------

    def test_idle(self):
        """Nothing on its way: the kernel's keepalive finds out."""
        self.begin()
        pop = self.login()
        pop.dele(1)
        vanish(pop.sock)
        self.freed()

    def test_a_reply_on_its_way(self):
        self.begin()
        pop = self.login()
        pop.dele(1)
        vanish_for_data(pop.sock)
        pop.send(b"NOOP\r\n")
        self.freed()

    def test_in_the_middle_of_a_message(self):
        """The buffers are full, the session waits to write."""
        self.begin()
        pop = self.login(small=True)
        pop.dele(1)
        pop.send(b"RETR 3\r\n")
        pop.sock.recv(4096)
        vanish(pop.sock)
        self.freed()
        self.log.wait("client-silent .*user=alice ip=127.0.0.1 s=%d" % GONE,
                      self.mark)

    def test_under_inetd(self):
        self.host.write("/etc/popper/popper.conf", conf(**CONF))
        with Inetd(self.host) as inetd:
            pop = self.login()
            pop.dele(1)
            pop.send(b"LIST\r\n")
            vanish(pop.sock)
            self.freed()
            inetd.wait()

    def test_idle_in_one_process(self):
        """isolation = single has the kernel's keepalive alone."""
        own = "/home/alice/pop"
        self.host.mkdir(own, 0o755, "alice")
        self.host.write(own + "/users", "alice:{PLAIN}wonderland:1001:1001::"
                        "/home/alice\n", 0o600, "alice")
        self.host.write(own + "/conf", conf(**{
            **CONF, "isolation": "single", "auth": "file", "listen":
            "127.0.0.1:1110", "maildrop": "~/mbox", "passwd_file": "users",
            "state_dir": "state", "run_dir": "run", "deny_file": "none"}),
            0o644, "alice")
        self.host.write("/home/alice/mbox", self.mail, 0o600, "alice")
        server = self.host.popen(["/usr/sbin/popper", "serve", "--config",
                                  own + "/conf"], user="alice")
        self.addCleanup(server.stop)
        self.host.wait_port(1110)
        self.port = 1110
        pop = self.login()
        pop.dele(1)
        vanish(pop.sock)
        took = self.free_after()
        self.assertGreater(took, GONE - 1.5)
        self.assertLess(took, GONE + SLACK)
        self.assertEqual(self.host.read("/home/alice/mbox"), self.mail)

    def test_what_was_said_before(self):
        """QUIT came: that is no lost connection, the update is made."""
        self.begin()
        pop = self.login()
        pop.dele(1)
        vanish(pop.sock)
        pop.send(b"QUIT\r\n")
        self.log.wait("session-end .*user=alice reason=quit|"
                      "session-end .*reason=quit", self.mark)
        self.free_after()
        self.assertEqual(len(spool.messages(self.host.spool("alice"))), 2)

    # -- there ------------------------------------------------------------

    def begin_another(self):
        """A server that has more patience, beside the other one."""
        for folder in ("/var/lib/other", "/run/other"):
            self.host.mkdir(folder)
        self.host.write("/etc/popper/other.conf", conf(**{
            **CONF, "client_gone_timeout": 2 * GONE, "listen": "127.0.0.1:1111",
            "state_dir": "/var/lib/other", "run_dir": "/run/other"}))
        server = Serve(self.host, 1111, ("--config", "/etc/popper/other.conf"))
        self.addCleanup(server.stop)

    def all_of_it(self, pop):
        pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        pop.reply()
        self.assertEqual(len(pop.body()), len(self.wire))
        pop.quit()

    def think(self, pop):
        time.sleep(3 * GONE)
        pop.cmd("NOOP")
        pop.quit()

    def pause(self, pop):
        """He takes nothing, his window is closed, his kernel answers."""
        pop.send(b"RETR 3\r\n")
        time.sleep(5 * GONE)
        self.all_of_it(pop)

    def read_slowly(self, pop):
        pop.send(b"RETR 3\r\n")
        end = time.monotonic() + 4 * GONE
        while time.monotonic() < end:
            pop.buf += pop.sock.recv(512)
            time.sleep(0.3)
        self.all_of_it(pop)

    def be_down_for_moments(self, pop):
        pop.send(b"RETR 3\r\n")
        for _ in range(3):
            vanish(pop.sock)
            time.sleep(2.5)
            come_back(pop.sock)
            time.sleep(1.5)
        self.all_of_it(pop)

    def test_whoever_is_there(self):
        """All of them at a time, for it takes long to see that nothing is done:
        each gets what he asked for, and ends with QUIT."""
        for user in USERS:
            self.host.spool(user, self.mail)
        self.wire = spool.messages(self.mail)[2].wire
        self.begin()
        self.begin_another()
        ways = [(self.think, self.login(user="alice")),
                (self.pause, self.login(True, "bob")),
                (self.read_slowly, self.login(True, "carol")),
                (self.be_down_for_moments, self.login(True, "dave", 1111))]
        with concurrent.futures.ThreadPoolExecutor(len(ways)) as pool:
            done = [(way.__name__, pool.submit(way, pop)) for way, pop in ways]
        for name, future in done:
            with self.subTest(way=name):
                future.result()
        for user in USERS:
            self.log.wait("session-end .*user=%s .*reason=quit" % user, self.mark)
        self.assertEqual(self.log.find("client-silent|client-gone", self.mark), [])


if __name__ == "__main__":
    unittest.main()
