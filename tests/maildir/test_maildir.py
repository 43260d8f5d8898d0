# SPDX-License-Identifier: ISC
"""Maildirs as users have them: found by configuration, by a row and by their
folders; a session while others deliver, mark and remove; real programs beside it.
"""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "roles"))

import family                                                   # noqa: E402
from lib.mta import Postfix                                     # noqa: E402
from lib.popper import PopError, Serve                          # noqa: E402
from lib.puppet import Puppet, landlock                         # noqa: E402

PASSWORD = family.PASSWORD
HOME = "/home/alice/"
DIR = HOME + "Maildir/"
CLIENTS = ("curl", "fetchmail", "maildrop", "postfix", "procmail")
INDEX = "/var/lib/popper/index/"
LARGE = 900                             # messages; enough for an index
FIRST = 1700000000                      # the time in the names of the corpus

# As they lie on the disk.
MAIL = [
    b"Subject: one\n\nThe first\n",
    b"Subject: two\r\n\r\nThe second\r\n",
    b"Subject: three\n\n.\n..dots\nno line end",
    b"Subject: four\n\nFrom here\n\n\n",
]


def wire(text):
    """What RETR sends of it."""
    text = re.sub(rb"\r?\n", b"\r\n", text)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def name(i, more=""):
    return "%d.M%dP1.host%s" % (FIRST + i, i, more)


def listing(folder):
    """{name in new/ and cur/: octets}."""
    out = {}
    for part in ("new", "cur"):
        for file in os.listdir(folder + part):
            with open(folder + part + "/" + file, "rb") as f:
                out[part + "/" + file] = f.read()
    return out


def clear(path):
    path = path.rstrip("/")
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def make(folder, uid):
    clear(folder)
    for path in ("", "cur", "new", "tmp"):
        os.mkdir(folder + path, 0o755)
        os.chown(folder + path, uid, uid)


def fill(folder, uid):
    """Every second one was moved to cur/ by a mail reader."""
    for i, text in enumerate(MAIL):
        path = folder + ("cur/" + name(i, ":2,") if i % 2 else "new/" + name(i))
        with open(path, "wb") as f:
            f.write(text)
        os.chown(path, uid, uid)


def fill_large(folder, uid):
    for i in range(LARGE):
        path = folder + "cur/" + name(i, ":2,")
        with open(path, "wb") as f:
            f.write(b"Subject: %d\n\nx\n" % i)
        os.chown(path, uid, uid)


def scribble(path):
    with open(path, "r+b") as f:
        f.write(b"Subject: SMALL")


class Maildir(family.Family):
    """One server for all tests of a class, while they want the same options."""

    SERVER = Serve
    running = None

    def setUp(self):
        self.log = self.host.syslog
        self.mark = self.log.mark()
        self.make(DIR)
        self.host.call(fill, DIR, self.host.account("alice").uid)

    def make(self, folder, user="alice"):
        self.host.call(make, folder, self.host.account(user).uid)
        self.addCleanup(self.host.call, clear, folder)

    def put(self, part, file, text, user="alice", folder=DIR):
        self.host.write("%s%s/%s" % (folder, part, file), text, 0o600, user)

    @classmethod
    def stop_server(cls):
        if cls.running:
            cls.running[1].stop()
        cls.running = None

    def start(self, **options):
        cls = type(self)
        if cls.running is None or cls.running[0] != options:
            self.stop_server()
            self.configure(**{"maildrop": "~/Maildir/", **options})
            cls.running = options, self.SERVER(self.host)
            cls.addClassCleanup(self.stop_server)
        self.server = cls.running[1]

    def sessions(self):
        return [m for m in self.members()
                if m.status["Name"] == ["popper-session"]]

    def there(self, folder=DIR):
        return self.host.call(listing, folder)

    def rename(self, a, b):
        self.host.call(os.rename, DIR + a, DIR + b)


