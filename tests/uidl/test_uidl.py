# SPDX-License-Identifier: ISC
"""Unique-ids of another server: popper uidl, and what clients see afterwards.

popa3d's digests are computed here, apart from popper.
"""

import hashlib
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, PopError, Serve, conf        # noqa: E402

BASIC = {"peer_check": "no", "auth_fail_delay": "1"}
FOLDER = "/var/lib/popper/uidl"


def message(n, *fields, body=b"text\n"):
    return b"From a@x Mon Jan  1 10:00:%02d 2024\nSubject: %d\n" % (n, n) + \
        b"".join(f + b"\n" for f in fields) + b"\n" + body + b"\n"


def popa3d(*lines):
    h = hashlib.md5(b"".join(l + b"\n" for l in lines)).hexdigest()
    return "".join(h[2 * i:2 * i + 2] for i in (3, 2, 1, 0, 7, 6, 5, 4))


def qpopper(text):
    """Its MD5 in base 80, of overlapping octets."""
    digest, out = hashlib.md5(text).digest(), ""
    for i in range(0, 16, 4):
        v = sum(digest[i + j] << 4 * (3 - j) for j in range(4))
        for k in range(5):
            out += chr(0x21 + v // 80 ** k % 80)
    return out.replace(".", "~").encode()


class Mailbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")

    def setUp(self):
        self.host.run(["rm", "-rf", FOLDER, "/var/mail/ann"], check=True)
        self.mark = self.host.syslog.mark()

    def uidl(self, *args, status=0, **kw):
        kw.setdefault("input", b"")
        r = self.host.run(["/usr/sbin/popper", "uidl", *args], **kw)
        self.assertEqual(r.returncode, status, (r.stdout, r.stderr))
        return r

    def login(self):
        pop = Pop(self.host.connect(110))
        pop.login("ann", "ann")
        return pop

    def shown(self):
        """The ids that a client sees, in order."""
        with self.login() as pop:
            ids = pop.uidl()
            pop.quit()
        return [ids[n] for n in sorted(ids)]

    def mail(self, *messages):
        self.host.spool("ann", b"".join(messages))
        return self.shown()

    def promises(self):
        """Octets of ann's file, None when there is none."""
        names = self.host.run(["ls", FOLDER], check=True).stdout.decode().split()
        return len(self.host.read(FOLDER + "/" + names[0])) if names else None

    def sweep(self):
        """Ids whose messages are gone go when they are half of all."""
        self.mail(*(message(n) for n in range(1, 6)))
        self.uidl("import", "ann", input=b"1 a\n2 b\n3 c\n4 d\n")
        size = self.promises()
        for dele, rows, left in (((2,), 4, [b"a", b"c", b"d"]),
                                 ((2,), 2, [b"a", b"d"]),
                                 ((1, 2), 0, [])):
            with self.login() as pop:
                for n in dele:
                    pop.dele(n)
                pop.quit()
            self.assertEqual(self.promises(),
                             size - (4 - rows) * 22 if rows else None)
            self.assertEqual(self.shown()[:-1], left)


class Uidl(Mailbox):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)
        cls.host.write("/etc/popper/popper.conf", conf(**BASIC))

    def test_list(self):
        own = self.mail(message(1), message(2), message(3))
        said = b"+OK\r\n1 00000001500c3ab1\r\n2 00000002500c3ab1\r\n.\r\n"
        r = self.uidl("import", "--dry-run", "ann", input=said)
        self.assertIn(b"3 messages, 2 with an id of the old server (dry run):"
                      b" 2 change, 2 promised", r.stdout)
        self.assertEqual(self.shown(), own)
        self.assertFalse(self.host.exists(FOLDER))
        self.uidl("verify", "ann", input=said, status=1)
        self.uidl("import", "ann", input=said)
        new = [b"00000001500c3ab1", b"00000002500c3ab1", own[2]]
        self.assertEqual(self.shown(), new)
        r = self.uidl("verify", "ann", input=said, status=1)
        self.assertEqual(r.stdout, b"3 %s -\n" % own[2])
        # What is exported is a list, and says the same.
        r = self.uidl("export", "ann")
        self.assertEqual([l.split()[2] for l in r.stdout.splitlines()], new)
        self.uidl("verify", "ann", input=r.stdout)
        # Deleted mail, new mail, a Status: the ids stay.
        with self.login() as pop:
            pop.retr(2)
            pop.dele(1)
            pop.quit()
        data = self.host.read("/var/mail/ann")
        self.assertIn(b"Status: RO", data)
        self.host.spool("ann", data + message(4))
        self.assertEqual(self.shown()[:2], new[1:])
        # A second import keeps what it does not name, and sweeps.
        r = self.uidl("import", "ann", input=b"3 fourth\n")
        self.assertIn(b"1 change, 2 promised", r.stdout)
        self.assertEqual(self.shown(), new[1:] + [b"fourth"])
        self.uidl("import", "--fresh", "ann")
        self.assertEqual(self.shown()[:2], own[1:])

    def test_refused(self):
        own = self.mail(message(1), message(2))
        for said, why in (
                (b"1 a\n2 a\n", b"messages 1 and 2 would both be a"),
                (b"1 a\n1 b\n", b"message 1 twice"),
                (b"3 a\n", b"has a message 3, the maildrop has 2"),
                (b"1 a\nx\n", b"line 2 of the list"),
                (b"1 99 a\n", b"has 99 octets in the list"),
                (b"1 " + own[1] + b"\n", b"would both be " + own[1]),
                (b"1 " + b"x" * 71 + b"\n", b"line 1 of the list")):
            with self.subTest(said):
                r = self.uidl("import", "ann", input=said, status=1)
                self.assertIn(why, r.stderr)
        self.assertFalse(self.host.exists(FOLDER))
        self.assertEqual(self.shown(), own)
        self.uidl("import", "nobody-of-this-name", status=1)
        for args in (("export",), ("inport", "ann"), ("export", "ann", "x"),
                     ("export", "--fresh", "ann"), ("verify", "--dry-run",
                                                    "ann"),
                     ("import", "--from", "tea", "ann"),
                     ("import", "--format", "uw", "ann"),
                     ("import", "--from", "uid", "--format", "%v", "ann")):
            with self.subTest(args):
                self.uidl(*args, status=64)

    def test_terminal(self):
        """What is printed there asks the kernel what it is."""
        own, = self.mail(message(1))
        ours, its = os.openpty()
        with open(ours, "rb", buffering=0) as terminal:
            with open(its, "wb") as out:
                self.host.popen(["/usr/sbin/popper", "uidl", "export", "ann"],
                                stdout=out).wait()
            self.assertRegex(terminal.read(200), b" " + own + b"\r\n")

    def test_in_use(self):
        self.mail(message(1))
        with self.login() as pop:
            for word in ("import", "export", "verify"):
                self.assertRegex(
                    self.uidl(word, "ann", status=75).stderr.decode(),
                    r"^popper uidl: the maildrop is in use, for \d+ s by session"
                    r" (\w{12}) of 127\.0\.0\.1, process \d+: try again when it"
                    r" has ended, or end it with popper ctl kick \1\n$")
            name, = self.host.run(["ls", "/run/popper/lock"]).stdout.split()
            pop.quit()
        self.uidl("import", "ann", input=b"1 a\n")
        # Of another one; of nobody who is known; of a mailer.
        lock = "/run/popper/lock/" + name.decode()
        self.in_use_by(lock, "pid=7 sid=uidl ip=local since_ms=1\n",
                       r"for \d+ s by popper uidl, process 7: try again when")
        self.in_use_by(lock, "", r"by a session or another popper uidl: try")
        self.host.write("/var/mail/ann.lock", "0\n")
        self.assertIn(b"/var/mail/ann", self.uidl("export", "ann", status=75).stderr)
        self.host.run(["rm", "/var/mail/ann.lock"], check=True)

    def in_use_by(self, lock, text, told):
        """A lock with such a text is held."""
        self.host.write(lock, text, 0o600)
        with self.host.popen(["flock", lock, "sh", "-c", "echo; cat"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            self.assertEqual(p.stdout.readline(), b"\n")
            r = self.uidl("export", "ann", status=75)
            p.communicate()
        self.assertRegex(r.stderr.decode(), "the maildrop is in use, " + told)

    def test_damaged(self):
        self.mail(message(1))
        self.uidl("import", "ann", input=b"1 a\n")
        name, = self.host.run(["ls", FOLDER]).stdout.decode().split()
        path = FOLDER + "/" + name
        data = self.host.read(path)
        facts = self.host.run(["stat", "-c", "%a %U", FOLDER, path]).stdout
        self.assertEqual(facts, b"700 root\n600 root\n")
        self.host.write(path, data[:-1] + b"?", mode=0o600)
        with Pop(self.host.connect(110)) as pop:
            with self.assertRaisesRegex(PopError, r"\[SYS/PERM\]"):
                pop.login("ann", "ann")
        self.inetd.wait()               # its lock is free
        self.host.syslog.wait(r"drop-failed.*promised unique-ids are damaged",
                              self.mark)
        self.uidl("export", "ann", status=1)
        self.uidl("import", "ann", input=b"1 b\n", status=1)
        self.host.write(path, data, mode=0o600)
        self.assertEqual(self.shown(), [b"a"])
        self.host.write(path, b"", mode=0o600)
        self.uidl("import", "--fresh", "ann", input=b"1 b\n")
        self.assertEqual(self.shown(), [b"b"])

    def test_x_uidl(self):
        self.mail(message(1, b"X-UIDL: Q]#\"!kd!!"), message(2),
                  message(3, b"X-UIDL: Q]#\"!kd!!"), message(4, b"X-UIDL: a b"),
                  message(5, b"X-UIDL: fifth"))
        own = self.shown()
        r = self.uidl("import", "--from", "x-uidl", "ann")
        self.assertIn(b"5 messages, 2 with an id", r.stdout)
        self.assertIn(b"1 are another message's", r.stderr)
        self.assertEqual(self.shown(), [b"Q]#\"!kd!!"] + own[1:4] + [b"fifth"])

    def test_forged(self):
        """A field that names the id of another message hinders nobody."""
        own = self.mail(message(1), message(2, b"X-UIDL: two"))
        own += self.mail(message(1), message(2, b"X-UIDL: two"),
                         message(3, b"X-UIDL: " + own[0]))[2:]
        self.uidl("import", "--from", "x-uidl", "ann")
        self.assertEqual(self.shown(), [own[0], b"two", own[2]])

    def test_uid(self):
        self.mail(message(1, b"X-IMAPbase: 1700000001 0000000009", b"X-UID: 3"),
                  message(2, b"X-UID: 9                  "), message(3))
        own = self.shown()
        self.uidl("import", "--from", "uid", "ann")
        self.assertEqual(self.shown(), [b"000000036553f101", b"000000096553f101",
                                        own[2]])
        self.uidl("import", "--from", "uid", "--format", "%v.%u", "ann")
        self.assertEqual(self.shown(), [b"1700000001.3", b"1700000001.9",
                                        own[2]])
        self.mail(message(1))
        r = self.uidl("import", "--from", "uid", "ann", status=1)
        self.assertIn(b"no X-IMAPbase:", r.stderr)

    def test_qpopper(self):
        """What it has written, and what it makes where it writes nothing."""
        fields = [b"Return-Path: <a@x>", b"Received: from a", b"\tby b",
                  b"message-id: <1@x>", b"X-UIDL: short"]
        lines = b"Received: from a\nmessage-id: <1@x>\n"
        long = b"Date: " + b"x" * 2000
        own = self.mail(message(1, *fields), message(2, long),
                        message(3, b"X-UIDL: 12345678901"), message(4),
                        message(4))
        texts = [b"From a@x Mon Jan  1 10:00:%02d 2024\nSubject: %d\n" % (n, n)
                 for n in (1, 2, 3, 4)]
        texts[0] += lines
        texts[1] += long[:1023]
        self.uidl("import", "--from", "qpopper", "ann")
        want = [qpopper(t + t.partition(b"Subject")[0]) for t in texts]
        want[2] = b"12345678901"
        # It would have said the last one twice.
        self.assertEqual(self.shown(), [*want, own[4]])
        self.uidl("import", "--from", "qpopper-old", "ann")
        want = [hashlib.md5(t).hexdigest().encode() for t in texts]
        want[2] = b"12345678901"
        self.assertEqual(self.shown()[:4], want)

    def test_popa3d(self):
        fields = [b"Delivered-To: ann", b"Date: now", b"Received: from a",
                  b"\tby b", b"Received: from c", b"Date: then"]
        own = self.mail(message(1, *fields), message(2, *fields), message(3))
        self.uidl("import", "--from", "popa3d", "ann")
        want = popa3d(*fields[:4]).encode()
        self.assertEqual(self.shown(), [want, own[1], popa3d().encode()])
        self.uidl("import", "--fresh", "--from", "md5", "ann")
        text = b"annnowfrom a\tby b", b""
        self.assertEqual(self.shown()[::2], [
            hashlib.md5(t).hexdigest().encode() for t in text])

    def test_tpop3d(self):
        """Of what is shorter than its 512 octets nobody knows where it ends."""
        long = [message(n, body=b"%d" % n * 600 + b"\n") for n in (1, 2)]
        own = self.mail(*long, message(3))
        self.uidl("import", "--from", "tpop3d", "ann")
        self.assertEqual(self.shown(), [
            hashlib.md5(m[:512]).hexdigest().encode() for m in long] + own[2:])

    def test_swept(self):
        self.sweep()


class Served(Mailbox):
    """Sessions of popper serve, whose questions a process of their own answers."""

    def test_swept(self):
        self.host.write("/etc/popper/popper.conf", conf(**BASIC))
        server = Serve(self.host)
        self.addCleanup(server.stop)
        self.sweep()


if __name__ == "__main__":
    unittest.main()
