# SPDX-License-Identifier: ISC
"""Mail readers that change the spool while a session has it."""

import itertools
import json
import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import spool                                           # noqa: E402
from lib.host import Host, build_dir                            # noqa: E402
from lib.popper import Inetd, Pop                               # noqa: E402
from lib.unpack import unpack                                   # noqa: E402
from scene import LONG, MUTTRC, Scene, message, mutt, texts     # noqa: E402

SPOOL = "/var/mail/ann"
LOCKS = """
import fcntl, json, os, random, sys, time

class Locked:
    '''As Debian Policy 11.6 has it: fcntl, then the dotlock.'''
    def __enter__(self):
        while True:
            self.fd = os.open(SPOOL, os.O_RDWR | os.O_CREAT, 0o660)
            fcntl.lockf(self.fd, fcntl.LOCK_EX)
            try:
                os.close(os.open(SPOOL + '.lock',
                                 os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                os.close(self.fd)
                time.sleep(0.01 * random.random())
                continue
            if os.fstat(self.fd).st_ino == os.stat(SPOOL).st_ino:
                return self.fd
            self.__exit__()

    def __exit__(self, *_):
        os.close(self.fd)
        os.unlink(SPOOL + '.lock')
"""
exec(compile("SPOOL = %r\n" % SPOOL + LOCKS, "locks", "exec"))


def rewrite(data, way):
    """The whole spool anew, under its locks: in place, or by rename."""
    with Locked() as fd:                            # noqa: F821
        if way == "in place":
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
            return
        st = os.fstat(fd)
        with open(SPOOL + ".new", "wb") as f:
            f.write(data)
        os.chown(SPOOL + ".new", st.st_uid, st.st_gid)
        os.chmod(SPOOL + ".new", st.st_mode)
        os.rename(SPOOL + ".new", SPOOL)


HAMMER = "SPOOL = %r" % SPOOL + LOCKS + r"""
import re, signal
seed = int(sys.argv[1])
random.seed(seed)
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
added, removed, n = [], [], 0
print('ready', flush=True)
while not stop:
    with Locked() as fd:
        size = os.fstat(fd).st_size
        what = random.random()
        if what < 0.6:
            name = 'm%d-%d' % (seed, n)
            n += 1
            text = ('From x@y Thu Jan  2 03:04:05 2025\nSubject: %s\n\n'
                    'text\n%s\n\n' % (name, 'x' * random.randrange(5000)))
            os.pwrite(fd, text.encode(), size)
            added.append(name)
        elif what < 0.8 and size:
            data = os.pread(fd, size, 0)
            parts = re.findall(rb'From x@y(?:.|\n)*?\n\n(?=From x@y|\Z)',
                               data.replace(b'\n\ntext', b'\n\0text'))
            parts = [p.replace(b'\n\0text', b'\n\ntext') for p in parts]
            i = random.randrange(len(parts))
            if what < 0.7:
                gone = parts.pop(i)
                removed.append(re.search(rb'Subject: (\S+)', gone)[1].decode())
            elif b'\nStatus:' not in parts[i]:
                parts[i] = parts[i].replace(b'\n\n', b'\nStatus: ROA\n\n', 1)
            data = b''.join(parts)
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
    time.sleep(0.01 * random.random())
print(json.dumps([added, removed]), flush=True)
"""