class Session(Maildir):
    def test_flow(self):
        """Order, sizes, unique-ids, octets; QUIT removes what was deleted,
        marks what was retrieved and leaves the rest where it is."""
        self.host.write(DIR + "maildirsize", "1000S,10C\n", 0o600, "alice")
        self.put("tmp", name(9), b"half a mess")
        self.host.mkdir(DIR + ".Sent", 0o700, "alice")
        self.put("new", ".hidden", b"no mail")
        self.start()
        pop = self.login()
        self.assertEqual(pop.stat(), (4, sum(len(wire(t)) for t in MAIL)))
        self.assertEqual(pop.list(), {i + 1: len(wire(t))
                                      for i, t in enumerate(MAIL)})
        self.assertEqual(pop.uidl(), {i + 1: name(i).encode()
                                      for i in range(4)})
        for i, text in enumerate(MAIL):
            self.assertEqual(pop.retr(i + 1), wire(text))
        self.assertEqual(pop.multi("TOP", 3, 1)[1],
                         b"Subject: three\r\n\r\n.\r\n")
        pop.cmd("RSET")
        pop.dele(2)
        pop.quit()
        self.assertEqual(self.there(), {
            "cur/" + name(0, ":2,S"): MAIL[0], "cur/" + name(2, ":2,S"): MAIL[2],
            "cur/" + name(3, ":2,S"): MAIL[3], "new/.hidden": b"no mail"})
        self.assertEqual(self.host.read(DIR + "maildirsize"),
                         b"1000S,10C\n-%d -1\n" % len(MAIL[1]))
        self.assertEqual(self.host.read(DIR + "tmp/" + name(9)),
                         b"half a mess")
        again = self.login()
        self.assertEqual(list(again.uidl().values()),
                         [name(i).encode() for i in (0, 2, 3)])
        self.assertEqual(again.cmd("LAST").split()[0], b"3")
        again.quit()

    def test_nothing_is_marked(self):
        self.start(status_headers="no")
        before = self.there()
        pop = self.login()
        pop.retr(1)
        pop.quit()
        self.assertEqual(self.there(), before)

    def test_a_broken_session_changes_nothing(self):
        self.start()
        before = self.there()
        pop = self.login()
        pop.retr(1)
        pop.dele(2)
        pop.close()
        self.wait_for(lambda: b"in use" not in self.try_login(), "free maildrop")
        self.assertEqual(self.there(), before)

    def try_login(self):
        pop = self.connect()
        try:
            pop.login("alice", PASSWORD)
        except PopError as e:
            return e.args[0]
        pop.quit()
        return b""

    def test_others_work_meanwhile(self):
        """Flags, deletions and deliveries of others between login and QUIT."""
        self.start()
        pop = self.login()
        self.rename("new/" + name(0), "cur/" + name(0, ":2,FS"))
        self.rename("cur/" + name(1, ":2,"), "cur/" + name(1, ":2,R"))
        self.host.call(os.unlink, DIR + "new/" + name(2))
        self.put("new", name(7), b"Subject: new\n\n\n")
        self.assertEqual(pop.retr(1), wire(MAIL[0]))
        self.assertEqual(pop.retr(2), wire(MAIL[1]))
        for command in ("RETR 3", "XTND XLST Subject 3"):
            with self.assertRaisesRegex(PopError, r"\[SYS/TEMP\]"):
                pop.cmd(command)
        self.assertEqual(pop.multi("XTND XLST Subject")[1], b"1 Subject: one\r\n"
                         b"2 Subject: two\r\n4 Subject: four\r\n")
        for i in (1, 2, 3):
            pop.dele(i)
        pop.quit()
        self.assertEqual(self.there(), {"cur/" + name(3, ":2,"): MAIL[3],
                                        "new/" + name(7): b"Subject: new\n\n\n"})

    def test_another_file_under_the_name(self):
        """Is neither served nor deleted."""
        self.start()
        pop = self.login()
        self.host.call(os.unlink, DIR + "new/" + name(0))
        self.put("new", name(0), b"Subject: two\n\n")
        with self.assertRaisesRegex(PopError, r"\[SYS/TEMP\]"):
            pop.cmd("RETR", 1)
        pop.dele(1)
        pop.quit()
        self.assertEqual(self.there()["new/" + name(0)], b"Subject: two\n\n")

    def test_large_from_its_file(self):
        """One that need not be converted, with commands ahead; the same with a
        dot, which is converted."""
        self.make(DIR)
        texts = [b"Subject: large\r\n\r\n" + b"%s\r\n" % (b"x" * 70) * n
                 for n in (117000, 3)]
        texts.append(texts[0] + b".\r\n")
        for i, text in enumerate(texts):
            self.put("cur", name(i, ":2,S"), text)
        self.start()
        pop = self.login()
        pop.send(b"RETR 1\r\nNOOP\r\nRETR 2\r\nRETR 3\r\nNOOP\r\n")
        for i in (0, None, 1, 2, None):
            pop.reply()
            if i is not None:
                self.assertTrue(pop.body() == texts[i])
        pop.quit()

    def test_large_that_changes_on_its_way(self):
        """Is not ended, so that nobody takes it for a message."""
        self.make(DIR)
        self.put("cur", name(0, ":2,S"),
                 b"Subject: large\r\n\r\n" + b"%s\r\n" % (b"x" * 70) * 300000)
        self.start()
        pop = self.login()
        pop.send(b"RETR 1\r\n")
        pop.fill()
        self.host.call(scribble, DIR + "cur/" + name(0, ":2,S"))
        with self.assertRaises(EOFError):
            pop.reply()
            pop.body()
        self.log.wait(r"session-end .*\breason=aborted", self.mark)

    def test_sizes_in_names(self):
        """Those of large messages are believed when they can be true; W= alone
        decides what LIST says."""
        self.make(DIR)
        text = b"Subject: x\n\n" + b"line\n" * 20000
        n, w = len(text), len(wire(text))
        rows = [(",S=%d,W=%d" % (n, w), w), (",S=%d,W=%d" % (n, w + 1), w + 1),
                (",S=%d" % n, w), (",W=%d" % w, w), (",S=%d,W=%d" % (n + 1, w), w),
                (",S=%d,W=%d" % (n, n - 1), w), (",S=%d,W=%d" % (n, 3 * n), w),
                (",S=x,W=y", w)]
        for i, (sizes, _) in enumerate(rows):
            self.put("cur", name(i, sizes + ":2,S"), text)
        self.start()
        pop = self.login()
        self.assertEqual(pop.list(), {i + 1: size for i, (_, size)
                                      in enumerate(rows)})
        for i in range(len(rows)):
            self.assertEqual(pop.multi("RETR", i + 1)[1], wire(text))
        pop.quit()

    def test_index(self):
        """Of a large one: the next login reads no file again, and sees the same;
        what comes is seen.  (That it need not be listed, maildir_index_test.c
        shows.)"""
        self.make(DIR)
        self.host.call(fill_large, DIR, self.host.account("alice").uid)
        self.addCleanup(self.host.call, clear, INDEX)
        self.host.call(clear, INDEX)
        self.start()
        seen, reads = [], []
        for more in (False, False, True):
            if more:
                self.put("new", name(LARGE), MAIL[0])
            pop = self.login()
            session, = self.sessions()
            seen.append((pop.stat(), pop.list(), pop.uidl()))
            reads.append(int(re.search(rb"syscr: (\d+)",
                                       session.read("io")).group(1)))
            self.assertEqual(pop.retr(7), wire(b"Subject: 6\n\nx\n"))
            pop.quit()
        self.assertEqual(seen[0], seen[1])
        self.assertGreater(reads[0], LARGE)
        self.assertLess(reads[1], LARGE)
        self.assertEqual(seen[2][0][0], LARGE + 1)
        self.assertEqual(seen[2][2][LARGE + 1], name(LARGE).encode())
        index, = self.host.call(os.listdir, INDEX)
        self.assertEqual(self.host.call(os.stat, INDEX + index).st_mode & 0o777,
                         0o600)
        pop = self.login()
        for i in range(1, LARGE + 1):
            pop.dele(i)
        pop.quit()
        self.assertEqual(self.there(), {"new/" + name(LARGE): MAIL[0]})

    def test_what_is_not_served(self):
        """Links, folders, FIFOs, files of others and those that he may not read
        are left alone, and told."""
        self.make(DIR)
        self.put("new", name(1), MAIL[0])
        self.put("new", name(2), MAIL[1], user="bob")
        self.host.write("/etc/secret", "Subject: secret\n\n")
        self.host.call(os.symlink, "/etc/secret", DIR + "new/" + name(3))
        self.host.call(os.mkfifo, DIR + "cur/" + name(4))
        self.host.mkdir(DIR + "cur/" + name(5), 0o700, "alice")
        self.put("new", name(6), MAIL[1])
        self.host.call(os.chmod, DIR + "new/" + name(6), 0)
        self.start()
        pop = self.login()
        self.assertEqual(pop.uidl(), {1: name(1).encode()})
        pop.dele(1)
        pop.quit()
        self.assertEqual(len(self.host.call(os.listdir, DIR + "new")), 3)
        self.assertEqual(len(self.host.call(os.listdir, DIR + "cur")), 2)
        self.log.wait("drop-maildir .* user=alice text=.5 names", self.mark)

    def test_no_maildir(self):
        """None yet: empty.  Of another user, a link, an unfinished one: refused,
        and left alone."""
        self.start()
        self.host.call(clear, DIR)
        pop = self.login()
        self.assertEqual(pop.stat(), (0, 0))
        pop.quit()
        self.assertFalse(self.host.exists(DIR))
        for text, make in (
                ("belongs to uid 1002", lambda: self.make(DIR, "bob")),
                ("is no Maildir", lambda: self.host.mkdir(
                    DIR.rstrip("/"), 0o700, "alice")),
                ("open", lambda: self.host.call(
                    os.symlink, "/home/alice", DIR.rstrip("/")))):
            with self.subTest(text=text):
                mark = self.log.mark()
                make()
                self.assertIn(b"[SYS/PERM]", self.try_login())
                self.log.wait("drop-failed .* text=.*" + text, mark)
                self.host.call(clear, DIR)

    def test_it_vanishes(self):
        """In the middle of a session: nothing is read, nothing is deleted, and
        it is not made again."""
        self.start()
        pop = self.login()
        self.host.call(os.rename, DIR, HOME + "away")
        self.addCleanup(self.host.call, clear, HOME + "away")
        self.host.call(clear, HOME + "away")
        with self.assertRaisesRegex(PopError, r"\[SYS/"):
            pop.cmd("RETR", 1)
        pop.dele(2)
        pop.send(b"QUIT\r\n")
        self.ended(pop)
        self.assertFalse(self.host.exists(DIR))

    def test_one_session_at_a_time(self):
        self.start()
        pop = self.login()
        with self.assertRaisesRegex(PopError, r"\[IN-USE\]"):
            self.login()
        pop.quit()
        self.login().quit()

    def test_what_a_session_reaches(self):
        """The Maildir, not the folder that it lies in."""
        if not landlock():
            self.skipTest("this kernel has no Landlock")
        self.host.write(HOME + "secret", "key", 0o600, "alice")
        self.addCleanup(self.host.call, clear, HOME + "secret")
        self.start()
        pop = self.login()
        session, = self.sessions()
        with Puppet(session.pid) as p:
            for path, flags, can in (
                    (DIR + "new", os.O_RDONLY | os.O_DIRECTORY, True),
                    (DIR + "new/" + name(0), os.O_RDONLY, True),
                    (HOME + "secret", os.O_RDONLY, False),
                    (HOME, os.O_RDONLY | os.O_DIRECTORY, False),
                    (HOME + "mine", os.O_WRONLY | os.O_CREAT, False)):
                fd = p.open(path, flags)
                self.assertTrue(fd >= 0 if can else fd == -errno.EACCES,
                                (path, fd))
        session.kill()
        pop.close()

    def test_bulletins_are_kept(self):
        """As files of new/, under the unique-ids that they had."""
        self.host.write("/srv/bulletins/1", b"From n@x Mon Jan  1 12:00:00 2024\n"
                        b"Subject: bulletin\n\nHear\n\n")
        self.addCleanup(self.host.call, clear, "/srv/bulletins")
        self.addCleanup(self.host.run, ["rm", "-f", HOME + ".popbull"])
        self.host.write(HOME + ".popbull", "0\n", 0o600, "alice")
        self.start(bulletins="/srv/bulletins")
        pop = self.login()
        before = pop.uidl()
        self.assertEqual(len(before), 5)
        text = pop.retr(5)
        pop.quit()
        self.assertIn(b"bulletin", text)
        self.assertEqual(self.host.read(HOME + ".popbull").strip(), b"1")
        pop = self.login()
        self.assertEqual(pop.uidl(), before)
        self.assertEqual(pop.retr(5), text)
        pop.quit()
        self.assertEqual(self.host.call(os.listdir, DIR + "tmp"), [])


