# SPDX-License-Identifier: ISC
"""The release of Debian after the one that CI has: the tree is built and tried
there as on a new machine."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import debian                                          # noqa: E402
from lib.unpack import TOP                                      # noqa: E402

NEXT = "trixie"
NEW_MACHINE = ("gcc", "make", "cmake", "python3", "git", "ca-certificates")
# Those that meet the libraries of the release, its PAM and its programs; not those
# that look at the tree itself, and at popper's own words and crashes alone.
SUITES = ("unit", "demo", "auth", "sasl", "bearer", "gssapi", "tls", "clients",
          "superserver", "serve", "limits", "log", "ctl", "reload", "trace",
          "check", "peer", "proxy", "roles", "timeout", "times", "bulletin",
          "xmit", "mta", "uidl", "maildir", "deb")
ENTER = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
for d in proc sys dev; do mount --rbind /$d "$1/$d"; done
cd "$1"
mkdir -p old
pivot_root . old
cd /src
umount -l /old
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    DEBIAN_FRONTEND=noninteractive sh -ec "$2"
"""


@unittest.skipUnless(os.environ.get("POPPER_LONG"),
                     "long run only (make test-long)")
class Next(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        cls.root = tempfile.mkdtemp(dir=debian.folder())
        cls.addClassCleanup(shutil.rmtree, cls.root)
        os.chmod(cls.root, 0o755)
        debian.other_release(NEXT, NEW_MACHINE, cls.root)
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", TOP,
                        cls.root + "/src"], check=True)
        shutil.copy("/etc/resolv.conf", cls.root + "/etc/resolv.conf")

    def test_new_machine(self):
        r = subprocess.run(["unshare", "--mount", "sh", "-c", ENTER, "sh",
                            self.root, "exec python3 tests/run " + " ".join(
                                "--only " + s for s in SUITES)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        said = r.stdout.decode(errors="replace")
        self.assertEqual(r.returncode, 0, said[-20000:])
        self.assertRegex(said, r"(?m)^[1-9]\d+ passed, 0 failed, \d+ skipped$")


if __name__ == "__main__":
    unittest.main()
