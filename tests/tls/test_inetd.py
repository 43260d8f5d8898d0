# SPDX-License-Identifier: ISC
"""TLS with a popper for each connection, as a super-server starts it."""

import os
import ssl
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "roles"))

import family                                                   # noqa: E402
from both import PASSWORD, Both                                 # noqa: E402
import house_tls                                                # noqa: E402
from house_tls import POP, Pop, certificate                     # noqa: E402


class Bare(Both, house_tls.Clients, family.Family):
    SERVER = house_tls.Servers

    def over(self):
        self.wait_for(lambda: not self.members(), "end of all processes")

    def test_no_complaint(self):
        """And what was deleted is."""
        self.serve()
        for i, way in enumerate(self.both()):
            pop = way()
            n, octets = pop.login("alice", PASSWORD)
            self.assertEqual(n, 3 - i)
            self.assertEqual(sum(len(pop.retr(k)) for k in range(1, n + 1)),
                             octets)
            pop.dele(1)
            pop.quit()
            self.over()
        self.assertEqual(self.log.find("died|misbehaved|late", self.mark), [])

    def test_processes(self):
        """Who has the keys has no rights; who is the user has no keys."""
        self.serve()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        front, = [m for m in self.members() if m.uid not in (0, 1001)]
        session, = [m for m in self.members() if m.uid == 1001]
        self.assertEqual(front.status["Seccomp"], ["2"])
        self.assertIn(b"popper-tls", front.read("maps"))
        self.assertNotIn(b"popper-tls", session.read("maps"))
        pop.quit()
        self.over()

    def test_front_dies(self):
        self.serve()
        pop = self.pops()
        pop.login("alice", PASSWORD)
        pop.dele(1)
        front, = [m for m in self.members() if m.uid not in (0, 1001)]
        front.kill()
        self.over()
        self.unchanged()

    def test_bad_certificate(self):
        """It is told, and who needs no TLS is served."""
        self.serve(plaintext_networks="127.0.0.0/8")
        self.lay(certificate(self.NAME)[0], self.key)
        with Pop(self.open(POP)) as pop:
            self.assertNotIn(b"STLS", pop.multi("CAPA")[1])
            pop.login("alice", PASSWORD)
            pop.quit()
        self.log.wait("tls-certificate .*another certificate", self.mark)
        with self.assertRaises((ssl.SSLError, OSError)):
            self.pops()
        self.over()


if __name__ == "__main__":
    unittest.main()
