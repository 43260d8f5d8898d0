# SPDX-License-Identifier: ISC
"""One user's maildrop in a folder of its own, popper over it, and the judge.

Nothing here asks popper what it thinks: the spool is read as a file, by
lib/spool.py, and messages are told apart by a header of our own (X-Id).
"""

import fcntl
import functools
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from lib.flavour import REPORT_VARIABLE
from lib.host import binary, build_dir
from lib.popper import Pop, PopError, conf
from lib.spool import messages, wire

UID, FRONT_UID, AUTH_UID, MAIL_GID = 61001, 61990, 61991, 8
USER, PASSWORD = "ann", "secret"
INJECT = os.path.join(build_dir(), "tests/crash/inject")

STATUS = re.compile(rb"(?im)^(X-)?Status:.*\r?\n")
ID = re.compile(rb"(?m)^X-Id: (\S+)\r?$")


@functools.lru_cache(64)
def message(name, text=b"", size=0):
    """A message as it lies in a spool; size pads its body."""
    body = b"Body of %s\n%s" % (name, text)
    body += b"".join(b"%07d of %s %s\n" % (i, name, b"." * 980)
                     for i in range(0, size - len(body), 1000))
    return (b"From %s@example.net Mon Jan  1 12:00:00 2024\n"
            b"From: %s@example.net\nTo: ann@example.org\nSubject: %s\n"
            b"X-Id: %s\n\n%s\n" % (name, name, name, name, body))


def bulletin(name):
    """(as published, as a user gets it)."""
    text = message(name)
    return (text.replace(b"To: ann@example.org", b"Status: RO\nTo: all"),
            text.replace(b"To: ann@example.org",
                         b"To: ann@pophost.example.org"))


def name_of(text):
    found = ID.findall(text.partition(b"\r\n\r\n" if b"\r\n" in text
                                      else b"\n\n")[0])
    if len(found) != 1:
        raise AssertionError("a message without one X-Id: %r" % text[:300])
    return found[0]


def bare(text):
    """Without the header lines that mail programs write."""
    head, sep, body = text.partition(b"\n\n")
    return STATUS.sub(b"", head + b"\n") + sep[1:] + body


def parse(data):
    """[(name, From_ line and text without Status)] of a spool that must be
    whole to the last octet."""
    found = messages(data)
    if b"".join(m.from_line + m.disk + b"\n" for m in found) != data:
        raise AssertionError("the spool ends oddly: %r" % data[-200:])
    return [(name_of(m.disk), bare(m.from_line + m.disk + b"\n"))
            for m in found]


