# SPDX-License-Identifier: ISC
"""Exchanges of several messages, whoever serves them: `popper serve`, a popper for
each connection, and one process for all of it."""

import base64
import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tls"))

import house_tls                                                # noqa: E402
from house_tls import POP                                       # noqa: E402
from lib.popper import Pop, PopError                             # noqa: E402
from lib.unpack import build_dir                                # noqa: E402
from scram import Scram                                         # noqa: E402

BOUND = os.path.join(build_dir(), "tests/sasl/bound")
PASSWORD = house_tls.house.family.PASSWORD
ALL = "plain login scram-sha-256 scram-sha-1"


class Exchange:
    """For a test with a host and TLS: tests that all assemblies pass."""

    OPTIONS = {"sasl_mechanisms": ALL, "auth_tries": 3,
               "access": "deny user=bob tls=yes",
               "plaintext_networks": "127.0.0.0/8"}

    def begin(self, way=None):
        return way() if way else house_tls.Pop(self.open(POP))

    def line(self, pop, text):
        pop.send(text + b"\r\n")
        return pop.line()

    def challenge(self, pop, text):
        got = self.line(pop, text)
        self.assertEqual(got[:2], b"+ ", got)
        return base64.b64decode(got[2:], validate=True)

    def scram(self, pop, client, mechanism="SCRAM-SHA-256", first=True):
        """The last line of all."""
        b64 = base64.b64encode
        command = b"AUTH " + mechanism.encode()
        if first:
            got = self.challenge(pop, command + b" " + b64(client.first()))
        else:
            self.assertEqual(self.line(pop, command), b"+ ")
            got = self.challenge(pop, b64(client.first()))
        last = self.line(pop, b64(client.final(got)))
        if not last.startswith(b"+ "):
            return last
        self.assertTrue(client.knows(base64.b64decode(last[2:])))
        return self.line(pop, b"")

    def test_right(self):
        for way in (None, self.stls, self.pops):
            for name in ("SHA-256", "SHA-1"):
                pop = self.begin(way)
                got = self.scram(pop, Scram("alice", PASSWORD, name),
                                 "SCRAM-" + name, way is None)
                self.assertEqual(got[:16], b"+OK Maildrop has", got)
                self.assertEqual(pop.stat()[0], 3)
                self.assertEqual(self.line(pop, b"AUTH PLAIN")[:4], b"-ERR")
                pop.quit()
                self.over()

    def test_stored_secret(self):
        """Of bob and ann one form each is stored, which PASS can use as well."""
        pop = self.begin()
        got = self.scram(pop, Scram("bob", PASSWORD), "SCRAM-SHA-256")
        self.assertEqual(got[:3], b"+OK", got)
        pop.quit()
        self.over()
        pop = self.begin()
        pop.login("bob", PASSWORD)
        pop.quit()
        self.over()

    def test_wrong(self):
        mark = self.log.mark()
        pop = self.begin()
        texts = set()
        for user, password in (("alice", "wrong"), ("nobody", PASSWORD),
                               ("bob", "wrong")):
            texts.add(self.scram(pop, Scram(user, password)))
        self.assertEqual(texts, {b"-ERR [AUTH] Authentication failed."})
        pop.at_end()
        self.wait_for(lambda: len(self.log.find("login-failed", mark)) == 3,
                      "a line for each")
        text = "".join(self.log.find("login-failed", mark))
        for word in ("user=alice", "user=nobody", "method=scram-sha-256",
                     "reason=bad-password", "reason=unknown-user"):
            self.assertIn(word, text)

    def test_no_master(self):
        """A master's name is nobody's here: what he knows is not asked for."""
        for name in ("alice*ops", "ops"):
            for password in ("queen", PASSWORD):
                pop = self.begin()
                self.assertEqual(self.scram(pop, Scram(name, password)),
                                 b"-ERR [AUTH] Authentication failed.")
                pop.quit()
        pop = self.begin()
        pop.login("alice*ops", "queen")
        pop.quit()
        self.over()

    def test_salts(self):
        """Of who is unknown as stable as of all others."""
        b64, salts = base64.b64encode, []
        for user, name in (("alice", b"256"), ("bob", b"256"),
                           ("nobody", b"256"), ("nobody", b"256"),
                           ("someone", b"256"), ("bob", b"1"),
                           ("nobody", b"1")):
            pop = self.begin()
            got = self.challenge(pop, b"AUTH SCRAM-SHA-" + name + b" " + b64(
                Scram(user, "").first())).decode().split(",")
            self.assertEqual(got[2], "i=4096")
            self.assertEqual(len(base64.b64decode(got[1][2:])), 16)
            salts.append(got[1])
            self.assertEqual(self.line(pop, b"*")[:4], b"-ERR")
            pop.quit()
        self.assertEqual(salts[2], salts[3])
        self.assertEqual(len(set(salts)), 6)

    def test_rule(self):
        """Who may not log in does not hear that his password was right, neither
        from us nor by proof that we know it."""
        mark, texts = self.log.mark(), []
        for password in (PASSWORD, "wrong"):
            pop = self.begin(self.stls)
            client = Scram("bob", password)
            got = self.challenge(pop, b"AUTH SCRAM-SHA-256 "
                                 + base64.b64encode(client.first()))
            texts.append(self.line(pop, base64.b64encode(client.final(got))))
            pop.quit()
        self.assertEqual(texts, [b"-ERR [AUTH] Authentication failed."] * 2)
        self.wait_for(lambda: len(self.log.find("login-failed", mark)) == 2,
                      "a line for each")
        self.assertIn("reason=rule", self.log.find("login-failed", mark)[0])

    def test_given_up(self):
        """At each step; and then as if nothing had been."""
        b64 = base64.b64encode
        pop = self.begin()
        for _ in range(2):
            self.assertEqual(self.line(pop, b"AUTH SCRAM-SHA-256"), b"+ ")
            self.assertEqual(self.line(pop, b"*"),
                             b"-ERR Authentication cancelled.")
            client = Scram("alice", PASSWORD)
            got = self.challenge(pop, b"AUTH SCRAM-SHA-256 "
                                 + b64(client.first()))
            self.assertEqual(self.line(pop, b"*"),
                             b"-ERR Authentication cancelled.")
            self.challenge(pop, b"AUTH SCRAM-SHA-256 " + b64(client.first()))
            self.assertEqual(self.line(pop, b"A" * 13000)[:4], b"-ERR")
        client = Scram("alice", PASSWORD)
        got = self.challenge(pop, b"AUTH SCRAM-SHA-256 " + b64(client.first()))
        self.challenge(pop, b64(client.final(got)))
        self.assertEqual(self.line(pop, b"*")[:4], b"-ERR")
        self.assertEqual(self.scram(pop, Scram("alice", PASSWORD))[:3], b"+OK")
        pop.quit()
        self.over()

    def test_no_message(self):
        """All as wrong as any password."""
        b64 = base64.b64encode
        good = b64(Scram("alice", PASSWORD).first())
        for lines in ((b"AUTH SCRAM-SHA-256 =",), (b"AUTH SCRAM-SHA-256 ####",),
                      (b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=a\0,r=x"),),
                      (b"AUTH SCRAM-SHA-256 " + b64(b"p=x,,n=alice,r=x"),),
                      (b"AUTH SCRAM-SHA-256 " + good, b"QUIT!"),
                      (b"AUTH SCRAM-SHA-256 " + good, b""),
                      (b"AUTH SCRAM-SHA-256 " + good, b64(b"x" * 9000))):
            pop = self.begin()
            for text in lines:
                got = self.line(pop, text)
            self.assertEqual(got, b"-ERR [AUTH] Authentication failed.", lines)
            pop.quit()

    def test_long_nonce(self):
        """As long as our challenge may be, and longer: whoever is served beside it
        does not notice."""
        other = self.begin(self.stls)
        for user, n, want in (("alice", 600, b"+OK"), ("bob", 900, b"+OK"),
                              ("bob", 1100, b"-ERR [AUTH]"),
                              ("bob", 6000, b"-ERR [AUTH]")):
            client = Scram(user, PASSWORD)
            client.nonce = "n" * n
            client.bare = "n=%s,r=%s" % (user, client.nonce)
            pop = self.begin()
            got = self.line(pop, b"AUTH SCRAM-SHA-256")
            got = self.line(pop, base64.b64encode(client.first()))
            if want == b"+OK":
                last = self.line(pop, base64.b64encode(client.final(
                    base64.b64decode(got[2:]))))
                self.assertTrue(client.knows(base64.b64decode(last[2:])))
                got = self.line(pop, b"")
            self.assertEqual(got[:len(want)], want, n)
            pop.quit()
        other.multi("CAPA")
        other.quit()
        self.over()

    def test_offered(self):
        """In each state what there is; -PLUS where TLS can be bound to."""
        plain = b"SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
        plus = b"SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS " + plain
        for way, want in ((None, plain), (self.stls, plus), (self.pops, plus)):
            pop = self.begin(way)
            self.assertIn(b"SASL " + want, pop.multi("CAPA")[1].split(b"\r\n"))
            self.assertEqual(pop.multi("AUTH")[1].split(), want.split())
            self.scram(pop, Scram("alice", PASSWORD))
            self.assertIn(b"SASL " + want, pop.multi("CAPA")[1].split(b"\r\n"))
            pop.quit()
            self.over()
        pop = self.begin(self.pops)
        got = self.line(pop, b"AUTH SCRAM-SHA-256 " + base64.b64encode(
            Scram("alice", PASSWORD, flag="y").first()))
        self.assertEqual(got, b"-ERR [AUTH] Authentication failed.")
        pop.quit()

    def bound(self, way, *words):
        """A client under TLS, and what its end knows: (pop, {type: octets})."""
        if way == "stls":
            pop = Pop(self.open(POP))
            pop.cmd("STLS")
            under = pop.sock
        else:
            under = self.open(house_tls.POPS)
        under.setblocking(True)
        ours, its = socket.socketpair()
        client = subprocess.Popen([BOUND, *words], stdin=its, stdout=under)
        self.addCleanup(client.wait, 120)
        self.addCleanup(ours.close)
        its.close()
        under.close()
        pop = Pop(ours, greet=False)
        while b"\n" not in pop.buf:
            pop.fill()
        known, _, rest = bytes(pop.buf).partition(b"\n")
        pop.buf = bytearray(rest)
        if way != "stls":
            pop.status()
        kinds = "tls-exporter", "tls-unique"
        return pop, dict(zip(kinds, map(bytes.fromhex, known.decode().split())))

    def plus(self, pop, kind, octets, name="SHA-256"):
        client = Scram("alice", PASSWORD, name, "p=" + kind, octets)
        return self.scram(pop, client, "SCRAM-%s-PLUS" % name)

    def test_bound(self):
        """To this connection, and to no other."""
        wrong = b"-ERR [AUTH] Authentication failed."
        pop, other = self.bound("pops", "1.3")
        pop.quit()
        for way, version, kind in (("pops", "1.3", "tls-exporter"),
                                   ("stls", "1.3", "tls-exporter"),
                                   ("pops", "1.2", "tls-exporter"),
                                   ("stls", "1.2", "tls-unique")):
            pop, known = self.bound(way, version)
            with self.subTest(way=way, version=version, kind=kind):
                self.assertEqual(self.plus(pop, kind, other["tls-exporter"]),
                                 wrong)
                no_such = "x" if version == "1.2" else "tls-unique"
                self.assertEqual(self.line(
                    pop, b"AUTH SCRAM-SHA-256-PLUS " + base64.b64encode(Scram(
                        "alice", PASSWORD, flag="p=" + no_such).first())), wrong)
                self.assertEqual(self.plus(pop, kind, known[kind])[:3], b"+OK")
                pop.stat()
                pop.quit()
                self.over()

    def test_not_bound(self):
        """Who could be has to be, if he would: the flag says what he has seen."""
        wrong = b"-ERR [AUTH] Authentication failed."
        for flag, name in (("y", "SHA-256"), ("p=tls-exporter", "SHA-256"),
                           ("n", "SHA-256-PLUS"), ("y", "SHA-256-PLUS")):
            pop, _ = self.bound("stls", "1.3")
            self.assertEqual(self.line(
                pop, b"AUTH SCRAM-%s %s" % (name.encode(), base64.b64encode(
                    Scram("alice", PASSWORD, flag=flag).first()))),
                             wrong, (flag, name))
            pop.quit()
        pop, known = self.bound("pops", "1.3")
        self.assertEqual(self.plus(pop, "tls-exporter", known["tls-exporter"],
                                   "SHA-1")[:3], b"+OK")
        pop.quit()
        self.over()

    def test_master_secret(self):
        """Two connections could be made alike without an extended one."""
        pop, known = self.bound("pops", "1.2", "loose")
        self.assertNotIn(b"-PLUS", pop.multi("CAPA")[1])
        for kind in known:
            with self.assertRaisesRegex(PopError, "Unknown mechanism"):
                pop.cmd("AUTH", "SCRAM-SHA-256-PLUS", base64.b64encode(Scram(
                    "alice", PASSWORD, flag="p=" + kind).first()))
        client = Scram("alice", PASSWORD, flag="y")
        self.assertEqual(self.scram(pop, client)[:3], b"+OK")
        self.assertNotIn(b"-PLUS", pop.multi("CAPA")[1])
        pop.quit()
        self.over()


class Members:
    """bob's secret is one of SCRAM's, made by popper passwd."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.run(["/usr/sbin/popper", "passwd", "--scheme",
                      "scram-sha-256", "bob"], input=PASSWORD.encode() + b"\n",
                     check=True)
        cls.host.write("/etc/popper/masters", "ops:{PLAIN}queen\n", 0o600)

    def setUp(self):
        super().setUp()
        self.serve(**self.OPTIONS, master_users="/etc/popper/masters")


class Served(Members, Exchange, house_tls.Tls):
    def over(self):
        self.no_sessions()

    def test_workers(self):
        """Who judges has the library; who talks to strangers, or is a user, has
        none.  A worker that dies costs an exchange its answer alone."""
        b64 = base64.b64encode
        pop = self.begin()
        self.assertEqual(self.scram(pop, Scram("alice", PASSWORD))[:3], b"+OK")
        for name, has in (("worker", True), ("front", False), ("auth", False),
                          ("session", False), ("warden", False)):
            for m in self.named("popper-" + name):
                self.assertEqual(b"popper-sasl" in m.read("maps"), has, name)
        other = self.begin()
        client = Scram("bob", PASSWORD)
        got = self.challenge(other, b"AUTH SCRAM-SHA-256 "
                             + b64(client.first()))
        for m in self.named("popper-worker"):
            m.kill()
        got = self.line(other, b64(client.final(got)))
        self.assertEqual(got[:15], b"-ERR [SYS/TEMP]", got)
        other.at_end()
        pop.quit()
        self.over()


    def test_after_an_app_password(self):
        """What a worker has found out about one login is not the next one's."""
        word = self.host.run(["/usr/sbin/popper", "passwd", "app", "add", "alice",
                              "phone"], check=True).stdout.decode().strip()
        self.serve(**{**self.OPTIONS, "auth_workers": 1, "app_passwords": "yes",
                      "access": "deny app=yes"})
        pop = self.begin()
        with self.assertRaises(PopError):
            pop.login("alice", word)
        self.log.wait("reason=rule .*app=yes", self.mark)
        self.assertEqual(self.scram(pop, Scram("alice", PASSWORD))[:3], b"+OK")
        pop.quit()
        self.over()


class Bare(Members, Exchange, house_tls.Clients, house_tls.house.family.Family):
    SERVER = house_tls.Servers

    def over(self):
        self.wait_for(lambda: not self.members(), "end of all processes")

    def test_unbound(self):
        """channel_binding = no: no -PLUS, and who says so is believed."""
        self.configure(*self.ROWS, **self.OPTIONS, channel_binding="no")
        for name in ("SHA-256", "SHA-1"):
            pop, known = self.bound("pops", "1.3")
            self.assertNotIn(b"-PLUS", pop.multi("CAPA")[1])
            with self.assertRaisesRegex(PopError, "Unknown mechanism"):
                pop.cmd("AUTH", "SCRAM-%s-PLUS" % name, base64.b64encode(Scram(
                    "alice", PASSWORD, name, "p=tls-exporter",
                    known["tls-exporter"]).first()).decode())
            client = Scram("alice", PASSWORD, name, flag="y")
            self.assertEqual(self.scram(pop, client, "SCRAM-" + name)[:3], b"+OK")
            self.assertNotIn(b"-PLUS", pop.multi("CAPA")[1])
            pop.quit()
            self.over()


if __name__ == "__main__":
    unittest.main()
