# SPDX-License-Identifier: ISC
"""The systemd units of etc/systemd: sound, as tight as docs/systemd.md says,
and not so tight that popper could not work.

systemd does not run here; what it would take away by the capability set is
taken away by setpriv, with real PAM and real mail transfer agents.
"""

import glob
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import spool                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.mta import Exim, Postfix                               # noqa: E402
from lib.popper import Inetd, Pop                               # noqa: E402
from lib.scene import INJECT                                    # noqa: E402
from lib.unpack import TOP, unpack                              # noqa: E402

UNITS = {os.path.basename(p): p for p in glob.glob(TOP + "/etc/systemd/*")}

# What systemd-analyze security may say at most, in tenths; docs/systemd.md
# tells what is behind the rest.  (Other releases of systemd weigh otherwise.)
EXPOSED = {
    "popper.service": 39,
    "popper@.service": 38,
    "popper-recover.service": 23,
}
# What must not be set, or popper could not do its work.
BREAKS = {
    "NoNewPrivileges": "XTND XMIT runs a set-gid program",
    "ProtectHome": ".popbull and ~/mbox are at home",
    "User": "sessions have the users' uids",
    "PrivateUsers": "sessions have the users' uids",
    "DynamicUser": "sessions have the users' uids",
    "RuntimeDirectory": "it would be removed with the locks of others",
}
MAIL = b"From a@example.org Sat Jan  1 00:00:00 2000\nSubject: x\n\nx\n\n"


def lines(unit):
    """[(name, value)] of what is set, in order."""
    with open(UNITS[unit], encoding="utf-8") as f:
        return re.findall(r"(?m)^(\w+)=(.*)$", f.read())


def values(unit, name):
    return [v for n, v in lines(unit) if n == name]


def words(unit, name):
    return " ".join(values(unit, name)).split()


class Sound(unittest.TestCase):
    def test_landlock_is_let_through(self):
        """Refused, sessions would silently go on without it."""
        for unit in UNITS:
            if unit.endswith(".service"):
                for call in ("create_ruleset", "add_rule", "restrict_self"):
                    self.assertIn("landlock_" + call,
                                  words(unit, "SystemCallFilter"), unit)

    def test_the_clock_may_be_asked_about(self):
        """Refused, expire_delete would delete nothing.  And not be set."""
        for unit in ("popper.service", "popper@.service"):
            self.assertEqual(values(unit, "ProtectClock"), [])
            self.assertIn("clock_adjtime", words(unit, "SystemCallFilter"))
            self.assertNotIn("CAP_SYS_TIME",
                             words(unit, "CapabilityBoundingSet"))

    @classmethod
    def setUpClass(cls):
        # Postfix brings units of its own, which are named in ours.
        cls.host = Host(packages=[unpack("systemd"),
                                  unpack(*Postfix.packages)])
        cls.addClassCleanup(cls.host.close)
        for name, path in UNITS.items():
            cls.host.install(path, "/etc/systemd/system/" + name, 0o644)

    def analyze(self, *argv):
        r = self.host.run(["systemd-analyze", "--no-pager", *argv])
        return r.returncode, (r.stdout + r.stderr).decode()

    def test_verify(self):
        """The start of each: nothing unknown, nothing missing."""
        for name in UNITS:
            with self.subTest(name):
                code, said = self.analyze("verify", "--man=no",
                                          "--recursive-errors=one",
                                          name.replace("@.", "@x."))
                self.assertEqual((code, said), (0, ""))

    def test_all_of_them_make_no_ring(self):
        """A start with everything turned on, as at boot."""
        for target, unit in (("multi-user", "popper-recover.service"),
                             ("multi-user", "postfix.service"),
                             ("sockets", "popper.socket"),
                             ("sockets", "popper-serve.socket")):
            self.host.run(["mkdir", "-p", "/etc/systemd/system/%s.target.wants"
                           % target], check=True)
            self.host.run(["ln", "-sf", "/lib/systemd/system/" + unit
                           if "postfix" in unit else "../" + unit,
                           "/etc/systemd/system/%s.target.wants/%s"
                           % (target, unit)], check=True)
        _, said = self.analyze("verify", "--man=no", "multi-user.target")
        self.assertNotRegex(said, r"(?i)cycle|popper")

    def test_exposure(self):
        for name, most in EXPOSED.items():
            code, said = self.analyze("security", "--offline=true",
                                      UNITS[name])
            m = re.search(r"exposure level for \S+: ([\d.]+)", said)
            self.assertTrue(m, said)
            self.assertLessEqual(round(float(m.group(1)) * 10), most, said)

    def test_postfix_is_called_what_we_call_it(self):
        self.assertTrue(self.host.exists("/lib/systemd/system/"
                                         "postfix@.service"))