class Readers(Scene):
    OPTIONS = {"lock_timeout": "20"}

    def setUp(self):
        super().setUp()
        self.random = random.Random(int(os.environ.get("POPPER_SEED", "1")))

    def parts(self, n):
        fields = [b"", b"Status: O\n", b"Status: RO\n", b"X-Status: F\n",
                  b"Status: RO\nX-Status: A\n"]
        return [message(b"number %d" % i,
                        b"%d\n" % i * self.random.randrange(200),
                        self.random.choice(fields)) for i in range(n)]

    def change(self, parts):
        """What a reader might make of it: (new parts, index of the message
        that each one comes from, is it the reader's own by now?)."""
        out = []
        for i, part in enumerate(parts):
            what = self.random.random()
            if what < 0.2:
                continue                            # removed
            if what < 0.4:                          # read, answered
                part = re.sub(rb"\n(?:X-)?Status: \w+", b"", part)
                part = part.replace(b"\n\n", b"\nStatus: RO\nX-Status: AF\n\n",
                                    1)
                out.append((part, i, "status"))
            elif what < 0.5:                        # an attachment removed
                out.append((part[:-1] + b"[removed]\n\n", i, "text"))
            else:
                out.append((part, i, ""))
        if self.random.random() < 0.2:
            self.random.shuffle(out)
        for i in range(self.random.randrange(3)):
            out.append((message(b"new %d" % i, b"news\n"), None, ""))
        return out

    def expected(self, now, deleted, retrieved, status):
        for part, i, why in now:
            if i in deleted and why != "text":
                continue
            if status and i in retrieved and not why:
                part = self.seen(part)
            yield part

    @staticmethod
    def seen(part):
        head, blank, body = part.partition(b"\n\n")
        if re.search(rb"\nStatus: .*R", head):
            return part
        if b"\nStatus: O" in head:
            head = head.replace(b"\nStatus: O", b"\nStatus: RO")
        else:
            head += b"\nStatus: RO"
        return head + blank + body

    def round(self, status, way):
        parts = self.parts(self.random.randrange(1, 12))
        data = b"".join(parts)
        want = self.put("ann", data)
        numbers = range(1, len(parts) + 1)
        pop = self.pop()
        retrieved = {n - 1 for n in numbers if self.random.random() < 0.5}
        now = self.change(parts)
        early = self.random.random() < 0.5
        if early:
            self.host.call(rewrite, b"".join(p for p, _, _ in now), way)
        # The snapshot, whatever the spool holds by now.
        for i in retrieved:
            self.assertEqual(pop.retr(i + 1), want[i])
        deleted = {n - 1 for n in numbers if self.random.random() < 0.4}
        for i in deleted:
            pop.dele(i + 1)
        if not early:
            self.host.call(rewrite, b"".join(p for p, _, _ in now), way)
        pop.quit()
        self.inetd.wait()
        self.assertEqual(self.host.spool("ann"), b"".join(
            self.expected(now, deleted, retrieved, status)))
        self.no_locks()

    def test_reader_comes_between(self):
        for status in ("no", "yes"):
            self.configure(status_headers=status)
            for n in range(500 if LONG else 30):
                way = ("in place", "rename")[n % 2]
                with self.subTest(status=status, way=way, n=n):
                    self.round(status == "yes", way)

    def test_reader_empties_it(self):
        parts = self.parts(5)
        for way in ("in place", "rename"):
            want = self.put("ann", b"".join(parts))
            pop = self.pop()
            self.host.call(rewrite, b"", way)
            self.assertEqual([pop.retr(n) for n in pop.list()], want)
            pop.dele(2)
            pop.quit()
            self.inetd.wait()
            self.assertEqual(self.host.spool("ann"), b"")

    def test_reader_removes_the_file(self):
        parts = self.parts(5)
        want = self.put("ann", b"".join(parts))
        pop = self.pop()
        self.root("rm /var/mail/ann")
        self.assertEqual([pop.retr(n) for n in pop.list()], want)
        pop.dele(2)
        pop.quit()
        self.inetd.wait()
        self.assertEqual(self.host.spool("ann"), b"")

    def test_reader_makes_it_no_mailbox(self):
        self.put("ann", b"".join(self.parts(3)))
        pop = self.pop()
        pop.dele(1)
        self.host.call(rewrite, b"something else\n", "in place")
        pop.send(b"QUIT\r\n")
        self.assertRegex(pop.status(), rb"^-ERR \[SYS/PERM\]")
        pop.at_end()
        pop.close()
        self.inetd.wait()
        self.assertEqual(self.host.spool("ann"), b"something else\n")

    def test_in_place_while_it_changes(self):
        """Without a copy a message is found again, or an error: never
        another one's octets."""
        for options, way in itertools.product(
                ({"temp_max": "1"}, {"temp_maildrop": "auto"}),
                ("in place", "rename")):
            self.configure(status_headers="no", **options)
            parts = self.parts(6)
            parts[4] += message(b"not for memory", b"text\n" * 8000)
            want = self.put("ann", b"".join(parts))
            pop = self.pop()
            self.assertEqual(pop.retr(2), want[1])
            self.host.call(rewrite, b"".join(parts[2:]) + message(b"new"),
                           way)
            self.assertEqual(pop.retr(5), want[4])
            pop.send(b"RETR 1\r\n")
            reply = pop.status()
            if reply.startswith(b"+OK"):        # the old file, still there
                self.assertEqual(way, "rename")
                self.assertEqual(pop.body(), want[0])
            else:
                self.assertRegex(reply, rb"^-ERR \[SYS/TEMP\]")
            self.assertEqual(pop.retr(7), want[6])
            pop.dele(3)
            pop.quit()
            self.inetd.wait()
            self.assertEqual(self.host.spool("ann"),
                             b"".join(parts[3:]) + message(b"new"))

    def retr(self, pop, n):
        """Its text; None: it is not what it was, and there is no copy."""
        pop.send(b"RETR %d\r\n" % n)
        reply = pop.status()
        if reply.startswith(b"+OK"):
            return pop.body()
        self.assertRegex(reply, rb"^-ERR \[SYS/TEMP\]")
        return None

    def test_reader_all_the_time(self):
        """Nothing is lost, nothing is doubled, whoever does what when."""
        setting = self.random.choice(("always", "auto"))
        self.configure(temp_maildrop=setting)
        self.host.spool("ann", b"")
        seed = self.random.randrange(1 << 30)
        reader = self.host.popen(["python3", "-c", HAMMER, str(seed)],
                                 stdout=-1)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.stop, 9)
        reader.stdout.readline()
        gone = set()
        for n in range(1000 if LONG else 100):
            pop = self.pop()
            mine = set()
            for i in list(pop.list()):
                if self.random.random() < 0.3:
                    text = self.retr(pop, i)
                    if text is None:
                        self.assertEqual(setting, "auto")
                        continue
                    name = re.search(rb"Subject: (\S+)", text)[1]
                    pop.dele(i)
                    mine.add(name.decode())
            if n % 5 == 4:
                pop.close()                     # nothing may have happened
            else:
                pop.quit()
                gone |= mine
            self.inetd.wait()
        reader.send_signal(15)
        added, removed = json.loads(reader.stdout.readline())
        reader.wait(60)
        left = [re.search(rb"Subject: (\S+)", m.wire)[1].decode()
                for m in spool.messages(self.host.spool("ann"))]
        self.assertEqual(len(left), len(set(left)), "doubled")
        self.assertEqual(sorted(left), sorted(set(added) - set(removed) - gone))
        self.assertGreater(len(added), 20)
        self.assertGreater(len(gone), 5)
        self.no_locks()


