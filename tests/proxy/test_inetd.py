# SPDX-License-Identifier: ISC
"""A bare popper behind proxies: the tests of popper serve, with a super-server in
its place; and the real HAProxy in front of three of those."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import test_haproxy                                             # noqa: E402
import test_proxy                                               # noqa: E402

house, v1, v2 = test_proxy.house, test_proxy.v1, test_proxy.v2
Pop = test_proxy.Pop
PLACES = [(to, port) for port in (test_proxy.PLAIN, test_proxy.PROXY)
          for to in ("127.0.0.1", "::1")]


class Activate:
    """systemd-socket-activate, for all places."""

    def __init__(self, host):
        where = [w for to, port in PLACES for w in
                 ("-l", "%s:%d" % ("[::1]" if ":" in to else to, port))]
        self.process = host.popen(
            ["/usr/bin/systemd-socket-activate", "--inetd", "--accept", "-E",
             "POPPER_REPORT", *where, "/usr/sbin/popper"], stderr=-3)
        for _, port in PLACES:
            host.wait_port(port)

    def stop(self):
        self.process.stop()


class Bare:
    """In place of popper serve."""

    PACKAGES = ("systemd",)
    SERVER = Activate

    def serve(self, *rows, **options):
        house.family.Family.serve(self, *(rows or self.ROWS),
                                  **{"auth_fail_delay": 0, **options})


class Headers(Bare, test_proxy.Headers):
    # They are about what many strangers have in common.
    test_local_that_stays = None
    test_max_strangers_counts_who_says_nothing = None

    def test_no_header(self):
        """Closed at once without a word; each has its line."""
        self.serve()
        for n, data in enumerate(self.BAD, 1):
            with self.subTest(data):
                sock = self.open()
                sock.sendall(data)
                self.assertEqual(self.closed(sock), b"")
                self.assertIn(" ip=127.0.0.1 times=1 detail=", self.log.wait(
                    "proxy-refused", self.mark, count=n)[-1])
        sock = self.open()
        sock.sendall(v1("192.0.2.9")[:20])
        sock.shutdown(test_proxy.socket.SHUT_WR)
        self.assertEqual(self.closed(sock), b"")
        self.log.wait('detail="the PROXY header is cut off"', self.mark)
        self.assertEqual(self.log.find("login|misbehaved|died", self.mark), [])

    def test_who_is_not_named(self):
        """A forged header of somebody else's is not read at all."""
        self.serve()
        sock = self.open(source="127.0.0.2")
        self.assertEqual(self.closed(sock), b"")
        self.log.wait('proxy-refused .*ip=127.0.0.2 times=1 detail="it is not '
                      'in proxy_networks"', self.mark)

    def awaiting(self):
        """A connection whose header has not come: and its monitor and front."""
        sock = self.open()
        self.wait_for(lambda: [m for m in self.members() if m.uid == 990
                               and m.status["Seccomp"] == ["2"]], "a front")
        return sock, *sorted(self.members(), key=lambda m: m.uid)

    def test_who_reads_it(self):
        """A process without rights, and root waits for it."""
        self.serve()
        sock, monitor, front = self.awaiting()
        self.assertEqual((monitor.uid, front.parent), (0, monitor.pid))
        self.assertIn("/empty", os.readlink("/proc/%d/root" % front.pid))
        sock.sendall(v1("192.0.2.9"))
        self.assertEqual(self.shown(Pop(sock)), "192.0.2.9")

    def test_stop(self):
        self.serve(debug="yes")
        sock, *both = self.awaiting()
        for m in both:
            m.kill(signal.SIGTERM)
        self.assertEqual(self.closed(sock), b"")
        self.log.wait("stranger-end .*ip=127.0.0.1 reason=stopped", self.mark)
        self.only_server()

    def test_monitor_that_dies(self):
        self.serve()
        sock, monitor, _ = self.awaiting()
        monitor.kill()
        self.log.wait("stranger-end .*ip=127.0.0.1 reason=monitor-gone",
                      self.mark)
        self.assertEqual(self.closed(sock), b"")
        self.only_server()


class Xclient(Bare, test_proxy.Xclient):
    test_limits = None


