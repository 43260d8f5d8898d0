# SPDX-License-Identifier: ISC
"""Whatever stands in inetd's line by mistake: a client hears nothing of it."""

import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.host import binary                                     # noqa: E402

MISTAKES = (["--help"], ["--version"], ["serve", "--help"], ["serve", "-z"],
            ["check", "--config", "/nonexistent"], ["passwd"], ["bulletin"],
            ["recover", "--help"], ["nonsense"], ["-z"], ["-T", "soon"],
            ["-T"], ["-b"], ["--config", "/nonexistent"])


class Silent(unittest.TestCase):
    def test_no_octet_for_the_client(self):
        for words in MISTAKES:
            with self.subTest(words=words):
                ours, theirs = socket.socketpair()
                with ours:
                    with theirs:
                        subprocess.run([binary(), *words], stdin=theirs,
                                       stdout=theirs, stderr=theirs,
                                       timeout=120, check=False)
                    ours.settimeout(60)
                    self.assertEqual(ours.recv(1024), b"")


if __name__ == "__main__":
    unittest.main()
