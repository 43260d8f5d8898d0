# SPDX-License-Identifier: ISC
"""The package on a host that systemd has booted: the units with all that they
take away, what an upgrade restarts and a removal stops.

systemd is process 1 of a private host, in a control group of its own.
"""

import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import debian, spool                                   # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Pop                                      # noqa: E402

MAIL = b"From a@example.org Sat Jan  1 00:00:00 2000\nSubject: x\n\nx\n\n"
POSTFIX = ("mydestination=example.org", "myorigin=example.org",
           "inet_interfaces=loopback-only", "inet_protocols=ipv4",
           "compatibility_level=3.6", "mail_spool_directory=/var/mail")
BULLETINS = "/var/lib/popper/bulletins"


@unittest.skipUnless(os.environ.get("POPPER_LONG"),
                     "long run only (make test-long)")
class Boot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        cls.deb = debian.build()[0]
        cls.system = debian.clean_system(cls.deb, ("systemd-sysv", "postfix"))

    def setUp(self):
        try:
            self.host = Host(system=self.system, popper=False, size="2g",
                             init="/lib/systemd/systemd")
        except RuntimeError as e:
            raise unittest.SkipTest("no systemd in a private host here") from e
        self.addCleanup(self.host.close)
        self.wait(lambda: self.sh("systemctl is-system-running || :").strip()
                  in ("running", "degraded"), "is booting")
        self.sh("postconf -e %s && systemctl restart postfix"
                % " ".join(POSTFIX))
        for name in ("ann", "bob"):
            self.host.real_account(name, name)
        self.install(self.deb)
        self.host.mkdir(BULLETINS)
        self.host.write(BULLETINS + "/1", MAIL)
        self.conf("")

    def conf(self, more):
        self.host.write("/etc/popper/popper.conf", "timeout = 600\n"
                        "bulletins = %s\nauth_fail_delay = 1\nlog = journal\n"
                        "%s" % (BULLETINS, more))

    def sh(self, script):
        r = self.host.run(["sh", "-c", script], timeout=100)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout.decode()

    def install(self, deb):
        with open(deb, "rb") as f:
            self.host.write("/tmp/x.deb", f.read())
        self.sh("DEBIAN_FRONTEND=noninteractive apt-get -qq -y "
                "--no-install-recommends install /tmp/x.deb 2>&1")

    def wait(self, what, why):
        deadline = time.monotonic() + 60
        while not what():
            if time.monotonic() > deadline:
                self.fail(why + "\n" + self.sh("journalctl -n 30 --no-pager"))
            time.sleep(0.1)

    def session(self):
        """PAM, a bulletin and its number at home, XTND XMIT, an update."""
        self.host.write("/home/ann/.popbull", "0\n", 0o600, "ann")
        self.host.spool("ann", MAIL)
        self.host.spool("bob", b"")
        with Pop(self.host.connect(110)) as pop:
            self.assertEqual(pop.login("ann", "ann")[0], 2)
            self.assertEqual(pop.cmd("XTND", "XMIT"),
                             b"Start sending message.")
            pop.send(b"To: bob@example.org\r\nSubject: hi\r\n\r\nhi\r\n.\r\n")
            pop.reply()
            pop.dele(1)
            pop.quit()
        left = spool.messages(self.host.spool("ann"))
        self.assertEqual(len(left), 1)          # the bulletin
        self.assertEqual(self.host.read("/home/ann/.popbull").strip(), b"1")
        self.wait(lambda: b"Subject: hi" in self.host.spool("bob"), "no mail")

    def logged(self, unit):
        """What the fail2ban filter asks for finds each login; sandbox and
        cages let it through."""
        match = re.search(r"(?m)^journalmatch = (.*)$", self.sh(
            "cat /usr/share/doc/popper/examples/fail2ban/filter.d/"
            "popper.conf")).group(1)
        self.assertIn(unit, match.split(" + "))
        for word in ("login", "session-end"):
            self.wait(lambda: "POPPER_USER=ann" in self.sh(
                "journalctl -o export POPPER_ID=%s %s" % (word, unit)), word)

    def show(self, unit, name):
        return self.sh("systemctl show -p %s --value %s"
                       % (name, unit)).strip()

    def test_nothing_runs_after_installation(self):
        for unit in ("popper.service", "popper.socket",
                     "popper-recover.service", "popper-recover.timer"):
            self.assertEqual(self.show(unit, "UnitFileState"), "disabled")
            self.assertEqual(self.show(unit, "ActiveState"), "inactive")

    def test_server(self):
        self.sh("systemctl enable --now popper.service")
        self.host.wait_port(110)
        self.assertEqual(self.show("popper-recover.service", "Result"),
                         "success")
        self.assertNotEqual(self.show("popper-recover.service",
                                      "ExecMainExitTimestamp"), "")
        self.assertIn("popper-recover.service",
                      self.show("postfix@-.service", "After").split())
        status = self.sh("cat /proc/%s/status"
                         % self.show("popper.service", "MainPID"))
        self.assertRegex(status, r"NoNewPrivs:\s0\nSeccomp:\s2")
        self.session()
        self.logged("_SYSTEMD_UNIT=popper.service")
        before = self.show("popper.service", "MainPID")
        with Pop(self.host.connect(110)) as pop:
            pop.login("ann", "ann")
            pop.dele(1)
            self.install(debian.repack(self.deb, "99"))
            pop.at_end()                        # told to end, no UPDATE
        self.assertEqual(len(spool.messages(self.host.spool("ann"))), 1)
        self.assertEqual(self.show("popper.service", "ActiveState"), "active")
        self.assertNotEqual(self.show("popper.service", "MainPID"), before)
        self.session()
        self.sh("apt-get -qq -y purge popper 2>&1")
        self.assertEqual(self.show("popper.service", "ActiveState"),
                         "inactive")
        self.assertEqual(self.show("popper-recover.timer", "ActiveState"),
                         "inactive")
        self.assertEqual(self.sh("find /etc /var/lib/systemd -name "
                                 "'*popper*'"), "")

    def test_notify(self):
        """What systemd makes of what it is told."""
        self.sh("systemctl start popper.service")
        self.host.connect(110).close()          # at once: it is ready
        self.assertEqual(self.show("popper.service", "StatusText"),
                         "2 listeners, 0 of at most 1000 sessions")
        main = self.show("popper.service", "MainPID")
        with Pop(self.host.connect(110)) as pop:
            pop.login("ann", "ann")
            self.wait(lambda: " 1 of " in self.show(
                "popper.service", "StatusText"), "no session is told")
            self.conf("max_sessions = 7\n")
            self.sh("systemctl reload popper.service")
            self.wait(lambda: " 1 of at most 7 " in self.show(
                "popper.service", "StatusText"), "no reload")
            self.assertEqual(self.show("popper.service", "ActiveState"),
                             "active")
            # Who asks is told, and popper itself refuses.
            self.conf("max_sessions = soon\n")
            self.assertIn("failed", self.sh(
                "systemctl reload popper.service 2>&1 || echo failed"))
            self.sh("systemctl kill -s HUP --kill-who=main popper.service")
            self.wait(lambda: "refused" in self.show(
                "popper.service", "StatusText"), "nothing is refused")
            self.conf("")
            self.sh("systemctl reload popper.service")
            self.wait(lambda: " 1 of at most 1000 " in self.show(
                "popper.service", "StatusText"), "no reload")
            pop.quit()
        self.assertEqual(self.show("popper.service", "MainPID"), main)
        self.assertEqual(self.show("popper.service", "NRestarts"), "0")

    def state(self, want):
        self.wait(lambda: self.show("popper.service", "ActiveState") == want,
                  "not " + want)

    def test_too_early(self):
        """A file and a port that come later; a setting that will never do."""
        self.conf("deny_file = /srv/later/deny\n")
        with self.host.listen(110):
            self.sh("systemctl start popper.service || :")
            self.wait(lambda: int(self.show("popper.service", "NRestarts"))
                      > 5, "systemd has given up")
        self.state("active")
        self.conf("max_sessions = soon\n")
        self.sh("systemctl restart popper.service || :")
        self.state("failed")
        self.assertEqual(self.show("popper.service", "NRestarts"), "0")

    def test_watchdog(self):
        self.host.write("/etc/systemd/system/popper.service.d/x.conf",
                        "[Service]\nWatchdogSec=4\n")
        self.sh("systemctl daemon-reload; systemctl start popper.service")
        main = self.show("popper.service", "MainPID")
        time.sleep(5)
        self.assertEqual(self.show("popper.service", "MainPID"), main)
        self.sh("kill -STOP " + main)
        self.wait(lambda: self.show("popper.service", "MainPID")
                  not in (main, "0"), "a hung server stays")
        self.wait(lambda: self.show("popper.service", "ActiveState")
                  == "active", "no new server")
        self.session()

    def test_sockets_of_the_server(self):
        self.conf("listen = 127.0.0.1:1110\n")
        self.sh("systemctl enable --now popper-serve.socket")
        self.assertEqual(self.show("popper.service", "ActiveState"),
                         "inactive")
        self.session()
        self.assertEqual(self.show("popper.service", "ActiveState"), "active")
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(1110)
        self.sh("systemctl reload popper.service")
        self.session()
        # Who comes during a restart waits.
        self.sh("systemctl stop popper.service")
        self.session()
        self.install(debian.repack(self.deb, "99"))
        for unit in ("popper.service", "popper-serve.socket"):
            self.assertEqual(self.show(unit, "ActiveState"), "active")
        self.session()
        self.sh("systemctl start popper.socket")
        for unit in ("popper.service", "popper-serve.socket"):
            self.wait(lambda unit=unit: self.show(unit, "ActiveState")
                      == "inactive", unit)
        self.session()
        self.sh("systemctl start popper-serve.socket")
        self.wait(lambda: self.show("popper.socket", "ActiveState")
                  == "inactive", "both")
        self.session()
        self.sh("apt-get -qq -y purge popper 2>&1")
        self.assertIn(self.show("popper-serve.socket", "ActiveState"),
                      ("inactive", ""))

    def test_socket(self):
        self.sh("systemctl enable --now popper.socket")
        self.session()
        self.logged("_SYSTEMD_SLICE=system-popper.slice")
        # Far more at once than systemd takes by default.
        many = [self.host.connect(110) for _ in range(300)]
        for s in many:
            s.close()
        self.wait(lambda: not re.search(r"popper@", self.sh(
            "systemctl list-units --no-legend 'popper@*'")), "sessions stay")
        self.assertEqual(self.show("popper.socket", "ActiveState"), "active")
        self.session()
        self.sh("systemctl stop popper.socket")


if __name__ == "__main__":
    unittest.main()