class Found(Maildir):
    """How popper knows that it is one."""

    def served(self):
        pop = self.login()
        self.assertEqual(pop.stat()[0], 4)
        self.assertEqual(pop.uidl()[1], name(0).encode())
        pop.quit()

    def test_by_a_word(self):
        self.start(maildrop="maildir:~/Maildir")
        self.served()

    def test_by_its_folders(self):
        self.start(maildrop="~/Maildir")
        self.served()
        self.host.run(["rmdir", DIR + "tmp"])
        with self.assertRaisesRegex(PopError, r"\[SYS/PERM\]"):
            self.login()

    def test_a_file_there_is_an_mbox(self):
        self.host.call(clear, DIR)
        self.host.write(HOME + "Maildir", b"From a@x Mon Jan  1 12:00:00 2024\n"
                        + MAIL[0] + b"\n", 0o600, "alice")
        self.addCleanup(self.host.run, ["rm", "-f", HOME + "Maildir"])
        self.start(maildrop="~/Maildir")
        pop = self.login()
        self.assertEqual(pop.stat()[0], 1)
        self.assertEqual(pop.retr(1), wire(MAIL[0]))
        pop.quit()

    def test_by_a_row(self):
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        for mail in (b"maildir:~/Maildir", b"~/Maildir/", b"maildir:/home/%u/Maildir/"):
            with self.subTest(mail=mail):
                self.host.write("/etc/popper/users", re.sub(
                    rb"(?m)^(alice:.*)$", rb"\1::userdb_mail=" + mail, users), 0o600)
                self.start(maildrop="/var/mail/%u")
                self.served()

    def test_in_roots_folder(self):
        """/var/mail/USER/: its folder is not the user's to write."""
        folder = "/var/mail/alice/"
        self.make(folder)
        self.put("new", name(0), MAIL[0], folder=folder)
        self.put("new", name(1), MAIL[1], folder=folder)
        self.start(maildrop="/var/mail/%u/")
        pop = self.login()
        pop.dele(1)
        pop.retr(2)
        pop.quit()
        self.assertEqual(self.there(folder),
                         {"cur/" + name(1, ":2,S"): MAIL[1]})

    def test_a_process_of_his_own(self):
        """Who shares one has a maildrop that can be copied."""
        self.start(sessions_per_process=4)
        pop = self.login()
        self.assertEqual([m.uid for m in self.sessions()], [1001])
        pop.dele(1)
        pop.quit()
        self.assertEqual(len(self.there()), 3)