class Rules(Bare, test_proxy.Proxied):
    def test_networks(self):
        """Of who connects, or of whom a header announces."""
        self.serve("listen = 127.0.0.1:110 networks=127.0.0.4/31",
                   "listen = 127.0.0.1:1110 proxy networks=192.0.2.0/24",
                   "proxy_networks = 127.0.0.1")
        for served, header, kw in (
                (True, b"", {"port": 110, "source": "127.0.0.5"}),
                (False, b"", {"port": 110, "source": "127.0.0.6"}),
                (True, v1("192.0.2.9"), {}),
                (True, v2(command=0x20), {}),
                (False, v1("198.51.100.9"), {})):
            with self.subTest(header=header, **kw):
                sock = self.open(**kw)
                sock.sendall(header + b"QUIT\r\n")
                said = self.closed(sock)
                if served:
                    self.assertTrue(said.startswith(b"+OK"), said)
                else:
                    self.assertEqual(said, test_proxy.STRANGE)
        for ip in ("127.0.0.6", "198.51.100.9"):
            self.log.wait("limit-reached .*limit=networks ip=" + ip, self.mark)
        self.assertEqual(self.log.find("misbehaved", self.mark), [])

    def test_names_are_of_the_announced(self):
        """Nobody asks for the name of the proxy."""
        self.serve(peer_check="yes", name_servers="127.0.0.1:9",
                   peer_check_timeout=1, debug="yes")
        for header in (v2(command=0x20), v1("192.0.2.9")):
            self.behind(header).quit()
        self.log.wait("peer-.* ip=192.0.2.9", self.mark)
        self.only_server(10)
        self.assertEqual(self.log.find("peer-.* ip=(127|::1)", self.mark), [])


class Single(Bare, test_proxy.Alone):
    """isolation = single: no header is read, and none is passed over."""

    def single(self, *rows):
        self.start(
            ["/usr/bin/systemd-socket-activate", "--inetd", "--accept", "-E",
             "POPPER_REPORT", "-l", "127.0.0.1:1111", "-l", "127.0.0.1:1112",
             "/usr/sbin/popper", "--config", self.CONF], *rows, stderr=-3)
        for port in (1111, 1112):
            self.host.wait_port(port)

    def test_rules(self):
        self.single("listen = 127.0.0.1:1111 proxy",
                    "listen = 127.0.0.1:1112 networks=127.0.0.4/31",
                    "proxy_networks = 127.0.0.1")
        sock = self.open(1111)
        self.assertEqual(self.closed(sock), b"")
        self.log.wait("proxy-refused .*ip=127.0.0.1 .*isolation = single",
                      self.mark)
        Pop(self.open(1112, "127.0.0.5")).quit()
        self.assertEqual(self.open(1112, "127.0.0.6").recv(4096),
                         test_proxy.STRANGE)
        self.log.wait("limit=networks ip=127.0.0.6", self.mark)


class Haproxy(Bare, test_haproxy.Haproxy):
    PACKAGES = ("haproxy", "systemd")
    # Some before popper has begun, or was even started.
    GONE, CHECKS = "(127.0.0.1|unknown)", 5
    test_limits_are_of_its_clients = None       # there is nobody who counts


class Inetd(Activate):
    def __init__(self, host):
        self.process = self.start(host)
        for _, port in PLACES:
            host.wait_port(port)

    @staticmethod
    def start(host):
        host.write("/etc/inetd.conf", "".join(
            "%s:%d stream tcp%s nowait.4000 root /usr/sbin/popper popper\n"
            % ("[::1]" if ":" in to else to, port, "6" if ":" in to else "")
            for to, port in PLACES))
        return host.popen(["/usr/sbin/inetd", "-i", "/etc/inetd.conf"])


class Xinetd(Inetd):
    SERVICE = """service pop3
{
	id = pop%d
	type = UNLISTED
	bind = %s
	port = %d
	flags = %s
	socket_type = stream
	protocol = tcp
	wait = no
	user = root
	server = /usr/sbin/popper
	cps = 4000 1
	disable = no
}
"""

    @classmethod
    def start(cls, host):
        host.write(
            "/etc/xinetd.conf", "defaults\n{\n\tinstances = UNLIMITED\n}\n"
            + "".join(cls.SERVICE % (i, to, port, "IPv6" if ":" in to
                                     else "IPv4")
                      for i, (to, port) in enumerate(PLACES)))
        return host.popen(["/usr/sbin/xinetd", "-dontfork", "-f",
                           "/etc/xinetd.conf"])


class InetdHaproxy(Haproxy):
    PACKAGES = ("haproxy", "openbsd-inetd")
    SERVER = Inetd


class XinetdHaproxy(Haproxy):
    PACKAGES = ("haproxy", "xinetd")
    SERVER = Xinetd


if __name__ == "__main__":
    unittest.main()
