# SPDX-License-Identifier: ISC
"""The shipped filter under Debian's fail2ban, against popper's own log: each
failed login, from the address that it came from, and nothing else."""

import os
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from journald import SOCKET, Journald                           # noqa: E402
from lib.popper import PopError                                 # noqa: E402
from lib.unpack import TOP, build_dir                           # noqa: E402
from scenes import PASSWORD, Scene                              # noqa: E402

FILTER = os.path.join(TOP, "etc/fail2ban/filter.d/popper.conf")
JAIL = os.path.join(TOP, "etc/fail2ban/jail.d/popper.conf.sample")
TRY = os.path.join(build_dir(), "tests/log/try_log")
LOG = "/var/log/popper.log"
THIRD = "192.0.2.99"                    # who must not be hit
HONEST = "192.0.2.1"
LINE = ("login-failed user=x ip=%s method=pass reason=bad-password"
        % THIRD).encode()
STAMP = b"Jan  1 00:00:00 popper[1]: "
JSON = (b'"level":"warn","id":"login-failed","user":"x","ip":"%s","method":'
        b'"pass","reason":"bad-password","pid":1}' % THIRD.encode())
# What a name would have to be, if anything of this could work.
FORGED = [
    b"x ip=%s reason=bad-password" % THIRD.encode(),
    b'x" ip=%s method=pass reason=bad-password y="' % THIRD.encode(),
    b"x\\x22 ip=%s reason=bad-password" % THIRD.encode(),
    b"x\\", b'x\\" ip=%s reason=shell ' % THIRD.encode(),
    b"ip=%s" % THIRD.encode(), b"=" + LINE, b'"', b'""', b"\\", b"\\x22",
    b"\n" + STAMP + LINE, b"x\n" + STAMP + LINE + b"\n", b"\r\n" + LINE,
    STAMP + LINE, b"x\0" + LINE, b"\xff\xfe" + LINE, b"\xe2\x80\xa8" + LINE,
    b"\x85" + LINE, b"\x0b" + STAMP + LINE, b"\x1b[2K" + STAMP + LINE,
    b'x","ip":"%s","reason":"bad-password' % THIRD.encode(),
    b'{"time":"2000-01-01T00:00:00.000000Z",' + JSON, b"," + JSON,
    b"\n," + JSON, b"\n{" + JSON, b"<HOST>", b"%(ip)s", THIRD.encode(),
    b"2000-01-01 00:00:00", b"MESSAGE=" + LINE + b"\nPOPPER_IP=",
    (b"a" * 255 + b" ip=%s reason=bad-password" % THIRD.encode()),
    (b" ip=%s reason=bad-password" % THIRD.encode()) * 9,
    b" " * (256 - len(LINE)) + LINE, b"\n" * 256 + LINE, b"\xff" * 256,
    b"\\" * 256, b'"' * 256, b""]
# What a command line can bring in; the others make no command at all.
NAMES = [n for n in FORGED if 0 < len(n) <= 255
         and re.fullmatch(rb"[!-~]+", n)] + [b"alice", b"nobody", b"a" * 255]


