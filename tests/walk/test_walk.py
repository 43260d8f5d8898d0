# SPDX-License-Identifier: ISC
"""Random walks over maildrops, see walk.py.

The long form takes other ones each time (POPPER_SEED gives them again) for as long as
WALK_SECONDS; the short form a few that are always the same.  WALK_SEED is the seed of
a single one, as it is printed when one fails.
"""

import os
import random
import sys
import time
import unittest
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from drops import Maildir, Mbox                                 # noqa: E402
from lib import image                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from walk import USER, Walk                                     # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or random.randrange(1 << 32)) \
    if LONG else 1
ONE = os.environ.get("WALK_SEED")
SHORT = 6                               # walks
STEPS = 40
SECONDS = int(os.environ.get("WALK_SECONDS") or 600)


class Walks(unittest.TestCase):
    """Of one file system."""

    FS, ARGS = "ext4", ("-q",)

    @classmethod
    def setUpClass(cls):
        cls.host = Host(image=image.make(cls.FS, *cls.ARGS))
        # Its look at what is left forks, and waits for ever when that is killed.
        cls.host.env["LSAN_OPTIONS"] = "detect_leaks=0"
        cls.addClassCleanup(cls.host.close)
        a = cls.host.add_user(USER, password=USER)
        cls.host.write("/etc/popper/users", "%s:{PLAIN}%s:%d:%d::/home/%s\n" % (
            USER, USER, a.uid, a.gid, USER), 0o600)
        cls.host.write("/etc/shells", "/bin/sh\n/bin/bash\n\n")

    @staticmethod
    def seeds(kind, name):
        """Of the walks that are to be."""
        if ONE:
            yield ONE
            return
        rng = random.Random("%d %s %s" % (SEED, kind.KIND, name))
        end, n = time.monotonic() + SECONDS, 0
        while time.monotonic() < end if LONG else n < SHORT:
            yield "%016x" % rng.getrandbits(64)
            n += 1

    def walks(self, kind):
        sums = Counter()
        for seed in self.seeds(kind, self.FS):
            sums.update(Walk(self.host, seed, kind).run(STEPS))
            sums["walks"] += 1
        print("%s, seed %d: %s" % (kind.KIND, SEED, dict(sums)))
        self.assertGreater(sums["served"], sums["refused"])

    def test_mbox(self):
        self.walks(Mbox)

    def test_maildir(self):
        self.walks(Maildir)


@unittest.skipUnless(LONG, "long run only (make test-long)")
class Clones(Walks):
    """Where a session has a copy that costs nothing, and there is an index."""

    FS, ARGS = "xfs", ()


if __name__ == "__main__":
    unittest.main()
