# SPDX-License-Identifier: ISC
"""The maildrop of a walk, as a file or a folder of a private host: what lies there,
what other programs make of it, what a session must show, and what its QUIT may have
changed.  Nothing here asks popper.
"""

import contextlib
import functools
import itertools
import os
import re
import shutil
import sys
import time
from collections import Counter
from typing import BinaryIO, NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import changes, spool                                  # noqa: E402

MUTABLE = re.compile(
    rb"^(?:Status|X-Status|X-Keywords|X-UID|X-UIDL|X-IMAP|X-IMAPbase|"
    rb"Content-Length|Lines):[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*",
    re.I | re.M)
STATUS = re.compile(rb"^Status:.*\n?(?:[ \t].*\n?)*", re.I | re.M)
SIGNS = (rb"^Subject:.*DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA",
         rb"^From:.*Mail System Internal Data", rb"^X-IMAP:")
IN_MEMORY = 32 << 10            # octets; a longer spool is read in place


class Shown(NamedTuple):
    """A message of a session."""
    who: bytes                  # its identity: twins have the same
    wire: bytes
    raw: bytes                  # as it was stored


def _halves(text):
    """Header and body; the blank line is the body's."""
    m = re.search(rb"(?:\A|\n)(?=\r?\n)", text)
    at = m.end() if m else len(text)
    return text[:at], text[at:]


def _with_end(text):
    return text if not text or text.endswith(b"\n") else \
        text + (b"\r\n" if text.endswith(b"\r") else b"\n")


@functools.lru_cache(4096)
def identity(piece):
    """What stays the same when mail programs mark a message."""
    m = spool.message(piece)
    head, body = _halves(_with_end(m.disk))
    return m.from_line.rstrip(b"\r\n") + b"\n" + MUTABLE.sub(b"", head) + body


def unmarked(piece):
    """All of it but Status: fields."""
    head, body = _halves(piece)
    return STATUS.sub(b"", head) + body


def is_pseudo(piece):
    head, _ = _halves(spool.message(piece).disk)
    return sum(bool(re.search(sign, head, re.I | re.M)) for sign in SIGNS) > 1


class Held(NamedTuple):
    """A spool at a login, whatever becomes of its name."""
    file: BinaryIO
    messages: Counter           # of spool.Message