class Rules(unittest.TestCase):
    """What no tool would notice."""

    def test_nothing_that_breaks_popper(self):
        for unit in ("popper.service", "popper@.service"):
            for name, why in BREAKS.items():
                self.assertEqual(values(unit, name), [], why)
        self.assertEqual(values("popper-recover.service", "ProtectHome"), [])
        for unit in EXPOSED:
            self.assertEqual(values(unit, "ProtectSystem"), ["full"])
            self.assertEqual(values(unit, "SystemCallErrorNumber"), ["EPERM"])

    def test_room_for_thousands_of_sessions(self):
        self.assertGreaterEqual(int(words("popper.service", "TasksMax")[0]),
                                5 * 10000)
        self.assertGreaterEqual(int(words("popper.service",
                                          "LimitNOFILE")[0]), 40000)
        for unit in ("popper.socket", "popper-serve.socket"):
            self.assertEqual(values(unit, "TriggerLimitIntervalSec"), ["0"])

    def test_sockets_do_not_meet_silently(self):
        """Whoever starts one way of serving a port stops the others."""
        self.assertEqual(values("popper-serve.socket", "Service"),
                         ["popper.service"])
        self.assertEqual(values("popper-serve.socket", "Accept"), ["no"])
        self.assertEqual(values("popper.socket", "Accept"), ["yes"])
        self.assertEqual(sorted(words("popper.socket", "Conflicts")),
                         ["popper-serve.socket", "popper.service"])
        self.assertEqual(sorted(words("popper.socket", "Before")),
                         ["popper-serve.socket", "popper.service"])
        self.assertEqual(words("popper-serve.socket", "Conflicts"),
                         ["popper.socket"])
        self.assertEqual(words("popper.service", "Conflicts"),
                         ["popper.socket"])

    def test_a_session_in_update_is_not_killed(self):
        for unit in ("popper.service", "popper@.service"):
            self.assertEqual(values(unit, "KillMode"), ["process"])

    def test_a_boot_may_be_early(self):
        """What comes a moment later does not find popper given up: no judge
        before the start, and never five starts in ten seconds."""
        for command in values("popper.service", "ExecStartPre"):
            self.assertEqual(command[0], "-", command)
        self.assertGreater(5 * int(values("popper.service", "RestartSec")[0]),
                           10)

    def test_recovery_is_before_mail_comes(self):
        before = words("popper-recover.service", "Before")
        for unit in ("postfix@-.service", "exim4.service", "dovecot.service",
                     "popper.service"):
            self.assertIn(unit, before)
        for unit in ("popper.service", "popper@.service"):
            self.assertIn("popper-recover.service", words(unit, "After"))
        for unit in ("popper.service", "popper.socket"):
            self.assertIn("popper-recover.service", words(unit, "Wants"))

    def test_recovery_is_before_anybody_breaks_a_lock(self):
        """liblockfile takes one of five minutes for a dead one."""
        timer = "popper-recover.timer"
        self.assertLess(int(words(timer, "OnUnitInactiveSec")[0])
                        + int(words(timer, "AccuracySec")[0]), 150)
        for unit in ("popper.service", "popper.socket"):
            self.assertIn(timer, words(unit, "Wants"))
        with open(TOP + "/etc/cron.d/popper", encoding="ascii") as f:
            self.assertRegex(f.read(), r"(?m)^\* \* \* \* \*\troot\t"
                                       r"test ! -x /usr/sbin/popper \|\| "
                                       r"/usr/sbin/popper recover --quick$")

    def test_both_services_have_the_same_cage(self):
        own = re.compile(r"(Protect|Private|Restrict|SystemCall|Lock|Memory|"
                         r"UMask)\w+$")
        cages = [[x for x in lines(unit) if own.match(x[0])]
                 for unit in ("popper.service", "popper@.service")]
        self.assertEqual(*cages)
        self.assertGreater(len(cages[0]), 15)
        self.assertEqual(
            set(words("popper.service", "CapabilityBoundingSet"))
            - set(words("popper@.service", "CapabilityBoundingSet")),
            {"CAP_NET_BIND_SERVICE"})

    def test_docs_name_each_capability(self):
        with open(TOP + "/docs/systemd.md", encoding="utf-8") as f:
            table = f.read().split("## Capabilities")[1].split("Left out")[0]
        told = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", "".join(
            row.split("|")[1] for row in table.splitlines()
            if row.startswith("| "))))
        self.assertEqual(told - {"C"}, {
            w[4:] for w in words("popper.service", "CapabilityBoundingSet")})


