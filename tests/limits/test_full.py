# SPDX-License-Identifier: ISC
"""A disk that is full when popper starts for the first time."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.host import Host                                       # noqa: E402
from lib.popper import Pop, PopError, Serve, conf               # noqa: E402

SPOOL = "/srv/d/mail/ann"
RESERVE = "/srv/d/state/journal/reserve"
MAIL = b"".join(b"From a@x Mon Jan  1 10:00:%02d 2024\nSubject: %d\n\n%s\n\n"
                % (n, n, b"x" * 60000) for n in range(1, 6))


class FirstStart(unittest.TestCase):
    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)
        self.host.add_user("ann", password="ann")
        self.host.run(["sh", "-ec", """
            mkdir -p /srv/d
            mount -t tmpfs -o size=3m,mode=755 none /srv/d
            mkdir -m 2775 /srv/d/mail
            mkdir -m 755 /srv/d/state
            chgrp mail /srv/d/mail"""], check=True)
        self.host.write("/etc/popper/popper.conf", conf(
            peer_check="no", fronts=1, maildrop="/srv/d/mail/%u",
            state_dir="/srv/d/state"))
        self.host.write(SPOOL, MAIL, 0o660, "ann", "mail")
        self.host.run(["sh", "-c", "cat /dev/zero >/srv/d/fill"])

    def delete(self):
        with Pop(self.host.connect(110)) as pop:
            self.assertEqual(pop.login("ann", "ann")[0], 5)
            pop.retr(1)
            pop.dele(1)
            pop.quit()

    def test_no_reserve(self):
        """Mail is read and not deleted, the log says why; with room all is as ever,
        and the next full disk finds a reserve."""
        log = self.host.syslog
        with Serve(self.host):
            log.wait("no-reserve .*no mail can be deleted while state_dir has no"
                     " room: .*No space left")
            with self.assertRaisesRegex(PopError, r"\[SYS/TEMP\]"):
                self.delete()
            log.wait("update-failed .*user=ann .*state_dir has no room, and there is"
                     " no reserve")
            self.assertEqual(self.host.read(SPOOL), MAIL)
            with self.assertRaisesRegex(PopError, r"\[SYS/TEMP\]"):
                self.delete()
            self.assertEqual(len(log.find("no-reserve ")), 1)
            self.host.run(["rm", "/srv/d/fill"], check=True)
            self.delete()
            self.assertTrue(self.host.exists(RESERVE))
            self.assertEqual(self.host.read(SPOOL).count(b"\nSubject: "), 4)


if __name__ == "__main__":
    unittest.main()
