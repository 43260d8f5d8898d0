# SPDX-License-Identifier: ISC
"""What is left when a process of a connection dies, or is told to stop: no
orphan, no locked maildrop, a clean end for the client, a line in the log."""

import fcntl
import os
import signal
import struct
import sys
import termios
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib import nasty, spool                                    # noqa: E402

TEMP = b"-ERR [SYS/TEMP]"
BIG = nasty.mbox([("big", b"Subject: big\n\n" + (b"z" * 76 + b"\n") * 180000),
                  *nasty.NASTY[1:3]])


def waiting(pop, after=0):
    """Octets that have come and are not read."""
    time.sleep(after)
    return struct.unpack("i", fcntl.ioctl(pop.sock, termios.FIONREAD,
                                          b"\0" * 4))[0]


class Phases(family.Family):
    """How a connection is brought into each phase: gives its client."""

    def stranger(self):
        return self.connect()

    def asked(self):
        return self.ask()

    def idle(self):
        pop = self.login()
        pop.dele(1)
        return pop

    def in_retr(self):
        """The client takes nothing of a large message."""
        self.mail = self.host.spool("alice", BIG)
        pop = self.login()
        pop.send(b"DELE 2\r\nRETR 1\r\n")
        pop.reply()
        pop.reply()
        self.wait_for(lambda: waiting(pop) == waiting(pop, 0.2) > 0,
                      "session that waits for its client")
        return pop

    def in_update(self):
        """QUIT waits for the maildrop, which another program has locked."""
        pop = self.login()
        pop.dele(1)
        self.holder = open("/proc/%d/root/var/mail/alice" % self.host.pid,
                           "r+b")
        self.addCleanup(self.holder.close)
        fcntl.lockf(self.holder, fcntl.LOCK_EX)
        pop.send(b"QUIT\r\n")
        self.heard(pop)
        return pop

    def lock_seen(self):
        return self.host.exists("/var/mail/alice.lock")


class Deaths(Phases):
    def setUp(self):
        super().setUp()
        self.serve()

    def aftermath(self, word):
        """After the end of a client's connection."""
        self.only_server()
        self.log.wait(word, self.mark)
        self.unchanged()
        self.next_login()
        self.unchanged_mail()

    def unchanged_mail(self):
        self.assertEqual(len(spool.messages(self.host.spool("alice"))), 3)

    # -- kill -9 of the child ---------------------------------------------

    def test_front(self):
        pop = self.stranger()
        self.children()[0].kill()
        self.assertEqual(self.ended(pop), b"")
        self.aftermath(r"front-died .*ip=127\.0\.0\.1 status=137")

    def test_front_that_waits(self):
        pop = self.asked()
        self.children()[0].kill()
        self.assertEqual(self.ended(pop), b"")
        self.aftermath(r"front-died .*status=137")

    def test_worker(self):
        pop = self.asked()
        self.children()[1].kill()
        self.assertTrue(self.ended(pop).startswith(TEMP))
        self.aftermath(r"worker-died ")

    def test_worker_of_pam(self):
        self.configure(auth="pam")
        self.server.stop()
        self.server = self.SERVER(self.host)
        self.addCleanup(self.server.stop)
        pop = self.asked()
        worker = self.children()[1]
        self.assertEqual(worker.uid, 0)
        worker.kill()
        self.assertTrue(self.ended(pop).startswith(TEMP))
        self.aftermath(r"worker-died ")

    def test_session_idle(self):
        pop = self.idle()
        self.children()[0].kill()
        self.assertEqual(self.ended(pop), b"")
        self.aftermath(r"session-end .*user=alice .*reason=crash status=137")

    def test_session_in_retr(self):
        pop = self.in_retr()
        self.children()[0].kill()
        self.assertLess(len(self.ended(pop)), len(self.mail))
        self.aftermath(r"session-end .*user=alice .*reason=crash status=137")

    def test_session_in_update(self):
        pop = self.in_update()
        self.children()[0].kill()
        self.assertEqual(self.ended(pop), b"")
        self.holder.close()
        self.aftermath(r"session-end .*user=alice .*reason=crash status=137")

    # -- kill -9 of the monitor -------------------------------------------

    def test_monitor_of_a_stranger(self):
        pop = self.stranger()
        self.monitor().kill()
        self.assertEqual(self.ended(pop), b"")
        self.aftermath(r"stranger-end .*reason=monitor-gone")

    def test_monitor_that_asked(self):
        for auth in ("file", "pam"):
            with self.subTest(auth=auth):
                self.server.stop()
                self.configure(auth=auth)
                self.server = self.SERVER(self.host)
                self.addCleanup(self.server.stop)
                mark = self.log.mark()
                pop = self.asked()
                self.monitor().kill()
                self.assertTrue(self.ended(pop).startswith(TEMP))
                self.only_server()
                self.log.wait("no answer from the monitor", mark)

    def test_monitor_of_an_idle_session(self):
        pop = self.idle()
        self.monitor().kill()
        self.assertEqual(self.ended(pop), b"")
        self.aftermath(r"session-end .*user=alice .*reason=monitor-gone")

    def test_monitor_in_retr(self):
        pop = self.in_retr()
        monitor = self.monitor()
        monitor.kill()
        self.wait_for(lambda: not family.alive(monitor.pid), "end of it")
        self.assertLess(len(self.ended(pop)), len(self.mail))
        self.aftermath(r"session-end .*user=alice .*reason=monitor-gone")

    def test_monitor_in_update(self):
        pop = self.in_update()
        self.monitor().kill()
        self.holder.close()
        said = self.ended(pop)
        self.assertTrue(said == b"" or said.startswith(TEMP), said)
        self.only_server()
        self.log.wait(r"session-end .*user=alice .*", self.mark)
        self.assertEqual(self.host.spool("alice"), self.mail)
        self.next_login()
        self.unchanged_mail()
        self.assertFalse(self.lock_seen())

    # -- SIGTERM to the monitor -------------------------------------------

    def test_stop_a_stranger(self):
        for phase in (self.stranger, self.asked):
            with self.subTest(phase=phase.__name__):
                pop = phase()
                self.monitor().kill(signal.SIGTERM)
                self.assertEqual(self.ended(pop), b"")
                self.only_server()
        self.next_login()

    def test_stop_a_session(self):
        for phase in (self.idle, self.in_retr):
            with self.subTest(phase=phase.__name__):
                mark = self.log.mark()
                pop = phase()
                self.monitor().kill(signal.SIGTERM)
                self.assertLess(len(self.ended(pop)), len(self.mail))
                self.only_server()
                self.log.wait(r"session-end .*alice .*reason=stopped", mark)
                self.unchanged()
                self.next_login()

    def test_stop_in_update(self):
        pop = self.in_update()
        self.monitor().kill(signal.SIGTERM)
        self.assertTrue(len(self.children()) == 1)
        self.holder.close()
        self.assertIn(b"signing off", pop.reply())
        self.ended(pop)
        self.only_server()
        self.log.wait(r"session-end .*alice .*reason=quit", self.mark)
        self.assertEqual(len(spool.messages(self.host.spool("alice"))), 2)


del Phases

if __name__ == "__main__":
    unittest.main()
