# SPDX-License-Identifier: ISC
"""Promised unique-ids, when popper uidl import or a QUIT that forgets some is killed
at any of its calls that change a file: they are the old ones or the new ones, all of
them, and the user can log in.
"""

import os
import platform
import random
import subprocess
import tempfile
import time
import unittest

import test_crash
from lib.scene import INJECT, PASSWORD, USER, Scene, message
from test_crash import LONG, SAMPLE, SEED, setUpModule          # noqa: F401

COUNT = 6
MODES = ("tree-before", "tree-after")


@unittest.skipUnless(platform.machine() == "x86_64",
                     "the injector is for x86-64")
class Promises(unittest.TestCase):
    def scene(self):
        holder = tempfile.TemporaryDirectory(prefix="popper-promises.",
                                             dir=test_crash.BASE)
        self.addCleanup(holder.cleanup)
        os.chmod(holder.name, 0o755)
        s = Scene(base=holder.name)
        self.addCleanup(s.remove)
        self.mail(s)
        s.seed_popbull(0)
        return s

    @staticmethod
    def mail(s):
        s.put([message(b"m%d" % i) for i in range(1, COUNT + 1)])

    def uidl(self, s, ids, *injector):
        """Import these, of all messages; gives the report."""
        report = s.aside + "/report"
        argv = s.argv("uidl", "import", USER)
        if injector:
            argv = [INJECT, "--report", report, *injector, "--", *argv]
        text = b"".join(b"%d %s\n" % row for row in enumerate(ids, 1))
        r = subprocess.run(argv, input=text, env=s.env, timeout=90,
                           capture_output=True, check=False)
        if not injector:
            self.assertEqual(r.returncode, 0, r.stderr)
            return []
        with open(report, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()

    def shown(self, s):
        return {name: uid for name, uid, _ in s.look()}

    def points(self, name, report):
        """A sample of those that are about the file, or all that there are."""
        lines = [line for line in report if line.startswith("point ")]
        about = [i for i, line in enumerate(lines, 1) if "/state/uidl" in line]
        self.assertGreaterEqual(len(about), 4, report)  # as many as a file takes
        chosen = range(1, len(lines) + 1)
        if not LONG:
            chosen = random.Random("%d %s" % (SEED, name)).sample(
                about, min(len(about), 2 * SAMPLE))
        print("%s: %d points, %d of the file; %d runs" % (
            name, len(lines), len(about), len(MODES) * len(chosen)))
        return chosen

    def test_import(self):
        old = [b"old%d" % i for i in range(COUNT)]
        new = [b"new%d" % i for i in range(COUNT)]
        every = ("--who", "all", "--calls", "change")
        s = self.scene()
        self.uidl(s, old)
        for at in self.points("import", self.uidl(s, new, *every)):
            for mode in MODES:
                with self.subTest(mode, at=at):
                    self.uidl(s, old)
                    report = self.uidl(s, new, *every, "--do", mode, "--at",
                                       str(at))
                    self.assertIn("strike ", "\n".join(report))
                    seen = self.shown(s)
                    self.assertIn([seen[b"m%d" % i] for i in
                                   range(1, COUNT + 1)], (old, new))

    def quits(self, s, *injector):
        def talk(pop, _):
            pop.login(USER, PASSWORD)
            for n in range(2, COUNT):
                pop.dele(n)
            pop.cmd("QUIT")
        return s.session(talk, *injector).report

    def test_forget(self):
        ids = [b"id%d" % i for i in range(1, COUNT + 1)]
        every = ("--from", "read:QUIT", "--who", "all", "--calls", "change")
        s = self.scene()
        self.uidl(s, ids)
        report = self.quits(s, *every)
        self.assertIn("/state/uidl/", "\n".join(report))
        for at in self.points("forget", report):
            for mode in MODES:
                with self.subTest(mode, at=at):
                    self.mail(s)
                    self.uidl(s, ids)
                    self.quits(s, *every, "--do", mode, "--at", str(at))
                    for name, uid in self.shown(s).items():
                        self.assertEqual(uid, b"id" + name[1:])

    def test_litter(self):
        """What was to become such a file, and is old, is removed."""
        s = self.scene()
        self.uidl(s, [b"a"])
        folder = s.base + "/state/uidl/"
        kept, = os.listdir(folder)
        for name, age in ((".popper-0123456789abcdef", 7200),
                          (".popper-0123456789abcde0", 60), ("other", 7200)):
            with open(folder + name, "wb"):
                pass
            then = time.time() - age
            os.utime(folder + name, (then, then))
        self.assertEqual(s.recover()[0], 0)
        self.assertEqual(sorted(os.listdir(folder)), sorted(
            [kept, ".popper-0123456789abcde0", "other"]))


if __name__ == "__main__":
    unittest.main()
