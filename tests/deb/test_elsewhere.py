# SPDX-License-Identifier: ISC
"""The release of Debian after the one that CI has, and one of its machines that has
32 bits: the tree is built and tried there as on a new machine."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import debian                                          # noqa: E402
from lib.unpack import TOP                                      # noqa: E402

NEXT = "trixie"
NARROW = "i386"                         # the processors of amd64 run it, too
NEW_MACHINE = ("gcc", "make", "cmake", "python3", "git", "ca-certificates")
# Those that meet the libraries of the release, its PAM and its programs; not those
# that look at the tree itself, and at popper's own words and crashes alone.
SUITES = ("unit", "demo", "auth", "sasl", "bearer", "gssapi", "tls", "clients",
          "superserver", "serve", "limits", "log", "ctl", "reload", "trace",
          "check", "peer", "proxy", "roles", "timeout", "times", "bulletin",
          "xmit", "mta", "uidl", "maildir", "deb")
# What looks at sizes, times, system calls and files that others read.
NARROW_SUITES = ("unit", "flow", "serve", "maildir")
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
class Elsewhere(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        self.root = tempfile.mkdtemp(dir=debian.folder())
        self.addCleanup(shutil.rmtree, self.root)
        os.chmod(self.root, 0o755)

    def try_there(self, suites, personality=""):
        """In a system that lies in the root."""
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", TOP,
                        self.root + "/src"], check=True)
        shutil.copy("/etc/resolv.conf", self.root + "/etc/resolv.conf")
        r = subprocess.run(["unshare", "--mount", "sh", "-c", ENTER, "sh",
                            self.root, "exec %s python3 tests/run " %
                            personality + " ".join(
                                "--only " + s for s in suites)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        said = r.stdout.decode(errors="replace")
        self.assertEqual(r.returncode, 0, said[-20000:])
        self.assertRegex(said, r"(?m)^[1-9]\d+ passed, 0 failed, \d+ skipped$")

    def test_next_release(self):
        debian.other_system(NEW_MACHINE, self.root, codename=NEXT)
        self.try_there(SUITES)

    def test_32_bits(self):
        if platform.machine() != "x86_64":
            raise unittest.SkipTest("no i386 on this architecture")
        debian.other_system(NEW_MACHINE, self.root, arch=NARROW)
        self.try_there(NARROW_SUITES, "linux32")


if __name__ == "__main__":
    unittest.main()
