# SPDX-License-Identifier: ISC
"""popper's own log of real sessions, in every form: who logs from which cage,
a daemon that is restarted meanwhile, names that would like to be fields, and
no password."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import forms                                                    # noqa: E402
from journald import Journal, Journald                          # noqa: E402
from lib.popper import Inetd, PopError                          # noqa: E402
from scenes import PASSWORD, WRONG, Scene                       # noqa: E402

# All octets that a name may hold before somebody judges it, and some that mean
# harm.  Others make a malformed command; test_forms.py logs every octet.
NAMES = [bytes(range(33, 127)), b"a" * 255, b"\\" * 255,
         b'x","ip":"192.0.2.9","reason":"bad-password', b'"', b"\\",
         b"\\x22", b"ip=192.0.2.9", b'"ip=192.0.2.9']


class ToJournal(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.journal = Journal(cls.host)
        cls.addClassCleanup(cls.journal.stop)

    def setUp(self):
        self.mark = self.journal.mark()

    def serve(self, **options):
        """Its last line comes before the next test begins."""
        self.addCleanup(self.journal.wait, "stopped", self.mark)
        return super().serve(**options)

    def entries(self, word):
        return [e for e in self.journal.entries[self.mark:]
                if e["POPPER_ID"] == word]

    def test_sessions(self):
        self.serve(log="journal", statistics="yes")
        self.fail_login("alice")
        pop = self.connect()
        pop.login("alice", PASSWORD)
        pop.quit()
        self.journal.wait("Stats: alice", self.mark)
        failed, = self.entries("login-failed")
        self.assertEqual((failed["POPPER_USER"], failed["POPPER_IP"],
                          failed["POPPER_REASON"], failed["PRIORITY"]),
                         ("alice", "127.0.0.1", "bad-password", "4"))
        login, = self.entries("login")
        end, = self.entries("session-end")
        stats, = self.entries("stats")
        self.assertEqual((end["POPPER_REASON"], end["PRIORITY"],
                          end["SYSLOG_FACILITY"], end["POPPER_LEFT"]),
                         ("quit", "5", "2", "0"))
        self.assertEqual({e["POPPER_SID"] for e in (login, end, stats)},
                         {login["POPPER_SID"]})
        self.assertNotEqual(failed["POPPER_SID"], login["POPPER_SID"])
        self.assertEqual(self.host.syslog.find("popper"), [])

    def test_facility(self):
        self.serve(log="journal", log_facility="local3")
        self.journal.wait("listening", self.mark)
        self.assertEqual(self.entries("listening")[0]["SYSLOG_FACILITY"],
                         "19")

    def test_names(self):
        self.serve(log="journal")
        for name in NAMES:
            self.fail_login(name)
        self.journal.wait("login-failed", self.mark, count=len(NAMES))
        self.assertEqual([forms.octets(e["POPPER_USER"])
                          for e in self.entries("login-failed")], NAMES)

    def test_restart(self):
        """Front, worker and session log on, each in its cage."""
        self.serve(log="journal", debug="yes")
        stranger, session = self.connect(), self.connect()
        session.login("alice", PASSWORD)
        self.journal.wait("login ", self.mark)
        for _ in range(2):
            self.journal.stop(unlink=True)
            self.journal.start()
            self.mark = self.journal.mark()
            session.cmd("NOOP")
            self.journal.wait("line=NOOP", self.mark)
        stranger.cmd("USER", "alice")
        with self.assertRaises(PopError):
            stranger.cmd("PASS", WRONG)
        self.journal.wait("login-failed", self.mark)
        self.journal.wait("stranger-end", self.mark)
        session.quit()
        self.journal.wait("session-end", self.mark)

    def test_away(self):
        """Lines of a session that begins without a journald are kept."""
        self.journal.stop(unlink=True)
        try:
            self.serve(log="journal")
            session = self.connect()
            session.login("alice", PASSWORD)
        finally:
            self.journal.start()
        session.quit()
        self.journal.wait("session-end", self.mark)
        self.assertEqual(len(self.entries("login")), 1)


class Json(Scene):
    def setUp(self):
        self.host.call(_forget, "/var/log/popper.json")

    def objects(self):
        data = self.host.read("/var/log/popper.json")
        self.assertTrue(data.isascii() and data.endswith(b"\n"))
        return [json.loads(line) for line in data.splitlines()]

    def run_sessions(self, **options):
        self.configure(log_format="json", debug="yes", statistics="yes",
                       **options)
        with Inetd(self.host) as inetd:
            for name in NAMES:
                self.fail_login(name)
            pop = self.connect()
            pop.login("alice", PASSWORD)
            pop.quit()
            inetd.wait()

    def look(self, events):
        self.assertEqual([forms.octets(e["user"]) for e in events
                          if e["id"] == "login-failed"], NAMES)
        self.assertTrue(all(e["ip"] == "127.0.0.1" for e in events
                            if e["id"].startswith("login")))
        end, = [e for e in events if e["id"] == "session-end"]
        stats, = [e for e in events if e["id"] == "stats"]
        for key in ("deleted", "left", "left_octets", "ms"):
            self.assertIsInstance(end[key], int)
        self.assertEqual((stats["user"], stats["left"], stats["sid"]),
                         ("alice", 0, end["sid"]))
        self.assertTrue(any(e["id"] == "dialogue" for e in events))
        self.no_password(json.dumps(events))

    def no_password(self, said):
        for secret in (WRONG, PASSWORD):
            self.assertNotIn(secret, said)

    def test_file(self):
        self.run_sessions(log="file", log_file="/var/log/popper.json")
        self.look(self.objects())

    def test_syslog(self):
        mark = self.host.syslog.mark()
        self.run_sessions()
        self.host.syslog.settle()
        lines = self.host.syslog.lines[mark:]
        for line in lines:
            self.assertRegex(line, r"^popper\[\d+\]: \{.*\}$")
        self.look([json.loads(line.partition(": ")[2]) for line in lines])

    def test_trace_is_text(self):
        self.run_sessions(log="file", log_file="/var/log/popper.json",
                          trace_file="/var/log/popper.trace")
        trace = self.host.read("/var/log/popper.trace").decode("ascii")
        for line in trace.splitlines():
            self.assertRegex(line, forms.STAMP)
            self.assertTrue("Stats: " in line or forms.text(
                line[forms.STAMP.match(line).end():]))
        self.no_password(trace)
        self.assertFalse([e for e in self.objects() if e["id"] == "dialogue"])


class RealJournald(Scene):
    PACKAGES = (("systemd",),)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.journald = Journald(cls.host)
        cls.addClassCleanup(cls.journald.stop)

    def test_sessions(self):
        self.serve(log="journal")
        for name in NAMES:
            self.fail_login(name)
        session = self.connect()
        session.login("alice", PASSWORD)
        self.journald.wait("POPPER_ID=login")
        failed = self.journald.wait("POPPER_ID=login-failed",
                                    "POPPER_IP=127.0.0.1", count=len(NAMES))
        self.assertEqual([forms.octets(e["POPPER_USER"]) for e in failed],
                         NAMES)
        self.assertEqual({e["_UID"] for e in failed}, {"990"})
        # The kernel says who it was: the caged process itself.
        self.assertTrue(all(e["_PID"] == e["SYSLOG_PID"] for e in failed))
        self.journald.stop()
        self.journald.start()
        session.quit()
        end, = self.journald.wait("POPPER_ID=session-end")
        self.assertEqual((end["_UID"], end["POPPER_REASON"],
                          end["PRIORITY"]), ("1001", "quit", "5"))
        self.assertTrue(end["MESSAGE"].startswith("session-end sid="))
        self.assertFalse(self.journald.show("PRIORITY=0"))


def _forget(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)


if __name__ == "__main__":
    unittest.main()