class Fail2ban(Scene):
    PACKAGES = (("fail2ban", "python3-systemd"), ("systemd",))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.install(FILTER, "/etc/fail2ban/filter.d/popper.conf", 0o644)

    def found(self, log=LOG, options=()):
        """[(address, seconds of its time)] of all that the filter matches."""
        r = self.host.run(["fail2ban-regex", "-e", "utf-8", "-o", "row",
                           *options, log, "popper"])
        self.assertEqual((r.returncode, r.stderr), (0, b""), r.stdout)
        return [(m.group(1), float(m.group(2))) for m in re.finditer(
            r"^\['([^']*)',\t([\d.]+),", r.stdout.decode(), re.M)]

    def addresses(self, *args, **kw):
        """The same without the time, which is that of now."""
        rows = self.found(*args, **kw)
        for _, seconds in rows:
            self.assertLess(abs(seconds - time.time()), 600)
        return [address for address, _ in rows]

    def forget(self):
        self.host.call(_remove, LOG)

    # -- real attempts ----------------------------------------------------

    def attempts(self):
        """The addresses of those that failed."""
        want = []
        for i, name in enumerate(NAMES):
            source = ("127.0.0.%d" % (i + 2), "::1")[i % 2]
            self.fail_login(name, source=source)
            want.append(source)
        for name in FORGED:             # no command, or a refused one
            with self.connect("127.0.0.200") as pop:
                if name not in NAMES and b"\n" not in name:
                    with self.assertRaises(PopError):
                        pop.cmd("USER", name)
        with self.connect("127.0.0.201") as pop:
            pop.login("alice", PASSWORD)
            with self.connect("127.0.0.202") as second:     # [IN-USE]
                with self.assertRaises(PopError):
                    second.login("alice", PASSWORD)
            pop.quit()
        self.fail_login("alice", b"x ip=" + THIRD.encode(), "127.0.0.203")
        return want + ["127.0.0.203"]

    def to_file(self, **options):
        self.forget()
        server = self.serve(log="file", log_file=LOG, statistics="yes",
                            debug="yes", **options)
        want = self.attempts()
        server.stop()
        self.assertEqual(self.addresses(), want)

    def test_file(self):
        self.to_file()

    def test_json_file(self):
        self.to_file(log_format="json")

    def to_syslog(self, stamp, **options):
        """The file that a log daemon would make of it."""
        self.forget()
        mark = self.host.syslog.mark()
        server = self.serve(**options)
        want = self.attempts()
        self.host.syslog.wait(r"login-failed\b.*\b127\.0\.0\.203\b", mark)
        server.stop()
        self.host.write(LOG, "".join(
            "%s pophost %s\n" % (stamp(), line)
            for line in self.host.syslog.lines[mark:]))
        self.assertEqual(self.addresses(), want)

    def test_syslog(self):
        self.to_syslog(lambda: time.strftime("%b %d %H:%M:%S", time.gmtime()))

    def test_syslog_with_long_stamps(self):
        self.to_syslog(lambda: time.strftime(
            "%Y-%m-%dT%H:%M:%S.123456+00:00", time.gmtime()))

    def test_json_in_syslog(self):
        self.to_syslog(lambda: time.strftime("%b %d %H:%M:%S", time.gmtime()),
                       log_format="json")

    def test_server_at_fault(self):
        """popper's own trouble bans nobody."""
        self.forget()
        self.host.call(os.chmod, "/etc/popper/users", 0o644)
        self.addCleanup(self.host.call, os.chmod, "/etc/popper/users", 0o600)
        for form in ("text", "json"):
            server = self.serve(log="file", log_file=LOG, log_format=form)
            self.fail_login("alice", PASSWORD)
            server.stop()
        self.assertEqual(self.host.read(LOG).count(b"reason"), 2)
        self.assertEqual(self.addresses(), [])

    # -- names that no command can bring in: a process that was taken over ---

    def say(self, *way):
        """Each name in a failed login of HONEST's, in one without an address,
        and in other events; by the code that writes popper's log."""
        words = []
        for name in FORGED:
            x = name.hex() or "20"
            end = "ip=%s method=%s reason=%s" % (
                HONEST.encode().hex(), b"pass".hex(), b"bad-password".hex())
            master = "ip=%s method=%s master=%s reason=%s" % (
                HONEST.encode().hex(), b"scram-sha-256-plus".hex(), x[:200],
                b"bad-password".hex())
            words += ["@login-failed user=%s %s" % (x, end),
                      "@login-failed user=%s %s" % (x, master),
                      "@login-failed user=%s ip=%s" % (x, b"local".hex()),
                      "@login user=%s ip=%s" % (x, HONEST.encode().hex()),
                      "@dialogue from=43 line=%s" % x,
                      "@peer-no-name name=%s text=%s" % (x, x),
                      "stats %s %s" % (x, x)]
        self.host.install(TRY, "/usr/bin/try_log")
        return self.host.run(["try_log", *way, "5a"], check=True,
                             input="\n".join(words).encode() + b"\n").stderr

    def test_forged(self):
        for form in ("text", "json"):
            for stamp in ("", "Nov 26 15:42:50 pophost popper[7]: "):
                with self.subTest(form=form, stamp=stamp):
                    said = self.say("stderr", form, LOG)
                    if stamp:
                        now = time.strftime("%b %d %H:%M:%S pophost popper[7]"
                                            ": ", time.gmtime()).encode()
                        said = re.sub(rb"(?m)^(?:.{15} popper\[\d+\]: )?",
                                      now, said.rstrip(b"\n")) + b"\n"
                    self.host.write(LOG, said)
                    self.assertGreater(said.count(b"\n"), 5 * len(FORGED))
                    self.assertEqual(self.addresses(),
                                     [HONEST] * 2 * len(FORGED))

    # -- the journal ------------------------------------------------------

    def test_journal(self):
        journald = Journald(self.host)
        self.addCleanup(journald.stop)
        server = self.serve(log="journal")
        want = self.attempts()
        server.stop()
        journald.wait("POPPER_ID=stopped")
        journal = "systemd-journal"
        own = ("-m", "SYSLOG_IDENTIFIER=popper")
        self.assertEqual(self.addresses(journal, own), want)
        # Nobody else's lines: these have no unit.
        self.assertEqual(self.addresses(journal), [])
        self.say("journal", "text", SOCKET)
        journald.wait("POPPER_ID=stats", count=len(FORGED))
        self.assertEqual(self.addresses(journal, own),
                         want + [HONEST] * 2 * len(FORGED))

    # -- the server -------------------------------------------------------

    def test_jail(self):
        """The sample jail, its log popper's own file, with an action that
        writes down who is banned."""
        self.forget()
        with open(JAIL, encoding="utf-8") as f:
            jail = f.read()
        jail = jail.replace("backend  = systemd", "#backend = systemd") \
            .replace("#backend = auto\n#logpath = /var/log/popper/popper.log",
                     "backend = polling\nlogpath = " + LOG)
        self.assertIn("\nlogpath = " + LOG, jail)
        self.host.write("/etc/fail2ban/jail.d/popper.conf", jail
                        + "ignoreself = false\naction = note\n")
        self.host.write("/etc/fail2ban/jail.d/defaults-debian.conf", "")
        self.host.write("/etc/fail2ban/action.d/note.conf", "[Definition]\n"
                        "actionban = echo <ip> >>/run/banned\n"
                        "actionunban =\n")
        self.host.write("/etc/fail2ban/fail2ban.local", "[DEFAULT]\n"
                        "dbfile = None\nlogtarget = /run/fail2ban.log\n"
                        "socket = /run/fail2ban.sock\n"
                        "pidfile = /run/fail2ban.pid\n")
        self.host.write("/run/banned", "")
        self.host.write(LOG, "", 0o600)
        self.serve(log="file", log_file=LOG)
        p = self.host.popen(["fail2ban-server", "-f", "start"],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        self.addCleanup(p.stop)
        self.wait(lambda: b"Jail 'popper' started" in self.server_log())
        for _ in range(5):
            self.fail_login("ip=" + THIRD, source="127.0.0.5")
            self.fail_login("alice", source="::1")
        for _ in range(4):
            self.fail_login("alice", source="127.0.0.6")
        for _ in range(6):
            with self.connect("127.0.0.7") as pop:
                pop.login("alice", PASSWORD)
                pop.quit()
        self.wait(lambda: len(self.host.read("/run/banned").split()) >= 2)
        time.sleep(1.5)                 # it looks once a second
        self.assertEqual(sorted(self.host.read("/run/banned").split()),
                         [b"127.0.0.5", b"::1"])

    def server_log(self):
        return self.host.read("/run/fail2ban.log") \
            if self.host.exists("/run/fail2ban.log") else b""

    def wait(self, condition):
        deadline = time.monotonic() + 90
        while not condition():
            if time.monotonic() > deadline:
                self.fail(self.server_log().decode())
            time.sleep(0.1)


def _remove(path):
    if os.path.exists(path):
        os.unlink(path)


if __name__ == "__main__":
    unittest.main()
