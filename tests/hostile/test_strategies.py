# SPDX-License-Identifier: ISC
"""What a session sees, and what its QUIT leaves, while others change the spool
between its commands: with each way of making the temporary maildrop, on real
file systems.

Every octet served is compared with what the message was at the login, and the
spool afterwards with a model.  Only in place may a message be refused, and only
when it is nowhere any more.
"""

import fcntl
import os
import random
import re
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import test_readers as readers                                  # noqa: E402
from lib import changes, image, mta, spool                      # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd                                    # noqa: E402
from lib.unpack import unpack                                   # noqa: E402
from scene import LONG, MUTTRC, Scene, message, mutt, texts     # noqa: E402

SPOOL = readers.SPOOL
SEED = int(os.environ.get("POPPER_SEED") or 1)
REFUSED = rb"^-ERR \[SYS/TEMP\] "
LARGE = 6 << 20                         # octets, more than sockets hold
FIEMAP, FIEMAP_EXTENT_SHARED = 0xC020660B, 0x2000
STATUS = (b"", b"Status: O\n", b"Status: RO\n", b"X-Status: F\n",
          b"Status: RO\nX-Status: A\n")


# -- a spool, by its messages -------------------------------------------------

def pieces(data):
    return spool.pieces(data)[1]


def bare(piece):
    """What makes it that message: no Status, no separator, the last LF."""
    head, blank, body = piece.partition(b"\n\n")
    text = changes.MUTABLE.sub(b"", head + b"\n") + blank[1:] + body
    if text.endswith(b"\n\n"):
        text = text[:-1]
    return text if text.endswith(b"\n") else text + b"\n"


def disks(data):
    return {m.disk for m in spool.messages(data)}


def is_shared(path):
    """Does the file share its first octets with another?"""
    with open(path, "rb") as f:
        head = struct.pack("=QQIIII", 0, 1 << 16, 1, 0, 1, 0)
        out = fcntl.ioctl(f, FIEMAP, head + bytes(56))
    extents, = struct.unpack_from("=I", out, 20)
    flags, = struct.unpack_from("=I", out, 32 + 40)
    return extents == 1 and flags & FIEMAP_EXTENT_SHARED != 0


