# SPDX-License-Identifier: ISC
"""popper serve behind the real HAProxy, and curl that plays one."""

import csv
import os
import re
import socket
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "serve"), os.path.join(TESTS, "tls")]

import house                                                    # noqa: E402
from house_tls import certificate, trusting                     # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

NAME = "pop.example.org"
PEM = certificate(NAME)

V1, V2, ROUGH, STRANGER, TLS = 2110, 2111, 2112, 2113, 2995
CONF = """
global
    stats socket /run/haproxy.sock mode 600
defaults
    mode tcp
    timeout connect 5s
    timeout check 20s
    timeout client 60s
    timeout server 60s
listen v1
    bind 127.0.0.1:%d
    bind [::1]:%d
    server pop 127.0.0.1:1110 send-proxy check inter 50ms
listen v2
    bind 127.0.0.1:%d
    bind [::1]:%d
    unique-id-format %%{+X}o\\ %%ci:%%cp_%%fi:%%fp_%%Ts_%%rt:%%pid
    option tcp-check
    tcp-check connect send-proxy
    tcp-check expect rstring ^\\+OK
    tcp-check send QUIT\\r\\n
    tcp-check expect string +OK
    server pop [::1]:1110 send-proxy-v2 proxy-v2-options crc32c,unique-id check inter 50ms
listen rough
    bind 127.0.0.1:%d
    option tcp-check
    tcp-check connect
    server pop 127.0.0.1:1110 send-proxy-v2 check inter 50ms
listen stranger
    bind 127.0.0.1:%d
    server pop 127.0.0.1:1110 source 127.0.0.9 send-proxy-v2
listen tls
    bind 127.0.0.1:%d ssl crt /etc/haproxy.pem
    server pop 127.0.0.1:1110 send-proxy-v2-ssl
""" % (V1, V1, V2, V2, ROUGH, STRANGER, TLS)


