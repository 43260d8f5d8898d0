# SPDX-License-Identifier: ISC
"""The command lines of all commands: what contradicts itself, or means nothing,
is a usage error; what was printed and came nowhere is no success."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.host import Host                                       # noqa: E402

POPPER = "/usr/sbin/popper"
USERS = "/etc/popper/users"

# Each with a part of what is told.
MEANINGLESS = [
    ("check --show --show-all", "either --show or --show-all"),
    ("ctl --clear who", "who takes no --clear"),
    ("ctl --hard status", "status takes no --hard"),
    ("ctl --for 5 who", "who takes no --for"),
    ("ctl --tls --listener 192.0.2.1:110 penalties", "penalties takes no --"),
    ("ctl --method pass flush", "flush takes no --method"),
    ("ctl --json kick ann", "kick takes no --json"),
    ("ctl --json reload", "reload takes no --json"),
    ("ctl --size 0 trace ann", "--size of 1 octet to a GiB"),
    ("ctl --size 18446744073709551617 trace ann", "--size of 1 octet"),
    ("ctl --for 0 trace ann", "--for 1 to 3600"),
    ("ctl --for -1 trace ann", "--for 1 to 3600"),
    ("ctl who ann bob", "too many words"),
    ("passwd --enable --disable ann", "one of --disable, --enable"),
    ("passwd --delete --disable ann", "one of --disable, --enable"),
    ("passwd --hash --list", "one of --disable, --enable"),
    ("passwd --list --config /etc/popper/popper.conf", "--file alone"),
    ("passwd --hash --file " + USERS, "--hash goes with --scheme"),
    ("passwd --disable --home /srv ann", "set nothing"),
    ("passwd --uid 0 --gid 8 ann", "uid 0"),
    ("passwd --uid -1 --gid 8 ann", "are numbers"),
    ("passwd --uid 4294967295 --gid 8 ann", "are numbers"),
    ("uidl --from pop3s://a@192.0.2.1 --plaintext import ann",
     "--plaintext goes with pop3://"),
    ("uidl --from pop3://a@192.0.2.1 --plaintext --ca-file /x import ann",
     "--plaintext goes with pop3://"),
    ("uidl --from x-uidl import ann -", "LIST goes with"),
    ("uidl --dry-run verify ann", "--dry-run and --fresh go with import"),
    ("serve -T 0", "at least 1"),
    ("serve -T -1", "does not fit"),
]

PRINTS = ["--help", "--version", "serve --help", "check --help", "check --show-all",
          "passwd --help", "passwd --hash", "passwd --list", "passwd app --help",
          "passwd app add ann phone", "bulletin --help", "ctl --help",
          "uidl --help", "recover --help"]


class Words(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)

    def setUp(self):
        self.host.write(USERS, "ann:{PLAIN}x\n", 0o600)

    def shell(self, words, end=""):
        return self.host.run(["sh", "-c", POPPER + " " + words + end],
                             input=b"secret\n")

    def test_meaningless(self):
        for words, told in MEANINGLESS:
            r = self.shell(words)
            self.assertEqual((r.returncode, r.stdout), (64, b""), words)
            self.assertIn(told, r.stderr.decode(), words)
        self.assertEqual(self.host.read(USERS), b"ann:{PLAIN}x\n")

    def test_in_any_order(self):
        """And behind --config stands a file, whatever its name."""
        r = self.shell("check --config /nowhere --show-all --help")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        self.assertIn(b"usage: popper check", r.stdout)
        self.host.write("/etc/popper/other", "xmit = no\n")
        r = self.shell("check --config /etc/popper/other --show")
        self.assertEqual((r.returncode, r.stdout), (0, b"xmit = no\n"))
        r = self.shell("check --config --help")
        self.assertIn(b"the configuration file --help cannot", r.stdout)

    def test_printed_nowhere(self):
        for words in PRINTS:
            for end in (" >/dev/full", " >&-", " >&- 2>&-"):
                r = self.shell(words, end)
                self.assertEqual(r.returncode, 1, words + end)
                if "2>" not in end:
                    self.assertIn(b"popper: standard output: ", r.stderr)
        # What nobody has seen is not kept.
        r = self.shell("passwd app list")
        self.assertEqual((r.returncode, r.stdout), (0, b""))


if __name__ == "__main__":
    unittest.main()
