# SPDX-License-Identifier: ISC
"""How many popper serve takes, and where it listens."""

import os
import resource
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib.popper import Pop, PopError                                  # noqa: E402


OTHER_FDS = 256         # of the master, that are not for sessions


class Limits(house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        users = cls.host.read("/etc/popper/users").decode()
        cls.host.write("/etc/popper/users", users + "".join(
            "u%d:{PLAIN}%s:%d:%d::/nonexistent\n"
            % (i, house.family.PASSWORD, 1101 + i, 1101 + i)
            for i in range(8)), 0o600)

    def shown(self, address, port):
        mark = self.log.mark()
        with Pop(self.host.connect(port, address)) as pop:
            self.wrong(pop)
        return self.log.wait("login-failed", mark)[0].split(
            "ip=")[1].split()[0]

    def wrong(self, pop, user=b"alice"):
        pop.send(b"USER %s\r\nPASS wrong\r\n" % user)
        pop.line()
        return pop.line()

    # -- how many ---------------------------------------------------------

    def full(self, address="127.0.0.1", limit="max_sessions"):
        def make():
            s = socket.create_connection(("127.0.0.1", 110), 120,
                                         (address, 0))
            s.sendall(b"CAPA\r\nQUIT\r\n")      # the answer arrives anyway
            return s
        sock = self.host.in_network(make)
        said = b""
        while not said.endswith(b"\n"):
            data = sock.recv(4096)
            if not data:
                break
            said += data
        sock.close()
        if said.startswith(b"+OK"):
            return False
        self.assertEqual(said, house.FULL)
        # One line a second at the most.
        self.log.wait(r"limit-reached .*limit=%s ip=" % limit, self.mark)
        return True

    def test_max_strangers(self):
        """Of two fronts each has its half."""
        self.serve(max_strangers=4)
        clients = [Pop(self.host.connect(110), greet=False)
                   for _ in range(12)]
        said = [pop.line() for pop in clients]
        let_in = [pop for pop, line in zip(clients, said)
                  if line.startswith(b"+OK")]
        self.assertIn(len(let_in), (2, 3, 4))
        self.assertEqual(said.count(house.FULL.rstrip()) +
                         said.count(house.FULL), 12 - len(let_in))
        self.log.wait("limit-reached .*limit=max_strangers ip=", self.mark)
        for pop in let_in:
            pop.cmd("QUIT")
        self.wait_for(lambda: not self.full(limit="max_strangers"), "room")
        for pop in clients:
            pop.close()

    def test_max_sessions(self):
        self.serve(max_sessions=1)
        one, two = self.login("alice"), self.connect()
        two.cmd("USER", "bob")
        with self.assertRaises(PopError) as caught:
            two.cmd("PASS", house.family.PASSWORD)
        self.assertTrue(caught.exception.args[0].startswith(b"[SYS/TEMP]"))
        self.log.wait("limit-reached .*limit=max_sessions ip=", self.mark)
        one.cmd("NOOP")
        one.quit()
        self.known_sessions(0)
        self.login("bob").quit()

    def test_descriptors(self):
        """As many sessions as the master can have descriptors for: a word to
        whoever comes then, and no process is ended for what it cannot take."""
        self.serve("max_strangers = 100")
        self.assertEqual(self.log.find("few-descriptors", self.mark), [])
        master, = self.named("popper")
        fronts = {m.pid for m in self.named("popper-front")}
        idle = self.connect()
        resource.prlimit(master.pid, resource.RLIMIT_NOFILE, (
            OTHER_FDS + 6, resource.prlimit(master.pid,
                                            resource.RLIMIT_NOFILE)[1]))
        inside = []
        with self.assertRaises(PopError) as caught:
            for i in range(8):
                inside.append(self.connect())
                inside[-1].login("u%d" % i, house.family.PASSWORD)
        self.assertTrue(caught.exception.args[0].startswith(
            b"[SYS/TEMP] Too many sessions"), caught.exception.args[0])
        self.assertGreater(len(inside), 1)
        self.log.wait("login-failed .*user=u%d .*reason=error"
                      % (len(inside) - 1), self.mark)
        idle.cmd("CAPA")
        self.assertEqual(fronts, {m.pid for m in self.named("popper-front")})
        inside.pop().close()
        for pop in inside:
            pop.quit()
        self.known_sessions(0)
        self.login("bob").quit()

    def test_few_descriptors(self):
        """Whoever starts it so is told before it matters."""
        self.serve("max_sessions = 100000")
        line, = self.log.wait("few-descriptors", self.mark)
        self.assertRegex(line, r'max_sessions = 100000')

    def test_max_sessions_per_address(self):
        self.serve(max_sessions_per_address=2)
        one, two = self.login("alice"), self.connect()
        self.assertTrue(self.full(limit="max_sessions_per_address"))
        self.assertFalse(self.full("127.0.0.2"))
        two.quit()
        self.wait_for(lambda: not self.full(
            limit="max_sessions_per_address"), "room")
        one.quit()

    def test_who_quits_and_stays_is_within_the_limits(self):
        """But for a few hundred of each front, whom it lets drain."""
        self.serve(max_sessions_per_address=10, drain_timeout=60)
        clients, greeted = [], 0
        for _ in range(600):
            clients.append(Pop(self.host.connect(110), greet=False))
            clients[-1].send(b"QUIT\r\n")
            try:
                greeted += clients[-1].line().startswith(b"+OK")
            except (EOFError, OSError):
                pass
        self.assertGreater(greeted, 256)
        self.assertLessEqual(greeted, 2 * 256 + 10)
        for pop in clients:
            pop.close()

    def test_many_short_connections_are_all_forgotten(self):
        self.serve(max_strangers=40, max_sessions_per_address=20)
        for _ in range(15):
            clients = [self.host.connect(110) for _ in range(12)]
            for sock in clients:
                sock.sendall(b"QUIT\r\n")
                sock.shutdown(socket.SHUT_WR)
            for sock in clients:
                while sock.recv(4096):
                    pass
                sock.close()
        self.wait_for(lambda: not self.full(), "room for one more")
        self.assertEqual(self.log.find("limit-reached", self.mark), [])

    def test_addresses(self):
        self.serve("listen = 127.0.0.1:110", "listen = [::1]:111",
                   "listen = *:112", auth_fail_delay=0)
        self.host.wait_port(112)
        self.assertEqual(self.shown("127.0.0.1", 110), "127.0.0.1")
        self.assertEqual(self.shown("::1", 111), "::1")
        self.assertEqual(self.shown("127.0.0.1", 112), "127.0.0.1")
        self.assertEqual(self.shown("::1", 112), "::1")
        for address, port in (("::1", 110), ("127.0.0.1", 111)):
            with self.assertRaises(ConnectionRefusedError):
                self.host.connect(port, address)



if __name__ == "__main__":
    unittest.main()
