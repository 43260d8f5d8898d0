# SPDX-License-Identifier: ISC
"""Clients with certificates: AUTH EXTERNAL (RFC 4422 app. A)."""

import base64
import os
import re
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "roles"))

import family                                                   # noqa: E402
import house_tls                                                # noqa: E402
from authority import Authority, fingerprint, shows             # noqa: E402
from house_tls import trusting                                  # noqa: E402
from lib.popper import PopError                                 # noqa: E402

CLIENT = "extendedKeyUsage=clientAuth"


def mechanisms(pop):
    m = re.search(rb"^SASL (.*)\r$", pop.multi("CAPA")[1], re.M)
    return m[1].split()


class Certified(house_tls.Clients):
    """A host, an authority, and what it has signed."""

    ROWS = (*house_tls.Clients.ROWS, "tls_client_ca = clients.pem",
            "tls_client_users = client-users")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = Authority("Clients")
        cls.addClassCleanup(cls.ca.close)
        cls.alice = cls.ca.make("Alice A", CLIENT, subject="/O=Example")
        cls.host.write("/etc/popper/clients.pem", cls.ca.pem, 0o644)

    def setUp(self):
        super().setUp()
        self.rows()

    @classmethod
    def rows(cls, *more):
        cls.host.write("/etc/popper/client-users", "".join(
            row + "\n" for row in (
                "alice " + fingerprint(cls.alice[0]), *more)), 0o644)

    def come(self, shown, way=None, **kw):
        context = trusting(self.cert, **kw)
        if shown:
            shows(context, shown)
        return (way or self.pops)(context)

    def ask(self, pop):
        pop.send(b"AUTH EXTERNAL\r\n")
        self.assertEqual(pop.line(), b"+ ")

    def external(self, pop, authz=None):
        """In one line or in two."""
        if authz is None:
            self.ask(pop)
            return pop.cmd("")
        return pop.cmd("AUTH", "EXTERNAL", base64.b64encode(
            authz.encode()).decode() or "=")

    def logs_in(self, pop, authz=None, user="alice"):
        mark = self.log.mark()
        before = mechanisms(pop)
        self.external(pop, authz)
        self.assertEqual(mechanisms(pop), before)
        pop.stat()
        pop.quit()
        self.log.wait(r"login .*user=%s " % user, mark)
        self.log.wait("session-end .*reason=quit", mark)

    def refused(self, pop, authz, reason="certificate"):
        mark = self.log.mark()
        self.assertIn(b"EXTERNAL", mechanisms(pop))
        with self.assertRaisesRegex(PopError, "AUTH"):
            self.external(pop, authz)
        self.log.wait("login-failed .*method=external reason=" + reason, mark)

    def lacks(self, pop):
        """It is not offered, and passwords are good as ever."""
        self.assertNotIn(b"EXTERNAL", mechanisms(pop))
        with self.assertRaisesRegex(PopError, "Unknown mechanism"):
            pop.cmd("AUTH", "EXTERNAL", "=")
        pop.quit()


class Everywhere(Certified):
    """However popper was started."""

    def test_logs_in(self):
        self.serve()
        for way in (self.pops, self.stls):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.subTest(way=way.__name__, version=version):
                    pop = self.come(self.alice, way, maximum_version=version)
                    self.assertEqual(mechanisms(pop).count(b"EXTERNAL"), 1)
                    self.logs_in(pop)
        self.logs_in(self.come(self.alice), "")
        self.logs_in(self.come(self.alice), "alice")
        self.refused(self.come(self.alice), "bob")
        pop = self.come(None)
        self.lacks(pop)