class Mutt(Scene):
    """The real mutt, at a terminal of its own, while a session has the
    spool."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack("mutt")])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")
        cls.host.add_user("eve", password="eve")
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def mutt(self, keys):
        self.assertEqual(mutt(self.host, keys), 0)

    def test_mutt(self):
        self.host.write("/home/ann/.muttrc", MUTTRC, 0o644, "ann")
        parts = [message(b"number %d" % i) for i in range(1, 6)]
        for early in (True, False):
            with self.subTest(early=early):
                want = self.put("ann", b"".join(parts))
                pop = self.pop()
                ids = pop.uidl()
                pop.dele(3)
                # It removes the first, reads the second, leaves the rest.
                keys = "<delete-message><display-message><exit><quit>"
                if early:
                    self.mutt(keys)
                self.assertEqual([pop.retr(n) for n in (1, 2, 4)],
                                 [want[n - 1] for n in (1, 2, 4)])
                if not early:
                    self.mutt(keys)
                pop.quit()
                self.inetd.wait()
                left = spool.messages(self.host.spool("ann"))
                self.assertEqual(
                    [re.search(rb"Subject: (.*)\r", m.wire)[1] for m in left],
                    [b"number 2", b"number 4", b"number 5"])
                self.assertIn(b"\nStatus: RO\r", left[0].wire)
                pop = self.pop()
                self.assertEqual(list(pop.uidl().values()),
                                 [ids[n] for n in (2, 4, 5)])
                # What popper left, mutt reads: it removes one more.
                pop.quit()
                self.inetd.wait()
                self.mutt("<delete-message><quit>")
                self.assertEqual(len(self.session()), 2)
                self.no_locks()


class Ids(Scene):
    """Unique-ids belong to the message, not to its place."""

    def data(self):
        twin = message(b"twin")
        return [message(b"one"), twin, message(b"two", b"a\n" * 999), twin,
                message(b"three", b"", b"X-UIDL: 123\nStatus: O\n"), twin]

    def ids(self, user="ann", end="quit"):
        pop = self.pop(user)
        found = list(pop.uidl().values())
        for n in pop.list():
            self.assertEqual(pop.cmd("UIDL", n).split()[1], found[n - 1])
        getattr(pop, end)()
        self.inetd.wait()
        for uid in found:
            self.assertRegex(uid, rb"^[!-~]{1,70}$")
        self.assertEqual(len(found), len(set(found)))
        return found

    def test_sessions_and_copies(self):
        parts = self.data()
        self.host.spool("ann", b"".join(parts))
        first = self.ids()
        self.assertEqual(self.ids(end="close"), first)
        self.assertEqual(self.session(), texts(b"".join(parts)))
        self.assertIn(b"\nStatus: RO\n", self.host.spool("ann"))
        self.assertEqual(self.ids(), first)     # with Status lines now
        # Another path, another user, a lost state.
        self.root("cp /var/mail/ann /var/mail/eve;"
                  " chown eve:mail /var/mail/eve; rm -rf /var/lib/popper/users")
        self.assertEqual(self.ids("eve"), first)
        self.configure(maildrop="~/mbox")
        self.root("mv /var/mail/eve /home/eve/mbox")
        self.assertEqual(self.ids("eve"), first)
        # Another order: each keeps its own, the twins by their order.
        order = [4, 2, 1, 0, 3, 5]
        self.host.write("/home/eve/mbox", b"".join(parts[i] for i in order),
                        0o600, "eve")
        self.assertEqual(self.ids("eve"), [first[i] for i in order])

    def test_deleted_neighbours(self):
        parts = self.data()
        self.host.spool("ann", b"".join(parts))
        first = self.ids()
        self.session(delete=[1, 3])
        self.assertEqual(self.ids(), [first[1]] + first[3:])

    def test_rewritten_by_others(self):
        """What Dovecot and mutt put into headers when they have been there."""
        parts = self.data()
        self.host.spool("ann", b"".join(parts))
        first = self.ids()
        dovecot = []
        for i, part in enumerate(parts, 1):
            head, _, body = part.partition(b"\n\n")
            head = re.sub(rb"\n(X-UIDL|Status): .*", b"", head)
            base = b"X-IMAPbase: 1735786800 %010d $Forwarded NonJunk\n" \
                % len(parts) if i == 1 else b""
            dovecot.append(head + b"\n" + base + b"X-UID: %d\nStatus: RO\n"
                           b"X-Status: AF\nX-Keywords: NonJunk%s\n"
                           b"Content-Length: %d\n\n"
                           % (i, b" " * 30, len(body)) + body)
        self.host.spool("ann", b"".join(dovecot))
        self.assertEqual(self.ids(), first)
        mutt = []
        for part in parts:
            head, _, body = part.partition(b"\n\n")
            head = re.sub(rb"\nStatus: .*", b"", head)
            mutt.append(head + b"\nStatus: RO\nContent-Length: %d\nLines: %d\n"
                        b"\n" % (len(body), body.count(b"\n")) + body)
        self.host.spool("ann", b"".join(mutt))
        self.assertEqual(self.ids(), first)

    def test_other_messages_have_others(self):
        """One octet of what counts, anywhere."""
        base = message(b"one", b"body\n\nmore\n")
        data = [base, base.replace(b"friend@", b"Friend@", 1),
                base.replace(b"03:04:05", b"03:04:06"),
                base.replace(b"Subject", b"subject"),
                base.replace(b"one", b"one "), base.replace(b"more", b"More"),
                base.replace(b"\n\nmore", b"\n\n\nmore"),
                base.replace(b"\n\nbody", b"\n\n\nbody"),
                base.replace(b"Subject:", b"X-Subject:")]
        self.host.spool("ann", b"".join(data))
        ids = self.ids()
        stems = {uid.split(b".")[0] for uid in ids}
        self.assertEqual(len(stems), len(data))

    def test_bulletin(self):
        self.configure(bulletins="/var/lib/bulletins")
        self.host.mkdir("/var/lib/bulletins")
        self.host.write("/home/ann/.popbull", "0\n", 0o600, "ann")
        for n in (1, 2):
            self.host.write("/var/lib/bulletins/%d" % n, message(
                b"bulletin %d" % n, b"same\n", b"To: all\nStatus: RO\n"))
        self.host.spool("ann", message(b"one"))
        first = self.ids(end="close")
        self.assertEqual(len(first), 3)
        self.assertEqual(self.ids(), first)
        self.assertEqual(self.ids(), first)
        self.session()
        self.assertEqual(self.ids(), first)


class Legacy(Scene):
    """What an older popper has left in .ann.pop."""
    OPTIONS = {"status_headers": "no"}
    INJECT = "/usr/libexec/inject"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.install(os.path.join(build_dir(), "tests/crash/inject"),
                         cls.INJECT)

    def lay(self, old, new, mode=0o600):
        self.host.spool("ann", new)
        self.host.write("/var/mail/.ann.pop", old, mode, "ann", "mail")

    def left(self):
        path = "/var/mail/.ann.pop"
        return self.host.read(path) if self.host.exists(path) else b""

    def test_taken_in(self):
        old = [message(b"old 1"), message(b"old 2")]
        new = [message(b"new 1"), message(b"new 2")]
        for name, o, n, want in (
                ("both", b"".join(old), b"".join(new), old + new),
                ("no spool", b"".join(old), b"", old),
                ("qpopper's, with ids", b"".join(old).replace(
                    b"\n\n", b"\nX-UIDL: abc\n\n", 1), b"".join(new), None),
                ("no end", b"".join(old)[:-2], b"".join(new), old + new),
                ("pseudo", b"".join(old), new[0], old + new[:1]),
                ("empty", b"", b"".join(new), new)):
            with self.subTest(name):
                self.clear()
                self.lay(o, n)
                if name == "no spool":
                    self.root("rm /var/mail/ann")
                found = self.session()
                want = texts(o) + texts(n) if want is None else \
                    texts(b"".join(want))
                self.assertEqual(found, want)
                self.assertEqual(self.left(), b"")
                self.assertEqual(self.session(), want)
                self.assertEqual(texts(self.host.spool("ann")), want)
                st = self.host.call(os.stat, "/var/mail/ann")
                self.assertEqual((st.st_mode & 0o777, st.st_gid), (0o660, 8))
                self.no_locks()

    def test_no_mailbox(self):
        want = texts(message(b"new"))
        for data in (b"garbage\n", os.urandom(5000), b"From ann\n"):
            self.clear()
            self.lay(data, message(b"new"))
            self.assertEqual(self.session(), want)
            self.assertEqual(self.left(), data)
            self.host.syslog.wait(r"drop-legacy.*\.ann\.pop is left alone",
                                  self.mark)

    def test_old_popper_is_at_work(self):
        """It holds an flock: two at a time would lose mail."""
        old, new = message(b"old"), message(b"new")
        self.lay(old, new)
        p = self.host.popen(["python3", "-c", """
