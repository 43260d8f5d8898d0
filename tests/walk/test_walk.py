# SPDX-License-Identifier: ISC
"""Random walks over maildrops, see walk.py: POPPER_SEED gives the same walks again,
WALK_SEED a single one of them.
"""

import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from drops import Maildir, Mbox                                 # noqa: E402
from lib import image                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from walk import USER, Walk                                     # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or random.randrange(1 << 32))
ONE = os.environ.get("WALK_SEED")
STEPS = 60
SECONDS = int(os.environ.get("WALK_SECONDS") or (600 if LONG else 5))


class Walks(unittest.TestCase):
    """Of one file system."""

    FS, ARGS = "ext4", ("-q",)

    @classmethod
    def setUpClass(cls):
        cls.host = Host(image=image.make(cls.FS, *cls.ARGS))
        cls.addClassCleanup(cls.host.close)
        a = cls.host.add_user(USER, password=USER)
        cls.host.write("/etc/popper/users", "%s:{PLAIN}%s:%d:%d::/home/%s\n" % (
            USER, USER, a.uid, a.gid, USER), 0o600)
        cls.host.write("/etc/shells", "/bin/sh\n/bin/bash\n\n")

    def walks(self, kind):
        end = time.monotonic() + SECONDS
        sums, n = {}, 0
        seeds = random.Random("%d %s %s" % (SEED, kind.KIND, self.FS))
        while time.monotonic() < end:
            seed = ONE or "%016x" % seeds.getrandbits(64)
            count = Walk(self.host, seed, kind).run(STEPS)
            sums = {k: sums.get(k, 0) + v for k, v in count.items()}
            n += 1
            if ONE:
                break
        print("%d walks over a %s, seed %d: %s" % (n, kind.KIND, SEED, sums))
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
