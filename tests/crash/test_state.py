# SPDX-License-Identifier: ISC
"""What popper keeps in its state folder, from one boot or account to the next:
journals, the reserve for a full disk.
"""

import os
import re
import subprocess
import tempfile
import time
import unittest

import test_crash
from lib.scene import MAIL_GID, PASSWORD, UID, USER, Scene, message, parse
from test_crash import mount, setUpModule, umount  # noqa: F401

PHASE = ("--from", "read:QUIT", "--who", "all", "--calls", "change")


class State(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="popper-state.",
                                             dir=test_crash.BASE)
        self.addCleanup(holder.cleanup)
        os.chmod(holder.name, 0o755)
        self.s = Scene(base=holder.name)
        self.addCleanup(self.s.remove)
        self.journals = self.s.base + "/state/journal"

    def furnish(self):
        self.s.put([message(b"m%d" % i, size=6000) for i in range(1, 4)])
        self.s.seed_popbull(0)

    @staticmethod
    def quits(pop, _):
        pop.login(USER, PASSWORD)
        pop.dele(1)
        pop.cmd("QUIT")

    def tear(self):
        """All die where the spool is neither old nor new."""
        self.furnish()
        self.s.session(self.quits)      # it makes the folders
        self.furnish()
        points = self.s.session(self.quits, *PHASE).points()
        first = min(i for i, what in enumerate(points, 1)
                    if what.endswith("write64 " + self.s.spool))
        self.furnish()
        self.s.session(self.quits, *PHASE, "--do", "tree-after", "--at",
                       str(first))
        self.assertEqual(len(self.s.journals()), 1)

    def names(self):
        return [name for name, _ in parse(self.s.read())]

    # -- a device that has another number after a boot ---------------------

    def mounted(self):
        mount("tmpfs", self.s.spool_dir, "size=8m")
        self.addCleanup(umount, self.s.spool_dir)
        os.chown(self.s.spool_dir, 0, MAIL_GID)
        os.chmod(self.s.spool_dir, 0o2775)
        return os.stat(self.s.spool_dir).st_dev

    def as_inode(self, ino, data):
        """The spool, with the inode number that it had."""
        for i in range(10000):
            path = "%s/filler%d" % (self.s.spool_dir, i)
            with open(path, "wb"):
                pass
            if os.stat(path).st_ino == ino:
                os.rename(path, self.s.spool)
                with open(self.s.spool, "wb") as f:
                    f.write(data)
                os.chown(self.s.spool, UID, MAIL_GID)
                os.chmod(self.s.spool, 0o660)
                return
            os.unlink(path)
        self.skipTest("this kernel's tmpfs gives no number twice")

    def test_journal_is_found_on_another_device(self):
        first = self.mounted()
        self.tear()
        torn, ino = self.s.read(), os.stat(self.s.spool).st_ino
        self.assertNotEqual(self.mounted(), first)
        self.as_inode(ino, torn)
        self.assertEqual(self.s.recover()[0], 0)
        self.assertEqual(self.names(), [b"m2", b"m3"])
        self.assertEqual(self.s.journals(), {})

    # -- an account that was made anew -------------------------------------

    def test_journal_of_another_user(self):
        """He gets his own mail, and not an octet of the other's; what that one
        misses is kept."""
        self.tear()
        (size,) = self.s.journals().values()
        os.unlink(self.s.spool)
        os.unlink(self.s.lock)
        users = self.s.base + "/users"
        with open(users, encoding="ascii") as f:
            row = f.read()
        with open(users, "w", encoding="ascii") as f:
            f.write(row.replace(":%d:%d:" % (UID, UID), ":61002:61002:"))
        os.chown(self.s.home, 61002, 61002)
        self.s.put([message(b"new")])
        os.chown(self.s.spool, 61002, MAIL_GID)
        self.assertEqual([n for n, _, _ in self.s.look()], [b"new"])
        self.assertIn("drop-journal-foreign", self.s.log())
        kept = [n for n in os.listdir(self.journals) if n.startswith("kept.")]
        self.assertEqual([os.path.getsize(self.journals + "/" + n)
                          for n in kept], [size])
        self.assertEqual(self.s.recover()[0], 0)
        self.assertEqual([n for n, _, _ in self.s.look()], [b"new"])

    # -- who finishes it -----------------------------------------------------

    def test_serve_looks_when_it_starts(self):
        """Nobody has logged in, nor asked popper recover."""
        self.tear()
        self.assertIsNotNone(self.s.dotlock())
        with open(self.s.conf, "a", encoding="ascii") as f:
            f.write("listen = 127.0.0.1:0\n")
        server = subprocess.Popen(self.s.argv("serve"), env=self.s.env,
                                  stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while self.s.journals() or self.s.dotlock() is not None:
                self.assertLess(time.monotonic(), deadline, self.s.log())
                time.sleep(0.02)
        finally:
            server.terminate()
            server.wait(60)
        self.assertEqual(self.names(), [b"m2", b"m3"])

    # -- what those leave who are killed -----------------------------------

    def test_litter(self):
        """Files that were to get a name: old ones of ours alone are removed."""
        self.tear()
        hour = 3600
        keep, gone = [], []

        def make(name, age, to, uid=0):
            path = self.journals + "/" + name
            with open(path, "w", encoding="ascii") as f:
                f.write("user x\n")
            os.chown(path, uid, 0)
            then = time.time() - age
            os.utime(path, (then, then))
            to.append(name)
            return path
        make(".popper-0123456789abcdef", hour + 60, gone)
        make(".popper-ffffffffffffffff", 1000 * hour, gone)
        make(".popper-0123456789abcde0", hour - 60, keep)
        make(".popper-0123456789abcde1", -hour, keep)
        make(".popper-0123456789abcde2", 2 * hour, keep, 61002)
        for name in (".popper-0123456789abcde", ".popper-0123456789abcdef0",
                     ".popper-0123456789abcdef.new",
                     ".popper-0123456789abcdeF", ".popper-", ".popper",
                     "owner..popper-0123456789abcdef", "kept.1.00", "reserve.x"):
            make(name, 2 * hour, keep)
        twin = make(".popper-0123456789abcde3", 2 * hour, keep)
        os.link(twin, twin[:-1] + "4")
        keep.append(".popper-0123456789abcde4")
        os.mkdir(self.journals + "/.popper-0123456789abcde5")
        link = self.journals + "/.popper-0123456789abcde6"
        os.symlink("/etc/passwd", link)
        os.utime(link, (hour, hour), follow_symlinks=False)
        keep += [".popper-0123456789abcde5", ".popper-0123456789abcde6"]
        before = set(os.listdir(self.journals))
        self.assertLessEqual(set(keep + gone), before)
        self.assertEqual(self.s.recover()[0], 0)
        self.assertEqual(self.names(), [b"m2", b"m3"])  # it did its work
        self.assertEqual(before - set(os.listdir(self.journals)), set(gone))
        for name in gone:
            self.assertIn("journal-litter text=\"removed %s\"" % name,
                          self.s.log())

    # -- indexes of maildrops that are gone ---------------------------------

    def test_indexes(self):
        """Once a day old ones of ours go; a session makes what it needs."""
        self.furnish()
        day, now = 86400, time.time()
        folder = self.s.base + "/state/index"
        os.mkdir(folder, 0o700)

        def make(name, read, written, uid=0):
            path = folder + "/" + name
            with open(path, "wb") as f:
                f.write(b"octets")
            os.chown(path, uid, 0)
            os.utime(path, (now - read * day, now - written * day))
            return path
        gone = {"0123abcd-old": (61, 61), "feed-older": (1000, 400)}
        keep = {"0123abcd-read": (59, 400), "0123abcd-written": (400, 59),
                "0-future": (-9, 400), "other": (400, 400), ".x": (400, 400)}
        for name, ages in {**gone, **keep}.items():
            make(name, *ages)
        make("1-foreign", 400, 400, 61002)
        twin = make("2-twin", 400, 400)
        os.link(twin, folder + "/3-twin")
        os.mkdir(folder + "/4-folder")
        os.symlink("/etc/passwd", folder + "/5-link")
        os.utime(folder + "/5-link", (1, 1), follow_symlinks=False)
        before = set(os.listdir(folder))
        self.assertEqual(self.s.recover()[0], 0)
        self.assertEqual(before - set(os.listdir(folder)), set(gone))
        self.assertIn('index-sweep text="removed 2"', self.s.log())
        # Not again on the same day; on the next, or when clocks were wrong.
        stamp = folder + "/swept"
        for age, goes in ((0.99, False), (1.01, True), (-1, True)):
            path = make("0123abcd-old", 61, 61)
            os.utime(stamp, (now, now - age * day))
            self.s.recover()
            self.assertEqual(os.path.exists(path), not goes, age)

    # -- once a minute ------------------------------------------------------

    def test_quick(self):
        """By the locks that were left; all of them once an hour, after a boot,
        and when nobody knows."""
        run, hour = self.s.base + "/run", 60 * 60
        stamp = run + "/recovered"
        self.tear()

        def quick(finishes):
            self.assertEqual(self.s.recover(quick=True)[0], 0)
            self.assertEqual(self.s.journals() == {}, finishes)

        self.assertTrue(os.listdir(run + "/lock"))
        self.assertFalse(os.path.exists(stamp))
        quick(True)                     # the first time
        self.assertEqual(os.listdir(run + "/lock"), [])
        with open(stamp, "rb") as f:
            boot = f.read()
        for age, said, left, finishes in (
                (0, boot, True, True), (0, boot, False, False),
                (hour + 1, boot, False, True), (-9, boot, False, True),
                (0, b"12345678", False, True), (0, b"", False, True)):
            self.tear()
            if not left:
                for name in os.listdir(run + "/lock"):
                    os.unlink(run + "/lock/" + name)
            with open(stamp, "wb") as f:
                f.write(said)
            now = time.time()
            os.utime(stamp, (now, now - age))
            with self.subTest(age=age, said=said, left=left):
                quick(finishes)
            self.assertEqual(self.s.recover()[0], 0)
            self.assertEqual(self.s.journals(), {})

    def test_quick_after_a_failure(self):
        """Of one without a lock: all are looked at until it is finished."""
        self.tear()
        for name in os.listdir(self.s.base + "/run/lock"):
            os.unlink(self.s.base + "/run/lock/" + name)
        away = self.s.spool_dir + ".away"
        os.rename(self.s.spool_dir, away)
        self.assertEqual(self.s.recover(quick=True)[0], 75)
        os.rename(away, self.s.spool_dir)
        self.assertEqual(self.s.recover(quick=True)[0], 0)
        self.assertEqual(self.s.journals(), {})

    def test_quick_beside_others(self):
        """A lock of a session that lives, and texts that are none."""
        self.assertEqual(self.s.recover()[0], 0)
        self.furnish()
        locks = self.s.base + "/run/lock/"
        for name, text in (("1-1-cut", b"pid=1 sid=x ip=x since_ms=1 key="),
                           ("1-1-none", b""), ("1-1-out", b"key=../x\n"),
                           ("1-1-gone", b"pid=1 sid=x ip=x since_ms=1 "
                                        b"key=0123-ann\n")):
            with open(locks + name, "wb") as f:
                f.write(text)

        def talk(pop, _):
            pop.login(USER, PASSWORD)
            self.assertEqual(self.s.recover(quick=True)[0], 0)
            pop.dele(1)
            pop.quit()
        self.s.session(talk)
        self.assertEqual(self.names(), [b"m2", b"m3"])

    # -- the folder and the reserve ----------------------------------------

    def test_reserve_is_made_again(self):
        """Whoever was making it died."""
        self.furnish()
        os.mkdir(self.journals, 0o700)
        with open(self.journals + "/reserve.new", "wb"):
            pass
        self.s.session(lambda pop, _: pop.quit())
        self.assertGreater(os.path.getsize(self.journals + "/reserve"),
                           1 << 20)
        self.assertFalse(os.path.exists(self.journals + "/reserve.new"))

    def test_recover_says_when_it_cannot_look(self):
        self.assertEqual(self.s.recover()[0], 0)        # nothing there yet
        with open(self.journals, "wb"):
            pass
        self.assertEqual(self.s.recover()[0], 75)
        self.assertIn("recovery-failed", self.s.log())

    def test_recover_says_when_it_cannot_see(self):
        """A look at a journal fails: it is not taken for an empty one."""
        how = ("--from", "start", "--who", "one", "--do", "fail:EIO")
        self.tear()
        self.assertEqual(self.s.recover()[0], 0)        # it makes the folders
        self.tear()
        key, = self.s.journals()
        points = [line.split(" ", 3)[3] for line in self.s.recover(*how)[1]
                  if line.startswith("point ")]
        self.tear()
        report = self.s.recover(*how, "--at", str(
            points.index("newfstatat " + key) + 1))[1]
        self.assertTrue(any(re.fullmatch("strike .* newfstatat " + key, line)
                            for line in report), report)
        ends = [line for line in report if line.startswith("exit ")]
        self.assertEqual(ends[-1].endswith(" 0"), self.s.journals() == {}, ends)


if __name__ == "__main__":
    unittest.main()