class Strategy(Scene):
    """Tests of one way: those below are run."""

    KIND, ARGS, ROUNDS = "ext4", (), 200 if LONG else 8
    WAY, SETTING = "in place", "auto"

    @classmethod
    def setUpClass(cls):
        cls.host = Host(image=image.make(cls.KIND, *cls.ARGS))
        cls.addClassCleanup(cls.host.close)
        for name in cls.USERS:
            cls.host.add_user(name, password=name)
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)
        cls.random = random.Random("%d %s" % (SEED, cls.__name__))

    def configure(self, **options):
        super().configure(**{"temp_maildrop": self.SETTING,
                             "lock_timeout": "20", **options})

    def parts(self):
        """None of them another's twin; more than is copied into memory."""
        rng = self.random
        return [message(b"number %d" % i,
                        b"text %d\n" % i * rng.randrange(300)
                        + b"\n" * rng.randrange(2), rng.choice(STATUS))
                for i in range(rng.randrange(2, 9))] + [
                    message(b"large", b"large text\n" * 4000)]

    # -- what the session reads from ---------------------------------------

    def descriptors(self):
        """Of ann's session: {path of the descriptor: what it is}."""
        found = {}
        uid = str(self.host.account("ann").uid)
        for pid in os.listdir("/proc/%d/root/proc" % self.host.pid):
            proc = "/proc/%d/root/proc/%s" % (self.host.pid, pid)
            try:
                with open(proc + "/status", encoding="ascii") as f:
                    if "\nUid:\t%s\t" % uid not in f.read():
                        continue
                for fd in os.listdir(proc + "/fd"):
                    path = proc + "/fd/" + fd
                    found[path] = os.readlink(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return found

    def test_way(self):
        """It is the way that the tests of this class mean."""
        self.put("ann", b"".join(self.parts()))
        pop = self.pop()
        found = self.descriptors()
        copies = [path for path, what in found.items()
                  if what.startswith("/var/mail/") and "deleted" in what]
        self.assertEqual(SPOOL in found.values(), self.WAY == "in place")
        self.assertEqual(len(copies), self.WAY != "in place", found)
        for path in copies:
            self.assertEqual(is_shared(path), self.WAY == "clone")
        pop.quit()
        self.inetd.wait()

    # -- one session --------------------------------------------------------

    def change(self):
        """Another program comes."""
        rng = self.random
        old = self.host.spool("ann")
        make = rng.choice(changes.MAKES)
        new = b"".join(make(rng, pieces(old)))
        write = rng.choice(changes.WRITES)
        if make is changes.append and rng.random() < 0.7:
            write = changes.write_append
        self.did.append("%s, %s" % (make.__name__, write.__name__))
        self.host.call(write, SPOOL, old, new)

    def must_serve(self, i):
        """Is message i all there, or is there a copy?"""
        if self.WAY != "in place":
            return True
        self.first.seek(0)
        return self.disk[i] in disks(self.host.spool("ann")) \
            or disks(self.first.read()) >= set(self.disk)

    def served(self, i, want, *command):
        """Is it?  Then it is what it was."""
        self.pop_.send(b"%s\r\n" % b" ".join(command))
        reply = self.pop_.status()
        if reply.startswith(b"+OK"):
            self.assertEqual(self.pop_.body(), want)
            return True
        self.assertRegex(reply, REFUSED)
        self.assertFalse(self.must_serve(i), "refused")
        return False

    def retr(self, i):
        if self.served(i, self.want[i], b"RETR", b"%d" % (i + 1)):
            self.retrieved.add(i)

    def top(self, i):
        head, blank, body = self.want[i].partition(b"\r\n\r\n")
        lines = body.split(b"\r\n")
        n = self.random.randrange(9)
        want = head + blank + b"".join(
            line + b"\r\n" for line in lines[:-1][:n])
        self.served(i, want, b"TOP", b"%d" % (i + 1), b"%d" % n)

    def dele(self, i):
        self.pop_.dele(i + 1)
        self.deleted.add(i)

    def lists(self, _i):
        left = [i for i in range(len(self.want)) if i not in self.deleted]
        self.assertEqual(self.pop_.list(),
                         {i + 1: len(self.want[i]) for i in left})
        self.assertEqual(self.pop_.uidl(), {i + 1: self.ids[i] for i in left})

    def expected(self, now):
        """What UPDATE must make of it."""
        for piece in pieces(now):
            i = self.known.get(bare(piece))
            if i in self.deleted:
                continue
            if self.status and i in self.retrieved and b"\n\n" in piece and \
                    re.findall(rb"\nStatus: .*", piece) == \
                    re.findall(rb"\nStatus: .*", self.begun[i]):
                piece = readers.Readers.seen(piece)
            yield piece

    def begin(self):
        self.did = []
        self.begun = self.parts()
        if self.random.random() < 0.6:
            self.begun = self.left()
        data = b"".join(self.begun)
        if data != self.host.spool("ann"):
            self.did.append("new")
            self.put("ann", data)
        self.want = texts(data)
        self.disk = [m.disk for m in spool.messages(data)]
        self.known = {bare(p): i for i, p in enumerate(self.begun)}
        self.first = open("/proc/%d/root%s" % (self.host.pid, SPOOL), "rb")
        self.pop_ = self.pop()
        self.ids = list(self.pop_.uidl().values())
        self.retrieved, self.deleted = set(), set()
        self.did.append("login")

    def left(self):
        """What the last session left, and others since; perhaps with an
        index."""
        if pieces(self.host.spool("ann")) and self.random.random() < 0.7:
            self.change()
        return pieces(self.host.spool("ann")) or self.parts()

    def round(self):
        rng = self.random
        self.begin()
        with self.first:
            for _ in range(rng.randrange(3, 12)):
                if rng.random() < 0.4:
                    self.change()
                i = rng.randrange(len(self.want))
                if i in self.deleted:
                    continue
                rng.choice((self.retr, self.retr, self.top, self.dele,
                            self.lists))(i)
            now = self.host.spool("ann")
            self.pop_.quit()
        self.inetd.wait()
        self.assertEqual(self.host.spool("ann"), b"".join(self.expected(now)))
        self.no_locks()

    def test_changes(self):
        for n in range(self.ROUNDS):
            self.status = n % 2 == 1
            self.configure(status_headers="yes" if self.status else "no")
            try:
                self.round()
            except BaseException:
                print("seed %d, round %d: %s" % (SEED, n, self.did))
                raise

    def test_index_is_wrong(self):
        """A message was altered, and mail came: it is refused once at the
        most."""
        self.configure(status_headers="no")
        parts = self.parts()
        parts.insert(0, parts.pop())
        self.put("ann", b"".join(parts))
        self.pop().quit()
        self.inetd.wait()
        parts[0] = parts[0].replace(b"text", b"Text", 1)
        data = b"".join([*parts, message(b"new")])
        self.host.call(changes.write_in_place, SPOOL, b"", data)
        refused = 0
        for _ in range(3):
            pop = self.pop()
            pop.send(b"RETR 1\r\n")
            reply = pop.status()
            if reply.startswith(b"+OK"):
                self.assertEqual(pop.body(), texts(data)[0])
            else:
                self.assertRegex(reply, REFUSED)
                refused += 1
            pop.quit()
            self.inetd.wait()
        self.assertLessEqual(refused, 1)

    def test_in_the_midst(self):
        """While a message is on its way: all of it, or none that looks
        whole."""
        data = message(b"large", b"0123456789 some text\n" * (LARGE // 21))
        changed = data.replace(b"text", b"Text")
        want, = self.put("ann", data)
        whole = b"".join(b"." + line if line.startswith(b".") else line
                         for line in want.splitlines(True)) + b".\r\n"
        for new, may_end in ((data + message(b"new"), False), (changed, True)):
            self.put("ann", data)
            pop = self.pop()
            pop.send(b"RETR 1\r\n")
            pop.status()
            self.host.call(changes.write_in_place, SPOOL, data, new)
            try:
                while not pop.buf.endswith(b"\r\n.\r\n"):
                    pop.fill()
            except EOFError:
                self.assertTrue(may_end and self.WAY == "in place")
                self.assertLess(len(pop.buf), len(whole))
            else:
                self.assertEqual(len(pop.buf), len(whole))
                pop.buf.clear()
                pop.quit()
            self.assertTrue(whole.startswith(pop.buf))
            pop.close()
            self.inetd.wait()


@unittest.skipUnless(LONG, "long run only (make test-long)")
class Programs(Scene):
    """Real ones, and what each of them makes of the spool."""

    # The file system, how it is made, temp_maildrop; in place?
    WAYS = (("ext4", (), "always", False), ("ext4", (), "auto", True),
            ("xfs", (), "always", False), ("xfs", (), "auto", False),
            ("xfs", ("-m", "reflink=0"), "always", False),
            ("xfs", ("-m", "reflink=0"), "auto", True))

    def start(self, kind, args):
        host = Host(packages=[unpack(*mta.Postfix.packages), unpack("mutt"),
                              unpack("neomutt"), unpack("procmail")],
                    image=image.make(kind, *args))
        self.addCleanup(host.close)
        host.add_user("ann", password="ann")
        host.write("/home/ann/.muttrc", MUTTRC, 0o644, "ann")
        return host

    @classmethod
    def setUpClass(cls):
        """Each way has a host of its own."""

    def setUp(self):
        """And nothing to clear."""

    def procmail(self):
        r = self.host.run(["procmail", "-d", "ann"],
                          input=message(b"by procmail"))
        self.assertEqual(r.returncode, 0, r.stderr)

    def postfix(self):
        r = self.host.run(["sendmail", "-i", "ann"],
                          input=b"Subject: by postfix\n\ntext\n")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.mta.wait_empty()

    def mutt(self, program="mutt"):
        """It removes the first, reads the second, leaves the rest."""
        keys = "<delete-message><display-message><exit><quit>"
        self.assertEqual(mutt(self.host, keys, program=program), 0)

    def neomutt(self):
        self.mutt("neomutt")

    def session(self, may_refuse, *programs):
        """They come one after another; what is left, by its subjects."""
        parts = [message(b"%d" % i, b"text %d\n" % i * 2000)
                 for i in range(1, 7)]
        want = self.put("ann", b"".join(parts))
        pop = self.pop()
        served = 0
        for program in programs:
            program()
            for n in (1, 2, 6):
                pop.send(b"RETR %d\r\n" % n)
                reply = pop.status()
                if reply.startswith(b"+OK"):
                    self.assertEqual(pop.body(), want[n - 1])
                    served += 1
                else:
                    self.assertRegex(reply, REFUSED)
                    self.assertTrue(may_refuse)
        pop.dele(3)
        pop.quit()
        self.inetd.wait()
        self.no_locks()
        return served, [re.search(rb"^Subject: (.*)\r", m.wire, re.M)[1]
                        for m in spool.messages(self.host.spool("ann"))]

    def run_way(self, kind, args, setting, in_place):
        self.host = self.start(kind, args)
        with Inetd(self.host) as self.inetd, \
                mta.Postfix(self.host) as self.mta:
            self.configure(temp_maildrop=setting, status_headers="no",
                           lock_timeout="20")
            self.assertEqual(
                self.session(False, self.postfix, self.procmail),
                (6, [b"1", b"2", b"4", b"5", b"6", b"by postfix",
                     b"by procmail"]))
            for reader in self.mutt, self.neomutt:
                self.assertEqual(
                    self.session(in_place, reader, self.postfix),
                    # It marks what it leaves as old: there is no other copy.
                    (0 if in_place else 6, [b"2", b"4", b"5", b"6",
                                            b"by postfix"]))

    def test_programs(self):
        for way in self.WAYS:
            with self.subTest(way):
                self.run_way(*way)


class Copied(Strategy):
    WAY, SETTING = "copy", "always"


class InPlace(Strategy):
    pass


class Cloned(Strategy):
    KIND, WAY = "xfs", "clone"


@unittest.skipUnless(LONG, "long run only (make test-long)")
class ClonedAlways(Cloned):
    SETTING = "always"


@unittest.skipUnless(LONG, "long run only (make test-long)")
class InPlaceXfs(Strategy):
    KIND, ARGS = "xfs", ("-m", "reflink=0")


@unittest.skipUnless(LONG, "long run only (make test-long)")
class CopiedXfs(Copied):
    KIND, ARGS = InPlaceXfs.KIND, InPlaceXfs.ARGS


@unittest.skipUnless(LONG, "long run only (make test-long)")
class InPlaceSeconds(Strategy):
    """Its files know no parts of a second."""

    ARGS, ROUNDS = ("-q", "-I", "128"), 20


del Strategy