class Elsewhere(Maildir):
    """~/Maildir/ of who has no mail in /var/mail (maildrop_else)."""

    PACKAGES = ("curl",)
    SPOOL = "/var/mail/alice"
    NOTES = "/var/lib/popper/maildirs"

    def setUp(self):
        super().setUp()
        self.forget()
        self.addCleanup(self.forget)
        self.start(maildrop="/var/mail/%u")

    def forget(self):
        self.host.call(clear, self.NOTES)
        self.host.call(clear, self.SPOOL)

    def deliver(self, text):
        self.host.write(self.SPOOL, text, 0o660, "alice")

    def fetch(self, *want):
        """All, with curl: it must be these."""
        for i, text in enumerate(want):
            out = self.host.run(["curl", "-sS", "-u", "alice:" + PASSWORD,
                                 "pop3://127.0.0.1/%d" % (i + 1)])
            self.assertEqual((out.returncode, out.stdout), (0, wire(text)),
                             out.stderr)

    def drain(self):
        pop = self.login()
        for i in range(pop.stat()[0]):
            pop.dele(i + 1)
        pop.quit()

    def test_served(self):
        """What is in it, and nothing appears in /var/mail."""
        self.fetch(*MAIL)
        self.drain()
        self.assertEqual(self.there(), {})
        self.assertFalse(self.host.exists(self.SPOOL))
        self.assertEqual(self.host.call(os.listdir, self.NOTES), ["alice"])

    def test_a_spool_appears(self):
        """In a session: that goes on.  Then its mail is served, and told, until
        it is fetched; the Maildir is as it was."""
        pop = self.login()
        self.deliver(b"From a@x Mon Jan  1 12:00:00 2024\n" + MAIL[0] + b"\n")
        self.assertEqual(pop.retr(2), wire(MAIL[1]))
        pop.dele(1)
        pop.dele(2)
        pop.dele(3)
        pop.quit()
        self.assertEqual(self.there(), {"cur/" + name(3, ":2,"): MAIL[3]})
        pop = self.login()
        self.assertEqual(pop.stat()[0], 1)
        self.assertEqual(pop.retr(1), wire(MAIL[0]))
        pop.dele(1)
        pop.quit()
        self.log.wait("maildrop-two .* user=alice maildrop=/var/mail/alice "
                      "else=~/Maildir/", self.mark)
        self.assertEqual(self.host.read(self.SPOOL), b"")
        self.fetch(MAIL[3])
        self.assertEqual(len(self.log.find("maildrop-two", self.mark)), 1)

    def test_an_empty_spool_is_one(self):
        """His ~/Maildir/ may be something else, for who has fetched all."""
        self.deliver(b"")
        pop = self.login()
        self.assertEqual(pop.stat(), (0, 0))
        pop.quit()
        self.assertEqual(len(self.there()), 4)

    def test_bulletins(self):
        """They come to the Maildir, not to a spool made for them; by a journal of
        its own, when there is a spool by then."""
        self.host.mkdir("/var/lib/popper/bulletins", 0o755)
        self.addCleanup(self.host.call, clear, "/var/lib/popper/bulletins")
        self.addCleanup(self.host.run, ["rm", "-f", HOME + ".popbull"])
        self.host.write("/var/lib/popper/bulletins/00001.x",
                        b"From a@x Mon Jan  1 12:00:00 2024\nSubject: all\n\nx\n",
                        0o644)
        self.host.write(HOME + ".popbull", b"0\n", 0o600, "alice")
        journals = "/var/lib/popper/journal/"
        self.host.call(clear, journals)
        self.start(maildrop="/var/mail/%u", bulletins="/var/lib/popper/bulletins")
        pop = self.login()
        self.deliver(b"From a@x Mon Jan  1 12:00:00 2024\n\nx\n")
        self.assertEqual(pop.stat()[0], 5)
        pop.quit()
        self.assertEqual(len(self.there()), 5)
        self.assertEqual(len(self.host.read(self.SPOOL)), 37)
        owner, = (name for name in self.host.call(os.listdir, journals)
                  if name.startswith("owner."))
        self.assertTrue(owner.endswith("-Maildir"), owner)
        self.assertIn(b"\nmaildrop maildir:~/Maildir/\n",
                      self.host.read(journals + owner))


