# SPDX-License-Identifier: ISC
"""What popper leaves on the disk, and shows in /proc, is closed to other
users, and no password is in it."""

import os
import stat
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, PopError, conf               # noqa: E402

PASSWORD = "canary-Vb7kq"
PLACES = ("/var/lib/popper", "/run/popper", "/var/mail", "/home", "/tmp",
          "/var/tmp")
BULLETIN = b"From a@example.org Sat Jan  1 00:00:00 2000\nSubject: b\n\nb\n"


def files():
    """(path, mode, content) of all files; content of pipes and such is ''."""
    for place in PLACES:
        for folder, _, names in os.walk(place):
            for name in names:
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                data = b""
                if stat.S_ISREG(mode):
                    with open(path, "rb") as f:
                        data = f.read()
                yield path, mode, data


def faults():
    """Files that others can read or write, or that hold the password."""
    return [path for path, mode, data in files()
            if mode & 0o007 or PASSWORD.encode() in data]


def shown():
    """What /proc tells everybody of popper: arguments, environment."""
    out = b""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("comm", "cmdline", "environ", "status"):
            try:
                with open("/proc/%s/%s" % (pid, name), "rb") as f:
                    out += f.read()
            except OSError:
                pass                    # it has ended
    return out


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", password=PASSWORD)
        cls.host.mkdir("/var/bull")
        cls.host.write("/var/bull/1", BULLETIN)
        cls.host.write("/etc/popper/popper.conf", conf(
            peer_check="no", auth_fail_delay=0, bulletins="/var/bull",
            trace_file="/var/lib/popper/trace", status_headers="no"))
        inetd = Inetd(cls.host, 110, ["/usr/sbin/popper", "-d", "-s"])
        cls.addClassCleanup(inetd.stop)

    def look(self):
        self.assertEqual(self.host.call(faults), [])
        self.assertNotIn(PASSWORD.encode(), self.host.call(shown))

    def test_before_in_and_after_a_session(self):
        self.host.spool("alice", nasty.mbox(nasty.NASTY[:5]))
        self.host.write("/var/mail/.alice.pop", nasty.mbox(nasty.NASTY[:1]),
                        0o600, "alice")
        pop = Pop(self.host.connect(110))
        pop.cmd("USER", "alice")
        self.look()
        pop.cmd("PASS", PASSWORD)
        self.look()
        pop.dele(1)
        pop.retr(2)
        pop.quit()
        self.look()
        self.assertTrue(self.host.exists("/home/alice/.popbull"))
        self.assertTrue(self.host.exists("/var/lib/popper/users/alice/last"))

    def test_a_refusal(self):
        with Pop(self.host.connect(110)) as pop:
            pop.cmd("USER", "nobody-here")
            with self.assertRaises(PopError):
                pop.cmd("PASS", PASSWORD)
            pop.at_end()
        with Pop(self.host.connect(110)) as pop:
            for line in ("USER alice " + PASSWORD, "PAS " + PASSWORD,
                         PASSWORD, "PASS\t" + PASSWORD):
                with self.assertRaises(PopError):
                    pop.cmd(line)
        self.look()
        self.assertNotIn(PASSWORD, "\n".join(self.host.syslog.lines))


if __name__ == "__main__":
    unittest.main()
