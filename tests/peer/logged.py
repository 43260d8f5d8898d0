# SPDX-License-Identifier: ISC
"""Lines of the log, as the log daemon gets them."""

import re

STAMP = re.compile(r"^<(\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d popper\[\d+\]: ")
LINE_MAX = 2200
ERR, WARN, NOTE, DEBUG = (2 * 8 + n for n in (3, 4, 5, 7))


def fields(line):
    """{key: value} of a log line, escapes undone; "" is the event."""
    out = {"": line.split(" ")[0]}
    for m in re.finditer(r' (\w+)=(?:"([^"]*)"|([^ "]*))', line):
        raw = m.group(3) if m.group(2) is None else m.group(2)
        out[m.group(1)] = re.sub(r"\\x([0-9a-f]{2})", lambda h: chr(
            int(h.group(1), 16)), raw)
    return out


def parse(raw):
    """(priority, fields) of one packet, which has the form it must have."""
    assert len(raw) < LINE_MAX and all(32 <= c < 127 for c in raw), raw
    text = raw.decode("ascii")
    m = STAMP.match(text)
    assert m, text
    return int(m.group(1)), fields(text[m.end():])
