# SPDX-License-Identifier: ISC
"""Names and passwords beyond ASCII, whoever serves them: `popper serve`, a popper
for each connection, and one process for all of it."""

import base64
import hashlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, Serve, conf                  # noqa: E402
from scram import Scram                                         # noqa: E402

POPPER = "/usr/sbin/popper"
PORT = 1110
JOERG, WIDE = "jörg", "jo\u0308\N{SOFT HYPHEN}r\uff47"         # it is the same
LONG, SHORT = "\u017f\u2126-größe\u00a0x", "s\u03a9-gro\u0308ße x"
PREPARED = "s\u03a9-größe x"
MAIL = b"From x Thu Jan  1 00:00:00 1970\nSubject: %s\n\n.\n\n"
REFUSED = b"-ERR [AUTH] Authentication failed."
# Whom nobody can be called.
NOBODY = [
    "..\uff0f..\uff0fetc", "\uff0ejörg", "jö\uff0frg", "jö\uff1arg",
    "jörg\uff0elock", "jö\u00a0rg", "\uff03jörg", "\uff0djörg",
    "jö\u202erg", "jö\u2066rg", "jö\u2028rg", "jö\u0085rg", "jö\ue000rg",
    "\u0627jörg", "\U0001f600", "\u00ad", "ö" * 126 + "\ufdfa",
    "jörg\uff0aboss",
]


