# SPDX-License-Identifier: ISC
"""popper serve with PAM: its modules are loaded once, by who forks the workers."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib.host import PAM                                        # noqa: E402
from lib.popper import PopError                                 # noqa: E402

STACK = "/etc/pam.d/popper"


class Modules(house.House):
    def setUp(self):
        super().setUp()
        self.host.write(STACK, PAM)
        self.serve(auth="pam")
        self.warden, = self.named("popper-warden")

    def test_they_are_there_before_a_question(self):
        self.wait_for(lambda: b"/pam_unix.so" in self.warden.read("maps"),
                      "modules")
        self.login().quit()
        for role in ("popper", "popper-auth", "popper-spawner",
                     "popper-front"):
            for m in self.named(role):
                self.assertNotIn(b"pam", m.read("maps"), role)

    def test_they_judge_in_the_worker_alone(self):
        """The warden has met neither password nor hash."""
        self.login().quit()
        memory = self.warden.memory()
        for secret in (house.family.PASSWORD,
                       self.host.account("alice").hashed):
            self.assertNotIn(secret.encode(), memory)

    def test_the_stack_is_read_for_each_question(self):
        self.login().quit()
        self.host.write(STACK, PAM.replace("pam_unix", "pam_deny", 1))
        with self.assertRaises(PopError):
            self.login()
        self.host.write(STACK, PAM)
        self.login().quit()


if __name__ == "__main__":
    unittest.main()