class Haproxy(house.House):
    PACKAGES = ("haproxy",)
    ROWS = ("listen = 127.0.0.1:110",
            "listen = 127.0.0.1:1110 [::1]:1110 proxy",
            "proxy_networks = 127.0.0.1 ::1")
    GONE, CHECKS = "127.0.0.1", 40

    def balance(self, **options):
        self.serve(*self.ROWS, **{"auth_fail_delay": 0, **options})
        self.host.write("/etc/haproxy.cfg", CONF)
        self.host.write("/etc/haproxy.pem", "".join(PEM), 0o600)
        self.haproxy = self.host.popen(["/usr/sbin/haproxy", "-db", "-f",
                                        "/etc/haproxy.cfg"])
        self.addCleanup(self.haproxy.stop)
        for port in (V1, V2, ROUGH, STRANGER, TLS):
            self.host.wait_port(port)

    def through(self, port, source="127.0.0.5", to="127.0.0.1"):
        sock = self.host.in_network(lambda: socket.create_connection(
            (to, port), 120, (source, 0)))
        self.addCleanup(sock.close)
        return Pop(sock)

    def checked(self):
        """The backends that are up because the last check that ended passed: one
        is nearly always under way, if the machine is slow."""
        def ask():
            with socket.socket(socket.AF_UNIX) as s:
                s.connect("/run/haproxy.sock")
                s.sendall(b"show stat\n")
                out = b""
                while data := s.recv(65536):
                    out += data
            return out.decode()
        rows = csv.DictReader(self.host.call(ask).lstrip("# ").splitlines())
        return {row["pxname"] for row in rows
                if row["svname"] == "pop" and row["status"].startswith("UP")
                and row["check_status"].lstrip("* ") in ("L4OK", "L7OK")}

    def test_clients(self):
        self.balance(status_headers="no")
        with Pop(self.host.connect(110)) as pop:
            pop.login("alice", house.family.PASSWORD)
            want = [pop.retr(n) for n in (1, 2, 3)]
            pop.quit()
        for port, source, to in ((V1, "127.0.0.5", "127.0.0.1"),
                                 (V1, "::1", "::1"),
                                 (V2, "127.0.0.5", "127.0.0.1"),
                                 (V2, "::1", "::1"),
                                 (ROUGH, "127.0.0.5", "127.0.0.1")):
            with self.subTest(port=port, source=source):
                mark = self.log.mark()
                pop = self.through(port, source, to)
                self.assertEqual(pop.login("alice", house.family.PASSWORD)[0],
                                 3)
                self.assertEqual([pop.retr(n) for n in (1, 2, 3)], want)
                pop.quit()
                for event in ("login", "session-end"):
                    self.log.wait("%s .*user=alice ip=%s "
                                  % (event, re.escape(source)), mark)

    def test_tls_ends_there(self):
        """Who comes by TLS is told from who does not."""
        self.balance(access="deny tls=no")
        pop = Pop(trusting(PEM[0]).wrap_socket(
            self.host.connect(TLS), server_hostname=NAME))
        pop.login("alice", house.family.PASSWORD)
        pop.quit()
        with self.through(V2) as pop:
            with self.assertRaisesRegex(PopError, "Authentication failed"):
                pop.login("alice", house.family.PASSWORD)

    def test_limits_are_of_its_clients(self):
        self.balance(max_sessions_per_address=2)
        held = [self.through(port, "127.0.0.%d" % n)
                for port in (V1, V2) for n in (5, 6, 7)]
        sock = self.host.in_network(lambda: socket.create_connection(
            ("127.0.0.1", V2), 120, ("127.0.0.6", 0)))
        self.assertEqual(sock.recv(4096), house.FULL)
        sock.close()
        self.log.wait("limit-reached .*ip=127.0.0.6", self.mark)
        for pop in held:
            pop.quit()

    def test_health_checks_are_quiet(self):
        """With a header, with a dialogue, with nothing at all."""
        self.balance(max_sessions_per_address=2, debug="yes")
        mark = self.log.mark()
        self.wait_for(lambda: self.checked() == {"v1", "v2", "rough"},
                      "servers that are up")
        # Of v2 the checks that talk, of the others those that go away.
        self.log.wait("stranger-end .*ip=::1 reason=quit", mark, 120, 20)
        self.log.wait("stranger-end .*ip=%s reason=client-gone" % self.GONE,
                      mark, 120, self.CHECKS)
        loud = [s for s, p in zip(self.log.lines[mark:],
                                  self.log.priorities[mark:])
                if p & 7 != 7 and s.startswith("popper")]
        self.assertEqual(loud, [])
        self.assertEqual(self.log.find("limit|refused", mark), [])
        for n in range(10, 20):
            self.through(V2, "127.0.0.%d" % n).quit()
        self.wait_for(lambda: self.checked() == {"v1", "v2", "rough"},
                      "servers that are still up")

    def test_of_an_address_that_is_not_named(self):
        self.balance()
        sock = self.host.in_network(lambda: socket.create_connection(
            ("127.0.0.1", STRANGER), 20))
        try:
            self.assertEqual(sock.recv(4096), b"")
        except ConnectionResetError:
            pass
        sock.close()
        self.log.wait('proxy-refused .*ip=127.0.0.9 times=1 '
                      'detail="it is not in proxy_networks"', self.mark)
        self.assertEqual(self.log.find("login", self.mark), [])


class Curl(house.House):
    PACKAGES = ("curl",)

    def test_curl(self):
        self.serve(*Haproxy.ROWS, auth_fail_delay=0)
        r = self.host.run(["curl", "-sS", "--haproxy-protocol",
                           "pop3://alice:%s@127.0.0.1:1110/"
                           % house.family.PASSWORD])
        self.assertEqual((r.returncode, len(r.stdout.split(b"\n"))), (0, 4))
        self.log.wait("session-end .*ip=127.0.0.1 reason=quit", self.mark)
        r = self.host.run(["curl", "-sS", "pop3://alice:x@127.0.0.1:1110/"])
        self.assertNotEqual(r.returncode, 0)


if __name__ == "__main__":
    unittest.main()