class Mbox:
    """The spool of ann."""

    KIND = "mbox"

    def __init__(self, root, path, owner):
        self.root, self.name, self.owner = root, path, owner
        self.path = root + path

    def clear(self):
        if os.path.lexists(self.path):
            os.unlink(self.path)

    remove = clear

    def read(self):
        try:
            with open(self.path, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def pieces(self):
        return spool.pieces(self.read())[1]

    def is_good(self):
        try:
            self.pieces()
        except ValueError:
            return False
        return True

    def _write(self, data):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "wb") as f:
            f.write(data)
        os.chown(self.path, *self.owner)
        os.chmod(self.path, 0o660)

    def stock(self, rng, letters):
        """Mostly more than is copied into memory, so that there is an index."""
        text = b"Subject: large\n\n" + b"large\n" * 6000 + b"\n"
        if rng.random() < 0.7:
            self._write(b"".join([letters.letter() for _ in range(9)]
                                 + [letters.from_line() + text]
                                 + [letters.letter() for _ in range(9)]))

    # -- other programs ---------------------------------------------------

    def deliver(self, rng, letters):
        """Under the locks; most MTAs see to it that the last line ends."""
        new = letters.letter()
        old = self.read()
        if old and not old.endswith(b"\n") and rng.random() < 0.7:
            new = b"\n\n" + new
        if old and rng.random() < 0.05:
            new += self.twin(rng)
        try:
            if not os.path.exists(self.path):
                self._write(b"")
            with changes.locked(self.path, changes.STALE) as fd:
                self._append(fd, new, len(old))
        except OSError:
            return "deliver, no room"
        return "deliver"

    def append(self, new, seconds):
        """After so many."""
        time.sleep(seconds)
        with changes.locked(self.path, changes.STALE) as fd:
            self._append(fd, new, os.fstat(fd).st_size)

    @staticmethod
    def _append(fd, new, size):
        try:
            changes.write_all(fd, new, size)
        except OSError:
            os.ftruncate(fd, size)
            raise

    def twin(self, rng):
        try:
            return rng.choice(self.pieces() or [b""])
        except ValueError:
            return b""

    def change(self, rng, letters):
        """Another program comes, and heeds locks or not."""
        if not os.path.exists(self.path) or not self.is_good():
            self._write(b"")
            return "anew"
        old = self.read()
        make = rng.choice(changes.MAKES)
        new = b"".join(make(rng, self.pieces()))
        write = rng.choice(changes.WRITES)
        if make is changes.append:
            new = old + letters.letter()
            write = changes.write_append
        try:
            write(self.path, old, new)
        except OSError:
            self._write(old)
            return "change, no room"
        return "%s, %s" % (make.__name__, write.__name__)

    def altered(self, old, new):
        """Identities in `new`, octets, of which an index of `old` need not know: what
        stands before a message that is where it was (docs/design/mbox.md, 104)."""
        was, now = self._places(old), self._places(new)
        still = [at for at in was.keys() & now.keys()
                 if identity(was[at]) == identity(now[at])]
        return {identity(piece) for at, piece in now.items()
                if at < max(still, default=0) and was.get(at) != piece}

    @staticmethod
    def _places(data):
        """{offset: octets} of each message."""
        try:
            head, pieces = spool.pieces(data)
        except ValueError:
            return {}
        ends = itertools.accumulate(map(len, pieces), initial=len(head))
        return dict(zip(ends, pieces))

    def spoil(self, rng):
        """It is removed; or no mailbox any more."""
        if rng.random() < 0.5:
            self.clear()
            return "remove"
        with open(self.path, "a+b") as f:
            f.seek(0)
            data = f.read()
        self._write(b"no mailbox\n" + data)
        return "foreign"

    def unlock(self):
        """What others do after five minutes: a full disk has no room for a pid."""
        lock = self.path + ".lock"
        with contextlib.suppress(FileNotFoundError):    # recovery may be at work
            if os.path.getsize(lock) == 0:
                os.unlink(lock)

    # -- what a session has -----------------------------------------------

    def hidden(self):
        """Identities of what is not shown: c-client's own message."""
        return [identity(p) for p in self.pieces()[:1] if is_pseudo(p)]

    def shown(self):
        return [Shown(identity(p), spool.message(p).wire, p)
                for p in self.pieces()[len(self.hidden()):]]

    def hold(self):
        if not os.path.exists(self.path):
            return None
        return Held(open(self.path, "rb"), Counter(map(spool.message, self.pieces())))

    @staticmethod
    def is_small(held):
        """Too small for an index."""
        return held is None or os.fstat(held.file.fileno()).st_size <= IN_MEMORY

    def is_copied(self, held, options):
        return options["temp_maildrop"] == "always" or self.is_small(held)

    def may_refuse(self, message, nth, held):
        """In place: it, of twins the nth, is not there any more as it was.  A file that
        has lost its name is read on as long as it has all that it had."""
        if self._messages(self.read())[spool.message(message.raw)] >= nth:
            return False
        return bool(held.messages - self._messages(
            os.pread(held.file.fileno(), 1 << 30, 0)))

    @staticmethod
    def _messages(data):
        try:
            return Counter(map(spool.message, spool.pieces(data)[1]))
        except ValueError:
            return Counter()

    # -- what UPDATE did ----------------------------------------------------

    @staticmethod
    def state(data):
        return spool.pieces(data)[1]

    def judge(self, before, after, session):
        """What is wrong with `after`, octets, if `before` was there at QUIT and all
        was done that the session asked for; None: nothing."""
        head, now = spool.pieces(before)
        kept = self._kept(now, session)
        out_head, out = spool.pieces(after)
        extra = session.extra_kept()
        if head and out and now and out_head != head:
            return "what is before the first message"
        if extra:
            got = [identity(p) for p in out[len(out) - len(extra):]]
            if got != [m.who for m in extra]:
                return "bulletins"
            out = out[:len(out) - len(extra)]
        return self._compare(now, out, kept, session, bool(extra))

    @staticmethod
    def _kept(now, session):
        """{identity: how many must be left}."""
        old = Counter(m.who for m in session.messages)
        gone = Counter(m.who for m in session.deleted_messages())
        there = Counter(map(identity, now))
        first = identity(now[0]) if now and is_pseudo(now[0]) else None
        kept = {}
        for who, n in there.items():
            want = old[who] - gone[who]
            kept[who] = n - gone[who] if n >= old[who] else \
                max(min(n, want), n - gone[who])
        if first is not None:
            kept[first] = max(kept[first], 1)
        return kept

    @staticmethod
    def _compare(now, out, kept, session, gap):
        if Counter(map(identity, out)) != Counter(
                {who: n for who, n in kept.items() if n > 0}):
            return "not these messages"
        seen = {m.who for m in session.retrieved_messages()} \
            if session.status else set()
        twins = {who for who, n in Counter(map(identity, now)).items() if n > 1}
        at = iter(now)
        for i, piece in enumerate(out):
            who = identity(piece)
            was = next((p for p in at if identity(p) == who), None)
            if was is None:
                return "the order"
            if who in twins:
                continue                # it may be another one of them
            if who in seen:
                was, piece = unmarked(was), unmarked(piece)
            if gap and i + 1 == len(out):
                was, piece = was.rstrip(b"\r\n"), piece.rstrip(b"\r\n")
            if piece != was:
                return "octets of %r: %r" % (was[-200:], piece[-200:])
        return None