import fcntl, time
f = open('/var/mail/.ann.pop', 'r+')
fcntl.flock(f, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(60)
"""], stdout=-1)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stop, 9)
        p.stdout.readline()
        self.refused("ann", b"[IN-USE]")
        self.assertEqual((self.left(), self.host.spool("ann")), (old, new))
        p.stop(9)
        self.assertEqual(self.session(), texts(old + new))

    def die(self, do, at):
        """A login in which something dies; how many points were there?"""
        uid = self.host.account("ann").uid
        inetd = Inetd(self.host, 111, argv=[
            self.INJECT, "--report", "/run/report", "--from", "uid:%d" % uid,
            "--who", "all", "--to", "write:+OK Maildrop", "--do", do,
            "--at", str(at), "--", "/usr/sbin/popper"])
        try:
            pop = Pop(self.host.connect(111))
            try:
                pop.send(b"USER ann\r\nPASS ann\r\nQUIT\r\n")
                while True:
                    pop.status()
            except (EOFError, OSError):
                pass
            pop.close()
            inetd.wait()
        finally:
            inetd.stop()
        report = self.host.read("/run/report").decode()
        return len(re.findall(r"^point ", report, re.M))

    def test_dies_meanwhile(self):
        old = message(b"old 1") + message(b"old 2")
        new = message(b"new 1")
        self.lay(old, new)
        points = self.die("kill-before", 0)
        print("%d points" % points)
        self.assertGreater(points, 20)
        step = 1 if LONG else max(1, points // 24)
        for do in ("kill-before", "tree-before"):
            for at in range(1, points + 1, step):
                with self.subTest(do=do, at=at):
                    self.clear()
                    self.lay(old, new)
                    self.die(do, at)
                    self.assertEqual(self.session(), texts(old + new))
                    self.assertEqual(self.left(), b"")
                    self.assertEqual(texts(self.host.spool("ann")),
                                     texts(old + new))
                    # The unique file behind a dotlock may stay, as
                    # liblockfile's does.
                    self.assertFalse(self.host.exists(SPOOL + ".lock"))


if __name__ == "__main__":
    import unittest
    unittest.main()
