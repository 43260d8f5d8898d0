# SPDX-License-Identifier: ISC
"""The injector itself: it strikes where it says it does."""

import os
import platform
import subprocess
import tempfile
import unittest

from lib.host import build_dir

BUILD = os.path.join(build_dir(), "tests/crash")
UID = 61234

# The calls of the child after it has read QUIT, with what the file holds
# before each, and the octets that this call adds.
STEPS = [
    ("write", b"", b"one\n"),
    ("fsync", b"one\n", b""),
    ("write", b"one\n", b"two\n"),
    ("fsync", b"one\ntwo\n", b""),
    ("write", b"one\ntwo\n", b""),          # the answer
    ("exit_group", b"one\ntwo\n", b""),
]
KILLED, ENDED = b"killed 9\n", b"ended %d\n"


@unittest.skipUnless(platform.machine() == "x86_64",
                     "the injector is for x86-64")
class Injector(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "file")
        self.report = os.path.join(folder.name, "report")

    def inject(self, *options, at=0, do="kill-before", who="one"):
        """(what the file holds, the answer, lines of the report)."""
        if os.path.exists(self.file):
            os.unlink(self.file)
        r = subprocess.run(
            [BUILD + "/inject", "--report", self.report, "--from",
             "read:QUIT", "--at", str(at), "--do", do, "--who", who, *options,
             "--", BUILD + "/victim", self.file, str(UID)],
            input=b"QUIT\r\n", stdout=subprocess.PIPE, timeout=60, check=True)
        with open(self.file, "rb") as f, open(self.report, "rb") as g:
            return f.read(), r.stdout, g.read().decode().splitlines()

    def test_counts_without_harm(self):
        data, answer, report = self.inject("--calls", "all")
        self.assertEqual(data, b"one\ntwo\n" + ENDED % 0)
        self.assertEqual(answer, b"+OK\n")
        points = [line.split()[3] for line in report
                  if line.startswith("point ")]
        self.assertEqual(points, [s[0] for s in STEPS])
        self.assertIn("points %d" % len(STEPS), report)
        self.assertTrue(report[1].endswith(" write " + self.file), report[1])

    def test_kill_before_and_after(self):
        for i, (name, before, adds) in enumerate(STEPS, 1):
            with self.subTest(at=i, call=name):
                if name != "exit_group":
                    self.assertEqual(
                        self.inject(at=i, do="kill-after")[0],
                        before + adds + KILLED)
                data, answer, report = self.inject(at=i)
                self.assertEqual(data, before + KILLED)
                self.assertEqual(answer, b"+OK\n" if i > 5 else b"")
                self.assertIn(" %s " % name,
                              [r for r in report if "strike" in r][0])

    def test_kill_tree(self):
        for i, (name, before, adds) in enumerate(STEPS, 1):
            with self.subTest(at=i, call=name):
                self.assertEqual(self.inject(at=i, do="tree-before")[0],
                                 before)
                if name != "exit_group":
                    self.assertEqual(self.inject(at=i, do="tree-after")[0],
                                     before + adds)

    def test_fail(self):
        # An error leaves out the call and all that the child wanted after it.
        for error in ("EIO", "EINTR", "ENOSPC", "EDQUOT"):
            for i, (name, before, adds) in enumerate(STEPS[:4], 1):
                with self.subTest(at=i, call=name, error=error):
                    data, answer, _ = self.inject(at=i, do="fail:" + error)
                    self.assertEqual(data, before + ENDED % 1)
                    self.assertEqual(answer, b"-NO\n")
                    data, answer, _ = self.inject(at=i, do="late:" + error)
                    self.assertEqual(data, before + adds + ENDED % 1)
                    self.assertEqual(answer, b"-NO\n")

    def test_error_numbers(self):
        # Only what can fail that way is a point.
        for error, points in (("ENOSPC", 4), ("EDQUOT", 4), ("EIO", 4),
                              ("EINTR", 5)):
            report = self.inject(do="fail:" + error)[2]
            self.assertIn("points %d" % points, report)

    def test_short(self):
        self.assertEqual(self.inject(do="short")[2][-1], "points 2")
        data, answer, _ = self.inject(at=1, do="short")
        self.assertEqual((data, answer), (b"on" + ENDED % 1, b"-NO\n"))
        data, _, _ = self.inject(at=2, do="short")
        self.assertEqual(data, b"one\ntw" + ENDED % 1)

    def test_others_and_all(self):
        report = self.inject(who="others")[2]
        self.assertEqual(report[-1], "points 2")
        data, answer, _ = self.inject(at=1, who="others")
        self.assertEqual((data, answer), (b"one\ntwo\n", b"+OK\n"))
        self.assertEqual(self.inject(who="all")[2][-1], "points 8")
        self.assertEqual(self.inject(at=7, who="all")[0], b"one\ntwo\n")

    def test_sticky(self):
        report = self.inject("--sticky", at=2, do="late:EIO", who="all")[2]
        strikes = [r.split()[3] for r in report if r.startswith("strike")]
        self.assertEqual(strikes, ["fsync", "write"])

    def test_begin_at_a_uid(self):
        report = self.inject("--from", "uid:%d" % UID, "--calls", "file")[2]
        names = [r.split()[3] for r in report if r.startswith("point ")]
        self.assertEqual(names, ["read"] + [s[0] for s in STEPS])

    def test_ends_with_a_text(self):
        report = self.inject("--to", "write:+OK")[2]
        self.assertEqual(report[-1], "points 5")

    def test_gives_up(self):
        r = subprocess.run(
            [BUILD + "/inject", "--limit", "1", "--report", self.report, "--",
             "sleep", "30"], timeout=120, check=False)
        self.assertEqual(r.returncode, 0)
        with open(self.report, encoding="ascii") as f:
            self.assertIn("timeout", f.read().splitlines())


if __name__ == "__main__":
    unittest.main()
