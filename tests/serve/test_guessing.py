# SPDX-License-Identifier: ISC
"""Who guesses passwords at popper serve, whichever front takes him, and hangs up
before he is told, from one address and from many."""

import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

SERVER = "192.0.2.1"
NETWORK = ["198.51.100.%d" % i for i in range(1, 41)]
KNOWN, OTHER = "192.0.2.7", "203.0.113.7"
RIGHT = house.family.PASSWORD
TEMP = b"[SYS/TEMP] "


class Guessing(house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for address in [SERVER, KNOWN, OTHER, *NETWORK]:
            cls.host.run(["ip", "address", "add", address + "/32", "dev",
                          "lo"], check=True)

    def setUp(self):
        super().setUp()
        self.serve(auth_fail_delay=4)
        self.n, self.began = 0, time.monotonic()

    def come(self, source):
        pop = Pop(self.host.in_network(socket.create_connection,
                                       (SERVER, 110), 120, (source, 0)))
        self.addCleanup(pop.close)
        return pop

    def guess(self, source, user="alice"):
        """A wrong password, another one each time; does not wait."""
        self.n += 1
        pop = self.come(source)
        pop.send(b"USER %s\r\nPASS wrong-%d\r\n" % (user.encode(), self.n))
        pop.line()
        return pop

    def at_most(self, n):
        """So many are judged, and one more for each further delay."""
        self.assertLessEqual(self.judged(),
                             n + (time.monotonic() - self.began) // 4)

    def judged(self):
        return len(self.log.find("login-failed ", self.mark))

    def try_right(self, source, user="alice"):
        """None, or the refusal."""
        with self.come(source) as pop:
            try:
                pop.login(user, RIGHT)
            except PopError as e:
                return e.args[0]
            pop.quit()
        return None

    def slow_down(self, source):
        """Three are free, by whatever front they come."""
        for i in range(1, 4):
            self.guess(source)
            self.wait_for(lambda i=i: self.judged() == i, "a judgement")

    def test_one_address(self):
        self.assertIsNone(self.try_right(KNOWN))
        source = NETWORK[0]
        self.slow_down(source)
        for _ in range(30):
            self.guess(source).close()
        self.log.wait("login-unjudged .*ip=%s " % source, self.mark)
        refusal = self.try_right(source, "bob")
        self.assertTrue(refusal and refusal.startswith(TEMP), refusal)
        self.at_most(6)         # not one for each front
        self.assertIsNone(self.try_right(KNOWN))
        self.assertIsNone(self.try_right(NETWORK[1], "bob"))
        self.assertIsNone(self.try_right(OTHER))

    def test_many_addresses_of_a_network(self):
        self.assertIsNone(self.try_right(NETWORK[39]))
        for source in NETWORK[:24]:
            self.guess(source).close()
        self.wait_for(lambda: self.judged() == 24, "a judgement of all")
        for _ in range(2):
            for source in NETWORK[24:38]:
                self.guess(source).close()
        self.log.wait("login-unjudged .*ip=198.51.100.", self.mark)
        refusal = self.try_right(NETWORK[38], "bob")
        self.assertTrue(refusal and refusal.startswith(TEMP), refusal)
        self.at_most(28)
        self.assertIsNone(self.try_right(NETWORK[39]))   # she was here
        self.assertIsNone(self.try_right(OTHER, "bob"))


if __name__ == "__main__":
    unittest.main()
