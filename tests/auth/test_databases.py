# SPDX-License-Identifier: ISC
"""Several user databases in order: the first that knows the name decides."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import logins                                                   # noqa: E402
from lib.host import crypt                                      # noqa: E402

POPPER = "/usr/sbin/popper"
LAST = "/etc/popper/last"
SIX = "$6$rounds=1000$saltsalt$"


class Databases(logins.Logins, unittest.TestCase):
    """A bare popper: a file, the host's accounts, another file."""

    @classmethod
    def setUpClass(cls):
        cls.house()
        cls.host.add_user("vmail", uid=5000)
        cls.host.add_user("alice", password="host password")
        cls.host.write("/etc/popper/first", "ann:%s\nbob:{PLAIN}of the first\n"
                       % crypt("wonderland", SIX), mode=0o600)
        cls.host.write(LAST, "bob:{PLAIN}of the last\n"
                       "alice:{PLAIN}of the last\ncy:{PLAIN}wonderland\n",
                       mode=0o600)

    def setUp(self):
        logins.configure(self.host, auth="one:file:first pam two:file:last",
                         virtual_user="vmail", maildrop="/var/mail/%u")

    def known(self, user, password, db):
        mark = self.host.syslog.mark()
        self.assertIsNone(self.attempt(user, password)[1])
        self.host.syslog.wait(r"\blogin .*user=%s .* db=%s( |$)"
                              % (user.decode(), db), mark)
        self.host.syslog.wait(r"\bsession-end ", mark)
        self.assertNotIn("login-failed",
                         "\n".join(self.host.syslog.lines[mark:]))

    def test_each_is_known_to_one(self):
        self.known(b"ann", b"wonderland", "one")
        self.known(b"alice", b"host password", "pam")
        self.known(b"cy", b"wonderland", "two")
        self.known(b"bob", b"of the first", "one")

    def test_who_is_known_is_asked_nowhere_else(self):
        self.refused(b"bob", b"of the last", "bad-password")
        self.refused(b"alice", b"of the last", "bad-password")

    def test_who_is_known_to_none_has_one_line(self):
        self.refused(b"nosuch", b"wonderland", "unknown-user")

    def test_one_that_cannot_be_asked_decides_nothing(self):
        text = self.host.read(LAST)
        self.host.write(LAST, text, mode=0o644)         # everybody reads it
        try:
            self.known(b"ann", b"wonderland", "one")
            self.known(b"alice", b"host password", "pam")
            _, said = self.attempt(b"cy", b"wonderland")
            self.assertIn(b"[SYS/TEMP]", said)
        finally:
            self.host.write(LAST, text, mode=0o600)

    def test_check(self):
        logins.configure(self.host, virtual_user="vmail",
                         auth="one:file:first one:pam two:file:gone")
        r = self.host.run([POPPER, "check"])
        text = r.stdout.decode() + r.stderr.decode()
        self.assertEqual(r.returncode, 78, text)
        self.assertIn("auth: there is a database one before this one", text)
        self.assertRegex(text, r"error: auth: .*/etc/popper/gone|error: auth: gone")
        logins.configure(self.host, auth="shop:fiel:/x")
        r = self.host.run([POPPER, "check"])
        self.assertIn("one of the types", r.stdout.decode() + r.stderr.decode())

    def test_why(self):
        for user, db in [("alice", "pam"), ("cy", "two"), ("bob", "one")]:
            r = self.host.run([POPPER, "ctl", "why", user + "@192.0.2.1"])
            self.assertRegex(r.stdout.decode(), r"(?m)^db +%s$" % db)


if __name__ == "__main__":
    unittest.main()
