# SPDX-License-Identifier: ISC
"""The Debian package: built, judged by lintian, and lived with in a clean
Debian of its own from installation to purge.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import debian, nasty, spool                            # noqa: E402
from lib.host import Host, crypt                                # noqa: E402
from lib.popper import Inetd, Pop, PopError, Serve              # noqa: E402
from lib.unpack import TOP, unpack                              # noqa: E402

CONF = "/etc/popper/popper.conf"
LONG = os.environ.get("POPPER_LONG")
UNITS = ("popper.service", "popper.socket", "popper@.service",
         "popper-recover.service", "popper-recover.timer",
         "popper-serve.socket")
MAIL = nasty.mbox(nasty.NASTY[:3])
LOWER = "1.99"

# What installing anything at all leaves on a Debian host.
NOT_OURS = re.compile(
    r"/(dev|proc|run|sys|tmp)/|/var/lib/(dpkg|apt|systemd)/|/var/cache/|"
    r"/var/log/(apt/|dpkg\.log|alternatives\.log|faillog|lastlog)|"
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/ld\.so\.cache|"
    r"/etc/\.pwd\.lock$|/home/|/var/mail/|/usr/share/info/dir")


def source_names():
    """All that lies in the source tree but for what git ignores there."""
    found = set()
    for path, dirs, names in os.walk(TOP):
        if path == TOP:
            dirs[:] = [d for d in dirs if d not in (".git", "run")
                       and not d.startswith("build")]
        found.update(os.path.join(path, n) for n in dirs + names)
    return {n for n in found if "__pycache__" not in n}


def setUpModule():
    global DEB, CHANGES, NAMES
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    NAMES = source_names()
    DEB, CHANGES = debian.build()


def shipped():
    """{path: (mode and owner, as tar says them)}."""
    out = subprocess.run(["dpkg-deb", "--contents", DEB], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    found = {}
    for line in out.splitlines():
        mode, owner, _, _, _, path = line.split(None, 5)
        found[path.split(" ->")[0].lstrip(".")] = mode, owner
    return found


class Package(unittest.TestCase):
    def test_lintian_has_nothing_to_say(self):
        code, said = debian.make.lintian(CHANGES)
        self.assertEqual(code, 0, said)
        self.assertNotRegex(said, r"(?m)^[EWO]:")

    def test_source_tree_is_not_touched(self):
        self.assertEqual(source_names() - NAMES, set())

    def test_what_is_in_it(self):
        files = shipped()
        for path in (
                "/usr/sbin/popper", CONF, "/etc/pam.d/popper",
                "/etc/logrotate.d/popper",
                "/usr/share/man/man8/popper.8.gz",
                "/usr/share/man/man5/popper.conf.5.gz",
                "/usr/share/doc/popper/README.Debian",
                "/usr/share/doc/popper/examples/inetd.conf.sample",
                "/usr/share/doc/popper/examples/xinetd.d/popper",
                "/usr/share/doc/popper/examples/fail2ban/filter.d/popper.conf",
                "/usr/share/doc/popper/examples/fail2ban/jail.d/"
                "popper.conf.sample",
                "/usr/share/man/man5/popper-log.5.gz",
                "/usr/share/doc/popper/examples/popper.conf"):
            self.assertIn(path, files)
        units = [os.path.basename(p) for p in files
                 if re.match(r"(/usr)?/lib/systemd/system/.", p)]
        self.assertEqual(sorted(units), sorted(UNITS))
        for path, (mode, owner) in files.items():
            self.assertEqual(owner, "root/root", path)
            self.assertNotRegex(mode, "[sS]|.{8}w", path)
        self.assertFalse([p for p in files if p.startswith(
            ("/etc/systemd/", "/etc/xinetd.d/", "/etc/inetd"))], "on")

    def test_conffiles(self):
        text = subprocess.run(["dpkg-deb", "--info", DEB, "conffiles"],
                              check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.assertEqual(sorted(text.split()), [
            "/etc/logrotate.d/popper", "/etc/pam.d/popper", CONF])

    def test_no_questions(self):
        """Debconf would ask by these."""
        out = subprocess.run(["dpkg-deb", "--info", DEB], check=True,
                             text=True, stdout=subprocess.PIPE).stdout
        self.assertNotRegex(out, r"\s(config|templates)\s")


class System(Host):
    """A clean Debian with apt's words."""

    def __init__(self):
        super().__init__(system=debian.clean_system(DEB), popper=False,
                         size="2g")

    def apt(self, *words, lenient=False):
        """Its output.  Nobody is there to answer a question."""
        r = self.run(["apt-get", "-y", "--allow-downgrades",
                      "--no-install-recommends", *words],
                     timeout=300, env={"DEBIAN_FRONTEND": ""})
        said = (r.stdout + r.stderr).decode()
        if r.returncode != 0 and not lenient:
            raise AssertionError(said)
        return said

    def get(self, deb):
        with open(deb, "rb") as f:
            self.write("/tmp/x.deb", f.read())
        return self.apt("install", "/tmp/x.deb")

    def sh(self, script):
        return self.run(["sh", "-c", script], check=True).stdout.decode()

    def files(self):
        return set(self.sh("find / -xdev -print").splitlines())

    def state(self):
        """{path: what and whose it is} of popper's state."""
        return self.sh("find /var/lib/popper /etc/popper -printf "
                       "'%p %m %U %G %s\\n' | sort; cd /var/lib/popper; "
                       "find . -type f -exec md5sum {} + | sort")

    def facts(self, path):
        s = self.call(os.lstat, path)
        return stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid


