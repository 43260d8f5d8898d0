# SPDX-License-Identifier: ISC
"""Odd maildrops, from the login to what QUIT leaves."""

import hashlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import flavour, nasty                                  # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop                               # noqa: E402
from lib.unpack import unpack                                   # noqa: E402
from scene import FROM, LONG, Scene, facts, message, texts      # noqa: E402

SPOOL = "/var/mail/ann"
MIB = 1 << 20
MEMORY = flavour.memory(16 << 10)        # KiB, whatever the size of the mail
PSEUDO = FROM % b"MAILER-DAEMON" + b"""\
Date: 02 Jan 2025 03:04:05 +0000
From: Mail System Internal Data <MAILER-DAEMON@pophost>
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
Message-ID: <1735786800@pophost>
X-IMAP: 1735786800 0000000000
Status: RO

This text is part of the internal format of your mail folder, and is not
a real message.

"""

HOLD = """
import fcntl, os, sys, time
how, seconds = sys.argv[1], float(sys.argv[2])
fd = os.open('/var/mail/ann', os.O_RDWR)
if how != 'dotlock':
    fcntl.lockf(fd, fcntl.LOCK_EX)
if how != 'fcntl':
    with open('/var/mail/ann.lock', 'x') as f:
        f.write('%d\\n' % os.getpid())
print('held', flush=True)
time.sleep(seconds)
if how != 'fcntl':
    os.unlink('/var/mail/ann.lock')
"""


