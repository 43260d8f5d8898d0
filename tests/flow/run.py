#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs the dialogues against popper, in all ways (ways.py), and compares
what came: run.py [--popper FILE] [--way WAY] [-v] [NAME...]

Prints a line for each dialogue and way, ends with `N passed, N failed, N
skipped`.
"""

import argparse
import base64
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [TESTS, HERE, os.path.join(TESTS, "sasl")]
sys.dont_write_bytecode = True

import dialogue                                                  # noqa: E402
from fixture import Fixture                                      # noqa: E402
from lib.host import binary                                      # noqa: E402
from scram import Scram                                          # noqa: E402
from ways import WAYS, Gone                                      # noqa: E402

# What may differ between two ways of one dialogue, and nothing else.
FILTER = [
    (rb"\(version [^)]*\)", b"(version)"),
    (rb"at \S+ (starting|signing off)", rb"at HOST \1"),
    (rb"(?m)^\+ cj[A-Za-z0-9+/=]*\r$", b"+ r=(nonce)\r"),       # of SCRAM
    (rb"(?m)^\+ dj[A-Za-z0-9+/=]*\r$", b"+ v=(verifier)\r"),    # likewise
]


class Wrong(Exception):
    """The server did not keep to the dialogue."""


class Run:
    """One dialogue in one way."""

    def __init__(self, d, way, fixture):
        self.d, self.way, self.fixture = d, way, fixture
        self.heard = b""                # the last line
        self.names = {**fixture.names(), "scram": self.scram}
        self.client = None
        self.open, self.done, self.values = {}, [], {}
        self.step = None

    def conn(self, number):
        if number not in self.open:
            self.open[number] = self.way(self.fixture)
        return self.open[number]

    def run(self):
        steps, i = self.d.steps, 0
        while i < len(steps):
            i = self._ahead(i) if self.way.ahead else i
            self.step = steps[i]
            getattr(self, "do_" + self.step.what)(self.step)
            i += 1
        if self.open:
            self.step = None
            raise Wrong("the dialogue has no end")

    def _ahead(self, at):
        """At the start of a session, send all that its client says."""
        if self.open:
            return at
        data = b""
        for s in self.d.steps[at:]:
            if s.what == "again":
                break
            if s.what == "C":
                data += self._said(s)
        if data:
            self.conn(1).send(data)
        return at

    def _said(self, s):
        return eval(s.value, dict(self.names)) if s.exact \
            else s.value.encode() + b"\r\n"

    def scram(self, user=None, password="secret"):
        """What a client by SCRAM-SHA-256 says next; a name begins."""
        if user:
            self.client = Scram(user, password)
            said = self.client.first()
        elif self.client.verifier is None:
            said = self.client.final(base64.b64decode(self.heard[2:]))
        elif self.client.knows(base64.b64decode(self.heard[2:])):
            said = b""
        else:
            raise Wrong("the server does not know the secret")
        return base64.b64encode(said) + b"\r\n"

    def do_C(self, s):
        if not self.way.ahead:
            self.conn(s.conn).send(self._said(s))

    def do_S(self, s):
        conn = self.conn(s.conn)
        if s.exact:
            want = eval(s.value, dict(self.names))
            have = conn.octets(len(want))
            if have != want:
                at = next(i for i, (a, b) in enumerate(zip(have, want))
                          if a != b)
                raise Wrong("octet %d: %r, not %r" % (
                    at, have[at:at + 60], want[at:at + 60]))
            return
        line = self.heard = conn.line()
        regex, groups = dialogue.pattern(s.value, self.names)
        m = regex.fullmatch(line[:-2])
        if m is None or not line.endswith(b"\r\n"):
            raise Wrong("got %r" % line[:300])
        for group, (kind, name) in groups.items():
            self._bind(kind, name, m[group])

    def _bind(self, kind, name, value):
        values = self.values.setdefault(kind, {})
        if values.setdefault(name, value) != value:
            raise Wrong("%s is %r, was %r" % (name, value, values[name]))
        if len(set(values.values())) != len(values):
            raise Wrong("%r came already: %r" % (value, values))

    def do_wait(self, s):
        time.sleep(float(s.value))

    def _finish(self, number):
        conn = self.open.pop(number)
        self.done.append(conn)
        return conn

    def do_closed(self, s):
        conn = self._finish(s.conn)
        rest = conn.ended()
        conn.leave()
        self._exited(conn)
        if rest:
            raise Wrong("more came: %r" % rest[:200])

    def do_leave(self, s):
        conn = self._finish(s.conn)
        conn.leave()
        self._exited(conn)

    def do_kill(self, s):
        conn = self._finish(s.conn)
        conn.kill()
        self._exited(conn)

    def _exited(self, conn):
        code = conn.wait()
        if code != 0:
            raise Wrong("popper ended with %s" % code)

    def do_again(self, _):
        if self.open:
            raise Wrong("the session before has no end")

    def do_append(self, s):
        self.fixture.append(*s.value.split(" = "))

    def do_replace(self, s):
        self.fixture.replace(*s.value.split(" = "))

    def _complain(self, text):
        if text is not None:
            raise Wrong(text)

    def do_left(self, s):
        self._complain(self.fixture.left(*s.value.split(" =")))

    def do_same(self, s):
        self._complain(self.fixture.same(s.value))

    def _has(self, name, regex):
        data = self.fixture.read(name)
        return data is not None and re.search(
            regex.encode(), data, re.M) is not None

    def do_log(self, s):
        if not self._has("log", s.value):
            raise Wrong("not in the log: %r" % self.fixture.read("log"))

    def do_nolog(self, s):
        if self._has("log", s.value):
            raise Wrong("in the log: %r" % self.fixture.read("log"))

    def do_has(self, s):
        name, regex = s.value.split(" ", 1)
        if not self._has(name, regex):
            raise Wrong("%s: %r" % (name, self.fixture.read(name)))

    def do_gone(self, s):
        if self.fixture.read(s.value) is not None:
            raise Wrong("%s is there" % s.value)

    # -- afterwards -------------------------------------------------------

    def transcript(self):
        out = b"".join(b"=====\n" + bytes(c.heard) for c in self.done)
        for regex, instead in FILTER:
            out = re.sub(regex, instead, out)
        return out

    def stop(self):
        for conn in list(self.open.values()):
            conn.process.kill()
            conn.process.wait()
            conn.leave()
            self.done.append(conn)
        self.open.clear()

    def story(self):
        """What to show of a failure."""
        heard = b"".join(bytes(c.heard) for c in self.done)
        log = self.fixture.read("log") or b""
        err = self.fixture.read("stderr") or b""
        where = "%s.pop:%d: %s%s %s" % (
            self.d.name, self.step.line, self.step.what,
            "=" if self.step.exact else ":", self.step.value) \
            if self.step else self.d.name
        return "  at   %s\n  heard %r\n  log  %r\n  stderr %r" % (
            where, heard[-600:], log[-600:], err[-300:])


def one(d, way, popper):
    """(complaint or None, transcript)"""
    fixture = Fixture(d, popper)
    run = Run(d, way, fixture)
    try:
        run.run()
        if fixture.read("stderr"):
            raise Wrong("stderr is not empty")
        return None, run.transcript()
    except (Wrong, Gone, TimeoutError, BrokenPipeError,
            ConnectionResetError) as e:
        run.stop()
        return "%s: %s\n%s" % (type(e).__name__, e, run.story()), None
    finally:
        run.stop()
        if fixture.server:
            fixture.server.stop()
        fixture.remove()


def play(d, ways, popper, loud):
    """(passed, failed) of a dialogue in all its ways."""
    first, passed, failed = None, 0, 0
    for way in ways:
        if (way.ahead and not d.sends_ahead()) \
                or (way.root and os.geteuid() != 0) \
                or (d.only and way.name not in d.only):
            continue
        began = time.monotonic()
        complaint, transcript = one(d, way, popper)
        if complaint is None and first not in (None, transcript):
            complaint = "not the same as the first way\n  %r\n  %r" % (
                first, transcript)
        first = first or transcript
        passed += complaint is None
        failed += complaint is not None
        print("%-6s %-32s %-8s %6.2f s" % (
            "ok" if complaint is None else "FAILED", d.name, way.name,
            time.monotonic() - began), flush=True)
        if complaint is not None:
            print("  source: %s\n  %s" % (d.source, complaint), flush=True)
        elif loud and transcript == first:
            print(transcript.decode("latin-1"))
    return passed, failed


def main():
    p = argparse.ArgumentParser(description="run dialogues against popper")
    p.add_argument("--popper", default=binary())
    p.add_argument("--way", choices=[w.name for w in WAYS], action="append")
    p.add_argument("-v", action="store_true", help="show what came")
    p.add_argument("name", nargs="*")
    args = p.parse_args()
    ways = [w for w in WAYS if not args.way or w.name in args.way]
    passed, failed = 0, 0
    for d in dialogue.load_all(os.path.join(HERE, "dialogues")):
        if args.name and d.name not in args.name:
            continue
        good, bad = play(d, ways, args.popper, args.v)
        passed, failed = passed + good, failed + bad
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
