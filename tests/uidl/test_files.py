# SPDX-License-Identifier: ISC
"""Unique-ids of a Maildir's files: those that Dovecot and Courier have written beside
them, and what clients see afterwards.
"""

import hashlib
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, TESTS + "/tls", TESTS + "/uidl"]

from lib.popper import Inetd, conf                              # noqa: E402
from test_live import OLD, Old, mail                            # noqa: E402
from test_uidl import BASIC, Mailbox                            # noqa: E402

DIR = "/home/ann/Maildir/"
NAMES = ["170000000%d.M1P%d.mx" % (n, n) for n in range(1, 5)]


class Files(Mailbox):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def setUp(self):
        super().setUp()
        self.host.write("/etc/popper/popper.conf",
                        conf(maildrop="~/Maildir/", **BASIC))
        self.host.run(["rm", "-rf", DIR], check=True)
        for folder in ("", "cur", "new", "tmp"):
            self.host.mkdir(DIR + folder, 0o700, "ann", "ann")
        for n, name in enumerate(NAMES, 1):
            self.file(("new/" if n > 2 else "cur/") + name +
                      ("" if n > 2 else ":2,S"), mail(n))

    def file(self, name, text):
        self.host.write(DIR + name, text, mode=0o600, owner="ann", group="ann")

    def names(self):
        return [n.encode() for n in NAMES]

    def test_list(self):
        """Promised by the name of the file, which keeps it when it is marked."""
        self.assertEqual(self.shown(), self.names())
        said = b"1 a\r\n2 b\r\n4 d\r\n"
        self.uidl("import", "ann", input=said)
        want = [b"a", b"b", NAMES[2].encode(), b"d"]
        self.assertEqual(self.shown(), want)
        r = self.uidl("verify", "ann", input=said, status=1)
        self.assertEqual(r.stdout, b"3 %s -\n" % want[2])
        with self.login() as pop:
            pop.retr(4)
            pop.quit()
        self.assertTrue(self.host.exists(DIR + "cur/" + NAMES[3] + ":2,S"))
        r = self.uidl("export", "ann")
        self.assertEqual([l.split()[2] for l in r.stdout.splitlines()], want)
        self.uidl("verify", "ann", input=r.stdout)
        self.uidl("import", "--fresh", "ann")
        self.assertEqual(self.shown(), self.names())

    def test_twins(self):
        """Files that share their name are told apart by their numbers."""
        self.file("new/" + NAMES[0], mail(5))
        self.assertEqual(len(set(self.shown())), 5)
        said = b"1 a\n2 b\n3 c\n"
        self.uidl("import", "ann", input=said)
        self.assertEqual(self.shown()[:3], [b"a", b"b", b"c"])

    def test_swept(self):
        self.uidl("import", "ann", input=b"1 a\n2 b\n3 c\n")
        size = self.promises()
        for dele, rows, left in ((1, 3, [b"b", b"c"]), (1, 1, [b"c"]),
                                 (1, 0, [])):
            with self.login() as pop:
                pop.dele(dele)
                pop.quit()
            self.assertEqual(self.promises(),
                             size - (3 - rows) * 22 if rows else None)
            self.assertEqual(self.shown()[:-1], left)

    def test_dovecot(self):
        """What it kept (P) goes before its form; other names are passed over."""
        self.uidl("import", "--from", "dovecot", "ann", status=1)
        self.file("dovecot-uidlist", "3 V1700000001 N10 G1b2c\n"
                  "3 W99 S90 :%s:2,S\n4 P0123abc :%s\n5 :%s\n9 :gone:2,\n"
                  % (NAMES[0], NAMES[3], NAMES[1]))
        self.uidl("import", "--from", "dovecot", "ann")
        self.assertEqual(self.shown(), [b"000000036553f101", b"000000056553f101",
                                        NAMES[2].encode(), b"0123abc"])
        self.uidl("import", "--from", "dovecot", "--format", "%v.%u", "ann")
        self.assertEqual(self.shown()[:2], [b"1700000001.3", b"1700000001.5"])
        # Another file, that the operator names.
        self.uidl("import", "--from", "dovecot", "ann", "-",
                  input=b"3 V7 N10\n8 :%s\n" % NAMES[2].encode())
        self.assertEqual(self.shown()[2], b"0000000800000007")
        for said, why in ((b"2 V7\n", b"no dovecot-uidlist"), (b"", b"no dove"),
                          (b"3 V7 N1\nx\n", b"line 2"),
                          (b"3 V7 N1\n1 :%s\n1 :%s\n" % tuple(
                              self.names()[:2]), b"would both be")):
            with self.subTest(said):
                r = self.uidl("import", "--from", "dovecot", "ann", "-",
                              input=said, status=1)
                self.assertIn(why, r.stderr)

    def test_link(self):
        """Root reads nothing for the user, and the child not what he may not."""
        self.host.write("/root/uidlist", "3 V7 N1\n1 :%s\n" % NAMES[0],
                        mode=0o600)
        self.host.run(["ln", "-s", "/root/uidlist", DIR + "dovecot-uidlist"],
                      check=True)
        self.uidl("import", "--from", "dovecot", "ann", status=1)
        self.assertEqual(self.shown(), self.names())

    def test_courier(self):
        self.file("courierpop3dsizelist", "/3 5 1700000001\n%s 90 3:1700000001:0\n"
                  "%s 90 4:0\n%s 90 0:0\n"
                  % (NAMES[0], NAMES[1], NAMES[2]))
        self.uidl("import", "--from", "courier", "ann")
        self.assertEqual(self.shown(), [b"UID3-1700000001", b"UID4"] +
                         self.names()[2:])

    def test_tpop3d(self):
        self.uidl("import", "--from", "tpop3d", "ann")
        self.assertEqual(self.shown(), [
            hashlib.md5(n).hexdigest().encode() for n in self.names()])

    def test_headers(self):
        """Fields of the header, and a server that answers, as with an mbox."""
        self.file("new/" + NAMES[3], mail(4, "X-UIDL: four"))
        self.uidl("import", "--from", "x-uidl", "ann")
        self.assertEqual(self.shown(), self.names()[:3] + [b"four"])
        old = Old(self.host, [("two", mail(2)), ("one", mail(1))])
        self.addCleanup(old.stop)
        self.uidl("--from", "pop3://127.0.0.1:%d" % OLD, "import", "ann",
                  input=b"secret\n")
        self.assertEqual(self.shown(), [b"one", b"two", self.names()[2], b"four"])

    def test_mbox_has_no_names(self):
        self.host.write("/etc/popper/popper.conf", conf(**BASIC))
        self.uidl("import", "--from", "courier", "ann", status=1)


if __name__ == "__main__":
    unittest.main()