class Odd(Scene):
    OPTIONS = {"status_headers": "no", "utf8_messages": "as-is"}

    def stat(self, path=SPOOL):
        return self.host.call(os.stat, path)

    def bulletin(self, number):
        self.host.mkdir("/var/lib/bulletins")
        self.host.write("/var/lib/bulletins/%d" % number, FROM % b"root"
                        + b"To: all\nSubject: bulletin\n\nnews\n\n")

    # -- little of a spool -------------------------------------------------

    def test_empty(self):
        self.host.spool("ann", b"")
        before = self.host.call(facts, SPOOL)
        pop = self.pop()
        self.assertEqual(pop.stat(), (0, 0))
        self.assertEqual((pop.list(), pop.uidl()), ({}, {}))
        pop.quit()
        self.inetd.wait()
        self.assertEqual(self.host.call(facts, SPOOL), before)

    def test_missing(self):
        self.assertEqual(self.session(), [])
        self.assertEqual(self.host.call(os.listdir, "/var/mail"), [])

    def test_missing_with_bulletin(self):
        self.configure(bulletins="/var/lib/bulletins")
        self.bulletin(1)
        self.assertEqual(self.session(), [])    # a new user has seen them
        self.bulletin(2)
        self.assertEqual(len(self.session()), 1)
        st = self.stat()
        self.assertEqual((st.st_mode & 0o7777, st.st_uid, st.st_gid),
                         (0o660, self.host.account("ann").uid, 8))
        self.assertEqual(len(self.session()), 1)
        self.no_locks()

    def test_pseudo_message(self):
        """c-client's: hidden, and kept when all else goes."""
        self.host.spool("ann", PSEUDO)
        before = self.host.call(facts, SPOOL)
        self.assertEqual(self.session(), [])
        self.assertEqual(self.host.call(facts, SPOOL), before)
        self.host.spool("ann", PSEUDO + message(b"one") + message(b"two"))
        self.assertEqual(self.session(delete=[1, 2]),
                         texts(message(b"one") + message(b"two")))
        self.assertEqual(self.host.spool("ann"), PSEUDO)

    def test_line_ends(self):
        one, two = message(b"one", b"a\n\nFrom b\n.\n"), message(b"two")
        cases = {
            "CRLF": ((one + two).replace(b"\n", b"\r\n"),
                     two.replace(b"\n", b"\r\n")),
            "mixed": (one + two.replace(b"\n", b"\r\n"),
                      two.replace(b"\n", b"\r\n")),
            "no blank line at the end": ((one + two)[:-1], two[:-1]),
            "no final newline": ((one + two)[:-2], two[:-2]),
            "half a CRLF": ((one + two)[:-2] + b"\r", two[:-2] + b"\r"),
            "blank lines at the end": (one + two + b"\n\n\n",
                                       two + b"\n\n\n"),
            "header only": (one + FROM % b"x" + b"Subject: x",
                            FROM % b"x" + b"Subject: x"),
            "From_ line only": (one + FROM % b"x", FROM % b"x"),
            "cut in the From_ line": (one + (FROM % b"x")[:-1],
                                      (FROM % b"x")[:-1]),
        }
        for name, (data, left) in cases.items():
            with self.subTest(name):
                self.host.spool("ann", data)
                self.assertEqual(self.session(delete=[1]), texts(data))
                self.assertEqual(self.host.spool("ann"), left)
                self.assertEqual(self.session(), texts(left))

    def test_no_mailbox(self):
        for data in (b"\nFrom a\n", b"\0" * 9999 + b"x", b"hello\n",
                     b"From ", b"From me to you\n\nhello\n", b">" + FROM,
                     b"#!/bin/sh\n", message(b"x")[1:], os.urandom(9999)):
            with self.subTest(data[:20]):
                self.host.spool("ann", data)
                before = self.host.call(facts, SPOOL)
                self.refused("ann", b"[SYS/PERM]",
                             "drop-failed.*%s.*not a mailbox" % SPOOL)
                self.assertEqual(self.host.call(facts, SPOOL), before)
                self.no_locks()

    def test_nasty(self):
        data = nasty.mbox()
        self.host.spool("ann", data)
        want = texts(data)
        self.assertEqual(self.session(), want)
        odd = list(range(1, len(want) + 1, 2))
        self.assertEqual(self.session(delete=odd), want)
        self.assertEqual(self.session(), want[1::2])

    # -- mode, owner, times ------------------------------------------------

    def test_mode_and_owner_stay(self):
        data = message(b"one") + message(b"two")
        for mode, group in ((0o600, "ann"), (0o600, "mail"), (0o660, "mail"),
                            (0o664, "ann"), (0o640, "users")):
            with self.subTest(mode=oct(mode), group=group):
                self.host.write(SPOOL, data, mode, "ann", group)
                before = self.stat()
                self.session(delete=[1])
                now = self.stat()
                self.assertEqual(
                    (now.st_mode, now.st_uid, now.st_gid, now.st_ino),
                    (before.st_mode, before.st_uid, before.st_gid,
                     before.st_ino))
                self.assertEqual(self.host.spool("ann"), message(b"two"))

    def test_times(self):
        """What tells mail readers and biff that there is new mail."""
        data = message(b"one") + message(b"two")
        for read in (True, False):
            with self.subTest(read=read):
                self.host.spool("ann", data)
                self.host.call(os.utime, SPOOL,
                               (2000, 1000) if read else (1000, 2000))
                self.session()                  # changes nothing
                st = self.stat()
                self.assertEqual(int(st.st_mtime), 1000 if read else 2000)
                pop = self.pop()
                if not read:
                    self.host.call(_append, SPOOL, message(b"three"))
                pop.dele(1)
                pop.quit()
                self.inetd.wait()
                st = self.stat()
                self.assertEqual(st.st_atime >= st.st_mtime, read)

    def test_a_look_leaves_new_mail_new(self):
        """Who only asks how much there is has read nothing: the shell goes
        on saying "You have new mail"."""
        for options in ({}, {"temp_max": "1"}, {"bulletins": "/nowhere"}):
            with self.subTest(options):
                self.configure(**options)
                self.host.spool("ann", message(b"one") + message(b"two"))
                self.host.call(os.utime, SPOOL, (1000, 2000))
                pop = self.pop()
                self.assertEqual(pop.stat()[0], 2)
                pop.quit()
                self.inetd.wait()
                st = self.stat()
                self.assertEqual((st.st_atime, st.st_mtime), (1000, 2000))
                # It is no merit of the file system's.
                self.host.spool("ann")
                self.assertGreater(self.stat().st_atime, 2000)

    # -- size --------------------------------------------------------------

    def session_memory(self):
        """VmHWM in KiB of the greatest process of the last connection."""
        found, todo = 0, [self.inetd.children[-1].inner()]
        while todo:
            pid = todo.pop()
            try:
                with open("/proc/%d/status" % pid, encoding="ascii") as f:
                    for line in f:
                        if line.startswith("VmHWM:"):
                            found = max(found, int(line.split()[1]))
                with open("/proc/%d/task/%d/children" % (pid, pid),
                          encoding="ascii") as f:
                    todo += [int(x) for x in f.read().split()]
            except (FileNotFoundError, ProcessLookupError):
                pass
        self.assertGreater(found, 0)
        return found

    def test_many_messages(self):
        n = 20000
        parts = [message(b"number %d" % i) for i in range(n)]
        self.host.spool("ann", b"".join(parts))
        want = texts(b"".join(parts))
        pop = Pop(self.host.connect(110), timeout=120)
        self.addCleanup(pop.close)
        self.assertEqual(pop.login("ann", "ann"),
                         (n, sum(len(w) for w in want)))
        sizes, uidl = pop.list(), pop.uidl()
        self.assertEqual([sizes[i + 1] for i in range(n)],
                         [len(w) for w in want])
        self.assertEqual(len(set(uidl.values())), n)
        for i in (1, 2, n // 2, n):
            self.assertEqual(pop.retr(i), want[i - 1])
        gone = range(1, n + 1, 2)
        pop.send(b"".join(b"DELE %d\r\n" % i for i in gone))
        for i in gone:
            pop.reply()
        memory = self.session_memory()
        pop.quit()
        self.inetd.wait()
        self.assertEqual(self.host.spool("ann"), b"".join(parts[1::2]))
        pop = self.pop()
        self.assertEqual(list(pop.uidl().values()),
                         [uidl[i] for i in range(2, n + 1, 2)])
        print("%d messages: %d KiB" % (n, memory))
        self.assertLess(memory, 40 << 10)

    def retr_digest(self, pop, n, size):
        """Reads a message that is none for memory; no line begins with a
        dot."""
        pop.cmd("RETR", n)
        sum_, left = hashlib.sha256(), size
        while left > 0:
            if not pop.buf:
                pop.fill()
            piece = bytes(pop.buf[:left])
            del pop.buf[:left]
            sum_.update(piece)
            left -= len(piece)
        self.assertEqual(pop.line(), b".")
        return sum_.hexdigest()

    def big(self, head, unit, count):
        """A message whose body is unit, count times: RETR octet by octet,
        with how much memory?"""
        def make():
            with open(SPOOL, "wb") as f:
                f.write(head)
                for _ in range(count):
                    f.write(unit)
                f.write(b"\n\n")
            os.chown(SPOOL, self.host.account("ann").uid, 8)
        self.host.call(make)
        wire = unit.replace(b"\n", b"\r\n")
        want = hashlib.sha256(head[head.index(b"\n") + 1:].replace(
            b"\n", b"\r\n"))
        for _ in range(count):
            want.update(wire)
        want.update(b"\r\n")
        size = len(head[head.index(b"\n") + 1:].replace(b"\n", b"\r\n")) \
            + len(wire) * count + 2
        pop = Pop(self.host.connect(110), timeout=300)
        self.addCleanup(pop.close)
        self.assertEqual(pop.login("ann", "ann"), (1, size))
        self.assertEqual(self.retr_digest(pop, 1, size), want.hexdigest())
        text = pop.multi("TOP", 1, 0)[1]
        self.assertIn(b"Subject: big", text)
        memory = self.session_memory()
        pop.dele(1)
        pop.quit()
        self.inetd.wait()
        self.assertEqual(self.stat().st_size, 0)
        print("%d octets: %d KiB" % (size, memory))
        self.assertLess(memory, MEMORY)

    def test_big_message(self):
        line = b"0123456789abcde\n" * 4096
        self.big(FROM % b"x" + b"Subject: big\n\n", line,
                 (200 if LONG else 20) * 16)

    def test_long_line(self):
        self.big(FROM % b"x" + b"Subject: big\n\n", b"x" * 65536,
                 (50 if LONG else 8) * 16)

    def test_long_header_line(self):
        """As well when the line has no end at all."""
        body = b"x" * ((50 if LONG else 8) * MIB)
        for data in (FROM % b"x" + b"Subject: " + body + b"\n\nbody\n\n",
                     FROM % b"x" + b"Subject: x\nStatus: " + body):
            self.host.spool("ann", data)
            pop = Pop(self.host.connect(110), timeout=120)
            self.addCleanup(pop.close)
            pop.login("ann", "ann")
            self.assertEqual(pop.retr(1), texts(data)[0])
            memory = self.session_memory()
            pop.quit()
            self.inetd.wait()
            self.assertEqual(self.host.spool("ann"), data)
            self.assertLess(memory, MEMORY)

    def test_sparse(self):
        """Larger than temp_max: read in place.  Over 4 GiB: exact sizes."""
        hole = (5 << 30) if LONG else 64 * MIB
        self.configure(temp_max="1M", temp_maildrop="always", timeout="600")
        head = FROM % b"x" + b"Subject: hole\n\n"
        self.host.spool("ann", message(b"first") + head)
        at = self.stat().st_size

        def grow():
            with open(SPOOL, "r+b") as f:
                f.truncate(at + hole)
                f.seek(0, os.SEEK_END)
                f.write(b"\n\n" + message(b"last"))
        self.host.call(grow)
        mark = self.host.syslog.mark()
        pop = Pop(self.host.connect(110), timeout=900)
        self.addCleanup(pop.close)
        pop.login("ann", "ann")
        self.host.syslog.wait("drop-in-place.*temp_max", mark)
        size = len(b"Subject: hole\r\n\r\n") + hole + 2
        self.assertEqual(pop.list()[2], size)
        if LONG:
            self.assertGreater(size, 1 << 32)
        self.assertEqual(pop.stat()[1], size + 2 * len(
            texts(message(b"first"))[0]) - 1)
        self.assertEqual(pop.retr(3), texts(message(b"last"))[0])
        self.assertEqual(pop.multi("TOP", 2, 0)[1],
                         b"Subject: hole\r\n\r\n")
        self.assertLess(self.session_memory(), MEMORY)
        pop.dele(2)
        pop.quit()
        self.inetd.wait(900)
        self.assertEqual(self.host.spool("ann"),
                         message(b"first") + message(b"last"))

    # -- no room -----------------------------------------------------------

    def fill(self, folder):
        """The file system there has no octet left."""
        self.root("cat /dev/zero > %s/.full 2>/dev/null || true" % folder)

    def full_spool(self, state_too):
        self.configure(temp_maildrop="always")
        self.root("mount -t tmpfs -o size=4m,mode=2775,gid=8 none /var/mail")
        self.addCleanup(self.root, "umount /var/mail")
        parts = [message(b"number %d" % i, b"x" * 999 + b"\n")
                 for i in range(1000)]
        self.host.spool("ann", b"".join(parts))
        if state_too:
            self.root("mount -t tmpfs -o size=3m,mode=755 none /mnt;"
                      " cp -a /var/lib/popper/. /mnt; umount /mnt;"
                      " mount -t tmpfs -o size=3m,mode=755 none"
                      " /var/lib/popper; mkdir /var/lib/popper/empty")
            self.addCleanup(self.root, "umount /var/lib/popper")
            # Some connection made the reserve when there was room.
            Pop(self.host.connect(110)).quit()
            self.inetd.wait()
            self.fill("/var/lib/popper")
        self.fill("/var/mail")
        pop = self.pop()
        self.assertEqual(pop.stat()[0], 1000)
        self.host.syslog.wait("drop-in-place", self.mark)
        self.assertEqual(pop.retr(500), texts(parts[499])[0])
        for i in list(range(1, 100)) + [500]:
            pop.dele(i)
        pop.quit()
        self.inetd.wait()
        self.assertEqual(self.host.spool("ann"),
                         b"".join(parts[99:499] + parts[500:]))
        # There is room again, for all.
        self.root("rm /var/mail/.full")
        if state_too:
            self.root("rm /var/lib/popper/.full")
        self.assertEqual(self.session(delete=range(1, 901)),
                         texts(b"".join(parts[99:499] + parts[500:])))
        self.assertEqual(self.host.spool("ann"), b"")
        self.no_locks()

    def test_full_spool(self):
        self.full_spool(False)

    def test_all_is_full(self):
        self.full_spool(True)

    # -- locks of others ---------------------------------------------------

    def hold(self, how, seconds):
        p = self.host.popen(["python3", "-c", HOLD, how, str(seconds)],
                            stdout=-1)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stop, 9)
        self.assertEqual(p.stdout.readline(), b"held\n")
        return p

    def test_locked(self):
        want = self.put("ann", message(b"one"))
        for how in ("fcntl", "dotlock", "both"):
            with self.subTest(how, released="in time"):
                self.configure(lock_timeout="20")
                p = self.hold(how, 1)
                self.assertEqual(self.session(), want)
                p.wait(60)
            with self.subTest(how, released="too late"):
                self.configure(lock_timeout="1")
                p = self.hold(how, 60)
                self.refused("ann", b"[IN-USE]",
                             "drop-in-use.*%s is locked" % SPOOL)
                p.stop(9)
                # Its process is dead: so is its dotlock.
                self.assertEqual(self.session(), want)
                self.no_locks()

    def test_locked_at_quit(self):
        self.put("ann", message(b"one") + message(b"two"))
        self.configure(lock_timeout="20")
        for how in ("fcntl", "both"):
            with self.subTest(how):
                pop = self.pop()
                pop.dele(1)
                p = self.hold(how, 1)
                pop.quit()
                p.wait(60)
                self.inetd.wait()
        self.assertEqual(self.host.spool("ann"), b"")

    def test_stale_dotlock(self):
        want = self.put("ann", message(b"one"))
        for text, age in (("", 400), ("0\n", 400), ("99999999\n", 0),
                          ("what?\n", 400), ("1\n", 400)):
            with self.subTest(text, age=age):
                self.host.write(SPOOL + ".lock", text, 0o644)
                self.host.call(os.utime, SPOOL + ".lock",
                               (time.time() - age,) * 2)
                self.assertEqual(self.session(), want)
                self.no_locks()


class Acl(Scene):
    """A spool with an access control list keeps it."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack("acl")])
        cls.addClassCleanup(cls.host.close)
        for name in cls.USERS:
            cls.host.add_user(name, password=name)
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def test_acl(self):
        self.host.spool("ann", message(b"one") + message(b"two"))
        self.root("setfacl -m u:eve:r,g:staff:rw /var/mail/ann")
        before = self.root("getfacl -p /var/mail/ann")
        self.assertIn(b"user:eve:r--", before)
        self.session(delete=[1])
        self.assertEqual(len(self.session()), 1)
        self.assertEqual(self.root("getfacl -p /var/mail/ann"), before)


def _append(path, data):
    with open(path, "ab") as f:
        f.write(data)


if __name__ == "__main__":
    import unittest
    unittest.main()
