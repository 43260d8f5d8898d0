# SPDX-License-Identifier: ISC
"""The test house itself: private hosts, the log, the fixtures, unpacking."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty, spool                                    # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, ProtocolError                # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

# A server of three lines: what the helpers must cope with.
ECHO = ["/bin/sh", "-c", "printf '+OK hi\\r\\n'; read x; "
        "printf '+OK a\\r\\n..b\\r\\n.\\r\\n'; read x; printf '+OK\\r\\n'"]


class PrivateHost(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(popper=False, packages=[unpack("openbsd-inetd")])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password="wonderland")

    def test_nothing_of_the_real_host_changes(self):
        marks = {p: os.stat(p).st_mtime_ns
                 for p in ("/etc", "/etc/passwd", "/var/mail", "/usr/sbin")}
        self.host.run(["touch", "/etc/passwd", "/etc/new", "/var/mail/x",
                       "/usr/sbin/y"], check=True)
        self.assertTrue(self.host.exists("/etc/new"))
        for p, t in marks.items():
            self.assertEqual(os.stat(p).st_mtime_ns, t, p)

    def test_own_accounts_and_rights(self):
        r = self.host.run(["id", "-un"], user="alice", check=True)
        self.assertEqual(r.stdout, b"alice\n")
        r = self.host.run(["cat", "/etc/shadow"], user="alice")
        self.assertNotEqual(r.returncode, 0)

    def test_own_processes_and_network(self):
        r = self.host.run(["sh", "-c", "echo /proc/[0-9]*; hostname; "
                           "cat /proc/net/dev"], check=True)
        procs, hostname, *devices = r.stdout.decode().splitlines()
        self.assertLess(len(procs.split()), 10)
        self.assertEqual(hostname, "pophost.example.org")
        self.assertEqual(len(devices), 3, "only lo beside two headings")

    def test_unnamed_files(self):
        def body():
            for path in ("/var/mail", "/var/lib/popper", "/home"):
                os.close(os.open(path, os.O_TMPFILE | os.O_RDWR, 0o600))
        self.host.call(body)

    def test_unpacked_packages_are_in_place(self):
        r = self.host.run(["/usr/sbin/inetd", "-h"])
        self.assertIn(b"inetd", r.stderr)
        self.assertTrue(self.host.call(os.path.islink, "/sbin"))

    def test_log_daemon_can_restart(self):
        log = self.host.syslog
        self.host.run(["logger", "-p", "mail.notice", "first"], check=True)
        log.wait("first")
        log.stop()
        self.host.run(["logger", "lost"])
        log.start()
        self.host.run(["logger", "-p", "mail.err", "again"], check=True)
        log.wait("again")
        self.assertEqual(log.find("lost"), [])
        self.assertEqual(log.priorities[-1], 2 << 3 | 3)

    def test_inetd_and_client(self):
        with Inetd(self.host, 110, ECHO) as inetd, \
                Pop(self.host.connect(110)) as pop:
            self.assertEqual(pop.greeting, b"+OK hi")
            self.assertEqual(pop.multi("X"), (b"a", b".b\r\n"))
            pop.quit()
            self.assertEqual(inetd.wait(), [0])

    def test_client_is_suspicious(self):
        for bad in ("+ok\\r\\n", "+OK\\n", "+OKAY\\r\\n", "+OK \\001\\r\\n"):
            with Inetd(self.host, 110, ["printf", bad]), \
                    self.assertRaises(ProtocolError, msg=bad):
                Pop(self.host.connect(110))

    def test_report_of_a_sanitizer_is_an_error(self):
        host = Host(popper=False)
        host.run(["sh", "-c", 'echo leak >"$POPPER_REPORT"'], check=True)
        with self.assertRaisesRegex(AssertionError, "leak"):
            host.close()
        self.assertEqual(self.host.sanitizer_report(), "")

    def test_signals_reach_the_process(self):
        p = self.host.popen(["sleep", "100"])
        self.assertEqual(p.stop(), -15)

    def test_who_stands_still_goes_on(self):
        """As long as somebody waits for him."""
        still = ["sh", "-c", "kill -STOP $$; cat; exit 3"]
        p = self.host.popen(still)
        r = self.host.run(still, input=b"x" * 100000)
        self.assertEqual((p.wait(60), r.returncode, r.stdout),
                         (3, 3, b"x" * 100000))

    def test_slow_one_is_told_once(self):
        p = self.host.popen(["sh", "-c", "sleep 3; cat"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(p.communicate(b"told\n", timeout=60)[0], b"told\n")

    def test_host_ends_with_its_processes(self):
        host = Host(popper=False)
        p = host.popen(["sleep", "100"])
        pid = p.inner()
        host.close()
        p.wait(60)
        self.assertFalse(os.path.exists("/proc/%d" % pid))


class Fixtures(unittest.TestCase):
    def test_nasty_messages_survive_the_scan(self):
        self.assertGreaterEqual(len(nasty.NASTY), 24)
        found = spool.messages(nasty.mbox())
        self.assertEqual(len(found), len(nasty.NASTY))
        for (name, text), m in zip(nasty.NASTY, found):
            self.assertEqual(m.disk, text, name)
            self.assertIsNone(re.search(rb"(?<!\r)\n", m.wire), name)
            self.assertTrue(m.wire.endswith(b"\r\n"), name)

    def test_wire_rules(self):
        for disk, wire in ((b"", b""), (b"a", b"a\r\n"), (b"a\r", b"a\r\r\n"),
                           (b"a\r\n", b"a\r\n"), (b"a\n\r\n", b"a\r\n\r\n"),
                           (b"a\r\r\n", b"a\r\r\n"), (b"\r.\n", b"\r.\r\n")):
            self.assertEqual(spool.wire(disk), wire, disk)


if __name__ == "__main__":
    unittest.main()
