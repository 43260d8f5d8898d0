# SPDX-License-Identifier: ISC
"""PROXY headers and XCLIENT by hand: who may announce a client, what is taken
for a header, and that the announced client is the one for limits, penalties and
the log."""

import ipaddress
import os
import socket
import struct
import subprocess
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "serve"), os.path.join(TESTS, "tls")]

import house                                                    # noqa: E402
from house_tls import certificate                               # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

FULL = house.FULL
STRANGE = b"-ERR [SYS/PERM] Your network is not served here.\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PLAIN, PROXY = 110, 1110


def v1(address, port=4711):
    family = 6 if ":" in address else 4
    to = "::1" if family == 6 else "127.0.0.1"
    return ("PROXY TCP%d %s %s %d 110\r\n" % (family, address, to, port)
            ).encode()


def crc32c(data):
    """Another formulation than popper's: from the left."""
    def mirrored(x, bits):
        return int(format(x, "0%db" % bits)[::-1], 2)
    crc = 0xffffffff
    for octet in data:
        crc ^= mirrored(octet, 8) << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x1edc6f41 if crc >> 31 else crc << 1) \
                & 0xffffffff
    return mirrored(crc, 32) ^ 0xffffffff


def v2(address=None, port=4711, command=0x21, tlvs=b"", crc=False):
    """Without an address: UNSPEC."""
    body, family = b"", 0
    if address is not None:
        a = ipaddress.ip_address(address)
        to = ipaddress.ip_address("::1" if a.version == 6 else "127.0.0.1")
        family = 0x11 if a.version == 4 else 0x21
        body = a.packed + to.packed + struct.pack(">HH", port, 110)
    if crc:
        tlvs += b"\x03\0\4" + bytes(4)
    head = SIGNATURE + bytes([command, family]) + struct.pack(
        ">H", len(body) + len(tlvs)) + body
    if crc:
        return head + tlvs[:-4] + struct.pack(">I", crc32c(head + tlvs))
    return head + tlvs