def bounded(unit, argv):
    """argv with the capabilities that the unit leaves."""
    keep = ",".join("+" + w[4:].lower()
                    for w in words(unit, "CapabilityBoundingSet"))
    return ["setpriv", "--bounding-set=-all," + keep, "--", *argv]


class Served:
    """A session that does all that needs rights, with the unit's own."""

    mta_class = None

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack(*cls.mta_class.packages)])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")
        cls.host.add_user("bob", password="bob")
        cls.host.add_user("nomad", password="nomad", home="/nonexistent")
        cls.mta = cls.mta_class(cls.host)
        cls.addClassCleanup(cls.mta.stop)
        cls.host.mkdir("/var/lib/popper/bulletins")
        cls.host.write("/var/lib/popper/bulletins/1", MAIL)
        cls.host.write("/etc/popper/popper.conf",
                       "timeout = 600\nbulletins = /var/lib/popper/bulletins\n"
                       "auth_fail_delay = 1\n")

    def session(self, user):
        """Log in by PAM, send mail to bob, delete all."""
        self.host.spool(user, MAIL * 2)
        self.host.spool("bob", b"")
        mark = self.host.syslog.mark()
        with Pop(self.host.connect(110)) as pop:
            self.assertGreaterEqual(pop.login(user, user)[0], 2)
            pop.retr(1)
            self.assertEqual(pop.cmd("XTND", "XMIT"),
                             b"Start sending message.")
            pop.send(b"To: bob@example.org\r\nSubject: hi\r\n\r\nhi\r\n.\r\n")
            pop.reply()
            for n in pop.list():
                pop.dele(n)
            pop.quit()
        self.assertEqual(self.host.spool(user), b"")
        deadline = time.monotonic() + 120
        while not self.host.spool("bob"):
            self.assertLess(time.monotonic(), deadline,
                            "\n".join(self.host.syslog.lines[mark:]))
            time.sleep(0.05)
        found = spool.messages(self.host.spool("bob"))
        self.assertIn(b"Subject: hi\n", found[0].disk)
        # Neither popper's nor the MTA's: Exim's queue runner would deliver
        # in the end what its sendmail was not allowed to.
        self.assertEqual(self.host.syslog.find(
            r"(?i)failed|denied|not permitted|spool error", mark), [])

    def test_serve(self):
        server = self.host.popen(bounded(
            "popper.service", ["/usr/sbin/popper", "serve"]))
        self.addCleanup(server.stop)
        self.host.wait_port(110)
        for user in ("ann", "nomad"):
            self.session(user)

    def test_by_socket(self):
        with Inetd(self.host, argv=bounded("popper@.service",
                                           ["/usr/sbin/popper"])):
            for user in ("ann", "nomad"):
                self.session(user)


class ServedWithPostfix(Served, unittest.TestCase):
    mta_class = Postfix

    def open_journals(self):
        r = self.host.run(["find", "/var/lib/popper/journal", "-size", "+0",
                           "!", "-name", "reserve*", "!", "-name", "owner.*",
                           "!", "-name", ".*", "-type", "f"], check=True)
        return r.stdout.split()

    def interrupt(self, user, at):
        """Kill all of popper at this place of an update."""
        self.host.spool(user, MAIL * 3)
        with Inetd(self.host, 1110, [
                "/usr/bin/inject", "--report", "/tmp/report", "--from",
                "read:QUIT", "--who", "all", "--do", "tree-after", "--at",
                str(at), "--", "/usr/sbin/popper"]) as inetd:
            with Pop(self.host.connect(1110)) as pop:
                pop.login(user, user)
                pop.dele(2)
                pop.send(b"QUIT\r\n")
                while pop.sock.recv(1000):
                    pass
            inetd.wait()

    def recovered(self, user):
        """Was there something to do, and is it done?"""
        if not self.open_journals() or self.host.spool(user) != MAIL * 3:
            return False
        self.host.run(bounded("popper-recover.service",
                              ["/usr/sbin/popper", "recover", "--quick"]),
                      check=True)
        self.assertEqual(self.open_journals(), [])
        return self.host.spool(user) == MAIL * 2

    def test_recovery(self):
        """Of a user with a home, and of one whose state is with us."""
        self.host.install(INJECT, "/usr/bin/inject")
        for user in ("ann", "nomad"):
            for at in range(1, 200, 2):
                self.interrupt(user, at)
                if self.recovered(user):
                    break
            else:
                self.fail("no kill left work to do")


class ServedWithExim(Served, unittest.TestCase):
    mta_class = Exim


if __name__ == "__main__":
    unittest.main()