class Life(unittest.TestCase):
    def setUp(self):
        self.host = System()
        self.addCleanup(self.host.close)

    def serve_alice(self):
        """Three messages, one of which she deletes; by inetd's way, then by
        popper serve."""
        self.host.real_account("alice", "wonderland")
        self.host.spool("alice", MAIL)
        sent = spool.messages(MAIL)
        with Inetd(self.host, 1110) as inetd:
            pop = Pop(self.host.connect(1110))
            self.assertEqual(pop.login("alice", "wonderland")[0], 3)
            self.assertEqual(pop.retr(1), sent[0].wire)
            pop.dele(2)
            pop.quit()
            self.assertEqual(inetd.wait(), [0])
        with Serve(self.host):
            with Pop(self.host.connect(110)) as pop:
                with self.assertRaises(PopError):
                    pop.login("alice", "underground")
            with Pop(self.host.connect(110)) as pop:
                self.assertEqual(pop.login("alice", "wonderland")[0], 2)
                self.assertEqual(pop.retr(2), sent[2].wire)
                pop.quit()

    def complaints(self):
        """What popper check says of a host as it comes."""
        r = self.host.run(["popper", "check"])
        self.assertEqual((r.returncode, r.stderr), (0, b""), r.stdout)
        lines = r.stdout.decode().splitlines()
        self.assertRegex(lines[-1], r"popper\.conf: 0 errors, \d warning")
        return [line.split(": ")[2] for line in lines[:-1]]

    def test_from_installation_to_purge(self):
        host = self.host
        before = host.files()
        said = host.get(DEB)
        # debconf may find no terminal for what others ask: we have no
        # templates (Package.test_no_questions).
        self.assertNotRegex(said, r"(?i)\[[YN]/|warning|error")
        self._installed()
        # No mail transfer agent, and popper has not run yet.
        self.assertEqual(self.complaints(), ["run_dir", "xmit_command"])
        self.serve_alice()
        self.assertEqual(self.complaints(), ["xmit_command"])
        host.write(CONF, "timeout = 700\n")
        host.run(["popper", "passwd", "bob"], input=b"secret\nsecret\n")
        host.run(["popper", "passwd", "app", "add", "bob", "phone"], check=True)
        for name in ("deny", "allow", "masters", "client-certificates"):
            host.write("/etc/popper/" + name, "", 0o600)
        self.assertTrue(host.exists("/etc/popper/app-passwords"))
        self.assertTrue(host.exists("/var/lib/popper/app-used"))
        host.write("/var/log/popper/trace.log", "x\n")
        host.apt("remove", "popper")
        self.assertFalse(host.exists("/usr/sbin/popper"))
        self.assertEqual(host.read(CONF), b"timeout = 700\n")
        for path in ("/etc/pam.d/popper", "/var/lib/popper/journal",
                     "/var/log/popper/trace.log"):
            self.assertTrue(host.exists(path), path)
        host.apt("purge", "popper")
        self._purged(before)

    def _installed(self):
        host = self.host
        adm = int(host.sh("getent group adm").split(":")[2])
        for path, want in (("/var/lib/popper", (0o711, 0, 0)),
                           ("/var/lib/popper/empty", (0o755, 0, 0)),
                           ("/var/lib/popper/bulletins", (0o755, 0, 0)),
                           ("/var/log/popper", (0o750, 0, adm)),
                           ("/etc/popper", (0o755, 0, 0)),
                           (CONF, (0o644, 0, 0))):
            self.assertEqual(host.facts(path), want, path)
        for name in ("_popfront", "_popauth"):
            entry = host.sh("getent passwd " + name).split(":")
            self.assertLess(int(entry[2]), 1000)
            self.assertEqual(entry[5:], ["/nonexistent", "/usr/sbin/nologin\n"])
            self.assertRegex(host.sh("getent shadow " + name), r"^\w+:[!*]+:")
        self.assertEqual(host.sh("find /etc/systemd /etc/rc*.d /etc/xinetd.d "
                                 "/etc/inetd.conf -name '*popper*' "
                                 "2>/dev/null || :"), "", "is enabled")
        self.assertEqual(host.sh("cat /proc/[0-9]*/comm | grep popper || :"),
                         "", "runs")

    def _purged(self, before):
        host = self.host
        theirs = set(host.sh("cat /var/lib/dpkg/info/*.list").splitlines())
        # Where /lib is a link, a package may name its files by either path.
        theirs |= {"/usr" + p for p in theirs if re.match("/s?bin/|/lib", p)}
        left = [p for p in sorted(host.files() - before - theirs)
                if not NOT_OURS.search(p)]
        self.assertEqual(left, [])
        self.assertEqual(host.sh(
            "find / -xdev -ignore_readdir_race -iname '*popper*' "
            "! -path '/proc/*' ! -path '/tmp/*'"), "")
        # They stay: a uid must not come to somebody else.
        self.assertIn("/nonexistent", host.sh("getent passwd _popfront"))

    def test_upgrade_keeps_what_was_changed(self):
        host = self.host
        lower = debian.build(LOWER)[0] if LONG else debian.repack(DEB, LOWER)
        host.get(lower)
        self.assertIn(LOWER, host.sh("dpkg-query -W popper"))
        mine = host.read(CONF) + b"# mine\nhide_version = yes\n"
        host.write(CONF, mine)
        host.write("/etc/popper/deny", "eve\n")
        self.serve_alice()
        host.write("/var/lib/popper/bulletins/1.mine", "From x\n\nall\n")
        host.sh("chmod 700 /var/lib/popper")    # the operator's own idea
        ids = host.sh("id _popfront; id _popauth")
        state = host.state()
        said = host.get(DEB)
        self.assertNotIn("Configuration file", said)
        self.assertNotIn(LOWER, host.sh("dpkg-query -W popper"))
        self.assertEqual(host.read(CONF), mine)
        self.assertEqual(host.state(), state)
        self.assertEqual(host.sh("id _popfront; id _popauth"), ids)
        self.assertEqual(self.complaints(), ["xmit_command"])

    def test_upgrade_brings_what_was_not_changed(self):
        def other(tree):
            with open(tree + CONF, "a", encoding="utf-8") as f:
                f.write("# of the lower version\n")
        lower = debian.repack(DEB, LOWER + "+x", other)
        host = self.host
        host.get(lower)
        self.assertIn(b"lower version", host.read(CONF))
        host.get(DEB)
        self.assertNotIn(b"lower version", host.read(CONF))

    def test_purge_destroys_no_mail(self):
        """A journal that could not be finished is the operator's."""
        host = self.host
        host.get(DEB)
        journal = "/var/lib/popper/journal/1-2-ann"
        host.sh("mkdir -m 700 /var/lib/popper/journal")
        host.write(journal, "somebody's mail\n", 0o600)
        host.write("/var/lib/popper/journal/owner.1-2-ann", "x\n", 0o600)
        host.write("/var/lib/popper/scram-key", "secret\n", 0o600)
        self.assertIn("some maildrops wait", host.apt("remove", "popper"))
        self.assertIn("holds mail and is kept", host.apt("purge", "popper"))
        self.assertEqual(host.read(journal), b"somebody's mail\n")
        self.assertEqual(host.sh("ls /var/lib/popper"), "journal\n")
        host.get(DEB)
        host.sh("rm " + journal)
        host.apt("purge", "popper")
        self.assertFalse(host.exists("/var/lib/popper"))

    def test_password_file_instead_of_accounts(self):
        host = self.host
        host.get(DEB)
        host.write(CONF, "timeout = 600\nauth = file\nvirtual_user = mail\n"
                   "uid_min = 1\ngid_min = 1\nxmit = no\n"
                   "gids_denied = root\n")
        host.write("/etc/popper/users", "ann:{CRYPT}%s\n" % crypt("carrot"),
                   0o600)
        host.write("/var/mail/ann", MAIL, 0o660, "mail", "mail")
        with Serve(host), Pop(host.connect(110)) as pop:
            self.assertEqual(pop.login("ann", "carrot")[0], 3)
            pop.quit()