def tlv(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


class Proxied(house.House):
    ROWS = ("listen = 127.0.0.1:%d [::1]:%d" % (PLAIN, PLAIN),
            "listen = 127.0.0.1:%d [::1]:%d proxy" % (PROXY, PROXY),
            "proxy_networks = 127.0.0.1 ::1")

    def serve(self, *rows, **options):
        super().serve(*(rows or self.ROWS), **{"auth_fail_delay": 0,
                                               **options})

    def open(self, port=PROXY, source="127.0.0.1", to="127.0.0.1"):
        def make():
            return socket.create_connection((to, port), 120, (source, 0))
        sock = self.host.in_network(make)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(sock.close)
        return sock

    def behind(self, header, **kw):
        sock = self.open(**kw)
        sock.sendall(header)
        return Pop(sock)

    def last_ip(self, event, mark):
        return self.log.wait(r"^%s |: %s " % (event, event), mark)[-1].split(
            " ip=")[1].split()[0]

    def shown(self, pop):
        """The address of this client's, as a refused login has it."""
        mark = self.log.mark()
        pop.cmd("USER", "alice")
        with self.assertRaises(PopError):
            pop.cmd("PASS", "wrong")
        return self.last_ip("login-failed", mark)

    def closed(self, sock):
        """What came before the end, be it a reset."""
        got = b""
        try:
            while True:
                data = sock.recv(4096)
                if not data:
                    return got
                got += data
        except ConnectionResetError:
            return got


class Headers(Proxied):
    def test_announced(self):
        self.serve()
        for header, ip in (
                (v1("192.0.2.9"), "192.0.2.9"),
                (v1("2001:db8::9"), "2001:db8::9"),
                (v1("::ffff:192.0.2.9"), "192.0.2.9"),
                (v2("192.0.2.9"), "192.0.2.9"),
                (v2("2001:db8::9"), "2001:db8::9"),
                (v2("::ffff:192.0.2.9"), "192.0.2.9"),
                (v2("192.0.2.9", crc=True), "192.0.2.9"),
                (v2("2001:db8::9", tlvs=tlv(4, bytes(300)) + tlv(0xe0, b"x")
                    + tlv(0x20, b"\1\0\0\0\0" + tlv(0x21, b"TLSv1.3")),
                    crc=True), "2001:db8::9"),
                (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                (b"PROXY UNKNOWN 192.0.2.9 ::1 1 2\r\n", "127.0.0.1"),
                (v2(command=0x20), "127.0.0.1"),
                (v2("192.0.2.9", command=0x20), "127.0.0.1"),
                (v2(), "127.0.0.1")):
            for to in ("127.0.0.1", "::1"):
                with self.subTest(header=header, to=to):
                    want = ip.replace("127.0.0.1", to)
                    pop = self.behind(header, source=to, to=to)
                    self.assertEqual(self.shown(pop), want)

    def test_tls_to_the_proxy(self):
        """Who came there by TLS counts as under TLS, also for a webmail server that
        says XCLIENT; who did not, or of whom the header does not say, does not."""
        for name, pem in zip(("cert", "key"), certificate("pophost.example.org")):
            self.host.write("/etc/popper/" + name, pem, 0o600)
        self.serve(tls_certificate="cert key=key", access="deny tls=no",
                   plaintext_networks="198.51.100.0/24",
                   xclient_networks="192.0.2.10")
        says = tlv(0x20, b"\1\0\0\0\0" + tlv(0x21, b"TLSv1.3"))
        clear = tlv(0x20, bytes(5))
        for header in (v2("192.0.2.9", tlvs=clear), v2("192.0.2.9"),
                       v1("192.0.2.9")):
            pop = self.behind(header)
            self.assertIn(b"\r\nSTLS\r\n", pop.multi("CAPA")[1])
            with self.assertRaisesRegex(PopError, "not taken in the clear"):
                pop.cmd("USER", "alice")
            pop.close()
        with self.behind(v2("198.51.100.9", tlvs=clear)) as pop:
            with self.assertRaisesRegex(PopError, "Authentication failed"):
                pop.login("alice", house.family.PASSWORD)
        for moved in (False, True):
            pop = self.behind(v2("192.0.2.10", tlvs=says))
            if moved:
                pop.cmd("XCLIENT", "ADDR=203.0.113.1")
            self.assertNotIn(b"STLS", pop.multi("CAPA")[1])
            with self.assertRaises(PopError):
                pop.cmd("STLS")
            pop.login("alice", house.family.PASSWORD)
            pop.quit()
            self.no_sessions()

    def test_a_session(self):
        """Login, mail, the lines of the log, and the lock's owner."""
        self.serve()
        pop = self.behind(v2("192.0.2.9", crc=True))
        self.assertEqual(pop.login("alice", house.family.PASSWORD)[0], 3)
        self.assertEqual(len(pop.uidl()), 3)
        with self.assertRaises(PopError) as caught:
            self.behind(v1("2001:db8::1")).login("alice",
                                                 house.family.PASSWORD)
        self.assertTrue(caught.exception.args[0].startswith(b"[IN-USE]"))
        self.assertIn(" other_ip=192.0.2.9 ", self.log.wait(
            "drop-in-use", self.mark)[0] + " ")
        pop.quit()
        for event in ("login", "session-end"):
            self.assertIn("ip=192.0.2.9 ", self.log.wait(
                "%s .*ip=192" % event, self.mark)[0] + " ")
        self.assertEqual(self.log.find("misbehaved|role-died", self.mark), [])
        self.unchanged()

    def test_octet_by_octet(self):
        self.serve()
        for header in (v1("192.0.2.9"), v2("192.0.2.9", crc=True)):
            sock = self.open()
            for i in range(len(header)):
                sock.sendall(header[i:i + 1])
                time.sleep(0.002)
            self.assertEqual(self.shown(Pop(sock)), "192.0.2.9")

    def test_commands_in_the_same_segment(self):
        self.serve()
        for header in (v1("192.0.2.9"), v2("192.0.2.9")):
            sock = self.open()
            sock.sendall(header + b"USER alice\r\nPASS %s\r\nSTAT\r\nQUIT\r\n"
                         % house.family.PASSWORD.encode())
            said = self.closed(sock).split(b"\r\n")
            self.assertEqual([x[:3] for x in said[:5]], [b"+OK"] * 5)
            self.assertEqual(len(said), 6)
            self.assertTrue(said[3].startswith(b"+OK 3 "), said)
            self.no_sessions()

    BAD = (
        b"CAPA\r\n",
        b"USER alice\r\nPASS wonderland\r\n",
        b"proxy TCP4 192.0.2.9 127.0.0.1 1 110\r\n",
        b"PROXY TCP4 192.0.2.9 127.0.0.1 1 110\n",
        b"PROXY TCP4 192.0.2.9 127.0.0.1 1\r\n",
        b"PROXY TCP4 192.0.2.9 127.0.0.1 1 110 PROXY\r\n",
        b"PROXY TCP4 2001:db8::1 127.0.0.1 1 110\r\n",
        b"PROXY TCP4 192.0.2.9\r\nPROXY TCP4 192.0.2.8 127.0.0.1 1 110\r\n",
        b"PROXY TCP4 192.0.2.9\0 127.0.0.1 1 110\r\n",
        b"PROXY TCP4 192.0.2.9%lo 127.0.0.1 1 110\r\n",
        b"PROXY TCP4 alice 127.0.0.1 1 110\r\n",
        b"PROXY UNKNOWN " + 100 * b"x" + b"\r\n",
        b"PROXY TCP6 " + 200 * b"0",
        SIGNATURE[:8] + b"HACK",
        SIGNATURE + b"\x11\x11\0\x0c" + bytes(12),
        SIGNATURE + b"\x2f\x11\0\x0c" + bytes(12),
        SIGNATURE + b"\x21\x12\0\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
        SIGNATURE + b"\x21\x11\xff\xff",
        v2("192.0.2.9", tlvs=b"\4\0\x09pad"),
        v2("192.0.2.9", tlvs=b"\4\0"),
        v2("192.0.2.9", tlvs=tlv(3, b"\0\0\0\0")),
        v2("192.0.2.9", tlvs=tlv(3, b"\0\0\0")),
    )

    def test_no_header(self):
        """Closed at once without a word; one line for all."""
        self.serve(fronts=1)
        for data in self.BAD:
            with self.subTest(data):
                sock = self.open()
                sock.sendall(data)
                self.assertEqual(self.closed(sock), b"")
        sock = self.open()
        sock.sendall(v1("192.0.2.9")[:20])
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(self.closed(sock), b"")
        lines = self.log.wait("proxy-refused", self.mark)
        self.assertIn(" ip=127.0.0.1 times=1 detail=", lines[0])
        self.assertEqual(len(lines), 1)
        self.assertEqual(self.log.find("login", self.mark), [])
        self.assertEqual(self.shown(self.behind(v1("192.0.2.9"))),
                         "192.0.2.9")

    def test_in_time(self):
        """Five seconds, whether nothing comes or little by little."""
        self.serve(fronts=1)
        began = time.monotonic()
        silent, slow = self.open(), self.open()
        silent.setblocking(False)
        header = 60 * b"x"
        with self.assertRaises(OSError):
            for i in range(60):
                slow.sendall(b"PROXY UNKNOWN"[i:i + 1] or header[:1])
                time.sleep(0.2)
        self.assertGreater(time.monotonic() - began, 4)
        silent.settimeout(60)
        self.assertEqual(self.closed(silent), b"")
        self.log.wait('proxy-refused .*detail="no PROXY header in time"',
                      self.mark)

    def test_who_is_not_named(self):
        """A forged header of somebody else's is not read at all."""
        self.serve(fronts=1)
        for _ in range(3):
            sock = self.open(source="127.0.0.2")
            self.assertEqual(self.closed(sock), b"")
        lines = self.log.wait("proxy-refused", self.mark)
        self.assertIn("ip=127.0.0.2 times=1 detail=", lines[0])
        self.assertEqual(len(lines), 1)

    def test_no_header_elsewhere(self):
        """Who is trusted there cannot announce on another listener.  (The
        signature of version 2 has a QUIT in it, for such a case.)"""
        self.serve()
        pop = Pop(self.open(port=PLAIN))
        with self.assertRaises(PopError) as caught:
            pop.cmd(v1("192.0.2.9").rstrip())
        self.assertEqual(caught.exception.args[0], b"Unknown command.")
        self.assertEqual(self.shown(pop), "127.0.0.1")
        sock = self.open(port=PLAIN)
        sock.sendall(v2("192.0.2.9"))
        said = self.closed(sock).split(b"\r\n")
        self.assertEqual([x[:4] for x in said],
                         [b"+OK ", b"-ERR", b"-ERR", b"-ERR", b"+OK ", b""])

    def test_local_is_quiet(self):
        """No line, no limit but max_strangers; and none of who says nothing."""
        self.serve(max_sessions_per_address=2)
        mark = self.log.mark()
        checks = [self.behind(h) for h in 4 * [v2(command=0x20),
                                               b"PROXY UNKNOWN\r\n"]]
        for pop in checks:
            self.assertTrue(pop.greeting.startswith(b"+OK"))
        for _ in range(4):
            self.open().close()
            sock = self.open()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
            sock.close()
        for pop in checks[::2]:
            pop.quit()
        for pop in checks[1::2]:
            pop.close()
        self.assertEqual(self.shown(self.behind(v1("192.0.2.9"))),
                         "192.0.2.9")
        self.assertEqual([s for s in self.log.lines[mark:]
                          if "login-failed" not in s], [])

    def test_local_that_stays(self):
        """Its time ends as everybody's, without a line."""
        self.serve(login_timeout=1, fronts=1)
        for header in (v2(command=0x20), v1("192.0.2.9")):
            self.closed(self.behind(header).sock)
        lines = self.log.wait("limit-reached", self.mark)
        self.assertEqual(len(lines), 1)
        self.assertIn("limit=login_timeout ip=192.0.2.9 times=1", lines[0])

    def test_max_strangers_counts_who_says_nothing(self):
        self.serve(max_strangers=4, fronts=1)
        quiet = [self.open() for _ in range(4)]
        self.wait_for(lambda: self.closed(self.open()) == FULL, "limit")
        quiet[0].close()
        self.log.wait("limit-reached .*limit=max_strangers", self.mark)


class Rules(Proxied):
    def refused(self, header, text, **kw):
        sock = self.open(**kw)
        sock.sendall(header)
        got = sock.recv(4096)
        sock.close()
        if got.startswith(b"+OK"):
            return False
        self.assertEqual(got, text)
        return True

    def test_limits_are_of_the_announced(self):
        self.serve(max_sessions_per_address=2)
        one, two = (self.behind(v1("192.0.2.9")) for _ in range(2))
        one.login("alice", house.family.PASSWORD)
        self.assertTrue(self.refused(v2("192.0.2.9"), FULL))
        self.assertTrue(self.refused(v1("::ffff:192.0.2.9"), FULL))
        self.assertFalse(self.refused(v1("192.0.2.10"), FULL))
        self.assertFalse(self.refused(b"", FULL, port=PLAIN))
        self.log.wait("limit-reached .*limit=max_sessions_per_address "
                      "ip=192.0.2.9", self.mark)
        two.quit()
        self.wait_for(lambda: not self.refused(v1("192.0.2.9"), FULL), "room")
        # A network of 64 bits is one client.
        three = [self.behind(v1("2001:db8::%d" % n)) for n in (1, 2)]
        self.assertTrue(self.refused(v1("2001:db8::3"), FULL))
        self.assertFalse(self.refused(v1("2001:db8:0:1::3"), FULL))
        for pop in [one] + three:
            pop.close()

    def test_penalties_are_of_the_announced(self):
        """The proxy is on this host; who it speaks for is not."""
        self.serve(auth_fail_delay=1, auth_tries=20)
        pop = self.behind(v1("192.0.2.66"))
        for i in range(5):
            pop.cmd("USER", "alice")
            with self.assertRaises(PopError):
                pop.cmd("PASS", "wrong%d" % i)
        self.log.wait("login-delayed .*ip=192.0.2.66", self.mark)
        took = []
        for i in range(8):              # a busy machine only adds
            begun = time.monotonic()
            self.shown(self.behind(v1("198.51.%d.1" % i)))
            took.append(time.monotonic() - begun)
            if took[-1] < 1.9:
                break
        self.assertLess(min(took), 1.9)
        pop.close()

    def test_rules_of_listeners(self):
        self.serve("listen = 127.0.0.1:110 max_per_address=1",
                   "listen = 127.0.0.1:111 [::1]:111 networks=127.0.0.1,"
                   "192.0.2.0/24",
                   "listen = 127.0.0.1:1110 proxy networks=192.0.2.0/24 "
                   "max_per_address=3",
                   "proxy_networks = 127.0.0.0/8", max_sessions_per_address=2)
        one = Pop(self.open(port=110))
        self.assertTrue(self.refused(b"", FULL, port=110))
        self.log.wait("limit=max_sessions_per_address ip=127.0.0.1",
                      self.mark)
        two = Pop(self.open(port=111))
        self.assertTrue(self.refused(b"", FULL, port=111))
        for source, to in (("127.0.0.2", "127.0.0.1"), ("::1", "::1")):
            self.assertTrue(self.refused(b"", STRANGE, port=111,
                                         source=source, to=to))
        self.log.wait("limit=networks ip=127.0.0.2", self.mark)
        three = [self.behind(v1("192.0.2.1")) for _ in range(3)]
        self.assertTrue(self.refused(v1("192.0.2.1"), FULL))
        self.assertTrue(self.refused(v1("198.51.100.1"), STRANGE))
        self.assertFalse(self.refused(b"PROXY UNKNOWN\r\n", STRANGE))
        for pop in [one, two] + three:
            pop.close()


class Alone(Proxied):
    """isolation = single, for one user's own settings."""

    CONF = "/home/alice/pop/conf"

    def start(self, argv, *rows, **kw):
        self.host.mkdir("/home/alice/pop", 0o755, "alice")
        self.host.write("/home/alice/pop/users", "", 0o600, "alice")
        self.host.write(self.CONF, house.family.conf(
            **{**house.family.OPTIONS, "isolation": "single",
               "maildrop": "~/mbox", "passwd_file": "users",
               "state_dir": "state", "run_dir": "run", "deny_file": "none"})
            + "".join(r + "\n" for r in rows), 0o644, "alice")
        server = self.host.popen(argv, user="alice", **kw)
        if server.stderr:
            self.addCleanup(server.stderr.close)
        self.addCleanup(server.stop)
        return server


class Single(Alone):
    """isolation = single: rules, but no proxy."""

    def single(self, *rows):
        return self.start(
            ["/usr/sbin/popper", "serve", "--config", self.CONF], *rows,
            stderr=subprocess.PIPE)

    def said(self, source):
        sock = self.open(1111, source)
        said = sock.recv(4096)
        sock.close()
        return said

    def test_rules(self):
        self.single("listen = 127.0.0.1:1111 networks=127.0.0.4/31 "
                    "max_per_address=2")
        self.host.wait_port(1111)
        held = [Pop(self.open(1111, "127.0.0.5")) for _ in range(2)]
        self.assertEqual(self.said("127.0.0.5"), FULL)
        self.assertTrue(self.said("127.0.0.4").startswith(b"+OK"))
        self.assertEqual(self.said("127.0.0.6"), STRANGE)
        self.log.wait("limit=max_sessions_per_address ip=127.0.0.5",
                      self.mark)
        self.log.wait("limit=networks ip=127.0.0.6", self.mark)
        for pop in held:
            pop.close()

    def test_no_proxy(self):
        server = self.single("listen = 127.0.0.1:1111 proxy",
                             "proxy_networks = 127.0.0.1")
        self.assertEqual(server.wait(60), 78)
        self.assertIn(b"listen: proxy is not for isolation = single",
                      server.stderr.read())


class Xclient(Proxied):
    ROWS = Proxied.ROWS + ("xclient_networks = 127.0.0.7 192.0.2.7 ::1",)

    def xclient(self, args, **kw):
        pop = Pop(self.open(**{"port": PLAIN, "source": "127.0.0.7", **kw}))
        self.assertTrue(pop.greeting.startswith(b"+OK [XCLIENT] popper"))
        return pop, pop.cmd(b"XCLIENT " + args)

    def test_announced(self):
        self.serve()
        for args, ip in (
                (b"ADDR=192.0.2.9 PORT=4711", "192.0.2.9"),
                (b"ADDR=IPV6:2001:db8::9", "2001:db8::9"),
                (b"ADDR=2001:db8::9 PORT=1 SESSION=a+b== TTL=4",
                 "2001:db8::9"),
                (b"addr=192+2E0.2.9 login=alice port=[unavailable]",
                 "192.0.2.9"),
                (b"ADDR=::ffff:192.0.2.9", "192.0.2.9"),
                (b"ADDR=[UNAVAILABLE]", "127.0.0.7")):
            with self.subTest(args):
                pop, said = self.xclient(args)
                self.assertEqual(said, b"Updated.")
                self.assertEqual(self.shown(pop), ip)
        pop, _ = self.xclient(b"ADDR=2001:db8::9", source="::1", to="::1")
        self.assertEqual(self.shown(pop), "2001:db8::9")

    def test_a_session(self):
        self.serve()
        pop, _ = self.xclient(b"ADDR=192.0.2.9 PORT=4711 LOGIN=alice")
        self.assertEqual(pop.login("alice", house.family.PASSWORD)[0], 3)
        with self.assertRaises(PopError):
            pop.cmd("XCLIENT ADDR=192.0.2.8")
        pop.quit()
        for event in ("login", "session-end"):
            self.log.wait(r"%s .*ip=192\.0\.2\.9 " % event, self.mark)
        self.assertEqual(self.log.find("misbehaved|role-died", self.mark), [])

    def test_who_may(self):
        """Nobody else sees or says it; behind a proxy it is for the announced
        one; and it is not for who was announced by it."""
        self.serve()
        for pop in (Pop(self.open(port=PLAIN)),
                    self.behind(v1("192.0.2.9")),
                    self.behind(b"PROXY UNKNOWN\r\n")):
            self.assertNotIn(b"XCLIENT", pop.greeting)
            self.assertNotIn(b"XCLIENT", pop.multi("CAPA")[1])
            with self.assertRaises(PopError) as caught:
                pop.cmd("XCLIENT", "ADDR=192.0.2.8")
            self.assertEqual(caught.exception.args[0], b"Unknown command.")
            self.assertNotEqual(self.shown(pop), "192.0.2.8")
        pop = self.behind(v1("192.0.2.7"))
        self.assertIn(b"\r\nXCLIENT ADDR PORT\r\n", pop.multi("CAPA")[1])
        pop.cmd("XCLIENT", "ADDR=192.0.2.8")
        self.assertNotIn(b"XCLIENT", pop.multi("CAPA")[1])
        with self.assertRaises(PopError):
            pop.cmd("XCLIENT", "ADDR=192.0.2.10")
        self.assertEqual(self.shown(pop), "192.0.2.8")
        pop = self.behind(v1("192.0.2.7"))
        pop.cmd("XCLIENT", "ADDR=2001:db8::8")
        pop.login("alice", house.family.PASSWORD)
        pop.quit()
        self.log.wait("session-end .*ip=2001:db8::8 ", self.mark)

    def test_mistakes(self):
        self.serve()
        for args in (b"", b"PORT=1", b"ADDR=", b"ADDR=x", b"ADDR=1.2.3",
                     b"ADDR=192.0.2.9 PORT=65536", b"ADDR=192.0.2.9 X=Y",
                     b"ADDR=192.0.2.9 ADDR=192.0.2.8", b"ADDR=192.0.2.9+0D",
                     b"ADDR=192.0.2.9\xff", b"ADDR=192.0.2.9\0"):
            with self.subTest(args):
                with self.assertRaises(PopError):
                    self.xclient(args)
        pop = Pop(self.open(port=PLAIN, source="127.0.0.7"))
        pop.cmd("USER", "alice")
        with self.assertRaises(PopError):
            pop.cmd("XCLIENT", "ADDR=x")
        with self.assertRaises(PopError) as caught:
            pop.cmd("PASS", house.family.PASSWORD)
        self.assertIn(b"USER", caught.exception.args[0])
        pop.cmd("XCLIENT", "ADDR=192.0.2.9")
        self.assertEqual(self.shown(pop), "192.0.2.9")

    def test_pipelined(self):
        self.serve()
        sock = self.open(port=PLAIN, source="127.0.0.7")
        sock.sendall(b"XCLIENT ADDR=192.0.2.9\r\nUSER alice\r\nPASS %s\r\n"
                     b"STAT\r\nQUIT\r\n" % house.family.PASSWORD.encode())
        said = self.closed(sock).split(b"\r\n")
        self.assertEqual([x[:3] for x in said[:6]], [b"+OK"] * 6, said)
        self.log.wait(r"login .*ip=192\.0\.2\.9 ", self.mark)

    def test_limits(self):
        """Its own connections do not count against the webmail server's
        address once they are for others."""
        self.serve(max_sessions_per_address=2)
        held = [self.xclient(b"ADDR=192.0.2.%d" % n)[0] for n in range(5)]
        held.append(self.xclient(b"ADDR=192.0.2.1")[0])
        with self.assertRaises(PopError) as caught:
            self.xclient(b"ADDR=192.0.2.1")
        self.assertEqual(b"-ERR " + caught.exception.args[0] + b"\r\n", FULL)
        for pop in held:
            pop.quit()
        self.wait_for(lambda: self.free(b"ADDR=192.0.2.1"), "room")

    def free(self, args):
        try:
            pop, _ = self.xclient(args)
        except PopError:
            return False
        pop.close()
        return True


if __name__ == "__main__":
    unittest.main()