class Maildir:
    """The same of a folder; what stands before a file's colon is a message."""

    KIND = "Maildir"

    def __init__(self, root, path, owner):
        self.root, self.name, self.owner = root, path, owner
        self.path = root + path
        self.time = 1700000000

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def clear(self):
        self.remove()
        for part in ("", "cur", "new", "tmp"):
            os.mkdir(self.path + part, 0o700)
            os.chown(self.path + part, *self.owner)

    def files(self):
        """{base name: path} of what is a message."""
        out = {}
        for part in ("new/", "cur/"):
            for name in os.listdir(self.path + part):
                path = self.path + part + name
                base = name.partition(":")[0]
                if not name.startswith(".") and os.path.isfile(path) \
                        and not os.path.islink(path):
                    out[base] = path
        return out

    def read(self):
        """{base name: (octets, which file it is, seen)}."""
        out = {}
        for base, path in self.files().items():
            with open(path, "rb") as f:
                flags = path.rpartition(":2,")[2] if ":2," in path else ""
                st = os.fstat(f.fileno())
                out[base] = (f.read(), (st.st_ino, st.st_mtime_ns),
                             "S" in flags)
        return out

    @staticmethod
    def is_good():
        return True

    def stock(self, rng, letters):
        """Folders of which an index is kept: they grow with the names in them."""
        if rng.random() < 0.5:
            for i in range(150):
                self._put("%d.%s" % (self.time - 200 + i, "h" * 140),
                          letters.text())

    # -- other programs ---------------------------------------------------

    def deliver(self, rng, letters):
        """A name in the order of delivery, its sizes right, wrong or not there."""
        text = letters.text()
        self.time += rng.randrange(3)
        name = "%d.M%06dP%d.host" % (self.time, rng.randrange(1000000),
                                     rng.randrange(99999))
        if rng.random() < 0.3:
            name += ",S=%d,W=%d" % (len(text), len(spool.wire(text)))
        elif rng.random() < 0.1:
            name += ",S=1,W=2"
        elif rng.random() < 0.1:
            name = rng.choice(("odd %d", "l" * 90 + "%d", "\xe4%d",
                               "zero.%d")) % rng.randrange(1 << 30)
        try:
            self._put(name, text)
        except OSError:
            return "deliver, no room"
        return "deliver"

    def _put(self, name, text):
        tmp = self.path + "tmp/" + name
        try:
            with open(tmp, "wb") as f:
                os.chown(tmp, *self.owner)
                f.write(text)
        except OSError:
            os.unlink(tmp)
            raise
        os.rename(tmp, self.path + "new/" + name)

    def change(self, rng, _letters):
        """A mail reader takes over, marks, removes."""
        out = []
        for base, path in self.files().items():
            what = rng.random()
            if what < 0.2:
                os.unlink(path)
            elif what < 0.6:
                os.rename(path, self.path + "cur/" + base + ":2,"
                          + rng.choice(("", "S", "F", "RS", "Sa", "T")))
            elif what < 0.65:
                self._anew(path)
            else:
                continue
            out.append(base)
        return "change %d" % len(out)

    @staticmethod
    def altered(_old, _new):
        """A file with other octets is another file."""
        return set()

    def _anew(self, path):
        """The same octets in another file of that name."""
        shutil.copy(path, self.path + "tmp/anew")
        os.chown(self.path + "tmp/anew", *self.owner)
        os.rename(self.path + "tmp/anew", path)

    def spoil(self, rng):
        """What is no message, or a message without a name."""
        what = rng.randrange(4)
        path = self.path + rng.choice(("new/", "cur/"))
        if what == 0:
            os.makedirs(path + "folder", exist_ok=True)
            if "" not in self.files():
                self._put("nameless", b"Subject: nameless\n\n")
                os.rename(self.path + "new/nameless", path + ":2,S")
        elif what == 1 and not os.path.lexists(path + "link"):
            os.symlink("/etc/passwd", path + "link")
        elif what == 2:
            with open(path + ".hidden", "wb") as f:
                f.write(b"hidden\n")
        else:
            os.utime(path, (1, 1))
        return "odd %d" % what

    def unlock(self):
        """It has no locks."""

    # -- what a session has -----------------------------------------------

    @staticmethod
    def _key(base):
        """By time, by its fraction, by the name."""
        m = re.match(r"(\d+)\.(?:M(\d+))?", base)
        return (int(m[1]), int(m[2] or 0)) if m else (0, 0), os.fsencode(base)

    @staticmethod
    def hidden():
        return []

    def shown(self):
        return [Shown(os.fsencode(base), spool.wire(text), (text, file))
                for base, (text, file, _) in sorted(
                    self.read().items(), key=lambda kv: self._key(kv[0]))]

    @staticmethod
    def hold():
        return None

    @staticmethod
    def is_small(_held):
        return False

    @staticmethod
    def is_copied(_held, _options):
        return False

    def may_refuse(self, message, _nth, _held):
        """The file is not there any more, or another one has its name."""
        now = self.read().get(os.fsdecode(message.who))
        return now is None or now[1] != message.raw[1]

    # -- what UPDATE did ----------------------------------------------------

    def judge(self, before, after, session):
        gone = {m.who: m.raw[1] for m in session.deleted_messages()}
        seen = {m.who for m in session.retrieved_messages()}
        want = {base: was for base, was in before.items()
                if gone.get(os.fsencode(base)) != was[1]}
        extra = Counter(m.wire for m in session.extra_kept())
        came = {b: now for b, now in after.items() if b not in before}
        if Counter(spool.wire(now[0]) for now in came.values()) != extra:
            return "bulletins"
        if set(want) != set(after) - set(came):
            return "not these messages: %r" % (
                set(want) ^ (set(after) - set(came)))
        for base, was in want.items():
            now = after[base]
            if now[:2] != was[:2] or (now[2] != was[2] and not (
                    session.status and os.fsencode(base) in seen)):
                return "the file of %s" % base
        return None


def settle():
    """Until the next change of a file has another time."""
    time.sleep(0.025)