class Logrotate(unittest.TestCase):
    """With Debian's `create` around it; a script stands for systemctl, which
    would need a systemd."""

    LOG = "/var/log/popper/popper.log"
    SYSTEMCTL = """#!/bin/sh
echo "$*" >>/tmp/asked
case "$*" in
"--quiet is-active popper.service") exec test -e /run/popper.pid;;
"kill --signal=HUP --kill-who=main popper.service")
	exec kill -HUP "$(cat /run/popper.pid)";;
*) exit 1;;
esac
"""

    def setUp(self):
        self.host = host = Host(packages=[unpack("logrotate")])
        self.addCleanup(host.close)
        host.call(shutil.rmtree, "/etc/logrotate.d", True)
        with open(TOP + "/etc/logrotate.d/popper", encoding="utf-8") as f:
            host.write("/etc/logrotate.d/popper", f.read())
        host.write("/etc/logrotate.conf",
                   "weekly\ncreate\ninclude /etc/logrotate.d\n")
        host.mkdir("/var/log/popper", 0o750)
        host.write(CONF, "log = file\nlog_file = %s\npeer_check = no\n"
                   "trace_file = /var/log/popper/trace.log\n" % self.LOG)

    def rotate(self):
        r = self.host.run(["logrotate", "--force", "--state", "/tmp/state",
                           "/etc/logrotate.conf"])
        self.assertEqual((r.returncode, r.stdout + r.stderr), (0, b""))

    def told(self, path, text):
        deadline = time.monotonic() + 60
        while not self.host.exists(path) or text not in self.host.read(path):
            self.assertLess(time.monotonic(), deadline, text)
            time.sleep(0.02)

    def test_server_goes_on_in_the_new_file(self):
        host = self.host
        host.write("/usr/bin/systemctl", self.SYSTEMCTL, 0o755)
        host.mkdir("/run/systemd/system")
        host.write("/usr/bin/start-it", "#!/bin/sh\necho $$ >/run/popper.pid\n"
                   "exec /usr/sbin/popper serve\n", 0o755)
        process = host.popen(["/usr/bin/start-it"])
        self.addCleanup(process.stop)
        host.wait_port(110)
        self.told(self.LOG, b"listening")
        for _ in range(3):
            host.write("/tmp/asked", "")
            self.rotate()
            self.told(self.LOG, b"reloaded")
            self.assertNotIn(b"listening ", host.read(self.LOG))
            self.assertEqual(host.read("/tmp/asked").count(b"HUP"), 1)
            self.assertEqual(stat.S_IMODE(
                host.call(os.stat, self.LOG).st_mode), 0o600)
            with Pop(host.connect(110)) as pop:
                pop.quit()
            self.told("/var/log/popper/trace.log", b"dialogue")
        self.assertIn(b"reloaded", host.read(self.LOG + ".1"))
        self.assertTrue(host.exists(self.LOG + ".2.gz"))

    def test_without_a_server(self):
        """Under inetd, and without systemd."""
        host = self.host
        for line in (b"one", b"two"):
            host.write(self.LOG, line * 10, 0o600)
            self.rotate()
            self.assertEqual(host.read(self.LOG + ".1"), line * 10)
            self.assertEqual(host.read(self.LOG), b"")
            host.write("/usr/bin/systemctl", self.SYSTEMCTL, 0o755)
            host.mkdir("/run/systemd/system")
        self.assertEqual(host.read("/tmp/asked"),
                         b"--quiet is-active popper.service\n")


if __name__ == "__main__":
    unittest.main()
