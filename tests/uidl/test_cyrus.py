# SPDX-License-Identifier: ISC
"""Unique-ids of a mailbox of Cyrus IMAP, by its own files: such that are made here,
and (long run) those of the real server.
"""

import os
import re
import struct
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, TESTS + "/uidl"]

from lib.popper import Inetd, conf                              # noqa: E402
from test_live import mail                                      # noqa: E402
from test_move import DELIVERED, LONG, OLD, Move                # noqa: E402
from test_uidl import BASIC, Mailbox                            # noqa: E402

BOX = "/srv/cyrus/ann/"
VALIDITY = 1700000001
EXPUNGED = 1 << 31


def index(rows, version=17, options=1, n=None):
    """cyrus.index of versions 12 to 19; rows: (uid, flags)."""
    head = struct.pack(">24I", 0, 0, version, 160, 112,
                       len(rows) if n is None else n, 0, 0, 0, 0, 0, VALIDITY,
                       0, 0, 0, options, *[0] * 8)
    return head.ljust(160, b"\0") + b"".join(
        struct.pack(">9I", uid, *[0] * 7, flags).ljust(112, b"\0")
        for uid, flags in rows)


class Cyrus(Mailbox):
    """Of a folder that only user cyrus may look into."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("cyrus", 915, home="/nonexistent",
                          shell="/usr/sbin/nologin")
        cls.host.write("/etc/popper/popper.conf", conf(**BASIC))
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def setUp(self):
        super().setUp()
        self.host.run(["rm", "-rf", BOX], check=True)
        self.host.mkdir("/srv/cyrus", 0o700, "cyrus")
        self.host.mkdir(BOX, 0o700, "cyrus")
        for uid in (3, 4, 7, 9):
            self.file("%d." % uid, mail(uid).replace("\n", "\r\n"))
        self.index([(3, 0), (4, EXPUNGED), (7, 16), (9, 0)])
        # Elsewhere in another order, with the fields of another server.
        self.own = self.ids(9, 4, 3, 5, 7)

    def ids(self, *numbers):
        self.host.spool("ann", b"".join(
            b"From a@x Mon Jan  1 10:00:00 2024\n%s\n" % mail(
                n, "Status: RO").encode() for n in numbers))
        return self.shown()

    def file(self, name, text, owner="cyrus"):
        self.host.write(BOX + name, text, mode=0o600, owner=owner)

    def index(self, *args, **kw):
        self.file("cyrus.index", index(*args, **kw))

    def from_box(self, word="import", *args, **kw):
        return self.uidl("--from", "cyrus", *args, word, "ann", BOX, **kw)

    def check(self, *want):
        """want: ours where it is None."""
        self.assertEqual(self.shown(), [
            own if w is None else w for w, own in zip(want, self.own)])

    def test_import(self):
        self.from_box("verify", status=1)
        self.from_box("import", "--dry-run")
        self.check(None, None, None, None, None)
        r = self.from_box()
        self.assertIn(b"5 messages, 3 with an id of the old server", r.stdout)
        self.check(b"1700000001.9", None, b"1700000001.3", None,
                   b"1700000001.7")
        # There are two more here.
        r = self.from_box("verify", status=1)
        self.assertEqual([l.split()[0] for l in r.stdout.splitlines()],
                         [b"2", b"4"])

    def test_maildir(self):
        """Files that were copied as they are, with CRLF."""
        folder = "/home/ann/Maildir/"
        self.host.write("/etc/popper/popper.conf",
                        conf(maildrop="~/Maildir/", **BASIC))
        self.addCleanup(self.host.write, "/etc/popper/popper.conf",
                        conf(**BASIC))
        for name in ("", "cur", "new", "tmp"):
            self.host.mkdir(folder + name, 0o700, "ann", "ann")
        for uid, name in ((7, "new/1.a"), (3, "cur/2.b:2,S"), (5, "new/3.c")):
            self.host.write(folder + name, mail(uid).replace("\n", "\r\n"),
                            mode=0o600, owner="ann", group="ann")
        self.from_box()
        self.assertEqual(self.shown(), [b"1700000001.7", b"1700000001.3",
                                        b"3.c"])

    def test_forms(self):
        self.from_box("import", "--format", "dovecot")
        self.check(b"000000096553f101", None, b"000000036553f101", None,
                   b"000000076553f101")
        self.from_box("import", "--format", "%v-%u")
        self.check(b"1700000001-9", None, b"1700000001-3", None,
                   b"1700000001-7")
        # An old mailbox keeps to what it has always said.
        self.index([(3, 0), (7, 0), (9, 0)], version=12, options=0)
        self.from_box()
        self.check(b"9", None, b"3", None, b"7")

    def test_many(self):
        """More rows than are read at once; most of their files are gone."""
        self.index([(n, 0) for n in range(1, 2000)])
        r = self.from_box()
        self.assertIn(b"1995 messages of the old server are not here", r.stderr)
        self.check(b"1700000001.9", b"1700000001.4", b"1700000001.3", None,
                   b"1700000001.7")

    def test_damaged(self):
        for octets, why in (
                (b"", b"too short"), (b"From a@x\n" * 20, b"version"),
                (index([(3, 0)], version=21), b"version"),
                (index([(3, 0)], n=2), b"damaged"),
                (index([(3, 0), (7, 0), (7, 0)]), b"uid 7 comes after 7"),
                (index([(0, 0)]), b"uid 0 comes after 0")):
            with self.subTest(why):
                self.file("cyrus.index", octets)
                self.assertIn(why, self.from_box(status=1).stderr)
        self.check(None, None, None, None, None)

    def test_who_reads(self):
        """The owner of the folder, whoever may read what."""
        self.file("7.", "x", owner="root")
        self.assertIn(b"7.", self.from_box(status=77).stderr)
        self.host.run(["rm", BOX + "7."], check=True)
        self.host.run(["ln", "-s", "/etc/passwd", BOX + "7."], check=True)
        self.assertIn(b"7.", self.from_box(status=1).stderr)
        self.host.run(["rm", BOX + "7."], check=True)
        self.from_box()
        self.check(b"1700000001.9", None, b"1700000001.3", None, None)
        # A copy that is root's is for the eyes of nobody in particular.
        self.host.run(["chown", "-R", "0:0", BOX], check=True)
        self.from_box(status=77)
        self.host.run(["chmod", "-R", "go=rX", BOX[:-1],
                       "/srv/cyrus"], check=True)
        self.from_box()

    def test_words(self):
        for words in (("--from", "cyrus", "import", "ann"),
                      ("--from", "x-uidl", "import", "ann", BOX)):
            self.uidl(*words, status=64)
        self.uidl("--from", "cyrus", "import", "ann", "/etc/passwd", status=1)
        self.host.run(["rm", BOX + "cyrus.index"], check=True)
        self.assertIn(b"cyrus.index", self.from_box(status=1).stderr)


IMAPD = """
configdirectory: /var/lib/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /var/spool/cyrus/mail
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
autocreate_quota: 0
autocreate_post: yes
uidl_format: %s
"""
SERVICES = """
SERVICES {
  pop3 cmd="/usr/lib/cyrus/bin/pop3d" listen="127.0.0.1:%d" prefork=0
  lmtp cmd="/usr/lib/cyrus/bin/lmtpd -a" listen="127.0.0.1:2003" prefork=0
}
"""


@unittest.skipUnless(LONG, "long run only (make test-long)")
class RealCyrus(Move):
    packages = ("cyrus-common", "cyrus-pop3d", "sasl2-bin")
    form = "cyrus"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        host = cls.host
        host.add_user("cyrus", 915, home="/var/lib/cyrus",
                      shell="/usr/sbin/nologin")
        for path in ("/var/lib/cyrus", "/var/lib/cyrus/socket",
                     "/var/spool/cyrus", "/var/spool/cyrus/mail", "/run/cyrus", "/run/cyrus/lock",
                     "/run/cyrus/proc"):
            host.mkdir(path, 0o750, "cyrus", "mail")
        host.write("/etc/cyrus.conf", SERVICES % OLD)
        host.run(["/usr/sbin/saslpasswd2", "-p", "-c", "ann"], input=b"ann",
                 check=True)
        host.run(["chown", "cyrus", "/etc/sasldb2"], check=True)
        server = cls.old_server(cls)
        cls.deliver()
        server.stop()
        cls.box = host.run(["find", "/var/spool/cyrus/mail", "-name",
                            "cyrus.index", "-printf", "%h"],
                           check=True).stdout.decode()

    @classmethod
    def deliver(cls):
        """By LMTP, which puts fields of its own into them."""
        with cls.host.connect(2003) as s, s.makefile("rwb") as lines:
            def say(text, last=b"2"):
                lines.write(text + b"\r\n")
                lines.flush()
                while True:
                    line = lines.readline()
                    if line[3:4] != b"-":
                        break
                assert line.startswith(last), line
            lines.readline()
            say(b"LHLO x")
            for n in range(23):
                say(b"MAIL FROM:<a@x>")
                say(b"RCPT TO:<ann>")
                say(b"DATA", b"3")
                say((DELIVERED % (n, n, n, n)).replace(b"\n", b"\r\n") + b".")
            say(b"QUIT")

    def old_server(self):
        self.host.write("/etc/imapd.conf", IMAPD % self.form)
        p = self.host.popen(["/usr/lib/cyrus/bin/master", "-D"])
        self.host.wait_port(OLD)
        return p

    def mail(self, mail):
        """Copied from its files, with LF."""
        names = self.host.run(["ls", self.box], check=True).stdout.decode()
        uids = sorted(int(n) for n in re.findall(r"(?m)^(\d+)\.$", names))
        self.host.spool("ann", b"".join(
            b"From a@x Mon Jan  1 10:00:00 2024\n%s\n" % self.host.read(
                "%s/%d." % (self.box, uid)).replace(b"\r\n", b"\n")
            for uid in uids))

    def test_move(self):
        said = self.before()
        self.moves(said=said)
        self.moves_live(said)

    def test_files(self):
        for self.form, ours in (("cyrus", "cyrus"), ("uidonly", "%u"),
                                ("dovecot", "dovecot"), ("courier", "%v-%u")):
            with self.subTest(self.form):
                self.host.run(["/usr/sbin/popper", "uidl", "--fresh", "import",
                               "ann"], input=b"", check=True)
                said = self.before()
                for word in ("import", "verify"):
                    self.host.run(
                        ["/usr/sbin/popper", "uidl", "--from", "cyrus",
                         "--format", ours, word, "ann", self.box], check=True)
                self.assertEqual(self.our_ids(), said)


if __name__ == "__main__":
    unittest.main()
