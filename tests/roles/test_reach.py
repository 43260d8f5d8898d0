# SPDX-License-Identifier: ISC
"""Which files a session can reach: whoever takes it over gets no more than
that, whatever the user may."""

import errno
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib import nasty                                           # noqa: E402
from lib.popper import Serve                                    # noqa: E402
from lib.puppet import Puppet, landlock                         # noqa: E402

READ, WRITE = os.O_RDONLY, os.O_RDWR
MAKE = os.O_WRONLY | os.O_CREAT
FOLDER = os.O_RDONLY | os.O_DIRECTORY
WITHOUT = "/run/without.py"
GROUPS = """board news {
	maildrop = /srv/boards/news
	archive = /srv/boards/link
}
board gone {
	maildrop = /srv/nowhere/gone
}
"""


class Unlanded(Serve):
    """popper serve on a kernel without Landlock."""

    def __init__(self, host, why):
        self.host = host
        self.process = host.popen(
            ["/usr/bin/python3", "-I", WITHOUT, why,
             "/usr/sbin/popper", "serve"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        host.wait_port(110)


class Reach(family.Family):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(os.path.dirname(__file__),
                               "../lib/without.py"), "rb") as f:
            cls.host.write(WITHOUT, f.read())
        for folder in ("/srv/boards", "/srv/old", "/srv/bulletins"):
            cls.host.mkdir(folder)
        board = nasty.mbox(nasty.NASTY[:1])
        cls.host.write("/srv/boards/news", board)
        cls.host.write("/srv/old/news", board)
        cls.host.write("/srv/old/other", board)
        cls.host.call(os.symlink, "/srv/old/news", "/srv/boards/link")
        cls.host.write("/etc/popper/bboards", GROUPS)
        cls.host.write("/srv/bulletins/1", board)
        # What alice's rights would let her do.
        cls.host.write("/home/bob/mbox", board, 0o666, "bob")
        cls.host.call(os.chmod, "/home/bob", 0o777)
        cls.host.write("/home/alice/secret", "key", 0o600, "alice")

    def session(self):
        pop = self.login()
        child, = self.children()
        self.assertEqual(child.uid, 1001)
        return pop, child

    def reaches(self, child, good, bad):
        """Rows (path, flags) that it can open, and that it cannot."""
        if not landlock():
            self.skipTest("this kernel has no Landlock")
        with Puppet(child.pid) as p:
            for path, flags in good:
                fd = p.open(path, flags)
                self.assertGreaterEqual(fd, 0, (path, flags, fd))
            for path, flags in bad:
                fd = p.open(path, flags)
                self.assertEqual(fd, -errno.EACCES, (path, flags))
        child.kill()

    STRANGE = [("/etc/passwd", READ), ("/etc/popper/popper.conf", READ),
               ("/home/bob/mbox", READ), ("/home/bob/mbox", WRITE),
               ("/home/bob/new", MAKE), ("/tmp/new", MAKE), ("/tmp", FOLDER),
               ("/proc/self/maps", READ), ("/dev/null", WRITE),
               ("/var/lib/popper/journal", FOLDER), ("/", FOLDER)]

    def test_only_the_maildrop(self):
        """Without bulletins the home is none of its business.  Nor is a
        new name in the spool, if anybody may make one: dotlocks are root's."""
        self.host.call(os.chmod, "/var/mail", 0o1777)
        self.addCleanup(self.host.call, os.chmod, "/var/mail", 0o2775)
        self.serve()
        _, child = self.session()
        self.reaches(child, [("/var/mail/alice", WRITE),
                             ("/var/mail", FOLDER)],
                     self.STRANGE + [
                         ("/var/mail/new", MAKE),
                         ("/home/alice/secret", READ),
                         ("/home/alice/.ssh", MAKE),
                         ("/srv/bulletins/1", READ),
                         ("/srv/boards/news", READ),
                         ("/etc/popper/bboards", READ)])

    def test_bulletins_and_groups_are_read(self):
        self.serve(bulletins="/srv/bulletins", bboards="/etc/popper/bboards")
        pop, child = self.session()
        self.assertIn(b"news", pop.multi("XTND", "BBOARDS")[1])
        pop.cmd("XTND", "ARCHIVE", "news")
        self.reaches(
            child, [("/home/alice/.popbull", WRITE),
                    ("/home/alice/.popper-1", MAKE),
                    ("/srv/bulletins/1", READ), ("/srv/bulletins", FOLDER),
                    ("/srv/boards/news", READ), ("/srv/boards/link", READ),
                    ("/etc/popper/bboards", READ)],
            self.STRANGE + [("/srv/boards", FOLDER), ("/srv/old/other", READ),
                            ("/srv/bulletins/new", MAKE)])

    def test_a_group_whose_count_is_replaced(self):
        """The folder of a group is open to it, since .cnt is renamed."""
        self.serve(bboards="/etc/popper/bboards")
        pop = self.login()
        self.host.write("/srv/boards/news.cnt", "77\n")
        self.addCleanup(self.host.call, os.unlink, "/srv/boards/news.cnt")
        self.assertIn(b"77", b" ".join(
            [*pop.multi("XTND", "X-BBOARDS", "news")]))
        pop.quit()

    def test_maildrop_in_the_home(self):
        self.host.write("/home/alice/mbox", self.mail, 0o600, "alice")
        self.serve(maildrop="~/mbox")
        pop, child = self.session()
        self.assertEqual(pop.stat()[0], 3)
        self.reaches(child, [("/home/alice/mbox", WRITE),
                             ("/home/alice/mbox.lock", MAKE)], self.STRANGE)

    def test_maildrop_that_is_not_there_yet(self):
        """It is made in the UPDATE, or by an MTA meanwhile."""
        self.host.call(os.unlink, "/var/mail/alice")
        self.serve()
        pop = self.login_empty()
        self.host.spool("alice", self.mail)
        pop.quit()
        self.next_login()

    def login_empty(self):
        pop = self.connect()
        self.assertEqual(pop.login("alice", family.PASSWORD)[0], 0)
        return pop

    def test_a_reader_that_renames(self):
        """A new file over the old one, in the middle of a session."""
        for template, maildrop in (("/var/mail/%u", "/var/mail/alice"),
                                   ("~/mbox", "/home/alice/mbox")):
            with self.subTest(maildrop=maildrop):
                self.host.write(maildrop, self.mail, 0o660, "alice")
                self.serve(maildrop=template)
                pop = self.login()
                pop.dele(1)
                self.host.write(maildrop + ".new", self.mail, 0o660, "alice")
                self.host.call(os.rename, maildrop + ".new", maildrop)
                pop.quit()
                with self.connect() as again:
                    self.assertEqual(
                        again.login("alice", family.PASSWORD)[0], 2)
                    again.quit()
                self.server.stop()

    def test_hashed_spools(self):
        """A neighbour in another folder is out of reach."""
        for user in ("alice", "bob"):
            self.host.mkdir("/var/mail/" + user[0], 0o2775, group="mail")
            self.host.write("/var/mail/%s/%s" % (user[0], user), self.mail,
                            0o666, user)
        self.serve(maildrop="/var/mail/%1/%u")
        _, child = self.session()
        self.reaches(child, [("/var/mail/a/alice", WRITE)],
                     self.STRANGE + [("/var/mail/b/bob", READ)])

    def test_user_without_a_home(self):
        self.host.write("/etc/popper/users", "alice:{PLAIN}%s:1001:1001::"
                        "/nonexistent\n" % family.PASSWORD, 0o600)
        self.serve(bulletins="/srv/bulletins", status_headers="no")
        _, child = self.session()
        own = "/var/lib/popper/users/alice"
        self.reaches(child, [(own + "/popbull", WRITE),
                             (own + "/last", MAKE)],
                     self.STRANGE + [("/home/alice/secret", READ)])

    # -- a kernel without ---------------------------------------------------

    def test_without_landlock(self):
        for why, text in (("ENOSYS", "built without Landlock"),
                          ("EOPNOTSUPP", "turned off")):
            with self.subTest(why=why):
                self.configure(debug="yes")
                self.server = Unlanded(self.host, why)
                self.addCleanup(self.server.stop)
                pop = self.login()
                self.log.wait("session-no-landlock .*" + text, self.mark)
                lines = [x for x in self.log.lines[self.mark:]
                         if "session-no-landlock" in x]
                self.assertEqual(len(lines), 1)
                self.assertEqual(pop.stat()[0], 3)
                pop.quit()
                self.assertIn(text.encode(), self.check(
                    "/usr/bin/python3", "-I", WITHOUT, why))
                self.server.stop()
                self.mark = self.log.mark()

    def test_check_is_silent_about_a_good_kernel(self):
        if not landlock():
            self.skipTest("this kernel has no Landlock")
        self.assertIsNone(re.search(b"(?i)landlock", self.check()))

    def check(self, *how):
        """Not with sloth's password file: each row would be hashed."""
        self.configure(auth="pam")
        return self.host.run([*how, "/usr/sbin/popper", "check"]).stdout


if __name__ == "__main__":
    unittest.main()
