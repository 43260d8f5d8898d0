# SPDX-License-Identifier: ISC
"""What a POP3 client must receive, computed from the mbox file alone.

Written from the rules in docs/design.md section 6, independently of popper:
a message begins at a From_ line (with a date) at the start of the file or
after a blank line; the From_ line and one blank line before the next message
(or the end) are not part of it; every line ends with CRLF on the wire.

    messages(data) -> [Message(from_line, disk, wire)]

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


class Message(NamedTuple):
    from_line: bytes
    disk: bytes         # as stored
    wire: bytes         # as RETR sends it, before dot-stuffing

    @property
    def digest(self):
        return hashlib.sha256(self.wire).hexdigest()


def wire(disk):
    """Line ends for the wire: LF and CRLF become CRLF, nothing else moves."""
    out = re.sub(rb"\r?\n", b"\r\n", disk)
    return out if not out or out.endswith(b"\n") else out + b"\r\n"


def messages(data):
    found, lines, from_line, blank = [], [], None, True
    for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
        bare = line.rstrip(b"\n")
        bare = bare[:-1] if bare.endswith(b"\r") else bare
        if blank and FROM.match(bare):
            if from_line is not None:
                found.append(_message(from_line, lines))
            from_line, lines = line, []
        elif from_line is None:
            raise ValueError("not an mbox")
        else:
            lines.append(line)
        blank = line in (b"\n", b"\r\n")
    if from_line is not None:
        found.append(_message(from_line, lines))
    return found


def _message(from_line, lines):
    if lines and lines[-1] in (b"\n", b"\r\n"):
        lines = lines[:-1]
    disk = b"".join(lines)
    return Message(from_line, disk, wire(disk))


def main():
    with open(sys.argv[1], "rb") as f:
        for i, m in enumerate(messages(f.read()), 1):
            print(i, len(m.wire), m.digest)


if __name__ == "__main__":
    main()
