# SPDX-License-Identifier: ISC
"""TLS from the first octet and by STLS, with OpenSSL at the other end."""

import fcntl
import re
import shutil
import signal
import ssl
import time
import unittest

import house_tls
from both import PASSWORD, Both
from house_tls import (                                         # noqa: E402
    POP, POPS, Pop, certificate, insecure, trusting)
from lib.flavour import SANITIZED
from lib.popper import PopError
from lib.stall import quick_enough
from lib.strace import Strace

LARGE = 5 << 20


class Dialogue(Both, house_tls.Tls):
    def over(self):
        self.no_sessions()

    def test_update(self):
        self.serve()
        for i, way in enumerate(self.both()):
            pop = way()
            self.assertEqual(pop.login("alice", PASSWORD)[0], 3 - i)
            pop.dele(1)
            pop.quit()
            self.no_sessions()
        self.assertEqual(self.next_number(), 1)

    def next_number(self):
        with Pop(self.open(POP)) as pop:
            n = pop.login("alice", PASSWORD)[0]
            pop.quit()
        return n

    def test_large(self):
        body = b"".join(b"%07d %s\n" % (i, b"x" * 91)
                        for i in range(LARGE // 100))
        text = b"From a@b Mon Jan  1 12:00:00 2024\nSubject: x\n\n" + body
        self.serve()
        want = text.partition(b"\n")[2].replace(b"\n", b"\r\n")
        for way in self.both():
            self.host.spool("alice", text + b"\n")
            pop = way()
            pop.login("alice", PASSWORD)
            self.assertEqual(pop.retr(1), want)
            pop.quit()
            self.no_sessions()

    def test_large_from_its_file(self):
        """Of a Maildir, and with CRLF: nothing is converted."""
        folder = "/home/alice/Maildir"
        text = b"Subject: x\r\n\r\n" + b"%s\r\n" % (b"x" * 90) * 92000
        self.addCleanup(self.host.call, shutil.rmtree, folder)
        for part in ("", "/cur", "/new", "/tmp"):
            self.host.mkdir(folder + part, 0o700, "alice")
        self.host.write(folder + "/cur/1700000000.1.host:2,S", text, 0o600,
                        "alice")
        self.serve(maildrop="~/Maildir/")
        pop = self.stls()
        pop.login("alice", PASSWORD)
        self.assertTrue(pop.retr(1) == text)
        pop.quit()

    def test_front_dies(self):
        """So does what it relays: an end without QUIT."""
        self.serve()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        pop.dele(1)
        for m in self.named("popper-front"):
            m.kill()
        self.no_sessions()
        self.wait_for(lambda: self.count() == house_tls.house.ROLES,
                      "all roles")
        self.unchanged()
        self.next_login()

    def test_reload(self):
        """Who has logged in stays with the front that he has; when he leaves,
        so does that."""
        self.serve()
        session, stranger = self.pops(), self.stls()
        session.login("alice", PASSWORD)
        self.server.process.send_signal(1)
        self.log.wait("reloaded ", self.mark)
        stranger.login("bob", PASSWORD)
        stranger.quit()
        self.pops().quit()
        self.wait_for(lambda: self.count()["popper-auth"] == 1, "one auth")
        self.assertEqual(session.stat()[0], 3)
        session.dele(1)
        session.quit()
        self.wait_for(lambda: self.count() == house_tls.house.ROLES,
                      "one crew")
        self.assertEqual(self.log.find("role-died|misbehaved", self.mark), [])

    def test_stop_in_update(self):
        """The last reply comes through, though the server is ending."""
        self.serve()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        pop.dele(1)
        with open("/proc/%d/root/var/mail/alice" % self.host.pid,
                  "r+b") as holder:
            fcntl.lockf(holder, fcntl.LOCK_EX)
            pop.send(b"QUIT\r\n")
            self.heard(pop)
            self.server.process.send_signal(15)
            time.sleep(0.5)
        self.assertTrue(pop.reply().endswith(b"signing off."))
        pop.at_end()
        self.assertEqual(self.server.process.wait(60), 0)

    def test_stop(self):
        self.serve()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        self.server.process.send_signal(15)
        self.assertEqual(self.ended(pop), b"")
        self.log.wait("session-end .*reason=stopped", self.mark)
        self.unchanged()

    def test_two_at_once(self):
        self.serve()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        other = self.stls()
        other.cmd("USER", "alice")
        with self.assertRaisesRegex(PopError, "IN-USE"):
            other.cmd("PASS", PASSWORD)
        pop.quit()

    def test_idle_session_times_out(self):
        self.serve(timeout=2, drain_timeout=1)
        pop = self.pops()
        pop.login("alice", PASSWORD)
        self.assertEqual(self.ended(pop), b"")
        self.log.wait("session-end .*reason=timeout", self.mark)
        self.no_sessions()

    def test_slow_reader_is_not_idle(self):
        """The session knows that its client still takes octets, though they
        lie in the buffers of three sockets.  And it is long enough to see that
        certificates which are new at the start were not renewed for that."""
        self.lay(self.cert, self.key)
        body = b"x" * 99 + b"\n"
        self.host.spool("alice", b"From a@b Mon Jan  1 12:00:00 2024\n\n"
                        + body * 60000 + b"\n")
        self.serve(timeout=2, min_rate=0)

        def take(step):
            pop = self.pops()
            pop.login("alice", PASSWORD)
            pop.send(b"RETR 1\r\n")
            end = time.monotonic() + 7
            got = 0
            while time.monotonic() < end:
                step()
                got += len(pop.sock.recv(8192))
                time.sleep(0.05)
            while got < 60000 * 101:
                step()
                data = pop.sock.recv(1 << 20)
                self.assertTrue(data, "cut off after %d octets" % got)
                got += len(data)
            pop.send(b"QUIT\r\n")
            while pop.sock.recv(65536):
                pass
        quick_enough(take, 1)
        self.log.wait("session-end .*reason=quit", self.mark)
        self.assertEqual(self.log.find("tls-renewed", self.mark), [])


class Shared(Dialogue):
    """The same with users who share processes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("/etc/popper/users", "".join(
            "%s:{PLAIN}%s:1001:1001::/home/%s\n" % (user, PASSWORD, user)
            for user in ("alice", "bob")), 0o600)

    def serve(self, *rows, **options):
        super().serve(*rows, **{"sessions_per_process": 10, **options})

    def no_sessions(self, seconds=120):
        super().no_sessions(seconds)
        logins = len(self.log.wait(r"\blogin .*user=", self.mark))
        self.log.wait("session-end ", self.mark, count=logins)


class Stls(house_tls.Tls):
    def test_capa(self):
        self.serve()
        with Pop(self.open(POP)) as pop:
            self.assertIn(b"STLS", pop.multi("CAPA")[1].split(b"\r\n"))
        for pop in (self.pops(), self.stls()):
            self.assertNotIn(b"STLS", pop.multi("CAPA")[1].split(b"\r\n"))
            self.assertIn(b"USER", pop.multi("CAPA")[1].split(b"\r\n"))
            with self.assertRaisesRegex(PopError, "TLS is active"):
                pop.cmd("STLS")
            pop.quit()

    def test_without_certificate(self):
        self.serve("listen = 127.0.0.1:110")
        with Pop(self.open(POP)) as pop:
            self.assertNotIn(b"STLS", pop.multi("CAPA")[1])
            with self.assertRaisesRegex(PopError, "Unknown command"):
                pop.cmd("STLS")

    def test_nothing_survives(self):
        """RFC 2595 s.4: neither a name nor what was sent along (CVE-2011-0411
        and its kin), were it half a command."""
        self.serve()
        pop = Pop(self.open(POP))
        pop.cmd("USER", "alice")
        pop.cmd("STLS")
        pop.sock = self.wrap(pop.sock)
        with self.assertRaisesRegex(PopError, "USER first"):
            pop.cmd("PASS", PASSWORD)
        pop.quit()
        for tail in (b"USER alice\r\n", b"USER al", b"NOOP\r\nCAPA\r\n",
                     b"x" * 2000):
            with self.subTest(tail=tail):
                sock = self.open(POP)
                pop = Pop(sock)
                pop.send(b"STLS\r\n" + tail)
                pop.reply()
                pop.sock = self.wrap(pop.sock)
                pop.cmd("USER", "alice")
                pop.cmd("PASS", PASSWORD)
                pop.quit()
                self.no_sessions()

    def test_no_hello(self):
        """What is no TLS is not POP3 either."""
        self.serve()
        for port, first in ((POP, b"STLS\r\n"), (POPS, b"")):
            for said in (b"USER alice\r\nPASS x\r\n", b"\x16\x03\x01\xff\xff",
                         b"GET / HTTP/1.0\r\n\r\n", b"\0" * 5000):
                sock = self.open(port)
                if first:
                    sock.sendall(first)
                    while not sock.recv(4096).endswith(b"negotiation.\r\n"):
                        pass
                sock.sendall(said)
                got = b""
                try:
                    while data := sock.recv(4096):
                        got += data
                except ConnectionResetError:
                    pass
                self.assertNotIn(b"OK", got)
                self.assertNotIn(b"ERR", got)
        self.next_login()

    def test_endless_handshake(self):
        self.serve(login_timeout=2)
        for port in (POP, POPS):
            sock = self.open(port)
            if port == POP:
                sock.sendall(b"STLS\r\n")
                while not sock.recv(4096).endswith(b"negotiation.\r\n"):
                    pass
            began = time.monotonic()
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
            while sock.recv(100):
                pass
            self.assertLess(time.monotonic() - began, 30)


class Clear(house_tls.Tls):
    """Who may say a password without TLS."""

    REFUSED = rb"\[SYS/PERM\] Passwords are not taken in the clear: .*TLS"

    def announced(self, ip):
        pop = Pop(self.open(POP))
        pop.cmd("XCLIENT", "ADDR=" + ip, "PORT=1")
        return pop

    def serve(self, **options):
        super().serve(*self.ROWS, "xclient_networks = 127.0.0.1",
                      **options)

    def refused(self, pop):
        self.assertNotIn(b"USER", pop.multi("CAPA")[1].split(b"\r\n"))
        for words in (("USER", "alice"), ("PASS", "x"), ("USER", "alice")):
            with self.assertRaises(PopError) as caught:
                pop.cmd(*words)
            self.assertRegex(caught.exception.args[0], self.REFUSED)
        pop.cmd("STLS")
        pop.sock = self.wrap(pop.sock)
        self.assertIn(b"USER", pop.multi("CAPA")[1].split(b"\r\n"))
        pop.cmd("USER", "alice")
        pop.cmd("PASS", PASSWORD)
        pop.quit()
        self.no_sessions()

    def test_default(self):
        self.serve()
        self.refused(self.announced("192.0.2.1"))
        self.refused(self.announced("2001:db8::1"))
        for ip in ("127.0.0.9", "::1"):
            pop = self.announced(ip)
            pop.login("alice", PASSWORD)
            pop.quit()
            self.no_sessions()

    def test_networks(self):
        self.serve(plaintext_networks="192.0.2.0/24")
        pop = self.announced("192.0.2.1")
        pop.login("alice", PASSWORD)
        pop.quit()
        self.refused(self.announced("192.0.3.1"))


class Certificates(house_tls.Tls):
    OTHER = "mail.example.net"

    def common(self, context, name):
        pop = self.pops(context, name)
        names = [v for k, v in pop.sock.getpeercert()["subjectAltName"]]
        pop.quit()
        return names

    def test_names_and_kinds(self):
        other, other_key = certificate(self.OTHER)
        rsa, rsa_key = certificate(self.NAME, kind="rsa")
        self.lay(rsa, rsa_key, "2")
        self.lay(other, other_key, "3")
        self.serve(*self.ROWS,
                   "tls_certificate = cert2.pem key=key2.pem",
                   "tls_certificate = cert3.pem key=key3.pem")
        self.assertEqual(self.common(trusting(other), self.OTHER),
                         [self.OTHER])
        self.assertEqual(self.common(trusting(self.cert), self.NAME),
                         [self.NAME])
        only_rsa = trusting(rsa)
        only_rsa.maximum_version = ssl.TLSVersion.TLSv1_2
        only_rsa.set_ciphers("aRSA")
        self.assertEqual(self.common(only_rsa, self.NAME), [self.NAME])

    def test_as_many_as_the_page_says(self):
        rows = []
        for i in range(1, 32):
            last, key = certificate("pop%d.example.org" % i)
            self.lay(last, key, str(i))
            rows.append("tls_certificate = cert%d.pem key=key%d.pem" % (i, i))
        self.serve(*self.ROWS, *rows)
        self.assertEqual(self.common(trusting(last), "pop31.example.org"),
                         ["pop31.example.org"])

    def test_one_file(self):
        self.host.write("/etc/popper/both.pem", self.cert + self.key, 0o600)
        self.serve(*self.ROWS[:2], "tls_certificate = both.pem")
        self.pops().quit()

    def test_versions(self):
        self.serve(*self.ROWS, "listen = 127.0.0.1:1995 tls old_tls")
        for version, port, good in (
                (ssl.TLSVersion.TLSv1_3, POPS, True),
                (ssl.TLSVersion.TLSv1_2, POPS, True),
                (ssl.TLSVersion.TLSv1_1, POPS, False),
                (ssl.TLSVersion.TLSv1, POPS, False),
                (ssl.TLSVersion.TLSv1_3, 1995, True),
                (ssl.TLSVersion.TLSv1, 1995, True)):
            with self.subTest(version=version, port=port):
                context = trusting(self.cert)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = context.maximum_version = version
                if good:
                    Pop(self.wrap(self.open(port), context)).quit()
                else:
                    with self.assertRaises((ssl.SSLError, ConnectionError)):
                        self.wrap(self.open(port), context)

    def test_who_needs_old_tls(self):
        self.serve(*self.ROWS, "listen = 127.0.0.1:1995 tls old_tls")
        context = trusting(self.cert)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = \
            ssl.TLSVersion.TLSv1_1
        pop = Pop(self.wrap(self.open(1995), context))
        pop.login("alice", PASSWORD)
        pop.quit()
        self.no_sessions()
        line, = self.log.wait("tls-old ", self.mark)
        self.assertRegex(line, r" user=alice ip=127\.0\.0\.1 protocol=TLSv1\.1 "
                         r"cipher=\S+$")
        # Not by its version, but by its cipher.
        context = trusting(self.cert)
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.pops(context)
        pop = Pop(self.wrap(self.open(1995), context))
        pop.login("alice", PASSWORD)
        pop.quit()
        self.no_sessions()
        line = self.log.wait("tls-old ", self.mark, count=2)[1]
        self.assertRegex(line, r" user=alice ip=127\.0\.0\.1 protocol=TLSv1\.2 "
                         r"cipher=ECDHE-ECDSA-AES128-SHA$")
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        pop = Pop(self.wrap(self.open(1995), context))
        pop.login("alice", PASSWORD)
        pop.quit()
        self.no_sessions()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        pop.quit()
        self.assertEqual(len(self.log.find("tls-old ", self.mark)), 2)

    def test_counts(self):
        self.serve(*self.ROWS, metrics="127.0.0.1:9110")
        for port in (POP, POPS):
            sock = self.open(port)
            if port == POP:
                sock.sendall(b"STLS\r\n")
                while not sock.recv(4096).endswith(b"negotiation.\r\n"):
                    pass
            sock.sendall(b"no TLS\r\n")
            while sock.recv(4096):
                pass
        self.pops().quit()
        context = trusting(self.cert)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.pops(context).quit()

        def metrics():
            sock = self.open(9110)
            sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = b""
            while data := sock.recv(65536):
                text += data
            return text.decode()

        want = ['popper_tls_handshakes_total{version="1.3"} 1',
                'popper_tls_handshakes_total{version="1.2"} 1',
                'popper_tls_handshakes_total{version="old"} 0',
                "popper_tls_failed_total 2"]
        self.wait_for(lambda: all(w + "\n" in metrics() for w in want),
                      "counts: " + metrics())
        ends = re.search(r"^popper_tls_expiry_timestamp_seconds (\d+)$",
                         metrics(), re.M)
        self.assertLess(abs(int(ends[1]) - time.time() - 30 * 86400), 900)

    def test_alpn(self):
        self.serve()
        context = trusting(self.cert)
        context.set_alpn_protocols(["pop3"])
        pop = self.pops(context)
        self.assertEqual(pop.sock.selected_alpn_protocol(), "pop3")
        context = trusting(self.cert)
        context.set_alpn_protocols(["http/1.1"])
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.pops(context)


class Renewal(house_tls.Tls):
    LEFT = re.compile(r"tls-expire[sd] .*")

    def shown(self, context=None):
        sock = self.open(POPS)
        tls = self.wrap(sock, context or insecure())
        Pop(tls)
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))

    def keeper(self):
        return self.named("popper-keeper")

    def test_renewed(self):
        """Those who are there stay, who comes sees the new one."""
        self.serve()
        stranger, session = self.pops(), self.stls()
        session.login("alice", PASSWORD)
        self.assertEqual(self.shown().split(), self.cert.split())
        cert, key = certificate(self.NAME)
        self.lay(cert, key)
        self.log.wait("tls-renewed", self.mark, timeout=60)
        for _ in range(8):              # whichever front it is
            self.assertEqual(self.shown().split(), cert.split())
        self.assertEqual(session.stat()[0], 3)
        session.quit()
        stranger.login("alice", PASSWORD)
        stranger.quit()
        self.assertEqual(self.log.find("role-died|misbehaved", self.mark), [])

    @unittest.skipIf(SANITIZED, "strace and sanitizers do not go together")
    def test_unread_once(self):
        """A disk that fails at that moment: told once, and read at the next look."""
        self.serve()
        keeper, = self.keeper()
        trace = Strace(keeper.pid, self.host.base, "-e", "trace=pread64", "-e",
                       "inject=pread64:error=EIO:when=1..2")
        self.addCleanup(trace.stop)
        cert, key = certificate(self.NAME)
        self.lay(cert, key)
        self.log.wait("tls-renewed", self.mark, timeout=60)
        self.assertEqual(len(self.log.find("tls-certificate ", self.mark)), 1)
        self.assertEqual(self.shown().split(), cert.split())

    def test_bad_one(self):
        """A key of another certificate: told once, the old ones serve on."""
        self.serve()
        self.lay(certificate(self.NAME)[0], self.key)
        self.log.wait("tls-certificate .*another certificate", self.mark,
                      timeout=60)
        time.sleep(6)
        self.assertEqual(len(self.log.find("tls-certificate ", self.mark)), 1)
        self.assertEqual(self.shown().split(), self.cert.split())
        self.lay(*certificate(self.NAME))
        self.log.wait("tls-renewed", self.mark, timeout=60)

    def test_keeper_dies(self):
        self.serve()
        before, = self.keeper()
        before.kill()
        self.log.wait("role-died role=popper-keeper", self.mark)
        self.wait_for(lambda: len(self.keeper()) == 1, "keeper")
        cert, key = certificate(self.NAME)
        self.lay(cert, key)
        self.log.wait("tls-renewed", self.mark, timeout=60)
        self.assertEqual(self.shown().split(), cert.split())

    def test_keeper_dies_untold(self):
        """What it has not seen, the next one tells."""
        self.serve()
        before, = self.keeper()
        before.kill(signal.SIGSTOP)
        cert, key = certificate(self.NAME)
        self.lay(cert, key)
        time.sleep(3)       # so that the next one sees nothing change
        before.kill()
        self.wait_for(lambda: self.shown().split() == cert.split(),
                      "the new one")
        self.assertEqual(self.log.find("tls-renewed", self.mark), [])

    def test_front_dies(self):
        """The next one has the certificates of now, and of later."""
        self.serve(fronts=1)
        cert, key = certificate(self.NAME)
        self.lay(cert, key)
        self.log.wait("tls-renewed", self.mark, timeout=60)
        for m in self.named("popper-front"):
            m.kill()
        self.log.wait("role-died role=popper-front", self.mark)
        self.wait_for(lambda: len(self.named("popper-front")) == 1, "front")
        self.assertEqual(self.shown().split(), cert.split())
        mark = self.log.mark()
        self.lay(self.cert, self.key)
        self.log.wait("tls-renewed", mark, timeout=60)
        self.assertEqual(self.shown().split(), self.cert.split())

    def test_expiry(self):
        cert, key = certificate(self.NAME, days=5)
        self.lay(cert, key, "2")
        self.serve(*self.ROWS, "tls_certificate = cert2.pem key=key2.pem")
        line, = self.log.wait("tls-expires", self.mark)
        self.assertRegex(line, r"file=cert2\.pem days=[45]$")
        self.assertEqual(self.log.find("tls-name", self.mark), [])

    def test_name(self):
        self.serve(hostname="pop.elsewhere.example")
        self.log.wait("tls-name .*pop.elsewhere.example", self.mark)

    def test_no_rights(self):
        self.serve()
        # Nobody waits for it: it may still be on its way there.
        self.wait_for(lambda: [m.status["Seccomp"] for m in self.keeper()] ==
                      [["2"]], "keeper")
        m, = self.keeper()
        self.assertEqual({m.status[k][0] for k in (
            "CapInh", "CapPrm", "CapEff", "CapAmb")}, {"0" * 16})
        self.assertEqual(m.status["NoNewPrivs"], ["1"])

    def test_bad_from_the_start(self):
        """No server with a broken certificate, and why."""
        self.lay(certificate(self.NAME)[0], self.key)
        self.configure(*self.ROWS)
        r = self.host.run(["/usr/sbin/popper", "serve"])
        self.assertNotEqual(r.returncode, 0)
        self.log.wait("tls-certificate .*another certificate", self.mark)


class Tickets(house_tls.Tls):
    """Whichever front a client meets, after a reload as well."""

    def resumed(self, context, session):
        sock = context.wrap_socket(self.open(POPS), server_hostname=self.NAME,
                                   session=session)
        pop = Pop(sock)
        reused, session = sock.session_reused, sock.session
        pop.quit()
        return reused, session

    def test_resumption(self):
        self.serve()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(self.cert, maximum_version=version)
            reused, session = self.resumed(context, None)
            self.assertFalse(reused)
            for i in range(10):
                if i == 5:
                    mark = self.log.mark()
                    self.server.process.send_signal(1)
                    self.log.wait("reloaded", mark)
                reused, session = self.resumed(context, session)
                self.assertTrue(reused, (version, i))

    def test_only_where_needed(self):
        """No session, and nobody but fronts and keeper, has those keys."""
        self.serve()
        self.pops().login("alice", PASSWORD)
        keeper, = self.named("popper-keeper")
        writes = self.shared(keeper, " rw-s ")
        self.assertEqual(len(writes), 2)        # keys, and its counters
        for m in self.members():
            name = m.status["Name"][0]
            both = len(writes & self.shared(m, "s "))
            if name in ("popper", "popper-keeper", "popper-front"):
                self.assertEqual(both, 2, name)
            else:
                self.assertLessEqual(both, name == "popper-auth", name)

    @staticmethod
    def shared(member, rights):
        """The inodes of such memory."""
        return {line.split()[4] for line in member.read("maps").decode()
                .splitlines() if rights in line and "memfd" in line}


class Proxied(house_tls.Tls):
    """A PROXY header, and TLS in the same segment behind it."""

    def test_tls_behind_header(self):
        self.serve(*self.ROWS, "listen = 127.0.0.1:1995 proxy tls",
                   "proxy_networks = 127.0.0.1")
        sock = self.open(1995)
        inner, outer = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting(self.cert).wrap_bio(inner, outer,
                                           server_hostname=self.NAME)
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 995\r\n"
                     + outer.read())
        mark = self.log.mark()
        said = b""
        todo = [b"USER alice\r\n", b"PASS wrong\r\n"]
        while not said.endswith(b"failed.\r\n"):
            try:
                said += tls.read() if tls.version() and said or not todo \
                    else b""
                if not said:
                    tls.do_handshake()
                    said = tls.read()
                if todo and said.endswith(b"\r\n"):
                    tls.write(todo.pop(0))
                    sock.sendall(outer.read())
            except ssl.SSLWantReadError:
                if outer.pending:
                    sock.sendall(outer.read())
                inner.write(sock.recv(65536))
        self.log.wait(r"login-failed .*ip=192\.0\.2\.7", mark)


if __name__ == "__main__":
    unittest.main()