def lite(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE u (user, password)")
        db.execute("INSERT INTO u VALUES (?, ?)", ("zoë", "{PLAIN}wonderland"))
    db.close()
    os.chmod(path, 0o644)


class Names:
    OPTIONS = {
        "auth": "file one:sqlite:lite", "peer_check": "no", "virtual_user": "own",
        "auth_fail_delay": 0, "auth_tries": 99, "drain_timeout": 1,
        "plaintext_networks": "127.0.0.0/8", "listen": "127.0.0.1:%d" % PORT,
        "sasl_mechanisms": "plain login scram-sha-256", "utf8_user": "yes",
        "recoverable_secrets": "yes",
        "deny_file": "denied", "master_users": "masters",
        "access": "deny user=mädi"}
    FOLDER, USER = "/etc/popper", "root"
    MORE = {"maildrop": "/var/mail/%u"}
    SPOOL = "/var/mail/"

    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("own", uid=5000)
        cls.lay()
        cls.log = cls.host.syslog

    @classmethod
    def lay(cls):
        rows = "ann:{PLAIN}wonderland::::::\n"
        cls.host.mkdir(cls.FOLDER, 0o755, cls.USER)
        cls.host.call(lite, "/srv/lite")
        for name, text in (
                ("users", rows + "mädi:{PLAIN}x::::::\nödi:{PLAIN}x::::::\n"),
                ("denied", "ödi\n"), ("masters", "boss:{PLAIN}of boss\n"),
                ("lite", "file = /srv/lite\nquery = SELECT user, password "
                         "FROM u WHERE user = ?1\n"),
                ("popper.conf", conf(**{**cls.OPTIONS, **cls.MORE}))):
            cls.put(name, text)
        # Kept as clients' will be, however it is typed.
        cls.host.run([POPPER, "passwd", "--config", cls.FOLDER + "/popper.conf",
                      "--file", cls.FOLDER + "/users", "--scheme", "plain",
                      WIDE], input=LONG.encode() + b"\n", check=True,
                     user=cls.USER)
        for name in (JOERG, "ann", "zoë"):
            cls.host.write(cls.SPOOL + name, MAIL % name.encode(), 0o660, "own",
                           "mail")

    @classmethod
    def put(cls, name, text):
        cls.host.write("%s/%s" % (cls.FOLDER, name), text, 0o600, cls.USER)

    def open(self):
        pop = Pop(self.host.connect(PORT))
        self.addCleanup(pop.close)
        return pop

    def line(self, pop, *words):
        pop.send(b" ".join(w if isinstance(w, bytes) else w.encode()
                           for w in words) + b"\r\n")
        return pop.line()

    def said(self, pop, user, password):
        """By USER and PASS."""
        self.assertEqual(self.line(pop, "USER", user)[:3], b"+OK")
        return self.line(pop, "PASS", password)

    def plain(self, pop, *words):
        return self.line(pop, b"AUTH PLAIN " + base64.b64encode(
            "\0".join(words).encode()))

    def sees(self, pop, got, name):
        """It is this one's maildrop."""
        self.assertEqual(got[:3], b"+OK", got)
        self.assertIn(b"Subject: " + name.encode(), pop.retr(1))
        pop.quit()

    def test_uidl(self):
        """popper uidl finds a user by either form, in whatever database."""
        def uidl(*words, said=b""):
            return self.host.run([POPPER, "uidl", "--config", self.FOLDER
                                  + "/popper.conf", *words], user=self.USER,
                                 input=said, check=True).stdout
        for user in (WIDE, "zoë"):
            own = uidl("export", user)
            self.assertRegex(own, rb"\A1 \d+ [a-z2-7]{26}\n\Z")
            uidl("import", user, said=b"1 old\n")
            self.assertRegex(uidl("export", user), rb"\A1 \d+ old\n\Z")
            uidl("import", "--fresh", user)
            self.assertEqual(uidl("export", user), own)

    def test_either_form(self):
        mark = self.log.mark()
        for user in (JOERG, WIDE):
            for password in (LONG, SHORT):
                pop = self.open()
                self.assertIn(b"UTF8 USER",
                              pop.multi("CAPA")[1].split(b"\r\n"))
                # (Without the command UTF8 its header is a surrogate.)
                self.assertEqual(self.line(pop, "UTF8")[:3], b"+OK")
                self.sees(pop, self.said(pop, user, password), JOERG)
        self.log.wait(r'\blogin .*user="j\\xc3\\xb6rg" ', mark, count=4)

    def test_sasl(self):
        def login(pop, user):
            b64 = base64.b64encode
            self.assertEqual(self.line(pop, "AUTH LOGIN")[:2], b"+ ")
            self.assertEqual(self.line(pop, b64(user.encode()))[:2], b"+ ")
            return self.line(pop, b64(SHORT.encode()))

        def scram(pop, user):
            client = Scram(JOERG, PREPARED)
            b64 = base64.b64encode
            got = self.line(pop, b"AUTH SCRAM-SHA-256 " + b64(client.first()))
            got = self.line(pop, b64(client.final(base64.b64decode(got[2:]))))
            self.assertTrue(client.knows(base64.b64decode(got[2:])), got)
            return self.line(pop, b"")

        for way in (lambda pop, user: self.plain(pop, "", user, LONG),
                    lambda pop, user: self.plain(pop, user, user, SHORT),
                    login, scram):
            pop = self.open()
            self.line(pop, "UTF8")
            self.sees(pop, way(pop, WIDE), JOERG)

    def test_apop(self):
        for user in (JOERG, WIDE):
            pop = self.open()
            stamp = pop.greeting[pop.greeting.index(b"<"):]
            self.line(pop, "UTF8")
            self.sees(pop, self.line(pop, "APOP", user, hashlib.md5(
                stamp + PREPARED.encode()).hexdigest()), JOERG)

    def test_sql(self):
        for user in ("zoë", "zoe\u0308"):
            pop = self.open()
            self.line(pop, "UTF8")
            self.sees(pop, self.said(pop, user, "wonderland"), "zoë")

    def test_capa_later(self):
        pop = self.open()
        self.said(pop, "ann", "wonderland")
        self.assertIn(b"UTF8 USER", pop.multi("CAPA")[1].split(b"\r\n"))
        pop.quit()

    def test_nobody(self):
        """One text for all, and one line, in which nothing is forged."""
        pop = self.open()
        for user in NOBODY:
            mark = self.log.mark()
            self.assertEqual(self.said(pop, user, "x"), REFUSED, user)
            got = self.log.wait(r"\blogin-failed ", mark)
            self.assertEqual(len(got), 1, got)
            self.assertRegex(got[0], r'\buser=([!-~]+|"[ -~]+") ip=127\.0\.0\.1 '
                             r"method=pass reason=bad-name$")
            self.assertTrue(got[0].isascii() and got[0].isprintable())
        mark = self.log.mark()
        self.assertEqual(self.plain(pop, "", "jö\x07rg", "x"), REFUSED)
        self.log.wait(r"\blogin-failed .*reason=bad-name$", mark)
        mark = self.log.mark()
        self.assertEqual(self.said(pop, "JÖRG", SHORT), REFUSED)
        self.log.wait(r"\blogin-failed .*reason=unknown-user$", mark)
        pop.quit()

    def test_nobody_by_scram(self):
        """Which prepares names by itself."""
        pop = self.open()
        mark = self.log.mark()
        client = Scram("jö\uff0frg", SHORT)
        got = self.line(pop, b"AUTH SCRAM-SHA-256 "
                        + base64.b64encode(client.first()))
        got = self.line(pop, base64.b64encode(client.final(
            base64.b64decode(got[2:]))))
        self.assertEqual(got, REFUSED)
        self.log.wait(r"\blogin-failed .*reason=bad-name$", mark)
        pop.quit()

    def test_wrong(self):
        pop = self.open()
        for password in ("GRÖSSE", LONG.encode("utf-16-le")[:5] + b"\xff",
                         SHORT.encode()[:-1], b"\xff\xfe", "x\u202e", "\u00ad"):
            mark = self.log.mark()
            self.assertEqual(self.said(pop, JOERG, password), REFUSED)
            self.log.wait(r"\blogin-failed .* reason=(bad|empty)-password\b",
                          mark)
        for user, reason in (("o\u0308di", "denied"), ("ma\u0308di", "rule")):
            mark = self.log.mark()
            self.assertEqual(self.said(pop, user, "x"), REFUSED)
            self.log.wait(r"\blogin-failed .* reason=%s\b" % reason, mark)
        pop.quit()

    def test_master(self):
        for words in (("", WIDE + "*boss"), (WIDE, "boss")):
            pop = self.open()
            self.line(pop, "UTF8")
            self.sees(pop, self.plain(pop, *words, "of boss"), JOERG)
        pop = self.open()
        for words in (("", "ann\uff0aboss"), ("ann", "jö\uff0aboss")):
            self.assertEqual(self.plain(pop, *words, "of boss"), REFUSED)
        pop.quit()

    def test_no_utf8(self):
        pop = self.open()
        for user in (b"j\xf6rg", b"\xc0\xaf", b"\xed\xa0\x80x", b"j\xc3"):
            self.assertEqual(self.line(pop, "USER", user),
                             b"-ERR Malformed command.")
        pop.quit()


class Served(Names, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = Serve(cls.host, PORT)
        cls.addClassCleanup(server.stop)

    def ctl(self, *words):
        r = self.host.run([POPPER, "ctl", *words])
        return r.stdout.decode() + r.stderr.decode()

    def test_ctl(self):
        pop = self.open()
        self.assertEqual(self.said(pop, JOERG, SHORT)[:3], b"+OK")
        self.assertIn("j\\xc3\\xb6rg", self.ctl("who"))
        self.assertRegex(self.ctl("why", WIDE + "@192.0.2.1"),
                         r"(?m)^db +file$")
        self.assertIn("1", self.ctl("kick", WIDE))
        pop.at_end()

    def test_check(self):
        """It knows which rows and names are good."""
        users = self.host.read("/etc/popper/users")
        r = self.host.run([POPPER, "check"])
        text = r.stdout.decode() + r.stderr.decode()
        self.assertEqual(r.returncode, 0, text)
        self.assertNotIn("no user can have", text)
        try:
            self.put("users", users + "zoe\u0308:{PLAIN}x::::::\n".encode())
            r = self.host.run([POPPER, "check"])
            self.assertRegex(r.stdout.decode() + r.stderr.decode(),
                             "users:[0-9]+: error: .*no user can have this name")
        finally:
            self.put("users", users)

    def test_guesses_count_once(self):
        """However a name is written."""
        pop = self.open()
        for i, user in enumerate(("bo\u0308", "bö", "b\u00adö", "\uff42ö")):
            self.assertEqual(self.said(pop, user, "x%d" % i), REFUSED)
        pop.quit()
        self.assertRegex(self.ctl("why", "bö@127.0.0.1"),
                         r"(?m)^user_failures +4$")


class Bare(Names, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = Inetd(cls.host, PORT)
        cls.addClassCleanup(server.stop)


class Single(Names, unittest.TestCase):
    FOLDER, USER = "/home/own/pop", "own"
    MORE = {"isolation": "single", "passwd_file": "users", "state_dir": "state",
            "run_dir": "run", "maildrop": "/home/own/mail/%u", "virtual_user": ""}
    SPOOL = "/home/own/mail/"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = cls.host.popen([POPPER, "serve", "--config",
                                 cls.FOLDER + "/popper.conf"], user="own")
        cls.addClassCleanup(server.stop)
        cls.host.wait_port(PORT)

    @classmethod
    def lay(cls):
        cls.host.mkdir("/home/own/mail", 0o755, "own")
        super().lay()


class Off(unittest.TestCase):
    """Without the option all is as it was."""

    def test_off(self):
        host = Host()
        self.addCleanup(host.close)
        host.add_user("own", uid=5000)
        host.write("/etc/popper/users", b"j\xc3\xb6rg:{PLAIN}x::::::\n"
                   b"ann:{PLAIN}gr\xf6\xdfe::::::\nbob:{PLAIN}o\xcc\x88::::::\n",
                   0o600)
        host.write("/etc/popper/popper.conf", conf(**{
            **Names.OPTIONS, **Names.MORE, "auth": "file", "utf8_user": "no",
            "deny_file": "none", "master_users": "", "access": ""}))
        server = Inetd(host, PORT)
        self.addCleanup(server.stop)
        for user, password, want in ((b"ann", b"gr\xf6\xdfe", b"+OK"),
                                     (b"bob", b"o\xcc\x88", b"+OK"),
                                     (b"bob", b"\xc3\xb6", b"-ERR [AUTH]")):
            with Pop(host.connect(PORT)) as pop:
                self.assertIn(b"UTF8", pop.multi("CAPA")[1].split(b"\r\n"))
                pop.send(b"USER j\xc3\xb6rg\r\n")
                self.assertEqual(pop.line(), b"-ERR Malformed command.")
                pop.send(b"AUTH PLAIN " + base64.b64encode(
                    b"\0j\xc3\xb6rg\0x") + b"\r\n")
                self.assertEqual(pop.line(), REFUSED)
                pop.cmd("USER", user)
                pop.send(b"PASS " + password + b"\r\n")
                self.assertEqual(pop.line()[:len(want)], want)


if __name__ == "__main__":
    unittest.main()
