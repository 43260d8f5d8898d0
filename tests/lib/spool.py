# SPDX-License-Identifier: ISC
"""What a POP3 client must receive, computed from the mbox file alone.

Written from the rules in docs/design.md section 6, independently of popper:
a message begins at a From_ line (with a date) at the start of the file or
after a blank line; the From_ line and one blank line before the next message
(or the end) are not part of it; every line ends with CRLF on the wire.

    messages(data) -> [Message(from_line, disk, wire)]
    pieces(data) -> (preamble, [all octets of each])

As a program: prints `number octets sha256` for each message of a spool.
"""

import hashlib
import re
import sys
from typing import NamedTuple

DAYS = b"Sun|Mon|Tue|Wed|Thu|Fri|Sat"
MONTHS = b"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
FROM = re.compile(
    rb"From .*\b(?:" + DAYS + rb") +(?:" + MONTHS + rb") +\d{1,2}"
    rb" +\d{1,2}:\d\d(?::\d\d)?\b"
    rb".*\b\d{4}\b")


LINE = re.compile(rb"From [^\n]*")
BLANK = (b"\n\n", b"\n\r\n")              # a line, and the end of the one before
# Holes that a crash left.
PREAMBLE = re.compile(rb"(?:\0|\r?\n)*")


class Message(NamedTuple):
    from_line: bytes
    disk: bytes         # as stored
    wire: bytes         # as RETR sends it, before dot-stuffing

    @property
    def digest(self):
        return hashlib.sha256(self.wire).hexdigest()


def wire(disk):
    """Line ends for the wire: LF and CRLF become CRLF, nothing else moves."""
    out = disk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return out if not out or out.endswith(b"\n") else out + b"\r\n"


def pieces(data):
    """(What no message has, all octets of each message): they are the file."""
    at = PREAMBLE.match(data).end()
    begun = [m.start() for m in LINE.finditer(data, at)
             if (m.start() == at or data.endswith(BLANK, at, m.start()))
             and FROM.match(m[0].removesuffix(b"\r"))]
    if begun[:1] != [at][:len(data) - at]:
        raise ValueError("not an mbox")
    first = begun[0] if begun else len(data)
    return data[:first], [data[a:b] for a, b in
                          zip(begun, begun[1:] + [len(data)])]


def message(piece):
    """Of all its octets."""
    from_line, disk = re.fullmatch(rb"([^\n]*\n?)(.*)", piece, re.S).groups()
    if disk in (b"\n", b"\r\n"):
        disk = b""
    elif disk.endswith(BLANK):
        disk = disk[:-2 if disk.endswith(b"\r\n") else -1]
    return Message(from_line, disk, wire(disk))


def messages(data):
    return [message(piece) for piece in pieces(data)[1]]


def main():
    with open(sys.argv[1], "rb") as f:
        for i, m in enumerate(messages(f.read()), 1):
            print(i, len(m.wire), m.digest)


if __name__ == "__main__":
    main()
