# SPDX-License-Identifier: ISC
"""The world of one dialogue: a folder with spools, password file, popper.conf
and what else it names; and what a client must be told, worked out from the
spool files without popper.
"""

import os
import pwd
import re
import shutil
import tempfile

from lib import nasty, spool
from lib.host import modules

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = os.path.join(HERE, "files")
WHEN = 1700000000               # the age of every file

# Run as root, the dialogues use a user who has nothing.
NOBODYS_UID = 54321


def free_uid(uid=NOBODYS_UID):
    taken = {p.pw_uid for p in pwd.getpwall()}
    while uid in taken:
        uid += 1
    return uid


def identity():
    """(uid, gid) that popper runs as."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    return free_uid(), free_uid()


def load(name):
    if name == "nasty":
        return nasty.mbox()
    with open(os.path.join(FILES, name), "rb") as f:
        return f.read()


def stuffed(text):
    """As a multi-line reply, with the final line."""
    return re.sub(rb"(\A|\n)\.", rb"\1..", text) + b".\r\n"


class Fixture:
    def __init__(self, dialogue, popper):
        self.dialogue = dialogue
        self.uid, self.gid = identity()
        self.folder = tempfile.mkdtemp(prefix="popper-flow-")
        os.chmod(self.folder, 0o711)
        self.popper = shutil.copy(popper, self._path("popper"))
        for module in modules(popper):
            shutil.copy(module, self.folder)
        self.before, self.known = {}, {}
        self.split, self.server = False, None
        for name in ("spool", "home", "state", "run", "tmp", "empty"):
            os.mkdir(self._path(name))
        for user, source in dialogue.spools.items():
            self.before[user] = load(source)
            self._write("spool/" + user, self.before[user], 0o600)
        self._write("shells", b"/bin/sh\n", 0o644)
        self._write("deny", b"", 0o644)
        self._write("users", "".join(
            "%s:%s:%d:%d::%s:/bin/sh:\n" % (
                user, secret, self.uid, self.gid, self._path("home"))
            for user, secret in dialogue.users.items()).encode(), 0o600)
        for name, source in dialogue.files.items():
            source, _, mode = source.partition(" ")
            self._write(name, load(source), int(mode or "755", 8))
        self._write("popper.conf", self._conf(), 0o644)
        self._give()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, data, mode):
        path = self._path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data.replace(b"@DIR@", self.folder.encode()))
        os.chmod(path, mode)
        os.utime(path, (WHEN, WHEN))

    def _conf(self):
        rows = {
            "isolation": "single", "auth": "file", "passwd_file": "users",
            "shells_file": "shells", "deny_file": "deny",
            "maildrop": self._path("spool/%u"), "hostname": "pop.example.org",
            "state_dir": "state", "run_dir": "run", "temp_dir": "tmp",
            "chroot_dir": "empty", "log": "file", "log_file": "log",
            "auth_fail_delay": "0", "peer_check": "no",
            "uid_min": self.uid, "uid_max": self.uid, "gid_min": self.gid,
            "lock_timeout": "2", "xmit_command": self._path("sendmail"),
        }
        rows.update(self.dialogue.options)
        return "".join("%s = %s\n" % row for row in rows.items()).replace(
            "@DIR@", self.folder).encode()

    def divide(self, *rows):
        """Before popper starts: it is root, and one process of several."""
        self.split = True
        front = free_uid(self.uid + 1)
        judge = free_uid(front + 1)
        conf = self.read("popper.conf").decode()
        rows = ("isolation = split", "front_user = %d:%d" % (front, front),
                "auth_user = %d:%d" % (judge, judge), *rows)
        self._write("popper.conf", (conf.replace(
            "isolation = single\n", "") + "".join(
                row + "\n" for row in rows if row + "\n" not in conf)).encode(),
            0o644)
        for name in os.listdir(self.folder):
            if name not in ("spool", "home") and not name.endswith(".mbox"):
                os.chown(self._path(name), 0, 0)

    def _give(self):
        if os.geteuid() == 0:
            for folder, _, files in os.walk(self.folder):
                for name in [folder] + [os.path.join(folder, f)
                                        for f in files]:
                    os.chown(name, self.uid, self.gid)

    def add(self, name, data, *rows):
        """A file more, and rows of popper.conf, each once."""
        self._write(name, data, 0o600)
        conf = self.read("popper.conf").decode()
        self._write("popper.conf", (conf + "".join(
            row + "\n" for row in rows if row + "\n" not in conf)).encode(),
            0o644)
        self._give()

    def become(self):
        """In the child, before popper: the user who owns all this."""
        if os.geteuid() == 0 and not self.split:
            os.setgroups([])
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)

    def argv(self, *words):
        return [self.popper, *words, "--config", self._path("popper.conf"),
                *(a.replace("@DIR@", self.folder)
                  for a in self.dialogue.args)]

    def remove(self):
        shutil.rmtree(self.folder)

    # -- what a client must be told ---------------------------------------

    def messages(self, user="ann"):
        if user not in self.known:
            self.known[user] = spool.messages(self.before.get(user, b""))
        return self.known[user]

    def names(self):
        """For the expressions in a dialogue."""
        def octets(*numbers, user="ann"):
            return sum(len(self.messages(user)[n - 1].wire) for n in numbers)

        def count(user="ann"):
            return len(self.messages(user))

        def total(user="ann"):
            return sum(len(m.wire) for m in self.messages(user))

        def message(n, user="ann"):
            return stuffed(self.messages(user)[n - 1].wire)

        def top(n, lines, user="ann"):
            head, blank, body = self.messages(user)[n - 1].wire.partition(
                b"\r\n\r\n")
            first = b"".join(re.findall(rb"[^\n]*\n", body)[:lines])
            return stuffed(head + blank + first)

        def scan(user="ann"):
            return "".join(
                "%d %d\r\n" % (i, len(m.wire)) for i, m in
                enumerate(self.messages(user), 1)).encode() + b".\r\n"

        return {"octets": octets, "count": count, "total": total,
                "message": message, "top": top, "scan": scan}

    # -- the world goes on ------------------------------------------------

    def append(self, user, source):
        with open(self._path("spool/" + user), "ab") as f:
            f.write(load(source))

    def replace(self, user, source):
        with open(self._path("spool/" + user), "wb") as f:
            f.write(load(source))

    def read(self, name):
        try:
            with open(self._path(name), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def left(self, user, expected):
        """Complaint, or None.  Status lines are popper's to write."""
        def bare(m):
            return re.sub(rb"(?im)^(?:X-)?Status:.*\n", b"", m.disk)
        names = expected.split()
        want = [self.messages(user)[int(n) - 1] if n.isdigit() else
                spool.messages(load(n))[0] for n in names]
        have = spool.messages(self.read("spool/" + user) or b"")
        if [bare(m) for m in have] != [bare(m) for m in want]:
            return "%d messages are left, not just %s: %r" % (
                len(have), expected, [m.wire[:60] for m in have])
        return None

    def same(self, user):
        return None if self.read("spool/" + user) == self.before.get(user) \
            else "the spool of %s has changed" % user
