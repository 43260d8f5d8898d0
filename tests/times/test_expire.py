# SPDX-License-Identifier: ISC
"""expire: what CAPA says is true, and expire_delete deletes that and no more, at
QUIT alone, whichever way popper runs."""

import os
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "serve")]

import house                                                    # noqa: E402
from lib import spool                                           # noqa: E402
from lib.clock import clock_is_kept                             # noqa: E402
from lib.popper import Pop                                      # noqa: E402
from lib.scene import (PASSWORD, USER, Scene, bulletin,         # noqa: E402
                       message, parse)

NEVER_DATED = b"Mon Jan  1 12:00:00 2024"
DAY = 86400


def dated(name, days=None, text=None):
    """A message that was delivered so many days ago."""
    when = text or time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(
        time.time() - days * DAY)).encode()
    return message(name).replace(NEVER_DATED, when, 1)


OLD, NEW = dated(b"old", 40), dated(b"new", 5)
# Whatever the zone of who wrote it: not yet.
NEARLY = dated(b"nearly", 30.3)
ODD = [dated(b"odd1", text=b"Tue Jan  1 12:00:00 2024"),    # it was a Monday
       dated(b"odd2", text=b"Thu Jan  1 00:00:01 1970"),
       dated(b"odd3", text=b"Mon Jan  1 12:00 2024 remote from x"),
       dated(b"odd4", text=b"Mon Jan  1 12:00:00 2096")]


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Expire(unittest.TestCase):
    """In one process for one client, and with all of them."""

    def scene(self, single, *texts, **options):
        scene = Scene(single=single, **options)
        self.addCleanup(scene.remove)
        scene.put(texts)
        return scene

    def session(self, scene, *commands, end=True):
        def talk(pop, _):
            capa = b"\r\nEXPIRE %s\r\n" % self.announced
            self.assertIn(capa, pop.multi("CAPA")[1])
            pop.login(USER, PASSWORD)
            self.assertIn(capa, pop.multi("CAPA")[1])
            for c in commands:
                if c[0] in ("RETR", "TOP"):
                    pop.multi(*c)
                elif c[0] == "count":
                    self.assertEqual(pop.stat()[0], c[1])
                else:
                    pop.cmd(*c)
            if end:
                pop.quit()
        scene.session(talk)

    def left(self, scene):
        return [name for name, _ in parse(scene.read())]

    def test_by_age(self):
        self.announced = b"30"
        for single in (True, False):
            with self.subTest(single=single):
                scene = self.scene(
                    single, OLD, NEW, NEARLY, *ODD, OLD, expire=30,
                    expire_delete="yes", expire_clock="any",
                    statistics="yes", bulletins="")
                # Neither a look nor a lost connection takes anything.
                before = scene.read()
                self.session(scene, ("RETR", 1), ("count", 8), end=False)
                self.assertEqual(scene.read(), before)
                self.session(scene, ("DELE", 2), ("RSET",), ("DELE", 4),
                             ("count", 7))
                self.assertEqual(self.left(scene), [
                    b"new", b"nearly", b"odd2", b"odd3", b"odd4"])
                self.assertRegex(scene.log(), r"session-end .*deleted=3 "
                                 r".* left=5 .* ms=\d+ expired=2\n")
                self.assertRegex(scene.log(), r"Stats: ann 3 \d+ 5 \d+")
                # And nothing more is said, or written, the next time.
                before = scene.read()
                self.session(scene, ("count", 5))
                self.assertEqual(scene.read(), before)
                self.assertEqual(scene.log().count("expired="), 1)

    def test_clock(self):
        """By a clock that nobody keeps nothing is old."""
        self.announced = b"30"
        for single in (True, False):
            with self.subTest(single=single):
                scene = self.scene(single, OLD, NEW, OLD, expire=30,
                                   expire_delete="yes")
                self.session(scene, ("DELE", 1))
                if clock_is_kept():
                    self.assertEqual(self.left(scene), [b"new"])
                    continue
                self.assertEqual(self.left(scene), [b"new", b"old"])
                self.assertRegex(scene.log(), r'expire-held .* text="1 message'
                                 ' is older than expire says and not deleted:')
                self.assertNotIn("expired=", scene.log())

    def test_zero(self):
        self.announced = b"0"
        for single in (True, False):
            with self.subTest(single=single):
                scene = self.scene(single, *map(
                    message, (b"a", b"b", b"c", b"d")), expire=0,
                    expire_delete="yes", bulletins="")
                self.session(scene, ("RETR", 1), end=False)
                self.assertEqual(len(self.left(scene)), 4)
                self.session(scene, ("TOP", 1, 99), ("RETR", 2), ("RSET",),
                             ("RETR", 3), ("count", 4))
                self.assertEqual(self.left(scene), [b"a", b"d"])

    def test_announced_only(self):
        self.announced = b"30"
        scene = self.scene(True, OLD, NEW, expire=30)
        before = scene.read()
        self.session(scene, ("count", 2))
        self.assertEqual(scene.read(), before)
        self.announced = b"NEVER"
        scene = self.scene(True, OLD, NEW, expire_delete="yes")
        self.session(scene, ("count", 2))
        self.assertEqual(scene.read(), before)

    def test_others_meanwhile(self):
        """Mail that came, and messages that were changed, are not ours."""
        self.announced = b"30"
        scene = self.scene(False, OLD, NEW, expire=30, expire_delete="yes",
                           expire_clock="any")
        scene.seed_popbull(0)
        delivered = scene.publish(1, b"news")
        late = dated(b"late", 400)

        def talk(pop, _):
            pop.login(USER, PASSWORD)
            self.assertEqual(pop.stat()[0], 3)
            scene.deliver(late)
            pop.quit()
        scene.session(talk)
        self.assertEqual(self.left(scene), [b"new", b"late", b"news"])
        self.assertEqual(bulletin(b"news")[1], delivered)
        self.assertEqual(scene.litter(), [])


class ExpireShared(house.House):
    def test_moves_for_quit(self):
        """A shared process writes nothing: who has something old moves."""
        self.serve(expire=30, expire_delete="yes", expire_clock="any",
                   sessions_per_process=10)
        self.host.spool("alice", NEW + OLD)
        self.host.spool("bob", NEW + NEW)
        with Pop(self.host.connect(110)) as pop:
            self.assertIn(b"\r\nEXPIRE 30\r\n", pop.multi("CAPA")[1])
        for user in ("alice", "bob"):
            pop = self.login(user)
            self.assertIn(b"\r\nEXPIRE 30\r\n", pop.multi("CAPA")[1])
            self.assertEqual((pop.stat()[0], self.sessions()), (2, []))
            pop.quit()
        self.assertEqual([[m.from_line + m.disk + b"\n" for m in
                           spool.messages(self.host.spool(u))]
                          for u in ("alice", "bob")], [[NEW], [NEW, NEW]])
        self.log.wait("session-end .*user=alice .* deleted=1 .* expired=1",
                      self.mark)

    def test_held(self):
        """Its clock is looked at where it can be."""
        self.serve(expire=30, expire_delete="yes", sessions_per_process=10)
        self.host.spool("alice", NEW + OLD)
        pop = self.login("alice")
        self.assertEqual((pop.stat()[0], self.sessions()), (2, []))
        pop.quit()
        self.log.wait("expired=1" if clock_is_kept() else
                      "expire-held .*user=alice ", self.mark)
        self.assertEqual(len(spool.messages(self.host.spool("alice"))),
                         1 if clock_is_kept() else 2)


if __name__ == "__main__":
    unittest.main()