def is_alive(pid):
    """Init may not have seen yet that one has died."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Held(Exception):
    """Somebody has the dotlock; args[0] is what it holds."""


class Outcome:
    """Of one session under the injector."""

    def __init__(self):
        self.reply = None           # to the command that began the phase
        self.report = []

    def points(self):
        return [line.split(" ", 3)[3] for line in self.report
                if line.startswith("point ")]

    def struck(self):
        return [line for line in self.report if line.startswith("strike ")]


class Scene:
    """The folders of a host with one user; remove() when done."""

    own_folder = False      # the spool lies in a folder of the user's

    def __init__(self, base=None, single=False, own_folder=False, aside=None,
                 **options):
        """aside: a folder for the log and reports, when base may fill up."""
        self.base = tempfile.mkdtemp(prefix="crash.", dir=base)
        self.aside = aside or self.base
        os.chmod(self.base, 0o755)
        self.single = single
        self.own_folder = own_folder or single
        self.home = self._folder("home", 0o700, UID, UID)
        self.bull = self._folder("bull", 0o755)
        for name in ("state", "run"):
            self._folder(name, 0o711, *((UID, UID) if single else ()))
        self._folder("empty", 0o755)
        if self.own_folder:
            self.spool_dir = self._folder("spool", 0o755, UID, UID)
        else:
            self.spool_dir = self._folder("spool", 0o2775, 0, MAIL_GID)
        self.spool = os.path.join(self.spool_dir, USER)
        self.lock = self.spool + ".lock"
        self.conf = self._file("popper.conf", conf(**{**dict(
            isolation="single" if single else "split",
            hostname="pophost.example.org", peer_check="no",
            front_user="%d:%d" % (FRONT_UID, FRONT_UID),
            auth_user="%d:%d" % (AUTH_UID, AUTH_UID),
            chroot_dir=self.base + "/empty", state_dir=self.base + "/state",
            run_dir=self.base + "/run", auth="file",
            passwd_file=self.base + "/users", auth_fail_delay=0,
            shell_check="no", deny_file=self.base + "/deny",
            maildrop=self.spool_dir + "/%u", bulletins=self.bull,
            log="file", log_file=self.aside + "/log", drain_timeout=1,
            lock_timeout=2, uid_max=65000, xmit_command="/bin/true"),
            **options}))
        self._file("users", "%s:{PLAIN}%s:%d:%d::%s:/bin/sh:\n"
                   % (USER, PASSWORD, UID, UID, self.home))
        for name in ("/log", "/sanitizers"):
            with open(self.aside + name, "w", encoding="ascii"):
                pass
        os.chmod(self.aside + "/sanitizers", 0o666)
        self.env = dict(os.environ,
                        **{REPORT_VARIABLE: self.aside + "/sanitizers"})
        for path in (self.aside + "/log", self.base + "/users"):
            os.chmod(path, 0o600)
            if single:
                os.chown(path, UID, UID)

    def _folder(self, name, mode, uid=0, gid=0):
        path = os.path.join(self.base, name)
        os.mkdir(path)
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        return path

    def _file(self, name, text):
        path = os.path.join(self.base, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def remove(self):
        """Ends all.  A sanitizer's report is an error."""
        with open(self.aside + "/sanitizers", encoding="utf-8",
                  errors="replace") as f:
            report = f.read()
        shutil.rmtree(self.base)
        if report:
            raise AssertionError("a sanitizer reports:\n" + report)

    # -- what lies there --------------------------------------------------

    def read(self):
        try:
            with open(self.spool, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def put(self, texts, path=None):
        """A spool as Debian's MTAs make it."""
        path = path or self.spool
        with open(path, "wb") as f:
            f.write(b"".join(texts))
        os.chown(path, UID, MAIL_GID)
        os.chmod(path, 0o660)

    def publish(self, number, name):
        published, delivered = bulletin(name)
        with open(os.path.join(self.bull, "%d.%s" % (number, name.decode())),
                  "wb") as f:
            f.write(published)
        return delivered

    def seed_popbull(self, number):
        path = os.path.join(self.home, ".popbull")
        with open(path, "w", encoding="ascii") as f:
            f.write("%d\n" % number)
        os.chown(path, UID, UID)
        os.chmod(path, 0o600)

    def popbull(self):
        with open(os.path.join(self.home, ".popbull"), encoding="ascii") as f:
            return int(f.read())

    def log(self):
        with open(os.path.join(self.aside, "log"), encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    def journals(self):
        """{name: octets} of the journals that hold something."""
        folder = os.path.join(self.base, "state/journal")
        if not os.path.isdir(folder):
            return {}
        return {n: os.path.getsize(os.path.join(folder, n))
                for n in os.listdir(folder)
                if not n.startswith(("owner.", "reserve", "."))
                and os.path.getsize(os.path.join(folder, n)) > 0}

    def litter(self, crashed=False):
        """What must not stay behind once all is well.  crashed: the small
        file that was about to get its name may lie there."""
        mine = {USER, ".%s.pop" % USER, ".popbull"}
        found = [n for folder in (self.spool_dir, self.home)
                 for n in os.listdir(folder) if n not in mine]
        if crashed:
            found = [n for n in found if not re.fullmatch(
                r"\.lk\d+\.[0-9a-f]+|\.popper-[0-9a-f]+", n)]
        return found + sorted(self.journals())

    # -- other programs ---------------------------------------------------

    def dotlock(self):
        """What the dotlock holds, or None."""
        try:
            with open(self.lock, "rb") as f:
                return f.read().split(b"\n")[0].strip(b"\0 ")
        except FileNotFoundError:
            return None

    def _take(self, breaking):
        try:
            fd = os.open(self.lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
                         0o644)
        except FileExistsError:
            pid = self.dotlock()
            alive = pid in (b"0", b"") or pid and is_alive(int(pid))
            if alive and not breaking:
                raise Held(pid) from None
            os.unlink(self.lock)
            fd = os.open(self.lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
                         0o644)
        os.write(fd, b"%d\n" % os.getpid())
        os.close(fd)

    def locked(self, function, breaking=False):
        """function(file) while holding both locks as liblockfile and fcntl
        give them.  Held when there is a live or immortal dotlock; breaking:
        it is older than anybody waits."""
        self._take(breaking)
        try:
            fd = os.open(self.spool, os.O_RDWR | os.O_CREAT, 0o660)
            with os.fdopen(fd, "r+b") as f:
                fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(f.fileno()).st_uid != UID:
                    os.fchown(f.fileno(), UID, MAIL_GID)
                function(f)
        finally:
            os.unlink(self.lock)

    def deliver(self, text, breaking=False):
        """As an MTA does: append."""
        def append(f):
            f.seek(0, os.SEEK_END)
            f.write(text)
        self.locked(append, breaking)

    def rewrite(self, change, rename=False):
        """As a mail reader does: change(data) -> data."""
        def write(f):
            data = change(f.read())
            if rename:
                self.put([data], self.spool + ".new")
                os.rename(self.spool + ".new", self.spool)
                return
            f.seek(0)
            f.write(data)
            f.truncate()
        self.locked(write)

    # -- popper -----------------------------------------------------------

    def argv(self, *words):
        head = []
        if self.single:
            head = ["setpriv", "--reuid=%d" % UID, "--regid=%d" % UID,
                    "--clear-groups", "--"]
        return head + [binary(), *words, "--config", self.conf]

    def start(self, *injector):
        """(client, process, report): a session on a socket; injector: its
        options, none to run without."""
        ours, theirs = socket.socketpair()
        report = None
        argv = self.argv()
        if injector:
            report = os.path.join(self.aside, "report")
            argv = [INJECT, "--report", report, *injector, "--", *argv]
        process = subprocess.Popen(argv, env=self.env, stdin=theirs,
                                   stdout=theirs,
                                   stderr=subprocess.DEVNULL)
        theirs.close()
        return ours, process, report

    def session(self, talk, *injector):
        """talk(pop, outcome) with a session; gives the outcome."""
        out = Outcome()
        ours, process, report = self.start(*injector)
        try:
            with Pop(ours, timeout=120) as pop:
                talk(pop, out)
        except (EOFError, ConnectionError):
            if not injector:
                raise
        finally:
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError("popper does not end") from None
        if report:
            with open(report, encoding="utf-8", errors="replace") as f:
                out.report = f.read().splitlines()
            if "timeout" in out.report:
                raise AssertionError("popper hung")
        return out

    def recover(self, *injector, quick=False):
        """popper recover: (return code, report)."""
        argv = self.argv("recover", *["--quick"] * quick)
        report = os.path.join(self.aside, "report")
        if injector:
            argv = [INJECT, "--report", report, *injector, "--", *argv]
        r = subprocess.run(argv, check=False, timeout=120, env=self.env,
                           stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        if not injector:
            return r.returncode, []
        with open(report, encoding="utf-8", errors="replace") as f:
            return r.returncode, f.read().splitlines()

    def look(self):
        """What a client sees: [(name, unique-id, text without Status)].
        Its QUIT writes Status lines and bulletins."""
        seen = []

        def talk(pop, _):
            pop.login(USER, PASSWORD)
            ids = pop.uidl()
            for n in sorted(ids):
                text = pop.retr(n)
                seen.append((name_of(text), ids[n],
                             bare(text.replace(b"\r\n", b"\n"))))
            pop.quit()
        deadline = time.monotonic() + 120
        while True:
            try:
                self.session(talk)
                return seen
            except PopError as e:
                # The last session's processes may still be at work.
                if b"[IN-USE]" not in e.args[0] \
                        or time.monotonic() > deadline:
                    raise
                seen.clear()
                time.sleep(0.05)


def as_seen(text):
    """What a client gets of a stored message, with LF."""
    return bare(wire(text.partition(b"\n")[2][:-1]).replace(b"\r\n", b"\n"))
