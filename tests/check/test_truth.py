# SPDX-License-Identifier: ISC
"""popper check beside popper serve with the same files: it finds an error where
somebody whose password is right does not get his mail, and nowhere else."""

import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.popper import Pop, PopError                            # noqa: E402
from test_check import FILE, MAIL, Checking                     # noqa: E402

PORT = 1110
BASE = (FILE + "peer_check = no\nauth_fail_delay = 0\n"
        "listen = 127.0.0.1:%d\n" % PORT)
READ_ONLY = ("mkdir /srv/ro && mount -t tmpfs -o ro,mode=755 none /srv/ro",
             "umount /srv/ro && rmdir /srv/ro")
SPOOL = ("chmod %s /var/mail", "chown root:mail /var/mail; chmod 2775 /var/mail")

# What is written and done, and undone: (rows, shell, shell).
GOOD = [
    ("", "true", "true"),
    ("", SPOOL[0] % "1777", SPOOL[1]),
    ("", "chown ann /var/mail", SPOOL[1]),
    ("bulletins = /srv/b\n", "mkdir -m 700 /srv/b; chown ann /srv/b",
     "rmdir /srv/b"),
    ("passwd_file = /srv/link\n", "ln -s /etc/popper/users /srv/link",
     "rm /srv/link"),
    ("state_dir = /srv/new\n", "true", "rm -r /srv/new"),
    ("auth = pam\npam_service = Popper\n", "true", "true"),
]
BAD = [
    ("", SPOOL[0] % "700", SPOOL[1]),
    ("", SPOOL[0] % "755", SPOOL[1]),
    ("", "chown nobody /var/mail", SPOOL[1]),
    ("maildrop = /etc/passwd/%u\n", "true", "true"),
    ("state_dir = /srv/ro\n", *READ_ONLY),
    ("run_dir = /srv/ro\n", *READ_ONLY),
    ("deny_file = /etc\n", "true", "true"),
    ("allow_file = /etc\n", "true", "true"),
    ("", "chmod 644 /etc/popper/users", "chmod 600 /etc/popper/users"),
    ("", "chown ann /etc/popper/users", "chown root /etc/popper/users"),
    ("uid_min = 2000\n", "true", "true"),
    ("uid_min = 2000\nuid_max = 1999\n", "true", "true"),
    ("front_user = nosuch\n", "true", "true"),
    ("tls_certificate = /etc/passwd\n", "true", "true"),
]


class Truth(Checking):
    def setUp(self):
        super().setUp()
        self.file("/etc/popper/users", "joe:{PLAIN}x\n", 0o600)
        self.file("/var/mail/joe", MAIL, 0o660, "ann", "mail")

    def is_served(self):
        server = self.host.popen(["/usr/sbin/popper", "serve"],
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 120
            while server.poll() is None and time.monotonic() < end:
                try:
                    sock = self.host.connect(PORT)
                except ConnectionRefusedError:
                    time.sleep(0.01)
                    continue
                with Pop(sock) as pop:
                    try:
                        return pop.login("joe", "x")[0] == 1
                    except PopError:
                        return False
            return False
        finally:
            server.stop()

    def compare(self, cases, good):
        for rows, do, undo in cases:
            with self.subTest(rows=rows, do=do):
                self.host.run(["sh", "-c", do], check=True)
                try:
                    code, lines = self.check(BASE + rows)
                    self.assertEqual(self.is_served(), good)
                finally:
                    self.host.run(["sh", "-c", undo], check=True)
                self.assertEqual(code, 0 if good else 78, lines)

    def test_what_works(self):
        self.compare(GOOD, True)

    def test_what_does_not(self):
        self.compare(BAD, False)


if __name__ == "__main__":
    unittest.main()