class Served(Everywhere, house_tls.Tls):
    """By popper serve."""

    def test_not_good(self):
        """Not offered; what is wrong stands in the log, not too often."""
        other = Authority("Others")
        self.addCleanup(other.close)
        middle = Authority("Between", self.ca)
        self.addCleanup(middle.close)
        revoked = self.ca.make("Gone", CLIENT)
        good = self.ca.make("Good", CLIENT)
        below = middle.make("Below", CLIENT)
        shown = {
            "expired": self.ca.make("Old", CLIENT, ends="210101000000Z"),
            "revoked": revoked,
            "other": other.make("Alice A", CLIENT, subject="/O=Example"),
            "server's": self.ca.make("Server", "extendedKeyUsage=serverAuth"),
            "selfsigned": house_tls.certificate("Alice A"),
            "chain without its middle": below,
            "nobody's": self.ca.make("Nobody", CLIENT),
        }
        self.rows(*("alice " + fingerprint(c[0]) for name, c in shown.items()
                    if name != "nobody's"),
                  "alice " + fingerprint(good[0]))
        self.ca.revoke(revoked[0])
        self.host.write("/etc/popper/crl.pem", self.ca.crl(), 0o644)
        self.serve(*self.ROWS, "tls_client_crl = crl.pem", fronts=1)
        for name, certificate in shown.items():
            with self.subTest(name):
                self.lacks(self.come(certificate))
        self.logs_in(self.come(good))
        line = self.log.wait("tls-client-refused", self.mark)[0]
        self.assertRegex(line, r'ip=127\.0\.0\.1 subject="CN=Old" times=1 '
                         'detail="certificate has expired"')

    def test_chain(self):
        middle = Authority("Between", self.ca)
        self.addCleanup(middle.close)
        below = middle.make("Below", CLIENT)
        self.rows("alice CN=Below")
        self.serve(fronts=1)
        context = shows(trusting(self.cert), below, middle.pem)
        self.logs_in(self.pops(context))

    def test_several_users(self):
        """The client says which; each is as good as the other."""
        self.rows("bob O=Example,CN=Bob", "sales O=Example,CN=Bob",
                  "root O=Example,CN=Bob")
        bob = self.ca.make("Bob", CLIENT, subject="/O=Example")
        self.serve(fronts=1)
        self.logs_in(self.come(bob), "bob", user="bob")
        self.refused(self.come(bob), "", "bad-name")
        self.refused(self.come(bob), "alice")
        self.refused(self.come(bob), "bob\0x", "bad-name")
        self.refused(self.come(bob), "sales", "unknown-user")
        self.refused(self.come(bob), "root", "unknown-user")
        pop = self.come(bob)
        self.ask(pop)
        with self.assertRaisesRegex(PopError, "cancelled"):
            pop.cmd("*")
        with self.assertRaisesRegex(PopError, "AUTH"):
            pop.cmd("AUTH", "EXTERNAL", "a")
        self.assertEqual(len(self.log.find("misbehaved|died", self.mark)), 0)

    def test_resumed(self):
        """A session with a certificate is none to be resumed: what was good an
        hour ago may not be now.  One without is."""
        self.serve(fronts=1)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for shown in (self.alice, None):
                context = trusting(self.cert, maximum_version=version)
                if shown:
                    shows(context, shown)
                session = None
                for _ in range(2):
                    sock = context.wrap_socket(
                        self.open(house_tls.POPS), server_hostname=self.NAME,
                        session=session)
                    pop = house_tls.Pop(sock)
                    self.assertEqual(b"EXTERNAL" in mechanisms(pop),
                                     shown is not None)
                    self.assertEqual(sock.session_reused,
                                     session is not None and not shown)
                    session = sock.session
                    pop.quit()

    def test_names(self):
        """What stands in a certificate is the name, if it is one alone."""
        self.serve(*house_tls.Clients.ROWS, "tls_client_ca = clients.pem",
                   fronts=1, tls_client_user="email")
        one = "subjectAltName=email:%s"
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.host.write("/etc/popper/users",
                        "a@x.example:*:1001:1001::/home/alice\n"
                        "locked@x.example:!:1001:1001::/home/alice\n", 0o600)
        mail = self.ca.make("Any", CLIENT, one % "a@x.example")
        self.logs_in(self.come(mail), user="a@x.example")
        self.refused(self.come(mail), "alice")
        self.refused(self.come(self.ca.make(
            "Any", CLIENT, one % "locked@x.example")), "", "locked")
        self.refused(self.come(self.ca.make(
            "Any", CLIENT, one % "c@x.example")), "", "unknown-user")
        for e in (one % "a@x.example,email:b@x.example",
                  "subjectAltName=DNS:x.example"):
            self.lacks(self.come(self.ca.make("Any", CLIENT, e)))

    def test_pam(self):
        """No password is asked for; the account is."""
        self.serve(auth="pam", fronts=1)
        self.logs_in(self.come(self.alice))
        self.host.run(["usermod", "-L", "alice"])
        self.refused(self.come(self.alice), "", "locked")
        self.host.run(["usermod", "-U", "alice"])

    @unittest.skipUnless(os.environ.get("POPPER_LONG"), "long run only (make test-long)")
    def test_renewed(self):
        """Who is revoked, or loses his row, is out."""
        crl = "/etc/popper/crl.pem"
        self.host.write(crl, self.ca.crl(), 0o644)
        self.serve(*self.ROWS, "tls_client_crl = crl.pem", fronts=1)
        self.logs_in(self.come(self.alice))
        pop = self.come(self.alice)
        mark = self.log.mark()
        self.host.write("/etc/popper/client-users", "", 0o644)
        self.log.wait("tls-renewed", mark, timeout=60)
        self.refused(pop, "")
        self.lacks(self.come(self.alice))
        mark = self.log.mark()
        self.rows()
        self.log.wait("tls-renewed", mark, timeout=60)
        self.logs_in(self.come(self.alice))
        self.ca.revoke(self.alice[0])
        mark = self.log.mark()
        self.host.write(crl, self.ca.crl(), 0o644)
        self.log.wait("tls-renewed", mark, timeout=60)
        self.lacks(self.come(self.alice))


class Bare(Everywhere, family.Family):
    """By a super-server."""

    SERVER = house_tls.Servers


class Single(house_tls.Alone, Everywhere, family.Family):
    """By one process, of an ordinary user."""

    def serve(self):
        self.serve_alone(
            ("users", "alice:*:1001:1001::/home/alice\n"),
            ("clients.pem", self.ca.pem),
            ("rows", "alice " + fingerprint(self.alice[0]) + "\n"),
            auth_fail_delay=0, tls_client_ca="clients.pem",
            tls_client_users="rows")


if __name__ == "__main__":
    unittest.main()
