# SPDX-License-Identifier: ISC
"""popper serve and the service manager that started it: a datagram socket of
the test's own stands for systemd's.
"""

import os
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib.popper import Serve                                    # noqa: E402


class Manager:
    """Hears what comes to NOTIFY_SOCKET."""

    def __init__(self, host, name):
        def make():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            if name.startswith("@"):            # one of the host's network
                s.bind("\0" + name[1:])
            else:
                s.bind("/proc/%d/root%s" % (host.pid, name))
            return s
        self.name = name
        self.sock = host.in_network(make)
        self.heard = []                         # {key: value} of datagrams

    def hear(self, seconds=0.0):
        """What comes within this time, as dicts."""
        end = time.monotonic() + seconds
        begin = len(self.heard)
        while True:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.sock.recv(65536).decode("ascii")
            except TimeoutError:
                return self.heard[begin:]
            self.heard.append(dict(line.split("=", 1)
                                   for line in data.split("\n")))

    def wait(self, key, value=None, seconds=120):
        """The first datagram from now on that has this; what came before it
        is forgotten."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.sock.recv(65536).decode("ascii")
            except TimeoutError:
                raise AssertionError("not told: %s=%s; but %r" % (
                    key, value, self.heard[-20:])) from None
            got = dict(line.split("=", 1) for line in data.split("\n"))
            self.heard.append(got)
            if key in got and value in (None, got[key]):
                return got

    def close(self):
        self.sock.close()


class Case(house.House):
    """With a manager, and popper serve that it has started."""

    def managed(self, *rows, **kw):
        self.start(*rows, **kw)
        got = self.manager.wait("READY", "1")
        self.ready = time.monotonic()
        return got

    def start(self, *rows, name="@popper-test", usec=None, pid="$$",
              args=(), **options):
        self.configure(*rows, **options)
        self.manager = Manager(self.host, name)
        self.addCleanup(self.manager.close)
        env = {"NOTIFY_SOCKET": name}
        if usec is not None:
            env["WATCHDOG_USEC"] = str(usec)
        # Process ids are those of the private host.
        self.host.write("/usr/bin/start-it", "#!/bin/sh\nWATCHDOG_PID=%s "
                        "exec /usr/sbin/popper serve \"$@\"\n" % pid, 0o755)
        self.process = self.host.popen(["/usr/bin/start-it", *args], env=env)
        self.server = type("Server", (), {"process": self.process})
        self.addCleanup(self.process.stop)


class Told(Case):
    def test_ready_when_it_listens(self):
        for name in ("@popper-test", "/run/notify-socket"):
            with self.subTest(name):
                got = self.managed("listen = 127.0.0.1:110",
                                   "listen = 127.0.0.1:109", name=name)
                self.assertEqual(
                    got["STATUS"], "2 listeners, 0 of at most 1000 sessions")
                for port in (110, 109):         # at once, without a wait
                    self.host.connect(port).close()
                self.process.stop()
                self.manager.wait("STOPPING", "1")
                self.manager.close()

    def test_not_ready_when_it_cannot_listen(self):
        taken = self.host.listen(110)
        self.addCleanup(taken.close)
        self.start("listen = 127.0.0.1:109", "listen = 127.0.0.1:110")
        self.assertEqual(self.process.wait(60), 1)
        self.assertEqual(self.manager.hear(), [])

    def test_status_counts_the_sessions(self):
        self.managed(max_sessions=7)
        pop = self.login()
        self.assertIn(" 1 of at most 7 ", self.manager.wait("STATUS")["STATUS"])
        pop.quit()
        self.assertIn(" 0 of at most 7 ", self.manager.wait("STATUS")["STATUS"])

    def test_status_does_not_wake_it_for_each_session(self):
        self.managed(max_sessions_per_address=100)
        for _ in range(15):
            self.login().quit()
        told = [got for got in self.manager.hear(2.5) if "STATUS" in got]
        self.assertLessEqual(len(told), 2 + time.monotonic() - self.ready)

    def test_nothing_else_is_told(self):
        """No watchdog that nobody has asked for."""
        self.managed()
        self.assertEqual(self.manager.hear(1), [])

    def test_manager_that_is_gone(self):
        """Mail goes on; the log says it once."""
        self.managed(usec=400000)
        self.manager.close()
        for _ in range(2):
            self.login().quit()
            time.sleep(2.1)
        self.log.wait(r"notify .*refused", self.mark)
        self.assertEqual(len(self.log.find(r"\bnotify ", self.mark)), 1)
        self.login().quit()

    def test_manager_that_is_busy(self):
        """Its queue is full: a client waits for moments, not for ever."""
        self.managed(usec=400000)

        def fill():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.setblocking(False)
            s.connect("\0popper-test")
            try:
                while True:
                    s.send(b"x=y")
            except BlockingIOError:
                pass
            return s
        filler = self.host.in_network(fill)
        self.addCleanup(filler.close)
        began = time.monotonic()
        self.login().quit()
        self.assertLess(time.monotonic() - began, 110)

    def test_address_that_is_none(self):
        self.configure()
        self.server = Serve(self.host, env={"NOTIFY_SOCKET": "vsock:2:1"})
        self.addCleanup(self.server.stop)
        self.log.wait(r"notify .*NOTIFY_SOCKET=vsock:2:1", self.mark)
        self.login().quit()


class Watchdog(Case):
    USEC = 1000000

    def beats(self, seconds):
        return [got for got in self.manager.hear(seconds)
                if got.get("WATCHDOG") == "1"]

    def most(self):
        """Beats that there may be by now: twice a second."""
        return 2 + 2 * (time.monotonic() - self.ready)

    def enough(self, some, least):
        """some() hears so many beats; of some times the best, for a machine that
        stands still now and then only loses some.  Never more than there may be."""
        found = []
        while len(found) < 8 and max(found, default=0) < least:
            found.append(some())
            self.assertLessEqual(sum(found), self.most())
        self.assertGreaterEqual(max(found), least)

    def test_twice_in_the_time(self):
        self.managed(usec=self.USEC)
        self.enough(lambda: len(self.beats(4)), 4)

    def test_not_faster_when_busy(self):
        def busy():
            end = time.monotonic() + 3
            while time.monotonic() < end:
                self.connect().quit()
            return len(self.beats(0.2))
        self.managed(usec=self.USEC, max_sessions_per_address=100)
        self.enough(busy, 3)

    def test_not_for_another_process(self):
        self.managed(usec=self.USEC, pid="1")
        self.assertEqual(self.beats(1.5), [])

    def test_loop_that_hangs(self):
        self.managed(usec=self.USEC)
        self.manager.wait("WATCHDOG", "1")
        server = self.process.inner()
        os.kill(server, signal.SIGSTOP)
        self.beats(0.5)
        self.assertEqual(self.beats(1.5), [])
        os.kill(server, signal.SIGCONT)
        os.kill(self.process.pid, signal.SIGCONT)   # nsenter stops along
        self.manager.wait("WATCHDOG", "1")


if __name__ == "__main__":
    unittest.main()
