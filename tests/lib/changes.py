# SPDX-License-Identifier: ISC
"""What other programs make of a spool, and how they write it.

A change is make(rng, pieces) -> pieces; a way to write it is write(path, old, new),
the octets of before and of afterwards.
"""

import contextlib
import fcntl
import os
import random
import re
import time

from lib import spool

STALE = 1               # seconds; nobody that lives holds a dotlock for so long here
FROM = b"From friend@example.org Thu Jan  2 03:04:05 2025\n"
MUTABLE = re.compile(rb"^(?:X-)?Status: .*\n", re.M)


@contextlib.contextmanager
def locked(path, stale):
    """As Debian Policy 11.6 has it: fcntl, then the dotlock.  One that is so many
    seconds old is a dead program's."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o660)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX)
            os.close(os.open(path + ".lock",
                             os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            os.close(fd)
            _break(path + ".lock", stale)
            continue
        try:
            if os.fstat(fd).st_ino == os.stat(path).st_ino:
                yield fd
                return
        finally:
            os.close(fd)
            os.unlink(path + ".lock")


def _break(lock, stale):
    time.sleep(0.01 * random.random())
    with contextlib.suppress(FileNotFoundError):
        if time.time() - os.stat(lock).st_mtime > stale:
            os.unlink(lock)


def write_all(fd, data, at):
    while data:
        n = os.pwrite(fd, data, at)
        data, at = data[n:], at + n


def append(rng, parts):
    n = rng.randrange(1 << 30)
    return [*parts, FROM + b"Subject: new %d\n\n" % n
            + b"news\n" * rng.randrange(99) + b"\n"]


def drop(rng, parts):
    return [p for p in parts if rng.random() < 0.7]


def shuffle(rng, parts):
    return rng.sample(parts, len(parts))


def mark(rng, parts):
    def marked(part):
        head, blank, body = part.partition(b"\n\n")
        head = MUTABLE.sub(b"", head + b"\n")
        return head + b"Status: RO\nX-Status: A" + blank + body
    return [marked(p) if b"\n\n" in p and rng.random() < 0.5 else p
            for p in parts]


def alter(rng, parts):
    """One octet each, the size stays."""
    def altered(part):
        at = part.find(b"text", rng.randrange(len(part) // 2 + 1))
        return part if at < 0 else part[:at] + b"T" + part[at + 1:]
    return [altered(p) if rng.random() < 0.5 else p for p in parts]


def cut_out(rng, parts):
    return [p[:-len(p) // 4].rstrip(b"\n") + b"\n[removed]\n\n"
            if len(p) > 400 and rng.random() < 0.3 else p for p in parts]


def truncate(rng, parts):
    """To what is a mailbox still."""
    data = b"".join(parts)
    n = rng.randrange(len(data) + 1)
    return spool.pieces(data[:n])[1] if n > data.find(b"\n") else []


def empty(_rng, _parts):
    return []


def nothing(_rng, parts):
    return parts


MAKES = (append, append, append, drop, shuffle, mark, alter, cut_out, truncate,
         empty, nothing)


def write_append(path, old, new):
    with open(path, "ab") as f:
        f.write(new[len(old):])


def write_in_place(path, _old, new):
    with open(path, "r+b") as f:
        f.write(new)
        f.truncate()


def write_over(path, _old, new):
    with open(path, "wb") as f:
        f.write(new)


def write_times(path, _old, new):
    """And hides it, but for the inode's own time."""
    st = os.stat(path)
    write_in_place(path, _old, new)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def write_aside(path, _old, new):
    st = os.stat(path)
    _write_new(path + ".new", new, st)
    os.rename(path + ".new", path)


def write_anew(path, _old, new):
    st = os.stat(path)
    os.unlink(path)
    _write_new(path, new, st)


def _write_new(path, new, st):
    with open(path, "wb") as f:
        f.write(new)
    os.chown(path, st.st_uid, st.st_gid)
    os.chmod(path, st.st_mode)


def write_locked(path, _old, new):
    with locked(path, STALE) as fd:
        write_all(fd, new, 0)
        os.ftruncate(fd, len(new))


def write_aside_locked(path, old, new):
    with locked(path, STALE):
        write_aside(path, old, new)


WRITES = (write_in_place, write_over, write_times, write_aside, write_anew,
          write_locked, write_aside_locked)
