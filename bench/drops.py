# SPDX-License-Identifier: ISC
"""Large maildrops: a private host with one user, whose mail lies in a real file
system, as an mbox or as a Maildir.

A few patterns in turn make any number of messages: in a pattern the message's
number stands wherever MARK does (bench/mail.h), so that both ends can tell each
octet of each message, and none is like another.
"""

import os
import re
import shutil
import tempfile

from house import MAILDIR, MBOX, SYSTEM, House, stuffed
from lib.unpack import build_dir

MARK = b"#######"
PATTERNS = 7
FROM = b"From alice@example.net Mon Jan  1 12:00:00 2024\n"
FIRST_TIME = 1704110400         # of the first message's name
POPPER_INDEX = "/var/lib/popper/index"
NUMBERED_MAX = 100000           # octets; of larger ones there is but one


def pattern(which, octets, crlf=False):
    """The stored text of one: about so many octets, with dots at the start of
    lines, and the number in every tenth line.  crlf: without those dots, and
    with the line ends of the wire, which then is what is stored."""
    mark = MARK if octets <= NUMBERED_MAX else b"0000001"
    out = [b"From: alice@example.net\nTo: someone@example.org\n"
           b"Subject: Message " + mark + b"\nDate: Mon, 1 Jan 2024 12:00:00"
           b" +0000\nMessage-ID: <" + mark + b"@example.net>\n\n"
           b".profile begins with a dot\n..\n.\n>From a quoted one\n"]
    # Lengths differ, and with them what LIST says.
    room = octets + 40 * (which - PATTERNS // 2) - len(out[0])
    line = b"%06d The quick brown fox jumps over the lazy dog.\n"
    for n in range(max(0, -(-room // len(line % 0)))):
        out.append(line % (n % 1000000))
        if n % 10 == 0:
            out.append(b"Number " + mark + b"\n")
    text = b"".join(out)
    return wire(re.sub(rb"\n\.+", b"\n", text)) if crlf else text


def wire(text):
    """With CRLF, whatever it had."""
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Drop:
    """What is in a maildrop: pure."""

    def __init__(self, count, octets, crlf=False):
        self.count = count
        self.patterns = [pattern(k, octets, crlf)
                         for k in range(min(PATTERNS, max(1, count)))]
        self.sizes = [len(wire(p)) for p in self.patterns]

    def text(self, i):
        """As stored; i from 0."""
        return self.patterns[i % len(self.patterns)].replace(
            MARK, b"%07d" % (i + 1))

    @property
    def stat(self):
        whole, rest = divmod(self.count, len(self.patterns))
        return "%d %d" % (self.count, whole * sum(self.sizes)
                          + sum(self.sizes[:rest]))

    @property
    def wire_octets(self):
        return int(self.stat.split()[1])


class DropHouse(House):
    """One system user with a maildrop of `count` messages in `form`."""

    def __init__(self, form, count, octets, packages=(), crlf=False):
        self.form, self.first = form, count
        self.drop = Drop(count, octets, crlf and form == MAILDIR)
        hosts = os.path.join(build_dir(), "hosts")
        os.makedirs(hosts, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="store.", dir=hosts)
        os.chmod(self.folder, 0o755)    # as what stands for /home
        super().__init__(SYSTEM, 1, packages, store=self.folder + "/real")

    def close(self):
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def stat(self):
        return self.drop.stat

    @property
    def count(self):
        return self.drop.count

    def _lay_patterns(self, *_):
        self.mail = []
        for k, p in enumerate(self.drop.patterns):
            self.mail.append("/run/bench/mail.%d" % (k + 1))
            self.write(self.mail[-1], stuffed(wire(p)))

    def lay_mail(self):
        """The maildrop as new, an empty home folder, and no index; nothing of
        it is in memory, as far as that can be had."""
        self.drop.count = self.first
        self.call(_lay, self.form, self.names[0], self.uid(0), self.drop)

    def deliver(self):
        """One more message."""
        self.drop.count += 1
        self.call(_deliver, self.form, self.names[0], self.uid(0), self.drop)

    def emptied(self):
        """The user has deleted all of it."""
        self.drop.count = 0


def _lay(form, name, uid, drop):
    home, spool = "/home/" + name, "/var/mail/" + name
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(POPPER_INDEX, ignore_errors=True)
    os.mkdir(home, 0o700)
    paths = [spool]
    with open(spool + ".~new", "wb", buffering=1 << 20) as f:
        for i in range(drop.count if form == MBOX else 0):
            f.write(FROM + drop.text(i) + b"\n")
    os.chown(spool + ".~new", uid, 8)
    os.chmod(spool + ".~new", 0o660)
    os.rename(spool + ".~new", spool)
    if form == MAILDIR:
        for folder in ("", "/cur", "/new", "/tmp"):
            os.mkdir(home + "/Maildir" + folder, 0o700)
        paths += [_put(home + "/Maildir/cur/%s:2,", drop, i, uid)
                  for i in range(drop.count)]
    for folder, _, _ in os.walk(home):
        os.chown(folder, uid, uid)
    os.sync()
    for path in paths:
        _forget(path)


def _put(where, drop, i, uid):
    """As a delivery agent names it that knows of no sizes."""
    path = where % ("%d.M%06dP1.pophost" % (FIRST_TIME + i, i % 1000000))
    with open(path, "wb") as f:
        f.write(drop.text(i))
        os.fchown(f.fileno(), uid, uid)
    return path


def _forget(path):
    """What the kernel has of a file's content."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def _deliver(form, name, uid, drop):
    i = drop.count - 1
    if form == MAILDIR:
        _put("/home/" + name + "/Maildir/new/%s", drop, i, uid)
        return
    with open("/var/mail/" + name, "ab") as f:
        f.write(FROM + drop.text(i) + b"\n")
