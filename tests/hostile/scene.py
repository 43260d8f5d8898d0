# SPDX-License-Identifier: ISC
"""What the suites of this folder share: ann, eve, and a look at what changed."""

import os
import re
import shutil
import sys
import termios
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import spool                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, PopError, conf               # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
BASIC = {"peer_check": "no", "auth_fail_delay": "1", "lock_timeout": "1",
         "timeout": "30"}
CODE = re.compile(rb"\[(IN-USE|SYS/TEMP|SYS/PERM)\] [A-Z].*\.$")
FROM = b"From %s@example.org Thu Jan  2 03:04:05 2025\n"
MUTTRC = ("set folder=/home/ann\nset delete=yes\nset quit=yes\n"
          "set move=no\nset wait_key=no\n")
BOUND = 60              # seconds, any login whatever was prepared


def message(subject, body=b"text\n", fields=b"", sender=b"friend"):
    return FROM % sender + b"From: " + sender + b"@example.org\nSubject: " \
        + subject + b"\n" + fields + b"\n" + body + b"\n"


def texts(data):
    """What RETR must give for each message of a spool."""
    return [m.wire for m in spool.messages(data)]


def facts(path):
    """All that a change of a file could show, its time of reading apart."""
    st = os.lstat(path)
    with open(path, "rb") as f:
        data = f.read()
    return data, st.st_mode, st.st_uid, st.st_gid, st.st_nlink, \
        st.st_mtime_ns, st.st_ino


def tree(folder):
    """{name: (kind and mode, owner, size)} of all below a folder."""
    out = {}
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            st = os.lstat(os.path.join(top, name))
            size = 0 if os.path.isdir(os.path.join(top, name)) else st.st_size
            out[os.path.relpath(os.path.join(top, name), folder)] = (
                st.st_mode, st.st_uid, size)
    return out


def _clear(mode, gid, accounts):
    for name in ("/var/lib/popper/users", "/var/lib/popper/journal",
                 "/var/lib/bulletins"):
        shutil.rmtree(name, ignore_errors=True)
    for name in os.listdir("/var/mail"):
        _remove("/var/mail/" + name)
    os.chown("/var/mail", 0, gid)
    os.chmod("/var/mail", mode)
    for a in accounts:
        _remove(a.home)
        os.mkdir(a.home, 0o700)
        os.chown(a.home, a.uid, a.gid)


def _remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def mutt(host, keys, user="ann", program="mutt"):
    """The real mutt (or neomutt) on the user's spool, at a terminal of its own,
    is pressed these keys; gives its return code."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    p = host.popen([program, "-F", "/home/%s/.muttrc" % user, "-f",
                    "/var/mail/" + user, "-e", "push " + keys], user=user,
                   env={"TERM": "xterm"}, stdin=slave, stdout=slave,
                   stderr=slave)
    os.close(slave)
    screen = threading.Thread(target=_drain, args=(master,), daemon=True)
    screen.start()
    try:
        return p.wait(60)
    finally:
        p.stop(9)
        screen.join(5)
        os.close(master)


def _drain(fd):
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass


class Scene(unittest.TestCase):
    USERS = ("ann", "eve")
    OPTIONS = {}

    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        for name in cls.USERS:
            cls.host.add_user(name, password=name)
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def setUp(self):
        self.configure()
        self.clear()
        self.mark = self.host.syslog.mark()

    def configure(self, **options):
        self.host.write("/etc/popper/popper.conf",
                        conf(**{**BASIC, **self.OPTIONS, **options}))

    def root(self, script, *args):
        """A piece of shell as root within the host."""
        r = self.host.run(["sh", "-ec", script, "sh", *args])
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def clear(self, mode="2775", group="mail"):
        """No mail, empty homes, no state."""
        self.host.call(_clear, int(mode, 8), self.host.groups[group][0],
                       [self.host.account(name) for name in self.USERS])

    # -- sessions ----------------------------------------------------------

    def pop(self, user="ann"):
        pop = Pop(self.host.connect(110))
        self.addCleanup(pop.close)
        pop.login(user, user)
        return pop

    def session(self, user="ann", delete=()):
        """One whole session: the texts it showed, or the one -ERR to PASS.
        Bounded in either case."""
        began = time.monotonic()
        with Pop(self.host.connect(110)) as pop:
            pop.cmd("USER", user)
            try:
                pop.cmd("PASS", user)
            except PopError as e:
                self.assertRegex(e.args[0], CODE)
                pop.at_end()
                found = e.args[0]
            else:
                found = [pop.retr(n) for n in pop.list()]
                for n in delete:
                    pop.dele(n)
                pop.quit()
        self.inetd.wait()
        self.assertLess(time.monotonic() - began, BOUND)
        return found

    def refused(self, user="ann", word=b"[SYS/PERM]", log=None):
        """The login ends with that code; one line of the log tells why."""
        mark = self.host.syslog.mark()
        found = self.session(user)
        self.assertIsInstance(found, bytes, "a session was had")
        self.assertTrue(found.startswith(word), found)
        if log is not None:
            lines = self.host.syslog.wait(log, mark)
            self.assertEqual(len(lines), 1, lines)
        return found

    def put(self, user, data):
        self.host.spool(user, data)
        return texts(data)

    def no_locks(self, folder="/var/mail"):
        left = [n for n in self.host.call(os.listdir, folder)
                if n.endswith(".lock") or n.startswith(".lk")
                or n.startswith(".popper")]
        self.assertEqual(left, [])