class ElsewhereInetd(Elsewhere):
    SERVER = family.Super


class Inetd(Maildir):
    """Under a super-server."""

    SERVER = family.Super

    def test_flow(self):
        self.start()
        pop = self.login()
        self.assertEqual(pop.retr(3), wire(MAIL[2]))
        pop.dele(1)
        pop.quit()
        self.assertNotIn("new/" + name(0), self.there())
        self.assertIn("cur/" + name(2, ":2,S"), self.there())

    def test_single(self):
        """isolation = single, as the user himself."""
        for folder in ("state", "run"):
            self.host.mkdir("/srv/" + folder, 0o700, "alice")
            self.addCleanup(self.host.run, ["rm", "-rf", "/srv/" + folder])
        self.host.write("/srv/users", "alice:{PLAIN}%s:1001:1001::/home/alice\n"
                        % PASSWORD, 0o600, "alice")
        self.host.write("/srv/popper.conf", family.conf(
            **family.OPTIONS, isolation="single", maildrop="~/Maildir/",
            passwd_file="/srv/users", state_dir="/srv/state",
            run_dir="/srv/run"))
        ours, theirs = socket.socketpair()
        process = self.host.popen(
            ["/usr/sbin/popper", "--config", "/srv/popper.conf"], user="alice",
            stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
        theirs.close()
        with family.Pop(ours) as pop:
            pop.login("alice", PASSWORD)
            pop.retr(1)
            pop.dele(2)
            pop.quit()
        self.assertEqual(process.wait(120), 0)
        process.stderr.close()
        self.assertEqual(self.there(), {
            "cur/" + name(0, ":2,S"): MAIL[0], "new/" + name(2): MAIL[2],
            "cur/" + name(3, ":2,"): MAIL[3]})


class ToMaildirs(Postfix):
    def furnish(self):
        super().furnish()
        self.host.run(["postconf", "home_mailbox=Maildir/"], check=True)


class Peers(Maildir):
    """Debian's own programs at both ends."""

    PACKAGES = CLIENTS

    def test_curl_and_fetchmail(self):
        self.start()
        out = self.host.run(["curl", "-sS", "-u", "alice:" + PASSWORD,
                             "pop3://127.0.0.1/3"], check=True).stdout
        self.assertEqual(out, wire(MAIL[2]))
        self.host.write(HOME + "rc", 'poll 127.0.0.1 protocol pop3 no dns '
                        'username "alice" password "%s"\n  no rewrite no keep '
                        'mda "cat >> /home/alice/got"\n' % PASSWORD, 0o600,
                        "alice")
        self.addCleanup(self.host.run, ["rm", "-f", HOME + "rc", HOME + "got"])
        done = self.host.run(["fetchmail", "-d0", "-a", "--sslproto", "",
                              "--invisible", "-f", HOME + "rc", "--pidfile",
                              "/tmp/pid", "-i", "/tmp/ids"], user="alice")
        self.assertEqual(done.returncode, 0, done)
        got = self.host.read(HOME + "got")
        for text in (b"The first", b"The second", b"no line end", b"From here"):
            self.assertIn(text, got)
        self.assertEqual(self.there(), {})

    def test_deliveries_while_a_session_runs(self):
        """By Postfix, procmail and maildrop."""
        for program in ("procmail", "maildrop"):
            self.host.write("/etc/%src" % program, "DEFAULT=$HOME/Maildir/\n")
        self.start()
        with ToMaildirs(self.host) as mta:
            pop = self.login()
            self.assertEqual(pop.stat()[0], 4)
            for how, text in (
                    (["/usr/sbin/sendmail", "-i", "alice@example.org"], "postfix"),
                    (["procmail", "-d", "alice"], "procmail"),
                    (["maildrop", "-d", "alice"], "maildrop")):
                self.host.run(how, check=True, input=b"From: a@example.org\n"
                              b"Subject: by %s\n\nx\n" % text.encode())
            mta.wait_empty()
        self.wait_for(lambda: len(self.there()) == 7, "three more messages")
        pop.dele(1)
        pop.retr(2)
        pop.quit()
        pop = self.login()
        self.assertEqual(pop.stat()[0], 6)
        subjects = {re.search(rb"(?m)^Subject: (.*?)\r$", pop.retr(i)).group(1)
                    for i in range(4, 7)}
        self.assertEqual(subjects, {b"by postfix", b"by procmail",
                                    b"by maildrop"})
        pop.quit()


if __name__ == "__main__":
    unittest.main(verbosity=2)
