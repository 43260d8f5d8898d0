# SPDX-License-Identifier: ISC
"""APOP and CRAM-MD5, whoever serves them: `popper serve`, a popper for each
connection, and one process for all of it."""

import base64
import hashlib
import hmac
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tls"))

import house_tls                                                # noqa: E402
from house_tls import POP                                       # noqa: E402

family = house_tls.house.family
PASSWORD = family.PASSWORD
STAMP = re.compile(rb"<\d+\.\d+\.[0-9a-f]{24}@pop\.example\.org>$")
# It hashed.
HASHED = ("$5$rounds=1000$saltsalt$"
          "vBgBHnZUORY1qtmvLflcYV8HWBW8XuM5paPh79lY6F3")
FAILED = b"-ERR [AUTH] Authentication failed."
OPTIONS = {"recoverable_secrets": "yes", "sasl_mechanisms": "plain cram-md5",
           "hostname": house_tls.Clients.NAME, "auth_fail_delay": 0,
           "auth_tries": 10}


class Digests:
    """For a test with a host and TLS, that all assemblies pass."""

    def line(self, pop, text):
        pop.send(text.encode() + b"\r\n")
        return pop.line()

    def come(self, way=None):
        pop = way() if way else house_tls.Pop(self.open(POP))
        return pop, STAMP.search(pop.greeting)[0].decode()

    def apop(self, pop, stamp, user="alice", password=PASSWORD):
        return self.line(pop, "APOP %s %s" % (user, hashlib.md5(
            (stamp + password).encode()).hexdigest()))

    def cram(self, pop, user="alice", password=PASSWORD):
        got = self.line(pop, "AUTH CRAM-MD5")
        self.assertEqual(got[:2], b"+ ", got)
        challenge = base64.b64decode(got[2:], validate=True)
        self.assertRegex(challenge, STAMP)
        digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
        return self.line(pop, base64.b64encode(
            ("%s %s" % (user, digest)).encode()).decode())

    def logs_in(self, answer, pop):
        self.assertEqual(answer[:16], b"+OK Maildrop has", answer)
        self.assertIn(b"SASL ", pop.multi("CAPA")[1])
        self.assertEqual(pop.stat()[0], 3)
        pop.quit()
        self.over()

    def right(self):
        pop, stamp = self.come()
        capa = pop.multi("CAPA")[1]
        self.assertIn(b"\nSASL CRAM-MD5 PLAIN\r", capa)
        self.assertNotIn(b"APOP", capa)         # the greeting tells
        self.logs_in(self.apop(pop, stamp), pop)
        pop, again = self.come()
        self.assertNotEqual(stamp, again)
        self.assertEqual(self.apop(pop, stamp), FAILED)     # a replay
        self.logs_in(self.cram(pop), pop)
        pop, stamp = self.come(self.pops)
        self.logs_in(self.apop(pop, stamp), pop)

    def behind_stls(self):
        """What was said in the clear does not count; CRAM-MD5 has its own."""
        pop = self.stls()
        got = self.apop(pop, STAMP.search(pop.greeting)[0].decode())
        self.assertEqual(got, b"-ERR Unknown command.")
        self.assertIn(b"SASL CRAM-MD5 PLAIN", pop.multi("CAPA")[1])
        self.logs_in(self.cram(pop), pop)

    def wrong(self):
        """One text for all, and the log knows why."""
        mark = self.log.mark()
        pop, stamp = self.come()
        users = (("alice", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD))
        for user, password in users:
            self.assertEqual(self.apop(pop, stamp, user, password), FAILED)
            self.assertEqual(self.cram(pop, user, password), FAILED)
        for text in ("APOP alice x", "AUTH CRAM-MD5 =", "AUTH CRAM-MD5"):
            got = self.line(pop, text)
            if got.startswith(b"+ "):
                got = self.line(pop, "####")
            self.assertEqual(got, FAILED)
        self.wait_for(lambda: len(self.log.find("login-failed", mark)) == 9,
                      "a line for each")
        text = "".join(self.log.find("login-failed", mark))
        for user, reason in (("alice", "bad-password"),
                             ("nobody", "unknown-user"), ("bob", "no-secret")):
            for method in ("apop", "cram-md5"):
                self.assertRegex(text, "user=%s ip=127.0.0.1 method=%s reason=%s"
                                 % (user, method, reason))
        self.assertIn("reason=bad-name", text)
        self.assertEqual(self.line(pop, "AUTH CRAM-MD5")[:2], b"+ ")
        self.assertEqual(self.line(pop, "*"), b"-ERR Authentication cancelled.")
        pop.quit()

    def test_logins(self):
        self.begin()
        self.right()
        self.behind_stls()
        self.wrong()


class Members(Digests):
    """bob's password is hashed."""

    AUTH = "file"

    def begin(self):
        self.host.write("/etc/popper/users", "".join(
            "%s:%s:%d:%d::/home/%s\n" % row for row in (
                ("alice", "{PLAIN}" + PASSWORD, 1001, 1001, "alice"),
                ("bob", HASHED, 1002, 1002, "bob"))), 0o600)
        self.serve(**OPTIONS, auth=self.AUTH)


class Served(Members, house_tls.Tls):
    """Behind a database that shows nobody what is stored."""

    AUTH = "pam file"

    PACKAGES = ("curl", "perl")
    CURL = ("curl", "-sS", "pop3://127.0.0.1/1", "-u", "alice:" + PASSWORD,
            "--login-options")
    PERL = ("perl", "-MNet::POP3", "-e", "$p = Net::POP3->new('127.0.0.1');"
            "print 0 + $p->apop('alice', $ARGV[0]); $p->quit", PASSWORD)

    def over(self):
        self.no_sessions()

    def test_real_clients(self):
        self.begin()
        for argv, method, want in (
                ((*self.CURL, "AUTH=+APOP"), "apop", b"Subject"),
                ((*self.CURL, "AUTH=CRAM-MD5"), "cram-md5", b"Subject"),
                (self.PERL, "apop", b"3")):
            with self.subTest(argv[0], method=method):
                mark = self.log.mark()
                r = self.host.run(argv, timeout=60)
                self.assertEqual(r.returncode, 0, r.stderr)
                self.assertIn(want, r.stdout)
                self.over()
                self.log.wait("session-end .*reason=quit", mark)


class Bare(Members, house_tls.Clients, family.Family):
    SERVER = house_tls.Servers

    def over(self):
        self.wait_for(lambda: not self.members(), "end of all processes")

    def test_logins(self):
        super().test_logins()
        self.configure(*self.ROWS, **{**OPTIONS, "recoverable_secrets": "no"})
        with house_tls.Pop(self.open(POP)) as pop:
            self.assertNotIn(b"<", pop.greeting)
            self.assertNotIn(b"CRAM", pop.multi("CAPA")[1])
            self.assertEqual(self.apop(pop, ""), b"-ERR Unknown command.")
            self.assertEqual(self.line(pop, "AUTH CRAM-MD5"),
                             b"-ERR Unknown mechanism.")


class Single(house_tls.Alone, Digests, house_tls.Clients, family.Family):
    """By one process, of an ordinary user."""

    def over(self):
        self.wait_for(lambda: len(self.members()) == 1, "end of its child")

    def begin(self):
        self.serve_alone(
            ("users", "alice:{PLAIN}%s:1001:1001::/home/alice\n"
             "bob:%s:1001:1001::/home/alice\n" % (PASSWORD, HASHED)),
            ("../mbox", self.mail), **OPTIONS)


if __name__ == "__main__":
    unittest.main()
