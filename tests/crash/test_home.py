# SPDX-License-Identifier: ISC
"""A home folder in which popper cannot write .popbull as it would like to:
bulletins may then wait, but mail is read and deleted all the same.
"""

import os
import tempfile
import unittest

from lib.popper import PopError
from lib.scene import PASSWORD, UID, USER, Scene, message, parse


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Home(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="popper-home.")
        self.addCleanup(holder.cleanup)
        os.chmod(holder.name, 0o755)
        self.folder = holder.name
        self.furnish()

    def furnish(self):
        self.s = Scene(base=self.folder)
        self.addCleanup(self.s.remove)
        self.s.put([message(b"m%d" % i) for i in range(1, 4)])
        self.s.seed_popbull(22)
        self.s.publish(23, b"bulletin")

    def own(self, uid, mode, popbull_uid=UID):
        os.chown(self.s.home, uid, uid)
        os.chmod(self.s.home, mode)
        os.chown(self.s.home + "/.popbull", popbull_uid, popbull_uid)
        os.chmod(self.s.home + "/.popbull", 0o644)

    def session(self, meanwhile=lambda: None):
        """Delete the first message."""
        def talk(pop, _):
            pop.login(USER, PASSWORD)
            pop.dele(1)
            meanwhile()
            pop.quit()
        self.s.session(talk)
        if os.path.exists(self.s.home):
            self.assertEqual(self.s.litter(), [])
        return [name for name, _ in parse(self.s.read())]

    def seen(self):
        return [name for name, _, _ in self.s.look()]

    def test_folder_of_root(self):
        """As for users who are locked into their home."""
        self.own(0, 0o755)
        self.assertEqual(self.session(), [b"m2", b"m3", b"bulletin"])
        self.assertEqual(self.s.popbull(), 23)
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])

    def test_all_of_root(self):
        """No bulletin as long as its number could not be kept."""
        self.own(0, 0o755, popbull_uid=0)
        self.assertEqual(self.session(), [b"m2", b"m3"])
        self.assertIn("bulletin-number-not-written", self.s.log())
        self.assertEqual(self.seen(), [b"m2", b"m3"])
        self.own(UID, 0o700)
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])
        self.assertEqual(self.s.popbull(), 23)

    def test_taken_away_in_a_session(self):
        """The bulletin is in the maildrop, its number cannot be kept: said,
        and no reason to keep the user out."""
        self.assertEqual(
            self.session(lambda: self.own(0, 0o755, popbull_uid=0)),
            [b"m2", b"m3", b"bulletin"])
        self.assertIn("drop-note-lost", self.s.log())
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])

    def test_cannot_be_reached_at_the_moment(self):
        """An UPDATE was cut off, and the next login's home fails: the user is
        told to come again, and the bulletin is not delivered twice."""
        def quits(pop, _):
            pop.login(USER, PASSWORD)
            pop.dele(1)
            pop.cmd("QUIT")

        def torn(*what):
            return self.s.session(quits, "--from", "read:QUIT", "--who",
                                  "all", "--calls", "change", *what)
        points = torn("--do", "tree-after").points()
        last = max(i for i, what in enumerate(points, 1)
                   if what.endswith("write64 " + self.s.spool))
        self.furnish()
        torn("--do", "tree-after", "--at", str(last))
        self.assertNotEqual(self.s.journals(), {})

        def again(pop, out):
            try:
                pop.login(USER, PASSWORD)
            except PopError as e:
                out.reply = e.args[0]
        out = self.s.session(again, "--from", "uid:%d" % UID, "--who", "all",
                             "--do", "fail:EIO", "--at", "1", "--calls",
                             "change")
        self.assertTrue(out.struck()[0].endswith(self.s.home), out.report)
        self.assertTrue(out.reply.startswith(b"[SYS/TEMP] "), out.reply)
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])
        self.assertEqual(self.s.popbull(), 23)
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])

    def test_is_not_there(self):
        """A file server that is not mounted: mail is read, bulletins wait."""
        away = self.s.home + ".away"
        os.rename(self.s.home, away)
        self.assertEqual(self.session(), [b"m2", b"m3"])
        self.assertIn("home-folder", self.s.log())
        os.rename(away, self.s.home)
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])
        os.rename(self.s.home, away)
        self.s.publish(24, b"later")
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin"])
        os.rename(away, self.s.home)
        self.assertEqual(self.seen(), [b"m2", b"m3", b"bulletin", b"later"])


if __name__ == "__main__":
    unittest.main()
